"""A signal that steps with the phase cycle: is there one, and how transients are aligned beside it.

What a phase cycle is to remove (the FID of a refocusing pulse, an outer-volume echo) has its phase
stepped from transient to transient, by a whole number of turns in 2, 4, 8 or 16 of them, and is
gone from their mean. A transient holds it all the same. Registered to the mean, transient after
transient follows it: phases step with the period, the mean is turned by them, and part of the
unwanted signal is then in it.

In the discrete Fourier transform along the transients such a signal is a line at a multiple of one
over the period. Noise and spoilt transients are white there, drift lies about zero, so that the
frequencies between tell how large chance is. Frequencies and phases of the transients themselves,
which breathing moves with a period too, change the mean in a few directions (itself, and times the
first powers of time); these are projected out. Means of whole cycles hold nothing that steps: they
are registered in the place of transients, and each transient gets what was found around it.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mrs_disc.signal.transients.series import Series, projected_out
from mrs_disc.typing import ComplexArray, FloatArray, IntArray

PERIODS = (2, 4, 8, 16)
"""Transients of a phase cycle that are looked for."""

LEAST_CYCLES = 4
"""So many of a period are needed: then its lines and the frequencies between are told apart."""

CHANCE = 1e-4
"""Of finding a period in a series without one [proposed]."""

LEAST_BETWEEN = 2
"""Frequencies that tell how large chance is: from 16 transients on."""

TURNS = 3
"""Directions in which frequency and phase of a transient change the mean."""


def cycle_period(
    series: Series, window_hz: tuple[float, float], water_hz: tuple[float, float] | None
) -> int | None:
    """Return the period with which a signal in the window steps, None where chance explains it.

    Parameters
    ----------
    series : Series
        The transients, not aligned.
    window_hz : tuple of float
        Metabolite window from the carrier, Hz.
    water_hz : tuple of float, optional
        Band of the residual water, Hz; its tails in the window do not count.

    Returns
    -------
    int or None
        One of `PERIODS`.
    """
    n_transients = len(series.signal)
    periods = [period for period in PERIODS if LEAST_CYCLES * period <= n_transients]
    if not periods or not series.usable.all():
        return None
    inside, water = series.window(window_hz), series.water_band(window_hz, water_hz)
    lines = _without_turns(series, inside, water) / (np.sqrt(2) * series.noise_sd)
    place = np.arange(n_transients)
    taper = np.sin(np.pi * (place + 0.5) / n_transients) ** 2
    taper /= np.sqrt(np.sum(taper**2))
    longest = periods[-1]
    at_lines = np.arange(1, longest) / longest
    between = _between(n_transients, longest)
    if len(between) < LEAST_BETWEEN:
        return None
    energy, chance = (_energies(lines, taper, place, where) for where in (at_lines, between))
    n_bins = lines.shape[1]
    own = max(float(chance.mean()) - n_bins, 0.0)
    # energies of what the transients do are exponential at worst, known from so many terms; those
    # of noise are normal
    worst = len(between) * ((CHANCE / len(at_lines)) ** (-1 / len(between)) - 1)
    limit = n_bins + worst * own + 6 * np.sqrt(n_bins)
    found = np.flatnonzero(energy > limit) + 1
    if not found.size:
        return None
    return int(longest // np.gcd.reduce(np.append(found, longest)))


def _without_turns(series: Series, inside: slice, water: slice | None) -> ComplexArray:
    """Return a window of the spectra without what turning or shifting the mean adds to it."""
    time = np.linspace(0, 1, series.signal.shape[1], endpoint=False)
    mean = series.chosen.mean(axis=0)
    turned = replace(
        series,
        signal=np.stack([mean * time**power for power in range(TURNS)]),
        usable=np.ones(TURNS, dtype=bool),
    )
    directions: ComplexArray = turned.spectra.bins[:, inside]
    lines: ComplexArray = series.spectra.bins[:, inside]
    if water is not None:
        tails = series.spectra.water_tails(inside, water)
        directions, lines = projected_out(directions, tails), projected_out(lines, tails)
    return projected_out(lines, np.asarray(np.linalg.qr(directions.T)[0]))


def _between(n_transients: int, longest: int) -> FloatArray:
    """Return frequencies, in periods a transient, away from those of cycles and from drift."""
    every = np.arange(n_transients) / n_transients
    apart = np.abs(every * longest - np.round(every * longest)) / longest
    off_zero = np.minimum(every, 1 - every)
    between: FloatArray = every[(apart > 1.9 / n_transients) & (off_zero > 2.9 / n_transients)]
    return between


def _energies(
    lines: ComplexArray, taper: FloatArray, place: IntArray, frequency: FloatArray
) -> FloatArray:
    """Return the energies of the transform along the transients; that of noise is its bins."""
    waves = taper * np.exp(-2j * np.pi * frequency[:, None] * place)
    return np.asarray(np.sum(np.abs(waves @ lines) ** 2, axis=1))


def whole_cycles(series: Series, period: int) -> tuple[Series, FloatArray]:
    """Return the means of whole cycles as a series, and the middle of each.

    Parameters
    ----------
    series : Series
        All of it usable.
    period : int
        Transients of a cycle; those after the last whole one are left out.

    Returns
    -------
    means : Series
        Of each cycle.
    middle : float array, shape (cycle,)
        In transients from the first.
    """
    n_cycles = len(series.signal) // period
    cycles = series.signal[: n_cycles * period].reshape(n_cycles, period, -1)
    means = replace(
        series,
        signal=np.asarray(cycles.mean(axis=1)),
        usable=np.ones(n_cycles, dtype=bool),
        noise_sd=series.noise_sd / np.sqrt(period),
    )
    return means, np.asarray(period * np.arange(n_cycles) + 0.5 * (period - 1), dtype=float)
