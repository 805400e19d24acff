"""DICOM objects: tied to the patient's own reference, valid for other people's tools."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mrs_disc.data import LEVELS
from mrs_disc.errors import ReadError
from mrs_disc.report import dicom, write_report
from mrs_disc.report import dicom_codes as codes

pydicom = pytest.importorskip("pydicom")
pytest.importorskip("highdicom")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

DCIODVFY = pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dicom3tools is absent")
DCMTK = pytest.mark.skipif(shutil.which("dsrdump") is None, reason="dcmtk is absent")
FILES = ("report_pdf.dcm", "report_sr.dcm", "report_page1.dcm")


@pytest.fixture(scope="module")
def objects(build, write_reference, tmp_path_factory):
    out = tmp_path_factory.mktemp("dicom")
    reference = write_reference(out / "reference.dcm")
    levels = [
        build.level("L3-L4", build.middle, value=0.4, verdict="poor", noise=6.0),
        build.level("L4-L5", build.painful, value=0.91, label="likely painful"),
        build.failed("L5-L6"),
    ]
    write_report(
        build.report(levels, anatomy=False),
        out / "report",
        formats=("dicom",),
        dicom_reference=reference,
        secondary_capture=True,
    )
    return out / "report" / "dicom"


@pytest.mark.parametrize("name", FILES)
def test_patient_and_study_come_from_the_reference_alone(objects, name):
    made = pydicom.dcmread(objects / name)
    assert made.PatientName == "Müller^Änne"
    assert made.PatientID == "P-17"
    assert made.StudyInstanceUID == "1.2.3"
    assert made.AccessionNumber == "A1"
    assert "InstitutionName" not in made
    assert "Hospital" not in (objects / name).read_bytes().decode("latin-1")


@pytest.mark.parametrize("name", FILES)
@DCIODVFY
def test_dciodvfy_finds_no_error(objects, name):
    done = subprocess.run(["dciodvfy", objects / name], capture_output=True, text=True, check=False)
    assert not [line for line in done.stderr.splitlines() if line.startswith("Error")]


@DCMTK
def test_dsrdump_reads_the_findings(objects):
    done = subprocess.run(
        ["dsrdump", "+Pl", objects / "report_sr.dcm"], capture_output=True, check=True
    )
    text = done.stdout.decode("utf-8", "replace")
    for word in (
        "Enhanced SR", "UNVERIFIED", "PRELIMINARY", "L4/L5 disc", "L5/L6 disc", "99MRSDISC",
        "likely painful", "not measured", "Lactate", "the echo time is unknown", "0.91",
        "SNR 3.2 is below 5", "ab12cd34", "research use only", "acidity_structure@1",
    ):  # fmt: skip
        assert word in text, word


def tid1500reader():
    """The program of dcmqi, which its wheel puts beside Python."""
    return shutil.which("tid1500reader") or shutil.which(
        "tid1500reader", path=str(Path(sys.executable).parent)
    )


@pytest.mark.skipif(tid1500reader() is None, reason="dcmqi is absent")
def test_dcmqi_shows_uncertainties_in_the_unit_of_their_measurement(objects, tmp_path):
    out = tmp_path / "sr.json"
    command = [tid1500reader(), "--inputDICOM", objects / "report_sr.dcm", "--outputMetadata", out]
    subprocess.run(command, capture_output=True, check=True)
    units = set()
    for level in json.loads(out.read_text())["Measurements"]:
        for item in level.get("measurementItems", ()):
            for part in item.get("measurementNumProperties", ()):
                assert part["numPropertyUnits"] == item["units"], item["quantity"]
                units.add(part["numPropertyUnits"]["CodeValue"])
    assert {"1", "[arb'U]"} <= units


def test_what_was_not_found_is_an_upper_limit_and_never_negative(objects):
    """A PACS shows a bare number: the estimate below noise must not be it."""
    made = pydicom.dcmread(objects / "report_sr.dcm")

    def numbers(item):
        for child in item.get("ContentSequence", ()):
            if child.ValueType == "NUM" and child.RelationshipType == "CONTAINS":
                concepts = [
                    c.ConceptCodeSequence[0].CodeValue
                    for c in child.get("ContentSequence", ())
                    if c.ValueType == "CODE"
                ]
                value = float(child.MeasuredValueSequence[0].NumericValue)
                yield child.ConceptNameCodeSequence[0].CodeMeaning, value, concepts
            yield from numbers(child)

    found = list(numbers(made))
    assert any(codes.UPPER_LIMIT.value in concepts for _, _, concepts in found)
    assert all(value > 0 for name, value, _ in found if not name.startswith("Log"))


@DCMTK
def test_dcm2pdf_gives_the_pdf_back(objects, tmp_path):
    out = tmp_path / "report.pdf"
    subprocess.run(["dcm2pdf", objects / "report_pdf.dcm", out], capture_output=True, check=True)
    assert out.read_bytes().startswith(b"%PDF-")


@DCMTK
def test_a_real_store_takes_them(objects, tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    server = subprocess.Popen(["storescp", "-od", tmp_path, port])
    try:
        for attempt in range(50):
            sent = subprocess.run(
                ["storescu", "127.0.0.1", port, *(objects / n for n in FILES)],
                capture_output=True,
                check=False,
            )
            if sent.returncode == 0 or attempt == 49:
                break
            time.sleep(0.1)
        assert sent.returncode == 0, sent.stderr
    finally:
        server.terminate()
        server.wait(timeout=120)
    assert len(list(tmp_path.iterdir())) == len(FILES)


def test_same_report_same_identifiers_another_report_others(build, write_reference, tmp_path):
    reference = write_reference(tmp_path / "r.dcm")

    def identifiers(name, **changes):
        report = build.report([build.failed("L4-L5")], anatomy=False, **changes)
        write_report(report, tmp_path / name, formats=("dicom",), dicom_reference=reference)
        folder = tmp_path / name / "dicom"
        return [pydicom.dcmread(p).SOPInstanceUID for p in sorted(folder.iterdir())]

    assert identifiers("a") == identifiers("b")
    assert not set(identifiers("c", study_id="other")) & set(identifiers("d"))


def test_a_reference_that_is_no_dicom_file_is_said(build, tmp_path):
    (tmp_path / "r.dcm").write_text("not DICOM")
    report = build.report([build.failed("L4-L5")], anatomy=False)
    with pytest.raises(ReadError, match="not a DICOM file"):
        write_report(report, tmp_path / "o", formats=("dicom",), dicom_reference=tmp_path / "r.dcm")
    assert not (tmp_path / "o").exists()


def test_a_reference_without_a_study_is_said(build, write_reference, tmp_path):
    reference = write_reference(tmp_path / "r.dcm", StudyInstanceUID="")
    report = build.report([build.failed("L4-L5")], anatomy=False)
    with pytest.raises(ReadError, match="lacks StudyInstanceUID"):
        write_report(report, tmp_path / "o", formats=("dicom",), dicom_reference=reference)


# --------------------------------------------------------------------------- codes


def concepts():
    tables = (codes.LEVELS, codes.COMPONENTS, codes.QUANTITIES, codes.LABELS, codes.VERDICTS)
    for table in tables:
        yield from table.values()
    yield from (v for v in vars(codes).values() if isinstance(v, codes.Concept))


@pytest.mark.parametrize("concept", sorted(set(concepts())), ids=lambda c: f"{c.scheme}-{c.value}")
def test_standard_codes_are_those_of_the_dictionary(concept):
    from pydicom.sr._concepts_dict import concepts as dictionary

    assert len(concept.meaning) <= 64
    assert len(concept.value) <= 16
    if concept.scheme == codes.PRIVATE:
        return
    if concept == codes.MOLAL:
        return  # an UCUM expression; the dictionary has examples of UCUM alone
    listed = {
        meaning.lower()
        for entry in dictionary[concept.scheme].values()
        for code, (meaning, _) in entry.items()
        if code == concept.value
    }
    assert concept.meaning.lower() in listed


def test_every_level_has_a_code_and_none_is_used_twice():
    assert set(codes.LEVELS) == set(LEVELS)
    assert len({c.value for c in codes.LEVELS.values()}) == len(LEVELS)
    private = {level for level, c in codes.LEVELS.items() if c.scheme == codes.PRIVATE}
    assert private == {"L5-L6", "L6-S1"}


def test_a_reference_without_birth_date_serves(tmp_path):
    """Research exports drop it; the attribute is then there and empty."""
    path = tmp_path / "anonymous.dcm"
    reference = pydicom.Dataset()
    reference.SOPClassUID = "1.2.840.10008.5.1.4.1.1.4"
    reference.SOPInstanceUID, reference.StudyInstanceUID = "1.2.3.1", "1.2.3.2"
    reference.SeriesInstanceUID = "1.2.3.3"
    reference.file_meta = pydicom.dataset.FileMetaDataset()
    reference.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    pydicom.dcmwrite(path, reference, enforce_file_format=True)
    found = dicom.read_reference(path)
    assert all(name in found for name in dicom.TYPE_2)
    assert not found.PatientBirthDate
