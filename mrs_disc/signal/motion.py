"""Odds that motion has spoilt a transient: amplitude, frequency and phase judged at once.

A transient is ``amplitude * exp(1j*(phase + 2*pi*frequency*t)) * reference(t)`` plus noise. Of a
sound one the three numbers are as near to the course of the series as those of most others; of one
that motion has spoilt they may be far from it. The test of most power is the ratio of the two
probabilities of a transient's samples; times the odds before they were seen it says how likely the
transient is spoilt. What is not known is integrated over, not estimated: so a transient whose
frequency cannot be told is not judged by a frequency that was guessed. For a given frequency the
samples say all they know of amplitude and phase by one complex number, the matched filter's, whose
noise is added to the spreads; the frequency runs over a grid.

The spreads of the sound transients and the share of the spoilt ones come from the series itself by
expectation and maximisation, from a robust start. Series are short, so what is usual counts as a
few transients more (`USUAL`, `WORTH`), and the sound ones have Student's long tails.

Residual water varies, and its tails reach into the window. They are struck out there; then they
come back, beside the water's own line, with the weight that their variation in the series leaves
to them. So what of the tails follows the line is no evidence, and the rest is.

Sources: Neyman and Pearson, Phil Trans R Soc A 1933;231:289-337, doi:10.1098/rsta.1933.0009;
Dempster et al., J R Stat Soc B 1977;39:1-22, doi:10.1111/j.2517-6161.1977.tb01600.x.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from mrs_disc.signal.align import Alignment
from mrs_disc.signal.registration import likeness, shape_of, thinned
from mrs_disc.signal.series import clamped_covariance, smooth_course
from mrs_disc.typing import BoolArray, ComplexArray, FloatArray, IntArray

USUAL = np.array([1.5, np.radians(10), 0.05])
"""Usual spreads of sound transients: Hz, rad, share of the amplitude."""

WORTH, WORTH_SHARE = 6.0, 0.1
"""The usual spreads count as so many transients, and at least as this share of the series."""

SPOILT = np.array([6.0, np.radians(55), 0.25])
SPOILT_AMPLITUDE = 0.6
"""Spreads of spoilt transients in the same units, and the middle of their amplitudes."""

AFFECTED = 0.85
"""Chance of each of the three to be affected in a spoilt transient."""

UNSTEADY_FACTOR, UNSTEADY_CHANCE = 4.0, (0.1, 0.6)
"""Variance of the water's tails, relative to that in the series, where the water is unsteady; and
the chance that it is in a sound and in a spoilt transient. So jitter of the water alone never
spoils one."""

SPOILT_SHARE, SPOILT_WORTH = 0.05, 20.0
"""Share of spoilt transients before the series was seen, and how many transients that counts."""

SPOILT_TAILS = 4.0
"""Student's degrees of freedom of spoilt transients: whatever is far from all is spoilt."""

RANGE_HZ, FINE, FINE_MOST_HZ, COARSE_HZ = 20.0, np.linspace(-4, 4, 17), 2.0, 1.0
"""The grid of frequencies: about the course, and in deviations about the measured frequency."""

MOST_ENERGY = 5e5
"""No reference is true to less than a thousandth of itself, however little noise there is."""

ROUNDS = 3
"""How often odds and spreads are found from each other; more changes hardly an odd."""

NEGLIGIBLE = -30.0
"""Log likelihood, from the highest, of frequencies that are not looked at further."""


@dataclass(frozen=True, slots=True)
class Motion:
    """What motion may have done to each transient, arrays of shape (transient,).

    Attributes
    ----------
    log_ratio : float array
        Log of the probability of the transient if spoilt over that if sound.
    log_odds : float array
        The same, times the share of spoilt transients that the series shows.
    frequency_hz, phase_rad, amplitude : float arrays
        Departure from the course and from the middle; the others' amplitude is 1.
    deviations : float array, shape (3, transient)
        The three departures in units of what sound transients show.
    """

    log_ratio: FloatArray
    log_odds: FloatArray
    frequency_hz: FloatArray
    phase_rad: FloatArray
    amplitude: FloatArray
    deviations: FloatArray


@dataclass(frozen=True, slots=True)
class _Matched:
    """The matched filter of each transient on its grid of frequencies, (transient, node)."""

    amplitude: ComplexArray
    frequency: FloatArray
    log_weight: FloatArray
    energy: float
    sd_hz: FloatArray  # (transient,)


@dataclass(frozen=True, slots=True)
class _Seen:
    """What the samples say: departures, and the variances that noise adds to their spreads."""

    away: FloatArray  # (3, transient, node)
    variance: FloatArray
    log_likelihood: FloatArray  # (transient, node)
    unsteady: BoolArray  # (node,)


def judge_motion(
    lines: ComplexArray,
    water: ComplexArray,
    alignment: Alignment,
    index: IntArray,
    duration_s: float,
) -> Motion:
    """Weigh for each transient whether motion has spoilt it.

    Parameters
    ----------
    lines : complex array, shape (transient, bin)
        Metabolite window of the aligned transients' unitary spectra, in units of their complex
        noise; the tails of the water are struck out.
    water : complex array, shape (transient, direction)
        What was struck out and the strongest components of the water itself, as coefficients of
        orthonormal directions; shape[1] is 0 where no water is expected.
    alignment : Alignment
        What was measured and taken off.
    index : int array, shape (transient,)
        Which transients of the alignment these are.
    duration_s : float
        Of the transients, s.

    Returns
    -------
    Motion
        Without a signal above the noise nobody is suspect: all log odds are minus infinity.
    """
    n_transients = len(lines)
    matched = _matched(lines, alignment, index, duration_s)
    if matched is None:
        nothing = np.zeros(n_transients)
        none = np.full(n_transients, -np.inf)
        return Motion(none, none, nothing, nothing, nothing + 1, np.zeros((3, n_transients)))
    whole, log_likelihood, energy, unsteady = _with_water(matched, water)
    jump = matched.frequency - alignment.smooth_hz[index][:, None]
    jump = np.tile(jump, (1, len(unsteady) // jump.shape[1]))
    below = log_likelihood - log_likelihood.max(axis=1, keepdims=True)
    near = below.max(axis=0) > NEGLIGIBLE  # the other nodes matter to nobody
    whole, log_likelihood, jump = whole[:, near], log_likelihood[:, near], jump[:, near]
    energy, unsteady = energy[near], unsteady[near]
    turned = alignment.phase_rad[index]
    typical, course = _middle(whole, log_likelihood, turned, matched.energy)
    angle = np.angle(np.exp(1j * (np.angle(whole) + (turned - course)[:, None])))
    size = np.abs(whole) / typical
    noise = np.broadcast_to(1 / (2 * energy * typical**2), size.shape)
    sideways = np.minimum(noise / np.maximum(size, 0.05) ** 2, 4.0)
    seen = _Seen(
        np.stack([jump, angle, size - 1]),
        np.stack([np.zeros_like(size), sideways, noise]),
        log_likelihood - np.log(np.maximum(size, 0.05)),
        unsteady,
    )
    return _weighed(seen, matched.sd_hz)


def _matched(
    lines: ComplexArray, alignment: Alignment, index: IntArray, duration_s: float
) -> _Matched | None:
    """Filter each transient by the mean of the others, at every frequency of its grid."""
    band = thinned(lines, duration_s)
    signal, time = band.signal, band.time
    weight = np.ones(len(signal))
    for _ in range(2):
        mean = (weight @ signal) / weight.sum()
        weight = np.maximum(likeness(signal, mean), 1e-3)
    total = weight @ signal
    noise = float(np.sum(weight**2) / weight.sum() ** 2)
    shape, power = shape_of(total / weight.sum(), noise)
    keep = shape > 1e-3
    if not keep.any():
        return None
    cross = float(power @ shape)
    energy = cross**2 / float((power[keep] + noise) @ shape[keep] ** 2)
    lever = power * shape
    late = float(lever @ time / lever.sum())
    width = float(np.sqrt(max(lever @ (time - late) ** 2 / lever.sum(), 1e-12)))
    energy = min(energy, MOST_ENERGY)
    own_sd = 1 / (2 * np.pi * width * np.sqrt(2 * energy))

    course, taken = alignment.smooth_hz[index], alignment.frequency_hz[index]
    measured, sd = course, np.full(len(course), own_sd)
    if alignment.method == "transient":
        measured, sd = (
            alignment.measured_hz[index],
            np.minimum(alignment.frequency_sd_hz[index], sd),
        )
    sd = np.maximum(sd, own_sd / 100)
    # leaves out of each reference the transient that is compared
    others = (total - weight[:, None] * signal) / (weight.sum() - weight)[:, None]
    product = signal[:, keep] * np.conj(others[:, keep] * shape[keep])
    time = time[keep]

    def at(start: FloatArray, offsets: FloatArray) -> ComplexArray:
        turned = product * np.exp(-2j * np.pi * (start - taken)[:, None] * time)
        filtered: ComplexArray = turned @ np.exp(-2j * np.pi * np.outer(time, offsets)) / cross
        return filtered

    fine = FINE * min(float(np.median(sd)), FINE_MOST_HZ)
    coarse = np.arange(-RANGE_HZ, RANGE_HZ + COARSE_HZ / 2, COARSE_HZ)
    frequency = np.concatenate([measured[:, None] + fine, course[:, None] + coarse], axis=1)
    away = np.abs(frequency - measured[:, None])
    log_weight = np.full(frequency.shape, np.log(fine[1] - fine[0]))
    twice = away[:, len(fine) :] < fine[-1] + COARSE_HZ / 2
    log_weight[:, len(fine) :] = np.where(twice, -np.inf, np.log(COARSE_HZ))
    # what the residual water knows of the frequency, trusted with long tails
    by_water = np.maximum(1 / sd**2 - 1 / own_sd**2, 0)
    log_weight -= 0.5 * (SPOILT_TAILS + 1) * np.log1p(by_water[:, None] * away**2 / SPOILT_TAILS)
    amplitude = np.concatenate([at(measured, fine), at(course, coarse)], axis=1)
    return _Matched(amplitude, frequency, log_weight, energy, sd)


def _with_water(
    matched: _Matched, water: ComplexArray
) -> tuple[ComplexArray, FloatArray, FloatArray, BoolArray]:
    """Add what the water and its tails say of the amplitude, the water being steady or not.

    They were shifted when the transients were aligned; the grid does not shift them again.

    Returns
    -------
    amplitude, log_likelihood : arrays, shape (transient, node)
        Twice the nodes of the grid: with steady water, and with unsteady water.
    energy, unsteady : float and bool arrays, shape (node,)
    """
    amplitude, energy = matched.amplitude, matched.energy
    fit = matched.log_weight + energy * np.abs(amplitude) ** 2
    nodes = np.ones(fit.shape[1])
    if not water.shape[1] or not water.any():
        return amplitude, fit, energy * nodes, nodes < 0
    middle, covariance = clamped_covariance(water)
    variance, turn = np.linalg.eigh(covariance)
    middle, water = middle @ turn.conj(), water @ turn.conj()
    found = []
    for factor in (1.0, UNSTEADY_FACTOR):
        expected = 1 + factor * np.maximum(variance - 1, 0)
        told = max(float(np.sum(np.abs(middle) ** 2 / expected)), 1e-300)
        by_water = ((water @ (middle.conj() / expected)) / told)[:, None]
        misfit = np.sum(np.abs(water - by_water * middle) ** 2 / expected, axis=1)
        told = min(told, MOST_ENERGY)
        both = energy + told
        apart = energy * told / both * np.abs(amplitude - by_water) ** 2
        found.append(
            (
                (energy * amplitude + told * by_water) / both,
                fit - apart - misfit[:, None] - np.sum(np.log(expected)) - np.log(both),
                both * nodes,
            )
        )
    whole, log_likelihood, energies = (
        np.concatenate(part, axis=-1) for part in zip(*found, strict=True)
    )
    return whole, log_likelihood, energies, np.concatenate([nodes < 0, nodes > 0])


def _middle(
    amplitude: ComplexArray, log_likelihood: FloatArray, turned: FloatArray, energy: float
) -> tuple[float, FloatArray]:
    """Return the usual amplitude, and the smooth course of the phase."""
    row = np.arange(len(amplitude))
    best = amplitude[row, np.argmax(log_likelihood, axis=1)]
    phase = np.angle(best) + turned
    whole_turns = float(np.angle(np.exp(1j * phase).sum()))
    around = np.angle(np.exp(1j * (phase - whole_turns)))
    course = whole_turns + smooth_course(around, np.full(len(around), 1 / np.sqrt(2 * energy)))
    return max(float(np.median(np.abs(best))), 1e-6), course


def _student(away: FloatArray, variance: FloatArray, freedom: float) -> FloatArray:
    """Return the density of Student's t but for its constant, much the same for all."""
    height = (1 + away**2 / (freedom * variance)) ** (-0.5 * (freedom + 1))
    return np.asarray(height / np.sqrt(variance))


def _first_spread(seen: _Seen, sd_hz: FloatArray, worth: float) -> FloatArray:
    """Return the variances of the sound transients to begin with, shape (3,).

    Median deviations, because the variance of a few spoilt ones would hide them; less the noise,
    and worth the less the more noise there is.
    """
    row, best = np.arange(len(sd_hz)), np.argmax(seen.log_likelihood, axis=1)
    departure, noise = seen.away[:, row, best], seen.variance[:, row, best]
    noise[0] = sd_hz**2
    middle_noise = np.median(noise, axis=1)
    found = np.median(np.abs(departure - np.median(departure, axis=1, keepdims=True)), axis=1)
    excess = np.maximum((1.4826 * found) ** 2 - middle_noise, 0)
    usual = USUAL**2
    telling = len(sd_hz) * (usual / (usual + middle_noise)) ** 2
    return np.asarray((telling * excess + worth * usual) / (telling + worth))


def _weighed(seen: _Seen, sd_hz: FloatArray) -> Motion:
    """Weigh the two hypotheses, and learn the spreads of the sound transients on the way."""
    n_transients = len(sd_hz)
    freedom = WORTH + 0.5 * n_transients
    worth = max(WORTH, WORTH_SHARE * n_transients)
    spread = _first_spread(seen, sd_hz, worth)
    shift = np.array([0.0, 0.0, SPOILT_AMPLITUDE - 1])[:, None, None]
    astray = _student(seen.away - shift, SPOILT[:, None, None] ** 2 + seen.variance, SPOILT_TAILS)
    likelihood = np.exp(seen.log_likelihood - seen.log_likelihood.max(axis=1, keepdims=True))
    of_sound, of_spoilt = (
        likelihood * np.where(seen.unsteady, chance, 1 - chance) for chance in UNSTEADY_CHANCE
    )
    share = SPOILT_SHARE
    for turn in range(ROUNDS):
        total = spread[:, None, None] + seen.variance
        within = _student(seen.away, total, freedom)
        either = AFFECTED * astray + (1 - AFFECTED) * within
        at_sound, at_spoilt = of_sound * within.prod(axis=0), of_spoilt * either.prod(axis=0)
        sound = np.maximum(at_sound.sum(axis=1), 1e-300)
        log_ratio = np.log(np.maximum(at_spoilt.sum(axis=1), 1e-300) / sound)
        log_odds = log_ratio + np.log(share / (1 - share))
        if turn == ROUNDS - 1:
            break
        chance = expit(log_odds)
        share = (chance.sum() + SPOILT_WORTH * SPOILT_SHARE) / (n_transients + SPOILT_WORTH)
        node = at_sound * ((1 - chance) / sound)[:, None]
        part = spread[:, None, None] / total
        expected = (part * seen.away) ** 2 + part * seen.variance
        learnt = np.sum(node * expected, axis=(1, 2))
        spread = (learnt + worth * USUAL**2) / (node.sum() + worth)

    row, likely = np.arange(n_transients), np.argmax(at_spoilt, axis=1)
    away, noise = seen.away[:, row, likely], seen.variance[:, row, likely]
    noise[0] = (sd_hz / np.maximum(1 + away[2], 0.05)) ** 2
    return Motion(
        log_ratio=log_ratio,
        log_odds=log_odds,
        frequency_hz=away[0],
        phase_rad=away[1],
        amplitude=1 + away[2],
        deviations=np.abs(away) / np.sqrt(spread[:, None] + noise),
    )
