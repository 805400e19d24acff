"""How good probabilities are: area under the ROC curve, shares with intervals, reliability bins.

It stands this low because validation and calibration, which are neighbours, both need it.

Refused: scikit-learn for ROC curve and Brier score. Folds, resamples and bands go by patient,
whose discs are alike, which it does not; and a validation needs no extra.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

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


RELIABILITY_EDGES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
_Z95_OF_FIVE = 2.575829
"""Of the two-sided 1 % level: 95 % for all five points of the curve together (Bonferroni)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bin:
    """Discs whose probability lies in a range, and the interval of their painful share."""

    low: float
    high: float
    n: int
    mean_probability: float
    share_painful: float
    low_95: float
    high_95: float

    @property
    def holds(self) -> bool:
        """Whether the mean probability lies in the interval of the painful share."""
        return self.n == 0 or self.low_95 <= self.mean_probability <= self.high_95


def reliability_bins(
    probability: FloatArray, painful: BoolArray, patient: IntArray
) -> tuple[Bin, ...]:
    """Return whether probabilities mean what they say: a point for each fifth, with a band.

    Parameters
    ----------
    probability : float array, shape (disc,)
        As the score states it.
    painful : bool array, shape (disc,)
        The truth.
    patient : int array, shape (disc,)
        Whose disc it is.

    Notes
    -----
    The band holds with 95 % for all five points together and counts discs of one patient as far as
    they are alike. How alike is asked once for the whole curve: by how much the residuals that a
    patient has in one bin add up faster than those of strangers. Refused: to ask it bin by bin. A
    bin with discs of few patients, all painful or none, shows no scatter at all; exactly calibrated
    patients whose discs are all of one kind then left the band in half of the runs, where one in
    twenty may.
    """
    place = np.digitize(probability, RELIABILITY_EDGES[1:-1])
    n = np.bincount(place, minlength=len(RELIABILITY_EDGES) - 1)
    residual = painful - probability
    own = np.bincount(place, weights=residual, minlength=n.size) / np.maximum(n, 1)
    # About the bin's own mean: what is wrong with the curve is no likeness of a patient's discs.
    alike = design_effect(residual - own[place], patient * n.size + place)
    return tuple(
        _bin(probability[place == k], painful[place == k], low, high, alike, _Z95_OF_FIVE)
        for k, (low, high) in enumerate(pairwise(RELIABILITY_EDGES))
    )


def equal_bins(probability: FloatArray, painful: BoolArray, count: int = 8) -> tuple[Bin, ...]:
    """Return bins of about as many discs each, at least eight, with Wilson's 95 % interval."""
    order = np.argsort(probability, kind="stable")
    parts = np.array_split(order, min(count, max(order.size // 8, 1)))
    limits = [(float(probability[rows[0]]), float(probability[rows[-1]])) for rows in parts]
    return tuple(
        _bin(probability[rows], painful[rows], *ends)
        for rows, ends in zip(parts, limits, strict=True)
    )


def _bin(
    probability: FloatArray,
    painful: BoolArray,
    low: float,
    high: float,
    alike: float = 1.0,
    z: float = Z95,
) -> Bin:
    n = probability.size
    share = float(painful.mean()) if n else float("nan")
    low_95, high_95 = wilson_interval(share, n / alike, z)
    return Bin(
        low=low,
        high=high,
        n=n,
        mean_probability=float(probability.mean()) if n else float("nan"),
        share_painful=share,
        low_95=low_95,
        high_95=high_95,
    )
