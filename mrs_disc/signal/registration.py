"""Registration of short time signals to their own mean: frequency and phase of each.

Where the amplitude is free, least squares of ``exp(1j*(phase + 2*pi*frequency*t)) * reference``
is the highest point of the periodogram of ``signal * conj(reference)``. So the frequency comes
from a coarse grid over the whole range (no local minimum) and Newton steps, for all signals at
once. A part of the spectrum is cut out first, which also thins it out in time.

The reference is a weighted mean of the aligned signals. It starts from the first eigenvector of
their Gram matrix, which does not care for phases, leaves out the signal that is compared, and is
shaped by its own signal-to-noise ratio.

Source: Near et al., Magn Reson Med 2015;73:44-50, doi:10.1002/mrm.25094 (spectral registration).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.fft

from mrs_disc.typing import ComplexArray, FloatArray

MIN_ENERGY = 14.0
"""Matched-filter energy (signal / complex noise variance) below which a periodogram's highest
point is often a noise peak: the threshold of frequency estimation."""

EDGE_HZ = 15.0
"""Taper at the edges of a window."""

LATEST_S = 0.3
"""Nothing is registered on what comes later: lines of 4 Hz have fallen to 2 % by then."""

JITTER_PRIOR_HZ = 10.0
"""A transient's frequency lies this near the series' course, unless it says otherwise."""


@dataclass(frozen=True, slots=True)
class Band:
    """Part of the spectrum as decimated time signals, noise variance 1 a complex point."""

    signal: ComplexArray  # (transient, sample)
    time: FloatArray  # (sample,), s


@dataclass(frozen=True, slots=True)
class Found:
    """Frequency and phase of each transient, with the inverse covariance."""

    frequency: FloatArray
    phase: FloatArray
    information: FloatArray  # (transient, 2, 2) of phase and 2 pi frequency
    energy: float


def thinned(spectra: ComplexArray, duration_s: float) -> Band:
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
    band: Band, max_shift_hz: float, *, n_rounds: int = 3, start: Found | None = None
) -> Found:
    """Register all transients of one band to their own common reference.

    Parameters
    ----------
    band : Band
        What is registered, in units of its noise.
    max_shift_hz : float
        Largest frequency looked for, to either side.
    n_rounds : int
        How often the reference is made anew from the aligned transients.
    start : Found, optional
        Frequencies and phases to begin with.

    Returns
    -------
    Found
    """
    x, time = band.signal, band.time
    n_transients = len(x)
    norm = np.sqrt(np.sum(np.abs(x) ** 2, axis=1))
    typical = float(np.median(norm))
    clamp = np.minimum(1.0, 1.5 * typical / np.maximum(norm, 1e-300))
    frequency = np.zeros(n_transients)
    if start is None:
        phase = _first_phases(x * clamp[:, None])
    else:
        frequency, phase = start.frequency, start.phase
    weight = clamp
    found = Found(frequency, phase, np.zeros((n_transients, 2, 2)), 0.0)
    for _ in range(n_rounds):
        turned = x * np.exp(-1j * (phase[:, None] + 2 * np.pi * frequency[:, None] * time))
        total = weight @ turned
        mean = total / max(float(weight.sum()), 1e-300)
        noise = max(float(np.sum(weight**2) / max(weight.sum() ** 2, 1e-300)), 1e-300)
        shape, power = shape_of(mean, noise)
        keep = shape > 1e-3
        if not keep.any():
            return found
        # the reference of each transient leaves this transient out
        others = (total[keep] - weight[:, None] * turned[:, keep]) / (
            np.maximum(weight.sum() - weight[:, None], 1e-300)
        )
        product = x[:, keep] * np.conj(others * shape[keep])
        frequency, phase, height = _highest_points(product, time[keep], max_shift_hz)
        information = _information(power, time)
        # a transient that holds little of the reference tells as little more
        part = np.minimum(height / max(float(np.median(height)), 1e-300), 1.0) ** 2
        found = Found(
            frequency, phase, part[:, None, None] * information, float(information[0, 0] / 2)
        )
        weight = clamp * likeness(turned[:, keep], mean[keep] * shape[keep])
    return found


def _first_phases(x: ComplexArray) -> FloatArray:
    """Phases of the transients against their first principal component, or zero.

    Where the transients agree well, the mean is the better start at low signal-to-noise ratio.
    """
    gram = x @ x.conj().T
    first = np.linalg.eigh(gram)[1][:, -1]
    together = np.abs(first.sum()) / np.sqrt(len(first))
    in_mean = float(np.real(np.sum(gram)))
    in_first = float(np.real(first.conj() @ gram @ first)) * len(first)
    if in_mean > 0.7 * in_first or together > 0.9:
        return np.zeros(len(x))
    return np.asarray(np.angle(first * np.exp(-1j * np.angle(first.sum()))))


def shape_of(mean: ComplexArray, noise: float) -> tuple[FloatArray, FloatArray]:
    """Return Wiener weights in time of a mean transient, and its power without noise.

    Parameters
    ----------
    mean : complex array, shape (sample,)
        Mean of aligned transients.
    noise : float
        Its noise variance, a complex sample.

    Notes
    -----
    Power is judged in blocks that grow with time; the signal ends with the last block that is
    above chance, so that late noise, which turns fast, claims no knowledge of frequency.
    """
    power = np.abs(mean) ** 2
    edges = np.unique(np.geomspace(1, len(power), 32).round().astype(int))
    edges = np.concatenate([[0], edges])
    size = np.diff(edges)
    excess = np.add.reduceat(power, edges[:-1]) / size - noise
    clear = np.flatnonzero(excess > 4 * noise / np.sqrt(size))
    excess[clear[-1] + 1 if len(clear) else 0 :] = 0
    excess = np.maximum(excess, 0)
    clean = np.repeat(excess, size)
    return clean / (clean + noise), clean


def _highest_points(
    product: ComplexArray,
    time: FloatArray,
    max_shift_hz: float,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Frequency, phase and height of the highest point of each periodogram.

    The frequency is weakly drawn to zero.
    """
    span = float(np.sqrt(np.average(time**2, weights=np.abs(product).mean(axis=0) + 1e-300)))
    step = min(max(1 / (16 * max(span, 1e-4)), max_shift_hz / 200), max_shift_hz / 8)
    grid = np.arange(-max_shift_hz, max_shift_hz + step / 2, step)
    height = np.abs(product @ np.exp(-2j * np.pi * np.outer(time, grid)))
    penalty = 0.5 * (grid / JITTER_PRIOR_HZ) ** 2
    frequency = grid[np.argmax(2 * height - penalty, axis=1)]
    turning = 2j * np.pi * time
    for _ in range(4):
        turned = product * np.exp(-turning * frequency[:, None])
        c0 = turned.sum(axis=1)
        c1 = -(turned @ turning)
        c2 = turned @ turning**2
        size = np.maximum(np.abs(c0), 1e-300)
        slope = 2 * np.real(np.conj(c0) * c1) / size - frequency / JITTER_PRIOR_HZ**2
        bend = (
            2 * (np.abs(c1) ** 2 + np.real(np.conj(c0) * c2)) / size
            - 2 * np.real(np.conj(c0) * c1) ** 2 / size**3
            - 1 / JITTER_PRIOR_HZ**2
        )
        move = np.where(bend < 0, -slope / np.where(bend < 0, bend, -1.0), 0.0)
        frequency = np.clip(frequency + np.clip(move, -step, step), -max_shift_hz, max_shift_hz)
    c0 = np.sum(product * np.exp(-turning * frequency[:, None]), axis=1)
    return frequency, np.angle(c0), np.abs(c0)


def _information(power: FloatArray, time: FloatArray) -> FloatArray:
    """Fisher information of phase and 2 pi frequency, noise variance 1 a complex point."""
    m0, m1, m2 = power.sum(), power @ time, power @ time**2
    return 2 * np.array([[m0, m1], [m1, m2]])


def likeness(turned: ComplexArray, mean: ComplexArray) -> FloatArray:
    """Return the weight of each transient in the reference: 1 where it is like the others.

    Parameters
    ----------
    turned : complex array, shape (transient, sample)
        Aligned transients.
    mean : complex array, shape (sample,)
        Their mean.

    Returns
    -------
    float array, shape (transient,)
        Towards 0 the less a transient is like the others in amplitude and residual.
    """
    part = np.real(turned @ mean.conj()) / max(float(np.sum(np.abs(mean) ** 2)), 1e-300)
    middle = float(np.median(part))
    spread = max(1.4826 * float(np.median(np.abs(part - middle))), 1e-12)
    residual = np.sum(np.abs(turned - part[:, None] * mean) ** 2, axis=1)
    centre = float(np.median(residual))
    residual_spread = max(
        1.4826 * float(np.median(np.abs(residual - centre))), 1e-12 * centre, 1e-300
    )
    away = np.maximum(np.abs(part - middle) / spread, (residual - centre) / residual_spread)
    likeness = np.minimum(1.0, 3.0 / np.maximum(away, 3.0)) ** 2
    return np.asarray(np.where(part > 0, likeness, 0.1 * likeness))


def inverse(information: FloatArray) -> FloatArray:
    """Return the covariance of phase and 2 pi frequency; very large where nothing is known.

    Parameters
    ----------
    information : float array, shape (transient, 2, 2)
        Fisher information, as in `Found`.
    """
    scale = np.array([1.0, 2 * np.pi * 0.05])
    ridge = np.diag(1 / (np.array([10.0, 2 * np.pi * 50.0])) ** 2)
    scaled = (information + ridge) * np.outer(scale, scale)
    return np.asarray(np.linalg.inv(scaled) * np.outer(scale, scale))
