"""The random-intercept population model fitted to a cohort by maximum likelihood.

The likelihood of a patient is that of the score itself (`mrs_disc.score.population`) with every
disc's class known: the integral over the patient's offset of the product of F_i(class_i, u). Class
means, standard deviations and the offset's standard deviation are fitted; shares are counted.

Class standard deviations are one and the same unless apart they are worth it (Akaike's criterion)
and the probability then still rises with acid over the whole range.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mrs_disc.calibrate.assess import rows_by_patient
from mrs_disc.calibrate.table import Cohort
from mrs_disc.constants import Z95, Z95_ONE_SIDED
from mrs_disc.errors import InputError
from mrs_disc.score.population_model import (
    Grid,
    class_likelihoods,
    likelihood,
    make_grid,
    posterior,
)
from mrs_disc.typing import FloatArray, IntArray

R_RANGE = (-5.0, 1.0)
_STEP, _NODES = 0.02, 15
_LEAST_ERROR = 0.03  # keeps the likelihood wider than the grid's step
_CURVATURE_STEP = 1e-3
LOG = "log(acidity/structure)"
_SD_LIMITS = (0.05, 2.0)
_PATIENT_LIMITS = (0.01, 1.5)
_MIN_CLASS = 8


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
    patients = rows_by_patient([p for p, k in zip(cohort.patients, known, strict=True) if k])
    problem = _Problem(seen[known], kind[known], patients, names, painful)
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


class _Problem:
    """The likelihood of a cohort as a function of the parameters."""

    def __init__(
        self,
        seen: FloatArray,
        kind: IntArray,
        patients: Sequence[IntArray],
        names: tuple[str, ...],
        painful: tuple[bool, ...],
    ) -> None:
        self.seen = seen
        self.kind = kind
        self.patients = patients
        self.names = names
        self.painful = painful
        self.share = np.bincount(kind, minlength=len(names)) / kind.size
        self.owner = np.empty(kind.size, dtype=np.int64)
        for index, rows in enumerate(patients):
            self.owner[rows] = index

    def unpack(self, x: FloatArray, common: bool) -> tuple[FloatArray, FloatArray, float]:
        """Return means, standard deviations and the patients' standard deviation."""
        n = len(self.names)
        sd = np.exp(x[n : n + 1] if common else x[n : 2 * n]) * np.ones(n)
        return x[:n], sd, float(np.exp(x[-1]))

    def cost(self, x: FloatArray, common: bool) -> float:
        """Return the negative log-likelihood."""
        mean, sd, patient_sd = self.unpack(x, common)
        grid = make_grid(tuple(mean), tuple(sd), self.painful, patient_sd, R_RANGE, _STEP, _NODES)
        each = class_likelihoods(grid, self.seen)[np.arange(self.kind.size), :, self.kind]
        logarithm = np.log(np.maximum(each, 1e-300))
        total = np.zeros((len(self.patients), grid.offset.size))
        np.add.at(total, self.owner, logarithm)
        top = total.max(axis=1, keepdims=True)
        inside = np.exp(total - top) @ grid.offset_weight
        return -float(np.sum(top[:, 0] + np.log(np.maximum(inside, 1e-300))))

    def solve(self, *, common: bool) -> PopulationFit:
        """Return the most likely parameters."""
        from scipy.optimize import minimize

        r = np.linspace(*R_RANGE, self.seen.shape[1])
        centre = np.array([r[int(np.argmax(row))] for row in self.seen])
        n = len(self.names)
        start = [float(np.median(centre[self.kind == c])) for c in range(n)]
        widths = 1 if common else n
        x = np.array([*start, *np.log([0.45] * widths), np.log(0.25)])
        bounds = [(R_RANGE[0] + 0.2, R_RANGE[1] - 0.2)] * n
        bounds += [tuple(np.log(_SD_LIMITS))] * widths + [tuple(np.log(_PATIENT_LIMITS))]
        scale = self.kind.size  # a cost of order one keeps the first step of the search short
        found = minimize(
            lambda v: self.cost(v, common) / scale,
            x,
            method="L-BFGS-B",
            bounds=bounds,
            options={"ftol": 1e-10},
        )
        mean, sd, patient_sd = self.unpack(found.x, common)
        nothing = np.full((n, 2), np.nan)
        return PopulationFit(
            names=self.names,
            painful=self.painful,
            mean=mean,
            sd=sd,
            share=self.share,
            patient_sd=patient_sd,
            mean_interval=nothing,
            sd_interval=nothing,
            patient_interval=(float("nan"), float("nan")),
            log_likelihood=-float(found.fun) * scale,
            common_sd=common,
            n_used=self.kind.size,
            n_patients=len(self.patients),
        )

    def with_intervals(self, fit: PopulationFit) -> PopulationFit:
        """Return the fit with 95 % intervals from the curvature of the likelihood.

        The patients' offset enters as its variance: the likelihood is regular in it down to zero,
        where that of its logarithm is flat.
        """
        n = len(self.names)
        widths = fit.sd[:1] if fit.common_sd else fit.sd
        variance = fit.patient_sd**2

        def cost(x: FloatArray) -> float:
            return self.cost(np.append(x[:-1], 0.5 * np.log(x[-1])), fit.common_sd)

        at = max(variance, 3 * _CURVATURE_STEP)  # two steps down it is still above zero
        error = _standard_errors(cost, np.array([*fit.mean, *np.log(widths), at]))
        mean = np.stack([fit.mean - Z95 * error[:n], fit.mean + Z95 * error[:n]], axis=1)
        factor = np.exp(Z95 * error[n:-1]) * np.ones(n)
        sd = np.stack([fit.sd / factor, fit.sd * factor], axis=1)
        return replace(
            fit,
            mean_interval=mean,
            sd_interval=sd,
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
