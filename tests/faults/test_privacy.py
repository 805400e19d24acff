"""Names, birth dates, ids and institutions in every field of every format: none comes out.

Every output byte is searched, packed content unpacked first.
"""

from __future__ import annotations

import gzip
import io
import json
import re
import shutil
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from mrs_disc.cli import run

from . import spoil as s

NAME, BIRTH, PLACE, NUMBER = "Zwiebelfisch", "19610713", "Kurklinik", "QX77341"
SECRETS = (NAME, NAME.lower(), NAME.upper(), BIRTH, "1961-07-13", "1961.07.13", PLACE, NUMBER)
TEXT = f"{NAME}^Anton {BIRTH} {PLACE} {NUMBER}"
FORMATS = ("json", "html", "csv", "pdf", "png", "nifti", "citation", "text", "fhir", "xlsx")

NIFTI_FIELDS = (
    *("PatientName", "PatientID", "PatientSex", "PatientDoB", "PatientWeight", "PatientPosition"),
    *("InstitutionName", "InstitutionAddress", "DeviceSerialNumber", "Manufacturer"),
    *("ManufacturersModelName", "SoftwareVersions", "SequenceName", "ProtocolName", "TxCoil"),
    *("RxCoil", "ConversionMethod", "ConversionTime", "OriginalFile", "kSpace", "TxOffset"),
    *("WaterSuppressionType", "SpectralEditing", "AnyOther", "ReferringPhysician", "StudyDate"),
)
DICOM_FIELDS = (
    *("PatientName", "PatientID", "PatientBirthName", "PatientAddress", "PatientComments"),
    *("InstitutionName", "InstitutionAddress", "InstitutionalDepartmentName", "StationName"),
    *("ReferringPhysicianName", "PerformingPhysicianName", "OperatorsName", "StudyDescription"),
    *("SeriesDescription", "ProtocolName", "AccessionNumber", "StudyID", "ImageComments"),
    *("RequestedProcedureDescription", "DeviceSerialNumber", "PatientTelephoneNumbers"),
    *("ManufacturerModelName", "SoftwareVersions", "OtherPatientIDs"),
)


def plant_nifti(folder: Path) -> None:
    for path in folder.glob("*.nii"):
        file = s.Nifti(path)
        file.extension |= dict.fromkeys(NIFTI_FIELDS, TEXT)
        file.extension["dim_6_header"] = {"PatientName": TEXT}
        file.header[148:228] = TEXT[:79].encode().ljust(80, b"\0")  # description
        file.header[228:252] = NAME.encode().ljust(24, b"\0")  # auxiliary file
        file.header[14:32] = NAME.encode().ljust(18, b"\0")  # name of the database
        file.write()
        path.with_suffix(".json").write_text(json.dumps(dict.fromkeys(NIFTI_FIELDS, TEXT)))


def plant_spar(folder: Path) -> None:
    for path in folder.glob("*.SPAR"):
        text = path.read_text()
        for field in ("examination_name", "scan_id", "patient_name", "patient_position"):
            text = re.sub(rf"(?m)^{field} : .*?$", f"{field} : {TEXT}", text)
        text = text.replace("2000.01.01", "1961.07.13")
        path.write_text(text + f"patient_birth_date : {BIRTH}\r\n! {TEXT}\r\n")


def plant_rda(folder: Path) -> None:
    for path in folder.glob("*.rda"):
        head, mark, samples = path.read_bytes().partition(b">>> End of header <<<")
        lines = head.decode("latin-1").splitlines()
        told = r"(Patient|Institution|Station|Study|Series|Protocol|Model|Device|Software|Instance)"
        lines = [re.sub(rf"^({told}\w*):.*", rf"\1: {TEXT}", line) for line in lines]
        lines += [f"{word}: {TEXT}" for word in ("PatientName", "PatientID", "InstitutionName")]
        lines += [f"PatientBirthDate: {BIRTH}", f"PhysicianName: {TEXT}"]
        path.write_bytes("\r\n".join(dict.fromkeys(lines)).encode() + b"\r\n" + mark + samples)


def plant_dicom(folder: Path) -> None:
    import pydicom

    for path in folder.rglob("*"):
        if not path.is_file() or path.suffix == ".toml":
            continue
        dataset = pydicom.dcmread(path)
        for field in DICOM_FIELDS:
            short = pydicom.datadict.dictionary_VR(field) in ("SH", "CS")
            setattr(dataset, field, NUMBER if short else TEXT)
        dataset.PatientBirthDate = dataset.StudyDate = BIRTH
        dataset.save_as(path)


PLANT = {"nifti": plant_nifti, "sdat": plant_spar, "rda": plant_rda, "dicom": plant_dicom}


def rename_files(folder: Path) -> None:
    """Give every file a name that holds the person's, and tell study.toml."""
    toml = folder / "study.toml"
    text = toml.read_text()
    for path in sorted(folder.iterdir()):
        if path.name != "study.toml":
            path.rename(folder / f"{NAME}_{BIRTH}_{path.name}")
    text = re.sub(r'((?:metabolite|water) = ")', rf"\1{NAME}_{BIRTH}_", text)
    toml.write_text(text)


def unpacked(name: str, content: bytes) -> Iterator[bytes]:
    """Yield content and all that is packed in it."""
    yield name.encode()
    yield content
    if content[:2] == b"\x1f\x8b":
        yield gzip.decompress(content)
    elif content[:2] == b"PK":
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for member in archive.namelist():
                yield from unpacked(member, archive.read(member))
    elif content[:4] == b"%PDF":
        import pypdf

        reader = pypdf.PdfReader(io.BytesIO(content))
        yield str(reader.metadata).encode()
        yield "\n".join(page.extract_text() for page in reader.pages).encode()
        for packed in re.findall(rb"stream\r?\n(.*?)endstream", content, re.DOTALL):
            try:
                yield zlib.decompressobj().decompress(packed)
            except zlib.error:
                continue


def leaks(folder: Path, *texts: str) -> list[str]:
    found = []
    for path in sorted(folder.rglob("*")):
        content = path.read_bytes() if path.is_file() else b""
        for part in unpacked(path.name, content):
            found += [f"{path.name}: {word}" for word in SECRETS if word.encode() in part]
            found += [f"{path.name}: {w}" for w in SECRETS if w.encode("utf-16-le") in part]
    return found + [f"printed: {word}" for text in texts for word in SECRETS if word in text]


@pytest.mark.parametrize("form", PLANT)
def test_nothing_of_a_header_comes_out_of_an_analysis(form, make_study, tmp_path, capsys):
    study = make_study(form)
    PLANT[form](study)
    rename_files(study)
    assert leaks(study), "the plants are in place"
    wanted = FORMATS if form == "dicom" else ("json", "csv", "nifti")
    formats = [word for name in wanted for word in ("--format", name)]
    assert run(["analyze", str(study), "-o", str(tmp_path / "out"), *formats]) == 0
    printed = capsys.readouterr()
    assert (tmp_path / "out" / "results.json").exists()
    assert not leaks(tmp_path / "out", printed.err)


def test_what_the_user_gave_for_print_comes_out_and_nothing_else(make_study, tmp_path, capsys):
    """Day and accession number that stand in study.toml are shown; those of headers are not."""
    study = make_study("dicom")
    plant_dicom(study)
    toml = study / "study.toml"
    given = f'[clinical]\nexamination_date = 1961-07-13\naccession_number = "{NUMBER}"\n'
    toml.write_text(f"{toml.read_text()}\n{given}")
    formats = [word for name in ("json", "text", "fhir") for word in ("--format", name)]
    assert run(["analyze", str(study), "-o", str(tmp_path / "out"), *formats]) == 0
    found = leaks(tmp_path / "out", capsys.readouterr().err)
    shown = {entry.partition(": ")[2] for entry in found}
    assert shown == {"1961-07-13", NUMBER}
    assert {entry.partition(": ")[0] for entry in found} >= {"report.txt", "report.fhir.json"}


@pytest.mark.parametrize("form", PLANT)
def test_nothing_of_a_header_comes_out_of_a_failure(form, make_study, tmp_path, capsys):
    """Each file cut to nine tenths of its length: the messages are about it, not of it."""
    study = make_study(form)
    PLANT[form](study)
    for path in study.rglob("*"):
        if path.is_file() and path.suffix in (".nii", ".SDAT", ".rda", ".ima", ".dcm", ".IMA"):
            path.write_bytes(path.read_bytes()[: path.stat().st_size * 9 // 10])
    run(["analyze", str(study), "-o", str(tmp_path / "out"), "--format", "json"])
    assert not leaks(tmp_path / "out", capsys.readouterr().err)


@pytest.mark.parametrize("form", PLANT)
def test_nothing_of_a_header_is_described_or_converted(form, make_study, tmp_path, capsys):
    study = make_study(form)
    PLANT[form](study)
    assert run(["info", str(study), "--json"]) == 0
    files = [p for p in sorted(study.rglob("*")) if p.suffix not in (".toml", ".json", ".SPAR")]
    press = [str(p) for p in files if p.is_file() and "L4-L5" in str(p.relative_to(study))]
    press = [p for p in press if "press" in p or "act" in p]
    assert run(["info", press[0], "--json"]) == 0
    told = capsys.readouterr().out
    converted = tmp_path / "converted"
    converted.mkdir()
    assert run(["convert", *press, "-o", str(converted / "L4-L5.nii.gz")]) == 0
    assert not leaks(converted, told)


def test_nothing_of_a_dataset_comes_out_of_a_batch(make_study, tmp_path, capsys):
    dataset, out = tmp_path / "dataset", tmp_path / "out"
    plant_nifti(whole := make_study())
    shutil.copytree(whole, dataset / "one")
    shutil.copytree(whole, dataset / "two")
    (dataset / "two" / s.PRESS).write_bytes(TEXT.encode())
    told = {"Name": TEXT, "Authors": [TEXT], "DatasetDOI": f"doi:10.1/{TEXT}"}
    (dataset / "dataset_description.json").write_text(json.dumps(told))
    (dataset / "participants.tsv").write_text(
        f"participant_id\tname\tbirth\none\t{TEXT}\t{BIRTH}\n"
    )
    (dataset / "README").write_text(TEXT)
    assert run(["batch", str(dataset), "-o", str(out), "--jobs", "1", "--format", "csv"]) == 3
    assert not leaks(out, capsys.readouterr().err)
