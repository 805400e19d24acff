"""Limits that normal laws do not know: what is not below zero, and what may not be there at all.

About a point the model is linear and every parameter that is integrated out has a normal law. A
`Limit` adds what that law cannot say of one of them: it is not negative (the Lorentzian width), or
it is zero unless the data ask for it, and then positive (lipid, compounds that few discs hold). For
the limit stands a `Site`, a normal factor beside the others, chosen so that the parameter has mean
and variance of its law under the limit; what hangs together with it follows. That is expectation
propagation (Minka 2001, arXiv:1301.2294); the expansion about a better point is its next round.

With the site taken out again the parameter is normal about m with standard deviation s. Where it is
there with the probability p, and has then the half of a normal law of standard deviation A (which
the linear problem has as a prior already)::

    mean of what is above zero      E_1 = m + s h,   h = phi(m / s) / Phi(m / s)
    mean of its square              E_2 = m E_1 + s^2
    odds that it is there           p / (1 - p) * 2 Phi(m / s) (s / A) exp(m^2 / 2 s^2)

Decision: a limit, not a parameter held at zero. A Lorentzian width that the data would have below
zero was held there, as if it were known: lines of 3 to 5 Hz came out as none, and the intervals of
narrow ones (CHO, LAC) held in 60 to 80 % of such discs. Where the model misses most of the data
(another tissue, a model without its lines) and the expansions go astray, it is held after all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, inf, isfinite, log, pi, sqrt

from scipy.special import expit, log_ndtr

from mrs_disc.signal.fit.chains import LinearProblem, Moments
from mrs_disc.typing import FloatArray

_LEAST_SHARE = 1e-3  # of the variance that a factor leaves: less is no different, and rounding
_MOST_SPREAD = 1.0  # and at most: negative precisions of two that hang together would be no law

_HELD = 1e-3  # standard deviation of what is held, in that which it had


@dataclass(frozen=True, slots=True)
class Limit:
    """What is known of one parameter beside its normal law.

    Parameters
    ----------
    row : int
        Which of what is integrated out: amplitudes, then the lines' parameters.
    present : float
        Probability that it is there; 1: it is, and not below zero.
    scale : float
        Standard deviation of its normal prior about zero, as a ratio to another amplitude.
    of : int
        Which amplitude.
    held : bool
        Whether it is held at zero for good, once it would be below.
    """

    row: int
    present: float = 1.0
    scale: float = inf
    of: int = 0
    held: bool = False


@dataclass(frozen=True, slots=True)
class Site:
    """The normal factor that stands for a limit.

    Parameters
    ----------
    precision, force : float
        Its precision, and that times its mean; both zero: no limit is felt.
    mean, sd : float
        Of the parameter under the limit.
    """

    precision: float = 0.0
    force: float = 0.0
    mean: float = 0.0
    sd: float = inf

    @classmethod
    def of(cls, mean: float, sd: float, cut_mean: float, cut_variance: float) -> Site:
        """Return the factor that gives a normal law other moments.

        Parameters
        ----------
        mean, sd : float
            Of the normal law.
        cut_mean, cut_variance : float
            What it has with the factor, its variance as near as a factor may bring it.
        """
        variance = min(max(cut_variance, _LEAST_SHARE * sd**2), _MOST_SPREAD * sd**2)
        return cls(
            precision=1 / variance - 1 / sd**2,
            force=cut_mean / variance - mean / sd**2,
            mean=cut_mean,
            sd=sqrt(variance),
        )


def sites_of(
    limits: Sequence[Limit],
    linear: LinearProblem,
    moments: Moments,
    amplitude: FloatArray,
    before: Sequence[Site],
) -> tuple[Site, ...]:
    """Return the factors for the limits.

    Parameters
    ----------
    limits : sequence of Limit
        Of the parameters.
    linear, moments : LinearProblem, Moments
        The linear problem with the factors `before`, and what its draws say of what it integrates
        out, ``response @ z``.
    amplitude : float array, shape (component,)
        What the scales of limits are ratios to.
    before : sequence of Site
        One for each limit, or none at all.
    """
    found = []
    for k, limit in enumerate(limits):
        site = before[k] if before else Site()
        if limit.held and site.mean == 0 and isfinite(site.sd):
            found.append(site)
            continue
        drawn, between, within = (
            float(values[limit.row]) for values in (moments.mean, moments.between, moments.within)
        )
        centre = float(linear.centre[limit.row]) - drawn
        variance = float(linear.covariance[limit.row, limit.row])
        mean, total = without(site, centre, variance, within + between)
        width = limit.scale * abs(float(amplitude[limit.of]))
        sd = sqrt(total)
        if limit.held and mean < 0:
            found.append(Site(precision=1 / (_HELD * sd) ** 2, sd=_HELD * sd))
        else:
            found.append(_site(mean, sd, limit.present, width))
    return tuple(found)


def without(site: Site, mean: float, variance: float, drawn: float) -> tuple[float, float]:
    """Return mean and variance of a parameter with its factor taken out again.

    Parameters
    ----------
    site : Site
        The factor.
    mean, variance : float
        Of the parameter with it: over all that was drawn, and given that.
    drawn : float
        Variance by what was drawn.
    """
    # Given what was drawn, the parameter is normal; without the site its variance is `wider` times
    # as large, and its mean as much farther from the site's.
    wider = 1 / max(1 - site.precision * variance, _LEAST_SHARE)
    return wider * (mean - variance * site.force), wider * variance + wider**2 * drawn


def _site(mean: float, sd: float, present: float, width: float) -> Site:
    """Return the factor that gives a normal law the moments that it has under the limit."""
    x = mean / sd
    log_above = float(log_ndtr(x))
    above = mean + sd * exp(-0.5 * x * x - 0.5 * log(2 * pi) - log_above)  # E_1
    share = 1.0
    if present < 1:
        odds = log(2 * present / (1 - present)) + log_above + log(sd / max(width, sd)) + 0.5 * x * x
        share = float(expit(odds))
    cut_mean = share * above
    cut_variance = share * (mean * above + sd**2) - cut_mean**2
    return Site.of(mean, sd, cut_mean, cut_variance)
