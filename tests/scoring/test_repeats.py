"""Runs of one disc, combined: against the closed forms of weighed means."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chi2

from mrs_disc.record.findings import words
from mrs_disc.scoring.repeats import _by_chance, combined


def test_equal_errors_give_the_mean_and_the_noise_falls_with_the_root(disc):
    """Noise of 2 in a total error of 3: sqrt(9 - 4 + 4 / n) is left of n runs."""
    runs = [
        disc(30.0 + d, 100.0, acidity_sd=3.0, acidity_repetition_sd=2.0) for d in (-1.0, 0.0, 1.0)
    ]
    found = combined(runs)
    assert found.acidity == pytest.approx(30.0)
    assert found.acidity_sd == pytest.approx(np.sqrt(9 - 4 + 4 / 3))
    assert [words(one) for one in found.remarks] == ["3 runs of this disc were taken together"]


def test_without_an_error_of_repetition_all_of_it_counts_as_noise(disc):
    found = combined([disc(30.0, 100.0), disc(31.0, 100.0)])
    assert found.acidity_sd == pytest.approx(5.0 / np.sqrt(2))


def test_a_noisier_run_weighs_less(disc):
    runs = [disc(30.0, 100.0, acidity_sd=1.0), disc(32.0, 100.0, acidity_sd=2.0)]
    assert combined(runs).acidity == pytest.approx((30 / 1 + 32 / 4) / (1 + 1 / 4))


def test_runs_that_disagree_are_said_and_not_combined(disc):
    runs = [disc(10.0, 100.0), disc(60.0, 100.0)]
    found = combined(runs)
    assert (found.acidity, found.acidity_sd) == (runs[0].acidity, runs[0].acidity_sd)
    assert "lie further apart than their errors allow" in words(found.remarks[0])


def test_a_lone_run_is_itself(disc):
    one = disc(10.0, 100.0)
    assert combined([one]) is one
    assert combined([one, disc(1.0, 1.0, acidity=None)]) is one


def test_one_in_a_hundred_pairs_that_agree_is_refused(disc):
    rng = np.random.default_rng(8)
    refused = 0
    for _ in range(600):
        pair = [disc(30 + 5 * rng.standard_normal(), 100 + 5 * rng.standard_normal())
                for _ in range(2)]  # fmt: skip
        refused += "apart" in words(combined(pair).remarks[0])
    assert refused <= 15  # 6 expected


@pytest.mark.parametrize("runs", [2, 3, 5])
@pytest.mark.parametrize("apart", [0.5, 9.0, 20.0])
def test_the_chance_to_lie_so_far_apart_is_that_of_chi_square(runs, apart):
    assert _by_chance(apart, runs) == pytest.approx(chi2.sf(apart, 2 * (runs - 1)), rel=1e-9)


@pytest.mark.parametrize(
    "change", [{"echo_time_s": 0.144}, {"repetition_time_s": 3.0}, {"field_t": 1.5}]
)
def test_runs_of_another_protocol_are_not_combined_though_they_agree(disc, change):
    best, other = disc(30.0, 100.0), disc(30.0, 100.0, **change)
    found = combined([best, other])
    assert (found.acidity, found.acidity_sd) == (best.acidity, best.acidity_sd)
    assert [one.kind for one in found.remarks] == ["runs_of_other_protocols"]
    third = combined([best, other, disc(30.0, 100.0)])
    assert third.acidity_sd == pytest.approx(5.0 / np.sqrt(2))
    kinds = ["runs_of_other_protocols", "runs_combined"]
    assert [one.kind for one in third.remarks] == kinds


@pytest.mark.parametrize("correlation", [-0.6, 0.0, 0.6])
@pytest.mark.parametrize("errors", [(1.0, 1.0), (0.5, 4.0), (2.0, 3.0, 1.0)])
def test_a_combination_is_never_less_sure_than_its_best_run(disc, errors, correlation):
    runs = [
        disc(30.0, 100.0, acidity_sd=e, structure_sd=2 * e, correlation=correlation) for e in errors
    ]
    found = combined(runs)
    assert found.acidity_sd <= min(errors) + 1e-12
    assert found.structure_sd <= 2 * min(errors) + 1e-12
    assert abs(found.correlation) < 1
