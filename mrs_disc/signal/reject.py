"""Transients that do not belong to the others, with a reason each; and transients of water.

What motion does to amplitude, frequency and phase is weighed as a whole (`motion`): a transient
goes where it is spoilt with a chance of more than `SPOILT_CHANCE`. For the rest (spikes, lines or
echoes that the others do not have) nobody knows how a spoilt transient looks. There every test
compares a transient with the middle of the series, in units of the larger of two spreads: what the
noise makes, and what the other transients show (median absolute deviation). Deviations become
chances, and the chances are judged together by the procedure of Benjamini and Hochberg: of the
transients left out, one in twenty should be sound, whatever the length of the series; a clean
series loses one in about one case of twenty.

Sources: Near et al., NMR Biomed 2021;34:e4257, doi:10.1002/nbm.4257 (what spoils a transient);
Benjamini and Hochberg, J R Stat Soc B 1995;57:289-300, doi:10.1111/j.2517-6161.1995.tb02031.x.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import scipy.fft
from scipy.special import log_ndtr

from mrs_disc.errors import InputError
from mrs_disc.signal.align import Alignment, water_tails
from mrs_disc.signal.axes import check_dwell_time, complex_array, frequency_axis, window
from mrs_disc.signal.motion import Motion, judge_motion
from mrs_disc.signal.motion_bands import part
from mrs_disc.signal.series import robust_mean
from mrs_disc.typing import BoolArray, ComplexArray, FloatArray, IntArray

FALSE_SHARE = 0.05
"""Expected share of sound transients among those left out by chances."""

SPOILT_CHANCE = 0.22
"""Chance of motion above which a transient is left out. A sound one that is lost costs little: of
those above, one in ten or twenty is sound."""

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


def find_outliers(
    alignment: Alignment,
    dwell_time_s: float,
    *,
    window_hz: tuple[float, float],
    water_hz: tuple[float, float] | None = None,
    noise_sd: float | None = None,
    clipped: BoolArray | None = None,
) -> Rejection:
    """Find the transients that do not belong to the others.

    Parameters
    ----------
    alignment : Alignment
        Aligned transients with their frequencies and phases.
    dwell_time_s : float
        Time from point to point, s.
    window_hz : tuple of float
        Metabolite window from the carrier, Hz, without water: its jitter is no reason.
    water_hz : tuple of float, optional
        Band of the residual water, Hz; its tails in the window are then no reason either.
    noise_sd : float, optional
        Standard deviation of one real channel of a transient; default the alignment's.

    clipped : bool array, shape (transient,), optional
        Transients known to be clipped, from `clipped_transients` of the raw signal.

    Returns
    -------
    Rejection

    Raises
    ------
    InputError
        If no transient is usable or the window lies outside the spectrum.
    """
    signal = alignment.signal
    check_dwell_time(dwell_time_s)
    usable = alignment.usable
    if not usable.any():
        raise InputError("no transient is usable: each is zero or has points that are not finite")
    reasons: list[str | None] = [None if ok else "zero or not finite" for ok in usable]
    score = np.where(usable, 0.0, np.inf)
    index = np.flatnonzero(usable)
    if len(index) < MIN_TRANSIENTS:
        return Rejection(keep=usable.copy(), reasons=tuple(reasons), score=score)
    sd = alignment.noise_sd if noise_sd is None else float(noise_sd)
    chosen = _in_noise(signal if len(index) == len(signal) else signal[index], sd)
    kinds, motion = _kinds(chosen, alignment, index, dwell_time_s, window_hz, water_hz)
    # chance of the worst kind of each transient, for as many kinds as were tried
    log_chances = np.stack([kind.log_chance for kind in kinds])
    log_chance = np.minimum(log_chances.min(axis=0) + np.log(len(kinds)), 0.0)
    by_chance = log_chance / _log_limit(log_chance)
    # chance to be sound, as the odds have it
    by_odds = np.logaddexp(0.0, motion.log_odds) / -np.log1p(-SPOILT_CHANCE)
    score[index] = np.sqrt(np.maximum(by_chance, by_odds))  # both like squared normal deviates
    for place, k in enumerate(index):
        if score[k] > 1:
            kind = kinds[int(np.argmin(log_chances[:, place]))]
            moved = by_odds[place] > 1 and (
                by_chance[place] <= 1 or motion.log_ratio[place] > -kind.log_chance[place]
            )
            reasons[k] = _moved(motion, place) if moved else kind.word(place)
        if clipped is not None and clipped[k]:
            reasons[k], score[k] = "clipped", max(score[k], 10.0)

    bad = index[score[index] > 1]
    allowed = len(index) // 2
    if len(bad) > allowed:
        bad = bad[np.argsort(-score[bad], kind="stable")][:allowed]
    keep = usable.copy()
    keep[bad] = False
    return Rejection(
        keep=keep,
        reasons=tuple(None if k else r for k, r in zip(keep, reasons, strict=True)),
        score=score,
    )


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


def water_transients(signal: ComplexArray, factor: float = 5.0) -> BoolArray:
    """Recognise transients without water suppression inside one acquisition.

    Parameters
    ----------
    signal : complex array, shape (transient, point) or (coil, transient, point)
        Raw or combined signal.
    factor : float
        Least ratio of amplitude between the two kinds.

    Returns
    -------
    bool array, shape (transient,)
        True for unsuppressed water. All false where there are not two kinds: a gap of `factor` in
        the amplitude at the start, water alike among itself, and a start that decays as a
        line does. A single loud transient counts as water only where it is the first or last.
    """
    raw = complex_array(signal, "signal", 2, 3, finite=False)
    n_transients, n_points = raw.shape[-2:]
    none = np.zeros(n_transients, dtype=bool)
    n_early = max(4, min(32, n_points // 16))
    if n_transients < 2 or n_points < 16:
        return none
    early = np.asarray(raw[..., :n_early])
    with np.errstate(invalid="ignore", over="ignore"):
        finite = np.isfinite(early).all(axis=-1)
        if raw.ndim == 3:
            finite = finite.all(axis=0)
        power = early.real.astype(float) ** 2 + early.imag.astype(float) ** 2
        power = np.where(np.isfinite(power), power, 0.0)
    if raw.ndim == 3:
        power = power.sum(axis=0)
    # the median over points does not see a spike
    amplitude = np.sqrt(np.where(finite, np.median(power, axis=-1), 0.0))
    order = np.argsort(amplitude, kind="stable")
    ranked = amplitude[order]
    positive = int(np.searchsorted(ranked, 0.0, side="right"))
    if n_transients - positive < 2:
        return none
    ratio = ranked[positive + 1 :] / ranked[positive:-1]
    gap = int(np.argmax(ratio))
    if ratio[gap] < factor:
        return none
    high = order[positive + gap + 1 :]
    loud = amplitude[high]
    if loud.max() > 2.5 * loud.min():
        return none
    if len(high) == 1 and high[0] not in (0, n_transients - 1):
        return none
    if not _one_line(raw[..., high, :]):
        return none
    mask = none.copy()
    mask[high] = True
    return mask


def _one_line(loud: ComplexArray) -> bool:
    """Tell whether the loudest channel of these transients is one line that decays."""
    channels = loud.reshape(-1, loud.shape[-2], loud.shape[-1])
    strength = np.abs(channels[:, :, :16]).sum(axis=(1, 2))
    lines = np.abs(scipy.fft.fft(channels[int(np.argmax(strength))].astype(np.complex128))) ** 2
    n_points = lines.shape[1]
    reach = max(2, n_points // 25)
    for line in lines:
        around = np.roll(line, reach - int(np.argmax(line)))[: 2 * reach + 1]
        if around.sum() < 0.7 * line.sum():
            return False
    return True


@dataclass(frozen=True, slots=True)
class _Kind:
    """One kind of test: log chance of each transient, and how to say what was found."""

    log_chance: FloatArray
    words: str
    values: FloatArray

    def word(self, place: int) -> str:
        return self.words.format(float(self.values[place]))


def _in_noise(signal: ComplexArray, sd: float) -> ComplexArray:
    """Return the signal in units of its noise, single precision where that was measured."""
    if signal.dtype == np.complex64 and 1e-30 < sd < 1e30:
        return np.asarray(signal * np.float32(1 / sd))
    return np.asarray(signal / sd, dtype=np.complex128)


def _kinds(
    signal: ComplexArray,
    alignment: Alignment,
    index: IntArray,
    dwell_time_s: float,
    window_hz: tuple[float, float],
    water_hz: tuple[float, float] | None,
) -> tuple[list[_Kind], Motion]:
    """Return all tests of a signal in units of its noise, and what motion did."""
    n_points = signal.shape[1]
    frequencies = frequency_axis(n_points, dwell_time_s)
    inside = window(frequencies, *window_hz)
    spectra = scipy.fft.fftshift(scipy.fft.fft(signal, axis=-1, norm="ortho"), axes=-1)
    spectra *= 0.5**0.5
    duration_s = n_points * dwell_time_s
    band = None
    if water_hz is not None and (window_hz[1] < water_hz[0] or water_hz[1] < window_hz[0]):
        band = window(frequencies, *water_hz)

    def without_tails(side: slice) -> ComplexArray:
        lines: ComplexArray = spectra[:, side]
        if band is None:
            return lines
        tails = water_tails(spectra, frequencies, side, band, duration_s)
        return lines - (lines @ tails.conj()) @ tails.T

    motion = judge_motion(*part(spectra, frequencies, inside, band, duration_s), alignment, index)
    lines = without_tails(inside)
    middle = _common(lines)
    energy = max(float(np.sum(np.abs(middle) ** 2)), 1e-300)
    share = np.real(lines @ middle.conj()) / energy
    kinds = [
        _energies(
            _split(lines - share[:, None] * middle, N_BANDS),
            "residual in the window {:.1f} times the others'",
        )
    ]
    parts = []
    for side in _outside(frequencies, window_hz, water_hz):
        other = without_tails(side)
        parts += _split(other - other.mean(axis=0), 4)
    if parts:
        kinds.append(_energies(parts, "signal outside the window {:.1f} times the others'"))
    kinds.append(_spikes(signal))
    return kinds, motion


def _moved(motion: Motion, place: int) -> str:
    """Say what motion did to a transient: the largest departure, or all three together."""
    words = (
        f"frequency jump of {motion.frequency_hz[place]:+.1f} Hz",
        f"phase jump of {np.degrees(motion.phase_rad[place]):+.0f} degrees",
        f"amplitude {motion.amplitude[place]:.2f} of the others",
    )
    largest = int(np.argmax(motion.deviations[:, place]))
    if motion.deviations[largest, place] < 3:
        return "amplitude, frequency and phase off together"
    return words[largest]


def _log_limit(log_chance: FloatArray) -> float:
    """Chance below which transients are outliers (Benjamini and Hochberg)."""
    ranked = np.sort(log_chance)
    limits = np.log(FALSE_SHARE * np.arange(1, len(ranked) + 1) / len(ranked))
    under = np.flatnonzero(ranked <= limits)
    return float(limits[under[-1] if len(under) else 0])


def _widening(n_transients: int) -> float:
    """Widen deviations in short series, whose spread is itself uncertain."""
    return 1 + 6.0 / n_transients + 12.0 / n_transients**2


def _common(lines: ComplexArray) -> ComplexArray:
    """Mean of the lines that are near their robust mean."""
    middle = robust_mean(lines)
    distance = np.sum(np.abs(lines - middle) ** 2, axis=1)
    near = distance <= np.median(distance) + 3 * max(_spread(distance), 1e-300)
    return np.asarray(lines[near].mean(axis=0))


def _split(residual: ComplexArray, n_parts: int) -> list[ComplexArray]:
    """Cut a residual into parts of equal width, those of no bin left out."""
    edges = np.linspace(0, residual.shape[1], n_parts + 1).round().astype(int)
    return [residual[:, a:b] for a, b in pairwise(edges) if b > a]


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


def _energies(parts: list[ComplexArray], words: str) -> _Kind:
    """Residual energy of each part of the spectrum against the series; more is suspect."""
    n_transients = len(parts[0])
    log_chance = np.zeros(n_transients)
    ratio = np.ones(n_transients)
    for residual in parts:
        power = residual.real**2 + residual.imag**2
        size = np.cbrt(power.mean(axis=1))  # the cube root of an energy is near normal
        centre = max(float(np.median(size)), 1e-300)
        spread = max(_spread(size), centre / (3 * np.sqrt(residual.shape[1])), 1e-9 * size.max())
        beyond = (size - centre - 0.03 * centre) / spread / _widening(n_transients)
        chance = np.minimum(log_ndtr(-beyond) + np.log(len(parts)), 0.0)
        ratio = np.where(chance < log_chance, (np.minimum(size, 1e3 * centre) / centre) ** 3, ratio)
        log_chance = np.minimum(log_chance, chance)
    return _Kind(log_chance, words, ratio)


def _spikes(signal: ComplexArray) -> _Kind:
    """Points that stand alone in time: second difference against noise and against the series."""
    n_transients, n_points = signal.shape
    bent = signal[:, 1:-1] - 0.5 * (signal[:, 2:] + signal[:, :-2])
    bent -= bent.mean(axis=0)
    highest = (bent.real**2 + bent.imag**2).max(axis=1).astype(float)
    # the highest of n exponential variables of mean 1.5 * 2
    by_noise = np.log(n_points) - highest / 3
    size = np.sqrt(highest)
    centre = float(np.median(size))
    spread = max(_spread(size), 0.07 * centre, 1e-300)
    by_series = log_ndtr(-(size - centre) / spread / _widening(n_transients))
    chance = np.minimum(np.maximum(by_noise, by_series), 0.0)
    return _Kind(chance, "spike of {:.0f} times the noise", size / np.sqrt(1.5))


def _spread(values: FloatArray) -> float:
    return float(1.4826 * np.median(np.abs(values - np.median(values))))
