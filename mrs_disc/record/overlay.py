"""A record as its reviewer left it: the log of the review laid over the levels."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from mrs_disc.files import sha256_of
from mrs_disc.record.file import RESULTS_NAME, read_record
from mrs_disc.record.level import Level, Measured, Results, completeness_of
from mrs_disc.record.parts import DiscScore
from mrs_disc.record.review import (
    HEAD_NAME,
    LOG_NAME,
    LevelReview,
    Review,
    read_log,
    review_of,
)


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
    completeness = results.completeness
    if review.levels:
        completeness = completeness_of(levels, completeness.min_levels, results.findings)
    note = _computed_with(results, levels)
    return replace(
        results,
        levels=levels,
        completeness=completeness,
        impression=results.impression if review.impression is None else review.impression,
        notices=(*results.notices, note) if note else results.notices,
        review=review,
    )


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
    reasons = (reason, *score.reasons)
    return replace(score, value=None, low=None, high=None, label="indeterminate", reasons=reasons)


def _computed_with(results: Results, levels: Sequence[Level]) -> str:
    """Return what rests on rejected spectra still: a review computes nothing anew."""
    stood = results.best
    names = [one.level for one in levels if one.rejected and one.run == stood[one.level].run]
    compared = {name for reference in results.comparison.references for name in reference.levels}
    beside = [
        level.level
        for level in results.levels
        if level.level not in names and level.score and set(names) & set(level.score.with_levels)
    ]
    parts = ["the comparison of discs"] if compared & set(names) else []
    if beside:
        scores = "score" if len(set(beside)) == 1 else "scores"
        parts.append(f"the {scores} of {', '.join(dict.fromkeys(beside))}")
    if not parts:
        return ""
    return f"{', '.join(names)}: rejected on review, yet part of {' and of '.join(parts)}."
