"""The optimum from which a fit goes on: starts worth a solution, and the choice among them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mrs_disc.signal.fit.inputs import FitBasis
from mrs_disc.signal.fit.model import (
    DELAY,
    GAUSS2,
    LORENTZ,
    N_COMMON,
    PHASE,
    SHIFT,
    MetaboliteModel,
)
from mrs_disc.signal.fit.solver import Problem, Solution, solve
from mrs_disc.signal.fit.start import Start
from mrs_disc.typing import FloatArray

_RIVAL = 0.9  # of the best start's gain; less is another peak under the wrong component
_UPRIGHT = 0.5  # of the most upright start's; less explains peaks by lines upside down
_ELSEWHERE = 2.0  # of the noise: what a disc's residual stays below, whatever lies in its baseline


def rivals(starts: list[Start]) -> list[Start]:
    """Return the starts that are worth a solution, of which there is one at least.

    Where the model lacks lines that the data have (brain under the model of discs), lines under the
    wrong peaks, some of them upside down, end at the lower cost.
    """
    near = [start for start in starts if start.gain > _RIVAL * starts[0].gain]
    most = max(start.upright for start in near)
    return [start for start in near if start.upright >= _UPRIGHT * most]


def best_of(
    starts: Sequence[Start], problem: Problem, basis: FitBasis
) -> tuple[Problem, Start, Solution]:
    """Return the optimum to go on from, with the problem that it solves and where it started.

    The rule:

    1. Of several starts the one is taken that what every disc holds explains best: with all that
       may be there, other lines would do as well. A start that its solution left comes last. From
       the best solution the search goes on with all that may be there.
    2. A single start is solved with all that may be there.
    3. What may be there does not stand for all that a model lacks. Where the residual is
       `_ELSEWHERE` times the noise there is none of it, and no component has a width of its own:
       that start is solved anew.

    Parameters
    ----------
    starts : sequence of Start
        One or more, from `rivals`.
    problem : Problem
        With the baseline as the solver knows it.
    basis : FitBasis
        Says what not every disc holds.
    """
    usual = replace(problem, ratios=basis.normal_ratios(usual=True))
    first = usual if len(starts) > 1 else problem
    solutions = [_solved(first, start) for start in starts]
    start, best = min(zip(starts, solutions, strict=True), key=_lost_and_cost)
    if first is usual:
        best = solve(problem, best.parameters)
    if basis.presence and best.misfit > _ELSEWHERE:
        fixed = problem.fixed.copy()
        fixed[N_COMMON + problem.model.moves.size :] = True
        problem = replace(usual, fixed=fixed)
        best = _solved(problem, start)
    return problem, start, best


def _solved(problem: Problem, start: Start) -> Solution:
    has_delay = not problem.fixed[DELAY]
    return solve(problem, first_guess(problem.model, start, has_delay=has_delay))


def _lost_and_cost(pair: tuple[Start, Solution]) -> tuple[bool, float]:
    """Return what ranks solutions: one that left its start is under other lines, cheap or not."""
    start, solution = pair
    return start.lost(solution.parameters[SHIFT]), solution.cost


def first_guess(model: MetaboliteModel, start: Start, *, has_delay: bool) -> FloatArray:
    """Return non-linear parameters from a point of the grid, the delay zero where it is held."""
    parameters = np.zeros(model.n_nonlinear)
    parameters[SHIFT] = start.shift_hz
    # Between the shapes: both parts are free to move, and neither begins on its bound of zero.
    parameters[LORENTZ] = 0.6 * start.width_hz
    parameters[GAUSS2] = (0.5 * start.width_hz) ** 2
    parameters[PHASE] = start.phase_rad
    parameters[DELAY] = start.delay_s if has_delay else 0.0
    return parameters
