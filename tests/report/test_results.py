"""results.json: the contract's fields, one canonical spelling, safe to read back."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mrs_disc.data import Morphology, Provocation
from mrs_disc.errors import ReadError
from mrs_disc.record.file import (
    as_json,
    canonical_json,
    plain,
    read_results,
    results_of,
)
from mrs_disc.record.findings import finding
from mrs_disc.record.json_schema import json_schema
from mrs_disc.record.review import level_key
from mrs_disc.report.results import results_from

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
    return as_json(results_from(report, "0" * 64))


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
    (level,) = as_json(results_from(report))["levels"]
    assert level["quantities"]["PG/water"] == {"value": None, "reason": "no water reference"}


def test_equal_reports_give_equal_bytes(report, build):
    again = build.report()
    first = canonical_json(results_from(report, "0" * 64))
    assert canonical_json(results_from(again, "0" * 64)) == first
    assert json.loads(first)["levels"]


GOLDEN = Path(__file__).parent.parent / "golden" / "results.json"


def test_the_form_of_the_file_is_the_one_that_was_agreed(build):
    """Written once by the version before this one; what was added since is taken out."""
    levels = [
        build.level(
            "L3-L4",
            build.healthy,
            value=0.1,
            morphology=Morphology(pfirrmann=2, modic=0),
            provocation=Provocation(result="negative"),
        ),
        build.level(
            "L4-L5", build.painful, run=2, value=None, verdict="poor", noise=6.0, water=False
        ),
        build.failed("L5-S1"),
    ]
    record = as_json(results_from(build.report(levels), "0" * 64))
    record["software"] = {"name": "mrs_disc", "version": "0", "dependencies": {}, "kernel": None}
    record["recipe"] = {"name": "default"}
    assert canonical_json(_as_agreed(record)) == GOLDEN.read_bytes()


def test_a_file_is_written_back_as_it_was_read(tmp_path):
    """Of an earlier version too: only what was added since is new."""
    again = as_json(read_results(GOLDEN))
    assert canonical_json(_as_agreed(again)) == GOLDEN.read_bytes()


def _as_agreed(record):
    """Take out what was added to the form since."""
    assert record["software"].pop("kernel") is None
    assert isinstance(record["comparison"].pop("most_acidic"), dict)
    for part in (record, *record["levels"]):
        assert not part.pop("findings")
    for level in record["levels"]:
        level.pop("tissue")
        if level["quality"] is not None:
            assert level["quality"].pop("water_before_removal") is None
            assert level["quality"].pop("shift_ppm") is None
        if level["fit"] is not None:
            assert not level["fit"].pop("ratio_priors")
        if level["score"] is not None:
            for name in ("", "_low", "_high"):
                assert level["score"].pop(f"likelihood_ratio{name}") is None
        for protocol in (level["protocol"], level["water_protocol"]):
            if protocol is not None:
                assert protocol.pop("mixing_time_s") is None
                assert protocol.pop("refocusing_pulse") is None
        amounts = [] if level["fit"] is None else [*level["fit"]["metabolites"].values()]
        for amount in (*amounts, *(level["quantities"] or {}).values()):
            if isinstance(amount, dict) and "repetition_sd" in amount:
                assert amount.pop("repetition_sd") is None
    return record


def test_findings_come_back_and_those_of_a_newer_version_are_passed_over(record):
    noticed = finding("too_few_points", n=128, least=256)
    content = json.loads(canonical_json(record))
    told = {"kind": "too_few_points", "subject": "", "values": {"n": 128, "least": 256}}
    content["levels"][0]["findings"] = [told, {"kind": "from_the_future", "values": {}}]
    content["findings"] = [told]
    results = results_of(content, Path("results.json"))
    assert results.findings == results.levels[0].findings == (noticed,)
    assert as_json(results)["levels"][0]["findings"] == [told]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda r: r["levels"][0].update(status="half"), r"\[\[levels\]\] 1 status .* 'half'"),
        (
            lambda r: r["levels"][0]["quality"].update(verdict="fine"),
            r"\[\[levels\]\] 1 quality verdict should be 'good', 'acceptable' or 'poor'",
        ),
        (
            lambda r: r["levels"][0]["quantities"]["LAC/PG"].update(sd="wide"),
            r"\[\[levels\]\] 1 quantities LAC/PG sd ",
        ),
        (lambda r: r["levels"][0]["score"].update(value=1.5), "score value should be less"),
        (lambda r: r.update(recipe_sha256="ab"), "recipe_sha256.*should match pattern"),
        (lambda r: r.pop("impression"), "lacks 'impression'"),
    ],
)
def test_what_is_wrong_in_a_record_is_named_as_the_file_has_it(record, change, says):
    content = json.loads(canonical_json(record))
    change(content)
    with pytest.raises(ReadError, match=says):
        results_of(content, Path("results.json"))


def test_a_record_of_another_version_is_told_what_to_do(record):
    content = json.loads(canonical_json(record)) | {"schema_version": "0"}
    with pytest.raises(ReadError, match=r"schema_version '0'.*reads '1': analyse the study again"):
        results_of(content, Path("results.json"))


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


def test_a_record_without_levels_is_refused_in_one_line(record):
    broken = json.loads(canonical_json(record)) | {"levels": []}
    with pytest.raises(ReadError, match=r"\[levels\] should have at least 1 item"):
        results_of(broken, Path("results.json"))


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
    schema = json_schema()
    assert set(TOP) <= set(schema["properties"])
    assert set(LEVEL) <= set(schema["$defs"]["Level"]["properties"])


def test_the_schema_holds_for_the_files_and_explains_their_fields():
    """An independent validator reads it; a field without words is one whose name says it all."""
    jsonschema = pytest.importorskip("jsonschema")
    schema = json_schema()
    content = json.loads(GOLDEN.read_bytes())
    jsonschema.validate(content, schema)
    content["levels"][0]["quality"]["verdict"] = "fine"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(content, schema)
    parts = [schema, *schema["$defs"].values()]
    fields = [field for part in parts for field in part["properties"].values()]
    assert all(part["description"] for part in parts)
    assert sum("description" in field for field in fields) > len(fields) / 2


def test_a_failed_study_is_still_a_record(build):
    report = build.report([build.failed("L4-L5")], anatomy=False)
    results = results_of(json.loads(canonical_json(results_from(report))), Path("r.json"))
    assert not results.best["L4-L5"].measured


def test_a_fit_that_did_not_converge_says_so(build):
    level = build.level("L4-L5", build.healthy)
    fit = replace(level.measurement.fit, converged=False, reason="no convergence")
    level = build.rescored(level, fit=fit)
    record = as_json(results_from(build.report([level])))
    assert record["levels"][0]["fit"]["converged"] is False
    assert record["levels"][0]["fit"]["reason"] == "no convergence"


def test_writing_the_record_loads_no_plotting():
    code = (
        "import sys, mrs_disc.report, mrs_disc.report.results, mrs_disc.record.signals;"
        "sys.exit(any(m in sys.modules for m in ('matplotlib', 'jinja2', 'typst', 'pydicom')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
