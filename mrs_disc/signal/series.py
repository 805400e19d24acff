"""Robust statistics of values in series: a mean, a variance, a smooth course.

Source of the local lines: Cleveland, J Am Stat Assoc 1979;74:829-836,
doi:10.1080/01621459.1979.10481038.
"""

from __future__ import annotations

import numpy as np

from mrs_disc.typing import ComplexArray, FloatArray


def robust_mean(rows: ComplexArray) -> ComplexArray:
    """Return the mean of rows with distant ones drawn in, shape (column,).

    Unlike a median of real and imaginary parts, it turns with the phase of the rows.
    """
    weight = np.ones(len(rows))
    middle: ComplexArray = rows.mean(axis=0)
    for _ in range(4):
        distance = np.sqrt(np.sum(np.abs(rows - middle) ** 2, axis=1))
        weight = np.minimum(1.0, np.median(distance) / np.maximum(distance, 1e-300)) ** 2
        middle = (weight @ rows) / max(float(weight.sum()), 1e-300)
    return middle


def clamped_covariance(rows: ComplexArray) -> tuple[ComplexArray, ComplexArray]:
    """Return the middle of rows and their covariance about it, distant rows drawn in.

    Parameters
    ----------
    rows : complex array, shape (row, column)
        Values that scatter about a middle.

    Returns
    -------
    middle : complex array, shape (column,)
    covariance : complex array, shape (column, column)
        ``E[a a^H]`` of the departures ``a``; one row counts for three median squares at most.
    """
    middle = robust_mean(rows)
    away = rows - middle
    size = np.sum(np.abs(away) ** 2, axis=1)
    clamp = np.minimum(1.0, 3 * np.median(size) / np.maximum(size, 1e-300))
    return middle, (away.T * clamp) @ away.conj() / max(float(clamp.sum()), 1e-300)


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
        return np.full(n, float(np.median(values)) if n else 0.0)
    place = np.arange(n, dtype=float)
    width = max(n / 4, 2.0) if bandwidth is None else bandwidth
    distance = place[None, :] - place[:, None]
    kernel = np.exp(-0.5 * (distance / width) ** 2)
    known = np.isfinite(sd)
    floor = float(np.median(sd[known])) if known.any() else 1.0
    trust = np.where(known, 1 / (np.where(known, sd, 1.0) ** 2 + floor**2 + 1e-30), 0.0)
    robust = np.ones(n)
    course = np.full(n, float(np.median(values[known])) if known.any() else 0.0)
    for _ in range(4):
        weight = kernel * (trust * robust)
        s0, s1, s2 = weight.sum(1), (weight * distance).sum(1), (weight * distance**2).sum(1)
        v0, v1 = weight @ values, (weight * distance) @ values
        ridge = 1e-9 * s0 * width**2 + 1e-300
        course = (v0 * (s2 + ridge) - v1 * s1) / (s0 * (s2 + ridge) - s1**2 + 1e-300)
        residual = values - course
        spread = 1.4826 * float(np.median(np.abs(residual[known]))) if known.any() else 0.0
        if spread == 0:
            break
        robust = np.maximum(1 - (residual / (4.7 * spread)) ** 2, 0) ** 2
    return course


def robust_variance(values: FloatArray) -> float:
    """Return the variance, with values beyond three deviations drawn in."""
    away = values - np.median(values)
    for _ in range(3):
        spread = 1.4826 * float(np.median(np.abs(away)))
        away = np.clip(away, -3 * spread, 3 * spread)
        away = away - away.mean()
    return float(np.mean(away**2)) / 0.986
