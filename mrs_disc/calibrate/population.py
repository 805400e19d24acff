"""The random-intercept population model fitted to a cohort by maximum likelihood.

The likelihood of a patient is that of the score itself (`mrs_disc.scoring.population`) with every
disc's class known: the integral over the patient's offset of the product of F_i(class_i, u). Class
means, standard deviations and the offset's standard deviation are fitted; shares are counted.

Class standard deviations are one and the same unless apart they are worth it (Akaike's criterion)
and the probability then still rises with acid over the whole range.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from mrs_disc.calibrate.assess import rows_by_patient
from mrs_disc.calibrate.table import Cohort
from mrs_disc.constants import Z95, Z95_ONE_SIDED
from mrs_disc.errors import InputError
from mrs_disc.scoring.population_model import (
    Grid,
    class_likelihoods,
    likelihood,
    make_grid,
    posterior,
)
from mrs_disc.typing import FloatArray, IntArray

LOG = "log(acidity/structure)"
R_RANGE = (-5.0, 1.0)
"""Where log(acidity/structure) is taken to lie, as in the model acidity_structure [P]."""
_STEP, _NODES = 0.02, 15
"""Grid of the fit: with a quarter of the step and 25 nodes no parameter moves by 1e-3 [D]."""
_LEAST_ERROR = 0.03
"""Relative error of acidity that is added, so that no likelihood is narrower than the grid [D]."""
_START_SD, _START_PATIENT_SD = 0.45, 0.25
"""Where the search begins: those of the simulator's population [P]."""
_SD_LIMITS, _PATIENT_LIMITS = (0.05, 2.0), (0.01, 1.5)
"""Between which it stays: beyond, a class would be a point or cover the whole range [P]."""
_CURVATURE_STEP = 1e-3
"""Of the numerical second derivatives: far above rounding, far below every standard error [D]."""
_MIN_CLASS = 8
"""Discs of a class from which a mean and a spread are fitted [P]."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PopulationFit:
    """A fitted population model.

    Parameters
    ----------
    names, painful : tuples, one per class
    mean, sd, share : float arrays, shape (class,)
    patient_sd : float
    mean_interval, sd_interval : float arrays, shape (class, 2); patient_interval : tuple
        Their 95 % intervals.
    n_used, n_patients : int
        Discs and patients that were fitted: those whose quantities are known.
    """

    names: tuple[str, ...]
    painful: tuple[bool, ...]
    mean: FloatArray
    sd: FloatArray
    share: FloatArray
    patient_sd: float
    mean_interval: FloatArray
    sd_interval: FloatArray
    patient_interval: tuple[float, float]
    log_likelihood: float
    common_sd: bool
    n_used: int
    n_patients: int

    @property
    def r_cap(self) -> float:
        """Measured r above this counts as this: mean + sd of the painful discs."""
        sick = np.array(self.painful)
        return float(min((self.mean + self.sd)[sick].max(), R_RANGE[1]))

    def grid(self, step: float = _STEP, nodes: int = _NODES) -> Grid:
        """Return the model on its grid."""
        return make_grid(
            tuple(self.mean), tuple(self.sd), self.painful, self.patient_sd, R_RANGE, step, nodes
        )

    @property
    def monotonic(self) -> bool:
        """Whether more acid means a higher probability on the whole range."""
        sick, reach = np.array(self.painful), 4 * self.patient_sd
        for end in (R_RANGE[0] - reach, R_RANGE[1] + reach):
            slope = (self.mean - end) / self.sd**2
            if slope[sick].min() < slope[~sick].max():
                return False
        return True


def classes_of(cohort: Cohort) -> tuple[tuple[str, ...], IntArray, tuple[bool, ...]]:
    """Return the classes that a cohort can tell apart, and that of each disc.

    Painless discs are healthy (Pfirrmann I-II) or degenerated where all grades are known and both
    kinds are there; else they are one class.
    """
    grade = cohort.pfirrmann[~cohort.painful]
    healthy = grade <= 2
    if np.all(np.isfinite(grade)) and min(healthy.sum(), (~healthy).sum()) >= _MIN_CLASS:
        kind = np.where(cohort.painful, 2, np.where(cohort.pfirrmann <= 2, 0, 1))
        return ("healthy", "degenerated", "painful"), kind, (False, False, True)
    return ("painless", "painful"), cohort.painful.astype(np.int64), (False, True)


def likelihoods_of(cohort: Cohort, r: FloatArray, r_cap: float | None = None) -> FloatArray:
    """Return the likelihood of each r for each disc, shape (disc, r); NaN rows where unknown.

    From acidity and structure with their errors where the table has them; their correlation follows
    from the error of the logarithm. Else from log(acidity/structure) with its error, or from its
    upper limit: discs with hardly any acid are the painless ones, and without them every
    parameter would be wrong.
    """
    rows = np.full((cohort.painful.size, r.size), np.nan)
    names = ("acidity", "acidity_sd", "structure", "structure_sd")
    sums = np.stack([_column(cohort, name) for name in names], axis=1)
    log_r, log_sd, log_high = (_column(cohort, f"{LOG}{end}") for end in ("", "_sd", "_high"))
    for row in range(cohort.painful.size):
        a, da, s, ds = (float(x) for x in sums[row])
        if np.all(np.isfinite(sums[row])) and s > 3 * ds and s > 0:
            rho = _correlation(a, da, s, ds, float(log_sd[row]))
            rows[row] = _from_sums(r, r_cap, a, da, s, ds, rho)
        elif np.isfinite(log_r[row]) and np.isfinite(log_sd[row]):
            value = log_r[row] if r_cap is None else min(log_r[row], r_cap)
            spread = float(np.hypot(log_sd[row], _LEAST_ERROR))
            rows[row] = np.exp(-0.5 * ((r - value) / spread) ** 2)
        elif np.isfinite(log_high[row]):
            ratio = float(np.exp(log_r[row])) if np.isfinite(log_r[row]) else 0.0
            error = max(float(np.exp(log_high[row])) - ratio, 0.0) / Z95_ONE_SIDED
            if error > 0:
                rows[row] = _from_sums(r, r_cap, ratio, error, 1.0, 0.0, 0.0)
    return rows


def _column(cohort: Cohort, name: str) -> FloatArray:
    return cohort.columns.get(name, np.full(cohort.painful.size, np.nan))


def _from_sums(
    r: FloatArray, r_cap: float | None, a: float, da: float, s: float, ds: float, rho: float
) -> FloatArray:
    """Return the likelihood of each r as the score has it: acidity cut at 0, structure raised."""
    a = max(a, 0.0)
    s = s if r_cap is None else max(s, a / np.exp(r_cap))
    return likelihood(r, a, s, float(np.hypot(da, _LEAST_ERROR * a)), ds, rho)


def _correlation(a: float, da: float, s: float, ds: float, log_sd: float) -> float:
    """Return the correlation of acidity and structure behind the error of their log ratio."""
    if not np.isfinite(log_sd) or a <= 3 * da or min(da, ds) <= 0:
        return 0.0
    relative = (da / a) ** 2 + (ds / s) ** 2 - log_sd**2
    return float(np.clip(relative / (2 * da * ds / (a * s)), -0.9, 0.9))


def fit_population(cohort: Cohort, *, intervals: bool = True) -> PopulationFit:
    """Fit the population model to a cohort.

    Raises
    ------
    InputError
        If too few discs have acidity and structure, or the painful discs have the lower mean.
    """
    r = make_grid((0.0,), (1.0,), (True,), 0.0, R_RANGE, _STEP, 1).r
    seen = likelihoods_of(cohort, r)
    known = np.isfinite(seen[:, 0])
    names, kind, painful = classes_of(cohort)
    counts = np.bincount(kind[known], minlength=len(names))
    if counts.min() < _MIN_CLASS:
        short = names[int(counts.argmin())]
        raise InputError(
            f"{cohort.name}: {counts.min()} {short} discs with acidity and structure (or "
            f"log(acidity/structure) and its sd); at least {_MIN_CLASS} are needed"
        )
    owners: dict[str, int] = {}
    used = np.flatnonzero(known)
    owner = [owners.setdefault(cohort.patients[row], len(owners)) for row in used]
    problem = _Problem(seen[known], kind[known], np.array(owner), names, painful)
    common = problem.solve(common=True)
    apart = problem.solve(common=False)
    gain = apart.log_likelihood - common.log_likelihood - (len(names) - 1)
    best = apart if gain > 0 and apart.monotonic else common
    sick = np.array(painful)
    if not best.monotonic or best.mean[sick].min() <= best.mean[~sick].max():
        raise InputError(
            f"{cohort.name}: painful discs have no more acid per structure than painless ones "
            f"(mean of log {best.mean[sick].min():.2f} against {best.mean[~sick].max():.2f}); "
            "the population model does not describe them"
        )
    return problem.with_intervals(best) if intervals else best


def predict_population(model: PopulationFit, cohort: Cohort) -> FloatArray:
    """Return the probability of each disc beside its patient's others; NaN where unknown."""
    grid = model.grid()
    seen = likelihoods_of(cohort, grid.r, model.r_cap)
    known = np.isfinite(seen[:, 0])
    probability = np.full(cohort.painful.size, np.nan)
    for rows in rows_by_patient(cohort.patients):
        usable = rows[known[rows]]
        for row in usable:
            others = seen[usable[usable != row]]
            probability[row] = posterior(grid, model.share, seen[row], others).probability
    return probability


@dataclass(frozen=True, slots=True, eq=False)
class _Problem:
    """The likelihood of a cohort as a function of the parameters.

    They are the classes' means, the logarithms of their standard deviations (of the one that all
    share, where there is but one) and the logarithm of the patients'.
    """

    seen: FloatArray
    kind: IntArray
    owner: IntArray
    names: tuple[str, ...]
    painful: tuple[bool, ...]

    def unpack(self, x: FloatArray) -> tuple[FloatArray, FloatArray, float]:
        """Return means, standard deviations and the patients' standard deviation."""
        n = len(self.names)
        return x[:n], np.exp(x[n:-1]) * np.ones(n), float(np.exp(x[-1]))

    def cost(self, x: FloatArray) -> float:
        """Return the negative log-likelihood."""
        mean, sd, patient_sd = self.unpack(x)
        grid = make_grid(tuple(mean), tuple(sd), self.painful, patient_sd, R_RANGE, _STEP, _NODES)
        each = class_likelihoods(grid, self.seen)[np.arange(self.kind.size), :, self.kind]
        total = np.zeros((self.owner.max() + 1, grid.offset.size))
        np.add.at(total, self.owner, np.log(np.maximum(each, 1e-300)))
        top = total.max(axis=1, keepdims=True)
        inside = np.exp(total - top) @ grid.offset_weight
        return -float(np.sum(top[:, 0] + np.log(np.maximum(inside, 1e-300))))

    def solve(self, *, common: bool) -> PopulationFit:
        """Return the most likely parameters, with one standard deviation or one for each class."""
        from scipy.optimize import minimize

        n, widths = len(self.names), 1 if common else len(self.names)
        peak = np.linspace(*R_RANGE, self.seen.shape[1])[self.seen.argmax(axis=1)]
        start = [float(np.median(peak[self.kind == c])) for c in range(n)]
        start += [*np.log([_START_SD] * widths), np.log(_START_PATIENT_SD)]
        bounds = [(R_RANGE[0] + 0.2, R_RANGE[1] - 0.2)] * n
        bounds += [tuple(np.log(_SD_LIMITS))] * widths + [tuple(np.log(_PATIENT_LIMITS))]
        scale = self.kind.size  # a cost of order one keeps the first step of the search short
        found = minimize(
            lambda x: self.cost(x) / scale,
            np.array(start),
            method="L-BFGS-B",
            bounds=bounds,
            options={"ftol": 1e-10},
        )
        mean, sd, patient_sd = self.unpack(found.x)
        return PopulationFit(
            names=self.names,
            painful=self.painful,
            mean=mean,
            sd=sd,
            share=np.bincount(self.kind, minlength=n) / self.kind.size,
            patient_sd=patient_sd,
            mean_interval=np.full((n, 2), np.nan),
            sd_interval=np.full((n, 2), np.nan),
            patient_interval=(float("nan"), float("nan")),
            log_likelihood=-float(found.fun) * scale,
            common_sd=common,
            n_used=self.kind.size,
            n_patients=int(self.owner.max()) + 1,
        )

    def with_intervals(self, fit: PopulationFit) -> PopulationFit:
        """Return the fit with 95 % intervals from the curvature of the likelihood.

        The patients' offset enters as its variance: the likelihood is regular in it down to zero,
        where that of its logarithm is flat.
        """
        n = len(self.names)
        log_sd = np.log(fit.sd[:1] if fit.common_sd else fit.sd)
        variance = max(fit.patient_sd**2, 3 * _CURVATURE_STEP)  # two steps down it is above zero
        error = _standard_errors(
            lambda x: self.cost(np.append(x[:-1], 0.5 * np.log(x[-1]))),
            np.array([*fit.mean, *log_sd, variance]),
        )
        reach, factor = Z95 * error[:n], np.exp(Z95 * error[n:-1]) * np.ones(n)
        return replace(
            fit,
            mean_interval=np.stack([fit.mean - reach, fit.mean + reach], axis=1),
            sd_interval=np.stack([fit.sd / factor, fit.sd * factor], axis=1),
            patient_interval=_offset_interval(fit.patient_sd, float(error[-1])),
        )


def _offset_interval(patient_sd: float, variance_error: float) -> tuple[float, float]:
    """Return the 95 % interval of the offset's standard deviation.

    Of a variance that is well known the logarithm is nearly normal (in simulation 96 % of such
    intervals hold, 88 % of those about the variance itself); near zero only the variance is.
    """
    variance = patient_sd**2
    if variance_error < variance:
        factor = float(np.exp(Z95 * variance_error / (2 * variance)))
        return patient_sd / factor, patient_sd * factor
    low, high = variance - Z95 * variance_error, variance + Z95 * variance_error
    return float(np.sqrt(max(low, 0.0))), float(np.sqrt(high))


def _standard_errors(cost: Callable[[FloatArray], float], x: FloatArray) -> FloatArray:
    """Return standard errors from a numerical Hessian."""
    n, h = x.size, _CURVATURE_STEP
    hessian = np.empty((n, n))
    step = h * np.eye(n)
    for i in range(n):
        for j in range(i, n):
            value = (
                cost(x + step[i] + step[j])
                - cost(x + step[i] - step[j])
                - cost(x - step[i] + step[j])
                + cost(x - step[i] - step[j])
            ) / (4 * h * h)
            hessian[i, j] = hessian[j, i] = value
    values, vectors = np.linalg.eigh(hessian)
    safe = np.maximum(values, 1e-3)
    return np.asarray(np.sqrt(((vectors**2) / safe).sum(axis=1)))
