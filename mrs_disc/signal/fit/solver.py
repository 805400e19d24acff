"""The solver of the separable least-squares problem: Levenberg and Marquardt's steps.

Everything is in units of the noise, so that a sum of squares is a log-likelihood times -2 and the
inverse of the normal matrix is a covariance. With p the non-linear parameters and b the amplitudes
and the humps' areas, whose spectra are the rows of D (`design`), the solver seeks the least of ::

    cost(p) = min over b of  |y - D^T b|^2 + b^T R b + p^T P p

(R `prior`: ratios of amplitudes, sizes of areas; P `precision`). Amplitudes are eliminated: at each
p they are solved for (`_at`). The step is taken in all parameters together, which is Gauss-Newton's
step of the reduced problem: J holds the rows of D and the derivatives by p, r is the residual,
M both priors, and ``(J J^T + M) step = J r - M (b, p)``. Marquardt's damping shortens it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import exp, pi, sqrt

import numpy as np
from scipy.linalg.lapack import dposv

from mrs_disc.constants import TINY
from mrs_disc.signal.fit import kernel_solver, priors
from mrs_disc.signal.fit.humps import HumpGrid
from mrs_disc.signal.fit.limits import Limit
from mrs_disc.signal.fit.model import (
    DELAY,
    N_COMMON,
    PHASE,
    MetaboliteModel,
    Spectrum,
    times_i,
)
from mrs_disc.typing import BoolArray, FloatArray, IntArray

_ITERATIONS = 40
_FIRST_DAMPING, _LEAST_DAMPING, _MOST_DAMPING = 1e-3, 1e-7, 1e8
_STRIDE = (4.0, 15.0, 400.0, 0.7, 1.1e-4)
"""Longest steps of shift, widths, phase and delay: the model is linear no further.

No number of them leads from a start of the grid onto a bound, where rounding would decide whether
the parameter is free."""
STEPS = kernel_solver.Steps(
    iterations=_ITERATIONS,
    damping=(_FIRST_DAMPING, _LEAST_DAMPING, _MOST_DAMPING),
    stride=_STRIDE,
)
"""All of them for the compiled solver."""


@dataclass(frozen=True, slots=True)
class NormalRatio:
    """The normal law taken for a log-normal prior of the ratio of two amplitudes.

    It has the log-normal's mean and variance. It stays quadratic, and an amplitude that the noise
    pushes below zero is not cut, which would bias sums of amplitudes upwards.

    Parameters
    ----------
    numerator, denominator : int
        Indices of the components.
    mean, sd : float
        Of the ratio.
    has_tails : bool
        Whether a ratio far from it is held less tightly (`ratio_precision`).
    """

    numerator: int
    denominator: int
    mean: float
    sd: float
    has_tails: bool = False

    def along(self, count: int) -> FloatArray:
        """Return the numerator less what the denominator says, as a row of so many amplitudes."""
        row = np.zeros(count)
        row[self.numerator] = 1.0
        row[self.denominator] -= self.mean
        return row

    @classmethod
    def of(
        cls,
        numerator: int,
        denominator: int,
        *,
        median: float,
        log_sd: float,
        has_tails: bool = False,
    ) -> NormalRatio:
        """Return the law for a median of the ratio and a standard deviation of its logarithm."""
        mean = median * exp(0.5 * log_sd**2)
        return cls(numerator, denominator, mean, mean * sqrt(exp(log_sd**2) - 1), has_tails)


@dataclass(frozen=True, kw_only=True, eq=False)
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
    ratios : sequence of NormalRatio
        Priors on ratios of amplitudes.
    humps : HumpGrid
        Humps of the baseline, whose areas join the amplitudes.
    hump_precision : float
        Prior precision of each area about zero.
    limits : sequence of Limit
        Of what the average integrates out: parameters that are not negative, or perhaps not there.
    tolerance : float
        A step that would lower the sum of squares by less is not taken: its square root is the
        distance to the optimum in standard deviations.
    """

    model: MetaboliteModel
    data: FloatArray
    precision: FloatArray
    fixed: BoolArray
    ratios: Sequence[NormalRatio]
    humps: HumpGrid
    hump_precision: float
    tolerance: float
    limits: Sequence[Limit] = ()

    @cached_property
    def rounding(self) -> float:
        """What a sum of squares may be off by rounding."""
        return 1e-14 * float(self.data @ self.data)

    @cached_property
    def tails(self) -> tuple[NormalRatio, ...]:
        """The ratios that have tails."""
        return tuple(ratio for ratio in self.ratios if ratio.has_tails)

    @cached_property
    def bounds(self) -> tuple[FloatArray, FloatArray]:
        """The limits of the non-linear parameters.

        Widths are not negative, and what a component has of its own stays near its prior.
        """
        model = self.model
        own = 1 / np.sqrt(np.maximum(self.precision, 1e-12))
        low, high = -priors.OWN_SD * own, priors.OWN_SD * own
        low[N_COMMON + model.moves.size :] /= priors.OWN_SD / priors.NARROWER_SD
        widest, latest = priors.MAX_WIDTH_HZ, priors.MAX_DELAY_S
        low[:N_COMMON] = -np.inf, 0.0, 0.0, -np.inf, -latest
        high[:N_COMMON] = np.inf, widest, widest**2, np.inf, latest
        return low, high


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
class _Trial:
    """The model at given non-linear parameters, amplitudes solved for.

    `gram` and `projected` are the products of the design with itself and with the data.
    """

    parameters: FloatArray
    model: Spectrum
    design: FloatArray
    gram: FloatArray
    projected: FloatArray
    prior: FloatArray
    amplitude: FloatArray
    residual: FloatArray
    cost: float


@dataclass(frozen=True, slots=True)
class _Equations:
    """The normal equations of a step: amplitudes, then the non-linear parameters that are free."""

    matrix: FloatArray
    right: FloatArray
    free: IntArray


def solve(problem: Problem, parameters: FloatArray) -> Solution:
    """Return the optimum next to a point.

    Parameters
    ----------
    problem : Problem
        Data, model and priors.
    parameters : float array, shape (nonlinear,)
        Where to start.
    """
    limits = problem.bounds
    compiled = kernel_solver.solve(problem, parameters, STEPS)
    if compiled is not None:
        of_all = compiled.amplitude, compiled.design
        turned, amplitude = _upright(compiled.parameters, *of_all)
        misfit = sqrt(compiled.square / problem.data.size)
        return Solution(
            parameters=turned,
            amplitude=amplitude,
            cost=compiled.cost,
            misfit=misfit,
            converged=compiled.converged,
        )
    current, converged = _descended(problem, limits, parameters)
    turned, amplitude = _upright(current.parameters, current.amplitude, current.model.design)
    misfit = sqrt(current.residual @ current.residual / current.residual.size)
    return Solution(
        parameters=turned,
        amplitude=amplitude,
        cost=current.cost,
        misfit=misfit,
        converged=converged,
    )


def _descended(
    problem: Problem, limits: tuple[FloatArray, FloatArray], parameters: FloatArray
) -> tuple[_Trial, bool]:
    """Return the optimum next to a point, and whether the last step was small enough.

    What `kernel_solver.c` does, for a reader.
    """
    n_components = problem.model.n_components
    unknown_ratios = np.zeros((n_components, n_components))
    current = _with_ratios(problem, _at(problem, np.clip(parameters, *limits), unknown_ratios))
    damping = _FIRST_DAMPING
    for _ in range(_ITERATIONS):
        equations = _normal_equations(problem, current, limits)
        trial = _step(problem, current, equations, damping, limits)
        # A step that does not lead down is tried again, shorter and more along the gradient.
        while trial is not None and trial.cost > current.cost + problem.rounding:
            damping = max(10 * damping, _FIRST_DAMPING)
            if damping >= _MOST_DAMPING:
                return current, False
            trial = _step(problem, current, equations, damping, limits)
        if trial is None:
            return current, True
        # One that does is trusted more: the next is nearer to Gauss and Newton's own.
        damping = 0.1 * damping if damping > _LEAST_DAMPING else 0.0
        current = _with_ratios(problem, trial)
    return current, False


def _at(problem: Problem, parameters: FloatArray, ratios: FloatArray) -> _Trial:
    """Return the model at given non-linear parameters, amplitudes solved for."""
    model = problem.model.evaluate(parameters)
    humps = problem.humps.design(parameters[PHASE], parameters[DELAY])
    design = np.concatenate([model.design, humps])
    products = design @ design.T, design @ problem.data
    return _solved(problem, parameters, model, (design, *products), ratios)


def _solved(
    problem: Problem,
    parameters: FloatArray,
    model: Spectrum,
    products: tuple[FloatArray, FloatArray, FloatArray],
    ratios: FloatArray,
) -> _Trial:
    """Solve for the amplitudes under given priors of their ratios.

    `products` are the design, and those of it with itself and with the data.
    """
    # Areas and amplitudes are one linear problem; ratio priors couple the latter.
    design, gram, projected = products
    prior = np.zeros_like(gram)
    prior.ravel()[:: len(prior) + 1] = problem.hump_precision  # the diagonal
    n_components = problem.model.n_components
    prior[:n_components, :n_components] = ratios
    amplitude = solve_positive(gram + prior, projected)
    residual = problem.data - amplitude @ design
    cost = residual @ residual + amplitude @ prior @ amplitude
    cost += (problem.precision * parameters) @ parameters
    return _Trial(
        parameters, model, design, gram, projected, prior, amplitude, residual, float(cost)
    )


def _with_ratios(problem: Problem, current: _Trial) -> _Trial:
    """Return a point with the ratio priors taken at its amplitudes."""
    if not problem.ratios:
        return current
    ratios = ratio_precision(problem.ratios, least_error(current.model.design), current.amplitude)
    products = current.design, current.gram, current.projected
    return _solved(problem, current.parameters, current.model, products, ratios)


def _normal_equations(
    problem: Problem, current: _Trial, limits: tuple[FloatArray, FloatArray]
) -> _Equations:
    """Return the normal equations of the Gauss-Newton step from a point."""
    n_components, n_linear = problem.model.n_components, current.amplitude.size
    slopes = slope_columns(
        problem,
        current.parameters,
        model=current.model,
        amplitude=current.amplitude[:n_components],
        humps=current.design[n_components:],
        areas=current.amplitude[n_components:],
    )
    size = n_linear + len(slopes)
    matrix, right = np.empty((size, size)), np.empty(size)
    matrix[:n_linear, :n_linear] = current.gram
    matrix[n_linear:, :n_linear] = slopes @ current.design.T
    matrix[:n_linear, n_linear:] = matrix[n_linear:, :n_linear].T
    matrix[n_linear:, n_linear:] = slopes @ slopes.T
    right[:n_linear] = current.design @ current.residual
    right[n_linear:] = slopes @ current.residual
    # Priors: quadratic forms about zero, so that they pull by their precision times the distance.
    matrix[:n_linear, :n_linear] += current.prior
    right[:n_linear] -= current.prior @ current.amplitude
    matrix.ravel()[n_linear * (size + 1) :: size + 1] += problem.precision  # the diagonal
    right[n_linear:] -= problem.precision * current.parameters
    free = _free(problem, current.parameters, right[n_linear:], limits)
    return _Equations(matrix, right, free)


def _free(
    problem: Problem,
    parameters: FloatArray,
    force: FloatArray,
    limits: tuple[FloatArray, FloatArray],
) -> IntArray:
    """Return the non-linear parameters that may move: not fixed, not pushed beyond a bound."""
    low, high = limits
    held_low, held_high = (parameters <= low) & (force < 0), (parameters >= high) & (force > 0)
    return np.flatnonzero(~problem.fixed & ~held_low & ~held_high)


def _step(
    problem: Problem,
    current: _Trial,
    equations: _Equations,
    damping: float,
    limits: tuple[FloatArray, FloatArray],
) -> _Trial | None:
    """Return where a damped step leads; None where no step is worth taking: converged."""
    n_linear, n_components = current.amplitude.size, problem.model.n_components
    used = np.concatenate([np.arange(n_linear), n_linear + equations.free])
    damped = equations.matrix[used[:, None], used]
    # Marquardt: on the diagonal, so that the damping knows no units; amplitudes need none.
    damped.ravel()[n_linear * (used.size + 1) :: used.size + 1] *= 1 + damping
    step = np.zeros(equations.matrix.shape[0])
    step[used] = solve_positive(damped, equations.right[used])
    # The fall of the sum of squares that the linear problem predicts.
    predicted = float(equations.right @ step)
    if predicted < problem.tolerance + problem.rounding:
        return None
    stride = np.full(current.parameters.size, np.inf)
    stride[: len(_STRIDE)] = _STRIDE
    move = step[n_linear:]
    move /= max(1.0, float(np.max(np.abs(move) / stride)))
    # The ratio priors stay as they are until the step is taken, or costs could not be compared.
    ratios = current.prior[:n_components, :n_components]
    return _at(problem, np.clip(current.parameters + move, *limits), ratios)


def _upright(
    parameters: FloatArray, amplitude: FloatArray, design: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return the solution whose high lines are positive, not the same fit upside down.

    Heights count, not areas: a broad component may be negative, or far too large, where humps of
    the other sign make up for it.
    """
    height = np.abs(design).max(axis=1)
    if height @ amplitude[: height.size] < 0:
        parameters, amplitude = parameters.copy(), -amplitude
        parameters[PHASE] += pi
    return parameters, amplitude


def rows_at(
    problem: Problem, parameters: FloatArray, *, amplitude: FloatArray, areas: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the spectra of components and humps at a point, and the derivatives of the whole.

    Parameters
    ----------
    problem : Problem
        Model and humps.
    parameters : float array, shape (nonlinear,)
        Where.
    amplitude, areas : float array, shape (component,) and (hump,)
        Amplitudes of the components and areas of the humps.

    Returns
    -------
    tuple of float arrays, shape (component, datum), (hump, datum), (nonlinear, datum)
    """
    compiled = kernel_solver.rows(problem, parameters, amplitude, areas)
    if compiled is not None:
        return compiled
    model = problem.model.evaluate(parameters)
    humps = problem.humps.design(parameters[PHASE], parameters[DELAY])
    slopes = slope_columns(
        problem, parameters, model=model, amplitude=amplitude, humps=humps, areas=areas
    )
    return model.design, humps, slopes


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
        Its humps rotate with phase and delay.
    parameters : float array, shape (nonlinear,)
        Where.
    model, humps : Spectrum and float array, shape (hump, datum)
        The components and the humps there.
    amplitude, areas : float array, shape (component,) and (hump,)
        Their amplitudes and areas.
    """
    slopes = problem.model.jacobian(parameters, amplitude, model)
    # The derivative by the phase is i times a hump, that by the delay 2 pi i f times a hump.
    weights = np.stack([areas, 2 * pi * areas * problem.humps.frequency_hz])
    slopes[[PHASE, DELAY]] += times_i(weights @ humps)
    return slopes


def solve_positive(matrix: FloatArray, right: FloatArray) -> FloatArray:
    """Solve with a positive matrix whose rows may differ in scale by many orders."""
    # With ones on the diagonal Cholesky loses no digits to the units: delays are 1e-4, widths 1e2.
    size = len(matrix)
    scale = 1 / np.sqrt(np.maximum(matrix.ravel()[:: size + 1], TINY))
    scaled = matrix * np.multiply.outer(scale, scale)
    scaled.ravel()[:: size + 1] += 1e-13  # the diagonal
    scaled_right = (scale * right.T).T
    # It is symmetric, and its transpose lies as LAPACK wants it: no copy to be put in order.
    _, solved, fault = dposv(scaled.T, scaled_right)
    if fault:  # singular up to rounding: the solution of least norm
        solved = np.linalg.lstsq(scaled, scaled_right, rcond=1e-12)[0]
    return np.asarray((scale * solved.T).T)


def inverse_positive(matrix: FloatArray) -> FloatArray:
    """Return the inverse of a positive matrix whose rows may differ in scale."""
    return solve_positive(matrix, np.eye(matrix.shape[0]))


def ratio_precision(
    ratios: Sequence[NormalRatio], error: FloatArray, amplitude: FloatArray
) -> FloatArray:
    """Return the quadratic form of the ratio priors at the present amplitudes.

    The normal prior of a ratio r has the mean and variance of the log-normal: ``(a - r b) /
    (sd |b|)`` is standard normal. The |b| in the denominator is held at its present value, and not
    below its own error, where the prior would pin both amplitudes to zero.

    A ratio with tails that lies far from its prior by more than its error is not held as tightly:
    the precision is that of Cauchy's law at the present amplitudes, so that a disc unlike the
    others is measured, not drawn to them. The average knows better (`tails`).
    """
    # Each prior is one row r of rank one: (a_1 / s - a_2 mean / s)^2 = a^T r r^T a.
    rows = np.zeros((len(ratios), len(error)))
    for row, ratio in zip(rows, ratios, strict=True):
        row[:] = ratio.along(len(error)) / ratio_scale(ratio, error, amplitude)
    return np.asarray(rows.T @ rows)


def ratio_scale(ratio: NormalRatio, error: FloatArray, amplitude: FloatArray) -> float:
    """Return the standard deviation of a ratio's numerator about what the denominator says."""
    above, below = float(amplitude[ratio.numerator]), float(amplitude[ratio.denominator])
    scale = ratio.sd * max(abs(below), float(error[ratio.denominator]))
    off = above - ratio.mean * below
    squared = (off**2 - float(error[ratio.numerator]) ** 2) / scale**2
    return scale * sqrt((1 + squared) / 2) if ratio.has_tails and squared > 1 else scale


def least_error(design: FloatArray) -> FloatArray:
    """Return the error of each amplitude that the noise alone leaves, all else known."""
    return np.asarray(1 / np.sqrt(np.maximum(np.einsum("ij,ij->i", design, design), TINY)))


def wrapped(angle: float) -> float:
    """Return an angle between -pi and pi."""
    return float((angle + pi) % (2 * pi) - pi)
