"""Limits of ratios: the probability, over the measurement error, that they are passed.

That is no probability of pain in itself: it says how sure the measurement is of the rule's answer.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mrs_disc.data import DiscScore
from mrs_disc.models import model_reference
from mrs_disc.models.scores import CutoffScore
from mrs_disc.recipe import ScoreOptions
from mrs_disc.record.findings import finding, sentences
from mrs_disc.record.parts import LikelihoodRatio
from mrs_disc.scoring.disc import (
    HALF,
    Disc,
    indeterminate,
    label_of,
    no_quantity,
    ratio_behind,
    scope_remarks,
)

_DRAWS = 8000
_SEED = 6


def score_cutoffs(
    disc: Disc, others: Sequence[Disc], model: CutoffScore, options: ScoreOptions
) -> DiscScore:
    """Score a disc by its own quantities; the patient's other discs do not enter."""
    del others
    reference = model_reference(model)
    quantities = disc.quantities
    if quantities is None:
        return indeterminate(reference, finding("no_quantities"))
    for rule in model.cutoff:
        quantity = quantities.values.get(rule.quantity)
        if quantity is None or quantity.value is None or rule.quantity not in quantities.names:
            return indeterminate(reference, no_quantity(rule.quantity, disc))
    rows = [quantities.names.index(rule.quantity) for rule in model.cutoff]
    covariance = np.array(quantities.covariance)[np.ix_(rows, rows)]
    values, vectors = np.linalg.eigh(covariance)
    half = np.random.default_rng(_SEED).standard_normal((len(rows), _DRAWS // 2))
    noise = (vectors * np.sqrt(np.maximum(values, 0.0))) @ np.concatenate([half, -half], axis=1)
    centre = np.array([quantities.values[rule.quantity].value for rule in model.cutoff])
    side = np.array([1.0 if rule.positive == "above" else -1.0 for rule in model.cutoff])
    limit = np.array([rule.limit for rule in model.cutoff])
    passed = side[:, None] * (centre[:, None] + noise - limit[:, None]) > 0
    positive = passed.all(axis=0) if model.combine == "all" else passed.any(axis=0)
    value = float(positive.mean())
    findings = [
        finding(
            "cutoff",
            rule.quantity,
            value=float(c),
            sd=float(np.sqrt(v)),
            side=rule.positive,
            limit=rule.limit,
        )
        for rule, c, v in zip(model.cutoff, centre, np.diagonal(covariance), strict=True)
    ]
    findings += [finding("rule_met", probability=value), *scope_remarks(disc, model)]
    return DiscScore(
        model=reference,
        value=value,
        low=float(value > 0.975),
        high=float(value > 0.025),
        # How sure the measurement is of the rule's answer, in odds; it is no evidence of pain.
        label=label_of(LikelihoodRatio(value=ratio_behind(value, HALF)), value, options),
        reasons=sentences(findings),
        findings=tuple(findings),
        inputs={rule.quantity: float(c) for rule, c in zip(model.cutoff, centre, strict=True)},
    )
