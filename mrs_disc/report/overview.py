"""The overview: all levels side by side on one picture, with the anatomy or a drawn spine.

One row a level, the run of best quality; score, acidity and structure share the rows, so that the
eye goes across. Label and quality are told by word and shape, not by colour alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import log10

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse, FancyBboxPatch, Polygon

from mrs_disc.constants import LIKELY_FROM, UNLIKELY_UP_TO
from mrs_disc.record.level import Level, Results
from mrs_disc.record.parts import DiscScore, Quantity
from mrs_disc.record.signals import AnatomySlice, Signals
from mrs_disc.report.bands import BAND_COLOUR, BAND_COLOURS, Band, acidity_bands, structure_bands
from mrs_disc.report.look import GREY, INK, LABEL_COLOUR, LABEL_MARKER, PALE, framed, styled
from mrs_disc.report.marks import few
from mrs_disc.report.words import VERDICT_SHAPE, probability
from mrs_disc.typing import FloatArray

ACIDITY = "log(acidity/structure)"
STRUCTURE = ("log(structure/water)", "PG/water")
"""Structure is shown by the first of these that the study has."""


WIDTH = 8.6
SPINE_WIDTH, MAX_IMAGE_WIDTH = 0.2, 0.27
"""Of the picture's width (8.6 inches)."""


@dataclass(frozen=True, slots=True)
class Row:
    """One level of the overview."""

    level: Level
    y: float
    colour: str
    marker: str


def overview_figure(
    results: Results,
    signals: Signals | None,
    head: str = "",
    foot: str = "",
    new: Callable[..., Figure] = Figure,
) -> Figure:
    """Return the overview of a study.

    Parameters
    ----------
    results : Results
        The record.
    signals : Signals or None
        Anatomy slice and voxel outlines; `None`: a drawn spine.
    head, foot : str
        Lines above and below, for a picture that stands alone.
    new : callable
        Makes the figure, as in `figures.framed`.
    """
    levels = list(results.best.values())
    rows = [_row(level, n) for n, level in enumerate(levels)]
    height = 0.92 + max((0.46 if len(rows) <= 7 else 0.36) * len(rows), 1.9)
    top, bottom = 1 - 0.36 / height, 0.46 / height
    span = top - bottom
    outlines = _outlines(signals, rows)
    left = _anatomy_width(signals, outlines, span * height)
    room = 1 - left
    with styled():
        figure, place = framed(WIDTH, height, head, foot, new)
        spine = figure.add_axes(place(0.005, bottom, left, span))
        _draw_anatomy(spine, signals, rows, outlines)
        score, acidity, structure = (
            figure.add_axes(place(left + start * room, bottom, width * room, span))
            for start, width in ((0.115, 0.325), (0.48, 0.165), (0.69, 0.165))
        )
        for axes in (score, acidity, structure):
            axes.set_ylim(len(rows) - 0.5, -0.5)
        _draw_score(score, rows, results)
        name = structure_name(levels)
        _draw_bands(acidity, acidity_bands(results))
        _draw_bands(structure, structure_bands(results) if name == STRUCTURE[0] else ())
        _draw_quantity(acidity, rows, ACIDITY, "acidity", "log (acidity / structure)")
        _draw_quantity(structure, rows, name, "structure", _structure_label(name))
        _draw_quality(structure, rows)
    return figure


def structure_name(levels: Sequence[Level]) -> str:
    """Return the quantity that shows structure: the first that any level has."""
    for name in STRUCTURE:
        if any(_value(level, name) is not None for level in levels):
            return name
    return STRUCTURE[0]


def _structure_label(name: str) -> str:
    return "log (structure / water)" if name.startswith("log") else f"{name} (mmol/kg)"


def _row(level: Level, n: int) -> Row:
    label = level.score.label if level.score is not None else "indeterminate"
    return Row(level, float(n), LABEL_COLOUR[label], LABEL_MARKER[label])


def _value(level: Level, name: str) -> Quantity | None:
    quantity = (level.quantities or {}).get(name)
    if quantity is None or (quantity.value is None and quantity.high is None):
        return None
    return quantity


# --------------------------------------------------------------------------- columns


def _draw_score(axes: Axes, rows: Sequence[Row], results: Results) -> None:
    options = results.options("score")
    unlikely, likely = (
        _limit(options.get(name), default)
        for name, default in (("unlikely", UNLIKELY_UP_TO), ("likely", LIKELY_FROM))
    )
    axes.set_xlim(*_ENDS)
    axes.axvspan(_ENDS[0], log10(unlikely), color="#e3ecf7", lw=0)
    axes.axvspan(log10(likely), _ENDS[1], color="#f7e4e2", lw=0)
    for row in rows:
        score = row.level.score
        if score is None or score.value is None:
            words = "not measured" if score is None else "no score"
            words = "rejected in review" if row.level.rejected else words
            axes.text(0, row.y, words, ha="center", va="center", color=INK, fontsize=8)
            continue
        value, low, high = (None if v is None else _place(v) for v in _evidence(score))
        assert value is not None
        if low is not None and high is not None:
            axes.plot([low, high], [row.y] * 2, color=row.colour, lw=1.6)
        filled = score.label != "indeterminate"
        axes.plot(
            value, row.y, row.marker, ms=7, color=row.colour, mew=1.4,
            mfc=row.colour if filled else "white", clip_on=False, zorder=3,
        )  # fmt: skip
        axes.annotate(
            f"{probability(score.value)}  {score.label}", xy=(0, row.y), xytext=(0, 5.5),
            textcoords="offset points", ha="center", va="bottom", fontsize=7.5, color=row.colour,
        )  # fmt: skip
    axes.set_xticks(
        [-2, log10(unlikely), 0, log10(likely), 2],
        ["0.01", f"{unlikely:.2g}", "1", f"{likely:.2g}", "100"],
    )
    axes.set_xlabel("likelihood ratio of a painful disc", fontsize=8, labelpad=2)
    axes.set_yticks([row.y for row in rows], [row.level.level for row in rows], fontsize=9)
    for text in axes.get_yticklabels():
        text.set_fontweight("bold")
    axes.set_title("evidence; probability and label", fontsize=8.5, pad=_TITLE_PAD)
    _frame(axes)


_ENDS = (-2.3, 2.3)
"""Of the axis of evidence: logarithms to base ten; what lies beyond stands at the end."""


def _place(ratio: float) -> float:
    return min(max(log10(max(ratio, 1e-12)), _ENDS[0] + 0.1), _ENDS[1] - 0.1)


def _evidence(score: DiscScore) -> tuple[float, float | None, float | None]:
    """Return the likelihood ratio with its interval; odds where the model has none."""
    if score.evidence is not None:
        return score.evidence.value, score.evidence.low, score.evidence.high
    assert score.value is not None
    return score.value / max(1 - score.value, 1e-12), None, None


def _limit(value: object, default: float) -> float:
    return float(value) if isinstance(value, int | float) and value > 0 else default


def _draw_bands(axes: Axes, bands: Sequence[Band]) -> None:
    """Shade where the discs of the models' classes lie: the page names them, left to right."""
    for band in bands:
        colour = BAND_COLOURS.get(band.name, BAND_COLOUR)
        axes.axvspan(band.low, band.high, color=colour, lw=0, zorder=0)


def _draw_quantity(axes: Axes, rows: Sequence[Row], name: str, title: str, unit: str) -> None:
    """Draw a quantity of all levels; an upper limit is an arrow from its end."""
    ends: list[float] = []
    for row in rows:
        quantity = _value(row.level, name)
        if quantity is None:
            continue
        low, high = quantity.low, quantity.high
        if quantity.limit == "upper" and high is not None:
            axes.plot(high, row.y, marker="<", ms=6, color=row.colour, mew=0)
            ends.append(high)
            continue
        assert quantity.value is not None
        if low is not None and high is not None:
            axes.plot([low, high], [row.y] * 2, color=row.colour, lw=1.4)
            ends += [low, high]
        axes.plot(quantity.value, row.y, row.marker, ms=5, color=row.colour, mew=1.2,
                  mfc="white" if row.marker == "o" else row.colour)  # fmt: skip
        ends.append(quantity.value)
    if ends:
        low, high = min(ends), max(ends)
        room = 0.12 * (high - low) or 0.5
        axes.set_xlim(low - room, high + room)
        ticks = few(low - room, high + room, 2, 4)  # the column is narrow
        axes.set_xticks(ticks, [f"{t:g}".replace("-", "\u2212") for t in ticks])
        axes.set_xlabel(unit, fontsize=7.5, labelpad=2)
    else:
        axes.set_xticks([])
        axes.text(0.5, 0.5, f"{title}\nnot\navailable", transform=axes.transAxes,
                  ha="center", va="center", fontsize=8, color=INK)  # fmt: skip
        axes.set_xlim(0, 1)
    axes.set_yticks([row.y for row in rows], [""] * len(rows))
    axes.set_title(title, fontsize=8.5, pad=_TITLE_PAD)
    _frame(axes)


def _draw_quality(axes: Axes, rows: Sequence[Row]) -> None:
    """Write the quality by shape and word to the right of the last column."""
    beside = axes.get_yaxis_transform()
    for row in rows:
        verdict = row.level.quality.verdict if row.level.quality is not None else "failed"
        axes.text(1.08, row.y, f"{VERDICT_SHAPE[verdict]} {verdict}", transform=beside,
                  va="center", fontsize=8, color=INK)  # fmt: skip
    axes.annotate("quality", xy=(1.08, 1.0), xytext=(0, _TITLE_PAD), xycoords="axes fraction",
                  textcoords="offset points", va="baseline", fontsize=8.5)  # fmt: skip


_TITLE_PAD = 5


def _frame(axes: Axes) -> None:
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.tick_params(axis="x", length=3, labelsize=7.5)
    axes.grid(axis="y", color="#ececec", lw=0.7)
    axes.set_axisbelow(True)


# --------------------------------------------------------------------------- anatomy


def _outlines(signals: Signals | None, rows: Sequence[Row]) -> dict[str, FloatArray]:
    """Return the voxels that lie on the image; none where there is no image."""
    if signals is None or signals.anatomy is None:
        return {}
    found = ((row.level.key, signals.levels.get(row.level.key)) for row in rows)
    return {key: of.outline for key, of in found if of is not None and of.outline is not None}


def _anatomy_width(
    signals: Signals | None, outlines: dict[str, FloatArray], inches: float
) -> float:
    """Return how much of the picture's width the image needs at its height."""
    if signals is None or signals.anatomy is None or not outlines:
        return SPINE_WIDTH
    anatomy = signals.anatomy
    upper, lower = _cut(anatomy, outlines)
    whole = anatomy.image.shape[1] * anatomy.pixel_mm[1]
    wide = inches * whole / ((lower - upper) * anatomy.pixel_mm[0])
    return float(min(max(wide / WIDTH, 0.12), MAX_IMAGE_WIDTH))


def _cut(anatomy: AnatomySlice, outlines: dict[str, FloatArray]) -> tuple[float, float]:
    """Return the rows of the slice that are shown: the voxels with room around them."""
    corners = np.concatenate(list(outlines.values()))
    first, last = float(corners[:, 1].min()), float(corners[:, 1].max())
    margin = max(30 / anatomy.pixel_mm[0], 0.15 * (last - first))
    return max(first - margin, -0.5), min(last + margin, anatomy.image.shape[0] - 0.5)


def _draw_anatomy(
    axes: Axes, signals: Signals | None, rows: Sequence[Row], outlines: dict[str, FloatArray]
) -> None:
    axes.set_axis_off()
    if signals is None or signals.anatomy is None or not outlines:
        _draw_spine(axes, rows)
        return
    _draw_slice(axes, signals.anatomy, rows, outlines)


def _draw_slice(
    axes: Axes, anatomy: AnatomySlice, rows: Sequence[Row], outlines: dict[str, FloatArray]
) -> None:
    """Draw the slice, cut to the voxels with room around them, and the voxels with their names."""
    tall, wide = anatomy.pixel_mm
    axes.imshow(anatomy.image, cmap="gray", vmin=0, vmax=255, interpolation="none",
                aspect=tall / wide)  # fmt: skip
    corners = np.concatenate(list(outlines.values()))
    n_columns = anatomy.image.shape[1]
    box = axes.get_window_extent()
    upper, lower = _cut(anatomy, outlines)
    width = (lower - upper) * tall / wide * box.width / box.height
    middle = float(
        np.clip(corners[:, 0].mean(), width / 2 - 0.5, max(n_columns - width / 2, width / 2))
    )
    axes.set_xlim(max(middle - width / 2, -0.5), min(middle + width / 2, n_columns - 0.5))
    axes.set_ylim(lower, upper)
    for row in rows:
        outline = outlines.get(row.level.key)
        if outline is None:
            continue
        axes.add_patch(Polygon(outline, closed=True, fill=False, ec="black", lw=2.6))
        axes.add_patch(Polygon(outline, closed=True, fill=False, ec="#ffd23f", lw=1.3))
        right = float(outline[:, 0].max())
        axes.text(right + 4 / wide, float(outline[:, 1].mean()), row.level.level, color="white",
                  fontsize=7.5, va="center", clip_on=True,
                  bbox={"fc": "black", "ec": "none", "pad": 1.2})  # fmt: skip


def _draw_spine(axes: Axes, rows: Sequence[Row]) -> None:
    """Draw a spine: a disc in each row, vertebrae between."""
    axes.set_xlim(-1.6, 1.6)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    figure = axes.get_figure()
    assert figure is not None
    row_inches = axes.get_window_extent().height / figure.dpi / len(rows)
    disc = min(0.34, 0.19 / row_inches)  # of few rows, each is tall: a disc stays flat
    bone = 0.92 - disc
    for n in range(len(rows) + 1):
        axes.add_patch(
            FancyBboxPatch((-0.62, n - 0.5 - bone / 2), 1.24, bone,
                           boxstyle="round,pad=0,rounding_size=0.12",
                           fc="#f3efe6", ec=GREY, lw=0.9, mutation_aspect=1)
        )  # fmt: skip
    for row in rows:
        measured = row.level.score is not None
        axes.add_patch(
            Ellipse((0, row.y), 1.3, disc, fc=PALE if measured else "white", ec=INK,
                    lw=1.0, ls="-" if measured else (0, (3, 2)))
        )  # fmt: skip
        axes.text(
            0,
            row.y,
            row.level.level,
            ha="center",
            va="center",
            fontsize=7.5 if len(rows) <= 7 else 6,
        )


def overview_alt(results: Results) -> str:
    """Return the alternative text of the overview: each level with label, score and quality."""
    parts = []
    for name, level in results.best.items():
        if level.score is None or level.quality is None:
            parts.append(f"{name}: not measured")
            continue
        score = level.score
        value = f", probability {probability(score.value)}" if score.value is not None else ""
        parts.append(f"{name}: {score.label}{value}, quality {level.quality.verdict}")
    return "All levels from head to foot. " + "; ".join(parts) + "."
