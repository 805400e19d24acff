"""Limits that normal laws do not know: against quadrature over the law under the limit."""

from __future__ import annotations

from math import inf, sqrt

import numpy as np
import pytest
from scipy.stats import norm

from mrs_disc.signal.fit.chains import Draws, LinearProblem
from mrs_disc.signal.fit.limits import Limit, Site, sites_of


def found(mean: float, sd: float, limit: Limit, before: Site | None = None) -> Site:
    """Return the site for one parameter that nothing drawn touches, with the site before it."""
    before = before or Site()
    variance = 1 / (1 / sd**2 + before.precision)
    linear = LinearProblem(
        curvature=np.eye(2),
        force=np.zeros(2),
        centre=np.array([variance * (mean / sd**2 + before.force)]),
        response=np.zeros((1, 2)),
        covariance=np.array([[variance]]),
    )
    draws = Draws(np.zeros((4, 2)), np.zeros((4, 0), int), np.zeros((4, 0, 0)))
    return sites_of([limit], linear, draws.moments(linear.response), np.array([10.0]), (before,))[0]


def joined(mean: float, sd: float, site: Site) -> tuple[float, float]:
    """Return mean and standard deviation of a normal law times the site."""
    precision = 1 / sd**2 + site.precision
    return (mean / sd**2 + site.force) / precision, 1 / sqrt(precision)


@pytest.mark.parametrize("mean", [-6.0, -1.0, 0.5, 4.0])
def test_a_parameter_that_is_not_negative_has_the_moments_of_the_cut_law(mean):
    sd = 1.5
    x = np.linspace(0, 20, 400_001)
    law = norm.pdf(x, mean, sd)
    law /= law.sum()
    expected = float(law @ x)
    spread = sqrt(float(law @ (x - expected) ** 2))
    got = joined(mean, sd, found(mean, sd, Limit(0)))
    assert got == pytest.approx((expected, spread), rel=1e-3)


def test_the_site_does_not_depend_on_the_one_before():
    """Taken out again, a site leaves no trace."""
    first = found(-1.0, 1.5, Limit(0))
    again = found(-1.0, 1.5, Limit(0), before=first)
    assert (again.precision, again.force) == pytest.approx((first.precision, first.force))


@pytest.mark.parametrize(("mean", "there"), [(0.2, False), (2.5, None), (6.0, True)])
def test_what_few_discs_hold_enters_by_evidence(mean, there):
    """Bayes on a grid: nothing with 1 - p, else half of a normal law, seen with an error of 1."""
    p, width, sd = 0.1, 5.0, 1.0
    x = np.linspace(0, 40, 400_001)
    seen = norm.pdf(mean, x, sd)
    weight = p * 2 * norm.pdf(x, 0, width) * (x[1] - x[0]) * seen
    nothing = (1 - p) * norm.pdf(mean, 0, sd)
    share = weight.sum() / (weight.sum() + nothing)
    expected = float(weight @ x) / (weight.sum() + nothing)
    # The linear problem has the normal law about zero already.
    narrow = 1 / sqrt(1 / sd**2 + 1 / width**2)
    site = found(mean * narrow**2 / sd**2, narrow, Limit(0, p, width / 10.0))
    assert site.mean == pytest.approx(expected, rel=1e-3, abs=1e-3)
    if there is not None:
        assert (share > 0.9) == there
        assert (site.sd < 0.5) == (not there)


def test_no_limit_is_felt_far_above_zero():
    assert found(30.0, 1.0, Limit(0)).precision == pytest.approx(0.0, abs=1e-9)
    assert Limit(0).scale == inf
