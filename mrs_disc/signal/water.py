"""Removal of residual water by a low-rank model of the water band alone.

Water is a sum of exponentially damped sinusoids of any frequency, width, phase and amplitude near
its place. A state-space method finds them without starting values: the Hankel matrix of the
signal has the rank of their number, and its column space, shifted by one row, gives the poles.

Only the water band is modelled. The signal is moved to the band's centre, filtered and thinned
out. The filter looks ahead, ``y[n] = sum(h[m] * x[n + m])``: so each damped sinusoid comes out as
itself times a known number, from the first point on, and nothing of a filter's start is seen. A
FID of 2,048 points becomes some 200, its Hankel matrix 100 x 100. The poles found inside the limits
are written out at full length and subtracted; what else lies in the band (sugars, the wing of
lactate's CH) is modelled so that it does not disturb, and stays.

Decision: not HLSVD on the whole band, which spends its rank on metabolites and takes 100 times as
long; not a filter, which distorts what is near 4.1 ppm.

Sources: Barkhuijsen et al., J Magn Reson 1987;73:553-557 (HSVD, doi:10.1016/0022-2364(87)90023-0);
Pijnappel et al., J Magn Reson 1992;97:122-134 (water by HSVD, doi:10.1016/0022-2364(92)90241-X).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.linalg

from mrs_disc.errors import InputError
from mrs_disc.signal.axes import check_dwell_time, complex_array
from mrs_disc.signal.noise import noise_sd as measure_noise
from mrs_disc.typing import ComplexArray, FloatArray

MAX_COMPONENTS = 24
"""More damped sinusoids than this are not looked for in the band."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WaterRemoval:
    """A FID without its water.

    Attributes
    ----------
    signal : complex array, shape (point,)
        The FID minus `water`.
    water : complex array, shape (point,)
        The model that was subtracted; zero where no water stands out of the noise.
    frequency_hz, linewidth_hz : float arrays, shape (component,)
        Frequency from the carrier and full width at half maximum of each component of the model.
    amplitude : complex128 array, shape (component,)
        Its amplitude and phase at the first point.
    """

    signal: ComplexArray
    water: ComplexArray
    frequency_hz: FloatArray
    linewidth_hz: FloatArray
    amplitude: ComplexArray


def remove_water(
    fid: ComplexArray,
    dwell_time_s: float,
    *,
    limits_hz: tuple[float, float],
    noise_sd: float | None = None,
) -> WaterRemoval:
    """Model and subtract the damped sinusoids whose frequency lies between two limits.

    Parameters
    ----------
    fid : complex array, shape (point,)
        Averaged FID.
    dwell_time_s : float
        Time from point to point, s.
    limits_hz : tuple of float
        Frequencies from the carrier between which a component is water (4.4 to 4.9 ppm).
    noise_sd : float, optional
        Standard deviation of one real channel; default measured.

    Returns
    -------
    WaterRemoval

    Raises
    ------
    InputError
        If the FID is not finite, zero or of fewer than 64 points, or the limits are not inside
        the spectral width.
    """
    signal = complex_array(fid, "fid", 1)
    check_dwell_time(dwell_time_s)
    low, high = limits_hz
    half_band = 0.5 / dwell_time_s
    if not (-half_band <= low < high <= half_band):
        raise InputError(
            f"water limits {low:g} to {high:g} Hz: inside +-{half_band:g} Hz expected, low first"
        )
    if len(signal) < 64:
        raise InputError(f"fid has {len(signal)} points, at least 64 needed to model water")
    sd = measure_noise(signal) if noise_sd is None else float(noise_sd)

    centre = 0.5 * (low + high)
    thinning, taps = _band_filter(0.5 * (high - low), dwell_time_s, len(signal))
    move = np.exp(-2j * np.pi * centre * dwell_time_s * np.arange(len(signal)))
    moved = signal.astype(np.complex128) * move
    seen = np.lib.stride_tricks.sliding_window_view(moved, len(taps))[::thinning]
    band: ComplexArray = seen @ taps.astype(np.complex128)

    poles = _poles(band, sd * np.sqrt(2.0 / thinning))
    step = thinning * dwell_time_s
    frequency = np.angle(poles) / (2 * np.pi * step)
    damping = -np.log(np.abs(poles)) / step
    amplitude = np.zeros(0, dtype=np.complex128)
    if len(poles):
        basis = poles[None, :] ** np.arange(len(band))[:, None]
        height = scipy.linalg.lstsq(basis, band, check_finite=False, lapack_driver="gelsy")[0]
        fine = np.exp((2j * np.pi * frequency - damping) * dwell_time_s)
        amplitude = height / (taps @ fine[None, :] ** np.arange(len(taps))[:, None])
    inside = np.abs(frequency) <= 0.5 * (high - low)
    frequency, damping, amplitude = frequency[inside], damping[inside], amplitude[inside]
    water = _damped_sum(amplitude, frequency + centre, damping, len(signal), dwell_time_s)
    water = water.astype(signal.dtype)
    return WaterRemoval(
        signal=signal - water,
        water=water,
        frequency_hz=frequency + centre,
        linewidth_hz=damping / np.pi,
        amplitude=amplitude,
    )


def _band_filter(
    half_width_hz: float, dwell_time_s: float, n_points: int
) -> tuple[int, FloatArray]:
    """Thinning factor and taps of a Kaiser low-pass of gain 1 at the centre."""
    rate = 1 / dwell_time_s
    thinning = max(1, min(int(rate / (4.6 * half_width_hz)), n_points // 64))
    if thinning == 1:
        return 1, np.ones(1)
    thin_rate = rate / thinning
    passed, stopped = 1.6 * half_width_hz, thin_rate - 1.3 * half_width_hz
    n_taps = int(np.ceil(62 / (2.285 * 2 * np.pi * (stopped - passed) / rate))) + 1
    n_taps = min(n_taps, n_points // 4)
    place = np.arange(n_taps) - 0.5 * (n_taps - 1)
    cut = (passed + stopped) / rate  # twice the middle of the transition / rate
    taps = np.sinc(cut * place) * np.kaiser(n_taps, 6.8)
    return thinning, taps / taps.sum()


def _poles(band: ComplexArray, noise: float) -> ComplexArray:
    """Poles of the damped sinusoids that stand out of the noise, by the shift of the subspace."""
    n_rows = len(band) // 2
    hankel = np.lib.stride_tricks.sliding_window_view(band, len(band) - n_rows + 1)
    n_rows, n_columns = hankel.shape
    gram = hankel @ hankel.conj().T
    most = min(MAX_COMPONENTS, n_rows // 3)
    values, vectors = scipy.linalg.eigh(
        gram, subset_by_index=(n_rows - most, n_rows - 1), check_finite=False
    )
    edge = noise * (np.sqrt(n_rows) + np.sqrt(n_columns))
    floor = np.sqrt(max(float(values[-1]), 0.0)) * 1e-7
    keep = np.sqrt(np.maximum(values, 0)) > max(edge, floor)
    space = vectors[:, keep]
    if not space.shape[1]:
        return np.zeros(0, dtype=np.complex128)
    shift = scipy.linalg.lstsq(space[:-1], space[1:], check_finite=False, lapack_driver="gelsy")[0]
    poles = np.linalg.eigvals(shift)
    size = np.abs(poles)
    poles = poles[size > 1e-3]
    growing = np.maximum(np.abs(poles), 1.0)
    return np.asarray(poles / growing)


def _damped_sum(
    amplitude: ComplexArray,
    frequency_hz: FloatArray,
    damping: FloatArray,
    n_points: int,
    dwell_time_s: float,
) -> ComplexArray:
    """Sum of damped sinusoids, written in blocks as a product of two small matrices."""
    block = max(int(np.sqrt(n_points)), 1)
    n_blocks = -(-n_points // block)
    rate = (2j * np.pi * frequency_hz - damping) * dwell_time_s
    coarse = amplitude * np.exp(block * np.arange(n_blocks)[:, None] * rate)
    fine = np.exp(np.arange(block)[:, None] * rate)
    total: ComplexArray = (coarse @ fine.T).reshape(-1)[:n_points]
    return total
