"""How well repeated measurements of a disc agree.

Intraclass correlation of one measurement by one-way analysis of variance, ICC(1,1), with its
F interval; repeatability coefficient, which two measurements differ by less than in 95 of 100; and
the limits of agreement of the second run minus the first. With limits among the values all of them
come from the censored likelihood instead, a disc being the cluster.

Sources: Shrout and Fleiss, Psychol Bull 1979;86:420-428; McGraw and Wong, Psychol Methods
1996;1:30-46; Bland and Altman, Lancet 1986;327:307-310 and Stat Methods Med Res 1999;8:135-160.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mrs_disc.batch.cohort.censored import censored_fit
from mrs_disc.constants import Z95
from mrs_disc.errors import InputError
from mrs_disc.typing import BoolArray, FloatArray, IntArray

_BETWEEN_TWO = Z95 * float(np.sqrt(2))
Range = tuple[float, float] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """Figures of agreement in the unit of the values; `None` where an interval has no ground."""

    icc: float
    icc_interval: Range
    within_sd: float
    repeatability: float
    repeatability_interval: Range
    bias: float
    agreement: Range
    method: str


def agreement(value: FloatArray, upper: BoolArray, disc: IntArray, order: IntArray) -> Agreement:
    """Return how well the runs of discs agree.

    Parameters
    ----------
    value : float array, shape (n,)
        Values, and where `upper` the limit that the value lies below.
    upper : bool array, shape (n,)
    disc : int array, shape (n,)
        At least three discs, each with two runs or more.
    order : int array, shape (n,)
        0 for the first run of a disc, 1 for the second, and so on.

    Raises
    ------
    InputError
        If the values have no spread, or most are limits.
    """
    by_limits = bool(upper.any())
    first_two = order < 2
    if by_limits:
        icc, icc_interval, within, within_interval = _by_likelihood(value, upper, disc)
        design = np.column_stack([np.ones(value.size), order])[first_two]
        fit = censored_fit(value[first_two], upper[first_two], design, disc[first_two])
        bias, sd = float(fit.coefficient[1]), float(np.sqrt(2)) * fit.within_sd
    else:
        icc, icc_interval, within, within_interval = _by_variances(value, disc)
        difference = np.array(
            [
                value[(disc == one) & (order == 1)][0] - value[(disc == one) & (order == 0)][0]
                for one in np.unique(disc)
            ]
        )
        bias, sd = float(difference.mean()), float(difference.std(ddof=1))
    ends = None
    if within_interval is not None:
        ends = _BETWEEN_TWO * within_interval[0], _BETWEEN_TWO * within_interval[1]
    return Agreement(
        icc=icc,
        icc_interval=icc_interval,
        within_sd=within,
        repeatability=_BETWEEN_TWO * within,
        repeatability_interval=ends,
        bias=bias,
        agreement=(bias - Z95 * sd, bias + Z95 * sd),
        method="censored likelihood" if by_limits else "analysis of variance",
    )


def _by_variances(value: FloatArray, disc: IntArray) -> tuple[float, Range, float, Range]:
    from scipy.stats import chi2, f

    place = np.unique(disc, return_inverse=True)[1]
    runs = np.bincount(place)
    mean = np.bincount(place, weights=value) / runs
    n, total = runs.size, value.size
    free, rest = n - 1, total - n
    within = float(((value - mean[place]) ** 2).sum()) / rest
    between = float((runs * (mean - value.mean()) ** 2).sum()) / free
    if not within > 1e-24 * max(1.0, float(np.abs(value).max()) ** 2):
        raise InputError("repeated runs are equal to the last digit: one measurement, twice")
    each = (total - float((runs**2).sum()) / total) / free  # runs a disc; unequal: their mean

    def correlation(ratio: float) -> float:
        return (ratio - 1) / (ratio + each - 1)

    ratio = between / within
    interval = (
        correlation(ratio / float(f.ppf(0.975, free, rest))),
        correlation(ratio * float(f.ppf(0.975, rest, free))),
    )
    sd = float(np.sqrt(within))
    low, high = (sd * float(np.sqrt(rest / chi2.ppf(q, rest))) for q in (0.975, 0.025))
    return correlation(ratio), interval, sd, (low, high)


def _by_likelihood(
    value: FloatArray, upper: BoolArray, disc: IntArray
) -> tuple[float, Range, float, Range]:
    """Return ICC and within-disc spread with Wald intervals, of the logit and the logarithm."""
    fit = censored_fit(value, upper, np.ones((value.size, 1)), disc)
    covariance = fit.spread_covariance
    half = Z95 * float(np.sqrt(covariance[0, 0]))
    within = fit.within_sd
    ends = within * float(np.exp(-half)), within * float(np.exp(half))
    if fit.between_sd == 0:
        return 0.0, None, within, ends
    logit = 2 * float(np.log(fit.between_sd / within))
    gradient = np.array([-2.0, 2.0])
    wide = Z95 * float(np.sqrt(gradient @ covariance @ gradient))
    low, middle, high = (1 / (1 + float(np.exp(-x))) for x in (logit - wide, logit, logit + wide))
    return middle, (low, high), within, ends
