"""``levels.csv``: one row a level and run, for a spreadsheet, with its data dictionary.

A byte-order mark stands at the top only where a cell is not ASCII: spreadsheets need it then, and
readers that do not know it are spared otherwise.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from mrs_disc.constants import RESEARCH_USE
from mrs_disc.record import table
from mrs_disc.record.level import Level, Results
from mrs_disc.report.content import View

HEAD = (
    *("level", "run", "status", "verdict", "label"),
    *("likelihood_ratio", "likelihood_ratio_low", "likelihood_ratio_high"),
    *("score", "score_low", "score_high"),
    *("provocation", "reasons", "concordance", "snr", "linewidth_hz", "drift_hz"),
    *("n_transients", "n_rejected", "residual_water", "echo_time_s", "repetition_time_s"),
    *table.MORPHOLOGY,
    *table.TISSUE,
)
REVIEW = ("review", "review_status", "reviewed_by", "reviewed_at")
"""Columns that a table has where its result has a review log."""
TAIL = ("recipe_sha256", "notice")

cell = partial(table.cell, missing="", digits=6, limit=1000)


def render(view: View) -> dict[str, bytes]:
    """Return ``levels.csv`` and its data dictionary ``levels.json``."""
    results = view.results
    names = list(dict.fromkeys(n for level in results.levels for n in level.quantities))
    rows = level_rows(results, names)
    told = json.dumps(dictionary(results, names), indent=1) + "\n"
    return {"levels.csv": csv_bytes(rows), "levels.json": told.encode()}


def level_rows(results: Results, names: Sequence[str]) -> list[dict[str, object]]:
    """Return a row for each level and run, with the quantities of these names."""
    return [_row(level, results, names) for level in results.levels]


def dictionary(results: Results, names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return what each column means and its unit."""
    columns = table.dictionary(("study_id", *HEAD, *(REVIEW if results.review else ())))
    for name in names:
        found = [q for v in results.levels if (q := v.quantities.get(name)) is not None]
        unit = next((q.unit for q in found if q.unit), "")
        how = min((q.how for q in found if q.how), key=len, default="")  # without one disc's remark
        columns |= table.quantity_dictionary(name, table.PARTS, unit, how)
    for name in components(results):
        columns |= table.amplitude_dictionary(name)
    return columns | table.dictionary(TAIL)


def components(results: Results) -> list[str]:
    """Return the components that were fitted in any level."""
    return list(dict.fromkeys(n for v in results.levels if v.fit for n in v.fit.metabolites))


def _row(level: Level, results: Results, names: Sequence[str]) -> dict[str, object]:
    row = {"study_id": results.study_id, **table.cells_of(level, HEAD)}
    if (review := results.review) is not None:
        row |= {
            **table.cells_of(level, ("review",)),
            "review_status": review.status,
            "reviewed_by": review.signed_by,
            "reviewed_at": review.signed_at,
        }
    row |= table.quantities_of(level, names, table.PARTS)
    row |= table.amplitudes_of(level, components(results))
    return row | {"recipe_sha256": results.recipe_sha256, "notice": RESEARCH_USE}


def csv_bytes(rows: Sequence[Mapping[str, object]]) -> bytes:
    """Return rows as CSV that a spreadsheet opens without surprises."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\r\n")
    if rows:
        writer.writerow([cell(name) for name in rows[0]])
    for row in rows:
        writer.writerow([cell(value) for value in row.values()])
    text = stream.getvalue()
    return text.encode("ascii" if text.isascii() else "utf-8-sig")
