"""From the FIDs of a fit to the spectra that a figure shows: one transform for all of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.fft

from mrs_disc.errors import InputError, did_you_mean
from mrs_disc.record.brief import brief
from mrs_disc.record.sampling import Sampling
from mrs_disc.signal.axes import frequency_axis, ppm_axis, spectrum, time_axis
from mrs_disc.typing import ComplexArray, FloatArray

MOST_APODIZE_HZ = 100.0
MOST_ZERO_FILL = 32


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FittedSpectrum:
    """The spectra of a fit: real parts, phased, on one axis; ``spectrum["LAC"]`` is a component.

    Parameters
    ----------
    ppm : float array, shape (point,)
        Chemical shift, ascending, the whole spectral width.
    data, fit, baseline : float arrays, shape (point,)
        Units of the data's FID: a plain sum over its points, the first one halved.
    components : float array, shape (component, point)
        ``baseline + components.sum(0)`` is `fit`.
    names : tuple of str
        Of the components.
    window_ppm : tuple of float
        Fitted range: outside of it `fit` follows nothing.
    noise_sd : float
        Standard deviation of the noise of `data`, with the apodization that was asked for.
    """

    ppm: FloatArray
    data: FloatArray
    fit: FloatArray
    baseline: FloatArray
    components: FloatArray
    names: tuple[str, ...]
    window_ppm: tuple[float, float]
    noise_sd: float

    __repr__ = brief

    @property
    def residual(self) -> FloatArray:
        """Data without fit, shape (point,)."""
        return self.data - self.fit

    def __getitem__(self, name: str) -> FloatArray:
        return np.asarray(self.components[place_of(name, self.names)])


def place_of(name: str, names: tuple[str, ...]) -> int:
    """Return the place of a component, or say in one line which there are."""
    if name not in names:
        raise InputError(
            f"the fit has no component '{name}'.{did_you_mean(name, names)} "
            f"It has: {', '.join(names)}."
        )
    return names.index(name)


def filled_and_weighted(
    n_points: int, dwell_time_s: float, apodize_hz: float, zero_fill: int
) -> FloatArray:
    """Return what each point of a FID counts, or say which option is out of its range.

    Raises
    ------
    InputError
        If `apodize_hz` is not between 0 and 100 Hz, or `zero_fill` not between 1 and 32.
    """
    if not 0 <= apodize_hz <= MOST_APODIZE_HZ:
        raise InputError(f"apodize_hz = {apodize_hz}: 0 (none) to {MOST_APODIZE_HZ:g} Hz expected")
    if not (float(zero_fill).is_integer() and 1 <= zero_fill <= MOST_ZERO_FILL):
        raise InputError(
            f"zero_fill = {zero_fill}: a whole number from 1 (none) to {MOST_ZERO_FILL} expected"
        )
    return np.exp(-np.pi * apodize_hz * time_axis(n_points, dwell_time_s))


def transformed(
    fids: ComplexArray, sampling: Sampling, filling: int = 1, delay_s: float = 0.0
) -> tuple[FloatArray, ComplexArray]:
    """Return the ppm axis and the spectra of FIDs.

    Parameters
    ----------
    fids : complex array, shape (..., point)
        Time signals.
    sampling : Sampling
        How they were sampled.
    filling : int
        The spectrum has at least this many times the points of the FID.
    delay_s : float
        Time of the first point after the echo, whose phase over frequency is taken out.
    """
    n = fids.shape[-1]
    size = scipy.fft.next_fast_len(filling * n)
    filled = np.zeros((*fids.shape[:-1], size), np.complex128)
    filled[..., :n] = fids
    dwell = sampling.dwell_time_s
    turned = spectrum(filled) * np.exp(-2j * np.pi * frequency_axis(size, dwell) * delay_s)
    return ppm_axis(size, dwell, sampling.spectrometer_mhz, sampling.reference_ppm), turned
