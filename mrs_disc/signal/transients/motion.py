r"""Odds that motion has spoilt a transient: amplitude, frequency and phase judged at once.

A transient is ``a * exp(1j*(phi + 2*pi*f*t)) * reference(t)`` plus noise. Of a sound one the three
numbers are as near to the course of the series as those of most others; of one that motion has
spoilt they may be far from it. The test of most power is the ratio of the two probabilities of a
transient's samples (Neyman and Pearson); times the odds before they were seen it says how likely
the transient is spoilt. What is not known is integrated over, not estimated: so a transient whose
frequency cannot be told is not judged by a frequency that was guessed.

Let ``h(f)`` be the output of the matched filter at frequency f, 1 for a transient like the others,
``e`` its energy (the inverse of its noise variance), and ``x + 1j*y = h(f) * exp(-1j*phi)`` its
components in phase with phi and in quadrature. Then, but for a constant,

    p(band | f, phi, a) = exp(-e * |h(f) * exp(-1j*phi) - a|**2) = exp(-e * (x - a)**2 - e * y**2)

and with a normal about m with variance v, the amplitude is integrated out in closed form:

    p(band | f, phi) = exp(-e * (x - m)**2 / (1 + 2*e*v)) / sqrt(1 + 2*e*v) * exp(-e * y**2)

Frequency and phase are summed over grids as fine as the samples can tell:

    p(band | sound) = sum over f and phi of p(band | f, phi) * t(f) * t(phi)

with Student's t about the course; in p(band | spoilt) each of a, f and phi has a wider law with the
chance `AFFECTED`, else that of a sound one.

Strong residual water is a second band of the same frequency and phase. Its amplitude is free to
vary as it does in the series, and more in some transients (`UNSTEADY_CHANCE`): jitter of the water
alone never spoils one. Its phase departs from that of the lines by a wobble, a y with a variance of
its own.

The variances of sound transients and the share of spoilt ones come from the series itself by
expectation and maximisation. Series are short, so `priors` counts as a few transients
more, and sound ones have Student's long tails.

| symbol | in the code | shape | unit |
|---|---|---|---|
| h(f) | `motion_grid._Filtered.output` | (transient, frequency) | 1 for one like the others |
| e | `energy` | number | 1 / noise variance of h |
| x, y | `Quadratures.in_phase`, `.quadrature` | (row, phase) | as h |
| f, phi | `Grid.hz`, `Grid.rad` | (row, 1), (row, phase) | Hz, rad from the course |
| m, v | `_Sound.amplitude`, `_Sound.variance[2]` | numbers | as h, its square |

Sources: Neyman and Pearson, Phil Trans R Soc A 1933;231:289-337, doi:10.1098/rsta.1933.0009;
Dempster et al., J R Stat Soc B 1977;39:1-22, doi:10.1111/j.2517-6161.1977.tb01600.x.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.special import expit

from mrs_disc.signal.noise import median
from mrs_disc.signal.transients import priors as prior
from mrs_disc.signal.transients.align import Alignment
from mrs_disc.signal.transients.motion_grid import Grid, grid_of
from mrs_disc.signal.transients.registration import Band
from mrs_disc.signal.transients.robust import TINY
from mrs_disc.typing import FloatArray

ROUNDS = 3
"""Expectations; two maximisations lie between them. More of them change hardly any odds."""


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
        Departure from the course and from the mean; the others' amplitude is 1.
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
class _Sound:
    """Variances of the sound transients, and their mean amplitude."""

    variance: FloatArray  # (3,): Hz**2, rad**2, amplitude**2
    amplitude: float
    jitter: float  # variance of the water's amplitude
    wobble: float  # variance of the water's phase against that of the lines, rad**2


@dataclass(frozen=True, slots=True)
class _Expectation:
    """Likelihoods at the nodes, shape (row, phase), and their sums, shape (transient,)."""

    sound: FloatArray
    spoilt: FloatArray
    of_sound: FloatArray
    log_ratio: FloatArray
    log_odds: FloatArray


def judge_motion(lines: Band, water: Band | None, alignment: Alignment) -> Motion:
    """Weigh for each usable transient whether motion has spoilt it.

    Parameters
    ----------
    lines : Band
        Metabolite window of the aligned transients that are usable, in units of their noise, the
        water's tails taken off.
    water : Band, optional
        The residual water, where it is strong.
    alignment : Alignment
        What was measured and taken off.

    Returns
    -------
    Motion
        Without a signal above the noise nobody is suspect: all log odds are minus infinity.

    Examples
    --------
    Of 16 transients of one line the sixth has half its amplitude and 60 degrees more phase.

    >>> from mrs_disc.signal.transients.align import align
    >>> from mrs_disc.signal.transients.registration import decimated
    >>> from mrs_disc.signal.transients.series import Series
    >>> rng = np.random.default_rng(1)
    >>> line = np.exp((-2j * np.pi * 100 - 30) * np.arange(512) / 1000)
    >>> moved = np.where(np.arange(16) == 5, 0.5 * np.exp(1j * np.radians(60)), 1.0)
    >>> noise = 0.1 * (rng.standard_normal((16, 512)) + 1j * rng.standard_normal((16, 512)))
    >>> series = Series.of(moved[:, None] * line + noise, 1 / 1000, noise_sd=0.1)
    >>> aligned = align(series, window_hz=(-200, 0))
    >>> spectra = aligned.series.spectra.scaled(1 / (0.1 * np.sqrt(2)))
    >>> lines = decimated(spectra.bins[:, series.window((-200, 0))], spectra.duration_s)
    >>> motion = judge_motion(lines, None, aligned)
    >>> np.flatnonzero(motion.log_odds > 0).tolist()
    [5]
    >>> round(float(motion.amplitude[5]), 1), int(np.degrees(motion.phase_rad[5]).round(-1))
    (0.5, 60)
    """
    grid = grid_of(lines, water, alignment)
    if grid is None:
        zero, never = np.zeros(len(lines.signal)), np.full(len(lines.signal), -np.inf)
        return Motion(never, never, zero, zero, zero + 1, np.stack([zero, zero, zero]))
    return _judged(grid)


def student(departure: FloatArray, variance: float, freedom: float) -> FloatArray:
    """Return the density of Student's t but for its constant, much the same for all."""
    height = np.exp(-0.5 * (freedom + 1) * np.log1p(departure**2 / (freedom * variance)))
    return np.asarray(height / np.sqrt(variance))


def likelihood(departure: FloatArray, variance: float | FloatArray, energy: float) -> FloatArray:
    """Return the likelihood of a component x of a filter's output, its amplitude integrated out.

    Parameters
    ----------
    departure : float array
        x - m, from the mean of the amplitudes.
    variance : float or float array
        v, of the amplitudes about it.
    energy : float
        e, the inverse noise variance of the complex output.

    Examples
    --------
    The closed form against the integral over the amplitude a, written out:

    >>> e, x, m, v = 2.0, 0.4, 1.0, 0.5
    >>> a = np.linspace(-9, 9, 10001)
    >>> normal = np.exp(-((a - m) ** 2) / (2 * v)) / np.sqrt(2 * np.pi * v)
    >>> integral = np.sum(np.exp(-e * (x - a) ** 2) * normal) * (a[1] - a[0])
    >>> bool(np.isclose(likelihood(x - m, v, e), integral))
    True
    """
    widened = 1 + 2 * energy * variance
    return np.asarray(np.exp(-energy * departure**2 / widened) / np.sqrt(widened))


def _judged(grid: Grid) -> Motion:
    """Weigh the two hypotheses, and learn the variances of the sound transients on the way."""
    water = prior.WATER_AMPLITUDE_SD**2, prior.WATER_PHASE_SD**2
    sound, share = _Sound(prior.SOUND_SD**2, 1.0, *water), prior.SPOILT_SHARE
    wide = tuple(
        student(values, sd**2, prior.SPOILT_FREEDOM)
        for values, sd in zip((grid.hz, grid.rad), prior.SPOILT_SD, strict=False)
    )
    expectation = _expected(grid, sound, share, wide)
    for _ in range(ROUNDS - 1):
        chance = expit(expectation.log_odds)
        # the prior share counts as `SPOILT_WORTH` transients that were seen before
        expected = chance.sum() + prior.SPOILT_WORTH * prior.SPOILT_SHARE
        share = expected / (grid.n_transients + prior.SPOILT_WORTH)
        # how much of each transient is sound and at this node
        weight = expectation.sound * ((1 - chance) / expectation.of_sound)[grid.transient][:, None]
        sound = _maximised(grid, sound, weight)
        expectation = _expected(grid, sound, share, wide)
    return _described(grid, expectation, sound)


def _expected(
    grid: Grid, sound: _Sound, share: float, wide: tuple[FloatArray, ...]
) -> _Expectation:
    """Return the likelihoods of both hypotheses, given variances and the share of spoilt ones."""
    lines, freedom = grid.lines, prior.SOUND_WORTH + 0.5 * grid.n_transients
    narrow = (
        student(grid.hz, sound.variance[0], freedom),
        student(grid.rad, sound.variance[1], freedom),
        likelihood(lines.in_phase - sound.amplitude, sound.variance[2], lines.energy),
    )
    weakened = lines.in_phase - prior.SPOILT_AMPLITUDE * sound.amplitude
    wide = (*wide, likelihood(weakened, prior.SPOILT_SD[2] ** 2, lines.energy))
    of_water = _water_likelihoods(grid, sound)
    at_sound, at_spoilt = grid.off_phase * of_water[0], grid.off_phase * of_water[1]
    for narrow_law, wide_law in zip(narrow, wide, strict=True):
        at_sound = at_sound * narrow_law
        # motion need not affect all three: each has its own chance to be as in a sound one
        affected = prior.AFFECTED * wide_law + (1 - prior.AFFECTED) * narrow_law
        at_spoilt = at_spoilt * affected
    of_sound = grid.total(at_sound)
    log_ratio = np.log(grid.total(at_spoilt) / of_sound)
    log_odds = log_ratio + np.log(share / (1 - share))
    return _Expectation(at_sound, at_spoilt, of_sound, log_ratio, log_odds)


def _water_likelihoods(
    grid: Grid, sound: _Sound
) -> tuple[FloatArray, FloatArray] | tuple[float, float]:
    """Return the likelihood of the water in a sound and in a spoilt transient."""
    if grid.water is None:
        return 1.0, 1.0
    water, energy = grid.water, grid.water.energy
    departure = water.in_phase - 1
    wobble = sound.wobble * grid.water_size**2
    steady = likelihood(departure, sound.jitter, energy)
    steady = steady * likelihood(water.quadrature, wobble, energy)
    # unsteady water: amplitude and phase are free, both components as wide
    free = prior.UNSTEADY_FACTOR * sound.jitter
    unsteady = likelihood(departure, free, energy) * likelihood(water.quadrature, free, energy)
    of_sound, of_spoilt = (steady + c * (unsteady - steady) for c in prior.UNSTEADY_CHANCE)
    return of_sound, of_spoilt


def _maximised(grid: Grid, sound: _Sound, weight: FloatArray) -> _Sound:
    """Return the variances that the sound transients show, pooled with the prior ones.

    `weight` is the chance of each node to be that of a sound transient, shape (row, phase).
    """
    worth = max(prior.SOUND_WORTH, prior.SOUND_WORTH_SHARE * grid.n_transients)
    total = float(weight.sum())

    def pooled(squares: FloatArray, usual: float) -> float:
        return (float(np.sum(weight * squares)) + worth * usual) / (total + worth)

    def posterior(
        departure: FloatArray, variance: float, energy: float
    ) -> tuple[FloatArray, FloatArray]:
        # of an amplitude that is normal before and seen with noise: its mean, its mean square.
        # The departures as they are seen would count the noise as a variance of the transients.
        trust = 2 * energy * variance / (1 + 2 * energy * variance)
        return trust * departure, (trust * departure) ** 2 + variance * (1 - trust)

    lines = grid.lines
    mean, square = posterior(lines.in_phase - sound.amplitude, sound.variance[2], lines.energy)
    usual_hz, usual_rad, usual_amplitude = prior.SOUND_SD**2
    variance = np.array(
        [
            pooled(grid.hz**2, usual_hz),
            pooled(grid.rad**2, usual_rad),
            pooled(square, usual_amplitude),
        ]
    )
    amplitude = sound.amplitude + float(np.sum(weight * mean)) / max(total, TINY)
    if grid.water is None:
        return replace(sound, variance=variance, amplitude=amplitude)
    water, size = grid.water, grid.water_size
    _, jitter = posterior(water.in_phase - 1, sound.jitter, water.energy)
    # a wobble is an angle: the quadrature over the size, seen with the energy of that size
    angle_energy = water.energy * float(median(size[:, 0])) ** 2
    _, wobble = posterior(water.quadrature / size, sound.wobble, angle_energy)
    return _Sound(
        variance,
        amplitude,
        pooled(jitter, prior.WATER_AMPLITUDE_SD**2),
        pooled(wobble, prior.WATER_PHASE_SD**2),
    )


def _described(grid: Grid, expectation: _Expectation, sound: _Sound) -> Motion:
    """Say what motion did to each transient, if it is spoilt: at the most likely node."""
    spoilt = expectation.spoilt
    highest = spoilt.max(axis=1)
    starts = np.searchsorted(grid.transient, np.arange(grid.n_transients))
    ends = np.append(starts[1:], len(grid.transient))
    row = np.array([a + highest[a:b].argmax() for a, b in zip(starts, ends, strict=True)])
    column = np.argmax(spoilt[row], axis=1)
    amplitude = grid.lines.in_phase[row, column] / sound.amplitude
    departure = np.stack([grid.hz[row, 0], grid.rad[row, column], amplitude - 1])
    # what noise makes of the three, added to what sound transients vary by
    energy = grid.lines.energy + (0.0 if grid.water is None else grid.water.energy)
    noise = 1 / (2 * energy)
    size = np.maximum(amplitude, 0.05)
    variance = np.stack(
        [(grid.sd_hz / size) ** 2, noise / size**2, np.full(len(row), 0.5 / grid.lines.energy)]
    )
    return Motion(
        log_ratio=expectation.log_ratio,
        log_odds=expectation.log_odds,
        frequency_hz=departure[0],
        phase_rad=departure[1],
        amplitude=amplitude,
        deviations=np.abs(departure) / np.sqrt(sound.variance[:, None] + variance),
    )
