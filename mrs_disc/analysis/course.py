"""Examinations of one person over time: the change of each disc, and how well it repeats.

A change is the last value less the first. Its interval adds the errors of both in quadrature, each
side by itself, so that lopsided intervals stay lopsided. Which errors, depends on what the two have
in common. Measured and analysed alike, what nobody knows (baseline, ratios, relaxation times) is
wrong in both by the same, and the error of repetition counts: the scatter of repeats with new noise
alone. It holds no new planning of the voxel, no other shim and no physiology; repeats within an
examination measure those in part. Otherwise, and where an older record does not have it, the error
of the truth counts, which makes the interval too wide rather than too narrow. A value below two
standard deviations enters a difference with its standard deviation, as it was measured; the
logarithm of one does not exist, and its ratio counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Literal, TypeAlias

from mrs_disc.constants import Z95
from mrs_disc.data.places import is_repeat
from mrs_disc.record.level import Level, Results
from mrs_disc.record.levels import level_order
from mrs_disc.record.parts import Quantity
from mrs_disc.scoring.comparison import repeatability

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


Error: TypeAlias = Literal["repetition", "truth"]
"""Which error the interval of a change is made from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One quantity of one disc over time; `reason` where no change can be told."""

    level: str
    quantity: str
    values: tuple[Quantity | None, ...]
    difference: float | None
    low: float | None
    high: float | None
    error: Error | None = None
    reason: str = ""

    @property
    def beyond_error(self) -> bool:
        """Whether the interval of the change excludes zero."""
        return self.low is not None and self.high is not None and not self.low <= 0 <= self.high


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeatability:
    """Bland and Altman's coefficient, with its degrees of freedom.

    `expected` is what the noise alone would give, by the error of repetition; `None` where a
    record does not have it.
    """

    quantity: str
    coefficient: float
    freedom: int
    expected: float | None = None


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


def alike(records: Sequence[Results]) -> bool:
    """Return whether the examinations were measured and analysed alike, as far as they say."""
    return len({r.recipe_sha256 for r in records}) == 1 and not _protocols_differ(records)


def cautions(records: Sequence[Results]) -> list[str]:
    """Return what may feign or hide a change."""
    notes = [
        f"{level} may be another disc: its name is {why} in one of the examinations"
        for level, why in sorted(uncertain(records).items(), key=lambda item: level_order(item[0]))
    ]
    subjects = {r.study_id.partition("_ses-")[0].partition("/")[0] for r in records}
    if len(subjects) > 1:
        notes.append(
            f"The studies bear different names ({', '.join(sorted(subjects))}): make sure that "
            "they are of one person"
        )
    if len({r.recipe_sha256 for r in records}) > 1:
        notes.append("The examinations were analysed with different recipes or models")
    notes += _same_measurements(records)
    notes += _protocols_differ(records)
    return notes


_SAME, _FEW = 1e-4, 3
"""Relative difference of all amounts below which two measurements are one: formats round at 1e-6,
and measured again, three or more amounts are never all that near."""


def _same_measurements(records: Sequence[Results]) -> list[str]:
    """Return which levels have one measurement under the names of two examinations."""
    copied: set[str] = set()
    for k, record in enumerate(records):
        for other in records[:k]:
            for level in record.levels:
                copied |= {level.level for one in other.levels if _one_measurement(level, one)}
    if not copied:
        return []
    named = ", ".join(sorted(copied, key=level_order))
    return [f"{named}: two examinations have the same measurement, copied or converted: no change"]


def _one_measurement(one: Level, other: Level) -> bool:
    if one.level != other.level or one.measured is None or other.measured is None:
        return False
    mine, its = one.measured.fit.metabolites, other.measured.fit.metabolites
    pairs = [(mine[name].amplitude, its[name].amplitude) for name in mine.keys() & its.keys()]
    return len(pairs) >= _FEW and all(abs(a - b) <= _SAME * abs(a) for a, b in pairs)


def _protocols_differ(records: Sequence[Results]) -> list[str]:
    """Return in what the protocols of the discs differ."""
    notes = []
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


def uncertain(records: Sequence[Results]) -> dict[str, str]:
    """Return the levels whose name is not certain in one of the examinations, and why.

    A guess counts until a signature confirms it; a contradiction that was accepted stays one.
    """
    found: dict[str, str] = {}
    for record in records:
        confirmed: set[str] = set()
        if record.review is not None and record.review.signed:
            signatures = [act for act in record.review.history if act.act == "sign"]
            confirmed = set(signatures[-1].levels_confirmed) if signatures else set()
        for noticed in record.findings:
            level = noticed.subject.partition(" run ")[0]
            if noticed.kind == "level_unconfirmed" and noticed.subject not in confirmed:
                found.setdefault(level, "not confirmed")
            elif noticed.about.role == "forbids" and not is_repeat(noticed):
                found[level] = "contradicted by the files"
    return found


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


def course(examinations: Sequence[Examination], *, error: Error = "truth") -> Course:
    """Return the change of every disc from the first to the last examination that has it.

    Parameters
    ----------
    examinations : sequence of Examination
        In the order of time.
    error : "repetition" or "truth"
        Which error counts, where a record has it: that of repetition for examinations that are
        `alike`.
    """
    levels = sorted({lv for e in examinations for lv in e.levels}, key=level_order)
    changes = [
        _change(
            level, quantity, [e.levels.get(level, {}).get(quantity) for e in examinations], error
        )
        for level in levels
        for quantity in COMPARED
    ]
    found = []
    for quantity in COMPARED:
        repeats = [_known(runs, quantity) for e in examinations for runs in e.runs.values()]
        if (result := repeatability(repeats)) is not None:
            runs = [runs for e in examinations for runs in e.runs.values() if len(runs) > 1]
            found.append(
                Repeatability(
                    quantity=quantity,
                    coefficient=result[0],
                    freedom=result[1],
                    expected=_expected(runs, quantity),
                )
            )
    return Course(
        names=tuple(e.name for e in examinations),
        changes=tuple(c for c in changes if any(v is not None for v in c.values)),
        repeatability=tuple(found),
    )


def _known(runs: Sequence[Mapping[str, Quantity]], quantity: str) -> list[float]:
    """Return the values of the runs that have one, as measured."""
    found = [_ends(q) for run in runs if (q := run.get(quantity)) is not None]
    return [ends[0] for ends in found if ends is not None]


def _expected(repeated: Sequence[Sequence[Mapping[str, Quantity]]], quantity: str) -> float | None:
    """Return the coefficient that noise alone gives, or `None` where a run does not say."""
    found = [q for runs in repeated for run in runs if (q := run.get(quantity)) is not None]
    known = [q.repetition_sd for q in found if _ends(q) is not None]
    told = [sd for sd in known if sd is not None]
    if not told or len(told) < len(known):
        return None
    return Z95 * sqrt(2) * sqrt(sum(sd * sd for sd in told) / len(told))


def _change(level: str, quantity: str, values: Sequence[Quantity | None], error: Error) -> Change:
    seen = [q for q in values if q is not None and (q.value is not None or q.limit is not None)]
    reason, difference, low, high = "", None, None, None
    if any(q.repetition_sd is None for q in (*seen[:1], *seen[-1:])):
        error = "truth"
    if len(seen) < 2:
        why = next((q.reason for q in values if q is not None and q.value is None), "")
        reason = ("measured once" if seen else "never measured") + (f" ({why})" if why else "")
    else:
        ends = _ends(seen[0], error), _ends(seen[-1], error)
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
        error=None if difference is None else error,
        reason=reason,
    )


Ends = tuple[float, float | None, float | None]
"""A value with the lower and upper end of its 95 % interval."""


def _ends(quantity: Quantity, error: Error = "truth") -> Ends | None:
    """Return value and interval; of an upper limit what lies behind it, if it can be told."""
    if quantity.value is None or (quantity.limit is not None and quantity.sd is None):
        return None
    if error == "repetition" and quantity.repetition_sd is not None:
        half = Z95 * quantity.repetition_sd
        return quantity.value, quantity.value - half, quantity.value + half
    if quantity.limit is None:
        return quantity.value, quantity.low, quantity.high
    half = Z95 * (quantity.sd or 0.0)
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
