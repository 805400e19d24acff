"""Groups of discs compared by a mixed model: the patient is a random effect.

Maximum likelihood, not the restricted one, as the test compares models with and without groups: a
likelihood ratio against the chi-squared distribution. statsmodels fits what has no limits, and
`mrs_disc.batch.cohort.censored` the same model where there are some, or where statsmodels finds no
maximum.

Source: Laird and Ware, Biometrics 1982;38:963-974.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np

from mrs_disc.batch.cohort.censored import Fit, censored_fit
from mrs_disc.constants import Z95
from mrs_disc.errors import InputError
from mrs_disc.typing import BoolArray, FloatArray, IntArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Means of groups and their difference from the first; each row is value, low and high.

    Parameters
    ----------
    mean, difference : float array, shape (group, 3)
        In the unit of the values; the first difference is 0.
    p : float
        That groups of one mean differ so much or more.
    within_sd, between_sd : float
        Standard deviations within a patient, and of the patients.
    method : str
    """

    mean: FloatArray
    difference: FloatArray
    p: float
    within_sd: float
    between_sd: float
    method: str


def compare_groups(
    value: FloatArray, upper: BoolArray, group: IntArray, patient: IntArray
) -> Comparison:
    """Compare groups 0, 1, … of discs.

    Parameters
    ----------
    value : float array, shape (n,)
        Values, and where `upper` the limit that the value lies below.
    upper : bool array, shape (n,)
    group, patient : int array, shape (n,)

    Raises
    ------
    InputError
        If the values have no spread or the limits leave no maximum; or statsmodels is missing.
    """
    from scipy.stats import chi2

    design = (group[:, None] == np.arange(group.max() + 1)).astype(float)
    whole, method = _fit(value, upper, design, patient)
    none, same = _fit(value, upper, np.ones((value.size, 1)), patient)
    if method != same:  # likelihoods of one code are compared
        whole = censored_fit(value, upper, design, patient)
        none = censored_fit(value, upper, np.ones((value.size, 1)), patient)
        method = OWN
    ratio = max(2 * (whole.log_likelihood - none.log_likelihood), 0.0)
    contrast = np.eye(design.shape[1])
    contrast[:, 0] -= 1
    return Comparison(
        mean=_rows(whole, np.eye(design.shape[1])),
        difference=_rows(whole, contrast),
        p=float(chi2.sf(ratio, design.shape[1] - 1)),
        within_sd=whole.within_sd,
        between_sd=whole.between_sd,
        method=method,
    )


OWN, LIBRARY = "censored likelihood", "mixed model"


def _rows(fit: Fit, contrast: FloatArray) -> FloatArray:
    middle = contrast @ fit.coefficient
    half = Z95 * np.sqrt(np.maximum(np.diag(contrast @ fit.covariance @ contrast.T), 0.0))
    return np.column_stack([middle, middle - half, middle + half])


def _fit(
    value: FloatArray, upper: BoolArray, design: FloatArray, patient: IntArray
) -> tuple[Fit, str]:
    if upper.any() or np.unique(patient, return_counts=True)[1].max() < 2:
        return censored_fit(value, upper, design, patient), OWN
    try:
        with warnings.catch_warnings():  # its import changes what is warned of
            from statsmodels.regression.mixed_linear_model import MixedLM
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the boundary without patients' spread: seen below
            found = MixedLM(value, design, groups=patient).fit(reml=False)
    except ImportError as error:
        raise InputError(
            "the comparison of groups needs statsmodels: pip install 'mrs-disc[cohort]'"
        ) from error
    except (np.linalg.LinAlgError, ValueError):
        return censored_fit(value, upper, design, patient), OWN
    between = float(np.asarray(found.cov_re)[0, 0])
    p = design.shape[1]
    covariance = np.asarray(found.cov_params())[:p, :p]
    if not (found.converged and between > 1e-8 * found.scale and np.isfinite(covariance).all()):
        return censored_fit(value, upper, design, patient), OWN
    fit = Fit(
        coefficient=np.asarray(found.fe_params),
        covariance=covariance,
        within_sd=float(np.sqrt(found.scale)),
        between_sd=float(np.sqrt(between)),
        spread_covariance=np.full((2, 2), np.nan),
        log_likelihood=float(found.llf),
    )
    return fit, LIBRARY
