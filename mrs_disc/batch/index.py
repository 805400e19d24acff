"""The page over a whole dataset: every disc in a sortable table, distributions, what failed.

Self-contained and complete without its script, which only sorts and filters. Written row by row.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any
from urllib.parse import quote

from markupsafe import Markup

from mrs_disc._version import __version__
from mrs_disc.batch.counts import Collected, LevelCounts
from mrs_disc.constants import RESEARCH_USE
from mrs_disc.data import LEVELS
from mrs_disc.report.marks import bar, bars
from mrs_disc.report.page import environment, policy, resource
from mrs_disc.report.words import LABEL_SHAPE, VERDICT_SHAPE, harmless, probability

MAX_ROWS = 20_000
"""A page with more rows opens slowly; the table holds them all."""
MAX_FAILURES = 2_000
_HERE = "mrs_disc.batch"
_VERDICTS = ("good", "acceptable", "poor", "failed")
_LABELS = tuple(LABEL_SHAPE)
_BAR, _HEIGHT, _BIN = 120, 28, 10


def index_page(
    rows: Iterator[dict[str, Any]],
    firsts: Iterator[dict[str, Any]],
    failures: Iterator[list[str]],
    found: Collected,
) -> Iterator[str]:
    """Return the pieces of the page.

    Parameters
    ----------
    rows : iterator of dict
        The table of levels.
    firsts : iterator of dict
        The same again; the first row of a study names its files.
    failures : iterator of list of str
        Study, level, run, stage and message of what failed.
    found : Collected
        The counts.
    """
    style, script = resource(_HERE, "index.css"), resource(_HERE, "index.js")
    levels = sorted(found.by_level, key=LEVELS.index)
    return (
        environment(_HERE)
        .get_template("index.html.j2")
        .generate(
            style=style,
            script=script,
            policy=policy(style, script),
            found=found,
            version=__version__,
            research_use=RESEARCH_USE,
            distributions=[_distribution(level, found.by_level[level]) for level in levels],
            rows=(_shown(row) for row in islice(rows, MAX_ROWS)),
            studies=islice((_files(row) for row in firsts if row.get("files")), MAX_ROWS),
            max_rows=MAX_ROWS,
            leads_to=_leads_to(found),
            failures=islice(failures, MAX_FAILURES),
            n_failures=found.n_studies_failed + found.n_levels_failed,
            max_failures=MAX_FAILURES,
            shapes=LABEL_SHAPE,
            key={verdict: _key(verdict) for verdict in _VERDICTS},
        )
    )


def _leads_to(found: Collected) -> str:
    """Return where the links of the studies lead: pages, where the batch wrote any."""
    if not found.n_without_page:
        return "its report"
    record = "its results as JSON ('mrs-disc report' makes a page of them)"
    return record if found.n_without_page == found.n_levels else f"its report, or else {record}"


def _parts(row: Mapping[str, Any]) -> list[str]:
    return [row["participant_id"], *([row["session_id"]] if row["session_id"] else [])]


def _place(row: Mapping[str, Any]) -> str:
    """Return the address of a study's folder."""
    return "/".join(quote(os.fsencode(part)) for part in _parts(row)) + "/"


def _files(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a study with the files that were written of it."""
    links = [(name, _place(row) + quote(name)) for name in row["files"]]
    return {"study": _legible("/".join(_parts(row))), "links": links}


def _shown(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row as the page shows it, with the values it is sorted by."""
    parts = _parts(row)
    status = row["verdict"] or "failed"
    score = row["score"]
    interval = (row["score_low"], row["score_high"])
    return {
        "study": _legible("/".join(parts)),
        "link": f"{_place(row)}{row['page']}",
        "level": row["level"] + (f" run {row['run']}" if row["run"] > 1 else ""),
        "level_order": 100 * LEVELS.index(row["level"]) + row["run"],
        "label": row["label"] or "none",
        "label_shape": LABEL_SHAPE.get(row["label"] or "", "–"),
        "label_order": _LABELS.index(row["label"]) if row["label"] else len(_LABELS),
        "score": probability(score),
        "score_order": -1 if score is None else score,
        "interval": "–" if None in interval else " to ".join(map(probability, interval)),
        "interval_order": -1 if None in interval else interval[1] - interval[0],
        "verdict": status,
        "verdict_order": _VERDICTS.index(status),
        "verdict_shape": VERDICT_SHAPE[status],
        "snr": "–" if row["snr"] is None else f"{row['snr']:.1f}",
        "snr_order": row["snr"] or 0,
        "linewidth": "–" if row["linewidth_hz"] is None else f"{row['linewidth_hz']:.1f}",
        "linewidth_order": row["linewidth_hz"] or 0,
        "review": row["review"] or row["review_status"],
    }


def _legible(text: str) -> str:
    return harmless(text.encode("utf-8", "backslashreplace").decode("utf-8"), 200)


def _distribution(level: str, counts: LevelCounts) -> dict[str, Any]:
    """Return the numbers of a level with their two small pictures."""
    return {
        "level": level,
        "total": counts.total,
        "verdicts": [(v, counts.verdicts.get(v, 0)) for v in _VERDICTS],
        "labels": [(label, counts.labels.get(label, 0)) for label in LABEL_SHAPE],
        "bar": _stacked(counts),
        "histogram": _histogram(counts.scores),
    }


def _stacked(counts: LevelCounts) -> Markup:
    left, parts = 0.0, []
    for verdict in _VERDICTS:
        width = _BAR * counts.verdicts.get(verdict, 0) / max(counts.total, 1)
        parts.append(bar(left, 0, width, 14, f"verdict-{verdict}"))
        left += width
    return bars(_BAR, 14, parts)


def _key(verdict: str) -> Markup:
    return bars(10, 10, [bar(0, 0, 10, 10, f"verdict-{verdict}")])


def _histogram(scores: list[int]) -> Markup:
    highest = max(*scores, 1)
    parts = [
        bar(_BIN * k, _HEIGHT * (1 - n / highest), _BIN - 1, _HEIGHT * n / highest, "score")
        for k, n in enumerate(scores)
    ]
    parts.append(bar(0, _HEIGHT, _BIN * len(scores), 1, "axis"))
    return bars(_BIN * len(scores), _HEIGHT + 1, parts)
