"""The compiled library of the fit, where a compiler was there when the package was built.

`kernel.c` follows `slots` and `chains` step by step, `kernel_lines.c` and `kernel_solver.c` `model`
and `solver` (`kernel_solver.py` calls them); those modules are the algorithm for a reader, and run
wherever there is no library: the same draws from the same random numbers, to rounding. The build
hook (`.ci/kernel_hook.py`) compiles it; without a compiler the package is pure Python and whole.

The environment variable ``MRS_DISC_KERNEL`` set to ``numpy`` leaves the library alone.
`results.json` says which of the two was used.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np
from scipy.linalg import cython_blas, cython_lapack

from mrs_disc.errors import InputError
from mrs_disc.typing import BoolArray, FloatArray, IntArray

SWITCH = "MRS_DISC_KERNEL"
"""Environment variable that forces a path: ``numpy`` or ``c``."""
MOST_SLOTS = 16  # of kernel.c
_LINEAR = (
    (cython_blas, "dgemm"),
    (cython_blas, "dsyrk"),
    (cython_lapack, "dposv"),
    (cython_lapack, "dpotrf"),
    (cython_blas, "dtrsm"),
)
"""Of `struct libraries` in kernel.h, in its order."""
_CAPSULE_NAME, _CAPSULE_POINTER = (
    ctypes.pythonapi.PyCapsule_GetName,
    ctypes.pythonapi.PyCapsule_GetPointer,
)
_CAPSULE_NAME.restype, _CAPSULE_NAME.argtypes = ctypes.c_char_p, [ctypes.py_object]
_CAPSULE_POINTER.restype = ctypes.c_void_p
_CAPSULE_POINTER.argtypes = [ctypes.py_object, ctypes.c_char_p]
_LIBRARY = Path(__file__).with_name("_kernel.so")


def used() -> Literal["c", "numpy"]:
    """Return which path runs: the compiled one or that of NumPy.

    Raises
    ------
    InputError
        If the environment variable has another value, or asks for a library that is not there.
    """
    return "numpy" if library() is None else "c"


def library() -> ctypes.CDLL | None:
    """Return the compiled functions, or None where NumPy is to do it; errors as of `used`."""
    asked = os.environ.get(SWITCH, "")
    if asked not in ("", "c", "numpy"):
        raise InputError(f"{SWITCH} = {asked!r}: 'c' or 'numpy' expected, or not set")
    found = None if asked == "numpy" else _library()
    if asked == "c" and found is None:
        raise InputError(
            f"{SWITCH} = 'c', but no compiled kernel of this version is installed; install where "
            "a C compiler is, or unset the variable"
        )
    return found


@cache
def _library() -> ctypes.CDLL | None:
    """Return the library beside this file, where it is one of the source beside it."""
    try:
        found = ctypes.CDLL(os.fspath(_LIBRARY))
        found.mrs_disc_source.restype = ctypes.c_char_p
        compiled_from = found.mrs_disc_source().decode()
        # An editable installation may hold a library of an older source.
        sources = sorted(_LIBRARY.parent.glob("kernel*.[ch]"))
        digest = hashlib.sha256(b"".join(one.read_bytes() for one in sources)).hexdigest()
        if compiled_from != digest or not _linked(found):
            return None
        integer, address = ctypes.c_int64, ctypes.c_void_p
        found.mrs_disc_draw_slots.argtypes = [*3 * [integer], address, integer, *11 * [address]]
        found.mrs_disc_draw_rest.argtypes = [*4 * [integer], *19 * [address]]
        found.mrs_disc_rows.argtypes = 5 * [address]
        found.mrs_disc_solve.argtypes = 5 * [address]
        found.mrs_disc_linearize.argtypes = 3 * [address]
    except (OSError, AttributeError):
        return None
    return found


def _linked(found: ctypes.CDLL) -> bool:
    """Give the library SciPy's BLAS and LAPACK; return whether they are of its integers."""
    functions = []
    for module, name in _LINEAR:
        capsule = module.__pyx_capi__[name]
        signature = _CAPSULE_NAME(capsule)
        if b"long" in signature or b"int64" in signature:
            return False
        functions.append(_CAPSULE_POINTER(capsule, signature))
    found.mrs_disc_use((ctypes.c_void_p * len(functions))(*functions))
    return True


def draw_slots(
    compiled: ctypes.CDLL,
    *,
    curvature: FloatArray,
    force: FloatArray,
    prior: tuple[FloatArray, FloatArray, FloatArray],
    noise: tuple[FloatArray, FloatArray],
    hump: IntArray,
    occupied: BoolArray,
) -> tuple[IntArray, BoolArray, FloatArray, FloatArray] | None:
    """Draw each slot anew, areas integrated out, as `slots.Slots` does with all slots in turn.

    Parameters
    ----------
    compiled : CDLL
        The library.
    curvature : float array, shape (2 + hump, 2 + hump)
        Of the linear problem, contiguous.
    force : float array, shape (chain, hump)
        Of the humps in each chain.
    prior : tuple of float array
        Mean and precision (chain,), and log odds (hump,), as in `slots.SlotPrior`.
    noise : tuple of float array
        Twice Gumbel noise of the humps (slot, chain, hump), single precision, and of the empty slot
        (slot, chain).
    hump : int array, shape (slot, chain)
    occupied : bool array, shape (chain, slot)

    Returns
    -------
    hump, occupied, mean, covariance
        As they are now, and the areas' means (chain, slot) and covariances (chain, slot, slot),
        zero in empty slots; None where a matrix was not positive.
    """
    n_slots, n_chains = hump.shape
    n_humps, size = force.shape[1], len(curvature)
    new_hump = np.array(hump, dtype=np.int64, order="C")
    filled = np.array(occupied, dtype=bool, order="C")
    mean = np.empty((n_chains, n_slots))
    covariance = np.empty((n_chains, n_slots, n_slots))
    work = np.empty(3 * n_humps)
    doubles = (force, *prior)
    force, prior_mean, prior_precision, log_odds = (
        np.ascontiguousarray(values, dtype=np.float64) for values in doubles
    )
    of_humps, empty = (np.ascontiguousarray(values) for values in noise)
    fault = compiled.mrs_disc_draw_slots(
        n_chains,
        n_slots,
        n_humps,
        curvature.ctypes.data + 8 * (2 * size + 2),
        size,
        *_addresses(
            force, prior_mean, prior_precision, log_odds, of_humps, empty,
            new_hump, filled, mean, covariance, work,
        ),
    )  # fmt: skip
    return None if fault else (new_hump, filled, mean, covariance)


def draw_rest(
    compiled: ctypes.CDLL,
    *,
    curvature: FloatArray,
    force: FloatArray,
    scales: tuple[float, float, float],
    strengths: tuple[FloatArray, FloatArray, FloatArray],
    noise: tuple[FloatArray, FloatArray, FloatArray],
    slots: tuple[IntArray, BoolArray, FloatArray, FloatArray],
    strength: IntArray,
    gauss2: FloatArray,
    delay: FloatArray,
) -> tuple[IntArray, FloatArray, FloatArray]:
    """Draw what comes after the slots in a sweep of `chains`; `gauss2` and `delay` change in place.

    Parameters
    ----------
    compiled : CDLL
        The library.
    curvature, force : float array, shape (2 + hump, 2 + hump) and (2 + hump,)
        Of the linear problem, contiguous.
    scales : tuple of float
        Mean of the squared Gaussian width, standard deviation of the delay (0: none), and the log
        odds that either is present.
    strengths : tuple of float array, shape (strength,)
        The strengths, and mean and variance of an area at each.
    noise : tuple of float array
        Of width and delay (chain, 4), of the areas (chain, slot), of the strength
        (2, chain, strength).
    slots : tuple of arrays
        What `draw_slots` returns.
    strength : int array, shape (chain,)
        Index of the strength.
    gauss2, delay : float array, shape (chain,)
        Squared Gaussian width and delay.

    Returns
    -------
    strength : int array, shape (chain,)
    area : float array, shape (slot, chain)
    coordinates : float array, shape (chain, 2 + hump)
    """
    hump, occupied, mean, covariance = slots
    n_slots, n_chains = hump.shape
    new_strength = np.array(strength, dtype=np.int64)
    area = np.empty((n_slots, n_chains))
    coordinates = np.empty((n_chains, force.size))
    work = np.empty(2 * strengths[0].size)
    compiled.mrs_disc_draw_rest(
        n_chains,
        n_slots,
        force.size - 2,
        strengths[0].size,
        *_addresses(
            curvature, force, np.array(scales), *strengths, *noise, hump, occupied, mean,
            covariance, new_strength, gauss2, delay, area, coordinates, work,
        ),
    )  # fmt: skip
    return new_strength, area, coordinates


def _addresses(*arrays: FloatArray | IntArray | BoolArray) -> list[int]:
    return [array.ctypes.data for array in arrays]
