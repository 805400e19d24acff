"""The model made linear about a point, as Laplace does.

About a point all is linear but the humps' number and position. The metabolites' parameters are
integrated out there in closed form, and what remains to be drawn has a quadratic log-likelihood
(`chains`). The normal factors that stand for limits and for ratios with tails (`limits`, `tails`)
belong to the point.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.linalg.lapack import dpotrf

from mrs_disc.constants import TINY
from mrs_disc.signal.fit import kernel_solver, priors
from mrs_disc.signal.fit.chains import LinearProblem
from mrs_disc.signal.fit.limits import Limit, Site
from mrs_disc.signal.fit.model import DELAY, GAUSS2, LORENTZ, PHASE, SHIFT
from mrs_disc.signal.fit.solver import (
    STEPS,
    Problem,
    inverse_positive,
    least_error,
    ratio_precision,
    rows_at,
)
from mrs_disc.typing import FloatArray

DRAWN = [GAUSS2, DELAY]
"""The non-linear parameters that are drawn; all others are integrated out."""
_SURE = 5e3
"""Amplification of rounding below which the curvature cannot need more than the least share added.

The rounding of a matrix with ones on its diagonal is some 3e-16 in norm, and the square sum nearly
twice the norm: 1e-12 is left at 6e3. Below it a sixth of that was reached, in absurd data too.
"""


@dataclass(frozen=True, slots=True)
class Point:
    """Values of all parameters: where the model is expanded; units of the noise.

    Parameters
    ----------
    parameters : float array, shape (nonlinear,)
        Non-linear parameters.
    amplitude : float array, shape (component,)
        Amplitudes of the components.
    areas : float array, shape (hump,)
        Areas of the humps.
    sites : tuple of Site
        What stands for the limits of the problem; none: not known yet.
    tails : tuple of Site
        What stands for its ratios with tails; none: they are taken at the amplitudes.
    """

    parameters: FloatArray
    amplitude: FloatArray
    areas: FloatArray
    sites: tuple[Site, ...] = ()
    tails: tuple[Site, ...] = ()

    def within_limits(self, limits: Sequence[Limit]) -> Point:
        """Return the point where the limits have its parameters."""
        amplitude, parameters = self.amplitude.copy(), self.parameters.copy()
        indices = integrated_out(parameters.size)
        for limit, site in zip(limits, self.sites, strict=True):
            if limit.row < amplitude.size:
                amplitude[limit.row] = site.mean
            else:
                parameters[indices[limit.row - amplitude.size]] = site.mean
        return replace(self, amplitude=amplitude, parameters=parameters)


def integrated_out(size: int) -> list[int]:
    """Return the non-linear parameters that are integrated out, not drawn."""
    return [index for index in range(size) if index not in DRAWN]


def about_point(
    problem: Problem, point: Point
) -> tuple[tuple[FloatArray, FloatArray], LinearProblem]:
    """Return the model's derivatives at a point, X and Z, and the problem linearized there."""
    weak = weak_precisions(problem.model.n_nonlinear)
    compiled = kernel_solver.linearized(problem, point, weak, STEPS)
    if compiled is not None:
        rows, linear = compiled
        n_integrated = len(linear.centre)
        return (rows[:n_integrated], rows[n_integrated:]), linear
    integrated, drawn = _rows(problem, point)
    return (integrated, drawn), _linearized(problem, point, integrated, drawn)


def _linearized(
    problem: Problem, point: Point, integrated: FloatArray, drawn: FloatArray
) -> LinearProblem:
    """Return the problem linearized about a point, the metabolites' parameters integrated out.

    With X the derivatives by what is `integrated` out (amplitudes, then the non-linear parameters
    that are not drawn), Z those by what is `drawn` (squared Gaussian width, delay, areas), P the
    prior precision of the former and p_0 its mean, and y the data plus the slopes at the point
    times the parameters there::

        covariance = (X X^T + P)^-1      response = covariance X Z^T
        centre     = covariance (X y + P p_0)
        curvature  = Z Z^T - Z X^T response
        force      = Z y - response^T (X y + P p_0)

    That is: complete the square in x of minus half of
    ``|y - X^T x - Z^T z|^2 + (x - p_0)^T P (x - p_0)`` and integrate it out. The priors of z are
    not in it; the chains know them.
    """
    parameters = point.parameters
    precision, prior_force = _priors(problem, point, integrated)  # P, P p_0
    data = data_about(point, problem.data, integrated) + parameters[DRAWN] @ drawn[:2]  # y
    matrix = integrated @ integrated.T + precision
    covariance = inverse_positive(matrix)
    cross = integrated @ drawn.T  # X Z^T
    response = covariance @ cross
    right = integrated @ data + prior_force
    # Z Z^T; of the humps among themselves it depends on the delay alone and is known.
    gram = np.empty((drawn.shape[0],) * 2)
    gram[:2] = drawn[:2] @ drawn.T
    gram[2:, :2] = gram[:2, 2:].T
    gram[2:, 2:] = problem.humps.gram(parameters[DELAY])
    curvature = cross.T @ (-0.5 * response)
    curvature += curvature.T.copy()  # symmetric to the last digit
    curvature += gram
    diagonal = np.diag(gram)
    is_sure = _amplification(response, np.diag(matrix), diagonal) < _SURE
    return LinearProblem(
        curvature=_positive(curvature, diagonal, is_sure=is_sure),
        force=drawn @ data - response.T @ right,
        centre=covariance @ right,
        response=response,
        covariance=covariance,
    )


def expanded_rows(
    problem: Problem, point: Point
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Return the linear problem about a point, what is drawn held there: X, y, P and P p_0."""
    integrated, _ = _rows(problem, point)
    data = data_about(point, problem.data, integrated)
    return (integrated, data, *_priors(problem, point, integrated))


def data_about(point: Point, data: FloatArray, integrated: FloatArray) -> FloatArray:
    """Return data with what the slopes at a point add to them; those of what is drawn are not in.

    The model is y_0 + slopes (x - x_0): with x itself as the unknown the data gain slopes x_0.
    Amplitudes and areas need no such term, in them the model is linear and zero at zero.
    """
    indices = integrated_out(point.parameters.size)
    return np.asarray(data + point.parameters[indices] @ integrated[point.amplitude.size :])


def _priors(
    problem: Problem, point: Point, integrated: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return the prior precision and prior force of what is integrated out."""
    n_components = point.amplitude.size
    indices = integrated_out(point.parameters.size)
    precision = prior_precision(problem, point, integrated[:n_components])
    weak = weak_precisions(point.parameters.size)
    force = np.append(np.zeros(n_components), (weak * point.parameters)[indices])
    for limit, site in zip(problem.limits, point.sites, strict=False):
        force[limit.row] += site.force
    for ratio, site in zip(problem.tails, point.tails, strict=False):
        force += site.force * ratio.along(force.size)
    return precision, force


def prior_precision(problem: Problem, point: Point, design: FloatArray) -> FloatArray:
    """Return the prior precision of what is integrated out: amplitudes, then lines."""
    indices = integrated_out(point.parameters.size)
    n_components = point.amplitude.size
    precision = np.zeros((n_components + len(indices),) * 2)
    ratios = problem.ratios
    if point.tails:
        ratios = [ratio for ratio in ratios if not ratio.has_tails]
    precision[:n_components, :n_components] = ratio_precision(
        ratios, least_error(design), point.amplitude
    )
    for ratio, site in zip(problem.tails, point.tails, strict=False):
        row = ratio.along(len(precision))
        precision += site.precision * np.outer(row, row)
    of_lines = problem.precision + weak_precisions(problem.precision.size)
    precision[n_components:, n_components:] = np.diag(of_lines[indices])
    for limit, site in zip(problem.limits, point.sites, strict=False):
        precision[limit.row, limit.row] += site.precision
    return precision


def _rows(problem: Problem, point: Point) -> tuple[FloatArray, FloatArray]:
    """Return the model's derivatives by what is integrated out and by what is drawn, X and Z."""
    design, humps, slopes = rows_at(
        problem, point.parameters, amplitude=point.amplitude, areas=point.areas
    )
    integrated = np.vstack([design, slopes[integrated_out(len(slopes))]])
    return integrated, np.vstack([slopes[DRAWN], humps])


def weak_precisions(size: int) -> FloatArray:
    """Return the precisions of the non-linear parameters about the point, shape (nonlinear,)."""
    weak = np.zeros(size)
    weak[SHIFT] = priors.WEAK_SHIFT_HZ**-2
    weak[LORENTZ] = priors.WEAK_LORENTZ_HZ**-2
    weak[PHASE] = priors.WEAK_PHASE_RAD**-2
    return weak


def _amplification(response: FloatArray, of_matrix: FloatArray, of_gram: FloatArray) -> float:
    """Return how many-fold a rounding of X X^T + P comes back in the curvature.

    To first order its change D changes the curvature by R^T D R, with R the response. Both are
    scaled to ones on the diagonals of X X^T + P and of Z Z^T: the square sum of R bounds it.
    """
    return float(np.sum(of_matrix[:, None] * response**2 / np.maximum(of_gram, TINY)))


def _positive(curvature: FloatArray, diagonal: FloatArray, *, is_sure: bool) -> FloatArray:
    """Return the curvature with as much on its diagonal as rounding needs to be positive.

    What is added is a share of the diagonal of Z Z^T. Integrating x out takes away nearly all where
    the metabolites' parameters explain nearly all, and what rounding leaves may be negative in
    absurd data. Where it `is_sure` that the least share is enough, no factor is needed to see it.
    """
    for share in (1e-12, 1e-9, 1e-6, 1e-3, 1.0, 1e3):
        raised = curvature.copy()
        raised.ravel()[:: diagonal.size + 1] += share * diagonal + TINY
        if is_sure or dpotrf(raised.T, clean=0)[1] == 0:
            return raised
    return np.diag(diagonal)
