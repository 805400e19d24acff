"""results.json: the contract's fields, one canonical spelling, safe to read back."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mrs_disc.errors import ReadError
from mrs_disc.report.results import canonical_json, level_key, plain, results_from
from mrs_disc.report.schema import Results, read_results, results_of

TOP = (
    "schema_version",
    "study_id",
    "software",
    "recipe",
    "recipe_sha256",
    "models",
    "inputs",
    "signals",
    "completeness",
    "impression",
    "notices",
    "clinical",
    "levels",
    "comparison",
)
LEVEL = (
    "level",
    "run",
    "status",
    "error",
    "protocol",
    "quality",
    "fit",
    "quantities",
    "score",
    "morphology",
    "provocation",
    "concordance",
    "history",
)


@pytest.fixture(scope="module")
def record(report):
    return results_from(report, "0" * 64)


def test_the_contract_fields_are_there_in_their_order(record):
    assert [key for key in record if key in TOP] == list(TOP)
    for level in record["levels"]:
        assert [key for key in level if key in LEVEL] == list(LEVEL)


def test_a_failed_level_has_its_other_keys_null(record):
    failed = next(level for level in record["levels"] if level["status"] == "failed")
    assert failed["error"]["stage"]
    assert failed["error"]["message"]
    rest = {k: v for k, v in failed.items() if k not in ("level", "run", "status", "error")}
    assert set(rest.values()) == {None}


def test_below_two_standard_deviations_an_amplitude_is_an_upper_limit(record):
    seen = set()
    for level in record["levels"]:
        for m in (level["fit"] or {"metabolites": {}})["metabolites"].values():
            limited = m["amplitude"] < 2 * m["sd"]
            seen.add(limited)
            assert (m["limit"] == "upper") == limited
            if limited:
                assert m["low"] == 0
                assert m["high"] >= m["amplitude"]
            if m["amplitude"] <= 0:
                assert m["crlb_percent"] is None
    assert seen == {True, False}


def test_a_quantity_without_a_value_gives_its_reason(build):
    report = build.report([build.level("L4-L5", build.healthy, water=False)])
    (level,) = results_from(report)["levels"]
    assert level["quantities"]["PG/water"] == {"value": None, "reason": "no water reference"}


def test_equal_reports_give_equal_bytes(report, build):
    again = build.report()
    first = canonical_json(results_from(report, "0" * 64))
    assert canonical_json(results_from(again, "0" * 64)) == first
    assert json.loads(first)["levels"]


def test_numbers_have_ten_digits_and_are_finite():
    cleaned = plain({"a": np.float64(1 / 3), "b": np.nan, "c": [np.inf, -0.0], "d": np.arange(2)})
    assert cleaned == {"a": 0.3333333333, "b": None, "c": [None, 0.0], "d": [0, 1]}
    assert str(cleaned["c"][1]) == "0.0"


def test_what_was_written_is_read_back_equal(record, tmp_path):
    path = tmp_path / "results.json"
    path.write_bytes(canonical_json(record))
    results = read_results(path)
    assert results.study_id == "demo-01"
    assert results.best["L4-L5"].run == 2
    assert [level_key(v.level, v.run) for v in results.levels][-2:] == ["L4-L5_run-2", "L5-S1"]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "not a valid results.json"),
        (b"[]", "an object is expected"),
        (b'{"a": NaN}', "holds NaN"),
        (b"{" * 100_000, "not a valid results.json"),
        (b"\xff\xfe", "not a valid results.json"),
        (b'{"schema_version": "2"}', "schema_version"),
    ],
)
def test_what_is_not_a_record_is_refused_in_one_line(content, says, tmp_path):
    path = tmp_path / "results.json"
    path.write_bytes(content)
    with pytest.raises(ReadError, match=says) as caught:
        read_results(path)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("results.json: ")


@pytest.mark.parametrize("level", ["../../etc", "L4L5", "L9-L10", ""])
def test_a_level_that_is_not_one_never_becomes_a_path(record, level):
    broken = json.loads(canonical_json(record))
    broken["levels"][0]["level"] = level
    with pytest.raises(ReadError):
        results_of(broken, Path("results.json"))


def test_a_newer_file_with_more_keys_is_read(record):
    richer = json.loads(canonical_json(record))
    richer["new"] = 1
    richer["levels"][0]["new"] = {"a": 1}
    assert results_of(richer, Path("results.json")).study_id == "demo-01"


def test_the_schema_names_every_field_of_the_contract():
    schema = Results.model_json_schema()
    assert set(TOP) <= set(schema["properties"])
    assert set(LEVEL) <= set(schema["$defs"]["Level"]["properties"])


def test_a_failed_study_is_still_a_record(build):
    report = build.report([build.failed("L4-L5")], anatomy=False)
    results = results_of(json.loads(canonical_json(results_from(report))), Path("r.json"))
    assert not results.best["L4-L5"].measured


def test_a_fit_that_did_not_converge_says_so(build):
    level = build.level("L4-L5", build.healthy)
    fit = replace(level.measurement.fit, converged=False, reason="no convergence")
    level = replace(level, measurement=replace(level.measurement, fit=fit))
    record = results_from(build.report([level]))
    assert record["levels"][0]["fit"]["converged"] is False
    assert record["levels"][0]["fit"]["reason"] == "no convergence"


def test_writing_the_record_loads_no_plotting():
    code = (
        "import sys, mrs_disc.report, mrs_disc.report.results, mrs_disc.report.signals;"
        "sys.exit(any(m in sys.modules for m in ('matplotlib', 'jinja2', 'typst', 'pydicom')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
