"""Markov chains over the humps of the baseline, the Gaussian width and the delay.

`humps` says what is drawn and why. Here is how: tens of chains advance together as rows of arrays.
One sweep draws, in this order,

1. each slot anew, empty or a hump anywhere on the grid, with the areas of all slots integrated out
   (`slots`): areas of humps that overlap are strongly correlated, and with them drawn one by one
   three times as many sweeps were not enough;
2. Gaussian width and delay, with the areas integrated out;
3. the areas, all together;
4. the common strength (the typical area), first together with all areas, then given them.

Means and covariances of the areas given the humps are kept, not the areas drawn (Rao and
Blackwell): fewer sweeps give the same accuracy.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property, partial
from math import exp, log, pi, sqrt

import numpy as np
from scipy.special import log_ndtr, ndtri_exp

from mrs_disc.constants import TINY
from mrs_disc.signal.fit import kernel, kernel_chains, priors
from mrs_disc.signal.fit.random_numbers import Noise, Repeated
from mrs_disc.signal.fit.slots import SlotPrior, Slots, among_slots, at_slots
from mrs_disc.typing import BoolArray, FloatArray, IntArray

_LEAST_PRECISION = 1e-9  # of the curvature of a coordinate whose areas are known: rounding


@dataclass(frozen=True, slots=True)
class Chains:
    """Where the chains are: areas are zero in empty slots.

    Parameters
    ----------
    hump : int array, shape (slot, chain)
        The hump on the grid that a slot holds.
    area : float array, shape (slot, chain)
        Its area in units of the noise.
    strength : int array, shape (chain,)
        Index of the common strength among `_Sweeper.strengths`.
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
    def empty(cls, n_chains: int, n_slots: int, gauss2: float, delay: float) -> Chains:
        """Return chains of empty slots, over the upper quarter of the strengths.

        A chain that starts weak fills its slots with many small parts of the strong humps, and
        takes twenty sweeps to merge them; one that starts strong empties its spare slots in two.
        """
        return cls(
            np.zeros((n_slots, n_chains), dtype=int),
            np.zeros((n_slots, n_chains)),
            priors.STRENGTHS - 1 - np.arange(n_chains) * (priors.STRENGTHS // 4) // n_chains,
            np.full(n_chains, gauss2),
            np.full(n_chains, delay),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LinearProblem:
    """The problem linearized about an expansion point, metabolites integrated out.

    The coordinates z are, in this order: the square of the Gaussian width, the delay, the humps'
    areas. Their log-likelihood is ``force @ z - z @ curvature @ z / 2`` up to a constant, so that
    `force` is its slope at zero; given them, the metabolites' parameters are normal about
    ``centre - response @ z`` with `covariance`.

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

    def tempered(self, power: float) -> LinearProblem:
        """Return the problem with its likelihood raised to a power below one."""
        return replace(self, curvature=power * self.curvature, force=power * self.force)


@dataclass(frozen=True, kw_only=True)
class Scales:
    """Scales of what the chains draw.

    Parameters
    ----------
    reference_area : float
        The metabolites' area in units of the noise; strengths are relative to it.
    delay_sd_s : float
        Standard deviation of a delay, where there is one; 0 holds it at zero.
    gauss2_mean : float
        Mean square of the Gaussian width in Hz^2, where there is one.
    spread_odds : float
        Odds that there is one.
    hump_odds : float array, shape (hump,)
        Odds of one hump of the grid against another.
    """

    hump_odds: FloatArray
    reference_area: float
    delay_sd_s: float
    gauss2_mean: float
    spread_odds: float = priors.PRESENT_ODDS

    @cached_property
    def areas(self) -> tuple[FloatArray, FloatArray]:
        """Mean and variance of an area at each strength: those of the log-normal."""
        spread = exp(priors.AREA_LOG_SD**2)
        mean = _strengths() * self.reference_area * spread**0.5
        return mean, mean**2 * (spread - 1)

    @cached_property
    def of_lines(self) -> FloatArray:
        """Mean of the squared width, standard deviation of the delay, log odds of both."""
        odds = self.spread_odds, priors.PRESENT_ODDS
        return np.array([self.gauss2_mean, self.delay_sd_s, *map(log, odds)])

    @cached_property
    def addresses(self) -> tuple[int, ...]:
        """Where the arrays lie that the compiled sweeps want."""
        arrays = self.of_lines, self.log_odds, _strengths(), *self.areas
        return tuple(array.ctypes.data for array in arrays)

    @cached_property
    def log_odds(self) -> FloatArray:
        """Log odds of each hump against an empty slot.

        A slot is occupied with the odds of a binomial number of humps, by each with its share.
        """
        occupied = priors.EXPECTED_HUMPS / (priors.SLOTS - priors.EXPECTED_HUMPS)
        odds = self.hump_odds
        return np.asarray(np.log(occupied * odds / max(odds.sum(), TINY)))


@dataclass(frozen=True, slots=True)
class Moments:
    """Mean and variance of some quantities over draws, each shape (quantity,).

    Parameters
    ----------
    mean : float array
        Over all draws.
    between : float array
        Variance of the draws' means.
    within : float array
        Mean variance of a draw.
    """

    mean: FloatArray
    between: FloatArray
    within: FloatArray


@dataclass(frozen=True, slots=True)
class Draws:
    """What the chains drew, all of the same weight; areas are normal given the humps.

    Parameters
    ----------
    mean : float array, shape (draw, coordinate)
        Gaussian width, delay, and the means of the areas.
    hump : int array, shape (draw, slot)
        The humps of the grid in the slots.
    covariance : float array, shape (draw, slot, slot)
        Of their areas.
    """

    mean: FloatArray
    hump: IntArray
    covariance: FloatArray

    @classmethod
    def joined(cls, several: Sequence[Draws]) -> Draws:
        """Return several sets of draws as one."""
        if len(several) == 1:
            return several[0]
        return cls(
            np.concatenate([draws.mean for draws in several]),
            np.concatenate([draws.hump for draws in several]),
            np.concatenate([draws.covariance for draws in several]),
        )

    def moments(self, response: FloatArray) -> Moments:
        """Return what the draws say of linear functions of the coordinates.

        Parameters
        ----------
        response : float array, shape (function, coordinate)
        """
        rows = response[:, 2:].T.take(self.hump, axis=0)  # (draw, slot, function)
        within = np.einsum("dsf,dsf->f", rows, self.covariance @ rows) / len(self.mean)
        means = self.mean @ response.T
        centre = means.sum(axis=0) / len(means)
        means -= centre
        return Moments(centre, np.einsum("df,df->f", means, means) / len(means), within)

    def of(self, response: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return linear functions of the coordinates in each draw.

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
        return self.mean @ response.T, rows.transpose(0, 2, 1) @ self.covariance @ rows


def draw_chains(
    linear: LinearProblem,
    chains: Chains,
    scales: Scales,
    *,
    burn_in: int,
    keep: int,
    rng: np.random.Generator | Repeated,
) -> tuple[Chains, Draws]:
    """Advance the chains and return what they drew.

    Parameters
    ----------
    linear : LinearProblem
        The linear problem.
    chains : Chains
        Where the chains are.
    scales : Scales
        Of the priors.
    burn_in, keep : int
        Sweeps to forget, and sweeps to keep.
    rng : numpy Generator or Repeated
        Of a fixed seed; or its numbers, as each fit has them.

    Returns
    -------
    Chains
        Where they are now.
    Draws
        Of the kept sweeps of all chains.
    """
    sweeper = _Sweeper(linear, chains, scales)
    drawn = sweeper.sweeps([sweeper.noise(rng) for _ in range(burn_in + keep)])
    return sweeper.chains(), Draws.joined(drawn[burn_in:])


class _Sweeper:
    """The state of all chains, one per row, and the draws that change it."""

    def __init__(self, linear: LinearProblem, chains: Chains, scales: Scales) -> None:
        self.curvature = np.ascontiguousarray(linear.curvature)
        self.force = np.ascontiguousarray(linear.force)
        self.hump = np.array(chains.hump, dtype=np.int64, order="C")
        self.area = np.array(chains.area, order="C")
        self.strength = np.array(chains.strength, dtype=np.int64)
        self.gauss2 = chains.gauss2.copy()
        self.delay = chains.delay.copy()
        self.scales = scales
        self.strengths = _strengths()
        self.mean, self.variance = scales.areas
        self.log_odds = scales.log_odds
        self.library = kernel.library()

    @cached_property
    def own_curvature(self) -> FloatArray:
        """The curvature of Gaussian width and delay."""
        return np.diag(self.curvature[:2, :2]).copy()

    @cached_property
    def hump_curvature(self) -> FloatArray:
        """The curvature among the humps, contiguous."""
        return np.ascontiguousarray(self.curvature[2:, 2:])

    def chains(self) -> Chains:
        """Return where the chains are."""
        return Chains(self.hump, self.area, self.strength, self.gauss2, self.delay)

    def noise(self, rng: np.random.Generator | Repeated) -> Noise:
        """Return the random numbers of the next sweep."""
        n_slots, n_chains = self.hump.shape
        has_delay = self.scales.delay_sd_s > 0
        numbers = rng.drawn if isinstance(rng, Repeated) else partial(Noise.drawn, rng=rng)
        return numbers(n_slots, n_chains, self.force.size - 2, has_delay=has_delay)

    def sweeps(self, noise: Sequence[Noise]) -> list[Draws]:
        """Draw everything once for each set of random numbers."""
        drawn: list[Draws] = []
        while len(drawn) < len(noise):
            rest = noise[len(drawn) :]
            drawn += self._compiled(rest) or [self.plainly(rest[0])]
        return drawn

    def plainly(self, noise: Noise) -> Draws:
        """Draw everything once, with NumPy: what `kernel.c` does, for a reader."""
        if self.hump.size:
            slots = self._draw_slots(noise)
            self.hump = slots.hump
            area, covariance = slots.areas()
        else:
            n_chains = self.delay.size
            area, covariance = np.zeros((n_chains, 0)), np.zeros((n_chains, 0, 0))
        self._draw_gauss_and_delay(area, covariance, noise.lines)
        draws = Draws(self._coordinates(area.T), self.hump.T.copy(), covariance)
        if self.hump.size:
            self._draw_areas(area, covariance, slots.occupied, noise.areas)
            self._draw_strength(noise.strengths)
        return draws

    def _compiled(self, noise: Sequence[Noise]) -> list[Draws]:
        """Draw everything with the library, as often as it can; never where it is not there."""
        if self.library is None or self.hump.shape[0] > kernel.MOST_SLOTS:
            return []
        swept = kernel_chains.sweeps(
            self.library, (self.curvature, self.force), self.chains(), noise, self.scales
        )
        return [Draws(*of_one) for of_one in swept]

    def _draw_slots(self, noise: Noise) -> Slots:
        """Draw each slot anew, with the areas of all slots integrated out."""
        mean = self.mean[self.strength]
        prior = SlotPrior(mean, 1 / self.variance[self.strength], self.log_odds)
        occupied = (self.area != 0).T
        slots = Slots(
            self.hump_curvature, self._hump_force(), prior, hump=self.hump, occupied=occupied
        )
        for slot in range(len(self.hump)):
            slots.exchange(slot, noise.humps[slot], noise.empty[slot])
        return slots

    def _hump_force(self) -> FloatArray:
        """Return the humps' force that Gaussian width and delay leave, shape (chain, hump)."""
        explained = self.curvature[0, 2:] * self.gauss2[:, None]
        explained += self.curvature[1, 2:] * self.delay[:, None]
        return np.asarray(self.force[2:] - explained)

    def _coordinates(self, area: FloatArray) -> FloatArray:
        """Return the coordinates at areas (slot, chain), shape (chain, coordinate)."""
        n_chains, size = self.delay.size, self.force.size
        flat = (np.arange(n_chains) * size + 2 + self.hump).ravel()
        # Humps that coincide add up; of no slots at all the sums would be integers.
        summed = np.bincount(flat, area.ravel(), minlength=n_chains * size).astype(np.float64)
        coordinates = summed.reshape(n_chains, size)
        coordinates[:, 0] = self.gauss2
        coordinates[:, 1] = self.delay
        return coordinates

    def _draw_gauss_and_delay(
        self, area: FloatArray, covariance: FloatArray, noise: FloatArray
    ) -> None:
        """Draw the two, areas integrated out given the humps; `area` follows as their mean.

        With v the value, q its curvature with the areas, C their covariance and m their mean at
        v = 0: given v they have the mean ``m - C q v``, and v has the log-likelihood
        ``(h_v - q^T m) v - (Q_vv - q^T C q) v^2 / 2``.
        """
        draws: tuple[tuple[FloatArray, FloatArray, _Draw], ...] = (
            (self.gauss2, self.delay, _draw_gauss),
            (self.delay, self.gauss2, _draw_delay),
        )
        for index, (value, other, draw) in enumerate(draws):
            coupling = self.curvature[index].take(2 + self.hump.T)  # q
            response = (covariance @ coupling[:, :, None])[:, :, 0]  # C q
            area += response * value[:, None]  # m
            precision = self.own_curvature[index] - (coupling * response).sum(axis=1)
            force = self.force[index] - (coupling * area).sum(axis=1)
            force -= self.curvature[0, 1] * other
            least = max(_LEAST_PRECISION * self.own_curvature[index], TINY)
            drawn = noise[:, 2 * index : 2 * index + 2].T
            value[:] = draw(np.maximum(precision, least), force, self.scales, drawn)
            area -= response * value[:, None]

    def _draw_areas(
        self,
        mean: FloatArray,
        covariance: FloatArray,
        occupied: BoolArray,
        noise: FloatArray,
    ) -> None:
        """Draw the areas of all slots together."""
        # Ones on the diagonal let the empty slots through Cholesky; their draws are thrown away.
        padded = covariance + np.eye(priors.SLOTS) * ~occupied[:, None, :]
        try:
            lower = np.linalg.cholesky(padded)
        except np.linalg.LinAlgError:  # rounding, in absurd data: keep their means
            lower = np.zeros_like(padded)
        area = mean + (lower @ noise[:, :, None])[:, :, 0]
        self.area = np.ascontiguousarray((area * occupied).T)

    def _draw_strength(self, noise: FloatArray) -> None:
        """Draw the strength, first together with all areas, then given them."""
        # Areas times a factor f, as the strength: prior and areas keep their ratio, so that the
        # data alone decide, with the log-likelihood f h^T c - f^2 c^T Q c / 2. Of few humps with
        # large areas, whose strength given them hardly moves, this leads to any strength in one
        # step.
        area = self.area.T
        linear = (at_slots(self._hump_force(), self.hump) * area).sum(axis=1)
        among = among_slots(self.hump_curvature, self.hump)
        square = (area * (among @ area[:, :, None])[:, :, 0]).sum(axis=1)
        factor = self.strengths / self.strengths[self.strength][:, None]
        log_odds = factor * linear[:, None] - 0.5 * factor**2 * square[:, None]
        drawn = _choose(log_odds, noise[0])
        occupied = (self.area != 0).sum(axis=0)
        self.area *= np.where(occupied > 0, factor[np.arange(drawn.size), drawn], 1.0)
        # Given the areas: the density of their normal law at each strength.
        total, squares = self.area.sum(axis=0), (self.area**2).sum(axis=0)
        distance = squares[:, None] - 2 * self.mean * total[:, None]
        distance += occupied[:, None] * self.mean**2
        log_density = -0.5 * (occupied[:, None] * np.log(self.variance) + distance / self.variance)
        self.strength = _choose(log_density, noise[1])


_Draw = Callable[[FloatArray, FloatArray, "Scales", FloatArray], FloatArray]


def _draw_gauss(
    precision: FloatArray, force: FloatArray, scales: Scales, noise: FloatArray
) -> FloatArray:
    """Draw the square of the Gaussian width: zero, or of exponential prior.

    Odds of the latter: ``spread_odds slope integral_0^inf exp(force v - precision v^2 / 2 -
    slope v) dv``, with the slope of the prior. Normal likelihood times exponential prior is a
    normal law cut at zero; here in its standard deviations, so that its mass above zero is that of
    the standard normal law below `centre`.
    """
    slope, sd = 1 / scales.gauss2_mean, precision**-0.5
    centre = (force - slope) * sd
    log_mass = log_ndtr(centre)
    log_odds = np.log(slope * sd * sqrt(2 * pi)) + log_mass + 0.5 * centre**2
    log_odds += log(scales.spread_odds)
    broad = noise[0] < log_odds
    # By inversion; in logarithms, since the mass may be far out in the tail.
    drawn = centre - ndtri_exp(log_mass + np.log1p(-noise[1]))
    return np.asarray(broad * np.maximum(sd * drawn, 0.0))


def _draw_delay(
    precision: FloatArray, force: FloatArray, scales: Scales, noise: FloatArray
) -> FloatArray:
    """Draw the delay: zero, or of normal prior.

    Odds of the latter: ``PRESENT_ODDS sqrt(prior_precision variance) exp(force^2 variance / 2)``.
    """
    if scales.delay_sd_s == 0:
        return np.zeros(force.size)
    prior_precision = scales.delay_sd_s**-2
    variance = 1 / (precision + prior_precision)
    log_odds = 0.5 * np.log(prior_precision * variance) + 0.5 * force**2 * variance
    log_odds += log(priors.PRESENT_ODDS)
    late = noise[0] < log_odds
    drawn = force * variance + np.sqrt(variance) * noise[1]
    return np.asarray(late * drawn)


@cache
def _strengths() -> FloatArray:
    """Return the typical areas that are told apart, in units of the metabolites'."""
    low, high = priors.STRENGTH_RANGE
    return np.exp(np.linspace(log(low), log(high), priors.STRENGTHS))


def _choose(log_odds: FloatArray, gumbel: FloatArray) -> IntArray:
    """Return one column per row, drawn with the odds."""
    return np.asarray((log_odds + gumbel).argmax(axis=1))
