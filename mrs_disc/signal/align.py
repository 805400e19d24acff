r"""Frequency and phase of transients by spectral registration, batched over all transients.

The model of transient k is ``exp(1j*(phase_k + 2*pi*frequency_k*t)) * reference(t)`` plus noise,
plus a residual water that may change as it likes. Where the amplitude is free, least squares of
this model is the highest point of the periodogram of ``transient * conj(reference)``. So the
frequency comes from a coarse grid over the whole range (no local minimum) and Newton steps, for
all transients at once.

The metabolite window is cut out of the spectrum, which also thins it out in time: a transient
of 2,048 points becomes some hundred. Outside of its own band, water is a sum of the first powers
of ``1 / (1 - exp(-2j*pi*(f - f_water)*dwell))`` (tails of any line shape near f_water); these few
directions are projected out, so that the jitter of residual water does not reach the fit. The
water band itself is registered on its own, and used as far as its differences to the metabolites
are explained by noise: the rest is instability of the water, added to its variance.

The reference is a weighted mean of the aligned transients. It starts from the first eigenvector
of the transients' Gram matrix, which does not care for phases, leaves out the transient that is
compared, and is shaped by its own signal-to-noise ratio.

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
from mrs_disc.typing import BoolArray, ComplexArray, FloatArray

N_TAILS = 3
"""Powers of the water's tail in the metabolite window; the third is below noise up to a water of
100 times the noise of a transient."""

MIN_ENERGY = 14.0
"""Matched-filter energy (signal / complex noise variance) below which a periodogram's highest
point is often a noise peak: the threshold of frequency estimation."""

EDGE_HZ = 15.0
"""Taper at the edges of a window."""

LATEST_S = 0.3
"""Nothing is registered on what comes later: lines of 4 Hz have fallen to 2 % by then."""

JITTER_PRIOR_HZ = 10.0
"""A transient's frequency lies this near the series' course, unless it says otherwise."""


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
    frequency_sd_hz, phase_sd_rad : float arrays, shape (transient,)
        Standard deviations of the measured values (Cramer-Rao bound and instability of water).
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
    phase_sd_rad: FloatArray
    smooth_hz: FloatArray
    drift_hz: float
    noise_sd: float
    usable: BoolArray
    method: Literal["transient", "block", "none"]
    reason: str


@dataclass(frozen=True, slots=True)
class _Band:
    """Part of the spectrum as decimated time signals, noise variance 1 a complex point."""

    signal: ComplexArray  # (transient, sample)
    time: FloatArray  # (sample,), s


@dataclass(frozen=True, slots=True)
class _Found:
    """Frequency and phase of each transient, with the inverse covariance."""

    frequency: FloatArray
    phase: FloatArray
    information: FloatArray  # (transient, 2, 2) of phase and 2 pi frequency
    energy: float


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
    n_points = signal.shape[1]
    usable = usable_transients(signal)
    if not usable.any():
        raise InputError("no transient is usable: each is zero or has points that are not finite")
    chosen = signal if usable.all() else signal[usable]
    n_points, n_usable = signal.shape[1], len(chosen)
    frequencies = frequency_axis(n_points, dwell_time_s)
    inside = window(frequencies, *window_hz)
    sd = measure_noise(chosen) if noise_sd is None else float(noise_sd)
    if not (np.isfinite(sd) and sd > 0):
        raise InputError(f"noise_sd = {sd}: positive number expected")
    if n_usable < 3 or inside.stop - inside.start < 16:
        few = "fewer than 3 usable transients" if n_usable < 3 else "window of under 16 points"
        return _untouched(signal, dwell_time_s, usable, sd, few)

    duration = n_points * dwell_time_s
    spectra = scipy.fft.fftshift(scipy.fft.fft(chosen, axis=-1, norm="ortho"), axes=-1)
    scale = 1 / (np.sqrt(2) * sd)
    lines = spectra[:, inside].astype(np.complex128) * scale
    tails = water = None
    if water_hz is not None and (window_hz[1] < water_hz[0] or water_hz[1] < window_hz[0]):
        margin = 0.3 * (water_hz[1] - water_hz[0])
        wide = window(frequencies, water_hz[0] - margin, water_hz[1] + margin)
        water = _thinned(spectra[:, wide].astype(np.complex128) * scale, duration)
        energy = np.sum(np.abs(water.signal) ** 2, axis=1) - water.signal.shape[1]
        if float(np.median(energy)) < MIN_ENERGY:  # then its tails are far below the noise
            water = None
        else:
            tails = water_tails(
                spectra, frequencies, inside, window(frequencies, *water_hz), duration
            )
            struck = lines - (lines @ tails.conj()) @ tails.T
    metabolites = _thinned(lines if tails is None else struck, duration)
    found = _register(metabolites, max_shift_hz, n_rounds=3 if tails is None else 2)
    if tails is not None and found.energy >= MIN_ENERGY:
        softened = _soft_tails(lines, tails, found)
        if softened is not None:
            metabolites = _thinned(softened, duration)
            found = _register(metabolites, max_shift_hz, n_rounds=2, start=found)
    used = "metabolites"
    if water is not None:
        found, used = _with_water(found, metabolites, water, max_shift_hz)

    if found.energy < MIN_ENERGY:
        smooth, reason = _by_blocks(metabolites, found.energy, max_shift_hz)
        if smooth is None:
            return _untouched(signal, dwell_time_s, usable, sd, reason)
        unknown = np.full(n_usable, np.inf)
        return _assemble(
            signal,
            dwell_time_s,
            usable,
            sd,
            measured_hz=smooth,
            measured_rad=np.zeros(n_usable),
            sd_hz=unknown,
            sd_rad=unknown,
            method="block",
            reason=reason,
        )
    covariance = _inverse(found.information)
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


def usable_transients(transients: ComplexArray) -> BoolArray:
    """Return which transients are finite and not zero throughout, shape (transient,)."""
    with np.errstate(invalid="ignore", over="ignore"):
        finite = np.isfinite(transients.sum(axis=-1))
        if not finite.all():
            finite = np.isfinite(transients).all(axis=-1)
    return np.asarray(finite & transients.any(axis=-1), dtype=bool)


def robust_mean(rows: ComplexArray) -> ComplexArray:
    """Return the mean of rows with distant ones drawn in, shape (column,).

    Unlike a median of real and imaginary parts, it turns with the phase of the rows.
    """
    weight = np.ones(len(rows))
    middle: ComplexArray = rows.mean(axis=0)
    for _ in range(4):
        distance = np.sqrt(np.sum(np.abs(rows - middle) ** 2, axis=1))
        weight = np.minimum(1.0, np.median(distance) / np.maximum(distance, 1e-300)) ** 2
        middle = (weight @ rows) / max(float(weight.sum()), 1e-300)
    return middle


def smooth_course(values: FloatArray, sd: FloatArray, bandwidth: float | None = None) -> FloatArray:
    """Return a smooth course through values in series: local lines, robust against outliers.

    Parameters
    ----------
    values : float array, shape (transient,)
        Measured values, equally spaced.
    sd : float array, shape (transient,)
        Their standard deviations; infinite where nothing is known.
    bandwidth : float, optional
        Standard deviation of the Gaussian kernel in transients; default a quarter of the series,
        at least 2.

    Returns
    -------
    float array, shape (transient,)
    """
    n = len(values)
    if n < 3:
        return np.full(n, float(np.median(values)) if n else 0.0)
    place = np.arange(n, dtype=float)
    width = max(n / 4, 2.0) if bandwidth is None else bandwidth
    distance = place[None, :] - place[:, None]
    kernel = np.exp(-0.5 * (distance / width) ** 2)
    known = np.isfinite(sd)
    floor = float(np.median(sd[known])) if known.any() else 1.0
    trust = np.where(known, 1 / (np.where(known, sd, 1.0) ** 2 + floor**2 + 1e-30), 0.0)
    robust = np.ones(n)
    course = np.full(n, float(np.median(values[known])) if known.any() else 0.0)
    for _ in range(4):
        weight = kernel * (trust * robust)
        s0, s1, s2 = weight.sum(1), (weight * distance).sum(1), (weight * distance**2).sum(1)
        v0, v1 = weight @ values, (weight * distance) @ values
        ridge = 1e-9 * s0 * width**2 + 1e-300
        course = (v0 * (s2 + ridge) - v1 * s1) / (s0 * (s2 + ridge) - s1**2 + 1e-300)
        residual = values - course
        spread = 1.4826 * float(np.median(np.abs(residual[known]))) if known.any() else 0.0
        if spread == 0:
            break
        robust = np.maximum(1 - (residual / (4.7 * spread)) ** 2, 0) ** 2
    return course


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


def _thinned(spectra: ComplexArray, duration_s: float) -> _Band:
    """Part of unitary spectra, shape (transient, bin), as time signals of that bandwidth.

    A line cut by the edge would ring for long, and the ringing does not move with the line: so the
    edges are tapered over `EDGE_HZ`.
    """
    n_kept = spectra.shape[1]
    width = min(int(np.ceil(EDGE_HZ * duration_s)), n_kept // 4)
    taper = np.ones(n_kept)
    taper[:width] = np.sin(0.5 * np.pi * (np.arange(width) + 0.5) / max(width, 1)) ** 2
    taper[n_kept - width :] = taper[:width][::-1]
    signal = scipy.fft.ifft(scipy.fft.ifftshift(spectra * taper, axes=-1), axis=-1, norm="ortho")
    n_used = max(min(n_kept, int(LATEST_S * n_kept / duration_s) + 1), min(n_kept // 2, 8))
    return _Band(
        np.ascontiguousarray(signal[:, :n_used]), np.arange(n_used) * (duration_s / n_kept)
    )


def _register(
    band: _Band, max_shift_hz: float, *, n_rounds: int = 3, start: _Found | None = None
) -> _Found:
    """Register all transients of one band to their own common reference."""
    x, time = band.signal, band.time
    n_transients = len(x)
    norm = np.sqrt(np.sum(np.abs(x) ** 2, axis=1))
    typical = float(np.median(norm))
    clamp = np.minimum(1.0, 1.5 * typical / np.maximum(norm, 1e-300))
    frequency = np.zeros(n_transients)
    if start is None:
        phase = _first_phases(x * clamp[:, None])
    else:
        frequency, phase = start.frequency, start.phase
    weight = clamp
    found = _Found(frequency, phase, np.zeros((n_transients, 2, 2)), 0.0)
    for _ in range(n_rounds):
        turned = x * np.exp(-1j * (phase[:, None] + 2 * np.pi * frequency[:, None] * time))
        total = weight @ turned
        mean = total / max(float(weight.sum()), 1e-300)
        noise = max(float(np.sum(weight**2) / max(weight.sum() ** 2, 1e-300)), 1e-300)
        shape, power = _shape(mean, noise)
        keep = shape > 1e-3
        if not keep.any():
            return found
        # the reference of each transient leaves this transient out
        others = (total[keep] - weight[:, None] * turned[:, keep]) / (
            np.maximum(weight.sum() - weight[:, None], 1e-300)
        )
        product = x[:, keep] * np.conj(others * shape[keep])
        frequency, phase = _highest_points(product, time[keep], max_shift_hz)
        information = _information(power, time)
        found = _Found(
            frequency,
            phase,
            np.broadcast_to(information, (n_transients, 2, 2)),
            float(information[0, 0] / 2),
        )
        weight = clamp * _likeness(turned[:, keep], mean[keep] * shape[keep])
    return found


def _first_phases(x: ComplexArray) -> FloatArray:
    """Phases of the transients against their first principal component, or zero.

    Where the transients agree well, the mean is the better start at low signal-to-noise ratio.
    """
    gram = x @ x.conj().T
    first = np.linalg.eigh(gram)[1][:, -1]
    together = np.abs(first.sum()) / np.sqrt(len(first))
    in_mean = float(np.real(np.sum(gram)))
    in_first = float(np.real(first.conj() @ gram @ first)) * len(first)
    if in_mean > 0.7 * in_first or together > 0.9:
        return np.zeros(len(x))
    return np.asarray(np.angle(first * np.exp(-1j * np.angle(first.sum()))))


def _shape(mean: ComplexArray, noise: float) -> tuple[FloatArray, FloatArray]:
    """Wiener weights in time of a mean transient, and its power without noise.

    Power is judged in blocks that grow with time; the signal ends with the last block that is
    above chance, so that late noise, which turns fast, claims no knowledge of frequency.
    """
    power = np.abs(mean) ** 2
    edges = np.unique(np.geomspace(1, len(power), 32).round().astype(int))
    edges = np.concatenate([[0], edges])
    size = np.diff(edges)
    excess = np.add.reduceat(power, edges[:-1]) / size - noise
    clear = np.flatnonzero(excess > 4 * noise / np.sqrt(size))
    excess[clear[-1] + 1 if len(clear) else 0 :] = 0
    excess = np.maximum(excess, 0)
    clean = np.repeat(excess, size)
    return clean / (clean + noise), clean


def _soft_tails(lines: ComplexArray, tails: ComplexArray, found: _Found) -> ComplexArray | None:
    """Weight the tails of water by how much they vary, where that is little; None where it is much.

    What varies in the directions of the tails once the transients have one phase is nuisance, and
    whitening it leaves in what the stable part of the tails and the metabolites tell.
    """
    inner = (lines @ tails.conj()) * np.exp(-1j * found.phase)[:, None]
    away = inner - robust_mean(inner)
    size = np.sum(np.abs(away) ** 2, axis=1)
    clamp = np.minimum(1.0, 3 * np.median(size) / np.maximum(size, 1e-300))
    variance, turn = np.linalg.eigh((away.T * clamp) @ away.conj() / max(clamp.sum(), 1e-300))
    share = 1 - 1 / np.sqrt(np.maximum(variance, 1.0))
    if share.min() > 0.7:
        return None
    basis = tails @ turn
    softened: ComplexArray = lines - ((lines @ basis.conj()) * share) @ basis.T
    return softened


def _highest_points(
    product: ComplexArray,
    time: FloatArray,
    max_shift_hz: float,
) -> tuple[FloatArray, FloatArray]:
    """Frequency and phase of the highest point of each periodogram, weakly drawn to zero."""
    span = float(np.sqrt(np.average(time**2, weights=np.abs(product).mean(axis=0) + 1e-300)))
    step = min(max(1 / (16 * max(span, 1e-4)), max_shift_hz / 200), max_shift_hz / 8)
    grid = np.arange(-max_shift_hz, max_shift_hz + step / 2, step)
    height = np.abs(product @ np.exp(-2j * np.pi * np.outer(time, grid)))
    penalty = 0.5 * (grid / JITTER_PRIOR_HZ) ** 2
    frequency = grid[np.argmax(2 * height - penalty, axis=1)]
    turning = 2j * np.pi * time
    for _ in range(4):
        turned = product * np.exp(-turning * frequency[:, None])
        c0 = turned.sum(axis=1)
        c1 = -(turned @ turning)
        c2 = turned @ turning**2
        size = np.maximum(np.abs(c0), 1e-300)
        slope = 2 * np.real(np.conj(c0) * c1) / size - frequency / JITTER_PRIOR_HZ**2
        bend = (
            2 * (np.abs(c1) ** 2 + np.real(np.conj(c0) * c2)) / size
            - 2 * np.real(np.conj(c0) * c1) ** 2 / size**3
            - 1 / JITTER_PRIOR_HZ**2
        )
        move = np.where(bend < 0, -slope / np.where(bend < 0, bend, -1.0), 0.0)
        frequency = np.clip(frequency + np.clip(move, -step, step), -max_shift_hz, max_shift_hz)
    c0 = np.sum(product * np.exp(-turning * frequency[:, None]), axis=1)
    return frequency, np.angle(c0)


def _information(power: FloatArray, time: FloatArray) -> FloatArray:
    """Fisher information of phase and 2 pi frequency, noise variance 1 a complex point."""
    m0, m1, m2 = power.sum(), power @ time, power @ time**2
    return 2 * np.array([[m0, m1], [m1, m2]])


def _likeness(turned: ComplexArray, mean: ComplexArray) -> FloatArray:
    """Weight of a transient in the reference: 1 where it is like the others, 0 where not."""
    part = np.real(turned @ mean.conj()) / max(float(np.sum(np.abs(mean) ** 2)), 1e-300)
    middle = float(np.median(part))
    spread = max(1.4826 * float(np.median(np.abs(part - middle))), 1e-12)
    residual = np.sum(np.abs(turned - part[:, None] * mean) ** 2, axis=1)
    centre = float(np.median(residual))
    residual_spread = max(
        1.4826 * float(np.median(np.abs(residual - centre))), 1e-12 * centre, 1e-300
    )
    away = np.maximum(np.abs(part - middle) / spread, (residual - centre) / residual_spread)
    likeness = np.minimum(1.0, 3.0 / np.maximum(away, 3.0)) ** 2
    return np.asarray(np.where(part > 0, likeness, 0.1 * likeness))


def _phase_if_it_helps(water: _Found, band: _Band) -> _Found:
    """Keep the water's phases only where they make the mean of the metabolites larger."""
    turned = band.signal * np.exp(-2j * np.pi * water.frequency[:, None] * band.time)
    without = float(np.sum(np.abs(turned.mean(axis=0)) ** 2))
    phase = water.phase - np.angle(np.exp(1j * water.phase).sum())
    turned = turned * np.exp(-1j * phase[:, None])
    if float(np.sum(np.abs(turned.mean(axis=0)) ** 2)) > without:
        return water
    unknown = water.information * np.array([[1e-3, 0.0], [0.0, 1.0]])
    return _Found(water.frequency, np.zeros(len(phase)), unknown, water.energy)


def _robust_variance(values: FloatArray) -> float:
    """Variance with values beyond three deviations drawn in: nearly all of the information."""
    away = values - np.median(values)
    for _ in range(3):
        spread = 1.4826 * float(np.median(np.abs(away)))
        away = np.clip(away, -3 * spread, 3 * spread)
        away = away - away.mean()
    return float(np.mean(away**2)) / 0.986


def _excess(values: FloatArray, expected: float) -> float:
    """Variance beyond the expected one, zero where chance explains it."""
    found = _robust_variance(values)
    chance = expected * (1 + 2 * np.sqrt(2 / len(values)))
    return found - expected if found > chance else 0.0


def _wrap(angle: FloatArray) -> FloatArray:
    return np.asarray(np.angle(np.exp(1j * angle)))


def _inverse(information: FloatArray) -> FloatArray:
    """Covariance of phase and 2 pi frequency; very large where there is no information."""
    scale = np.array([1.0, 2 * np.pi * 0.05])
    ridge = np.diag(1 / (np.array([10.0, 2 * np.pi * 50.0])) ** 2)
    scaled = (information + ridge) * np.outer(scale, scale)
    return np.asarray(np.linalg.inv(scaled) * np.outer(scale, scale))


def _with_water(
    metabolites: _Found, band: _Band, water_band: _Band, max_shift_hz: float
) -> tuple[_Found, str]:
    """Add what the residual water says, as far as it agrees with the metabolites."""
    water = _register(water_band, max_shift_hz, n_rounds=2)
    if water.energy < MIN_ENERGY:
        return metabolites, "metabolites"
    if metabolites.energy < MIN_ENERGY:
        if water.energy < 4 * MIN_ENERGY:
            return metabolites, "metabolites"
        return _phase_if_it_helps(water, band), "residual water"
    difference_hz = water.frequency - metabolites.frequency
    difference_rad = _wrap(water.phase - metabolites.phase)
    expected = _inverse(metabolites.information) + _inverse(water.information)
    offset_rad = float(np.angle(np.exp(1j * difference_rad).sum()))
    difference_rad = _wrap(difference_rad - offset_rad)
    unstable = np.array(
        [
            _excess(difference_rad, float(np.median(expected[:, 0, 0]))),
            _excess(2 * np.pi * difference_hz, float(np.median(expected[:, 1, 1]))),
        ]
    )
    covariance = _inverse(water.information) + np.diag(unstable)
    trust = np.linalg.inv(covariance)
    offset_hz = float(np.median(difference_hz))
    step = np.stack([difference_rad, 2 * np.pi * (difference_hz - offset_hz)], axis=1)
    information = metabolites.information + trust
    moved = np.linalg.solve(information, (trust @ step[:, :, None]))[:, :, 0]
    fused = _Found(
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
    values = [frequency, phase, measured_hz, measured_rad, sd_hz, sd_rad, smooth_hz]
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
        phase_sd_rad=values[5],
        smooth_hz=values[6],
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
    own = max(_robust_variance(away) - float(np.median(sd)) ** 2, 0.0)
    drawn = course + own / (own + sd**2) * away
    clear = np.abs(away) > 4 * np.sqrt(own + sd**2)
    return np.asarray(np.where(clear & outliers, measured, drawn))


def _by_blocks(band: _Band, energy: float, max_shift_hz: float) -> tuple[FloatArray | None, str]:
    """Smooth course of the frequency from blocks of neighbours, or None; and the reason."""
    n_usable = len(band.signal)
    size = int(np.ceil(3 * MIN_ENERGY / max(energy, 1e-3)))
    n_blocks = n_usable // size
    weak = f"a transient is too weak to align (energy {energy:.2g} of {MIN_ENERGY:.0f} needed)"
    if n_blocks < 3:
        return None, f"{weak}, and so are blocks"
    edges = np.linspace(0, n_usable, n_blocks + 1).round().astype(int)
    blocks = np.stack([band.signal[a:b].sum(axis=0) / np.sqrt(b - a) for a, b in pairwise(edges)])
    found = _register(_Band(blocks, band.time), max_shift_hz)
    if found.energy < MIN_ENERGY:
        return None, f"{weak}, and so are blocks"
    sd_hz = np.sqrt(_inverse(found.information)[:, 1, 1]) / (2 * np.pi)
    middle = (edges[1:] + edges[:-1] - 1) / 2
    lever = middle - middle.mean()
    slope_in_sd = float(lever @ found.frequency) / np.sqrt(float(lever**2 @ sd_hz**2))
    if abs(slope_in_sd) < 2:
        return None, f"{weak}, and {n_blocks} blocks show no drift beyond chance"
    course = smooth_course(found.frequency, sd_hz, bandwidth=max(n_blocks / 4, 1.0))
    smooth = np.interp(np.arange(n_usable), middle, course)
    return smooth, f"{weak}: smooth course of {n_blocks} blocks of {size} instead"
