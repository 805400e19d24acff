"""Logistic regression on chosen quantities, averaged over their measurement error."""

from __future__ import annotations

from collections.abc import Sequence
from math import log

import numpy as np

from mrs_disc.constants import Z95
from mrs_disc.data import DiscScore
from mrs_disc.models import model_reference
from mrs_disc.models.scores import LogisticScore
from mrs_disc.recipe import ScoreOptions
from mrs_disc.record.findings import Finding, finding, sentences
from mrs_disc.record.parts import LikelihoodRatio
from mrs_disc.scoring.disc import (
    Disc,
    at_prevalence,
    held_back,
    indeterminate,
    label_of,
    no_quantity,
    ratio_behind,
    scope_remarks,
)
from mrs_disc.typing import FloatArray


def expected_probability(logit: float, sd: float) -> float:
    """Return the mean of ``1 / (1 + exp(-x))`` over a normal x, by Gauss-Hermite quadrature."""
    node, weight = np.polynomial.hermite_e.hermegauss(41)
    values = 1 / (1 + np.exp(-(logit + sd * node)))
    return float(weight @ values / weight.sum())


def score_logistic(
    disc: Disc, others: Sequence[Disc], model: LogisticScore, options: ScoreOptions
) -> DiscScore:
    """Score a disc by its own quantities; the patient's other discs do not enter."""
    del others
    reference = model_reference(model)
    estimate = _logit(disc, model)
    if isinstance(estimate, Finding):
        return indeterminate(reference, estimate)
    logit, sd, seen = estimate
    prevalence = options.prevalence or model.prevalence
    ratio = ratio_behind(expected_probability(logit, sd), model.prevalence)
    evidence = LikelihoodRatio(value=ratio)
    value = at_prevalence(ratio, prevalence)
    logit += log(prevalence / (1 - prevalence)) - log(model.prevalence / (1 - model.prevalence))
    low, high = (1 / (1 + np.exp(-(logit + side * Z95 * sd))) for side in (-1, 1))
    held = held_back(evidence, value, prevalence, options)
    findings = (
        *(() if held is None else (held,)),
        finding("logit", quantities=seen, logit=logit, sd=sd, probability=value),
        finding("prevalence", prevalence=prevalence),
        *scope_remarks(disc, model),
    )
    return DiscScore(
        model=reference,
        value=value,
        low=min(float(low), value),
        high=max(float(high), value),
        label=label_of(evidence, value, options),
        evidence=evidence,
        reasons=sentences(findings),
        findings=findings,
        inputs={**seen, "logit": logit, "logit_sd": sd, "prevalence": prevalence},
    )


def _logit(disc: Disc, model: LogisticScore) -> tuple[float, float, dict[str, float]] | Finding:
    """Return the logit, its standard error and the quantities, or why there is none."""
    quantities = disc.quantities
    if quantities is None:
        return finding("no_quantities")
    logit = model.intercept
    slopes: FloatArray = np.zeros(len(quantities.names))
    seen: dict[str, float] = {}
    for term in model.term:
        quantity = quantities.values.get(term.quantity)
        if quantity is None or quantity.value is None:
            return no_quantity(term.quantity, disc)
        value, slope = quantity.value, 1.0
        if term.transform == "log":
            if value <= 0 or quantity.limit is not None:
                return finding("no_logarithm", term.quantity)
            value, slope = log(value), 1 / value
        if term.quantity not in quantities.names:
            return finding("no_error", term.quantity)
        logit += term.coefficient * (value - term.centre) / term.scale
        slopes[quantities.names.index(term.quantity)] += term.coefficient * slope / term.scale
        seen[term.quantity] = quantity.value
    variance = float(slopes @ np.array(quantities.covariance) @ slopes)
    return logit, float(np.sqrt(max(variance, 0.0))), seen
