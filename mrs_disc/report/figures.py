"""The figures of a report, as SVG: one code for the page, the PDF and the PNG.

matplotlib's `Figure` alone, never pyplot: no global state. Text stays text. Every figure comes
with an alternative text that says the result in words.

Colours are told apart by people with any colour vision (Okabe and Ito), and nothing is said by
colour alone: lines differ in width and dash, labels in shape.
"""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import ceil, floor
from textwrap import wrap
from threading import RLock

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL import Image

from mrs_disc.record.level import Level
from mrs_disc.report.curves import (
    REGION_PPM,
    Place,
    Spectra,
    other_peaks,
)
from mrs_disc.report.marks import nice
from mrs_disc.report.words import component_word, number

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
_BESIDE_PPM = 0.1
"""How far beside the lines that it hides lipid is hatched."""

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


FACTORS = (
    50.0, 40.0, 30.0, 20.0, 15.0, 10.0, 8.0, 6.0, 5.0, 4.0, 3.0, 2.0,
    1.0, 2 / 3, 1 / 2, 1 / 3, 1 / 5, 1 / 10, 1 / 20, 1 / 50,
)  # fmt: skip
"""Beyond these a level has a scale of its own: its file has other units."""
_DEPTH = 0.36
"""How far below zero a level may reach: there the components begin."""


def magnification(curves: Spectra, top: float) -> float:
    """Return the factor by which a level is drawn larger or smaller than the others.

    One of `FACTORS`, or any other number: then the level has a scale of its own.
    """
    height = max(curves.top, 1e-30 * top) / top
    # Noise runs deep in a poor spectrum: all but its rarest spikes stay in view.
    depth = max(-float(np.quantile(curves.data[curves.inside], 0.005)), 0.0) / top
    if not 0.5 / FACTORS[0] < height < 1 / FACTORS[-1]:
        return 1 / max(height, depth / _DEPTH)

    def fits(factor: float) -> bool:
        return height * factor <= (0.9 if factor > 1 else 1.05) and depth * factor <= _DEPTH

    return next((f for f in FACTORS if fits(f)), FACTORS[-1])


def scale_words(factor: float) -> str:
    """Return the line that tells a level's vertical scale.

    >>> scale_words(1.0), scale_words(5.0), scale_words(0.5)
    ('Same vertical scale as the other levels.', 'Enlarged 5 times.', 'Reduced 2 times.')
    """
    if factor == 1:
        return "Same vertical scale as the other levels."
    if factor not in FACTORS:
        return "On a vertical scale of its own: its signal has other units than the tallest level."
    word, times = ("Enlarged", factor) if factor > 1 else ("Reduced", 1 / factor)
    return f"{word} {times:g} times."


# --------------------------------------------------------------------------- one level

_RESIDUAL_AT = 138.0
_LEGEND_AT = 113.0
_HIGHEST, _LOWEST = 108.0, -37.0
_COMPONENTS_ROOM = 62.0
_COMPONENTS_LEAST = 12.0
"""Height of the components' room, and of their zero line in it where none is negative."""
_BOTTOM, _TOP = -90.0, 157.0
_BODY, _HEAD, _FOOT = 4.7, 0.32, 0.14
"""Inches of height; of the foot, a line."""


def spectrum_figure(
    level: Level, curves: Spectra, top: float, head: str = "", foot: str = ""
) -> Figure:
    """Return data, fit, baseline, residual and components of one level, on one axis.

    Parameters
    ----------
    level : Level
        The level's record.
    curves : Spectra
        Its curves.
    top : float
        What stands for 100 on the vertical axis: see `curves.common_top`.
    head, foot : str
        Lines above and below, for a picture that stands alone.
    """
    assert level.fit is not None
    with styled():
        figure, place = framed(8.2, _BODY, head, foot)
        axes = figure.add_axes(place(0.112, 0.095, 0.618, 0.75))
        unit = draw_spectrum(axes, curves, level.fit.first_lines, top)
        names = list(level.fit.metabolites)
        _draw_acids(figure.add_axes(place(0.785, 0.36, 0.205, 0.36)), curves, unit, names)
    return figure


def draw_spectrum(
    axes: Axes,
    curves: Spectra,
    first_lines: Mapping[str, float | None],
    top: float,
    top_is: str = "tallest level",
) -> float:
    """Draw data, fit, baseline, residual and components of one level on given axes.

    Parameters
    ----------
    axes : Axes
        Anybody's; limits, ticks and spines become those of a spectrum.
    curves : Spectra
        The curves, which say what part of the axis is shown.
    first_lines : mapping of str to float or None
        The components in the order of the curves, with the ppm of the first line of each.
    top : float
        What stands for 100 on the vertical axis: see `curves.common_top`.
    top_is : str
        What that is, for the axis.

    Returns
    -------
    float
        What a point of a curve is multiplied with.
    """
    factor = magnification(curves, top)
    unit = 100.0 * factor / top
    names = list(first_lines)
    low, high = curves.shown
    small = _residual_scale(curves, unit)
    zero, share = _components_place(curves, unit)
    _draw_bands(axes, curves, unit * small, zero)
    _draw_curves(axes, curves, unit, small)
    _draw_components(axes, curves, unit * share, zero, names)
    named = _within(curves, first_lines)
    _hatch_lipid(axes, curves, unit, named, names)
    axes.set_xlim(high, low)
    axes.set_ylim(_BOTTOM, _TOP)
    axes.set_xticks(half_ppm(low, high))
    axes.set_xlabel("chemical shift (ppm)")
    shown = factor if factor in FACTORS else 1.0
    ticks = nice(0, 105 / shown, 3)
    axes.set_yticks([t * shown for t in ticks], [f"{t:g}" for t in ticks])
    axes.tick_params(length=3)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    for text, height in (
        ("residual" if small == 1 else f"residual\n× {small:g}", _RESIDUAL_AT),
        (f"components\n× {share:g}", zero + 6),
    ):
        axes.text(high + 0.0075 * (high - low), height, text, ha="right", va="center", fontsize=8)
    axes.text(
        -0.11, (50 - _BOTTOM) / (_TOP - _BOTTOM), _axis_words(factor, top_is), rotation=90,
        ha="center", va="center", fontsize=8, transform=axes.transAxes,
    )  # fmt: skip
    axes.legend(
        loc="center left", bbox_to_anchor=(0.0, (_LEGEND_AT - _BOTTOM) / (_TOP - _BOTTOM)),
        ncols=4, frameon=False, fontsize=8, handlelength=1.8, borderaxespad=0.1,
        borderpad=0, columnspacing=1.2,
    )  # fmt: skip
    _name_places(axes, [*named, *other_peaks(curves, names, named)], names)
    return unit


def _within(curves: Spectra, first_lines: Mapping[str, float | None]) -> list[Place]:
    """Return where the components' names stand.

    One that is highest at an end of what is shown has that line beyond it: it is named at its first
    line, where that is shown.
    """
    low, high = (float(end) for end in curves.ppm[curves.inside][[0, -1]])
    named = []
    for place in curves.places(first_lines):
        if not low < place.ppm < high:
            line = first_lines.get(place.name)
            if line is None or not low < line < high:
                continue
            place = Place(place.name, line, line, line, place.under)
        named.append(place)
    return named


def half_ppm(low: float, high: float) -> list[float]:
    """Return the ticks of an axis of chemical shift: every half ppm, from the left.

    >>> half_ppm(1.2, 3.0)
    [3.0, 2.5, 2.0, 1.5]
    """
    return [0.5 * n for n in range(floor(2 * high + 1e-9), ceil(2 * low - 1e-9) - 1, -1)]


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


def _axis_words(factor: float, top_is: str) -> str:
    if factor not in FACTORS:
        return "signal, scale of its own"
    return f"signal ({top_is}: 100)"


def _components_place(curves: Spectra, unit: float) -> tuple[float, float]:
    """Return the components' zero line and scale, so that no curve leaves their room."""
    shown = curves.components[:, curves.inside] * unit
    above, below = max(float(shown.max()), 0.0), max(-float(shown.min()), 0.0)
    scales = (0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.05, 0.02)
    share = next((s for s in scales if (above + below) * s <= _COMPONENTS_ROOM), 0.01)
    return _BOTTOM + max(_COMPONENTS_LEAST, below * share + 3), share


def _draw_bands(axes: Axes, curves: Spectra, unit: float, components_at: float) -> None:
    """Draw the zero lines, and two standard deviations of the noise behind the residual."""
    noise = 2 * curves.noise_sd * unit
    axes.axhspan(_RESIDUAL_AT - noise, _RESIDUAL_AT + noise, color="#e4e4e4", lw=0)
    for height in (0.0, components_at):
        axes.axhline(height, color=PALE, lw=0.6)


def _residual_scale(curves: Spectra, unit: float) -> float:
    """Return by how much the residual is made smaller, so that it keeps to its room."""
    extent = float(np.abs((curves.data - curves.fit)[curves.inside]).max()) * unit
    return next((s for s in (1.0, 0.5, 0.2, 0.1, 0.05, 0.02) if extent * s <= 18), 0.01)


def _main_room(axes: Axes, curves: Spectra) -> Rectangle:
    """Return the room of data and fit: water, noise and a fit gone astray do not leave it."""
    low, high = curves.shown
    room = Rectangle((low, _LOWEST), high - low, _HIGHEST - _LOWEST)
    room.set_transform(axes.transData)
    return room


def _draw_curves(axes: Axes, curves: Spectra, unit: float, small: float) -> None:
    inside = curves.inside
    ppm = curves.ppm[inside]
    room = _main_room(axes, curves)
    lines = (
        *axes.plot(curves.ppm, curves.data * unit, color=INK, lw=0.7, label="data"),
        *axes.plot(ppm, curves.fit[inside] * unit, color=FIT_COLOUR, lw=1.5, label="fit"),
        *axes.plot(
            ppm[::2], curves.baseline[inside][::2] * unit,
            color=GREY, lw=1.1, ls=(0, (4, 2)), label="baseline",
        ),
    )  # fmt: skip
    for line in lines:
        line.set_clip_path(room)
    residual = (curves.data - curves.fit)[inside] * unit * small
    axes.plot(ppm, _RESIDUAL_AT + residual, color=INK, lw=0.6)


def _draw_components(
    axes: Axes, curves: Spectra, unit: float, zero: float, names: Sequence[str]
) -> None:
    ppm = curves.ppm[curves.inside]
    for k in range(len(names)):
        curve = zero + curves.components[k][curves.inside][::2] * unit
        axes.plot(ppm[::2], curve, color=_colour(names[k], k), lw=1.1, ls=_dash(k))


def _colour(name: str, index: int) -> str:
    return COMPONENT_COLOUR.get(name) or list(COMPONENT_COLOUR.values())[index % 8]


def _dash(index: int) -> str | tuple[int, tuple[int, ...]]:
    return ("-", (0, (5, 1)), (0, (2, 1)), (0, (4, 1, 1, 1)))[index % 4]


def _hatch_lipid(
    axes: Axes, curves: Spectra, unit: float, named: Sequence[Place], names: Sequence[str]
) -> None:
    """Hatch what lipid adds to the fit where it hides other components."""
    hidden = [place for place in named if place.under == LIPID]
    if not hidden:
        return
    low = min(place.low for place in hidden) - _BESIDE_PPM
    high = max(place.high for place in hidden) + _BESIDE_PPM
    shown = curves.inside
    ppm, baseline = curves.ppm[shown], curves.baseline[shown]
    lipid = curves.components[list(names).index(LIPID)][shown]
    part = (ppm >= low) & (ppm <= high)
    area = axes.fill_between(
        ppm[part][::2], (baseline * unit)[part][::2], ((baseline + lipid) * unit)[part][::2],
        facecolor="none", edgecolor=COMPONENT_COLOUR[LIPID], hatch="////", lw=0, label="lipid",
    )  # fmt: skip
    area.set_clip_path(_main_room(axes, curves))


ACIDS_RANGE = (0.6, 1.8)
ACIDS = ("LIP", "LAC", "ALA", "PA")
"""What is laid one on another between these ends, over the baseline."""


def _draw_acids(axes: Axes, curves: Spectra, unit: float, names: Sequence[str]) -> None:
    """Draw lipid and the acids enlarged: each as the area that it adds to the fit."""
    shown = (curves.ppm >= ACIDS_RANGE[0]) & (curves.ppm <= ACIDS_RANGE[1])
    ppm, data, fit, below = (
        row[shown] for row in (curves.ppm, curves.data, curves.fit, curves.baseline)
    )
    axes.plot(ppm, data * unit, color=INK, lw=0.6)
    axes.plot(ppm[::3], below[::3] * unit, color=GREY, lw=0.9, ls=(0, (4, 2)))
    for name in (name for name in ACIDS if name in names):
        k = list(names).index(name)
        above = below + curves.components[k][shown]
        colour = _colour(name, k)
        look = (
            {"facecolor": "none", "edgecolor": colour, "hatch": "////"}
            if name == LIPID
            else {"facecolor": colour, "alpha": 0.45}
        )
        axes.fill_between(
            ppm[::3], below[::3] * unit, above[::3] * unit, lw=0, label=component_word(name), **look
        )
        below = above
    axes.plot(ppm[::2], fit[::2] * unit, color=FIT_COLOUR, lw=1.1)
    axes.set_xlim(ACIDS_RANGE[1], ACIDS_RANGE[0])
    ends = np.concatenate([data, fit]) * unit
    axes.set_ylim(min(float(ends.min()), 0.0) * 1.05, max(float(ends.max()), 1e-9) * 1.08)
    axes.set_xticks([1.8, 1.4, 1.0, 0.6])
    axes.set_yticks([])
    axes.tick_params(length=3, labelsize=7.5)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.set_title("acids and lipid, enlarged", fontsize=8, pad=4)
    axes.set_xlabel("ppm", fontsize=8, labelpad=1)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="upper left", bbox_to_anchor=(0.0, -0.26), ncols=2, frameon=False,
                    fontsize=7.5, handlelength=1.3, columnspacing=0.8, borderpad=0)  # fmt: skip


def _name_places(axes: Axes, named: Sequence[Place], names: Sequence[str]) -> None:
    """Write above the curves what lies where: each name at its component's strongest line.

    Neighbours keep their distance. In parentheses: another component is far higher at this place.
    """
    across = axes.get_xaxis_transform()
    wanted: list[tuple[float, str, str]] = []
    for at in named:
        colour = _colour(at.name, list(names).index(at.name))
        word = component_word(at.name)
        if at.under:
            word = f"({word})"
        middle = at.ppm
        if at.high - at.low > REGION_PPM:
            axes.plot(
                (at.low, at.high), [1.01, 1.01], color=colour, lw=2, clip_on=False,
                transform=across, solid_capstyle="butt",
            )  # fmt: skip
            middle = 0.5 * (at.low + at.high)
        wanted.append((middle, word, colour))
    for place, (ppm, word, colour) in _spread(wanted, 0.14):
        axes.plot([ppm, place], [1.0, 1.03], color=colour, lw=0.8, clip_on=False, transform=across)
        axes.text(
            place, 1.045, word, rotation=38, fontsize=8, color=colour, transform=across,
            ha="left", va="bottom", rotation_mode="anchor",
        )  # fmt: skip


def _spread(
    wanted: list[tuple[float, str, str]], gap: float
) -> list[tuple[float, tuple[float, str, str]]]:
    """Return places of labels at least `gap` ppm apart, near where they belong."""
    wanted = sorted(wanted, reverse=True)
    places = np.array([w[0] for w in wanted])
    for _ in range(50):
        tight = np.flatnonzero(-np.diff(places) < gap - 1e-9)
        if tight.size == 0:
            break
        for k in tight:
            push = (gap - (places[k] - places[k + 1])) / 2
            if push > 0:
                places[k] += push
                places[k + 1] -= push
    return list(zip(places.tolist(), wanted, strict=True))


# --------------------------------------------------------------------------- files


def svg(figure: Figure) -> str:
    """Return a figure as compact SVG: no clock, coordinates of two decimals."""
    buffer = io.StringIO()
    with styled():
        FigureCanvasSVG(figure).print_svg(
            buffer, metadata={"Date": None, "Creator": None, "Format": None, "Type": None}
        )
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"(\d+\.\d\d)\d+", r"\1", text)
    text = _PICTURE.sub(_grey_picture, text)
    text = re.sub(r"\s*\n\s*", " ", text)
    for pattern, shorter in _SHORTER:
        text = pattern.sub(shorter, text)
    return text


_SHORTER = (
    (re.compile(r' id="(?:figure|axes|patch|text|line2d|[xy]tick|matplotlib\.axis)_\d+"'), ""),
    (re.compile(r' transform="rotate\(-0 [^"]*\)"'), ""),
    (re.compile(r" ?/> <"), "/><"),
    (re.compile(r"(?<=[a-z]: )'DejaVu Sans'"), "DejaVu Sans"),
)
"""What matplotlib writes at length, and a page of many figures carries: names of groups that
nothing refers to, turns by nothing, blanks."""


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


# --------------------------------------------------------------------------- in words


def spectrum_alt(level: Level, factor: float) -> str:
    """Return the alternative text of a level's spectrum."""
    assert level.fit is not None
    assert level.quality is not None
    peak = level.fit.quality_peak
    height = number(level.quality.snr, 2)
    return (
        f"Spectrum of {level.title} from 4.5 to 0.5 ppm with fit, baseline, residual and "
        f"components. Signal-to-noise ratio of {component_word(peak)}: {height}; "
        f"quality {level.quality.verdict}; residual {number(level.fit.residual_ratio, 2)} times "
        f"the noise. {scale_words(factor)}"
    )
