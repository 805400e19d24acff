"""The tables of a dataset, rebuilt from the studies' results: BIDS derivatives and a page.

Everything is read from the studies' folders and written anew under a temporary name, so that it can
be done at any time, by anyone, also while shards are still at work. Memory does not grow with the
number of studies: rows go through a spool on disk, since the columns are known only at the end.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO
from urllib.parse import quote

from mrs_disc._version import __version__
from mrs_disc.batch.counts import REPORT, Collected
from mrs_disc.batch.lock import STATE_FOLDER
from mrs_disc.batch.work import FAILURE, PROVENANCE, RESULTS, json_or_none
from mrs_disc.errors import InputError, ReadError
from mrs_disc.files import clear_scratch, json_bytes, scratch, write_whole, writing
from mrs_disc.record import table
from mrs_disc.record.file import read_record, results_of
from mrs_disc.record.level import Level, Results
from mrs_disc.record.review import FINAL_FOLDER, HEAD_NAME, LOG_NAME, Review
from mrs_disc.record.table import (
    cell,
    levels_cells,
    quantity_dictionary,
    review_columns,
)
from mrs_disc.report.files import OF_FORMAT, links_in
from mrs_disc.scoring.again import as_reviewed

_METABOLITE = re.compile(
    r"^(?P<label>[^/]+)/metabolite(?!.*\.(spar|list|json)$)|voi-(?P<voi>[^_/]+)\S*_svs\.nii",
    re.IGNORECASE,
)
"""Label or BIDS path of a file of metabolites, parameter files left out."""
BIDS_VERSION = "1.10.0"
LEVELS_TABLE, DICTIONARY, FAILURES_TABLE = "levels.tsv", "levels.json", "failures.tsv"
IGNORED = ".bidsignore"
DESCRIPTION, INDEX = "dataset_description.json", "index.html"
SOURCE = "source.json"
_DOI = re.compile(r"^(doi:|https://doi\.org/)?10\.\d{4,9}/[A-Za-z0-9._;()/:-]{1,200}$")

HEAD_COLUMNS = ("participant_id", "session_id", *table.LEVELS_HEAD)
TAIL_COLUMNS = (
    *table.LEVELS_MEASURED,
    *("review", "review_reason", "review_status", "reviewed_by", "reviewed_at"),
)
_PARTS = table.LEVELS_PARTS


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
    if not out.is_dir():
        raise InputError(f"{out}: there is no such folder; 'mrs-disc batch' makes it")
    if next(study_folders(out), None) is None and not (out / STATE_FOLDER).is_dir():
        raise InputError(f"{out}: no study has a result in it; 'mrs-disc batch' writes them")
    found = Collected()
    spool = scratch(out / STATE_FOLDER, "rows")
    try:
        with writing(out):
            _write_tables(out, spool, found)
    finally:
        with suppress(OSError):
            spool.unlink(missing_ok=True)
    return found


def _write_tables(out: Path, spool: Path, found: Collected) -> None:
    from mrs_disc.batch.index import index_page

    state = out / STATE_FOLDER

    def put(name: str, content: bytes | Iterator[str]) -> None:
        write_whole(out / name, content, overwrite=True, scratch_folder=state)

    state.mkdir(exist_ok=True)
    clear_scratch(state)
    with spool.open("w", encoding="utf-8") as rows:
        put(FAILURES_TABLE, _spool(out, rows, found))
    if not (out / IGNORED).exists():  # somebody may have added to it
        put(IGNORED, _ignored())
    put(LEVELS_TABLE, _level_lines(spool, found))
    put(DICTIONARY, json_bytes(dictionary(found.units, found.components)))
    put(DESCRIPTION, json_bytes(_description(out)))
    put(INDEX, index_page(_spooled(spool), _spooled(spool), _failures(out), found))


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


def _spool(out: Path, rows: TextIO, found: Collected) -> Iterator[str]:
    """Read all studies once: rows to the spool, counts to `found`; yield the table of failures."""
    yield "study\tlevel\trun\tstage\tmessage\n"
    for participant, session, folder in study_folders(out):
        key = participant if session is None else f"{participant}/{session}"
        found.n_studies += 1
        try:
            results, review, inputs = _record(folder)
        except ReadError as error:
            found.n_studies_failed += 1
            yield _line(key, None, None, "collect", error.problem)
            continue
        if results is None:
            why = json_or_none(folder / FAILURE) or {"stage": "collect", "message": "damaged"}
            found.n_studies_failed += 1
            yield _line(key, None, None, why.get("stage"), why.get("message"))
            continue
        if review.problem:
            found.broken_reviews.append(key)
        for disc, sha256 in _measured_from(inputs):
            found.measured_from(sha256, key, disc)
        found.recipes.add(results.recipe_sha256)
        found.versions.add(results.software.version)
        page = REPORT if (folder / REPORT).exists() else RESULTS
        for n, level in enumerate(results.levels):
            row = level_row(participant, session, level) | {"page": page}
            if n == 0:  # once a study
                row["files"] = _written(folder)
            row |= review_columns(review, level)
            fitted = level.fit.metabolites if level.fit is not None else ()
            found.add(row, {name: q.unit for name, q in level.quantities.items()}, fitted)
            rows.write(json.dumps(row, ensure_ascii=True) + "\n")
            if level.measured is None:
                place = (key, level.level, level.run)
                yield _line(*place, level.failure.stage, level.failure.message)


def _measured_from(inputs: Any) -> Iterator[tuple[str, str]]:
    """Yield level and SHA-256 of the files that hold the signals of metabolites."""
    for file in inputs if isinstance(inputs, list) else []:
        found = _METABOLITE.search(str(file.get("path")))
        if found is not None and re.fullmatch("[0-9a-f]{64}", str(file.get("sha256"))):
            yield found["label"] or found["voi"], file["sha256"]


def _written(folder: Path) -> list[str]:
    """Return what the page leads to of a study, the final reports of its review among it."""
    final = [f"{FINAL_FOLDER}/"] if (folder / FINAL_FOLDER).is_dir() else []
    return [*links_in(folder), *final]


def _record(folder: Path) -> tuple[Results | None, Review, Any]:
    """Return a study's results as its reviewer left them, the review, and its inputs.

    `None` for the results: it failed.
    """
    path = folder / RESULTS
    if not path.is_file():
        return None, Review(), []
    try:
        record = read_record(path)
    except ReadError as error:
        raise ReadError(path, "is damaged; 'mrs-disc batch --resume' makes it again") from error
    results = as_reviewed(results_of(record, path), path)
    return results, results.review or Review(), record.get("inputs")


def level_row(participant: str, session: str | None, level: Level) -> dict[str, Any]:
    """Return one disc as a row: column to value; quantities by their names."""
    return {
        "participant_id": participant,
        "session_id": session,
        **levels_cells(
            level, level.quantities, level.fit.metabolites if level.fit is not None else ()
        ),
    }


def _spooled(spool: Path) -> Iterator[dict[str, Any]]:
    with spool.open(encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)


def columns(quantities: Iterable[str], components: Iterable[str] = ()) -> list[str]:
    """Return the columns of ``levels.tsv`` in order."""
    middle = [f"{name}{part}" for name in quantities for part in _PARTS]
    middle += [f"{name}{part}" for name in components for part in table.AMPLITUDE_PARTS]
    return [*HEAD_COLUMNS, *middle, *TAIL_COLUMNS]


def dictionary(
    units: Mapping[str, str], components: Iterable[str] = ()
) -> dict[str, dict[str, Any]]:
    """Return the data dictionary of ``levels.tsv``: column to description, unit and levels."""
    columns = table.dictionary(HEAD_COLUMNS)
    for name, unit in units.items():
        columns |= quantity_dictionary(name, _PARTS, unit)
    for name in components:
        columns |= table.amplitude_dictionary(name)
    return columns | table.dictionary(TAIL_COLUMNS)


def _level_lines(spool: Path, found: Collected) -> Iterator[str]:
    names = columns(found.units, found.components)
    yield "\t".join(names) + "\n"
    yield from (_line(*(row.get(name) for name in names)) for row in _spooled(spool))


def _line(*values: object) -> str:
    return "\t".join(cell(value) for value in values) + "\n"


def _failures(out: Path) -> Iterator[list[str]]:
    with (out / FAILURES_TABLE).open(encoding="utf-8") as file:
        next(file, None)
        for line in file:
            yield line.rstrip("\n").split("\t")


# --------------------------------------------------------------------------- description


def _ignored() -> bytes:
    """Return what a BIDS validator is told to pass by: BIDS has no names yet for our files.

    Tables of one row a disc are no phenotype, where a participant has one row.
    """
    names = [PROVENANCE, FAILURE, LOG_NAME, HEAD_NAME, FINAL_FOLDER]
    names += [LEVELS_TABLE, DICTIONARY, FAILURES_TABLE, INDEX]
    names += [pattern.split("/")[0] for patterns in OF_FORMAT.values() for pattern in patterns]
    return "".join(f"{name}\n" for name in dict.fromkeys(names)).encode()


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
        "SourceDatasets": _source(out),
    }


def source_of(dataset: Path, out: Path) -> dict[str, str]:
    """Return a dataset by its DOI where it has one, else by its place relative to the output.

    Nothing else of its description is taken over: names are free text. Its folders may be named by
    persons, too: the place is told where all of them are codes, and else nothing is.
    """
    told = json_or_none(dataset / DESCRIPTION) or {}
    doi = told.get("DatasetDOI")
    if isinstance(doi, str) and _DOI.match(doi):
        return {"DOI": doi}
    from mrs_disc.io import is_code

    relative = os.path.relpath(dataset.resolve(), out.resolve()).replace(os.sep, "/")
    if all(part in (".", "..") or is_code(part) for part in relative.split("/")):
        return {"URL": quote(os.fsencode(relative))}
    return {}


def _source(out: Path) -> list[dict[str, str]]:
    """Return what a batch noted of its dataset; of none that is known, nothing."""
    noted = (json_or_none(out / STATE_FOLDER / SOURCE) or {}).get("source")
    known = (
        {k: v for k, v in noted.items() if isinstance(v, str)} if isinstance(noted, dict) else {}
    )
    return [known] if known else []
