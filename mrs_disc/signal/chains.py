"""Markov chains over the humps of the baseline, the Gaussian width and the delay.

`baseline` says what is drawn and why. Here is how: some tens of chains advance together as rows of
arrays. One sweep draws, in this order,

1. each slot anew, empty or a hump anywhere on the grid, with the areas of all slots integrated out:
   areas of humps that overlap hold each other fast, and with them drawn one by one three times as
   many sweeps were not enough;
2. Gaussian width and delay, with the areas integrated out;
3. the areas, all together;
4. the common strength, first together with all areas, then given them.

With C the covariance of the areas given the places S, ``(Q_SS + precision)^-1``, and m their means,
a hump g of the grid is judged by what the others leave of its curvature and its force ::

    width_g = Q_gg + precision - Q_gS C Q_Sg,     force_g = h_g + pull - Q_gS m
    log odds against the empty slot = (force_g^2 / width_g - log(width_g / precision) - ...) / 2

To empty or fill a slot changes C by a matrix of rank one, and `width` and `force` by one vector on
the grid each, so that a slot costs two short matrix products (Sherman and Morrison, Ann Math Stat
1950;21:124-127, doi:10.1214/aoms/1177729893). A choice with given odds is the largest of log odds
plus Gumbel noise. Means and covariances of the areas given the places are kept, not the areas drawn
(Rao and Blackwell): fewer sweeps give the same accuracy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from math import exp, log, pi, sqrt

import numpy as np
from scipy.special import log_ndtr, ndtri_exp

from mrs_disc.signal.baseline import AREA_LOG_SD, EXPECTED, SLOTS, STRENGTH
from mrs_disc.typing import BoolArray, FloatArray, IntArray

_STRENGTHS = 26
_SEED = 20240601
_POOL = 1 << 19
_SPARE = 1e-5  # relative precision about zero that rank-one changes need where humps coincide
_SIGNS = np.array([[-1.0], [1.0]])  # of what leaves and what enters


@dataclass(frozen=True, slots=True)
class Chains:
    """Where the chains stand: areas are zero in empty slots.

    Parameters
    ----------
    hump : int array, shape (slot, chain)
        The hump on the grid that a slot holds.
    area : float array, shape (slot, chain)
        Its area in units of the noise.
    strength : int array, shape (chain,)
        Index of the common strength.
    gauss2 : float array, shape (chain,)
        Square of the common Gaussian width.
    delay : float array, shape (chain,)
        The delay.
    """

    hump: IntArray
    area: FloatArray
    strength: IntArray
    gauss2: FloatArray
    delay: FloatArray

    @classmethod
    def empty(cls, count: int, slots: int, gauss2: float, delay: float) -> Chains:
        """Return so many chains of empty slots, over the upper quarter of the strengths.

        A chain that starts weak fills its slots with splinters of the strong humps, and takes
        twenty sweeps to put them together; one that starts strong sheds what is too much in two.
        """
        return cls(
            np.zeros((slots, count), dtype=int),
            np.zeros((slots, count)),
            _STRENGTHS - 1 - np.arange(count) * (_STRENGTHS // 4) // count,
            np.full(count, gauss2),
            np.full(count, delay),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Tangent:
    """The linear problem about a solution, metabolites integrated out.

    The coordinates z are, in this order: the square of the Gaussian width, the delay, the humps'
    areas. Their log-likelihood is ``force @ z - z @ curvature @ z / 2``; given them, the
    metabolites' parameters are normal about ``centre - response @ z`` with `covariance`.

    Parameters
    ----------
    curvature : float array, shape (coordinate, coordinate)
    force : float array, shape (coordinate,)
    centre : float array, shape (parameter,)
    response : float array, shape (parameter, coordinate)
    covariance : float array, shape (parameter, parameter)
    """

    curvature: FloatArray
    force: FloatArray
    centre: FloatArray
    response: FloatArray
    covariance: FloatArray

    def heated(self, share: float) -> Tangent:
        """Return the problem with data that weigh only a share of what they do."""
        return replace(self, curvature=share * self.curvature, force=share * self.force)


@dataclass(frozen=True, slots=True, kw_only=True)
class Priors:
    """Scales of what the chains draw.

    Parameters
    ----------
    reference_area : float
        The metabolites' area in units of the noise; strengths are relative to it.
    delay_sd_s : float
        Standard deviation of a delay, where there is one; 0 holds it at zero.
    gauss2_mean : float
        Mean square of the Gaussian width in Hz^2, where there is one.
    hump_odds : float array, shape (hump,)
        Odds of one hump of the grid against another.
    """

    hump_odds: FloatArray
    reference_area: float
    delay_sd_s: float
    gauss2_mean: float


@dataclass(frozen=True, slots=True)
class Draws:
    """What the chains drew, all of the same weight; areas are normal given the places of humps.

    Parameters
    ----------
    place : float array, shape (draw, coordinate)
        Gaussian width, delay, and the means of the areas.
    hump : int array, shape (draw, slot)
        The humps of the grid in the slots.
    covariance : float array, shape (draw, slot, slot)
        Of their areas.
    """

    place: FloatArray
    hump: IntArray
    covariance: FloatArray

    @classmethod
    def joined(cls, several: Sequence[Draws]) -> Draws:
        """Return several sets of draws as one."""
        return cls(
            np.concatenate([draws.place for draws in several]),
            np.concatenate([draws.hump for draws in several]),
            np.concatenate([draws.covariance for draws in several]),
        )

    def of(self, response: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return what some linear functions of the coordinates are in each draw.

        Parameters
        ----------
        response : float array, shape (function, coordinate)

        Returns
        -------
        float array, shape (draw, function)
            Their means.
        float array, shape (draw, function, function)
            Their covariances.
        """
        rows = response[:, 2:].T.take(self.hump, axis=0)  # (draw, slot, function)
        return self.place @ response.T, rows.transpose(0, 2, 1) @ self.covariance @ rows


def draw_chains(
    tangent: Tangent,
    chains: Chains,
    priors: Priors,
    *,
    burn: int,
    keep: int,
    rng: np.random.Generator,
) -> tuple[Chains, Draws]:
    """Advance the chains and return what they drew.

    Parameters
    ----------
    tangent : Tangent
        The linear problem.
    chains : Chains
        Where the chains stand.
    priors : Priors
        Scales of the priors.
    burn, keep : int
        Sweeps to forget, and sweeps to keep.
    rng : numpy Generator
        Of a fixed seed.

    Returns
    -------
    Chains
        Where they stand now.
    Draws
        Of the kept sweeps of all chains.
    """
    sweeper = _Sweeper(tangent, chains, priors)
    for _ in range(burn):
        sweeper.sweep(rng)
    kept = [sweeper.sweep(rng) for _ in range(keep)]
    return sweeper.chains(), Draws.joined(kept)


class _Sweeper:
    """The state of all chains, one per row, and the draws that change it."""

    def __init__(self, tangent: Tangent, chains: Chains, priors: Priors) -> None:
        self.curvature = tangent.curvature
        self.force = tangent.force
        self.stiffness = np.diag(tangent.curvature).copy()
        self.humps = np.ascontiguousarray(tangent.curvature[2:, 2:])
        self.hump = chains.hump
        self.area = chains.area
        self.strength = chains.strength
        self.gauss2 = chains.gauss2.copy()
        self.delay = chains.delay.copy()
        self.priors = priors
        self.scale = np.exp(np.linspace(log(STRENGTH[0]), log(STRENGTH[1]), _STRENGTHS))
        # Normal law of the mean and variance of the log-normal.
        spread = exp(AREA_LOG_SD**2)
        self.mean = self.scale * priors.reference_area * spread**0.5
        self.variance = self.mean**2 * (spread - 1)
        odds = priors.hump_odds
        self.log_odds = np.log(EXPECTED / (SLOTS - EXPECTED) * odds / max(odds.sum(), 1e-300))

    def chains(self) -> Chains:
        """Return where the chains stand."""
        return Chains(self.hump, self.area, self.strength, self.gauss2, self.delay)

    def sweep(self, rng: np.random.Generator) -> Draws:
        """Draw everything once."""
        if self.hump.size:
            slots = _Slots(self)
            slots.draw(rng)
            self.hump, filled = slots.hump, slots.filled
            area, covariance = slots.areas()
        else:
            count = self.delay.size
            area, covariance = np.zeros((count, 0)), np.zeros((count, 0, 0))
        self._draw_gauss_and_delay(area, covariance, rng)
        draws = Draws(self._coordinates(area.T), self.hump.T.copy(), covariance)
        if self.hump.size:
            self._draw_areas(area, covariance, filled, rng)
            self._draw_strength(rng)
        return draws

    def without_humps(self) -> FloatArray:
        """Return the force that Gaussian width and delay alone leave, shape (chain, hump)."""
        taken = self.curvature[0, 2:] * self.gauss2[:, None]
        taken += self.curvature[1, 2:] * self.delay[:, None]
        return np.asarray(self.force[2:] - taken)

    def among_slots(self) -> FloatArray:
        """Return the curvature among the humps of the slots, shape (chain, slot, slot)."""
        index = self.hump.T
        return np.asarray(self.humps.take(index[:, :, None] * len(self.humps) + index[:, None, :]))

    def at_slots(self, values: FloatArray) -> FloatArray:
        """Return values (chain, hump) at the humps of the slots, shape (chain, slot)."""
        first = values.shape[1] * np.arange(len(values))[:, None]
        return np.asarray(values.take(first + self.hump.T))

    def _coordinates(self, area: FloatArray) -> FloatArray:
        """Return the coordinates at areas (slot, chain), shape (chain, coordinate)."""
        count, size = self.delay.size, self.force.size
        flat = (np.arange(count) * size + 2 + self.hump).ravel()
        summed = np.bincount(flat, area.ravel(), minlength=count * size)
        place = summed.reshape(count, size).astype(np.float64)  # of nothing it would be integers
        place[:, 0] = self.gauss2
        place[:, 1] = self.delay
        return place

    def _draw_gauss_and_delay(
        self, area: FloatArray, covariance: FloatArray, rng: np.random.Generator
    ) -> None:
        """Draw the two, areas integrated out given the places; `area` follows as their mean."""
        for index, values, draw in ((0, self.gauss2, _draw_gauss), (1, self.delay, _draw_delay)):
            along = self.curvature[index].take(2 + self.hump.T)
            response = (covariance @ along[:, :, None])[:, :, 0]
            area += response * values[:, None]
            stiffness = self.stiffness[index] - (along * response).sum(axis=1)
            force = self.force[index] - (along * area).sum(axis=1)
            force -= self.curvature[0, 1] * (self.delay if index == 0 else self.gauss2)
            least = max(1e-9 * self.stiffness[index], 1e-300)
            values[:] = draw(np.maximum(stiffness, least), force, self.priors, rng)
            area -= response * values[:, None]

    def _draw_areas(
        self,
        mean: FloatArray,
        covariance: FloatArray,
        filled: BoolArray,
        rng: np.random.Generator,
    ) -> None:
        """Draw the areas of all slots together."""
        whole = covariance + np.eye(SLOTS) * ~filled[:, None, :]
        try:
            lower = np.linalg.cholesky(whole)
        except np.linalg.LinAlgError:  # rounding, in absurd data: keep their means
            lower = np.zeros_like(whole)
        area = mean + (lower @ rng.standard_normal((*mean.shape, 1)))[:, :, 0]
        self.area = np.ascontiguousarray((area * filled).T)

    def _draw_strength(self, rng: np.random.Generator) -> None:
        """Draw the strength, first together with all areas, then given them."""
        area = self.area.T
        pull = (self.at_slots(self.without_humps()) * area).sum(axis=1)
        push = (area * (self.among_slots() @ area[:, :, None])[:, :, 0]).sum(axis=1)
        factor = self.scale / self.scale[self.strength][:, None]
        moved = _choose(factor * pull[:, None] - 0.5 * factor**2 * push[:, None], rng)
        number = (self.area != 0).sum(axis=0)
        self.area *= np.where(number > 0, factor[np.arange(moved.size), moved], 1.0)
        total, square = self.area.sum(axis=0), (self.area**2).sum(axis=0)
        distance = square[:, None] - 2 * self.mean * total[:, None]
        distance += number[:, None] * self.mean**2
        odds = -0.5 * (number[:, None] * np.log(self.variance) + distance / self.variance)
        self.strength = _choose(odds, rng)


class _Slots:
    """The humps in the slots of all chains, drawn anew with their areas integrated out."""

    def __init__(self, state: _Sweeper) -> None:
        mean, variance = state.mean[state.strength], state.variance[state.strength]
        self.precision = 1 / variance
        pull = mean * self.precision
        others = state.without_humps()
        self.humps = state.humps
        self.hump = state.hump.copy()
        self.filled = (state.area != 0).T
        self.held = self.humps.take(self.hump, axis=0)  # (slot, chain, hump)
        self.rows = self.held.transpose(1, 0, 2)
        index = self.hump.T
        n_slots = index.shape[1]
        self.chain = np.arange(mean.size)
        self.first = self.chain * len(self.humps)  # of each chain in flat arrays
        both = self._both()
        normal = state.among_slots() * both
        stiffness = state.stiffness[2:]
        spare = _SPARE * stiffness
        diagonal = np.where(self.filled, self.precision[:, None] + spare.take(index), 1.0)
        normal.reshape(-1, n_slots * n_slots)[:, :: n_slots + 1] += diagonal
        self.covariance = np.linalg.inv(normal) * both
        inside = state.at_slots(others) + pull[:, None]
        self.area = (self.covariance @ inside[:, :, None])[:, :, 0]
        explained = (self.rows * (self.covariance @ self.rows)).sum(axis=1)
        self.width = stiffness + spare + self.precision[:, None] - explained
        self.force = others + pull[:, None] - (self.area[:, None, :] @ self.rows)[:, 0]
        constant = 2 * state.log_odds + (np.log(self.precision) - mean * pull)[:, None]
        self.constant = constant.astype(np.float32)
        self.narrowest = np.float32(self.precision.min())
        # Of what leaves and what entered last: covariances with its area over the standard
        # deviation of that, and the area's mean over the same.
        self.pair = np.zeros((mean.size, 2, n_slots))
        self.weight = np.zeros((mean.size, 1, 2))

    def _both(self) -> BoolArray:
        """Return whether both of two slots are filled, shape (chain, slot, slot)."""
        return np.asarray(self.filled[:, :, None] & self.filled[:, None, :])

    def areas(self) -> tuple[FloatArray, FloatArray]:
        """Return means (chain, slot) and covariances of the areas where the humps are now."""
        return np.asarray(self.area * self.filled), np.asarray(self.covariance * self._both())

    def draw(self, rng: np.random.Generator) -> None:
        """Draw each slot anew."""
        n_slots, count = self.hump.shape
        size = self.width.size
        noise = _gumbel_pool(max(_POOL, 16 * n_slots * size))
        start = int(rng.integers(noise.size - n_slots * size))
        empty = 2 * rng.gumbel(size=(n_slots, count))
        for slot in range(n_slots):
            some = noise[start + slot * size : start + (slot + 1) * size]
            self._enters(slot, self._leaves(slot), some.reshape(count, -1), empty[slot])

    def _leaves(self, slot: int) -> FloatArray:
        """Take the hump of a slot out of force and width; the last that entered goes in with it.

        Returns the inverse of its area's standard deviation, zero where the slot is empty.
        """
        variance = self.covariance[:, slot, slot]
        root = self.filled[:, slot] / np.sqrt(np.maximum(variance, 1e-300))
        np.multiply(self.covariance[:, slot], root[:, None], out=self.pair[:, 0])
        np.multiply(self.area[:, slot], root, out=self.weight[:, 0, 0])
        along = self.pair @ self.rows
        self.force += (self.weight @ along)[:, 0]
        along *= along
        self.width += along[:, 0]
        self.width -= along[:, 1]
        return np.asarray(root)

    def _enters(
        self, slot: int, root_left: FloatArray, noise: FloatArray, empty: FloatArray
    ) -> None:
        """Choose a hump for a slot, or none, and exchange it in the areas' mean and covariance.

        Force and width follow when the next slot `_leaves`.
        """
        # Single precision serves for odds: a slot is drawn from them, no amount is made of it.
        narrow = self.width.astype(np.float32)
        np.maximum(narrow, self.narrowest, out=narrow)
        odds = self.force.astype(np.float32)
        odds *= odds
        odds /= narrow
        odds -= np.log(narrow, out=narrow)
        odds += self.constant  # twice the log of the odds against the empty slot
        odds += noise
        chosen = odds.argmax(axis=1)
        place = self.first + chosen
        fills = odds.take(place) > empty
        root = np.sqrt(fills / np.maximum(self.width.take(place), self.precision))
        weight = self.force.take(place) * root
        left, entered = self.pair[:, 0], self.pair[:, 1]
        # What the others explain of the hump, less the one that leaves.
        shared = self.held[:, self.chain, chosen].T
        shared = (self.covariance @ shared[:, :, None])[:, :, 0]
        shared -= left * (shared[:, slot] * root_left)[:, None]
        shared[:, slot] = -1.0
        np.multiply(shared, root[:, None], out=entered)
        self.area -= left * self.weight[:, 0, :1]
        self.area -= entered * weight[:, None]
        self.weight[:, 0, 1] = weight
        self.covariance += self.pair.transpose(0, 2, 1) @ (_SIGNS * self.pair)
        np.take(self.humps, chosen, axis=0, out=self.held[slot], mode="clip")
        self.hump[slot], self.filled[:, slot] = chosen, fills


def _draw_gauss(
    stiffness: FloatArray, force: FloatArray, priors: Priors, rng: np.random.Generator
) -> FloatArray:
    """Draw the square of the Gaussian width: none, or exponential; each has even odds."""
    slope, sd = 1 / priors.gauss2_mean, stiffness**-0.5
    # In standard deviations, about the centre of the normal law that the two make together.
    centre = (force - slope) * sd
    inside = log_ndtr(centre)
    odds = np.log(slope * sd * sqrt(2 * pi)) + inside + 0.5 * centre**2
    broad = rng.logistic(size=centre.size) < odds
    drawn = centre - ndtri_exp(inside + np.log1p(-rng.random(centre.size)))
    return np.asarray(broad * np.maximum(sd * drawn, 0.0))


def _draw_delay(
    stiffness: FloatArray, force: FloatArray, priors: Priors, rng: np.random.Generator
) -> FloatArray:
    """Draw the delay: none, or normal; each has even odds."""
    if priors.delay_sd_s == 0:
        return np.zeros(force.size)
    precision = priors.delay_sd_s**-2
    width = 1 / (stiffness + precision)
    odds = 0.5 * np.log(precision * width) + 0.5 * force**2 * width
    late = rng.logistic(size=force.size) < odds
    drawn = force * width + np.sqrt(width) * rng.standard_normal(force.size)
    return np.asarray(late * drawn)


@lru_cache(maxsize=2)
def _gumbel_pool(size: int) -> FloatArray:
    """Return twice Gumbel noise that all fits share, since all draw the same numbers anyway."""
    waits = seeded().standard_exponential(size, dtype=np.float32)
    return np.asarray(-2 * np.log(np.maximum(waits, 1e-30)))


def _choose(log_odds: FloatArray, rng: np.random.Generator) -> IntArray:
    """Return one column per row, drawn with the odds."""
    return np.asarray((log_odds + rng.gumbel(size=log_odds.shape)).argmax(axis=1))


def seeded() -> np.random.Generator:
    """Return the generator of every fit: the same numbers each time."""
    return np.random.default_rng(_SEED)
