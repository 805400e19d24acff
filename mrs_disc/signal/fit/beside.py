"""Whether the residual of a fit holds signals that the fit has not.

About the last point of the average each draw d of the baseline leaves a linear problem. With V the
spectra of the signals, r_d the residual and C_d the covariance of what the fit puts along V, all in
units of the noise, amplitudes v of the signals have the likelihood ::

    L(v) / L(0) = mean over d of exp(s_d^T v - v^T I_d v / 2)      s_d = V r_d,  I_d = V V^T - C_d

and twice the log of its maximum is chi-squared with as many degrees of freedom as there are
signals, were there none (Wilks, Ann Math Stat 1938;9:60-62, doi:10.1214/aoms/1177732360). The
maximum is found by expectation and maximization: the draws weighed at one v give the next ::

    v = (sum w_d I_d)^-1 sum w_d s_d,     w_d in proportion to exp(s_d^T v - v^T I_d v / 2)

Decision: this asks whether a second fit, with the signals, is worth its time. Two solutions of the
solver, with the signals and without, were asked before: over weak humps of free sign alone they
said yes in every second disc whose echo time was right, and cost as much as a quarter of a fit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import log

import numpy as np
from scipy.special import chdtrc

from mrs_disc.signal.fit.inputs import FitBasis
from mrs_disc.signal.fit.model import N_COMMON, MetaboliteModel, Scan
from mrs_disc.signal.fit.posterior import Posterior
from mrs_disc.signal.fit.solver import solve_positive
from mrs_disc.typing import ComplexArray, FloatArray

_ROUNDS = 8  # each leads up; eight come within 1 % of the top


@dataclass(frozen=True, slots=True, eq=False)
class Beside:
    """Signals that a fit has not.

    Parameters
    ----------
    fids : complex array, shape (signal, point)
        At amplitude one and phase zero, as those of a `FitBasis`.
    like : sequence of str
        For each the component of the fit whose shift and width it has.
    """

    fids: ComplexArray
    like: Sequence[str]

    def rows(
        self, basis: FitBasis, model: MetaboliteModel, scan: Scan, parameters: FloatArray
    ) -> FloatArray:
        """Return their spectra at the parameters of a model, shape (signal, datum)."""
        own = _free(self, scan, model.time.size)
        of = [basis.first[basis.reported.index(name)] for name in self.like]
        shift, width = model.own(parameters)
        each = np.concatenate([parameters[:N_COMMON], shift[of], width[of]])
        return model.of_noise(own.evaluate(each).design)


@lru_cache(maxsize=4)
def _free(signals: Beside, scan: Scan, n_points: int) -> MetaboliteModel:
    """Return a model of signals that all move and widen on their own."""
    every = np.arange(len(signals.fids))
    return MetaboliteModel(signals.fids[:, :n_points], scan, moves=every, widens=every)


def chance_of_none(posterior: Posterior, rows: FloatArray, data: FloatArray) -> float:
    """Return the chance of as much of some signals in the residual, were there none.

    Parameters
    ----------
    posterior : Posterior
        Of the fit without them.
    rows : float array, shape (signal, datum)
        Their spectra.
    data : float array, shape (datum,)
        What was fitted.
    """
    unit = rows / np.sqrt((rows**2).sum(axis=1))[:, None]
    score, within = posterior.expansion.left_along(unit, data)  # s_d, C_d
    information = unit @ unit.T - within  # I_d
    gain = np.zeros(len(score))
    for _ in range(_ROUNDS):
        weight = np.exp(gain - gain.max())
        of_all = np.tensordot(weight, information, axes=1)
        amplitude = solve_positive(of_all, weight @ score)
        gain = score @ amplitude - 0.5 * ((information @ amplitude) @ amplitude)
    ratio = gain.max() + log(np.exp(gain - gain.max()).mean())
    return float(chdtrc(len(rows), 2 * max(ratio, 0.0)))
