"""``levels.csv``: one row a level and run, for a spreadsheet, with its data dictionary.

A cell of text that a spreadsheet would take for a formula gets an apostrophe in front. A byte-order
mark stands at the top only where a cell is not ASCII: spreadsheets need it then, and readers that
do not know it are spared otherwise.
"""

from __future__ import annotations

import csv
import io
import json
import math
from typing import Any

from mrs_disc.constants import RESEARCH_USE
from mrs_disc.report.content import View
from mrs_disc.report.schema import Level, Results
from mrs_disc.report.words import harmless, quantity_word

HEAD: dict[str, str] = {
    "study_id": "The examination.",
    "level": "Intervertebral disc.",
    "run": "Number of the measurement of this level.",
    "status": "ok, or failed.",
    "verdict": "Quality of the spectrum: good, acceptable or poor.",
    "label": "likely painful, indeterminate or unlikely painful; empty where failed.",
    "score": "Probability of a painful disc by the score model (0 to 1).",
    "score_low": "2.5th percentile of the probability over the measurement error.",
    "score_high": "97.5th percentile of the probability over the measurement error.",
    "provocation": "Result of provocation testing, as given.",
    "reasons": "Reasons of quality and score, or the error of a failed level.",
    "concordance": "How score and images (and provocation) agree.",
    "snr": "Height of the quality peak / standard deviation of the real noise.",
    "linewidth_hz": "Full width at half maximum of the quality peak.",
    "drift_hz": "Range of the smoothed frequencies of the transients.",
    "n_transients": "Transients in the file.",
    "n_rejected": "Transients left out of the average.",
    "residual_water": "Residual water / height of the quality peak.",
}
TAIL: dict[str, str] = {
    "recipe_sha256": "SHA-256 of the resolved recipe and its models.",
    "notice": "What these numbers may be used for.",
}
"""Columns after the quantities."""
UNITS = {"linewidth_hz": "Hz", "drift_hz": "Hz"} | dict.fromkeys(
    ("score", "score_low", "score_high", "snr", "n_transients", "n_rejected", "residual_water"), "1"
)
REVIEW: dict[str, str] = {
    "review": "What the reviewer decided on this level.",
    "review_status": "State of the review of this result.",
    "reviewed_by": "Who signed this result.",
    "reviewed_at": "Time of the signature, UTC.",
}
"""Columns that a table has where its result has a review log."""
_SUFFIXES = {
    "": "",
    "_sd": ": one standard deviation",
    "_low": ": lower end of the 95 % interval",
    "_high": ": upper end of the 95 % interval",
    "_limit": ": 'upper' where the value is below two standard deviations and only _high counts",
}


def render(view: View) -> dict[str, bytes]:
    """Return ``levels.csv`` and its data dictionary ``levels.json``."""
    names = quantity_names(view.results)
    rows = [_row(level, view.results, names) for level in view.results.levels]
    return {
        "levels.csv": csv_bytes(rows),
        "levels.json": (json.dumps(dictionary(view.results), indent=1) + "\n").encode(),
    }


def quantity_names(results: Results) -> list[str]:
    """Return all quantities of a study, in the order of the record."""
    return list(dict.fromkeys(n for level in results.levels for n in level.quantities or {}))


def dictionary(results: Results) -> dict[str, dict[str, str]]:
    """Return what each column means and its unit."""
    columns = {
        name: {"Description": text, **({"Units": UNITS[name]} if name in UNITS else {})}
        for name, text in HEAD.items()
    }
    if results.review is not None:
        columns |= {name: {"Description": text} for name, text in REVIEW.items()}
    for name in quantity_names(results):
        found = [q for v in results.levels if (q := (v.quantities or {}).get(name)) is not None]
        unit = next((q.unit for q in found if q.unit), "1")
        how = min((q.how for q in found if q.how), key=len, default="")  # without one disc's remark
        for suffix, text in _SUFFIXES.items():
            entry = {"Description": quantity_word(name) + text}
            if suffix == "" and how:
                entry["Derivation"] = harmless(how, 300)
            columns[name + suffix] = entry if suffix == "_limit" else entry | {"Units": unit}
    return columns | {name: {"Description": text} for name, text in TAIL.items()}


def _row(level: Level, results: Results, names: list[str]) -> dict[str, Any]:
    quality, score = level.quality, level.score
    reasons = [level.error.message] if level.error is not None else []
    reasons += [*(quality.reasons if quality else ()), *(score.reasons if score else ())]
    row: dict[str, Any] = {
        "study_id": results.study_id,
        "level": level.level,
        "run": level.run,
        "status": level.status,
        "verdict": quality.verdict if quality else None,
        "label": score.label if score else None,
        "score": score.value if score else None,
        "score_low": score.low if score else None,
        "score_high": score.high if score else None,
        "provocation": level.provocation.result if level.provocation else None,
        "reasons": "; ".join(reasons),
        "concordance": level.concordance,
        "snr": quality.snr if quality else None,
        "linewidth_hz": quality.linewidth_hz if quality else None,
        "drift_hz": quality.drift_hz if quality else None,
        "n_transients": quality.n_transients if quality else None,
        "n_rejected": quality.n_rejected if quality else None,
        "residual_water": quality.residual_water if quality else None,
    }
    if results.review is not None:
        row |= {
            "review": level.review.words if level.review is not None else "",
            "review_status": results.review.status,
            "reviewed_by": results.review.signed_by,
            "reviewed_at": results.review.signed_at,
        }
    for name in names:
        quantity = (level.quantities or {}).get(name)
        for suffix in _SUFFIXES:
            field = suffix.removeprefix("_") or "value"
            row[name + suffix] = getattr(quantity, field) if quantity is not None else None
    return row | {"recipe_sha256": results.recipe_sha256, "notice": RESEARCH_USE}


def csv_bytes(rows: list[dict[str, Any]]) -> bytes:
    """Return rows as CSV that a spreadsheet opens without surprises."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\r\n")
    if rows:
        writer.writerow([cell(name) for name in rows[0]])
    for row in rows:
        writer.writerow([cell(value) for value in row.values()])
    text = stream.getvalue()
    return text.encode("ascii" if text.isascii() else "utf-8-sig")


def cell(value: object) -> str:
    """Return one cell: numbers of six digits, text that no spreadsheet takes for a formula.

    >>> cell(0.123456789), cell(None), cell("=1+1"), cell("L4-L5")
    ('0.123457', '', "'=1+1", 'L4-L5')
    """
    if value is None:
        return ""
    if isinstance(value, bool | int):
        return str(value)
    if isinstance(value, float):
        return f"{value:.6g}" if math.isfinite(value) else ""
    text = harmless(value, 1000)
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "|", "%") else text
