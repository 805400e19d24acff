"""What was given of the examination, and each disc against the reference bands, in words."""

from __future__ import annotations

import io
import json
import math
import tomllib
from dataclasses import replace
from datetime import date
from importlib import resources
from pathlib import Path

import pytest

from mrs_disc.models.scores import load_score_model
from mrs_disc.record.file import as_json, results_of
from mrs_disc.record.parts import Quantity
from mrs_disc.report import bands, fhir, text, workbook
from mrs_disc.report.content import View
from mrs_disc.report.dictated import finding_sentence
from mrs_disc.report.html import render as html
from mrs_disc.report.results import results_from

GIVEN = {
    "comparison": "MRI of 2024-05-06",
    "referring_question": "Which disc?",
    "sex": "female",
    "age": 47,
    "accession_number": "ACC-99120",
    "examination_date": "2025-01-31",
}


@pytest.fixture(scope="module")
def results(build):
    """A healthy and a painful disc, and one of a poor spectrum, scored by the shipped model."""
    levels = [
        build.level("L3-L4", build.healthy),
        build.level("L4-L5", build.painful, label="likely painful", value=0.9),
        build.level("L5-S1", build.painful, verdict="poor", value=None),
    ]
    card = load_score_model("acidity_structure").model_dump(mode="json")
    report = build.report(levels, clinical=GIVEN, score_model_card=card)
    made = results_of(as_json(results_from(report)), Path("results.json"))
    structure = {bands.STRUCTURE: (4.5, 4.2, 4.8, None), "structure/water": (90, 66, 122, None)}
    return replace(made, levels=tuple(told_at(level, **structure) for level in made.levels))


def view(results):
    return View(results=results, signals=None, written=date(2026, 1, 2), record_sha256="a" * 64)


def told_at(level, **quantities):
    """Return a level with other quantities: value and 95 % interval."""
    values = dict(level.measured.quantities.values)
    for name, (value, low, high, limit) in quantities.items():
        unit = "mmol protons per kg tissue water" if name == "structure/water" else ""
        values[name] = Quantity(
            value=value, sd=0.2, low=low, high=high, limit=limit, unit=unit, how="made up"
        )
    measured = replace(level.measured, quantities=replace(level.measured.quantities, values=values))
    return replace(level, measured=measured)


def test_what_was_given_stands_before_the_impression_in_each_format(results):
    page = html(view(results))["report.html"].decode()
    words = text.render(view(results))["report.txt"].decode()
    for whole, mark in ((page, '<h2 id="impression">'), (words, "IMPRESSION")):
        head = whole[: whole.index(mark)]
        said = [str(value).replace("47", "47 years") for value in reversed(GIVEN.values())]
        places = [head.index(value) for value in said]
        assert places == sorted(places)  # day, accession, age, sex, question, comparison
    assert "Which disc?\n" in words


def test_fhir_and_the_workbook_carry_what_was_given(results):
    report = json.loads(fhir.render(view(results))["report.fhir.json"])["entry"][0]["resource"]
    assert report["effectiveDateTime"] == "2025-01-31"
    assert [one["value"] for one in report["identifier"]] == ["ACC-99120"]
    assert "Which disc?" in report["text"]["div"]
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.load_workbook(io.BytesIO(workbook.render(view(results))["levels.xlsx"]))
    told = dict(book["Origin"].iter_rows(values_only=True))
    assert (told["Examined"], told["Age"]) == ("2025-01-31", "47 years")


def test_without_a_day_none_is_said(results):
    silent = replace(results, clinical={})
    report = json.loads(fhir.render(view(silent))["report.fhir.json"])["entry"][0]["resource"]
    assert not {"effectiveDateTime", "identifier"} & set(report)


def test_the_bands_are_those_of_the_model_files(results):
    """Read from the TOML itself: mean and spread, for acidity with what patients differ by."""
    folder = resources.files("mrs_disc.models")
    acidity = tomllib.loads((folder / "acidity_structure.toml").read_text())
    for band, told in zip(bands.acidity_bands(results), acidity["class"], strict=True):
        spread = math.sqrt(told["sd"] ** 2 + acidity["patient_sd"] ** 2)
        assert (band.low, band.high) == pytest.approx(
            (told["mean"] - spread, told["mean"] + spread)
        )
        assert band.sound is not told["painful"]
    structure = tomllib.loads((folder / "structure_index.toml").read_text())
    for band, told in zip(bands.structure_bands(results), structure["class"], strict=True):
        assert (band.high + band.low, band.high - band.low) == pytest.approx(
            (2 * told["mean"], 2 * told["sd"])
        )
    assert "simulated" in bands.bands_note(results)


@pytest.mark.parametrize(
    ("low", "high", "limit", "word"),
    [
        (-0.9, -0.1, None, "raised"),
        (-1.5, -0.1, None, "borderline"),
        (-3.0, -1.4, None, "not raised"),
        (None, -1.4, "upper", "not raised"),
        (None, -0.1, "upper", ""),
    ],
)
def test_acidity_is_raised_where_the_whole_interval_is(results, low, high, limit, word):
    """The painless classes end at -1.852 + sqrt(.489^2 + .25^2) = -1.303."""
    level = told_at(results.best["L4-L5"], **{bands.ACIDITY: (-0.5, low, high, limit)})
    assert bands.acidity_word(level, results) == word


@pytest.mark.parametrize(
    ("low", "high", "word"),
    [(4.0, 5.0, "low"), (4.0, 5.2, "borderline"), (5.2, 5.8, "preserved")],
)
def test_structure_is_low_where_the_whole_interval_is(results, low, high, word):
    """Healthy discs begin at 5.398 - .285 = 5.113."""
    level = told_at(results.best["L4-L5"], **{bands.STRUCTURE: (4.5, low, high, None)})
    assert bands.structure_word(level, results) == word
    assert f"structure {word}" in finding_sentence(level, results)


def test_no_band_is_shown_for_a_protocol_that_the_models_were_not_made_for(results):
    late = [
        replace(
            level,
            measured=replace(
                level.measured,
                protocol=replace(level.measured.protocol, echo_time_s=0.144),
                score=replace(level.measured.score, value=None, evidence=None),
            ),
        )
        for level in results.levels
    ]
    late = replace(results, levels=tuple(late))
    assert bands.bands_note(late) == ""
    assert "reference band" not in finding_sentence(late.best["L4-L5"], late)


def test_no_lumbar_band_is_held_against_a_cervical_disc(results):
    neck = replace(results, levels=tuple(replace(v, level="C5-C6") for v in results.levels[:1]))
    assert bands.bands_note(neck) == ""


def test_a_poor_spectrum_is_said_to_be_no_finding(results):
    said = finding_sentence(results.best["L5-S1"], results)
    assert "not assessable" in said
    assert "lactate" not in said
