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
from mrs_disc.record.review import DECIDED, LevelReview, Review
from mrs_disc.words import component_word, harmless, quantity_word

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
            "likely painful": "likelihood ratio at or above the recipe's upper limit, probability "
            "at or above one half",
            "indeterminate": "between the limits, or not scored",
            "unlikely painful": "likelihood ratio at or below the recipe's lower limit, "
            "probability at or below one half",
        },
    ),
    "likelihood_ratio": Column(
        "How many times as likely the measurement is of a painful disc as of a painless one; "
        "empty where the score model has no such ratio.",
        "1",
    ),
    "likelihood_ratio_low": Column("2.5th percentile over the patient's common offset.", "1"),
    "likelihood_ratio_high": Column("97.5th percentile over the patient's common offset.", "1"),
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
    "echo_time_s": Column("Echo time.", "s"),
    "repetition_time_s": Column("Repetition time.", "s"),
    "pfirrmann": Column("Pfirrmann grade, 1 to 5, as given or as the reviewer saw it."),
    "modic": Column("Modic type, 0 to 3; 0: none."),
    "hiz": Column("High-intensity zone.", levels={"true": "seen", "false": "not seen"}),
    "herniation": Column("Herniation: none, bulge, protrusion, extrusion or sequestration."),
    "disc_height_loss": Column("Loss of disc height: none, mild, moderate or severe."),
    "voxel_disc_percent": Column(
        "Share of disc in the voxel by the grey values of the image; empty where not certain.", "%"
    ),
    "voxel_bone_percent": Column("Share of bone marrow in the voxel, estimated alike.", "%"),
    "voxel_fat_percent": Column("Share of fat or fluid in the voxel, estimated alike.", "%"),
    "residual_water": Column("Residual water / height of the quality peak.", "1"),
    "review": Column("What the reviewer decided on this level: accepted, rejected, unsure."),
    "review_reason": Column("Reason that the reviewer gave."),
    "review_status": Column("State of the study's review for this result."),
    "reviewed_by": Column("Name or initials of who signed this result."),
    "reviewed_at": Column("Time of the signature, UTC."),
    "recipe_sha256": Column("SHA-256 of the resolved recipe and its models."),
    "notice": Column("What these numbers may be used for."),
}

MORPHOLOGY = ("pfirrmann", "modic", "hiz", "herniation", "disc_height_loss")
TISSUE = ("voxel_disc_percent", "voxel_bone_percent", "voxel_fat_percent")
AMPLITUDE_PARTS: dict[str, str] = {
    "_amplitude": "amplitude at the start of the FID, proton- and T2-weighted; may be negative",
    "_amplitude_sd": "amplitude: one standard deviation",
}
"""A component's columns: what follows its name, and what that means."""

PARTS: dict[str, str] = {
    "": "",
    "_sd": ": one standard deviation, of the truth",
    "_repetition_sd": ": one standard deviation over repeats of the measurement, new noise alone",
    "_low": ": lower end of the 95 % interval",
    "_high": ": upper end of the 95 % interval; one-sided where the value is an upper limit",
    "_limit": ": 'upper' where the value is below two standard deviations and only _high counts",
}
"""A quantity's columns: what follows its name, and what that means."""

LEVELS_HEAD = (
    *("level", "run", "status", "verdict", "label"),
    *("score", "score_low", "score_high", "provocation"),
    *("likelihood_ratio", "likelihood_ratio_low", "likelihood_ratio_high"),
)
LEVELS_PARTS = ("", "_sd", "_repetition_sd", "_low", "_high")
LEVELS_MEASURED = (
    *("snr", "linewidth_hz", "echo_time_s", "repetition_time_s"),
    *("drift_hz", "n_transients", "n_rejected"),
    *MORPHOLOGY,
    *TISSUE,
)
"""``levels.tsv``: what stands before the quantities, their columns, and what stands behind."""


def _measured(take: Callable[[Measured], object]) -> Callable[[Level], object]:
    return lambda level: None if level.measured is None else take(level.measured)


def _seen(name: str) -> Callable[[Level], object]:
    return lambda level: None if level.morphology is None else getattr(level.morphology, name)


_CELLS: dict[str, Callable[[Level], object]] = {
    "level": lambda level: level.level,
    "run": lambda level: level.run,
    "status": lambda level: "failed" if level.measured is None else "ok",
    "verdict": _measured(lambda m: m.quality.verdict),
    "label": _measured(lambda m: m.score.label),
    "likelihood_ratio": _measured(lambda m: m.score.evidence and m.score.evidence.value),
    "likelihood_ratio_low": _measured(lambda m: m.score.evidence and m.score.evidence.low),
    "likelihood_ratio_high": _measured(lambda m: m.score.evidence and m.score.evidence.high),
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
    "echo_time_s": _measured(lambda m: m.protocol.echo_time_s),
    "repetition_time_s": _measured(lambda m: m.protocol.repetition_time_s),
    **{name: _seen(name) for name in MORPHOLOGY},
    "voxel_disc_percent": lambda level: level.tissue and level.tissue.disc_percent,
    "voxel_bone_percent": lambda level: level.tissue and level.tissue.bone_percent,
    "voxel_fat_percent": lambda level: level.tissue and level.tissue.fat_percent,
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


def amplitudes_of(level: Level, names: Iterable[str]) -> dict[str, object]:
    """Return the columns of a level's components: amplitude and standard deviation."""
    row: dict[str, object] = {}
    for name in names:
        found = level.fit.metabolites.get(name) if level.fit is not None else None
        row[f"{name}_amplitude"] = None if found is None else found.amplitude
        row[f"{name}_amplitude_sd"] = None if found is None else found.sd
    return row


def levels_cells(
    level: Level,
    quantities: Iterable[str],
    components: Iterable[str],
    parts: Iterable[str] = LEVELS_PARTS,
) -> dict[str, object]:
    """Return one disc as a row of ``levels.tsv``, without whose it is and its review."""
    return {
        **cells_of(level, LEVELS_HEAD),
        **quantities_of(level, quantities, parts),
        **amplitudes_of(level, components),
        **cells_of(level, LEVELS_MEASURED),
    }


def amplitude_dictionary(name: str) -> dict[str, dict[str, Any]]:
    """Return the data dictionary of a component's columns."""
    return {
        f"{name}{part}": Column(
            f"{component_word(name)}: {words}", "signal units of the file"
        ).entry
        for part, words in AMPLITUDE_PARTS.items()
    }


def review_columns(review: Review, level: Level) -> dict[str, str]:
    """Return the columns that the table of a dataset has for the review of one level."""
    decided = level.review or LevelReview()
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
