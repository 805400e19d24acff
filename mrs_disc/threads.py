"""One BLAS thread for the functions whose matrices are small.

Two threads made a fit 8 to 11 times slower, and a product split between threads is rounded
otherwise than a whole one, so that the same input would not give the same bytes everywhere.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextvars import ContextVar
from functools import cache, wraps
from typing import ParamSpec, TypeVar

import threadpoolctl

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")


@cache
def _libraries(_has_scipy: bool) -> threadpoolctl.ThreadpoolController:
    """Return the BLAS libraries that are loaded: NumPy's, and SciPy's own once it is there.

    Finding them takes 9 ms, limiting them 13 us.
    """
    return threadpoolctl.ThreadpoolController()


_limited: ContextVar[threadpoolctl.ThreadpoolController | None] = ContextVar(
    "_limited", default=None
)
"""The libraries that a function further out has limited already."""


def one_blas_thread(function: Callable[_Arguments, _Result]) -> Callable[_Arguments, _Result]:
    """Let a function run with one BLAS thread; what was set before is set again afterwards.

    Examples
    --------
    >>> @one_blas_thread
    ... def double(number):
    ...     return 2 * number
    >>> double(21)
    42
    """

    @wraps(function)
    def limited(*args: _Arguments.args, **kwargs: _Arguments.kwargs) -> _Result:
        libraries = _libraries("scipy.linalg" in sys.modules)
        if _limited.get() is libraries:
            return function(*args, **kwargs)
        token = _limited.set(libraries)
        try:
            with libraries.limit(limits=1, user_api="blas"):
                return function(*args, **kwargs)
        finally:
            _limited.reset(token)

    return limited
