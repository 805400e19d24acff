"""Transients that do not belong to the others, with a reason each.

What motion does to amplitude, frequency and phase is weighed as a whole (`motion`): a transient
goes where it is spoilt with a chance of more than `SPOILT_CHANCE`. For the rest (spikes, lines or
echoes that the others do not have) nobody knows how a spoilt transient looks. There every test
compares a transient with the mean of the series, in units of the larger of two spreads: what the
noise makes, and what the other transients show (median absolute deviation). Deviations become
chances, and the chances are judged together by the procedure of Benjamini and Hochberg: of the
transients left out, one in twenty should be sound, whatever the length of the series; a clean
series loses one in about one case of twenty.

Sources: Near et al., NMR Biomed 2021;34:e4257, doi:10.1002/nbm.4257 (what spoils a transient);
Benjamini and Hochberg, J R Stat Soc B 1995;57:289-300, doi:10.1111/j.2517-6161.1995.tb02031.x.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.special import log_ndtr

from mrs_disc.signal.axes import complex_array
from mrs_disc.signal.noise import median
from mrs_disc.signal.transients import priors as prior
from mrs_disc.signal.transients.align import Alignment
from mrs_disc.signal.transients.motion import Motion, judge_motion
from mrs_disc.signal.transients.motion_bands import part
from mrs_disc.signal.transients.robust import TINY, deviation, robust_mean, square_sums
from mrs_disc.signal.transients.series import Series, Spectra, blocks, projected_out
from mrs_disc.typing import BoolArray, ComplexArray, FloatArray, IntArray

MIN_TRANSIENTS = 4
"""Among fewer, nobody can say which one is wrong."""

N_BANDS = 6
"""Parts of the metabolite window whose residual is tested apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    """Which transients to leave out.

    Attributes
    ----------
    keep : bool array, shape (transient,)
        True for a transient to average; at least half of the series where that is usable.
    reasons : tuple of (str or None), length transient
        Why a transient is left out, None where it is kept.
    score : float array, shape (transient,)
        Deviation / threshold, both as normal deviates; above 1 is an outlier. Infinite where
        not usable.
    """

    keep: BoolArray
    reasons: tuple[str | None, ...]
    score: FloatArray


class Judgement(NamedTuple):
    """What one statistic says of each usable transient.

    Attributes
    ----------
    square : float array, shape (transient,)
        Above 1 is an outlier; far from the threshold it grows as a squared normal deviate.
    evidence : float array, shape (transient,)
        Against the transient being sound, natural logarithm.
    reason : callable
        From the number of a transient to what is wrong with it.
    """

    square: FloatArray
    evidence: FloatArray
    reason: Callable[[int], str]


def find_outliers(
    alignment: Alignment,
    *,
    window_hz: tuple[float, float],
    water_hz: tuple[float, float] | None = None,
    clipped: BoolArray | None = None,
) -> Rejection:
    """Find the transients that do not belong to the others.

    Parameters
    ----------
    alignment : Alignment
        Aligned transients with their frequencies and phases.
    window_hz : tuple of float
        Metabolite window from the carrier, Hz, without water: its jitter is no reason.
    water_hz : tuple of float, optional
        Band of the residual water, Hz; its tails in the window are then no reason either.
    clipped : bool array, shape (transient,), optional
        Transients known to be clipped, from `clipped_transients` of the raw signal.

    Returns
    -------
    Rejection

    Raises
    ------
    InputError
        If the window lies outside the spectrum.
    """
    usable = alignment.series.usable
    index = np.flatnonzero(usable)
    score = np.where(usable, 0.0, np.inf)
    reasons = [None if ok else "zero or not finite" for ok in usable]
    if len(index) < MIN_TRANSIENTS:
        return Rejection(keep=usable.copy(), reasons=tuple(reasons), score=score)
    series = alignment.series
    spectra = series.spectra_in_noise()
    inside, water = series.window(window_hz), series.water_band(window_hz, water_hz)
    motion = by_motion(judge_motion(*part(spectra, inside, water), alignment))
    sides = _outside(series.frequency_hz, window_hz, water_hz)
    distribution = by_distribution(series, spectra, inside, water, sides)

    # A transient goes by the statistic that finds more; its reason is the stronger evidence.
    score[index] = np.sqrt(np.maximum(distribution.square, motion.square))
    moved = motion.square > 1
    moved &= (distribution.square <= 1) | (motion.evidence > distribution.evidence)
    for row, transient in enumerate(index):
        if score[transient] > 1:
            reasons[transient] = (motion if moved[row] else distribution).reason(row)
        if clipped is not None and clipped[transient]:
            reasons[transient], score[transient] = "clipped", max(score[transient], 10.0)
    worst = index[np.argsort(-score[index], kind="stable")][: len(index) // 2]
    keep = usable.copy()
    keep[worst[score[worst] > 1]] = False
    reasons = [None if kept else reason for kept, reason in zip(keep, reasons, strict=True)]
    return Rejection(keep=keep, reasons=tuple(reasons), score=score)


def clipped_transients(raw: ComplexArray) -> BoolArray:
    """Recognise transients whose first points hold the largest value the receiver can give.

    Parameters
    ----------
    raw : complex array, shape (transient, point) or (coil, transient, point)
        Raw signal, before anything was done to it.

    Returns
    -------
    bool array, shape (transient,)
        True where, in any coil, a channel holds the coil's largest magnitude of the whole series
        for three points or more among the first 64. What is largest in its own transient alone
        proves nothing: noise in whole steps of a digitiser repeats its largest value by chance.
    """
    early = complex_array(raw, "raw signal", 2, 3, finite=False)[..., :64]
    early = np.where(np.isfinite(early), early, 0)
    sizes = np.abs(early.real), np.abs(early.imag)
    top = np.maximum(*sizes).max(axis=(-2, -1), keepdims=True)
    clipped = np.zeros(early.shape[:-1], dtype=bool)
    for size in sizes:
        clipped |= ((size == top) & (top > 0)).sum(axis=-1) >= 3
    return np.asarray(clipped.any(axis=0) if clipped.ndim == 2 else clipped, dtype=bool)


def by_motion(motion: Motion) -> Judgement:
    """Judge by the odds that motion has spoilt a transient, where both hypotheses have a law."""
    # the chance to be sound is 1 / (1 + odds): its logarithm over that of the threshold
    square = np.logaddexp(0.0, motion.log_odds) / -np.log1p(-prior.SPOILT_CHANCE)

    def reason(row: int) -> str:
        largest = int(np.argmax(motion.deviations[:, row]))
        if motion.deviations[largest, row] < 3:
            return "amplitude, frequency and phase off together"
        return (
            f"frequency jump of {motion.frequency_hz[row]:+.1f} Hz",
            f"phase jump of {np.degrees(motion.phase_rad[row]):+.0f} degrees",
            f"amplitude {motion.amplitude[row]:.2f} of the others",
        )[largest]

    return Judgement(square, motion.log_ratio, reason)


class _Test(NamedTuple):
    """One test against the distribution in the series."""

    log_chance: FloatArray  # of a sound transient to depart as far, shape (transient,)
    wording: str
    value: FloatArray  # what the wording has a gap for


def by_distribution(
    series: Series,
    spectra: Spectra,
    inside: slice,
    water: slice | None,
    sides: list[slice],
) -> Judgement:
    """Judge by the distribution of the series itself, where nobody knows how spoilt ones look.

    Parameters
    ----------
    series : Series
        Aligned transients.
    spectra : Spectra
        Their spectra, in units of the complex noise.
    inside, water : slice
        Bins of the lines and of the residual water, None where there is none apart from them.
    sides : list of slice
        Bins outside of both.
    """
    lines = spectra.without_tails(inside, water)
    mean = _central_mean(lines)
    # what is left once each has its own share of the mean: an amplitude is judged as motion
    share = np.real(lines @ mean.conj()) / max(float(np.sum(np.abs(mean) ** 2)), TINY)
    residual = _sizes(lines - share[:, None] * mean, N_BANDS)
    tests = [_energies(residual, "residual in the window {:.1f} times the others'")]
    if sides:
        cube_roots, n_bins = zip(*(_sizes_beside(spectra, s, water, 4) for s in sides), strict=True)
        beside = _Sizes(np.concatenate(cube_roots), np.concatenate(n_bins))
        tests.append(_energies(beside, "signal outside the window {:.1f} times the others'"))
    tests.append(_spikes(series.chosen, series.noise_sd))
    log_chances = np.stack([test.log_chance for test in tests])
    lowest = np.argmin(log_chances, axis=0)
    # Bonferroni: the lowest of so many chances is that often as low
    log_chance = np.minimum(log_chances.min(axis=0) + np.log(len(tests)), 0.0)

    def reason(row: int) -> str:
        test = tests[int(lowest[row])]
        return test.wording.format(float(test.value[row]))

    square = log_chance / _benjamini_hochberg(log_chance)
    return Judgement(square, -log_chances.min(axis=0), reason)


def _benjamini_hochberg(log_chance: FloatArray) -> float:
    """Return the log chance below which transients are outliers."""
    ranked = np.sort(log_chance)
    limits = np.log(prior.FALSE_SHARE * np.arange(1, len(ranked) + 1) / len(ranked))
    under = np.flatnonzero(ranked <= limits)
    return float(limits[under[-1] if len(under) else 0])


def _widening(n_transients: int) -> float:
    """Widen deviations in short series, whose spread is itself uncertain."""
    return 1 + 6.0 / n_transients + 12.0 / n_transients**2


def _central_mean(lines: ComplexArray) -> ComplexArray:
    """Mean of the lines that are near their robust mean."""
    distance = square_sums(lines - robust_mean(lines))
    near = distance <= median(distance) + 3 * max(deviation(distance), TINY)
    return np.asarray(lines[near].mean(axis=0))


class _Sizes(NamedTuple):
    """How large some parts of a residual are in each transient; all that is kept of it."""

    cube_root: FloatArray  # of the mean energy, shape (part, transient): near normal
    n_bins: IntArray  # (part,)


def _sizes(residual: ComplexArray, n_parts: int) -> _Sizes:
    """Cut a residual into parts of equal width and measure each, those of no bin left out."""
    edges = np.unique(np.linspace(0, residual.shape[1], n_parts + 1).round().astype(int))
    power = residual.real**2
    power += residual.imag**2
    n_bins = np.diff(edges)
    mean = np.add.reduceat(power, edges[:-1], axis=1) / n_bins
    return _Sizes(np.cbrt(mean).T, n_bins)


def _sizes_beside(spectra: Spectra, side: slice, water: slice | None, n_parts: int) -> _Sizes:
    """Measure what each transient has beyond the mean of all in some bins, without water's tails.

    Some transients at a time: with double precision and temporaries they would take ten times the
    room of the series.
    """
    lines = spectra.bins[:, side]
    tails = None if water is None else spectra.water_tails(side, water)
    mean = lines.mean(axis=0)
    if tails is not None:
        mean = projected_out(mean[None], tails)[0]
    found: list[_Sizes] = []
    for rows in blocks(lines.shape):
        block = lines[rows] if tails is None else projected_out(lines[rows], tails)
        found.append(_sizes(block - mean, n_parts))
    return _Sizes(np.concatenate([one.cube_root for one in found], axis=1), found[0].n_bins)


def _outside(
    frequencies: FloatArray, window_hz: tuple[float, float], water_hz: tuple[float, float] | None
) -> list[slice]:
    """Return what lies on either side of the window and of the water, with a margin."""
    low, high = window_hz
    if water_hz is not None:
        margin = 0.5 * (water_hz[1] - water_hz[0])
        low, high = min(low, water_hz[0] - margin), max(high, water_hz[1] + margin)
    sides = [
        slice(0, int(np.searchsorted(frequencies, low))),
        slice(int(np.searchsorted(frequencies, high, side="right")), len(frequencies)),
    ]
    return [side for side in sides if side.stop - side.start >= 32]


def _energies(parts: _Sizes, wording: str) -> _Test:
    """Residual energy of each part of the spectrum against the series; more is suspect."""
    size = parts.cube_root
    n_parts, n_transients = size.shape
    usual = np.maximum(median(size)[:, None], TINY)
    # the cube root of a mean of n exponentials varies by 1 / (3 sqrt(n)) of itself
    least = usual / (3 * np.sqrt(parts.n_bins))[:, None]
    shown = np.array([deviation(part) for part in size])[:, None]
    spread = np.maximum(np.maximum(shown, least), 1e-9 * size.max(axis=1, keepdims=True))
    # a tenth more energy harms nobody, however well it is measured: 3 % of the cube root
    beyond = (size - usual - 0.03 * usual) / spread / _widening(n_transients)
    chance = np.minimum(log_ndtr(-beyond) + np.log(n_parts), 0.0)
    lowest = chance.argmin(axis=0), np.arange(n_transients)
    ratio = (np.minimum(size, 1e3 * usual) / usual)[lowest] ** 3
    return _Test(chance[lowest], wording, np.where(chance[lowest] < 0, ratio, 1.0))


def _bend(signal: ComplexArray) -> ComplexArray:
    """Return points less the mean of their neighbours, (transient, point)."""
    bent: ComplexArray = signal[:, 2:] + signal[:, :-2]
    bent *= 0.5
    return np.subtract(signal[:, 1:-1], bent, out=bent)


def _spikes(signal: ComplexArray, noise_sd: float) -> _Test:
    """Points that stand alone in time: second difference against noise and against the series."""
    n_transients, n_points = signal.shape
    # lines are smooth from point to point, so they hardly have a second difference
    usual_bend = _bend(signal.mean(axis=0)[None])[0]
    highest = np.empty(n_transients)
    for rows in blocks(signal.shape):
        bent = _bend(signal[rows])
        bent -= usual_bend
        highest[rows] = (bent.real**2 + bent.imag**2).max(axis=1)
    highest /= noise_sd**2
    # the highest of n exponential variables of mean 1.5 * 2
    by_noise = np.log(n_points) - highest / 3
    size = np.sqrt(highest)
    usual = float(median(size))
    spread = max(deviation(size), 0.07 * usual, TINY)
    by_series = log_ndtr(-(size - usual) / spread / _widening(n_transients))
    # a spike has to stand out of both: of the noise, and of what the others show
    chance = np.minimum(np.maximum(by_noise, by_series), 0.0)
    return _Test(chance, "spike of {:.0f} times the noise", size / np.sqrt(1.5))
