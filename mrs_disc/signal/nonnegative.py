"""Non-negative least squares of few columns, by active sets.

`scipy.optimize.nnls` does the same; to import it costs a tenth of a cold start and 16 MB, in each
process of a batch.

Source: Lawson and Hanson, Solving least squares problems, 1974, chapter 23.
"""

from __future__ import annotations

import numpy as np

from mrs_disc.typing import FloatArray

_SMALL = 1e-10
"""A slope this small beside the largest possible one is rounding."""


def least_misfit(columns: FloatArray, data: FloatArray) -> float:
    """Return the least square sum of ``data - columns @ x`` over all x without a negative element.

    Parameters
    ----------
    columns : float array, shape (datum, column)
    data : float array, shape (datum,)

    Examples
    --------
    >>> columns = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]])
    >>> least_misfit(columns, np.array([2.0, -3.0, 1.0]))
    10.0
    """
    count = columns.shape[1]
    norm = np.sqrt(np.einsum("ij,ij->j", columns, columns))
    x, active = np.zeros(count), np.zeros(count, dtype=bool)
    left = data
    limit = _SMALL * norm * float(np.sqrt(data @ data))
    for _ in range(3 * count):
        slope = np.where(active, 0.0, left @ columns - limit)
        if not np.any(slope > 0):
            break
        active[int(np.argmax(np.where(slope > 0, slope / np.maximum(norm, 1e-300), 0.0)))] = True
        while True:
            used = np.flatnonzero(active)
            best = np.zeros(count)
            best[used] = np.linalg.lstsq(columns[:, used], data, rcond=None)[0]
            if np.all(best[used] > 0):
                break
            # As far towards it as no element becomes negative; what becomes zero leaves the set.
            blocked = used[best[used] <= 0]
            share = x[blocked] / np.maximum(x[blocked] - best[blocked], 1e-300)
            x = np.maximum(x + float(share.min()) * (best - x), 0.0)
            x[blocked[int(np.argmin(share))]] = 0.0
            active &= x > 0
        x = best
        left = data - columns @ x
    return float(left @ left)
