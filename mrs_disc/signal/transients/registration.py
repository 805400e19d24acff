"""Registration of short time signals to their own mean: frequency and phase of each.

Where the amplitude is free, least squares of ``exp(1j*(phase + 2*pi*frequency*t)) * reference``
is the highest point of the periodogram of ``signal * conj(reference)``. So the frequency comes
from a coarse grid over the whole range (no local minimum) and Newton steps, for all signals at
once. A part of the spectrum is cut out first, which also decimates it in time.

The reference is a weighted mean of the aligned signals. It starts from the first eigenvector of
their Gram matrix, which does not care for phases, leaves out the signal that is compared, and is
shaped by its own signal-to-noise ratio.

Source: Near et al., Magn Reson Med 2015;73:44-50, doi:10.1002/mrm.25094 (spectral registration).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.fft

from mrs_disc.signal.axes import exponentials, phasors
from mrs_disc.signal.fit import kernel
from mrs_disc.signal.noise import median
from mrs_disc.signal.transients import priors as prior
from mrs_disc.signal.transients.robust import (
    TINY,
    deviation,
    power_above_noise,
    square_sums,
)
from mrs_disc.typing import ComplexArray, FloatArray, IntArray

MIN_ENERGY = 14.0
"""Matched-filter energy (signal / complex noise variance) below which a periodogram's highest
point is often a noise peak: the threshold of frequency estimation."""

EDGE_HZ = 15.0
"""Taper at the edges of a window."""

LATEST_S = 0.3
"""Nothing is registered on what comes later: lines of 4 Hz have fallen to 2 % by then."""

WEIGHTLESS = 1e-3
"""Samples of the reference with a Wiener weight below this are not computed with."""

_CLIMBS = 4
"""Newton's steps from the grid to the top of a periodogram."""


@dataclass(frozen=True, slots=True)
class Band:
    """Part of the spectrum as decimated time signals, noise variance 1 a complex point."""

    signal: ComplexArray  # (transient, sample)
    time: FloatArray  # (sample,), s; evenly from 0

    @property
    def step_s(self) -> float:
        """Time from sample to sample, s."""
        return float(self.time[1]) if self.time.size > 1 else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """Frequency and phase of a series, transient by transient, arrays of shape (transient,).

    Attributes
    ----------
    hz, rad : float arrays
    sd_hz, sd_rad : float arrays
        Standard deviations (Cramer-Rao bound and instability of water); infinite where the value
        is not a measurement of this transient.
    """

    hz: FloatArray
    rad: FloatArray
    sd_hz: FloatArray
    sd_rad: FloatArray

    def centred(self) -> Course:
        """Return the course about its medians, phases within half a cycle of their direction."""
        hz = self.hz - median(self.hz)
        rad = wrapped(self.rad - np.angle(np.exp(1j * self.rad).sum()))
        return Course(hz=hz, rad=rad - median(rad), sd_hz=self.sd_hz, sd_rad=self.sd_rad)

    def at(self, index: IntArray) -> Course:
        """Return the course of the transients of these numbers."""
        return Course(
            hz=self.hz[index],
            rad=self.rad[index],
            sd_hz=self.sd_hz[index],
            sd_rad=self.sd_rad[index],
        )


@dataclass(frozen=True, slots=True)
class Registration:
    """Frequency and phase of each transient against the mean, with their inverse covariance.

    Attributes
    ----------
    hz, rad : float arrays, shape (transient,)
    information : float array, shape (transient, 2, 2)
        Fisher information of phase (rad) and angular frequency (rad/s), in this order.
    energy : float
        Matched-filter energy of a typical transient.
    """

    hz: FloatArray
    rad: FloatArray
    information: FloatArray
    energy: float

    @property
    def covariance(self) -> FloatArray:
        """Covariance of phase and angular frequency; very large where nothing is known."""
        # scaled before it is inverted: seconds and radians differ by orders of magnitude
        scale = np.array([1.0, 2 * np.pi * 0.05])
        ridge = np.diag(1 / (np.array([10.0, 2 * np.pi * 50.0])) ** 2)
        scaled = (self.information + ridge) * np.outer(scale, scale)
        return np.asarray(np.linalg.inv(scaled) * np.outer(scale, scale))

    @property
    def course(self) -> Course:
        """Frequencies and phases with their standard deviations."""
        variance = self.covariance
        sd_hz = np.sqrt(variance[:, 1, 1]) / (2 * np.pi)
        return Course(hz=self.hz, rad=self.rad, sd_hz=sd_hz, sd_rad=np.sqrt(variance[:, 0, 0]))


def wrapped(rad: FloatArray) -> FloatArray:
    """Return angles within half a cycle of zero."""
    return np.asarray(np.angle(np.exp(1j * rad)))


def decimated(spectra: ComplexArray, duration_s: float) -> Band:
    """Return part of unitary spectra as time signals of that bandwidth.

    Parameters
    ----------
    spectra : complex array, shape (transient, bin)
        The part, in units of the noise.
    duration_s : float
        Of the signals the spectra were made of, s.

    Notes
    -----
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
    return Band(np.ascontiguousarray(signal[:, :n_used]), np.arange(n_used) * (duration_s / n_kept))


def register(
    band: Band, max_shift_hz: float, *, n_rounds: int = 3, start: Registration | None = None
) -> Registration:
    """Register all transients of one band to their own common reference.

    Parameters
    ----------
    band : Band
        What is registered, in units of its noise.
    max_shift_hz : float
        Largest frequency looked for, to either side.
    n_rounds : int
        How often the reference is made anew from the aligned transients.
    start : Registration, optional
        Frequencies and phases to begin with.

    Returns
    -------
    Registration
    """
    signal, time, step_s = band.signal, band.time, band.step_s
    n_transients = len(signal)
    norm = np.sqrt(square_sums(signal))
    # a transient much louder than the others must not become the reference
    clamp = np.minimum(1.0, 1.5 * float(median(norm)) / np.maximum(norm, TINY))
    if start is None:
        hz, rad = np.zeros(n_transients), _first_phases(signal * clamp[:, None])
    else:
        hz, rad = start.hz, start.rad
    result = Registration(hz, rad, np.zeros((n_transients, 2, 2)), 0.0)
    weight = clamp
    for _ in range(n_rounds):
        aligned = signal * phasors(-hz, -rad, time.size, step_s)
        total = weight @ aligned
        mean = total / max(float(weight.sum()), TINY)
        noise = max(float(np.sum(weight**2) / max(weight.sum() ** 2, TINY)), TINY)
        shape, power = shape_of(mean, noise)
        heard = np.flatnonzero(shape > WEIGHTLESS)
        if not heard.size:
            return result
        # mostly all from the first on: then no copies
        keep = slice(heard.size) if heard[-1] == heard.size - 1 else heard
        # the reference of each transient leaves this transient out: else its own noise, which is
        # in the mean too, would bias it to its present phase
        others = (total[keep] - weight[:, None] * aligned[:, keep]) / (
            np.maximum(weight.sum() - weight[:, None], TINY)
        )
        product = signal[:, keep] * np.conj(others * shape[keep])
        hz, rad, height = _highest_points(product, time[: heard[-1] + 1], keep, max_shift_hz)
        information = _information(power, time)
        # a transient that holds little of the reference has as little information
        share = np.minimum(height / max(float(median(height)), TINY), 1.0) ** 2
        energy = float(information[0, 0] / 2)
        result = Registration(hz, rad, share[:, None, None] * information, energy)
        weight = clamp * likeness(aligned[:, keep], mean[keep] * shape[keep])
    return result


def _first_phases(signal: ComplexArray) -> FloatArray:
    """Phases of the transients against their first principal component, or zero.

    Where the transients agree well, the mean is the better start at low signal-to-noise ratio.
    """
    gram = signal @ signal.conj().T
    in_mean = float(np.real(np.sum(gram)))
    # no component holds more than the norm: mostly this tells, and no eigenvectors are needed
    if in_mean > 0.7 * float(np.linalg.norm(gram)) * len(gram):
        return np.zeros(len(signal))
    first = np.linalg.eigh(gram)[1][:, -1]
    agreement = np.abs(first.sum()) / np.sqrt(len(first))
    in_first = float(np.real(first.conj() @ gram @ first)) * len(first)
    if in_mean > 0.7 * in_first or agreement > 0.9:
        return np.zeros(len(signal))
    return np.asarray(np.angle(first * np.exp(-1j * np.angle(first.sum()))))


def shape_of(mean: ComplexArray, noise: float) -> tuple[FloatArray, FloatArray]:
    """Return Wiener weights in time of a mean transient, and its power without noise.

    Parameters
    ----------
    mean : complex array, shape (sample,)
        Mean of aligned transients.
    noise : float
        Its noise variance, a complex sample.
    """
    power = power_above_noise(np.abs(mean) ** 2, noise, n_blocks=32, deviations=4)
    return power / (power + noise), power


def _highest_points(
    product: ComplexArray,
    every_time: FloatArray,
    keep: slice | IntArray,
    max_shift_hz: float,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Frequency, phase and height of the highest point of each periodogram.

    The frequency is weakly drawn to zero. `product` has only the samples to `keep` of evenly spaced
    ones from time 0 on.
    """
    time = every_time[keep]
    # 16 steps within the width of a periodogram's peak: Newton's steps then begin on its flank
    span = float(np.sqrt(np.average(time**2, weights=np.abs(product).mean(axis=0) + TINY)))
    step = min(max(1 / (16 * max(span, 1e-4)), max_shift_hz / 200), max_shift_hz / 8)
    grid_hz = np.arange(-max_shift_hz, max_shift_hz + step / 2, step)
    return _climbed(product, every_time, keep, grid_hz)


def _climbed(
    product: ComplexArray, every_time: FloatArray, keep: slice | IntArray, grid_hz: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the highest points from the best of a grid on; `kernel_peaks.c` finds them too."""
    library = kernel.library()
    if library is not None:
        sample = np.arange(every_time.size)[keep]
        found = np.empty((3, len(product)))
        arrays = np.ascontiguousarray(product, dtype=np.complex128), sample, grid_hz, found
        addresses = (array.ctypes.data for array in arrays)
        sizes = *product.shape, grid_hz.size, _CLIMBS
        step_s = float(every_time[1]) if every_time.size > 1 else 0.0
        if not library.mrs_disc_peaks(*sizes, step_s, prior.JITTER_HZ, *addresses):
            return found[0], found[1], found[2]
    return _climbed_plainly(product, every_time, keep, grid_hz)


def _climbed_plainly(
    product: ComplexArray, every_time: FloatArray, keep: slice | IntArray, grid_hz: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the same, with NumPy."""
    time = every_time[keep]
    step_s = float(every_time[1]) if every_time.size > 1 else 0.0

    def demodulated(hz: FloatArray) -> ComplexArray:
        turns = phasors(-hz, np.zeros(len(hz)), every_time.size, step_s)
        return np.asarray(product * turns[:, keep])

    turn, step = -2j * np.pi * time, float(grid_hz[1] - grid_hz[0])
    height = np.abs(product @ exponentials(turn * step, grid_hz.size, turn * grid_hz[0]))
    # twice the height is the log likelihood with the amplitude fixed at the reference's
    penalty = 0.5 * (grid_hz / prior.JITTER_HZ) ** 2
    hz = grid_hz[np.argmax(2 * height - penalty, axis=1)]
    levers = np.stack([np.ones(time.size), turn, turn**2], axis=1)
    for _ in range(_CLIMBS):
        # the periodogram's amplitude and its first two derivatives by the frequency
        c0, c1, c2 = (demodulated(hz) @ levers).T
        size = np.maximum(np.abs(c0), TINY)
        along = c0.real * c1.real + c0.imag * c1.imag
        bend = c1.real**2 + c1.imag**2 + c0.real * c2.real + c0.imag * c2.imag
        slope = 2 * along / size - hz / prior.JITTER_HZ**2
        curvature = 2 * bend / size - 2 * (along / size) ** 2 / size - 1 / prior.JITTER_HZ**2
        # where the flank is not concave, Newton would run away from the peak: stay there
        move = np.where(curvature < 0, -slope / np.where(curvature < 0, curvature, -1.0), 0.0)
        hz = hz + np.minimum(np.maximum(move, -step), step)
        hz = np.minimum(np.maximum(hz, grid_hz[0]), -grid_hz[0])
    c0 = demodulated(hz).sum(axis=1)
    return hz, np.angle(c0), np.abs(c0)


def _information(power: FloatArray, time: FloatArray) -> FloatArray:
    """Fisher information of phase and 2 pi frequency, noise variance 1 a complex point."""
    m0, m1, m2 = power.sum(), power @ time, power @ time**2
    return 2 * np.array([[m0, m1], [m1, m2]])


def likeness(aligned: ComplexArray, mean: ComplexArray) -> FloatArray:
    """Return the weight of each transient in the reference: 1 where it is like the others.

    Parameters
    ----------
    aligned : complex array, shape (transient, sample)
        Aligned transients.
    mean : complex array, shape (sample,)
        Their mean.

    Returns
    -------
    float array, shape (transient,)
        Towards 0 the less a transient is like the others in amplitude and residual.
    """
    amplitude = np.real(aligned @ mean.conj()) / max(float(np.sum(np.abs(mean) ** 2)), TINY)
    usual = float(median(amplitude))
    spread = max(deviation(amplitude), 1e-12)
    residual = square_sums(aligned - amplitude[:, None] * mean)
    usual_residual = float(median(residual))
    residual_spread = max(deviation(residual), 1e-12 * usual_residual, TINY)
    # too little and too much amplitude are suspect, but only too much residual
    deviations = np.maximum(
        np.abs(amplitude - usual) / spread, (residual - usual_residual) / residual_spread
    )
    weight = np.minimum(1.0, 3.0 / np.maximum(deviations, 3.0)) ** 2
    return np.asarray(np.where(amplitude > 0, weight, 0.1 * weight))
