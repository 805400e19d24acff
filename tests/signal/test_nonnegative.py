"""Least squares without negative elements, against SciPy's and against all subsets."""

from itertools import combinations

import numpy as np
import pytest
from scipy.optimize import nnls

from mrs_disc.signal.nonnegative import least_misfit, least_misfits


def of_subsets(columns, data):
    """The best of all subsets of columns whose least squares have no negative element."""
    best = float(data @ data)
    for size in range(1, columns.shape[1] + 1):
        for chosen in combinations(range(columns.shape[1]), size):
            x = np.linalg.lstsq(columns[:, chosen], data, rcond=None)[0]
            if np.all(x >= 0):
                best = min(best, float(np.sum((data - columns[:, chosen] @ x) ** 2)))
    return best


@pytest.mark.parametrize("seed", range(40))
def test_the_misfit_is_the_least(seed):
    rng = np.random.default_rng(seed)
    columns = rng.standard_normal((7, 4)) + rng.uniform(0, 2) * rng.standard_normal((7, 1))
    data = columns @ rng.normal(0, 1, 4) + 0.3 * rng.standard_normal(7)
    scale = 10.0 ** rng.integers(-8, 9)
    expected = of_subsets(columns, data)
    assert least_misfit(columns * scale, data) == pytest.approx(expected, rel=1e-9)
    assert nnls(columns, data)[1] ** 2 == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("n_columns", [1, 2, 4, 6])
def test_several_at_once_are_each_alone(n_columns):
    rng = np.random.default_rng(n_columns)
    columns = rng.standard_normal((20, 7, n_columns))
    columns[3, :, 0] = 0.0
    data = rng.standard_normal(7)
    expected = [nnls(one, data)[1] ** 2 for one in columns]
    assert least_misfits(columns, data) == pytest.approx(expected, rel=1e-9)


def test_nothing_is_explained_by_nothing_and_equal_columns_do_no_harm():
    data = np.array([1.0, 2.0, -1.0])
    assert least_misfit(np.zeros((3, 2)), data) == 6.0
    twice = np.ones((3, 2))
    assert least_misfit(twice, data) == pytest.approx(6 - 4 / 3)
