"""Score models fitted to a user's own outcomes: a levels table in, a model and its card out.

The model is a TOML file of the same form as the shipped ones and drops into a recipe unchanged.
Its figures are cross-validated by patient; a model is never called validated by its own cohort.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from mrs_disc._version import __version__
from mrs_disc.calibrate.assess import Assessment, assess, cross_validated
from mrs_disc.calibrate.logistic import (
    DEFAULT_QUANTITIES,
    LogisticFit,
    fit_logistic,
    predict_logistic,
)
from mrs_disc.calibrate.population import (
    R_RANGE,
    PopulationFit,
    fit_population,
    predict_population,
)
from mrs_disc.calibrate.table import Cohort, read_cohort
from mrs_disc.models.scores import ScoreModel, load_score_model, score_model
from mrs_disc.statistics import area_under_curve
from mrs_disc.typing import FloatArray

__all__ = ["Calibration", "calibrate"]

FOLDS = 5
SEED = 1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Calibration:
    """A fitted model as it is written, its figures, and what to be warned of."""

    model: ScoreModel
    content: dict[str, Any]
    assessment: Assessment
    warnings: tuple[str, ...]
    fit: PopulationFit | LogisticFit
    outcome: str


def calibrate(
    table: Path | Cohort,
    *,
    name: str,
    kind: Literal["population", "logistic"] = "population",
    outcome: str = "provocation",
    quantities: Sequence[str] = (),
    folds: int = FOLDS,
) -> Calibration:
    """Fit a score model to a table of discs with outcomes.

    Parameters
    ----------
    table : Path or Cohort
        A dataset's ``levels.tsv``, or any table with its columns; or what was read of one.
    name : str
        Name of the new model.
    kind : "population" or "logistic"
        What is fitted.
    outcome : str
        Column that says positive or negative.
    quantities : sequence of str
        For a logistic model; default acidity/structure.
    folds : int
        Parts of the cross-validation by patient.

    Raises
    ------
    InputError
        If the table cannot be used: unreadable, too few discs, one outcome only.
    """
    cohort = table if isinstance(table, Cohort) else read_cohort(table, outcome)
    fitted: PopulationFit | LogisticFit
    if kind == "population":
        fitted = fit_population(cohort)
        predicted = cross_validated(cohort, _population, folds=folds, seed=SEED)
        own = predict_population(fitted, cohort)
        body = _population_body(fitted)
    else:
        chosen = tuple(quantities) or DEFAULT_QUANTITIES
        fitted = fit_logistic(cohort, chosen)
        predicted = cross_validated(cohort, _logistic(chosen), folds=folds, seed=SEED)
        own = predict_logistic(fitted, cohort)
        body = _logistic_body(fitted)
    figures = assess(predicted, cohort)
    warnings = _warnings(own, cohort, figures)
    head = _head(fitted, name, kind, outcome, warnings)
    content = _rounded(head | body | {"performance": _performance(figures, folds)})
    model = score_model(content, f"{name}.toml")
    return Calibration(
        model=model,
        content=content,
        assessment=figures,
        warnings=warnings,
        fit=fitted,
        outcome=outcome,
    )


def _population(training: Cohort) -> Callable[[Cohort], FloatArray]:
    fitted = fit_population(training, intervals=False)
    return lambda cohort: predict_population(fitted, cohort)


def _logistic(quantities: Sequence[str]) -> Callable[[Cohort], Callable[[Cohort], FloatArray]]:
    def fit(training: Cohort) -> Callable[[Cohort], FloatArray]:
        fitted = fit_logistic(training, quantities)
        return lambda cohort: predict_logistic(fitted, cohort)

    return fit


def _warnings(own: FloatArray, cohort: Cohort, figures: Assessment) -> tuple[str, ...]:
    known = np.isfinite(own)
    left_out = ", ".join(f"{count} {why}" for why, count in cohort.skipped.items())
    found = [f"left out: {left_out}"] if left_out else []
    if area_under_curve(own[known], cohort.painful[known]) > 1 - 1e-9:
        found.append(
            "the outcomes are completely separated: coefficients and spreads are not reliable"
        )
    if figures.n_painful < 30 or figures.n_discs - figures.n_painful < 30:
        found.append("fewer than 30 discs of one outcome: every figure is uncertain")
    if figures.auc_low < 0.5:
        found.append("the cross-validated AUC does not exclude chance")
    if missing := int((~known).sum()):
        found.append(f"discs without the needed quantities, left out: {missing}")
    return tuple(found)


def _head(
    fit: PopulationFit | LogisticFit,
    name: str,
    kind: str,
    outcome: str,
    warnings: Sequence[str],
) -> dict[str, Any]:
    base = load_score_model("acidity_structure")
    scope = base.scope.model_dump(mode="json", exclude={"source", "status"})
    scope["exploratory_field_t"] = []
    if kind == "logistic":
        scope["components"] = ["PG", "LAC"]
    return {
        "schema_version": 1,
        "name": name,
        "version": 1,
        "kind": kind,
        "description": f"Fitted to {fit.n_used} discs with '{outcome}' of a local cohort",
        "validated": False,
        "intended_use": "Research, on discs measured as this cohort was.",
        "limits": [
            "not validated: figures are cross-validated within its own cohort",
            "the prevalence is that of the cohort",
            "check [scope]: it was taken over from acidity_structure and not from the cohort",
            *warnings,
        ],
        "scope": scope | {"source": "taken over from acidity_structure", "status": "P"},
        "training": {
            "data": f"local cohort, outcome '{outcome}'",
            "n_patients": fit.n_patients,
            "n_discs": fit.n_used,
            "software": f"mrs_disc {__version__}",
            "source": "this cohort",
            "status": "D",
        },
    }


def _rounded(value: Any) -> Any:
    """Return plain data with its numbers to six digits."""
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_rounded(item) for item in value]
    return float(f"{value:.6g}") if isinstance(value, float) else value


def _population_body(fit: PopulationFit) -> dict[str, Any]:
    shares = [_rounded(float(share)) for share in fit.share[:-1]]
    shares.append(1.0 - sum(shares))  # rounded, they still have to add up to one
    low, high = fit.patient_interval
    own = f"maximum likelihood, 95 % interval {low:.3f} to {high:.3f}"
    common = ", common to all classes" if fit.common_sd else ""
    classes = []
    for k, name in enumerate(fit.names):
        mean, sd = fit.mean_interval[k], fit.sd_interval[k]
        source = (
            f"maximum likelihood, 95 % intervals: mean {mean[0]:.3f} to {mean[1]:.3f}, "
            f"sd {sd[0]:.3f} to {sd[1]:.3f}{common}; share counted among {fit.n_used} discs"
        )
        classes.append(
            {
                "name": name,
                "painful": fit.painful[k],
                "share": shares[k],
                "mean": float(fit.mean[k]),
                "sd": float(fit.sd[k]),
                "source": source,
                "status": "D",
            }
        )
    return {
        "r_range": R_RANGE,
        "r_cap": fit.r_cap,
        "patient_sd": fit.patient_sd,
        "sources": {
            "r_range": {"source": "as in acidity_structure", "status": "P"},
            "r_cap": {"source": "mean + sd of painful discs", "status": "D"},
            "patient_sd": {"source": own, "status": "D"},
        },
        "class": classes,
    }


def _logistic_body(fit: LogisticFit) -> dict[str, Any]:
    columns = (fit.quantities, fit.coefficient, fit.centre, fit.scale)
    return {
        "intercept": fit.intercept,
        "prevalence": fit.prevalence,
        "source": f"L2-penalised logistic regression, {fit.n_used} discs of this cohort",
        "status": "D",
        "term": [
            {
                "quantity": name,
                "transform": "none",
                "coefficient": float(coefficient),
                "centre": float(centre),
                "scale": float(scale),
            }
            for name, coefficient, centre, scale in zip(*columns, strict=True)
        ],
    }


def _performance(figures: Assessment, folds: int) -> dict[str, Any]:
    """Return the figures as they stand in a model's card."""
    wrong = {} if figures.labels_wrong is None else {"labels_wrong": figures.labels_wrong}
    return {
        "source": f"{folds}-fold cross-validation by patient within this cohort",
        "status": "D",
        "n_patients": figures.n_patients,
        "n_discs": figures.n_discs,
        "n_painful": figures.n_painful,
        "auc": figures.auc,
        "auc_95": (figures.auc_low, figures.auc_high),
        "brier": figures.brier,
        "brier_of_prevalence": figures.brier_of_prevalence,
        "sensitivity": figures.sensitivity,
        "specificity": figures.specificity,
        "share_labelled": figures.labelled,
        **wrong,
        "calibration": [
            {
                "predicted": b.mean_probability,
                "observed": b.share_painful,
                "low": b.low_95,
                "high": b.high_95,
                "n": b.n,
            }
            for b in figures.bins
        ],
    }
