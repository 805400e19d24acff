"""The root of a function of one variable between two places of opposite sign.

`scipy.optimize.brentq` does the same; to import it costs an eighth of a cold start and 16 MB, in
each process of a batch.

Source: Chandrupatla, A new hybrid quadratic/bisection algorithm for finding the zero of a nonlinear
function without using derivatives, Adv Eng Softw 1997;28:145-149,
doi:10.1016/S0965-9978(96)00051-8.
"""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt, ulp

from mrs_disc.errors import InputError

_MOST = 200
"""Steps; halving alone takes 100 from the widest bracket that matters to rounding."""


def root(function: Callable[[float], float], left: float, right: float, within: float) -> float:
    """Return where a continuous function is zero.

    Parameters
    ----------
    function : callable
        Of opposite sign at the two ends, or zero at one.
    left, right : float
        The ends.
    within : float
        How far off the root may be; never less than rounding.

    Raises
    ------
    InputError
        If the function has the same sign at both ends.

    Examples
    --------
    >>> round(root(lambda x: x * x - 2, 0.0, 2.0, 1e-12), 9)
    1.414213562
    """
    newest, at_newest = float(left), function(left)
    other, at_other = float(right), function(right)
    if at_newest * at_other > 0:
        raise InputError(
            f"no root is certain between {left:g} and {right:g}: the function is {at_newest:g} and "
            f"{at_other:g} there, expected are opposite signs"
        )
    share = 0.5
    for _ in range(_MOST):
        place = newest + share * (other - newest)
        value = function(place)
        if (value > 0) == (at_newest > 0):
            before, at_before = newest, at_newest
        else:
            before, at_before = other, at_other
            other, at_other = newest, at_newest
        newest, at_newest = place, value
        best, at_best = min(((newest, at_newest), (other, at_other)), key=lambda end: abs(end[1]))
        room = abs(other - newest)
        least = 2 * ulp(best) + 0.5 * within
        if at_best == 0 or room <= 2 * least:
            return best
        share = _share((newest, at_newest), (other, at_other), (before, at_before))
        share = min(max(share, least / room), 1 - least / room)
    return best


Point = tuple[float, float]  # place and value


def _share(newest: Point, other: Point, before: Point) -> float:
    """Return how far from the newest place to the other end to go.

    By inverse quadratic interpolation where that stays between them, else half of the way.
    """
    (a, at_a), (b, at_b), (c, at_c) = newest, other, before
    across = (a - b) / (c - b)
    down = (at_a - at_b) / (at_c - at_b)
    if 1 - sqrt(1 - across) < down < sqrt(across):
        first = at_a / (at_b - at_a) * at_c / (at_b - at_c)
        second = (c - a) / (b - a) * at_a / (at_c - at_a) * at_b / (at_c - at_b)
        return first + second
    return 0.5
