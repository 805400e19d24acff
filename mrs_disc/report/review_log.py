"""The log of a review: what a reader decided about a result, read and laid over the record.

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

import copy
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mrs_disc.data import Verdict
from mrs_disc.report.results import RESULTS_NAME, level_key
from mrs_disc.report.schema import Digest, MorphologyPart
from mrs_disc.report.words import harmless

LOG_NAME = "review.jsonl"
LOG_VERSION: Literal["1"] = "1"
START = "0" * 64
"""What the first line names as the line before it."""
MAX_LOG_BYTES = 32_000_000

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


class Act(BaseModel):
    """One line of the log; what a newer version adds is passed over."""

    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)

    schema_version: Literal["1"] = LOG_VERSION
    n: int
    previous: Digest
    time: str = Field(pattern=r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$")
    results_sha256: Digest
    reviewer: str = Field(min_length=1, max_length=200)
    act: Literal["level", "morphology", "sign"]
    level: str | None = None
    run: int | None = None
    decision: Decision | None = None
    verdict: Verdict | None = None
    reason: str = ""
    comment: str = ""
    morphology: MorphologyPart | None = None
    concordance: str | None = None
    other_runs: dict[str, str] = Field(default_factory=dict)
    """Of morphology, which belongs to the disc: its other runs, each with its concordance."""
    impression: str = ""

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
    morphology: Mapping[str, Any] | None = None
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
            act = Act.model_validate_json(line)
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
    path = folder / LOG_NAME
    try:
        if path.stat().st_size > MAX_LOG_BYTES:
            return ReviewLog(problem=f"review log broken: {LOG_NAME} is larger than 32 MB")
        return parse_log(path.read_bytes())
    except FileNotFoundError:
        return ReviewLog()
    except OSError as error:
        return ReviewLog(problem=f"review log broken: it cannot be read ({error.strerror})")


def read_review(folder: Path, results_sha256: str | None = None) -> Review:
    """Return the state of the review of the result in a folder.

    Parameters
    ----------
    folder : Path
        Where ``results.json`` and the log lie.
    results_sha256 : str, optional
        SHA-256 of the bytes of ``results.json``; computed where it is not given.
    """
    log = read_log(folder)
    if results_sha256 is None:
        if not log.acts and not log.problem:
            return Review()
        results_sha256 = hashlib.sha256((folder / RESULTS_NAME).read_bytes()).hexdigest()
    return review_of(log, results_sha256)


def review_of(log: ReviewLog, results_sha256: str) -> Review:
    """Return what a log says of one result."""
    current = [act for act in log.acts if act.results_sha256 == results_sha256]
    levels: dict[str, LevelReview] = {}
    for act in current:
        if act.act == "sign":
            continue
        levels[act.key] = _after(levels.get(act.key, LevelReview()), act)
        for key, words in act.other_runs.items():
            same = act.model_copy(update={"concordance": words})
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
    decided = act if act.act == "level" else None
    speaker = act if decided or before.decision is None else before  # who decided, not who edited
    morphology = act.morphology.model_dump() if act.morphology else before.morphology
    return LevelReview(
        decision=decided.decision if decided else before.decision,
        verdict=decided.verdict if decided else before.verdict,
        reason=harmless(decided.reason) if decided else before.reason,
        comment=harmless(decided.comment) if decided else before.comment,
        reviewer=harmless(speaker.reviewer),
        time=speaker.time,
        morphology=morphology,
        concordance=act.concordance if act.concordance is not None else before.concordance,
    )


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


# --------------------------------------------------------------------------- over the record


def reviewed(record: Mapping[str, Any], review: Review) -> dict[str, Any]:
    """Return the record of ``results.json`` as the reviewer left it.

    A rejected level is indeterminate without a value, and does not count as usable; a verdict and
    morphology take the place of the automatic and the given ones; the impression and the words of
    concordance are those that stood on the page. ``review`` stands at the top and in each level.

    Parameters
    ----------
    record : mapping
        The content of ``results.json``; it is not changed.
    review : Review
        From `read_review`.
    """
    result: dict[str, Any] = copy.deepcopy(dict(record))
    result["review"] = {
        "status": review.status,
        "words": review.words,
        "signed_by": review.signed_by,
        "signed_at": review.signed_at,
        "head": review.head if review.n_acts else None,
        "n_acts": review.n_acts,
        "problem": review.problem or None,
    }
    rejected = []
    for level in result["levels"]:
        decided = review.level(level["level"], level["run"])
        level["review"] = None if decided == LevelReview() else _level_review(decided)
        _lay_over(level, decided)
        if decided.decision == "reject":
            rejected.append((level["level"], level["run"]))
    if review.levels:
        result["completeness"] = _completeness(result)
    if review.impression is not None:
        result["impression"] = review.impression
    if note := _computed_with(record, rejected):
        result["notices"] = [*result["notices"], note]
    return result


def _computed_with(record: Mapping[str, Any], rejected: Sequence[tuple[str, int]]) -> str:
    """Return what rests on rejected spectra still: a review computes nothing anew."""
    names = [level for level, run in rejected if run == _best_run(record, level)]
    references = (record.get("comparison") or {}).get("references") or ()
    compared = {name for reference in references for name in reference["levels"]}
    beside = [
        level["level"]
        for level in record["levels"]
        if level["level"] not in names
        and set(names) & set(((level["score"] or {}).get("inputs") or {}).get("with_levels", ()))
    ]
    parts = ["the comparison of discs"] if compared & set(names) else []
    if beside:
        scores = "score" if len(set(beside)) == 1 else "scores"
        parts.append(f"the {scores} of {', '.join(dict.fromkeys(beside))}")
    if not parts:
        return ""
    return f"{', '.join(names)}: rejected on review, yet part of {' and of '.join(parts)}."


def _best_run(record: Mapping[str, Any], level: str) -> int:
    """Return the run that spoke for a level in the analysis, which was before any review."""

    def rank(entry: Mapping[str, Any]) -> tuple[int, float, int]:
        quality = entry["quality"] or {"verdict": "failed", "snr": None}
        verdict = ("failed", "poor", "acceptable", "good").index(quality["verdict"])
        return verdict, quality["snr"] or 0.0, -entry["run"]

    return int(max((e for e in record["levels"] if e["level"] == level), key=rank)["run"])


def _level_review(decided: LevelReview) -> dict[str, Any]:
    return {
        "decision": decided.decision,
        "verdict": decided.verdict,
        "reason": decided.reason,
        "comment": decided.comment,
        "reviewer": decided.reviewer,
        "time": decided.time,
        "words": decided.words,
    }


def _lay_over(level: dict[str, Any], decided: LevelReview) -> None:
    """Change one level of a record as its review says."""
    if decided.morphology is not None:
        level["morphology"] = dict(decided.morphology)
    if decided.concordance is not None:
        level["concordance"] = decided.concordance
    quality, score = level.get("quality"), level.get("score")
    if decided.verdict and quality and decided.verdict != quality["verdict"]:
        note = f"set to {decided.verdict} by the reviewer (automatic: {quality['verdict']})"
        level["quality"] = quality | {
            "verdict": decided.verdict,
            "reasons": [note, *quality["reasons"]],
        }
        if decided.verdict == "poor" and score:
            level["score"] = _indeterminate(score, "the reviewer found the spectrum poor")
        elif quality["verdict"] == "poor" and score:
            reason = "scored while its quality counted as poor; the reviewer overruled that"
            level["score"] = _indeterminate(score, reason)
    if decided.decision == "reject" and score:
        why = f": {decided.reason}" if decided.reason else ""
        level["score"] = _indeterminate(score, f"rejected by the reviewer{why}")


def _indeterminate(score: Mapping[str, Any], reason: str) -> dict[str, Any]:
    nothing = {"value": None, "low": None, "high": None, "label": "indeterminate"}
    return {**score, **nothing, "reasons": [reason, *score["reasons"]]}


def _completeness(record: Mapping[str, Any]) -> dict[str, Any]:
    """Count the usable levels again: measured, not poor and not rejected in some run."""
    usable: dict[str, bool] = {}
    for level in record["levels"]:
        decision = (level.get("review") or {}).get("decision")
        good = level["status"] == "ok" and decision != "reject"
        good = good and (level["quality"] or {}).get("verdict") != "poor"
        usable[level["level"]] = usable.get(level["level"], False) or good
    n_levels, needed = sum(usable.values()), record["completeness"]["min_levels"]
    return {
        "n_levels": n_levels,
        "min_levels": needed,
        "met": n_levels >= needed,
        "missing": [level for level, good in usable.items() if not good],
    }


def review_columns(review: Review, level: str, run: int) -> dict[str, str]:
    """Return the columns that a table has for the review of one level."""
    decided = review.level(level, run)
    return {
        "review": DECIDED[decided.decision] if decided.decision else "",
        "review_reason": decided.reason,
        "review_status": review.status,
        "reviewed_by": review.signed_by or "",
        "reviewed_at": review.signed_at or "",
    }


REVIEW_COLUMNS: dict[str, str] = {
    "review": "decision of the reviewer on this level: accepted, rejected, unsure, or empty",
    "review_reason": "reason that the reviewer gave",
    "review_status": "state of the study's review for this result",
    "reviewed_by": "name or initials of who signed this result",
    "reviewed_at": "time of the signature, UTC",
}
"""The data dictionary of `review_columns`."""
