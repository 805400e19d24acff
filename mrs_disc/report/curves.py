"""The curves of a level, for every format and for the review page: one axis, one transform.

All spectra are those of `signal.axes`, with the fit's delay removed. What differs between the
views stands here side by side, with its reason:

- figures show half a ppm beyond the usual fit, and twice the points of the FID: closer than a line
  is wide, more would only make the file larger (`spectra`);
- the water line of the quality strip is broad and drawn small: the FID's own points (`water_line`);
- the review page lays levels over one another: one grid for all, in the unit of the continuous
  transform (sum times dwell time), read off four times the points by straight lines (`on_grid`).

Nothing is apodized, but where the reviewer asks for it: line broadening is for the eye, and
changes nothing that was measured.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.fft

from mrs_disc.data import Sampling
from mrs_disc.record.level import Level, Results
from mrs_disc.record.signals import LevelSignals, Signals
from mrs_disc.signal.axes import frequency_axis, ppm_axis, spectrum, time_axis
from mrs_disc.typing import ComplexArray, FloatArray

PPM_RANGE = (0.5, 4.5)
WATER_RANGE = (3.9, 5.4)
GRID_PPM = np.round(np.arange(0.0, 5.0005, 0.004), 4)
"""The axis of the review page: half a hertz at 3 T."""
MAX_BROADENING_HZ = 20.0
_DECIMALS = 3


@dataclass(frozen=True, slots=True)
class Spectra:
    """The curves of one level on the shown axis (ascending ppm): real parts, delay removed."""

    ppm: FloatArray
    data: FloatArray
    fit: FloatArray
    baseline: FloatArray
    components: FloatArray
    fitted: tuple[float, float]
    noise_sd: float

    @property
    def inside(self) -> slice:
        """The fitted range."""
        low, high = np.searchsorted(self.ppm, self.fitted)
        return slice(int(low), int(high))

    @property
    def top(self) -> float:
        """Highest point of the fit, or of the data in the fitted range."""
        return float(max(self.fit[self.inside].max(), self.data[self.inside].max()))


def transformed(
    fids: ComplexArray, sampling: Sampling, filling: int = 1, delay_s: float = 0.0
) -> tuple[FloatArray, ComplexArray]:
    """Return the ppm axis and the spectra of FIDs.

    Parameters
    ----------
    fids : complex array, shape (..., point)
        Time signals.
    sampling : Sampling
        How they were sampled.
    filling : int
        The spectrum has at least this many times the points of the FID.
    delay_s : float
        Time of the first point after the echo, whose phase over frequency is taken out.
    """
    n = fids.shape[-1]
    size = scipy.fft.next_fast_len(filling * n)
    filled = np.zeros((*fids.shape[:-1], size), np.complex128)
    filled[..., :n] = fids
    dwell = sampling.dwell_time_s
    turned = spectrum(filled) * np.exp(-2j * np.pi * frequency_axis(size, dwell) * delay_s)
    return ppm_axis(size, dwell, sampling.spectrometer_mhz, sampling.reference_ppm), turned


def has_signals(level: Level, signals: Signals) -> bool:
    """Say whether a level can be drawn."""
    return level.measured is not None and level.key in signals.levels


# --------------------------------------------------------------------------- figures


def spectra(level: Level, signals: LevelSignals) -> Spectra:
    """Return the curves of a level in the units of the data."""
    assert level.fit is not None
    fids = np.vstack([signals.data, signals.baseline, signals.components])
    ppm, turned = transformed(fids, signals.sampling, filling=2, delay_s=level.fit.delay_s)
    shown = (ppm >= PPM_RANGE[0]) & (ppm <= PPM_RANGE[1])
    real = np.asarray(turned.real[:, shown], np.float64)
    data, baseline, components = real[0], real[1], real[2:]
    return Spectra(
        ppm=ppm[shown],
        data=data,
        fit=baseline + components.sum(axis=0),
        baseline=baseline,
        components=components,
        fitted=_shown_window(*level.fit.window_ppm),
        noise_sd=level.fit.spectrum_noise_sd,
    )


def study_spectra(results: Results, signals: Signals | None) -> tuple[dict[str, Spectra], float]:
    """Return the curves of every level that can be drawn, and what stands for 100 in all."""
    drawn = {
        level.key: spectra(level, signals.levels[level.key])
        for level in results.levels
        if signals is not None and has_signals(level, signals)
    }
    return drawn, common_top(results.levels, {key: found.top for key, found in drawn.items()})


def _shown_window(low: float, high: float) -> tuple[float, float]:
    """Return the part of the fitted range that is shown; all of the axis where there is none."""
    low, high = max(low, PPM_RANGE[0]), min(high, PPM_RANGE[1])
    return (low, high) if high - low > 0.05 else PPM_RANGE


def common_top(levels: Iterable[Level], tops: Mapping[str, float]) -> float:
    """Return the height that stands for 100 in all levels: the tallest of usable quality.

    Parameters
    ----------
    levels : iterable of Level
        Of one study.
    tops : mapping
        Key of a level to the height of its tallest point, where it can be drawn.
    """
    usable = [
        tops[level.key]
        for level in levels
        if level.key in tops and level.quality is not None and level.quality.verdict != "poor"
    ]
    return max(usable, default=0.0) or max(tops.values(), default=0.0) or 1.0


def water_line(signals: LevelSignals) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return ppm and magnitudes around water: before and after its removal."""
    fids = np.vstack([signals.residue, signals.data])
    fids[:, 0] *= 2  # whole, not halved: how large the line is counts, not where it stands
    ppm, lines = transformed(fids, signals.sampling)
    shown = (ppm > WATER_RANGE[0]) & (ppm < WATER_RANGE[1])
    before, after = np.abs(lines[:, shown])
    return ppm[shown], before, after


# --------------------------------------------------------------------------- the review page


def on_grid(
    level: Level, signals: LevelSignals, broadening_hz: float = 0.0
) -> dict[str, ComplexArray]:
    """Return the complex spectra of a level on the grid of the review page.

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
    weighted = np.vstack([signals.data, signals.baseline, signals.components]) * _weight(
        signals, broadening_hz
    )
    ppm, turned = transformed(weighted, signals.sampling, filling=4, delay_s=level.fit.delay_s)
    data, baseline, *components = (
        np.interp(GRID_PPM, ppm, curve.real) + 1j * np.interp(GRID_PPM, ppm, curve.imag)
        for curve in turned
    )
    fitted = baseline + np.sum(components, axis=0)
    named = dict(zip(level.fit.metabolites, components, strict=False))
    return {"data": data, "fit": fitted, "baseline": baseline} | named


def _weight(signals: LevelSignals, broadening_hz: float) -> FloatArray:
    """Return what each point counts: its interval of time, less where lines are broadened."""
    dwell = signals.sampling.dwell_time_s
    return np.exp(-np.pi * broadening_hz * time_axis(signals.data.size, dwell)) * dwell


def noise_sd(level: Level, signals: LevelSignals, broadening_hz: float = 0.0) -> float:
    """Return the standard deviation of the real noise of the spectrum on the grid."""
    assert level.fit is not None
    return float(level.fit.noise_sd * np.sqrt(np.sum(_weight(signals, broadening_hz) ** 2)))


def common_height(results: Results, signals: Signals) -> float:
    """Return the height that stands for 100 in every level of a study on the review page."""
    tops = {}
    for level in results.levels:
        if level.fit is not None and has_signals(level, signals):
            fitted = on_grid(level, signals.levels[level.key])["fit"].real
            inside = slice(*np.searchsorted(GRID_PPM, level.fit.window_ppm))
            tops[level.key] = float(fitted[inside].max(initial=0.0))
    return common_top(results.levels, tops)


def spectrum_json(
    level: Level, signals: LevelSignals, height: float, broadening_hz: float = 0.0
) -> dict[str, Any]:
    """Return the curves of a level as the review page draws them."""
    assert level.fit is not None
    unit = 100.0 / height
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
        "curves": {
            name: {
                "real": np.round(curve.real * unit, _DECIMALS).tolist(),
                "imaginary": np.round(curve.imag * unit, _DECIMALS).tolist(),
            }
            for name, curve in on_grid(level, signals, broadening_hz).items()
        },
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
    found = on_grid(level, signals)
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
