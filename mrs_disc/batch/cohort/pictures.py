"""The pictures of a cohort, in the style of the report, each with its words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure

from mrs_disc.batch.cohort.discs import group_codes
from mrs_disc.constants import RESEARCH_USE
from mrs_disc.report.look import FIT_COLOUR, GREY, INK, PALE, styled
from mrs_disc.words import harmless

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from mrs_disc.batch.cohort.discs import Discs

Rows = Sequence[dict[str, Any]]
_ACROSS = 3
_DASHES = ("-", "--", ":", "-.")


def groups(discs: Discs, column: str, rows: Rows) -> tuple[Figure, str]:
    """Draw each quantity by group: discs, limits as open triangles, means with intervals."""
    names = list(dict.fromkeys(row["quantity"] for row in rows))
    with styled():
        figure, panels = _panels(len(names), f"Discs by {column}: triangles are upper limits")
        _, code = group_codes(discs.labels(column), discs.best)
        order, _ = group_codes(discs.labels(column), discs.best)
        for axes, name in zip(panels, names, strict=True):
            mine = [row for row in rows if row["quantity"] == name]
            values = discs.values(name)
            for at, row in enumerate(mine):
                here = discs.best & values.there & (code == order.index(row["group"]))
                shown = values.value[here]
                beside = at + np.linspace(-0.22, 0.22, max(shown.size, 2))[: shown.size]
                _dots(axes, beside, shown, values.upper[here])
                _mean(axes, at, row)
            axes.set_xticks(range(len(mine)), [_tick(row) for row in mine])
            axes.set_xlim(-0.6, len(mine) - 0.4)
            p = f"p = {mine[0]['p']:.3f}" if mine[0]["p"] >= 0.001 else "p < .001"
            axes.set_title(f"{_scaled(name, mine[0]['scale'])}   {p}", fontsize=8.5)
    words = ". ".join(
        f"{row['quantity']}, {row['group']}: {row['mean']:.3g} "
        f"({row['mean_low']:.3g} to {row['mean_high']:.3g}), {row['n_discs']} discs, "
        f"{row['n_limits']} of them limits"
        for row in rows
    )
    return figure, f"Discs by {harmless(column)}. {words}. {RESEARCH_USE}"


def _tick(row: dict[str, Any]) -> str:
    return f"{harmless(row['group'], 14)}\n{row['n_discs']} discs"


def _scaled(name: str, scale: str) -> str:
    name = name.replace("_", " ")
    return f"ln({name})" if scale == "log" else name


def _dots(axes: Axes, x: Any, y: Any, upper: Any) -> None:
    axes.plot(x[~upper], y[~upper], "o", ms=2.6, color=GREY, mew=0)
    axes.plot(x[upper], y[upper], "v", ms=3.6, mfc="none", mec=GREY, mew=0.6)


def _mean(axes: Axes, at: float, row: dict[str, Any]) -> None:
    axes.plot([at - 0.3, at + 0.3], [row["mean"]] * 2, "-", lw=1.6, color=FIT_COLOUR)
    axes.plot([at, at], [row["mean_low"], row["mean_high"]], "-", lw=1.2, color=FIT_COLOUR)


def roc(points: Rows, rows: Rows) -> tuple[Figure, str]:
    """Draw the curves of what has no limits, and the areas of all."""
    with styled():
        figure = Figure(figsize=(8.6, 4.4), layout="constrained")
        left, right = figure.subplots(1, 2)
        names = list(dict.fromkeys(point["quantity"] for point in points))
        shown = [name for name in names if name in ("score", "likelihood_ratio")] or names[:2]
        left.plot([0, 1], [0, 1], "-", lw=0.7, color=PALE)
        for k, name in enumerate(shown):
            curve = [p for p in points if p["quantity"] == name]
            x, y = ([p[key] for p in curve] for key in ("false_positive", "true_positive"))
            colour = INK if k == 0 else FIT_COLOUR
            left.plot(x, y, _DASHES[k], lw=1.3, color=colour, label=name.replace("_", " "))
        if shown:
            left.legend(frameon=False, loc="lower right")
        left.set(xlabel="1 - specificity", ylabel="sensitivity", aspect="equal")
        left.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), title="Against provocation")
        for at, row in enumerate(reversed(rows)):
            ends = (("auc_low", "auc_high", 0.0, 2.2), (*_BY_PATIENT, -0.28, 0.8))
            for low, high, down, width in ends:
                if row[low] is not None:
                    right.plot([row[low], row[high]], [at + down] * 2, "-", lw=width, color=GREY)
            right.plot(row["auc"], at, "o", ms=4, color=INK)
        right.axvline(0.5, lw=0.7, color=PALE, zorder=0)
        right.set_yticks(
            range(len(rows)), [row["quantity"].replace("_", " ") for row in reversed(rows)]
        )
        right.set(xlim=(0, 1), xlabel="area; thick: DeLong, thin: by patient", title="Areas")
        _frame(left)
        _frame(right)
        _foot(figure)
    words = ". ".join(f"{row['quantity']}: area {row['auc']:.3f}" for row in rows)
    return figure, f"ROC against provocation. {words}. {RESEARCH_USE}"


_BY_PATIENT = ("auc_low_by_patient", "auc_high_by_patient")


def retest(pairs: Rows, rows: Rows) -> tuple[Figure, str]:
    """Draw each later run minus the first over their mean, with the second's limits of agreement.

    The second run of a disc is a full circle, the third an open one, those after it smaller.
    """
    with styled():
        more_runs = any(pair["later"] > 1 for pair in pairs)
        head = (
            "Later runs minus first, over their mean (open: third and later; lines: of the second)"
            if more_runs
            else "Second run minus first, over their mean"
        )
        head += "; triangles: at least, or at most"
        figure, panels = _panels(len(rows), head)
        for axes, row in zip(panels, rows, strict=True):
            mine = [pair for pair in pairs if pair["quantity"] == row["quantity"]]
            _differences(axes, mine)
            names = ("second_minus_first", "second_minus_first_low", "second_minus_first_high")
            for name, dash in zip(names, ("-", "--", "--"), strict=True):
                axes.axhline(row[name], lw=1.0, ls=dash, color=FIT_COLOUR)
            unknown = sum(bool(p["limit_1"] and p["limit_2"]) for p in mine)
            title = f"{_scaled(row['quantity'], row['scale'])}   ICC {row['icc']:.2f}"
            more = f"\n{unknown} pairs: two limits, no difference known" if unknown else ""
            axes.set_title(title + more, fontsize=8.5)
    words = ". ".join(
        f"{row['quantity']}: ICC {row['icc']:.2f}, repeatability {row['repeatability']:.3g}, "
        f"limits of agreement {row['second_minus_first_low']:.3g} to "
        f"{row['second_minus_first_high']:.3g}"
        for row in rows
    )
    return figure, f"Repeated runs. {words}. {RESEARCH_USE}"


def _differences(axes: Axes, pairs: Rows) -> None:
    """Draw pairs; of one limit the difference has one end, of two none."""
    for pair in pairs:
        x = (pair["value_1"] + pair["value_2"]) / 2
        y = pair["value_2"] - pair["value_1"]
        if pair["limit_1"] and pair["limit_2"]:
            continue
        marker = "^" if pair["limit_1"] else "v" if pair["limit_2"] else "o"
        face = GREY if marker == "o" and pair["later"] == 1 else "none"
        size = 3.4 if pair["later"] <= 2 else 2.2
        axes.plot(x, y, marker, ms=size, mfc=face, mec=GREY, mew=0.6)


def _panels(count: int, head: str) -> tuple[Figure, list[Axes]]:
    down = -(-count // _ACROSS)
    figure = Figure(figsize=(8.6, 0.7 + 2.5 * down), layout="constrained")
    figure.suptitle(harmless(head, 120), fontsize=9.5)
    grid = figure.subplots(down, _ACROSS, squeeze=False)
    panels = list(grid.ravel())
    for unused in panels[count:]:
        unused.remove()
    for axes in panels[:count]:
        _frame(axes)
    _foot(figure)
    return figure, panels[:count]


def _frame(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)


def _foot(figure: Figure) -> None:
    figure.supxlabel(RESEARCH_USE, fontsize=6.5, color=GREY)
