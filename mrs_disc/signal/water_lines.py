"""How much water there is at each frequency of its band: narrow lines, weighed by evidence.

Water in a disc is a distribution of frequencies (the field over the voxel), each of which decays
with a T2 of 25 ms or more. So it is modelled as many narrow lines, at every frequency of the band,
of two widths; and as the poles that a state-space method found, where they are narrow. What is not
water lies outside the band, in lines of any width. Each amplitude is normal about zero with a
variance of its own, found by maximising the evidence (as in the relevance vector machine), which
neighbours of one width share. The other poles stand for what is not water, too.

Decision: not the poles alone, of any width and with free amplitudes. A few of them, 30 Hz wide and
of opposite signs, describe the top of a Gaussian line within the noise, and its foot wrongly: what
was subtracted exceeded a water of 20 times proteoglycan by one amplitude of proteoglycan, and took
it from 3.4 to 4.2 ppm. A line of bounded width has no foot that its top does not tell.

Sources: MacKay, Neural Comput 1992;4:415-447, doi:10.1162/neco.1992.4.3.415 (evidence of variances
and their fixed point); Tipping, J Mach Learn Res 2001;1:211-244 (a variance for each term).
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import scipy.fft
import scipy.linalg
from scipy.linalg.blas import zherk

from mrs_disc.signal.fit import kernel
from mrs_disc.typing import BoolArray, ComplexArray, FloatArray, IntArray

WATER_WIDTHS_HZ = (4.0, 12.0)
"""Widths of the lines of water: a T2 of 80 and 27 ms [proposed; discs have 31 to 210 ms]."""

WIDEST_HZ = 20.0
"""A pole that is wider is no line of water, but stands for several [proposed]."""

STEP_HZ = 4.0
"""From line to line of water."""

OTHERS_HZ = ((8.0, 8.0), (25.0, 16.0), (80.0, 30.0))
"""Width, and step from line to line, of what is not water: metabolites and their baseline."""

FARTHEST = 1.4
"""How far out the lines are modelled whose tails reach in / half width of what is modelled."""

SHARING = np.exp(-0.5 * np.arange(-3, 4) ** 2.0)
"""Weights with which neighbours share a variance: a line tells by itself hardly more than noise."""

N_ROUNDS = 12
"""Rounds of the fixed point."""

LEAST_VARIANCE, LEAST_DECIDED = 1e-3, 1e-3
"""Of a line, in units of the noise; and of what the data decide of its amplitude."""

EXACT = 1e-6
"""Least noise / root mean square of the band: beyond, rounding decides."""


class WaterLines(NamedTuple):
    """The damped sinusoids ``amplitude * exp(rate * n)`` that make up the water, n from 0.

    Attributes
    ----------
    rate, amplitude : complex128 arrays, shape (line,)
    """

    rate: ComplexArray
    amplitude: ComplexArray


class _Lines(NamedTuple):
    """Lines of the model, with their spectra over their norm.

    Of the Gram matrix, columns first, the lower triangle counts: that is all that a Cholesky factor
    reads.
    """

    pole: ComplexArray  # (line,)
    water: BoolArray  # (line,)
    scale: FloatArray  # (line,), the norms
    spectra: tuple[ComplexArray, ...]  # (bin, line) each, of some lines and of those behind them
    gram: ComplexArray  # (line, line)
    neighbours: FloatArray  # (line, line), weights with which lines share a variance


def water_lines(
    signal: ComplexArray,
    poles: ComplexArray,
    dwell_time_s: float,
    *,
    half_hz: float,
    reach_hz: float,
    sd: float,
) -> WaterLines:
    """Return the damped sinusoids that make up the water.

    Parameters
    ----------
    signal : complex128 array, shape (point,)
        FID with the middle of the water's band at frequency zero.
    poles : complex128 array, shape (pole,)
        Poles of the damped sinusoids that stand out of the noise.
    dwell_time_s : float
        Time from point to point, s.
    half_hz, reach_hz : float
        Half widths of the water's band and of the part of the spectrum that is modelled, Hz.
    sd : float
        Standard deviation of the noise of one real channel of the FID.

    Returns
    -------
    WaterLines
    """
    n_points = len(signal)
    frequency_hz = np.angle(poles) / (2 * np.pi * dwell_time_s)
    width_hz = -np.log(np.abs(poles)) / (np.pi * dwell_time_s)
    inside = np.abs(frequency_hz) <= half_hz
    narrow = inside & (width_hz <= WIDEST_HZ)
    bins = _bins(n_points, dwell_time_s, reach_hz)
    hz = bins / (n_points * dwell_time_s)
    spectrum = scipy.fft.fft(signal, norm="ortho")[bins]
    noise = 2 * max(sd, EXACT * float(np.sqrt(np.mean(np.abs(spectrum) ** 2)))) ** 2
    everywhere = _everywhere(n_points, dwell_time_s, half_hz, reach_hz)
    lines = _with_poles(everywhere, poles[narrow], poles[~inside], bins, n_points)
    amplitude = _amplitudes(lines, spectrum, hz, noise, half_hz)
    return WaterLines(np.log(lines.pole[lines.water]), amplitude[lines.water])


@lru_cache(maxsize=2)
def _everywhere(n_points: int, dwell_time_s: float, half_hz: float, reach_hz: float) -> _Lines:
    """Return the lines at every frequency, the same for all FIDs of one protocol."""
    n_water = max(int(2 * half_hz / STEP_HZ), 1)
    within = STEP_HZ * (np.arange(n_water) - 0.5 * (n_water - 1))
    families = [(within, width) for width in WATER_WIDTHS_HZ]
    for width, step in OTHERS_HZ:
        n_steps = int(FARTHEST * reach_hz / step)
        every = step * np.arange(-n_steps, n_steps + 1)
        families.append((every[np.abs(every) > half_hz + 0.5 * width], width))
    made = [np.exp((2j * np.pi * hz - np.pi * width) * dwell_time_s) for hz, width in families]
    group = np.repeat(np.arange(len(made)), [len(poles) for poles in made])
    poles = np.concatenate(made)
    unit, scale = _spectra(poles, _bins(n_points, dwell_time_s, reach_hz), n_points)
    gram = zherk(1.0, unit.T, lower=1).conj()
    neighbours, water = _neighbours(group), group < len(WATER_WIDTHS_HZ)
    for array in (poles, water, scale, unit, gram, neighbours):
        array.flags.writeable = False
    return _Lines(poles, water, scale, (unit,), gram, neighbours)


def _with_poles(
    lines: _Lines, narrow: ComplexArray, outside: ComplexArray, bins: IntArray, n_points: int
) -> _Lines:
    """Return the lines with those that a state-space method found: water, and what is none."""
    n, poles = len(lines.pole), np.concatenate([narrow, outside])
    unit, scale = _spectra(poles, bins, n_points)
    n_lines = n + len(poles)
    gram = np.zeros((n_lines, n_lines), dtype=np.complex128, order="F")
    gram[:n, :n] = lines.gram
    gram[n:, :n] = unit.conj().T @ lines.spectra[0]
    gram[n:, n:] = unit.conj().T @ unit
    neighbours = np.eye(n_lines)
    neighbours[:n, :n] = lines.neighbours
    return _Lines(
        pole=np.concatenate([lines.pole, poles]),
        water=np.concatenate([lines.water, np.arange(len(poles)) < len(narrow)]),
        scale=np.concatenate([lines.scale, scale]),
        spectra=(*lines.spectra, unit),
        gram=gram,
        neighbours=neighbours,
    )


def _bins(n_points: int, dwell_time_s: float, reach_hz: float) -> IntArray:
    """Return the bins of a spectrum that are modelled, about frequency zero."""
    n_bins = int(np.ceil(reach_hz * n_points * dwell_time_s))
    return np.arange(-n_bins, n_bins + 1)


def _spectra(poles: ComplexArray, bins: IntArray, n_points: int) -> tuple[ComplexArray, FloatArray]:
    """Return the spectra of damped sinusoids over their norms, (bin, line), and the norms.

    Each is a geometric sum.
    """
    wave = np.exp(-2j * np.pi * bins / n_points)
    shapes = (1 - poles**n_points) / (1 - wave[:, None] * poles) / np.sqrt(n_points)
    scale = np.linalg.norm(shapes, axis=0)
    return shapes / scale, scale


def _amplitudes(
    lines: _Lines, spectrum: ComplexArray, hz: FloatArray, noise: float, half_hz: float
) -> ComplexArray:
    """Return the posterior means of the amplitudes, their variances by the fixed point."""
    # all in units of the noise from here
    told = np.concatenate([spectrum.conj() @ one for one in lines.spectra]).conj() / np.sqrt(noise)
    power = np.abs(spectrum) ** 2
    beyond = power[np.abs(hz) > 2 * half_hz]
    variance = np.full(len(told), float(np.median(beyond if len(beyond) else power)))
    variance[lines.water] = float(power[np.abs(hz) <= half_hz].mean())
    variance = np.maximum(variance / noise, LEAST_VARIANCE)
    mean = _fixed_point(lines.gram, told, lines.neighbours, variance)
    return np.asarray(mean * np.sqrt(noise) / lines.scale)


def _fixed_point(
    gram: ComplexArray, told: ComplexArray, neighbours: FloatArray, variance: FloatArray
) -> ComplexArray:
    """Return the posterior means of the amplitudes after `N_ROUNDS` rounds, from first variances.

    `kernel_water.c` does the same; of `gram`, columns first as LAPACK wants it, the lower triangle
    counts.
    """
    library = kernel.library()
    if library is not None:
        found, last = np.empty(len(told), dtype=np.complex128), variance.copy()
        limits = np.array([LEAST_VARIANCE, LEAST_DECIDED])
        arrays = (gram, told, neighbours, limits, last, found)
        addresses = (array.ctypes.data for array in arrays)
        if not library.mrs_disc_water_amplitudes(len(told), N_ROUNDS, *addresses):
            return found
    return _fixed_point_plainly(gram, told, neighbours, variance)


def _fixed_point_plainly(
    gram: ComplexArray, told: ComplexArray, neighbours: FloatArray, variance: FloatArray
) -> ComplexArray:
    """Return the same, with NumPy."""
    for _ in range(N_ROUNDS - 1):
        root, factor = _factor(gram, variance)
        inverse = scipy.linalg.lapack.ztrtri(factor, lower=1, overwrite_c=1)[0]
        mean = root * ((inverse @ (root * told)).conj() @ inverse).conj()
        # how much of an amplitude the data decide, not its variance
        columns = np.ascontiguousarray(inverse.T).view(np.float64)
        decided = np.clip(1 - np.einsum("ij,ij->i", columns, columns), LEAST_DECIDED, 1.0)
        # power over what is decided, of neighbours together
        power = mean.real**2 + mean.imag**2
        variance = np.maximum((neighbours @ power) / (neighbours @ decided), LEAST_VARIANCE)
    root, factor = _factor(gram, variance)
    return np.asarray(root * scipy.linalg.cho_solve((factor, True), root * told))


def _factor(gram: ComplexArray, variance: FloatArray) -> tuple[FloatArray, ComplexArray]:
    """Return the root of the variances, and the lower factor of 1 + root gram root."""
    root = np.sqrt(variance)
    matrix = np.asfortranarray(gram * np.outer(root, root))
    matrix.T.ravel()[:: len(root) + 1] += 1
    lower = scipy.linalg.cholesky(matrix, lower=True, overwrite_a=True, check_finite=False)
    return root, lower


def _neighbours(group: IntArray) -> FloatArray:
    """Return the weights with which lines share a variance, shape (line, line)."""
    weights = np.eye(len(group))
    reach = len(SHARING) // 2
    for number in range(int(group.max()) + 1):
        of_group = np.flatnonzero(group == number)
        apart = np.abs(np.subtract.outer(np.arange(len(of_group)), np.arange(len(of_group))))
        near = np.where(apart <= reach, SHARING[np.minimum(reach + apart, 2 * reach)], 0.0)
        weights[np.ix_(of_group, of_group)] = near
    return weights
