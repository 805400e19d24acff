"""Robust statistics of values in series, and what of a power stands clear of its noise.

Source of the local lines: Cleveland, J Am Stat Assoc 1979;74:829-836,
doi:10.1080/01621459.1979.10481038.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from mrs_disc.signal.noise import median
from mrs_disc.typing import ComplexArray, FloatArray, IntArray

TINY = 1e-300
"""Keeps quotients finite where a series is zero throughout; nothing measured is so small."""


def deviation(values: FloatArray, centre: float | None = None) -> float:
    """Return the standard deviation of normal values with this median absolute deviation.

    It is taken about the median, unless a centre is given.

    >>> round(deviation(np.array([1.0, 2.0, 3.0, 4.0, 1e6])), 4)
    1.4826
    """
    about = median(values) if centre is None else centre
    return 1.4826 * float(median(np.abs(values - about)))


def clamped(squares: FloatArray) -> FloatArray:
    """Return weights by which no square counts for more than three median squares."""
    return np.minimum(1.0, 3 * median(squares) / np.maximum(squares, TINY))


def square_sums(rows: ComplexArray) -> FloatArray:
    """Return the square sums of rows, shape (row,)."""
    parts = np.ascontiguousarray(rows).view(rows.real.dtype)
    return np.asarray(np.einsum("ij,ij->i", parts, parts))


def robust_mean(rows: ComplexArray) -> ComplexArray:
    """Return the mean of rows with distant ones drawn in, shape (column,).

    Unlike a median of real and imaginary parts, it follows a common phase of the rows.
    """
    mean: ComplexArray = rows.mean(axis=0)
    for _ in range(4):
        distance = np.sqrt(square_sums(rows - mean))
        weight = np.minimum(1.0, median(distance) / np.maximum(distance, TINY)) ** 2
        mean = (weight @ rows) / max(float(weight.sum()), TINY)
    return mean


def clamped_covariance(rows: ComplexArray) -> ComplexArray:
    """Return the covariance of rows about their robust mean, distant rows drawn in.

    Parameters
    ----------
    rows : complex array, shape (row, column)
        Values that scatter about a mean.

    Returns
    -------
    complex array, shape (column, column)
        ``E[a a^H]`` of the departures ``a``, weighted as by `clamped`.
    """
    departure = rows - robust_mean(rows)
    weight = clamped(square_sums(departure))
    scatter: ComplexArray = (departure.T * weight) @ departure.conj()
    return scatter / max(float(weight.sum()), TINY)


def robust_variance(values: FloatArray) -> float:
    """Return the variance, with values beyond three deviations drawn in."""
    departure = values - median(values)
    for _ in range(3):
        limit = 3 * deviation(departure, 0.0)
        departure = np.clip(departure, -limit, limit)
        departure = departure - departure.mean()
    # normal values lose 1.4 % of their variance by the clipping
    return float(np.mean(departure**2)) / 0.986


def smooth_course(values: FloatArray, sd: FloatArray, bandwidth: float | None = None) -> FloatArray:
    """Return a smooth course through values in series: local lines, robust against outliers.

    Parameters
    ----------
    values : float array, shape (transient,)
        Measured values, equally spaced.
    sd : float array, shape (transient,)
        Their standard deviations; infinite where nothing is known.
    bandwidth : float, optional
        Standard deviation of the Gaussian kernel in transients; default a quarter of the series,
        at least 2.

    Returns
    -------
    float array, shape (transient,)
    """
    n = len(values)
    if n < 3:
        return np.full(n, float(median(values)) if n else 0.0)
    course: FloatArray = np.zeros(n)
    known = np.isfinite(sd)
    if not known.any():
        return course
    position = np.arange(n, dtype=float)
    width = max(n / 4, 2.0) if bandwidth is None else bandwidth
    distance = position[None, :] - position[:, None]
    kernel = np.exp(-0.5 * (distance / width) ** 2)
    # the typical variance is added: no value rules its surroundings because it claims to be exact
    typical = float(median(sd[known]))
    trust = np.where(known, 1 / (np.where(known, sd, 1.0) ** 2 + typical**2 + 1e-30), 0.0)
    biweight = np.ones(n)
    for _ in range(4):
        # at each transient, a weighted line by its normal equations; its value there is the course
        weight = kernel * (trust * biweight)
        s0, s1, s2 = weight.sum(1), (weight * distance).sum(1), (weight * distance**2).sum(1)
        v0, v1 = weight @ values, (weight * distance) @ values
        # where a single value has weight, the ridge makes the line a constant
        ridge = 1e-9 * s0 * width**2 + TINY
        course = (v0 * (s2 + ridge) - v1 * s1) / (s0 * (s2 + ridge) - s1**2 + TINY)
        residual = values - course
        spread = deviation(residual[known], 0.0)
        if spread == 0:
            break
        biweight = np.maximum(1 - (residual / (4.7 * spread)) ** 2, 0) ** 2
    return course


def power_above_noise(
    power: FloatArray,
    noise: float,
    *,
    n_blocks: int,
    deviations: float,
    n_averaged: int = 1,
    gaps: bool = False,
) -> FloatArray:
    """Return what of a power in time is signal, constant in blocks that grow with time.

    Parameters
    ----------
    power : float array, shape (sample,)
        Squared magnitude of a signal that decays.
    noise : float
        Its expectation where there is noise alone.
    n_blocks : int
        Number of blocks, their ends in geometric progression.
    deviations : float
        A block is clear of chance above this many standard deviations of its mean.
    n_averaged : int
        How many independent powers were averaged, each exponential in noise.
    gaps : bool
        Whether a block that is not clear is zero though a later one is clear. Otherwise the signal
        ends with the last clear block: late noise, whose phase runs fast, claims no knowledge.

    Returns
    -------
    float array, shape (sample,)
        Divided by itself plus the noise it gives the Wiener weights of the signal.
    """
    first, size = _growing_blocks(len(power), n_blocks)
    excess = np.add.reduceat(power, first) / size - noise
    clear = excess > deviations * noise / np.sqrt(n_averaged * size)
    if gaps:
        excess[~clear] = 0
    else:
        last = np.flatnonzero(clear)
        excess[last[-1] + 1 if len(last) else 0 :] = 0
    return np.repeat(np.maximum(excess, 0), size)


@lru_cache(maxsize=64)
def _growing_blocks(n_points: int, n_blocks: int) -> tuple[IntArray, IntArray]:
    """Return first points and sizes of blocks whose ends are in geometric progression."""
    ends = np.unique(np.geomspace(1, n_points, n_blocks).round().astype(np.int64))
    first = np.concatenate([[0], ends[:-1]])
    size = ends - first
    for array in (first, size):
        array.flags.writeable = False
    return first, size
