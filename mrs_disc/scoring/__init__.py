"""From quantities to a judgement: one function per kind of score model.

Morphology never enters the pain score. Of a level measured more than once, the run of best quality
stands for the level, with the others combined into it where all agree; every other run is scored
instead of it, beside the patient's other levels.
A disc of poor quality, or outside what the model was made for, is indeterminate with its reason.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from mrs_disc.data import DiscScore
from mrs_disc.models import model_reference
from mrs_disc.models.scores import ScoreModel
from mrs_disc.recipe import Recipe, ScoreOptions
from mrs_disc.record.findings import Finding, finding, sentences
from mrs_disc.record.level import Level, best_runs
from mrs_disc.scoring.cutoffs import score_cutoffs
from mrs_disc.scoring.disc import Disc, disc_of, exploratory, indeterminate, out_of_scope
from mrs_disc.scoring.logistic import score_logistic
from mrs_disc.scoring.population import score_population
from mrs_disc.scoring.propionate import NAME, propionate
from mrs_disc.scoring.repeats import combined
from mrs_disc.scoring.structure_index import score_structure_index

__all__ = ["Disc", "disc_of", "score_discs", "score_study"]

Kind = Callable[[Disc, Sequence[Disc], Any, ScoreOptions], DiscScore]
"""Disc, the patient's other usable discs, model and limits to the disc's score."""

KINDS: dict[str, Kind] = {
    "population": score_population,
    "logistic": score_logistic,
    "cutoffs": score_cutoffs,
    "structure_index": score_structure_index,
}


def score_study(
    levels: Sequence[Level], model: ScoreModel, recipe: Recipe
) -> tuple[DiscScore | None, ...]:
    """Score all levels and runs of one examination.

    Parameters
    ----------
    levels : sequence of Level
        As measured; their `score` is not looked at.
    model : ScoreModel
        From `load_score_model`.
    recipe : Recipe
        ``[score]``: the labels' limits and the prevalence.

    Returns
    -------
    tuple of DiscScore or None
        In the order of `levels`; `None` for a level that failed.
    """
    best = best_runs(levels)
    discs = [disc_of(level) if level.measured is not None else None for level in levels]
    if recipe.score.repeats == "combined":
        discs = [
            combined([disc, *_other_runs(level, levels, discs)])
            if disc is not None and best[level.level] is level and level.usable
            else disc
            for level, disc in zip(levels, discs, strict=True)
        ]
    best_discs = [
        disc
        for level, disc in zip(levels, discs, strict=True)
        if best[level.level] is level and level.standing is not None and disc
    ]
    return tuple(
        None if disc is None else _score(disc, best_discs, model, recipe.score) for disc in discs
    )


def _other_runs(level: Level, levels: Sequence[Level], discs: Sequence[Disc | None]) -> list[Disc]:
    """Return the other usable runs of a level."""
    return [
        disc
        for other, disc in zip(levels, discs, strict=True)
        if other.level == level.level and other is not level and other.usable and disc is not None
    ]


def score_discs(
    discs: Sequence[Disc], model: ScoreModel, options: ScoreOptions
) -> tuple[DiscScore, ...]:
    """Score the discs of one patient, each of another level.

    Parameters
    ----------
    discs : sequence of Disc
        What a score sees of each disc.
    model : ScoreModel
        From `load_score_model`.
    options : ScoreOptions
        The labels' limits and the prevalence.
    """
    return tuple(_score(disc, discs, model, options) for disc in discs)


def _no_score(disc: Disc, model: ScoreModel, options: ScoreOptions) -> Finding | None:
    """Return why a disc can have no score of a model, or `None`."""
    if reason := disc.unusable or out_of_scope(disc, model):
        return reason
    if options.out_of_scope == "refuse" and (outside := exploratory(disc, model)):
        return finding("outside_refused", why=outside[0])
    return None


def _score(
    disc: Disc, best_discs: Sequence[Disc], model: ScoreModel, options: ScoreOptions
) -> DiscScore:
    """Score a disc beside the best runs of the patient's other levels."""
    if reason := _no_score(disc, model, options):
        none = indeterminate(model_reference(model), reason)
        return none if disc.unusable else _with_propionate(none, disc)
    others = [
        other
        for other in best_discs
        if other.level != disc.level and not _no_score(other, model, options)
    ]
    return _with_propionate(KINDS[model.kind](disc, others, model, options), disc)


def _with_propionate(score: DiscScore, disc: Disc) -> DiscScore:
    """Return a score with the statement on propionate, which is no part of it."""
    values = disc.quantities.values if disc.quantities is not None else {}
    if (stated := propionate(values.get(NAME))) is None:
        return score
    reasons = (*score.reasons, *sentences([stated]))
    return replace(score, reasons=reasons, findings=(*score.findings, stated))
