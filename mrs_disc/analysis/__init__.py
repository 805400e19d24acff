"""Study and recipe to report: every level measured, then the study scored as a whole.

A score may compare the discs of one patient, so all levels are measured before any is scored. A
level that cannot be read or measured fails alone; its failure says at which stage and why.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from numpy.linalg import LinAlgError

from mrs_disc.analysis.bootstrap import with_bootstrap
from mrs_disc.analysis.echo_times import with_measured_t2
from mrs_disc.analysis.impression import impression
from mrs_disc.analysis.named import check_names, read_site, site_of
from mrs_disc.analysis.recorded import measured, recorded
from mrs_disc.constants import RESEARCH_USE
from mrs_disc.data import (
    Anatomy,
    DiscAcquisition,
    DiscEntry,
    DiscScore,
    LevelFailure,
    LevelMeasurement,
    Study,
    StudyReport,
    parse_level,
)
from mrs_disc.data.places import Site, image_of_other
from mrs_disc.errors import InputError, ModelError
from mrs_disc.models import (
    MetaboliteModel,
    content_digest,
    load_metabolite_model,
    metabolite_model_digest,
    model_reference,
)
from mrs_disc.models.relaxation import RelaxationModel, load_relaxation_model
from mrs_disc.models.scores import ScoreModel, load_score_model
from mrs_disc.models.sequences import load_sequences
from mrs_disc.recipe import Recipe, digest, load_recipe
from mrs_disc.record.concordance import concordance
from mrs_disc.record.findings import finding, finding_of, sentences, words
from mrs_disc.record.level import Level, completeness_of
from mrs_disc.scoring import score_study
from mrs_disc.scoring.comparison import compare_discs
from mrs_disc.steps import fit_or_find_start, grade, preprocess, quantify
from mrs_disc.steps.chosen import without
from mrs_disc.threads import one_blas_thread


@dataclass(frozen=True, slots=True, kw_only=True)
class Models:
    """The models that a recipe names, loaded, with their digests."""

    fit: MetaboliteModel
    relaxation: RelaxationModel
    score: ScoreModel
    digests: Mapping[str, str]

    @property
    def references(self) -> dict[str, str]:
        """What each model is called in a report."""
        return {
            "fit": model_reference(self.fit),
            "relaxation": model_reference(self.relaxation),
            "score": model_reference(self.score),
        }


def load_models(recipe: Recipe) -> Models:
    """Load the models that a recipe names.

    Raises
    ------
    ModelError
        If one is not there, or not valid; the message begins with the option that names it.
    """
    with _named_by("[fit] model", recipe):
        fit_model = load_metabolite_model(recipe.fit.model)
    with _named_by("[fit]", recipe):
        without(fit_model, recipe.fit.exclude)
    with _named_by("[fit] sequences", recipe):
        sequences = load_sequences(recipe.fit.sequences)
    with _named_by("[quantify] relaxation", recipe):
        relaxation = load_relaxation_model(recipe.quantify.relaxation)
    with _named_by("[score] model", recipe):
        score = load_score_model(recipe.score.model)
    digests = {
        "fit.model": metabolite_model_digest(fit_model),
        "fit.sequences": content_digest(sequences),
        "quantify.relaxation": content_digest(relaxation),
        "score.model": content_digest(score),
    }
    return Models(fit=fit_model, relaxation=relaxation, score=score, digests=digests)


@contextmanager
def _named_by(option: str, recipe: Recipe) -> Iterator[None]:
    """Say of a model that cannot be loaded where it was named: a recipe names several."""
    try:
        yield
    except InputError as error:
        raise ModelError(f"recipe {recipe.name}, {option}: {error}") from error


@one_blas_thread
def analyze(
    study: Study,
    recipe: str | Path | Recipe | None = None,
    *,
    levels: Sequence[str] = (),
    exclude: Sequence[str] = (),
) -> StudyReport:
    """Analyse a study.

    Parameters
    ----------
    study : Study
        From `read_study` or `simulate_study`.
    recipe : str, Path, Recipe or None
        A shipped name, a TOML file, a recipe, or `None` for the defaults.
    levels : sequence of str
        Only these levels; empty: all.
    exclude : sequence of str
        Components that are not fitted, beside those that the recipe excludes.

    Returns
    -------
    StudyReport
        Every asked level, measured or failed.

    Raises
    ------
    InputError
        If the recipe, a model or the choice of levels is wrong. What is wrong with one level
        stays with it, as its `failure`.

    Examples
    --------
    >>> import mrs_disc as md
    >>> study, truth = md.simulate_study(seed=1, levels=["L4-L5", "L5-S1"])
    >>> report = md.analyze(study)
    >>> [level.level for level in report if level.usable]
    ['L4-L5', 'L5-S1']
    """
    recipe = load_recipe(recipe)
    if exclude:
        recipe = recipe.replace(fit={"exclude": (*recipe.fit.exclude, *exclude)})
    models = load_models(recipe)
    chosen = _chosen(study, levels)
    anatomy, notices = _anatomy(study)
    outcomes = [_measured_or_failed(entry, recipe, models) for entry in chosen]
    outcomes = with_measured_t2(chosen, outcomes, recipe, models.relaxation)
    beside = [read_site(entry) for entry in study if entry not in chosen]
    sites = [*beside, *(site for _, site in outcomes)]
    of_other = None if anatomy is None else image_of_other(sites, anatomy.subjects)
    anatomy = anatomy if of_other is None else None
    naming = check_names(sites, anatomy, recipe)
    reports = [
        recorded(entry, naming.allowed(site, outcome), anatomy)
        for entry, (outcome, site) in zip(chosen, outcomes, strict=True)
    ]
    records = scored([report.record for report in reports], models.score, recipe)
    noticed = (*study.findings, *naming.findings, *([of_other] if of_other else []))
    completeness = completeness_of(records, recipe.score.min_levels, noticed)
    comparison = compare_discs(records)
    return StudyReport(
        study_id=study.study_id,
        levels=tuple(replace(r, record=one) for r, one in zip(reports, records, strict=True)),
        recipe=recipe,
        recipe_sha256=digest(recipe, models.digests),
        models=models.references,
        completeness=completeness,
        impression=impression(
            records, completeness, noticed=noticed, ranked=comparison.most_acidic
        ),
        comparison=comparison,
        clinical=study.clinical,
        anatomy=anatomy,
        notices=(RESEARCH_USE, *sentences(noticed), *notices),
        findings=noticed,
        score_model_card=models.score.model_dump(mode="json"),
    )


@one_blas_thread
def measure_level(acquisition: DiscAcquisition, recipe: Recipe, models: Models) -> LevelMeasurement:
    """Take one disc through preprocessing, fit, quality and quantities."""
    preprocessed = preprocess(acquisition, recipe)
    preprocessed, fitted = fit_or_find_start(preprocessed, recipe, models.fit)
    preprocessed, fitted = with_bootstrap(acquisition, preprocessed, fitted, recipe, models.fit)
    return LevelMeasurement(
        preprocessed=preprocessed,
        fit=fitted,
        quality=grade(fitted, preprocessed, recipe),
        quantities=quantify(
            fitted,
            preprocessed,
            recipe,
            relaxation=models.relaxation,
            morphology=acquisition.morphology,
        ),
    )


def score(
    discs: StudyReport | Mapping[str, LevelMeasurement],
    recipe: str | Path | Recipe | None = None,
) -> dict[str, DiscScore]:
    """Score the discs of one patient, anew or for the first time.

    Parameters
    ----------
    discs : StudyReport, or mapping of str to LevelMeasurement
        A report, or what own steps found, by the name of the level.
    recipe : str, Path, Recipe or None
        ``[score]``; `None`: that of the report, or the defaults.

    Returns
    -------
    dict of str to DiscScore
        By level, ``"L4-L5"``, and ``"L4-L5_run-2"`` for a second run; without levels that failed.

    Raises
    ------
    InputError
        If the recipe or its score model is wrong, or a level has a name that is none.

    Examples
    --------
    >>> import mrs_disc as md
    >>> study, truth = md.simulate_study(seed=1, levels=["L4-L5", "L5-S1"])
    >>> report = md.analyze(study)
    >>> rare = report.recipe.replace(score={"prevalence": 0.05})
    >>> score = md.score(report, rare)["L4-L5"]
    >>> score.value < report["L4-L5"].score.value
    True
    """
    if isinstance(discs, StudyReport):
        recipe = discs.recipe if recipe is None else recipe
        levels = [level.record for level in discs]
    else:
        levels = [
            Level(level=parse_level(name), measured=measured(found))
            for name, found in discs.items()
        ]
    recipe = load_recipe(recipe)
    scores = score_study(levels, load_score_model(recipe.score.model), recipe)
    pairs = zip(levels, scores, strict=True)
    return {level.key: score for level, score in pairs if score is not None}


def measure(
    acquisition: DiscAcquisition, recipe: str | Path | Recipe | None = None
) -> LevelMeasurement:
    """Take one disc through preprocessing, fit, quality and quantities, as `analyze` does.

    Parameters
    ----------
    acquisition : DiscAcquisition
        ``study["L4-L5"]``.
    recipe : str, Path, Recipe or None
        A shipped name, a TOML file, a recipe, or `None` for the defaults.

    Returns
    -------
    LevelMeasurement
        ``preprocessed``, ``fit``, ``quality`` and ``quantities``; `score` scores several.

    Raises
    ------
    InputError
        If the disc cannot be measured.
    """
    recipe = load_recipe(recipe)
    return measure_level(acquisition, recipe, load_models(recipe))


def _measured_or_failed(
    entry: DiscEntry, recipe: Recipe, models: Models
) -> tuple[LevelMeasurement | LevelFailure, Site]:
    """Return what was measured, or why it was not, and where the voxel lies."""
    acquisition, message = None, ""
    try:
        acquisition = entry.load()
        return measure_level(acquisition, recipe, models), site_of(entry, acquisition)
    except InputError as error:
        noticed, message = finding_of(error), " ".join(str(error).split())
    except (LinAlgError, FloatingPointError) as error:
        noticed = finding("no_solution", error=str(error))
    except MemoryError:
        noticed = finding("no_memory")
    failure = LevelFailure(
        stage="read" if acquisition is None else "measure",
        message=message or words(noticed),
        findings=(noticed,),
    )
    return failure, site_of(entry, acquisition)


def scored(levels: Sequence[Level], model: ScoreModel, recipe: Recipe) -> tuple[Level, ...]:
    """Return all levels of one examination with their scores, and how images agree with them.

    Parameters
    ----------
    levels : sequence of Level
        As they were measured, or as a record has them: it holds all that a score looks at.
    model : ScoreModel
        From `load_score_model`.
    recipe : Recipe
        ``[score]``.
    """
    found = []
    for level, score in zip(levels, score_study(levels, model, recipe), strict=True):
        if level.measured is not None and score is not None:
            level = replace(level, measured=replace(level.measured, score=score))
        found.append(replace(level, concordance=concordance(level)))
    return tuple(found)


def _chosen(study: Study, levels: Sequence[str]) -> tuple[DiscEntry, ...]:
    if not levels:
        return study.discs
    wanted = {parse_level(level) for level in levels}
    for level in wanted:
        study.entry(level)
    return tuple(entry for entry in study.discs if entry.level in wanted)


def _anatomy(study: Study) -> tuple[Anatomy | None, tuple[str, ...]]:
    if study.load_anatomy is None:
        return None, ()
    try:
        return study.load_anatomy(), ()
    except InputError as error:
        return None, (f"The anatomy image could not be used: {error}",)
