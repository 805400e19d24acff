"""The spectrum of a level as a figure, with what it says in words: for the page, PDF and PNG.

How figures look and become files stands in `look`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil, floor

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from mrs_disc.record.level import Level
from mrs_disc.report.acids import draw_acids
from mrs_disc.report.curves import (
    REGION_PPM,
    Place,
    Spectra,
    other_peaks,
)
from mrs_disc.report.look import (
    COMPONENT_COLOUR,
    FIT_COLOUR,
    GREY,
    INK,
    LIPID,
    PALE,
    component_colour,
    component_dash,
    framed,
    styled,
)
from mrs_disc.report.look import png as png
from mrs_disc.report.look import svg as svg
from mrs_disc.report.marks import nice
from mrs_disc.report.words import component_word, number

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
_BODY = 4.7
"""Inches of height, without the lines above and below."""


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
        draw_acids(figure, place(0.785, 0.36, 0.205, 0.36), curves, unit, names)
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
    axes.set_xlim(high, low)  # before the curves, which would be measured for limits of their own
    axes.set_ylim(_BOTTOM, _TOP)
    _draw_bands(axes, curves, unit * small, zero)
    _draw_curves(axes, curves, unit, small)
    _draw_components(axes, curves, unit * share, zero, names)
    named = _within(curves, first_lines)
    _hatch_lipid(axes, curves, unit, named, names)
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
        axes.plot(
            ppm[::2], curve, color=component_colour(names[k], k), lw=1.1, ls=component_dash(k)
        )


_BESIDE_PPM = 0.1
"""How far beside the lines that it hides lipid is hatched."""


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


def _name_places(axes: Axes, named: Sequence[Place], names: Sequence[str]) -> None:
    """Write above the curves what lies where: each name at its component's strongest line.

    Neighbours keep their distance. In parentheses: another component is far higher at this place.
    """
    across = axes.get_xaxis_transform()
    wanted: list[tuple[float, str, str]] = []
    for at in named:
        colour = component_colour(at.name, list(names).index(at.name))
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
