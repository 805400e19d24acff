"""What a user may rely on of likelihood ratios and labels, whatever the numbers."""

from __future__ import annotations

from dataclasses import replace
from math import exp

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mrs_disc.models.scores import load_score_model
from mrs_disc.recipe import ScoreOptions
from mrs_disc.scoring import Disc, score_discs

MODEL = load_score_model("acidity_structure")
OPTIONS = ScoreOptions()
RANK = {"unlikely painful": -1, "indeterminate": 0, "likely painful": 1}


def make(acidity, structure, acidity_sd, structure_sd, correlation=0.0, level="L4-L5"):
    return Disc(
        level=level,
        acidity=acidity,
        structure=structure,
        acidity_sd=acidity_sd,
        structure_sd=structure_sd,
        correlation=correlation,
        components=("PG", "LAC", "ALA", "PA", "CHO", "CARB", "COL", "LIP"),
        echo_time_s=0.03,
        field_t=3.0,
    )


def beside(ratios, sd=0.08):
    levels = ("L1-L2", "L2-L3", "L3-L4", "L5-S1")
    return [make(x, 1.0, sd, sd, level=v) for x, v in zip(ratios, levels, strict=False)]


def scored(discs, options=OPTIONS):
    return score_discs(discs, MODEL, options)[0]


companions = st.lists(st.floats(-0.1, 1.0), max_size=4).map(beside)
sizes = st.floats(0.02, 0.32)
acids = st.floats(0.02, 2.0)
correlations = st.floats(-0.4, 0.4)
ratios = st.floats(-0.2, 1.4)
limits = st.tuples(st.floats(1.2, 30), st.floats(0.03, 0.9))
few = settings(max_examples=40)


@few
@example(ratio=0.0, more=1 / 64, a=0.0234375, s=0.3125, rho=0.0, others=[])
@given(
    ratio=ratios, more=st.floats(0.0, 0.6), a=acids, s=sizes, rho=correlations, others=companions
)  # fmt: skip
def test_more_acid_never_lowers_ratio_or_label(ratio, more, a, s, rho, others):
    low, high = (scored([make(x, 1.0, a, s, rho), *others]) for x in (ratio, ratio + more))
    if low.evidence is None or high.evidence is None:
        return
    # Far below all discs of the population the class that scatters more is a hair likelier again.
    assert max(high.evidence.value, 0.05) >= max(low.evidence.value, 0.05) * (1 - 1e-9)
    assert RANK[high.label] >= RANK[low.label]


@few
@example(ratio=5e-324, more=2.0, a=1.0, s=0.25, rho=0.0, others=[])
@example(ratio=1.25, more=2.0, a=1.0, s=0.31640625, rho=-0.25, others=beside([0.0, 0.0, 0.0]))
@example(ratio=0.65, more=1.1, a=0.41, s=0.32, rho=0.36, others=beside([-0.05] * 4))
@given(
    ratio=ratios, more=st.floats(1.0, 3.0), a=acids, s=sizes, rho=correlations, others=companions
)  # fmt: skip
def test_more_structure_hardly_raises_ratio_and_no_label(ratio, more, a, s, rho, others):
    one, firmer = (scored([make(ratio, x, a, s, rho), *others]) for x in (1.0, more))
    if one.evidence is None or firmer.evidence is None:
        return
    # The ratio is highest just above the least structure that counts, where errors are large.
    assert firmer.evidence.value <= one.evidence.value * 1.01
    if firmer.evidence.value <= one.evidence.value:
        assert RANK[firmer.label] <= RANK[one.label]


@few
@given(
    ratio=ratios, a=acids, s=sizes, rho=st.floats(-0.8, 0.8), others=companions,
    units=st.lists(st.floats(1e-6, 1e6), min_size=5, max_size=5),
)  # fmt: skip
def test_ratio_interval_and_label_do_not_know_the_unit(ratio, a, s, rho, others, units):
    """Each disc may have a unit of its own: another coil, another gain."""
    discs = [make(ratio, 1.0, a, s, rho), *others]
    other = [
        replace(
            disc,
            acidity=unit * disc.acidity,
            structure=unit * disc.structure,
            acidity_sd=unit * disc.acidity_sd,
            structure_sd=unit * disc.structure_sd,
        )
        for disc, unit in zip(discs, units, strict=False)
    ]
    one, two = scored(discs), scored(other)
    assert two.label == one.label
    if one.evidence is not None:
        for name in ("value", "low", "high"):
            expected = getattr(one.evidence, name)
            assert getattr(two.evidence, name) == pytest.approx(expected, rel=1e-8)


@few
@given(ratio=ratios, a=acids, s=sizes, others=companions, limits=limits)
@example(ratio=0.45, a=0.02, s=0.02, others=beside([0.4, 0.4]), limits=(1.2, 0.9))
def test_no_label_where_the_interval_reaches_from_one_limit_to_the_other(
    ratio, a, s, others, limits
):
    likely, unlikely = limits
    score = scored(
        [make(ratio, 1.0, a, s), *others], ScoreOptions(likely=likely, unlikely=unlikely)
    )
    if score.evidence is None:
        return
    low, strong, high = score.evidence.low, score.evidence.value, score.evidence.high
    assert low <= strong <= high
    spans = low <= unlikely and high >= likely
    if spans or unlikely < strong < likely:
        assert score.label == "indeterminate"
    told = {f.kind for f in score.findings}
    assert ("held_by_interval" in told) is (spans and not unlikely < strong < likely)


@few
@given(
    ratio=ratios, a=acids, s=sizes, others=companions,
    prevalences=st.tuples(st.floats(0.001, 0.999), st.floats(0.001, 0.999)),
)  # fmt: skip
def test_a_label_changes_with_the_prevalence_by_the_side_of_one_half_alone(
    ratio, a, s, others, prevalences
):
    discs = [make(ratio, 1.0, a, s), *others]
    one, two = (scored(discs, ScoreOptions(prevalence=p)) for p in prevalences)
    if one.evidence is None:
        return
    assert one.evidence == two.evidence
    if (one.value > 0.5) == (two.value > 0.5) and 0.5 not in (one.value, two.value):
        assert one.label == two.label
    for score in (one, two):
        assert (score.label == "likely painful") <= (score.value >= 0.5)
        assert (score.label == "unlikely painful") <= (score.value <= 0.5)


def test_what_keeps_strong_evidence_from_a_label_is_told():
    acid = make(0.5, 1.0, 0.05, 0.05)
    told = scored([acid], ScoreOptions(prevalence=0.01))
    assert told.label == "indeterminate"
    assert "yet at the assumed prevalence of 1% the probability is" in " ".join(told.reasons)
    assert scored([acid]).label == "likely painful"


# ------------------------------------------------------------------ mostly painful patients


def test_among_acid_discs_unlikely_painful_takes_more():
    """LR about .2: a label beside calm discs, none where four discs speak for pain."""
    own = make(0.115, 1.0, 0.04, 0.05)
    calm, sick = beside([0.05, 0.05, 0.1, 0.1]), beside([0.5, 0.5, 0.5, 0.5], sd=0.05)
    assert scored([own, *calm]).label == "unlikely painful"
    held = scored([own, *sick])
    assert held.evidence.value <= 0.25
    assert held.value < 0.1
    assert held.label == "indeterminate"
    high = held.inputs["mostly_painful"]
    assert high["times_as_likely"] > 1
    assert high["probability"] > 0.2
    assert "the discs together fit a prevalence of 80% as well" in " ".join(held.reasons)
    assert "unlikely painful no longer above" not in " ".join(held.reasons)
    firm = scored([make(0.02, 1.0, 0.02, 0.02), *sick])
    assert firm.label == "unlikely painful"


def test_a_patient_of_two_discs_tells_nothing_of_the_prevalence():
    score = scored([make(0.115, 1.0, 0.04, 0.05), *beside([0.5])])
    assert "mostly_painful" not in score.inputs


@pytest.mark.parametrize(
    ("disc", "capped"), [(make(0.2, 1.0, 0.02, 0.02), False), (make(0.6, 1.0, 0.3, 0.2), True)]
)
def test_what_would_change_the_label_is_true(disc, capped):
    """Also where acid nearly reaches structure, which the score then takes for larger."""
    begin = "another value with the same error"
    sentence = next(r for r in scored([disc]).reasons if r.startswith(begin))
    limit = float(sentence.split("likely painful from ")[1].split(" on")[0])
    assert (limit > MODEL.r_cap) is capped
    below, above = (scored([replace(disc, acidity=exp(limit + d))]).label for d in (-0.02, 0.02))
    assert (below, above) == ("indeterminate", "likely painful")


def test_number_and_word_of_the_evidence_agree():
    """1.96 is printed as 2, where the scale says a small shift."""
    model_word = {True: "a small shift", False: "hardly a shift"}
    for acidity in (0.28, 0.29, 0.30, 0.31, 0.32):
        score = scored([make(acidity, 1.0, 0.1, 0.05)])
        printed = float(score.reasons[0].split()[2].rstrip(":"))
        if 1 < printed < 5:
            assert model_word[printed >= 2] in score.reasons[0]
