"""The curves of one level as plain arrays for the page.

All levels share one ppm grid and one vertical scale, so that any of them can be laid over another:
spectra are approximations of the continuous transform (sum times dwell time), and 100 stands for
the tallest fitted point of the study's usable levels. Line broadening is for the eye: it changes
these arrays and nothing that was measured.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import scipy.fft

from mrs_disc.record.level import Level, Results
from mrs_disc.record.signals import LevelSignals, Signals
from mrs_disc.typing import ComplexArray, FloatArray

GRID_PPM = np.round(np.arange(0.0, 5.0005, 0.004), 4)
"""The shown axis: half a hertz at 3 T."""
MAX_BROADENING_HZ = 20.0
_DECIMALS = 3


def curves(
    level: Level, signals: LevelSignals, broadening_hz: float = 0.0
) -> dict[str, ComplexArray]:
    """Return the complex spectra of a level on the grid.

    Parameters
    ----------
    level : Level
        The level's record.
    signals : LevelSignals
        Its arrays.
    broadening_hz : float
        Lorentzian width that is added to every line, Hz.

    Returns
    -------
    dict of complex arrays, shape (grid point,)
        ``data``, ``fit``, ``baseline`` and each component, units of the FID times s.
    """
    assert level.fit is not None
    sampling, n = signals.sampling, signals.data.size
    time = np.arange(n) * sampling.dwell_time_s
    weight = np.exp(-np.pi * broadening_hz * time) * sampling.dwell_time_s
    weight[0] *= 0.5  # the first point stands for half an interval
    size = scipy.fft.next_fast_len(4 * n)  # so dense that the grid may be read by straight lines
    hz = scipy.fft.fftshift(scipy.fft.fftfreq(size, sampling.dwell_time_s))
    ppm = sampling.reference_ppm + hz / sampling.spectrometer_mhz
    fids = np.vstack([signals.data, signals.baseline, signals.components]) * weight
    spectra = scipy.fft.fftshift(scipy.fft.fft(fids, size), axes=-1)
    spectra *= np.exp(-2j * np.pi * hz * level.fit.delay_s)
    data, baseline, *components = (_on_grid(ppm, spectrum) for spectrum in spectra)
    names = list(level.fit.metabolites)
    found = {"data": data, "fit": baseline + np.sum(components, axis=0), "baseline": baseline}
    return found | dict(zip(names, components, strict=False))


def _on_grid(ppm: FloatArray, spectrum: ComplexArray) -> ComplexArray:
    real = np.interp(GRID_PPM, ppm, spectrum.real)
    return np.asarray(real + 1j * np.interp(GRID_PPM, ppm, spectrum.imag))


def noise_sd(level: Level, signals: LevelSignals, broadening_hz: float = 0.0) -> float:
    """Return the standard deviation of the real noise of the shown spectrum."""
    assert level.fit is not None
    time = np.arange(signals.data.size) * signals.sampling.dwell_time_s
    weight = np.exp(-np.pi * broadening_hz * time) * signals.sampling.dwell_time_s
    return float(level.fit.noise_sd * np.sqrt(np.sum(weight**2)))


def common_height(results: Results, signals: Signals) -> float:
    """Return the height that stands for 100 in every level of a study."""
    usable, all_levels = [], []
    for level in results.levels:
        if not level.measured or level.key not in signals.levels:
            continue
        found = curves(level, signals.levels[level.key])
        assert level.fit is not None
        assert level.quality is not None
        inside = slice(*np.searchsorted(GRID_PPM, level.fit.window_ppm))
        height = float(found["fit"].real[inside].max(initial=0.0))
        all_levels.append(height)
        if level.quality.verdict != "poor":
            usable.append(height)
    return max(usable, default=0.0) or max(all_levels, default=0.0) or 1.0


def spectrum_json(
    level: Level, signals: LevelSignals, height: float, broadening_hz: float = 0.0
) -> dict[str, Any]:
    """Return the curves of a level as the page draws them."""
    assert level.fit is not None
    unit = 100.0 / height
    found = curves(level, signals, broadening_hz)
    return {
        "key": level.key,
        "title": level.title,
        "broadening_hz": broadening_hz,
        "window_ppm": level.fit.window_ppm,
        "noise_sd": round(noise_sd(level, signals, broadening_hz) * unit, 5),
        "components": list(level.fit.metabolites),
        "lines": [
            {"name": name, "ppm": metabolite.ppm}
            for name, metabolite in level.fit.metabolites.items()
            if metabolite.ppm is not None
        ],
        "ppm": GRID_PPM.tolist(),
        "curves": {name: _parts(curve * unit) for name, curve in found.items()},
    }


def _parts(curve: ComplexArray) -> Mapping[str, list[float]]:
    return {
        "real": np.round(curve.real, _DECIMALS).tolist(),
        "imaginary": np.round(curve.imag, _DECIMALS).tolist(),
    }


def in_words(level: Level, signals: LevelSignals, height: float) -> list[dict[str, Any]]:
    """Return what the spectrum shows at each component: the text equivalent of the picture.

    Returns
    -------
    list of dict
        ``name``, ``ppm``, ``data``, ``fit``, ``component`` and ``residual`` (scale of the page),
        and ``residual_noise``, the residual over the noise.
    """
    assert level.fit is not None
    found = curves(level, signals)
    unit, noise = 100.0 / height, noise_sd(level, signals)
    rows = []
    for name, metabolite in level.fit.metabolites.items():
        if metabolite.ppm is None or name not in found:
            continue
        place = int(np.argmin(np.abs(GRID_PPM - metabolite.ppm)))
        data, fit = (float(found[k].real[place]) for k in ("data", "fit"))
        rows.append(
            {
                "name": name,
                "ppm": metabolite.ppm,
                "data": data * unit,
                "fit": fit * unit,
                "component": float(found[name].real[place]) * unit,
                "residual": (data - fit) * unit,
                "residual_noise": (data - fit) / noise if noise > 0 else None,
            }
        )
    return rows
