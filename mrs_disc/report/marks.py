"""Round ticks for every axis, and the small pictures that stand in the lines of a page.

Decision: what is read by its numbers is drawn by matplotlib (`figures`). A bar in each of a
thousand rows, or a mark that an act on the review page changes, is a few elements of SVG in the
page itself: it follows the page's style sheet and its policy on content, which matplotlib's inline
styles would break, and costs no plotting library. All of them share one scale and one frame.

Refused: matplotlib's MaxNLocator for the ticks. It gives other numbers, and ends outside the range.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from markupsafe import Markup


def nice(low: float, high: float, n: int) -> list[float]:
    """Return about `n` round numbers between two ends: for an axis with room for its numbers.

    >>> nice(0, 105, 3), nice(1, 64, 6)
    ([0.0, 50.0, 100.0], [20.0, 40.0, 60.0])
    """
    rough = max((high - low) / n, 1e-12)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(s * power for s in (1, 2, 5, 10) if s * power >= rough)
    return _multiples(low, high, step)


def few(low: float, high: float, least: int, most: int) -> list[float]:
    """Return `least` to `most` round numbers between two ends: for a narrow axis.

    Between ends that hold no such set, the middle, rounded.

    >>> few(-1.36, 0.8, 3, 6), few(0.2, 0.9, 2, 4)
    ([-1.0, -0.5, 0.0, 0.5], [0.2, 0.4, 0.6, 0.8])
    """
    power = 10.0 ** math.floor(math.log10((high - low) / 2))
    for step in (5 * power, 2 * power, power, power / 2, power / 5):
        numbers = _multiples(low, high, step)
        if least <= len(numbers) <= most:
            return numbers
    return [float(f"{(low + high) / 2:.2g}")]


@dataclass(frozen=True, slots=True)
class Scale:
    """From a value to its place along a picture, in its units.

    >>> Scale(0.0, 2.0, 40.0, 240.0)(0.5)
    90.0
    """

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """Return the place of a value."""
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)


def points(places: Iterable[tuple[float, float]]) -> str:
    """Return places as the attribute of an SVG line or polygon.

    >>> points([(1, 2.25), (3, 4)])
    '1.0,2.2 3.0,4.0'
    """
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in places)


def bar(x: float, y: float, width: float, height: float, kind: str) -> Markup:
    """Return a rectangle whose colour the page's style gives to its `kind`."""
    return Markup('<rect x="{}" y="{}" width="{}" height="{}" class="{}"/>').format(
        *(f"{v:.2f}" for v in (x, y, width, height)), kind
    )


def bars(width: float, height: float, parts: Iterable[Markup]) -> Markup:
    """Return a picture of bars; it is for the eye alone, the numbers stand beside it."""
    head = Markup('<svg width="{0}" height="{1}" viewBox="0 0 {0} {1}" {2}>')
    rest = Markup('preserveAspectRatio="none" aria-hidden="true" focusable="false"')
    return head.format(width, height, rest) + Markup("").join(parts) + Markup("</svg>")


def _multiples(low: float, high: float, step: float) -> list[float]:
    first, last = math.ceil(low / step), math.floor(high / step)
    return [float(f"{k * step:.12g}") for k in range(first, last + 1)]
