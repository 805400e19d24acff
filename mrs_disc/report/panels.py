"""Small axes in SVG without matplotlib, whose axes cost 20 ms each: for what stands in every level.

Units are those of the picture; its text is that of the figures, in a font that the PDF embeds.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import escape
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from mrs_disc.report.marks import Scale, points

INK, EDGE = "#1c1c1c", "#595959"
TITLE, TICK, LABEL = 11.8, 11.0, 11.4
"""Sizes of text: of a picture 820 wide they are those of the figures that stand beside it."""


def picture(width: float, height: float, parts: Sequence[str]) -> str:
    """Return an SVG of its parts."""
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'width="{width:g}" height="{height:g}" viewBox="0 0 {width:g} {height:g}" '
        f'font-family="DejaVu Sans" font-size="{LABEL}" fill="{INK}">{"".join(parts)}</svg>'
    )


def grey_png(image: NDArray[np.uint8]) -> str:
    """Return a grey picture as the address of an image."""
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "png")
    return f"data:image/png;base64,{base64.b64encode(stream.getvalue()).decode()}"


def text(x: float, y: float, words: str, *, size: float = LABEL, anchor: str = "start") -> str:
    """Return words at a place of their baseline."""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size:g}" text-anchor="{anchor}">'
        f"{escape(words)}</text>"
    )


def stroke(colour: str, width: float, dashes: str = "") -> str:
    """Return the attributes of a line."""
    dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
    return f'fill="none" stroke="{colour}" stroke-width="{width:g}"{dashed}'


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """Axes in a picture: where they stand, and the values at their ends.

    Parameters
    ----------
    left, top, width, height : float
        In units of the picture.
    x, y : tuple of float
        Values at the left and the right, at the foot and at the top.
    """

    left: float
    top: float
    width: float
    height: float
    x: tuple[float, float]
    y: tuple[float, float]

    @property
    def across(self) -> Scale:
        """From a value to its place from the left of the picture."""
        return Scale(*self.x, self.left, self.left + self.width)

    @property
    def up(self) -> Scale:
        """From a value to its place from the top of the picture."""
        return Scale(*self.y, self.top + self.height, self.top)

    def places(self, x: ArrayLike, y: ArrayLike) -> list[tuple[float, float]]:
        """Return where values lie in the picture."""
        xs, ys = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
        across = self.left + (xs - self.x[0]) / (self.x[1] - self.x[0]) * self.width
        foot = self.top + self.height
        up = foot - (ys - self.y[0]) / (self.y[1] - self.y[0]) * self.height
        return list(zip(across.tolist(), up.tolist(), strict=True))

    def line(self, x: ArrayLike, y: ArrayLike, look: str) -> str:
        """Return a line through values; `look` is from `stroke`."""
        return f'<polyline points="{points(self.places(x, y))}" {look} stroke-linejoin="round"/>'

    def frame(
        self, x_ticks: Sequence[float], y_ticks: Sequence[float], title: str, x_label: str
    ) -> str:
        """Return the axes at the left and below, with their numbers, the title and a label."""
        foot, right = self.top + self.height, self.left + self.width
        edges = [f"M{self.left:.1f} {self.top:.1f}V{foot:.1f}H{right:.1f}"]
        words = [
            text(self.left, self.top - 6, title, size=TITLE),
            text(self.left + self.width / 2, foot + 30, x_label, anchor="middle", size=LABEL),
        ]
        for tick in x_ticks:
            at = self.across(tick)
            edges.append(f"M{at:.1f} {foot:.1f}v4")
            words.append(text(at, foot + 16, _number(tick), size=TICK, anchor="middle"))
        for tick in y_ticks:
            at = self.up(tick)
            edges.append(f"M{self.left:.1f} {at:.1f}h-4")
            words.append(text(self.left - 7, at + 4, _number(tick), size=TICK, anchor="end"))
        return f'<path d="{"".join(edges)}" {stroke(EDGE, 1)}/>{"".join(words)}'


def _number(value: float) -> str:
    return f"{value:g}".replace("-", "\N{MINUS SIGN}")
