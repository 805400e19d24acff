"""The average over humps, and over widths and delays that the data may not need.

What was drawn about the last point (`expansion`) gives the amplitudes a mixture of normal laws, one
for each draw. Mean, covariance and intervals are those of the mixture.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import pi, sqrt

import numpy as np

from mrs_disc.constants import Z95
from mrs_disc.signal.fit.chains import Scales
from mrs_disc.signal.fit.expansion import Expansion, last_expansion
from mrs_disc.signal.fit.linear import DRAWN, Point, prior_precision, weak_precisions
from mrs_disc.signal.fit.model import GAUSS2
from mrs_disc.signal.fit.repetition import repetition_covariance, with_priors_that_follow
from mrs_disc.signal.fit.solver import Problem, rows_at, solve_positive
from mrs_disc.typing import FloatArray

_NEWTON, _SETTLED = 6, 1e-3
"""Steps at most, and the last one in standard deviations, to the ends of an interval."""


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
    last = last_expansion(problem, start, scales)
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


def _determined(problem: Problem, expansion: Expansion) -> float:
    """Return how many parameters the data determine: each counts by what its prior leaves.

    With S the covariance and P the prior's precision, trace(X X^T S) = n - trace(P S); both drawn
    parameters of the lines count whole.
    """
    point = expansion.point
    design = expansion.rows[0][: point.amplitude.size]
    prior = prior_precision(problem, point, design)
    drawn = int(np.count_nonzero(~problem.fixed[DRAWN]))
    left = float(np.sum(prior * expansion.linear.covariance))
    return float(prior.shape[0] - left + drawn)


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
    weak = weak_precisions(len(slopes))
    information[diagonal, diagonal] += (problem.precision + weak)[used]
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
