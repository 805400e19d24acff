"""The final report of a signed study: PDF and DICOM, in a folder that names its signature.

The files are those of ``mrs-disc report``, which honours the review log. A later signature has
another head of the log and so another folder: what was final stays as it was.

Each file's SHA-256 goes into the log. What lies there and is not what the log says is not served;
it is put aside, never deleted, before the file is made again.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from mrs_disc.errors import InputError, ReadError
from mrs_disc.files import sha256_of, writing
from mrs_disc.record.journal import append_act
from mrs_disc.record.review import FINAL_FOLDER, Review
from mrs_disc.report import render_results
from mrs_disc.review.studies import LoadedStudy, utc_now

PATTERNS = {"pdf": "report.pdf", "dicom": "dicom/*.dcm"}


def final_folder(study: LoadedStudy, review: Review) -> Path:
    """Return where the final files of the present signature lie."""
    return study.folder / FINAL_FOLDER / review.head[:12]


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


def make_final(
    study: LoadedStudy,
    name: str,
    dicom_reference: Path | None,
    now: Callable[[], str] = utc_now,
    *,
    predecessor: Path | None = None,
) -> list[Path]:
    """Make the final files of one format; files that are there already are kept.

    Parameters
    ----------
    study : LoadedStudy
        A signed study.
    name : str
        ``pdf`` or ``dicom``.
    dicom_reference : Path or None
        A DICOM file of the patient, or a folder that holds one.
    now : callable
        Returns the time for the log.
    predecessor : Path, optional
        The SR that was sent before the signature, which the final one names.

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
    present = _present(folder, name)
    if not present or any(_differs(study, review, path) for path in present):
        for path in present:
            _put_aside(path)
        render_results(
            study.folder,
            folder,
            formats=(name,),
            dicom_reference=reference,
            predecessor=predecessor,
        )
        present = _present(folder, name)
        files = {_in_log(study, path): sha256_of(path) for path in present}
        fields = {"act": "final", "reviewer": review.signed_by, "files": files}
        append_act(study.folder, review.head, study.sha256, now(), lambda _: fields)
    return present


def _in_log(study: LoadedStudy, path: Path) -> str:
    return path.relative_to(study.folder).as_posix()


def _differs(study: LoadedStudy, review: Review, path: Path) -> str:
    """Return why a file is not a final one; an empty text where the log vouches for it."""
    told = review.final.get(_in_log(study, path))
    if told is None:
        return "is not in the review log"
    return "" if sha256_of(path) == told else "was changed after it was made: the log tells"


def _put_aside(path: Path) -> None:
    with writing(path.parent):
        path.replace(path.with_name(f"not-final-{sha256_of(path)[:12]}-{path.name}.aside"))


def final_files(study: LoadedStudy) -> dict[str, Path]:
    """Return the final files of the present signature by their name.

    Raises
    ------
    ReadError
        If one is not what the log says.
    """
    review = study.review()
    if not review.signed:
        return {}
    folder = final_folder(study, review)
    found = {path.name: path for name in PATTERNS for path in _present(folder, name)}
    for path in found.values():
        if problem := _differs(study, review, path):
            raise ReadError(path, f"{problem}. Make the final report again; this one is put aside")
    return found


def _present(folder: Path, name: str) -> list[Path]:
    return sorted(path for path in folder.glob(PATTERNS[name]) if path.is_file())
