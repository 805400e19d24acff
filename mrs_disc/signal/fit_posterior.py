"""The average over humps, and over widths and delays that the data may not need.

A solution of the fit (`fit_solve`) is a place to stand. There the model is linear in everything,
the chains draw humps, Gaussian width and delay (`chains`), and the metabolites' parameters are
normal given those. The mean of all that is a better place to stand, and is looked from until
it stays where it is: two to five times.

The Gaussian part of the width and the delay have a point of mass at zero: where the data do not ask
for them, they do not cost accuracy, and where they might, the average says how much.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import pi, sqrt

import numpy as np

from mrs_disc.constants import Z95
from mrs_disc.signal.baseline import SLOTS
from mrs_disc.signal.chains import Chains, Draws, Priors, Tangent, draw_chains, seeded
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

CHAINS, BURN, BATCHES = 24, 3, 5
"""Chains, and sweeps that are forgotten and at most kept at the last place to stand.

They start too strong; with one sweep forgotten ALA over strong humps was 3 % worse."""
CHAINS_PLAIN, SWEEPS_PLAIN = 80, 3
"""The same without a baseline: a sweep forgets the one before, and the solver stood well."""
_HEATED = 0.03
"""What the data weigh in the first sweep: cold, chains stay long where their first hump fell."""
_LOOKS = 5
_NEAR = 0.5
"""Standard deviations by which a parameter may move from one look to the next where both see the
same: the solver, which knows weak humps of free sign alone, may stand three off."""
_SAMPLING_SHARE = 0.01
"""Share of an amplitude's variance that may come from the number of draws: then they are enough."""
_WEAK = {SHIFT: 30.0, LORENTZ: 40.0, PHASE: 3.0}
"""Prior standard deviations about the present place, felt only where there is no signal."""
_NEWTON, _SETTLED = 6, 1e-3
"""Steps at most, and the last one in standard deviations, to the ends of an interval."""
_RESOLVED = np.array([10.0, 2e-6])  # of gauss2 and delay, where all draws are the same
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
    """A place to stand; on a `gaussian` one the Lorentzian width stays zero.

    Linear problems know no limits. Where the data ask for a negative width, all is drawn again
    with none, lest amplitudes belong to one width and the curve to another.
    """

    parameters: FloatArray
    amplitude: FloatArray
    areas: FloatArray
    gaussian: bool = False


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
    stand = _Stand(
        solution.parameters, solution.amplitude[:count], np.zeros(problem.humps.frequency_hz.size)
    )
    some = problem.humps.frequency_hz.size > 0
    tangent, draws, stand = (_over_humps if some else _without_humps)(problem, stand, priors)
    moved, within = draws.of(tangent.response[:count])
    within += tangent.covariance[:count, :count]
    centres = tangent.centre[:count] - moved
    ends = _mixture_interval(centres, np.sqrt(np.diagonal(within, axis1=1, axis2=2)))
    spread = centres - stand.amplitude
    model = problem.model.evaluate(stand.parameters)
    design = problem.humps.design(stand.parameters[PHASE], stand.parameters[DELAY])
    return Posterior(
        parameters=stand.parameters,
        amplitude=stand.amplitude,
        low=ends[0],
        high=ends[1],
        covariance=within.mean(axis=0) + spread.T @ spread / spread.shape[0],
        areas=stand.areas,
        crlb=_bound(problem, stand, model, gauss=bool(np.mean(draws.place[:, 0] > 0) > 0.5)),
        residual=problem.data - stand.amplitude @ model.design - stand.areas @ design,
    )


def _without_humps(
    problem: Problem, stand: _Stand, priors: Priors
) -> tuple[Tangent, Draws, _Stand]:
    """Return the linear problem about the solution, draws of width and delay, and their mean."""
    chains = _chains(stand, CHAINS_PLAIN, 0)
    tangent = _tangent(problem, stand)
    chains, draws = draw_chains(tangent, chains, priors, burn=1, keep=SWEEPS_PLAIN, rng=seeded())
    after = _stand(problem, tangent, draws, stand)
    if after.gaussian:
        tangent = _tangent(problem, after)
        _, draws = draw_chains(tangent, chains, priors, burn=1, keep=SWEEPS_PLAIN, rng=seeded())
        after = _stand(problem, tangent, draws, after)
    return tangent, draws, after


def _over_humps(problem: Problem, stand: _Stand, priors: Priors) -> tuple[Tangent, Draws, _Stand]:
    """Look for a place to stand; return the linear problem there, draws enough, and their mean."""
    rng = seeded()
    tangent = _tangent(problem, stand)
    chains = _chains(stand, CHAINS, SLOTS)
    chains, _ = draw_chains(tangent.heated(_HEATED), chains, priors, burn=0, keep=1, rng=rng)
    for _ in range(_LOOKS):
        chains, draws = draw_chains(tangent, chains, priors, burn=0, keep=1, rng=rng)
        before, stand = stand, _stand(problem, tangent, draws, stand)
        if stand.gaussian == before.gaussian and _distance(tangent, draws, before, stand) < _NEAR:
            chains, draws = _draws(tangent, chains, priors, stand.amplitude.size, rng)
            stand = _stand(problem, tangent, draws, before)
            if stand.gaussian == before.gaussian:
                return tangent, draws, stand
        tangent = _tangent(problem, stand)
    _, draws = _draws(tangent, chains, priors, stand.amplitude.size, rng)
    return tangent, draws, _stand(problem, tangent, draws, stand)


def _draws(
    tangent: Tangent, chains: Chains, priors: Priors, count: int, rng: np.random.Generator
) -> tuple[Chains, Draws]:
    """Draw until more draws would hardly change the first `count` parameters, the amplitudes."""
    chains, draws = draw_chains(tangent, chains, priors, burn=BURN, keep=1, rng=rng)
    for _ in range(1, BATCHES):
        if _enough(tangent, draws, count):
            break
        chains, more = draw_chains(tangent, chains, priors, burn=0, keep=1, rng=rng)
        draws = Draws.joined([draws, more])
    return chains, draws


def _chains(stand: _Stand, count: int, slots: int) -> Chains:
    """Return chains of empty slots at a place."""
    gauss2, delay = stand.parameters[list(_DRAWN)]
    return Chains.empty(count, slots, float(gauss2), float(delay))


def _stand(problem: Problem, tangent: Tangent, draws: Draws, before: _Stand) -> _Stand:
    """Return the mean of what was drawn about the place before."""
    low, high = bounds(problem)
    count = problem.model.n_components
    place = draws.place.mean(axis=0)
    inner = tangent.centre - tangent.response @ place
    parameters = np.empty(problem.model.n_nonlinear)
    parameters[_inner(parameters.size)] = inner[count:]
    parameters[list(_DRAWN)] = place[:2]
    gaussian = before.gaussian or parameters[LORENTZ] < 0
    return _Stand(np.clip(parameters, low, high), inner[:count], place[2:], bool(gaussian))


def _distance(tangent: Tangent, draws: Draws, before: _Stand, after: _Stand) -> float:
    """Return by how many standard deviations the farthest non-linear parameter moved."""
    count = before.amplitude.size
    means, within = draws.of(tangent.response[count:])
    variance = means.var(axis=0) + np.diag(within.mean(axis=0) + tangent.covariance[count:, count:])
    step = after.parameters - before.parameters
    drawn = np.sqrt(draws.place[:, :2].var(axis=0)) + _RESOLVED
    inner = np.abs(step[_inner(step.size)]) / np.sqrt(np.maximum(variance, 1e-300))
    return float(max(inner.max(), np.max(np.abs(step[list(_DRAWN)]) / drawn)))


def _enough(tangent: Tangent, draws: Draws, count: int) -> bool:
    """Return whether more draws would hardly change the amplitudes."""
    means, within = draws.of(tangent.response[:count])
    between = means.var(axis=0)
    whole = between + np.diag(within.mean(axis=0) + tangent.covariance[:count, :count])
    return bool(np.all(between / means.shape[0] < _SAMPLING_SHARE * whole))


def _inner(size: int) -> list[int]:
    """Return the non-linear parameters that are integrated out, not drawn."""
    return [index for index in range(size) if index not in _DRAWN]


def _tangent(problem: Problem, stand: _Stand) -> Tangent:
    """Return the linear problem about a place."""
    count = stand.amplitude.size
    parameters = stand.parameters
    model = problem.model.evaluate(parameters)
    humps = problem.humps.design(parameters[PHASE], parameters[DELAY])
    slopes = slope_columns(
        problem,
        parameters,
        model=model,
        amplitude=stand.amplitude,
        humps=humps,
        areas=stand.areas,
    )
    inner = _inner(parameters.size)
    inside = np.vstack([model.design, slopes[inner]])
    outer = slopes[list(_DRAWN)]
    drawn = np.vstack([outer, humps])
    data = problem.data + parameters @ slopes
    precision = np.zeros((inside.shape[0],) * 2)
    precision[:count, :count] = ratio_precision(problem.ratios, model.design, stand.amplitude)
    toward = np.zeros(inside.shape[0])
    for place, index in enumerate(inner, start=count):
        weak = _WEAK[index] ** -2 if index in _WEAK else 0.0
        precision[place, place] = problem.precision[index] + weak
        toward[place] = weak * parameters[index]
    covariance = inverse_positive(inside @ inside.T + precision)
    if stand.gaussian:
        covariance = _without(covariance, count + inner.index(LORENTZ))
    shared = inside @ drawn.T
    response = covariance @ shared
    pull = inside @ data + toward
    whole = np.empty((drawn.shape[0],) * 2)
    whole[:2] = outer @ drawn.T
    whole[2:, :2] = whole[:2, 2:].T
    whole[2:, 2:] = problem.humps.gram(parameters[DELAY])
    curvature = whole - shared.T @ response
    return Tangent(
        curvature=_positive(0.5 * (curvature + curvature.T), np.diag(whole)),
        force=drawn @ data - response.T @ pull,
        centre=covariance @ pull,
        response=response,
        covariance=covariance,
    )


def _without(covariance: FloatArray, index: int) -> FloatArray:
    """Return the covariance given that one parameter is zero."""
    along = covariance[:, index]
    given = covariance - np.outer(along, along / along[index])
    given[index] = given[:, index] = 0.0
    return np.asarray(given)


def _positive(curvature: FloatArray, whole: FloatArray) -> FloatArray:
    """Return the curvature with as much of the whole added as rounding needs to be positive.

    The projection takes away nearly all where the metabolites' parameters explain nearly all, and
    what rounding leaves may be negative in absurd data.
    """
    for share in (1e-12, 1e-9, 1e-6, 1e-3, 1.0, 1e3):
        raised = curvature.copy()
        raised.ravel()[:: whole.size + 1] += share * whole + 1e-300  # the diagonal
        try:
            np.linalg.cholesky(raised)
        except np.linalg.LinAlgError:
            continue
        return raised
    return np.diag(whole)


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
    """Return the central 95 % of mixtures of normal laws, shape (2, component).

    Parameters
    ----------
    centres, sd : float array, shape (draw, component)
        Their centres and standard deviations, all of the same weight.

    Notes
    -----
    Newton's method on the distribution function. That of the normal law is taken as
    ``(1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2``, right to 3e-4.
    """
    total = np.sqrt((sd**2).mean(axis=0) + centres.var(axis=0))
    wanted = np.array([[0.025], [0.975]])
    ends = centres.mean(axis=0) + np.array([[-Z95], [Z95]]) * total
    for _ in range(_NEWTON):
        x = (ends[:, None, :] - centres) / sd
        square = x * x
        below = 0.5 + 0.5 * np.tanh(sqrt(2 / pi) * x * (1 + 0.044715 * square)).mean(axis=1)
        density = (np.exp(-0.5 * square) / sd).mean(axis=1) / sqrt(2 * pi)
        step = (wanted - below) / np.maximum(density, 0.02 / total)
        ends += np.clip(step, -0.5 * total, 0.5 * total)
        if np.all(np.abs(step) < _SETTLED * total):
            break
    return np.asarray(ends)
