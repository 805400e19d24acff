"""The record of transmission in a report: what came, from whom, when, and where reports went."""

from __future__ import annotations

import hashlib
import json

import pytest

from mrs_disc.report import render_results, write_report
from mrs_disc.report.transmission import transmission_rows

FILE = {"calling": "SCANNER1", "called": "MRS_DISC", "address": "10.1.2.3"}
RECORD = {
    "received": [
        FILE | {"sha256": "b" * 64, "association": "aa", "time": "2026-01-31T09:30:00Z"},
        FILE | {"sha256": "a" * 64, "association": "aa", "time": "2026-01-31T09:30:05Z"},
        FILE | {"sha256": "c" * 64, "association": "bb", "time": "2026-01-31T09:40:00Z"},
    ],
    "sent": [{"to": "pacs", "kind": "preliminary", "time": "2026-01-31T09:45:00Z"}],
}


def test_associations_are_told_with_their_files_and_one_digest_of_all():
    rows = transmission_rows(RECORD)
    digest = hashlib.sha256("\n".join(c * 64 for c in "abc").encode()).hexdigest()
    assert rows == (
        (
            "Received",
            "2 files from SCANNER1 at 10.1.2.3 to MRS_DISC, association aa, "
            "2026-01-31T09:30:00Z to 2026-01-31T09:30:05Z",
        ),
        (
            "Received",
            "1 file from SCANNER1 at 10.1.2.3 to MRS_DISC, association bb, 2026-01-31T09:40:00Z",
        ),
        ("Received files, SHA-256 of their sorted digests", digest),
        ("Sent", "preliminary report to pacs, 2026-01-31T09:45:00Z"),
    )


@pytest.mark.parametrize("record", [None, [], {"received": 3, "sent": [1]}, {"received": [{}]}])
def test_what_is_no_record_gives_no_rows(record):
    assert transmission_rows(record) == ()


def test_the_report_tells_it_and_the_record_does_not(build, tmp_path):
    report = build.report([build.level("L4-L5", build.painful)], anatomy=False)
    write_report(report, tmp_path / "a", formats=("json", "html"), transmission=RECORD)
    write_report(report, tmp_path / "b", formats=("json", "html"))
    page = (tmp_path / "a" / "report.html").read_text()
    assert "from SCANNER1 at 10.1.2.3" in page
    assert "SCANNER1" not in (tmp_path / "b" / "report.html").read_text()
    results = [(tmp_path / x / "results.json").read_bytes() for x in "ab"]
    assert results[0] == results[1]
    (tmp_path / "b" / "provenance.json").write_text(json.dumps({"transmission": RECORD}))
    render_results(tmp_path / "b", tmp_path / "again", formats=("html",))
    assert "preliminary report to pacs" in (tmp_path / "again" / "report.html").read_text()
