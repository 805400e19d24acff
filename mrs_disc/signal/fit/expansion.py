"""Expansions about better and better points, and what is drawn about each.

The model is made linear about a point (`linear`). The chains draw humps, Gaussian width and delay
there (`chains`), and given those the metabolites' parameters are normal. The mean of all that is a
better point, about which the model is expanded again until it moves no more: two to five times. The
solver's optimum (`solver`) is the first point.

The Gaussian part of the width and the delay have a point of mass at zero: where the data do not ask
for them, they do not cost accuracy, and where they might, the average says how much.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import repeat
from typing import TypeAlias

import numpy as np

from mrs_disc.constants import TINY
from mrs_disc.signal.fit import priors
from mrs_disc.signal.fit.chains import (
    Chains,
    Draws,
    LinearProblem,
    Moments,
    Scales,
    draw_chains,
)
from mrs_disc.signal.fit.limits import Limit, sites_of
from mrs_disc.signal.fit.linear import DRAWN, Point, about_point, data_about, integrated_out
from mrs_disc.signal.fit.model import SHIFT
from mrs_disc.signal.fit.random_numbers import Repeated
from mrs_disc.signal.fit.solver import Problem, least_error
from mrs_disc.signal.fit.start import LOST_HZ
from mrs_disc.signal.fit.tails import first_tails, tails_of
from mrs_disc.typing import FloatArray

_CHAINS, _BURN_IN, _MOST_SWEEPS = 24, 3, 5
"""Chains, sweeps that are forgotten, and sweeps that are kept at most, about the last point.

The chains start too strong; with one sweep forgotten ALA over strong humps was 3 % worse."""
_CHAINS_PLAIN, _BURN_IN_PLAIN, _SWEEPS_PLAIN = 80, 1, 3
"""The same without a baseline, where a sweep forgets the one before it."""
_TEMPER = 0.03
"""Power of the likelihood in the first sweep: at one, chains stay long where their first hump
fell."""
_EXPANSIONS = 5
_NEAR = 0.5
"""Standard deviations by which a parameter may move from one expansion point to the next where both
see the same: the solver, which knows weak humps of free sign alone, may be three off."""
_ASTRAY = 1.5
"""From so many at the last point, the expansions did not settle."""
_SAMPLING_SHARE = 0.01
"""Share of an amplitude's variance that may come from the number of draws: then they are enough."""
_RESOLVED = np.array([10.0, 2e-6])  # of gauss2 and delay, where all draws are the same


@dataclass(frozen=True, slots=True)
class Expansion:
    """The problem linearized about a point, what was drawn from it, and the mean of that.

    `rows` are the model's derivatives there, X and Z of `about_point`; `moments` those of what the
    linear problem integrates out, ``response @ z``.
    """

    point: Point
    rows: tuple[FloatArray, FloatArray]
    linear: LinearProblem
    chains: Chains
    draws: Draws
    moments: Moments
    mean: Point

    def left_along(self, rows: FloatArray, data: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return what the fits of the draws leave of the data along some spectra.

        Parameters
        ----------
        rows : float array, shape (row, datum)
        data : float array, shape (datum,)

        Returns
        -------
        float array, shape (draw, row)
            ``rows (data - F)`` with F the mean fit of a draw, about the point as all that is drawn.
        float array, shape (draw, row, row)
            Covariance of ``rows F``.
        """
        (integrated, drawn), linear, parameters = self.rows, self.linear, self.point.parameters
        about = data_about(self.point, data, integrated) + parameters[DRAWN] @ drawn[:2]
        of_integrated = rows @ integrated.T
        # Given a draw z the fit is normal about X^T (centre - response z) + Z^T z.
        fits, within = self.draws.of(rows @ drawn.T - of_integrated @ linear.response)
        fits += of_integrated @ linear.centre
        return rows @ about - fits, within + of_integrated @ linear.covariance @ of_integrated.T

    def moved_sd(self) -> float:
        """Return by how many standard deviations the farthest non-linear parameter moved."""
        n_components = self.point.amplitude.size
        variance = self.moments.between + self.moments.within + np.diag(self.linear.covariance)
        move = np.abs(self.mean.parameters - self.point.parameters)
        drawn_sd = np.sqrt(self.draws.mean[:, :2].var(axis=0)) + _RESOLVED
        integrated = move[integrated_out(move.size)] / np.sqrt(
            np.maximum(variance[n_components:], TINY)
        )
        return float(max(integrated.max(), np.max(move[DRAWN] / drawn_sd)))

    def beyond_limits_sd(self, limits: Sequence[Limit]) -> float:
        """Return by how many standard deviations the farthest parameter is off its limit's mean."""
        parameters = self.mean.parameters[integrated_out(self.mean.parameters.size)]
        values = np.append(self.mean.amplitude, parameters)[[limit.row for limit in limits]]
        pairs = zip(values, self.mean.sites, strict=True)
        return max((abs(value - site.mean) / site.sd for value, site in pairs), default=0.0)


_Sample: TypeAlias = Callable[[LinearProblem, Chains], tuple[Chains, Draws]]


def last_expansion(problem: Problem, start: Point, scales: Scales) -> Expansion:
    """Expand until the point moves no more; of the last expansion enough is drawn for the answer.

    Parameters
    ----------
    problem, start, scales : Problem, Point, Scales
        As in `posterior.average`.
    """
    if problem.humps.frequency_hz.size:
        return _over_humps(problem, start, scales)
    return _without_humps(problem, start, scales)


def _over_humps(problem: Problem, point: Point, scales: Scales) -> Expansion:
    """Expand until the point moves no more, and draw enough about the last one."""
    expansion = _followed(problem, point, scales)
    if expansion.moved_sd() < _ASTRAY or not problem.limits:
        return expansion
    # Mostly the model misses much of the data; with a width that is held it does not turn over.
    held = tuple(replace(one, held=one.present == 1) for one in problem.limits)
    return _followed(replace(problem, limits=held), point, scales)


def _followed(problem: Problem, point: Point, scales: Scales) -> Expansion:
    rng = Repeated()
    warm = partial(_sample_warming, scales=scales, rng=rng)
    once = partial(draw_chains, scales=scales, burn_in=0, keep=1, rng=rng)
    enough = partial(_sample_enough, scales=scales, n_components=point.amplitude.size, rng=rng)
    chains = _empty_chains(point, _CHAINS, priors.SLOTS)
    # One sweep finds the next point well enough; only about the last one many are worth their time.
    for sample in (warm, *repeat(once, _EXPANSIONS - 1)):
        expansion = _expand(problem, point, chains, sample)
        if _settled(problem, expansion):
            return _sampled(
                problem, point, expansion.rows, expansion.linear, expansion.chains, enough
            )
        point, chains = expansion.mean.within_limits(problem.limits), expansion.chains
    return _expand(problem, point, chains, enough)


def _without_humps(problem: Problem, point: Point, scales: Scales) -> Expansion:
    """Expand about the solver's optimum, which is near enough where there is no baseline."""

    def sample(linear: LinearProblem, chains: Chains) -> tuple[Chains, Draws]:
        burn_in, keep = _BURN_IN_PLAIN, _SWEEPS_PLAIN
        return draw_chains(linear, chains, scales, burn_in=burn_in, keep=keep, rng=Repeated())

    expansion = _expand(problem, point, _empty_chains(point, _CHAINS_PLAIN, 0), sample)
    for _ in range(1, _EXPANSIONS):
        if expansion.beyond_limits_sd(problem.limits) < _NEAR:
            break
        point = expansion.mean.within_limits(problem.limits)
        expansion = _expand(problem, point, expansion.chains, sample)
    return expansion


def _settled(problem: Problem, expansion: Expansion) -> bool:
    """Say whether the next expansion would be the same."""
    moved = max(expansion.moved_sd(), expansion.beyond_limits_sd(problem.limits))
    return moved < _NEAR


def _expand(problem: Problem, point: Point, chains: Chains, sample: _Sample) -> Expansion:
    """Expand the model about a point, sample, and take the mean."""
    rows, linear = about_point(problem, point)
    return _sampled(problem, point, rows, linear, chains, sample)


def _sampled(
    problem: Problem,
    point: Point,
    rows: tuple[FloatArray, FloatArray],
    linear: LinearProblem,
    chains: Chains,
    sample: _Sample,
) -> Expansion:
    """Sample from the problem linearized about a point, and take the mean."""
    chains, draws = sample(linear, chains)
    moments = draws.moments(linear.response)
    mean = _mean(problem, rows[0], linear, (draws, moments), point)
    return Expansion(point, rows, linear, chains, draws, moments, mean)


def _sample_warming(
    linear: LinearProblem, chains: Chains, scales: Scales, rng: Repeated
) -> tuple[Chains, Draws]:
    """Draw a sweep from the tempered likelihood, then one from the likelihood, which is kept."""
    tempered = linear.tempered(_TEMPER)
    chains, _ = draw_chains(tempered, chains, scales, burn_in=0, keep=1, rng=rng)
    return draw_chains(linear, chains, scales, burn_in=0, keep=1, rng=rng)


def _sample_enough(
    linear: LinearProblem,
    chains: Chains,
    scales: Scales,
    n_components: int,
    rng: Repeated,
) -> tuple[Chains, Draws]:
    """Draw until more draws would hardly change the amplitudes."""
    chains, draws = draw_chains(linear, chains, scales, burn_in=_BURN_IN, keep=1, rng=rng)
    for _ in range(1, _MOST_SWEEPS):
        if _enough(linear, draws, n_components):
            break
        chains, more = draw_chains(linear, chains, scales, burn_in=0, keep=1, rng=rng)
        draws = Draws.joined([draws, more])
    return chains, draws


def _enough(linear: LinearProblem, draws: Draws, n_components: int) -> bool:
    """Return whether more draws would hardly change the amplitudes."""
    # The law of total variance; the mean of n draws has the variance between / n.
    moments = draws.moments(linear.response[:n_components])
    total = moments.between + moments.within + np.diag(linear.covariance)[:n_components]
    return bool(np.all(moments.between / len(draws.mean) < _SAMPLING_SHARE * total))


def _empty_chains(point: Point, n_chains: int, n_slots: int) -> Chains:
    """Return chains of empty slots at the Gaussian width and delay of a point."""
    gauss2, delay = point.parameters[DRAWN]
    return Chains.empty(n_chains, n_slots, float(gauss2), float(delay))


def _mean(
    problem: Problem,
    integrated: FloatArray,
    linear: LinearProblem,
    drawn: tuple[Draws, Moments],
    before: Point,
) -> Point:
    """Return the mean of what was drawn about a point, where the derivatives are `integrated`."""
    draws, moments = drawn
    n_components = problem.model.n_components
    coordinates = draws.mean.sum(axis=0) / len(draws.mean)
    means = linear.centre - moments.mean
    parameters = np.empty(problem.model.n_nonlinear)
    parameters[integrated_out(parameters.size)] = means[n_components:]
    parameters[DRAWN] = coordinates[:2]
    amplitude = means[:n_components]
    sites = sites_of(problem.limits, linear, moments, before.amplitude, before.sites)
    low, high = problem.bounds
    within_bounds = np.minimum(np.maximum(parameters, low), high)
    # Where the model misses most of the data, its lines would leave theirs in one step.
    farthest = before.parameters[SHIFT] + np.array([-LOST_HZ, LOST_HZ])
    within_bounds[SHIFT] = np.clip(within_bounds[SHIFT], *farthest)
    old = before.tails or first_tails(
        problem.tails, least_error(integrated[:n_components]), before.amplitude
    )
    variance = moments.between + moments.within + np.diag(linear.covariance)
    known = amplitude, np.sqrt(variance[:n_components])
    tails = tails_of(problem.tails, linear, draws, known, old)
    return Point(within_bounds, amplitude, coordinates[2:], sites, tails)
