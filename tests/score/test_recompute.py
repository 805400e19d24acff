"""A report's score, recomputed from results.json and the model's card by a page of other code.

Nothing here comes from the score's own modules: the amplitudes, their standard deviations and
correlations are read from the record, the model's numbers from the TOML that `model show` prints.
"""

from __future__ import annotations

import json
import tomllib
from dataclasses import replace
from math import exp
from pathlib import Path

import numpy as np
import pytest

import mrs_disc as md
from mrs_disc.analysis import scored
from mrs_disc.analysis.comparison import compare_discs
from mrs_disc.analysis.impression import impression
from mrs_disc.models import model_path
from mrs_disc.models.scores import load_score_model
from mrs_disc.recipe import Recipe
from mrs_disc.record.file import canonical_json, results_of
from mrs_disc.record.level import completeness_of
from mrs_disc.record.parts import NOT_SCORED
from mrs_disc.report.results import results_from
from mrs_disc.simulate import simulate_study

ACIDITY = {"LAC": 1.0, "ALA": 1.0, "PA": 0.6}
STRUCTURE = {"PG": 1.0, "COL": 1.0}


def sums_of(fit):
    """Acidity and structure with their 2 x 2 covariance, from the printed fit."""
    names = fit["correlation"]["names"]
    sd = np.array([fit["metabolites"][n]["sd"] for n in names])
    covariance = np.array(fit["correlation"]["matrix"]) * np.outer(sd, sd)
    weights = np.array([[parts.get(n, 0.0) for n in names] for parts in (ACIDITY, STRUCTURE)])
    amplitude = np.array([fit["metabolites"][n]["amplitude"] for n in names])
    return weights @ amplitude, weights @ covariance @ weights.T


def likelihood(r, sums, covariance, r_cap):
    acid = max(sums[0], 0.0)
    firm = max(sums[1], acid / exp(r_cap))
    k = np.exp(r)
    v = covariance[0, 0] - 2 * k * covariance[0, 1] + k**2 * covariance[1, 1]
    return np.exp(-((acid - k * firm) ** 2) / (2 * v)) / np.sqrt(v)


def recomputed(card, discs, wanted):
    """P(painful) of one disc beside the others, by sums over the offset and over r."""
    r = np.linspace(*card["r_range"], 4001)
    sick, every = 0.0, 0.0
    for u in np.linspace(-4, 4, 161) * card["patient_sd"]:
        weight = np.exp(-0.5 * (u / card["patient_sd"]) ** 2)
        classes = [
            (
                c["painful"],
                c["share"] * np.exp(-0.5 * ((r - c["mean"] - u) / c["sd"]) ** 2) / c["sd"],
            )
            for c in card["class"]
        ]
        for level, seen in discs.items():
            if level != wanted:
                weight *= sum((density @ seen) for _, density in classes) / seen.sum()
        sick += weight * sum(density @ discs[wanted] for painful, density in classes if painful)
        every += weight * sum(density @ discs[wanted] for _, density in classes)
    return sick / every


@pytest.fixture(scope="module")
def record():
    study, _ = simulate_study(21, levels=["L2-L3", "L3-L4", "L4-L5", "L5-S1"], anatomy=False)
    return json.loads(canonical_json(results_from(md.analyze(study))))


def test_every_score_follows_from_the_record_and_the_card(record):
    card = tomllib.loads(model_path("acidity_structure").read_text())
    r = np.linspace(*card["r_range"], 4001)
    scored = [lv for lv in record["levels"] if lv["score"] and lv["score"]["value"] is not None]
    assert len(scored) >= 2
    discs = {lv["level"]: likelihood(r, *sums_of(lv["fit"]), card["r_cap"]) for lv in scored}
    for level in scored:
        # Grids differ, and the record has ten digits.
        assert level["score"]["value"] == pytest.approx(
            recomputed(card, discs, level["level"]), abs=2e-3
        )
        alone = recomputed(card, {level["level"]: discs[level["level"]]}, level["level"])
        assert level["score"]["inputs"]["disc_alone"] == pytest.approx(alone, abs=2e-3)


def test_the_inputs_of_a_score_are_the_sums_of_the_printed_amplitudes(record):
    for level in record["levels"]:
        if level["score"] is None or level["score"]["value"] is None:
            continue
        sums, covariance = sums_of(level["fit"])
        inputs = level["score"]["inputs"]
        assert inputs["acidity"] == pytest.approx(max(sums[0], 0.0), rel=1e-6, abs=1e-9)
        assert inputs["structure"] == pytest.approx(sums[1], rel=1e-6)
        assert inputs["acidity_sd"] == pytest.approx(covariance[0, 0] ** 0.5, rel=1e-6)
        assert inputs["structure_sd"] == pytest.approx(covariance[1, 1] ** 0.5, rel=1e-6)


def test_labels_follow_the_printed_limits(record):
    limits = record["recipe"]["score"]
    for level in record["levels"]:
        score = level["score"]
        if score is None or score["value"] is None:
            continue
        expected = "indeterminate"
        if score["value"] >= limits["likely"]:
            expected = "likely painful"
        if score["value"] <= limits["unlikely"]:
            expected = "unlikely painful"
        assert score["label"] == expected


def test_a_record_is_scored_again_without_its_fit(record):
    """From the file alone: scores, comparison, completeness and impression are those of the fit."""
    results = results_of(record, Path("results.json"))
    card = results.models["score"].partition("@")[0]
    recipe = Recipe.model_validate(results.recipe)
    bare = [
        level
        if level.measured is None
        else replace(level, concordance="", measured=unscored(level))
        for level in results.levels
    ]
    again = scored(bare, load_score_model(card), recipe)
    for level, before in zip(again, results.levels, strict=True):
        assert level.concordance == before.concordance
        if level.score is None:
            assert before.score is None
            continue
        assert level.score.label == before.score.label
        assert level.score.reasons == before.score.reasons
        assert level.score.value == pytest.approx(before.score.value, abs=1e-8)
    completeness = completeness_of(again, recipe.score.min_levels)
    assert completeness == results.completeness
    assert impression(again, completeness) == results.impression
    compared = compare_discs(again)
    assert compared.quantity == results.comparison.quantity
    for one, other in zip(compared.references, results.comparison.references, strict=True):
        for name, difference in one.levels.items():
            assert difference.difference == pytest.approx(other.levels[name].difference, abs=1e-8)


def unscored(level):
    return replace(level.measured, score=NOT_SCORED)
