"""``levels.xlsx``: the tables of a study in one workbook, a sheet a kind.

Every cell is a number or a text: what looks like a formula stays a text. Openpyxl stamps files
with the time of writing; the workbook is packed again with a fixed one, so that the same record
gives the same bytes.
"""

from __future__ import annotations

import datetime
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from mrs_disc.constants import RESEARCH_USE
from mrs_disc.errors import InputError
from mrs_disc.record.level import Level, Results
from mrs_disc.report import tables
from mrs_disc.report.content import View, clinical_rows

_DAY = (1980, 1, 1, 0, 0, 0)
"""The earliest time that a ZIP archive can hold."""

_MODIFIED = re.compile(rb"<dcterms:modified[^>]*>[^<]*</dcterms:modified>")
"""Openpyxl writes the time of saving here, whatever it was told."""

Row = Mapping[str, object]


def render(view: View) -> dict[str, bytes]:
    """Return ``levels.xlsx``.

    Raises
    ------
    InputError
        If openpyxl is not installed.
    """
    try:
        from openpyxl import Workbook
    except ImportError as error:
        raise InputError(
            "the format 'xlsx' needs openpyxl: pip install 'mrs-disc[excel]'"
        ) from error
    book = Workbook()
    book.remove(book.active)
    book.properties.creator = "mrs_disc"
    book.properties.created = datetime.datetime(*_DAY)
    for title, rows in sheets(view.results).items():
        _fill(book.create_sheet(title), rows)
    stream = io.BytesIO()
    book.save(stream)
    return {"levels.xlsx": _packed(stream)}


def sheets(results: Results) -> dict[str, Sequence[Row]]:
    """Return the rows of each sheet by its title."""
    names = list(dict.fromkeys(n for level in results.levels for n in level.quantities))
    dictionary = tables.dictionary(results, names)
    return {
        "Levels": tables.level_rows(results, names),
        "Amounts": [row for level in results.levels for row in _amounts(level)],
        "Dictionary": [
            {
                "column": name,
                "description": told["Description"],
                "units": told.get("Units", ""),
            }
            for name, told in dictionary.items()
        ],
        "Origin": [
            {"item": "study", "value": results.study_id},
            *({"item": name, "value": value} for name, value in clinical_rows(results.clinical)),
            {"item": "software", "value": f"{results.software.name} {results.software.version}"},
            {"item": "recipe, SHA-256", "value": results.recipe_sha256},
            {"item": "notice", "value": RESEARCH_USE},
        ],
    }


def _amounts(level: Level) -> Iterable[Row]:
    """Yield a row for each component and quantity of a level."""
    if level.measured is None:
        return
    found = level.measured
    head = {"level": level.level, "run": level.run, "verdict": found.quality.verdict}
    metabolites = {name: (m, m.amplitude, "") for name, m in found.fit.metabolites.items()}
    quantities = {name: (q, q.value, q.unit) for name, q in found.quantities.values.items()}
    for kind, rows in (("amplitude", metabolites), ("quantity", quantities)):
        for name, (of, value, unit) in rows.items():
            if value is not None:
                yield {
                    **head, "kind": kind, "name": name, "value": value, "sd": of.sd,
                    "low": of.low, "high": of.high, "limit": of.limit or "", "unit": unit,
                }  # fmt: skip


def _fill(sheet: Any, rows: Sequence[Row]) -> None:
    """Write rows under their names; the names stay in view."""
    if not rows:
        return
    for number, row in enumerate(({name: name for name in rows[0]}, *rows), 1):
        for column, value in enumerate(row.values(), 1):
            _write(sheet.cell(row=number, column=column), value)
    sheet.freeze_panes = "A2"


def _write(cell: Any, value: object) -> None:
    if isinstance(value, int | float) and not isinstance(value, bool):
        cell.value = value
        return
    cell.value = tables.cell(value)
    if cell.value is not None:
        cell.data_type = "s"  # never a formula


def _packed(stream: io.BytesIO) -> bytes:
    """Return the archive without the times at which its parts were written."""
    packed = io.BytesIO()
    with ZipFile(stream) as made, ZipFile(packed, "w", ZIP_DEFLATED) as fixed:
        for name in made.namelist():
            content = made.read(name)
            if name == "docProps/core.xml":
                content = _MODIFIED.sub(b"", content)
            fixed.writestr(ZipInfo(name, _DAY), content, ZIP_DEFLATED)
    return packed.getvalue()
