"""The patient's name over a study, where `--show-patient` asks for it.

It is read from a DICOM object of the results, or from the patient's reference file, whenever a page
is asked for, and goes into that page alone: into no file, no log, no title and no address.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mrs_disc.errors import ReadError
from mrs_disc.io.images import dicom_header
from mrs_disc.report.words import harmless

NOT_KNOWN = "patient not known: no DICOM object lies beside the results"


def patient_of(folder: Path, reference: Path | None) -> str:
    """Return who a study is of, as a heading says it.

    Parameters
    ----------
    folder : Path
        Results of the study, whose own objects lie under ``dicom``.
    reference : Path or None
        A DICOM file of the patient, asked where there are none.
    """
    own = sorted((folder / "dicom").glob("*.dcm"))
    for path in (*own, *([reference] if reference is not None else [])):
        try:
            header = dicom_header(path, "PatientName", "PatientID")
        except ReadError:
            continue
        if header is not None and (told := _told(header)):
            return told
    return NOT_KNOWN


def _told(header: Any) -> str:
    name, number = header.get("PatientName") or "", str(header.get("PatientID") or "").strip()
    parts = [str(part).strip() for part in str(name).split("=")[0].split("^")[:2]]
    spoken = ", ".join(part for part in parts if part)
    return harmless(" · ".join(one for one in (spoken, number) if one), 120)
