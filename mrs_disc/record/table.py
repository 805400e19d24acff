"""The columns of every table of levels, what each means, and how its cells are written.

One row is one level and run. ``levels.csv`` of a study, ``levels.tsv`` of a dataset and whoever
reads them back take their columns from here, so that a name means the same everywhere.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mrs_disc.record.level import Level, Measured
from mrs_disc.record.review import DECIDED, Review
from mrs_disc.words import harmless, quantity_word

MISSING = "n/a"
"""What a tab-separated table has where nothing is known, as BIDS asks."""
_FORMULA = ("=", "+", "-", "@", "|", "%")
"""What a spreadsheet takes for the beginning of a formula."""


@dataclass(frozen=True, slots=True)
class Column:
    """What a column means: text, unit, and the words that may be in it."""

    description: str
    units: str = ""
    levels: Mapping[str, str] = field(default_factory=dict)

    @property
    def entry(self) -> dict[str, Any]:
        """The column in a data dictionary of BIDS."""
        entry: dict[str, Any] = {"Description": self.description}
        entry |= {"Units": self.units} if self.units else {}
        return entry | ({"Levels": dict(self.levels)} if self.levels else {})


COLUMNS: dict[str, Column] = {
    "study_id": Column("The examination."),
    "participant_id": Column("Participant, as the dataset names it."),
    "session_id": Column("Session, where the participant has sessions."),
    "level": Column("Intervertebral disc."),
    "run": Column("Number of the measurement of this level, from 1."),
    "status": Column(
        "Whether the disc could be measured.",
        levels={"ok": "measured", "failed": "not measured; the reason is told"},
    ),
    "verdict": Column(
        "Quality of the spectrum; empty where failed.",
        levels={
            "good": "fit for any use",
            "acceptable": "fit for use with care",
            "poor": "not scored",
        },
    ),
    "label": Column(
        "What the score says; research use only; empty where failed.",
        levels={
            "likely painful": "score at or above the recipe's upper limit",
            "indeterminate": "between the limits, or not scored",
            "unlikely painful": "score at or below the recipe's lower limit",
        },
    ),
    "score": Column("Probability by the score model that the disc is a source of pain.", "1"),
    "score_low": Column("2.5th percentile of the probability over the measurement error.", "1"),
    "score_high": Column("97.5th percentile of the probability over the measurement error.", "1"),
    "provocation": Column("Result of provocation testing, as given."),
    "reasons": Column("Reasons of quality and score, or the error of a failed level."),
    "concordance": Column("How score and images (and provocation) agree."),
    "snr": Column("Height of the quality peak / standard deviation of the real noise.", "1"),
    "linewidth_hz": Column("Full width at half maximum of the quality peak.", "Hz"),
    "drift_hz": Column("Range of the smoothed frequencies of the transients.", "Hz"),
    "n_transients": Column("Transients in the file.", "1"),
    "n_rejected": Column("Transients left out of the average.", "1"),
    "residual_water": Column("Residual water / height of the quality peak.", "1"),
    "review": Column("What the reviewer decided on this level: accepted, rejected, unsure."),
    "review_reason": Column("Reason that the reviewer gave."),
    "review_status": Column("State of the study's review for this result."),
    "reviewed_by": Column("Name or initials of who signed this result."),
    "reviewed_at": Column("Time of the signature, UTC."),
    "recipe_sha256": Column("SHA-256 of the resolved recipe and its models."),
    "notice": Column("What these numbers may be used for."),
}

PARTS: dict[str, str] = {
    "": "",
    "_sd": ": one standard deviation",
    "_low": ": lower end of the 95 % interval",
    "_high": ": upper end of the 95 % interval; one-sided where the value is an upper limit",
    "_limit": ": 'upper' where the value is below two standard deviations and only _high counts",
}
"""A quantity's columns: what follows its name, and what that means."""


def _measured(take: Callable[[Measured], object]) -> Callable[[Level], object]:
    return lambda level: None if level.measured is None else take(level.measured)


_CELLS: dict[str, Callable[[Level], object]] = {
    "level": lambda level: level.level,
    "run": lambda level: level.run,
    "status": lambda level: "failed" if level.measured is None else "ok",
    "verdict": _measured(lambda m: m.quality.verdict),
    "label": _measured(lambda m: m.score.label),
    "score": _measured(lambda m: m.score.value),
    "score_low": _measured(lambda m: m.score.low),
    "score_high": _measured(lambda m: m.score.high),
    "provocation": lambda level: level.provocation and level.provocation.result,
    "reasons": lambda level: "; ".join(_reasons(level)),
    "concordance": lambda level: level.concordance,
    "snr": _measured(lambda m: m.quality.snr),
    "linewidth_hz": _measured(lambda m: m.quality.linewidth_hz),
    "drift_hz": _measured(lambda m: m.quality.drift_hz),
    "n_transients": _measured(lambda m: m.quality.n_transients),
    "n_rejected": _measured(lambda m: m.quality.n_rejected),
    "residual_water": _measured(lambda m: m.quality.residual_water),
    "review": lambda level: level.review and level.review.words,
}


def _reasons(level: Level) -> tuple[str, ...]:
    if level.measured is None:
        return (level.failure.message,)
    return (*level.measured.quality.reasons, *level.measured.score.reasons)


def cells_of(level: Level, names: Iterable[str]) -> dict[str, object]:
    """Return the values of a level's columns of these names."""
    return {name: _CELLS[name](level) for name in names}


def quantities_of(level: Level, names: Iterable[str], parts: Iterable[str]) -> dict[str, object]:
    """Return the values of a level's columns of quantities; nothing where it has none."""
    row: dict[str, object] = {}
    for name in names:
        quantity = level.quantities.get(name)
        for part in parts:
            value = None if quantity is None else getattr(quantity, part[1:] or "value")
            row[f"{name}{part}"] = value
    return row


def review_columns(review: Review, level: str, run: int) -> dict[str, str]:
    """Return the columns that the table of a dataset has for the review of one level."""
    decided = review.level(level, run)
    return {
        "review": DECIDED[decided.decision] if decided.decision else "",
        "review_reason": decided.reason,
        "review_status": review.status,
        "reviewed_by": review.signed_by or "",
        "reviewed_at": review.signed_at or "",
    }


def dictionary(names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return the data dictionary of these columns."""
    return {name: COLUMNS[name].entry for name in names}


def quantity_dictionary(
    name: str, parts: Iterable[str], unit: str = "", how: str = ""
) -> dict[str, dict[str, Any]]:
    """Return the data dictionary of a quantity's columns.

    Parameters
    ----------
    name : str
        The quantity.
    parts : iterable of str
        Of `PARTS`.
    unit, how : str
        Its unit, and how it is derived, where that is known.
    """
    entries: dict[str, dict[str, Any]] = {}
    for part in parts:
        column = Column(quantity_word(name) + PARTS[part], "" if part == "_limit" else unit or "1")
        entries[f"{name}{part}"] = column.entry
    if how:
        entries[name]["Derivation"] = harmless(how, 300)
    return entries


def cell(value: object, missing: str = MISSING, digits: int = 10, limit: int = 2000) -> str:
    r"""Return one cell of a table; text can be no formula and breaks no line.

    >>> cell(None), cell(0.1234567890123), cell("=1+1"), cell("a\tb"), cell(None, "")
    ('n/a', '0.123456789', "'=1+1", 'a b', '')
    """
    if value is None or value == "":
        return missing
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.{digits}g}" if math.isfinite(value) else missing
    if isinstance(value, int):
        return str(value)
    text = harmless(str(value).encode("utf-8", "backslashreplace").decode("utf-8"), limit)
    return f"'{text}" if text[:1] in _FORMULA else text or missing
