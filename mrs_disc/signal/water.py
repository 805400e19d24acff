"""Removal of residual water by a low-rank model of the water band alone.

Water is a sum of exponentially damped sinusoids near its resonance. A state-space method finds them
without starting values: the Hankel matrix of the signal has their number as rank, and its column
space, shifted by one row, gives their poles. `water_lines` then finds how much of each there is,
beside narrow lines at every frequency of the band.

Only the water band is modelled. The Hankel matrix is multiplied by the waves of the band, which is
a running Fourier transform, ``y[i, p] = sum(x[i + j] * exp(-2j*pi*p*j/L), j < L)``. A damped
sinusoid stays what it is along i, whatever it is along p; one outside of the band is weak, and one
in the band has most of its energy here. A 1,548 x 500 matrix becomes 1,548 x 73, and its column
space is that of a 73 x 73 product, which follows from correlations of the signal with itself: the
matrix is never written out. What lies inside the limits is written out at full length and
subtracted; what else lies in the band (sugars, the wing of lactate's CH) is modelled so that it
does not disturb, and stays.

Decision: not the Hankel matrix of the whole band, which spends its rank on metabolites and takes
far longer; not a filtered and thinned FID, whose first milliseconds are a mean over the filter and
no longer tell the shape of a line that is not exponential; not a high-pass filter, which distorts
what is near 4.1 ppm.

Sources: Barkhuijsen et al., J Magn Reson 1987;73:553-557, doi:10.1016/0022-2364(87)90023-0 (HSVD);
Pijnappel et al., J Magn Reson 1992;97:122-134, doi:10.1016/0022-2364(92)90241-X (water by HSVD);
Mandelshtam and Taylor, J Chem Phys 1997;107:6756-6769, doi:10.1063/1.475324 (Fourier waves of a
band as basis).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import scipy.fft

from mrs_disc.errors import InputError
from mrs_disc.signal.axes import check_dwell_time, complex_array, exponential_tables
from mrs_disc.signal.noise import noise_sd as measure_noise
from mrs_disc.signal.water_lines import water_lines
from mrs_disc.typing import BoolArray, ComplexArray

MAX_COMPONENTS = 24
"""More damped sinusoids than this are not looked for in the band."""

BAND = 3.0
"""Half width of the band that is modelled / half width of the limits."""

MIN_BAND_HZ = 150.0
"""The modelled band reaches at least this far to either side."""

WAVE_S = 0.2
"""Length of the waves of the band: they tell lines apart by 5 Hz, the rows do the rest."""

STEADY = 1 - 1e-7
"""Largest magnitude of a pole: a line of 0.1 mHz."""

SMALLEST = 1e-7
"""Smallest size of a component / largest: what rounding leaves of the squares."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WaterRemoval:
    """A FID without its water.

    Attributes
    ----------
    signal : complex array, shape (point,)
        The FID minus a sum of damped sinusoids; as it was where no water stands out of the noise.
    rate : complex128 array, shape (component,)
        Their rates: imaginary part the angle, real part the decay from point to point.
    amplitude : complex128 array, shape (component,)
        Their values at the first point.
    """

    signal: ComplexArray
    rate: ComplexArray
    amplitude: ComplexArray

    @property
    def n_components(self) -> int:
        """How many they were."""
        return len(self.rate)

    def water(self, within: BoolArray | None = None) -> ComplexArray:
        """Return the sum of damped sinusoids, of all or of some, shape (point,)."""
        used = slice(None) if within is None else within
        coarse, fine = exponential_tables(self.rate[used], len(self.signal))
        every = ((self.amplitude[used] * coarse.T) @ fine).reshape(-1)
        return np.asarray(every[: len(self.signal)])


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
        Frequencies from the carrier between which a component is water (4.3 to 5.4 ppm).
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

    n_points = len(signal)
    centre, half = 0.5 * (low + high), 0.5 * (high - low)
    reach = min(max(BAND * half, MIN_BAND_HZ), 0.45 / dwell_time_s)
    # with the band about frequency zero, its waves are the first of a Fourier transform
    shift = np.exp(-2j * np.pi * centre * dwell_time_s * np.arange(n_points))
    shifted = signal.astype(np.complex128) * shift
    poles = _poles(shifted, dwell_time_s, reach, sd)
    if not np.any(np.abs(np.angle(poles)) <= 2 * np.pi * half * dwell_time_s):
        nothing = np.zeros(0, dtype=np.complex128)
        return WaterRemoval(signal=signal, rate=nothing, amplitude=nothing)
    found = water_lines(shifted, poles, dwell_time_s, half_hz=half, reach_hz=reach, sd=sd)
    rate = found.rate + 2j * np.pi * centre * dwell_time_s
    removal = WaterRemoval(signal=signal, rate=rate, amplitude=found.amplitude)
    return replace(removal, signal=signal - removal.water().astype(signal.dtype))


def _poles(signal: ComplexArray, dwell_time_s: float, reach_hz: float, sd: float) -> ComplexArray:
    """Poles of the damped sinusoids in the band that stand out of the noise."""
    n_points = len(signal)
    length = max(min(int(WAVE_S / dwell_time_s), n_points // 2), 8)
    n_waves = min(int(np.ceil(reach_hz * length * dwell_time_s)), (length - 1) // 2)
    running = running_transform(signal, length, n_waves)
    n_bins = len(running.gram)
    values, vectors = np.linalg.eigh(running.gram)
    size = np.sqrt(np.maximum(values, 0))
    # the largest singular value of a matrix of noise alone (Marchenko and Pastur)
    edge = np.sqrt(2) * sd * (np.sqrt(n_points - length) + np.sqrt(n_bins))
    keep = np.flatnonzero(size > max(edge, SMALLEST * float(size[-1])))
    keep = keep[-min(MAX_COMPONENTS, n_bins - 1) :]
    if not keep.size:
        return np.zeros(0, dtype=np.complex128)
    # the columns of y @ space are orthonormal; without the last row their products are the unit
    # matrix less a product of one column, whose inverse is known
    space = vectors[:, keep] / size[keep]
    advanced = running.phasor[:, None] * space
    last = (running.last @ space).conj()
    shifted = size[keep, None] ** 2 * (space.conj().T @ advanced)
    shifted -= last[:, None] * (running.last @ advanced)
    shifted += (running.entering @ space).conj()[:, None] * advanced.sum(axis=0)
    rest = max(1.0 - float(np.vdot(last, last).real), np.finfo(float).eps)
    shifted += last[:, None] * (last.conj() @ shifted) / rest
    poles = np.linalg.eigvals(shifted)
    poles = poles[np.abs(poles) > 1e-3]
    # none may grow, nor stand still: at a bin, its line would be 0 / 0
    return np.asarray(poles / np.maximum(np.abs(poles) / STEADY, 1.0))


class RunningTransform(NamedTuple):
    """What the poles need of the running transform y.

    Attributes
    ----------
    gram : complex128 array, shape (wave, wave)
        ``y^H y``.
    last : complex128 array, shape (wave,)
        The last row.
    entering : complex128 array, shape (wave,)
        Sum over the rows but the last of ``conj(d[i]) * y[i]``.
    phasor : complex128 array, shape (wave,)
        ``y[i + 1] = phasor * (y[i] + d[i])``, d being what enters a window minus what leaves.
    """

    gram: ComplexArray
    last: ComplexArray
    entering: ComplexArray
    phasor: ComplexArray


def running_transform(signal: ComplexArray, length: int, n_waves: int) -> RunningTransform:
    """Return products of the unitary transforms of all windows of a signal but the last.

    Parameters
    ----------
    signal : complex128 array, shape (point,)
        The signal.
    length : int
        Points of a window.
    n_waves : int
        Waves of -n_waves to n_waves periods in a window are looked at.

    Returns
    -------
    RunningTransform

    Notes
    -----
    The transforms are not written out. ``y^H y`` without the first row is that without the last
    row, each wave advanced by its phasor, and sums of d with y, which are correlations of d with
    the signal. Off the diagonal it follows by a division; on it by going back from the last row,
    where little is left.
    """
    n_rows = len(signal) - length
    scaled = signal / np.sqrt(length)
    change = np.zeros((2, len(signal)), dtype=np.complex128)
    change[0, : n_rows - 1] = scaled[length:-1] - scaled[: n_rows - 1]
    change[1] = change[0] * np.arange(1, len(signal) + 1)
    energy, weighted_energy = (change.conj() @ change[0]).real
    correlated = scipy.fft.ifft(scipy.fft.fft(scaled) * scipy.fft.fft(change).conj())
    windows = np.stack([scaled[:length], scaled[n_rows - 1 : -1], *correlated[:, :length]])
    waves = np.arange(-n_waves, n_waves + 1)
    first, last, entering, weighted = scipy.fft.fft(windows)[:, waves]
    phasor = np.exp(2j * np.pi * waves / length)
    advance = phasor.conj()[:, None] * phasor
    np.fill_diagonal(advance, 0.0)
    gram = first.conj()[:, None] * first
    gram += advance * (entering.conj()[:, None] + entering + energy - last.conj()[:, None] * last)
    gram /= 1.0 - advance
    diagonal = n_rows * np.abs(last) ** 2 - 2 * weighted.real - weighted_energy
    np.fill_diagonal(gram, diagonal)
    return RunningTransform(gram=gram, last=last, entering=entering, phasor=phasor)
