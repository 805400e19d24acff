"""What a score was made for, whether propionate is there, and which disc is the most acidic."""

from __future__ import annotations

from dataclasses import replace
from math import exp, log, pi, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad

from mrs_disc.data import Quantities, Quantity
from mrs_disc.models.scores import load_score_model
from mrs_disc.recipe import ScoreOptions
from mrs_disc.record.findings import finding, words
from mrs_disc.record.levels import LEVELS, REGIONS
from mrs_disc.scoring import score_discs
from mrs_disc.scoring.propionate import LOG_SD, MEDIAN, detection_ratio, propionate

MODEL = load_score_model("acidity_structure")


@pytest.mark.parametrize("level", LEVELS)
def test_discs_of_other_regions_are_exploratory_or_refused(disc, level):
    one = disc(0.3, 1.0, level=level)
    told = score_discs([one], MODEL, ScoreOptions())[0]
    refused = score_discs([one], MODEL, ScoreOptions(out_of_scope="refuse"))[0]
    outside = level not in REGIONS["lumbar"]
    assert told.value is not None
    assert ("exploratory_region" in {f.kind for f in told.findings}) is outside
    assert (refused.value is None) is outside
    if outside:
        assert refused.label == "indeterminate"
        assert "the score was made for lumbar discs" in refused.reasons[0]


def test_a_refused_disc_does_not_enter_the_others(disc):
    own, other = disc(0.3, 1.0), disc(0.9, 1.0, level="T11-T12")
    options = ScoreOptions(out_of_scope="refuse")
    assert score_discs([own, other], MODEL, options)[0] == score_discs([own], MODEL, options)[0]
    assert score_discs([own, other], MODEL, ScoreOptions())[0].with_levels == ("T11-T12",)


def test_a_model_without_regions_is_for_any(disc):
    scope = MODEL.scope.model_copy(update={"region": ()})
    anywhere = MODEL.model_copy(update={"scope": scope})
    found = score_discs([disc(0.3, 1.0, level="C5-C6")], anywhere, ScoreOptions())[0]
    assert "exploratory_region" not in {f.kind for f in found.findings}


def by_integral(value, sd):
    """The same ratio by adaptive quadrature over the ratio itself."""

    def present(true):
        prior = exp(-0.5 * (log(true / MEDIAN) / LOG_SD) ** 2) / (true * LOG_SD * sqrt(2 * pi))
        return prior * exp(-0.5 * ((value - true) / sd) ** 2)

    total = quad(present, 1e-7, 3.0, points=[MEDIAN, max(value, 1e-3)], limit=500)[0]
    return total / exp(-0.5 * (value / sd) ** 2)


@pytest.mark.parametrize("value", [-0.05, 0.0, 0.03, 0.1])
@pytest.mark.parametrize("sd", [0.02, 0.05, 0.3])
def test_the_ratio_of_propionate_is_the_integral(value, sd):
    assert detection_ratio(value, sd) == pytest.approx(by_integral(value, sd), rel=0.01)


@given(value=st.floats(-0.3, 1.0), more=st.floats(0.0, 0.5), sd=st.floats(0.005, 5.0))
def test_more_propionate_is_never_less_evidence_for_it(value, more, sd):
    assert detection_ratio(value + more, sd) >= detection_ratio(value, sd) - 1e-12


@pytest.mark.parametrize(
    ("value", "sd", "says"),
    [(0.2, 0.02, "propionate detected"), (0.02, 0.05, "neither detected nor excluded"),
     (-0.05, 0.012, "no propionate found")],
)  # fmt: skip
def test_propionate_is_stated_and_nothing_follows_from_it(value, sd, says):
    noticed = propionate(Quantity(value=value, sd=sd, low=value - sd, high=value + sd))
    assert says in words(noticed)
    assert "infect" not in words(noticed)
    assert propionate(None) is None
    assert propionate(Quantity(value=None, reason="not fitted")) is None


def test_noise_says_nothing_on_propionate():
    assert detection_ratio(0.5, 1e4) == pytest.approx(1.0, abs=1e-3)
    assert np.isfinite(detection_ratio(1.0, 1e-4))


def test_the_statement_is_no_part_of_the_score(disc):
    plain = score_discs([disc(0.3, 1.0)], MODEL, ScoreOptions())[0]
    found = Quantity(value=0.2, sd=0.02, low=0.16, high=0.24)
    stated = Quantities(values={"PA/PG": found})
    told = score_discs([replace(disc(0.3, 1.0), quantities=stated)], MODEL, ScoreOptions())[0]
    assert told.value == plain.value
    assert told.reasons[-1].startswith("propionate detected: PA/PG 0.20 ± 0.02")


def test_propionate_is_stated_of_a_disc_that_has_no_score(disc):
    stated = Quantities(values={"PA/PG": Quantity(value=0.2, sd=0.02, low=0.16, high=0.24)})
    late = disc(0.3, 1.0, quantities=stated, echo_time_s=0.144)
    (told,) = score_discs([late], MODEL, ScoreOptions())
    assert told.value is None
    assert told.reasons[-1].startswith("propionate detected")
    poor = replace(late, unusable=finding("poor_spectrum", why="noise"))
    assert score_discs([poor], MODEL, ScoreOptions())[0].reasons[1:] == ()
