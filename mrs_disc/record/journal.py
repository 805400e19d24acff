"""Writing of the review log: one act, one line, on disk before anyone is told that it is saved.

An act names the head of the log that its page has seen. If the log has another head by then, the
act came from a window that does not know the latest state: nothing is written and that window is
told. The file is locked meanwhile, so that two servers over one folder keep the same rule.

The head beside the log is written before the line (with the line that is about to come) and after
it, so that a server that is killed in between leaves a log that still fits its head.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from mrs_disc.errors import InputError, OutputError, ReadError
from mrs_disc.files import MOST_BYTES, json_bytes, scratch, sha256_of, write_whole, writing
from mrs_disc.record.file import RESULTS_NAME, read_record
from mrs_disc.record.review import (
    FINAL_FOLDER,
    HEAD_NAME,
    LOG_NAME,
    LOG_VERSION,
    ReviewLog,
    act_of,
    line_digest,
    log_line,
    parse_log,
    read_log,
    review_of,
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
        Head of the log that the act was decided on, as `ReviewLog.seen`.
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
        If the log is broken or of another study: it is not continued.
    OutputError
        If the act cannot be written; the log is then as it was.
    """
    study_id = str(read_record(folder / RESULTS_NAME).get("study_id"))
    with locked(folder / LOG_NAME) as file:
        content = _read(file)
        log = read_log(folder, study_id)
        if log.problem:
            raise InputError(
                f"{log.problem}. Nothing was saved. Move {LOG_NAME} and {HEAD_NAME} aside to "
                "begin a new one."
            )
        if log.seen != expected_head:
            raise StaleError(log)
        fields = {
            "schema_version": LOG_VERSION,
            "n": len(log.acts) + 1,
            "previous": log.head,
            "time": time,
            "results_sha256": results_sha256,
            "study_id": study_id,
            **make(log),
        }
        act_of(fields)  # what is written can be read
        line = log_line(fields)
        most = int(MOST_BYTES["review log"])
        if log.n_bytes + len(line) > most:
            raise InputError(f"the review log would be larger than {most // 10**6} MB")
        before = {"schema_version": "1", "n": len(log.acts), "head": log.head}
        after = line_digest(line[:-1])
        _keep_head(folder, before | {"next": after})
        if torn := content[log.n_bytes :]:
            _put_aside(folder, torn)
        end = b"\n" if log.unended else b""
        _write(file, end + line, log.n_bytes, n_before=len(content))
        with suppress(OutputError):  # the line is on disk, and the head knows it as the next one
            _keep_head(folder, before | {"n": len(log.acts) + 1, "head": after})
        return parse_log(content[: log.n_bytes] + end + line)


def _keep_head(folder: Path, head: Mapping[str, Any]) -> None:
    """Write what the end of the log is, flushed to disk before it gets its name."""
    waiting = scratch(folder, HEAD_NAME)
    with writing(folder / HEAD_NAME):
        try:
            with waiting.open("xb") as file:
                file.write(json_bytes(head))
                file.flush()
                os.fsync(file.fileno())
            waiting.replace(folder / HEAD_NAME)
        except BaseException:
            waiting.unlink(missing_ok=True)
            raise


def _put_aside(folder: Path, torn: bytes) -> None:
    """Keep what makes room for the next act: a line that was cut off while it was written."""
    name = f"review.torn-{line_digest(torn)[:12]}"
    write_whole(folder / name, torn, overwrite=True)


def keep_signed(folder: Path) -> Path | None:
    """Copy a result that was signed to where its final files lie, before another replaces it.

    Returns
    -------
    Path or None
        The folder with the result, its arrays and its log as they were; `None` where the result
        that lies there was never signed.

    Raises
    ------
    OutputError
        If they cannot be copied; the result must stay then.
    """
    if not (folder / LOG_NAME).is_file() or not (folder / RESULTS_NAME).is_file():
        return None
    try:
        log, digest = read_log(folder), sha256_of(folder / RESULTS_NAME, RESULTS_NAME)
    except ReadError:
        return None
    if not any(act.act == "sign" and act.results_sha256 == digest for act in log.acts):
        return None
    kept = folder / FINAL_FOLDER / review_of(log, digest).head[:12]
    with writing(kept):
        kept.mkdir(parents=True, exist_ok=True)
        for name in (RESULTS_NAME, "signals.npz", LOG_NAME, HEAD_NAME):
            if (folder / name).is_file() and not (kept / name).exists():
                shutil.copyfile(folder / name, waiting := scratch(kept, name))
                waiting.replace(kept / name)
    return kept


def _read(file: int) -> bytes:
    os.lseek(file, 0, os.SEEK_SET)
    parts = []
    while part := os.read(file, 1 << 20):
        parts.append(part)
    return b"".join(parts)


def _write(file: int, line: bytes, n_whole: int, n_before: int) -> None:
    """Write the line behind the whole lines and flush it to disk; undo where that fails.

    A tail that is no act is what a killed server left of one that it never confirmed.
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
def locked(path: Path) -> Iterator[int]:
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
