"""The figures of a report, as SVG: one code for the page, the PDF and the PNG.

matplotlib's `Figure` alone, never pyplot: no global state. Text stays text. Every figure comes
with an alternative text that says the result in words.

Colours are told apart by people with any colour vision (Okabe and Ito), and nothing is said by
colour alone: lines differ in width and dash, labels in shape.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from textwrap import wrap
from threading import RLock

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from mrs_disc.record.level import Level
from mrs_disc.report.curves import PPM_RANGE, Spectra
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
REGIONS = {"CARB": (3.4, 4.2)}
"""Components that fill a range; the others are named at their line."""
LABELLED = {"COL": (3.02, 1.71), "LIP": (0.90,)}
"""Where lines are named that are not at the component's first resonance."""

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
    factor = magnification(curves, top)
    unit = 100.0 * factor / top
    names = list(level.fit.metabolites)
    with styled():
        figure, place = framed(8.2, _BODY, head, foot)
        axes = figure.add_axes(place(0.112, 0.095, 0.868, 0.765))
        small = _residual_scale(curves, unit)
        zero, share = _components_place(curves, unit)
        _draw_bands(axes, curves, unit * small, zero)
        _draw_curves(axes, curves, unit, small)
        _draw_components(axes, curves, unit * share, zero, names)
        axes.set_xlim(PPM_RANGE[1], PPM_RANGE[0])
        axes.set_ylim(_BOTTOM, _TOP)
        axes.set_xticks([4.5, 4, 3.5, 3, 2.5, 2, 1.5, 1, 0.5])
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
            axes.text(4.53, height, text, ha="right", va="center", fontsize=8)
        axes.text(
            -0.078, (50 - _BOTTOM) / (_TOP - _BOTTOM), _axis_words(factor), rotation=90,
            ha="center", va="center", fontsize=8, transform=axes.transAxes,
        )  # fmt: skip
        axes.legend(
            loc="center left", bbox_to_anchor=(0.0, (_LEGEND_AT - _BOTTOM) / (_TOP - _BOTTOM)),
            ncols=3, frameon=False, fontsize=8, handlelength=1.8, borderaxespad=0.1,
            borderpad=0, columnspacing=1.2,
        )  # fmt: skip
        _name_regions(axes, level, names)
    return figure


Rectangle4 = tuple[float, float, float, float]
Place = Callable[[float, float, float, float], Rectangle4]


def framed(width: float, body: float, head: str, foot: str) -> tuple[Figure, Place]:
    """Return a figure with room for lines above and below, and what places axes in its body.

    Parameters
    ----------
    width, body : float
        Inches, without the lines.
    head, foot : str
        The lines; an empty one takes no room.
    """
    foot = "\n".join(wrap(foot, int(19.5 * width)))
    below = 0.08 + _FOOT * len(foot.splitlines()) if foot else 0.0
    height = body + (_HEAD if head else 0.0) + below
    figure = Figure(figsize=(width, height))
    if head:
        figure.text(0.012, 1 - 0.09 / height, head, fontsize=10, fontweight="bold", va="top")
    if foot:
        figure.text(0.012, 0.07 / height, foot, fontsize=7, color=GREY, va="bottom")

    def place(left: float, bottom: float, wide: float, tall: float) -> Rectangle4:
        return left, (below + bottom * body) / height, wide, tall * body / height

    return figure, place


def _axis_words(factor: float) -> str:
    if factor not in FACTORS:
        return "signal, scale of its own"
    return "signal (tallest level: 100)"


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


def _draw_curves(axes: Axes, curves: Spectra, unit: float, small: float) -> None:
    inside = curves.inside
    ppm = curves.ppm[inside]
    # Water, noise and a fit gone astray run out of their own room, not into other curves.
    room = Rectangle((PPM_RANGE[0], _LOWEST), PPM_RANGE[1] - PPM_RANGE[0], _HIGHEST - _LOWEST)
    room.set_transform(axes.transData)
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


def _name_regions(axes: Axes, level: Level, names: Sequence[str]) -> None:
    """Write what lies where above the curves; neighbours keep their distance."""
    assert level.fit is not None
    across = axes.get_xaxis_transform()
    wanted: list[tuple[float, str, str]] = []
    for k, name in enumerate(names):
        colour = _colour(name, k)
        word = component_word(name)
        if name in REGIONS:
            axes.plot(
                REGIONS[name], [1.01, 1.01], color=colour, lw=2, clip_on=False,
                transform=across, solid_capstyle="butt",
            )  # fmt: skip
            wanted.append((float(np.mean(REGIONS[name])), word, colour))
            continue
        first = level.fit.metabolites[name].ppm
        places = LABELLED.get(name) or ((first,) if first is not None else ())
        wanted += [(p, word, colour) for p in places if PPM_RANGE[0] < p < PPM_RANGE[1]]
    for place, (ppm, word, colour) in _spread(wanted, 0.14):
        axes.plot([ppm, place], [1.0, 1.03], color=colour, lw=0.8, clip_on=False, transform=across)
        axes.text(
            place, 1.045, word, rotation=32, fontsize=8, color=colour, transform=across,
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
    return re.sub(r"\s*\n\s*", " ", text)


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
