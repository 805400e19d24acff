"""Ratios unlike those of other discs: the factor for Cauchy's law against sums over a grid."""

from math import sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import cauchy, norm

from mrs_disc.signal.fit.chains import Draws, LinearProblem
from mrs_disc.signal.fit.limits import Site
from mrs_disc.signal.fit.solver import NormalRatio
from mrs_disc.signal.fit.tails import first_tails, tail, tails_of


def joined(mean, sd, site):
    """Return mean and standard deviation of a normal law times the factor."""
    precision = 1 / sd**2 + site.precision
    return (mean / sd**2 + site.force) / precision, 1 / sqrt(precision)


def on_grid(mean, sd, scale):
    """Return both of the normal law times Cauchy's."""
    x = np.linspace(mean - 12 * sd, mean + 12 * sd, 400_001)
    x = np.union1d(x, np.linspace(-30 * scale, 30 * scale, 400_001))
    weight = norm.pdf(x, mean, sd) * cauchy.pdf(x, 0, scale) * np.gradient(x)
    weight /= weight.sum()
    found = float(weight @ x)
    return found, sqrt(float(weight @ (x - found) ** 2))


@pytest.mark.parametrize("scale", [0.3, 1.0, 8.0])
@pytest.mark.parametrize("mean", [-9.0, 0.0, 0.7, 2.5, 30.0])
def test_the_factor_has_the_moments_of_both_laws(mean, scale):
    sd = 1.4
    expected, spread = on_grid(mean, sd, scale)
    got = joined(mean, sd, tail(mean, sd, scale))
    # Where zero and the data are both likely the law is broader than the data's own, which it
    # is never here.
    assert got == pytest.approx((expected, min(spread, sd)), rel=2e-3, abs=2e-3)


@given(mean=st.floats(-1e3, 1e3), sd=st.floats(1e-3, 1e3), scale=st.floats(1e-3, 1e3))
def test_the_mean_lies_between_the_ratio_and_the_data(mean, sd, scale):
    site = tail(mean, sd, scale)
    found, spread = joined(mean, sd, site)
    assert min(0.0, mean) - 1e-6 * sd <= found <= max(0.0, mean) + 1e-6 * sd
    assert spread <= sd * (1 + 1e-9)


RATIO = NormalRatio(1, 0, mean=0.25, sd=0.4, has_tails=True)


def linear_of(amplitude, errors, site):
    """Return two amplitudes measured with errors, under the factor of a site, nothing drawn."""
    along = np.array([-RATIO.mean, 1.0])
    precision = np.diag(1 / errors**2) + site.precision * np.outer(along, along)
    covariance = np.linalg.inv(precision)
    right = amplitude / errors**2 + site.force * along
    return LinearProblem(
        curvature=np.eye(2),
        force=np.zeros(2),
        centre=covariance @ right,
        response=np.zeros((2, 2)),
        covariance=covariance,
    )


def settled(amplitude, errors):
    """Return means and standard deviations once the factor follows itself."""
    site = first_tails([RATIO], errors, amplitude)[0]
    draws = Draws(np.zeros((4, 2)), np.zeros((4, 0), int), np.zeros((4, 0, 0)))
    for _ in range(20):
        linear = linear_of(amplitude, errors, site)
        known = linear.centre, np.sqrt(np.diag(linear.covariance))
        (site,) = tails_of([RATIO], linear, draws, known, (site,))
    return linear.centre, np.sqrt(np.diag(linear.covariance)), site


@pytest.mark.parametrize(("above", "held"), [(3.0, True), (9.0, None), (40.0, False)])
def test_an_interval_holds_what_prior_and_data_both_allow(above, held):
    """Bayes on a grid of both amplitudes, the prior a Cauchy law about the ratio."""
    amplitude, errors = np.array([10.0, above]), np.array([1.0, 3.0])
    b, a = np.meshgrid(np.linspace(4, 16, 241), np.linspace(-15, 60, 3001), indexing="ij")
    weight = norm.pdf(amplitude[0], b, errors[0]) * norm.pdf(amplitude[1], a, errors[1])
    weight *= cauchy.pdf(a - RATIO.mean * b, 0, RATIO.sd * b)
    weight /= weight.sum()
    mean = float((weight * a).sum())
    sd = sqrt(float((weight * (a - mean) ** 2).sum()))
    found, error, site = settled(amplitude, errors)
    assert found[1] == pytest.approx(mean, abs=0.06 * errors[1])
    assert error[1] == pytest.approx(sd, rel=0.1)
    if held is not None:
        assert (site.precision * errors[1] ** 2 > 0.1) == held


def test_no_ratio_has_no_factor():
    linear = linear_of(np.ones(2), np.ones(2), Site())
    draws = Draws(np.zeros((4, 2)), np.zeros((4, 0), int), np.zeros((4, 0, 0)))
    assert tails_of([], linear, draws, (np.ones(2), np.ones(2)), ()) == ()
