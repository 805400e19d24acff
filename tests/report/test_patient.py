"""Under whose name DICOM output goes: that of the input, and never another patient's.

The truth is planted: each input and each reference gets its patient and study here, and the objects
are read back with pydicom.
"""

from __future__ import annotations

import json
import shutil
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest

from mrs_disc.analysis import analyze
from mrs_disc.cli import run
from mrs_disc.errors import InputError
from mrs_disc.io import read_study
from mrs_disc.report import write_report

pydicom = pytest.importorskip("pydicom")
pytest.importorskip("highdicom")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

SAMPLES = Path(__file__).parents[2] / "sample_data"
LEVEL = "L4-L5"
SECRETS = ("REAL-0001", "Real", "WRONG-9999", "Wrong", "1.2.840.77", "1.2.840.99", "19700102")
OURS = {"PatientID": "REAL-0001", "PatientName": "Real^Patient", "StudyInstanceUID": "1.2.840.77"}
OTHER_PATIENT = OURS | {"PatientID": "WRONG-9999", "PatientName": "Wrong^Patient"}
OTHER_STUDY = OURS | {"StudyInstanceUID": "1.2.840.99"}
SILENT = dict.fromkeys(OURS, "")
MATCHING = {"StudyDate": "20000101", "ImagingFrequency": "127.7001"}
"""What a simulated SDAT study says of itself: its date and frequency."""


def sign(folder, **identity):
    """Write patient and study into every DICOM file of a folder."""
    for path in folder.rglob("*.dcm"):
        dataset = pydicom.dcmread(path)
        for name, value in identity.items():
            setattr(dataset, name, value)
        dataset.save_as(path)
    return folder


@pytest.fixture(scope="module")
def signed(tmp_path_factory):
    """A study of one patient in DICOM: some hundred files."""
    folder = tmp_path_factory.mktemp("signed") / "study"
    return sign(shutil.copytree(SAMPLES / "lumbar_dicom", folder), **OURS)


@pytest.fixture
def dicom_study(signed, tmp_path):
    """A copy of it."""
    return Path(shutil.copytree(signed, tmp_path / "study"))


def analyzed(study, out, *words):
    return run(["analyze", str(study), "-o", str(out), "--level", LEVEL, *map(str, words)])


def identities(out):
    made = [pydicom.dcmread(path) for path in sorted((out / "dicom").glob("*.dcm"))]
    assert len(made) == 2
    return {(str(d.PatientID), str(d.PatientName), str(d.StudyInstanceUID)) for d in made}


def told(out):
    """What of the planted words stands in a file that is no DICOM object, or in its name."""
    files = [path for path in out.rglob("*") if path.is_file() and path.suffix != ".dcm"]
    return [
        w for w in SECRETS for p in files if w.encode() in p.read_bytes() + str(p.name).encode()
    ]


# --------------------------------------------------------------------------- DICOM input


def test_dicom_input_names_its_patient_itself(dicom_study, tmp_path, capsys):
    out = tmp_path / "out"
    formats = [w for f in ("json", "html", "csv", "dicom") for w in ("--format", f)]
    assert analyzed(dicom_study, out, *formats) == 0
    assert identities(out) == {tuple(OURS.values())}
    assert not told(out)
    assert not [word for word in SECRETS if word in capsys.readouterr().err]


@pytest.mark.parametrize(
    ("identity", "tags"),
    [
        (OTHER_PATIENT, ["PatientID (0010,0020)"]),
        (OTHER_STUDY, ["StudyInstanceUID (0020,000D)"]),
        (OTHER_PATIENT | OTHER_STUDY | {"PatientID": "W"}, ["(0010,0020)", "(0020,000D)"]),
        (OURS | {"IssuerOfPatientID": "elsewhere"}, ["IssuerOfPatientID (0010,0021)"]),
    ],
)
def test_a_reference_of_another_patient_or_study_is_refused(
    dicom_study, write_reference, tmp_path, capsys, identity, tags
):
    sign(dicom_study, IssuerOfPatientID="here")
    reference = write_reference(tmp_path / "ref.dcm", **identity)
    out = tmp_path / "out"
    assert analyzed(dicom_study, out, "--format", "dicom", "--dicom-reference", reference) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert all(tag in error for tag in tags)
    assert not [word for word in SECRETS if word in error]
    assert not out.exists()


@pytest.mark.parametrize(
    ("given", "tag"),
    [
        ("examination_date = 2000-01-02", "StudyDate (0008,0020)"),
        ('accession_number = "OTHER-1"', "AccessionNumber (0008,0050)"),
    ],
)
def test_what_the_user_says_of_the_examination_may_not_contradict_its_files(
    dicom_study, write_reference, tmp_path, capsys, given, tag
):
    sign(dicom_study, AccessionNumber="REAL-0001", StudyDate="20000101")
    toml = dicom_study / "study.toml"
    toml.write_text(f"{toml.read_text()}\n[clinical]\n{given}\n")
    reference = write_reference(
        tmp_path / "ref.dcm", **OURS, AccessionNumber="REAL-0001", StudyDate="20000101"
    )
    for named in ((), ("--dicom-reference", reference)):
        out = tmp_path / "out"
        assert analyzed(dicom_study, out, "--format", "dicom", *named) == 2
        error = capsys.readouterr().err
        assert tag in error
        assert not [word for word in SECRETS if word in error]
        assert not out.exists()


@pytest.mark.parametrize(
    ("identity", "expected"),
    [
        (OURS, tuple(OURS.values())),
        (OURS | {"PatientID": ""}, tuple(OURS.values())),  # the input knows more
    ],
)
def test_a_reference_of_the_same_study_serves(
    dicom_study, write_reference, tmp_path, identity, expected
):
    reference = write_reference(tmp_path / "ref.dcm", **identity)
    out = tmp_path / "out"
    assert analyzed(dicom_study, out, "--format", "dicom", "--dicom-reference", reference) == 0
    assert identities(out) == {expected}


def test_an_input_without_a_study_needs_a_reference(dicom_study, tmp_path, capsys):
    sign(dicom_study, **SILENT)
    assert analyzed(dicom_study, tmp_path / "out", "--format", "dicom") == 2
    assert "lacks StudyInstanceUID" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["PatientID", "StudyInstanceUID"])
def test_levels_of_two_patients_are_filed_under_neither(dicom_study, tmp_path, capsys, name):
    sign(dicom_study / "L3-L4_press", **{name: "1.2.840.99"})
    out = tmp_path / "out"
    assert run(["analyze", str(dicom_study), "-o", str(out), "--format", "dicom"]) == 2
    error = capsys.readouterr().err
    assert name in error
    assert "L3-L4" in error
    assert "1.2.840.99" not in error
    assert analyzed(dicom_study, out, "--format", "dicom") == 0  # that level alone is of one


# --------------------------------------------------------------------------- folders


def fill(folder, write_reference, *identities):
    for number, identity in enumerate(identities):
        path = folder / f"s{number}" / "im.dcm"
        path.parent.mkdir(parents=True)
        write_reference(path, **identity)
    (folder / "notes.txt").write_text("no DICOM")
    return folder


def test_of_a_folder_the_mr_object_of_the_study_is_taken(
    dicom_study, write_reference, tmp_path, capsys
):
    other_kind = OURS | {"Modality": "CT", "AccessionNumber": "CT"}
    wanted = OURS | {"AccessionNumber": "WANTED"}
    folder = fill(
        tmp_path / "refs", write_reference, OTHER_PATIENT, OTHER_STUDY, other_kind, wanted
    )
    out = tmp_path / "out"
    assert analyzed(dicom_study, out, "--format", "dicom", "--dicom-reference", folder) == 0
    assert identities(out) == {tuple(OURS.values())}
    assert pydicom.dcmread(out / "dicom" / "report_sr.dcm").AccessionNumber == "WANTED"
    assert "s3/im.dcm is taken" in capsys.readouterr().err


def test_a_folder_without_the_study_is_refused_with_the_tags(
    dicom_study, write_reference, tmp_path, capsys
):
    folder = fill(tmp_path / "refs", write_reference, OTHER_PATIENT, OTHER_STUDY)
    out = tmp_path / "out"
    assert analyzed(dicom_study, out, "--format", "dicom", "--dicom-reference", folder) == 2
    error = capsys.readouterr().err
    assert "PatientID (0010,0020)" in error
    assert "StudyInstanceUID (0020,000D)" in error
    assert not out.exists()


def test_a_reference_that_is_not_there_is_said(dicom_study, tmp_path, capsys):
    words = ["--format", "dicom", "--dicom-reference", tmp_path / "gone"]
    assert analyzed(dicom_study, tmp_path / "out", *words) == 2
    assert "gone: there is no such file or folder" in capsys.readouterr().err


# --------------------------------------------------------------------------- other input


@pytest.fixture(scope="module")
def reports():
    """Reports of one disc each, of formats that name no study."""
    forms = {"sdat": "lumbar_sdat", "rda": "lumbar_rda", "nifti": "lumbar_nifti"}
    return {k: analyze(read_study(SAMPLES / v), levels=[LEVEL]) for k, v in forms.items()}


@pytest.mark.parametrize("form", ["sdat", "rda", "nifti"])
def test_other_input_needs_a_reference(reports, form, tmp_path):
    with pytest.raises(InputError, match=r"names no patient.*--dicom-reference"):
        write_report(reports[form], tmp_path / "out", formats=("dicom",))
    assert not (tmp_path / "out").exists()


def test_that_is_said_before_the_analysis(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("mrs_disc.analysis.analyze", lambda *_, **__: pytest.fail("analysed"))
    assert analyzed(SAMPLES / "lumbar_nifti", tmp_path / "out", "--format", "dicom") == 2
    assert "--dicom-reference" in capsys.readouterr().err


@pytest.mark.parametrize("form", ["sdat", "rda", "nifti"])
def test_other_input_takes_patient_and_study_of_a_reference_that_fits(
    reports, form, write_reference, tmp_path
):
    reference = write_reference(tmp_path / "ref.dcm", **OURS, **MATCHING)
    lines = []
    write_report(
        reports[form], tmp_path / "out", ("dicom",), dicom_reference=reference, say=lines.append
    )
    assert identities(tmp_path / "out") == {tuple(OURS.values())}
    assert not told(tmp_path / "out")
    assert len(lines) == 1
    assert "patient and study could not be compared" in lines[0]


def image_at(report, shift_mm):
    """Geometry of a sagittal image, 250 mm wide, through a report's voxel, or beside it."""
    affine = report[LEVEL].measurement.preprocessed.protocol.voxel_affine
    x, y, z = affine[:3, 3] * (-1, -1, 1)
    return {
        "ImageOrientationPatient": [0, 1, 0, 0, 0, -1],
        "ImagePositionPatient": [x + 12, y - 125 + shift_mm, z + 125],
        "PixelSpacing": [1, 1],
        "Rows": 250,
        "Columns": 250,
    }


CONTRADICTIONS = {
    "another day": ({"StudyDate": "20000102"}, "StudyDate (0008,0020)"),
    "another scanner": ({"ImagingFrequency": "127.75"}, "ImagingFrequency (0018,0084)"),
    "another field": ({"ImagingFrequency": "63.87"}, "63.8700 MHz"),
    "an enhanced object": (
        {"ImagingFrequency": None, "TransmitterFrequency": 123.2},
        "TransmitterFrequency (0018,9098)",
    ),
}


@pytest.mark.parametrize("form", ["sdat", "rda"])
@pytest.mark.parametrize("kind", CONTRADICTIONS)
def test_a_reference_that_contradicts_the_data_is_refused(
    reports, form, kind, write_reference, tmp_path
):
    changes, words = CONTRADICTIONS[kind]
    reference = write_reference(tmp_path / "ref.dcm", **(OURS | MATCHING | changes))
    with pytest.raises(InputError) as caught:
        write_report(reports[form], tmp_path / "out", ("dicom",), dicom_reference=reference)
    assert words in str(caught.value)
    assert not [word for word in (*SECRETS, "20000102") if word in str(caught.value)]
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("shift_mm", "fits"), [(0, True), (60, True), (400, False)])
def test_an_image_has_to_show_the_place_of_the_voxel(
    reports, write_reference, tmp_path, shift_mm, fits
):
    place = image_at(reports["sdat"], shift_mm)
    reference = write_reference(tmp_path / "ref.dcm", **OURS, **MATCHING, **place)
    if fits:
        write_report(reports["sdat"], tmp_path / "out", ("dicom",), dicom_reference=reference)
        return
    with pytest.raises(InputError, match="none of the voxels lies there"):
        write_report(reports["sdat"], tmp_path / "out", ("dicom",), dicom_reference=reference)


@pytest.mark.parametrize(("level", "fits"), [(LEVEL, True), ("L2-L3", False)])
def test_an_object_of_spectroscopy_has_to_be_of_one_of_the_discs(
    dicom_study, tmp_path, level, fits
):
    """Reference and data are then files of one simulated patient: the voxel tells the discs."""
    affine = read_study(dicom_study)[level].protocol.voxel_affine
    report = analyze(read_study(SAMPLES / "lumbar_sdat"), levels=[LEVEL])
    ours = report[LEVEL].measurement.preprocessed.protocol.voxel_affine
    reference = next((dicom_study / f"{level}_press").glob("*.dcm"))
    same = bool(np.linalg.norm(affine[:3, 3] - ours[:3, 3]) < 1)
    assert same == fits, "the two sample studies are of one spine"
    refused = nullcontext() if fits else pytest.raises(InputError, match="none of the voxels")
    with refused:
        write_report(report, tmp_path / "out", ("dicom",), dicom_reference=reference)


def test_of_a_folder_other_input_takes_what_alone_fits(reports, write_reference, tmp_path):
    wanted = OURS | MATCHING
    folder = fill(
        tmp_path / "refs",
        write_reference,
        OTHER_PATIENT | MATCHING | {"StudyDate": "20000102"},
        OTHER_STUDY | MATCHING | {"ImagingFrequency": "63.9"},
        wanted,
        wanted | {"SOPInstanceUID": "1.2.3.4.5"},
    )
    lines = []
    write_report(
        reports["sdat"], tmp_path / "out", ("dicom",), dicom_reference=folder, say=lines.append
    )
    assert identities(tmp_path / "out") == {tuple(OURS.values())}
    assert "s2/im.dcm is taken, of 2 MR objects that fit" in lines[0]

    write_reference(folder / "another.dcm", **(OTHER_PATIENT | OTHER_STUDY | MATCHING))
    with pytest.raises(InputError, match="are of 2 studies"):
        write_report(reports["sdat"], tmp_path / "b", ("dicom",), dicom_reference=folder)


# --------------------------------------------------------------------------- report, batch


def test_a_record_read_again_is_held_to_what_it_holds(reports, write_reference, tmp_path, capsys):
    """results.json names no patient; the frequency is compared, and the rest is said."""
    record = tmp_path / "record"
    write_report(reports["sdat"], record, ("json",))
    words = ["report", str(record), "-o", str(tmp_path / "out"), "--format", "dicom"]
    assert run(words) == 2
    assert "results.json" not in capsys.readouterr().out
    wrong = write_reference(tmp_path / "w.dcm", **(OURS | MATCHING | {"ImagingFrequency": "123.2"}))
    assert run([*words, "--dicom-reference", str(wrong)]) == 2
    assert "ImagingFrequency (0018,0084)" in capsys.readouterr().err
    right = write_reference(tmp_path / "r.dcm", **OURS, **MATCHING)
    assert run([*words, "--dicom-reference", str(right)]) == 0
    error = capsys.readouterr().err
    assert "could not be compared, the results.json names neither" in error
    assert identities(tmp_path / "out") == {tuple(OURS.values())}
    assert not told(tmp_path / "out")


@pytest.mark.slow
def test_a_batch_files_each_dicom_study_under_its_own_patient(tmp_path, capsys):
    dataset, out = tmp_path / "dataset", tmp_path / "out"
    whose = {"a": OURS, "b": OTHER_PATIENT | OTHER_STUDY | {"PatientID": "B"}}
    for name, identity in whose.items():
        sign(shutil.copytree(SAMPLES / "lumbar_dicom", dataset / name), **identity)
    shutil.copytree(SAMPLES / "lumbar_sdat", dataset / "c")
    words = ["batch", str(dataset), "-o", str(out), "--jobs", "2", "--level", LEVEL]
    assert run([*words, "--format", "dicom"]) == 3
    for name, identity in whose.items():
        assert identities(out / name) == {tuple(identity[n] for n in OURS)}
    assert "c failed" in capsys.readouterr().err
    assert "names no patient" in (out / "c" / "failure.json").read_text()
    assert not told(out)


ASKED = '[clinical]\nfrom_dicom_reference = ["examination_date", "accession_number"]\n'


def test_day_and_accession_number_come_from_the_reference_where_the_user_asks(
    dicom_study, write_reference, tmp_path, capsys
):
    """Nothing else of the reference does, and nothing where it is not asked for or not given."""
    sign(dicom_study, AccessionNumber="ACC-77", StudyDate="20000101")
    reference = write_reference(
        tmp_path / "ref.dcm", **OURS, AccessionNumber="ACC-77", StudyDate="20000101"
    )
    toml = dicom_study / "study.toml"
    before = toml.read_text()

    def clinical(name, *options):
        assert analyzed(dicom_study, tmp_path / name, *options) == 0
        return json.loads((tmp_path / name / "results.json").read_text())["clinical"]

    named = ("--dicom-reference", reference)
    assert not clinical("unasked", "--format", "dicom", *named)
    toml.write_text(f"{before}\n{ASKED}")
    assert not clinical("without")
    assert "asks for examination_date and accession_number" in capsys.readouterr().err
    told = {"examination_date": "2000-01-01", "accession_number": "ACC-77"}
    assert clinical("asked", "--format", "text", *named) == told
    said = (tmp_path / "asked" / "report.txt").read_text()
    assert all(value in said for value in told.values())
    assert not [word for word in SECRETS if word in said]
    toml.write_text(f"{before}\n{ASKED}examination_date = 2000-01-01\n")
    assert analyzed(dicom_study, tmp_path / "twice", *named) == 2
    assert "asked for in from_dicom_reference" in capsys.readouterr().err


def test_nothing_is_taken_from_a_reference_of_another_patient(
    dicom_study, write_reference, tmp_path, capsys
):
    sign(dicom_study, AccessionNumber="ACC-77", StudyDate="20000101")
    toml = dicom_study / "study.toml"
    toml.write_text(f"{toml.read_text()}\n{ASKED}")
    other = write_reference(tmp_path / "ref.dcm", **OURS | {"PatientID": "ANOTHER"})
    assert analyzed(dicom_study, tmp_path / "out", "--dicom-reference", other) == 2
    assert "PatientID" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
