"""The solver of the separable least-squares problem: Gauss-Newton steps, damped where needed.

Everything is in units of the noise, so that a sum of squares is a log-likelihood times -2 and the
inverse of the normal matrix is a covariance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, pi, sqrt

import numpy as np
import scipy.linalg

from mrs_disc.errors import InputError
from mrs_disc.signal.fit_model import DELAY, GAUSS2, LORENTZ, MetaboliteModel, Spectrum
from mrs_disc.typing import BoolArray, FloatArray

MAX_DELAY_S = 4e-4
MAX_WIDTH_HZ = 80.0
_ITERATIONS = 40
_SMALL = 1e-10
"""A step is the last when it lowers the sum of squares by less: 1e-5 of a standard deviation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RatioPrior:
    """What is known of the ratio of two amplitudes: log-normal.

    Parameters
    ----------
    numerator, denominator : int
        Indices of the components.
    median, log_sd : float
        Median of the ratio and standard deviation of its logarithm.

    Notes
    -----
    The fit uses the normal distribution of the same mean and variance at the denominator's present
    amplitude. It stays quadratic, and an amplitude that the noise pushes below zero is not
    cut, which would bias sums of amplitudes upwards.
    """

    numerator: int
    denominator: int
    median: float
    log_sd: float

    def __post_init__(self) -> None:
        if not (self.median > 0 and self.log_sd > 0):
            raise InputError(
                f"ratio prior: median {self.median} and log_sd {self.log_sd} must be positive"
            )

    @property
    def mean(self) -> float:
        """Mean of the ratio."""
        return self.median * exp(0.5 * self.log_sd**2)

    @property
    def sd(self) -> float:
        """Standard deviation of the ratio."""
        return self.mean * sqrt(exp(self.log_sd**2) - 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Data, model and priors.

    Parameters
    ----------
    model : MetaboliteModel
        The non-linear model.
    data : float array, shape (datum,)
        Spectrum inside the window in units of the noise, real parts then imaginary parts.
    precision : float array, shape (nonlinear,)
        Prior precision of the non-linear parameters about zero; 0 = free.
    fixed : bool array, shape (nonlinear,)
        Parameters that stay where they are.
    ratios : sequence of RatioPrior
        Priors on ratios of amplitudes.
    """

    model: MetaboliteModel
    data: FloatArray
    precision: FloatArray
    fixed: BoolArray
    ratios: Sequence[RatioPrior]


@dataclass(frozen=True, slots=True, kw_only=True)
class Solution:
    """Where the solver ended.

    Parameters
    ----------
    parameters : float array, shape (nonlinear,)
        Non-linear parameters.
    amplitude : float array, shape (component,)
        Amplitudes in units of the noise.
    cost : float
        Square sum of residual and priors.
    free : bool array, shape (nonlinear,)
        Parameters that are neither fixed nor at a bound.
    model : Spectrum
        The components here.
    columns : float array, shape (component + nonlinear, datum)
        Derivatives of the model by all parameters.
    converged : bool
        Whether the last step was small enough.
    """

    parameters: FloatArray
    amplitude: FloatArray
    cost: float
    free: BoolArray
    model: Spectrum
    columns: FloatArray
    converged: bool


def solve(
    problem: Problem, parameters: FloatArray, amplitude: FloatArray | None = None
) -> Solution:
    """Return the optimum next to a place.

    Parameters
    ----------
    problem : Problem
        Data, model and priors.
    parameters : float array, shape (nonlinear,)
        Where to start.
    amplitude : float array, shape (component,), optional
        Amplitudes there, for the scale of the ratio priors.
    """
    low, high = bounds(parameters.size)
    parameters = np.clip(parameters, low, high)
    model = problem.model.evaluate(parameters)
    prior = ratio_precision(problem.ratios, model.design, problem.data, amplitude)
    amplitude = best_amplitude(model.design, problem.data, prior)
    cost = _cost(problem, parameters, amplitude, model, prior)
    rounding = 1e-14 * float(problem.data @ problem.data)
    damping = 1e-3
    converged = False
    count = amplitude.size
    columns = np.empty((count + parameters.size, problem.data.size))
    free = ~problem.fixed
    for _ in range(_ITERATIONS):
        columns[:count] = model.design
        columns[count:] = problem.model.jacobian(parameters, amplitude, model)
        residual = problem.data - amplitude @ model.design
        normal = columns @ columns.T
        normal[:count, :count] += prior
        force = columns @ residual
        force[:count] -= prior @ amplitude
        place = np.arange(count, normal.shape[0])
        normal[place, place] += problem.precision
        force[count:] -= problem.precision * parameters
        free = ~problem.fixed & ~((parameters <= low) & (force[count:] < 0))
        free &= ~((parameters >= high) & (force[count:] > 0))
        used = np.concatenate([np.arange(count), count + np.flatnonzero(free)])
        accepted = False
        while damping < 1e8:
            damped = normal[np.ix_(used, used)].copy()
            tail = np.arange(count, used.size)
            damped[tail, tail] *= 1 + damping
            step = np.zeros(normal.shape[0])
            step[used] = solve_positive(damped, force[used])
            gain = float(force @ step)
            trial = np.clip(parameters + step[count:], low, high)
            trial_model = problem.model.evaluate(trial)
            trial_amplitude = best_amplitude(trial_model.design, problem.data, prior)
            trial_cost = _cost(problem, trial, trial_amplitude, trial_model, prior)
            if trial_cost <= cost + rounding:
                accepted = True
                break
            if gain < _SMALL + rounding:
                break
            damping = max(10 * damping, 1e-3)
        if accepted:
            parameters, amplitude, model, cost = trial, trial_amplitude, trial_model, trial_cost
            damping = 0.1 * damping if damping > 1e-7 else 0.0
        if gain < _SMALL + rounding:
            converged = True
            break
        if not accepted:
            break
        if problem.ratios:
            prior = ratio_precision(problem.ratios, model.design, problem.data, amplitude)
            cost = _cost(problem, parameters, amplitude, model, prior)
    columns[:count] = model.design
    columns[count:] = problem.model.jacobian(parameters, amplitude, model)
    return Solution(
        parameters=parameters,
        amplitude=amplitude,
        cost=cost,
        free=free,
        model=model,
        columns=columns,
        converged=converged,
    )


def bounds(count: int) -> tuple[FloatArray, FloatArray]:
    """Return the limits of the non-linear parameters; only shared widths and the delay have any."""
    low, high = np.full(count, -np.inf), np.full(count, np.inf)
    low[LORENTZ] = low[GAUSS2] = 0.0
    high[LORENTZ], high[GAUSS2] = MAX_WIDTH_HZ, MAX_WIDTH_HZ**2
    low[DELAY], high[DELAY] = -MAX_DELAY_S, MAX_DELAY_S
    return low, high


def best_amplitude(design: FloatArray, data: FloatArray, prior: FloatArray) -> FloatArray:
    """Return the amplitudes of least square sum, prior included."""
    return solve_positive(design @ design.T + prior, design @ data)


def solve_positive(matrix: FloatArray, right: FloatArray) -> FloatArray:
    """Solve with a positive matrix whose rows may differ in scale by many orders."""
    scale = 1 / np.sqrt(np.maximum(np.diag(matrix), 1e-300))
    scaled = matrix * scale[:, None] * scale
    scaled[np.diag_indices_from(scaled)] += 1e-13
    factor = scipy.linalg.cho_factor(scaled, lower=True, check_finite=False)
    turned = (scale * right.T).T
    solved = scipy.linalg.cho_solve(factor, turned, check_finite=False)
    return np.asarray((scale * solved.T).T)


def inverse_positive(matrix: FloatArray) -> FloatArray:
    """Return the inverse of a positive matrix whose rows may differ in scale."""
    return solve_positive(matrix, np.eye(matrix.shape[0]))


def ratio_precision(
    ratios: Sequence[RatioPrior],
    design: FloatArray,
    data: FloatArray,
    amplitude: FloatArray | None,
) -> FloatArray:
    """Return the quadratic form of the ratio priors at the present amplitudes.

    The normal prior of a ratio r has the mean and variance of the log-normal: ``(a - r b) /
    (sd |b|)`` is standard normal. The |b| in the denominator is held at its present value, and not
    below its own error, where the prior would pin both amplitudes to zero.
    """
    count = design.shape[0]
    precision = np.zeros((count, count))
    if not ratios:
        return precision
    if amplitude is None:
        amplitude = best_amplitude(design, data, precision)
    error = 1 / np.sqrt(np.maximum((design**2).sum(axis=1), 1e-300))
    for ratio in ratios:
        scale = ratio.sd * max(abs(amplitude[ratio.denominator]), error[ratio.denominator])
        row = np.zeros(count)
        row[ratio.numerator] += 1 / scale
        row[ratio.denominator] -= ratio.mean / scale
        precision += np.outer(row, row)
    return precision


def _cost(
    problem: Problem,
    parameters: FloatArray,
    amplitude: FloatArray,
    model: Spectrum,
    prior: FloatArray,
) -> float:
    residual = problem.data - amplitude @ model.design
    return float(
        residual @ residual
        + amplitude @ prior @ amplitude
        + (problem.precision * parameters) @ parameters
    )


def wrapped(angle: float) -> float:
    """Return an angle between -pi and pi."""
    return float((angle + pi) % (2 * pi) - pi)
