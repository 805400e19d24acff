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

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from mrs_disc.data import Sampling
from mrs_disc.data.spectra import transformed
from mrs_disc.record.level import Level, Results
from mrs_disc.record.signals import LevelSignals, Signals
from mrs_disc.signal.axes import time_axis
from mrs_disc.typing import ComplexArray, FloatArray

PPM_RANGE = (0.5, 4.5)
WATER_RANGE = (3.9, 5.4)
GRID_PPM = np.round(np.arange(0.0, 5.0005, 0.004), 4)
"""The axis of the review page: half a hertz at 3 T."""
MAX_BROADENING_HZ = 20.0
_DECIMALS = 3


@dataclass(frozen=True, slots=True)
class Place:
    """Where a component stands in a spectrum, so that its name can stand there too."""

    name: str
    ppm: float
    """Of its strongest line."""
    low: float
    high: float
    """Where the component is at least half as high as there, ppm."""
    under: str = ""
    """The component that is higher at that place, if any."""


TOPPED = 2.0
"""A component is under another that is more than this times as high at its place."""
MULTIPLET_PPM = 0.06
"""A line of a multiplet is no further from its middle: 7 Hz at 1.5 T."""
REGION_PPM = 0.3
"""A component that is half as high over more than this is a region, not a line."""


def places(
    names: Iterable[str], ppm: FloatArray, curves: FloatArray, expected: Mapping[str, float | None]
) -> list[Place]:
    """Return where each component is strongest, and what stands above it there.

    Parameters
    ----------
    names : iterable of str
        Of the components.
    ppm : array, shape (point,)
        Ascending.
    curves : array, shape (component, point)
        Their real spectra.
    expected : mapping
        Component to the ppm of its first line: its place where its amplitude is zero.
    """
    found: list[Place] = []
    names = list(names)
    for name, curve in zip(names, curves, strict=True):
        size = np.abs(curve)
        if not size.any():
            first_line = expected.get(name)
            if first_line is not None and ppm[0] <= first_line <= ppm[-1]:
                found.append(Place(name, first_line, first_line, first_line))
            continue
        top = int(np.argmax(size))
        high = np.flatnonzero(size >= 0.5 * size[top])
        edges = np.split(high, np.flatnonzero(np.diff(high) > 1) + 1)
        # Lines that overlap at half their height are one region; its middle is its place.
        own = next(part for part in edges if top in part)
        first = int(np.argmax(curves[:, top]))
        under = names[first] if curves[first, top] > TOPPED * size[top] else ""
        at, start, end = (float(ppm[n]) for n in (top, own[0], own[-1]))
        middle = expected.get(name)
        if middle is not None and abs(middle - at) < MULTIPLET_PPM:
            at = middle
        found.append(Place(name, at, start, end, under))
    return found


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
    shown: tuple[float, float] = PPM_RANGE

    @property
    def inside(self) -> slice:
        """The fitted range."""
        low, high = np.searchsorted(self.ppm, self.fitted)
        return slice(int(low), int(high))

    def places(self, first_lines: Mapping[str, float | None]) -> list[Place]:
        """Return where the components stand in the fitted range: see the function `places`."""
        inside = self.inside
        return places(first_lines, self.ppm[inside], self.components[:, inside], first_lines)

    @property
    def top(self) -> float:
        """Highest point of the fit, or of the data in the fitted range."""
        return float(max(self.fit[self.inside].max(), self.data[self.inside].max()))


def other_peaks(curves: Spectra, names: Sequence[str], named: Sequence[Place]) -> list[Place]:
    """Return the peaks of the fit that stand away from the name of what dominates them.

    Parameters
    ----------
    curves : Spectra
        Of one level.
    names : sequence of str
        Of its components.
    named : sequence of Place
        Where the names stand.
    """
    from scipy.signal import find_peaks  # 0.1 s of imports that only a picture needs

    components = curves.components[:, curves.inside]
    fit, ppm = curves.fit[curves.inside], curves.ppm[curves.inside]
    places_of = {place.name: place for place in named}
    found = []
    for n in find_peaks(fit, prominence=3 * curves.noise_sd)[0]:
        first = int(np.argmax(components[:, n]))
        at, own = float(ppm[n]), places_of.get(names[first])
        stands = own is not None and (own.low - 0.2 <= at <= own.high + 0.2)
        if not stands and components[first, n] > 0.5 * fit[n]:
            found.append(Place(names[first], at, at, at))
    return found


def has_signals(level: Level, signals: Signals) -> bool:
    """Say whether a level can be drawn."""
    return level.measured is not None and level.key in signals.levels


# --------------------------------------------------------------------------- figures


def spectra(level: Level, signals: LevelSignals) -> Spectra:
    """Return the curves of a level in the units of the data."""
    assert level.fit is not None
    return spectra_of(
        signals,
        delay_s=level.fit.delay_s,
        fitted=level.fit.window_ppm,
        noise_sd=level.fit.spectrum_noise_sd,
    )


class FittedFids(Protocol):
    """The FIDs of a fit: of a record's signals, or of a fit that was just made."""

    @property
    def sampling(self) -> Sampling:
        """Of all of them."""

    @property
    def data(self) -> ComplexArray:
        """What was fitted."""

    @property
    def baseline(self) -> ComplexArray:
        """The model's baseline."""

    @property
    def components(self) -> ComplexArray:
        """The model's components."""


def spectra_of(
    fids: FittedFids,
    *,
    delay_s: float,
    fitted: tuple[float, float],
    noise_sd: float,
    shown: tuple[float, float] = PPM_RANGE,
) -> Spectra:
    """Return the curves of a fit in the units of the data, on the part of the axis that is shown.

    Parameters
    ----------
    fids : FittedFids
        Their zero-order phase removed.
    delay_s : float
        Of the first point, whose phase over frequency is taken out.
    fitted, shown : tuple of float
        Ranges, ppm, the lower end first.
    noise_sd : float
        Of the real noise of the spectrum.
    """
    stacked = np.vstack([fids.data, fids.baseline, fids.components])
    ppm, turned = transformed(stacked, fids.sampling, filling=2, delay_s=delay_s)
    part = (ppm >= shown[0]) & (ppm <= shown[1])
    real = np.asarray(turned.real[:, part], np.float64)
    data, baseline, components = real[0], real[1], real[2:]
    return Spectra(
        ppm=ppm[part],
        data=data,
        fit=baseline + components.sum(axis=0),
        baseline=baseline,
        components=components,
        fitted=_shown_window(*fitted, shown),
        noise_sd=noise_sd,
        shown=shown,
    )


def study_spectra(results: Results, signals: Signals | None) -> tuple[dict[str, Spectra], float]:
    """Return the curves of every level that can be drawn, and what stands for 100 in all."""
    drawn = {
        level.key: spectra(level, signals.levels[level.key])
        for level in results.levels
        if signals is not None and has_signals(level, signals)
    }
    return drawn, common_top(results.levels, {key: found.top for key, found in drawn.items()})


def _shown_window(
    low: float, high: float, shown: tuple[float, float] = PPM_RANGE
) -> tuple[float, float]:
    """Return the part of the fitted range that is shown; all of the axis where there is none."""
    low, high = max(low, shown[0]), min(high, shown[1])
    return (low, high) if high - low > 0.05 else shown


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
    curves = on_grid(level, signals, broadening_hz)
    return {
        "key": level.key,
        "title": level.title,
        "broadening_hz": broadening_hz,
        "window_ppm": level.fit.window_ppm,
        "noise_sd": round(noise_sd(level, signals, broadening_hz) * unit, 5),
        "components": list(level.fit.metabolites),
        "lines": [
            {"name": p.name, "ppm": p.ppm, "low": p.low, "high": p.high, "under": p.under}
            for p in _grid_places(level, curves)
        ],
        "ppm": GRID_PPM.tolist(),
        "curves": {
            name: {
                "real": np.round(curve.real * unit, _DECIMALS).tolist(),
                "imaginary": np.round(curve.imag * unit, _DECIMALS).tolist(),
            }
            for name, curve in curves.items()
        },
    }


def _grid_places(level: Level, curves: Mapping[str, ComplexArray]) -> list[Place]:
    """Return the places of the components on the grid of the review page, in the fitted range."""
    assert level.fit is not None
    names = [name for name in level.fit.metabolites if name in curves]
    inside = slice(*np.searchsorted(GRID_PPM, _shown_window(*level.fit.window_ppm)))
    real = np.array([curves[name].real[inside] for name in names])
    expected = {name: metabolite.ppm for name, metabolite in level.fit.metabolites.items()}
    return places(names, GRID_PPM[inside], real, expected)


def in_words(level: Level, signals: LevelSignals, height: float) -> list[dict[str, Any]]:
    """Return what the spectrum shows at each component: the text equivalent of the picture.

    Returns
    -------
    list of dict
        ``name``, ``ppm`` of its strongest line, ``data``, ``fit``, ``component`` and ``residual``
        (scale of the page), and ``residual_noise``, the residual over the noise.
    """
    assert level.fit is not None
    found = on_grid(level, signals)
    unit, noise = 100.0 / height, noise_sd(level, signals)
    rows = []
    for at in _grid_places(level, found):
        name, place = at.name, int(np.argmin(np.abs(GRID_PPM - at.ppm)))
        data, fit = (float(found[k].real[place]) for k in ("data", "fit"))
        rows.append(
            {
                "name": name,
                "ppm": at.ppm,
                "data": data * unit,
                "fit": fit * unit,
                "component": float(found[name].real[place]) * unit,
                "residual": (data - fit) * unit,
                "residual_noise": (data - fit) / noise if noise > 0 else None,
            }
        )
    return rows
