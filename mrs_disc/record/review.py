"""The log of a review: what a reader decided about a result, read and continued.

``review.jsonl`` lies beside ``results.json``, which a review never changes. Each line is one act
(a decision on a level, its morphology, a signature) with the SHA-256 of the line before it and of
the results it speaks of; an amendment is a new line. Acts for an earlier result stay in the log and
in its history, but do not count for a result that was analysed anew.

Decision: every act carries the words that followed from it (impression, concordance), so that every
format shows exactly what was signed, and rendering needs no analysis. The chain shows a line that
was changed, inserted or taken out, but at its end: ``review.head`` beside the log holds the SHA-256
of the last line, and reports print it. What this cannot stop: who may write in the folder can write
log and head anew, and only a head that was printed or kept elsewhere tells.
Refused: a database (a second format to keep and to trust).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, Field, TypeAdapter, ValidationError

from mrs_disc.errors import NoSuchPathError, ReadError
from mrs_disc.files import read_bytes, read_json
from mrs_disc.record.parts import Digest, Morphology, Verdict
from mrs_disc.words import harmless

LOG_NAME, HEAD_NAME = "review.jsonl", "review.head"
FINAL_FOLDER = "reviewed"
"""Holds a folder of final files for each signature, named by the head of the log."""
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


def _real_time(text: str) -> str:
    datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ")  # its ValueError says what is wrong
    return text


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
    time: Annotated[
        str,
        Field(pattern=r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$"),
        AfterValidator(_real_time),
    ]
    results_sha256: Digest
    """Of the results that it speaks of."""
    reviewer: Annotated[str, Field(min_length=1, max_length=200)]
    study_id: str | None = None
    """Whose log it is; logs of earlier versions do not say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Act(Chained):
    """One line of the log; what a newer version adds is passed over."""

    act: Literal["level", "morphology", "rename", "impression", "addendum", "sign", "final"]
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
    text: str = ""
    """Of an impression or an addendum, as typed; an empty impression gives the automatic back."""
    renamed: Mapping[str, str] = field(default_factory=dict)
    """Of a correction: name of a level as analysed to the name that it has from here on."""
    levels_confirmed: tuple[str, ...] = ()
    """Of a signature: guessed levels that who signs has held against the image."""
    files: Mapping[str, Digest] = field(default_factory=dict)
    """Of final files, written under the signature before: path to SHA-256."""

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
    unended : bool
        Whether the last line lacks its line feed, as an editor may leave it; it counts.
    problem : str
        What is wrong with the log, or an empty text.
    """

    acts: tuple[Act, ...] = ()
    head: str = START
    n_bytes: int = 0
    unended: bool = False
    problem: str = ""

    @property
    def seen(self) -> str:
        """The head that a reader decides on: final files that were made since change nothing."""
        head, acts = self.head, self.acts
        while acts and acts[-1].act == "final":
            head, acts = acts[-1].previous, acts[:-1]
        return head


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
    corrected: str = ""
    """By whom the name of the level was corrected, and why."""
    analysed_as: str = ""
    """Key under which a level of a corrected name was analysed, and has its arrays."""

    @property
    def words(self) -> str:
        """Correction and decision as every format prints them; empty where there are none."""
        if not self.analysed_as:
            return self.decided
        named = f"analysed as {self.analysed_as.replace('_run-', ' run ')}, {self.corrected}"
        return "; ".join(filter(None, (named, self.decided)))

    @property
    def decided(self) -> str:
        """The decision alone; empty where none was made."""
        if self.decision is None:
            return ""
        text = f"{DECIDED[self.decision]} by {self.reviewer}"
        if self.decision == "unsure":
            text = f"{self.reviewer} is unsure"
        if self.reason:
            text += f": {self.reason}"
        return f"{text} (quality set to {self.verdict})" if self.verdict else text


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A text that a reviewer wrote."""

    text: str
    reviewer: str
    day: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """The name that a reviewer gave a level, and by whom and why."""

    now: str
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """The state of a review, for one result."""

    status: Status = "not reviewed"
    words: str = "not reviewed"
    levels: Mapping[str, LevelReview] = field(default_factory=dict)
    impression: str | None = None
    """The automatic one, after the decisions."""
    written: Written | None = None
    """A reviewer's impression, which takes its place."""
    outdated: bool = False
    """Whether decisions were made after that was written."""
    addenda: tuple[Written, ...] = ()
    names: Mapping[str, Named] = field(default_factory=dict)
    """Levels of a corrected name, by the name under which they were analysed."""
    signed_by: str | None = None
    signed_at: str | None = None
    head: str = START
    n_acts: int = 0
    problem: str = ""
    history: tuple[Act, ...] = ()
    final: Mapping[str, str] = field(default_factory=dict)
    """Final files of the present signature: path to SHA-256."""

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
    *lines, tail = content.split(b"\n")
    if unended := _is_act(tail):  # what was cut off while it was written is no JSON
        lines.append(tail)
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
        head, n_bytes = line_digest(line), min(n_bytes + len(line) + 1, len(content))
    if problem:
        problem = f"review log broken at line {number}: {problem}"
    whole = unended and not problem
    return ReviewLog(acts=tuple(acts), head=head, n_bytes=n_bytes, unended=whole, problem=problem)


def _is_act(line: bytes) -> bool:
    try:
        _acts().validate_json(line)
    except ValidationError:
        return False
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptHead:
    """What ``review.head`` says: where the log ended when an act was last saved.

    `next` is the SHA-256 of a line that was about to be written: a server that is killed in
    between leaves a log that ends with it, or without it.
    """

    schema_version: Literal["1"] = "1"
    n: int
    head: Digest
    next: Digest | None = None


@lru_cache(maxsize=1)
def _heads() -> TypeAdapter[KeptHead]:
    return TypeAdapter(KeptHead)


def _kept_head(folder: Path) -> KeptHead | None:
    try:
        return _heads().validate_python(read_json(folder / HEAD_NAME, "head of a review log"))
    except NoSuchPathError:
        return None
    except ValidationError:
        raise ReadError(folder / HEAD_NAME, "is not the head of a review log") from None


def read_log(folder: Path, study_id: str | None = None) -> ReviewLog:
    """Read the log beside a result; a log that is not there is empty, a bad one says so.

    Parameters
    ----------
    folder : Path
        Where the log and its head lie.
    study_id : str, optional
        Of the result; a log of another study is broken here.
    """
    try:
        kept, log = _settled(folder)
    except ReadError as error:
        return ReviewLog(problem=f"review log broken: {error.path.name} {error.problem}")
    return _checked(log, kept, study_id)


def _settled(folder: Path) -> tuple[KeptHead | None, ReviewLog]:
    """Return head and log of one moment, while acts may be saved."""
    kept, log = _kept_head(folder), ReviewLog()
    for _ in range(20):
        try:
            log = parse_log(read_bytes(folder / LOG_NAME, "review log"))
        except NoSuchPathError:
            log = ReviewLog()
        before, kept = kept, _kept_head(folder)
        if kept == before:
            break
    return kept, log


def _checked(log: ReviewLog, kept: KeptHead | None, study_id: str | None) -> ReviewLog:
    """Return the log with what its head and its study say against it."""
    if log.problem:
        return log
    if any(act.study_id not in (None, study_id) for act in log.acts if study_id is not None):
        return ReviewLog(problem="review log broken: it is the log of another study")
    problem = ""
    if kept is None:
        if any(act.study_id is not None for act in log.acts):
            problem = f"{HEAD_NAME} is missing beside it, which says how the log ends"
    elif log.head not in (kept.head, kept.next):
        n = len(log.acts)
        problem = f"line {n} is not the one that was saved; it was changed later"
        if n < kept.n:
            problem = f"{kept.n - n} of the {kept.n} lines that {HEAD_NAME} knows are missing"
        elif n > kept.n:
            problem = f"{HEAD_NAME} knows {kept.n} lines, but there are {n}"
        log = replace(log, acts=log.acts[: kept.n - 1 if n >= kept.n else n])
    return replace(log, problem=f"review log broken: {problem}") if problem else log


def review_of(log: ReviewLog, results_sha256: str) -> Review:
    """Return what a log says of the result with this digest of its ``results.json``."""
    current = [act for act in log.acts if act.results_sha256 == results_sha256]
    levels: dict[str, LevelReview] = {}
    names: dict[str, Named] = {}
    for act in current:
        if act.act == "rename":
            levels = _moved(levels, names, act.renamed)
            names |= {a: Named(now=now, words=_corrected(act)) for a, now in act.renamed.items()}
            continue
        if not act.key:
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
        **_texts(current),
        names={analysed: named for analysed, named in names.items() if analysed != named.now},
        signed_by=harmless(signature.reviewer) if signature else None,
        signed_at=signature.time if signature else None,
        head=log.seen,
        n_acts=len(log.acts),
        problem=log.problem,
        history=log.acts,
        final=_final(current) if signature else {},
    )


def _texts(current: Sequence[Act]) -> dict[str, Any]:
    """Return what reviewers wrote, and whether decisions came after the impression."""
    written, outdated, addenda = None, False, []
    for act in current:
        if act.act == "impression":
            written, outdated = (_written(act) if act.text else None), False
        elif act.act == "addendum":
            addenda.append(_written(act))
        elif act.act in ("level", "morphology", "rename"):
            outdated = written is not None
    return {"written": written, "outdated": outdated, "addenda": tuple(addenda)}


def _written(act: Act) -> Written:
    return Written(text=act.text, reviewer=harmless(act.reviewer), day=act.day)


def _corrected(act: Act) -> str:
    return f"corrected by {harmless(act.reviewer)}: {harmless(act.reason)}"


def _moved(
    levels: Mapping[str, LevelReview], names: Mapping[str, Named], renamed: Mapping[str, str]
) -> dict[str, LevelReview]:
    """Return the reviews of levels after a correction: decisions stay with the spectrum.

    What was read on the images belongs to a place, and so to its name: it goes to the spectrum
    that has this name now.
    """
    after = dict(levels)
    keys = {a: [k for k in levels if k.partition("_run-")[0] == a] for a in renamed}
    read = {
        names[a].now if a in names else a: next(
            (seen for k in keys[a] if (seen := levels[k].morphology) is not None), None
        )
        for a in renamed
    }
    for analysed, now in renamed.items():
        for key in keys[analysed] or [analysed]:
            before = after.get(key, LevelReview())
            after[key] = replace(before, morphology=read.get(now), concordance=None)
    return after


def _final(current: Sequence[Act]) -> dict[str, str]:
    """Return the final files since the last signature."""
    files: dict[str, str] = {}
    for act in current:
        files = {} if act.act == "sign" else {**files, **act.files}
    return files


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
    current = [act for act in current if act.act != "final"]
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
