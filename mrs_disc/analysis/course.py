"""Examinations of one person over time: the change of each disc, and how well it repeats.

A change is the last value less the first. Its interval adds the errors of both in quadrature, each
side by itself, so that lopsided intervals stay lopsided. What both examinations share (relaxation
times assumed for a grade, a lineshape the model does not know) cancels and makes the interval too
wide rather than too narrow. Where a value is an upper limit there is no change to tell.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt

from mrs_disc.analysis.comparison import repeatability
from mrs_disc.data import Quantity, level_order

COMPARED = (
    "log(acidity/structure)",
    "LAC/PG",
    "LAAL/PG",
    "CHO/PG",
    "PG/water",
    "structure/water",
)
"""Quantities whose change is told, where they could be had."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """One examination: the best run of each level, and the values of all its usable runs."""

    name: str
    levels: Mapping[str, Mapping[str, Quantity]]
    runs: Mapping[str, Sequence[Mapping[str, Quantity]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One quantity of one disc over time; `reason` where no change can be told."""

    level: str
    quantity: str
    values: tuple[Quantity | None, ...]
    difference: float | None
    low: float | None
    high: float | None
    reason: str = ""

    @property
    def beyond_error(self) -> bool:
        """Whether the interval of the change excludes zero."""
        return self.low is not None and self.high is not None and not self.low <= 0 <= self.high


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeatability:
    """Bland and Altman's coefficient, with its degrees of freedom."""

    quantity: str
    coefficient: float
    freedom: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """All changes, and the repeatability where discs were measured more than once."""

    names: tuple[str, ...]
    changes: tuple[Change, ...]
    repeatability: tuple[Repeatability, ...]


def course(examinations: Sequence[Examination]) -> Course:
    """Return the change of every disc from the first to the last examination that has it.

    Parameters
    ----------
    examinations : sequence of Examination
        In the order of time.
    """
    levels = sorted({lv for e in examinations for lv in e.levels}, key=level_order)
    changes = [
        _change(level, quantity, [e.levels.get(level, {}).get(quantity) for e in examinations])
        for level in levels
        for quantity in COMPARED
    ]
    found = []
    for quantity in COMPARED:
        repeats = [_known(runs, quantity) for e in examinations for runs in e.runs.values()]
        if (result := repeatability(repeats)) is not None:
            found.append(Repeatability(quantity=quantity, coefficient=result[0], freedom=result[1]))
    return Course(
        names=tuple(e.name for e in examinations),
        changes=tuple(c for c in changes if any(v is not None for v in c.values)),
        repeatability=tuple(found),
    )


def _known(runs: Sequence[Mapping[str, Quantity]], quantity: str) -> list[float]:
    """Return the values of the runs that have one, upper limits left out."""
    found = [run.get(quantity) for run in runs]
    return [q.value for q in found if q is not None and q.value is not None and q.limit is None]


def _change(level: str, quantity: str, values: Sequence[Quantity | None]) -> Change:
    measured = [q for q in values if q is not None and q.value is not None]
    reason, difference, low, high = "", None, None, None
    if len(measured) < 2:
        why = next((q.reason for q in values if q is not None and q.value is None), "")
        reason = ("measured once" if measured else "never measured") + (f" ({why})" if why else "")
    elif any(q.limit is not None for q in (measured[0], measured[-1])):
        reason = "an upper limit is no value to take a difference of"
    else:
        difference, low, high = difference_of(measured[0], measured[-1])
    return Change(
        level=level,
        quantity=quantity,
        values=tuple(values),
        difference=difference,
        low=low,
        high=high,
        reason=reason,
    )


def difference_of(first: Quantity, last: Quantity) -> tuple[float, float | None, float | None]:
    """Return last - first with its 95 % interval, the errors taken as independent."""
    assert first.value is not None
    assert last.value is not None
    difference = last.value - first.value
    ends = (first.low, first.high, last.low, last.high)
    if any(end is None for end in ends):
        return difference, None, None
    first_low, first_high, last_low, last_high = (float(end) for end in ends if end is not None)
    below = sqrt((last.value - last_low) ** 2 + (first_high - first.value) ** 2)
    above = sqrt((last_high - last.value) ** 2 + (first.value - first_low) ** 2)
    return difference, difference - below, difference + above
