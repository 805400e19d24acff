"""Non-negative least squares of few columns: by all subsets, or by active sets.

`scipy.optimize.nnls` does the same; to import it costs a tenth of a cold start and 16 MB, in each
process of a batch.

Source: Lawson and Hanson, Solving least squares problems, 1974, chapter 23.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np

from mrs_disc.typing import FloatArray

_SMALL = 1e-10
"""A slope this small beside the largest possible one is rounding."""
_RIDGE = 1e-13
"""On the diagonal of products of columns of length one: equal columns do no harm."""
_FEW = 4
"""So many columns have 15 subsets: quicker for many problems at once than one after the other."""


def least_misfits(columns: FloatArray, data: FloatArray) -> FloatArray:
    """Return `least_misfit` of the same data and several sets of columns, shape (set,).

    The least is that of a subset whose least squares have no negative element.

    Parameters
    ----------
    columns : float array, shape (set, datum, column)
    data : float array, shape (datum,)
    """
    count = columns.shape[2]
    if count > _FEW:
        return np.array([least_misfit(one, data) for one in columns])
    norm = np.sqrt(np.einsum("kij,kij->kj", columns, columns))
    unit = columns / np.maximum(norm, 1e-300)[:, None]
    gram = unit.transpose(0, 2, 1) @ unit + _RIDGE * np.eye(count)
    pull, size = data @ unit, float(data @ data)
    explained = np.zeros(len(columns))
    for used in (list(c) for n in range(1, count + 1) for c in combinations(range(count), n)):
        x = np.linalg.solve(gram[:, used][:, :, used], pull[:, used, None])[:, :, 0]
        by_these = np.where(np.all(x > 0, axis=1), np.einsum("ki,ki->k", pull[:, used], x), 0.0)
        explained = np.maximum(explained, by_these)
    return np.asarray(np.maximum(size - explained, 0.0))


def least_misfit(columns: FloatArray, data: FloatArray) -> float:
    """Return the least square sum of ``data - columns @ x`` over all x without a negative element.

    Parameters
    ----------
    columns : float array, shape (datum, column)
    data : float array, shape (datum,)

    Examples
    --------
    >>> columns = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]])
    >>> round(least_misfit(columns, np.array([2.0, -3.0, 1.0])), 9)
    10.0
    """
    # Products alone: the columns are few. Of length one they may have any unit.
    norm = np.sqrt(np.einsum("ij,ij->j", columns, columns))
    unit = columns / np.maximum(norm, 1e-300)
    gram, pull, size = unit.T @ unit, data @ unit, float(data @ data)
    gram.ravel()[:: len(gram) + 1] += _RIDGE
    limit = _SMALL * size**0.5
    x, active = np.zeros(len(gram)), np.zeros(len(gram), dtype=bool)
    for _ in range(3 * len(gram)):
        slope = np.where(active, 0.0, pull - gram @ x)
        steepest = int(np.argmax(slope))
        if slope[steepest] <= limit:
            break
        active[steepest] = True
        while True:
            used = np.flatnonzero(active)
            best = np.zeros(len(gram))
            best[used] = np.linalg.solve(gram[used[:, None], used], pull[used])
            if np.all(best[used] > 0):
                break
            # As far towards it as no element becomes negative; what becomes zero leaves the set.
            blocked = used[best[used] <= 0]
            share = x[blocked] / np.maximum(x[blocked] - best[blocked], 1e-300)
            x = np.maximum(x + float(share.min()) * (best - x), 0.0)
            x[blocked[int(np.argmin(share))]] = 0.0
            active &= x > 0
        x = best
    return float(max(size - 2 * (pull @ x) + x @ gram @ x, 0.0))
