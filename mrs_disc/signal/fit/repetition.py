"""How far the answer scatters when the same disc is measured again, with new noise.

The posterior's covariance is about the truth: it holds what nobody knows of the baseline, the
ratios and the lineshape. All that is the same in a repeat, and does not scatter. What scatters is
the noise y of the data, and the answer follows it by its derivative. With a normal likelihood the
posterior mean obeys, whatever the prior (it is Tweedie's formula, Efron, J Am Stat Assoc
2011;106:1602-1614, doi:10.1198/jasa.2011.tm11181, for the data's mean m)::

    d E[a | y] / d y  =  Cov(a, m | y)        repetition = Cov(a, m | y) Cov(m, a | y)

in units of the noise. In a linear model with prior precision P that is the sandwich
``S X X^T S = S - S P S`` of the posterior covariance ``S = (X X^T + P)^-1``.

Here amplitudes a and the other parameters x are normal given the drawn coordinates z (`chains`),
about ``m_x - W z`` with covariance S, and the data's mean is ``X^T x + Z^T z``::

    Cov(a, m) = S_a X - W_a Cov(z) (Z - W^T X)

Cov(z) comes from draws, whose own scatter would add to its square. The chains are independent: the
product is taken between two halves of them, so that it has no such bias.

The priors of ratios are made at the amplitudes that were found, and follow the data with them
(`with_priors_that_follow`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import sqrt

import numpy as np

from mrs_disc.signal.fit.chains import Draws, LinearProblem
from mrs_disc.signal.fit.limits import Site
from mrs_disc.signal.fit.solver import NormalRatio
from mrs_disc.typing import FloatArray

_RUNS_AWAY = 0.9
"""Priors that would follow themselves this far are taken as they stand [proposed]."""


def repetition_covariance(
    integrated: FloatArray, drawn: FloatArray, linear: LinearProblem, draws: Draws, n: int
) -> FloatArray:
    """Return the covariance of the amplitudes over repeats of the same measurement.

    Parameters
    ----------
    integrated, drawn : float array, shape (parameter, datum) and (coordinate, datum)
        Derivatives of the data's mean by what is integrated out and by what is drawn: X and Z.
    linear : LinearProblem
        The problem linearized there.
    draws : Draws
        What its chains drew, an even number of chains in turn.
    n : int
        Number of amplitudes, the first of the parameters.

    Returns
    -------
    float array, shape (n, n)
        In units of the noise, as the amplitudes.
    """
    own = linear.covariance[:n] @ integrated  # S_a X
    left = drawn - linear.response.T @ integrated  # what X leaves of Z
    response = linear.response[:n]
    one, other = (own - _spread(half, response) @ left for half in _halves(draws))
    product = one @ other.T
    covariance = 0.5 * (product + product.T)
    # Of little else than noise, the product of the halves may be negative: not less than nothing,
    # and not less than the amplitudes follow the data with the drawn coordinates known.
    least = np.diag(own @ own.T) * 1e-3
    values, vectors = np.linalg.eigh(covariance)
    positive = (vectors * np.maximum(values, 0.0)) @ vectors.T
    short = np.maximum(least - np.diag(positive), 0.0)
    return np.asarray(positive + np.diag(short))


def with_priors_that_follow(
    repetition: FloatArray,
    mean: FloatArray,
    covariance: FloatArray,
    ratios: Sequence[NormalRatio],
    tails: Mapping[NormalRatio, Site],
) -> FloatArray:
    """Return the covariance over repeats when each brings its own priors of ratios.

    A prior ``r r^T`` with r proportional to 1 / b, b the denominator that was found, makes the mean
    a function of b too: ``K = d mean / d b = (2 / b) covariance r (r . mean)``. At the fixed point
    a change of the data counts ``(1 - K)^-1`` times. A weak b is smeared by its error, which leaves
    ``2 b / (b^2 + 2 sd^2)`` of the slope [proposed].

    Parameters
    ----------
    repetition, covariance : float array, shape (component, component)
        Over repeats at fixed priors; of the posterior.
    mean : float array, shape (component,)
        Posterior mean.
    ratios : sequence of NormalRatio
        The priors.
    tails : mapping of NormalRatio to Site
        The factors that stand for those with tails.
    """
    count = mean.size
    follows = np.zeros((count, count))
    for ratio in ratios:
        below = ratio.denominator
        square = mean[below] ** 2
        if not square > covariance[below, below]:
            continue  # the prior is held at the error of its denominator
        row = ratio.along(count)
        tail = tails.get(ratio)
        row *= sqrt(tail.precision) if tail else 1 / (ratio.sd * abs(mean[below]))
        slope = 2 * mean[below] / (square + 2 * covariance[below, below])
        follows[:, below] += slope * (row @ mean) * (covariance @ row)
    if np.abs(np.linalg.eigvals(follows)).max() > _RUNS_AWAY:
        return repetition
    total = np.linalg.inv(np.eye(count) - follows)
    return np.asarray(total @ repetition @ total.T)


def _halves(draws: Draws) -> tuple[Draws, Draws]:
    even, odd = slice(0, None, 2), slice(1, None, 2)
    first, second = (
        Draws(draws.mean[part], draws.hump[part], draws.covariance[part]) for part in (even, odd)
    )
    return first, second


def _spread(draws: Draws, response: FloatArray) -> FloatArray:
    """Return ``W Cov(z)``, shape (function, coordinate), by the law of total covariance."""
    count = draws.mean.shape[0]
    centred = draws.mean - draws.mean.mean(axis=0)
    spread = (response @ centred.T) @ centred / max(count - 1, 1)
    if draws.hump.shape[1]:
        rows = response[:, 2:].T.take(draws.hump, axis=0)  # (draw, slot, function)
        within = draws.covariance @ rows / count
        by_hump = np.zeros((response.shape[1] - 2, response.shape[0]))
        np.add.at(by_hump, draws.hump.ravel(), within.reshape(-1, response.shape[0]))
        spread[:, 2:] += by_hump.T
    return np.asarray(spread)
