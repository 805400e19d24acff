"""One study of a batch: whether it is done already, and if not, its analysis and its folder.

A study's folder holds ``results.json`` with all that is written beside it, and ``provenance.json``:
what was asked (levels, formats, recipe) and a digest of the inputs that the results do not list
(study.toml, images, rows of the dataset's tables). A study that could not be analysed has a
``failure.json`` instead of results.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

from mrs_disc._version import __version__
from mrs_disc.batch.lock import STATE_FOLDER
from mrs_disc.batch.plan import Task
from mrs_disc.batch.pool import where_it_broke
from mrs_disc.data import Study, StudyReport
from mrs_disc.errors import InputError, OutputError, ReadError
from mrs_disc.files import (
    json_bytes,
    read_json,
    sha256_of,
    write_whole,
    writing,
)
from mrs_disc.io.studies.bids_filter import Filters
from mrs_disc.recipe import Recipe
from mrs_disc.record.journal import keep_signed, locked
from mrs_disc.record.review import HEAD_NAME, LOG_NAME
from mrs_disc.report.files import of_a_report
from mrs_disc.tables import read_table

RESULTS, PROVENANCE, FAILURE = "results.json", "provenance.json", "failure.json"
TRANSMISSION = ".transmission.json"
"""Hidden in a study's folder: how its files came there, where somebody wrote that down."""
TABLES = ("participants.tsv", "morphology.tsv")

Action: TypeAlias = Literal["new", "redo", "keep", "refuse"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What holds for every study of a batch.

    `dataset` and `out` are absolute; `claim` names the folder for unfinished work; of a study that
    is not DICOM itself, `dicom_reference` names the patient. Of a BIDS dataset, files that fit
    `filters` are taken.
    """

    dataset: str
    out: str
    claim: str
    recipe: Recipe
    recipe_sha256: str
    levels: tuple[str, ...] = ()
    formats: tuple[str, ...] = ("json", "html")
    resume: bool = False
    dicom_reference: str = ""
    filters: Filters = field(default_factory=dict)

    def target(self, task: Task) -> Path:
        """Return where a study's results go."""
        return Path(self.out) / task.key

    @property
    def unfinished(self) -> Path:
        """Folder for what is not whole yet."""
        return Path(self.out) / STATE_FOLDER / f"{self.claim}.work"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What has to be done with a study, and why."""

    action: Action
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a study of a batch ended: analysed, kept from before, or failed as a whole.

    `redone` says why an earlier result gave way; empty where there was none. `kept` says where
    what was signed lies, if that result was.
    """

    kind: Literal["analysed", "kept", "failed"]
    n_levels: int = 0
    n_failed: int = 0
    redone: str = ""
    kept: str = ""
    stage: str = ""
    message: str = ""


def analyze_one(task: Task, settings: Settings) -> Outcome:
    """Analyse one study and publish its folder, unless its results still hold.

    Raises
    ------
    OutputError
        If the folder cannot be written; then no other study's can.
    """
    with writing(Path(settings.out)):
        restore(settings.target(task))
    decision = decide(task, settings)
    if decision.action == "keep":
        record = json_or_none(settings.target(task) / RESULTS) or {}
        return _counted("kept", record)
    redone = decision.why if decision.action == "redo" else ""
    with _unfinished(task, settings) as folder:
        stage = "read"
        try:
            report = _analyzed(task, settings)
            stage = "report"
            record = _written(report, folder, task, settings)
        except OutputError:
            raise
        except Exception as error:
            stage, message = _failure(error, stage, task)
            kept = record_failure(task, settings, stage, message, folder)
            return Outcome(kind="failed", redone=redone, kept=kept, stage=stage, message=message)
        kept = publish(folder, settings.target(task))
    return _counted("analysed", record, redone=redone, kept=kept)


def _analyzed(task: Task, settings: Settings) -> StudyReport:
    from mrs_disc.analysis import analyze
    from mrs_disc.io import read_study

    study = read_study(task.path, filters=settings.filters)
    levels = wanted_levels(study, settings.levels)
    if "dicom" in settings.formats:  # before the work: without a patient there is no such output
        from mrs_disc.report.patient import check_patient

        check_patient(study, levels, settings.dicom_reference or None)
    return analyze(study, settings.recipe, levels=levels)


def _written(report: StudyReport, folder: Path, task: Task, settings: Settings) -> dict[str, Any]:
    """Write the results of a study into a folder; return the record."""
    from mrs_disc.report import write_report

    with writing(Path(settings.out)):
        write_report(
            report,
            folder,
            formats=settings.formats,
            dicom_reference=settings.dicom_reference or None,
            transmission=json_or_none(Path(task.path) / TRANSMISSION),
        )
    record = json_or_none(folder / RESULTS) or {}
    provenance = _provenance(task, settings, record.get("inputs", []))
    write_whole(folder / PROVENANCE, json_bytes(provenance))
    return record


def wanted_levels(study: Study, asked: tuple[str, ...]) -> tuple[str, ...]:
    """Return the asked levels that a study has; empty where all are asked for.

    Raises
    ------
    InputError
        If it has none of them.
    """
    if not asked:
        return ()
    here = tuple(level for level in study.levels if level in asked)
    if not here:
        has = ", ".join(study.levels)
        raise InputError(f"has none of the levels asked for ({', '.join(asked)}); it has: {has}")
    return here


def _failure(error: Exception, stage: str, task: Task) -> tuple[str, str]:
    """Return the stage and the message of a study that failed as a whole, free of names."""
    if isinstance(error, InputError):
        from mrs_disc.io import without_names

        message = " ".join(str(error).split())
        of_bids = task.session_id is not None or task.folder.startswith("sub-")
        # what came may be a name that stands in study.toml: 'mrs-disc info' shows it
        told = re.sub(r" Came: .*", "", message)
        return stage, told if of_bids else without_names(told, Path(task.path))
    if isinstance(error, MemoryError):
        return "memory", "not enough memory for this study"
    if isinstance(error, OSError):
        return stage, f"a file cannot be read ({error.strerror or type(error).__name__})"
    return "bug", where_it_broke(error)


def _counted(
    kind: Literal["analysed", "kept"],
    record: Mapping[str, Any],
    *,
    redone: str = "",
    kept: str = "",
) -> Outcome:
    levels = record.get("levels", [])
    failed = sum(level.get("status") != "ok" for level in levels)
    return Outcome(kind=kind, n_levels=len(levels), n_failed=failed, redone=redone, kept=kept)


# --------------------------------------------------------------------------- resume


def decide(task: Task, settings: Settings) -> Decision:
    """Say whether a study has to be analysed; reads and hashes its inputs, writes nothing."""
    target = settings.target(task)
    if not (target / RESULTS).exists() and not (target / FAILURE).exists():
        return Decision(action="new", why="no result yet")
    if not settings.resume:
        return Decision(action="refuse", why="has a result, and --resume is not given")
    if (target / FAILURE).exists():
        return Decision(action="redo", why="failed before")
    record, provenance = json_or_none(target / RESULTS), json_or_none(target / PROVENANCE)
    if record is None or provenance is None:
        return Decision(action="redo", why="the earlier result is damaged")
    if why := _asked_otherwise(record, provenance, settings):
        return Decision(action="redo", why=why)
    if why := _inputs_changed(task, record, provenance, settings):
        return Decision(action="redo", why=why)
    return Decision(action="keep", why="same recipe, inputs and version")


def _asked_otherwise(
    record: Mapping[str, Any], provenance: Mapping[str, Any], settings: Settings
) -> str:
    """Return what has changed in the question, or nothing."""
    if record.get("recipe_sha256") != settings.recipe_sha256:
        return "the recipe or a model changed"
    if (record.get("recipe") or {}).get("name") != settings.recipe.name:
        return "the recipe's name changed"
    if (record.get("software") or {}).get("version") != __version__:
        return "the software's version changed"
    if provenance.get("levels") != list(settings.levels):
        return "other levels are asked for"
    if provenance.get("filters", {}) != _as_json(settings.filters):
        return "other files are asked for"
    if not set(settings.formats) <= set(provenance.get("formats", [])):
        return "another format is asked for"
    return ""


def _inputs_changed(
    task: Task, record: Mapping[str, Any], provenance: Mapping[str, Any], settings: Settings
) -> str:
    """Return what has changed in the inputs, or nothing."""
    from mrs_disc.io import read_study

    try:
        study = read_study(task.path, filters=settings.filters)
        levels = wanted_levels(study, settings.levels) or study.levels
        files = [f for entry in study if entry.level in levels for f in entry.inputs()]
    except (InputError, OSError):
        return "the inputs can no longer be read"
    now = {(f.path, f.sha256) for f in files}
    before = {(f.get("path"), f.get("sha256")) for f in record.get("inputs", [])}
    if now != before:
        return "the spectra changed"
    listed = {str(f.get("path")) for f in record.get("inputs", [])}
    if provenance.get("description_sha256") != description_sha256(task, settings.dataset, listed):
        return "the study's description, images or tables changed"
    return ""


def _provenance(
    task: Task, settings: Settings, inputs: Iterable[Mapping[str, Any]]
) -> dict[str, Any]:
    listed = {str(f.get("path")) for f in inputs}
    received = json_or_none(Path(task.path) / TRANSMISSION)
    return {
        "schema_version": "1",
        "participant_id": task.participant_id,
        "session_id": task.session_id,
        "levels": list(settings.levels),
        "formats": list(settings.formats),
        "recipe_sha256": settings.recipe_sha256,
        "software": {"name": "mrs_disc", "version": __version__},
        "description_sha256": description_sha256(task, settings.dataset, listed),
        **({"filters": _as_json(settings.filters)} if settings.filters else {}),
        **({"transmission": received} if received is not None else {}),
    }


def _as_json(filters: Filters) -> dict[str, dict[str, list[str | None]]]:
    return {
        suffix: {entity: list(labels) for entity, labels in wanted.items()}
        for suffix, wanted in filters.items()
    }


def description_sha256(task: Task, dataset: str, listed: set[str]) -> str:
    """Return a digest of what describes a study beside the files that its results list.

    Parameters
    ----------
    task : Task
        The study.
    dataset : str
        The dataset's folder, whose tables hold rows of the study.
    listed : set of str
        Paths, or labels with their suffix, that the results already hold a hash of.
    """
    digest = hashlib.sha256()
    root = Path(task.path)
    inside = list(_files(root, nested_sessions=task.session_id is not None))
    for path in (*inside, *_read_elsewhere(root, inside)):
        if _bids_path(path, dataset) in listed:
            continue
        digest.update(os.fsencode(os.path.relpath(path, root)) + b"\0")
        digest.update(_content(path) + b"\0")
    for name in TABLES:
        for line in _rows(Path(dataset) / name, task):
            digest.update(line + b"\0")
    return digest.hexdigest()


def _files(root: Path, *, nested_sessions: bool) -> Iterator[Path]:
    """Yield the files of a study in a fixed order; links to folders are not followed."""
    for place, folders, names in os.walk(root):
        folders[:] = sorted(f for f in folders if not f.startswith("."))
        if Path(place) == root and not nested_sessions:
            folders[:] = [f for f in folders if not f.startswith("ses-")]
        yield from (Path(place, name) for name in sorted(names) if not name.startswith("."))


def _read_elsewhere(root: Path, inside: Iterable[Path]) -> list[Path]:
    """Return what an analysis reads beside the spectra and outside of a study's own files."""
    from mrs_disc.io import read_study

    try:
        described = read_study(root).described_by()
    except (InputError, OSError):
        return []
    own = {path.resolve() for path in inside}
    return sorted({path for path in described if path.resolve() not in own})


def _bids_path(path: Path, dataset: str) -> str:
    with contextlib.suppress(ValueError):
        return path.relative_to(dataset).as_posix()
    return ""


def _content(path: Path) -> bytes:
    """Return a digest of a whole file."""
    try:
        return bytes.fromhex(sha256_of(path))
    except ReadError:
        return b"unreadable"


def _rows(table: Path, task: Task) -> Iterator[bytes]:
    """Yield what a table says of a participant, as it is read: columns and cells."""
    names = {task.participant_id, task.participant_id.removeprefix("sub-")}
    names |= {task.folder} if task.renamed else set()
    try:
        rows = read_table(table) if os.path.lexists(table) else []
    except ReadError as error:
        yield error.problem.encode()
        return
    for row in rows:
        if row.cells.get("participant_id") in names:
            yield json_bytes(row.cells)


# --------------------------------------------------------------------------- folders


def record_failure(
    task: Task, settings: Settings, stage: str, message: str, folder: Path | None = None
) -> str:
    """Publish a folder that says why a study has no result; return what `publish` does.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    if folder is None:
        with _unfinished(task, settings) as made:
            return record_failure(task, settings, stage, message, made)
    with writing(Path(settings.out)):
        shutil.rmtree(folder)
        folder.mkdir()
    record = {
        "schema_version": "1",
        "participant_id": task.participant_id,
        "session_id": task.session_id,
        "stage": stage,
        "message": message[:2000],
        "recipe_sha256": settings.recipe_sha256,
        "software": {"name": "mrs_disc", "version": __version__},
    }
    write_whole(folder / FAILURE, json_bytes(record))
    return publish(folder, settings.target(task))


@contextlib.contextmanager
def _unfinished(task: Task, settings: Settings) -> Iterator[Path]:
    """Give a new folder on the same file system; what is left in it at the end is deleted."""
    name = hashlib.sha256(os.fsencode(task.key)).hexdigest()[:16]
    folder = settings.unfinished / f"{name}-{os.getpid()}"
    with writing(Path(settings.out)):
        folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def publish(folder: Path, target: Path) -> str:
    """Move a finished folder to its place; an earlier one there gives way.

    What a batch has written of the earlier one goes. All else stays: the log of a review, its final
    files, what a reader put there, and sessions that have their results inside it; a result that
    was signed is copied to its final files. A run that is killed in between is mended by `restore`.

    Returns
    -------
    str
        Where the result lies that was signed, within the folder; empty where none was.

    Raises
    ------
    OutputError
        If that cannot be done.
    """
    away = _away(target)
    with writing(target), _no_act_meanwhile(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.is_symlink() or (target.exists() and not target.is_dir()):
            raise OutputError(f"{target} is there and is no folder of results; take it away")
        kept = keep_signed(target)
        for name in (LOG_NAME, HEAD_NAME):
            if (target / name).exists():
                _same_file(target / name, folder / name)
        if target.exists():
            target.replace(away)
        folder.replace(target)
        restore(target)
    return kept.relative_to(target).as_posix() if kept else ""


def _no_act_meanwhile(target: Path) -> contextlib.AbstractContextManager[object]:
    """Hold the log of a review, so that no act is saved while its folder changes."""
    there = (target / LOG_NAME).is_file()
    return locked(target / LOG_NAME) if there else contextlib.nullcontext()


def restore(target: Path) -> None:
    """Mend what a killed run left: an earlier folder that was moved away but not replaced."""
    away = _away(target)
    if not away.is_dir():
        return
    if not target.exists():
        away.replace(target)
        return
    for session in away.glob("ses-*"):
        if not (target / session.name).exists():
            session.replace(target / session.name)
    _keep_others(away, target)
    shutil.rmtree(away, ignore_errors=True)


def _keep_others(away: Path, target: Path) -> None:
    """Move all that no batch wrote out of a folder that goes, to the one in its place."""
    gone = {*of_a_report(away), away / PROVENANCE, away / FAILURE}
    for path in sorted(away.rglob("*")):
        if path in gone or (path.is_dir() and not path.is_symlink()):
            continue
        place = target / path.relative_to(away)
        if place.exists() and place.samefile(path):
            continue
        if os.path.lexists(place):
            mark = hashlib.sha256(path.name.encode() + str(path.stat().st_mtime_ns).encode())
            place = place.with_name(f"{place.name}.former-{mark.hexdigest()[:8]}")
        place.parent.mkdir(parents=True, exist_ok=True)
        path.replace(place)


def _away(target: Path) -> Path:
    return target.with_name(f".{target.name}.old")


def _same_file(source: Path, target: Path) -> None:
    """Link a file, so that lines added to it meanwhile are not lost; copy it where one cannot."""
    try:
        target.hardlink_to(source)
    except OSError:
        shutil.copy2(source, target)


def json_or_none(path: Path) -> dict[str, Any] | None:
    """Return a JSON object; `None` where the file is absent or holds anything else."""
    try:
        return read_json(path, "record of a batch")
    except ReadError:
        return None
