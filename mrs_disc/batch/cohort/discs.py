"""The discs of a cohort as arrays: values with their limits, groups, runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mrs_disc.errors import InputError, did_you_mean
from mrs_disc.record.level import VERDICT_RANK
from mrs_disc.typing import BoolArray, FloatArray, IntArray

if TYPE_CHECKING:
    import pandas as pd

RATIO = "likelihood_ratio"
_MISSING = ("", "n/a", "nan", "none")


@dataclass(frozen=True, slots=True, kw_only=True)
class Values:
    """A quantity of all rows.

    Parameters
    ----------
    value : float array, shape (row,)
        On `scale`; where `upper` the limit that the value lies below.
    upper, there : bool array, shape (row,)
        Whether it is a limit; whether there is either.
    scale : "log" or "linear"
    """

    value: FloatArray
    upper: BoolArray
    there: BoolArray
    scale: str

    def given(self, value: FloatArray) -> FloatArray:
        """Return values as the table of discs has them."""
        return np.exp(value) if self.scale == "log" else value


@dataclass(frozen=True, slots=True, kw_only=True)
class Discs:
    """The rows of a cohort; `best` marks the best usable run of each disc and session."""

    table: pd.DataFrame
    names: tuple[str, ...]
    participants: Mapping[str, Mapping[str, str]]
    patient: IntArray
    usable: BoolArray
    best: BoolArray
    n_copies: int = 0
    """Rows with the numbers of another, which are not used: one measurement under two names."""

    @classmethod
    def of(
        cls,
        table: pd.DataFrame,
        quantities: Sequence[str],
        participants: Mapping[str, Mapping[str, str]],
    ) -> Discs:
        """Sort out the rows of a table of `read_cohort`."""
        measured = [n.removesuffix("_limit") for n in table.columns if n.endswith("_limit")]
        known = (RATIO, *measured)
        for name in quantities:
            if name not in known:
                raise InputError(
                    f"no quantity '{name}'.{did_you_mean(name, known)} There are: "
                    f"{', '.join(known)}"
                )
        patient = np.unique(table["participant_id"].astype(str), return_inverse=True)[1]
        usable = np.array(table["verdict"].isin(["good", "acceptable"]), dtype=bool)
        if "review" in table:
            usable &= np.array(table["review"] != "rejected", dtype=bool)
        copies = _copies(table) & usable
        usable &= ~copies
        keys = _keys(table)
        rank = [
            (VERDICT_RANK.get(str(verdict), -1), 0.0 if snr != snr or snr is None else snr, -run)
            for verdict, snr, run in zip(table["verdict"], table["snr"], table["run"], strict=True)
        ]
        best = np.zeros(len(table), dtype=bool)
        runs: dict[tuple[str, ...], list[int]] = {}
        for row in np.flatnonzero(usable):
            runs.setdefault(keys[row], []).append(int(row))
        for rows in runs.values():
            best[max(rows, key=rank.__getitem__)] = True
        return cls(
            table=table,
            names=tuple(dict.fromkeys(quantities or known)),
            participants=participants,
            patient=patient,
            usable=usable,
            best=best,
            n_copies=int(copies.sum()),
        )

    @property
    def out(self) -> int:
        """How many rows are not usable."""
        return int((~self.usable).sum())

    @property
    def failed(self) -> list[tuple[str, str]]:
        """Studies without a record, and why."""
        return [(name, f"no record, {why}") for name, why in self.table.attrs["failed"].items()]

    def values(self, name: str) -> Values:
        """Return a quantity, with limits as limits."""
        value = np.array(self.table[name], dtype=float)
        upper = np.zeros(value.size, dtype=bool)
        if f"{name}_limit" in self.table:
            upper = np.array(self.table[f"{name}_limit"] == "upper", dtype=bool)
            value = np.where(upper, np.array(self.table[f"{name}_high"], dtype=float), value)
        there = np.isfinite(value)
        upper &= there
        seen = value[there & self.usable]
        linear = name == "score" or name.startswith("log(")
        scale = "log" if not linear and seen.size and (seen > 0).all() else "linear"
        if scale == "log":
            value = np.log(np.where(there & (value > 0), value, 1.0))
        return Values(value=value, upper=upper, there=there & self.usable, scale=scale)

    def labels(self, column: str) -> list[str]:
        """Return what a column says of each row; empty where it says nothing."""
        if column in self.table:
            return [_word(value) for value in self.table[column]]
        known = list(dict.fromkeys(name for row in self.participants.values() for name in row))
        if column not in known:
            columns = [*self.table.columns, *known]
            raise InputError(
                f"no column '{column}' in the table of discs or in participants.tsv."
                f"{did_you_mean(column, columns)} 'mrs-disc collect' writes the first, "
                "--participants names the second"
            )
        return [
            _word(self.participants.get(str(one), {}).get(column))
            for one in self.table["participant_id"]
        ]

    def runs(self, there: BoolArray) -> tuple[IntArray, IntArray, IntArray]:
        """Return the rows of discs measured twice or more, whose they are, and their order."""
        keys = _keys(self.table)
        rows_of: dict[tuple[str, ...], list[int]] = {}
        for row in np.flatnonzero(there):
            rows_of.setdefault(keys[row], []).append(int(row))
        chosen = [
            (row, disc, order)
            for disc, rows in enumerate(rows_of.values())
            if len(rows) > 1
            for order, row in enumerate(sorted(rows, key=lambda r: int(self.table["run"].iloc[r])))
        ]
        rows, disc, order = np.array(chosen, dtype=np.int64).reshape(-1, 3).T
        return rows, disc, order

    def head(self, row: int) -> dict[str, Any]:
        """Return whose disc a row is."""
        names = ("participant_id", "session_id", "level")
        return {name: _word(self.table[name].iloc[row]) or None for name in names}

    def rows(self, columns: Sequence[str]) -> list[dict[str, object]]:
        """Return every disc as it enters: groups, and each quantity with its limit."""
        labels = {name: self.labels(name) for name in columns if name != "provocation"}
        labels = {"provocation": self.labels("provocation")} | labels
        values = {name: self.values(name) for name in ("score", *self.names)}
        rows = []
        for row in range(len(self.table)):
            told: dict[str, object] = self.head(row) | {
                "run": int(self.table["run"].iloc[row]),
                "usable": bool(self.usable[row]),
                "best_run": bool(self.best[row]),
            }
            told |= {name: words[row] or None for name, words in labels.items()}
            for name, of in values.items():
                number = float(of.given(of.value[row : row + 1])[0]) if of.there[row] else None
                told |= {name: number}
                if f"{name}_limit" in self.table:
                    told |= {f"{name}_limit": "upper" if of.upper[row] else None}
            rows.append(told)
        return rows


def _keys(table: pd.DataFrame) -> list[tuple[str, ...]]:
    columns = (table[name] for name in ("participant_id", "session_id", "level"))
    return [tuple(_word(part) for part in key) for key in zip(*columns, strict=True)]


_FEW_NUMBERS = 6


def _copies(table: pd.DataFrame) -> BoolArray:
    """Return which rows hold the measured numbers of a row before them, to the last digit."""
    names = [n for n in table.columns if n.endswith("_sd") or f"{n}_sd" in table.columns]
    copies = np.zeros(len(table), dtype=bool)
    if len(names) < _FEW_NUMBERS:
        return copies
    numbers = np.array(table[names], dtype=float)
    seen: set[bytes] = set()
    for row in np.flatnonzero(np.isfinite(numbers).sum(axis=1) >= _FEW_NUMBERS):
        key = numbers[row].tobytes()
        copies[row] = key in seen
        seen.add(key)
    return copies


def _word(value: object) -> str:
    """Return a cell as a word; a whole number without its point."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    word = str(value).strip()
    return "" if word.lower() in _MISSING else word


def group_codes(labels: Sequence[str], use: BoolArray) -> tuple[list[str], IntArray]:
    """Return the groups in order, and the number of each row's group; -1: none.

    >>> group_codes(["10", "9", ""], np.array([True, True, True]))
    (['9', '10'], array([ 1,  0, -1]))
    """

    def order(word: str) -> tuple[float, str]:
        try:
            return float(word), word
        except ValueError:
            return float("inf"), word

    names = sorted(
        {word for word, used in zip(labels, use, strict=True) if word and used}, key=order
    )
    place = {name: k for k, name in enumerate(names)}
    return names, np.array([place.get(word, -1) for word in labels], dtype=np.int64)
