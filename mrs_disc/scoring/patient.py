"""A patient most of whose discs may be painful, which the population takes for rare.

The score takes a quarter of the discs for painful. Where a patient's discs together fit a
prevalence of 80 % at least as well as that, "unlikely painful" at a likelihood ratio of 1/4 would
rest on the assumed prevalence: at 80 % the same ratio is even odds. So there the label needs the
probability that its limit stands for at even odds (1/4: one in five) at 80 % too. The ratio and the
probability stay as they are.

Decision: the label alone is held back. Of simulated patients with four painful discs of five
(typical protocol, seed 4711, redrawn with the quoted errors) 13 % of the labels are wrong with the
rule, 17 % without it; of patients drawn disc by disc it costs 3 of 100 painless discs their label.
Refused: a ratio that weighs patterns of patients (all discs alike, most of them painful): whatever
the weights, it is off for one kind of patient by what it gains for another.
"""

from __future__ import annotations

from dataclasses import dataclass

from mrs_disc.models.scores import PopulationScore
from mrs_disc.recipe import ScoreOptions
from mrs_disc.record.findings import Finding, finding
from mrs_disc.scoring.population_model import (
    Evidence,
    Grid,
    fits_better,
    probability_given,
    shares_at,
)

HIGH_PREVALENCE = 0.8
"""Prevalence in a patient most of whose discs are painful: four of five [P]."""
_TELLING = 2.0
"""A patient whose discs fit it so many times better than the assumed one gets a reason.

Of simulated patients (typical protocol, seed 4711) that is 25 of 40 with four painful discs of
five, and 2 of 40 drawn disc by disc; 31 and 4 fit it at least as well.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class MostlyPainful:
    """What the high prevalence does for a patient, and for one disc.

    Parameters
    ----------
    times_as_likely : float
        All discs of the patient, than at the model's own prevalence.
    probability : float
        That the disc is painful, at the high prevalence.
    """

    times_as_likely: float
    probability: float


def mostly_painful(model: PopulationScore, grid: Grid, seen: Evidence) -> MostlyPainful | None:
    """Return how well a high prevalence fits; `None` with fewer than two discs beside this one."""
    if seen.other_classes.shape[0] < 2 or model.prevalence >= HIGH_PREVALENCE:
        return None
    high = shares_at(model, HIGH_PREVALENCE)
    return MostlyPainful(
        times_as_likely=fits_better(grid, seen, high, shares_at(model, None)),
        probability=probability_given(grid, high, seen),
    )


def held_by_patient(
    found: MostlyPainful | None, ratio: float, options: ScoreOptions
) -> Finding | None:
    """Return why a disc is not called unlikely painful for its patient's sake, or `None`."""
    most = options.unlikely / (1 + options.unlikely)
    if found is None or found.times_as_likely < 1 or found.probability <= most:
        return None
    return finding(
        "held_by_patient",
        ratio=ratio,
        high=HIGH_PREVALENCE,
        value=found.probability,
        most=most,
    )


def unlike_assumed(
    model: PopulationScore, grid: Grid, seen: Evidence, used: float
) -> Finding | None:
    """Say where a patient's discs together speak for far more painful discs than assumed."""
    found = mostly_painful(model, grid, seen)
    if found is None or used >= HIGH_PREVALENCE:
        return None
    ratio = fits_better(grid, seen, shares_at(model, HIGH_PREVALENCE), shares_at(model, used))
    if ratio < _TELLING:
        return None
    return finding(
        "unlike_assumed",
        high=HIGH_PREVALENCE,
        prevalence=used,
        ratio=ratio,
        probability=found.probability,
    )
