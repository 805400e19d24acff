"""Which id stands for which folder: told on the terminal, and kept in a private file on request.

The file is JSON of mode 600 that nobody but its owner can read. A later run that names it gives
each folder the id that it had, whatever has become of its content.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from mrs_disc.batch.plan import Task
from mrs_disc.errors import InputError, OutputError
from mrs_disc.files import read_json, write_private
from mrs_disc.words import harmless

_TOLD = 20
_ID = "study_of_folder"


def read_pairing(path: Path | None) -> dict[str, str]:
    """Return folder to id; empty where there is no such file yet.

    Raises
    ------
    InputError
        If the file is there and is another.
    """
    if path is None or not path.exists():
        return {}
    found = read_json(path, "pairing file").get(_ID)
    if not isinstance(found, dict) or not all(isinstance(v, str) for v in found.values()):
        raise InputError(
            f"--pairing {path}: is there and is no pairing file; choose another name for it"
        )
    return found


def keep_pairing(path: Path, pairs: Mapping[str, str], out: Path) -> None:
    """Add pairs of folder and id to a private file, which is made where there is none.

    Raises
    ------
    InputError
        If it is another file, or would lie among the results.
    OutputError
        If it cannot be written.
    """
    if out.resolve() in path.resolve().parents:
        raise InputError(
            f"--pairing {path}: lies in the output, which is free of names and may be passed on; "
            "keep it elsewhere"
        )
    known = read_pairing(path)
    if path.exists() and not pairs.keys() - known.keys():
        return
    record = {"note": "names of persons: keep this file private", _ID: known | dict(pairs)}
    try:
        content = json.dumps(record, indent=1, ensure_ascii=False).encode()
    except UnicodeEncodeError:  # a folder's name of bytes that are no text
        content = json.dumps(record, indent=1).encode()
    try:
        write_private(path, content + b"\n")
    except OutputError as error:
        raise OutputError(f"--pairing {error}") from error


def pairs_of(tasks: Iterable[Task]) -> dict[str, str]:
    """Return folder to id of the studies that outputs call otherwise than their folders."""
    return {task.folder: task.participant_id for task in tasks if task.renamed}


def pairing_lines(pairs: Mapping[str, str], kept: bool) -> Iterator[str]:
    """Yield what a terminal is told of the pairs."""
    if not pairs:
        return
    yield (
        "names of folders may be persons' names and stay out of every output; "
        + ("the pairing file keeps" if kept else "--pairing FILE keeps")
        + " which is which:"
    )
    for folder, name in list(pairs.items())[:_TOLD]:
        yield f"{name} is {harmless(folder, 200)}"
    if len(pairs) > _TOLD:
        yield f"… and {len(pairs) - _TOLD} more"
