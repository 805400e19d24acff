"""The one door to files: read guarded and bounded, written whole or not at all.

What is read is a regular file of a size that its kind can have: a pipe would be waited for, a
device would never end or do something. So a path is asked before it is opened, it is opened without
waiting, and the open handle is asked again, since the path may be exchanged in between.
What is written appears under its name when it is whole, and a run that is killed leaves no more
than a hidden file, which the next run of a batch takes away.

Refused: `fsync` before a file gets its name. It costs more than an analysis on some disks, and what
a power cut tears is noticed by its digest and made again.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import itertools
import json
import os
import socket
import stat
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from math import inf
from pathlib import Path
from typing import Any

from mrs_disc.errors import NoSuchPathError, OutputError, ReadError

MOST_BYTES: dict[str, float] = {
    "any": inf,  # where only the first bytes are read, or block by block
    "signal": 400_000_000,  # 64 coils x 190 transients x 4,096 points of complex64
    "GE P-file": 200_000_000,
    "DICOM spectrum": 150_000_000,
    "Philips SDAT": 100_000_000,
    "Siemens RDA": 64_000_000,
    "LCModel RAW": 64_000_000,
    "jMRUI text": 40_000_000,
    "text of a spectrum": 20_000_000,
    "image": 400_000_000,
    "basis": 64_000_000,
    "JSON sidecar": 4_000_000,
    "recipe, model or study file": 4_000_000,
    "table": 200_000_000,
    "table of a batch": 1_000_000_000,  # 100 columns for some 500,000 discs
    "results.json": 64_000_000,
    "signals.npz": 512_000_000,
    "review log": 32_000_000,
    "head of a review log": 4_000,
    "record of a batch": 64_000_000,
    "claim of a batch": 4_000_000,  # may name every participant
    "pairing file": 64_000_000,
}
"""Kind of a file, in the words of a message, to the largest size that is read, bytes."""

_BLOCK = 1 << 20
_SETTLED_NS = 3_000_000_000
"""FAT counts in steps of 2 s."""
_MOST_DIGESTS = 10_000
_DIGESTS: dict[tuple[int, ...], str] = {}
_WITHOUT_WAITING = (
    getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_BINARY", 0)
)

_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)


# --------------------------------------------------------------------------- reading


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn what the system says of a file or folder in between into a `ReadError`."""
    try:
        yield
    except (ReadError, OutputError):
        raise
    except FileNotFoundError as error:
        raise NoSuchPathError(path) from error
    except OSError as error:
        raise ReadError(path, f"cannot be read ({_reason(error)})") from error


@contextmanager
def opened(path: Path, kind: str = "signal") -> Iterator[io.BufferedReader]:
    """Open a regular file for reading; what goes wrong with it in between is a `ReadError`.

    Parameters
    ----------
    path : Path
        The file.
    kind : str
        Of `MOST_BYTES`.

    Raises
    ------
    ReadError
        If it is absent, a folder, pipe or device, too large, or cannot be read.
    """
    check_file(path, kind)
    with reading(path):
        handle = os.open(path, os.O_RDONLY | _WITHOUT_WAITING)
        try:
            _check_status(path, kind, os.fstat(handle))
        except BaseException:
            os.close(handle)
            raise
        with os.fdopen(handle, "rb") as file:
            yield file


def check_file(path: Path, kind: str = "any") -> int:
    """Return the size of a file in bytes; for libraries that open it themselves.

    Raises
    ------
    ReadError
        If it is absent, no regular file, or too large for its kind.
    """
    with reading(path):
        try:
            status = path.stat()
        except ValueError as error:  # a NUL in the name
            raise ReadError(path, f"cannot be read ({error})") from error
        return _check_status(path, kind, status)


def is_regular(path: Path) -> bool:
    """Say whether a path is a regular file, also through links; no name is too odd to ask."""
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except (OSError, ValueError):
        return False


def is_folder(path: Path) -> bool:
    """Say whether a path is a folder, also through links; no name is too odd to ask."""
    try:
        return stat.S_ISDIR(path.stat().st_mode)
    except (OSError, ValueError):
        return False


def _check_status(path: Path, kind: str, status: os.stat_result) -> int:
    mode = status.st_mode
    if stat.S_ISDIR(mode):
        raise ReadError(path, "is a folder, a file is expected")
    if not stat.S_ISREG(mode):
        what = (
            "a pipe" if stat.S_ISFIFO(mode) else "a socket" if stat.S_ISSOCK(mode) else "a device"
        )
        raise ReadError(path, f"is no regular file (it is {what}): save its content to a file")
    if status.st_size > MOST_BYTES[kind]:
        raise _too_large(path, kind, status.st_size)
    return status.st_size


def _too_large(path: Path, kind: str, size: int) -> ReadError:
    most = MOST_BYTES[kind] / 1e6
    return ReadError(
        path,
        f"is too large: {size / 1e6:.0f} MB, larger than the {most:g} MB that are read of its kind "
        f"({kind}); is it the right file?",
    )


def _reason(error: OSError) -> str:
    return error.strerror or str(error) or type(error).__name__


def read_bytes(path: Path, kind: str = "signal") -> bytes:
    """Return the content of a regular file of bounded size (errors as of `opened`)."""
    with opened(path, kind) as file:
        most = int(MOST_BYTES[kind])
        content = file.read(most + 1) or b""  # a file of the system tells no size
    if len(content) > most:
        raise _too_large(path, kind, len(content))
    return content


def read_head(path: Path, n_bytes: int) -> bytes:
    """Return the first bytes of a regular file of any size, fewer where it ends."""
    with opened(path, "any") as file:
        return file.read(n_bytes) or b""


def read_text(path: Path, kind: str) -> str:
    """Return the content of a file of UTF-8 text; Windows editors begin one with a mark.

    Raises
    ------
    ReadError
        As of `opened`, or if it is not UTF-8.
    """
    try:
        return read_bytes(path, kind).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ReadError(
            path, f"is not UTF-8 text (byte {error.start}); save it as UTF-8"
        ) from error


def read_json(path: Path, kind: str, *, nan: bool = False) -> dict[str, Any]:
    """Return the object that a JSON file holds.

    Raises
    ------
    ReadError
        As of `opened`, or if it is not JSON, holds NaN (unless allowed), or no object at its top.
    """

    def refuse(constant: str) -> float:
        raise ValueError(f"it holds {constant}")

    try:
        text = read_bytes(path, kind).decode("utf-8-sig")
        found = json.loads(text, parse_constant=None if nan else refuse)
    except (ValueError, RecursionError) as error:  # of UTF-8, JSON, a number of 5,000 digits
        if isinstance(error, ReadError):
            raise
        raise ReadError(path, f"is not a {kind} ({str(error)[:100]})") from None
    if not isinstance(found, dict):
        raise ReadError(path, f"is not a JSON object, which a {kind} has to be")
    return found


def sha256_of(path: Path, kind: str = "any") -> str:
    """Return the SHA-256 of a whole file (errors as of `opened`).

    A file of the same size and times is not read again by this process; one that was written a
    moment ago is, since clocks of file systems are coarse.
    """
    with opened(path, kind) as file:
        status = os.fstat(file.fileno())
        times = status.st_mtime_ns, status.st_ctime_ns
        mark = status.st_dev, status.st_ino, status.st_size, *times
        if known := _DIGESTS.get(mark):
            return known
        total = hashlib.sha256()
        while block := file.read(_BLOCK):
            total.update(block)
    if time.time_ns() - max(times) > _SETTLED_NS:
        if len(_DIGESTS) >= _MOST_DIGESTS:
            _DIGESTS.clear()
        _DIGESTS[mark] = total.hexdigest()
    return total.hexdigest()


# --------------------------------------------------------------------------- writing


@contextmanager
def writing(place: Path) -> Iterator[None]:
    """Turn what the system says of writing in between into an `OutputError` that names `place`."""
    try:
        yield
    except OutputError:
        raise
    except OSError as error:
        raise OutputError(f"{place} cannot be written to ({_reason(error)})") from error


def gzipped(content: bytes, level: int = 6) -> bytes:
    """Return content compressed without name and time: same content, same bytes."""
    packed = io.BytesIO()
    with gzip.GzipFile(
        filename="", mode="wb", compresslevel=level, fileobj=packed, mtime=0
    ) as stream:
        stream.write(content)
    return packed.getvalue()


def spare(inputs: Iterable[Path], outputs: Iterable[Path]) -> None:
    """Refuse to write to what was read, whatever it is called: also through links.

    Raises
    ------
    OutputError
        With the first output that is an input.
    """
    read = {mark for path in inputs if (mark := _mark(path)) is not None}
    for path in outputs:
        if _mark(path) in read:
            raise OutputError(f"{path} is what is read here; inputs are never written to")


def _mark(path: Path) -> tuple[int, int] | None:
    """Return what tells a file from all others on this machine; `None` where there is none."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        return None
    return status.st_dev, status.st_ino


def json_bytes(record: Mapping[str, Any]) -> bytes:
    """Return a record as JSON of letters that every encoding has."""
    return (json.dumps(record, indent=1, ensure_ascii=True, allow_nan=False) + "\n").encode()


def write_whole(
    path: Path,
    content: bytes | Iterator[str],
    *,
    overwrite: bool = False,
    scratch_folder: Path | None = None,
) -> Path:
    """Write a file that appears under its name when it is whole; return its path.

    Parameters
    ----------
    path : Path
        The file; its folder is made where it does not exist.
    content : bytes, or pieces of text
        Pieces for what is too large to be held; they become UTF-8.
    overwrite : bool
        Whether a file that is there may be replaced.
    scratch_folder : Path, optional
        Where it lies while it is not whole: on the same file system, by default beside it.

    Raises
    ------
    OutputError
        If it is there already and may not be replaced, or cannot be written; nothing is left.
    """
    with writing(path):
        if not overwrite and os.path.lexists(path):
            raise OutputError(f"{path} is there already; choose another name or take it away")
        path.parent.mkdir(parents=True, exist_ok=True)
        waiting = written_beside(path, content, scratch_folder)
        try:
            waiting.replace(path)
        except BaseException:
            waiting.unlink(missing_ok=True)
            raise
    return path


def write_private(path: Path, content: bytes) -> Path:
    """Write or replace a file that its owner alone can read, from its first byte on.

    Raises
    ------
    OutputError
        If it cannot be written; nothing is left, and an earlier one stays as it is.
    """
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        waiting = scratch(path.parent, path.name)
        waiting.unlink(missing_ok=True)
        try:
            with os.fdopen(os.open(waiting, _NEW_FILE, 0o600), "wb") as file:
                file.write(content)
            waiting.replace(path)
        except BaseException:
            with suppress(OSError):
                waiting.unlink(missing_ok=True)
            raise
    return path


def write_together(
    out: Path, files: Mapping[Path, bytes], *, stale: Iterable[Path] = ()
) -> list[Path]:
    """Write files that belong together; the first gets its name when all are written.

    Parameters
    ----------
    out : Path
        The folder that an error names.
    files : mapping
        Path to content; one that is there is replaced.
    stale : paths
        What goes as soon as all are written.

    Raises
    ------
    OutputError
        If one cannot be written; then none of them stays.
    """
    waiting: dict[Path, Path] = {}
    try:
        with writing(out):
            for path, content in files.items():
                path.parent.mkdir(parents=True, exist_ok=True)
                waiting[path] = written_beside(path, content)
            for path in stale:
                path.unlink(missing_ok=True)
            for path, temporary in waiting.items():
                temporary.replace(path)
    except BaseException:
        for temporary in waiting.values():
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
        raise
    return list(files)


def written_beside(
    path: Path, content: bytes | Iterator[str], scratch_folder: Path | None = None
) -> Path:
    """Write content under a name that nobody reads, on its target's file system; return it."""
    waiting = scratch(scratch_folder or path.parent, path.name)
    waiting.unlink(missing_ok=True)  # of a killed process that had the same number
    try:
        with waiting.open("xb") as file:
            if isinstance(content, bytes):
                file.write(content)
            else:
                file.writelines(piece.encode() for piece in content)
    except BaseException:
        with suppress(OSError):
            waiting.unlink(missing_ok=True)
        raise
    return waiting


_COUNT = itertools.count()


def scratch(folder: Path, name: str) -> Path:
    """Return a new path for a file of this process that is not whole yet."""
    return folder / f".{name[:40]}.{next(_COUNT)}.{_host_mark()}.{os.getpid()}"


def clear_scratch(folder: Path) -> None:
    """Take away such files of processes of this host that are gone."""
    for path in folder.glob(f".*.{_host_mark()}.*"):
        pid = path.name.rpartition(".")[2]
        if pid.isdecimal() and not Path(f"/proc/{pid}").exists() and Path("/proc/self").exists():
            path.unlink(missing_ok=True)


def _host_mark() -> str:
    return hashlib.sha256(socket.gethostname().encode()).hexdigest()[:8]
