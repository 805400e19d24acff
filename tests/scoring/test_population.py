"""The population score against independent integration, and the properties that a user expects."""

from __future__ import annotations

import re
import tomllib
from dataclasses import replace
from math import exp, log, pi, sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mrs_disc.data import Quantities, Quantity
from mrs_disc.models import model_path
from mrs_disc.models.scores import load_score_model
from mrs_disc.recipe import ScoreOptions
from mrs_disc.record.findings import finding
from mrs_disc.record.parts import LikelihoodRatio
from mrs_disc.scoring import score_discs
from mrs_disc.scoring.disc import Disc, label_of

COMPONENTS = ("PG", "LAC", "ALA", "PA", "CHO", "CARB", "COL", "LIP")
MODEL = load_score_model("acidity_structure")
OPTIONS = ScoreOptions()


def make(acidity, structure, acidity_sd, structure_sd, correlation=0.0, level="L4-L5"):
    return Disc(
        level=level,
        acidity=acidity,
        structure=structure,
        acidity_sd=acidity_sd,
        structure_sd=structure_sd,
        correlation=correlation,
        components=COMPONENTS,
        echo_time_s=0.03,
        field_t=3.0,
    )


def ratio_of(*discs):
    return score_discs(discs, MODEL, OPTIONS)[0].evidence.value


def probability(*discs):
    return score_discs(discs, MODEL, OPTIONS)[0].value


# ------------------------------------------------------------------ independent recomputation


def normal(x, mean, sd):
    return exp(-0.5 * ((x - mean) / sd) ** 2) / (sd * sqrt(2 * pi))


def by_plain_sums(card, discs, wanted):
    """The model's definition, with plain sums over the offset and over the true r."""
    r = np.linspace(*card["r_range"], 1500)
    offsets = np.linspace(-4, 4, 81) * card["patient_sd"]

    def seen(d):
        a = max(d["acidity"], 0.0)
        s = max(d["structure"], a / exp(card["r_cap"]))
        k = np.exp(r)
        v = d["acidity_sd"] ** 2 + (k * d["structure_sd"]) ** 2
        v = v - 2 * k * d["correlation"] * d["acidity_sd"] * d["structure_sd"]
        return np.exp(-((a - k * s) ** 2) / (2 * v)) / np.sqrt(v)

    total = sick = 0.0
    for u in offsets:
        weight = normal(u, 0, card["patient_sd"])
        for n, d in enumerate(discs):
            coarse = (r[::3], seen(d)[::3])
            each = {
                c["name"]: c["share"]
                * sum(normal(x, c["mean"] + u, c["sd"]) * y for x, y in zip(*coarse, strict=True))
                for c in card["class"]
            }
            if n == wanted:
                own = each
            else:
                weight *= sum(each.values()) / seen(d).max()
        total += weight * sum(own.values())
        sick += weight * sum(own[c["name"]] for c in card["class"] if c["painful"])
    return sick / total


def test_probability_is_the_definition_summed_plainly():
    card = tomllib.loads(model_path("acidity_structure").read_text())
    numbers = [
        {"acidity": 22, "structure": 55, "acidity_sd": 9, "structure_sd": 7, "correlation": 0.2},
        {"acidity": -4, "structure": 130, "acidity_sd": 8, "structure_sd": 9, "correlation": 0.0},
        {"acidity": 60, "structure": 50, "acidity_sd": 20, "structure_sd": 12, "correlation": -0.3},
    ]
    discs = [make(**n, level=f"L{k + 2}-L{k + 3}") for k, n in enumerate(numbers)]
    for wanted, score in enumerate(score_discs(discs, MODEL, OPTIONS)):
        # The grids differ; the integrand is smooth on both.
        assert score.value == pytest.approx(by_plain_sums(card, numbers, wanted), abs=2e-3)


def test_a_disc_alone_is_one_line_of_arithmetic_where_acid_is_well_above_noise():
    card = tomllib.loads(model_path("acidity_structure").read_text())
    tau = card["patient_sd"]
    for acidity in (8.0, 15.0, 25.0, 40.0):
        e = sqrt((1.5 / acidity) ** 2 + (2 / 60) ** 2)
        r = log(acidity / 60)
        parts = {c["painful"]: 0.0 for c in card["class"]}
        for c in card["class"]:
            spread = sqrt(c["sd"] ** 2 + tau**2 + e**2)
            parts[c["painful"]] += c["share"] * normal(r, c["mean"], spread)
        line = parts[True] / (parts[True] + parts[False])
        # A ratio of noisy sums is not quite log-normal: a few hundredths.
        assert probability(make(acidity, 60.0, 1.5, 2.0)) == pytest.approx(line, abs=0.02)


def test_probability_is_the_share_of_painful_discs_among_such_measurements():
    """Simulate the model forward: of the discs measured near some ratio, p are painful."""
    rng = np.random.default_rng(7)
    n = 400_000
    share = np.array([c.share for c in MODEL.disc_class])
    kind = rng.choice(share.size, n, p=share)
    mean = np.array([c.mean for c in MODEL.disc_class])[kind]
    spread = np.array([c.sd for c in MODEL.disc_class])[kind]
    r = mean + MODEL.patient_sd * rng.standard_normal(n) + spread * rng.standard_normal(n)
    seen = 60 * np.exp(r) + 6 * rng.standard_normal(n)
    painful = np.array([c.painful for c in MODEL.disc_class])[kind]
    for acidity in (5.0, 12.0, 20.0, 28.0):
        near = np.abs(seen - acidity) < 0.5
        error = sqrt(0.25 / near.sum())
        expected = probability(make(acidity, 60.0, 6.0, 0.1))
        assert painful[near].mean() == pytest.approx(expected, abs=4 * error + 0.005)


# ------------------------------------------------------------------ properties


sizes = st.floats(0.02, 0.32)


@settings(max_examples=60)
@given(ratio=st.floats(0.0, 1.0), s=sizes, a=st.floats(0.02, 1.0))
def test_the_interval_holds_the_probability_and_stays_between_0_and_1(ratio, s, a):
    score = score_discs([make(ratio, 1.0, a, s)], MODEL, OPTIONS)[0]
    assert 0 <= score.low <= score.value <= score.high <= 1


def test_a_precise_measurement_has_a_narrow_interval():
    score = score_discs([make(0.3, 1.0, 0.002, 0.002)], MODEL, OPTIONS)[0]
    assert score.high - score.low < 0.05


def test_acid_in_all_discs_points_to_the_patient_and_not_to_the_disc():
    own = make(0.3, 1.0, 0.03, 0.03)
    acid = [make(0.25, 1.0, 0.03, 0.03, level=x) for x in ("L1-L2", "L2-L3", "L3-L4")]
    calm = [make(0.04, 1.0, 0.03, 0.03, level=x) for x in ("L1-L2", "L2-L3", "L3-L4")]
    assert probability(own, *acid) < probability(own) < probability(own, *calm)


def test_order_of_the_discs_does_not_matter():
    discs = [
        make(x, 1.0, 0.05, 0.05, level=f"L{n + 1}-L{n + 2}") for n, x in enumerate((0.1, 0.3, 0.5))
    ]
    forward = score_discs(discs, MODEL, OPTIONS)
    backward = score_discs(discs[::-1], MODEL, OPTIONS)[::-1]
    assert [s.value for s in forward] == pytest.approx([s.value for s in backward], rel=1e-12)


# ------------------------------------------------------------------ labels and reasons


@given(likely=st.floats(1.01, 99), unlikely=st.floats(0.01, 0.99))
def test_a_limit_itself_counts_as_reached(likely, unlikely):
    options = ScoreOptions(likely=likely, unlikely=unlikely)

    def label(ratio, probability, low=None, high=None):
        return label_of(LikelihoodRatio(value=ratio, low=low, high=high), probability, options)

    assert label(likely, 0.5) == "likely painful"
    assert label(np.nextafter(likely, 0), 0.99) == "indeterminate"
    assert label(likely, np.nextafter(0.5, 0)) == "indeterminate"
    assert label(unlikely, 0.5) == "unlikely painful"
    assert label(np.nextafter(unlikely, 1), 0.01) == "indeterminate"
    assert label(unlikely, np.nextafter(0.5, 1)) == "indeterminate"
    assert label(2 * likely, 0.9, unlikely, 3 * likely) == "indeterminate"
    assert label(2 * likely, 0.9, np.nextafter(unlikely, 1), 3 * likely) == "likely painful"


@pytest.mark.parametrize("ratio", [-0.05, 0.1, 0.4, 0.9])
@pytest.mark.parametrize("prevalence", [0.02, 0.25, 0.98])
def test_growing_noise_takes_every_label(ratio, prevalence):
    options = ScoreOptions(prevalence=prevalence)
    scores = [score_discs([make(ratio, 1.0, a, 0.1)], MODEL, options)[0] for a in (2.0, 20.0, 2e3)]
    assert [score.label for score in scores] == ["indeterminate"] * 3
    assert scores[-1].evidence.value == pytest.approx(1.0, abs=0.01)
    assert scores[-1].value == pytest.approx(prevalence, abs=0.01)


@pytest.mark.parametrize(
    ("error", "painful", "painless"),
    [(0.5, (0.53, 0.03), (0.06, 0.57)), (0.7, (0.43, 0.04), (0.06, 0.48)),
     (1.0, (0.28, 0.04), (0.04, 0.34))],
)  # fmt: skip
def test_labels_of_ideal_measurements_are_those_of_the_population(error, painful, painless):
    """Shares of likely and unlikely labels at an error of r of lone discs, in closed form."""
    edges = np.arange(-9.0, 5.0, 0.01)
    density = {True: np.zeros_like(edges), False: np.zeros_like(edges)}
    for c in MODEL.disc_class:
        spread = sqrt(c.sd**2 + MODEL.patient_sd**2 + error**2)
        density[c.painful] += c.share * np.exp(-0.5 * ((edges - c.mean) / spread) ** 2) / spread
    sick, well = (density[kind] / density[kind].sum() for kind in (True, False))
    ratio = sick / well
    for found, expected in ((sick, painful), (well, painless)):
        assert found[ratio >= OPTIONS.likely].sum() == pytest.approx(expected[0], abs=0.03)
        assert found[ratio <= OPTIONS.unlikely].sum() == pytest.approx(expected[1], abs=0.03)


def test_reasons_name_the_numbers_and_what_would_change_the_label():
    score = score_discs([make(0.5, 1.0, 0.05, 0.05)], MODEL, OPTIONS)[0]
    assert score.label == "likely painful"
    text = " | ".join(score.reasons)
    assert "log(acidity/structure) = -0.69" in text
    assert "likely painful no longer below" in text
    assert "25% of such discs" in text
    assert "not validated" in text
    assert "simulated" in text


def test_a_measurement_that_hardly_moves_the_prevalence_is_told():
    """At a prevalence of 10 % a disc of which nothing is known has no label, and is told."""
    vague = make(0.3, 1.0, 0.5, 0.3)
    score = score_discs([vague], MODEL, ScoreOptions(prevalence=0.1))[0]
    assert score.label == "indeterminate"
    assert "hardly a shift" in score.reasons[0]
    odds = score.value / (1 - score.value) * 9
    assert score.reasons[0].startswith(f"likelihood ratio {odds:.2g}: ")
    sharp = score_discs([make(0.5, 1.0, 0.05, 0.05)], MODEL, OPTIONS)[0]
    assert "a large shift towards" in sharp.reasons[0]


def test_the_limit_in_the_reason_is_that_of_the_quantities():
    limit = Quantity(value=None, high=-1.234, limit="upper", reason="no acid above zero")
    quantities = Quantities(values={"log(acidity/structure)": limit})
    disc = replace(make(0.0, 1.0, 0.1, 0.05), quantities=quantities)
    reason = score_discs([disc], MODEL, OPTIONS)[0].reasons[1]
    assert reason.startswith(
        "acid is less than twice its error: log(acidity/structure) below -1.23 "
    )


def test_the_number_in_the_reason_is_that_of_the_quantities():
    """One report, one number: its interval follows the draws, not the delta method."""
    stated = Quantity(value=-0.51, sd=0.1351, low=-0.83, high=-0.28, how="natural logarithm")
    quantities = Quantities(values={"log(acidity/structure)": stated})
    disc = replace(make(0.6, 1.0, 0.07, 0.05), quantities=quantities)
    reason = score_discs([disc], MODEL, OPTIONS)[0].reasons[1]
    assert reason.startswith("log(acidity/structure) = -0.51 ± 0.14 ")


def test_many_discs_beside_take_few_words(disc):
    levels = [f"T{n}-T{n + 1}" for n in range(1, 12)]
    scores = score_discs([disc(0.3, 1.0, level=level) for level in levels], MODEL, OPTIONS)
    assert "beside T1-T2 to T4-T5, T6-T7 to T11-T12 (" in " ".join(scores[4].reasons)


def test_no_reason_claims_certainty():
    """0.00 in the reasons beside < 0.01 in the table would be two words for one number."""
    scores = score_discs(
        [make(0.01, 1.0, 0.002, 0.01, level="L3-L4"), make(0.02, 1.0, 0.002, 0.01)], MODEL, OPTIONS
    )
    text = " ".join(scores[0].reasons)
    assert scores[0].value < 0.005
    assert "likelihood ratio < 0.001 for this disc alone, < 0.001 beside L4-L5" in text
    assert not re.search(r" 0\.00(?!\d)", text)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"components": ("PG", "LAC", "ALA")}, "needs PA, COL"),
        ({"echo_time_s": 0.144}, "echo times of 25 to 40 ms, not 144 ms"),
        ({"echo_time_s": None}, "unknown"),
        ({"field_t": 7.0}, "made for 3 T and 1.5 T, not 7.00 T"),
        ({"structure": 0.2, "structure_sd": 0.1}, "structure not measurable: 2.0 sd"),
        ({"acidity": -0.9, "acidity_sd": 0.1}, "below zero"),
        ({"acidity": None}, "not measured"),
        ({"acidity": float("nan")}, "not a finite number"),
        ({"unusable": finding("poor_spectrum", why="SNR of PG is 2.0")}, "SNR of PG is 2.0"),
    ],
)
def test_outside_its_scope_a_model_gives_no_number(disc, changes, words):
    score = score_discs([disc(0.3, 1.0, **changes)], MODEL, OPTIONS)[0]
    assert (score.value, score.low, score.high, score.label) == (None, None, None, "indeterminate")
    assert words in score.reasons[0]


def test_an_unusable_disc_does_not_enter_the_others(disc):
    good = disc(0.3, 1.0)
    poor = disc(0.9, 1.0, level="L1-L2", unusable=finding("poor_spectrum", why="gas"))
    assert probability(good, poor) == probability(good)


def test_low_field_is_said_to_be_exploratory(disc):
    score = score_discs([disc(0.3, 1.0, field_t=1.5)], MODEL, OPTIONS)[0]
    assert score.value is not None
    assert any("exploratory at 1.5 T" in r for r in score.reasons)


def test_a_patient_unlike_the_assumed_prevalence_is_told():
    levels = ("L1-L2", "L2-L3", "L3-L4", "L4-L5")
    acid = [make(0.42, 1.0, 0.06, 0.05, level=x) for x in levels]
    calm = [make(0.06, 1.0, 0.06, 0.05, level=x) for x in levels]
    for discs, told in ((acid, True), (calm, False), (acid[:1], False)):
        score = score_discs(discs, MODEL, OPTIONS)[0]
        assert any("fit a prevalence of 80%" in r for r in score.reasons) is told
