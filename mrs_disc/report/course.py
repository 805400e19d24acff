"""The course of one person's discs over time as a small page and a table, from plain values."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

from mrs_disc.constants import RESEARCH_USE
from mrs_disc.report.bands import BAND_COLOUR, BAND_COLOURS, Band
from mrs_disc.report.marks import Scale, few, points
from mrs_disc.report.words import decimals, harmless, interval, rounded

WIDTH, HEIGHT, LEFT, TOP = 640, 280, 60, 16
_COLOURS = ("#1b4f8f", "#9a1b1b", "#2e6b2e", "#8a5a00", "#5b3a8c", "#00666e", "#7a2f5c")

Point = tuple[float | None, float | None, float]


def course_csv(rows: Sequence[Mapping[str, Any]]) -> bytes:
    """Return the changes as a table: one row per level and quantity, empty where unknown."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    for row in rows:
        cells = {k: f"{v:.10g}" if isinstance(v, float) else v for k, v in row.items()}
        writer.writerow(cells)
    return text.getvalue().encode("utf-8")


def course_html(
    *,
    names: Sequence[str],
    dates: Sequence[str],
    judged: Sequence[Mapping[str, Any]],
    changes: Sequence[Mapping[str, Any]],
    repeatability: Sequence[Mapping[str, Any]],
    notes: Sequence[str],
    errors: Sequence[str],
    chart: Mapping[str, Sequence[Point | None]],
    quantity: str,
    bands: Sequence[Band] = (),
) -> bytes:
    """Return the page.

    Parameters
    ----------
    names : sequence of str
        The examinations in the order of time.
    dates : sequence of str
        Day of each, where the user gave it; else empty.
    judged : sequence of mapping
        level, and seen: label, shape, kind, more, quality of each examination.
    changes : sequence of mapping
        level, quantity, values (texts, one per examination), change, verdict.
    repeatability : sequence of mapping
        quantity, coefficient, freedom, expected.
    errors : sequence of str
        Which errors the intervals of the changes are made from: "repetition", "truth".
    notes : sequence of str
        What a reader has to know before believing a change.
    chart : mapping
        Level to (value, low, high) per examination; (None, None, limit) for an upper limit.
    quantity : str
        What the chart shows.
    bands : sequence of Band
        Where the discs of the score model's classes lie.
    """
    from mrs_disc.report.html import rendered  # here, so that the command's help stays quick

    return rendered(
        "course.html.j2",
        names=[harmless(name, 120) for name in names],
        dates=[harmless(day, 20) for day in dates],
        judged=judged,
        changes=changes,
        repeatability=repeatability,
        notes=[harmless(note, 600) for note in notes],
        errors=errors,
        drawing=_drawing(chart, len(names), bands),
        quantity=quantity,
        notice=RESEARCH_USE,
        width=WIDTH,
        height=HEIGHT,
        left=LEFT,
        top=TOP,
    ).encode("utf-8")


def value_words(
    value: float | None, low: float | None, high: float | None, limit: str | None = None
) -> str:
    """Return a value with its 95 % interval; digits follow the interval.

    >>> value_words(-0.0696, -0.493, 0.354), value_words(0.05, 0, 0.489, "upper")
    ('−0.07 (−0.49 to 0.35)', '< 0.49')
    """
    spread = None if low is None or high is None else (high - low) / 4
    if limit is not None and high is not None:
        return f"< {rounded(high, decimals(abs(high) / 4, high))}"
    if value is None:
        return "–"
    places = decimals(spread, value)
    text = rounded(value, places)
    return text if spread is None else f"{text} ({interval(low, high, places)})"


def change_words(difference: float, low: float | None, high: float | None) -> str:
    """Return a change with its sign and 95 % interval.

    >>> change_words(36.8, -8.57, 87.1)
    '+37 (−9 to +87)'
    """
    spread = None if low is None or high is None else (high - low) / 4
    places = decimals(spread, difference)
    # the leading digit of an interval's end may be all that tells it from zero
    if spread is not None and low is not None and high is not None and low * high > 0:
        places = max(places, decimals(min(abs(low), abs(high))))

    def signed(value: float) -> str:
        text = rounded(value, places)
        return text if text.startswith("\N{MINUS SIGN}") or not value else f"+{text}"

    ends = f" ({signed(low)} to {signed(high)})" if low is not None and high is not None else ""
    return signed(difference) + ends


def _drawing(
    chart: Mapping[str, Sequence[Point | None]], count: int, bands: Sequence[Band] = ()
) -> dict[str, Any] | None:
    """Return what the chart's lines and marks are, in pixels; `None` where nothing is known."""
    known = [point for course in chart.values() for point in course if point is not None]
    if not known:
        return None
    ends = [end for point in known for end in point if end is not None]
    margin = 0.05 * (max(ends) - min(ends)) or 0.5  # no mark on the frame
    low, high = min(ends) - margin, max(ends) + margin
    bottom, right = HEIGHT - 44, WIDTH - 130
    y = Scale(low, high, bottom, TOP)
    x = Scale(0, max(count - 1, 1), LEFT + 30, right - 30)
    series = []
    for n, (level, course) in enumerate(chart.items()):
        shift = 6.0 * (n - (len(chart) - 1) / 2)
        marks, limits = [], []
        for k, point in enumerate(course):
            if point is None:
                continue
            value, below, above = point
            across = x(k) + shift
            if value is None or below is None:
                limits.append({"x": across, "y": y(above)})
            else:
                marks.append({"x": across, "y": y(value), "low": y(below), "high": y(above)})
        if marks or limits:
            series.append(
                {
                    "level": level,
                    "marks": marks,
                    "limits": limits,
                    "line": points((m["x"], m["y"]) for m in marks),
                    "colour": _COLOURS[n % len(_COLOURS)],
                }
            )
    ticks = [
        {"y": y(v), "text": f"{v:g}".replace("-", "\N{MINUS SIGN}")} for v in few(low, high, 3, 8)
    ]
    places = [x(k) for k in range(count)]
    return {
        "bands": _shaded(bands, y, low, high),
        "series": series,
        "ticks": ticks,
        "places": places,
        "bottom": bottom,
        "right": right,
    }


def _shaded(bands: Sequence[Band], y: Scale, low: float, high: float) -> list[dict[str, Any]]:
    """Return the bands as rectangles, as far as they lie in the chart."""
    inside = [(b.name, max(b.low, low), min(b.high, high)) for b in bands]
    return [
        {
            "name": name,
            "y": y(top),
            "height": y(foot) - y(top),
            "fill": BAND_COLOURS.get(name, BAND_COLOUR),
        }
        for name, foot, top in inside
        if top > foot
    ]
