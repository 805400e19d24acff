"""How the figures of a report look, and how they become files: one style for page, PDF and PNG.

matplotlib's `Figure` alone, never pyplot: no global state. Text stays text.

Colours are told apart by people with any colour vision (Okabe and Ito), and nothing is said by
colour alone: lines differ in width and dash, labels in shape.
"""

from __future__ import annotations

import base64
import gc
import io
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from textwrap import wrap
from threading import RLock
from typing import Literal

import matplotlib as mpl
from matplotlib.backends.backend_svg import RendererSVG
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path
from PIL import Image

INK = "#1c1c1c"
GREY = "#595959"
PALE = "#d9d9d9"
FIT_COLOUR = "#b3261e"
LABEL_COLOUR = {
    "likely painful": "#9a1b1b",
    "indeterminate": "#4d4d4d",
    "unlikely painful": "#1b4f8f",
}
LABEL_MARKER = {"likely painful": "D", "indeterminate": "o", "unlikely painful": "s"}
COMPONENT_COLOUR = {
    "PG": "#0072b2",
    "LAC": "#b3261e",
    "ALA": "#a35200",
    "PA": "#8a5a83",
    "CHO": "#006b4f",
    "CARB": "#5a6b00",
    "COL": "#5b3fa0",
    "LIP": "#6e6e6e",
}
LIPID = "LIP"
STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "mrs_disc",
    "font.family": "DejaVu Sans",
    "font.size": 8.5,
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.linewidth": 0.7,
    "lines.solid_joinstyle": "round",
    "path.simplify": True,
    "path.simplify_threshold": 0.2,
    "figure.dpi": 100,
}


_LOCK = RLock()


@contextmanager
def styled() -> Iterator[None]:
    """Draw in the style of the report; one thread at a time, as the settings are global."""
    with _LOCK, mpl.rc_context(STYLE):
        yield


@contextmanager
def dropped() -> Iterator[None]:
    """Draw figures that are gone at the end, and clear them away there.

    A figure is some ten thousand objects in cycles. Left to itself, Python's collector goes through
    all that the program holds once every few figures, which is a third of a report's time; here it
    goes through these alone. Where the program has switched it off, nothing is done.
    """
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.collect(0)


def component_colour(name: str, index: int) -> str:
    """Return the colour of a component; `index` is its place among the others."""
    return COMPONENT_COLOUR.get(name) or list(COMPONENT_COLOUR.values())[index % 8]


def component_dash(index: int) -> str | tuple[int, tuple[int, ...]]:
    """Return the dash of the component at this place among the others."""
    return ("-", (0, (5, 1)), (0, (2, 1)), (0, (4, 1, 1, 1)))[index % 4]


_HEAD, _FOOT = 0.32, 0.14
"""Inches of height of the lines above, and of one line below."""
Rectangle4 = tuple[float, float, float, float]
Placing = Callable[[float, float, float, float], Rectangle4]


def framed(
    width: float, body: float, head: str, foot: str, new: Callable[..., Figure] = Figure
) -> tuple[Figure, Placing]:
    """Return a figure with room for lines above and below, and what places axes in its body.

    Parameters
    ----------
    width, body : float
        Inches, without the lines.
    head, foot : str
        The lines; an empty one takes no room.
    new : callable
        Makes the figure; that of pyplot shows it.
    """
    foot = "\n".join(wrap(foot, int(19.5 * width)))
    below = 0.08 + _FOOT * len(foot.splitlines()) if foot else 0.0
    height = body + (_HEAD if head else 0.0) + below
    figure = new(figsize=(width, height))
    if head:
        figure.text(0.012, 1 - 0.09 / height, head, fontsize=10, fontweight="bold", va="top")
    if foot:
        figure.text(0.012, 0.07 / height, foot, fontsize=7, color=GREY, va="bottom")

    def place(left: float, bottom: float, wide: float, tall: float) -> Rectangle4:
        return left, (below + bottom * body) / height, wide, tall * body / height

    return figure, place


# --------------------------------------------------------------------------- files


def svg(figure: Figure) -> str:
    """Return a figure as compact SVG: no clock, coordinates of two decimals, lines by steps."""
    buffer = io.StringIO()
    dpi = figure.dpi
    width, height = (72 * float(inches) for inches in figure.get_size_inches())
    nothing = {"Date": None, "Creator": None, "Format": None, "Type": None}
    with styled():
        figure.dpi = 72  # what SVG counts in
        renderer = _Renderer(width, height, buffer, image_dpi=dpi, metadata=nothing)
        figure.draw(renderer)
        renderer.finalize()
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = _BEYOND.sub("", text)
    text = _PICTURE.sub(_grey_picture, text)
    text = " ".join(line for each in text.split("\n") if (line := each.strip()))
    for pattern in _NAMES_AND_TURNS:
        text = pattern.sub("", text)
    for long, short in _SHORTER:
        text = text.replace(long, short)
    return _LINE.sub(_in_steps, text)


class _Renderer(RendererSVG):  # type: ignore[misc]  # has no types
    """Matplotlib's, but a text is measured once: figures of many levels share their words."""

    def get_text_width_height_descent(
        self, s: str, prop: FontProperties, ismath: bool | Literal["TeX"]
    ) -> tuple[float, float, float]:
        return _text_size(s, prop.copy(), ismath)  # a copy, since its owner may change it


@lru_cache(maxsize=1024)
def _text_size(
    text: str, font: FontProperties, ismath: bool | Literal["TeX"]
) -> tuple[float, float, float]:
    width, height, descent = text_to_path.get_text_width_height_descent(text, font, ismath)
    return width, height, descent


_BEYOND = re.compile(r"(?<=\.[0-9][0-9])[0-9]+")
_NAMES_AND_TURNS = (
    re.compile(r' id="(?:figure|axes|patch|text|line2d|[xy]tick|matplotlib\.axis)_\d+"'),
    re.compile(r' transform="rotate\(-0 [^"]*\)"'),
)
_SHORTER = (
    (" /> <", "/><"),
    ("/> <", "/><"),
    (": 'DejaVu Sans'", ": DejaVu Sans"),
)
"""What matplotlib writes at length, and a page of many figures carries: names of groups that
nothing refers to, turns by nothing, blanks."""


_LINE = re.compile(r"M (-?[0-9.]+ -?[0-9.]+)(?: L -?[0-9.]+ -?[0-9.]+)+")
"""A line through places, as matplotlib writes it."""


def _in_steps(line: re.Match[str]) -> str:
    """Return a line with the step from each place to the next: half as long for a spectrum.

    Steps are between places as written, in hundredths: they add up to them without an error.
    """
    places = [round(100 * float(x)) for x in line[0][2:].replace(" L", "").split()]
    steps = map(int.__sub__, places[2:], places)
    return f"M{line[1]}l{''.join(map(_hundredths, steps)).removeprefix(' ')}"


@lru_cache(maxsize=4096)
def _hundredths(count: int) -> str:
    """Return a number of hundredths after what parts it from the number before: sign or blank."""
    number = f"{abs(count) / 100:.2f}".rstrip("0").rstrip(".")
    return ("-" if count < 0 else " ") + (number.removeprefix("0") or "0")


_PICTURE = re.compile(r"data:image/png;base64,([A-Za-z0-9+/=\s]+)")


def _grey_picture(found: re.Match[str]) -> str:
    """Return an embedded grey picture with one channel: matplotlib writes four."""
    with Image.open(io.BytesIO(base64.b64decode(found[1]))) as picture:
        red, green, blue, alpha = picture.convert("RGBA").split()
        if red.tobytes() != green.tobytes() or red.tobytes() != blue.tobytes():
            return found[0]
        if alpha.getextrema() != (255, 255):
            return found[0]
        buffer = io.BytesIO()
        red.save(buffer, "png", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def png(figure: Figure, dpi: int = 200, words: str = "") -> bytes:
    """Return a figure as PNG, without a clock; `words` tell it to who cannot see it."""
    buffer = io.BytesIO()
    metadata = {"Software": None} | ({"Description": words} if words else {})
    with styled():
        figure.savefig(buffer, format="png", dpi=dpi, metadata=metadata)
    return buffer.getvalue()
