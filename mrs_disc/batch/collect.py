"""The tables of a dataset, rebuilt from the studies' results: BIDS derivatives and a page.

Everything is read from the studies' folders and written anew under a temporary name, so that it can
be done at any time, by anyone, also while shards are still at work. Memory does not grow with the
number of studies: rows go through a spool on disk, since the columns are known only at the end.
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO
from urllib.parse import quote

from mrs_disc._version import __version__
from mrs_disc.batch.counts import Collected
from mrs_disc.batch.lock import STATE_FOLDER
from mrs_disc.batch.work import FAILURE, RESULTS, read_record
from mrs_disc.errors import InputError, ReadError
from mrs_disc.files import clear_scratch, json_bytes, scratch, sha256_of, write_whole, writing
from mrs_disc.report.review_log import (
    LOG_NAME,
    REVIEW_COLUMNS,
    read_review,
    review_columns,
    reviewed,
)
from mrs_disc.report.schema import results_of
from mrs_disc.report.words import harmless

BIDS_VERSION = "1.10.0"
LEVELS_TABLE, DICTIONARY, FAILURES_TABLE = "levels.tsv", "levels.json", "failures.tsv"
DESCRIPTION, INDEX = "dataset_description.json", "index.html"
REPORT = "report.html"
SOURCE = "source.json"
MISSING = "n/a"
_DOI = re.compile(r"^(doi:|https://doi\.org/)?10\.\d{4,9}/[A-Za-z0-9._;()/:-]{1,200}$")

HEAD_COLUMNS: dict[str, dict[str, Any]] = {
    "participant_id": {"Description": "participant, as the dataset names it"},
    "session_id": {"Description": "session, where the participant has sessions"},
    "level": {"Description": "disc level"},
    "run": {"Description": "which measurement of this level, from 1"},
    "status": {
        "Description": "whether the disc could be measured",
        "Levels": {"ok": "measured", "failed": "not measured; failures.tsv says why"},
    },
    "verdict": {
        "Description": "quality of the spectrum",
        "Levels": {
            "good": "fit for any use",
            "acceptable": "fit for use with care",
            "poor": "not scored",
        },
    },
    "label": {
        "Description": "what the score says; research use only",
        "Levels": {
            "likely painful": "score at or above the recipe's upper limit",
            "indeterminate": "between the limits, or not scored",
            "unlikely painful": "score at or below the recipe's lower limit",
        },
    },
    "score": {"Description": "probability of the score model that the disc is a source of pain"},
    "score_low": {"Description": "2.5th percentile of the score over the measurement error"},
    "score_high": {"Description": "97.5th percentile of the score over the measurement error"},
    "provocation": {"Description": "result of provocation discography, as given"},
}
TAIL_COLUMNS: dict[str, dict[str, Any]] = {
    "snr": {"Description": "height of the quality peak over the SD of the spectrum's noise"},
    "linewidth_hz": {
        "Description": "full width at half maximum of the quality peak",
        "Units": "Hz",
    },
} | {name: {"Description": text} for name, text in REVIEW_COLUMNS.items()}
_PARTS = {
    "": "{name}",
    "_sd": "standard deviation of {name}",
    "_low": "lower end of the 95 % interval of {name}",
    "_high": "upper end of the 95 % interval of {name}; one-sided where it is an upper limit",
}


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
    from mrs_disc.batch.index import index_page

    if not out.is_dir():
        raise InputError(f"{out}: there is no such folder; 'mrs-disc batch' makes it")
    if next(study_folders(out), None) is None and not (out / STATE_FOLDER).is_dir():
        raise InputError(f"{out}: no study has a result in it; 'mrs-disc batch' writes them")
    found = Collected()
    state = out / STATE_FOLDER
    spool = scratch(state, "rows")

    def put(name: str, content: bytes | Iterator[str]) -> None:
        write_whole(out / name, content, overwrite=True, scratch_folder=state)

    try:
        with writing(out):
            state.mkdir(exist_ok=True)
            clear_scratch(state)
            with spool.open("w", encoding="utf-8") as rows:
                put(FAILURES_TABLE, _spool(out, rows, found))
            put(LEVELS_TABLE, _level_lines(spool, found))
            put(DICTIONARY, json_bytes(dictionary(found.units)))
            put(DESCRIPTION, json_bytes(_description(out)))
            put(INDEX, index_page(_spooled(spool), _failures(out), found))
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


def _spool(out: Path, rows: TextIO, found: Collected) -> Iterator[str]:
    """Read all studies once: rows to the spool, counts to `found`; yield the table of failures."""
    yield "study\tlevel\trun\tstage\tmessage\n"
    for participant, session, folder in study_folders(out):
        key = participant if session is None else f"{participant}/{session}"
        found.n_studies += 1
        try:
            record, review = _record(folder)
        except ReadError as error:
            found.n_studies_failed += 1
            yield _line(key, None, None, "collect", error.problem)
            continue
        if record is None:
            failure = read_record(folder / FAILURE) or {"stage": "collect", "message": "damaged"}
            found.n_studies_failed += 1
            yield _line(key, None, None, failure.get("stage"), failure.get("message"))
            continue
        if review.problem:
            found.broken_reviews.append(key)
        found.recipes.add(str(record["recipe_sha256"]))
        found.versions.add(str(record["software"]["version"]))
        page = REPORT if (folder / REPORT).exists() else RESULTS
        for level in record["levels"]:
            row = level_row(participant, session, level) | {"page": page}
            row |= review_columns(review, level["level"], level["run"])
            found.add(row, level.get("quantities") or {})
            rows.write(json.dumps(row, ensure_ascii=True) + "\n")
            if level["status"] != "ok":
                why = level.get("error") or {}
                place = (key, level["level"], level["run"])
                yield _line(*place, why.get("stage"), why.get("message"))


def _record(folder: Path) -> tuple[dict[str, Any] | None, Any]:
    """Return a study's results as its reviewer left them, and the review; `None`: it failed."""
    path = folder / RESULTS
    if not path.is_file():
        return None, None
    record = read_record(path)
    if record is None:
        raise ReadError(path, "is damaged; 'mrs-disc batch --resume' makes it again")
    results_of(record, path)
    if not (folder / LOG_NAME).exists():
        return record, read_review(folder, "0" * 64)
    review = read_review(folder, sha256_of(path))
    return reviewed(record, review), review


def level_row(participant: str, session: str | None, level: Mapping[str, Any]) -> dict[str, Any]:
    """Return one disc as a row: column to value; quantities by their names."""
    quality, score = level.get("quality") or {}, level.get("score") or {}
    row: dict[str, Any] = {
        "participant_id": participant,
        "session_id": session,
        "level": level["level"],
        "run": level["run"],
        "status": level["status"],
        "verdict": quality.get("verdict"),
        "label": score.get("label"),
        "score": score.get("value"),
        "score_low": score.get("low"),
        "score_high": score.get("high"),
        "provocation": (level.get("provocation") or {}).get("result"),
    }
    for name, quantity in (level.get("quantities") or {}).items():
        row[name] = quantity.get("value")
        row |= {f"{name}_{part}": quantity.get(part) for part in ("sd", "low", "high")}
    return row | {"snr": quality.get("snr"), "linewidth_hz": quality.get("linewidth_hz")}


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
    middle: dict[str, dict[str, Any]] = {}
    for name, unit in units.items():
        for part, text in _PARTS.items():
            entry = {"Description": text.format(name=name)}
            middle[f"{name}{part}"] = entry | ({"Units": unit} if unit else {})
    return HEAD_COLUMNS | middle | TAIL_COLUMNS


def _level_lines(spool: Path, found: Collected) -> Iterator[str]:
    names = columns(found.units)
    yield "\t".join(names) + "\n"
    yield from (_line(*(row.get(name) for name in names)) for row in _spooled(spool))


def _line(*values: object) -> str:
    return "\t".join(cell(value) for value in values) + "\n"


def cell(value: object) -> str:
    r"""Return a value for a tab-separated table; text can be no formula and breaks no line.

    >>> cell(None), cell(0.1234567890123), cell("=1+1"), cell("a\tb")
    ('n/a', '0.123456789', "'=1+1", 'a b')
    """
    if value is None or value == "":
        return MISSING
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.10g}" if math.isfinite(value) else MISSING
    if isinstance(value, int):
        return str(value)
    text = harmless(str(value).encode("utf-8", "backslashreplace").decode("utf-8"))
    return f"'{text}" if text[:1] in ("=", "+", "-", "@") else text or MISSING


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
    relative = str((read_record(out / STATE_FOLDER / SOURCE) or {}).get("path") or "..")
    told = read_record(out / relative / DESCRIPTION) or {}
    doi = told.get("DatasetDOI")
    if isinstance(doi, str) and _DOI.match(doi):
        return {"DOI": doi}
    return {"URL": quote(os.fsencode(relative))}
