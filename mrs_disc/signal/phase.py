"""Phase of a spectrum, frequency and width of its dominant line.

The automatic phase is the one with least energy below zero in the real spectrum: absorption lines
are positive. It serves the display and a first guess; the fit estimates its own.

Source of the criterion: Chen et al., J Magn Reson 2002;158:164-168,
doi:10.1016/S1090-7807(02)00069-1 (penalty on negative points, without the entropy).
"""

from __future__ import annotations

import numpy as np
import scipy.fft

from mrs_disc.errors import InputError
from mrs_disc.signal.axes import check_dwell_time, complex_array, frequency_axis, spectrum, window
from mrs_disc.typing import ComplexArray, FloatArray


def find_phase(fid: ComplexArray, dwell_time_s: float, *, window_hz: tuple[float, float]) -> float:
    """Return the zero-order phase that makes the lines in a window positive absorption lines.

    Parameters
    ----------
    fid : complex array, shape (point,)
        FID, best without water.
    dwell_time_s : float
        Time from point to point, s.
    window_hz : tuple of float
        Window from the carrier, Hz.

    Returns
    -------
    float
        Phase to take off, rad: the lines stand upright in ``fid * exp(-1j * phase)``.

    Raises
    ------
    InputError
        If the FID is not finite or zero, or the window holds no point.
    """
    signal = complex_array(fid, "fid", 1)
    check_dwell_time(dwell_time_s)
    lines = spectrum(signal)[window(frequency_axis(len(signal), dwell_time_s), *window_hz)]
    angles = 2 * np.pi * np.arange(72) / 72
    best = angles[np.argmin(_below_zero(lines, angles))]
    around = best + np.linspace(-1, 1, 41) * (angles[1] - angles[0])
    zero = float(around[np.argmin(_below_zero(lines, around))])
    return float(np.angle(np.exp(1j * zero)))


def dominant_frequency_hz(
    fid: ComplexArray, dwell_time_s: float, search_hz: tuple[float, float] | None = None
) -> float:
    """Return the frequency of the highest point of the magnitude spectrum, between bins.

    Parameters
    ----------
    fid : complex array, shape (point,)
        A water reference, or any FID with a dominant line.
    dwell_time_s : float
        Time from point to point, s.
    search_hz : tuple of float, optional
        Where to look, Hz from the carrier; default everywhere.

    Returns
    -------
    float
        Hz from the carrier.

    Raises
    ------
    InputError
        If the FID is not finite or zero, or there is no point to look at.
    """
    # In single precision the place would follow the last digits of the transform, 5e-5 Hz.
    signal = complex_array(fid, "fid", 1).astype(np.complex128)
    check_dwell_time(dwell_time_s)
    size = int(scipy.fft.next_fast_len(4 * len(signal)))
    power = scipy.fft.fftshift(np.abs(scipy.fft.fft(signal, size))).astype(float) ** 2
    axis = frequency_axis(size, dwell_time_s)
    inside = slice(0, size) if search_hz is None else window(axis, *search_hz)
    peak = inside.start + int(np.argmax(power[inside]))
    if power[peak] == 0:
        raise InputError("no signal where the dominant line is looked for")
    before, here, after = power[peak - 1], power[peak], power[(peak + 1) % size]
    bend = before - 2 * here + after
    shift = 0.5 * (before - after) / bend if bend < 0 else 0.0
    return float(axis[peak] + min(max(shift, -0.5), 0.5) * (axis[1] - axis[0]))


def linewidth_hz(
    fid: ComplexArray, dwell_time_s: float, search_hz: tuple[float, float] | None = None
) -> float:
    """Return the full width at half maximum of the dominant line, Hz.

    Parameters
    ----------
    fid : complex array, shape (point,)
        A FID that one line dominates: the water reference.
    dwell_time_s : float
        Time from point to point, s.
    search_hz : tuple of float, optional
        Where to look for the line's top, Hz from the carrier; default everywhere.

    Returns
    -------
    float
        Width between the points, to either side, where the absorption line first falls to half
        its height, interpolated in a zero-filled spectrum phased at its top.

    Raises
    ------
    InputError
        As `dominant_frequency_hz`, or if the line does not fall to half its height.
    """
    signal = complex_array(fid, "fid", 1).astype(np.complex128)
    top_hz = dominant_frequency_hz(signal, dwell_time_s, search_hz)
    halved = signal * np.exp(-2j * np.pi * top_hz * dwell_time_s * np.arange(len(signal)))
    halved[0] *= 0.5
    size = int(scipy.fft.next_fast_len(max(8 * len(signal), 1024)))
    lines = scipy.fft.fft(halved, size)
    absorption = np.real(lines * np.exp(-1j * np.angle(lines[0])))
    # the top is in the bin of frequency zero, which this puts into the centre
    width = full_width(scipy.fft.fftshift(absorption), size // 2)
    if width is None:
        raise InputError("the dominant line does not fall to half its height")
    return width / (size * dwell_time_s)


def full_width(absorption: FloatArray, top: int) -> float | None:
    """Return the full width at half maximum of a line, in points.

    Parameters
    ----------
    absorption : float array, shape (point,)
        Real spectrum with the line upright, zero-filled so that several points make its width.
    top : int
        Its highest point.

    Returns
    -------
    float or None
        Distance between the points, to either side of the top, where the line first falls to half
        of that height, interpolated. None where it does not fall so far on one side.

    >>> full_width(np.array([0.0, 1.0, 3.0, 4.0, 2.5, 1.5, 0.0]), 3)
    3.0
    """
    left = _first_below(absorption[top::-1], absorption[top] / 2)
    right = _first_below(absorption[top:], absorption[top] / 2)
    return None if left is None or right is None else left + right


def _below_zero(lines: ComplexArray, angles: FloatArray) -> FloatArray:
    """Energy of the negative part of the real spectrum at each angle, shape (angle,)."""
    rotation = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    below = np.minimum(rotation @ np.stack([lines.real, lines.imag]), 0)
    return np.asarray(np.einsum("ak,ak->a", below, below))


def _first_below(falling: FloatArray, level: float) -> float | None:
    """Return how many points from its start a curve first falls to a level, interpolated."""
    below = np.flatnonzero(falling < level)
    if not len(below):
        return None
    after = int(below[0])
    before, here = falling[after - 1], falling[after]
    return after - 1 + float((before - level) / (before - here))
