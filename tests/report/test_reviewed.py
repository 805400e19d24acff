"""A report of a reviewed result says so, and shows what the reviewer left, in every format."""

from __future__ import annotations

import csv
import hashlib
import io
import re

import pytest

from mrs_disc.record.review import START, line_digest, log_line
from mrs_disc.report import render_results, write_report


def write_log(folder, *acts):
    digest = hashlib.sha256((folder / "results.json").read_bytes()).hexdigest()
    lines, previous = [], START
    for n, act in enumerate(acts, 1):
        line = log_line(
            {
                "schema_version": "1",
                "n": n,
                "previous": previous,
                "time": "2026-01-02T03:04:05Z",
                "results_sha256": digest,
                "reviewer": "Dr. A. <Reader>",
                **act,
            }
        )
        lines.append(line)
        previous = line_digest(line.rstrip(b"\n"))
    (folder / "review.jsonl").write_bytes(b"".join(lines))
    return previous


REJECT = {
    "act": "level",
    "level": "L4-L5",
    "run": 1,
    "decision": "reject",
    "reason": "voxel in the endplate",
    "comment": "measure again",
}
SIGN = {"act": "sign", "impression": "No level could be labelled. Reviewed."}


@pytest.fixture
def folder(build, tmp_path):
    out = tmp_path / "study"
    levels = [
        build.level("L3-L4", build.healthy, value=0.1),
        build.level("L4-L5", build.painful, value=0.91, label="likely painful"),
    ]
    write_report(build.report(levels, anatomy=False), out, formats=("json",))
    return out


def test_without_a_log_a_report_is_preliminary(folder):
    (page,) = render_results(folder, folder / "again")
    assert "Preliminary, not reviewed" in page.read_text()


def test_a_signed_report_names_the_reviewer_and_the_head_of_the_log(folder):
    head = write_log(folder, REJECT, SIGN)
    files = render_results(folder, folder / "again", formats=("html", "csv"))
    html = files[0].read_text()
    assert "Preliminary" not in html
    assert "Reviewed by Dr. A. &lt;Reader&gt; on 2026-01-02" in html
    assert head in html
    assert "No level could be labelled." in html
    assert "rejected by Dr. A. &lt;Reader&gt;: voxel in the endplate" in html
    assert "measure again" in html
    rows = list(csv.DictReader(io.StringIO(files[1].read_text())))
    assert rows[1]["label"] == "indeterminate"
    assert rows[1]["score"] == ""
    assert rows[1]["review"].startswith("rejected by")
    assert rows[0]["review_status"] == "signed"


def test_the_pdf_says_it_too(folder):
    pypdf = pytest.importorskip("pypdf")
    write_log(folder, REJECT, SIGN)
    (pdf,) = render_results(folder, folder / "again", formats=("pdf",))
    text = re.sub(r"\s+", " ", pypdf.PdfReader(pdf).pages[0].extract_text())
    assert "Reviewed by Dr. A. <Reader> on 2026-01-02" in text
    assert "voxel in the endplate" in text


def test_a_review_without_signature_stays_preliminary(folder):
    write_log(folder, REJECT)
    (page,) = render_results(folder, folder / "again")
    assert "Preliminary; not reviewed: in review by Dr. A. &lt;Reader&gt;" in page.read_text()


def test_a_broken_log_is_said(folder):
    write_log(folder, REJECT, SIGN)
    log = folder / "review.jsonl"
    log.write_bytes(log.read_bytes().replace(b"endplate", b"nucleus!"))
    (page,) = render_results(folder, folder / "again")
    html = page.read_text()
    assert "the review cannot be relied on" in html
    assert "Reviewed by" not in html


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_signed_dicom_is_verified_and_has_identifiers_of_its_own(folder, dicom_reference):
    pydicom = pytest.importorskip("pydicom")
    pytest.importorskip("highdicom")

    def made(name):
        paths = render_results(
            folder, folder / name, formats=("dicom",), dicom_reference=dicom_reference
        )
        return [pydicom.dcmread(p) for p in paths]

    before = made("before")
    write_log(folder, REJECT, SIGN)
    pdf, report = made("after")
    assert [d.VerificationFlag for d in before] == ["UNVERIFIED"] * 2
    assert pdf.VerificationFlag == report.VerificationFlag == "VERIFIED"
    (observer,) = report.VerifyingObserverSequence
    assert observer.VerifyingObserverName.family_name == "Dr. A. <Reader>"
    assert observer.VerificationDateTime == "20260102030405"
    assert report.PreliminaryFlag == "FINAL"
    assert pdf.SOPInstanceUID != before[0].SOPInstanceUID


def test_the_command_says_that_a_log_is_broken(folder):
    from click.testing import CliRunner

    from mrs_disc.cli.report import command

    write_log(folder, REJECT, SIGN)
    log = folder / "review.jsonl"
    log.write_bytes(log.read_bytes().replace(b"endplate", b"end-plate"))
    out = str(folder.parent / "again")
    result = CliRunner().invoke(command, [str(folder / "results.json"), "-o", out])
    assert result.exit_code == 0
    assert "review log broken at line 2" in result.stderr
