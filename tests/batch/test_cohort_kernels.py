"""Statistics of a cohort against closed forms, published examples and other programs."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import multivariate_normal, norm
from sklearn.metrics import roc_auc_score

from mrs_disc.batch.cohort.censored import _log_likelihood, censored_fit
from mrs_disc.batch.cohort.curve import area
from mrs_disc.batch.cohort.groups import LIBRARY, OWN, compare_groups
from mrs_disc.batch.cohort.retest import agreement
from mrs_disc.errors import InputError


def clustered(rng, n=30, each=4, tau=1.0, sigma=0.5, step=0.0):
    patient = np.repeat(np.arange(n), each)
    group = rng.integers(0, 2, patient.size)
    value = rng.normal(0, tau, n)[patient] + rng.normal(0, sigma, patient.size) + step * group
    return value, patient, group


def test_the_likelihood_is_the_integral_over_the_offset_also_with_limits():
    residual = np.array([0.3, -0.8, 1.1, 0.2, -1.5])
    upper = np.array([False, True, True, False, True])
    place = np.array([0, 0, 0, 1, 2])
    within, between = 0.7, 1.3

    def of_cluster(rows):
        def density(b):
            z = (residual[rows] - b) / within
            each = np.where(upper[rows], norm.cdf(z), norm.pdf(z) / within)
            return each.prod() * norm.pdf(b, 0, between)

        return np.log(quad(density, -15, 15, epsabs=1e-13)[0])

    truth = sum(of_cluster(place == k) for k in range(3))
    assert _log_likelihood(residual, upper, place, within, between) == pytest.approx(
        truth, abs=1e-6
    )


def test_without_limits_the_likelihood_is_the_joint_normal():
    rng = np.random.default_rng(1)
    residual, place = rng.normal(size=6), np.array([0, 0, 1, 1, 1, 2])
    covariance = 0.36 * np.eye(6) + 1.44 * (place[:, None] == place)
    truth = multivariate_normal(np.zeros(6), covariance).logpdf(residual)
    found = _log_likelihood(residual, np.zeros(6, bool), place, 0.6, 1.2)
    assert found == pytest.approx(truth, rel=1e-12)


def test_own_likelihood_and_statsmodels_agree_where_there_are_no_limits():
    value, patient, group = clustered(np.random.default_rng(2), step=0.4)
    none = np.zeros(value.size, bool)
    by_library = compare_groups(value, none, group, patient)
    assert by_library.method == LIBRARY
    own = censored_fit(value, none, np.eye(2)[group], patient)
    assert own.coefficient == pytest.approx(by_library.mean[:, 0], abs=2e-4)
    assert own.within_sd == pytest.approx(by_library.within_sd, rel=1e-3)
    assert own.between_sd == pytest.approx(by_library.between_sd, rel=1e-3)
    half = norm.ppf(0.975) * np.sqrt(np.diag(own.covariance))
    assert by_library.mean[:, 2] - by_library.mean[:, 0] == pytest.approx(half, rel=2e-2)


def test_limits_leave_the_means_where_they_are_and_faking_values_does_not():
    value, patient, group = clustered(np.random.default_rng(3), n=250, step=0.8)
    upper = value < 0.0
    shown = np.where(upper, 0.0, value)
    found = compare_groups(shown, upper, group, patient)
    assert found.method == OWN
    assert found.mean[:, 0] == pytest.approx([0.0, 0.8], abs=0.2)
    assert found.difference[1, 0] == pytest.approx(0.8, abs=0.1)
    assert found.difference[1, 1] < 0.8 < found.difference[1, 2]
    assert found.between_sd == pytest.approx(1.0, abs=0.15)
    faked = shown[group == 1].mean() - shown[group == 0].mean()
    dropped = value[~upper & (group == 1)].mean() - value[~upper & (group == 0)].mean()
    assert max(faked, dropped) < 0.6


@pytest.mark.slow
def test_the_p_of_groups_that_do_not_differ_is_uniform():
    rng = np.random.default_rng(4)
    p = []
    for _ in range(40):
        value, patient, group = clustered(rng, n=20, each=3)
        upper = value < -0.7
        p.append(compare_groups(np.where(upper, -0.7, value), upper, group, patient).p)
    assert np.mean(p) == pytest.approx(0.5, abs=0.15)  # three standard errors of 40


def test_a_group_of_equal_values_is_refused():
    with pytest.raises(InputError, match="different values"):
        censored_fit(np.ones(4), np.zeros(4, bool), np.ones((4, 1)), np.arange(4))


def test_the_area_is_that_of_scikit_learn_and_its_variance_that_of_chance():
    """Variance of Mann and Whitney 1947 for equal distributions: (m + n + 1) / 12 m n."""
    rng = np.random.default_rng(5)
    positive = np.arange(60) < 25
    none = np.zeros(60, bool)
    variances = []
    for _ in range(400):
        value = rng.normal(size=60)
        found = area(value, none, positive, np.arange(60))
        assert found.value == pytest.approx(roc_auc_score(positive, value))
        assert found.variance_by_patient == pytest.approx(found.variance)  # a disc a patient
        variances.append(found.variance)
    assert np.mean(variances) == pytest.approx(61 / (12 * 25 * 35), rel=0.05)


def test_the_interval_by_patient_is_that_of_resampled_patients():
    rng = np.random.default_rng(6)
    value, patient, group = clustered(rng, n=60, step=1.0)
    positive = group == 1
    none = np.zeros(value.size, bool)
    found = area(value, none, positive, patient)
    areas = []
    for _ in range(600):
        rows = np.concatenate([np.flatnonzero(patient == k) for k in rng.integers(0, 60, 60)])
        areas.append(roc_auc_score(positive[rows], value[rows]))
    assert np.sqrt(found.variance_by_patient) == pytest.approx(np.std(areas), rel=0.15)


def test_a_pair_that_a_limit_leaves_open_counts_half():
    """Painful 3 and below 2; painless 1, below 2.5: 3 beats both; the rest nobody knows."""
    value = np.array([3.0, 2.0, 1.0, 2.5])
    upper = np.array([False, True, False, True])
    found = area(value, upper, np.array([True, True, False, False]), np.arange(4))
    assert found.value == pytest.approx((1 + 1 + 0.5 + 0.5) / 4)
    sure = area(np.array([3.0, 1.0, 2.0, 2.0]), np.array([0, 1, 0, 0], bool),
                np.array([True, True, False, False]), np.arange(4))  # fmt: skip
    assert sure.value == pytest.approx(0.5)  # below 1 is below 2


def test_perfect_separation_has_no_interval():
    found = area(np.arange(6.0), np.zeros(6, bool), np.arange(6) > 2, np.arange(6))
    assert found.value == 1.0
    assert found.interval() is None


RATINGS = np.array(
    [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]
)
"""Shrout and Fleiss 1979, table 2: six targets, four judges."""


def test_the_intraclass_correlation_is_that_of_shrout_and_fleiss():
    """Their table 4 and text: ICC(1,1) = .17, 95 % interval -.13 to .72."""
    disc, order = np.indices(RATINGS.shape)
    found = agreement(
        RATINGS.ravel().astype(float), np.zeros(24, bool), disc.ravel(), order.ravel()
    )
    assert found.icc == pytest.approx(0.17, abs=0.005)
    assert found.icc_interval == pytest.approx((-0.13, 0.72), abs=0.006)


WRIGHT = (
    (494, 395, 516, 434, 476, 557, 413, 442, 650, 433, 417, 656, 267, 478, 178, 423, 427),
    (490, 397, 512, 401, 470, 611, 415, 431, 638, 429, 420, 633, 275, 492, 165, 372, 421),
)
"""Bland and Altman 1986, table: peak flow by the Wright meter, two readings, l/min."""


def test_repeatability_is_that_of_bland_and_altman():
    """Within-subject standard deviation 15.3 l/min, as they give it."""
    value = np.array(WRIGHT, float)
    order, disc = np.indices(value.shape)
    none = np.zeros(value.size, bool)
    found = agreement(value.ravel(), none, disc.ravel(), order.ravel())
    assert found.within_sd == pytest.approx(15.3, abs=0.05)
    assert found.repeatability == pytest.approx(1.96 * np.sqrt(2) * 15.3, abs=0.2)
    difference = value[1] - value[0]
    sd = difference.std(ddof=1)
    assert found.bias == pytest.approx(difference.mean())
    assert found.agreement == pytest.approx(difference.mean() + 1.96 * sd * np.array([-1, 1]), 1e-3)


def test_agreement_with_limits_is_that_of_the_whole_values():
    rng = np.random.default_rng(7)
    order, disc = np.indices((2, 300))
    value = rng.normal(0, 1, 300)[disc] + rng.normal(0, 0.5, (2, 300)) + 0.1 * order
    flat = value.ravel()
    upper = flat < -0.3
    shown = np.where(upper, -0.3, flat)
    found = agreement(shown, upper, disc.ravel(), order.ravel())
    assert found.method == "censored likelihood"
    assert found.icc == pytest.approx(0.8, abs=0.06)
    assert found.icc_interval[0] < 0.8 < found.icc_interval[1]
    assert found.within_sd == pytest.approx(0.5, rel=0.1)
    assert found.bias == pytest.approx(0.1, abs=0.12)


def test_equal_runs_are_one_measurement_twice():
    value = np.array([1.0, 1.0, 2.0, 2.0, 3.0, 3.0])
    disc, order = np.repeat(np.arange(3), 2), np.tile([0, 1], 3)
    with pytest.raises(InputError, match="equal to the last digit"):
        agreement(value, np.zeros(6, bool), disc, order)
