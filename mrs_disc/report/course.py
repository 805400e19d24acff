"""The course of one person's discs over time as a small page and a table, from plain values."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

from mrs_disc.constants import RESEARCH_USE

WIDTH, HEIGHT, LEFT, TOP = 640, 280, 60, 16
_COLOURS = ("#1b4f8f", "#9a1b1b", "#2e6b2e", "#8a5a00", "#5b3a8c", "#00666e", "#7a2f5c")


def course_csv(rows: Sequence[Mapping[str, Any]]) -> bytes:
    """Return the changes as a table: one row per level and quantity, empty where unknown."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode("utf-8")


def course_html(
    *,
    names: Sequence[str],
    changes: Sequence[Mapping[str, Any]],
    repeatability: Sequence[Mapping[str, Any]],
    notes: Sequence[str],
    chart: Mapping[str, Sequence[tuple[float, float, float] | None]],
    quantity: str,
) -> bytes:
    """Return the page.

    Parameters
    ----------
    names : sequence of str
        The examinations in the order of time.
    changes : sequence of mapping
        level, quantity, values (texts, one per examination), change, verdict.
    repeatability : sequence of mapping
        quantity, coefficient, freedom.
    notes : sequence of str
        What a reader has to know before believing a change.
    chart : mapping
        Level to (value, low, high) per examination, `None` where there is none.
    quantity : str
        What the chart shows.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("mrs_disc.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
    )
    return (
        environment.get_template("course.html.j2")
        .render(
            names=names,
            changes=changes,
            repeatability=repeatability,
            notes=notes,
            drawing=_drawing(chart, len(names)),
            quantity=quantity,
            notice=RESEARCH_USE,
            width=WIDTH,
            height=HEIGHT,
            left=LEFT,
            top=TOP,
        )
        .encode("utf-8")
    )


def _drawing(
    chart: Mapping[str, Sequence[tuple[float, float, float] | None]], count: int
) -> dict[str, Any] | None:
    """Return what the chart's lines and marks are, in pixels; `None` where nothing is known."""
    known = [point for points in chart.values() for point in points if point is not None]
    if not known:
        return None
    low, high = min(p[1] for p in known), max(p[2] for p in known)
    span = (high - low) or 1.0
    bottom, right = HEIGHT - 44, WIDTH - 130

    def y(value: float) -> float:
        return bottom - (value - low) / span * (bottom - TOP)

    series = []
    for n, (level, points) in enumerate(chart.items()):
        shift = 6.0 * (n - (len(chart) - 1) / 2)
        marks = [
            {"x": _x(k, count, right) + shift, "y": y(p[0]), "low": y(p[1]), "high": y(p[2])}
            for k, p in enumerate(points)
            if p is not None
        ]
        if marks:
            line = " ".join(f"{m['x']:.1f},{m['y']:.1f}" for m in marks)
            colour = _COLOURS[n % len(_COLOURS)]
            series.append({"level": level, "marks": marks, "line": line, "colour": colour})
    ticks = [{"y": y(low + f * span), "text": f"{low + f * span:.2f}"} for f in (0, 0.5, 1)]
    places = [_x(k, count, right) for k in range(count)]
    return {"series": series, "ticks": ticks, "places": places, "bottom": bottom, "right": right}


def _x(index: int, count: int, right: float) -> float:
    return LEFT + 30 + (right - LEFT - 60) * (index / max(count - 1, 1))
