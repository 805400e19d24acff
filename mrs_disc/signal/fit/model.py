"""The metabolites' model of one FID, with all its derivatives, in a window of the spectrum.

With t counted from the echo, f_c the centre of the window, and b_k the basis FID of component k::

    y(t) = exp(i phase) * sum_k a_k b_k(t + delay) * exp(2 pi i (shift + shift_k) (t + delay)
           - pi (lorentz + width_k) (t + delay) - GAUSS_RATE gauss2 (t + delay)^2)  +  noise

`gauss2` is the square of the Gaussian FWHM: the decay is linear in it, and zero is a regular point.
b_k(t + delay) is a Taylor series in the delay; its derivatives come once per fit from
least-squares differentiators of the window's band (one-sided at the first point). A first-order
phase on the spectrum would not do: a late start also loses the signal's beginning, and the first
point of a discrete FID carries that loss into a broad foot of the spectrum.

Data and model are compared at the bins of the discrete Fourier transform inside the window. It is
unitary and not zero-filled, so the noise of the bins is white and independent.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from math import factorial, pi

import numpy as np
import scipy.fft

from mrs_disc.signal.fit.basis import GAUSS_RATE, band_weights
from mrs_disc.typing import BoolArray, ComplexArray, FloatArray, IntArray

N_COMMON = 5
"""Parameters that all components share, in this order."""
SHIFT, LORENTZ, GAUSS2, PHASE, DELAY = range(N_COMMON)

_ORDER = 4  # of the series in the delay: 1e-5 at 200 us and 240 Hz from the centre
_TAPS = 16


@dataclass(frozen=True, slots=True)
class Spectrum:
    """The model at one point of the non-linear parameters: what the solver needs.

    Parameters
    ----------
    design : float array, shape (component, datum)
        Spectra of the components at amplitude one; real parts, then imaginary parts.
    fids : complex array, shape (component, point)
        The same in the time domain, about the centre of the window.
    modulation : complex array, shape (component or 1, point)
        What the parameters do to the basis FIDs.
    """

    design: FloatArray
    fids: ComplexArray
    modulation: ComplexArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """How an FID is sampled, and the window of its spectrum that is fitted.

    Nothing to do with the `Scan` that a reader of files returns.

    Parameters
    ----------
    dwell_time_s, start_time_s : float
        Dwell time, and the time of the first point after the echo.
    window_hz : tuple of float
        Lower and upper end of the window, from the reference frequency.
    """

    dwell_time_s: float
    window_hz: tuple[float, float]
    start_time_s: float = 0.0


class MetaboliteModel:
    """Basis FIDs about the centre of a window, and the spectra they give.

    Parameters
    ----------
    fids : complex array, shape (component, point)
        Basis FIDs at amplitude one, from the first recorded point on.
    scan : Scan
        Sampling and window.
    moves, widens : int array
        Indices of the components with a shift or a width of their own.
    """

    def __init__(
        self,
        fids: ComplexArray,
        scan: Scan,
        *,
        moves: IntArray,
        widens: IntArray,
    ) -> None:
        n_points, dwell_time_s = fids.shape[1], scan.dwell_time_s
        low, high = scan.window_hz
        self.dwell_time_s = dwell_time_s
        self.centre_hz = 0.5 * (low + high)
        self.time: FloatArray = scan.start_time_s + dwell_time_s * np.arange(
            n_points, dtype=np.float64
        )
        self.carrier = np.exp(-2j * pi * self.centre_hz * self.time)
        self.half_width_hz = 0.5 * (high - low)
        self.bins = window_bins(n_points, dwell_time_s, self.half_width_hz)
        self.moves = moves
        self.widens = widens
        self.n_components = fids.shape[0]
        self._has_own = np.union1d(moves, widens)
        self._own_moves = np.searchsorted(self._has_own, moves)
        self._own_widens = np.searchsorted(self._has_own, widens)
        self._fids = fids

    def delay_series(self) -> ComplexArray:
        """Return FIDs about the centre and their time derivatives, (order, component, point)."""
        half_band = min(0.45, 1.2 * self.half_width_hz * self.dwell_time_s)
        return _delay_series(self._fids * self.carrier, self.dwell_time_s, half_band)

    @cached_property
    def _series(self) -> ComplexArray:
        return self.delay_series()

    @property
    def n_nonlinear(self) -> int:
        """Number of non-linear parameters: shared, own shifts, own widths."""
        return N_COMMON + self.moves.size + self.widens.size

    def spectrum(self, fids: ComplexArray) -> FloatArray:
        """Return the window of the spectra of demodulated FIDs as real numbers (..., datum)."""
        bins = scipy.fft.fft(fids, norm="ortho")[..., self.bins]
        return np.concatenate([bins.real, bins.imag], axis=-1)

    def of_noise(self, rows: FloatArray) -> FloatArray:
        """Return rows (..., datum) times the root of the noise's covariance: it is white here."""
        return rows

    def evaluate(self, parameters: FloatArray) -> Spectrum:
        """Return the components' spectra at the given non-linear parameters."""
        modulation = self._modulation(parameters)
        fids = self._basis_at(parameters[DELAY], 0) * modulation
        return Spectrum(self.spectrum(fids), fids, modulation)

    def fids(self, parameters: FloatArray) -> ComplexArray:
        """Return the components' FIDs at amplitude one, shape (component, point)."""
        return self._basis_at(parameters[DELAY], 0) * self._modulation(parameters)

    def jacobian(
        self, parameters: FloatArray, amplitude: FloatArray, model: Spectrum
    ) -> FloatArray:
        """Return the derivatives by the non-linear parameters, shape (parameter, datum)."""
        # What all components share acts on their sum: one product each instead of one a component.
        # Shift and width act through i and -1 times the same signal: one transform for both.
        time = self.time + parameters[DELAY]
        total = amplitude @ model.fids
        has_own = self._has_own
        signals = np.empty((3 + has_own.size, self.time.size), dtype=complex)
        np.multiply(time, total, out=signals[0])
        np.multiply(time, signals[0], out=signals[1])
        signals[2] = self._by_delay(parameters, amplitude, model, time, total)
        signals[3:] = (amplitude[has_own, None] * time) * model.fids[has_own]
        spectra = self.spectrum(signals)
        columns = np.empty((self.n_nonlinear, spectra.shape[1]))
        columns[SHIFT] = 2 * pi * times_i(spectra[0])
        columns[LORENTZ] = -pi * spectra[0]
        columns[GAUSS2] = -GAUSS_RATE * spectra[1]
        columns[PHASE] = times_i(amplitude @ model.design)
        columns[DELAY] = spectra[2]
        widths = N_COMMON + self.moves.size
        own = spectra[3:]
        columns[N_COMMON:widths] = 2 * pi * times_i(own[self._own_moves])
        columns[widths:] = -pi * own[self._own_widens]
        return columns

    def _by_delay(
        self,
        parameters: FloatArray,
        amplitude: FloatArray,
        model: Spectrum,
        time: FloatArray,
        total: ComplexArray,
    ) -> ComplexArray:
        """Return the derivative of the whole model by the delay."""
        # The delay moves the basis and the time in the exponents, in which it is the derivative of
        # the whole exponent by t; the own shifts and widths of components add theirs.
        slope = amplitude @ (self._basis_at(parameters[DELAY], 1) * model.modulation)
        rate = 2j * pi * parameters[SHIFT] - pi * parameters[LORENTZ]
        column = slope + (rate - 2 * GAUSS_RATE * parameters[GAUSS2] * time) * total
        own_shift, own_width = self.own(parameters)
        own = amplitude * (2j * pi * own_shift - pi * own_width)
        return np.asarray(column + own @ model.fids)

    def own(self, parameters: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return shift and width of their own of all components, in Hz."""
        shift = np.zeros(self.n_components)
        width = np.zeros(self.n_components)
        shift[self.moves] = parameters[N_COMMON : N_COMMON + self.moves.size]
        width[self.widens] = parameters[N_COMMON + self.moves.size :]
        return shift, width

    def _basis_at(self, delay: float, derivative: int) -> ComplexArray:
        """Return basis FIDs, or their time derivative, at the delayed points."""
        if delay == 0 and derivative == 0:  # the library needs no more, and keeps a copy of its own
            return np.asarray(self._fids * self.carrier)
        if delay == 0:
            return np.asarray(self._series[derivative])
        powers = [delay**power / factorial(power) for power in range(_ORDER + 1 - derivative)]
        # Real weights on real and imaginary parts: one product of a row and a matrix.
        rows = self._series[derivative:].view(np.float64).reshape(len(powers), -1)
        return (powers @ rows).view(np.complex128).reshape(self._fids.shape)

    def _modulation(self, parameters: FloatArray) -> ComplexArray:
        """Return what shifts, widths and phase do to the basis FIDs, shape (component, point)."""
        time = self.time + parameters[DELAY]
        exponent = (
            1j * parameters[PHASE]
            + (2j * pi * parameters[SHIFT] - pi * parameters[LORENTZ]) * time
            - GAUSS_RATE * parameters[GAUSS2] * time**2
        )
        # Few components have anything of their own: the common part is one row for all of them.
        common = np.exp(exponent)
        own_shift, own_width = self.own(parameters)
        rate = 2j * pi * own_shift - pi * own_width
        if not rate.any():
            return np.asarray(common[None, :])
        own = np.exp(rate * time[0])[:, None] * _powers(rate * self.dwell_time_s, time.size)
        return np.asarray(common * own)


def times_i(spectra: FloatArray) -> FloatArray:
    """Return i times spectra, real parts then imaginary parts along the last axis."""
    half = spectra.shape[-1] // 2
    return np.concatenate([-spectra[..., half:], spectra[..., :half]], axis=-1)


def _powers(rate: ComplexArray, count: int) -> ComplexArray:
    """Return exp(rate k) for k = 0, 1, ... count - 1, shape (rate, count).

    The product of a coarse and a fine table: two square roots of `count` exponentials a row.
    `axes.phasors` does so for frequencies alone; here the rates decay, too.
    """
    fine = 1 << (count.bit_length() // 2)
    coarse = -(-count // fine)
    small = np.exp(rate[:, None] * np.arange(fine))
    large = np.exp(rate[:, None] * (fine * np.arange(coarse)))
    return np.asarray((large[:, :, None] * small[:, None, :]).reshape(rate.size, -1)[:, :count])


def window_bins(n_points: int, dwell_time_s: float, half_width_hz: float) -> IntArray:
    """Return the bins of a spectrum within a distance of its centre, in ascending frequency."""
    frequency = np.fft.fftfreq(n_points, dwell_time_s)
    inside = np.flatnonzero(np.abs(frequency) <= half_width_hz)
    return np.asarray(inside[np.argsort(frequency[inside])])


def _delay_series(fids: ComplexArray, dwell_time_s: float, half_band: float) -> ComplexArray:
    """Return the FIDs and their time derivatives, shape (order, component, point)."""
    taps = min(_TAPS, fids.shape[1])
    orders = np.arange(1, _ORDER + 1)
    weights = _differentiators(taps, half_band) * (dwell_time_s**-orders)[:, None, None]
    return np.concatenate([fids[None], _filtered(fids, weights, odd=orders % 2 == 1)])


@cache
def _differentiators(taps: int, half_band: float) -> FloatArray:
    """Return the filters of all derivatives at the first points and in the middle of the taps."""
    positions = np.arange(taps // 2 + 1, dtype=np.float64)
    weights = band_weights(positions, taps, half_band, range(1, _ORDER + 1))
    weights.flags.writeable = False
    return weights


def _filtered(fids: ComplexArray, weights: FloatArray, odd: BoolArray) -> ComplexArray:
    """Return what filters give: one-sided ones at the ends, the last one in between.

    Parameters
    ----------
    fids : complex array, shape (component, point)
        What is filtered.
    weights : float array, shape (filter, position, taps)
        Filters for the first points and, last, for a point in the middle of the taps.
    odd : bool array, shape (filter,)
        Whether a filter changes sign when time is reversed.

    Returns
    -------
    complex array, shape (filter, component, point)
    """
    n_points, taps = fids.shape[1], weights.shape[2]
    half = taps // 2
    # Real and imaginary parts as rows of their own: a real matrix product for all filters.
    rows = np.concatenate([fids.real, fids.imag])
    windows = np.lib.stride_tricks.sliding_window_view(rows, taps, axis=1)
    count = windows.shape[1]
    parts = np.empty((weights.shape[0], *rows.shape))
    for row, window in enumerate(windows):  # written out, all rows would take 16 times their room
        parts[:, row, half : half + count] = weights[:, -1] @ np.ascontiguousarray(window).T
    # The first points have no taps before them: each has a filter of its own. The last points have
    # the same, mirrored in time, which changes the sign of odd derivatives.
    parts[:, :, :half] = rows[:, :taps] @ weights[:, :half].transpose(0, 2, 1)
    mirrored = weights[:, :half][:, ::-1, ::-1] * np.where(odd, -1.0, 1.0)[:, None, None]
    parts[:, :, n_points - half :] = rows[:, n_points - taps :] @ mirrored.transpose(0, 2, 1)
    result = np.empty((weights.shape[0], *fids.shape), dtype=np.complex128)
    result.real, result.imag = np.split(parts, 2, axis=1)
    return result
