"""A levels table with outcomes, read and checked: one row per disc, tab or comma separated.

The columns are those of a dataset's ``levels.tsv``: participant_id, level, run, status, verdict,
provocation (or another outcome), and each quantity with its ``_sd``. A ``pfirrmann`` column, where
there is one, parts painless discs into healthy and degenerated.

What a cell may not say is an error that names its line: a disc read otherwise than it was meant, or
twice, would teach the model something that nobody measured. Rows that say clearly why they do not
count (failed, poor, without an outcome, measured again) are left out and counted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf, isfinite, nan
from pathlib import Path

import numpy as np

from mrs_disc.data import parse_level
from mrs_disc.errors import InputError, ReadError, did_you_mean
from mrs_disc.tables import read_table
from mrs_disc.typing import BoolArray, FloatArray

MIN_DISCS, MIN_OF_EACH, MIN_PATIENTS = 20, 8, 6
POSITIVE = ("positive", "painful", "yes", "true", "1")
NEGATIVE = ("negative", "painless", "no", "false", "0")
MISSING = ("", "n/a", "nan")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Cohort:
    """Discs with a known outcome.

    Parameters
    ----------
    patients : tuple of str, one per disc
    painful : bool array, shape (disc,)
    pfirrmann : float array, shape (disc,)
        NaN where it is not known.
    columns : mapping of str to float array, shape (disc,)
        Every numeric column; NaN where a cell is empty.
    skipped : mapping of str to int
        Why rows were left out, and how many.
    """

    patients: tuple[str, ...]
    painful: BoolArray
    pfirrmann: FloatArray
    columns: Mapping[str, FloatArray]
    skipped: Mapping[str, int]
    name: str

    @property
    def n_patients(self) -> int:
        """Number of patients."""
        return len(set(self.patients))

    def take(self, rows: Sequence[int] | np.ndarray) -> Cohort:
        """Return the discs of these rows."""
        chosen = np.asarray(rows, dtype=np.int64)
        return Cohort(
            patients=tuple(self.patients[i] for i in chosen),
            painful=self.painful[chosen],
            pfirrmann=self.pfirrmann[chosen],
            columns={name: values[chosen] for name, values in self.columns.items()},
            skipped=self.skipped,
            name=self.name,
        )

    def column(self, name: str) -> FloatArray:
        """Return a column, or say which there are."""
        if name not in self.columns:
            raise InputError(
                f"{self.name}: no column '{name}'.{did_you_mean(name, self.columns)} "
                f"Numeric columns: {', '.join(list(self.columns)[:12])} …"
            )
        return self.columns[name]


def read_cohort(path: Path, outcome: str = "provocation") -> Cohort:
    """Return the discs of a table whose outcome is known.

    Raises
    ------
    InputError
        If the table cannot be read, lacks a column, says something that no disc can have, or holds
        too few discs of either outcome.
    """
    if path.is_dir():
        raise ReadError(path, "is a folder; name the table in it, as a batch's levels.tsv")
    rows = [_Row(path, row.line, row.cells) for row in read_table(path)]
    if not rows:
        raise ReadError(path, "has no rows")
    header = list(rows[0].cells)
    for needed in ("participant_id", "level", outcome):
        if needed not in header:
            raise InputError(
                f"{path.name}: no column '{needed}'.{did_you_mean(needed, header)} "
                f"Columns: {', '.join(header[:12])}{' …' if len(header) > 12 else ''}"
            )
    kept, painful, skipped = _with_outcome(rows, outcome, path)
    _check_numbers(kept, header)
    cohort = Cohort(
        patients=tuple(row.cells["participant_id"] for row in kept),
        painful=np.array(painful, dtype=bool),
        pfirrmann=np.array([row.grade for row in kept]),
        columns=_numeric(kept, header),
        skipped=skipped,
        name=path.name,
    )
    check_size(cohort, outcome)
    return cohort


def check_size(cohort: Cohort, outcome: str = "provocation") -> None:
    """Refuse a cohort that is too small, or has one outcome only."""
    n, positive = cohort.painful.size, int(cohort.painful.sum())
    left_out = ", ".join(f"{count} {why}" for why, count in cohort.skipped.items())
    note = f" (left out: {left_out})" if left_out else ""
    if positive == 0 or positive == n:
        only = "painful" if positive else "painless"
        raise InputError(
            f"{cohort.name}: all {n} discs with '{outcome}' are {only}; both kinds are needed{note}"
        )
    if n < MIN_DISCS or min(positive, n - positive) < MIN_OF_EACH:
        raise InputError(
            f"{cohort.name}: {positive} painful and {n - positive} painless discs{note}; at least "
            f"{MIN_DISCS} discs and {MIN_OF_EACH} of each kind are needed"
        )
    if cohort.n_patients < MIN_PATIENTS:
        raise InputError(
            f"{cohort.name}: {cohort.n_patients} patients; at least {MIN_PATIENTS} are needed, "
            "because cross-validation leaves out whole patients"
        )


@dataclass(frozen=True, slots=True)
class _Row:
    """One line of the table; what it says is checked where it is asked for."""

    path: Path
    line: int
    cells: Mapping[str, str]

    def wrong(self, what: str) -> InputError:
        """Return the error that names the line."""
        return InputError(f"{self.path.name}, line {self.line}: {what}")

    @property
    def disc(self) -> tuple[str, str, str] | None:
        """Patient, session and level in its one spelling; `None` where it is no disc level."""
        patient = self.cells["participant_id"]
        if patient.lower() in MISSING:
            raise self.wrong("participant_id is missing; whose disc it is has to be known")
        try:
            return patient, self.cells.get("session_id", ""), parse_level(self.cells["level"])
        except InputError:
            return None

    def word(self, column: str, allowed: Sequence[str]) -> str:
        """Return a cell of few allowed words in small letters; empty where it is missing."""
        word = self.cells.get(column, "").lower()
        if word in MISSING:
            return ""
        if word not in allowed:
            raise self.wrong(f"{column} = '{word[:20]}': {', '.join(allowed)} or n/a expected")
        return word

    @property
    def grade(self) -> float:
        """Pfirrmann grade, NaN where it is not known."""
        grade = self.number("pfirrmann")
        if isfinite(grade) and grade not in (1, 2, 3, 4, 5):
            raise self.wrong(f"pfirrmann = {grade:g}: 1 to 5 or n/a expected")
        return grade

    def number(self, column: str) -> float:
        """Return the number of a cell, NaN where it is missing."""
        cell = self.cells.get(column, "")
        if cell.lower() in MISSING:
            return nan
        try:
            value = float(cell)
        except ValueError:
            value = inf
        if not isfinite(value):
            raise self.wrong(
                f"{column} = '{cell[:20]}' is no number; write n/a where it is missing"
            )
        if column.endswith("_sd") and value < 0:
            raise self.wrong(f"{column} = {value:g}: a standard deviation cannot be below 0")
        return value


def _with_outcome(
    rows: Sequence[_Row], outcome: str, path: Path
) -> tuple[list[_Row], list[bool], dict[str, int]]:
    """Return the usable rows, their outcome, and how many were left out for which reason."""
    kept: list[_Row] = []
    painful: list[bool] = []
    skipped: dict[str, int] = {}
    lines: dict[tuple[str, ...], int] = {}
    discs: set[tuple[str, ...]] = set()

    def skip(why: str) -> None:
        skipped[why] = skipped.get(why, 0) + 1

    for row in rows:
        disc, value = row.disc, row.cells[outcome].lower()
        if disc is None:
            skip(f"at '{row.cells['level'][:20]}', which is no disc level")
            continue
        run = (*disc, row.cells.get("run", str(row.line)))
        if run in lines:
            raise row.wrong(
                f"{' '.join(filter(None, disc))} run {run[-1]} stands in line {lines[run]} already"
            )
        lines[run] = row.line
        if value not in (*POSITIVE, *NEGATIVE):
            known = value in (*MISSING, "indeterminate")
            skip("without a clear outcome" if known else f"with the outcome '{value[:20]}'")
        elif row.word("status", ("ok", "failed")) == "failed":
            skip("failed")
        elif row.word("verdict", ("good", "acceptable", "poor")) == "poor":
            skip("of poor quality")
        elif disc in discs:
            skip("measured again")
        else:
            discs.add(disc)
            kept.append(row)
            painful.append(value in POSITIVE)
    if not kept:
        why = ", ".join(f"{n} {w}" for w, n in skipped.items()) or "no rows"
        raise InputError(
            f"{path.name}: no disc can be used ({why}); '{outcome}' has to say positive or negative"
        )
    return kept, painful, skipped


_FEW_NUMBERS, _AGREE = 6, 0.05
"""Numbers that make a row known again; relative difference within which a ratio is that of its
parts, rounded."""


def _check_numbers(rows: Sequence[_Row], header: Sequence[str]) -> None:
    """Refuse one measurement under two names, and ratios that are not those of their parts."""
    names = [n for n in header if n.endswith("_sd") or f"{n}_sd" in header]
    seen: dict[tuple[float, ...], int] = {}
    for row in rows:
        numbers = tuple(row.number(name) for name in names)
        known = tuple(value for value in numbers if isfinite(value))
        if len(known) >= _FEW_NUMBERS and seen.setdefault(known, row.line) != row.line:
            raise row.wrong(f"has all the numbers of line {seen[known]}: one disc under two names")
        acidity, structure, ratio = (
            row.number(name) for name in ("acidity", "structure", "acidity/structure")
        )
        if not (acidity > 0 and structure > 0 and ratio > 0):  # also where one is not known
            continue
        if abs(ratio * structure / acidity - 1) > _AGREE:
            raise row.wrong(
                f"acidity/structure = {ratio:g}, but {acidity:g} / {structure:g} is "
                f"{acidity / structure:.4g}: are these of one disc, in one unit?"
            )
        logarithm = row.number("log(acidity/structure)")
        if abs(logarithm - np.log(ratio)) > _AGREE:
            raise row.wrong(
                f"log(acidity/structure) = {logarithm:g}, but that of {ratio:g} is "
                f"{np.log(ratio):.4g} (natural)"
            )


def _numeric(rows: Sequence[_Row], header: Sequence[str]) -> dict[str, FloatArray]:
    """Return the columns with numbers; of a quantity with its sd every cell has to be one."""
    quantities = {name for name in header if f"{name}_sd" in header}
    quantities |= {name for name in header if name.endswith(("_sd", "_low", "_high"))}
    columns = {
        name: np.array(
            [row.number(name) if name in quantities else _any(row, name) for row in rows]
        )
        for name in header
    }
    return {name: values for name, values in columns.items() if np.any(np.isfinite(values))}


def _any(row: _Row, name: str) -> float:
    try:
        return row.number(name)
    except InputError:
        return nan
