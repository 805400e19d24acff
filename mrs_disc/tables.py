"""Tables of text, separated by tabs, commas or semicolons: read strictly, by one set of rules.

Nothing is passed over: what does not fit the header is an error that names the line.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from mrs_disc.errors import ReadError, did_you_mean
from mrs_disc.files import check_file, read_text, reading

_CELL = 100_000
"""Longest cell of a table, characters; a longer one is a quotation mark that was never closed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row of a table: its line in the file, and its cells by column, stripped."""

    line: int
    cells: Mapping[str, str]


def read_table(path: Path, *, needed: tuple[str, ...] = ()) -> list[Row]:
    """Return the rows of a table separated by tabs (``.tsv``), commas or semicolons.

    Nothing is passed over: what does not fit the header is an error that names the line. A table
    that did not change since it was read is not read again, as every study of a dataset asks.

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
    check_file(path, "table")
    with reading(path):
        status = path.stat()
    rows = _rows(path, needed, (status.st_ino, status.st_mtime_ns, status.st_size))
    return list(rows)


@lru_cache(maxsize=8)
def _rows(path: Path, needed: tuple[str, ...], _stamp: tuple[int, int, int]) -> tuple[Row, ...]:
    lines = table_lines(path)
    _, names = next(lines)
    _check_needed(path, names, needed)
    return tuple(
        Row(line=number, cells=dict(zip(names, cells, strict=True))) for number, cells in lines
    )


def table_lines(path: Path, kind: str = "table") -> Iterator[tuple[int, list[str]]]:
    """Yield number and cells of each line that holds any, the header first (rules of `read_table`).

    For tables of which few columns are wanted: nothing is kept.
    """
    text = io.StringIO(read_text(path, kind), newline=None)  # lines end as in any system, no else
    names: list[str] = []
    mark = ","
    for number, line in enumerate(text, start=1):
        if not line.strip():
            continue
        if not names:
            mark = _separator(path, line)
            names = _checked_names(path, _split(path, number, line, mark))
            yield number, names
            continue
        cells = _split(path, number, line, mark)
        if len(cells) != len(names):
            raise ReadError(
                path,
                f"line {number} has {len(cells)} cells, but {len(names)} columns are named; "
                "write 'n/a' for what is not known",
            )
        if any(cells):
            yield number, cells
    if not names:
        raise ReadError(path, "is empty; its first line has to name the columns")


def _separator(path: Path, header: str) -> str:
    if path.suffix.lower() == ".tsv" or "\t" in header:
        return "\t"
    return ";" if header.count(";") > header.count(",") else ","


def _split(path: Path, number: int, line: str, mark: str) -> list[str]:
    """Return the cells of a line; with tabs a quotation mark is a letter like any other (BIDS)."""
    line = line.rstrip("\n")
    if mark == "\t":
        cells = [cell.strip() for cell in line.split(mark)]
        if '"' in line:  # a spreadsheet quotes whole cells all the same
            cells = [_unquoted(cell) for cell in cells]
    else:
        try:
            (cells,) = csv.reader([line], delimiter=mark, strict=True)
        except (csv.Error, ValueError) as error:
            raise ReadError(path, f"line {number} cannot be taken apart ({error})") from None
        cells = [cell.strip() for cell in cells]
    if len(line) > _CELL and any(len(cell) > _CELL for cell in cells):
        raise ReadError(path, f"line {number} holds a cell of over {_CELL:,} characters")
    return cells


def _unquoted(cell: str) -> str:
    whole = len(cell) > 1 and cell[0] == cell[-1] == '"'
    return cell[1:-1].replace('""', '"').strip() if whole else cell


def _checked_names(path: Path, names: list[str]) -> list[str]:
    for number, name in enumerate(names, start=1):
        if not name:
            raise ReadError(path, f"a column has no name in the first line: column {number}")
        if names.count(name) > 1:
            raise ReadError(path, f"the column '{name[:60]}' is there twice; take one out")
    return names


def _check_needed(path: Path, names: list[str], needed: Iterable[str]) -> None:
    for name in needed:
        if name not in names:
            raise ReadError(
                path,
                f"has no column '{name}'.{did_you_mean(name, names)} "
                f"Columns: {', '.join(names)[:200]}",
            )
