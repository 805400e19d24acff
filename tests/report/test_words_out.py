"""Plain text, FHIR and the workbook say what the record says, and nothing else can be in them."""

from __future__ import annotations

import datetime
import io
import json
import re
from datetime import date
from pathlib import Path

import pytest

import mrs_disc as md
from mrs_disc.record.file import as_json, results_of
from mrs_disc.report import fhir, text, workbook
from mrs_disc.report.content import View
from mrs_disc.report.dictated import finding_sentence
from mrs_disc.report.results import results_from

NASTY = '=HYPERLINK("http://evil.example") \u202eevil <b>'


class Later(datetime.datetime):
    """A clock that is two hours ahead."""

    @classmethod
    def now(cls, tz=None):
        return super().now(tz) + datetime.timedelta(hours=2)


@pytest.fixture(scope="module")
def studies(build):
    """One of good and failed discs; one with hostile words in every text of a person."""
    discs = [build.level("L3-L4", build.healthy), build.level("L4-L5", build.painful)]
    return {
        "usual": build.report([*discs, build.failed("L5-S1")]),
        "nasty": build.report([*discs, build.failed("L5-S1", NASTY)], study_id=NASTY),
    }


def view_of(report):
    results = results_of(as_json(results_from(report)), Path("results.json"))
    return View(results=results, signals=None, written=date(2026, 1, 2), record_sha256="a" * 64)


def test_the_text_has_its_sections_in_order_and_keeps_to_its_width(studies):
    view = view_of(studies["usual"])
    words = text.render(view)["report.txt"].decode()
    heads = re.findall(r"^[A-Z ]+$", words, re.MULTILINE)
    assert heads == ["CLINICAL INFORMATION", "TECHNIQUE", "FINDINGS", "IMPRESSION", "LIMITATIONS"]
    lines = words.splitlines()
    assert max(len(line) for line in lines if "recipe" not in line) <= text.WIDTH
    assert "For research use only." in words
    flat = " ".join(words.split())
    assert view.results.impression in flat
    for level in view.results.best.values():
        assert f"{level.title}: " in flat
    assert "L5-S1: not measured: " in flat
    assert not re.search(r"L\d-\n", words)  # a level is not broken at its hyphen


@pytest.fixture(scope="module")
def simulated():
    study, _ = md.simulate_study(5, levels=["L4-L5"], anatomy=False)
    return view_of(md.analyze(study))


def test_the_text_tells_what_the_fit_assumed(simulated):
    words = " ".join(text.render(simulated)["report.txt"].decode().split())
    priors = simulated.results.levels[0].fit.ratio_priors
    assert len(priors) == 3
    assert "takes for partly known, with their medians: ALA/LAC 0.18, PA/LAC 0.13" in words


def test_the_text_tells_whether_propionate_is_there(simulated):
    level = simulated.results.levels[0]
    told = [one for one in level.findings if one.kind.startswith("propionate_")]
    assert len(told) == 1
    says = {"open": "neither detected nor excluded", "found": "detected", "absent": "not found"}
    expected = f", {says[told[0].kind.removeprefix('propionate_')]} (likelihood ratio of present"
    assert expected in finding_sentence(level, simulated.results)


def test_the_bundle_is_valid_fhir(studies):
    bundle_of = pytest.importorskip("fhir.resources.R4B.bundle").Bundle
    for report in studies.values():
        content = fhir.render(view_of(report))["report.fhir.json"]
        bundle = bundle_of.model_validate_json(content)
        assert [e.resource.get_resource_type() for e in bundle.entry] == [
            "DiagnosticReport", *["Observation"] * 3,
        ]  # fmt: skip
        urls = {entry.fullUrl for entry in bundle.entry}
        assert {found.reference for found in bundle.entry[0].resource.result} < urls


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.5, "0.5000"), (12, "12.00"), (0.0123456, "0.01235"), (-1.0, "-1.000"), (0.0, "0.000")],
)
def test_an_amount_keeps_its_four_digits(value, text, studies, monkeypatch):
    """FHIR's decimal has the precision that its text shows: 0.50 is another value than 0.5."""
    amount = fhir._amount
    monkeypatch.setattr(fhir, "_amount", lambda _, unit: amount(value, unit))
    content = fhir.render(view_of(studies["usual"]))["report.fhir.json"].decode()
    numbers = re.findall(r'"value": ([^"\s,]+)', content)
    assert set(numbers) == {text}


def test_the_bundle_says_what_the_record_says(studies):
    view = view_of(studies["usual"])
    entries = json.loads(fhir.render(view)["report.fhir.json"])["entry"]
    report, *observed = (entry["resource"] for entry in entries)
    assert report["status"] == "preliminary"
    assert view.results.impression in report["conclusion"]
    for level, seen in zip(view.results.best.values(), observed, strict=True):
        if level.measured is None:
            assert seen["dataAbsentReason"]["text"] == "not measured"
            assert "valueCodeableConcept" not in seen
            continue
        assert seen["valueCodeableConcept"]["text"] == level.score.label
        found = {part["code"]["text"]: part for part in seen["component"]}
        probability = found["Probability of a painful disc"]["valueQuantity"]["value"]
        assert probability == pytest.approx(level.score.value, rel=1e-3)
        for name, metabolite in level.fit.metabolites.items():
            amount = found[fhir.codes.amplitude_concept(name).meaning]["valueQuantity"]
            if metabolite.limit == "upper":
                assert amount["comparator"] == "<"
                assert amount["value"] == pytest.approx(metabolite.high, rel=1e-3)
            else:
                assert amount["value"] == pytest.approx(metabolite.amplitude, rel=1e-3)


def test_the_workbook_reads_back_and_holds_no_formula(studies, monkeypatch):
    openpyxl = pytest.importorskip("openpyxl")
    for report in studies.values():
        view = view_of(report)
        content = workbook.render(view)["levels.xlsx"]
        with monkeypatch.context() as later:
            later.setattr(datetime, "datetime", Later)
            assert content == workbook.render(view)["levels.xlsx"]
        book = openpyxl.load_workbook(io.BytesIO(content))
        assert book.sheetnames == ["Levels", "Amounts", "Dictionary", "Origin"]
        cells = [cell for sheet in book for row in sheet.iter_rows() for cell in row]
        assert {cell.data_type for cell in cells} <= {"s", "n", "inlineStr"}
        table = list(book["Levels"].values)
        assert [dict(zip(table[0], row, strict=True))["level"] for row in table[1:]] == [
            level.level for level in view.results.levels
        ]
        told = {row[0] for row in book["Dictionary"].iter_rows(values_only=True)}
        assert set(table[0]) <= told


def test_the_workbook_holds_the_numbers_of_the_record(studies):
    openpyxl = pytest.importorskip("openpyxl")
    view = view_of(studies["usual"])
    book = openpyxl.load_workbook(io.BytesIO(workbook.render(view)["levels.xlsx"]))
    head, *rows = book["Amounts"].values
    found = {
        (row["level"], row["kind"], row["name"]): row["value"]
        for row in (dict(zip(head, values, strict=True)) for values in rows)
    }
    for level in view.results.levels:
        if level.measured is not None:
            for name, metabolite in level.fit.metabolites.items():
                assert found[level.level, "amplitude", name] == metabolite.amplitude
