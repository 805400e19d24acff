"""A record as its reviewer left it: the log of the review laid over the levels."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from mrs_disc.files import sha256_of
from mrs_disc.record.concordance import concordance
from mrs_disc.record.file import RESULTS_NAME, read_record
from mrs_disc.record.level import Level, Measured, Results, completeness_of
from mrs_disc.record.levels import level_order
from mrs_disc.record.parts import DiscScore
from mrs_disc.record.review import (
    HEAD_NAME,
    LOG_NAME,
    LevelReview,
    Named,
    Review,
    read_log,
    review_of,
)
from mrs_disc.record.signals import Signals


def read_review(
    folder: Path, results_sha256: str | None = None, study_id: str | None = None
) -> Review:
    """Return the state of the review of the result in a folder.

    Parameters
    ----------
    folder : Path
        Where ``results.json`` and the log lie.
    results_sha256 : str, optional
        SHA-256 of the bytes of ``results.json``; computed where it is not given.
    study_id : str, optional
        Of the result; read where it is not given.
    """
    if not any(os.path.lexists(folder / name) for name in (LOG_NAME, HEAD_NAME)):
        return Review()
    if study_id is None:
        study_id = str(read_record(folder / RESULTS_NAME).get("study_id"))
    if results_sha256 is None:
        results_sha256 = sha256_of(folder / RESULTS_NAME, RESULTS_NAME)
    return review_of(read_log(folder, study_id), results_sha256)


def as_reviewed(results: Results, path: Path, results_sha256: str | None = None) -> Results:
    """Return a record as its reviewer left it; for everything that is made from records.

    Parameters
    ----------
    results : Results
        As analysed.
    path : Path
        The file that it was read from, with the log beside it.
    results_sha256 : str, optional
        SHA-256 of that file; computed where it is not given.

    Returns
    -------
    Results
        Its `review` says what it rests on, also where the log is broken; `None` without a log.
    """
    review = read_review(path.parent, results_sha256, results.study_id)
    return reviewed(results, review) if review.n_acts or review.problem else results


def reviewed(results: Results, review: Review) -> Results:
    """Return a record as the reviewer left it.

    A rejected level is indeterminate without a value, and does not count as usable; a verdict and
    morphology take the place of the automatic and the given ones; the impression and the words of
    concordance are those that stood on the page.
    """
    levels = tuple(_laid_over(one, review.level(one.level, one.run)) for one in results.levels)
    if review.names:
        results, levels = _renamed(results, review.names), _named(levels, review.names)
    completeness = results.completeness
    if review.levels or review.names:
        completeness = completeness_of(levels, completeness.min_levels, results.findings)
    note = _gone(results, review)
    automatic = results.impression if review.impression is None else review.impression
    return replace(
        results,
        levels=levels,
        completeness=completeness,
        impression=automatic if review.written is None else review.written.text,
        notices=(*results.notices, note) if note else results.notices,
        review=replace(review, impression=automatic),
    )


def _named(levels: Sequence[Level], names: Mapping[str, Named]) -> tuple[Level, ...]:
    """Return levels under their corrected names, from head to foot.

    What was given of the images and of provocation testing goes with the name: it was read at that
    place. Where no level was analysed under a name, nothing is known of it.
    """
    given = {one.level: one for one in levels}
    moved = []
    for level in levels:
        named = names.get(level.level)
        if named is None:
            moved.append(level)
            continue
        review = level.review or LevelReview()
        there = given.get(named.now)
        renamed = replace(
            level,
            level=named.now,
            morphology=review.morphology or (there.morphology if there else None),
            provocation=there.provocation if there else None,
            review=replace(review, corrected=named.words, analysed_as=level.key),
        )
        moved.append(replace(renamed, concordance=review.concordance or concordance(renamed)))
    return tuple(sorted(moved, key=lambda one: (level_order(one.level), one.run)))


def _renamed(results: Results, names: Mapping[str, Named]) -> Results:
    """Return a study's comparison and notices under the corrected names."""

    def now(name: str) -> str:
        return names[name].now if name in names else name

    references = tuple(
        replace(
            one,
            reference=now(one.reference),
            levels={now(level): difference for level, difference in one.levels.items()},
        )
        for one in results.comparison.references
    )
    first = {now(level): share for level, share in results.comparison.most_acidic.items()}
    notes = [
        f"Analysed as {level}, and {named.now} since: {named.words}."
        for level, named in names.items()
    ]
    confirmed = tuple(
        one
        for one in results.findings
        if one.kind != "level_unconfirmed" or one.subject.partition(" ")[0] not in names
    )
    return replace(
        results,
        findings=confirmed,
        comparison=replace(results.comparison, references=references, most_acidic=first),
        notices=(*results.notices, *notes),
    )


def renamed_signals(signals: Signals, review: Review | None) -> Signals:
    """Return the arrays of a study under the names that its levels have after a review."""
    if review is None or not review.names:
        return signals
    levels = {}
    for key, arrays in signals.levels.items():
        name, mark, run = key.partition("_run-")
        named = review.names.get(name)
        levels[f"{named.now}{mark}{run}" if named is not None else key] = arrays
    return replace(signals, levels=levels)


def _laid_over(level: Level, decided: LevelReview) -> Level:
    if decided == LevelReview():
        return level
    concordance = level.concordance if decided.concordance is None else decided.concordance
    return replace(
        level,
        measured=None if level.measured is None else _judged(level.measured, decided),
        morphology=decided.morphology or level.morphology,
        concordance=concordance,
        review=decided,
    )


def _judged(measured: Measured, decided: LevelReview) -> Measured:
    """Return what was measured with the verdict and the score that a decision leaves."""
    quality, score = measured.quality, measured.score
    if decided.verdict and decided.verdict != quality.verdict:
        note = f"set to {decided.verdict} by the reviewer (automatic: {quality.verdict})"
        if decided.verdict == "poor":
            score = _indeterminate(score, "the reviewer found the spectrum poor")
        elif quality.verdict == "poor":
            reason = "scored while its quality counted as poor; the reviewer overruled that"
            score = _indeterminate(score, reason)
        quality = replace(quality, verdict=decided.verdict, reasons=(note, *quality.reasons))
    if decided.decision == "reject":
        why = f": {decided.reason}" if decided.reason else ""
        score = _indeterminate(score, f"rejected by the reviewer{why}")
    return replace(measured, quality=quality, score=score)


def _indeterminate(score: DiscScore, reason: str) -> DiscScore:
    """Return a score without a number; what it had been made from stays among its inputs."""
    nothing: dict[str, Any] = {"value": None, "low": None, "high": None, "evidence": None}
    return replace(score, **nothing, label="indeterminate", reasons=(reason,))


def _gone(results: Results, review: Review) -> str:
    """Return which levels a log has decisions on that this result lacks."""
    here = {level.level for level in results.levels}
    names = dict.fromkeys(act.level for act in review.history if act.level)
    gone = [name for name in names if name not in here]
    if not gone:
        return ""
    return f"{', '.join(gone)}: decided on in the review log, not in this result; the log keeps it."
