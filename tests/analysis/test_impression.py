"""The impression's words: fixed, few, and never a treatment."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import product
from math import sqrt

import pytest
from scipy.stats import norm

from mrs_disc.analysis.impression import (
    clean_reason,
    impression,
    not_examined,
    spans,
)
from mrs_disc.record.concordance import AGREEMENT, concordance, describe_morphology
from mrs_disc.record.level import Level, Measured
from mrs_disc.record.parts import (
    Completeness,
    Correlation,
    DiscScore,
    Fit,
    LevelFailure,
    Morphology,
    Protocol,
    Provocation,
    Quality,
    Quantities,
    Quantity,
)
from mrs_disc.scoring.comparison import LINEAR, QUANTITY, most_acidic

LABELS = ("likely painful", "indeterminate", "unlikely painful")
COMPLETE = Completeness(n_levels=3, min_levels=3, met=True, missing=())


def measurement(verdict="good", reasons=(), structure=None):
    values = {}
    if structure is not None:
        values["structure/water"] = Quantity(value=structure, sd=0.1, low=0.0, high=9.0)
    return Measured(
        protocol=Protocol(),
        fit=Fit(
            model="disc_1h@1", converged=True, metabolites={}, residual_ratio=1.0,
            correlation=Correlation(names=(), matrix=()),
        ),
        quality=Quality(
            verdict=verdict, reasons=reasons, snr=9.0, linewidth_hz=20.0, water_linewidth_hz=None,
            n_transients=1, n_rejected=0, rejected=(), drift_hz=None, residual_water=None,
        ),
        quantities=Quantities(values=values),
    )  # fmt: skip


def disc(level="L4-L5", label="likely painful", value=0.9, *, run=1, **changes):
    content = {
        "morphology": changes.pop("morphology", None),
        "provocation": changes.pop("provocation", None),
    }
    reasons = changes.pop("score_reasons", ())
    score = DiscScore(model="m@1", value=value, low=None, high=None, label=label, reasons=reasons)
    return Level(
        level=level, run=run, measured=replace(measurement(**changes), score=score), **content
    )


def failed(level="L5-S1", message="no echo time. Give it in study.toml."):
    return Level(level=level, error=LevelFailure(stage="read", message=message))


MORPHOLOGIES = (
    None,
    Morphology(),
    Morphology(pfirrmann=4, modic=1, hiz=True, herniation="protrusion"),
    Morphology(pfirrmann=5, disc_height_loss="severe"),
    Morphology(pfirrmann=2, modic=0, hiz=False, herniation="none", disc_height_loss="none"),
)


def test_the_contract_example():
    level = disc(morphology=Morphology(pfirrmann=4, modic=1, hiz=True))
    assert concordance(level) == "Pfirrmann IV, Modic 1, high-intensity zone: concordant"


@pytest.mark.parametrize(
    ("morphology", "label", "word"),
    [
        (Morphology(modic=2), "likely painful", "concordant"),
        (Morphology(modic=3), "likely painful", "discordant"),
        (Morphology(herniation="extrusion"), "unlikely painful", "discordant"),
        (Morphology(herniation="bulge"), "unlikely painful", "concordant"),
        (Morphology(pfirrmann=4), "likely painful", "partly concordant"),
        (Morphology(pfirrmann=4), "unlikely painful", "partly concordant"),
        (Morphology(pfirrmann=2), "likely painful", "discordant"),
        (Morphology(pfirrmann=2), "unlikely painful", "concordant"),
        (Morphology(hiz=True), "indeterminate", "not assessable"),
    ],
)
def test_morphology_agrees_or_not(morphology, label, word):
    assert concordance(disc(label=label, morphology=morphology)).endswith(f": {word}")


@pytest.mark.parametrize(
    ("result", "label", "word"),
    [
        ("positive", "likely painful", "concordant"),
        ("negative", "likely painful", "discordant"),
        ("negative", "unlikely painful", "concordant"),
        ("indeterminate", "likely painful", "not assessable"),
        ("positive", "indeterminate", "not assessable"),
    ],
)
def test_provocation_agrees_or_not(result, label, word):
    text = concordance(disc(label=label, provocation=Provocation(result=result)))
    assert text == f"no morphology given; provocation {result}: {word}"


def studies():
    """Many kinds of study: labels, quality, morphology, failures, provocation."""
    for label, morphology, verdict in product(LABELS, MORPHOLOGIES, ("good", "poor")):
        label = "indeterminate" if verdict == "poor" else label
        reasons = ("SNR 3.1 is below 5. Measure longer.",) if verdict == "poor" else ()
        first = disc("L3-L4", label, 0.5, morphology=morphology, verdict=verdict, reasons=reasons)
        yield [first]
        yield [first, disc("L4-L5", structure=0.1), failed()]
        yield [
            first,
            disc("L2-L3", "unlikely painful", structure=5.0),
            disc("L4-L5", structure=1.0, provocation=Provocation(result="negative")),
            disc("L5-S1", structure=4.8),
        ]


ALLOWED = re.compile(r"\b(surgery|surgical|treat\w*|fusion|therap\w*|operat\w*|diagnos\w*)", re.I)


@pytest.mark.parametrize("levels", list(studies()))
def test_two_to_five_sentences_that_name_no_treatment(levels):
    text = impression(levels, COMPLETE)
    sentences = re.split(r"\.\s+", text)
    assert 2 <= len(sentences) <= 5
    assert text.endswith(".")
    assert not ALLOWED.search(text)
    assert "None" not in text
    assert "nan" not in text
    for level in levels:
        assert level.level in text
    assert "preliminary, not reviewed" in text


def test_every_label_and_failure_is_named_with_its_reason():
    text = impression(
        [
            disc("L4-L5"),
            disc("L3-L4", "unlikely painful", 0.1),
            disc("L2-L3", "indeterminate", 0.43),
            disc("L1-L2", "indeterminate", None, verdict="poor", reasons=("SNR 3.1 is below 5",)),
            failed("L5-S1"),
        ],
        COMPLETE,
    )
    assert text.startswith("Likely painful: L4-L5; unlikely painful: L3-L4. ")
    assert "L2-L3 indeterminate (probability 0.43, between the two labels)" in text
    assert "L1-L2 indeterminate (poor spectrum: SNR 3.1 is below 5)" in text
    assert "L5-S1 not measured (no echo time; give it in study.toml)" in text
    assert "Examination complete for CPT 0609T (3 usable discs, at least 3 needed)" in text


def test_a_value_just_below_a_label_does_not_read_as_if_it_had_reached_it():
    text = impression([disc("L4-L5", "indeterminate", 0.4967)], COMPLETE)
    assert "L4-L5 indeterminate (probability 0.497, between the two labels)" in text


@pytest.mark.parametrize("levels", list(studies()))
def test_no_test_of_the_patient_is_proposed(levels):
    text = impression([replace(level, provocation=None) for level in levels], COMPLETE)
    assert not re.search("provocation|discograph|correlation", text)


def test_a_provocation_result_is_compared():
    text = impression([disc("L4-L5", provocation=Provocation(result="positive"))], COMPLETE)
    assert "provocation testing: concordant in L4-L5 (positive)" in sentence_with(
        text, "concordant"
    )


def sentence_with(text, word):
    found = next(s for s in re.split(r"\.\s+", text) if word in s)
    return found[:1].lower() + found[1:]


def test_structure_is_told_with_its_part_in_the_score():
    levels = [
        disc("L2-L3", "unlikely painful", structure=3.0),
        disc("L3-L4", "unlikely painful", structure=3.1),
        disc("L4-L5", structure=1.0),
    ]
    text = impression(levels, COMPLETE)
    expected = (
        "Structure (low in degeneration; the score divides by it): below this person's median in "
        "L4-L5."
    )
    assert expected in text


def test_the_run_of_best_quality_speaks():
    levels = [
        disc("L4-L5", "indeterminate", 0.5, verdict="poor", reasons=("SNR 3 is below 5",)),
        disc("L4-L5", "likely painful", 0.9, run=2),
    ]
    assert impression(levels, COMPLETE).startswith("Likely painful: L4-L5.")


def test_an_incomplete_examination_says_so():
    completeness = Completeness(n_levels=2, min_levels=3, met=False, missing=("L5-S1",))
    text = impression([disc("L4-L5"), failed()], completeness)
    assert "Examination incomplete for CPT 0609T (2 usable discs, at least 3 needed)" in text


def test_levels_of_the_region_that_were_not_examined():
    assert not_examined(["L3-L4", "L4-L5", "L5-S1"]) == ["L1-L2", "L2-L3"]
    assert not_examined(["L4-L5", "L5-L6", "L6-S1", "L3-L4"]) == ["L1-L2", "L2-L3"]
    assert not_examined(["T12-L1", "L1-L2"]) == []
    assert spans(["L1-L2", "L2-L3"]) == "L1-L2, L2-L3"


def test_words_of_concordance_are_the_fixed_ones():
    for morphology, label in product(MORPHOLOGIES, LABELS):
        text = concordance(disc(label=label, morphology=morphology))
        assert text == "no morphology given" or text.rsplit(": ", 1)[1] in AGREEMENT


@pytest.mark.parametrize("text", ["a" * 400, "line\nbreak. Next.", "x. y. z.", "‮evil"])
def test_reasons_stay_one_short_clause(text):
    cleaned = clean_reason(text)
    assert len(cleaned) <= 120
    assert ". " not in cleaned
    assert "\n" not in cleaned


def test_morphology_in_words():
    text = describe_morphology(Morphology(modic=0, hiz=False, herniation="none"))
    assert text == "no Modic change, high-intensity zone or herniation"


def test_what_lacks_a_label_for_one_reason_is_told_once():
    """A wall of words is not read: twelve discs take no more clauses than reasons."""
    levels = [disc(f"T{n}-T{n + 1}", "indeterminate", 0.3 + n / 100) for n in range(1, 4)]
    poor = {"verdict": "poor", "reasons": ("SNR 3 is below 5",)}
    levels += [disc(name, "indeterminate", 0.5, **poor) for name in ("T4-T5", "T5-T6")]
    text = impression(levels, COMPLETE)
    between = "probability 0.31, 0.32 and 0.33, between the two labels"
    assert f"T1-T2, T2-T3 and T3-T4 indeterminate ({between})" in text
    assert "T4-T5 and T5-T6 indeterminate (poor spectrum: SNR 3 is below 5)" in text


def test_findings_stand_where_they_matter():
    """With a painful disc and with disagreement; a quiet disc on both sides is only named."""
    healthy = Morphology(pfirrmann=2, modic=0, hiz=False, herniation="none")
    levels = [
        disc("L2-L3", "unlikely painful", 0.1, morphology=healthy),
        disc("L3-L4", "unlikely painful", 0.1, morphology=Morphology(pfirrmann=3, hiz=True)),
        disc("L4-L5", morphology=Morphology(pfirrmann=4, modic=1, hiz=True, herniation="none")),
    ]
    expected = (
        "Morphologic MRI (grade and score both follow structure): "
        "concordant in L2-L3 and L4-L5 (Pfirrmann IV, Modic 1, high-intensity "
        "zone); discordant in L3-L4 (Pfirrmann III, high-intensity zone)."
    )
    assert expected in impression(levels, COMPLETE)


@pytest.mark.parametrize(
    "file", ["{}/metabolite.nii.gz", "sub-01_voi-{}_svs.nii.gz", "my scan {}.SDAT", "a b/{} series"]
)
def test_the_name_of_a_failed_file_is_not_repeated(file):
    """Else levels that failed alike would each have a clause of their own."""
    levels = [
        failed(name, f"{file.format(name)}: all samples are zero: there is no signal in it")
        for name in ("L4-L5", "L5-S1")
    ]
    expected = "L4-L5 and L5-S1 not measured (all samples are zero: there is no signal in it)"
    assert expected in impression(levels, COMPLETE)


def test_what_is_no_file_name_stays():
    text = impression([failed("L5-S1", "no echo time, 0.03 s say: give one")], COMPLETE)
    assert "L5-S1 not measured (no echo time, 0.03 s say: give one)" in text


def test_without_any_label_nothing_is_said_to_be_without_suspicion():
    """'No level stands out' would read as a finding where nothing could be judged."""
    text = impression([failed("L5-S1"), disc("L4-L5", "indeterminate", 0.4)], COMPLETE)
    assert text.startswith("No level could be labelled as likely or unlikely painful.")
    assert "stands out" not in text


# --------------------------------------------------------------------------- the most acidic


def measured(level, value, sd, name=QUANTITY):
    one = disc(level)
    quantity = Quantity(value=value, sd=sd, low=value - 1.96 * sd, high=value + 1.96 * sd)
    quantities = replace(one.measured.quantities, values={name: quantity})
    return replace(one, measured=replace(one.measured, quantities=quantities))


@pytest.mark.parametrize("apart", [0.0, 0.5, 1.5])
@pytest.mark.parametrize("errors", [(0.3, 0.3), (0.2, 0.9)])
def test_of_two_discs_it_is_the_normal_law_of_their_difference(apart, errors):
    discs = [measured("L3-L4", -1.5 + apart, errors[0]), measured("L4-L5", -1.5, errors[1])]
    found = most_acidic(discs)
    expected = norm.cdf(apart / sqrt(errors[0] ** 2 + errors[1] ** 2))
    assert found["L3-L4"] == pytest.approx(expected, abs=0.025)  # 4000 draws
    assert sum(found.values()) == pytest.approx(1.0)


def test_equal_discs_share_it_evenly():
    found = most_acidic([measured(v, -1.0, 0.4) for v in ("L2-L3", "L3-L4", "L4-L5", "L5-S1")])
    assert all(share == pytest.approx(0.25, abs=0.03) for share in found.values())


def test_a_lone_disc_has_no_rank_and_a_poor_one_none_either():
    assert most_acidic([measured("L4-L5", -1.0, 0.4)]) == {}
    poor = disc("L3-L4", "indeterminate", verdict="poor")
    two = [measured("L4-L5", -1.0, 0.4), measured("L5-S1", -2.0, 0.4), poor]
    assert "L3-L4" not in most_acidic(two)


def test_discs_with_an_upper_limit_are_ranked_by_the_ratio_itself():
    discs = [measured("L4-L5", 0.6, 0.1, LINEAR), measured("L5-S1", 0.02, 0.1, LINEAR)]
    assert most_acidic(discs)["L4-L5"] > 0.99


def test_the_impression_names_the_most_acidic_disc_where_that_is_telling():
    levels = [measured(v, r, 0.2) for v, r in (("L3-L4", -2.0), ("L4-L5", -1.0), ("L5-S1", -2.1))]
    first = impression(levels, COMPLETE).partition(". ")[0]
    assert "of the discs measured, L4-L5 is the most acidic with probability " in first
    alike = [measured(v, -1.5, 0.4) for v in ("L3-L4", "L4-L5", "L5-S1")]
    assert "most acidic" not in impression(alike, COMPLETE)
