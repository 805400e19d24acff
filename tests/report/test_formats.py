"""Every format says the same: level, score, interval, reasons, digest, research use."""

from __future__ import annotations

import csv
import io
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from datetime import date
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mrs_disc.cli import run
from mrs_disc.data import Morphology, Provocation
from mrs_disc.errors import InputError, OutputError
from mrs_disc.record.file import as_json, results_of
from mrs_disc.report import FORMATS, check_output, pdf, render_results, write_report
from mrs_disc.report.content import View
from mrs_disc.report.files import OF_FORMAT, write_files
from mrs_disc.report.results import results_from, signals_from

NASTY = '<img src=x onerror=alert(1)> =HYPERLINK("http://evil.example") \u202eevil 😀 ' + "x" * 300


@pytest.fixture(scope="module")
def folder(report, tmp_path_factory):
    out = tmp_path_factory.mktemp("report")
    write_report(report, out, formats=("json", "html", "pdf", "csv", "png", "nifti", "citation"))
    return out


@pytest.fixture(scope="module")
def nasty(build, tmp_path_factory):
    out = tmp_path_factory.mktemp("nasty")
    levels = [build.level("L4-L5", build.painful), build.failed("L5-S1", NASTY)]
    report = build.report(
        levels, study_id=NASTY, clinical={NASTY: NASTY, "conservative_care": [NASTY]}
    )
    write_report(report, out, formats=("html", "pdf", "csv", "citation"))
    return out


def pdf_text(path: Path) -> str:
    pypdf = pytest.importorskip("pypdf")
    pages = pypdf.PdfReader(path).pages
    text = " ".join(page.extract_text() for page in pages)
    return re.sub(r"\s+", " ", text.replace("\u200b", ""))


def test_all_files_of_the_contract_are_there(folder):
    names = {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}
    assert {"results.json", "signals.npz", "report.html", "report.pdf", "levels.csv"} <= names
    assert {
        "figures/L4-L5.png",
        "figures/L4-L5_run-2.png",
        "figures/overview.png",
        "figures/levels.png",
    } <= names
    assert {"nifti/L4-L5_run-2_preprocessed.nii.gz", "nifti/L4-L5_fit.nii.gz"} <= names
    assert {"CITATION.md", "references.bib"} <= names


@pytest.mark.parametrize("name", ["report.html", "report.pdf"])
def test_html_and_pdf_carry_the_findings(folder, name):
    path = folder / name
    text = pdf_text(path) if name.endswith("pdf") else path.read_text()
    for word in (
        "L1-L2", "L4-L5", "L5-S1", "likely painful", "unlikely painful", "indeterminate",
        "0.93", "0.81 to 0.99", "SNR 3.2 is below 5", "ab12cd34", "research use only",
        "Preliminary, not reviewed", "Examination complete for CPT 0609T",
        "the echo time is unknown", "0609T", "0612T", "acidity_structure@1", "Pfirrmann",
        "not reported", "doi:10.1002/nbm.4484",
    ):  # fmt: skip
        assert word in text, word


def test_page_one_is_enough_on_its_own(folder):
    pypdf = pytest.importorskip("pypdf")
    page = pypdf.PdfReader(folder / "report.pdf").pages[0].extract_text()
    text = re.sub(r"\s+", " ", page)
    for word in ("Impression", "L1-L2", "L5-S1", "likely painful", "not measured", "research use"):
        assert word in text
    for word in ("Preliminary, not reviewed", "0609T", "concordant", "quality"):
        assert word in text


def test_the_table_says_why_there_is_no_score(build, tmp_path):
    """A dash under "good" would be a riddle."""
    level = build.level("L4-L5", build.painful, label="indeterminate", value=None)
    reason = "structure not measurable: 2.9 sd, 3 are needed"
    level = build.rescored(level, score=replace(level.score, reasons=(reason, "another")))
    write_report(build.report([level]), tmp_path, formats=("html",))
    table = (tmp_path / "report.html").read_text(encoding="utf-8").partition("</table>")[0]
    assert reason in table
    assert "another" not in table


def test_the_word_of_agreement_leads_and_says_with_what(build, tmp_path):
    level = build.level(
        "L4-L5",
        build.painful,
        label="likely painful",
        morphology=Morphology(pfirrmann=4, modic=1),
        provocation=Provocation(result="negative"),
    )
    write_report(build.report([level]), tmp_path / "out", formats=("html",))
    text = re.sub(r"<[^>]+>|\s+", " ", (tmp_path / "out/report.html").read_text())
    text = re.sub(r"\s+", " ", text)
    assert "concordant : Pfirrmann IV, Modic 1" in text
    assert "discordant : provocation negative" in text
    assert "With the score: concordant; provocation discordant" in text


@pytest.mark.parametrize("paper", ["a4", "letter"])
def test_a_level_with_much_to_say_keeps_to_its_pages(build, tmp_path, paper):
    """With nine reasons too, its numbers stand on the second; the next level begins on a third."""
    pypdf = pytest.importorskip("pypdf")
    reasons = tuple(f"reason {n}: " + "why this disc is as it is " * 3 for n in range(9))
    levels = [build.level(name, build.painful) for name in ("L3-L4", "L4-L5")]
    levels = [build.rescored(v, score=replace(v.score, reasons=reasons)) for v in levels]
    write_report(build.report(levels), tmp_path / "out", formats=("pdf",), paper=paper)
    pages = [p.extract_text() for p in pypdf.PdfReader(tmp_path / "out/report.pdf").pages]
    first = next(n for n, page in enumerate(pages) if "Disc by disc" in page)
    assert "L3-L4: " in pages[first]
    assert "reason 8" in pages[first]
    assert "L3-L4, amounts" in pages[first + 1]
    assert "L4-L5: " in pages[first + 2]


def test_the_pdf_is_tagged_and_has_alternative_texts(folder):
    pypdf = pytest.importorskip("pypdf")
    reader = pypdf.PdfReader(folder / "report.pdf")
    root = reader.trailer["/Root"]
    assert root["/MarkInfo"]["/Marked"]
    assert root["/Lang"].startswith("en")
    assert b"pdfuaid" in root["/Metadata"].get_data()
    content = (folder / "report.pdf").read_bytes()
    assert content.count(b"/Alt") >= 10
    fonts = [f for page in reader.pages for f in page["/Resources"].get("/Font", {}).values()]
    assert fonts


def test_the_page_needs_nothing_from_outside_and_no_script(folder):
    html = (folder / "report.html").read_text()
    assert len(html) < 560_000
    assert "<script" not in html.lower()
    links = re.findall(r'(?:src|href)\s*=\s*"([^"]*)"', html)
    beside = [link for link in links if len(link) < 40 and (folder / link).exists()]
    assert {"results.json", "report.pdf", "figures/", "levels.csv"} <= set(beside)
    links = [link for link in links if link not in beside]
    assert all(link.startswith(("#", "data:", "https://doi.org/")) for link in links)
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', html)[1]
    assert "default-src &#39;none&#39;" in policy
    assert "unsafe" not in policy
    assert 'style="' not in html


def test_pictures_have_words_beside_them(folder):
    html = (folder / "report.html").read_text()
    alts = re.findall(r'<img [^>]*alt="([^"]*)"', html)
    assert len(alts) == 2 + 3 * 5
    assert "L4-L5: likely painful, probability 0.93, quality good" in alts[0]
    assert "L5-S1: not measured" in alts[0]
    assert all(len(alt) > 40 for alt in alts)


def test_headings_descend_without_a_gap(folder):
    html = (folder / "report.html").read_text()
    depths = [int(d) for d in re.findall(r"<h(\d)", html)]
    assert depths[0] == 1
    assert depths.count(1) == 1
    assert all(b <= a + 1 for a, b in itertools.pairwise(depths))


def test_the_table_has_a_row_a_level_and_a_word_a_column(folder):
    rows = list(csv.DictReader(io.StringIO((folder / "levels.csv").read_text())))
    assert [r["level"] for r in rows] == ["L1-L2", "L2-L3", "L3-L4", "L4-L5", "L4-L5", "L5-S1"]
    assert rows[4]["label"] == "likely painful"
    assert float(rows[4]["score"]) == pytest.approx(0.93)
    assert rows[5]["status"] == "failed"
    assert "echo time" in rows[5]["reasons"]
    dictionary = json.loads((folder / "levels.json").read_text())
    assert set(rows[0]) == set(dictionary)
    assert dictionary["PG/water"]["Units"] == "mmol/kg tissue water"
    for name in ("LAC/PG", "LAC/PG_sd", "LAC/PG_low", "LAC/PG_high"):
        assert float(rows[0][name]) >= 0
    assert all(row["recipe_sha256"].startswith("ab12cd34") for row in rows)
    assert all("research use only" in row["notice"] for row in rows)
    assert all(entry["Description"] for entry in dictionary.values())


def test_a_picture_carries_its_findings_without_the_report(folder):
    image = pytest.importorskip("PIL.Image")
    with image.open(folder / "figures/L4-L5_run-2.png") as picture:
        words = picture.text["Description"]
        assert picture.info["dpi"] == pytest.approx((200, 200), abs=1)
    for word in ("L4-L5", "likely painful", "0.93", "0.81 to 0.99", "ab12cd34", "research use"):
        assert word in words, word
    with image.open(folder / "figures/overview.png") as picture:
        words = picture.text["Description"]
    for word in ("L1-L2", "L5-S1: not measured", "likely painful", "ab12cd34", "research use"):
        assert word in words, word


@pytest.mark.parametrize("suffix", ["preprocessed", "fit", "residual"])
def test_nifti_is_valid_for_its_own_validator(folder, suffix):
    nifti_mrs = pytest.importorskip("nifti_mrs.nifti_mrs")
    image = nifti_mrs.NIFTI_MRS(folder / f"nifti/L4-L5_{suffix}.nii.gz")
    assert image.dwelltime == pytest.approx(4e-4)
    steps = image.hdr_ext["ProcessingApplied"]
    assert any("coil" in step["Method"].lower() for step in steps)


def test_another_tool_finds_the_lines_and_the_sum_of_the_exported_files(folder):
    """By the convention of NIfTI-MRS, read with its own package: PG at 2.04, data = fit + rest."""
    nifti_mrs = pytest.importorskip("nifti_mrs.nifti_mrs")
    read = {
        name: nifti_mrs.NIFTI_MRS(folder / f"nifti/L1-L2_{name}.nii.gz")
        for name in ("preprocessed", "fit", "residual")
    }
    fids = {name: np.ravel(image[:]) for name, image in read.items()}
    size = float(np.abs(fids["preprocessed"]).max())
    assert fids["fit"] + fids["residual"] == pytest.approx(fids["preprocessed"], abs=1e-5 * size)
    image = read["fit"]
    # nifti_mrs conjugates on reading, so that a larger frequency is a larger shift
    hz = np.fft.fftfreq(fids["fit"].size, image.dwelltime)
    header = image.hdr_ext
    ppm = header.to_dict().get("SpecFreqChemShift", 4.65) + hz / image.spectrometer_frequency[0]
    inside = (ppm > 1.7) & (ppm < 2.6)
    spectrum = np.abs(np.fft.fft(fids["fit"]))
    assert ppm[inside][np.argmax(spectrum[inside])] == pytest.approx(2.04, abs=0.03)
    assert "ab12cd34" in header["ProcessingApplied"][-1]["Details"]


def test_json_and_table_alone_draw_nothing(report, tmp_path, monkeypatch):
    import mrs_disc.report.figures as figures

    monkeypatch.setattr(figures, "svg", lambda _: pytest.fail("a figure was drawn"))
    write_report(report, tmp_path / "out", formats=("json", "csv"))


def test_json_and_table_alone_load_no_plotting_library(folder, tmp_path):
    code = (
        "import sys; from mrs_disc.report import render_results; "
        f"render_results({str(folder / 'results.json')!r}, {str(tmp_path / 'o')!r}, "
        "formats=('json', 'csv')); "
        "assert not {'matplotlib', 'jinja2', 'typst'} & set(sys.modules), sorted(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_rendering_again_gives_the_same_files(folder, tmp_path):
    formats = ("html", "pdf", "csv", "png", "nifti", "citation", "json")
    for path in render_results(folder / "results.json", tmp_path / "again", formats=formats):
        first = folder / path.relative_to(tmp_path / "again")
        assert path.read_bytes() == first.read_bytes(), path.name


def test_same_record_and_day_same_pdf(build, tmp_path, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    report = build.report([build.failed("L4-L5")])
    one, two, letter = (
        write_report(report, tmp_path / name, formats=("pdf",), paper=paper)[-1].read_bytes()
        for name, paper in (("a", "a4"), ("b", "a4"), ("c", "letter"))
    )
    assert one == two
    assert one != letter


# --------------------------------------------------------------------------- hostile texts


def test_markup_stays_text_in_html(nasty):
    html = (nasty / "report.html").read_text()
    assert "<img src=x" not in html
    assert "&lt;img src=x onerror=alert(1)&gt;" in html
    assert "\u202e" not in html


def test_markup_stays_text_in_pdf(nasty):
    text = pdf_text(nasty / "report.pdf")
    assert "<img src=x onerror=alert(1)>" in text
    assert "x" * 100 in text.replace(" ", "")


def test_no_cell_of_the_table_is_a_formula(nasty, build, tmp_path):
    content = (nasty / "levels.csv").read_bytes()
    assert content.startswith(b"\xef\xbb\xbf")
    report = build.report([build.failed("L5-S1", "=cmd|'/c calc'!A1")], study_id="=1+1")
    write_report(report, tmp_path / "out", formats=("csv",))
    (row,) = csv.DictReader(io.StringIO((tmp_path / "out/levels.csv").read_text()))
    assert row["study_id"] == "'=1+1"
    assert row["reasons"].startswith("'=cmd")


# --------------------------------------------------------------------------- the folder


def test_nothing_is_overwritten_unasked(report, folder):
    before = (folder / "results.json").read_bytes()
    with pytest.raises(InputError, match="--overwrite"):
        write_report(report, folder, formats=("html",))
    assert (folder / "results.json").read_bytes() == before


def test_overwriting_takes_away_what_tells_of_the_earlier_report(report, build, tmp_path):
    out = tmp_path / "out"
    write_report(report, out, formats=("json", "csv", "png"))
    (out / "notes.txt").write_text("mine")
    (out / "figures" / "mine.png").write_text("mine")
    write_report(build.report([build.failed("L4-L5")]), out, formats=("csv",), overwrite=True)
    names = {str(p.relative_to(out)) for p in out.rglob("*") if p.is_file()}
    assert names == {
        "results.json", "signals.npz", "levels.csv", "levels.json", "notes.txt", "figures/mine.png",
    }  # fmt: skip


def test_overwriting_leaves_what_no_report_has_written(report, tmp_path):
    """A folder of the scanner's DICOM files beside the spectra is called dicom too."""
    foreign = [tmp_path / n for n in ("dicom/IM_0001.dcm", "figures/L4-L5.png", "references.bib")]
    for path in foreign:
        path.parent.mkdir(exist_ok=True)
        path.write_text("not of a report")
    write_report(report, tmp_path, formats=("json",), overwrite=True)
    assert all(path.read_text() == "not of a report" for path in foreign)
    write_report(report, tmp_path, formats=("json",), overwrite=True)
    assert foreign[0].read_text() == "not of a report"


def test_a_failing_renderer_leaves_nothing(report, tmp_path, monkeypatch):
    import mrs_disc.report.pdf as pdf

    def broken(view):
        raise OutputError("no room")

    monkeypatch.setattr(pdf, "render", broken)
    with pytest.raises(OutputError):
        write_report(report, tmp_path / "out", formats=("html", "pdf"))
    assert not list(tmp_path.rglob("*.*"))


def test_a_folder_that_cannot_be_written_is_said(report, tmp_path, monkeypatch):
    (tmp_path / "file").touch()  # not even root writes below a file
    with pytest.raises(OutputError, match="cannot be written to"):
        write_files(tmp_path / "file" / "out", {"a.txt": b""}, overwrite=False)
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # as of another user's folder
    with pytest.raises(InputError, match="cannot be written to"):
        write_report(report, tmp_path / "out", formats=("json",))


def test_a_file_in_the_place_of_the_folder_is_said(tmp_path):
    (tmp_path / "out").write_text("")
    with pytest.raises(InputError, match="is a file"):
        check_output(tmp_path / "out", ("html",))


def test_an_unknown_format_is_said_with_the_known_ones(tmp_path):
    with pytest.raises(InputError, match=r"no format 'htm'\. Did you mean 'html'\?"):
        check_output(tmp_path, ("htm",))
    assert set(FORMATS) == set(OF_FORMAT), "each has names of files that an overwrite replaces"
    assert set(FORMATS) >= {"json", "html", "pdf", "png", "csv", "nifti", "dicom"}


def test_dicom_without_a_reference_is_refused(tmp_path):
    with pytest.raises(InputError, match="--dicom-reference"):
        check_output(tmp_path, ("dicom",))


# --------------------------------------------------------------------------- the command


def test_the_command_renders_again(folder, tmp_path, capsys):
    arguments = ["report", str(folder / "results.json"), "-o", str(tmp_path / "o")]
    assert run([*arguments, "--format", "csv"]) == 0
    assert capsys.readouterr().out.splitlines()[0].endswith("levels.csv")
    assert run([*arguments, "--format", "csv"]) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert run([*arguments, "--format", "dicom"]) == 2
    assert "reference" in capsys.readouterr().err


def test_the_command_prints_the_schema(capsys):
    assert run(["report", "--schema"]) == 0
    assert json.loads(capsys.readouterr().out)["title"] == "Results"


@pytest.mark.parametrize("arguments", [[], ["missing.json"], ["missing.json", "-o", "out"]])
def test_the_command_says_what_is_missing(arguments, capsys):
    assert run(["report", *arguments]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "Traceback" not in error


def test_no_row_of_text_is_cut_in_the_image_of_the_first_page(report, tmp_path):
    """Each word has as much ink as another program gives it, but for its own anti-aliasing."""
    if not (shutil.which("pdftoppm") and shutil.which("pdftotext")):
        pytest.skip("poppler-utils is not installed")
    made = results_of(as_json(results_from(report)), Path("results.json"))
    view = View(results=made, signals=signals_from(report), written=date(2026, 1, 1))
    (tmp_path / "a.pdf").write_bytes(pdf.pdf_bytes(view, dict(view.content)))
    tool = partial(subprocess.run, check=True, capture_output=True, text=True, cwd=tmp_path)
    tool(["pdftoppm", "-r", "120", "-l", "1", "-png", "-singlefile", "a.pdf", "b"])
    told = tool(["pdftotext", "-l", "1", "-bbox", "a.pdf", "-"]).stdout
    word = r'<word xMin="(.*)" yMin="(.*)" xMax="(.*)" yMax="(.*)">(\w{3,})</word>'
    own, other = (
        255 - np.asarray(Image.open(picture).convert("L"), dtype=float)
        for picture in (io.BytesIO(pdf.page_png(view, dict(view.content))), tmp_path / "b.png")
    )
    found = re.findall(word, told)
    assert len(found) > 100
    for *ends, name in found:
        left, top, right, foot = (float(end) * 120 / 72 for end in ends)
        box = slice(int(top) - 1, int(foot) + 2), slice(int(left) - 1, int(right) + 2)
        ink = [np.abs(part - np.median(part)).sum() for part in (own[box], other[box])]
        assert ink[0] > 0.85 * ink[1], name  # a row of ten is a tenth
