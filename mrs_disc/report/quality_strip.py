"""The strip that tells a spectrum's quality: its transients, and water before and after removal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from numpy.typing import NDArray

from mrs_disc.constants import PICTURE_PPM
from mrs_disc.record.level import Level
from mrs_disc.record.signals import LevelSignals
from mrs_disc.report.curves import WATER_RANGE, water_line
from mrs_disc.report.figures import FIT_COLOUR, GREY, styled
from mrs_disc.report.marks import nice
from mrs_disc.report.words import number
from mrs_disc.typing import FloatArray


def quality_figure(level: Level, signals: LevelSignals) -> Figure:
    """Return the transients' frequency (rejected ones marked) and the water band."""
    assert level.quality is not None
    n = signals.frequency_hz.size
    with styled():
        figure = Figure(figsize=(8.2, 1.75))
        shown = signals.transients if n > 1 else None
        if n > 1:
            wide = 0.5 if shown is None else 0.34
            transients = figure.add_axes((0.07, 0.25, wide, 0.61))
            rejected = [r for r in level.quality.rejected if r < n]
            _draw_transients(transients, signals.frequency_hz, rejected, is_followed(level))
        if shown is not None:
            _draw_alignment(figure, shown, signals.transients_ppm)
        place = (0.67, 0.25, 0.32, 0.61) if n > 1 else (0.085, 0.25, 0.4, 0.61)
        if shown is not None:
            place = (0.775, 0.25, 0.215, 0.61)
        _draw_water(figure.add_axes(place), level, signals)
    return figure


def _draw_alignment(figure: Figure, pictures: NDArray[np.uint8], middle: float) -> None:
    """Draw the transients as rows, before and after alignment, around their strongest line."""
    before, after = pictures
    rows, columns = before.shape
    gap = columns // 10
    white = np.full((rows, gap), 255, dtype=np.uint8)
    axes = figure.add_axes((0.465, 0.2, 0.25, 0.66))
    axes.imshow(np.hstack([before, white, after]), cmap="gray", vmin=0, vmax=255,
                interpolation="none", aspect="auto")  # fmt: skip
    axes.set_title(f"before | after alignment, {middle:.1f} ± {PICTURE_PPM:g} ppm", **_TITLE)
    axes.set_axis_off()


def is_followed(level: Level) -> bool:
    """Say whether the transients were strong enough to follow their frequency."""
    return level.quality is not None and level.quality.drift_hz is not None


def _draw_transients(
    axes: Axes, values: FloatArray, rejected: Sequence[int], followed: bool
) -> None:
    index = np.arange(1, values.size + 1)
    kept = np.ones(values.size, bool)
    kept[list(rejected)] = False
    centred = values - np.median(values[kept] if kept.any() else values)
    _dots(axes, index[kept], centred[kept])
    axes.plot(
        index[~kept], centred[~kept], "x", ms=5, mew=1.3, color="#9a1b1b",
        label=f"rejected: {len(rejected)}",
    )  # fmt: skip
    words = "(Hz from median)" if followed else "could not be followed"
    axes.set_title(f"frequency {words}", **_TITLE)
    axes.set_xlabel("transient", labelpad=1)
    axes.set_xlim(0, values.size + 1)
    axes.set_xticks([t for t in nice(1, values.size, 6) if t >= 1])
    low, high = float(centred.min()), float(centred.max())
    room = max(0.2 * (high - low), 0.5)
    axes.set_ylim(low - room, high + room)
    axes.set_yticks(nice(low - room, high + room, 4) if followed else [])
    _plain(axes)
    if rejected:
        axes.legend(**_BESIDE_TITLE, handletextpad=0.1)


def _dots(axes: Axes, x: NDArray[np.integer], y: FloatArray) -> None:
    """Draw dots as one path of short strokes: markers would be an element each in the SVG."""
    ends = np.stack([np.column_stack([x - 0.01, y]), np.column_stack([x + 0.01, y])], axis=1)
    path = Path(ends.reshape(-1, 2), [Path.MOVETO, Path.LINETO] * x.size)
    path.should_simplify = False  # or some strokes would be taken for nothing
    axes.add_patch(PathPatch(path, fill=False, ec="#1b4f8f", lw=2.4, capstyle="round", snap=False))


def _draw_water(axes: Axes, level: Level, signals: LevelSignals) -> None:
    assert level.fit is not None
    noise = level.fit.spectrum_noise_sd or 1.0
    ppm, before, after = water_line(signals)
    before, after = before / noise, after / noise
    axes.plot(ppm, before, color=GREY, lw=1.0, ls=(0, (3, 1)), label="before")
    axes.plot(ppm, after, color=FIT_COLOUR, lw=1.1, label="after")
    axes.set_xlim(WATER_RANGE[::-1])
    axes.set_xticks([5, 4.5, 4])
    highest = 1.25 * float(max(before.max(), after.max(), 1.0))
    axes.set_ylim(0, highest)
    axes.set_yticks(nice(0, highest, 4))
    axes.set_title("water line (× noise)", **_TITLE)
    axes.set_xlabel("ppm", labelpad=1)
    narrow = signals.transients is not None
    axes.legend(**(_INSIDE if narrow else _BESIDE_TITLE), ncols=1 if narrow else 2,
                handlelength=1.5, columnspacing=1.0)  # fmt: skip
    _plain(axes)


_INSIDE: dict[str, Any] = {"loc": "upper left", "frameon": False, "fontsize": 7.5}
_TITLE: dict[str, Any] = {"fontsize": 8.5, "loc": "left", "pad": 4}
_BESIDE_TITLE: dict[str, Any] = {
    "loc": "lower right", "bbox_to_anchor": (1.0, 1.0), "frameon": False, "fontsize": 8,
    "borderpad": 0, "borderaxespad": 0.15,
}  # fmt: skip


def _plain(axes: Axes) -> None:
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.tick_params(length=3, labelsize=8)


def quality_alt(level: Level, signals: LevelSignals) -> str:
    """Return the alternative text of a level's quality strip."""
    assert level.quality is not None
    q = level.quality
    if signals.frequency_hz.size > 1:
        first = f"{q.n_transients} transients, {q.n_rejected} rejected; {drift_words(level)}"
        if signals.transients is not None:
            first += "; rows of grey: their strongest line before and after alignment"
    else:
        first = "Averaged on the scanner: no single transients"
    return f"{first}; residual water {number(q.residual_water, 2)} times the quality peak."


def drift_words(level: Level) -> str:
    """Return the frequency drift in words; zero is not claimed where nothing was followed."""
    assert level.quality is not None
    if not is_followed(level):
        return "transients too weak to follow their frequency"
    return f"frequency drift {number(level.quality.drift_hz, 2, 'Hz')}"
