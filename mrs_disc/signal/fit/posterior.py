"""The average over humps, and over widths and delays that the data may not need.

The posterior is taken as Laplace does: expanded about a point, where the model is linear in all but
the humps' number and position. The chains draw humps, Gaussian width and delay there (`chains`),
and given those the metabolites' parameters are normal. The mean of all that is a better point,
about which the model is expanded again until it moves no more: two to five times. The solver's
optimum (`solver`) is the first point.

The Gaussian part of the width and the delay have a point of mass at zero: where the data do not ask
for them, they do not cost accuracy, and where they might, the average says how much.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from itertools import repeat
from math import pi, sqrt
from typing import TypeAlias

import numpy as np
from scipy.linalg.lapack import dpotrf

from mrs_disc.constants import TINY, Z95
from mrs_disc.signal.fit import kernel_solver, priors
from mrs_disc.signal.fit.chains import (
    Chains,
    Draws,
    LinearProblem,
    Moments,
    Scales,
    draw_chains,
)
from mrs_disc.signal.fit.limits import Limit, Site, sites_of
from mrs_disc.signal.fit.model import DELAY, GAUSS2, LORENTZ, PHASE, SHIFT
from mrs_disc.signal.fit.random_numbers import Repeated
from mrs_disc.signal.fit.repetition import repetition_covariance, with_priors_that_follow
from mrs_disc.signal.fit.solver import (
    STEPS,
    Problem,
    inverse_positive,
    least_error,
    ratio_precision,
    rows_at,
    solve_positive,
)
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
_NEWTON, _SETTLED = 6, 1e-3
"""Steps at most, and the last one in standard deviations, to the ends of an interval."""
_RESOLVED = np.array([10.0, 2e-6])  # of gauss2 and delay, where all draws are the same
_DRAWN = [GAUSS2, DELAY]


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
        indices = _integrated(parameters.size)
        for limit, site in zip(limits, self.sites, strict=True):
            if limit.row < amplitude.size:
                amplitude[limit.row] = site.mean
            else:
                parameters[indices[limit.row - amplitude.size]] = site.mean
        return replace(self, amplitude=amplitude, parameters=parameters)


@dataclass(frozen=True, slots=True, kw_only=True)
class Amplitudes:
    """What is known of the amplitudes of the components, parts of one whole added up.

    Of a brief fit the last four are empty.

    Parameters
    ----------
    mean : float array, shape (component,)
        Posterior means; may be negative.
    covariance : float array, shape (component, component)
        Of all that is not known: noise, non-linear parameters, baseline.
    crlb : float array, shape (component,)
        Cramer-Rao bound (sd) of the metabolites' model here, with the baseline known.
    low, high : float array, shape (component,)
        Ends of the 95 % intervals.
    repetition : float array, shape (component, component)
        Covariance over repeats of the same measurement, with new noise alone.
    """

    mean: FloatArray
    covariance: FloatArray
    repetition: FloatArray
    crlb: FloatArray
    low: FloatArray
    high: FloatArray

    @property
    def sd(self) -> FloatArray:
        """One standard deviation of each amplitude, shape (component,)."""
        return np.asarray(np.sqrt(np.diag(self.covariance)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Posterior:
    """What is known after the average, in units of the noise.

    Parameters
    ----------
    mean : Point
        Posterior means.
    amplitudes : Amplitudes
        The amplitudes with their uncertainty, within and between the draws.
    residual : float array, shape (datum,)
        Data less the fit.
    determined : float
        How many parameters the data determine, each by what its prior leaves.
    expansion : Expansion
        The last one, from which all this was drawn.
    """

    mean: Point
    amplitudes: Amplitudes
    residual: FloatArray
    determined: float
    expansion: Expansion


@dataclass(frozen=True, slots=True)
class Expansion:
    """The problem linearized about a point, what was drawn from it, and the mean of that.

    `rows` are the model's derivatives there, X and Z of `_linearized`; `moments` those of what the
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
        n_components = self.point.amplitude.size
        about = data + parameters[_integrated(parameters.size)] @ integrated[n_components:]
        about += parameters[_DRAWN] @ drawn[:2]
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
        integrated = move[_integrated(move.size)] / np.sqrt(
            np.maximum(variance[n_components:], TINY)
        )
        return float(max(integrated.max(), np.max(move[_DRAWN] / drawn_sd)))

    def beyond_limits_sd(self, limits: Sequence[Limit]) -> float:
        """Return by how many standard deviations the farthest parameter is off its limit's mean."""
        parameters = self.mean.parameters[_integrated(self.mean.parameters.size)]
        values = np.append(self.mean.amplitude, parameters)[[limit.row for limit in limits]]
        pairs = zip(values, self.mean.sites, strict=True)
        return max((abs(value - site.mean) / site.sd for value, site in pairs), default=0.0)


_Sample: TypeAlias = Callable[[LinearProblem, Chains], tuple[Chains, Draws]]


def average(
    problem: Problem,
    start: Point,
    scales: Scales,
    gather: FloatArray,
    *,
    briefly: bool = False,
) -> Posterior:
    """Average over humps, Gaussian width and delay.

    Parameters
    ----------
    problem : Problem
        Data, model and priors; `problem.humps` is the full grid.
    start : Point
        Where to start, the solver's optimum without its humps.
    scales : Scales
        Of the priors.
    gather : float array, shape (whole, component)
        Sums the components that are parts of one whole.
    briefly : bool
        Whether bounds, intervals and the covariance over repeats are not wanted: they are empty.
    """
    n_components = problem.model.n_components
    expanded = _over_humps if problem.humps.frequency_hz.size else _without_humps
    last = expanded(problem, start, scales)
    mean = last.mean
    # Each draw gives the amplitudes a normal law, of mean m_x - W z and covariance S + W C W^T with
    # C that of the areas (rows of amplitudes alone); the posterior is the mixture of them all.
    from_humps, within = last.draws.of(last.linear.response[:n_components])
    within += last.linear.covariance[:n_components, :n_components]
    centres = last.linear.centre[:n_components] - from_humps
    spread = centres - mean.amplitude
    covariance = within.mean(axis=0) + spread.T @ spread / spread.shape[0]
    none = np.zeros_like(mean.areas)
    design, humps, slopes = rows_at(problem, mean.parameters, amplitude=mean.amplitude, areas=none)
    low, high, crlb, repetition = (np.empty(0),) * 4
    if not briefly:
        # Parts of one whole are added up: of each draw, so that the mixture is that of the sums.
        summed_sd = np.sqrt(np.diagonal(gather @ within @ gather.T, axis1=1, axis2=2))
        low, high = _mixture_interval(centres @ gather.T, summed_sd)
        has_gauss = bool(np.mean(last.draws.mean[:, 0] > 0) > 0.5)
        crlb = _bound(problem, design, slopes, gather, has_gauss=has_gauss)
        repetition = gather @ _repetition(problem, last, covariance) @ gather.T
    return Posterior(
        mean=mean,
        amplitudes=Amplitudes(
            mean=gather @ mean.amplitude,
            covariance=gather @ covariance @ gather.T,
            repetition=repetition,
            crlb=crlb,
            low=low,
            high=high,
        ),
        residual=problem.data - mean.amplitude @ design - mean.areas @ humps,
        determined=_determined(problem, last),
        expansion=last,
    )


def _repetition(problem: Problem, last: Expansion, covariance: FloatArray) -> FloatArray:
    """Return the covariance of the components over repeats of the measurement."""
    amplitude = last.mean.amplitude
    integrated, drawn = (problem.model.of_noise(rows) for rows in last.rows)
    return with_priors_that_follow(
        repetition_covariance(integrated, drawn, last.linear, last.draws, amplitude.size),
        amplitude,
        covariance,
        problem.ratios,
        dict(zip(problem.tails, last.point.tails, strict=False)),
    )


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
    rows, linear = _about_point(problem, point)
    return _sampled(problem, point, rows, linear, chains, sample)


def _about_point(
    problem: Problem, point: Point
) -> tuple[tuple[FloatArray, FloatArray], LinearProblem]:
    """Return the model's derivatives at a point, X and Z, and the problem linearized there."""
    weak = _weak_precisions(problem.model.n_nonlinear)
    compiled = kernel_solver.linearized(problem, point, weak, STEPS)
    if compiled is not None:
        rows, linear = compiled
        n_integrated = len(linear.centre)
        return (rows[:n_integrated], rows[n_integrated:]), linear
    integrated, drawn = _rows(problem, point)
    return (integrated, drawn), _linearized(problem, point, integrated, drawn)


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
    gauss2, delay = point.parameters[_DRAWN]
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
    parameters[_integrated(parameters.size)] = means[n_components:]
    parameters[_DRAWN] = coordinates[:2]
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


def _integrated(size: int) -> list[int]:
    """Return the non-linear parameters that are integrated out, not drawn."""
    return [index for index in range(size) if index not in _DRAWN]


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
    data, precision, prior_force = _about(problem, point, integrated)  # y, P, P p_0
    data += parameters[_DRAWN] @ drawn[:2]
    covariance = inverse_positive(integrated @ integrated.T + precision)
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
    return LinearProblem(
        curvature=_positive(curvature, np.diag(gram)),
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
    return (integrated, *_about(problem, point, integrated))


def _about(
    problem: Problem, point: Point, integrated: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the data, prior precision and prior force of what is integrated out."""
    n_components = point.amplitude.size
    indices = _integrated(point.parameters.size)
    # The model is y_0 + slopes (x - x_0): with x itself as the unknown the data gain slopes x_0.
    # Amplitudes and areas need no such term, in them the model is linear and zero at zero.
    data = problem.data + point.parameters[indices] @ integrated[n_components:]
    precision = _prior_precision(problem, point, integrated[:n_components])
    weak = np.array([_weak_precision(index) for index in indices])
    force = np.append(np.zeros(n_components), weak * point.parameters[indices])
    for limit, site in zip(problem.limits, point.sites, strict=False):
        force[limit.row] += site.force
    for ratio, site in zip(problem.tails, point.tails, strict=False):
        force[[ratio.numerator, ratio.denominator]] += site.force * np.array([1.0, -ratio.mean])
    return data, precision, force


def _prior_precision(problem: Problem, point: Point, design: FloatArray) -> FloatArray:
    """Return the prior precision of what is integrated out: amplitudes, then lines."""
    indices = _integrated(point.parameters.size)
    n_components = point.amplitude.size
    precision = np.zeros((n_components + len(indices),) * 2)
    ratios = problem.ratios
    if point.tails:
        ratios = [ratio for ratio in ratios if not ratio.has_tails]
    precision[:n_components, :n_components] = ratio_precision(
        ratios, least_error(design), point.amplitude
    )
    for ratio, site in zip(problem.tails, point.tails, strict=False):
        pair = np.ix_([ratio.numerator, ratio.denominator], [ratio.numerator, ratio.denominator])
        precision[pair] += site.precision * np.outer((1.0, -ratio.mean), (1.0, -ratio.mean))
    for row, index in enumerate(indices, start=n_components):
        precision[row, row] = problem.precision[index] + _weak_precision(index)
    for limit, site in zip(problem.limits, point.sites, strict=False):
        precision[limit.row, limit.row] += site.precision
    return precision


def _determined(problem: Problem, expansion: Expansion) -> float:
    """Return how many parameters the data determine: each counts by what its prior leaves.

    With S the covariance and P the prior's precision, trace(X X^T S) = n - trace(P S); both drawn
    parameters of the lines count whole.
    """
    point = expansion.point
    design = expansion.rows[0][: point.amplitude.size]
    prior = _prior_precision(problem, point, design)
    drawn = int(np.count_nonzero(~problem.fixed[_DRAWN]))
    left = float(np.sum(prior * expansion.linear.covariance))
    return float(prior.shape[0] - left + drawn)


def _rows(problem: Problem, point: Point) -> tuple[FloatArray, FloatArray]:
    """Return the model's derivatives by what is integrated out and by what is drawn, X and Z."""
    design, humps, slopes = rows_at(
        problem, point.parameters, amplitude=point.amplitude, areas=point.areas
    )
    integrated = np.vstack([design, slopes[_integrated(len(slopes))]])
    return integrated, np.vstack([slopes[_DRAWN], humps])


@cache
def _weak_precisions(size: int) -> FloatArray:
    return np.array([_weak_precision(index) for index in range(size)])


def _weak_precision(index: int) -> float:
    """Return the precision about the expansion point of a non-linear parameter."""
    weak = {
        SHIFT: priors.WEAK_SHIFT_HZ,
        LORENTZ: priors.WEAK_LORENTZ_HZ,
        PHASE: priors.WEAK_PHASE_RAD,
    }
    return weak[index] ** -2 if index in weak else 0.0


def _positive(curvature: FloatArray, diagonal: FloatArray) -> FloatArray:
    """Return the curvature with as much on its diagonal as rounding needs to be positive.

    What is added is a share of the diagonal of Z Z^T. Integrating x out takes away nearly all where
    the metabolites' parameters explain nearly all, and what rounding leaves may be negative in
    absurd data.
    """
    for share in (1e-12, 1e-9, 1e-6, 1e-3, 1.0, 1e3):
        raised = curvature.copy()
        raised.ravel()[:: diagonal.size + 1] += share * diagonal + TINY
        if dpotrf(raised.T, clean=0)[1] == 0:
            return raised
    return np.diag(diagonal)


def _bound(
    problem: Problem,
    design: FloatArray,
    slopes: FloatArray,
    gather: FloatArray,
    *,
    has_gauss: bool,
) -> FloatArray:
    """Return the Cramer-Rao bound of the amplitudes with the baseline known, shape (whole,).

    It is the Bayesian one: the priors of the non-linear parameters count, those of ratios do not.
    `slopes` are the derivatives of the components alone.
    """
    n_components = len(design)
    used = [
        index
        for index in range(len(slopes))
        if not problem.fixed[index] and (index != GAUSS2 or has_gauss)
    ]
    columns = np.vstack([design, slopes[used]])
    information = columns @ columns.T
    diagonal = np.arange(n_components, columns.shape[0])
    weak = np.array([_weak_precision(index) for index in used])
    information[diagonal, diagonal] += problem.precision[used] + weak
    identity = np.eye(columns.shape[0])[:, :n_components]
    covariance = solve_positive(information, identity)[:n_components]
    return np.asarray(np.sqrt(np.diag(gather @ covariance @ gather.T)))


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
    target = np.array([[0.025], [0.975]])
    ends = centres.mean(axis=0) + np.array([[-Z95], [Z95]]) * total
    for _ in range(_NEWTON):
        x = (ends[:, None, :] - centres) / sd
        square = x * x
        below = 0.5 + 0.5 * np.tanh(sqrt(2 / pi) * x * (1 + 0.044715 * square)).mean(axis=1)
        density = (np.exp(-0.5 * square) / sd).mean(axis=1) / sqrt(2 * pi)
        # Between far modes the density is nearly zero: steps of a mixture's half width at most.
        step = (target - below) / np.maximum(density, 0.02 / total)
        ends += np.clip(step, -0.5 * total, 0.5 * total)
        if np.all(np.abs(step) < _SETTLED * total):
            break
    return np.asarray(ends)
