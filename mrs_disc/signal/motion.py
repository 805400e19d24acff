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
expectation and maximisation. Series are short, so `transient_priors` counts as a few transients
more, and sound ones have Student's long tails.

| symbol | in the code | shape | unit |
|---|---|---|---|
| h(f) | `_Filtered.output` | (transient, frequency) | 1 for one like the others |
| e | `energy` | number | 1 / noise variance of h |
| x, y | `_Quadratures.in_phase`, `.quadrature` | (row, phase) | as h |
| f, phi | `_Grid.hz`, `_Grid.rad` | (row, 1), (row, phase) | Hz, rad from the course |
| m, v | `_Sound.amplitude`, `_Sound.variance[2]` | numbers | as h, its square |

Sources: Neyman and Pearson, Phil Trans R Soc A 1933;231:289-337, doi:10.1098/rsta.1933.0009;
Dempster et al., J R Stat Soc B 1977;39:1-22, doi:10.1111/j.2517-6161.1977.tb01600.x.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy.special import expit

from mrs_disc.signal import transient_priors as prior
from mrs_disc.signal.align import Alignment
from mrs_disc.signal.motion_bands import Reference, reference_of
from mrs_disc.signal.noise import median
from mrs_disc.signal.registration import Band
from mrs_disc.signal.robust import TINY, smooth_course
from mrs_disc.typing import ComplexArray, FloatArray, IntArray

RANGE_HZ, FINEST_HZ, COARSEST_HZ = 20.0, 0.15, 2.0
"""The grid of frequencies: about the course, and its steps."""

N_PHASES, FINEST_RAD = 20, np.radians(2.5)
"""The grid of phases about the most likely one, and its finest step."""

STEP = 1.2
"""Steps of both grids, in standard deviations of what is told of frequency and phase."""

MOST_ENERGY = 300.0
"""Beyond this a transient tells more than any variance of sound ones asks: 2 degrees, 4 %."""

ROUNDS = 3
"""Expectations; two maximisations lie between them. More of them change hardly any odds."""

NEGLIGIBLE = -18.0
"""Log likelihood, from the transient's highest, of frequencies that are not looked at further."""


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
class _Filtered:
    """Matched filter of one band at each frequency of the grid, 1 for a typical transient."""

    output: ComplexArray  # (transient, frequency)
    energy: float
    wobble_sd: float = 0.0

    @property
    def phase_energy(self) -> float:
        """What the band tells of the phase of the lines, as an energy."""
        return 1 / (1 / self.energy + 2 * self.wobble_sd**2)


@dataclass(frozen=True, slots=True)
class _Quadratures:
    """Output of the matched filter at each node, its phase taken off; shape (row, phase)."""

    in_phase: FloatArray
    quadrature: FloatArray
    energy: float


@dataclass(frozen=True)
class _Grid:
    """Frequencies and phases that matter: one row a frequency of a transient, columns phases."""

    transient: IntArray  # (row,), ascending
    hz: FloatArray  # (row, 1), from the course
    rad: FloatArray  # (row, phase), from the course
    log_likelihood: FloatArray  # (row, 1), from the highest of the transient
    lines: _Quadratures
    water: _Quadratures | None
    water_size: FloatArray  # (row, 1)
    n_transients: int

    def total(self, values: FloatArray) -> FloatArray:
        """Sum over the nodes of each transient; never zero."""
        sums = np.bincount(self.transient, values.sum(axis=1), self.n_transients)
        return np.maximum(sums.astype(np.float64), TINY)

    @cached_property
    def off_phase(self) -> FloatArray:
        """Likelihood of the lines' component in quadrature, the same under both hypotheses."""
        return np.exp(self.log_likelihood - self.lines.energy * self.lines.quadrature**2)

    @cached_property
    def wide(self) -> tuple[FloatArray, FloatArray]:
        """Densities of frequency and phase in a transient that motion affects."""
        sd_hz, sd_rad, _ = prior.SPOILT_SD
        return (
            student(self.hz, sd_hz**2, prior.SPOILT_FREEDOM),
            student(self.rad, sd_rad**2, prior.SPOILT_FREEDOM),
        )


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

    >>> from mrs_disc.signal.align import align
    >>> from mrs_disc.signal.registration import decimated
    >>> from mrs_disc.signal.series import Series
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
    n_transients = len(lines.signal)
    reference = reference_of(lines.signal)
    if reference is None:
        zero, never = np.zeros(n_transients), np.full(n_transients, -np.inf)
        return Motion(never, never, zero, zero, zero + 1, np.zeros((3, n_transients)))
    bands = [(lines, reference)]
    of_water = None if water is None else reference_of(water.signal)
    if water is not None and of_water is not None:
        bands.append((water, of_water))
    sd_hz, energies = _resolution(bands)
    step = float(np.clip(STEP * sd_hz, FINEST_HZ, COARSEST_HZ))
    grid_hz = np.arange(-RANGE_HZ, RANGE_HZ + step / 2, step)
    usable = alignment.series.usable
    # from what alignment has taken off to the course, so that frequency 0 is the course
    shift_hz = (alignment.smooth_hz - alignment.frequency_hz)[usable]
    outputs = [_matched_filter(*pair, shift_hz, grid_hz) for pair in bands]
    # with amplitude and phase free, the best of each leaves e * |h(f)|**2 of the log likelihood
    log_likelihood = np.asarray(
        sum(energy * np.abs(h) ** 2 for h, energy in zip(outputs, energies, strict=True))
    )
    # the course is where frequencies are looked for first, not where they have to be
    first = np.argmax(log_likelihood - 0.5 * (grid_hz / (RANGE_HZ / 2)) ** 2, axis=1)
    wobbles = (0.0, prior.WATER_PHASE_SD)
    filtered = [
        _relative(h, energy, first, wobble_sd)
        for h, energy, wobble_sd in zip(outputs, energies, wobbles, strict=False)
    ]
    course_rad = _phase_course(filtered, first, alignment.phase_rad[usable])
    return _judged(_grid(filtered, log_likelihood, grid_hz, first, course_rad), sd_hz)


def _resolution(bands: list[tuple[Band, Reference]]) -> tuple[float, list[float]]:
    """Return the standard deviation of a transient's frequency, Hz, and each band's energy.

    Energies are capped where the grids could not resolve what they tell.
    """
    information, energies = 0.0, []
    for band, reference in bands:
        # Cramer-Rao bound of the frequency, phase free: the spread of the energy in time
        mean_s = float(reference.share @ band.time)
        spread = max(float(reference.share @ (band.time - mean_s) ** 2), 1e-9)
        finest = 1 / (2 * spread * (2 * np.pi * FINEST_HZ / STEP) ** 2 * len(bands))
        energies.append(min(reference.energy, MOST_ENERGY, finest))
        information += 2 * energies[-1] * spread
    return 1 / (2 * np.pi * np.sqrt(information)), energies


def _matched_filter(
    band: Band, reference: Reference, shift_hz: FloatArray, grid_hz: FloatArray
) -> ComplexArray:
    """Return the matched filter of each transient at each frequency of the grid."""
    product = band.signal * reference.others.conj()
    product *= np.exp(-2j * np.pi * shift_hz[:, None] * band.time)
    waves = np.exp(-2j * np.pi * np.outer(band.time, grid_hz))
    output: ComplexArray = (product @ waves) / reference.norm
    return output


def _relative(output: ComplexArray, energy: float, first: IntArray, wobble_sd: float) -> _Filtered:
    """Scale a filter's output so that the typical transient has 1."""
    size = np.abs(output[np.arange(len(output)), first])
    typical = max(float(median(size)), 0.05)
    return _Filtered(output / typical, energy * typical**2, wobble_sd)


def _phase_course(
    filtered: list[_Filtered], first: IntArray, removed_rad: FloatArray
) -> FloatArray:
    """Return the smooth course of the phase, less what was taken off."""
    row = np.arange(len(first))
    energy = sum(band.phase_energy for band in filtered)
    best = np.sum([band.phase_energy * band.output[row, first] for band in filtered], axis=0)
    phase = np.angle(best) + removed_rad
    # about the mean direction, so that no phase of a smooth course is cut at half a cycle
    mean_rad = float(np.angle(np.exp(1j * phase).sum()))
    departure = np.angle(np.exp(1j * (phase - mean_rad)))
    course = smooth_course(departure, np.full(len(phase), 1 / np.sqrt(2 * energy)))
    return np.asarray(mean_rad + course - removed_rad)


def _grid(
    filtered: list[_Filtered],
    log_likelihood: FloatArray,
    grid_hz: FloatArray,
    first: IntArray,
    course_rad: FloatArray,
) -> _Grid:
    """Lay phases about the most likely one at each frequency that matters."""
    likely = log_likelihood - log_likelihood.max(axis=1, keepdims=True)
    near = likely > NEGLIGIBLE
    near[:, np.argmin(np.abs(grid_hz))] = True  # what speaks for a sound one is always asked
    transient, node = np.nonzero(near)
    energy = sum(band.phase_energy for band in filtered)
    # N_PHASES steps never go round more than once
    step = min(max(STEP / np.sqrt(2 * energy), FINEST_RAD), 2 * np.pi / N_PHASES)
    at_node = [band.output[transient, node] for band in filtered]
    weighted = [band.phase_energy * h for band, h in zip(filtered, at_node, strict=True)]
    best = np.angle(np.sum(weighted, axis=0))
    phase = best[:, None] + step * (np.arange(N_PHASES) - N_PHASES // 2)
    parts = [_demodulated(h, phase, b.energy) for h, b in zip(at_node, filtered, strict=True)]
    departure = phase - course_rad[transient][:, None]
    water_size = np.ones(len(first))
    if len(filtered) > 1:  # a wobble turns large water by more than small, in units of the noise
        water_size = np.maximum(np.abs(filtered[1].output[np.arange(len(first)), first]), 0.3)
    return _Grid(
        transient=transient,
        hz=grid_hz[node][:, None],
        rad=departure - 2 * np.pi * np.round(departure / (2 * np.pi)),
        log_likelihood=likely[transient, node][:, None],
        lines=parts[0],
        water=parts[1] if len(parts) > 1 else None,
        water_size=water_size[transient][:, None],
        n_transients=len(first),
    )


def _demodulated(output: ComplexArray, phase: FloatArray, energy: float) -> _Quadratures:
    """Take a phase off a filter's output; by real arithmetic, twice as fast as by complex."""
    cosine, sine = np.cos(phase), np.sin(phase)
    real = np.asarray(output.real, dtype=np.float64)[:, None]
    imaginary = np.asarray(output.imag, dtype=np.float64)[:, None]
    return _Quadratures(real * cosine + imaginary * sine, imaginary * cosine - real * sine, energy)


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


def _judged(grid: _Grid, sd_hz: float) -> Motion:
    """Weigh the two hypotheses, and learn the variances of the sound transients on the way."""
    water = prior.WATER_AMPLITUDE_SD**2, prior.WATER_PHASE_SD**2
    sound, share = _Sound(prior.SOUND_SD**2, 1.0, *water), prior.SPOILT_SHARE
    expectation = _expected(grid, sound, share)
    for _ in range(ROUNDS - 1):
        chance = expit(expectation.log_odds)
        # the prior share counts as `SPOILT_WORTH` transients that were seen before
        expected = chance.sum() + prior.SPOILT_WORTH * prior.SPOILT_SHARE
        share = expected / (grid.n_transients + prior.SPOILT_WORTH)
        # how much of each transient is sound and at this node
        weight = expectation.sound * ((1 - chance) / expectation.of_sound)[grid.transient][:, None]
        sound = _maximised(grid, sound, weight)
        expectation = _expected(grid, sound, share)
    return _described(grid, expectation, sound, sd_hz)


def _expected(grid: _Grid, sound: _Sound, share: float) -> _Expectation:
    """Return the likelihoods of both hypotheses, given variances and the share of spoilt ones."""
    lines, freedom = grid.lines, prior.SOUND_WORTH + 0.5 * grid.n_transients
    narrow = (
        student(grid.hz, sound.variance[0], freedom),
        student(grid.rad, sound.variance[1], freedom),
        likelihood(lines.in_phase - sound.amplitude, sound.variance[2], lines.energy),
    )
    weakened = lines.in_phase - prior.SPOILT_AMPLITUDE * sound.amplitude
    wide = (*grid.wide, likelihood(weakened, prior.SPOILT_SD[2] ** 2, lines.energy))
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
    grid: _Grid, sound: _Sound
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


def _maximised(grid: _Grid, sound: _Sound, weight: FloatArray) -> _Sound:
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


def _described(grid: _Grid, expectation: _Expectation, sound: _Sound, sd_hz: float) -> Motion:
    """Say what motion did to each transient, if it is spoilt: at the most likely node."""
    spoilt = expectation.spoilt
    starts = np.searchsorted(grid.transient, np.arange(grid.n_transients))
    ends = np.append(starts[1:], len(grid.transient))
    row = np.array(
        [a + int(np.argmax(spoilt[a:b].max(axis=1))) for a, b in zip(starts, ends, strict=True)]
    )
    column = np.argmax(spoilt[row], axis=1)
    amplitude = grid.lines.in_phase[row, column] / sound.amplitude
    departure = np.stack([grid.hz[row, 0], grid.rad[row, column], amplitude - 1])
    # what noise makes of the three, added to what sound transients vary by
    energy = grid.lines.energy + (0.0 if grid.water is None else grid.water.energy)
    noise = 1 / (2 * energy)
    size = np.maximum(amplitude, 0.05)
    variance = np.stack(
        [(sd_hz / size) ** 2, noise / size**2, np.full(len(row), 0.5 / grid.lines.energy)]
    )
    return Motion(
        log_ratio=expectation.log_ratio,
        log_odds=expectation.log_odds,
        frequency_hz=departure[0],
        phase_rad=departure[1],
        amplitude=amplitude,
        deviations=np.abs(departure) / np.sqrt(sound.variance[:, None] + variance),
    )
