"""The compiled model, solver and expansions, called with NumPy's arrays.

They are `kernel_lines.c`, `kernel_solver.c` and `kernel_average.c`.

Where there is no library, or it cannot serve a model, these functions return None and `solver` goes
its own way.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import prod
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np

from mrs_disc.signal.fit import kernel
from mrs_disc.signal.fit.basis import GAUSS_RATE
from mrs_disc.signal.fit.chains import LinearProblem
from mrs_disc.signal.fit.model import N_COMMON, MetaboliteModel
from mrs_disc.typing import ComplexArray, FloatArray

if TYPE_CHECKING:
    from mrs_disc.signal.fit.humps import HumpGrid
    from mrs_disc.signal.fit.linear import Point
    from mrs_disc.signal.fit.solver import Problem

_LANES, _MOST_FACTORS, _LARGEST_FACTOR = 8, 24, 31  # of kernel.h and kernel_lines.c
_SHARED = 3  # transforms for the derivatives by what all components share
_INT, _DOUBLE, _ADDRESS = ctypes.c_int64, ctypes.c_double, ctypes.c_void_p


class _Model(ctypes.Structure):
    """``struct model`` of kernel.h."""

    _fields_ = (
        *((name, _INT) for name in ("n_points", "n_components", "n_bins", "n_moves")),
        *((name, _INT) for name in ("n_widens", "n_batches", "n_factors")),
        ("factors", _INT * _MOST_FACTORS),
        *((name, _DOUBLE) for name in ("time0", "dwell_time", "gauss_rate")),
        *((name, _ADDRESS) for name in ("series", "twiddles", "bins", "moves", "widens")),
    )


class _Humps(ctypes.Structure):
    """``struct humps`` of kernel.h."""

    _fields_ = (("n", _INT), ("frequency", _ADDRESS), ("spectra", _ADDRESS))


class _Problem(ctypes.Structure):
    """``struct problem`` of kernel_solver.c."""

    _fields_ = (
        ("model", _Model),
        ("humps", _Humps),
        *((name, _ADDRESS) for name in ("data", "precision", "low", "high", "fixed", "ratios")),
        ("n_ratios", _INT),
        *((name, _DOUBLE) for name in ("hump_precision", "tolerance", "rounding")),
        *((name, _DOUBLE) for name in ("first_damping", "least_damping", "most_damping")),
        ("stride", _DOUBLE * N_COMMON),
        ("iterations", _INT),
    )


class _Expansion(ctypes.Structure):
    """``struct expansion`` of kernel_average.c."""

    _fields_ = (
        *((name, _ADDRESS) for name in ("parameters", "amplitude", "areas", "weak")),
        *((name, _INT) for name in ("n_sites", "knows_tails")),
        *((name, _ADDRESS) for name in ("site_rows", "site_multiple", "site_precision")),
        *((name, _ADDRESS) for name in ("site_force", "products")),
    )


class _Linear(ctypes.Structure):
    """``struct linear`` of kernel_average.c."""

    _fields_ = tuple(
        (name, _ADDRESS)
        for name in ("rows", "curvature", "force", "centre", "response", "covariance")
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    """The numbers of the solver's steps.

    Parameters
    ----------
    iterations : int
        At most.
    damping : tuple of float
        The first, the least and the largest.
    stride : tuple of float
        Longest steps of the shared parameters.
    """

    iterations: int
    damping: tuple[float, float, float]
    stride: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Solved:
    """What the solver found: see `solver.Solution`.

    Parameters
    ----------
    parameters, amplitude : float array, shape (nonlinear,) and (component + hump,)
    design : float array, shape (component, datum)
    cost, square : float
        With the priors, and of the residual alone.
    converged : bool
    """

    parameters: FloatArray
    amplitude: FloatArray
    design: FloatArray
    cost: float
    square: float
    converged: bool


def solve(problem: Problem, parameters: FloatArray, steps: Steps) -> Solved | None:
    """Return the optimum next to a point, as `solver.solve`; None: NumPy is to do it."""
    library, prepared = kernel.library(), _prepared(problem.model)
    if library is None or prepared is None:
        return None
    found = np.array(parameters, dtype=np.float64)
    amplitude = np.empty(problem.model.n_components + problem.humps.frequency_hz.size)
    design = np.empty((problem.model.n_components, problem.data.size))
    of = np.empty(2)
    posed = _posed(problem, prepared, steps)
    state = library.mrs_disc_solve(
        ctypes.addressof(posed),
        *(array.ctypes.data for array in (found, amplitude, design, of)),
    )
    if state == 2:
        return None
    return Solved(found, amplitude, design, float(of[0]), float(of[1]), state == 0)


def rows(
    problem: Problem, parameters: FloatArray, amplitude: FloatArray, areas: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray] | None:
    """Return components, humps and derivatives at a point, as `solver.rows_at`; None: as above."""
    library, prepared = kernel.library(), _prepared(problem.model)
    if library is None or prepared is None:
        return None
    humps = _humps(problem.humps)
    at, size = np.ascontiguousarray(parameters, dtype=np.float64), problem.data.size
    amounts = np.concatenate([amplitude, areas])
    found = np.empty((amounts.size + at.size, size))
    addresses = (array.ctypes.data for array in (at, amounts, found))
    if library.mrs_disc_rows(ctypes.addressof(prepared.model), ctypes.addressof(humps), *addresses):
        return None
    design, of_humps = found[: amplitude.size], found[amplitude.size : amounts.size]
    return design, of_humps, found[amounts.size :]


def linearized(
    problem: Problem, point: Point, weak: FloatArray, steps: Steps
) -> tuple[FloatArray, LinearProblem] | None:
    """Return the rows X over Z and the linear problem about a point; None: as above.

    Parameters
    ----------
    problem, point : Problem, Point
        As in `linear.about_point`.
    weak : float array, shape (nonlinear,)
        Precision about the point.
    steps : Steps
        As in `solve`.
    """
    library, prepared = kernel.library(), _prepared(problem.model)
    if library is None or prepared is None:
        return None
    posed = _posed(problem, prepared, steps)
    # Each factor: its row, and the row of which it holds a multiple, if any.
    rows_of = [(limit.row, -1, 0.0) for limit in problem.limits[: len(point.sites)]]
    rows_of += [(r.numerator, r.denominator, -r.mean) for r in problem.tails[: len(point.tails)]]
    sites = [*point.sites, *point.tails]
    arrays = {
        "parameters": point.parameters,
        "amplitude": point.amplitude,
        "areas": point.areas,
        "weak": weak,
        "site_rows": np.array([one[:2] for one in rows_of], dtype=np.int64),
        "site_multiple": np.array([one[2] for one in rows_of], dtype=np.float64),
        "site_precision": np.array([site.precision for site in sites], dtype=np.float64),
        "site_force": np.array([site.force for site in sites], dtype=np.float64),
        "products": problem.humps.products,
    }
    n = problem.model.n_components + problem.model.n_nonlinear - 2
    drawn = 2 + problem.humps.frequency_hz.size
    size = problem.data.size
    shapes = ((n + drawn, size), (drawn, drawn), (drawn,), (n,), (n, drawn), (n, n))
    rows, *found = together(shapes)
    contiguous = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    about = _Expansion(
        n_sites=len(sites),
        knows_tails=bool(point.tails),
        **{name: array.ctypes.data for name, array in contiguous.items()},
    )
    first = rows.ctypes.data  # of all: they lie in one block
    places = np.cumsum([0, *(8 * array.size for array in (rows, *found[:-1]))]).tolist()
    to = _Linear(*(first + place for place in places))
    addresses = (ctypes.addressof(one) for one in (posed, about, to))
    if library.mrs_disc_linearize(*addresses):
        return None
    curvature, force, centre, response, covariance = found
    return rows, LinearProblem(
        curvature=curvature, force=force, centre=centre, response=response, covariance=covariance
    )


def together(shapes: Sequence[tuple[int, ...]]) -> list[FloatArray]:
    """Return arrays of some shapes, not filled, one after the other in one block of memory."""
    sizes = [prod(shape) for shape in shapes]
    block, ends = np.empty(sum(sizes)), accumulate(sizes)
    return [
        block[end - size : end].reshape(shape)
        for end, size, shape in zip(ends, sizes, shapes, strict=True)
    ]


_POSED: WeakKeyDictionary[Problem, tuple[_Problem, list[FloatArray]]] = WeakKeyDictionary()


def _posed(problem: Problem, prepared: _Prepared, steps: Steps) -> _Problem:
    """Return a problem as the library has it; kept, with what it points to, as long as it."""
    if problem not in _POSED:
        ratios = [(r.numerator, r.denominator, r.mean, r.sd, r.has_tails) for r in problem.ratios]
        arrays = [
            np.ascontiguousarray(values, dtype=np.float64)
            for values in (problem.data, problem.precision, *problem.bounds)
        ]
        arrays += [np.ascontiguousarray(problem.fixed), np.array(ratios, dtype=np.float64)]
        posed = _Problem(
            prepared.model,
            _humps(problem.humps),
            *(array.ctypes.data for array in arrays),
            len(ratios),
            problem.hump_precision,
            problem.tolerance,
            problem.rounding,
            *steps.damping,
            (_DOUBLE * N_COMMON)(*steps.stride),
            steps.iterations,
        )
        _POSED[problem] = posed, arrays
    return _POSED[problem][0]


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A model as the library has it, and the arrays that it points to."""

    model: _Model
    arrays: tuple[FloatArray, ...]


_KEPT: WeakKeyDictionary[MetaboliteModel, _Prepared | None] = WeakKeyDictionary()


def _prepared(model: MetaboliteModel) -> _Prepared | None:
    """Return a model as the library has it, None where it cannot; kept as long as the model."""
    if type(model) is not MetaboliteModel:  # one of other spectra
        return None
    if model not in _KEPT:
        _KEPT[model] = _prepare(model)
    return _KEPT[model]


def _prepare(model: MetaboliteModel) -> _Prepared | None:
    n_points = model.time.size
    factors = _factors(n_points)
    if not factors or len(factors) > _MOST_FACTORS or factors[-1] > _LARGEST_FACTOR:
        return None
    n_batches = -(-(model.n_components + _SHARED) // _LANES)
    twiddles = np.exp(-2j * np.pi / n_points * np.arange(n_points))
    arrays = (
        _in_lanes(model.delay_series(), -(-model.n_components // _LANES)),
        twiddles.view(np.float64),
        *(np.ascontiguousarray(one, np.int64) for one in (model.bins, model.moves, model.widens)),
    )
    described = _Model(
        n_points,
        model.n_components,
        model.bins.size,
        model.moves.size,
        model.widens.size,
        n_batches,
        len(factors),
        (_INT * _MOST_FACTORS)(*factors),
        float(model.time[0]),
        model.dwell_time_s,
        GAUSS_RATE,
        *(array.ctypes.data for array in arrays),
    )
    return _Prepared(described, arrays)


def _in_lanes(series: ComplexArray, n_batches: int) -> FloatArray:
    """Return a series (order, component, point) eight components side by side, others zero.

    Shape (batch, point, order, 2, 8): real parts, then imaginary parts.
    """
    n_orders, n_components, n_points = series.shape
    lanes = np.zeros((n_batches * _LANES, n_points, n_orders, 2))
    lanes[:n_components, :, :, 0] = series.real.transpose(1, 2, 0)
    lanes[:n_components, :, :, 1] = series.imag.transpose(1, 2, 0)
    by_batch = lanes.reshape(n_batches, _LANES, n_points, n_orders, 2)
    return np.ascontiguousarray(by_batch.transpose(0, 2, 3, 4, 1))


def _factors(number: int) -> list[int]:
    """Return factors in ascending order, fours before twos."""
    found = []
    for factor in (4, 2, *range(3, number + 1, 2)):
        while number % factor == 0:
            found.append(factor)
            number //= factor
        if number == 1:
            break
    return found


def _humps(grid: HumpGrid) -> _Humps:
    """Return a grid of humps as the library has it; the grid's arrays are contiguous."""
    frequency, spectra = grid.frequency_hz, grid.spectra
    return _Humps(frequency.size, frequency.ctypes.data, spectra.ctypes.data)
