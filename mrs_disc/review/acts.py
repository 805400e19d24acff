"""What the page may send, checked, and the words that follow from it.

The words of impression and concordance come from the analysis' own functions, applied to the record
as the reviewer left it; each act carries them into the log.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any, Literal, Self, TypeAlias, get_args

from pydantic import AfterValidator, Field, TypeAdapter, ValidationError, model_validator

from mrs_disc.analysis.impression import PRELIMINARY, impression
from mrs_disc.errors import InputError
from mrs_disc.record.concordance import concordance
from mrs_disc.record.findings import Finding
from mrs_disc.record.level import Level, Results
from mrs_disc.record.levels import parse_level
from mrs_disc.record.parts import Digest, HeightLoss, Herniation, Verdict
from mrs_disc.record.review import Decision, ReviewLog, act_of, review_of
from mrs_disc.schema import StrictModel
from mrs_disc.scoring.again import reviewed

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


_BLANK_LETTERS = set("\u115f\u1160\u3164\uffa0")
"""Fillers of Hangul: letters to Unicode, nothing to the eye."""
_JOINERS = set("\u200c\u200d")
"""Shape the letters beside them; all other characters of format show nothing."""


def visible_name(text: str) -> str:
    """Return a name in one line, without what nobody sees.

    Raises
    ------
    ValueError
        If no letter is left.
    """
    shown = (c for c in text if c in _JOINERS or unicodedata.category(c) != "Cf")
    name = _one_line("".join(c for c in shown if c not in _BLANK_LETTERS))
    if not any(unicodedata.category(c).startswith("L") for c in name):
        raise ValueError("name or initials are needed, with a letter that can be seen")
    return name


def _typed(most: int, tidied: Callable[[str], str]) -> Any:
    """Return the type of a text that is tidied: its length is bounded before and after.

    Composed form is longer than what was typed where a ligature has none.
    """

    def bounded(text: str) -> str:
        made = tidied(text)
        if len(made) > most:
            raise ValueError(f"should have at most {most} characters in composed form")
        return made

    return Annotated[str, Field(max_length=most), AfterValidator(bounded)]


Name: TypeAlias = _typed(80, visible_name)  # type: ignore[valid-type]
Line: TypeAlias = _typed(200, _one_line)  # type: ignore[valid-type]
Comment: TypeAlias = _typed(2000, tidy)  # type: ignore[valid-type]


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


class RenameSent(Sent):
    """A correction: a level has another name than the one under which it was analysed."""

    act: Literal["rename"]
    key: Annotated[str, Field(max_length=40)]
    to: Annotated[str, Field(max_length=20)]
    reason: Annotated[Line, Field(min_length=1)]


class TextSent(Sent):
    """An impression in the reviewer's words, or an addendum; an empty impression takes it back."""

    act: Literal["impression", "addendum"]
    text: Annotated[str, Field(max_length=4000), AfterValidator(tidy)] = ""

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.act == "addendum" and not self.text:
            raise ValueError("an addendum needs words")
        return self


class SignSent(Sent):
    """A signature under the study."""

    act: Literal["sign"]
    levels_confirmed: Annotated[
        tuple[Annotated[str, Field(max_length=40)], ...], Field(max_length=100)
    ] = ()


AnySent: TypeAlias = LevelSent | MorphologySent | RenameSent | TextSent | SignSent
_ADAPTER: TypeAdapter[AnySent] = TypeAdapter(Annotated[AnySent, Field(discriminator="act")])
_ACTS = ("level", "morphology", "rename", "impression", "addendum", "sign")


def sent(body: bytes) -> AnySent:
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
        where = ".".join(str(p) for p in mistake["loc"] if p not in _ACTS)
        message = mistake["msg"].removeprefix("Value error, ")
        raise InputError(f"{where}: {message}" if where else message) from None


# --------------------------------------------------------------------------- consequences


def fields_of(
    act: AnySent,
    results: Results,
    log: ReviewLog,
    results_sha256: str,
    time: str,
) -> dict[str, Any]:
    """Return the fields of an act's line, with the words that follow from it.

    Parameters
    ----------
    act : AnySent
        What the page sent.
    results : Results
        As analysed.
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
    if isinstance(act, LevelSent):
        fields |= _decision(act, _level_of(results, act.key))
    elif isinstance(act, MorphologySent):
        level = _level_of(results, act.key)
        others = [one.key for one in results.levels if one.level == level.level and one != level]
        fields |= {"level": level.level, "run": level.run, "morphology": act.morphology}
        fields |= {"other_runs": dict.fromkeys(others, "")} if others else {}
    elif isinstance(act, RenameSent):
        before = review_of(log, results_sha256).names
        fields |= _correction(act, results, {name: one.now for name, one in before.items()})
    elif isinstance(act, TextSent):
        fields["text"] = act.text
    elif any(a.act == "sign" and a.results_sha256 == results_sha256 for a in log.acts[-1:]):
        raise InputError("this result is signed already, and nothing was changed since")
    place = {"n": 1, "previous": log.head, "time": time, "results_sha256": results_sha256}
    draft = act_of(place | fields)
    after = reviewed(results, review_of(replace(log, acts=(*log.acts, draft)), results_sha256))
    noticed = after.findings
    if isinstance(act, SignSent):
        if names := unconfirmed(noticed):
            fields["levels_confirmed"] = names
        noticed = _confirmed(act, noticed)
    words = {analysed_key(level): concordance(level) for level in after.levels}
    if draft.key and draft.act != "rename":
        fields["concordance"] = words[draft.key]
    if draft.other_runs:
        fields["other_runs"] = {key: words[key] for key in draft.other_runs}
    status = PRELIMINARY
    if act.act == "sign":  # without the name: its full stops would end sentences
        status = f"reviewed and signed on {time[:10]}"
    ranked = after.comparison.most_acidic or None  # earlier versions did not record it
    told = impression(after.levels, after.completeness, status, noticed, ranked)
    return fields | {"impression": told}


def _correction(act: RenameSent, results: Results, names: Mapping[str, str]) -> dict[str, Any]:
    """Return what a correction renames: a level, and the one whose name it takes, which gets its.

    Raises
    ------
    InputError
        If there is no such level, or nothing would change.
    """
    level, now = _level_of(results, act.key), parse_level(act.to)
    present = {one.level: names.get(one.level, one.level) for one in results.levels}
    if present[level.level] == now:
        raise InputError(f"{now}: the level has this name already")
    renamed = {level.level: now}
    renamed |= {other: present[level.level] for other, name in present.items() if name == now}
    return {"level": level.level, "reason": act.reason, "renamed": renamed}


def analysed_key(level: Level) -> str:
    """Return the key under which a level was analysed: the page and the log go by it."""
    return (level.review.analysed_as if level.review is not None else "") or level.key


def unconfirmed(noticed: Sequence[Finding]) -> list[str]:
    """Return the levels that a draft guessed and that were not confirmed."""
    return [one.subject for one in noticed if one.kind == "level_unconfirmed"]


def _confirmed(act: SignSent, noticed: Sequence[Finding]) -> tuple[Finding, ...]:
    """Return what stays to be said of a study that is signed: its guessed levels are confirmed.

    Raises
    ------
    InputError
        If who signs has not confirmed each.
    """
    if open_levels := [name for name in unconfirmed(noticed) if name not in act.levels_confirmed]:
        raise InputError(
            f"{', '.join(open_levels)}: a guess from the voxel's place, not confirmed. Hold each "
            "against the image and confirm it before you sign; a wrong one is mended in study.toml."
        )
    return tuple(one for one in noticed if one.kind != "level_unconfirmed")


def _decision(act: LevelSent, level: Level) -> dict[str, Any]:
    if level.measured is None:
        raise InputError(f"{act.key} was not measured; there is no spectrum to decide on")
    return {
        "level": level.level,
        "run": level.run,
        "decision": act.decision,
        "verdict": act.verdict if act.verdict != level.measured.quality.verdict else None,
        "reason": act.reason,
        "comment": act.comment,
    }


def _level_of(results: Results, key: str) -> Level:
    for level in results.levels:
        if level.key == key:
            return level
    name, _, run = key.partition("_run-")
    raise InputError(f"this study has no {name} run {run if run.isdecimal() else 1}")
