"""The random-intercept population model of r = log(acidity/structure).

Within its class (say healthy, degenerated, painful) the r of a disc is normal; all discs of one
patient share an offset u, normal about zero; acidity and structure are measured with errors. For
disc i with amplitudes A, S and their errors, z = A - exp(r) S is normal about zero whatever the
true S (Fieller), so that

    L_i(r) = exp(-z^2 / 2v) / sqrt(v),   v = sdA^2 - 2 exp(r) cov + exp(2r) sdS^2
    F_i(c, u) = integral of N(r; mean_c + u, sd_c) L_i(r) dr
    g_i(u) = sum over c of share_c F_i(c, u)
    P(painful | all discs) = integral of N(u; 0, patient_sd) prod_{j != i} g_j(u)
                             sum over painful c of share_c F_i(c, u), over the same with all c

No logarithm of a noisy sum is taken: a disc with no acid above noise needs no special case. Acidity
is cut at zero (in simulation that ranks better than the uncut sum: .844 for .838 at an error of
14 in A), and S counts as at least A / exp(r_cap). With both, more acid never lowers the
probability and more structure never raises it. The integrals are sums on a grid of r and
Gauss-Hermite nodes of u.

Decision: the *predictive* probability decides the label. A plug-in probability at the measured r
says .93 where .61 is true at an error of 1 in r; the posterior mass of r about a threshold would
label a quarter of the discs wrongly. The interval says what the error of measurement hides: the
2.5th and 97.5th percentile of the probability that this disc would have were its r known, over
what its measurement leaves open. Its mean is the predictive probability.

A patient with mostly painful discs is judged by a prevalence that is too low, and too few discs
tell of it. Refused: a probability that weighs patterns of patients (all discs alike, most of them
painful). Whatever the weights, it is off for one kind of patient by what it gains for another; no
rule without the true prevalence can be calibrated for both. So the probability states its
prevalence, and the reasons say where a patient's discs speak against it. Refused too: to withhold
"unlikely painful" where 80 % painful discs, this one too, explain all that was measured as well. At
ideal measurements 11 % instead of 19 % of such a patient's discs are then labelled wrongly, but
46 % of the labels are still wrong, and of other patients' discs 3 to 5 % lose theirs
(tests/README.md, "Prevalence").
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import exp, log
from typing import Any

import numpy as np

from mrs_disc.constants import Z95_ONE_SIDED
from mrs_disc.data import DiscScore, spans
from mrs_disc.models import model_reference
from mrs_disc.models.scores import PopulationScore
from mrs_disc.recipe import ScoreOptions
from mrs_disc.record.findings import Finding, finding, sentences
from mrs_disc.score.disc import (
    Disc,
    indeterminate,
    label_of,
    log_error,
    scope_remarks,
    structure_problem,
)
from mrs_disc.score.population_model import (
    Evidence,
    Grid,
    Posterior,
    error_variance,
    evidence_of,
    fits_better,
    likelihood,
    model_grid,
    posterior_given,
    probability_given,
    shares_at,
)
from mrs_disc.typing import FloatArray

_OTHER_PREVALENCES = (0.10, 0.39)
"""Shown beside the model's own: the effect of another prevalence."""
_LITTLE = 2.0
"""A measurement that changes the odds by less than this factor says little: a reason says so."""
LOG = "log(acidity/structure)"
_HIGH_PREVALENCE, _TELLING = 0.8, 2.0
"""A patient whose discs fit this prevalence so many times better than the assumed one gets a
reason.

In simulation that is half of those with four painful discs of five, one in eight of the others.
"""


def score_population(
    disc: Disc, others: Sequence[Disc], model: PopulationScore, options: ScoreOptions
) -> DiscScore:
    """Score a disc beside the patient's other discs."""
    reference = model_reference(model)
    if problem := structure_problem(disc):
        return indeterminate(reference, problem)
    beside = [other for other in others if not structure_problem(other)]
    grid = model_grid(model)
    shares = shares_at(model, options.prevalence)
    own = _likelihood_of(disc, grid, model)
    context = np.array([_likelihood_of(d, grid, model) for d in beside]).reshape(-1, grid.r.size)
    seen = evidence_of(grid, own, context)
    posterior = posterior_given(grid, shares, seen)
    alone = posterior_given(grid, shares, replace(seen, other_classes=seen.other_classes[:0]))
    label = label_of(posterior.probability, options)
    inputs = _inputs(disc, beside, model, options, posterior, alone)
    noticed = (
        _what_was_seen(disc, model),
        _how_it_was_judged(posterior, alone, beside),
        _what_it_weighs(posterior, options.prevalence or model.prevalence),
        _what_would_change(disc, grid, options, posterior),
        _other_prevalence(model, grid, seen, options),
        _unlike_assumed(model, grid, seen, options),
        *scope_remarks(disc, model),
    )
    findings = tuple(one for one in noticed if one is not None)
    return DiscScore(
        model=reference,
        value=posterior.probability,
        low=posterior.low,
        high=posterior.high,
        label=label,
        reasons=sentences(findings),
        findings=findings,
        inputs=inputs,
    )


def _likelihood_of(disc: Disc, grid: Grid, model: PopulationScore) -> FloatArray:
    assert disc.acidity is not None
    assert disc.structure is not None
    acidity = max(disc.acidity, 0.0)
    return likelihood(
        grid.r,
        acidity,
        max(disc.structure, acidity / exp(model.r_cap)),
        disc.acidity_sd,
        disc.structure_sd,
        disc.correlation,
    )


def _inputs(
    disc: Disc,
    beside: Sequence[Disc],
    model: PopulationScore,
    options: ScoreOptions,
    posterior: Posterior,
    alone: Posterior,
) -> Mapping[str, Any]:
    """Return the numbers that the score follows from."""
    assert disc.acidity is not None
    assert disc.structure is not None
    return {
        "acidity": max(disc.acidity, 0.0),
        "acidity_sd": disc.acidity_sd,
        "structure": disc.structure,
        "structure_sd": disc.structure_sd,
        "correlation": disc.correlation,
        "log(acidity/structure)": log(disc.acidity / disc.structure) if disc.acidity > 0 else None,
        "log_error": log_error(disc),
        "prevalence": options.prevalence or model.prevalence,
        "disc_alone": alone.probability,
        "disc_alone_low": alone.low,
        "disc_alone_high": alone.high,
        "with_levels": [d.level for d in beside],
        "patient_offset": posterior.offset_mean,
        "patient_offset_sd": posterior.offset_sd,
        "classes": {
            c.name: float(p) for c, p in zip(model.disc_class, posterior.classes, strict=True)
        },
    }


def _what_was_seen(disc: Disc, model: PopulationScore) -> Finding:
    means = {c.name: c.mean for c in model.disc_class}
    value, error, upper = _stated(disc)
    if value is None or error is None:
        return finding("ratio_below", LOG, upper=upper, means=means)
    return finding("ratio", LOG, value=value, sd=error, means=means)


def _stated(disc: Disc) -> tuple[float | None, float | None, float]:
    """Return value, sd and one-sided 95 % limit of log(acidity/structure).

    As the quantities state it, so that a report tells one number; without them from the parts.
    """
    assert disc.acidity is not None
    assert disc.structure is not None
    stated = disc.quantities.values.get(LOG) if disc.quantities is not None else None
    if stated is not None and stated.high is not None:
        return stated.value, None if stated.limit else stated.sd, stated.high
    error = log_error(disc)
    value = None if error is None else log(disc.acidity / disc.structure)
    most = max(disc.acidity, 0.0) + Z95_ONE_SIDED * disc.acidity_sd
    return value, error, log(most / disc.structure)


def _what_it_weighs(posterior: Posterior, prevalence: float) -> Finding | None:
    """Say where the measurement has hardly moved what was assumed before it."""
    p = min(max(posterior.probability, 1e-12), 1 - 1e-12)
    factor = p / (1 - p) * (1 - prevalence) / prevalence
    if not 1 / _LITTLE < factor < _LITTLE:
        return None
    return finding("says_little", prevalence=prevalence, factor=factor)


def _how_it_was_judged(posterior: Posterior, alone: Posterior, beside: Sequence[Disc]) -> Finding:
    if not beside:
        return finding("judged_alone", probability=posterior.probability)
    levels = [d.level for d in beside]
    return finding(
        "judged_beside",
        alone=alone.probability,
        probability=posterior.probability,
        levels=levels,
        where=spans(levels),
        offset=posterior.offset_mean,
        offset_sd=posterior.offset_sd,
    )


def _what_would_change(
    disc: Disc, grid: Grid, options: ScoreOptions, posterior: Posterior
) -> Finding | None:
    """Return at which log(acidity/structure) the label would be another, all else the same."""
    assert disc.structure is not None
    relative = disc.acidity_sd / disc.structure, disc.structure_sd / disc.structure
    ratio = np.exp(grid.r)
    variance = error_variance(ratio, *relative, disc.correlation)
    precision, log_sd = 0.5 / variance, 0.5 * np.log(variance)
    painful, every = grid.painful @ posterior.density, posterior.density.sum(axis=0)

    def at(r: float) -> float:
        seen = np.exp(-precision * (exp(r) - ratio) ** 2 - log_sd)
        return float(painful @ seen / (every @ seen))

    likely = _crossing(at, options.likely, grid)
    unlikely = _crossing(at, options.unlikely, grid)
    where = []
    if posterior.probability < options.likely:
        where.append(finding("never_likely") if likely is None else _at("likely_from", likely))
    elif likely is not None:
        where.append(_at("likely_until", likely))
    if posterior.probability > options.unlikely:
        where.append(
            finding("never_unlikely") if unlikely is None else _at("unlikely_to", unlikely)
        )
    elif unlikely is not None:
        where.append(_at("unlikely_until", unlikely))
    return finding("label_would_change", LOG, where=where) if where else None


def _at(kind: str, r: float) -> Finding:
    return finding(kind, LOG, at=r)


def _crossing(at: Any, level: float, grid: Grid) -> float | None:
    """Return the r at which a rising probability reaches a level, or `None`."""
    low, high = float(grid.r[0]), float(grid.r[-1])
    if not at(low) < level < at(high):
        return None
    for _ in range(16):
        middle = (low + high) / 2
        low, high = (middle, high) if at(middle) < level else (low, middle)
    return (low + high) / 2


def _other_prevalence(
    model: PopulationScore, grid: Grid, seen: Evidence, options: ScoreOptions
) -> Finding:
    used = options.prevalence or model.prevalence
    others = [
        finding(
            "at_prevalence",
            prevalence=p,
            probability=probability_given(grid, shares_at(model, p), seen),
        )
        for p in _OTHER_PREVALENCES
        if abs(p - used) > 0.02
    ]
    return finding("prevalence_assumed", prevalence=used, others=others)


def _unlike_assumed(
    model: PopulationScore, grid: Grid, seen: Evidence, options: ScoreOptions
) -> Finding | None:
    """Say where a patient's discs together speak for far more painful discs than assumed.

    Such patients are rare in the model; where they are not, the probabilities are too low.
    """
    used = options.prevalence or model.prevalence
    if seen.other_classes.shape[0] < 2 or used >= _HIGH_PREVALENCE:
        return None
    shares = shares_at(model, _HIGH_PREVALENCE)
    ratio = fits_better(grid, seen, shares, shares_at(model, used))
    if ratio < _TELLING:
        return None
    return finding(
        "unlike_assumed",
        high=_HIGH_PREVALENCE,
        prevalence=used,
        ratio=ratio,
        probability=probability_given(grid, shares, seen),
    )
