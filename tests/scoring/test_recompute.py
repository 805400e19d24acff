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
from mrs_disc.analysis.impression import impression
from mrs_disc.models import model_path
from mrs_disc.models.scores import load_score_model
from mrs_disc.recipe import Recipe
from mrs_disc.record.file import canonical_json, results_of
from mrs_disc.record.level import completeness_of
from mrs_disc.record.parts import NOT_SCORED
from mrs_disc.report.results import results_from
from mrs_disc.scoring.comparison import compare_discs
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


def joint_of(card, discs, wanted, prevalence=None):
    """Offset and class to what they explain of all discs, shape (offset, class), plainly summed."""
    r = np.linspace(*card["r_range"], 4001)
    painful = np.array([c["painful"] for c in card["class"]])
    share = np.array([c["share"] for c in card["class"]])
    if prevalence is not None:
        for side, whole in ((painful, prevalence), (~painful, 1 - prevalence)):
            share[side] *= whole / share[side].sum()
    rows = []
    for u in np.linspace(-4, 4, 161) * card["patient_sd"]:
        weight = np.exp(-0.5 * (u / card["patient_sd"]) ** 2)
        density = [
            np.exp(-0.5 * ((r - c["mean"] - u) / c["sd"]) ** 2) / c["sd"] for c in card["class"]
        ]
        for level, seen in discs.items():
            if level != wanted:
                weight *= sum(share * [one @ seen for one in density]) / seen.sum()
        own = [one @ discs[wanted] for one in density]
        rows.append(weight * share * own)
    return np.array(rows), share, painful


def recomputed(card, discs, wanted, prevalence=None):
    """P(painful) of one disc beside the others."""
    joint, _, painful = joint_of(card, discs, wanted, prevalence)
    return joint[:, painful].sum() / joint.sum()


def ratio_recomputed(card, discs, wanted):
    """The likelihood ratio with its 2.5th and 97.5th percentile over the patient's offset."""
    joint, share, painful = joint_of(card, discs, wanted)

    def ratio(part):
        sick = part[..., painful].sum(axis=-1) / share[painful].sum()
        return sick / (part[..., ~painful].sum(axis=-1) / share[~painful].sum())

    each, weight = ratio(joint), joint.sum(axis=1) / joint.sum()
    order = np.argsort(each)
    reached = np.cumsum(weight[order]) - weight[order] / 2
    return ratio(joint.sum(axis=0)), np.interp([0.025, 0.975], reached, each[order])


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
        ratio, (low, high) = ratio_recomputed(card, discs, level["level"])
        printed = level["score"]
        assert printed["likelihood_ratio"] == pytest.approx(ratio, rel=0.01)
        # 25 nodes of the offset there, 161 here.
        assert printed["likelihood_ratio_low"] == pytest.approx(min(low, ratio), rel=0.2, abs=2e-3)
        assert printed["likelihood_ratio_high"] == pytest.approx(
            max(high, ratio), rel=0.2, abs=2e-3
        )
        if (other := printed["inputs"].get("mostly_painful")) is not None:
            at = other["prevalence"]
            p = recomputed(card, discs, level["level"], at)
            assert other["probability"] == pytest.approx(p, abs=2e-3)
            fit = [joint_of(card, discs, level["level"], p)[0].sum() for p in (at, None)]
            assert other["times_as_likely"] == pytest.approx(fit[0] / fit[1], rel=0.01)
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


def label_by_hand(score, limits):
    """The label that the printed numbers carry."""
    ratio, low, high = (score[f"likelihood_ratio{end}"] for end in ("", "_low", "_high"))
    if low <= limits["unlikely"] and high >= limits["likely"]:
        return "indeterminate"
    if ratio >= limits["likely"] and score["value"] >= 0.5:
        return "likely painful"
    if ratio <= limits["unlikely"] and score["value"] <= 0.5:
        other = score["inputs"].get("mostly_painful", {"times_as_likely": 0})
        most = limits["unlikely"] / (1 + limits["unlikely"])
        if other["times_as_likely"] < 1 or other["probability"] <= most:
            return "unlikely painful"
    return "indeterminate"


def test_labels_follow_the_printed_limits(record):
    limits = record["recipe"]["score"]
    for level in record["levels"]:
        score = level["score"]
        if score is not None and score["value"] is not None:
            assert score["label"] == label_by_hand(score, limits)


def test_ratio_and_probability_follow_from_each_other(record):
    """Bayes' rule: prior odds times the ratio are the odds of the probability."""
    for level in record["levels"]:
        score = level["score"]
        if score is not None and score["value"] is not None:
            prior = score["inputs"]["prevalence"]
            odds = prior / (1 - prior) * score["likelihood_ratio"]
            assert score["value"] == pytest.approx(odds / (1 + odds), rel=1e-8)


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


def test_a_record_with_its_ratio_as_an_object_is_read_as_well(record):
    """So an earlier version wrote it."""
    older = json.loads(canonical_json(results_of(record, Path("results.json"))))
    for level in older["levels"]:
        if level["score"]:
            ends = {"value": "", "low": "_low", "high": "_high"}
            ratio = {n: level["score"].pop(f"likelihood_ratio{end}") for n, end in ends.items()}
            level["score"]["evidence"] = None if ratio["value"] is None else ratio
    read = results_of(older, Path("results.json"))
    assert canonical_json(read) == canonical_json(record)
    assert any(level.score and level.score.evidence for level in read.levels)
