"""The tables of a dataset, rebuilt from the studies' results: BIDS derivatives and a page.

Everything is read from the studies' folders and written anew under a temporary name, so that it can
be done at any time, by anyone, also while shards are still at work. Memory does not grow with the
number of studies: rows go through a spool on disk, since the columns are known only at the end.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO
from urllib.parse import quote

from mrs_disc import __version__
from mrs_disc.batch.counts import Collected, LevelCounts
from mrs_disc.batch.lock import STATE_FOLDER, clear_scratch, scratch
from mrs_disc.batch.work import FAILURE, RESULTS, read_json
from mrs_disc.errors import InputError, OutputError, ReadError
from mrs_disc.record import table
from mrs_disc.record.file import read_record, results_of
from mrs_disc.record.level import Level, Results
from mrs_disc.record.overlay import read_review, reviewed
from mrs_disc.record.review import LOG_NAME, Review
from mrs_disc.record.table import (
    cell,
    cells_of,
    quantities_of,
    quantity_dictionary,
    review_columns,
)

BIDS_VERSION = "1.10.0"
LEVELS_TABLE, DICTIONARY, FAILURES_TABLE = "levels.tsv", "levels.json", "failures.tsv"
DESCRIPTION, INDEX = "dataset_description.json", "index.html"
REPORT = "report.html"
SOURCE = "source.json"
_DOI = re.compile(r"^(doi:|https://doi\.org/)?10\.\d{4,9}/[A-Za-z0-9._;()/:-]{1,200}$")

HEAD_COLUMNS = (
    *("participant_id", "session_id", "level", "run", "status", "verdict", "label"),
    *("score", "score_low", "score_high", "provocation"),
)
_MEASURED = ("snr", "linewidth_hz")
TAIL_COLUMNS = (
    *_MEASURED,
    *("review", "review_reason", "review_status", "reviewed_by", "reviewed_at"),
)
_PARTS = ("", "_sd", "_low", "_high")


def collect_results(out: Path) -> Collected:
    """Rebuild ``levels.tsv``, its dictionary, ``failures.tsv``, the description and the page.

    Parameters
    ----------
    out : Path
        Output of batches, or any folder of folders with ``results.json``.

    Returns
    -------
    Collected
        The counts.

    Raises
    ------
    InputError
        If there is no result in the folder.
    OutputError
        If the tables cannot be written.
    """
    from mrs_disc.batch.index import write_index

    if not out.is_dir():
        raise InputError(f"{out}: there is no such folder; 'mrs-disc batch' makes it")
    if next(study_folders(out), None) is None and not (out / STATE_FOLDER).is_dir():
        raise InputError(f"{out}: no study has a result in it; 'mrs-disc batch' writes them")
    found = Collected()
    state = out / STATE_FOLDER
    spool = scratch(state, "rows")
    try:
        state.mkdir(exist_ok=True)
        clear_scratch(state)
        with spool.open("w", encoding="utf-8") as rows:
            _write_whole(out / FAILURES_TABLE, lambda file: _spool(out, rows, file, found))
        _write_whole(out / LEVELS_TABLE, lambda file: _write_levels(file, spool, found))
        _write_whole(out / DICTIONARY, lambda file: file.write(_pretty(dictionary(found.units))))
        _write_whole(out / DESCRIPTION, lambda file: file.write(_pretty(_description(out))))
        _write_whole(
            out / INDEX,
            lambda file: write_index(file, lambda: _spooled(spool), _failures(out), found),
        )
    except OSError as error:
        if isinstance(error, OutputError):
            raise
        raise OutputError(f"{out} cannot be written to ({error.strerror or error})") from error
    finally:
        with suppress(OSError):
            spool.unlink(missing_ok=True)
    return found


def study_folders(out: Path) -> Iterator[tuple[str, str | None, Path]]:
    """Yield participant, session and folder of every study with a result or a failure."""
    for folder in _folders(out):
        if _holds_study(folder):
            yield folder.name, None, folder
        for session in _folders(folder):
            if session.name.startswith("ses-") and _holds_study(session):
                yield folder.name, session.name, session


def _folders(place: Path) -> list[Path]:
    with os.scandir(place) as entries:
        names = [e.name for e in entries if not e.name.startswith(".") and e.is_dir()]
    return [place / name for name in sorted(names)]


def _holds_study(folder: Path) -> bool:
    return (folder / RESULTS).is_file() or (folder / FAILURE).is_file()


# --------------------------------------------------------------------------- rows


def _spool(out: Path, rows: TextIO, failures: TextIO, found: Collected) -> None:
    """Read all studies once: rows to the spool, failures to their table, counts to `found`."""
    failures.write("study\tlevel\trun\tstage\tmessage\n")
    for participant, session, folder in study_folders(out):
        key = participant if session is None else f"{participant}/{session}"
        found.n_studies += 1
        try:
            results, review = _record(folder)
        except ReadError as error:
            found.n_studies_failed += 1
            _failure_line(failures, key, None, None, "collect", error.problem)
            continue
        if results is None:
            failure = read_json(folder / FAILURE) or {"stage": "collect", "message": "damaged"}
            found.n_studies_failed += 1
            _failure_line(failures, key, None, None, failure.get("stage"), failure.get("message"))
            continue
        if review.problem:
            found.broken_reviews.append(key)
        found.recipes.add(results.recipe_sha256)
        found.versions.add(results.software.version)
        page = REPORT if (folder / REPORT).exists() else RESULTS
        for level in results.levels:
            row = level_row(participant, session, level) | {"page": page}
            row |= review_columns(review, level.level, level.run)
            _count(found, row, level)
            rows.write(json.dumps(row, ensure_ascii=True) + "\n")
            if level.measured is None:
                place = (key, level.level, level.run)
                _failure_line(failures, *place, level.failure.stage, level.failure.message)


def _record(folder: Path) -> tuple[Results | None, Review]:
    """Return a study's results as its reviewer left them, and the review; `None`: it failed."""
    path = folder / RESULTS
    if not path.is_file():
        return None, Review()
    try:
        record = read_record(path)
    except ReadError as error:
        raise ReadError(path, "is damaged; 'mrs-disc batch --resume' makes it again") from error
    results = results_of(record, path)
    if not (folder / LOG_NAME).exists():
        return results, Review()
    review = read_review(folder)
    return reviewed(results, review), review


def level_row(participant: str, session: str | None, level: Level) -> dict[str, Any]:
    """Return one disc as a row: column to value; quantities by their names."""
    return {
        "participant_id": participant,
        "session_id": session,
        **cells_of(level, HEAD_COLUMNS[2:]),
        **quantities_of(level, level.quantities, _PARTS),
        **cells_of(level, _MEASURED),
    }


def _count(found: Collected, row: Mapping[str, Any], level: Level) -> None:
    found.n_levels += 1
    found.n_levels_failed += level.measured is None
    found.n_reviewed += row["review_status"] != "not reviewed"
    found.by_level.setdefault(row["level"], LevelCounts()).add(row)
    for name, quantity in level.quantities.items():
        found.units[name] = found.units.get(name) or quantity.unit


def _spooled(spool: Path) -> Iterator[dict[str, Any]]:
    with spool.open(encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)


def columns(quantities: Iterable[str]) -> list[str]:
    """Return the columns of ``levels.tsv`` in order."""
    middle = [f"{name}{part}" for name in quantities for part in _PARTS]
    return [*HEAD_COLUMNS, *middle, *TAIL_COLUMNS]


def dictionary(units: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Return the data dictionary of ``levels.tsv``: column to description, unit and levels."""
    columns = table.dictionary(HEAD_COLUMNS)
    for name, unit in units.items():
        columns |= quantity_dictionary(name, _PARTS, unit)
    return columns | table.dictionary(TAIL_COLUMNS)


def _write_levels(file: TextIO, spool: Path, found: Collected) -> None:
    names = columns(found.units)
    file.write("\t".join(names) + "\n")
    for row in _spooled(spool):
        file.write("\t".join(cell(row.get(name)) for name in names) + "\n")


def _failure_line(file: TextIO, *values: object) -> None:
    file.write("\t".join(cell(value) for value in values) + "\n")


def _failures(out: Path) -> Iterator[list[str]]:
    with (out / FAILURES_TABLE).open(encoding="utf-8") as file:
        next(file, None)
        for line in file:
            yield line.rstrip("\n").split("\t")


# --------------------------------------------------------------------------- description


def _description(out: Path) -> dict[str, Any]:
    return {
        "Name": "mrs_disc: single-voxel MR spectroscopy of intervertebral discs",
        "BIDSVersion": BIDS_VERSION,
        "DatasetType": "derivative",
        "GeneratedBy": [
            {
                "Name": "mrs_disc",
                "Version": __version__,
                "Description": "results.json of each study holds its recipe, digests and versions",
            }
        ],
        "SourceDatasets": [_source(out)],
    }


def _source(out: Path) -> dict[str, str]:
    """Return the source by its DOI where it has one, else by its place relative to the output.

    Nothing else of its description is taken over: names are free text.
    """
    relative = str((read_json(out / STATE_FOLDER / SOURCE) or {}).get("path") or "..")
    told = read_json(out / relative / DESCRIPTION) or {}
    doi = told.get("DatasetDOI")
    if isinstance(doi, str) and _DOI.match(doi):
        return {"DOI": doi}
    return {"URL": quote(os.fsencode(relative))}


def _pretty(content: Mapping[str, Any]) -> str:
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def _write_whole(path: Path, write: Callable[[TextIO], Any]) -> None:
    """Let a function write a file, which appears under its name when it is whole."""
    temporary = scratch(path.parent / STATE_FOLDER, path.name)
    try:
        with temporary.open("w", encoding="utf-8", newline="\n") as file:
            write(file)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
