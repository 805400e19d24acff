"""Runs of one disc at several echo times: their T2 in the amounts of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeAlias

from mrs_disc.data import DiscEntry, LevelFailure, LevelMeasurement
from mrs_disc.data.places import Site
from mrs_disc.models.relaxation import RelaxationModel
from mrs_disc.recipe import Recipe
from mrs_disc.steps.echo_times import measured_t2
from mrs_disc.steps.quantification import quantify

Outcome: TypeAlias = tuple[LevelMeasurement | LevelFailure, Site]


def with_measured_t2(
    entries: Sequence[DiscEntry],
    outcomes: Sequence[Outcome],
    recipe: Recipe,
    relaxation: RelaxationModel,
) -> list[Outcome]:
    """Return what was measured, with T2 from each disc's own runs where they tell it.

    Runs of poor quality take no part. Without a water reference nothing is corrected for
    relaxation, so nothing changes.
    """
    found = list(outcomes)
    if recipe.quantify.reference == "none":
        return found
    usable = {
        index: outcome
        for index, (outcome, _) in enumerate(outcomes)
        if isinstance(outcome, LevelMeasurement) and outcome.quality.verdict != "poor"
    }
    for level in dict.fromkeys(entry.level for entry in entries):
        runs = {index: run for index, run in usable.items() if entries[index].level == level}
        if len(runs) < 2:
            continue
        graded = (entries[i].morphology for i in runs if entries[i].morphology is not None)
        names = [f"run {entries[index].run}" for index in runs]
        told = measured_t2(list(runs.values()), names, relaxation, next(graded, None))
        if told is None:
            continue
        for (index, run), times in zip(runs.items(), told.of_run, strict=True):
            pre = replace(run.preprocessed, findings=(*run.preprocessed.findings, *told.findings))
            quantities = quantify(
                run.fit,
                pre,
                recipe,
                relaxation=relaxation,
                morphology=entries[index].morphology,
                measured=times,
            )
            one = replace(run, preprocessed=pre, quantities=quantities)
            found[index] = one, outcomes[index][1]
    return found
