"""The compiled library of the fit, where a compiler was there when the package was built.

`kernel.c` and `kernel_sweeps.c` follow `slots` and `chains` step by step, `kernel_lines.c` and
`kernel_solver.c` `model` and `solver`, `kernel_average.c` `posterior` (`kernel_chains.py` and
`kernel_solver.py` call them), `kernel_water.c` `water_lines`, `kernel_peaks.c`
`transients.registration`. Those modules are the algorithm for a
reader, and run wherever there is no library: the same draws from the same random numbers, to
rounding. The build hook (`.ci/kernel_hook.py`) compiles it; without a compiler the package is pure
Python and whole.

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

from scipy.linalg import cython_blas, cython_lapack

from mrs_disc.errors import InputError

SWITCH = "MRS_DISC_KERNEL"
"""Environment variable that forces a path: ``numpy`` or ``c``."""
MOST_SLOTS = 16  # of kernel.c
_LINEAR = (
    (cython_blas, "dgemm"),
    (cython_blas, "dsyrk"),
    (cython_lapack, "dposv"),
    (cython_lapack, "dpotrf"),
    (cython_blas, "dtrsm"),
    (cython_lapack, "zpotrf"),
    (cython_blas, "ztrsv"),
    (cython_lapack, "ztrtri"),
    (cython_blas, "ztrmm"),
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
        found.mrs_disc_sweeps.argtypes = [address, integer, *4 * [address]]
        found.mrs_disc_sweeps.restype = integer
        found.mrs_disc_rows.argtypes = 5 * [address]
        found.mrs_disc_solve.argtypes = 5 * [address]
        found.mrs_disc_water_amplitudes.argtypes = [*2 * [integer], *6 * [address]]
        found.mrs_disc_linearize.argtypes = 3 * [address]
        found.mrs_disc_peaks.argtypes = [*4 * [integer], *2 * [ctypes.c_double], *4 * [address]]
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
