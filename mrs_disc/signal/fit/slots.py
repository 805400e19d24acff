"""The slots of the baseline's humps: each drawn anew with the areas of all slots integrated out.

The areas c of the humps have the log-likelihood ``h^T c - c^T Q c / 2`` and, in an occupied slot,
a normal prior of mean mu and precision p. Take one slot out. With S the humps in the occupied
slots that remain, their areas are normal with mean m and covariance C, and every hump g of the
grid that could enter has closed odds against an empty slot::

    C   = (Q_SS + p)^-1                       m   = C (h_S + p mu)
    k_g = Q_gg + p - Q_gS C Q_Sg              b_g = h_g + p mu - Q_gS m
    2 log odds_g = b_g^2 / k_g - log(k_g / p) - p mu^2 + 2 log(prior odds of g)

In chain by chain, areas in units a of the noise:

    symbol  name in code         shape                unit
    Q       curvature            (hump, hump)         1/a^2
    Q_Sg    rows                 (chain, slot, hump)  1/a^2
    h       force, as given      (chain, hump)        1/a
    mu, p   prior.mean, .precision  (chain,)          a, 1/a^2
    C, m    covariance, mean     (chain, slot [, slot])  a^2, a
    k, b    precision, force     (chain, hump)        1/a^2, 1/a
    u       rank_one             (chain, 2, slot)     a
    t       step                 (chain, 1, 2)        1

A hump that leaves or enters changes C by a matrix of rank one, ``-u u^T`` or ``+u u^T``, and m by
``-u t``; with v_g = Q_gS u the grid follows by one vector, k by ``+v^2`` or ``-v^2`` and b by
``+v t`` (Sherman and Morrison, Ann Math Stat 1950;21:124-127, doi:10.1214/aoms/1177729893)::

    leaves slot s:   u = C_:s / sqrt(C_ss)                t = m_s / sqrt(C_ss)
    enters slot s:   u = (C Q_Sg, -1 at s) / sqrt(k_g)    t = b_g / sqrt(k_g)

so that a slot costs two short matrix products. A choice with given odds is the largest of log odds
plus Gumbel noise. `tests/signal/test_slots.py` does the same with plain matrices.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mrs_disc.constants import TINY
from mrs_disc.typing import BoolArray, FloatArray, IntArray

ROUNDING_PRECISION = 1e-5
"""Precision about zero that each area gets beside its prior, relative to Q_gg: rank-one changes
need it where humps in two slots coincide."""
_SIGNS = np.array([[-1.0], [1.0]])  # of what leaves and of what enters


@dataclass(frozen=True, slots=True)
class SlotPrior:
    """What is known of a slot before the data.

    Parameters
    ----------
    mean, precision : float array, shape (chain,)
        Of an area in an occupied slot.
    log_odds : float array, shape (hump,)
        Log of the odds of each hump against an empty slot.
    """

    mean: FloatArray
    precision: FloatArray
    log_odds: FloatArray


class Slots:
    """The slots of all chains and the areas' law given the humps in them.

    Parameters
    ----------
    curvature : float array, shape (hump, hump)
        Q, positive.
    force : float array, shape (chain, hump)
        h, which differs from chain to chain with what else the chains drew.
    prior : SlotPrior
        Of the areas and of the humps.
    hump : int array, shape (slot, chain)
        The hump that each slot holds; any in an empty one.
    occupied : bool array, shape (chain, slot)
        Whether it holds one.
    """

    def __init__(
        self,
        curvature: FloatArray,
        force: FloatArray,
        prior: SlotPrior,
        *,
        hump: IntArray,
        occupied: BoolArray,
    ) -> None:
        n_slots, n_chains = hump.shape
        self.curvature = curvature
        self.hump = hump.copy()
        self.occupied = occupied
        self._prior_precision = prior.precision
        self._chain = np.arange(n_chains)
        self._row_start = self._chain * len(curvature)  # of each chain in flat arrays
        # Q_Sg lies slot by slot, as `exchange` writes it; `rows` is a view of it, chain by chain.
        self._slot_rows = curvature.take(self.hump, axis=0)
        self.rows = self._slot_rows.transpose(1, 0, 2)

        # C and m of all occupied slots.
        self._own_curvature = own_curvature = np.diag(curvature).copy()
        rounding = ROUNDING_PRECISION * own_curvature
        prior_force = prior.mean * prior.precision  # p mu
        self._whole_force = force + prior_force[:, None]
        self.mean, self.covariance = self.areas()

        # k and b of the grid given all of them.
        explained = (self.rows * (self.covariance @ self.rows)).sum(axis=1)
        self.precision = own_curvature + rounding + prior.precision[:, None] - explained
        self.force = self._whole_force - (self.mean[:, None, :] @ self.rows)[:, 0]

        # What of twice the log odds no exchange changes: log p - p mu^2 + 2 log(prior odds).
        of_prior = np.log(prior.precision) - prior.mean * prior_force
        constant = 2 * prior.log_odds + of_prior[:, None]
        self._constant = constant.astype(np.float32)
        self._least_precision = np.float32(prior.precision.min())
        # u and t of what leaves [0] and of what entered last [1]. The grid does not know the
        # latter yet: it follows at the next exchange, both in one matrix product.
        self._rank_one = np.zeros((n_chains, 2, n_slots))
        self._step = np.zeros((n_chains, 1, 2))

    def exchange(self, slot: int, noise: FloatArray, empty_noise: FloatArray) -> None:
        """Take the hump out of a slot and draw anew which one, or none, is in it.

        Parameters
        ----------
        slot : int
            Which.
        noise : float array, shape (chain, hump)
            Twice standard Gumbel noise, single precision.
        empty_noise : float array, shape (chain,)
            The same for the empty slot.

        Notes
        -----
        Afterwards `force` and `precision` are b and k *without* the slot: what its odds were made
        of. `covariance` and `mean` are C and m with the hump that entered.
        """
        leaves, enters = self._rank_one[:, 0], self._rank_one[:, 1]

        # 1. Downdate: u and t of the slot's hump; zero, so that nothing changes, where it is empty.
        #    (Speed: arrays are written in place throughout, which saves a twentieth.)
        variance = self.covariance[:, slot, slot]
        inverse_sd = self.occupied[:, slot] / np.sqrt(np.maximum(variance, TINY))
        np.multiply(self.covariance[:, slot], inverse_sd[:, None], out=leaves)
        np.multiply(self.mean[:, slot], inverse_sd, out=self._step[:, 0, 0])

        # 2. The grid gives back what leaves and takes in what entered at the exchange before.
        on_grid = self._rank_one @ self.rows  # v
        self.force += (self._step @ on_grid)[:, 0]
        on_grid *= on_grid
        self.precision += on_grid[:, 0]
        self.precision -= on_grid[:, 1]

        # 3. Odds: b^2 / k - log k + constant. Rounding may leave k below p, which it cannot be.
        #    (Speed: single precision saves a tenth; a hump is drawn from odds, no amount is made.)
        precision32 = self.precision.astype(np.float32)
        np.maximum(precision32, self._least_precision, out=precision32)
        odds = self.force.astype(np.float32)
        odds *= odds
        odds /= precision32
        odds -= np.log(precision32, out=precision32)
        odds += self._constant

        # 4. Choose: the largest of log odds plus Gumbel noise.
        odds += noise
        chosen = odds.argmax(axis=1)
        flat = self._row_start + chosen
        fills = odds.take(flat) > empty_noise

        # 5. Update: u and t of the hump that enters; zero where the slot stays empty. C still holds
        #    the hump that leaves, whose share -u (u^T Q_Sg) is taken off the product.
        precision = np.maximum(self.precision.take(flat), self._prior_precision)
        inverse_sd_in = np.sqrt(fills / precision)
        step = self.force.take(flat) * inverse_sd_in
        coupling = self._slot_rows[:, self._chain, chosen].T  # Q_Sg of the chosen, (chain, slot)
        coupling = (self.covariance @ coupling[:, :, None])[:, :, 0]
        coupling -= leaves * (coupling[:, slot] * inverse_sd)[:, None]
        coupling[:, slot] = -1.0
        np.multiply(coupling, inverse_sd_in[:, None], out=enters)

        # 6. Exchange them: m -> m - u t of both, C -> C - u u^T of the one, + u u^T of the other.
        self.mean -= leaves * self._step[:, 0, :1]
        self.mean -= enters * step[:, None]
        self._step[:, 0, 1] = step
        self.covariance += self._rank_one.transpose(0, 2, 1) @ (_SIGNS * self._rank_one)
        np.take(self.curvature, chosen, axis=0, out=self._slot_rows[slot], mode="clip")
        self.hump[slot], self.occupied[:, slot] = chosen, fills

    def areas(self) -> tuple[FloatArray, FloatArray]:
        """Return means (chain, slot) and covariances of the areas; zero in empty slots.

        From the humps themselves: what rank-one changes lose to rounding, of humps that nearly
        coincide, is not in them.
        """
        # Ones on the diagonal keep empty slots out of the inverse.
        n_slots, pairs = len(self.hump), self._pairs()
        normal = among_slots(self.curvature, self.hump) * pairs
        rounding = ROUNDING_PRECISION * self._own_curvature
        own = self._prior_precision[:, None] + rounding.take(self.hump.T)
        diagonal = np.where(self.occupied, own, 1.0)
        normal.reshape(-1, n_slots * n_slots)[:, :: n_slots + 1] += diagonal
        covariance = np.asarray(np.linalg.inv(normal) * pairs)
        in_slots = at_slots(self._whole_force, self.hump)
        mean = (covariance @ in_slots[:, :, None])[:, :, 0]
        return np.asarray(mean), covariance

    def _pairs(self) -> BoolArray:
        """Return whether both of two slots are occupied, shape (chain, slot, slot)."""
        return np.asarray(self.occupied[:, :, None] & self.occupied[:, None, :])


def among_slots(curvature: FloatArray, hump: IntArray) -> FloatArray:
    """Return the curvature among the humps (slot, chain) of slots, shape (chain, slot, slot)."""
    index = hump.T
    return np.asarray(curvature.take(index[:, :, None] * len(curvature) + index[:, None, :]))


def at_slots(values: FloatArray, hump: IntArray) -> FloatArray:
    """Return values (chain, hump) at the humps (slot, chain) of slots, shape (chain, slot)."""
    first = values.shape[1] * np.arange(len(values))[:, None]
    return np.asarray(values.take(first + hump.T))
