"""What the page may send, checked, and the words that follow from it.

The words of impression and concordance come from the analysis' own functions, applied to the record
as the reviewer left it; each act carries them into the log.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any, Literal, Self, cast, get_args

from pydantic import AfterValidator, Field, TypeAdapter, ValidationError, model_validator

from mrs_disc.analysis.impression import PRELIMINARY, concordance, impression
from mrs_disc.data import (
    Completeness,
    DiscScore,
    FitResult,
    HeightLoss,
    Herniation,
    LevelFailure,
    LevelMeasurement,
    LevelReport,
    Morphology,
    Preprocessed,
    Provocation,
    Quality,
    Quantities,
    Quantity,
    Verdict,
)
from mrs_disc.errors import InputError
from mrs_disc.report.results import level_key
from mrs_disc.report.review_log import Act, Decision, ReviewLog, review_of, reviewed
from mrs_disc.report.schema import Digest, Level, results_of
from mrs_disc.schema import StrictModel

REASONS = (
    "low signal",
    "broad lines",
    "lipid contamination",
    "motion or drift",
    "voxel misplaced",
    "residual water",
    "baseline",
    "fit does not follow the data",
    "artefact",
    "other, see comment",
)
HERNIATIONS, HEIGHT_LOSSES = get_args(Herniation), get_args(HeightLoss)

_DIRECTIONS = set("\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def tidy(text: str) -> str:
    r"""Return typed text in composed form, without control and direction characters.

    >>> tidy(" a\u202eb\x00\r\nc ")
    'ab\nc'
    """
    text = unicodedata.normalize("NFC", text.replace("\r\n", "\n"))
    kept = (
        c
        for c in text
        if c == "\n" or (c not in _DIRECTIONS and unicodedata.category(c) not in ("Cc", "Cs"))
    )
    return "".join(kept).strip()


def _one_line(text: str) -> str:
    return " ".join(tidy(text).split())


def _not_empty(text: str) -> str:
    if not text:
        raise ValueError("name or initials are needed")
    return text


Name = Annotated[str, Field(max_length=80), AfterValidator(_one_line), AfterValidator(_not_empty)]
Line = Annotated[str, Field(max_length=200), AfterValidator(_one_line)]
Comment = Annotated[str, Field(max_length=2000), AfterValidator(tidy)]


class Sent(StrictModel):
    """What every act carries: who, and which state of log and results the page has seen."""

    reviewer: Name
    head: Digest
    results_sha256: Digest


class LevelSent(Sent):
    """A decision on one level."""

    act: Literal["level"]
    key: Annotated[str, Field(max_length=40)]
    decision: Decision
    verdict: Verdict | None = None
    reason: Line = ""
    comment: Comment = ""

    @model_validator(mode="after")
    def _says_why(self) -> Self:
        if self.decision != "accept" and not self.reason:
            raise ValueError("a reason is needed to reject a level or to be unsure of it")
        if self.verdict is not None and not (self.reason or self.comment):
            raise ValueError("a reason or a comment is needed to change the quality")
        return self


class MorphologySent(Sent):
    """What the reader saw on the images of one level."""

    act: Literal["morphology"]
    key: Annotated[str, Field(max_length=40)]
    pfirrmann: Annotated[int, Field(ge=1, le=5, strict=True)] | None = None
    modic: Annotated[int, Field(ge=0, le=3, strict=True)] | None = None
    hiz: Annotated[bool, Field(strict=True)] | None = None
    herniation: Herniation | None = None
    disc_height_loss: HeightLoss | None = None

    @property
    def morphology(self) -> dict[str, Any]:
        """The five fields as the record has them."""
        names = ("pfirrmann", "modic", "hiz", "herniation", "disc_height_loss")
        return {name: getattr(self, name) for name in names}


class SignSent(Sent):
    """A signature under the study."""

    act: Literal["sign"]


AnySent = Annotated[LevelSent | MorphologySent | SignSent, Field(discriminator="act")]
_ADAPTER: TypeAdapter[LevelSent | MorphologySent | SignSent] = TypeAdapter(AnySent)


def sent(body: bytes) -> LevelSent | MorphologySent | SignSent:
    """Return what the page sent.

    Raises
    ------
    InputError
        If it is not an act, or lacks what an act needs.
    """
    try:
        return _ADAPTER.validate_json(body)
    except ValidationError as error:
        mistake = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(p) for p in mistake["loc"] if p not in ("level", "morphology", "sign"))
        message = mistake["msg"].removeprefix("Value error, ")
        raise InputError(f"{where}: {message}" if where else message) from None


# --------------------------------------------------------------------------- consequences


def fields_of(
    act: LevelSent | MorphologySent | SignSent,
    record: Mapping[str, Any],
    log: ReviewLog,
    results_sha256: str,
    time: str,
) -> dict[str, Any]:
    """Return the fields of an act's line, with the words that follow from it.

    Parameters
    ----------
    act : LevelSent, MorphologySent or SignSent
        What the page sent.
    record : mapping
        The content of ``results.json``.
    log : ReviewLog
        The log before the act.
    results_sha256 : str
        Of ``results.json``.
    time : str
        UTC, as the line will have it.

    Raises
    ------
    InputError
        If the level is not in the results, or was not measured.
    """
    fields: dict[str, Any] = {"reviewer": act.reviewer, "act": act.act}
    if isinstance(act, LevelSent | MorphologySent):
        level, run = _level_of(act.key)
        entry = _entry(record, level, run)
        if isinstance(act, LevelSent) and entry["status"] != "ok":
            raise InputError(f"{act.key} was not measured; there is no spectrum to decide on")
        fields |= {"level": level, "run": run}
    if isinstance(act, LevelSent):
        fields |= {
            "decision": act.decision,
            "verdict": act.verdict if act.verdict != entry["quality"]["verdict"] else None,
            "reason": act.reason,
            "comment": act.comment,
        }
    elif isinstance(act, MorphologySent):
        keys = (level_key(e["level"], e["run"]) for e in record["levels"] if e["level"] == level)
        others = {key: "" for key in keys if key != level_key(level, run)}
        fields |= {"morphology": act.morphology} | ({"other_runs": others} if others else {})
    elif any(a.act == "sign" and a.results_sha256 == results_sha256 for a in log.acts[-1:]):
        raise InputError("this result is signed already, and nothing was changed since")
    draft = Act.model_validate(
        {"n": 1, "previous": log.head, "time": time, "results_sha256": results_sha256, **fields}
    )
    levels, completeness = levels_after(record, replace(log, acts=(*log.acts, draft)), draft)
    if fields.get("level"):
        words = {level_key(r.level, r.run): r.concordance for r in levels}
        fields["concordance"] = words[draft.key]
        if draft.other_runs:
            fields["other_runs"] = {key: words[key] for key in draft.other_runs}
    text = impression(levels, completeness)
    if act.act == "sign":
        # without the name: its full stops would end sentences, and the status line has it
        text = text.replace(PRELIMINARY, f"reviewed and signed on {time[:10]}")
    return fields | {"impression": text}


def _level_of(key: str) -> tuple[str, int]:
    level, _, run = key.partition("_run-")
    return level, int(run) if run.isdecimal() else 1


def _entry(record: Mapping[str, Any], level: str, run: int) -> dict[str, Any]:
    for entry in record["levels"]:
        if (entry["level"], entry["run"]) == (level, run):
            return cast("dict[str, Any]", entry)
    raise InputError(f"this study has no {level} run {run}")


def levels_after(
    record: Mapping[str, Any], log: ReviewLog, act: Act
) -> tuple[list[LevelReport], Completeness]:
    """Return levels and completeness as they stand after the acts of a log."""
    from pathlib import Path

    review = review_of(log, act.results_sha256)
    after = reviewed(record, review)
    results = results_of(after, Path("results.json"))
    levels = []
    for level in results.levels:
        decision = review.level(level.level, level.run).decision
        report = level_report(level, rejected=decision == "reject")
        levels.append(replace(report, concordance=concordance(report)))
    complete = results.completeness
    return levels, Completeness(
        n_levels=complete.n_levels,
        min_levels=complete.min_levels,
        met=complete.met,
        missing=complete.missing,
    )


def level_report(level: Level, *, rejected: bool = False) -> LevelReport:
    """Return a level of a record as the wording functions take it.

    A rejected level has no measurement, so that another run speaks for it where there is one. The
    wording asks a measurement for its quality and quantities alone: signal and fit stay out.
    """
    score = DiscScore(**level.score.model_dump()) if level.score else None
    measurement = None
    if level.measured and not rejected:
        assert level.quality is not None
        assert level.quantities is not None
        values = {n: Quantity(**q.model_dump()) for n, q in level.quantities.items()}
        measurement = LevelMeasurement(
            preprocessed=cast("Preprocessed", None),
            fit=cast("FitResult", None),
            quality=Quality(**level.quality.model_dump()),
            quantities=Quantities(values=values),
        )
    return LevelReport(
        level=level.level,
        run=level.run,
        measurement=measurement,
        failure=LevelFailure(**level.error.model_dump()) if level.error else None,
        score=score,
        morphology=Morphology(**level.morphology.model_dump()) if level.morphology else None,
        provocation=Provocation(**level.provocation.model_dump()) if level.provocation else None,
    )
