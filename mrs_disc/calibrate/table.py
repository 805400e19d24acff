"""A levels table with outcomes, read and checked: one row per disc, tab or comma separated.

The columns are those of a dataset's ``levels.tsv``: participant_id, level, run, status, verdict,
provocation (or another outcome), and each quantity with its ``_sd``. A ``pfirrmann`` column, where
there is one, parts painless discs into healthy and degenerated.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite, nan
from pathlib import Path

import numpy as np

from mrs_disc.errors import InputError, ReadError, did_you_mean
from mrs_disc.typing import BoolArray, FloatArray

MIN_DISCS, MIN_OF_EACH, MIN_PATIENTS = 20, 8, 6
POSITIVE = ("positive", "painful", "yes", "true", "1")
NEGATIVE = ("negative", "painless", "no", "false", "0")
MAX_TABLE_BYTES = 200_000_000


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
        If the table cannot be read, lacks a column, or holds too few discs of either outcome.
    """
    rows, header = _rows(path)
    for needed in ("participant_id", "level", outcome):
        if needed not in header:
            raise InputError(
                f"{path.name}: no column '{needed}'.{did_you_mean(needed, header)} "
                f"Columns: {', '.join(header[:12])}{' …' if len(header) > 12 else ''}"
            )
    kept, painful, skipped = _with_outcome(rows, outcome, path)
    cohort = Cohort(
        patients=tuple(row["participant_id"] for row in kept),
        painful=np.array(painful, dtype=bool),
        pfirrmann=np.array([_number(row.get("pfirrmann", "")) for row in kept]),
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


def _rows(path: Path) -> tuple[list[dict[str, str]], list[str]]:
    try:
        if path.is_dir():
            raise ReadError(path, "is a folder; name the table in it, as a batch's levels.tsv")
        if path.stat().st_size > MAX_TABLE_BYTES:
            raise ReadError(path, "is too large for a table of discs")
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ReadError(path, f"cannot be read ({error.strerror or error})") from error
    except UnicodeDecodeError as error:
        raise ReadError(path, "is not UTF-8 text; save it as UTF-8") from error
    lines = text.splitlines()
    if not lines:
        raise ReadError(path, "is empty")
    delimiter = "\t" if "\t" in lines[0] else ","
    try:
        reader = csv.DictReader(lines, delimiter=delimiter, restval="")
        rows = [{k: (v or "").strip() for k, v in row.items() if k is not None} for row in reader]
    except csv.Error as error:
        raise ReadError(path, f"is not a table: {error}") from error
    header = [name for name in (reader.fieldnames or []) if name]
    return rows, header


def _with_outcome(
    rows: Sequence[dict[str, str]], outcome: str, path: Path
) -> tuple[list[dict[str, str]], list[bool], dict[str, int]]:
    """Return the usable rows, their outcome, and how many were left out for which reason."""
    kept: list[dict[str, str]] = []
    painful: list[bool] = []
    skipped: dict[str, int] = {}

    def skip(why: str) -> None:
        skipped[why] = skipped.get(why, 0) + 1

    seen: set[tuple[str, str, str]] = set()
    for row in rows:
        value = row[outcome].lower()
        if value not in (*POSITIVE, *NEGATIVE):
            known = value in ("", "n/a", "nan", "indeterminate")
            skip("without a clear outcome" if known else f"with the outcome '{value[:20]}'")
        elif row.get("status", "ok") not in ("ok", ""):
            skip("failed")
        elif row.get("verdict", "") == "poor":
            skip("of poor quality")
        elif (row["participant_id"], row.get("session_id", ""), row["level"]) in seen:
            skip("measured again")
        else:
            seen.add((row["participant_id"], row.get("session_id", ""), row["level"]))
            kept.append(row)
            painful.append(value in POSITIVE)
    if not kept:
        why = ", ".join(f"{n} {w}" for w, n in skipped.items()) or "no rows"
        raise InputError(
            f"{path.name}: no disc can be used ({why}); '{outcome}' has to say positive or negative"
        )
    return kept, painful, skipped


def _numeric(rows: Sequence[dict[str, str]], header: Sequence[str]) -> dict[str, FloatArray]:
    columns = {name: np.array([_number(row.get(name, "")) for row in rows]) for name in header}
    return {name: values for name, values in columns.items() if np.any(np.isfinite(values))}


def _number(cell: str) -> float:
    try:
        value = float(cell)
    except ValueError:
        return nan
    return value if isfinite(value) else nan
