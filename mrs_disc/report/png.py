"""Figures as PNG at 200 dpi: the spectrum of each measured level, all of them, the overview.

A picture travels without its report. So each says above whose and what it is, below that it is
for research and from which recipe, and holds all of it in words as its PNG description.
"""

from __future__ import annotations

from mrs_disc.constants import RESEARCH_USE
from mrs_disc.record.level import Level, Results
from mrs_disc.report import figures
from mrs_disc.report.content import View, status_words
from mrs_disc.report.curves import study_spectra
from mrs_disc.report.level_content import score_words
from mrs_disc.report.look import dropped
from mrs_disc.report.overview import overview_alt, overview_figure
from mrs_disc.report.stack import stacked_alt, stacked_figure
from mrs_disc.report.words import VERDICT_SHAPE, harmless


def render(view: View) -> dict[str, bytes]:
    """Return ``figures/<level>[_run-2].png``, ``figures/overview.png``, ``figures/levels.png``."""
    results, signals = view.results, view.signals
    head = f"{harmless(results.study_id, 60)}: all levels"
    foot = _foot(results)
    words = _joined(head, overview_alt(results), results.impression, foot)
    with dropped():
        overview = overview_figure(results, signals, head=head, foot=foot)
        files = {"figures/overview.png": figures.png(overview, words=words)}
        del overview
    if signals is None:
        return files
    drawn, top = study_spectra(results, signals)
    if drawn:
        words = _joined(head, stacked_alt(results, drawn), results.impression, foot)
        with dropped():
            stack = stacked_figure(results, drawn, top, head=head, foot=foot)
            files["figures/levels.png"] = figures.png(stack, words=words)
            del stack
    for level in results.levels:
        if level.key not in drawn:
            continue
        curves = drawn[level.key]
        factor = figures.magnification(curves, top)
        head = _head(level, results)
        below = f"{figures.scale_words(factor)} {foot}"
        words = _joined(head, figures.spectrum_alt(level, factor), *_reasons(level), foot)
        with dropped():
            figure = figures.spectrum_figure(level, curves, top, head=head, foot=below)
            files[f"figures/{level.key}.png"] = figures.png(figure, words=words)
            del figure
    return files


def _head(level: Level, results: Results) -> str:
    assert level.score is not None
    assert level.quality is not None
    score, verdict = level.score, level.quality.verdict
    probability = "" if score.value is None else f" {score_words(score)}"
    quality = f"{VERDICT_SHAPE[verdict]} {verdict}"
    study = harmless(results.study_id, 40)
    return f"{study}   {level.title}: {score.label}{probability}   quality {quality}"


def _foot(results: Results) -> str:
    status = harmless(status_words(results), 60)
    return f"{status}. {RESEARCH_USE} Recipe {results.recipe_sha256[:8]}."


def _reasons(level: Level) -> list[str]:
    assert level.score is not None
    assert level.quality is not None
    return [harmless(r, 300) for r in (*level.quality.reasons, *level.score.reasons)]


def _joined(*parts: str) -> str:
    """Return parts as sentences."""
    return " ".join(part.rstrip(". ") + "." for part in parts if part)
