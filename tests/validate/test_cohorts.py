"""Tables of strained cohorts: their arithmetic, and a few patients through the whole path."""

from __future__ import annotations

import json

import numpy as np
import pytest

from mrs_disc.validate.cohorts import COHORTS, calibration, score_tables, tables_text


def test_true_probabilities_stay_inside_the_band():
    """Nineteen of twenty cohorts of coins that fall as often as they say."""
    rng = np.random.default_rng(0)
    inside = 0
    for _ in range(200):
        p = rng.beta(0.6, 1.5, 400)
        inside += calibration(p, rng.random(400) < p)["inside_band"]
    assert inside >= 185  # 95 %, less two standard errors


def test_probabilities_that_are_too_sure_leave_the_band():
    rng = np.random.default_rng(1)
    p = rng.beta(0.6, 1.5, 400)
    too_sure = p**2 / (p**2 + (1 - p) ** 2)
    assert not calibration(too_sure, rng.random(400) < p)["inside_band"]


def test_a_few_patients_through_the_whole_path():
    tables = score_tables(3, 2, cohorts=[COHORTS[2], COHORTS[4]])
    assert json.loads(json.dumps(tables)) == tables
    three = tables["three discs"]
    assert three["scored"] + three["unscored"] == 6
    text = tables_text(tables)
    assert "mostly painful" in text
    assert "indeterminate by SNR" in text


@pytest.mark.slow
@pytest.mark.parametrize("index", [0, 1, 3, 4])
def test_labels_are_right_and_probabilities_true(index):
    cohort = COHORTS[index]
    table = score_tables(77, 40, cohorts=[cohort])[cohort.name]
    assert table["wrong"] <= 0.18 * table["labelled"]
    assert table["labelled"] >= 0.45 * table["scored"]  # half, less the error of 40 patients
    assert table["calibration"]["inside_band"]
