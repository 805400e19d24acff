"""Transients that a disc without a label would take: closed forms, and the score asked again."""

from dataclasses import replace
from math import exp, log

import pytest

from mrs_disc.models.scores import load_score_model
from mrs_disc.recipe import ScoreOptions
from mrs_disc.record.findings import sentences
from mrs_disc.scoring import Disc, score_discs
from mrs_disc.scoring.needed import MOST_TIMES, with_transients

MODEL, OPTIONS = load_score_model("acidity_structure"), ScoreOptions()


def disc(r, error, *, noise_share=1.0, n=32):
    """Return a disc whose acidity has a relative error, a share of its variance from noise."""
    acidity = 100 * exp(r)
    return Disc(
        level="L4-L5",
        acidity=acidity,
        acidity_sd=error * acidity,
        acidity_repetition_sd=noise_share**0.5 * error * acidity,
        structure=100.0,
        structure_sd=1.0,
        structure_repetition_sd=1.0,
        components=("LAC", "ALA", "PA", "PG", "COL"),
        echo_time_s=0.028,
        repetition_time_s=1.5,
        field_t=3.0,
        n_transients=n,
    )


def told(one):
    """Return the score and the finding about transients, if any."""
    (score,) = score_discs([one], MODEL, OPTIONS)
    kinds = ("more_transients", "transients_do_not_help")
    return score, next((f for f in score.findings if f.kind in kinds), None)


def test_noise_falls_with_the_root_of_transients_and_the_rest_stays():
    one = with_transients(disc(-1.0, 0.5), 4.0)
    assert one.acidity_sd == pytest.approx(0.25 * one.acidity)
    held = with_transients(disc(-1.0, 0.5, noise_share=0.36), 1e12)
    assert held.acidity_sd == pytest.approx(0.8 * 0.5 * held.acidity)
    assert with_transients(held, 1.0).acidity_sd == pytest.approx(held.acidity_sd)


@pytest.mark.parametrize(
    ("r", "error", "label"), [(-0.6, 1.4, "likely painful"), (-2.6, 4.0, "unlikely painful")]
)
def test_as_many_transients_give_the_label_and_fewer_do_not(r, error, label):
    weak = disc(r, error)
    score, needed = told(weak)
    assert score.label == "indeterminate"
    assert needed.values["label"] == label
    times = needed.values["times"]
    assert told(with_transients(weak, times))[0].label == label
    assert told(with_transients(weak, times / 2**0.3))[0].label == "indeterminate"
    assert needed.values["minutes"] == pytest.approx(needed.values["n"] * 1.5 / 60)


def test_a_ratio_between_the_classes_is_labelled_by_no_number():
    """Without any error the ratio is that of the densities: here between the labels' limits."""

    def density(c):
        variance = c.sd**2 + MODEL.patient_sd**2
        return c.share * exp(-0.5 * (-1.35 - c.mean) ** 2 / variance) / variance**0.5

    painful = sum(density(c) for c in MODEL.disc_class if c.painful) / 0.25
    painless = sum(density(c) for c in MODEL.disc_class if not c.painful) / 0.75
    assert abs(log(painful / painless)) < log(4)
    _, needed = told(disc(-1.35, 0.6))
    assert needed.kind == "transients_do_not_help"
    assert f"{MOST_TIMES:.0f} times" in sentences([needed])[0]


def test_a_labelled_disc_is_told_nothing():
    score, needed = told(disc(-0.3, 0.1))
    assert score.label == "likely painful"
    assert needed is None


def test_an_unknown_number_is_said_so():
    _, needed = told(replace(disc(-0.6, 1.4), n_transients=None))
    assert "an unknown number" in sentences([needed])[0]
    assert "time not known" in sentences([needed])[0]
