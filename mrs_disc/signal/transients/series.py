"""A series of transients, checked once, and its spectra, made once.

What a kernel of the transients needs of them: which are usable, how large their noise is, and their
spectra with the axis. Tails of the water (of any line shape near its frequency) in another window
are sums of the first powers of ``1 / (1 - exp(-2j*pi*(f - f_water)*dwell))``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, Self

import numpy as np
import scipy.fft
from numpy.typing import ArrayLike

from mrs_disc.errors import InputError
from mrs_disc.signal.axes import check_dwell_time, complex_array, frequency_axis, window
from mrs_disc.signal.noise import median
from mrs_disc.signal.noise import noise_sd as measure_noise
from mrs_disc.signal.transients.robust import TINY
from mrs_disc.typing import BoolArray, ComplexArray, FloatArray

_AT_ONCE = 1 << 14
"""Points of some transients that are worked on at once: they stay in the processor's cache."""
N_TAILS = 3
"""Powers of the water's tail in the metabolite window; the third is below noise up to a water of
100 times the noise of a transient."""


class Spectra(NamedTuple):
    """Unitary spectra (no halving of the first point) in the order of their axis.

    Attributes
    ----------
    bins : complex array, shape (transient, point)
    frequency_hz : float array, shape (point,)
        Hz from the carrier, ascending.
    duration_s : float
        Number of points times dwell time, s.
    """

    bins: ComplexArray
    frequency_hz: FloatArray
    duration_s: float

    def scaled(self, factor: float, *, in_place: bool = False) -> Spectra:
        """Return the spectra times a factor; in place where nobody else needs them."""
        out = self.bins if in_place else None
        return self._replace(bins=np.multiply(self.bins, factor, out=out))

    def water_tails(self, inside: slice, water: slice) -> ComplexArray:
        """Return orthonormal tails of the water in a window.

        Parameters
        ----------
        inside, water : slice
            The window, and the band of the water; they must not overlap.

        Returns
        -------
        complex128 array, shape (bin, `N_TAILS`)
            Orthonormal columns: what a line of any shape near the water adds to the window.
        """
        # the fourth power of the median magnitude: the highest points alone tell the frequency
        power = median(np.abs(self.bins[:, water]).T).astype(float) ** 4
        centre = float(self.frequency_hz[water] @ power / max(power.sum(), TINY))
        dwell_s = self.duration_s / len(self.frequency_hz)
        tail = 1 / (1 - np.exp(-2j * np.pi * dwell_s * (self.frequency_hz[inside] - centre)))
        powers = np.stack([tail**k for k in range(1, N_TAILS + 1)], axis=1)
        return np.asarray(np.linalg.qr(powers)[0])

    def without_tails(self, inside: slice, water: slice | None) -> ComplexArray:
        """Return a window of the spectra, the tails of the water projected out."""
        lines: ComplexArray = self.bins[:, inside]
        return lines if water is None else projected_out(lines, self.water_tails(inside, water))


def projected_out(rows: ComplexArray, basis: ComplexArray) -> ComplexArray:
    """Return rows without their share in orthonormal columns of a basis."""
    share = (rows @ basis.conj()) @ basis.T
    if share.dtype != np.result_type(rows, share):
        return rows - share
    rest: ComplexArray = np.subtract(rows, share, out=share)  # the series may be large
    return rest


@dataclass(frozen=True, kw_only=True)
class Series:
    """Transients of one acquisition, coils combined; `of` checks them.

    Attributes
    ----------
    signal : complex array, shape (transient, point)
    dwell_s : float
        Time from point to point, s.
    usable : bool array, shape (transient,)
        False where a transient is zero throughout or has points that are not finite.
    noise_sd : float
        Standard deviation of one real channel of a transient.
    """

    signal: ComplexArray
    dwell_s: float
    usable: BoolArray
    noise_sd: float

    @classmethod
    def of(cls, transients: ArrayLike, dwell_s: float, *, noise_sd: float | None = None) -> Self:
        """Check transients and measure their noise, unless it is given.

        Raises
        ------
        InputError
            If no transient is usable, or the dwell time or the noise is not a positive number.
        """
        signal = complex_array(transients, "transients", 2, finite=False)
        # Rounding of single precision, which libraries do each in their own way, came out up to
        # 1e-4 of a weak amplitude: what moves the phases moves the draws of the fit.
        signal = signal.astype(np.complex128, copy=False)
        check_dwell_time(dwell_s)
        usable = usable_transients(signal)
        if not usable.any():
            raise InputError(
                "no transient is usable: each is zero or has points that are not finite"
            )
        chosen = signal if usable.all() else signal[usable]
        sd = measure_noise(chosen) if noise_sd is None else float(noise_sd)
        if not (np.isfinite(sd) and sd > 0):
            raise InputError(f"noise_sd = {sd}: positive number expected")
        return cls(signal=signal, dwell_s=dwell_s, usable=usable, noise_sd=sd)

    @cached_property
    def chosen(self) -> ComplexArray:
        """The usable transients."""
        return self.signal if self.usable.all() else self.signal[self.usable]

    @cached_property
    def frequency_hz(self) -> FloatArray:
        """Axis of the spectra, Hz from the carrier, ascending."""
        return frequency_axis(self.signal.shape[1], self.dwell_s)

    @cached_property
    def spectra(self) -> Spectra:
        """Spectra of the usable transients, in the units of the signal."""
        return self._transformed()

    def spectra_in_noise(self) -> Spectra:
        """Return the spectra again, a complex point of noise with variance 1."""
        return self._transformed().scaled(0.5**0.5 / self.noise_sd, in_place=True)

    def _transformed(self) -> Spectra:
        chosen = self.chosen
        bins = np.empty(chosen.shape, np.result_type(chosen, np.complex64))
        low = (chosen.shape[1] + 1) // 2  # bins from zero up; the others lie below
        for rows in blocks(chosen.shape):  # a copy in another order needs no room for both
            block = scipy.fft.fft(chosen[rows], axis=-1, norm="ortho")
            bins[rows, -low:], bins[rows, :-low] = block[:, :low], block[:, low:]
        return Spectra(bins, self.frequency_hz, self.signal.shape[1] * self.dwell_s)

    def window(self, limits_hz: tuple[float, float]) -> slice:
        """Return the bins of the spectra between two frequencies, or raise `InputError`."""
        return window(self.frequency_hz, *limits_hz)

    def water_band(
        self, window_hz: tuple[float, float], water_hz: tuple[float, float] | None
    ) -> slice | None:
        """Return the bins of the water, None where none is expected or the window overlaps it."""
        if water_hz is None or (window_hz[0] <= water_hz[1] and water_hz[0] <= window_hz[1]):
            return None
        return self.window(water_hz)


def blocks(shape: tuple[int, ...]) -> Iterator[slice]:
    """Return slices of rows that hold a quarter of a megabyte each, or one longer row.

    >>> list(blocks((3, 10))), len(list(blocks((512, 16384))))
    ([slice(0, 3, None)], 512)
    """
    step = max(_AT_ONCE // max(shape[1], 1), 1)
    return (slice(first, min(first + step, shape[0])) for first in range(0, shape[0], step))


def usable_transients(transients: ComplexArray) -> BoolArray:
    """Return which transients are finite and not zero throughout, shape (transient,)."""
    with np.errstate(invalid="ignore", over="ignore"):
        # the sum of a transient is finite if it is; a mask of all points is only made where not
        finite = np.isfinite(transients.sum(axis=-1))
        if not finite.all():
            finite = np.isfinite(transients).all(axis=-1)
    return np.asarray(finite & transients.any(axis=-1), dtype=bool)
