"""The random-intercept population model of r = log(acidity/structure).

Within its class (say healthy, degenerated, painful) the r of a disc is normal; all discs of one
patient share an offset u, normal about zero; acidity and structure are measured with errors. For
disc i with amplitudes A, S and their errors, z = A - exp(r) S is normal about zero whatever the
true S (Fieller), so that

    L_i(r) = exp(-z^2 / 2v) / sqrt(v),   v = sdA^2 - 2 exp(r) cov + exp(2r) sdS^2
    F_i(c, u) = integral of N(r; mean_c + u, sd_c) L_i(r) dr
    g_i(u) = sum over c of share_c F_i(c, u)
    G(k) = integral of N(u; 0, patient_sd) prod_{j != i} g_j(u) F_i(k, u)
    LR = sum over painful k of share_k G(k) / sum over painful k of share_k, over the same of the
         painless k

No logarithm of a noisy sum is taken: a disc with no acid above noise needs no special case. Acidity
is cut at zero (in simulation that ranks better than the uncut sum: .844 for .838 at an error of
14 in A), and S counts as at least A / exp(r_cap). With both, more acid never lowers a ratio
above 1/20, and more structure raises none by more than 1 % (.2 % was the most that a search found
at errors up to 32 % of S, .7 % at 60 %). The integrals are sums on a grid of r and Gauss-Hermite
nodes of u.

The first output is the likelihood ratio of pain: what painful classes explain of this disc, over
what the painless ones do, each with their shares among themselves, u averaged over what the other
discs tell. The other discs enter at the model's own shares, so that no prevalence changes the
ratio; the probability follows from it by Bayes' rule at the prevalence that is assumed. The ratio
has the measurement's error inside it: a disc of which little is known has one near 1. Its interval
holds what is left: the patient's offset.

Decision: the label rests on the ratio, at 4 and 1/4, and on its side of even odds. Labels from a
probability of .8 and .2 at a prevalence of .25 asked for a ratio of 12 for one and of .75, next to
nothing, for the other: hardly a painful disc was found, and spectra that say nothing were labelled.
Refused: a plug-in ratio at the measured r, which is far too sure where the error is large.

The interval of the probability says what the error of measurement hides: the 2.5th and 97.5th
percentile of the probability that this disc would have were its r known, over what its measurement
leaves open. Its mean is the probability.

A patient with mostly painful discs looks less painful than they are, since a common offset explains
them as well, and too few discs tell of it: `mrs_disc.scoring.patient`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from math import exp, log
from typing import Any

import numpy as np

from mrs_disc.constants import Z95_ONE_SIDED
from mrs_disc.data import DiscScore, Label, spans
from mrs_disc.models import model_reference
from mrs_disc.models.scores import PopulationScore
from mrs_disc.recipe import ScoreOptions
from mrs_disc.record.findings import Finding, finding, sentences
from mrs_disc.record.parts import LikelihoodRatio
from mrs_disc.scoring.disc import (
    HALF,
    Disc,
    at_prevalence,
    held_back,
    indeterminate,
    label_of,
    log_error,
    ratio_behind,
    scope_remarks,
    structure_problem,
)
from mrs_disc.scoring.needed import more_transients
from mrs_disc.scoring.patient import (
    HIGH_PREVALENCE,
    held_by_patient,
    mostly_painful,
    unlike_assumed,
)
from mrs_disc.scoring.population_model import (
    Evidence,
    Grid,
    Posterior,
    class_likelihoods,
    evidence_of,
    likelihood,
    model_grid,
    posterior_given,
    shares_at,
)
from mrs_disc.typing import FloatArray

PREVALENCES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
"""At which the probability is shown: the effect of what is assumed before measuring."""
SCALE = (
    (10.0, "a large shift"),
    (5.0, "a moderate shift"),
    (2.0, "a small shift"),
    (0.0, "hardly a shift"),
)
"""How far a likelihood ratio, or its inverse, shifts what was thought before: Jaeschke, Guyatt and
Sackett, JAMA 1994;271:703-707, doi:10.1001/jama.271.9.703."""
LOG = "log(acidity/structure)"


def score_population(
    disc: Disc, others: Sequence[Disc], model: PopulationScore, options: ScoreOptions
) -> DiscScore:
    """Score a disc beside the patient's other discs."""
    reference = model_reference(model)
    if problem := structure_problem(disc):
        return indeterminate(reference, problem)
    beside = [other for other in others if not structure_problem(other)]
    grid = model_grid(model)
    shares = shares_at(model, None)
    own = _likelihood_of(disc, grid, model)
    context = np.array([_likelihood_of(d, grid, model) for d in beside]).reshape(-1, grid.r.size)
    seen = evidence_of(grid, own, context)
    posterior = posterior_given(grid, shares, seen)
    alone = posterior_given(grid, shares, replace(seen, other_classes=seen.other_classes[:0]))
    evidence = _ratio_with_interval(posterior)
    prevalence = options.prevalence or model.prevalence
    told = _told(posterior, model.prevalence, prevalence)
    label, held = _label(posterior, seen, grid, (model, options))
    inputs = _inputs(disc, beside, (model, prevalence), told, alone)
    if (high := mostly_painful(model, grid, seen)) is not None:
        inputs |= {"mostly_painful": {"prevalence": HIGH_PREVALENCE, **asdict(high)}}
    noticed = (
        _what_it_weighs(evidence),
        held,
        _what_was_seen(disc, model),
        _how_it_was_judged(evidence, alone, beside, told),
        _what_would_change(disc, grid, (model, options), posterior, label),
        _what_it_takes(disc, seen, grid, (model, options), label),
        _other_prevalence(evidence, prevalence),
        unlike_assumed(model, grid, seen, prevalence),
        *scope_remarks(disc, model),
    )
    findings = tuple(one for one in noticed if one is not None)
    return DiscScore(
        model=reference,
        value=told.probability,
        low=told.low,
        high=told.high,
        label=label,
        evidence=evidence,
        reasons=sentences(findings),
        findings=findings,
        inputs=inputs,
    )


def _ratio_with_interval(posterior: Posterior) -> LikelihoodRatio:
    return LikelihoodRatio(
        value=posterior.ratio, low=posterior.ratio_low, high=posterior.ratio_high
    )


def _label(
    posterior: Posterior,
    seen: Evidence,
    grid: Grid,
    chosen: tuple[PopulationScore, ScoreOptions],
) -> tuple[Label, Finding | None]:
    """Return the label, and why strong evidence carries none."""
    model, options = chosen
    evidence = _ratio_with_interval(posterior)
    prevalence = options.prevalence or model.prevalence
    probability = at_prevalence(evidence.value, prevalence)
    label = label_of(evidence, probability, options)
    held = held_back(evidence, probability, prevalence, options)
    if label == "unlikely painful":
        held = held_by_patient(mostly_painful(model, grid, seen), evidence.value, options)
    return ("indeterminate", held) if held is not None else (label, None)


def _told(posterior: Posterior, own: float, prevalence: float) -> Posterior:
    """Return the posterior at another prevalence of painful discs than the model's own.

    The evidence stays as it is: odds alone change, by Bayes' rule.
    """

    def moved(probability: float) -> float:
        return at_prevalence(ratio_behind(probability, own), prevalence)

    return replace(
        posterior,
        probability=moved(posterior.probability),
        low=moved(posterior.low),
        high=moved(posterior.high),
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
    told: tuple[PopulationScore, float],
    posterior: Posterior,
    alone: Posterior,
) -> dict[str, Any]:
    """Return the numbers that the score follows from; `told` are the model and the prevalence."""
    model, prevalence = told
    assert disc.acidity is not None
    assert disc.structure is not None
    quotient = max(disc.acidity, 0.0) / disc.structure  # may vanish though acidity does not
    return {
        "acidity": max(disc.acidity, 0.0),
        "acidity_sd": disc.acidity_sd,
        "structure": disc.structure,
        "structure_sd": disc.structure_sd,
        "correlation": disc.correlation,
        "log(acidity/structure)": log(quotient) if quotient > 0 else None,
        "log_error": log_error(disc),
        "prevalence": prevalence,
        "ratio_alone": alone.ratio,
        "disc_alone": at_prevalence(alone.ratio, prevalence),
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


def _what_it_weighs(evidence: LikelihoodRatio) -> Finding:
    """Say how strong the evidence is, and for what, in the words of a published scale."""
    ratio = evidence.value
    said = float(f"{ratio:.2g}")  # as it is printed, so that number and word agree
    strength = next(word for limit, word in SCALE if max(said, 1 / max(said, 1e-300)) >= limit)
    kind = "evidence_for" if ratio >= 1 else "evidence_against"
    return finding(kind, ratio=ratio, low=evidence.low, high=evidence.high, strength=strength)


def _how_it_was_judged(
    evidence: LikelihoodRatio, alone: Posterior, beside: Sequence[Disc], told: Posterior
) -> Finding:
    if not beside:
        return finding("judged_alone", probability=told.probability)
    levels = [d.level for d in beside]
    return finding(
        "judged_beside",
        alone=alone.ratio,
        ratio=evidence.value,
        levels=levels,
        where=spans(levels),
        offset=told.offset_mean,
        offset_sd=told.offset_sd,
    )


def _what_would_change(
    disc: Disc,
    grid: Grid,
    chosen: tuple[PopulationScore, ScoreOptions],
    posterior: Posterior,
    label: Label,
) -> Finding | None:
    """Return at which log(acidity/structure) the label would be another, all else the same."""
    model, options = chosen
    structure = disc.structure
    assert structure is not None
    painful = grid.painful @ posterior.density / model.prevalence
    painless = (1 - grid.painful) @ posterior.density / (1 - model.prevalence)

    def at(r: float) -> float:
        one = replace(disc, acidity=exp(r) * structure)
        seen = _likelihood_of(one, grid, model)
        return float(painful @ seen / (painless @ seen))

    # A label needs its likelihood ratio, and a probability on its side of one half.
    even = ratio_behind(HALF, options.prevalence or model.prevalence)
    needed, allowed = max(options.likely, even), min(options.unlikely, even)
    likely, unlikely = _crossing(at, needed, grid), _crossing(at, allowed, grid)
    where = []
    if posterior.ratio < needed:
        where.append(finding("never_likely") if likely is None else _at("likely_from", likely))
    elif likely is not None and label == "likely painful":
        where.append(_at("likely_until", likely))
    if posterior.ratio > allowed:
        where.append(
            finding("never_unlikely") if unlikely is None else _at("unlikely_to", unlikely)
        )
    elif unlikely is not None and label == "unlikely painful":
        where.append(_at("unlikely_until", unlikely))
    return finding("label_would_change", LOG, where=where) if where else None


def _what_it_takes(
    disc: Disc,
    seen: Evidence,
    grid: Grid,
    chosen: tuple[PopulationScore, ScoreOptions],
    label: Label,
) -> Finding | None:
    """Return how many transients would label a disc that has no label."""
    if label != "indeterminate":
        return None
    shares = shares_at(chosen[0], None)

    def then(measured: Disc) -> Label:
        own = _likelihood_of(measured, grid, chosen[0])
        evidence = replace(seen, own=own, own_classes=class_likelihoods(grid, own[None])[0])
        return _label(posterior_given(grid, shares, evidence), evidence, grid, chosen)[0]

    return more_transients(disc, then)


def _at(kind: str, r: float) -> Finding:
    return finding(kind, LOG, at=r)


def _crossing(at: Any, level: float, grid: Grid) -> float | None:
    """Return the r at which a rising ratio reaches a level, or `None`."""
    low, high = float(grid.r[0]), float(grid.r[-1])
    if not at(low) < level < at(high):
        return None
    for _ in range(16):
        middle = (low + high) / 2
        low, high = (middle, high) if at(middle) < level else (low, middle)
    return (low + high) / 2


def _other_prevalence(evidence: LikelihoodRatio, used: float) -> Finding:
    """Return the probability at the prevalence that was assumed, and at others."""
    others = [
        finding("at_prevalence", prevalence=p, probability=at_prevalence(evidence.value, p))
        for p in PREVALENCES
    ]
    return finding("prevalence_assumed", prevalence=used, others=others)
