"""Where a fit starts: a point near the global optimum, and how many points hold signal.

The start is a search on a grid that no local minimum can trap: for each common width, shift and
delay the best amplitudes and the best phase have a closed form. With c the correlations of the data
with the components and H their Gram matrix, real amplitudes at a common phase p explain
``Re(e^{-ip} c)^T Re(H)^{-1} Re(e^{-ip} c)``, a quadratic form in (cos p, sin p), so that the best
phase is an eigenvector of a two by two matrix. All shifts of a width come from one FFT.
The first milliseconds are left out: humps, and whatever else spoils the first points, live there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import pi

import numpy as np
import scipy.fft

from mrs_disc.constants import TINY
from mrs_disc.typing import ComplexArray, FloatArray, IntArray

WIDTHS_HZ = (4.0, 7.0, 11.0, 17.0, 26.0, 38.0)
DELAYS_S = (-2e-4, -1e-4, 0.0, 1e-4, 2e-4)
_SEARCH_S = 0.25
_SKIP_S = 0.008
_RESOLUTION_HZ = 2.5
MIN_POINTS = 64
MIN_BINS = 28
"""The window holds at least so many: twice what there is to fit, and as many as the shortest FID
leaves at 3 T. At 1.5 T the window is half as wide; of 14 bins for 15 parameters the residual tells
nothing."""
_CROP_SAFETY = 0.75
_CROP_SNR = 15.0
"""Lines are cut where they have fallen 300-fold, or further below the noise: what lies beyond holds
a hundred-thousandth of the information, and discs come in six lengths that share their humps."""
_EIGHTHS = (8, 9, 10, 12, 14, 15, 16)
"""Lengths in eighths of a power of two: quick to transform."""
LOST_HZ = 15.0
"""From so far, lines are others: less than the distance of LAC and ALA at 3 T, 19 Hz."""


@dataclass(frozen=True, slots=True)
class Start:
    """A point of the grid.

    `gain` is the part of the data's square sum that it explains, `amplitude` its amplitudes, and
    `upright` their sum over that of their magnitudes, each at the size of its component.
    """

    gain: float
    shift_hz: float
    width_hz: float
    phase_rad: float
    delay_s: float
    amplitude: FloatArray
    upright: float

    def lost(self, shift_hz: float) -> bool:
        """Return whether a fit that began here and ended there is under other lines."""
        return bool(abs(shift_hz - self.shift_hz) > max(LOST_HZ, self.width_hz))


class StartGrid:
    """The grid over shift, width and delay for given components, ready for any data.

    Parameters
    ----------
    fids : complex array, shape (component, point)
        Basis FIDs about the centre of the window.
    dwell_time_s, start_time_s : float
        Dwell time, and the time of the first point after the echo.
    """

    def __init__(self, fids: ComplexArray, *, dwell_time_s: float, start_time_s: float) -> None:
        # A quarter of a second holds what tells one start from another; the rest costs transforms.
        self.n_points = fids.shape[1]
        n_points = min(fids.shape[1], max(64, round(_SEARCH_S / dwell_time_s)))
        skip = min(n_points // 4, round(_SKIP_S / dwell_time_s))
        self._used = slice(skip, n_points)
        self._fids = fids[:, self._used].conj()
        n_fft = max(n_points, round(1 / (_RESOLUTION_HZ * dwell_time_s)))
        self._frequency = np.fft.fftfreq(int(scipy.fft.next_fast_len(n_fft)), dwell_time_s)
        # A delay rotates each component by one frequency, the mean of its energy: exact for one
        # line, and near enough for a grid of delays as coarse as this one.
        rotation = np.sum(fids[:, 1:] * fids[:, :-1].conj(), axis=1)
        self._late = np.exp(-1j * np.outer(DELAYS_S, np.angle(rotation) / dwell_time_s))
        time = start_time_s + dwell_time_s * np.arange(n_points)[self._used]
        self._decays = np.exp(-pi * np.outer(WIDTHS_HZ, time))
        # Real(H) of each width, and L^-1 of its Cholesky factor: with it the gain is a square sum.
        # Components that are nearly one would share a line with huge amplitudes; the ridge forbids.
        products = self._fids[:, None].conj() * self._fids
        grams = (products @ (self._decays**2).T).real.transpose(2, 0, 1)  # (width, ...)
        self._size = np.sqrt(np.diagonal(grams, axis1=1, axis2=2))
        ridge = 1e-6 * np.trace(grams, axis1=1, axis2=2)[:, None, None] / len(fids)
        self._whitening = np.linalg.inv(np.linalg.cholesky(grams + ridge * np.eye(len(fids))))

    def search(
        self, data: ComplexArray, shift_range_hz: float, count: int, about_hz: float = 0.0
    ) -> list[Start]:
        """Return the best points of the grid, the best one first.

        Parameters
        ----------
        data : complex array, shape (point,)
            The FID about the centre of the window, in units of its noise.
        shift_range_hz : float
            Largest common shift that is searched, either way.
        count : int
            How many points, no two of them within 6 Hz.
        about_hz : float
            The shift from which the range counts.
        """
        shifts = np.flatnonzero(np.abs(self._frequency - about_hz) <= shift_range_hz)
        products = self._fids * data[self._used]
        spectra = self._spectra(products * self._decays[:, None], shifts)
        # All widths at once: (width, delay, component, shift)
        whitened = self._whitening[:, None] @ (self._late[:, :, None] * spectra[:, None])
        gain, phase = _best_phase(whitened)
        width, late, shift = _peaks(gain, count)
        angle = phase[width, late, shift]
        in_phase = (whitened[width, late, :, shift] * np.exp(-1j * angle)[:, None]).real
        amplitude = (in_phase[:, None] @ self._whitening[width])[:, 0]
        # Phase and phase + pi explain the same: the upright one has more positive area.
        size = self._size[width]
        area = (amplitude * size).sum(axis=1)
        upright = np.abs(area) / np.maximum((np.abs(amplitude) * size).sum(axis=1), TINY)
        angle += np.where(area < 0, pi, 0.0)
        amplitude[area < 0] *= -1
        candidates = [
            Start(
                float(gain[width[k], late[k], shift[k]]),
                float(self._frequency[shifts[shift[k]]]),
                WIDTHS_HZ[width[k]],
                float(angle[k]),
                DELAYS_S[late[k]],
                amplitude[k],
                float(upright[k]),
            )
            for k in range(width.size)
        ]
        candidates.sort(key=lambda start: -start.gain)
        chosen: list[Start] = []
        for start in candidates:
            if all(abs(start.shift_hz - other.shift_hz) > 6 for other in chosen):
                chosen.append(start)
        return chosen[:count]

    def upright_shares(
        self, data: ComplexArray, shift_range_hz: float, free: Sequence[int] = ()
    ) -> FloatArray:
        """Return the share of the energy that the best upright point without delay explains.

        The share counts less the more of the signal is negative: with signs of their own, a few
        lines explain a wrong start as well as the right one.

        Parameters
        ----------
        data : complex array, shape (point,)
            As in `search`, of as many points as the components or more.
        shift_range_hz : float
            As in `search`.
        free : sequence of int
            Components that may have any sign.

        Returns
        -------
        float array, shape (start,)
            One for each number of first points that may be left out: as the data have more points
            than the components.
        """
        bound = np.ones(len(self._fids))
        bound[list(free)] = 0.0
        n_starts = data.size - self.n_points + 1
        used = data[self._used.start : self._used.stop + n_starts - 1]
        shifts = np.flatnonzero(np.abs(self._frequency) <= shift_range_hz)
        n_fft = self._frequency.size * -(-used.size // self._frequency.size)
        # In single precision: shares are rounded by 1e-6, and starts differ by thousandths.
        spectrum = scipy.fft.fft(used.astype(np.complex64), n_fft)
        best = np.zeros(n_starts)
        sizes = self._size * bound
        for decay, whitening, size in zip(self._decays, self._whitening, sizes, strict=True):
            whitened = self._correlations(
                spectrum, whitening @ (self._fids * decay), shifts, n_starts
            )
            gain, phase = _best_phase(whitened)
            cosine, sine = np.cos(phase)[:, None], np.sin(phase)[:, None]
            amplitude = whitening.T @ (whitened.real * cosine + whitened.imag * sine)
            upright = np.abs(size @ amplitude) / np.maximum(size @ np.abs(amplitude), TINY)
            best = np.maximum(best, (gain * upright).max(axis=0))
        energy = np.concatenate([[0.0], np.cumsum(np.abs(used) ** 2)])
        length = used.size - n_starts + 1
        return np.asarray(best / (energy[length:] - energy[:n_starts]))

    def _correlations(
        self, spectrum: ComplexArray, rows: ComplexArray, shifts: IntArray, n_starts: int
    ) -> ComplexArray:
        """Return the correlations of data with conjugates of some FIDs at every shift and start.

        Shape (shift, row, start), by the theorem of convolution: what `_spectra` gives of
        data from each start on, in the precision of `spectrum`. That is the transform of the data,
        of a multiple of the frequencies; a shift moves the rows by as many bins.
        """
        n_fft = spectrum.size
        ratio = n_fft // self._frequency.size
        kernels = scipy.fft.fft(rows.conj().astype(spectrum.dtype), n_fft).conj()
        twice = np.concatenate([kernels, kernels], axis=1)  # of which each turn is a part
        found = np.empty((shifts.size, len(kernels), n_starts), dtype=spectrum.dtype)
        for row, shift in zip(found, shifts, strict=True):  # one by one, for the sake of memory
            first = -ratio * shift % n_fft
            moved = twice[:, first : first + n_fft] * spectrum
            row[:] = scipy.fft.ifft(moved, overwrite_x=True)[:, :n_starts]
        return found

    def _spectra(self, products: ComplexArray, shifts: IntArray) -> ComplexArray:
        """Return the correlations of the data with the components at every shift: a transform."""
        return np.asarray(scipy.fft.fft(products, self._frequency.size)[..., shifts])


def _best_phase(whitened: ComplexArray) -> tuple[FloatArray, FloatArray]:
    """Return gain and angle of the best phase of vectors (..., component, shift)."""
    real, imag = whitened.real, whitened.imag
    rr, ii, ri = (real**2).sum(axis=-2), (imag**2).sum(axis=-2), (real * imag).sum(axis=-2)
    # The larger eigenvalue of [[rr, ri], [ri, ii]], and half the angle of its eigenvector's double.
    gain = 0.5 * (rr + ii) + np.hypot(0.5 * (rr - ii), ri)
    return gain, 0.5 * np.arctan2(2 * ri, rr - ii)


def _peaks(gain: FloatArray, count: int) -> tuple[IntArray, IntArray, IntArray]:
    """Return width, best delay and shift of each width's highest local maxima over the shift.

    `gain` has the shape (width, delay, shift), shifts in the order of a transform.
    """
    n_widths, _, n_shifts = gain.shape
    order = np.argsort(np.fft.fftfreq(n_shifts), kind="stable")  # ascending shift
    ascending = gain.max(axis=1)[:, order]
    padded = np.pad(ascending, ((0, 0), (1, 1)), constant_values=-np.inf)
    is_peak = (ascending >= padded[:, :-2]) & (ascending >= padded[:, 2:])
    ranked = np.argsort(-np.where(is_peak, ascending, -np.inf), axis=1, kind="stable")[:, :count]
    width, place = np.repeat(np.arange(n_widths), ranked.shape[1]), ranked.ravel()
    peaks = is_peak[width, place]
    width, shift = width[peaks], order[place[peaks]]
    return width, gain[width, :, shift].argmax(axis=1), shift


def points_with_signal(
    slow: ComplexArray, starts: Sequence[Start], dwell_time_s: float, window_width_hz: float
) -> int:
    """Return how many of the first points hold what there is to know of the lines.

    Parameters
    ----------
    slow : complex array, shape (point,)
        The FID about the centre of the window, in units of its noise.
    starts : sequence of Start
        Where the fit may begin.
    dwell_time_s : float
        Dwell time in seconds.
    window_width_hz : float
        Width of the fitted window.
    """
    # Of the broadest start the data would be cut too early, were the narrowest the right one.
    narrowest = _CROP_SAFETY * min(start.width_hz for start in starts)
    snr = min(max(float(np.abs(slow).max()), 3.0), _CROP_SNR)
    length_s = float(np.log(snr / 0.05) / (pi * narrowest))
    length_s = max(length_s, MIN_BINS / window_width_hz)
    needed = max(MIN_POINTS, round(length_s / dwell_time_s))
    octave = 1 << (needed.bit_length() - 1)
    steps = (eighth * octave // 8 for eighth in _EIGHTHS)
    return min(slow.size, next(step for step in steps if step >= needed))
