"""How good predicted probabilities are: AUC, Brier score, calibration, labels; by patient.

Whole patients are left out and drawn again: the discs of one patient are not independent, and a
disc's neighbours enter its probability.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from mrs_disc.calibrate.table import Cohort
from mrs_disc.constants import LIKELY_FROM, UNLIKELY_UP_TO
from mrs_disc.statistics import Bin, area_under_curve, equal_bins
from mrs_disc.typing import BoolArray, FloatArray, IntArray

Fit = Callable[[Cohort], Callable[[Cohort], FloatArray]]
"""A training cohort to a function that predicts probabilities of another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """Figures of predicted probabilities against outcomes."""

    n_discs: int
    n_patients: int
    n_painful: int
    auc: float
    auc_low: float
    auc_high: float
    brier: float
    brier_of_prevalence: float
    sensitivity: float
    specificity: float
    labelled: float
    labels_wrong: float | None
    bins: tuple[Bin, ...]
    curve: tuple[tuple[float, float], ...]


def roc(score: FloatArray, positive: BoolArray) -> tuple[tuple[float, float], ...]:
    """Return points (1 - specificity, sensitivity) from (0, 0) to (1, 1)."""
    limits = np.unique(score)[::-1]
    points = [(0.0, 0.0)]
    for limit in limits:
        called = score >= limit
        points.append((float(called[~positive].mean()), float(called[positive].mean())))
    return tuple(points)


def rows_by_patient(patients: Sequence[str]) -> list[IntArray]:
    """Return the rows of each patient, in the order of first appearance."""
    found: dict[str, list[int]] = {}
    for row, patient in enumerate(patients):
        found.setdefault(patient, []).append(row)
    return [np.array(rows, dtype=np.int64) for rows in found.values()]


def cross_validated(cohort: Cohort, fit: Fit, *, folds: int, seed: int) -> FloatArray:
    """Return the probability of each disc from a model that never saw its patient.

    Parameters
    ----------
    cohort : Cohort
        All discs.
    fit : callable
        Fits a training cohort and returns its predictor.
    folds : int
        Number of parts; patients are dealt out so that each part has painful discs.
    seed : int
        Of the order in which patients are dealt out.
    """
    rng = np.random.default_rng(seed)
    groups = rows_by_patient(cohort.patients)
    order = rng.permutation(len(groups))
    share = [cohort.painful[groups[i]].mean() for i in order]
    dealt = [order[i] for i in np.argsort(share, kind="stable")]
    predicted = np.full(cohort.painful.size, np.nan)
    for fold in range(min(folds, len(groups))):
        out = np.concatenate([groups[i] for i in dealt[fold::folds]])
        rest = np.setdiff1d(np.arange(cohort.painful.size), out)
        predicted[out] = fit(cohort.take(rest))(cohort.take(out))
    return predicted


def assess(
    probability: FloatArray,
    cohort: Cohort,
    *,
    likely: float = LIKELY_FROM,
    unlikely: float = UNLIKELY_UP_TO,
    resamples: int = 1000,
    seed: int = 0,
) -> Assessment:
    """Return the figures of predicted probabilities; discs without one are left out.

    Labels follow the rule of the score: from the likelihood ratio that the probability holds over
    the cohort's own share of painful discs, and from its side of one half.
    """
    known = np.isfinite(probability)
    cohort = cohort.take(np.flatnonzero(known))
    probability, painful = probability[known], cohort.painful
    groups = rows_by_patient(cohort.patients)
    low, high = _bootstrap(probability, painful, groups, resamples, seed)
    share = float(painful.mean())
    odds = probability / np.maximum(1 - probability, 1e-12)
    ratio = odds * (1 - share) / share
    called = (ratio >= likely) & (probability >= 0.5)
    cleared = (ratio <= unlikely) & (probability <= 0.5)
    labelled = called | cleared
    wrong = (called & ~painful) | (cleared & painful)
    positive = probability >= painful.mean()
    return Assessment(
        n_discs=int(painful.size),
        n_patients=len(groups),
        n_painful=int(painful.sum()),
        auc=area_under_curve(probability, painful),
        auc_low=low,
        auc_high=high,
        brier=float(np.mean((probability - painful) ** 2)),
        brier_of_prevalence=float(painful.mean() * (1 - painful.mean())),
        sensitivity=float(positive[painful].mean()),
        specificity=float((~positive)[~painful].mean()),
        labelled=float(labelled.mean()),
        labels_wrong=float(wrong.sum() / labelled.sum()) if labelled.any() else None,
        bins=equal_bins(probability, painful),
        curve=roc(probability, painful),
    )


def _bootstrap(
    probability: FloatArray,
    painful: BoolArray,
    groups: Sequence[IntArray],
    resamples: int,
    seed: int,
) -> tuple[float, float]:
    """Return the 95 % interval of the AUC over resampled patients."""
    rng = np.random.default_rng(seed)
    values = []
    for _ in range(resamples):
        chosen = rng.integers(0, len(groups), len(groups))
        rows = np.concatenate([groups[i] for i in chosen])
        if 0 < painful[rows].sum() < rows.size:
            values.append(area_under_curve(probability[rows], painful[rows]))
    if not values:
        return 0.0, 1.0
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)
