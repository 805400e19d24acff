"""The random numbers of the fit: the same ones each time, drawn before the sweep that uses them.

So the two ways to sweep, compiled and NumPy (`kernel`, `chains`), draw with the same numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from threading import Lock

import numpy as np

from mrs_disc.signal.fit import priors
from mrs_disc.typing import FloatArray

_SEED = 20240601
_POOL = 1 << 19


@dataclass(frozen=True)
class Noise:
    """The random numbers of one sweep, of all chains.

    Parameters
    ----------
    humps : float array, shape (slot, chain, hump)
        Twice Gumbel noise, single precision, of each hump in each slot.
    empty : float array, shape (slot, chain)
        The same of the empty slot.
    lines : float array, shape (chain, 4)
        Logistic and uniform of the Gaussian width, logistic and normal of the delay.
    areas : float array, shape (chain, slot)
        Standard normal.
    strengths : float array, shape (2, chain, strength)
        Gumbel noise of the two draws of a strength.
    """

    humps: FloatArray
    empty: FloatArray
    lines: FloatArray
    areas: FloatArray
    strengths: FloatArray

    @cached_property
    def addresses(self) -> tuple[int, ...]:
        """Where the arrays lie, which are contiguous."""
        arrays = self.humps, self.empty, self.lines, self.areas, self.strengths
        return tuple(array.ctypes.data for array in arrays)

    @classmethod
    def drawn(
        cls, n_slots: int, n_chains: int, n_humps: int, *, has_delay: bool, rng: np.random.Generator
    ) -> Noise:
        """Return the numbers of the next sweep."""
        size = n_chains * n_humps
        humps, empty = np.zeros((n_slots, n_chains, n_humps)), np.zeros((n_slots, n_chains))
        if n_slots:
            # Gumbel noise for the whole grid would cost more than the algebra. It is cut out of a
            # pool at a random point instead; the empty slots, each compared with all humps, get
            # their own.
            pool = _gumbel_pool(max(_POOL, 16 * n_slots * size))
            start = int(rng.integers(pool.size - n_slots * size))
            humps = pool[start : start + n_slots * size].reshape(n_slots, n_chains, n_humps)
            empty = 2 * rng.gumbel(size=(n_slots, n_chains))
        lines = np.zeros((n_chains, 4))
        lines[:, 0], lines[:, 1] = rng.logistic(size=n_chains), rng.random(n_chains)
        if has_delay:
            lines[:, 2], lines[:, 3] = rng.logistic(size=n_chains), rng.standard_normal(n_chains)
        areas = np.zeros((n_chains, n_slots))
        strengths = np.zeros((2, n_chains, priors.STRENGTHS))
        if n_slots:
            areas = rng.standard_normal((n_chains, n_slots))
            strengths = rng.gumbel(size=(2, n_chains, priors.STRENGTHS))
        return cls(humps, empty, lines, areas, strengths)


@lru_cache(maxsize=2)
def _gumbel_pool(size: int) -> FloatArray:
    """Return twice Gumbel noise that all fits share, since all draw the same numbers anyway."""
    pool = seeded().standard_exponential(size, dtype=np.float32)
    np.maximum(pool, 1e-30, out=pool)  # in place: it is the largest array of a small study
    np.log(pool, out=pool)
    pool *= -2
    return np.asarray(pool)


class Repeated:
    """The random numbers of one fit: the same ones each time, so that they are kept for the next.

    Sweep after sweep they are those that `Noise.drawn` gives with the generator `seeded`.
    """

    def __init__(self) -> None:
        self._sweep = 0

    def drawn(self, n_slots: int, n_chains: int, n_humps: int, *, has_delay: bool) -> Noise:
        """Return the numbers of the next sweep."""
        kept = _kept(n_slots, n_chains, n_humps, has_delay)
        self._sweep += 1
        return kept(self._sweep - 1)


@lru_cache(maxsize=4)  # some 20 KB a sweep, some 20 sweeps a fit
def _kept(n_slots: int, n_chains: int, n_humps: int, has_delay: bool) -> Callable[[int], Noise]:
    rng, lock, sweeps = seeded(), Lock(), list[Noise]()

    def of_sweep(number: int) -> Noise:
        with lock:
            while len(sweeps) <= number:
                noise = Noise.drawn(n_slots, n_chains, n_humps, has_delay=has_delay, rng=rng)
                for array in (noise.empty, noise.lines, noise.areas, noise.strengths):
                    array.flags.writeable = False
                sweeps.append(noise)
            return sweeps[number]

    return of_sweep


def seeded() -> np.random.Generator:
    """Return the generator of every fit: the same numbers each time."""
    return np.random.default_rng(_SEED)
