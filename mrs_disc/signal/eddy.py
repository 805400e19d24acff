"""Eddy-current correction by the phase of the water reference.

The water of the reference has one line; whatever its phase does besides turning at that line's
frequency was done by the field, and was done to the metabolites too. This phase is subtracted point
by point. Late in the FID the reference is noise, and so would be its phase: the phase is
smoothed with the weight of its own signal-to-noise ratio at each point and under a prior on its
curvature that relaxes as eddy currents do. Where the water has decayed the phase goes on as it
came and flattens.

What is not taken off: the constant phase and the constant frequency of the reference, so that
neither phase nor the ppm axis of the metabolites moves.

Source: Klose, Magn Reson Med 1990;14:26-30, doi:10.1002/mrm.1910140104. The smoothing is that
of Whittaker, Proc Edinb Math Soc 1922;41:63-75, doi:10.1017/S0013091500077853.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.linalg

from mrs_disc.errors import InputError
from mrs_disc.signal.axes import check_dwell_time, complex_array
from mrs_disc.signal.noise import noise_sd as measure_noise
from mrs_disc.signal.phase import dominant_frequency_hz
from mrs_disc.typing import ComplexArray, FloatArray

CURVATURE_RAD_PER_S2 = 2.0e4
"""Prior standard deviation of the phase's second derivative at the start: 30 degrees that decay
within 5 ms."""

CURVATURE_TIME_S = 0.01
"""The prior falls as ``1 / (1 + t / CURVATURE_TIME_S)**2``."""

SLOPE_RAD_PER_S = 20.0
"""Prior standard deviation of the first derivative, which flattens what no water shows."""

_REFINEMENTS = 6
"""Steps of the smoother's solution: one alone is off by a tenth of a degree where water is gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EddyCorrection:
    """A FID without eddy-current phase.

    Attributes
    ----------
    signal : complex array, shape (..., point)
        ``fid * exp(-1j * phase_rad)``.
    water : complex array, shape (point of the reference,)
        The water reference with the same phase taken off.
    phase_rad : float array, shape (point,)
        Phase that was taken off.
    """

    signal: ComplexArray
    water: ComplexArray
    phase_rad: FloatArray


def correct_eddy_currents(
    fid: ComplexArray,
    water: ComplexArray,
    dwell_time_s: float,
    *,
    noise_sd: float | None = None,
) -> EddyCorrection:
    """Take off the phase evolution that the water reference shows.

    Parameters
    ----------
    fid : complex array, shape (point,) or (transient, point)
        Metabolites.
    water : complex array, shape (point,)
        Averaged water reference, same dwell time; may be shorter or longer than `fid`. Points that
        are zero carry no weight.
    dwell_time_s : float
        Time from point to point, s.
    noise_sd : float, optional
        Standard deviation of one real channel of `water`; default measured.

    Returns
    -------
    EddyCorrection

    Raises
    ------
    InputError
        If an array is not finite or zero, or the water is not clearly above its noise.
    """
    signal = complex_array(fid, "fid", 1, 2)
    measured = complex_array(water, "water reference", 1)
    reference = measured.astype(np.complex128)
    check_dwell_time(dwell_time_s)
    sd = measure_noise(reference) if noise_sd is None else float(noise_sd)
    power = np.abs(reference) ** 2
    significant = power > (6 * sd) ** 2
    if np.count_nonzero(significant) < 8:
        raise InputError("water reference does not stand out of its noise: no eddy-current phase")
    time = np.arange(len(reference)) * dwell_time_s
    frequency = dominant_frequency_hz(reference, dwell_time_s)
    demodulated = reference * np.exp(-2j * np.pi * frequency * time)

    phase = np.zeros(len(reference))
    index = np.flatnonzero(significant)
    phase[index] = np.unwrap(np.angle(demodulated[index]))
    # what the line's own frequency does is not eddy current: the best line comes off too
    weight = power[index] / power[index].sum()
    level, centre = weight @ phase[index], weight @ time[index]
    lever = time[index] - centre
    slope = float(weight @ (lever * phase[index]) / (weight @ lever**2))
    phase[index] -= level + slope * lever
    # the phase of a point with noise of sd in each channel has the variance sd**2 / power
    smooth = _smooth(phase, np.where(significant, power / sd**2, 0.0), dwell_time_s)

    n_points = signal.shape[-1]
    missing = max(n_points - len(smooth), 0)
    full = np.concatenate([smooth, np.full(missing, smooth[-1])])
    phasor = np.exp(-1j * full)
    return EddyCorrection(
        signal=signal * phasor[:n_points].astype(signal.dtype),
        water=measured * phasor[: len(measured)].astype(measured.dtype),
        phase_rad=full[:n_points],
    )


def _factor(bands: FloatArray) -> FloatArray:
    """Return a Cholesky factor; over long FIDs rounding makes the bands indefinite, so lift them.

    The refinement works with the true equations, so that a lift by rounding changes no solution.
    """
    for lift in (0.0, 1e-15, 1e-14, 1e-13, 1e-12):
        lifted = bands.copy()
        lifted[2] *= 1 + lift
        try:
            return np.asarray(scipy.linalg.cholesky_banded(lifted, check_finite=False))
        except np.linalg.LinAlgError:
            continue
    raise InputError("the water reference is too long to take its phase evolution from")


def _smooth(phase: FloatArray, information: FloatArray, dwell_time_s: float) -> FloatArray:
    """Whittaker smoother: weights from the data, priors on slope and curvature, banded solve."""
    n = len(phase)
    time = np.arange(n) * dwell_time_s
    curvature = CURVATURE_RAD_PER_S2 * dwell_time_s**2 / (1 + time[1:-1] / CURVATURE_TIME_S) ** 2
    bend = 1 / curvature**2
    slope = np.full(n - 1, 1 / (SLOPE_RAD_PER_S * dwell_time_s) ** 2)
    # the water itself determines the slope; the prior only flattens what it does not reach
    slope[information[1:] > 0] = 0.0
    # normal equations of the data, of second and of first differences, as upper bands
    bands = np.zeros((3, n))
    bands[2] = information
    bands[2, :-2] += bend
    bands[2, 1:-1] += 4 * bend
    bands[2, 2:] += bend
    bands[1, 1:-1] += -2 * bend
    bands[1, 2:] += -2 * bend
    bands[0, 2:] += bend
    bands[2, :-1] += slope
    bands[2, 1:] += slope
    bands[1, 1:] -= slope
    factor = _factor(bands)
    smooth, largest = np.zeros(n), np.inf
    for _ in range(_REFINEMENTS):
        # from differences, not from the summed bands: those round the information away
        residual = information * (phase - smooth)
        pull = slope * np.diff(smooth)
        residual[:-1] += pull
        residual[1:] -= pull
        pull = bend * np.diff(smooth, 2)
        residual[:-2] -= pull
        residual[1:-1] += 2 * pull
        residual[2:] -= pull
        step = scipy.linalg.cho_solve_banded((factor, False), residual, check_finite=False)
        if not np.abs(step).max() < largest:
            break  # as far as these numbers go
        largest = float(np.abs(step).max())
        smooth += step
    return smooth
