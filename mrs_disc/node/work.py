"""What a worker does with one study of a node: its draft, its analysis, its published folder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from mrs_disc.batch.plan import Task
from mrs_disc.batch.work import Outcome, Settings, analyze_one, record_failure
from mrs_disc.errors import InputError, OutputError, ReadError
from mrs_disc.files import write_whole

WARM = Task(key="", path="", participant_id="")
"""A task that only loads the libraries, so that the first study does not wait for them."""
SR, PDF = "dicom/report_sr.dcm", "dicom/report_pdf.dcm"
NO_ROOM = "output"
"""Stage of a study whose results could not be written: it is analysed again later."""
NO_PATIENT = (
    "analysed and not sent: its files name no patient; a DICOM file of the examination beside them "
    "would"
)


def analyze_study(task: Task, settings: Settings) -> Outcome:
    """Analyse one study of a node, and publish its results.

    Levels come from its study.toml, or from a draft, whose guesses the report marks. DICOM output
    is made where the files, or a DICOM object beside them, name a patient.
    """
    if task == WARM:
        import mrs_disc.analysis
        import mrs_disc.io
        import mrs_disc.report.dicom
        import mrs_disc.report.html  # noqa: F401

        return Outcome(kind="kept")
    try:
        return _analyzed(task, settings)
    except OutputError as error:
        return Outcome(kind="failed", stage=NO_ROOM, message=str(error)[-300:])


def _analyzed(task: Task, settings: Settings) -> Outcome:
    folder = Path(task.path)
    try:
        if not (folder / "study.toml").exists():
            from mrs_disc.io.studies.draft import draft_study

            write_whole(folder / "study.toml", draft_study(folder, task.key).text.encode())
        settings = _with_patient(folder, settings)
    except InputError as error:
        message = _without_names(error)
        kept = record_failure(task, settings, "read", message)
        return Outcome(kind="failed", kept=kept, stage="read", message=message)
    return analyze_one(task, settings)


def _without_names(error: InputError) -> str:
    """Return a message without what stands in brackets: names of files may hold a person's."""
    words = error.problem if isinstance(error, ReadError) else str(error)
    return " ".join(words.split(" (")[0].split())


def _with_patient(folder: Path, settings: Settings) -> Settings:
    """Return the settings with DICOM output, where there is a patient for it."""
    from mrs_disc.io import read_study

    study = read_study(folder)
    if any(entry.origin().dicom for entry in study):
        return replace(settings, formats=(*settings.formats, "dicom"))
    if _names_patient(folder):
        formats = (*settings.formats, "dicom")
        return replace(settings, formats=formats, dicom_reference=str(folder))
    return settings


def _names_patient(folder: Path) -> bool:
    """Say whether a DICOM object lies beside spectra of another format."""
    from mrs_disc.io.formats.dicom import sop_class

    for path in sorted(p for p in folder.rglob("*") if p.is_file() and p.name[0] != "."):
        try:
            if sop_class(path) is not None:
                return True
        except ReadError:
            continue
    return False
