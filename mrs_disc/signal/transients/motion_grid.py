"""Matched filters of transients on grids of frequency and phase; `motion` explains the symbols.

Both grids are as fine as the samples can tell. Of the frequencies, only those near a transient's
most likely one, and the course itself, are laid out with phases.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mrs_disc.signal.axes import exponentials
from mrs_disc.signal.noise import median
from mrs_disc.signal.transients import priors as prior
from mrs_disc.signal.transients.align import Alignment
from mrs_disc.signal.transients.motion_bands import Reference, reference_of
from mrs_disc.signal.transients.registration import Band
from mrs_disc.signal.transients.robust import TINY, smooth_course
from mrs_disc.typing import ComplexArray, FloatArray, IntArray

RANGE_HZ, FINEST_HZ, COARSEST_HZ = 20.0, 0.15, 2.0
"""The grid of frequencies: about the course, and its steps."""

N_PHASES, FINEST_RAD = 20, np.radians(2.5)
"""The grid of phases about the most likely one, and its finest step."""

STEP = 1.2
"""Steps of both grids, in standard deviations of the estimates of frequency and phase."""

MOST_ENERGY = 300.0
"""Beyond this a transient is measured better than sound ones vary: 2 degrees, 4 %."""

NEGLIGIBLE = -18.0
"""Log likelihood, from the transient's highest, of frequencies that are not looked at further."""


@dataclass(frozen=True, slots=True)
class _Filtered:
    """Matched filter of one band at each frequency of the grid, 1 for a typical transient."""

    output: ComplexArray  # (transient, frequency)
    energy: float
    wobble_sd: float = 0.0

    @property
    def phase_energy(self) -> float:
        """Information of the band on the phase of the lines, as an energy."""
        return 1 / (1 / self.energy + 2 * self.wobble_sd**2)


@dataclass(frozen=True, slots=True)
class Quadratures:
    """Output of the matched filter at each node, its phase taken off; shape (row, phase)."""

    in_phase: FloatArray
    quadrature: FloatArray
    energy: float


@dataclass(frozen=True)
class Grid:
    """Frequencies and phases that matter: one row a frequency of a transient, columns phases."""

    transient: IntArray  # (row,), ascending
    hz: FloatArray  # (row, 1), from the course
    rad: FloatArray  # (row, phase), from the course
    log_likelihood: FloatArray  # (row, 1), from the highest of the transient
    lines: Quadratures
    water: Quadratures | None
    water_size: FloatArray  # (row, 1)
    n_transients: int
    sd_hz: float  # of the frequency of a typical transient

    def total(self, values: FloatArray) -> FloatArray:
        """Sum over the nodes of each transient; never zero."""
        sums = np.bincount(self.transient, values.sum(axis=1), self.n_transients)
        return np.maximum(sums.astype(np.float64), TINY)

    @cached_property
    def off_phase(self) -> FloatArray:
        """Likelihood of the lines' component in quadrature, the same under both hypotheses."""
        return np.exp(self.log_likelihood - self.lines.energy * self.lines.quadrature**2)


def grid_of(lines: Band, water: Band | None, alignment: Alignment) -> Grid | None:
    """Filter the bands and lay out what the filters say; None without a signal above the noise.

    Parameters
    ----------
    lines, water, alignment
        As in `motion.judge_motion`.
    """
    reference = reference_of(lines.signal)
    if reference is None:
        return None
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
    return _grid(filtered, log_likelihood, grid_hz, first, course_rad, sd_hz)


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
    step_hz = float(grid_hz[1] - grid_hz[0])
    product *= exponentials(-2j * np.pi * band.step_s * shift_hz, band.time.size)
    turn = -2j * np.pi * band.time
    waves = exponentials(turn * step_hz, grid_hz.size, turn * grid_hz[0])
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
    sd_hz: float,
) -> Grid:
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
    turn = np.cos(phase), np.sin(phase)
    parts = [_demodulated(h, *turn, b.energy) for h, b in zip(at_node, filtered, strict=True)]
    departure = phase - course_rad[transient][:, None]
    water_size = np.ones(len(first))
    if len(filtered) > 1:  # a wobble moves large water by more than small, in units of the noise
        water_size = np.maximum(np.abs(filtered[1].output[np.arange(len(first)), first]), 0.3)
    return Grid(
        transient=transient,
        hz=grid_hz[node][:, None],
        rad=departure - 2 * np.pi * np.round(departure / (2 * np.pi)),
        log_likelihood=likely[transient, node][:, None],
        lines=parts[0],
        water=parts[1] if len(parts) > 1 else None,
        water_size=water_size[transient][:, None],
        n_transients=len(first),
        sd_hz=sd_hz,
    )


def _demodulated(
    output: ComplexArray, cosine: FloatArray, sine: FloatArray, energy: float
) -> Quadratures:
    """Take a phase off a filter's output; by real arithmetic, twice as fast as by complex."""
    real = np.asarray(output.real, dtype=np.float64)[:, None]
    imaginary = np.asarray(output.imag, dtype=np.float64)[:, None]
    return Quadratures(real * cosine + imaginary * sine, imaginary * cosine - real * sine, energy)
