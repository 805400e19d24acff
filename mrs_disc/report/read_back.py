"""A written report as the object that `analyze` returned, without the raw data."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mrs_disc.data import LevelReport, StudyReport
from mrs_disc.data.report import Recorded
from mrs_disc.errors import RecipeError
from mrs_disc.files import read_bytes
from mrs_disc.recipe import Recipe
from mrs_disc.record.file import RESULTS_NAME
from mrs_disc.record.file import read_results as read_record
from mrs_disc.record.signals import SIGNALS_NAME, read_signals, sha256
from mrs_disc.scoring.again import as_reviewed


def read_results(folder: str | Path) -> StudyReport:
    """Read ``results.json`` and ``signals.npz`` back, as a reviewer left them.

    Parameters
    ----------
    folder : str or Path
        What `write_report` or ``mrs-disc analyze`` wrote, or the ``results.json`` in it.

    Returns
    -------
    StudyReport
        As `analyze` returned it, but for what the two files do not hold: `measurement` of a level
        is `None` (its `quality`, `quantities`, `score` and `fit` are there), and arrays carry the
        precision of the file, 1e-7 of the signal. Without ``signals.npz`` nothing can be drawn.
        `recipe` names its models by file name, never by a path.

    Raises
    ------
    ReadError
        If the record is absent or damaged, or the two files do not belong together.

    Examples
    --------
    >>> import tempfile, mrs_disc as md
    >>> study, truth = md.simulate_study(seed=1, levels=["L4-L5"])
    >>> report = md.analyze(study)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     paths = md.write_report(report, folder, formats=["json"])
    ...     again = md.read_results(folder)
    >>> again["L4-L5"].score.label == report["L4-L5"].score.label
    True
    """
    path = Path(folder)
    path = path / RESULTS_NAME if path.is_dir() else path
    analysed = read_record(path)
    results = as_reviewed(analysed, path, sha256(read_bytes(path, RESULTS_NAME)))
    beside = path.parent / SIGNALS_NAME
    signals = None
    if beside.exists():
        signals = read_signals(beside, results.files.signals.sha256)
    arrays = {} if signals is None else signals.levels
    recipe, unknown = _recipe_of(results.recipe)
    left_out = f"Options of the recipe that this version does not know: {', '.join(unknown)}."
    return StudyReport(
        study_id=results.study_id,
        levels=tuple(
            LevelReport(record=level, signals=arrays.get(level.key)) for level in results.levels
        ),
        recipe=recipe,
        recipe_sha256=results.recipe_sha256,
        models=results.models,
        completeness=results.completeness,
        impression=results.impression,
        comparison=results.comparison,
        clinical=results.clinical,
        notices=(*results.notices, *([left_out] if unknown else [])),
        findings=results.findings,
        score_model_card=results.score_model_card,
        recorded=Recorded(results=results, signals=signals, folder=path.parent),
    )


def _recipe_of(content: Mapping[str, Any]) -> tuple[Recipe, list[str]]:
    """Return the recipe of a record, and the options of another version that it is without."""
    recipe, unknown = Recipe(), []
    for group, value in content.items():
        try:
            recipe = recipe.replace(**{group: value})  # whole: some options are checked together
        except RecipeError:
            for option, one in value.items() if isinstance(value, Mapping) else ():
                try:
                    recipe = recipe.replace(**{group: {option: one}})
                except RecipeError:
                    unknown.append(f"{group}.{option}")
            if not isinstance(value, Mapping):
                unknown.append(group)
    return recipe, unknown
