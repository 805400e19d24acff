"""Area under the ROC curve of values some of which are upper limits, with its interval.

A pair of a painful and a painless disc counts one where the painful one has the larger value, one
half where they tie, and one half where a limit leaves open which is larger (Gehan's score).

Sources: DeLong, DeLong and Clarke-Pearson, Biometrics 1988;44:837-845 (variance by placements);
Obuchowski, Biometrics 1997;53:567-578 (the same for several discs of a patient); Gehan, Biometrika
1965;52:203-223 (pairs with limits).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mrs_disc.constants import Z95
from mrs_disc.typing import BoolArray, FloatArray, IntArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Area:
    """An area under the curve; variances count discs as strangers, and by patient."""

    value: float
    variance: float
    variance_by_patient: float

    def interval(self, *, by_patient: bool = False) -> tuple[float, float] | None:
        """Return the 95 % interval within 0 and 1; `None` where the variance is zero."""
        variance = self.variance_by_patient if by_patient else self.variance
        if not variance > 1e-12:
            return None
        half = Z95 * float(np.sqrt(variance))
        return max(self.value - half, 0.0), min(self.value + half, 1.0)


def area(value: FloatArray, upper: BoolArray, positive: BoolArray, patient: IntArray) -> Area:
    """Return the area under the ROC curve, larger values speaking for positive.

    Parameters
    ----------
    value : float array, shape (n,)
        Values, and where `upper` the limit that the value lies below.
    upper, positive : bool array, shape (n,)
        At least two positive and two negative.
    patient : int array, shape (n,)
        Whose disc it is.
    """
    score = _compared(value[positive], upper[positive], value[~positive], upper[~positive])
    m, n = score.shape
    total = float(score.mean())
    of_positive, of_negative = score.mean(axis=1) - total, score.mean(axis=0) - total
    variance = of_positive @ of_positive / (m * (m - 1)) + of_negative @ of_negative / (n * (n - 1))
    place = np.unique(patient, return_inverse=True)[1]
    count = int(place.max()) + 1
    up = np.bincount(place[positive], weights=of_positive, minlength=count)
    down = np.bincount(place[~positive], weights=of_negative, minlength=count)
    n_up, n_down = np.unique(place[positive]).size, np.unique(place[~positive]).size
    clustered = float("nan")
    if min(n_up, n_down) > 1:
        clustered = (
            n_up / (n_up - 1) * float(up @ up) / m**2
            + n_down / (n_down - 1) * float(down @ down) / n**2
            + 2 * count / (count - 1) * float(up @ down) / (m * n)
        )
    return Area(value=total, variance=float(variance), variance_by_patient=clustered)


def _compared(a: FloatArray, a_upper: BoolArray, b: FloatArray, b_upper: BoolArray) -> FloatArray:
    """Return 1 where a is larger than b, 0 where smaller, one half where nobody knows."""
    left, right = a[:, None], b[None, :]
    left_open, right_open = a_upper[:, None], b_upper[None, :]
    larger = np.where(right_open, left >= right, left > right) & ~left_open
    smaller = np.where(left_open, left <= right, left < right) & ~right_open
    return 0.5 + 0.5 * larger - 0.5 * smaller
