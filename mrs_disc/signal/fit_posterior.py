"""The average over humps, and over widths and delays that the data may not need.

A solution of the fit (`fit_solve`) is a place to stand. There the model is linear in everything,
the chains of `baseline` draw humps, Gaussian width and delay, and the metabolites' parameters are
normal given those. The mean of all that is a better place to stand; after the second look from
there the answer no longer moves.

The Gaussian part of the width and the delay have a point of mass at zero: where the data do not ask
for them, they do not cost accuracy, and where they might, the average says how much.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mrs_disc.signal.baseline import (
    Chains,
    Priors,
    Tangent,
    draw_chains,
    seeded,
)
from mrs_disc.signal.fit_model import DELAY, GAUSS2, LORENTZ, PHASE, SHIFT, Spectrum
from mrs_disc.signal.fit_solve import (
    Problem,
    Solution,
    bounds,
    inverse_positive,
    ratio_precision,
    slope_columns,
    solve_positive,
)
from mrs_disc.typing import FloatArray

CHAINS, LOOKS = 24, ((6, 3), (2, 10))
"""Chains; sweeps forgotten and kept at each place to stand."""
CHAINS_PLAIN, LOOKS_PLAIN = 160, ((2, 2), (1, 4))
"""The same without a baseline, where a sweep forgets the one before."""
_WEAK = {SHIFT: 30.0, LORENTZ: 40.0, PHASE: 3.0}
"""Prior standard deviations about the present place, felt only where there is no signal."""
_QUANTILES = 15
_DRAWN = (GAUSS2, DELAY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Posterior:
    """What is known after the average, in units of the noise.

    Parameters
    ----------
    parameters : float array, shape (nonlinear,)
        Posterior means.
    amplitude, low, high : float array, shape (component,)
        Posterior means and the ends of the 95 % intervals.
    covariance : float array, shape (component, component)
        Of the amplitudes, within and between the draws.
    areas : float array, shape (hump,)
        Posterior means.
    crlb : float array, shape (component,)
        Cramer-Rao bound with the baseline known.
    residual : float array, shape (datum,)
        Data less the fit.
    """

    parameters: FloatArray
    amplitude: FloatArray
    low: FloatArray
    high: FloatArray
    covariance: FloatArray
    areas: FloatArray
    crlb: FloatArray
    residual: FloatArray


@dataclass(frozen=True, slots=True)
class _Stand:
    """A place to stand."""

    parameters: FloatArray
    amplitude: FloatArray
    areas: FloatArray


def average(problem: Problem, solution: Solution, priors: Priors) -> Posterior:
    """Average over humps, Gaussian width and delay.

    Parameters
    ----------
    problem : Problem
        Data, model and priors; `problem.humps` is the full grid.
    solution : Solution
        Where to start; its humps are forgotten.
    priors : Priors
        Scales of the priors.
    """
    count = problem.model.n_components
    rng = seeded()
    plain = problem.humps.frequency_hz.size == 0
    chains = Chains.empty(
        CHAINS_PLAIN if plain else CHAINS,
        float(solution.parameters[GAUSS2]),
        float(solution.parameters[DELAY]),
    )
    stand = _Stand(
        solution.parameters, solution.amplitude[:count], np.zeros(problem.humps.frequency_hz.size)
    )
    low, high = bounds(stand.parameters.size)
    for burn, keep in LOOKS_PLAIN if plain else LOOKS:
        tangent = _tangent(problem, stand)
        chains, draws = draw_chains(tangent, chains, priors, burn=burn, keep=keep, rng=rng)
        place = draws.mean(axis=0)
        inner = tangent.centre - tangent.response @ place
        parameters = np.empty_like(stand.parameters)
        parameters[_inner(parameters.size)] = inner[count:]
        parameters[list(_DRAWN)] = place[:2]
        stand = _Stand(np.clip(parameters, low, high), inner[:count], place[2:])
    response = tangent.response[:count]
    covariance = tangent.covariance[:count, :count]
    centres = tangent.centre[:count] - draws @ response.T
    ends = _mixture_interval(centres, np.sqrt(np.diag(covariance)))
    spread = centres - stand.amplitude
    model = problem.model.evaluate(stand.parameters)
    design = problem.humps.design(stand.parameters[PHASE], stand.parameters[DELAY])
    return Posterior(
        parameters=stand.parameters,
        amplitude=stand.amplitude,
        low=ends[0],
        high=ends[1],
        covariance=covariance + spread.T @ spread / draws.shape[0],
        areas=stand.areas,
        crlb=_bound(problem, stand, model, gauss=np.mean(draws[:, 0] > 0) > 0.5),
        residual=problem.data - stand.amplitude @ model.design - stand.areas @ design,
    )


def _inner(size: int) -> list[int]:
    """Return the non-linear parameters that are integrated out, not drawn."""
    return [index for index in range(size) if index not in _DRAWN]


def _tangent(problem: Problem, stand: _Stand) -> Tangent:
    """Return the linear problem about a place."""
    count = stand.amplitude.size
    parameters = stand.parameters
    model = problem.model.evaluate(parameters)
    humps = problem.humps.design(parameters[PHASE], parameters[DELAY])
    linear = np.concatenate([stand.amplitude, stand.areas])
    slopes = slope_columns(problem, parameters, model, linear)
    inner = _inner(parameters.size)
    inside = np.vstack([model.design, slopes[inner]])
    drawn = np.vstack([slopes[list(_DRAWN)], humps])
    data = problem.data + parameters @ slopes
    precision = np.zeros((inside.shape[0],) * 2)
    precision[:count, :count] = ratio_precision(problem.ratios, model.design, stand.amplitude)
    toward = np.zeros(inside.shape[0])
    for place, index in enumerate(inner, start=count):
        weak = _WEAK[index] ** -2 if index in _WEAK else 0.0
        precision[place, place] = problem.precision[index] + weak
        toward[place] = weak * parameters[index]
    covariance = inverse_positive(inside @ inside.T + precision)
    shared = inside @ drawn.T
    response = covariance @ shared
    pull = inside @ data + toward
    curvature = drawn @ drawn.T - shared.T @ response
    return Tangent(
        curvature=0.5 * (curvature + curvature.T),
        force=drawn @ data - response.T @ pull,
        centre=covariance @ pull,
        response=response,
        covariance=covariance,
    )


def _bound(problem: Problem, stand: _Stand, model: Spectrum, *, gauss: bool) -> FloatArray:
    """Return the Cramer-Rao bound of the amplitudes with the baseline known."""
    count = stand.amplitude.size
    slopes = problem.model.jacobian(stand.parameters, stand.amplitude, model)
    used = [
        index
        for index in range(stand.parameters.size)
        if not problem.fixed[index] and (index != GAUSS2 or gauss)
    ]
    columns = np.vstack([model.design, slopes[used]])
    information = columns @ columns.T
    place = np.arange(count, columns.shape[0])
    weak = np.array([_WEAK[index] ** -2 if index in _WEAK else 0.0 for index in used])
    information[place, place] += problem.precision[used] + weak
    identity = np.eye(columns.shape[0])[:, :count]
    return np.asarray(np.sqrt(np.diag(solve_positive(information, identity)[:count])))


def _mixture_interval(centres: FloatArray, sd: FloatArray) -> FloatArray:
    """Return the central 95 % of mixtures of normal laws of the same width, shape (2, component).

    Parameters
    ----------
    centres : float array, shape (draw, component)
        Their centres, all of the same weight.
    sd : float array, shape (component,)
        Their width.
    """
    steps = _NORMAL_QUANTILES
    points = centres[:, None, :] + sd * steps[:, None]
    return np.asarray(np.quantile(points.reshape(-1, sd.size), (0.025, 0.975), axis=0))


def _normal_quantiles(count: int) -> FloatArray:
    """Return normal quantiles at evenly spaced probabilities, scaled to unit variance."""
    grid = np.linspace(-6, 6, 4001)
    cumulated = np.cumsum(np.exp(-0.5 * grid**2))
    wanted = (np.arange(count) + 0.5) / count
    quantiles = np.interp(wanted, cumulated / cumulated[-1], grid)
    return np.asarray(quantiles / np.sqrt(np.mean(quantiles**2)))


_NORMAL_QUANTILES = _normal_quantiles(_QUANTILES)
