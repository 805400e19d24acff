"""Shares and their intervals: the area under the ROC curve, design effect, Wilson's interval.

It stands this low because validation and calibration, which are neighbours, both need it.
"""

from __future__ import annotations

import numpy as np

from mrs_disc.constants import Z95
from mrs_disc.typing import BoolArray, FloatArray, IntArray


def area_under_curve(value: FloatArray, positive: BoolArray) -> float:
    """Return the chance that a positive has the larger value, ties counting half.

    NaN where all are positive, or none.

    >>> area_under_curve(np.array([1.0, 2.0, 2.0, 3.0]), np.array([False, False, True, True]))
    0.875
    """
    n = int(positive.sum())
    if n in (0, value.size):
        return float("nan")
    ordered = np.sort(value)
    first = np.searchsorted(ordered, value, side="left")
    last = np.searchsorted(ordered, value, side="right")
    rank = (first + last + 1) / 2
    return float((rank[positive].sum() - n * (n + 1) / 2) / (n * (value.size - n)))


def design_effect(residual: FloatArray, cluster: IntArray) -> float:
    """Return by how much clusters widen the variance of a sum of residuals; at least 1.

    >>> design_effect(np.array([0.5, 0.5, -0.5, -0.5]), np.array([1, 1, 2, 2]))
    2.0
    """
    alone = residual @ residual
    if alone == 0:
        return 1.0
    sums = np.bincount(np.unique(cluster, return_inverse=True)[1], weights=residual)
    return max(float(sums @ sums / alone), 1.0)


def wilson_interval(share: float, n: float, z: float = Z95) -> tuple[float, float]:
    """Return the interval of a share seen in n cases, by default of 95 %.

    Source: Wilson, J Am Stat Assoc 1927;22:209.

    >>> low, high = wilson_interval(0.5, 10)
    >>> round(low, 3), round(high, 3)
    (0.237, 0.763)
    """
    if n == 0:
        return 0.0, 1.0
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z * np.sqrt(share * (1 - share) / n + z * z / (4 * n**2)) / (1 + z * z / n)
    return max(float(centre - half), 0.0), min(float(centre + half), 1.0)
