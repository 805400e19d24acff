"""Intervals, verdicts and labels on discs that the fitted model does not describe.

Each disc of a row of ``stress.toml`` goes from its samples through the whole analysis: the rule
that every row is held to stands at `StressLine`. Ratios are judged in Fieller's form, which has no
trouble with a weak denominator: a ratio r of a over b holds where a - r b lies within 1.96 of its
standard deviations of zero.
"""

from __future__ import annotations

import multiprocessing
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from copy import deepcopy
from dataclasses import asdict, dataclass, field
from functools import cache, partial
from math import exp
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field, model_validator

from mrs_disc.analysis import analyze
from mrs_disc.constants import Z95
from mrs_disc.data import DiscEntry, FitResult, Study
from mrs_disc.errors import InputError, did_you_mean
from mrs_disc.models.scores import PopulationScore, load_score_model
from mrs_disc.recipe import Recipe
from mrs_disc.record.level import Level
from mrs_disc.record.parts import Quantity
from mrs_disc.record.wording import KINDS
from mrs_disc.schema import StrictModel, load_toml
from mrs_disc.threads import one_blas_thread
from mrs_disc.validate.stress_rows import (
    ACIDITY,
    LOG,
    RATIO,
    REFERRED,
    STRUCTURE,
    StressCase,
    StressDisc,
    laid_over,
    merged,
    stress_case,
)

AMOUNTS = ("PG", "LAC", "ALA", "PA", "CHO")
LEAST_HELD, LEAST_NAMED, MOST_FALSE = 0.90, 0.80, 0.20
"""The rule [P]: least share of intervals that hold, or of verdicts that name the cause, and most
false ones among the labels "likely painful"."""

LIKELY = "likely painful"
_SET = 1_000_003  # below a row's stream, apart from any index of a disc


class StressRow(StrictModel):
    """A row, whose `given` is what it says itself, without the head of the file."""

    name: str = Field(min_length=1)
    text: str = Field(min_length=1)
    stream: Annotated[int, Field(ge=0)] | tuple[int, ...]
    sets: Annotated[int, Field(ge=1)] | None = None
    causes: tuple[str, ...] = ()
    disc: StressDisc
    given: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _known_causes(self) -> StressRow:
        for kind in self.causes:
            if kind not in KINDS:
                raise ValueError(f"no finding is of the kind '{kind}'.{did_you_mean(kind, KINDS)}")
        return self

    def make(self, seed: int, index: int) -> StressCase:
        """Return a disc of the row, the same for the same seed and index."""
        streams = self.stream if isinstance(self.stream, tuple) else (self.stream,)
        own = np.random.SeedSequence(seed, spawn_key=(*streams, index))
        place = index % self.sets if self.sets else index
        common = np.random.SeedSequence(seed, spawn_key=(*streams, _SET, place))
        return stress_case(self.disc, np.random.default_rng(own), np.random.default_rng(common))


class _Rows(StrictModel):
    source: str
    status: str
    row: tuple[StressRow, ...] = Field(min_length=1)
    head: dict[str, Any] = Field(default_factory=dict)
    """What holds for all rows."""

    @model_validator(mode="before")
    @classmethod
    def _whole_rows(cls, content: Any) -> Any:
        head = content.get("disc", {})
        rows = []
        for row in content.get("row", ()):
            own = row.get("disc", {})
            rows.append(dict(row) | {"disc": laid_over(head, own), "given": deepcopy(own)})
        return {key: value for key, value in content.items() if key != "disc"} | {
            "row": rows,
            "head": deepcopy(head),
        }

    @model_validator(mode="after")
    def _apart(self) -> _Rows:
        for key in ("name", "stream"):
            values = [getattr(row, key) for row in self.row]
            for value in values:
                if values.count(value) > 1:
                    raise ValueError(f"{key} = {value!r} stands in two rows")
        return self


@cache
def load_rows() -> _Rows:
    """Return the shipped rows."""
    return load_toml(Path(__file__).with_name("stress.toml"), _Rows)


def row_names() -> tuple[str, ...]:
    """Return the names of all rows."""
    return tuple(row.name for row in load_rows().row)


@cache
def stress_row(name: str) -> StressRow:
    """Return a row, or two rows together that are named "A+B".

    Raises
    ------
    InputError
        If a row does not exist, or the two say different things of one field.
    """
    rows = {row.name: row for row in load_rows().row}
    parts = [part.strip() for part in name.split("+")]
    for part in parts:
        if part not in rows:
            raise InputError(
                f"no row is named '{part}'.{did_you_mean(part, rows)} "
                f"Rows: {', '.join(rows)}; two together as 'A+B'."
            )
    if len(parts) == 1:
        return rows[parts[0]]
    if len(parts) > 2 or parts[0] == parts[1]:
        raise InputError(f"'{name}': two different rows go together, as 'A+B'")
    first, second = (rows[part] for part in parts)
    try:
        given = merged(first.given, second.given)
    except ValueError as error:
        raise InputError(
            f"'{name}': both rows set {error}, so they do not go together; choose another pair"
        ) from error
    streams = [row.stream for row in (first, second)]
    return StressRow.model_validate(
        {
            "name": name,
            "text": f"{first.text}; {second.text}",
            "stream": tuple(streams),
            "sets": first.sets or second.sets,
            "causes": (*first.causes, *second.causes),
            "disc": laid_over(load_rows().head, given),
            "given": given,
        }
    )


# ------------------------------------------------------------------------------ one disc


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one disc.

    `painful` is its class, `borne` whether its true r lies where a label "likely painful" leans on.
    `held` says of each quantity that has an interval whether it holds the truth, `quoted` the same
    of the interval as the report has it. `error` is relative to the truth (of the logarithm the
    difference), `z` in quoted standard deviations. `reasons` are the kinds of the verdict's
    findings.
    """

    poor: bool
    painful: bool
    borne: bool
    label: str
    reasons: tuple[str, ...]
    held: Mapping[str, bool]
    quoted: Mapping[str, bool]
    error: Mapping[str, float]
    z: Mapping[str, float] = field(default_factory=dict)


@one_blas_thread
def stress_outcome(seed: int, name: str, index: int) -> Outcome:
    """Take one disc of a row through the analysis."""
    case = stress_row(name).make(seed, index)
    borne = on_painful_side(case.truth[LOG])
    entry = DiscEntry(level="L4-L5", load=lambda: case.acquisition, inputs=tuple)
    report = analyze(Study(study_id="stress", discs=(entry,)), Recipe()).levels[0]
    record = report.record
    if record.measured is None or report.measurement is None:
        stopped = () if record.error is None else record.error.findings
        return Outcome(
            poor=True,
            painful=case.painful,
            borne=borne,
            label="failed",
            reasons=tuple(one.kind for one in stopped),
            held={},
            quoted={},
            error={},
        )
    quality = record.measured.quality
    return Outcome(
        poor=quality.verdict == "poor",
        painful=case.painful,
        borne=borne,
        label=record.measured.score.label,
        reasons=tuple(one.kind for one in quality.findings),
        held=_held(report.measurement.fit, record, case.truth),
        quoted=_quoted(record, case.truth),
        error=_errors(report.measurement.fit, record, case.truth),
        z=_deviations(report.measurement.fit, case.truth),
    )


def on_painful_side(ratio: float) -> bool:
    """Say whether painful discs have a true r of this size more often than painless ones.

    Densities are those of the score's model, each class by its share, but for a common factor.
    """
    model = load_score_model("acidity_structure")
    assert isinstance(model, PopulationScore)
    of_painful = of_painless = 0.0
    for one in model.disc_class:
        density = one.share * exp(-0.5 * ((ratio - one.mean) / one.sd) ** 2) / one.sd
        of_painful += density if one.painful else 0.0
        of_painless += 0.0 if one.painful else density
    prevalence = model.prevalence
    return of_painful / prevalence > of_painless / (1 - prevalence)


def _held(fit: FitResult, record: Level, truth: Mapping[str, float]) -> dict[str, bool]:
    """Say which intervals hold: of amounts as quoted, of ratios in Fieller's form."""
    assert record.measured is not None
    found = {}
    for name in AMOUNTS:
        one = record.measured.fit.metabolites[name]
        found[name] = _inside(truth[name], one.low, one.high, one.limit)
    found[RATIO] = _fieller(fit, {"LAC": 1.0}, {"PG": 1.0}, truth[RATIO])
    found[LOG] = _fieller(fit, ACIDITY, STRUCTURE, exp(truth[LOG]))
    if REFERRED in truth:
        found[REFERRED] = _quantity(record.measured.quantities[REFERRED], truth[REFERRED])
    return found


def _inside(truth: float, low: float | None, high: float | None, limit: str | None) -> bool:
    lowest = -np.inf if low is None or limit == "upper" else low
    return bool(lowest <= truth <= (np.inf if high is None else high))


def _quantity(quantity: Quantity, truth: float) -> bool:
    return _inside(truth, quantity.low, quantity.high, quantity.limit)


def _fieller(
    fit: FitResult, upper: Mapping[str, float], lower: Mapping[str, float], ratio: float
) -> bool:
    """Say whether a ratio of sums lies in its 95 % interval, in Fieller's form."""
    weights = np.zeros(len(fit.names))
    for parts, sign in ((upper, 1.0), (lower, -ratio)):
        for name, weight in parts.items():
            weights[fit.index(name)] += sign * weight
    sd = float(np.sqrt(weights @ fit.covariance @ weights))
    return bool(abs(float(weights @ fit.amplitude)) <= Z95 * sd)


def _quoted(record: Level, truth: Mapping[str, float]) -> dict[str, bool]:
    """Say of the ratios that have a quoted interval whether it holds."""
    assert record.measured is not None
    quantities = record.measured.quantities
    return {
        name: _quantity(quantities[name], truth[name])
        for name in (RATIO, LOG)
        if quantities[name].high is not None
    }


def _errors(fit: FitResult, record: Level, truth: Mapping[str, float]) -> dict[str, float]:
    assert record.measured is not None
    found = {n: float(fit.amplitude[fit.index(n)] / truth[n] - 1) for n in AMOUNTS}
    value = record.measured.quantities[LOG]
    if value.value is not None and value.limit is None:
        found[LOG] = value.value - truth[LOG]
    if REFERRED in truth and (amount := record.measured.quantities[REFERRED].value) is not None:
        found[REFERRED] = amount / truth[REFERRED] - 1
    return found


def _deviations(fit: FitResult, truth: Mapping[str, float]) -> dict[str, float]:
    places = {name: fit.index(name) for name in AMOUNTS}
    return {n: float((fit.amplitude[k] - truth[n]) / fit.sd[k]) for n, k in places.items()}


# ------------------------------------------------------------------------------ a row, the table


@dataclass(frozen=True, slots=True, kw_only=True)
class StressLine:
    """One row of the table; shares from 0 to 1, `None` where there was nothing to count.

    The rule: of the discs not graded poor each interval holds in 90 % or more, or the verdict names
    the cause in 80 % or more of all discs; of the labels "likely painful" up to 20 % are `false`:
    the disc's true r lies where painless discs are likelier. Classes overlap, so some of the discs
    are painless by class all the same (`painless`). `misses` says what of it does not hold.
    `error` and `z` are
    medians, `reasons` the number of discs by kind of finding, `sets` the share of PG's intervals
    in each set of discs with common humps, in rising order.
    """

    row: str
    text: str
    n: int
    poor: float
    named: float
    held: Mapping[str, float | None]
    quoted: Mapping[str, float | None]
    error: Mapping[str, float]
    z: Mapping[str, float]
    likely: int
    false: int
    painless: int
    reasons: Mapping[str, int]
    sets: tuple[float, ...]
    misses: tuple[str, ...]

    @property
    def lowest(self) -> float:
        """The lowest share of intervals that hold; 1 where none was given."""
        return min((share for share in self.held.values() if share is not None), default=1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stress:
    """The whole table."""

    seed: int
    discs: int
    lines: tuple[StressLine, ...]

    def as_json(self) -> dict[str, Any]:
        """Return plain JSON types."""
        return {
            "seed": self.seed,
            "discs": self.discs,
            "holds": not any(line.misses for line in self.lines),
            "rule": {"held": LEAST_HELD, "named": LEAST_NAMED, "false": MOST_FALSE},
            "lines": [asdict(line) | {"lowest": line.lowest} for line in self.lines],
        }


def validate_stress(
    seed: int = 0,
    discs: int = 200,
    *,
    rows: Sequence[str] | None = None,
    jobs: int = 1,
    progress: Callable[[str, int, int], None] | None = None,
) -> Stress:
    """Run discs of every row through the whole analysis.

    Parameters
    ----------
    seed : int
        Decides all discs; the number of `jobs` changes nothing.
    discs : int
        Discs of each row.
    rows : sequence of str, optional
        Names of rows, or "A+B" for two together; default all rows.
    jobs : int
        Processes.
    progress : callable, optional
        Called with the row's name, the number of discs done and of all.

    Raises
    ------
    InputError
        If a row does not exist, or two do not go together.
    """
    names = list(dict.fromkeys(rows or row_names()))
    for name in names:
        stress_row(name)
    workers = (
        nullcontext(None)
        if jobs == 1
        else ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn"))
    )
    lines = []
    with workers as pool:
        for name in names:
            one = partial(stress_outcome, seed, name)
            results: Iterable[Outcome]
            results = map(one, range(discs)) if pool is None else pool.map(one, range(discs))
            outcomes = []
            for outcome in results:
                outcomes.append(outcome)
                if progress is not None:
                    progress(name, len(outcomes), discs)
            lines.append(stress_line(stress_row(name), outcomes))
    return Stress(seed=seed, discs=discs, lines=tuple(lines))


def stress_line(row: StressRow, outcomes: Sequence[Outcome]) -> StressLine:
    """Count the outcomes of a row's discs, and hold them to the rule."""
    kept = [one for one in outcomes if not one.poor]
    quantities = [*AMOUNTS, RATIO, LOG, *((REFERRED,) if row.disc.pg_t2_s else ())]
    held = {name: _share(one.held.get(name) for one in kept) for name in quantities}
    likely = [one for one in kept if one.label == LIKELY]
    false = sum(not one.borne for one in likely)
    named = _share(bool(set(one.reasons) & set(row.causes)) for one in outcomes) or 0.0
    return StressLine(
        row=row.name,
        text=row.text,
        n=len(outcomes),
        poor=1 - len(kept) / len(outcomes),
        named=named,
        held=held,
        quoted={name: _share(one.quoted.get(name) for one in kept) for name in (RATIO, LOG)},
        error=_medians([one.error for one in kept]),
        z=_medians([one.z for one in kept]),
        likely=len(likely),
        false=false,
        painless=sum(not one.painful for one in likely),
        reasons=dict(Counter(kind for one in outcomes for kind in set(one.reasons)).most_common()),
        sets=_by_set(outcomes, row.sets),
        misses=_misses(held, named, len(likely), false),
    )


def _misses(
    held: Mapping[str, float | None], named: float, likely: int, false: int
) -> tuple[str, ...]:
    """Return what does not keep the rule: quantities, and the label."""
    low = [name for name, share in held.items() if share is not None and share < LEAST_HELD]
    misses = [] if named >= LEAST_NAMED else low
    return (*misses, *((LIKELY,) if false > MOST_FALSE * likely else ()))


def _share(values: Iterable[bool | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _medians(errors: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return the median of each error that any disc has."""
    names = dict.fromkeys(name for one in errors for name in one)
    return {name: float(np.median([e[name] for e in errors if name in e])) for name in names}


def _by_set(outcomes: Sequence[Outcome], sets: int | None) -> tuple[float, ...]:
    """Return the share of PG's intervals that hold in each set, in rising order."""
    shares = []
    for k in range(sets or 0):
        share = _share(one.held.get("PG") for one in outcomes[k::sets] if not one.poor)
        shares += [] if share is None else [share]
    return tuple(sorted(shares))
