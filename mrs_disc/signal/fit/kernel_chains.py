"""The compiled sweeps of the chains (`kernel.c`, `kernel_sweeps.c`), called with NumPy's arrays."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from mrs_disc.signal.fit import priors
from mrs_disc.signal.fit.random_numbers import Noise
from mrs_disc.typing import FloatArray, IntArray

if TYPE_CHECKING:
    from mrs_disc.signal.fit.chains import Chains, Scales

_INT, _ADDRESS = ctypes.c_int64, ctypes.c_void_p
_COUNTS = ("n_chains", "n_slots", "n_humps", "n_strengths")
_ARRAYS = (
    *("curvature", "force", "scales", "log_odds", "strengths", "area_mean", "area_variance"),
    *("hump", "area", "strength", "gauss2", "delay"),
)


class _Noise(ctypes.Structure):
    """``struct noise`` of kernel_sweeps.c."""

    _fields_ = tuple((name, _ADDRESS) for name in ("humps", "empty", "lines", "areas", "strengths"))


class _Sweeper(ctypes.Structure):
    """``struct sweeper`` of kernel_sweeps.c."""

    _fields_ = (*((name, _INT) for name in _COUNTS), *((name, _ADDRESS) for name in _ARRAYS))


def sweeps(
    library: ctypes.CDLL,
    linear: tuple[FloatArray, FloatArray],
    chains: Chains,
    noise: Sequence[Noise],
    scales: Scales,
) -> list[tuple[FloatArray, IntArray, FloatArray]]:
    """Advance chains by as many sweeps as there is noise; they change in place.

    Parameters
    ----------
    library : CDLL
        The compiled functions.
    linear : tuple of float array
        Curvature and force of the linear problem, contiguous.
    chains : Chains
        Where the chains are; contiguous, `hump` and `strength` of 64 bits.
    noise : sequence of Noise
        The random numbers of each sweep.
    scales : Scales
        Of the priors.

    Returns
    -------
    list of tuple of float, int and float array
        Of each sweep coordinates (chain, 2 + hump), humps (chain, slot) and the areas' covariances
        (chain, slot, slot). Fewer than asked for where a matrix was not positive: the chains are
        as they were before that sweep.
    """
    n_slots, n_chains = chains.hump.shape
    count, size = len(noise), linear[1].size
    coordinates = np.empty((count, n_chains, size))
    humps = np.empty((count, n_chains, n_slots), dtype=np.int64)
    covariance = np.empty((count, n_chains, n_slots, n_slots))
    arrays = (chains.hump, chains.area, chains.strength, chains.gauss2, chains.delay)
    sweeper = _Sweeper(
        n_chains,
        n_slots,
        size - 2,
        priors.STRENGTHS,
        *(array.ctypes.data for array in linear),
        *scales.addresses,
        *(array.ctypes.data for array in arrays),
    )
    numbers = (_Noise * count)(*(_Noise(*one.addresses) for one in noise))
    done = library.mrs_disc_sweeps(
        ctypes.addressof(sweeper),
        count,
        ctypes.addressof(numbers),
        *(array.ctypes.data for array in (coordinates, humps, covariance)),
    )
    return [(coordinates[k], humps[k], covariance[k]) for k in range(done)]
