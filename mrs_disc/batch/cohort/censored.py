"""Means of values some of which are upper limits, with a random effect for what they share.

The values of a cluster (the discs of a patient, the runs of a disc) share one normal offset. A
value enters with its density; an upper limit with the probability that the value lies below it, so
it is neither left out nor taken for a value. The offset is integrated out: what the values of the
cluster say of it is normal in closed form, and the limits are averaged over that by Gauss-Hermite
quadrature. Without limits nothing is left to quadrature, and the likelihood is that of the usual
linear mixed model.

=========  ============================================  ==================
symbol     meaning                                       name in code
=========  ============================================  ==================
beta       coefficients of the design                    ``coefficient``
sigma      standard deviation within a cluster           ``within_sd``
tau        standard deviation of the clusters' offsets   ``between_sd``
m, v       mean and variance of an offset given values   ``centre, spread``
=========  ============================================  ==================

Source: Tobin, Econometrica 1958;26:24-36 (censored normal likelihood); Hughes, Biometrics
1999;55:625-629 (mixed models of censored values).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np

from mrs_disc.errors import InputError
from mrs_disc.typing import BoolArray, FloatArray, IntArray

_NODES = 30
_LEAST_SD = 1e-3
"""Of a standard deviation, in those of all values: below it there is no between-cluster spread."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """What maximum likelihood says of clustered values.

    Parameters
    ----------
    coefficient, covariance : float arrays, shape (p,) and (p, p)
        Of the design's columns, in the unit of the values.
    within_sd, between_sd : float
        Standard deviations within a cluster and of the clusters' offsets; 0 where none is seen.
    spread_covariance : float array, shape (2, 2)
        Of log within_sd and log between_sd; NaN of the second where it is 0.
    log_likelihood : float
    """

    coefficient: FloatArray
    covariance: FloatArray
    within_sd: float
    between_sd: float
    spread_covariance: FloatArray
    log_likelihood: float


def censored_fit(
    value: FloatArray,
    upper: BoolArray,
    design: FloatArray,
    cluster: IntArray,
) -> Fit:
    """Fit a normal model with a random intercept to values and upper limits.

    Parameters
    ----------
    value : float array, shape (n,)
        Values, and where `upper` the limit that the value lies below.
    upper : bool array, shape (n,)
    design : float array, shape (n, p)
    cluster : int array, shape (n,)
        What shares an offset; where every cluster has one value, none is fitted.

    Raises
    ------
    InputError
        If the values that are no limits have no spread, or the likelihood has no sharp maximum.
    """
    from scipy.optimize import minimize

    known = value[~upper]
    scale = float(known.std()) if known.size > 1 else 0.0
    if not scale > 1e-12 * max(1.0, float(np.abs(known).max(initial=0.0))):
        raise InputError("too few different values that are no limits")
    centre = float(known.mean())
    place = np.unique(cluster, return_inverse=True)[1]
    shared = bool(np.bincount(place).max() > 1)
    scaled = (value - centre) / scale

    def minus(parameters: FloatArray) -> float:
        within, between = np.exp(parameters[-2:]) if shared else (np.exp(parameters[-1]), 0.0)
        beta = parameters[: design.shape[1]]
        return -_log_likelihood(scaled - design @ beta, upper, place, within, between)

    first = np.linalg.lstsq(design, scaled, rcond=None)[0]
    start = np.r_[first, [np.log(0.8)], [np.log(0.5)] if shared else []]
    least, most = np.log(_LEAST_SD), np.log(1e2)
    bounds = [(-1e3, 1e3)] * design.shape[1] + [(least, most)] * (2 if shared else 1)
    options = {"maxiter": 500, "ftol": 1e-13, "gtol": 1e-7}
    found = minimize(minus, start, method="L-BFGS-B", bounds=bounds, options=options)
    best = found.x
    free = np.arange(best.size)
    alone = shared and best[-1] < least + 2.0  # the likelihood is flat where there is no offset
    if alone:
        free = free[:-1]
    covariance = np.full((best.size, best.size), np.nan)
    covariance[np.ix_(free, free)] = _inverse(_hessian(minus, best, free))
    p = design.shape[1]
    spread = np.full((2, 2), np.nan)
    spread[: best.size - p, : best.size - p] = covariance[p:, p:]
    shift = np.linalg.lstsq(design, np.full(value.size, centre), rcond=None)[0]
    return Fit(
        coefficient=best[:p] * scale + shift,
        covariance=covariance[:p, :p] * scale**2,
        within_sd=float(np.exp(best[p]) * scale),
        between_sd=float(np.exp(best[-1]) * scale) if shared and not alone else 0.0,
        spread_covariance=spread,
        log_likelihood=float(-found.fun - known.size * np.log(scale)),
    )


def _log_likelihood(
    residual: FloatArray, upper: BoolArray, place: IntArray, within: float, between: float
) -> float:
    """Return the log-likelihood of residuals; where `upper`, of lying below one."""
    from scipy.special import log_ndtr

    n = int(place.max()) + 1
    known, rest = residual[~upper] / within, residual[upper] / within
    count = np.bincount(place[~upper], minlength=n)
    total = np.bincount(place[~upper], weights=known, minlength=n)
    ratio = (between / within) ** 2
    spread = ratio / (1 + count * ratio)  # variance of an offset given values, over within**2
    centre = spread * total
    exact = (
        -0.5 * known.size * np.log(2 * np.pi * within**2)
        - 0.5 * np.log1p(count * ratio).sum()
        - 0.5 * (known @ known - centre @ total)
    )
    if not rest.size:
        return float(exact)
    node, log_weight = _nodes()
    offset = centre[:, None] + np.sqrt(2 * spread)[:, None] * node
    below = log_ndtr(rest[:, None] - offset[place[upper]])
    summed = np.zeros((n, _NODES))
    np.add.at(summed, place[upper], below)
    return float(exact + np.logaddexp.reduce(summed + log_weight, axis=1).sum())


@cache
def _nodes() -> tuple[FloatArray, FloatArray]:
    """Return the places and the logarithms of the weights of the quadrature."""
    node, weight = np.polynomial.hermite.hermgauss(_NODES)
    return node, np.log(weight / np.sqrt(np.pi))


def _hessian(function: Callable[[FloatArray], float], at: FloatArray, free: IntArray) -> FloatArray:
    """Return second derivatives by central differences."""
    step, size = 1e-3, free.size

    def moved(i: int, a: float, j: int, b: float) -> float:
        there = at.copy()
        there[free[i]] += a * step
        there[free[j]] += b * step
        return float(function(there))

    found = np.empty((size, size))
    for i in range(size):
        for j in range(i + 1):
            found[i, j] = found[j, i] = (
                moved(i, 1, j, 1) - moved(i, 1, j, -1) - moved(i, -1, j, 1) + moved(i, -1, j, -1)
            ) / (4 * step**2)
    return found


def _inverse(hessian: FloatArray) -> FloatArray:
    if not np.isfinite(hessian).all() or np.linalg.eigvalsh(hessian).min() < 1e-6:
        raise InputError("the limits leave the likelihood without a sharp maximum")
    return np.asarray(np.linalg.inv(hessian), dtype=np.float64)
