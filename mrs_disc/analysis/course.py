"""Examinations of one person over time: the change of each disc, and how well it repeats.

A change is the last value less the first. Its interval adds the errors of both in quadrature, each
side by itself, so that lopsided intervals stay lopsided. What both examinations share (relaxation
times assumed for a grade, a lineshape the model does not know) cancels and makes the interval too
wide rather than too narrow. A value below two standard deviations enters a difference with its
standard deviation, as it was measured; the logarithm of one does not exist, and its ratio counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt

from mrs_disc.analysis.comparison import repeatability
from mrs_disc.constants import Z95
from mrs_disc.record.level import Results
from mrs_disc.record.levels import level_order
from mrs_disc.record.parts import Quantity

COMPARED = (
    "log(acidity/structure)",
    "acidity/structure",
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


def examined(records: Sequence[Results], folders: Sequence[str]) -> tuple[Examination, ...]:
    """Return the usable levels of each examination, under its study's name.

    Parameters
    ----------
    records : sequence of Results
        In the order of time.
    folders : sequence of str
        Where each lies: it tells studies of one name apart.
    """
    names = [record.study_id for record in records]
    if len(set(names)) < len(names):
        names = [f"{name} ({folder})" for name, folder in zip(names, folders, strict=True)]
    if len(set(names)) < len(names):
        names = [f"{name}, {k}" for k, name in enumerate(names, start=1)]
    found = []
    for name, record in zip(names, records, strict=True):
        runs: dict[str, list[Mapping[str, Quantity]]] = {}
        for level in record.levels:
            if level.usable:
                runs.setdefault(level.level, []).append(level.quantities)
        best = {lv.level: lv.quantities for lv in record.best.values() if lv.usable}
        found.append(Examination(name=name, levels=best, runs=runs))
    return tuple(found)


def cautions(records: Sequence[Results]) -> list[str]:
    """Return what may feign or hide a change."""
    notes = []
    subjects = {r.study_id.partition("_ses-")[0].partition("/")[0] for r in records}
    if len(subjects) > 1:
        notes.append(
            f"The studies bear different names ({', '.join(sorted(subjects))}): make sure that "
            "they are of one person"
        )
    if len({r.recipe_sha256 for r in records}) > 1:
        notes.append("The examinations were analysed with different recipes or models")
    protocols = [lv.measured.protocol for r in records for lv in r.levels if lv.measured]
    for what, values, digits, unit in (
        ("echo times", [p.echo_time_s for p in protocols], 4, "s"),
        ("repetition times", [p.repetition_time_s for p in protocols], 4, "s"),
        ("spectrometer frequencies", [p.spectrometer_mhz for p in protocols], 0, "MHz"),
    ):
        seen = sorted({round(value, digits) for value in values if value is not None})
        if len(seen) > 1:
            told = ", ".join(f"{value:g}" for value in seen)
            notes.append(f"The discs were measured with different {what} ({told} {unit})")
    return notes


def reviews(records: Sequence[Results], names: Sequence[str]) -> list[str]:
    """Return how each examination was reviewed, and which levels its reader took out."""
    notes = []
    for name, record in zip(names, records, strict=True):
        if record.review is None:
            continue
        notes.append(f"{name}: {record.review.words}")
        notes += [
            f"{name}, {level.title}: {level.review.words}; not compared"
            for level in record.levels
            if level.rejected and level.review is not None
        ]
    return notes


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
    """Return the values of the runs that have one, as measured."""
    found = [_ends(q) for run in runs if (q := run.get(quantity)) is not None]
    return [ends[0] for ends in found if ends is not None]


def _change(level: str, quantity: str, values: Sequence[Quantity | None]) -> Change:
    seen = [q for q in values if q is not None and (q.value is not None or q.limit is not None)]
    reason, difference, low, high = "", None, None, None
    if len(seen) < 2:
        why = next((q.reason for q in values if q is not None and q.value is None), "")
        reason = ("measured once" if seen else "never measured") + (f" ({why})" if why else "")
    else:
        ends = _ends(seen[0]), _ends(seen[-1])
        if ends[0] is None or ends[1] is None:
            reason = "an upper limit has no logarithm to take a difference of: see the ratio"
        else:
            difference, low, high = difference_of(ends[0], ends[1])
    return Change(
        level=level,
        quantity=quantity,
        values=tuple(values),
        difference=difference,
        low=low,
        high=high,
        reason=reason,
    )


Ends = tuple[float, float | None, float | None]
"""A value with the lower and upper end of its 95 % interval."""


def _ends(quantity: Quantity) -> Ends | None:
    """Return value and interval; of an upper limit what lies behind it, if it can be told."""
    if quantity.value is None:
        return None
    if quantity.limit is None:
        return quantity.value, quantity.low, quantity.high
    if quantity.sd is None:
        return None
    half = Z95 * quantity.sd
    return quantity.value, quantity.value - half, quantity.value + half


def difference_of(first: Ends, last: Ends) -> Ends:
    """Return last - first with its 95 % interval, the errors taken as independent.

    >>> [round(x, 3) for x in difference_of((1.0, 0.7, 1.3), (2.0, 1.6, 2.4))]
    [1.0, 0.5, 1.5]
    """
    (value, low, high), (later, later_low, later_high) = first, last
    difference = later - value
    if low is None or high is None or later_low is None or later_high is None:
        return difference, None, None
    below = sqrt((later - later_low) ** 2 + (high - value) ** 2)
    above = sqrt((later_high - later) ** 2 + (value - low) ** 2)
    return difference, difference - below, difference + above
