"""The strip that tells a spectrum's quality: its transients, and water before and after removal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

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
        if n > 1:
            transients = figure.add_axes((0.085, 0.25, 0.5, 0.61))
            rejected = [r for r in level.quality.rejected if r < n]
            _draw_transients(transients, signals.frequency_hz, rejected, is_followed(level))
        place = (0.67, 0.25, 0.32, 0.61) if n > 1 else (0.085, 0.25, 0.4, 0.61)
        _draw_water(figure.add_axes(place), level, signals)
    return figure


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
    axes.plot(index[kept], centred[kept], "o", ms=2.4, color="#1b4f8f", mec="none")
    axes.plot(
        index[~kept], centred[~kept], "x", ms=5, mew=1.3, color="#9a1b1b",
        label=f"rejected: {len(rejected)}",
    )  # fmt: skip
    words = "(Hz from the median)" if followed else "could not be followed"
    axes.set_title(f"transient frequency {words}", **_TITLE)
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
    axes.legend(**_BESIDE_TITLE, ncols=2, handlelength=1.5, columnspacing=1.0)
    _plain(axes)


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
    else:
        first = "Averaged on the scanner: no single transients"
    return f"{first}; residual water {number(q.residual_water, 2)} times the quality peak."


def drift_words(level: Level) -> str:
    """Return the frequency drift in words; zero is not claimed where nothing was followed."""
    assert level.quality is not None
    if not is_followed(level):
        return "transients too weak to follow their frequency"
    return f"frequency drift {number(level.quality.drift_hz, 2, 'Hz')}"
