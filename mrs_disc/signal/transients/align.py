r"""Frequency and phase of transients by spectral registration, batched over all transients.

The model of transient k is ``exp(1j*(phase_k + 2*pi*frequency_k*t)) * reference(t)`` plus noise,
plus a residual water that may change as it likes; `registration` solves it.

Only the metabolite window is registered. The few directions that tails of the water span there
(`Spectra.water_tails`) are projected out, so that the jitter of residual water stays out. The
water band itself is registered on its own, and used as far as its differences to the metabolites
are explained by noise: the rest is instability of the water, added to its variance.

Where one transient says less than is known of the series, the estimate is drawn to the smooth
course of the series (empirical Bayes). Where a transient cannot be measured at all, blocks of
neighbours are registered instead, or nothing is corrected; where a signal steps with the phase
cycle, whole cycles (`cycle`). `method` and `reason` say so.

Sources: Near et al., Magn Reson Med 2015;73:44-50, doi:10.1002/mrm.25094 (spectral registration);
Wilson, Magn Reson Med 2019;81:2878-2886, doi:10.1002/mrm.27605 (free baseline under the window);
Mikkelsen et al., NMR Biomed 2020;33:e4368, doi:10.1002/nbm.4368 (unstable water, weights).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

import numpy as np

from mrs_disc.signal.axes import phasors
from mrs_disc.signal.noise import median
from mrs_disc.signal.transients.cycle import cycle_period, whole_cycles
from mrs_disc.signal.transients.registration import (
    MIN_ENERGY,
    Band,
    Course,
    Registration,
    decimated,
    register,
    wrapped,
)
from mrs_disc.signal.transients.robust import clamped_covariance, robust_variance, smooth_course
from mrs_disc.signal.transients.series import Series, projected_out
from mrs_disc.typing import ComplexArray, FloatArray

Method = Literal["transient", "block", "cycle", "none"]

MIN_BINS = 16
"""A window of fewer bins holds no lines to register."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alignment:
    """Transients on one frequency and phase.

    Attributes
    ----------
    series : Series
        Aligned transients; one that is not usable is zero.
    frequency_hz, phase_rad : float arrays, shape (transient,)
        What was taken off: ``signal = transients * exp(-1j*(phase + 2*pi*frequency*t))``.
        Medians are zero: the mean keeps the typical frequency and phase of the series.
    measured : Course
        The same before it was drawn to the smooth course; what outliers are judged by.
    smooth_hz : float array, shape (transient,)
        Smooth course of the frequency.
    method : str
        "transient" (each on its own), "block" (smooth course from blocks), "cycle" (whole phase
        cycles) or "none".
    reason : str
        One line on why this method, with the numbers.
    period : int, optional
        Transients of the phase cycle with which an unwanted signal steps; None where none does.
    """

    series: Series
    frequency_hz: FloatArray
    phase_rad: FloatArray
    measured: Course
    smooth_hz: FloatArray
    method: Method
    reason: str
    period: int | None = None

    @property
    def drift_hz(self) -> float | None:
        """Range of the smooth course; `None` where no frequency was measured, which is not zero."""
        return None if self.method == "none" else float(np.ptp(self.smooth_hz))


def align(
    series: Series,
    *,
    window_hz: tuple[float, float],
    water_hz: tuple[float, float] | None = None,
    max_shift_hz: float = 20.0,
) -> Alignment:
    """Find and take off frequency and phase of each transient.

    Parameters
    ----------
    series : Series
        The transients.
    window_hz : tuple of float
        Metabolite window from the carrier, Hz (0.2 to 4.2 ppm).
    water_hz : tuple of float, optional
        Band of the residual water, Hz (4.4 to 4.9 ppm). None: no water is expected, its tails
        stay and it is not used.
    max_shift_hz : float
        Largest frequency looked for, to either side of the series' median.

    Returns
    -------
    Alignment

    Raises
    ------
    InputError
        If a window lies outside the spectrum.
    """
    inside = series.window(window_hz)
    if np.count_nonzero(series.usable) < 3:
        return _untouched(series, "fewer than 3 usable transients")
    if inside.stop - inside.start < MIN_BINS:
        return _untouched(series, f"window of under {MIN_BINS} points")
    period = cycle_period(series, window_hz, water_hz)
    if period is None:
        return _aligned(series, window_hz, water_hz, max_shift_hz)
    means, middle = whole_cycles(series, period)
    return _from_cycles(
        series, _aligned(means, window_hz, water_hz, max_shift_hz), middle, period=period
    )


def _aligned(
    series: Series,
    window_hz: tuple[float, float],
    water_hz: tuple[float, float] | None,
    max_shift_hz: float,
) -> Alignment:
    """Align a series in which nothing steps."""
    registration, metabolites, used = _registered(series, window_hz, water_hz, max_shift_hz)
    if registration.energy < MIN_ENERGY:
        return _from_blocks(series, metabolites, registration.energy, max_shift_hz)
    return _from_transients(series, registration, used)


def _registered(
    series: Series,
    window_hz: tuple[float, float],
    water_hz: tuple[float, float] | None,
    max_shift_hz: float,
) -> tuple[Registration, Band, str]:
    """Register the metabolite window, with the water where it helps; and say what was used."""
    spectra, inside = series.spectra, series.window(window_hz)
    lines = _in_noise(series, inside)
    band = series.water_band(window_hz, water_hz)
    water = None if band is None or water_hz is None else _strong_water(series, water_hz)
    if band is None or water is None:
        metabolites = decimated(lines, spectra.duration_s)
        return register(metabolites, max_shift_hz), metabolites, "metabolites"
    # first without the tails: how much they vary shows only when the phases are known
    tails = spectra.water_tails(inside, band)
    metabolites = decimated(projected_out(lines, tails), spectra.duration_s)
    registration = register(metabolites, max_shift_hz, n_rounds=2)
    if registration.energy >= MIN_ENERGY:
        softened = _soft_tails(lines, tails, registration)
        if softened is not None:
            metabolites = decimated(softened, spectra.duration_s)
            registration = register(metabolites, max_shift_hz, n_rounds=2, start=registration)
    registration, used = _with_water(registration, metabolites, water, max_shift_hz)
    return registration, metabolites, used


def _in_noise(series: Series, part: slice) -> ComplexArray:
    """Return part of the spectra, the variance of a complex point of noise 1."""
    bins = series.spectra.bins[:, part].astype(np.complex128)
    return np.asarray(bins * (1 / (np.sqrt(2) * series.noise_sd)))


def _strong_water(series: Series, water_hz: tuple[float, float]) -> Band | None:
    """Return the residual water; None where it is so weak that its tails are below the noise."""
    margin = 0.3 * (water_hz[1] - water_hz[0])
    wide = series.window((water_hz[0] - margin, water_hz[1] + margin))
    water = decimated(_in_noise(series, wide), series.spectra.duration_s)
    energy = np.sum(np.abs(water.signal) ** 2, axis=1) - water.signal.shape[1]
    return None if float(median(energy)) < MIN_ENERGY else water


def _soft_tails(
    lines: ComplexArray, tails: ComplexArray, registration: Registration
) -> ComplexArray | None:
    """Weight the tails of water by how much they vary, where that is little; None where it is much.

    What varies in the directions of the tails once the transients have one phase is nuisance, and
    whitening it leaves in what the stable part of the tails and the metabolites tell.
    """
    in_phase = (lines @ tails.conj()) * np.exp(-1j * registration.rad)[:, None]
    variance, directions = np.linalg.eigh(clamped_covariance(in_phase))
    share = 1 - 1 / np.sqrt(np.maximum(variance, 1.0))
    if share.min() > 0.7:
        return None
    basis = tails @ directions
    softened: ComplexArray = lines - ((lines @ basis.conj()) * share) @ basis.T
    return softened


def _with_water(
    metabolites: Registration, band: Band, water_band: Band, max_shift_hz: float
) -> tuple[Registration, str]:
    """Add what the residual water says, as far as it agrees with the metabolites."""
    water = register(water_band, max_shift_hz, n_rounds=2)
    if water.energy < MIN_ENERGY:
        return metabolites, "metabolites"
    if metabolites.energy < MIN_ENERGY:
        # alone, nothing checks the water: then it has to be strong
        if water.energy < 4 * MIN_ENERGY:
            return metabolites, "metabolites"
        return _phase_if_it_helps(water, band), "residual water"
    # two measurements of the same frequency and phase, but for offsets that the series share
    departure_hz = water.hz - metabolites.hz
    departure_rad = wrapped(water.rad - metabolites.rad)
    departure_rad = wrapped(departure_rad - float(np.angle(np.exp(1j * departure_rad).sum())))
    # what they differ by beyond their noise is the water's own, and adds to its variance
    expected = metabolites.covariance + water.covariance
    unstable = np.array(
        [
            _excess(departure_rad, float(median(expected[:, 0, 0]))),
            _excess(2 * np.pi * departure_hz, float(median(expected[:, 1, 1]))),
        ]
    )
    # of two normal estimates: informations add, the mean moves by the water's share of them
    trust = np.linalg.inv(water.covariance + np.diag(unstable))
    departure_hz = departure_hz - float(median(departure_hz))
    departure = np.stack([departure_rad, 2 * np.pi * departure_hz], axis=1)
    information = metabolites.information + trust
    move = np.linalg.solve(information, (trust @ departure[:, :, None]))[:, :, 0]
    fused = Registration(
        metabolites.hz + move[:, 1] / (2 * np.pi),
        metabolites.rad + move[:, 0],
        information,
        metabolites.energy,
    )
    return fused, "metabolites and residual water"


def _phase_if_it_helps(water: Registration, band: Band) -> Registration:
    """Keep the water's phases only where they make the mean of the metabolites larger."""
    aligned = band.signal * np.exp(-2j * np.pi * water.hz[:, None] * band.time)
    without = float(np.sum(np.abs(aligned.mean(axis=0)) ** 2))
    phase = water.rad - np.angle(np.exp(1j * water.rad).sum())
    aligned = aligned * np.exp(-1j * phase[:, None])
    if float(np.sum(np.abs(aligned.mean(axis=0)) ** 2)) > without:
        return water
    # the phase is then zero, and hardly known
    unknown = water.information * np.array([[1e-3, 0.0], [0.0, 1.0]])
    return Registration(water.hz, np.zeros(len(phase)), unknown, water.energy)


def _excess(values: FloatArray, expected: float) -> float:
    """Variance beyond the expected one, zero where chance explains it."""
    variance = robust_variance(values)
    chance = expected * (1 + 2 * np.sqrt(2 / len(values)))  # two standard errors of a variance
    return variance - expected if variance > chance else 0.0


def _from_transients(series: Series, registration: Registration, used: str) -> Alignment:
    """Align each transient by what it says itself, drawn to the course of the series."""
    measured = registration.course
    reason = (
        f"one transient tells {median(measured.sd_hz):.2g} Hz and "
        f"{np.degrees(median(measured.sd_rad)):.2g} degrees, from {used}"
    )
    measured = measured.centred()
    smooth_hz = smooth_course(measured.hz, measured.sd_hz)
    smooth_rad = smooth_course(measured.rad, measured.sd_rad)
    strong = registration.energy > 2 * MIN_ENERGY
    removed = replace(
        measured,
        hz=_shrunk(measured.hz, smooth_hz, measured.sd_hz, strong),
        rad=_shrunk(measured.rad, smooth_rad, measured.sd_rad, strong),
    )
    return _corrected(series, measured, removed, smooth_hz, "transient", reason)


def _shrunk(values: FloatArray, course: FloatArray, sd: FloatArray, strong: bool) -> FloatArray:
    """Shrink values to their course by how little they say about their own departure from it.

    Clear outliers stay where they are, if the signal is strong enough for them to be true.
    """
    departure = values - course
    # empirical Bayes: what the departures vary beyond their errors is what transients really do
    own = max(robust_variance(departure) - float(median(sd)) ** 2, 0.0)
    shrunk = course + own / (own + sd**2) * departure
    clear = np.abs(departure) > 4 * np.sqrt(own + sd**2)
    return np.asarray(np.where(clear & strong, values, shrunk))


def _from_blocks(series: Series, band: Band, energy: float, max_shift_hz: float) -> Alignment:
    """Align transients that are too weak on their own by blocks of neighbours, where that helps."""
    n_usable = len(band.signal)
    # energies of a block's transients add up: three times the least makes a block safe
    size = int(np.ceil(3 * MIN_ENERGY / max(energy, 1e-3)))
    n_blocks = n_usable // size
    weak = f"a transient is too weak to align (energy {energy:.2g} of {MIN_ENERGY:.0f} needed)"
    if n_blocks < 3:
        return _untouched(series, f"{weak}, and so are blocks")
    edges = np.linspace(0, n_usable, n_blocks + 1).round().astype(int)
    blocks = np.stack([band.signal[a:b].sum(axis=0) / np.sqrt(b - a) for a, b in pairwise(edges)])
    registration = register(Band(blocks, band.time), max_shift_hz)
    if registration.energy < MIN_ENERGY:
        return _untouched(series, f"{weak}, and so are blocks")
    sd_hz = registration.course.sd_hz
    centre = (edges[1:] + edges[:-1] - 1) / 2
    # a correction by what chance explains would put errors in: the slope must be significant
    lever = centre - centre.mean()
    slope_in_sd = float(lever @ registration.hz) / np.sqrt(float(lever**2 @ sd_hz**2))
    if abs(slope_in_sd) < 2:
        return _untouched(series, f"{weak}, and {n_blocks} blocks show no drift beyond chance")
    course = smooth_course(registration.hz, sd_hz, bandwidth=max(n_blocks / 4, 1.0))
    smooth_hz = np.interp(np.arange(n_usable), centre, course)
    reason = f"{weak}: smooth course of {n_blocks} blocks of {size} instead"
    measured = _unmeasured(smooth_hz).centred()
    return _corrected(series, measured, measured, measured.hz, "block", reason)


def _from_cycles(
    series: Series, of_means: Alignment, middle: FloatArray, *, period: int
) -> Alignment:
    """Align transients by what was found for the means of whole phase cycles around them."""
    place = np.arange(len(series.signal), dtype=float)

    def around(values: FloatArray) -> FloatArray:
        return np.asarray(np.interp(place, middle, values))

    unknown = np.full(len(place), np.inf)
    removed = Course(
        hz=around(of_means.frequency_hz),
        rad=around(of_means.phase_rad),
        sd_hz=unknown,
        sd_rad=unknown,
    )
    reason = f"a signal steps with a phase cycle of {period}: whole cycles; {of_means.reason}"
    method: Method = "none" if of_means.method == "none" else "cycle"
    smooth_hz = around(of_means.smooth_hz)
    found = _corrected(series, removed, removed, smooth_hz, method, reason)
    return replace(found, period=period)


def _untouched(series: Series, reason: str) -> Alignment:
    """Return the transients as they are, with the reason."""
    measured = _unmeasured(np.zeros(np.count_nonzero(series.usable)))
    return _corrected(series, measured, measured, measured.hz, "none", reason)


def _unmeasured(hz: FloatArray) -> Course:
    """Return a course that no transient was measured for."""
    unknown = np.full(len(hz), np.inf)
    return Course(hz=hz, rad=np.zeros(len(hz)), sd_hz=unknown, sd_rad=unknown)


def _corrected(
    series: Series,
    measured: Course,
    removed: Course,
    smooth_hz: FloatArray,
    method: Method,
    reason: str,
) -> Alignment:
    """Take a course off the transients; courses hold the usable ones alone."""
    signal = series.signal
    if not series.usable.all():
        # a transient that is not usable gets the values of its nearest neighbour
        signal = np.where(series.usable[:, None], signal, 0)
        usable, every = np.flatnonzero(series.usable), np.arange(len(signal))
        nearest = np.abs(every[:, None] - usable[None, :]).argmin(axis=1)
        measured, removed, smooth_hz = measured.at(nearest), removed.at(nearest), smooth_hz[nearest]
    if method == "none":
        corrected = signal.copy()
    else:
        corrected = phasors(
            -removed.hz, -removed.rad, signal.shape[1], series.dwell_s, signal.dtype
        )
        corrected *= signal
    return Alignment(
        series=replace(series, signal=corrected),
        frequency_hz=removed.hz,
        phase_rad=removed.rad,
        measured=measured,
        smooth_hz=smooth_hz,
        method=method,
        reason=reason,
    )
