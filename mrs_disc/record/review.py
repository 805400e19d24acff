"""The log of a review: what a reader decided about a result, read and continued.

``review.jsonl`` lies beside ``results.json``, which a review never changes. Each line is one act
(a decision on a level, its morphology, a signature) with the SHA-256 of the line before it and of
the results it speaks of; an amendment is a new line. Acts for an earlier result stay in the log and
in its history, but do not count for a result that was analysed anew.

Decision: every act carries the words that followed from it (impression, concordance), so that every
format shows exactly what was signed, and rendering needs no analysis. The chain shows a line that
was changed, inserted or taken out; lines cut off at the end leave no trace in it, which is why
reports print the head of the log. Refused: a database (a second format to keep and to trust).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field, TypeAdapter, ValidationError

from mrs_disc.errors import NoSuchPathError, ReadError
from mrs_disc.files import read_bytes
from mrs_disc.record.parts import Digest, Morphology, Verdict
from mrs_disc.words import harmless

LOG_NAME = "review.jsonl"
LOG_VERSION: Literal["1"] = "1"
START = "0" * 64
"""What the first line names as the line before it."""

Decision: TypeAlias = Literal["accept", "reject", "unsure"]
Status: TypeAlias = Literal[
    "not reviewed",
    "in review",
    "signed",
    "amended since signed",
    "signed for an earlier result",
    "reviewed for an earlier result",
    "log broken",
]
DECISION_SHAPE = {"accept": "✓", "reject": "✕", "unsure": "?"}
STATUS_SHAPE: dict[Status, str] = {
    "not reviewed": "○",
    "in review": "◐",
    "signed": "●",
    "amended since signed": "◑",
    "signed for an earlier result": "◌",
    "reviewed for an earlier result": "◌",
    "log broken": "✕",
}
DECIDED = {"accept": "accepted", "reject": "rejected", "unsure": "unsure"}


def level_key(level: str, run: int) -> str:
    """Return the name of a level's files and arrays.

    >>> level_key("L4-L5", 1), level_key("L4-L5", 2)
    ('L4-L5', 'L4-L5_run-2')
    """
    return level if run == 1 else f"{level}_run-{run}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Chained:
    """Where a line of the log stands, and who wrote it."""

    schema_version: Literal["1"] = LOG_VERSION
    n: int
    """Number of the line, from 1."""
    previous: Digest
    """SHA-256 of the line before it."""
    time: Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$")]
    results_sha256: Digest
    """Of the results that it speaks of."""
    reviewer: Annotated[str, Field(min_length=1, max_length=200)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Act(Chained):
    """One line of the log; what a newer version adds is passed over."""

    act: Literal["level", "morphology", "sign"]
    level: str | None = None
    run: int | None = None
    decision: Decision | None = None
    verdict: Verdict | None = None
    reason: str = ""
    comment: str = ""
    morphology: Morphology | None = None
    concordance: str | None = None
    other_runs: Mapping[str, str] = field(default_factory=dict)
    """Of morphology, which belongs to the disc: its other runs, each with its concordance."""
    impression: str = ""
    levels_confirmed: tuple[str, ...] = ()
    """Of a signature: guessed levels that who signs has held against the image."""

    @property
    def key(self) -> str:
        """The level and run it speaks of, as files name them; empty for a signature."""
        return level_key(self.level, self.run or 1) if self.level else ""

    @property
    def day(self) -> str:
        """The date of the act."""
        return self.time[:10]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewLog:
    """The lines of a log.

    Parameters
    ----------
    acts : tuple of Act
        The lines that the chain vouches for, from the first; of a broken one those before the
        two that do not fit.
    head : str
        SHA-256 of the last of them; `START` where there is none.
    n_bytes : int
        Length of the whole lines; what follows was cut off while it was written, and was never
        confirmed to anyone.
    problem : str
        What is wrong with the log, or an empty text.
    """

    acts: tuple[Act, ...] = ()
    head: str = START
    n_bytes: int = 0
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelReview:
    """What was decided on one level and run, each part by its latest act."""

    decision: Decision | None = None
    verdict: Verdict | None = None
    reason: str = ""
    comment: str = ""
    reviewer: str = ""
    time: str = ""
    morphology: Morphology | None = None
    concordance: str | None = None

    @property
    def words(self) -> str:
        """The decision as every format prints it; empty where none was made."""
        if self.decision is None:
            return ""
        text = f"{DECIDED[self.decision]} by {self.reviewer}"
        if self.decision == "unsure":
            text = f"{self.reviewer} is unsure"
        if self.reason:
            text += f": {self.reason}"
        return f"{text} (quality set to {self.verdict})" if self.verdict else text


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """The state of a review, for one result."""

    status: Status = "not reviewed"
    words: str = "not reviewed"
    levels: Mapping[str, LevelReview] = field(default_factory=dict)
    impression: str | None = None
    signed_by: str | None = None
    signed_at: str | None = None
    head: str = START
    n_acts: int = 0
    problem: str = ""
    history: tuple[Act, ...] = ()

    @property
    def signed(self) -> bool:
        """Whether a signature covers this result and every act on it."""
        return self.status == "signed"

    def level(self, level: str, run: int) -> LevelReview:
        """Return what was decided on a level and run; nothing where nothing was."""
        return self.levels.get(level_key(level, run), LevelReview())


# --------------------------------------------------------------------------- reading


@lru_cache(maxsize=1)
def _acts() -> TypeAdapter[Act]:
    return TypeAdapter(Act)


def act_of(fields: Mapping[str, Any]) -> Act:
    """Return an act from the fields of its line, checked."""
    return _acts().validate_python(fields)


def line_digest(line: bytes) -> str:
    """Return the SHA-256 of a line without its line feed."""
    return hashlib.sha256(line).hexdigest()


def log_line(act: Mapping[str, Any]) -> bytes:
    """Return an act as one line of the log, with its line feed."""
    text = json.dumps(act, ensure_ascii=False, allow_nan=False, separators=(", ", ": "))
    return text.encode() + b"\n"


def parse_log(content: bytes) -> ReviewLog:
    r"""Read the lines of a log as far as their chain holds.

    Examples
    --------
    >>> parse_log(b"").problem, parse_log(b"{}\n").problem[:14]
    ('', 'review log bro')
    """
    *lines, _torn = content.split(b"\n")
    acts: list[Act] = []
    head, n_bytes, problem = START, 0, ""
    for number, line in enumerate(lines, 1):
        try:
            act = _acts().validate_json(line)
        except ValidationError:
            problem = "it is not an act of a review"
            break
        if act.previous != head or act.n != number:
            problem = "it does not follow the line before it; one of the two was changed later"
            acts = acts[:-1]  # which one cannot be told, so neither counts
            break
        acts.append(act)
        head, n_bytes = line_digest(line), n_bytes + len(line) + 1
    if problem:
        problem = f"review log broken at line {number}: {problem}"
    return ReviewLog(acts=tuple(acts), head=head, n_bytes=n_bytes, problem=problem)


def read_log(folder: Path) -> ReviewLog:
    """Read the log beside a result; a log that is not there is empty, a bad one says so."""
    try:
        return parse_log(read_bytes(folder / LOG_NAME, "review log"))
    except NoSuchPathError:
        return ReviewLog()
    except ReadError as error:
        return ReviewLog(problem=f"review log broken: it {error.problem}")


def review_of(log: ReviewLog, results_sha256: str) -> Review:
    """Return what a log says of the result with this digest of its ``results.json``."""
    current = [act for act in log.acts if act.results_sha256 == results_sha256]
    levels: dict[str, LevelReview] = {}
    for act in current:
        if act.act == "sign":
            continue
        levels[act.key] = _after(levels.get(act.key, LevelReview()), act)
        for key, words in act.other_runs.items():
            same = replace(act, concordance=words)
            levels[key] = _after(levels.get(key, LevelReview()), same)
    status, words, signature = _status(log, current)
    return Review(
        status=status,
        words=words,
        levels=levels,
        impression=next((a.impression for a in reversed(current) if a.impression), None),
        signed_by=harmless(signature.reviewer) if signature else None,
        signed_at=signature.time if signature else None,
        head=log.head,
        n_acts=len(log.acts),
        problem=log.problem,
        history=log.acts,
    )


def _after(before: LevelReview, act: Act) -> LevelReview:
    """Return a level's review after one more act on it; a decision and morphology stand apart."""
    after = replace(
        before,
        morphology=act.morphology or before.morphology,
        concordance=act.concordance if act.concordance is not None else before.concordance,
    )
    if act.act == "level":
        after = replace(
            after,
            decision=act.decision,
            verdict=act.verdict,
            reason=harmless(act.reason),
            comment=harmless(act.comment),
        )
    elif before.decision is not None:  # who decided, not who edited
        return after
    return replace(after, reviewer=harmless(act.reviewer), time=act.time)


def _status(log: ReviewLog, current: Sequence[Act]) -> tuple[Status, str, Act | None]:
    """Return the state, its words, and the signature that covers this result."""
    if log.problem:
        return "log broken", f"{log.problem}; the review cannot be relied on", None
    if not log.acts:
        return "not reviewed", "not reviewed", None
    signed = [act for act in current if act.act == "sign"]
    if signed:
        last, name = current[-1], harmless(signed[-1].reviewer)
        if last.act == "sign":
            return "signed", f"reviewed by {name} on {last.day}", last
        words = (
            f"amended by {harmless(last.reviewer)} on {last.day}, after {name} signed "
            f"on {signed[-1].day}: to be signed again"
        )
        return "amended since signed", words, None
    earlier = [act for act in log.acts if act.act == "sign"]
    if earlier:
        name = harmless(earlier[-1].reviewer)
        words = f"signed for an earlier result by {name} on {earlier[-1].day}"
        return "signed for an earlier result", f"{words}; this result is not reviewed", None
    if current:
        name = harmless(current[-1].reviewer)
        return "in review", f"not reviewed: in review by {name}, not signed", None
    words = "reviewed for an earlier result, not signed; this result is not reviewed"
    return "reviewed for an earlier result", words, None
