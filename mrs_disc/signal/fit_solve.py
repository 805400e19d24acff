"""The solver of the separable least-squares problem: Gauss-Newton steps, damped where needed.

Everything is in units of the noise, so that a sum of squares is a log-likelihood times -2 and the
inverse of the normal matrix is a covariance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, pi, sqrt

import numpy as np
from scipy.linalg.lapack import dposv

from mrs_disc.errors import InputError
from mrs_disc.signal.baseline import HumpGrid
from mrs_disc.signal.fit_model import DELAY, N_COMMON, PHASE, MetaboliteModel, Spectrum
from mrs_disc.typing import BoolArray, FloatArray

MAX_DELAY_S = 4e-4
MAX_WIDTH_HZ = 80.0
_ITERATIONS = 40
_STRIDE = (4.0, 15.0, 400.0, 0.7, 1.1e-4)
"""Longest steps of shift, widths, phase and delay: the model is linear no further.

No number of them leads from a start of the grid onto a bound, where rounding would decide whether
the parameter is free."""


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
    humps : HumpGrid
        Humps of the baseline, whose areas join the amplitudes.
    hump_precision : float
        Prior precision of each area about zero.
    tolerance : float
        A step that would lower the sum of squares by less is not taken: its square root is the
        distance to the optimum in standard deviations.
    """

    model: MetaboliteModel
    data: FloatArray
    precision: FloatArray
    fixed: BoolArray
    ratios: Sequence[RatioPrior]
    humps: HumpGrid
    hump_precision: float
    tolerance: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Solution:
    """Where the solver ended.

    Parameters
    ----------
    parameters : float array, shape (nonlinear,)
        Non-linear parameters.
    amplitude : float array, shape (component + hump,)
        Amplitudes and areas in units of the noise.
    cost : float
        Square sum of residual and priors.
    misfit : float
        Root mean square of the residual.
    converged : bool
        Whether the last step was small enough.
    """

    parameters: FloatArray
    amplitude: FloatArray
    cost: float
    misfit: float
    converged: bool


@dataclass(frozen=True, slots=True)
class _Place:
    """The model at given non-linear parameters, amplitudes solved for."""

    parameters: FloatArray
    model: Spectrum
    design: FloatArray
    prior: FloatArray
    amplitude: FloatArray
    cost: float


def _at(problem: Problem, parameters: FloatArray, ratios: FloatArray) -> _Place:
    """Return the model at given non-linear parameters, amplitudes solved for."""
    model = problem.model.evaluate(parameters)
    humps = problem.humps.design(parameters[PHASE], parameters[DELAY])
    return _solved(problem, parameters, model, np.vstack([model.design, humps]), ratios)


def _solved(
    problem: Problem,
    parameters: FloatArray,
    model: Spectrum,
    design: FloatArray,
    ratios: FloatArray,
) -> _Place:
    """Solve for the amplitudes under given priors of their ratios."""
    prior = np.diag(np.full(design.shape[0], problem.hump_precision))
    count = problem.model.n_components
    prior[:count, :count] = ratios
    amplitude = solve_positive(design @ design.T + prior, design @ problem.data)
    residual = problem.data - amplitude @ design
    cost = residual @ residual + amplitude @ prior @ amplitude
    cost += (problem.precision * parameters) @ parameters
    return _Place(parameters, model, design, prior, amplitude, float(cost))


def solve(problem: Problem, parameters: FloatArray) -> Solution:
    """Return the optimum next to a place.

    Parameters
    ----------
    problem : Problem
        Data, model and priors.
    parameters : float array, shape (nonlinear,)
        Where to start.
    """
    low, high = bounds(problem)
    stride = np.full(parameters.size, np.inf)
    stride[: len(_STRIDE)] = _STRIDE
    count = problem.model.n_components
    here = _at(problem, np.clip(parameters, low, high), np.zeros((count, count)))
    here = _with_ratios(problem, here)
    rounding = 1e-14 * float(problem.data @ problem.data)
    damping = 1e-3
    converged = False
    for _ in range(_ITERATIONS):
        normal, force = _normal_equations(problem, here)
        linear = here.amplitude.size
        free = ~problem.fixed & ~((here.parameters <= low) & (force[linear:] < 0))
        free &= ~((here.parameters >= high) & (force[linear:] > 0))
        used = np.concatenate([np.arange(linear), linear + np.flatnonzero(free)])
        tail = np.arange(linear, used.size)
        accepted = False
        while damping < 1e8:
            damped = normal[np.ix_(used, used)]
            damped[tail, tail] *= 1 + damping
            step = np.zeros(normal.shape[0])
            step[used] = solve_positive(damped, force[used])
            converged = float(force @ step) < problem.tolerance + rounding
            if converged:
                break
            step /= max(1.0, float(np.max(np.abs(step[linear:]) / stride)))
            moved = np.clip(here.parameters + step[linear:], low, high)
            trial = _at(problem, moved, here.prior[:count, :count])
            accepted = trial.cost <= here.cost + rounding
            if accepted:
                break
            damping = max(10 * damping, 1e-3)
        if not accepted:
            break
        damping = 0.1 * damping if damping > 1e-7 else 0.0
        here = _with_ratios(problem, trial)
    return _upright(problem, here, converged)


def _with_ratios(problem: Problem, place: _Place) -> _Place:
    """Return the place with the ratio priors taken at its amplitudes."""
    if not problem.ratios:
        return place
    ratios = ratio_precision(problem.ratios, place.model.design, place.amplitude)
    return _solved(problem, place.parameters, place.model, place.design, ratios)


def _normal_equations(problem: Problem, here: _Place) -> tuple[FloatArray, FloatArray]:
    """Return matrix and right side of the Gauss-Newton step: amplitudes, then parameters."""
    count, linear = problem.model.n_components, here.amplitude.size
    slopes = slope_columns(
        problem,
        here.parameters,
        model=here.model,
        amplitude=here.amplitude[:count],
        humps=here.design[count:],
        areas=here.amplitude[count:],
    )
    columns = np.vstack([here.design, slopes])
    normal = columns @ columns.T
    force = columns @ (problem.data - here.amplitude @ here.design)
    normal[:linear, :linear] += here.prior
    force[:linear] -= here.prior @ here.amplitude
    place = np.arange(linear, normal.shape[0])
    normal[place, place] += problem.precision
    force[linear:] -= problem.precision * here.parameters
    return normal, force


def _upright(problem: Problem, here: _Place, converged: bool) -> Solution:
    """Return the solution whose high lines are positive, not the same fit upside down.

    Heights count, not areas: a broad component may be negative, or far too large, where humps of
    the other sign make up for it.
    """
    parameters, amplitude = here.parameters, here.amplitude
    residual = problem.data - amplitude @ here.design
    height = np.abs(here.model.design).max(axis=1)
    if height @ amplitude[: height.size] < 0:
        parameters, amplitude = parameters.copy(), -amplitude
        parameters[PHASE] += pi
    return Solution(
        parameters=parameters,
        amplitude=amplitude,
        cost=here.cost,
        misfit=sqrt(residual @ residual / residual.size),
        converged=converged,
    )


def slope_columns(
    problem: Problem,
    parameters: FloatArray,
    *,
    model: Spectrum,
    amplitude: FloatArray,
    humps: FloatArray,
    areas: FloatArray,
) -> FloatArray:
    """Return the derivatives of the whole model by the non-linear parameters.

    Parameters
    ----------
    problem : Problem
        Its humps turn with phase and delay.
    parameters : float array, shape (nonlinear,)
        Where.
    model, humps : Spectrum and float array, shape (hump, datum)
        The components and the humps there.
    amplitude, areas : float array, shape (component,) and (hump,)
        Their amplitudes and areas.
    """
    slopes = problem.model.jacobian(parameters, amplitude, model)
    turning = np.stack([areas, 2 * pi * areas * problem.humps.frequency_hz]) @ humps
    real, imag = np.split(turning, 2, axis=1)
    slopes[[PHASE, DELAY]] += np.concatenate([-imag, real], axis=1)  # times i
    return slopes


def bounds(problem: Problem) -> tuple[FloatArray, FloatArray]:
    """Return the limits of the non-linear parameters.

    Widths are not negative, and what a component has of its own stays within six standard
    deviations of its prior; a width less than the model's, within two: lines must not grow.
    """
    model = problem.model
    own = 1 / np.sqrt(np.maximum(problem.precision, 1e-12))
    low, high = -6 * own, 6 * own
    low[N_COMMON + model.moves.size :] /= 3
    low[:N_COMMON] = -np.inf, 0.0, 0.0, -np.inf, -MAX_DELAY_S
    high[:N_COMMON] = np.inf, MAX_WIDTH_HZ, MAX_WIDTH_HZ**2, np.inf, MAX_DELAY_S
    return low, high


def solve_positive(matrix: FloatArray, right: FloatArray) -> FloatArray:
    """Solve with a positive matrix whose rows may differ in scale by many orders."""
    scale = 1 / np.sqrt(np.maximum(np.diag(matrix), 1e-300))
    scaled = matrix * scale[:, None] * scale
    scaled.ravel()[:: scaled.shape[0] + 1] += 1e-13  # the diagonal
    turned = (scale * right.T).T
    _, solved, fault = dposv(scaled, turned)
    if fault:  # singular up to rounding: the solution of least norm
        solved = np.linalg.lstsq(scaled, turned, rcond=1e-12)[0]
    return np.asarray((scale * solved.T).T)


def inverse_positive(matrix: FloatArray) -> FloatArray:
    """Return the inverse of a positive matrix whose rows may differ in scale."""
    return solve_positive(matrix, np.eye(matrix.shape[0]))


def ratio_precision(
    ratios: Sequence[RatioPrior], design: FloatArray, amplitude: FloatArray
) -> FloatArray:
    """Return the quadratic form of the ratio priors at the present amplitudes.

    The normal prior of a ratio r has the mean and variance of the log-normal: ``(a - r b) /
    (sd |b|)`` is standard normal. The |b| in the denominator is held at its present value, and not
    below its own error, where the prior would pin both amplitudes to zero.
    """
    count = design.shape[0]
    precision = np.zeros((count, count))
    error = 1 / np.sqrt(np.maximum((design**2).sum(axis=1), 1e-300))
    for ratio in ratios:
        scale = ratio.sd * max(abs(amplitude[ratio.denominator]), error[ratio.denominator])
        row = np.zeros(count)
        row[ratio.numerator] += 1 / scale
        row[ratio.denominator] -= ratio.mean / scale
        precision += np.outer(row, row)
    return precision


def wrapped(angle: float) -> float:
    """Return an angle between -pi and pi."""
    return float((angle + pi) % (2 * pi) - pi)
