"""The tables say what the results say, whatever the studies are called and however many."""

from __future__ import annotations

import base64
import csv
import hashlib
import html
import json
import os
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest

from mrs_disc.batch.collect import cell, collect_results, source_of
from mrs_disc.cli import run
from mrs_disc.files import json_bytes


@pytest.fixture
def results(tmp_path, canned_result):
    """Make an output folder of studies with a canned result, each changed by a function."""

    def make(**changes) -> Path:
        out = tmp_path / "out"
        for name, change in changes.items():
            folder = out / name.replace("__", "/").replace("_", "-")
            folder.mkdir(parents=True)
            record = json.loads(canned_result.read_text())
            change(record)
            (folder / "results.json").write_text(json.dumps(record))
        return out

    return make


def same(record) -> None:
    """Leave the record as it is."""


def fails(record) -> None:
    level = record["levels"][0]
    for key in level.keys() - {"level", "run"}:
        level[key] = None
    level |= {"status": "failed", "error": {"stage": "read", "message": "=cmd()\tis\ntruncated"}}


def rows(out: Path) -> list[dict[str, str]]:
    with (out / "levels.tsv").open(newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def test_a_row_per_disc_with_the_numbers_of_the_results(results, canned_result):
    out = results(sub_01=same, sub_02__ses_1=same, sub_03=fails)
    found = collect_results(out)
    assert (found.n_studies, found.n_levels, found.n_levels_failed) == (3, 9, 1)
    table = rows(out)
    assert [(r["participant_id"], r["session_id"], r["level"]) for r in table][:4] == [
        ("sub-01", "n/a", "L3-L4"),
        ("sub-01", "n/a", "L4-L5"),
        ("sub-01", "n/a", "L5-S1"),
        ("sub-02", "ses-1", "L3-L4"),
    ]
    record = json.loads(canned_result.read_text())
    for row, level in zip(table[:3], record["levels"], strict=True):
        assert row["score"] == cell(level["score"]["value"])
        assert row["label"] == level["score"]["label"]
        for part in ("value", "sd", "low", "high"):
            name = "LAC/PG" + ("" if part == "value" else f"_{part}")
            told = level["quantities"]["LAC/PG"].get(part)
            assert row[name] == ("n/a" if told is None else f"{told:.10g}")
        given = level["morphology"] or {}
        assert row["pfirrmann"] == cell(given.get("pfirrmann"))
        assert row["herniation"] == cell(given.get("herniation"))
        for name in ("drift_hz", "n_transients", "n_rejected"):
            assert row[name] == cell(level["quality"][name])
        for name in ("echo_time_s", "repetition_time_s"):
            assert row[name] == cell(level["protocol"][name])
        for name, found in level["fit"]["metabolites"].items():
            assert row[f"{name}_amplitude"] == cell(found["amplitude"])
            assert row[f"{name}_amplitude_sd"] == cell(found["sd"])
    assert table[6]["LAC_amplitude"] == "n/a"
    assert table[6]["status"] == "failed"
    assert table[6]["score"] == "n/a"


def test_every_column_is_in_the_dictionary_and_none_besides(results):
    out = results(sub_01=same)
    collect_results(out)
    told = json.loads((out / "levels.json").read_text())
    assert list(told) == list(rows(out)[0])
    assert all(entry["Description"] for entry in told.values())
    contract = [
        *("participant_id", "session_id", "level", "run", "status", "verdict", "label"),
        *("score", "score_low", "score_high", "provocation"),
    ]
    assert list(told)[: len(contract)] == contract


def test_the_description_is_that_of_a_bids_derivative(results, tmp_path):
    out = results(sub_01=same)
    source = tmp_path / "source"
    source.mkdir()
    told = {"Name": "Spine Centre Dr. Mustermann", "DatasetDOI": "doi:10.18112/openneuro.ds1.v1"}
    (source / "dataset_description.json").write_text(json.dumps(told))
    (out / ".batch").mkdir()
    (out / ".batch" / "source.json").write_bytes(json_bytes({"source": source_of(source, out)}))
    collect_results(out)
    text = (out / "dataset_description.json").read_text()
    description = json.loads(text)
    assert description["DatasetType"] == "derivative"
    assert description["GeneratedBy"][0]["Name"] == "mrs_disc"
    assert description["SourceDatasets"] == [{"DOI": "doi:10.18112/openneuro.ds1.v1"}]
    assert "Mustermann" not in text


@pytest.mark.parametrize(
    ("folder", "told"),
    [
        ("bids", {"URL": "../bids"}),
        ("dataset-2/data", {"URL": "../dataset-2/data"}),
        ("Zwiebelfisch", {}),
        ("data/1961-07-13", {}),
    ],
)
def test_a_source_is_told_by_its_place_where_that_names_nobody(tmp_path, folder, told):
    assert source_of(tmp_path / folder, tmp_path / "out") == told


@pytest.mark.parametrize("text", ["{", "[]", '{"levels": 3}', "[" * 100_000, "\x00"])
def test_a_damaged_result_is_a_failure_and_not_the_end(results, text):
    out = results(sub_01=same, sub_02=same)
    (out / "sub-02" / "results.json").write_text(text)
    found = collect_results(out)
    assert (found.n_studies_failed, found.n_levels) == (1, 3)
    assert (
        (out / "failures.tsv").read_text().splitlines()[1].startswith("sub-02\tn/a\tn/a\tcollect")
    )


def test_messages_are_one_cell_and_no_formula(results):
    out = results(sub_01=fails)
    assert run(["collect", str(out)]) == 3
    line = (out / "failures.tsv").read_text().splitlines()[1]
    assert line == "sub-01\tL3-L4\t1\tread\t'=cmd() is truncated"


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\t=1", " =1", "\u200b=1", "\x00=1"])
def test_no_text_becomes_a_formula(text):
    assert cell(text).startswith("'")


def test_a_review_is_honoured(results):
    from mrs_disc.record.review import START, log_line

    out = results(sub_01=same)
    path = out / "sub-01" / "results.json"
    act = {
        "schema_version": "1", "n": 1, "previous": START, "time": "2024-01-02T03:04:05Z",
        "results_sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "reviewer": "AB",
        "act": "level", "level": "L4-L5", "run": 1, "decision": "reject", "reason": "moved",
    }  # fmt: skip
    (out / "sub-01" / "review.jsonl").write_bytes(log_line(act))
    collect_results(out)
    row = rows(out)[1]
    assert (row["label"], row["score"], row["review"]) == ("indeterminate", "n/a", "rejected")
    assert row["review_reason"] == "moved"

    (out / "sub-01" / "review.jsonl").write_bytes(log_line(act | {"previous": "f" * 64}))
    assert "review log of sub-01 is broken" in " ".join(collect_results(out).notes)


class Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.tags: list[str] = []
        self.policy = ""

    def handle_starttag(self, tag, attrs):
        told = dict(attrs)
        self.tags.append(tag)
        if tag == "a":
            self.links.append(told["href"])
        if told.get("http-equiv") == "Content-Security-Policy":
            self.policy = told["content"]
        assert not {"src", "onclick", "onload", "style"} & told.keys()


def test_the_page_is_whole_and_harmless(results):
    out = results(sub_01=same, sub_02=fails)
    odd = out / '<img src=x onerror="alert(1)">&"'
    shutil.copytree(out / "sub-01", odd)
    collect_results(out)
    page = (out / "index.html").read_text()
    parser = Links()
    parser.feed(page)
    assert "img" not in parser.tags
    assert len(parser.links) == 4 + 9 + 3  # tables; discs; the record of each study
    assert "sub-01/results.json" in parser.links
    places = [re.sub(r"/(results\.json|signals\.npz)$", "", link) for link in parser.links]
    assert not [place for place in places if "/" in place]
    for kind in ("script", "style"):
        inside = re.search(rf"<{kind}>(.*?)</{kind}>", page, re.DOTALL)[1]
        digest = base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in parser.policy
    assert parser.policy.startswith("default-src 'none'")
    assert "research use" in page.lower()


def test_the_page_claims_no_certainty_as_the_reports_do_not(results):
    out = results(sub_01=same)
    path = out / "sub-01/results.json"
    record = json.loads(path.read_bytes())
    measured = next(level for level in record["levels"] if level["status"] == "ok")
    measured["score"] |= {"value": 0.9991, "low": 0.001, "high": 0.9999, "label": "likely painful"}
    path.write_text(json.dumps(record), encoding="utf-8")
    collect_results(out)
    page = html.unescape((out / "index.html").read_text(encoding="utf-8"))
    assert ">> 0.99</td>" in page
    assert ">< 0.01 to > 0.99</td>" in page


@pytest.mark.skipif(os.name != "posix", reason="names of any bytes exist on POSIX alone")
def test_names_that_are_not_unicode_stay_countable(results):
    out = results(sub_01=same)
    os.rename(os.fsencode(out / "sub-01"), os.fsencode(out) + b"/sub-\xff\xfe")  # noqa: PTH104
    collect_results(out)
    assert rows(out)[0]["participant_id"] == "sub-\\udcff\\udcfe"
    assert "sub-%FF%FE/results.json" in (out / "index.html").read_text()


def test_results_of_two_recipes_are_said(results, capsys):
    out = results(sub_01=same, sub_02=lambda record: record.update(recipe_sha256="0" * 64))
    assert run(["collect", str(out)]) == 0
    assert "from 2 different recipes" in capsys.readouterr().err


def test_an_empty_folder_is_no_output(tmp_path, capsys):
    assert run(["collect", str(tmp_path)]) == 2
    assert "no study has a result in it" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_one_file_that_is_the_measurement_of_two_studies_is_said(results):
    def measured_from(number):
        def change(record):
            (level,) = {one["level"] for one in record["levels"][:1]}
            record["inputs"] = [
                {"path": f"{level}/{name}", "sha256": f"{value:064x}", "reader": "x"}
                for name, value in (("metabolite.SDAT", number), ("metabolite.SPAR", 7))
            ]

        return change

    out = results(a=measured_from(1), b=measured_from(2), c=measured_from(1))
    (note,) = [n for n in collect_results(out).notes if "count twice" in n]
    assert note.count(" and ") == 1
    assert re.search(r"a L\S+ and c L\S+$", note)
