"""The one door to files: read guarded and bounded, written whole or not at all.

What is read is a regular file of a size that its kind can have. A pipe or a device would hang or
never end, so a file is opened without waiting and its kind is asked of the open handle, not of the
path, which may be exchanged in between. What is written appears under its name when it is whole.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
import os
import stat
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import IO, Any, BinaryIO

from mrs_disc.errors import NoSuchPathError, OutputError, ReadError

MOST_BYTES: dict[str, float] = {
    "any": inf,  # where only the first bytes are read
    "signal": 400_000_000,  # 64 coils x 190 transients x 4,096 points of complex64
    "signals.npz": 400_000_000,
    "image": 400_000_000,
    "results.json": 64_000_000,
    "batch's record": 64_000_000,
    "review log": 32_000_000,
    "table": 64_000_000,
    "basis": 64_000_000,
    "sidecar": 4_000_000,
    "recipe, model or study file": 4_000_000,
    "claim": 100_000,
}
"""Kind of a file to the largest size that is read, bytes."""

_CELL = 100_000
"""Longest cell of a table, characters; a longer one is a quotation mark that was never closed."""
_BLOCK = 1 << 20


# --------------------------------------------------------------------------- reading


@contextmanager
def opened(path: Path, kind: str = "signal") -> Iterator[BinaryIO]:
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
    try:
        handle = os.open(path, os.O_RDONLY | _WITHOUT_WAITING)
        try:
            _refuse_irregular(path, os.fstat(handle), kind)
        except BaseException:
            os.close(handle)
            raise
        with os.fdopen(handle, "rb") as file:
            yield file
    except ReadError:
        raise
    except FileNotFoundError as error:
        raise NoSuchPathError(path) from error
    except (OSError, ValueError) as error:  # a NUL in a name is a ValueError
        raise ReadError(path, f"cannot be read ({_reason(error)})") from error


_WITHOUT_WAITING = (
    getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
)


def _refuse_irregular(path: Path, status: os.stat_result, kind: str) -> None:
    mode = status.st_mode
    if stat.S_ISDIR(mode):
        raise ReadError(path, "is a folder, a file is expected")
    if not stat.S_ISREG(mode):
        what = "a pipe" if stat.S_ISFIFO(mode) else "a device or socket"
        raise ReadError(path, f"is {what}, a regular file is expected: save its content to a file")
    if status.st_size > MOST_BYTES[kind]:
        raise _too_large(path, kind, status.st_size)


def _too_large(path: Path, kind: str, size: int) -> ReadError:
    return ReadError(
        path,
        f"has {size / 1e6:.0f} MB or more; a {kind} is read up to "
        f"{MOST_BYTES[kind] / 1e6:g} MB: is it the right file?",
    )


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def read_bytes(path: Path, kind: str = "signal") -> bytes:
    """Return the content of a regular file of bounded size (errors as of `opened`)."""
    with opened(path, kind) as file:
        content = file.read(int(MOST_BYTES[kind]) + 1)  # a file of the system tells no size
    if len(content) > MOST_BYTES[kind]:
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


def read_json(path: Path, kind: str) -> dict[str, Any]:
    """Return the object that a JSON file holds.

    Raises
    ------
    ReadError
        As of `opened`, or if it is not JSON, holds NaN, or is no object at its top.
    """

    def refuse(constant: str) -> float:
        raise ValueError(f"it holds {constant}")

    text = read_text(path, kind)
    try:
        found = json.loads(text, parse_constant=refuse)
    except (ValueError, RecursionError) as error:  # a number of 5,000 digits is a ValueError too
        raise ReadError(path, f"is not valid JSON ({str(error)[:100]})") from None
    if not isinstance(found, dict):
        raise ReadError(path, "holds no JSON object at its top")
    return found


def sha256_of(path: Path, kind: str = "signal") -> str:
    """Return the SHA-256 of a file (errors as of `opened`)."""
    total = hashlib.sha256()
    with opened(path, kind) as file:
        while block := file.read(_BLOCK):
            total.update(block)
    return total.hexdigest()


# --------------------------------------------------------------------------- tables


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row of a table: its line in the file, and its cells by column, stripped."""

    line: int
    cells: Mapping[str, str]


def read_table(path: Path, *, needed: tuple[str, ...] = ()) -> list[Row]:
    """Return the rows of a table separated by tabs (``.tsv``), commas or semicolons.

    Nothing is passed over: what does not fit the header is an error that names the line.

    Parameters
    ----------
    path : Path
        Text in UTF-8 whose first line names the columns.
    needed : tuple of str
        Columns that have to be there.

    Raises
    ------
    ReadError
        As of `read_text`, or if a column is missing, nameless or there twice, a row is longer or
        shorter than the header, or a quotation mark is never closed.
    """
    lines = read_text(path, "table").splitlines()
    if not lines or not lines[0].strip():
        raise ReadError(path, "is empty; its first line has to name the columns")
    mark = _separator(path, lines[0])
    names = _checked_names(path, _split(path, 1, lines[0], mark), needed)
    rows = []
    for number, line in enumerate(lines[1:], start=2):
        if not line.strip():
            continue
        cells = _split(path, number, line, mark)
        if len(cells) != len(names):
            raise ReadError(
                path,
                f"line {number} has {len(cells)} cells, the first line names {len(names)} columns; "
                "write 'n/a' for what is not known",
            )
        rows.append(Row(line=number, cells=dict(zip(names, cells, strict=True))))
    return rows


def _separator(path: Path, header: str) -> str:
    if path.suffix.lower() == ".tsv" or "\t" in header:
        return "\t"
    return ";" if header.count(";") > header.count(",") else ","


def _split(path: Path, number: int, line: str, mark: str) -> list[str]:
    """Return the cells of a line; with tabs a quotation mark is a letter like any other (BIDS)."""
    if mark == "\t":
        cells = line.split(mark)
    else:
        try:
            (cells,) = csv.reader([line], delimiter=mark, strict=True)
        except (csv.Error, ValueError) as error:
            raise ReadError(path, f"line {number} cannot be taken apart ({error})") from None
    cells = [cell.strip() for cell in cells]
    if mark == "\t":  # a spreadsheet quotes whole cells all the same
        cells = [c[1:-1] if len(c) > 1 and c[0] == c[-1] == '"' else c for c in cells]
    if any(len(cell) > _CELL for cell in cells):
        raise ReadError(path, f"line {number} holds a cell of over {_CELL:,} characters")
    return cells


def _checked_names(path: Path, names: list[str], needed: tuple[str, ...]) -> list[str]:
    for name in names:
        if not name:
            raise ReadError(path, "a column has no name in the first line")
        if names.count(name) > 1:
            raise ReadError(path, f"the column '{name}' is there twice; take one out")
    absent = [name for name in needed if name not in names]
    if absent:
        raise ReadError(path, f"has no column '{absent[0]}'; it has: {', '.join(names)[:200]}")
    return names


# --------------------------------------------------------------------------- writing


def gzipped(content: bytes, level: int = 6) -> bytes:
    """Return content compressed without name and time: same content, same bytes."""
    return gzip.compress(content, level, mtime=0)


def write_whole(
    path: Path,
    content: bytes | Callable[[IO[bytes]], object],
    *,
    overwrite: bool = False,
) -> Path:
    """Write a file that appears under its name when it is whole; return its path.

    Parameters
    ----------
    path : Path
        The file; its folder is made where it does not exist.
    content : bytes, or a function that writes to an open file
        A function for what is too large to be held.
    overwrite : bool
        Whether a file that is there may be replaced.

    Raises
    ------
    OutputError
        If it is there already and may not be replaced, or cannot be written; nothing is left.
    """
    if path.exists() and not overwrite:
        raise OutputError(f"{path} is there already; choose another name or take it away")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        waiting = written_beside(path, content)
        try:
            waiting.replace(path)
        except BaseException:
            waiting.unlink(missing_ok=True)
            raise
    except (OSError, ValueError) as error:
        if isinstance(error, OutputError):
            raise
        raise OutputError(f"{path} cannot be written ({_reason(error)})") from error
    return path


def written_beside(path: Path, content: bytes | Callable[[IO[bytes]], object]) -> Path:
    """Write content beside its target under a name that nobody reads; return that name.

    Several files that have to appear together are written so first, then each gets its own name.
    """
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".part-", suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            if isinstance(content, bytes):
                file.write(content)
            else:
                content(file)
        umask = os.umask(0)
        os.umask(umask)
        Path(name).chmod(0o666 & ~umask)  # a temporary file is the writer's alone
    except BaseException:
        with suppress(OSError):
            Path(name).unlink(missing_ok=True)
        raise
    return Path(name)
