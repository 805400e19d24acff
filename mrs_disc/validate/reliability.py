"""Whether probabilities mean what they say: the reliability curve and its band.

The curve has five points, one for each fifth of the probability. Its band holds with 95 % for all
five together (Bonferroni: 99 % each) and counts discs of one patient as far as they are alike.

How alike is asked once for the whole curve: by how much the residuals that a patient has in one
bin add up faster than those of strangers. Refused: to ask it bin by bin. A bin with discs of few
patients, all painful or none, shows no scatter at all; exactly calibrated patients whose discs are
all of one kind then left the band in half of the runs, where one in twenty may.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from mrs_disc.shares import design_effect, wilson_interval
from mrs_disc.typing import BoolArray, FloatArray, IntArray

_EDGES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
_Z95_OF_FIVE = 2.575829
"""Of the two-sided 1 % level: 95 % for all five points of the curve together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bin:
    """Discs whose probability lies in a range, and the band of their painful share."""

    low: float
    high: float
    n: int
    mean_probability: float
    share_painful: float
    low_95: float
    high_95: float

    @property
    def holds(self) -> bool:
        """Whether the mean probability lies in the band of the painful share."""
        return self.n == 0 or self.low_95 <= self.mean_probability <= self.high_95


def reliability_bins(
    probability: FloatArray, painful: BoolArray, patient: IntArray
) -> tuple[Bin, ...]:
    """Return the reliability curve with its band.

    Parameters
    ----------
    probability : float array, shape (disc,)
        As the score states it.
    painful : bool array, shape (disc,)
        The truth.
    patient : int array, shape (disc,)
        Whose disc it is.
    """
    place = np.digitize(probability, _EDGES[1:-1])
    n = np.bincount(place, minlength=len(_EDGES) - 1)
    residual = painful - probability
    own = np.bincount(place, weights=residual, minlength=n.size) / np.maximum(n, 1)
    # About the bin's own mean: what is wrong with the curve is no likeness of a patient's discs.
    alike = design_effect(residual - own[place], patient * n.size + place)
    bins = []
    for index, (low, high) in enumerate(pairwise(_EDGES)):
        inside = place == index
        share = float(painful[inside].mean()) if n[index] else float("nan")
        low_95, high_95 = wilson_interval(share, n[index] / alike, _Z95_OF_FIVE)
        bins.append(
            Bin(
                low=low,
                high=high,
                n=int(n[index]),
                mean_probability=float(probability[inside].mean()) if n[index] else float("nan"),
                share_painful=share,
                low_95=low_95,
                high_95=high_95,
            )
        )
    return tuple(bins)
