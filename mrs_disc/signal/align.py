r"""Frequency and phase of transients by spectral registration, batched over all transients.

The model of transient k is ``exp(1j*(phase_k + 2*pi*frequency_k*t)) * reference(t)`` plus noise,
plus a residual water that may change as it likes; `registration` solves it.

Only the metabolite window is registered. Outside of its own band, water is a sum of the first
powers of ``1 / (1 - exp(-2j*pi*(f - f_water)*dwell))`` (tails of any line shape near f_water);
these few directions are projected out, so that the jitter of residual water stays out. The
water band itself is registered on its own, and used as far as its differences to the metabolites
are explained by noise: the rest is instability of the water, added to its variance.

Where one transient says less than is known of the series, the estimate is drawn to the smooth
course of the series (empirical Bayes). Where a transient cannot be measured at all, blocks of
neighbours are registered instead, or nothing is corrected; `method` and `reason` say so.

Sources: Near et al., Magn Reson Med 2015;73:44-50, doi:10.1002/mrm.25094 (spectral registration);
Wilson, Magn Reson Med 2019;81:2878-2886, doi:10.1002/mrm.27605 (free baseline under the window);
Mikkelsen et al., NMR Biomed 2020;33:e4368, doi:10.1002/nbm.4368 (unstable water, weights).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
import scipy.fft

from mrs_disc.errors import InputError
from mrs_disc.signal.axes import (
    check_dwell_time,
    complex_array,
    frequency_axis,
    phasors,
    window,
)
from mrs_disc.signal.noise import noise_sd as measure_noise
from mrs_disc.signal.registration import MIN_ENERGY, Band, Found, inverse, register, thinned
from mrs_disc.signal.series import clamped_covariance, robust_variance, smooth_course
from mrs_disc.typing import BoolArray, ComplexArray, FloatArray

N_TAILS = 3
"""Powers of the water's tail in the metabolite window; the third is below noise up to a water of
100 times the noise of a transient."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alignment:
    """Transients on one frequency and phase.

    Attributes
    ----------
    signal : complex array, shape (transient, point)
        Aligned transients; one that is not usable is zero.
    frequency_hz, phase_rad : float arrays, shape (transient,)
        What was taken off: ``signal = transients * exp(-1j*(phase + 2*pi*frequency*t))``.
        Medians are zero: the mean keeps the frequency and phase of the series' middle.
    measured_hz, measured_rad : float arrays, shape (transient,)
        The same before it was drawn to the smooth course; what outliers are judged by.
    frequency_sd_hz : float array, shape (transient,)
        Standard deviation of the measured frequency (Cramer-Rao bound and instability of water).
    smooth_hz : float array, shape (transient,)
        Smooth course of the frequency.
    drift_hz : float
        Range of the smooth course.
    noise_sd : float
        Standard deviation of one real channel of a transient, measured or given.
    usable : bool array, shape (transient,)
        False where a transient is zero or not finite.
    method : str
        "transient" (each on its own), "block" (smooth course from blocks) or "none".
    reason : str
        One line on why this method, with the numbers.
    """

    signal: ComplexArray
    frequency_hz: FloatArray
    phase_rad: FloatArray
    measured_hz: FloatArray
    measured_rad: FloatArray
    frequency_sd_hz: FloatArray
    smooth_hz: FloatArray
    drift_hz: float
    noise_sd: float
    usable: BoolArray
    method: Literal["transient", "block", "none"]
    reason: str


def align(
    transients: ComplexArray,
    dwell_time_s: float,
    *,
    window_hz: tuple[float, float],
    water_hz: tuple[float, float] | None = None,
    noise_sd: float | None = None,
    max_shift_hz: float = 20.0,
) -> Alignment:
    """Find and take off frequency and phase of each transient.

    Parameters
    ----------
    transients : complex array, shape (transient, point)
        Coils combined.
    dwell_time_s : float
        Time from point to point, s.
    window_hz : tuple of float
        Metabolite window from the carrier, Hz (0.2 to 4.2 ppm).
    water_hz : tuple of float, optional
        Band of the residual water, Hz (4.4 to 4.9 ppm). None: no water is expected, its tails
        stay and it is not used.
    noise_sd : float, optional
        Standard deviation of one real channel; default measured.
    max_shift_hz : float
        Largest frequency looked for, to either side of the series' middle.

    Returns
    -------
    Alignment

    Raises
    ------
    InputError
        If no transient is usable, or a window lies outside the spectrum.
    """
    signal = complex_array(transients, "transients", 2, finite=False)
    check_dwell_time(dwell_time_s)
    usable = usable_transients(signal)
    if not usable.any():
        raise InputError("no transient is usable: each is zero or has points that are not finite")
    chosen = signal if usable.all() else signal[usable]
    inside = window(frequency_axis(signal.shape[1], dwell_time_s), *window_hz)
    sd = measure_noise(chosen) if noise_sd is None else float(noise_sd)
    if not (np.isfinite(sd) and sd > 0):
        raise InputError(f"noise_sd = {sd}: positive number expected")
    series = (signal, dwell_time_s, usable, sd)
    if len(chosen) < 3:
        return _untouched(*series, "fewer than 3 usable transients")
    if inside.stop - inside.start < 16:
        return _untouched(*series, "window of under 16 points")
    found, metabolites, used = _measured(
        chosen, dwell_time_s, window_hz, water_hz, sd, max_shift_hz
    )
    if found.energy < MIN_ENERGY:
        return _from_blocks(*series, metabolites, found.energy, max_shift_hz)
    return _from_transients(*series, found, used)


def _from_transients(
    signal: ComplexArray,
    dwell_time_s: float,
    usable: BoolArray,
    sd: float,
    found: Found,
    used: str,
) -> Alignment:
    """Align each transient by what it says itself."""
    covariance = inverse(found.information)
    sd_hz = np.sqrt(covariance[:, 1, 1]) / (2 * np.pi)
    sd_rad = np.sqrt(covariance[:, 0, 0])
    return _assemble(
        signal,
        dwell_time_s,
        usable,
        sd,
        measured_hz=found.frequency,
        measured_rad=found.phase,
        sd_hz=sd_hz,
        sd_rad=sd_rad,
        method="transient",
        reason=f"one transient tells {np.median(sd_hz):.2g} Hz and "
        f"{np.degrees(np.median(sd_rad)):.2g} degrees, from {used}",
        strong=found.energy > 2 * MIN_ENERGY,
    )


def _from_blocks(
    signal: ComplexArray,
    dwell_time_s: float,
    usable: BoolArray,
    sd: float,
    metabolites: Band,
    energy: float,
    max_shift_hz: float,
) -> Alignment:
    """Align transients that are too weak on their own by blocks of neighbours, where that helps."""
    smooth, reason = _by_blocks(metabolites, energy, max_shift_hz)
    if smooth is None:
        return _untouched(signal, dwell_time_s, usable, sd, reason)
    unknown = np.full(len(smooth), np.inf)
    return _assemble(
        signal,
        dwell_time_s,
        usable,
        sd,
        measured_hz=smooth,
        measured_rad=np.zeros(len(smooth)),
        sd_hz=unknown,
        sd_rad=unknown,
        method="block",
        reason=reason,
    )


def _measured(
    chosen: ComplexArray,
    dwell_time_s: float,
    window_hz: tuple[float, float],
    water_hz: tuple[float, float] | None,
    sd: float,
    max_shift_hz: float,
) -> tuple[Found, Band, str]:
    """Register the metabolite window, with the water where it helps; and say what was used."""
    n_points = chosen.shape[1]
    frequencies = frequency_axis(n_points, dwell_time_s)
    inside = window(frequencies, *window_hz)
    duration = n_points * dwell_time_s
    spectra = scipy.fft.fftshift(scipy.fft.fft(chosen, axis=-1, norm="ortho"), axes=-1)
    scale = 1 / (np.sqrt(2) * sd)
    lines = spectra[:, inside].astype(np.complex128) * scale
    tails = water = None
    if water_hz is not None and (window_hz[1] < water_hz[0] or water_hz[1] < window_hz[0]):
        margin = 0.3 * (water_hz[1] - water_hz[0])
        wide = window(frequencies, water_hz[0] - margin, water_hz[1] + margin)
        water = thinned(spectra[:, wide].astype(np.complex128) * scale, duration)
        energy = np.sum(np.abs(water.signal) ** 2, axis=1) - water.signal.shape[1]
        if float(np.median(energy)) < MIN_ENERGY:  # then its tails are far below the noise
            water = None
        else:
            tails = water_tails(
                spectra, frequencies, inside, window(frequencies, *water_hz), duration
            )
            struck = lines - (lines @ tails.conj()) @ tails.T
    metabolites = thinned(lines if tails is None else struck, duration)
    found = register(metabolites, max_shift_hz, n_rounds=3 if tails is None else 2)
    if tails is not None and found.energy >= MIN_ENERGY:
        softened = _soft_tails(lines, tails, found)
        if softened is not None:
            metabolites = thinned(softened, duration)
            found = register(metabolites, max_shift_hz, n_rounds=2, start=found)
    used = "metabolites"
    if water is not None:
        found, used = _with_water(found, metabolites, water, max_shift_hz)
    return found, metabolites, used


def usable_transients(transients: ComplexArray) -> BoolArray:
    """Return which transients are finite and not zero throughout, shape (transient,)."""
    with np.errstate(invalid="ignore", over="ignore"):
        finite = np.isfinite(transients.sum(axis=-1))
        if not finite.all():
            finite = np.isfinite(transients).all(axis=-1)
    return np.asarray(finite & transients.any(axis=-1), dtype=bool)


def water_tails(
    spectra: ComplexArray, frequencies: FloatArray, inside: slice, band: slice, duration_s: float
) -> ComplexArray:
    """Return orthonormal tails of the water in a window.

    Parameters
    ----------
    spectra : complex array, shape (transient, point)
        Spectra without halving of the first point, in the order of `frequencies`.
    frequencies : float array, shape (point,)
        Hz from the carrier.
    inside, band : slice
        The window, and the band of the water; they must not overlap.
    duration_s : float
        Number of points times dwell time, s.

    Returns
    -------
    complex128 array, shape (bin, `N_TAILS`)
        Orthonormal columns: what a line of any shape near the water's place adds to the window.
    """
    power = np.median(np.abs(spectra[:, band]), axis=0).astype(float) ** 4
    centre = float(frequencies[band] @ power / max(power.sum(), 1e-300))
    angle = 2j * np.pi * duration_s / len(frequencies) * (frequencies[inside] - centre)
    tail = 1 / (1 - np.exp(-angle))
    basis = np.stack([tail**k for k in range(1, N_TAILS + 1)], axis=1)
    return np.asarray(np.linalg.qr(basis)[0])


def _soft_tails(lines: ComplexArray, tails: ComplexArray, found: Found) -> ComplexArray | None:
    """Weight the tails of water by how much they vary, where that is little; None where it is much.

    What varies in the directions of the tails once the transients have one phase is nuisance, and
    whitening it leaves in what the stable part of the tails and the metabolites tell.
    """
    inner = (lines @ tails.conj()) * np.exp(-1j * found.phase)[:, None]
    variance, turn = np.linalg.eigh(clamped_covariance(inner)[1])
    share = 1 - 1 / np.sqrt(np.maximum(variance, 1.0))
    if share.min() > 0.7:
        return None
    basis = tails @ turn
    softened: ComplexArray = lines - ((lines @ basis.conj()) * share) @ basis.T
    return softened


def _phase_if_it_helps(water: Found, band: Band) -> Found:
    """Keep the water's phases only where they make the mean of the metabolites larger."""
    turned = band.signal * np.exp(-2j * np.pi * water.frequency[:, None] * band.time)
    without = float(np.sum(np.abs(turned.mean(axis=0)) ** 2))
    phase = water.phase - np.angle(np.exp(1j * water.phase).sum())
    turned = turned * np.exp(-1j * phase[:, None])
    if float(np.sum(np.abs(turned.mean(axis=0)) ** 2)) > without:
        return water
    unknown = water.information * np.array([[1e-3, 0.0], [0.0, 1.0]])
    return Found(water.frequency, np.zeros(len(phase)), unknown, water.energy)


def _excess(values: FloatArray, expected: float) -> float:
    """Variance beyond the expected one, zero where chance explains it."""
    found = robust_variance(values)
    chance = expected * (1 + 2 * np.sqrt(2 / len(values)))
    return found - expected if found > chance else 0.0


def _wrap(angle: FloatArray) -> FloatArray:
    return np.asarray(np.angle(np.exp(1j * angle)))


def _with_water(
    metabolites: Found, band: Band, water_band: Band, max_shift_hz: float
) -> tuple[Found, str]:
    """Add what the residual water says, as far as it agrees with the metabolites."""
    water = register(water_band, max_shift_hz, n_rounds=2)
    if water.energy < MIN_ENERGY:
        return metabolites, "metabolites"
    if metabolites.energy < MIN_ENERGY:
        if water.energy < 4 * MIN_ENERGY:
            return metabolites, "metabolites"
        return _phase_if_it_helps(water, band), "residual water"
    difference_hz = water.frequency - metabolites.frequency
    difference_rad = _wrap(water.phase - metabolites.phase)
    expected = inverse(metabolites.information) + inverse(water.information)
    offset_rad = float(np.angle(np.exp(1j * difference_rad).sum()))
    difference_rad = _wrap(difference_rad - offset_rad)
    unstable = np.array(
        [
            _excess(difference_rad, float(np.median(expected[:, 0, 0]))),
            _excess(2 * np.pi * difference_hz, float(np.median(expected[:, 1, 1]))),
        ]
    )
    covariance = inverse(water.information) + np.diag(unstable)
    trust = np.linalg.inv(covariance)
    offset_hz = float(np.median(difference_hz))
    step = np.stack([difference_rad, 2 * np.pi * (difference_hz - offset_hz)], axis=1)
    information = metabolites.information + trust
    moved = np.linalg.solve(information, (trust @ step[:, :, None]))[:, :, 0]
    fused = Found(
        metabolites.frequency + moved[:, 1] / (2 * np.pi),
        metabolites.phase + moved[:, 0],
        information,
        metabolites.energy,
    )
    return fused, "metabolites and residual water"


def _assemble(
    signal: ComplexArray,
    dwell_time_s: float,
    usable: BoolArray,
    sd: float,
    *,
    measured_hz: FloatArray,
    measured_rad: FloatArray,
    sd_hz: FloatArray,
    sd_rad: FloatArray,
    method: Literal["transient", "block", "none"],
    reason: str,
    strong: bool = True,
) -> Alignment:
    """Draw what was measured to its course, and turn the transients back."""
    measured_hz = measured_hz - np.median(measured_hz)
    measured_rad = _wrap(measured_rad - np.angle(np.exp(1j * measured_rad).sum()))
    measured_rad = measured_rad - np.median(measured_rad)
    smooth_hz, frequency, phase = measured_hz, measured_hz, measured_rad
    if method == "transient":
        smooth_hz = smooth_course(measured_hz, sd_hz)
        frequency = _drawn(measured_hz, smooth_hz, sd_hz, strong)
        phase = _drawn(measured_rad, smooth_course(measured_rad, sd_rad), sd_rad, strong)
    drift = float(np.ptp(smooth_hz))
    values = [frequency, phase, measured_hz, measured_rad, sd_hz, smooth_hz]
    if not usable.all():
        signal = np.where(usable[:, None], signal, 0)
        values = _spread(usable, values)
    if method == "none":
        corrected = signal.copy()
    else:
        corrected = phasors(-values[0], -values[1], signal.shape[1], dwell_time_s, signal.dtype)
        corrected *= signal
    return Alignment(
        signal=corrected,
        frequency_hz=values[0],
        phase_rad=values[1],
        measured_hz=values[2],
        measured_rad=values[3],
        frequency_sd_hz=values[4],
        smooth_hz=values[5],
        drift_hz=drift,
        noise_sd=sd,
        usable=usable,
        method=method,
        reason=reason,
    )


def _untouched(
    signal: ComplexArray, dwell_time_s: float, usable: BoolArray, sd: float, reason: str
) -> Alignment:
    zero, unknown = np.zeros(int(usable.sum())), np.full(int(usable.sum()), np.inf)
    return _assemble(
        signal,
        dwell_time_s,
        usable,
        sd,
        measured_hz=zero,
        measured_rad=zero,
        sd_hz=unknown,
        sd_rad=unknown,
        method="none",
        reason=reason,
    )


def _spread(usable: BoolArray, values: list[FloatArray]) -> list[FloatArray]:
    """Put values of the usable transients at their places; elsewhere the nearest neighbour's."""
    index = np.flatnonzero(usable)
    place = np.arange(len(usable))
    nearest = np.abs(place[:, None] - index[None, :]).argmin(axis=1)
    return [value[nearest] for value in values]


def _drawn(measured: FloatArray, course: FloatArray, sd: FloatArray, outliers: bool) -> FloatArray:
    """Draw values to their course by how little they say about their own departure from it.

    Clear outliers stay where they are, if the signal is strong enough for them to be true.
    """
    away = measured - course
    own = max(robust_variance(away) - float(np.median(sd)) ** 2, 0.0)
    drawn = course + own / (own + sd**2) * away
    clear = np.abs(away) > 4 * np.sqrt(own + sd**2)
    return np.asarray(np.where(clear & outliers, measured, drawn))


def _by_blocks(band: Band, energy: float, max_shift_hz: float) -> tuple[FloatArray | None, str]:
    """Smooth course of the frequency from blocks of neighbours, or None; and the reason."""
    n_usable = len(band.signal)
    size = int(np.ceil(3 * MIN_ENERGY / max(energy, 1e-3)))
    n_blocks = n_usable // size
    weak = f"a transient is too weak to align (energy {energy:.2g} of {MIN_ENERGY:.0f} needed)"
    if n_blocks < 3:
        return None, f"{weak}, and so are blocks"
    edges = np.linspace(0, n_usable, n_blocks + 1).round().astype(int)
    blocks = np.stack([band.signal[a:b].sum(axis=0) / np.sqrt(b - a) for a, b in pairwise(edges)])
    found = register(Band(blocks, band.time), max_shift_hz)
    if found.energy < MIN_ENERGY:
        return None, f"{weak}, and so are blocks"
    sd_hz = np.sqrt(inverse(found.information)[:, 1, 1]) / (2 * np.pi)
    middle = (edges[1:] + edges[:-1] - 1) / 2
    lever = middle - middle.mean()
    slope_in_sd = float(lever @ found.frequency) / np.sqrt(float(lever**2 @ sd_hz**2))
    if abs(slope_in_sd) < 2:
        return None, f"{weak}, and {n_blocks} blocks show no drift beyond chance"
    course = smooth_course(found.frequency, sd_hz, bandwidth=max(n_blocks / 4, 1.0))
    smooth = np.interp(np.arange(n_usable), middle, course)
    return smooth, f"{weak}: smooth course of {n_blocks} blocks of {size} instead"
