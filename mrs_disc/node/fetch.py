"""A study from an archive into a folder that appears when all of it is there."""

from __future__ import annotations

import shutil
from pathlib import Path

from mrs_disc.errors import InputError
from mrs_disc.files import scratch, write_whole, writing
from mrs_disc.node.config import Destination
from mrs_disc.node.remote import CALLING, fetch, file_name


def fetch_study(
    source: Destination,
    study_uid: str,
    target: Path,
    calling: str = CALLING,
    listen: tuple[str, int] | None = None,
) -> int:
    """Fetch the MR objects of a study; return how many they are.

    `listen` is address and port for C-MOVE; none: C-GET, or WADO-RS.

    Raises
    ------
    InputError
        If the archive gives none, or cannot be reached; nothing is left then.
    OutputError
        If the folder cannot be written.
    """
    with writing(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        waiting = scratch(target.parent, target.name)
        waiting.mkdir()
    n = 0
    try:
        for content in fetch(source, study_uid, calling, listen):
            write_whole(waiting / file_name(content), content, overwrite=True)
            n += 1
        if not n:
            raise InputError(f"{source.name} gave no MR object of this study")
        with writing(target):
            if target.is_dir():
                target.rmdir()
            waiting.replace(target)
    except BaseException:
        shutil.rmtree(waiting, ignore_errors=True)
        raise
    return n
