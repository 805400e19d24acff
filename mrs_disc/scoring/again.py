"""A record as its reviewer left it, its discs judged again without those that were taken out.

A score rests on the patient's other discs, and so does a comparison of them. Where a reviewer
rejects a level, or corrects the name of one, the discs are scored anew from the record alone, with
the model and the options that it names; without a rejected level they are compared anew. Where that
cannot be, the scores stay as they were, and a notice says so.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from mrs_disc.errors import MrsDiscError
from mrs_disc.models import model_reference
from mrs_disc.models.scores import ScoreModel, load_score_model
from mrs_disc.recipe import Recipe
from mrs_disc.record import overlay
from mrs_disc.record.concordance import concordance
from mrs_disc.record.level import Level, Results
from mrs_disc.record.parts import DiscScore
from mrs_disc.record.review import Review
from mrs_disc.schema import validate
from mrs_disc.scoring import score_study
from mrs_disc.scoring.comparison import compare_discs


def as_reviewed(results: Results, path: Path, results_sha256: str | None = None) -> Results:
    """Return a record as its reviewer left it; for everything that is made from records.

    Parameters
    ----------
    results, path, results_sha256
        As in `mrs_disc.record.overlay.as_reviewed`.
    """
    return judged_again(overlay.as_reviewed(results, path, results_sha256))


def reviewed(results: Results, review: Review) -> Results:
    """Return a record as a review leaves it."""
    return judged_again(overlay.reviewed(results, review))


def judged_again(results: Results) -> Results:
    """Return a record with scores and comparison made without the levels that were taken out."""
    return scored_again(compared_again(results))


def compared_again(results: Results) -> Results:
    """Return a record with its discs compared without those that were taken out."""
    rejected, how = _taken_out(results)
    before = results.comparison
    names = {name for reference in before.references for name in reference.levels}
    if not rejected & (names | set(before.most_acidic)):
        return results
    comparison = compare_discs(results.levels)
    if not rejected & names:
        return replace(results, comparison=comparison)
    made = "compared again" if comparison.references else "no longer compared"
    note = f"{_in_order(rejected, results)}: {how}; the other discs {made} without it."
    return replace(results, comparison=comparison, notices=(*results.notices, note))


def _taken_out(results: Results) -> tuple[set[str], str]:
    """Return the levels whose spectrum a reviewer took out, and how, in words."""
    best = results.best.values()
    rejected = {level.level for level in best if level.rejected}
    poor = {v.level for v in best if v.review is not None and v.review.verdict == "poor"}
    words = " or ".join(
        word for word, of in (("rejected", rejected), ("found poor", poor - rejected)) if of
    )
    return rejected | poor, f"{words} on review"


def _in_order(names: set[str], results: Results) -> str:
    """Return names of levels in the order of the record."""
    return ", ".join(dict.fromkeys(v.level for v in results.levels if v.level in names))


def scored_again(results: Results) -> Results:
    """Return a record with its scores made without the levels that were taken out.

    Parameters
    ----------
    results : Results
        With the review laid over.

    Returns
    -------
    Results
        Unchanged where no score rests on such a level and no name was corrected.
    """
    named = results.review.names if results.review is not None else {}
    rejected, how = _taken_out(results)
    resting = [v for v in results.levels if v.score and rejected & set(v.score.with_levels)]
    if not (resting or named):
        return results
    names = _in_order(rejected, results)
    of = ", ".join(dict.fromkeys(level.level for level in resting))
    try:
        model, recipe = _chosen(results)
    except MrsDiscError as error:
        notes = [f"{names}: {how}, yet part of the score of {of}: {error}"] * bool(of)
        notes += [f"Scores are those of the earlier names: {error}"] * bool(named)
        return replace(results, notices=(*results.notices, *notes))
    scores = score_study(results.levels, model, recipe)
    levels = tuple(_with(level, score) for level, score in zip(results.levels, scores, strict=True))
    notes = [f"{names}: {how}; {of} scored again without it."] * bool(of)
    return replace(results, levels=levels, notices=(*results.notices, *notes))


def _chosen(results: Results) -> tuple[ScoreModel, Recipe]:
    """Return the score model and the options that a record names."""
    named = results.models.get("score", "")
    model = load_score_model(named.partition("@")[0])
    if model_reference(model) != named:
        raise MrsDiscError(f"its score model {named} is not the one of this version")
    # The score's options alone: an older record may lack options of other steps.
    return model, validate({"score": results.options("score")}, Recipe, "the record's recipe")


def _with(level: Level, score: DiscScore | None) -> Level:
    """Return a level with its new score; one that a reviewer judged keeps what was judged."""
    if level.measured is None or score is None:
        return level
    if level.rejected or level.measured.score.value is None:
        return level
    scored = replace(level, measured=replace(level.measured, score=score))
    decided = level.review.concordance if level.review is not None else None
    return scored if decided is not None else replace(scored, concordance=concordance(scored))
