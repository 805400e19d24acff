"""One node in a folder, told by a lock of the system that ends with its process."""

from __future__ import annotations

from pathlib import Path
from typing import IO

from mrs_disc.errors import InputError
from mrs_disc.files import writing

_LOCK = ".lock"


def only_one(home: Path) -> IO[str]:
    """Return a lock on a node's folder, which is made where it does not exist.

    Raises
    ------
    InputError
        If another node holds it.
    """
    with writing(home):
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        file = (home / _LOCK).open("a")
    if not _take(file):
        file.close()
        raise InputError(
            f"{home.name}: another node is at work in this folder; stop it, or name another folder"
        )
    return file


def is_running(home: Path) -> bool:
    """Say whether a node is at work in a folder."""
    try:
        with (home / _LOCK).open("a") as file:
            return not _take(file)
    except OSError:
        return False


def _take(file: IO[str]) -> bool:
    """Say whether the lock could be had; systems without it let anyone have it."""
    try:
        import fcntl
    except ImportError:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
