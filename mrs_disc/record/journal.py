"""Writing of the review log: one act, one line, on disk before anyone is told that it is saved.

An act names the head of the log that its page has seen. If the log has another head by then, the
act came from a window that does not know the latest state: nothing is written and that window is
told. The file is locked meanwhile, so that two servers over one folder keep the same rule.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from mrs_disc.errors import InputError, OutputError
from mrs_disc.files import MOST_BYTES
from mrs_disc.record.review import (
    LOG_NAME,
    LOG_VERSION,
    ReviewLog,
    act_of,
    log_line,
    parse_log,
)

_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)
_BINARY = getattr(os, "O_BINARY", 0)


class StaleError(InputError):
    """The log has grown since the page was loaded; the act was not saved.

    Parameters
    ----------
    log : ReviewLog
        The log as it is.
    """

    def __init__(self, log: ReviewLog) -> None:
        last = log.acts[-1] if log.acts else None
        by = f" by {last.reviewer}" if last else ""
        super().__init__(
            f"another window saved an act{by} in the meantime; yours is not saved. "
            "The page now shows the latest state: look at it and save again."
        )
        self.log = log


def append_act(
    folder: Path,
    expected_head: str,
    results_sha256: str,
    time: str,
    make: Callable[[ReviewLog], Mapping[str, Any]],
) -> ReviewLog:
    """Append one act to the log of a result and return the log, once it is on disk.

    Parameters
    ----------
    folder : Path
        Where ``results.json`` lies.
    expected_head : str
        Head of the log that the act was decided on.
    results_sha256 : str
        Of the results that the act speaks of.
    time : str
        UTC, ``2025-01-31T09:30:00Z``.
    make : callable
        Returns the fields of the act for the log as it is; called under the lock.

    Raises
    ------
    StaleError
        If the log has another head.
    InputError
        If the chain of the log is broken: it is not continued.
    OutputError
        If the act cannot be written; the log is then as it was.
    """
    with _locked(folder / LOG_NAME) as file:
        content = _read(file)
        log = parse_log(content)
        if log.problem:
            raise InputError(
                f"{log.problem}. Nothing was saved. Move {LOG_NAME} aside to begin a new one."
            )
        if log.head != expected_head:
            raise StaleError(log)
        fields = {
            "schema_version": LOG_VERSION,
            "n": len(log.acts) + 1,
            "previous": log.head,
            "time": time,
            "results_sha256": results_sha256,
            **make(log),
        }
        act_of(fields)  # what is written can be read
        line = log_line(fields)
        most = int(MOST_BYTES["review log"])
        if log.n_bytes + len(line) > most:
            raise InputError(f"the review log would be larger than {most // 10**6} MB")
        _write(file, line, log.n_bytes, n_before=len(content))
        return parse_log(content[: log.n_bytes] + line)


def _read(file: int) -> bytes:
    os.lseek(file, 0, os.SEEK_SET)
    parts = []
    while part := os.read(file, 1 << 20):
        parts.append(part)
    return b"".join(parts)


def _write(file: int, line: bytes, n_whole: int, n_before: int) -> None:
    """Write the line behind the whole lines and flush it to disk; undo where that fails.

    A tail without line feed is what a killed server left of an act that it never confirmed.
    """
    try:
        if n_before > n_whole:
            os.ftruncate(file, n_whole)
        os.lseek(file, n_whole, os.SEEK_SET)
        view = memoryview(line)
        while view:
            view = view[os.write(file, view) :]
        os.fsync(file)
    except OSError as error:
        with suppress(OSError):  # a disk that fails altogether leaves a line that nobody confirmed
            os.ftruncate(file, n_whole)
        raise OutputError(f"{LOG_NAME} cannot be written ({error.strerror}); not saved") from error


@contextmanager
def _locked(path: Path) -> Iterator[int]:
    """Open a log for one writer at a time; a new file's name is flushed to disk as well."""
    existed = path.exists()
    try:
        file = os.open(path, os.O_RDWR | os.O_CREAT | _NO_FOLLOW | _BINARY, 0o666)
    except OSError as error:
        raise OutputError(f"{path.name} cannot be opened ({error.strerror}); not saved") from error
    try:
        _lock(file)
        if not existed:
            _flush_folder(path.parent)
        yield file
    finally:
        os.close(file)  # and with it the lock


def _lock(file: int) -> None:
    if sys.platform == "win32":
        import msvcrt

        os.lseek(file, 0, os.SEEK_SET)
        msvcrt.locking(file, msvcrt.LK_LOCK, 1)
    else:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX)


def _flush_folder(folder: Path) -> None:
    if sys.platform == "win32":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
