"""Parts of NumPy that nothing here needs, left unloaded until somebody asks for one.

NumPy loads them when they are asked for; SciPy asks for all of NumPy's names when it is imported,
so that the wrapper of Fortran and the tools for tests cost each start 60 ms and 9 MB (SciPy 1.17).
They stay what they are: the first use of a name in one loads it.

Imported first by the rooms that import SciPy. Where SciPy is there already, nothing is left to do.
"""

from __future__ import annotations

import sys
from importlib.util import LazyLoader, find_spec, module_from_spec

import numpy as np

PARTS = ("f2py", "testing")


def _postpone(part: str) -> None:
    name = f"numpy.{part}"
    spec = None if name in sys.modules else find_spec(name)
    if spec is None or spec.loader is None:
        return
    spec.loader = LazyLoader(spec.loader)
    module = module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    setattr(np, part, module)


if "scipy" not in sys.modules:
    for _part in PARTS:
        _postpone(_part)
