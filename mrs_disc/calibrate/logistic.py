"""L2-penalised logistic regression on chosen quantities, through scikit-learn (an extra)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mrs_disc.calibrate.table import Cohort, check_size
from mrs_disc.errors import InputError
from mrs_disc.scoring.logistic import expected_probability
from mrs_disc.typing import FloatArray

DEFAULT_QUANTITIES = ("acidity/structure",)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LogisticFit:
    """A fitted logistic model on standardised quantities."""

    quantities: tuple[str, ...]
    centre: FloatArray
    scale: FloatArray
    coefficient: FloatArray
    intercept: float
    prevalence: float
    n_used: int
    n_patients: int


def fit_logistic(
    cohort: Cohort, quantities: Sequence[str] = DEFAULT_QUANTITIES, *, strength: float = 1.0
) -> LogisticFit:
    """Fit a logistic regression; `strength` is scikit-learn's C.

    Raises
    ------
    InputError
        If scikit-learn is not installed, or too few discs have all quantities.
    """
    try:
        from sklearn.linear_model import LogisticRegression
    except ImportError as error:
        raise InputError(
            "logistic calibration needs scikit-learn: pip install 'mrs-disc[calibrate]'"
        ) from error
    values = np.stack([cohort.column(name) for name in quantities], axis=1)
    known = np.all(np.isfinite(values), axis=1)
    used = cohort.take(np.flatnonzero(known))
    check_size(used)
    values = values[known]
    centre, scale = values.mean(axis=0), values.std(axis=0)
    if np.any(scale <= 0):
        flat = quantities[int(np.argmin(scale))]
        raise InputError(f"{cohort.name}: '{flat}' is the same for every disc; leave it out")
    solver = LogisticRegression(C=strength, max_iter=1000)
    solver.fit((values - centre) / scale, used.painful)
    return LogisticFit(
        quantities=tuple(quantities),
        centre=centre,
        scale=scale,
        coefficient=np.asarray(solver.coef_[0], dtype=np.float64),
        intercept=float(solver.intercept_[0]),
        prevalence=float(used.painful.mean()),
        n_used=int(known.sum()),
        n_patients=used.n_patients,
    )


def predict_logistic(model: LogisticFit, cohort: Cohort) -> FloatArray:
    """Return the probability of each disc, averaged over its errors; NaN where unknown."""
    probability = np.full(cohort.painful.size, np.nan)
    slope = model.coefficient / model.scale
    for row in range(cohort.painful.size):
        values = np.array([cohort.column(name)[row] for name in model.quantities])
        if not np.all(np.isfinite(values)):
            continue
        errors = np.array(
            [
                cohort.columns.get(f"{name}_sd", np.zeros(cohort.painful.size))[row]
                for name in model.quantities
            ]
        )
        sd = float(np.sqrt(np.nansum((slope * errors) ** 2)))
        logit = model.intercept + float(slope @ (values - model.centre))
        probability[row] = expected_probability(logit, sd)
    return probability
