"""Axes of time, frequency and chemical shift, and the spectrum of a FID.

Larger ppm is larger frequency; a signal is ``exp(+2j*pi*f*t)`` with
``f = (ppm - reference_ppm) * spectrometer_mhz``, and frequency zero is the carrier.
All axes ascend; a spectrum is in the same order as its axes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.fft
from numpy.typing import ArrayLike, DTypeLike, NDArray

from mrs_disc.errors import InputError
from mrs_disc.typing import ComplexArray, FloatArray

MOST = 1e60
"""Largest magnitude of a point: no measurement comes near, and fourth powers stay finite."""

BAND_EDGE = 0.49
"""Share of the spectral width, to either side of the carrier, that windows may reach: in the last
hundredth the receiver's filter has begun to cut."""


def complex_array(signal: ArrayLike, name: str, *shapes: int, finite: bool = True) -> ComplexArray:
    """Return the signal as a complex array, or say in one line what is wrong with it.

    Parameters
    ----------
    signal : array_like
        The signal; complex64 stays complex64, everything else becomes complex128.
    name : str
        What to call it in a message.
    *shapes : int
        Allowed numbers of axes.
    finite : bool
        Whether a point that is not finite is an error.

    Returns
    -------
    complex array
        A view where that is possible.

    Raises
    ------
    InputError
        If the signal is not numeric, empty, of another number of axes, not finite, beyond
        `MOST`, or all zero.
    """
    array: NDArray[Any] = np.asarray(signal)
    if array.dtype.kind not in "buifc":
        raise InputError(f"{name}: numbers expected, not {array.dtype}")
    if array.dtype != np.complex64:
        array = array.astype(np.complex128, copy=False)
    if shapes and array.ndim not in shapes:
        allowed = " or ".join(str(n) for n in shapes)
        raise InputError(f"{name} has {array.ndim} axes, {allowed} expected")
    if array.size == 0:
        raise InputError(f"{name} is empty: shape {array.shape}")
    if array.dtype == np.complex128 and _is_beyond(array):
        raise InputError(f"{name} has points beyond {MOST:g}, which nothing measured can be")
    if finite and not is_finite(array):
        raise InputError(f"{name} has points that are not finite numbers (NaN or infinity)")
    if finite and not array.any():
        raise InputError(f"{name} is zero throughout")
    return array


def _is_beyond(array: ComplexArray) -> bool:
    """Tell whether a finite point is larger than `MOST`."""
    parts = np.ascontiguousarray(array).view(np.float64)
    if max(-float(parts.min()), float(parts.max())) <= MOST:  # false of NaN, too
        return False
    beyond = (np.abs(array.real) > MOST) | (np.abs(array.imag) > MOST)
    return bool(beyond.any()) and bool(np.isfinite(array[beyond]).any())


def is_finite(array: ComplexArray) -> bool:
    """Say whether every point is finite; their sum is then finite, so that no mask is made."""
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(array.sum(dtype=array.dtype))) or bool(np.isfinite(array).all())


def check_dwell_time(dwell_time_s: float) -> None:
    """Raise `InputError` unless the dwell time is a positive, finite number of seconds."""
    if not (np.isfinite(dwell_time_s) and 0 < dwell_time_s < 1):
        raise InputError(f"dwell time = {dwell_time_s} s: between 0 and 1 s expected")


def time_axis(n_points: int, dwell_time_s: float) -> FloatArray:
    """Return the times of the points in s, shape (point,); the first is 0."""
    check_dwell_time(dwell_time_s)
    return np.arange(n_points, dtype=np.float64) * dwell_time_s


def frequency_axis(n_points: int, dwell_time_s: float) -> FloatArray:
    """Return the frequencies of a spectrum in Hz from the carrier, ascending, shape (point,).

    >>> frequency_axis(4, 0.25).tolist()
    [-2.0, -1.0, 0.0, 1.0]
    """
    check_dwell_time(dwell_time_s)
    return (np.arange(n_points) - n_points // 2) / (n_points * dwell_time_s)


def ppm_axis(
    n_points: int, dwell_time_s: float, spectrometer_mhz: float, reference_ppm: float
) -> FloatArray:
    """Return the chemical shifts of a spectrum in ppm, ascending, shape (point,).

    Parameters
    ----------
    n_points : int
        Points of the FID.
    dwell_time_s : float
        Time from point to point, s.
    spectrometer_mhz : float
        Spectrometer frequency, MHz.
    reference_ppm : float
        Shift at frequency zero, ppm.

    Returns
    -------
    float array, shape (point,)
        In the order of `spectrum`.

    Raises
    ------
    InputError
        If the dwell time or the spectrometer frequency is not positive.
    """
    if not (np.isfinite(spectrometer_mhz) and spectrometer_mhz > 0):
        raise InputError(f"spectrometer frequency = {spectrometer_mhz} MHz: positive expected")
    return reference_ppm + frequency_axis(n_points, dwell_time_s) / spectrometer_mhz


def window(axis: FloatArray, low: float, high: float) -> slice:
    """Return the slice of an ascending axis (ppm or Hz) with ``low <= axis <= high``.

    Parameters
    ----------
    axis : float array, shape (point,)
        Ascending.
    low, high : float
        Limits in the unit of the axis, both included.

    Returns
    -------
    slice
        Never empty.

    Raises
    ------
    InputError
        If no point of the axis lies inside.

    >>> window(np.array([0.0, 1.0, 2.0, 3.0]), 0.5, 2.0)
    slice(1, 3, None)
    """
    start, stop = int(np.searchsorted(axis, low)), int(np.searchsorted(axis, high, side="right"))
    if stop <= start:
        raise InputError(
            f"no point of the spectrum lies between {low:g} and {high:g}: "
            f"it reaches from {axis[0]:g} to {axis[-1]:g}"
        )
    return slice(start, stop)


def spectrum(fid: ComplexArray) -> ComplexArray:
    """Return the spectrum of FIDs along the last axis, in the order of `ppm_axis`.

    The discrete Fourier transform with the first point halved and no other factor: the trapezoid
    rule for the Fourier integral, so that a line stands on zero and not on half its first point.
    A line ``a * exp(-t / T)`` has the height ``a * T / dwell_time``; white noise of standard
    deviation s has ``s * sqrt(n_points)`` (but for the first point).

    Parameters
    ----------
    fid : complex array, shape (..., point)
        Time signal.

    Returns
    -------
    complex array, shape (..., point)
        Same precision as `fid`.
    """
    halved = np.array(fid)
    halved[..., 0] *= 0.5
    shifted: ComplexArray = scipy.fft.fftshift(
        scipy.fft.fft(halved, axis=-1, overwrite_x=True), axes=-1
    )
    return shifted


def window_hz(
    window_ppm: tuple[float, float],
    dwell_time_s: float,
    spectrometer_mhz: float,
    reference_ppm: float,
) -> tuple[float, float]:
    """Return a window of chemical shifts in Hz from the carrier, low first; ends in any order.

    It is cut at `BAND_EDGE` of the spectral width; the other parameters are those of `ppm_axis`.

    >>> window_hz((4.2, 0.2), 1 / 2000, 100.0, 4.7)
    (-450.0, -50.0)
    >>> window_hz((0.2, 4.2), 1 / 800, 100.0, 4.7)
    (-392.0, -50.0)
    """
    edge = BAND_EDGE / dwell_time_s
    ends = sorted((ppm - reference_ppm) * spectrometer_mhz for ppm in window_ppm)
    low, high = (min(max(hz, -edge), edge) for hz in ends)
    return low, high


def exponential_tables(
    rate: ComplexArray, n_points: int, start: ComplexArray | float = 0.0
) -> tuple[ComplexArray, ComplexArray]:
    """Return two tables, (row, block) and (row, point of a block), of `exponentials`.

    Point ``k = block * n_fine + j`` is ``coarse[:, block] * fine[:, j]``. Both are running
    products, so that a row costs three exponentials. The last block reaches beyond `n_points`.
    """
    n_fine = max(int(np.sqrt(n_points)), 1)
    n_blocks = -(-n_points // n_fine)
    coarse = np.empty((len(rate), n_blocks), dtype=np.complex128)
    fine = np.empty((len(rate), n_fine), dtype=np.complex128)
    coarse[:, 0], coarse[:, 1:] = np.exp(start), np.exp(n_fine * rate)[:, None]
    fine[:, 0], fine[:, 1:] = 1.0, np.exp(rate)[:, None]
    np.multiply.accumulate(coarse, axis=1, out=coarse)
    np.multiply.accumulate(fine, axis=1, out=fine)
    return coarse, fine


def exponentials(
    rate: ComplexArray,
    n_points: int,
    start: ComplexArray | float = 0.0,
    dtype: DTypeLike = np.complex128,
) -> ComplexArray:
    """Return ``exp(start + rate * k)`` for the points k = 0, 1, ..., shape (row, point).

    Parameters
    ----------
    rate : complex array, shape (row,)
        Change of the exponent from point to point.
    n_points : int
        Points of each row.
    start : complex array, shape (row,), or float
        Exponent at point 0.
    dtype : dtype
        Precision of the result; the exponentials are always computed in double precision.
    """
    coarse, fine = (t.astype(dtype) for t in exponential_tables(rate, n_points, start))
    product: ComplexArray = (coarse[:, :, None] * fine[:, None, :]).reshape(len(rate), -1)
    return product[:, :n_points]


def phasors(
    frequency_hz: FloatArray,
    phase_rad: FloatArray,
    n_points: int,
    dwell_time_s: float,
    dtype: DTypeLike = np.complex128,
) -> ComplexArray:
    """Return ``exp(1j * (phase + 2 * pi * frequency * t))``, shape (transient, point).

    Frequencies and phases have the shape (transient,); `dtype` is that of the result.
    """
    rate = 2j * np.pi * dwell_time_s * np.atleast_1d(frequency_hz)
    return exponentials(rate, n_points, 1j * np.atleast_1d(phase_rad), dtype)
