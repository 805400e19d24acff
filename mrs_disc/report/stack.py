"""All levels of a study stacked in one picture, from head to foot: data, fit and baseline.

The picture in which disc spectroscopists compare levels. Each row has the magnification that its
own figure has, and names it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mrs_disc.record.level import Level, Results
from mrs_disc.report.curves import PPM_RANGE, Spectra
from mrs_disc.report.figures import FACTORS, half_ppm, magnification
from mrs_disc.report.level_content import score_words
from mrs_disc.report.look import FIT_COLOUR, GREY, INK, PALE, framed, styled
from mrs_disc.report.words import VERDICT_SHAPE, harmless

WIDTH = 8.6
_ROW, _ENDS = 1.05, 0.75
"""Inches: height of a level, and of axis and names together."""
_LINES = {"proteoglycan": 2.04, "lactate or lipid": 1.31, "choline": 3.21}
"""Where a thin line runs through all levels, ppm: `disc_1h.toml` has the sources."""


def stacked_figure(
    results: Results, drawn: Mapping[str, Spectra], top: float, head: str = "", foot: str = ""
) -> Figure:
    """Return the spectra of all levels, the best run of each, one below the other.

    Parameters
    ----------
    results : Results
        The record.
    drawn : mapping
        Curves of each level that can be drawn, by its key.
    top : float
        What stands for 100: see `curves.common_top`.
    head, foot : str
        Lines above and below, for a picture that stands alone.
    """
    rows = [level for level in results.best.values() if level.key in drawn]
    body = _ENDS + _ROW * max(len(rows), 1)
    with styled():
        figure, place = framed(WIDTH, body, head, foot)
        axes = figure.add_axes(
            place(0.2, 0.45 / body, 0.785, _ROW * max(len(rows), 1) / body),
        )
        draw_stack(axes, rows, drawn, top)
    return figure


def draw_stack(axes: Axes, rows: Sequence[Level], drawn: Mapping[str, Spectra], top: float) -> None:
    """Draw the spectra of levels one below the other on given axes.

    Parameters
    ----------
    axes : Axes
        Anybody's; limits, ticks and spines become those of a spectrum. What a level is called
        stands to the left of them.
    rows : sequence of Level
        From head to foot.
    drawn : mapping
        Their curves, by their keys.
    top : float
        What stands for 100: see `curves.common_top`.
    """
    axes.set_xlim(PPM_RANGE[1], PPM_RANGE[0])
    axes.set_ylim(-0.2, len(rows) or 1)
    for name, at in _LINES.items():
        axes.axvline(at, color=PALE, lw=0.7, zorder=0)
        axes.text(at, 1.005, name, transform=axes.get_xaxis_transform(),
                  ha="center", va="bottom", fontsize=7.5, color=GREY)  # fmt: skip
    for n, level in enumerate(rows):
        _draw_row(axes, level, drawn[level.key], top, float(len(rows) - 1 - n))
    axes.set_yticks([])
    axes.set_xticks(half_ppm(*PPM_RANGE))
    axes.set_xlabel("chemical shift (ppm)")
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)


def _draw_row(axes: Axes, level: Level, curves: Spectra, top: float, at: float) -> None:
    """Draw a level on its own zero line, and say beside it what it is."""
    assert level.measured is not None
    factor = magnification(curves, top)
    unit = 0.85 * factor / top
    inside = curves.inside
    axes.axhline(at, color=PALE, lw=0.6, zorder=0)
    # A poor spectrum's noise stays in its own row.
    data = np.clip(curves.data * unit, -0.2, 0.98)
    # Half of the points, which are twice those of the FID: rows are small, and pages are mailed.
    axes.plot(curves.ppm[::2], at + data[::2], color=INK, lw=0.55)
    axes.plot(
        curves.ppm[inside][::2], at + curves.fit[inside][::2] * unit, color=FIT_COLOUR, lw=1.1
    )
    axes.plot(curves.ppm[inside][::4], at + curves.baseline[inside][::4] * unit,
              color=GREY, lw=0.8, ls=(0, (4, 2)))  # fmt: skip
    measured = level.measured
    verdict = measured.quality.verdict
    words = [
        "rejected in review" if level.rejected else measured.score.label,
        *([score_words(measured.score)] if measured.score.value is not None else []),
        f"{VERDICT_SHAPE[verdict]} {verdict}",
        f"drawn × {factor:.2g}" if factor in FACTORS else "scale of its own",
    ]
    beside = axes.get_yaxis_transform()
    axes.text(-0.25, at + 0.72, level.title, transform=beside, fontsize=9, fontweight="bold",
              va="center")  # fmt: skip
    axes.text(-0.25, at + 0.6, "\n".join(words), transform=beside, fontsize=7.5, va="top",
              linespacing=1.25)  # fmt: skip


def stacked_alt(results: Results, drawn: Mapping[str, Spectra]) -> str:
    """Return the alternative text of the stacked spectra."""
    levels = [level.title for level in results.best.values() if level.key in drawn]
    if not levels:
        return "No spectrum can be drawn."
    return harmless(
        f"Spectra of {', '.join(levels)}, one below the other from 4.5 to 0.5 ppm, each with its "
        "fit and baseline.",
        600,
    )
