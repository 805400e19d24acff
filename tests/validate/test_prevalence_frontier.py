"""The comparison of assumptions: its patterns of discs are another route to the score itself."""

import importlib
from pathlib import Path

import numpy as np
import pytest

from mrs_disc.recipe import ScoreOptions
from mrs_disc.score import score_discs
from mrs_disc.score.disc import Disc
from mrs_disc.score.population_model import class_likelihoods, likelihood, model_grid

LEVELS = ("L2-L3", "L3-L4", "L4-L5", "L5-S1")
TOOLS = Path(__file__).parents[1] / "tools"


@pytest.fixture(scope="module")
def tool():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(TOOLS))
        return importlib.import_module("prevalence_frontier")


def seen(tool, numbers):
    """Return the same discs for the score and as a patient of patterns."""
    discs = [
        Disc(
            level=level,
            acidity=a,
            structure=1.0,
            acidity_sd=e,
            structure_sd=0.05,
            components=("PG", "LAC", "ALA", "PA", "COL"),
            echo_time_s=0.03,
            field_t=3.0,
        )
        for level, (a, e) in zip(LEVELS, numbers, strict=False)
    ]
    grid = model_grid(tool.MODEL)
    rows = np.array([likelihood(grid.r, a, 1.0, e, 0.05, 0.0) for a, e in numbers])
    joint = grid.offset_weight[:, None]
    for each in class_likelihoods(grid, rows):
        joint = (joint[:, :, None] * each[:, None, :]).reshape(len(joint), -1)
    patterns = joint.sum(axis=0).reshape((3,) * len(numbers))
    return discs, tool.Patient(LEVELS[: len(numbers)], np.zeros(len(numbers), dtype=bool), patterns)


NUMBERS = [(0.05, 0.06), (0.35, 0.10), (0.45, 0.08), (0.15, 0.15)]


def test_summing_over_all_patterns_of_classes_gives_the_score(tool):
    discs, patient = seen(tool, NUMBERS)
    for prevalence in (None, 0.8):
        shares = tool.shares_at(tool.MODEL, prevalence)
        by_patterns = tool.evidence_and_score(patient, tool.one_by_one(shares))[1]
        scores = score_discs(discs, tool.MODEL, ScoreOptions(prevalence=prevalence))
        assert by_patterns == pytest.approx([s.value for s in scores], rel=1e-9)


def test_the_label_of_a_lone_disc_rests_on_the_prevalence_by_its_own_odds_alone(tool):
    """Its likelihoods cancel but for its odds, times .8 over the model's own quarter."""
    lone = [seen(tool, [numbers]) for numbers in NUMBERS]
    p = np.array([score_discs(d, tool.MODEL, ScoreOptions())[0].value for d, _ in lone])
    expected = p / (1 - p) * 0.8 / 0.25 >= 1
    assert list(tool.resting_on_prevalence([patient for _, patient in lone])) == list(expected)
    assert set(expected) == {True, False}


def test_every_assumption_is_a_probability_of_patterns_with_the_prevalence_it_says(tool):
    n = len(LEVELS)
    wanted = {
        "one_by_one": (tool.one_by_one(tool.SHARES), 0.25),
        "by_level": (tool.by_level(), (0.10 + 3 * 0.35) / 4),
        "alike": (tool.alike(), 0.25),
        "mostly_painful": (tool.mostly_painful(), 0.8),
        "overdispersed": (tool.overdispersed(3.0), 0.25),
    }
    for prior, prevalence in wanted.values():
        patterns = prior(LEVELS)
        assert patterns.shape == (3,) * n
        assert patterns.sum() == pytest.approx(1)
        sick = np.mean([np.take(patterns, 2, axis=k).sum() for k in range(n)])
        assert sick == pytest.approx(prevalence)


def test_a_large_sum_of_dirichlet_parameters_is_one_by_one_and_a_small_one_alike(tool):
    shares = tuple(tool.SHARES)
    many, few = tool.overdispersed(1e7)(LEVELS), tool.overdispersed(1e-7)(LEVELS)
    assert many == pytest.approx(tool.one_by_one(tool.SHARES)(LEVELS), abs=1e-5)
    assert few == pytest.approx(tool.alike(shares)(LEVELS), abs=1e-5)


def test_the_least_miscalibration_of_cohorts_that_nothing_tells_apart(tool):
    """Discs without information, painful to a quarter or to four in five: any rule is off by half.

    It has to give both the same probability, best in the middle of .25 and .8.
    """
    blank = tool.Patient(("L4-L5",), np.zeros(1, dtype=bool), np.ones(3))
    low, high = (tool.one_by_one(tool.shares_at(tool.MODEL, q)) for q in (0.25, 0.8))
    found = tool.least_miscalibration([[blank], [blank]], [low, high])
    assert found == pytest.approx((0.8 - 0.25) / 2, abs=1e-6)
    assert tool.least_miscalibration([[blank]], [low]) == pytest.approx(0, abs=1e-6)
