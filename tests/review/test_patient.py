"""Whose study it is stands over it where that is asked for, and nowhere else."""

import pytest

pydicom = pytest.importorskip("pydicom")


@pytest.fixture
def with_object(folder):
    """The study with a DICOM object of its patient, as `--format dicom` leaves it."""
    made = pydicom.Dataset()
    made.PatientName, made.PatientID = "Doe<b>^Jane^^Dr", "ID-77"
    made.SOPClassUID, made.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.88.22", "1.2.3.4"
    made.file_meta = pydicom.dataset.FileMetaDataset()
    made.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    (folder / "dicom").mkdir()
    made.save_as(folder / "dicom" / "report_sr.dcm", enforce_file_format=True)
    return folder


def page(opened):
    return opened.get("/study/sub-01").text


def test_no_name_stands_over_a_study_that_nobody_asked_it_for(app_of, with_object):
    text = page(app_of(with_object))
    assert "Doe" not in text
    assert "ID-77" not in text
    assert "patient not known" not in text


def test_asked_for_name_and_number_head_the_study_and_nothing_else(app_of, with_object):
    before = sorted(path.name for path in with_object.rglob("*"))
    opened = app_of(with_object, show_patient=True)
    answer = opened.get("/study/sub-01")
    assert answer.text.count("Doe") == 1
    assert '<p class="patient">Doe&lt;b&gt;, Jane · ID-77</p>' in answer.text
    assert "Doe" not in answer.text.split("</title>")[0]
    assert answer.headers["cache-control"] == "no-store"
    assert "Doe" not in opened.get("/study/sub-01/summary").text
    assert opened.act(act="sign", statement="seen").status_code < 500
    assert not [p for p in with_object.rglob("*.json*") if "Doe" in p.read_text()]
    assert set(before) <= {path.name for path in with_object.rglob("*")}


def test_without_an_object_the_heading_says_so_and_a_reference_helps(app_of, folder, with_object):
    reference = with_object / "dicom" / "report_sr.dcm"
    given = reference.rename(with_object.parent / "other.dcm")
    assert "patient not known" in page(app_of(with_object, show_patient=True))
    assert "Jane" in page(app_of(with_object, show_patient=True, dicom_reference=given))
