"""Lipid and the acids enlarged, 0.6 to 1.8 ppm: each as the area that it adds to the fit.

Drawn on the figure itself: axes of its own would take a fifth of the figure's time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Polygon, Rectangle
from matplotlib.transforms import Affine2D, Transform

from mrs_disc.report.curves import Spectra
from mrs_disc.report.look import FIT_COLOUR, GREY, INK, LIPID, Rectangle4, component_colour
from mrs_disc.report.words import component_word
from mrs_disc.typing import FloatArray

ACIDS_RANGE = (0.6, 1.8)
ACIDS = ("LIP", "LAC", "ALA", "PA")
"""What is laid one on another between these ends, over the baseline."""
_LEAST_NOISE = 12.0
"""So many standard deviations of noise the enlarged part shows at least: noise is no peak."""


def draw_acids(
    figure: Figure, place: Rectangle4, curves: Spectra, unit: float, names: Sequence[str]
) -> None:
    """Draw lipid and the acids enlarged.

    Parameters
    ----------
    figure : Figure
        Where to.
    place : tuple of float
        Left, bottom, width and height in shares of the figure.
    curves : Spectra
        The level's curves.
    unit : float
        What a point of a curve is multiplied with.
    names : sequence of str
        The components in the order of the curves.
    """
    shown = (curves.ppm >= ACIDS_RANGE[0]) & (curves.ppm <= ACIDS_RANGE[1])
    ppm = curves.ppm[shown]
    data, fit, below = (row[shown] * unit for row in (curves.data, curves.fit, curves.baseline))
    to = _transform(figure, place, np.concatenate([data, fit, below]), curves.noise_sd * unit)

    def line(x: FloatArray, y: FloatArray, **look: Any) -> None:
        figure.add_artist(Line2D(x, y, transform=to, **look))

    line(ppm, data, color=INK, lw=0.6)
    line(ppm[::3], below[::3], color=GREY, lw=0.9, ls=(0, (4, 2)))
    for n, name in enumerate(name for name in ACIDS if name in names):
        k = list(names).index(name)
        above = below + curves.components[k][shown] * unit
        look = _look(name, k)
        around = np.column_stack(
            [np.r_[ppm[::3], ppm[::3][::-1]], np.r_[below[::3], above[::3][::-1]]]
        )
        figure.add_artist(Polygon(around, lw=0, transform=to, **look))
        _write_key(figure, place, n, name, look)
        below = above
    line(ppm[::2], fit[::2], color=FIT_COLOUR, lw=1.1)
    _write_axis(figure, place)


def _transform(
    figure: Figure, place: Rectangle4, heights: FloatArray, noise_sd: float
) -> Transform:
    """Return what brings ppm and heights to their place in the figure."""
    left, bottom, wide, tall = place
    low, high = float(heights.min()), float(heights.max())
    room = max(high - low, _LEAST_NOISE * noise_sd, 1e-9)
    low = 0.5 * (low + high) - 0.5 * room
    data = Affine2D().translate(-ACIDS_RANGE[1], -low)
    data = data.scale(wide / (ACIDS_RANGE[0] - ACIDS_RANGE[1]), tall / room)
    return data.translate(left, bottom) + figure.transFigure


def _look(name: str, index: int) -> dict[str, Any]:
    colour = component_colour(name, index)
    if name == LIPID:
        return {"facecolor": "none", "edgecolor": colour, "hatch": "////"}
    return {"facecolor": colour, "alpha": 0.45}


def _inch(figure: Figure) -> float:
    return 1 / float(figure.get_size_inches()[1])


def _write_key(figure: Figure, place: Rectangle4, n: int, name: str, look: dict[str, Any]) -> None:
    """Write what an area stands for, two in a row below the axis."""
    inch = _inch(figure)
    x, y = place[0] + 0.11 * (n % 2), place[1] - inch * (0.5 + 0.15 * (n // 2))
    box = Rectangle(
        (x, y - 0.035 * inch), 0.016, 0.07 * inch, lw=0, transform=figure.transFigure, **look
    )
    figure.add_artist(box)
    figure.text(x + 0.022, y, component_word(name), fontsize=7.5, ha="left", va="center")


def _write_axis(figure: Figure, place: Rectangle4) -> None:
    """Write the title, and the axis with its numbers."""
    left, bottom, wide, tall = place
    inch, middle = _inch(figure), left + wide / 2
    foot = [(left, bottom), (left + wide, bottom)]
    words = [
        (middle, bottom + tall + 0.1 * inch, "acids and lipid, enlarged", 8.0),
        (middle, bottom - 0.28 * inch, "ppm", 8.0),
    ]
    for at in (1.8, 1.4, 1.0, 0.6):
        x = left + wide * (ACIDS_RANGE[1] - at) / (ACIDS_RANGE[1] - ACIDS_RANGE[0])
        foot += [(x, bottom), (x, bottom - 0.042 * inch), (x, bottom)]
        words.append((x, bottom - 0.13 * inch, f"{at:.1f}", 7.5))
    xs, ys = zip(*foot, strict=True)
    figure.add_artist(Line2D(xs, ys, color=GREY, lw=0.7, transform=figure.transFigure))
    for x, y, text, size in words:
        figure.text(x, y, text, fontsize=size, ha="center", va="center")
