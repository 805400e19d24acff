"""Results to files: one record, one figure code, one wording; every format is a view of it.

``results.json`` with ``signals.npz`` is the record. Every other format is made from these two
alone, so that `render_results` gives later what `write_report` gives now, without the raw data.

Decision: a renderer is a function from a view to named bytes, and only `write_files` touches the
disk, so that all files appear whole or none does. Refused: renderers that write for themselves.

A new format is one module with ``render(view)``, and one line in `RENDERERS`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from importlib import import_module
from os import environ
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from mrs_disc.errors import InputError, ReadError, did_you_mean
from mrs_disc.files import read_bytes
from mrs_disc.record.file import RESULTS_NAME, canonical_json, parsed, read_results, results_of
from mrs_disc.record.signals import SIGNALS_NAME
from mrs_disc.report.files import check_folder, links_of, write_files
from mrs_disc.report.transmission import transmission_of, transmission_rows

if TYPE_CHECKING:
    from mrs_disc.data import Study, StudyReport
    from mrs_disc.record.level import Results
    from mrs_disc.record.signals import Signals

RENDERERS: dict[str, str] = {
    "html": "mrs_disc.report.html",
    "pdf": "mrs_disc.report.pdf",
    "png": "mrs_disc.report.png",
    "text": "mrs_disc.report.text",
    "csv": "mrs_disc.report.tables",
    "xlsx": "mrs_disc.report.workbook",
    "nifti": "mrs_disc.report.nifti",
    "dicom": "mrs_disc.report.dicom",
    "fhir": "mrs_disc.report.fhir",
    "citation": "mrs_disc.report.citation_files",
}
"""Format to the module whose ``render(view)`` gives its files; JSON is the record itself."""

FORMATS: tuple[str, ...] = ("json", *RENDERERS)
DRAWING = ("html", "pdf", "png", "nifti", "dicom")
"""Formats that need ``signals.npz``."""

# Where matplotlib keeps its cache, if the home folder cannot be written to, concerns nobody here.
logging.getLogger("matplotlib").addFilter(
    lambda record: record.funcName != "_get_config_or_cache_dir"
)

__all__ = ["FORMATS", "RENDERERS", "check_output", "render_results", "write_report"]


def check_output(
    out: str | Path,
    formats: Sequence[str],
    dicom_reference: str | Path | None = None,
    *,
    overwrite: bool = False,
    study: Study | None = None,
    levels: Sequence[str] = (),
) -> None:
    """Refuse before any work what cannot be written.

    Parameters
    ----------
    out : str or Path
        The folder.
    formats : sequence of str
        Of `FORMATS`.
    dicom_reference : str or Path, optional
        A DICOM file of the patient, or a folder with some: DICOM output needs it, unless the
        input is DICOM itself.
    overwrite : bool
        Whether an earlier report may be replaced.
    study : Study, optional
        What is going to be analysed, and of it `levels` (all where empty).

    Raises
    ------
    InputError
        If a format is unknown, the folder holds a report already, or DICOM has no reference or one
        of another patient.
    """
    _check(out, formats, overwrite)
    if "dicom" in formats or (dicom_reference is not None and asks_reference(study)):
        from mrs_disc.report.patient import check_patient

        check_patient(study, levels, dicom_reference)


def asks_reference(study: Study | None) -> bool:
    """Say whether a study wants its day or accession number from ``--dicom-reference``."""
    return study is not None and bool(study.clinical.get("from_dicom_reference"))


def _check(out: str | Path, formats: Sequence[str], overwrite: bool) -> None:
    for name in formats:
        if name not in FORMATS:
            raise InputError(
                f"there is no format '{name}'.{did_you_mean(name, FORMATS)} "
                f"Formats: {', '.join(FORMATS)}."
            )
    check_folder(Path(out), formats, overwrite)


def write_report(
    report: StudyReport,
    out: str | Path,
    formats: Sequence[str] = ("json", "html"),
    overwrite: bool = False,
    dicom_reference: str | Path | None = None,
    *,
    paper: Literal["a4", "letter"] = "a4",
    secondary_capture: bool = False,
    transmission: Any = None,
    say: Callable[[str], None] = lambda _: None,
) -> list[Path]:
    """Write a report.

    ``results.json`` and ``signals.npz`` are always written, as everything else is made from them.

    Parameters
    ----------
    report : StudyReport
        From `analyze`; of one from `read_results` the record is copied as it is.
    out : str or Path
        The folder; it is made where it does not exist.
    formats : sequence of str
        json, html, pdf, png, text, csv, xlsx, nifti, dicom, fhir, citation.
    overwrite : bool
        Replace an earlier report in the folder, with all its formats.
    dicom_reference : str or Path, optional
        A DICOM file of the patient, or a folder with some: DICOM output needs it, unless the
        input is DICOM itself. One that contradicts the input is refused.
    paper : {"a4", "letter"}
        Page of the PDF.
    secondary_capture : bool
        Whether DICOM output holds the first page as an image too.
    transmission : mapping, optional
        How the input came, for the provenance of the report.
    say : callable
        Takes a line on which reference was chosen, what could not be compared, and where a
        result that was signed is kept.

    Returns
    -------
    list of Path
        The files, in the order of the formats.

    Raises
    ------
    InputError
        If a format is unknown, or the folder holds a report already.
    OutputError
        If the folder cannot be written to; nothing is left half-written.
    """
    if report.recorded is not None:
        return render_results(
            report.recorded.folder,
            out,
            ("json", *formats),
            overwrite,
            dicom_reference,
            paper=paper,
            secondary_capture=secondary_capture,
            say=say,
        )
    from mrs_disc.record.journal import keep_signed
    from mrs_disc.record.signals import arrays_of, npz_bytes, sha256, signals_of
    from mrs_disc.report.results import results_from, signals_from

    _check(out, formats, overwrite)
    noise = {r.record.key: r.record.fit.noise_sd for r in report if r.record.fit is not None}
    arrays = arrays_of(signals_from(report), noise)
    packed = npz_bytes(arrays)
    record, patient = results_from(report, sha256(packed)), None
    if report.clinical.get("from_dicom_reference"):
        record, patient = _as_referred(record, report, dicom_reference, say)
    content = canonical_json(record)
    files = {RESULTS_NAME: content, SIGNALS_NAME: packed}
    if any(name != "json" for name in formats):
        results = results_of(parsed(content), Path(out) / RESULTS_NAME)
        signals = signals_of(arrays, Path(out) / SIGNALS_NAME)
        if "dicom" in formats and patient is None:
            from mrs_disc.report.patient import patient_of

            patient = patient_of(results, signals, dicom_reference, report, say)
        told = transmission_rows(transmission)
        pages = _Pages(patient, paper, secondary_capture, transmission=told, with_record=True)
        files |= pages.files(formats, results, signals, sha256(content))
    if overwrite and (kept := keep_signed(Path(out))):
        say(f"the result that was signed, and its final files, stay in {kept}")
    return write_files(Path(out), files, overwrite=overwrite)


def _as_referred(
    record: Results,
    report: StudyReport,
    reference: str | Path | None,
    say: Callable[[str], None],
) -> tuple[Results, Path | None]:
    """Return the record with what ``[clinical]`` asks of the reference, and the file it is from."""
    from mrs_disc.report.patient import asked_of_reference, patient_of, taken_from
    from mrs_disc.report.results import signals_from

    asked = asked_of_reference(report.clinical)
    if reference is None:
        say(
            f"[clinical] asks for {' and '.join(asked)} of --dicom-reference, which is not given: "
            "left out"
        )
        return record, None
    patient = patient_of(record, signals_from(report), reference, report, say)
    taken = taken_from(patient, asked, say)
    return replace(record, clinical={**record.clinical, **taken}), patient


def render_results(
    results: str | Path,
    out: str | Path,
    formats: Sequence[str] = ("html",),
    overwrite: bool = False,
    dicom_reference: str | Path | None = None,
    *,
    paper: Literal["a4", "letter"] = "a4",
    secondary_capture: bool = False,
    predecessor: Path | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> list[Path]:
    """Render ``results.json`` again, without the raw data, as its reviewer left it.

    Parameters
    ----------
    results : str or Path
        ``results.json``, with ``signals.npz`` beside it; or their folder.
    out, formats, overwrite, dicom_reference, paper, secondary_capture, say
        As in `write_report`; json copies the record, which holds no patient: DICOM output needs
        the reference.
    predecessor : Path, optional
        An SR of the same study that the new one amends and names.

    Raises
    ------
    InputError
        If the record cannot be read, or does not belong to its signals.
    """
    from mrs_disc.record.overlay import renamed_signals
    from mrs_disc.record.signals import read_signals, sha256
    from mrs_disc.scoring.again import as_reviewed

    path = Path(results)
    path = path / RESULTS_NAME if path.is_dir() else path
    check_output(out, formats, dicom_reference, overwrite=overwrite)
    analysed = read_results(path)
    beside = path.parent / SIGNALS_NAME
    needs_signals = any(name in DRAWING or name == "json" for name in formats)
    if needs_signals and not beside.exists():
        raise ReadError(beside, f"is not beside {path.name}; keep the two files in one folder")
    content = read_bytes(path, RESULTS_NAME)
    digest = sha256(content)
    record = as_reviewed(analysed, path, digest)
    if record.review is not None and record.review.problem:
        say(f"{record.review.problem}; the report says so")
    signals = None
    if needs_signals:
        arrays = read_signals(beside, record.files.signals.sha256)
        signals = renamed_signals(arrays, record.review)
    patient = None
    if "dicom" in formats:
        from mrs_disc.report.patient import patient_of

        patient = patient_of(record, signals, dicom_reference, None, say)
    pages = _Pages(patient, paper, secondary_capture, predecessor, transmission_of(path.parent))
    files = pages.files(formats, record, signals, digest)
    if "json" in formats:
        files |= {RESULTS_NAME: content, SIGNALS_NAME: read_bytes(beside, SIGNALS_NAME)}
    return write_files(Path(out), files, overwrite=overwrite, inputs=(path, beside))


@dataclass(frozen=True, slots=True)
class _Pages:
    """How the pages of a report are asked for, whatever it is made from."""

    patient: Path | None
    paper: Literal["a4", "letter"]
    secondary_capture: bool
    predecessor: Path | None = None
    transmission: tuple[tuple[str, str], ...] = ()
    with_record: bool = False
    """Whether the record is written although no format names it."""

    def files(
        self, formats: Sequence[str], results: Results, signals: Signals | None, digest: str
    ) -> dict[str, bytes]:
        """Return the files of all formats but the record itself, by their names."""
        from mrs_disc.report.content import View

        with_it = (*(("json",) if self.with_record else ()), *formats)
        view = View(
            results=results,
            signals=signals,
            written=today(),
            dicom_reference=self.patient,
            paper=self.paper,
            record_sha256=digest,
            secondary_capture=self.secondary_capture,
            predecessor=self.predecessor,
            transmission=self.transmission,
            beside=tuple(name for name in links_of(with_it) if name != "report.html"),
        )
        files: dict[str, bytes] = {}
        for name in dict.fromkeys(formats):
            if name != "json":
                files |= import_module(RENDERERS[name]).render(view)
        return files


def today() -> date:
    """Return the day of writing; ``SOURCE_DATE_EPOCH`` fixes it for reproducible builds."""
    fixed = environ.get("SOURCE_DATE_EPOCH", "")
    if fixed.isdigit():
        return datetime.fromtimestamp(int(fixed), tz=UTC).date()
    return datetime.now().astimezone().date()
