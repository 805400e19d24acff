"""Odds that motion has spoilt a transient: amplitude, frequency and phase judged at once.

A transient is ``amplitude * exp(1j*(phase + 2*pi*frequency*t)) * reference(t)`` plus noise. Of a
sound one the three numbers are as near to the course of the series as those of most others; of one
that motion has spoilt they may be far from it. The test of most power is the ratio of the two
probabilities of a transient's samples; times the odds before they were seen it says how likely the
transient is spoilt. What is not known is integrated over, not estimated: so a transient whose
frequency cannot be told is not judged by a frequency that was guessed.

Frequency and phase run over grids as fine as the samples can tell. For each pair of them the
samples say all they know of the amplitude by one number, the real part ``x`` of the matched
filter's output turned back by the phase: with energy ``e``, and an amplitude that is normal about
``m`` with variance ``v``, the integral is ``exp(-e*(x - m)**2 / (1 + 2*e*v)) / sqrt(1 + 2*e*v)``,
and the imaginary part ``y`` gives ``exp(-e*y**2)``. Strong residual water is a second such signal
of the same frequency and phase. Its amplitude is free to vary as it does in the series, and more
in some transients (`UNSTEADY_CHANCE`): jitter of the water alone never spoils one. Its phase
departs from that of the lines by a wobble, an ``y`` with a variance of its own.

The spreads of the sound transients and the share of the spoilt ones come from the series itself by
expectation and maximisation. Series are short, so what is usual counts as a few transients more
(`USUAL`, `WORTH`), and the sound ones have Student's long tails.

Sources: Neyman and Pearson, Phil Trans R Soc A 1933;231:289-337, doi:10.1098/rsta.1933.0009;
Dempster et al., J R Stat Soc B 1977;39:1-22, doi:10.1111/j.2517-6161.1977.tb01600.x.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from mrs_disc.signal.align import Alignment
from mrs_disc.signal.motion_bands import Reference, reference_of
from mrs_disc.signal.registration import Band
from mrs_disc.signal.series import smooth_course
from mrs_disc.typing import ComplexArray, FloatArray, IntArray

USUAL = np.array([1.5, np.radians(10), 0.05])
"""Usual spreads of sound transients: Hz, rad, share of the amplitude."""

WATER_JITTER, WATER_WOBBLE = 0.3, np.radians(10)
"""Usual spreads of the residual water: share of its amplitude, and phase from that of the lines."""

UNSTEADY_FACTOR, UNSTEADY_CHANCE = 9.0, (0.1, 0.6)
"""Variance of the water's amplitude, relative to that in the series, where the water is unsteady,
and then its phase is as free; and the chance of it in a sound and in a spoilt transient."""

WORTH, WORTH_SHARE = 6.0, 0.1
"""The usual spreads count as so many transients, and at least as this share of the series."""

SPOILT = np.array([6.0, np.radians(55), 0.25])
SPOILT_AMPLITUDE = 0.6
"""Spreads of spoilt transients in the same units, and the middle of their amplitudes."""

AFFECTED = 0.85
"""Chance of each of the three to be affected in a spoilt transient."""

SPOILT_SHARE, SPOILT_WORTH = 0.05, 20.0
"""Share of spoilt transients before the series was seen, and how many transients that counts."""

SPOILT_TAILS = 4.0
"""Student's degrees of freedom of spoilt transients: whatever is far from all is spoilt."""

RANGE_HZ, FINEST_HZ, COARSEST_HZ = 20.0, 0.15, 2.0
"""The grid of frequencies: about the course, and its steps."""

N_PHASES, FINEST_RAD = 20, np.radians(2.5)
"""The grid of phases about the most likely one, and its finest step."""

STEP = 1.2
"""Steps of both grids, in standard deviations of what is told of frequency and phase."""

MOST_ENERGY = 300.0
"""Beyond this a transient tells more than any spread of sound ones asks: 2 degrees, 4 %."""

ROUNDS = 3
"""How often odds and spreads are found from each other; more changes hardly an odd."""

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
class _Told:
    """What one band tells: complex amplitudes on the grid of frequencies, 1 the usual one."""

    amplitude: ComplexArray  # (transient, node)
    energy: float
    wobble: float = 0.0

    @property
    def of_phase(self) -> float:
        """What the band tells of the phase of the lines, as an energy."""
        return 1 / (1 / self.energy + 2 * self.wobble**2)


@dataclass(frozen=True, slots=True)
class _Turned:
    """The same at each node, (row, phase), turned back by its phase: real and imaginary part."""

    along: FloatArray
    across: FloatArray
    energy: float


@dataclass(frozen=True, slots=True)
class _Nodes:
    """Frequencies and phases that matter: one row a frequency of a transient, columns phases."""

    transient: IntArray  # (row,), ascending
    frequency: FloatArray  # (row, 1), from the course
    phase: FloatArray  # (row, phase), from the course
    log_weight: FloatArray  # (row, 1), relative to the most likely of the transient
    lines: _Turned
    water: _Turned | None
    water_size: FloatArray  # (row, 1)

    def total(self, values: FloatArray, n_transients: int) -> FloatArray:
        """Sum over the nodes of each transient."""
        return np.bincount(self.transient, values.sum(axis=1), n_transients).astype(np.float64)


@dataclass(frozen=True, slots=True)
class _Spread:
    """Variances of the sound transients, and the middle of their amplitudes."""

    sound: FloatArray  # (3,) as `USUAL`
    middle: float = 1.0
    jitter: float = WATER_JITTER**2
    wobble: float = float(WATER_WOBBLE**2)


def judge_motion(lines: Band, water: Band | None, alignment: Alignment, index: IntArray) -> Motion:
    """Weigh for each transient whether motion has spoilt it.

    Parameters
    ----------
    lines : Band
        Metabolite window of the aligned transients, in units of their noise, the water's tails
        taken off.
    water : Band, optional
        The residual water, where it is strong.
    alignment : Alignment
        What was measured and taken off.
    index : int array, shape (transient,)
        Which transients of the alignment these are.

    Returns
    -------
    Motion
        Without a signal above the noise nobody is suspect: all log odds are minus infinity.
    """
    n_transients = len(lines.signal)
    reference = reference_of(lines.signal)
    if reference is None:
        nothing = np.zeros(n_transients)
        none = np.full(n_transients, -np.inf)
        return Motion(none, none, nothing, nothing, nothing + 1, np.zeros((3, n_transients)))
    pairs = [(lines, reference)]
    of_water = None if water is None else reference_of(water.signal)
    if water is not None and of_water is not None:
        pairs.append((water, of_water))
    sd_hz, caps = _resolution(pairs)
    step = float(np.clip(STEP * sd_hz, FINEST_HZ, COARSEST_HZ))
    grid = np.arange(-RANGE_HZ, RANGE_HZ + step / 2, step)
    shift = (alignment.smooth_hz - alignment.frequency_hz)[index]
    filtered = [_filtered(*pair, shift, grid) for pair in pairs]
    log_likelihood = sum(
        cap * np.abs(found) ** 2 for found, cap in zip(filtered, caps, strict=True)
    )
    # the course is where frequencies are looked for first, not where they have to be
    first = np.argmax(log_likelihood - 0.5 * (grid / (RANGE_HZ / 2)) ** 2, axis=1)
    wobbles = (0.0, float(WATER_WOBBLE))
    told = [
        _usual(found, cap, first, wobble)
        for found, cap, wobble in zip(filtered, caps, wobbles, strict=False)
    ]
    centre = _phase_course(told, first, alignment.phase_rad[index])
    nodes = _nodes(told, np.asarray(log_likelihood), grid, first, centre)
    return _weighed(nodes, n_transients, sd_hz)


def _resolution(pairs: list[tuple[Band, Reference]]) -> tuple[float, list[float]]:
    """Return the standard deviation of a transient's frequency, Hz, and each band's energy.

    Energies are capped where the grids could not resolve what they tell.
    """
    information, energies = 0.0, []
    for band, reference in pairs:
        late = float(reference.lever @ band.time)
        width = max(float(reference.lever @ (band.time - late) ** 2), 1e-9)
        finest = 1 / (2 * width * (2 * np.pi * FINEST_HZ / STEP) ** 2 * len(pairs))
        energies.append(min(reference.energy, MOST_ENERGY, finest))
        information += 2 * energies[-1] * width
    return 1 / (2 * np.pi * np.sqrt(information)), energies


def _filtered(
    band: Band, reference: Reference, shift: FloatArray, grid: FloatArray
) -> ComplexArray:
    """Return the matched filter of each transient at each frequency of the grid."""
    product = band.signal * reference.others.conj()
    product *= np.exp(-2j * np.pi * shift[:, None] * band.time)
    turning = np.exp(-2j * np.pi * np.outer(band.time, grid))
    found: ComplexArray = (product @ turning) / reference.whole
    return found


def _usual(found: ComplexArray, energy: float, first: IntArray, wobble: float) -> _Told:
    """Bring amplitudes to the usual one."""
    usual = max(float(np.median(np.abs(found[np.arange(len(found)), first]))), 0.05)
    return _Told(found / usual, energy * usual**2, wobble)


def _phase_course(told: list[_Told], first: IntArray, turned: FloatArray) -> FloatArray:
    """Return the smooth course of the phase, less what was taken off."""
    row = np.arange(len(first))
    energy = sum(band.of_phase for band in told)
    best = np.sum([band.of_phase * band.amplitude[row, first] for band in told], axis=0)
    phase = np.angle(best) + turned
    whole_turns = float(np.angle(np.exp(1j * phase).sum()))
    around = np.angle(np.exp(1j * (phase - whole_turns)))
    course = smooth_course(around, np.full(len(around), 1 / np.sqrt(2 * energy)))
    return np.asarray(whole_turns + course - turned)


def _nodes(
    told: list[_Told],
    log_likelihood: FloatArray,
    grid: FloatArray,
    first: IntArray,
    centre: FloatArray,
) -> _Nodes:
    """Lay phases about the most likely one at each frequency that matters."""
    likely = log_likelihood - log_likelihood.max(axis=1, keepdims=True)
    near = likely > NEGLIGIBLE
    near[:, np.argmin(np.abs(grid))] = True  # what speaks for a sound one is always asked
    transient, node = np.nonzero(near)
    energy = sum(band.of_phase for band in told)
    step = max(STEP / np.sqrt(2 * energy), FINEST_RAD)
    step = min(step, 2 * np.pi / N_PHASES)
    at = [band.amplitude[transient, node] for band in told]
    best = np.angle(np.sum([t.of_phase * a for t, a in zip(told, at, strict=True)], axis=0))
    phase = best[:, None] + step * (np.arange(N_PHASES) - N_PHASES // 2)
    turned = [_turned(a, phase, band.energy) for a, band in zip(at, told, strict=True)]
    away = phase - centre[transient][:, None]
    size = np.ones(len(first))
    if len(told) > 1:
        size = np.abs(told[1].amplitude[np.arange(len(first)), first])
        size = np.maximum(size, 0.3)
    return _Nodes(
        transient=transient,
        frequency=grid[node][:, None],
        phase=away - 2 * np.pi * np.round(away / (2 * np.pi)),
        log_weight=likely[transient, node][:, None],
        lines=turned[0],
        water=turned[1] if len(turned) > 1 else None,
        water_size=size[transient][:, None],
    )


def _turned(amplitude: ComplexArray, phase: FloatArray, energy: float) -> _Turned:
    cosine, sine = np.cos(phase), np.sin(phase)
    real = np.asarray(amplitude.real, dtype=np.float64)[:, None]
    imaginary = np.asarray(amplitude.imag, dtype=np.float64)[:, None]
    return _Turned(real * cosine + imaginary * sine, imaginary * cosine - real * sine, energy)


def _student(away: FloatArray, variance: float, freedom: float) -> FloatArray:
    """Return the density of Student's t but for its constant, much the same for all."""
    height = np.exp(-0.5 * (freedom + 1) * np.log1p(away**2 / (freedom * variance)))
    return np.asarray(height / np.sqrt(variance))


def _normal(away: FloatArray, variance: float | FloatArray, energy: float) -> FloatArray:
    """Return the likelihood of a value that was seen with an energy, its variance integrated."""
    wider = 1 + 2 * energy * variance
    return np.asarray(np.exp(-energy * away**2 / wider) / np.sqrt(wider))


def _of_water(
    nodes: _Nodes, spread: _Spread
) -> tuple[FloatArray, FloatArray] | tuple[float, float]:
    """Return the likelihood of the water in a sound and in a spoilt transient."""
    if nodes.water is None:
        return 1.0, 1.0
    water, energy = nodes.water, nodes.water.energy
    freer = UNSTEADY_FACTOR * spread.jitter
    away = water.along - 1
    steady = _normal(away, spread.jitter, energy)
    steady = steady * _normal(water.across, spread.wobble * nodes.water_size**2, energy)
    unsteady = _normal(away, freer, energy) * _normal(water.across, freer, energy)
    sound, spoilt = (steady + chance * (unsteady - steady) for chance in UNSTEADY_CHANCE)
    return sound, spoilt


def _weighed(nodes: _Nodes, n_transients: int, sd_hz: float) -> Motion:
    """Weigh the two hypotheses, and learn the spreads of the sound transients on the way."""
    freedom = WORTH + 0.5 * n_transients
    spread, share = _Spread(USUAL**2), SPOILT_SHARE
    energy = nodes.lines.energy
    here = np.exp(nodes.log_weight - energy * nodes.lines.across**2)
    astray_hz = _student(nodes.frequency, SPOILT[0] ** 2, SPOILT_TAILS)
    astray_rad = _student(nodes.phase, SPOILT[1] ** 2, SPOILT_TAILS)
    for turn in range(ROUNDS):
        within = (
            _student(nodes.frequency, spread.sound[0], freedom),
            _student(nodes.phase, spread.sound[1], freedom),
            _normal(nodes.lines.along - spread.middle, spread.sound[2], energy),
        )
        weak = nodes.lines.along - SPOILT_AMPLITUDE * spread.middle
        astray = astray_hz, astray_rad, _normal(weak, SPOILT[2] ** 2, energy)
        water_sound, water_spoilt = _of_water(nodes, spread)
        at_sound, at_spoilt = here * water_sound, here * water_spoilt
        for sound, spoilt in zip(within, astray, strict=True):
            at_sound = at_sound * sound
            at_spoilt = at_spoilt * (AFFECTED * spoilt + (1 - AFFECTED) * sound)
        sound = np.maximum(nodes.total(at_sound, n_transients), 1e-300)
        log_ratio = np.log(np.maximum(nodes.total(at_spoilt, n_transients), 1e-300) / sound)
        log_odds = log_ratio + np.log(share / (1 - share))
        if turn == ROUNDS - 1:
            break
        chance = expit(log_odds)
        share = (chance.sum() + SPOILT_WORTH * SPOILT_SHARE) / (n_transients + SPOILT_WORTH)
        spread = _learnt(
            nodes, spread, at_sound * ((1 - chance) / sound)[nodes.transient][:, None], n_transients
        )
    return _described(nodes, at_spoilt, spread, log_ratio, log_odds, sd_hz)


def _learnt(nodes: _Nodes, spread: _Spread, weight: FloatArray, n_transients: int) -> _Spread:
    """Return the spreads that the sound transients show, with what is usual."""
    worth = max(WORTH, WORTH_SHARE * n_transients)
    total = float(weight.sum())

    def pooled(squares: FloatArray, usual: float) -> float:
        return (float(np.sum(weight * squares)) + worth * usual) / (total + worth)

    def squares(away: FloatArray, variance: float, energy: float) -> tuple[FloatArray, FloatArray]:
        part = 2 * energy * variance / (1 + 2 * energy * variance)
        return part * away, (part * away) ** 2 + variance * (1 - part)

    middle, amplitude = squares(
        nodes.lines.along - spread.middle, spread.sound[2], nodes.lines.energy
    )
    sound = np.array(
        [
            pooled(nodes.frequency**2, USUAL[0] ** 2),
            pooled(nodes.phase**2, USUAL[1] ** 2),
            pooled(amplitude, USUAL[2] ** 2),
        ]
    )
    moved = spread.middle + float(np.sum(weight * middle)) / max(total, 1e-300)
    if nodes.water is None:
        return _Spread(sound, moved)
    _, jitter = squares(nodes.water.along - 1, spread.jitter, nodes.water.energy)
    _, wobble = squares(
        nodes.water.across / nodes.water_size,
        spread.wobble,
        nodes.water.energy * float(np.median(nodes.water_size)) ** 2,
    )
    return _Spread(
        sound, moved, pooled(jitter, WATER_JITTER**2), pooled(wobble, float(WATER_WOBBLE**2))
    )


def _described(
    nodes: _Nodes,
    at_spoilt: FloatArray,
    spread: _Spread,
    log_ratio: FloatArray,
    log_odds: FloatArray,
    sd_hz: float,
) -> Motion:
    """Say where each transient is, if it is spoilt."""
    starts = np.searchsorted(nodes.transient, np.arange(len(log_odds)))
    ends = np.append(starts[1:], len(nodes.transient))
    highest = [
        a + int(np.argmax(at_spoilt[a:b].max(axis=1))) for a, b in zip(starts, ends, strict=True)
    ]
    row = np.array(highest)
    column = np.argmax(at_spoilt[row], axis=1)
    amplitude = nodes.lines.along[row, column] / spread.middle
    away = np.stack([nodes.frequency[row, 0], nodes.phase[row, column], amplitude - 1])
    energy = nodes.lines.energy + (0.0 if nodes.water is None else nodes.water.energy)
    noise = 1 / (2 * energy)
    size = np.maximum(amplitude, 0.05)
    variance = np.stack(
        [(sd_hz / size) ** 2, noise / size**2, np.full(len(row), 0.5 / nodes.lines.energy)]
    )
    return Motion(
        log_ratio=log_ratio,
        log_odds=log_odds,
        frequency_hz=away[0],
        phase_rad=away[1],
        amplitude=amplitude,
        deviations=np.abs(away) / np.sqrt(spread.sound[:, None] + variance),
    )
