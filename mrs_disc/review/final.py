"""The final report of a signed study: PDF and DICOM, in a folder that names its signature.

The files are those of ``mrs-disc report``, which honours the review log. A later signature has
another head of the log and so another folder: what was final stays as it was.
"""

from __future__ import annotations

from pathlib import Path

from mrs_disc.errors import InputError
from mrs_disc.record.review import Review
from mrs_disc.report import render_results
from mrs_disc.review.studies import LoadedStudy

PATTERNS = {"pdf": "report.pdf", "dicom": "dicom/*.dcm"}


def final_folder(study: LoadedStudy, review: Review) -> Path:
    """Return where the final files of the present signature lie."""
    return study.folder / "reviewed" / review.head[:12]


def reference_for(name: str, reference: Path | None) -> Path | None:
    """Return the DICOM file of a study's patient: the file named, or that in a folder of many.

    Parameters
    ----------
    name : str
        The study as the list has it; in a folder, ``<name>.dcm`` or the first file in ``<name>/``.
    reference : Path or None
        As given on the command line.
    """
    if reference is None or reference.is_file():
        return reference
    own = reference / f"{name}.dcm"
    if own.is_file():
        return own
    return next((path for path in sorted((reference / name).rglob("*")) if path.is_file()), None)


def make_final(study: LoadedStudy, name: str, dicom_reference: Path | None) -> list[Path]:
    """Make the final files of one format; files that are there already are kept.

    Parameters
    ----------
    study : LoadedStudy
        A signed study.
    name : str
        ``pdf`` or ``dicom``.
    dicom_reference : Path or None
        A DICOM file of the patient, or a folder that holds one.

    Raises
    ------
    InputError
        If the study is not signed, or DICOM has no reference.
    """
    review = study.review()
    if not review.signed:
        raise InputError(f"sign the study first: it is {review.status}")
    reference = reference_for(study.row.study, dicom_reference) if name == "dicom" else None
    if name == "dicom" and reference is None:
        raise InputError(
            "DICOM needs a file of this patient: stop, and start again with mrs-disc review ... "
            f"--dicom-reference FILE, or FOLDER that holds {study.row.study}.dcm"
        )
    folder = final_folder(study, review)
    if not _present(folder, name):
        render_results(
            study.folder,
            folder,
            formats=(name,),
            overwrite=True,
            dicom_reference=reference,
        )
    return _present(folder, name)


def final_files(study: LoadedStudy) -> dict[str, Path]:
    """Return the final files of the present signature by their name."""
    review = study.review()
    if not review.signed:
        return {}
    folder = final_folder(study, review)
    return {path.name: path for name in PATTERNS for path in _present(folder, name)}


def _present(folder: Path, name: str) -> list[Path]:
    return sorted(path for path in folder.glob(PATTERNS[name]) if path.is_file())
