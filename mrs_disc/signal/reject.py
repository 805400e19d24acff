"""Transients that do not belong to the others, with a reason each; and transients of water.

Every test compares a transient with the middle of the series, in units of the larger of two
spreads: what the noise makes, and what the other transients show (median absolute deviation). The
thresholds are quantiles for the number of transients and tests, so that a clean series loses a
transient in about one series of twenty, whatever its length.

Source of the idea, with fixed thresholds: Near et al., NMR Biomed 2021;34:e4257,
doi:10.1002/nbm.4257; Simpson et al., Magn Reson Med 2017;77:23-33, doi:10.1002/mrm.26091.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import scipy.fft
from scipy.special import ndtri

from mrs_disc.errors import InputError
from mrs_disc.signal.align import Alignment
from mrs_disc.signal.axes import check_dwell_time, complex_array, frequency_axis, window
from mrs_disc.typing import BoolArray, ComplexArray, FloatArray, IntArray

FALSE_ALARM = 0.05
"""Chance that a clean series loses a transient to one kind of test."""

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
        Largest deviation / its threshold; above 1 is an outlier. Infinite where not usable.
    """

    keep: BoolArray
    reasons: tuple[str | None, ...]
    score: FloatArray


def find_outliers(
    alignment: Alignment,
    dwell_time_s: float,
    *,
    window_hz: tuple[float, float],
    noise_sd: float | None = None,
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
    noise_sd : float, optional
        Standard deviation of one real channel of a transient; default the alignment's.

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
    chosen = np.asarray(signal[index], dtype=np.complex128)
    sd = alignment.noise_sd if noise_sd is None else float(noise_sd)
    tests = _tests(chosen, alignment, index, dwell_time_s, window_hz, sd)
    for values, words in tests:
        over = values > score[index]
        for k in np.flatnonzero(over & (values > 1)):
            reasons[index[k]] = words[k]
        score[index] = np.maximum(score[index], values)
    clipped = _clipped(chosen)
    for k in np.flatnonzero(clipped):
        reasons[index[k]] = "clipped"
        score[index[k]] = max(score[index[k]], 10.0)

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
        power = np.where(np.isfinite(early), early.real.astype(float) ** 2 + early.imag**2, 0.0)
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


def _tests(
    signal: ComplexArray,
    alignment: Alignment,
    index: IntArray,
    dwell_time_s: float,
    window_hz: tuple[float, float],
    sd: float,
) -> list[tuple[FloatArray, list[str]]]:
    n_transients, n_points = signal.shape
    frequencies = frequency_axis(n_points, dwell_time_s)
    inside = window(frequencies, *window_hz)
    spectra = scipy.fft.fftshift(scipy.fft.fft(signal, axis=-1, norm="ortho"), axes=-1)
    lines = spectra[:, inside] / (np.sqrt(2) * sd)
    limit = _threshold(n_transients, 2)

    # amplitude of the common shape, leaving the transient out of the shape
    middle = np.median(lines.real, axis=0) + 1j * np.median(lines.imag, axis=0)
    middle = _common(lines, middle)
    energy = max(float(np.sum(np.abs(middle) ** 2)), 1e-300)
    part = np.real(lines @ middle.conj()) / energy
    typical = float(np.median(part))
    spread = max(_spread(part), 1 / np.sqrt(2 * energy))
    away = np.abs(part - typical) / (limit * spread + 0.1 * abs(typical))
    results = [
        (
            away,
            [
                f"amplitude {p / typical:.2f} of the others" if typical > 0 else "amplitude"
                for p in part
            ],
        )
    ]

    sd_hz, sd_rad = alignment.frequency_sd_hz[index], alignment.phase_sd_rad[index]
    if np.isfinite(sd_hz).all() and alignment.method == "transient":
        jump = alignment.measured_hz[index] - alignment.smooth_hz[index]
        wide = np.sqrt(np.maximum(_spread(jump), sd_hz) ** 2)
        results.append(
            (np.abs(jump) / (limit * wide + 0.5), [f"frequency jump of {j:+.1f} Hz" for j in jump])
        )
        turn = alignment.measured_rad[index]
        turn = np.angle(np.exp(1j * (turn - np.median(turn))))
        wide = np.maximum(_spread(turn), sd_rad)
        results.append(
            (
                np.abs(turn) / (limit * wide + 0.05),
                [f"phase jump of {np.degrees(a):+.0f} degrees" for a in turn],
            )
        )

    residual = lines - part[:, None] * middle
    results.append(_energies(residual, n_transients))
    results.append(_spikes(signal, sd))
    return results


def _common(lines: ComplexArray, middle: ComplexArray) -> ComplexArray:
    """Mean of the lines that are like their median: less noise than the median itself."""
    distance = np.sum(np.abs(lines - middle) ** 2, axis=1)
    near = distance <= np.median(distance) + 3 * max(_spread(distance), 1e-300)
    return np.asarray(lines[near].mean(axis=0))


def _energies(residual: ComplexArray, n_transients: int) -> tuple[FloatArray, list[str]]:
    """Residual energy in parts of the window, as normal deviates against the series."""
    edges = np.linspace(0, residual.shape[1], N_BANDS + 1).round().astype(int)
    power = residual.real**2 + residual.imag**2
    limit = _threshold(n_transients, N_BANDS)
    worst = np.zeros(n_transients)
    place = np.zeros(n_transients, dtype=int)
    for band, (a, b) in enumerate(pairwise(edges)):
        if b <= a:
            continue
        shape = float(b - a)
        ratio = np.cbrt(power[:, a:b].mean(axis=1))  # a cube root of energy is near normal
        centre = float(np.median(ratio))
        spread = max(_spread(ratio), 1 / (3 * np.sqrt(shape)) * centre)
        value = (ratio - centre) / (limit * spread + 0.03 * centre)
        place = np.where(value > worst, band, place)
        worst = np.maximum(worst, value)
    return worst, [f"residual in part {p + 1} of {N_BANDS} of the window" for p in place]


def _spikes(signal: ComplexArray, sd: float) -> tuple[FloatArray, list[str]]:
    """Points that stand alone in time: second difference against the series."""
    n_transients, n_points = signal.shape
    bent = signal[:, 1:-1] - 0.5 * (signal[:, 2:] + signal[:, :-2])
    bent -= bent.mean(axis=0)
    highest = np.abs(bent).max(axis=1)
    expected = sd * np.sqrt(2 * 1.5) * np.sqrt(np.log(n_points * n_transients / FALSE_ALARM))
    centre = float(np.median(highest))
    limit = max(
        expected, centre + _threshold(n_transients, 1) * max(_spread(highest), 0.1 * centre)
    )
    return highest / limit, ["spike"] * n_transients


def _clipped(signal: ComplexArray) -> BoolArray:
    """Transients whose largest value is held for three points or more."""
    clipped = np.zeros(len(signal), dtype=bool)
    for part in (signal.real, signal.imag):
        size = np.abs(part)
        top = size.max(axis=1, keepdims=True)
        clipped |= (size >= top * (1 - 1e-12)).sum(axis=1) >= 3
    return clipped


def _spread(values: FloatArray) -> float:
    return float(1.4826 * np.median(np.abs(values - np.median(values))))


def _threshold(n_transients: int, n_tests: int) -> float:
    """Two-sided normal quantile for all transients and tests, wider for short series."""
    quantile = float(-ndtri(FALSE_ALARM / (2 * n_transients * n_tests)))
    return quantile * (1 + 2.0 / n_transients)
