"""Figures as PNG at 200 dpi: the spectrum of each measured level, and the overview."""

from __future__ import annotations

from mrs_disc.report import figures
from mrs_disc.report.content import View
from mrs_disc.report.overview import overview_figure


def render(view: View) -> dict[str, bytes]:
    """Return ``figures/<level>[_run-2].png`` and ``figures/overview.png``."""
    results, signals = view.results, view.signals
    files = {"figures/overview.png": figures.png(overview_figure(results, signals))}
    if signals is None:
        return files
    drawn = {
        level.key: figures.spectra(level, signals.levels[level.key])
        for level in results.levels
        if figures.has_signals(level, signals)
    }
    top = figures.common_top(results.levels, drawn)
    for level in results.levels:
        if level.key in drawn:
            figure = figures.spectrum_figure(level, drawn[level.key], top)
            files[f"figures/{level.key}.png"] = figures.png(figure)
    return files
