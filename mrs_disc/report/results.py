"""From the report of an analysis to what is written of it: the record and its arrays."""

from __future__ import annotations

import sys
from dataclasses import replace
from functools import lru_cache
from importlib import metadata

from mrs_disc._version import __version__
from mrs_disc.data import StudyReport
from mrs_disc.recipe import resolved
from mrs_disc.record.level import Results
from mrs_disc.record.parts import Files, SignalsFile, Software
from mrs_disc.record.signals import LevelSignals, Signals
from mrs_disc.report.anatomy import drawn, planes_through
from mrs_disc.typing import FloatArray

DEPENDENCIES = ("numpy", "scipy", "nibabel", "spec2nii", "pydantic", "threadpoolctl")
"""Packages whose version may change a number."""
_IN_EVERY_ANALYSIS = ("numpy", "scipy", "pydantic", "threadpoolctl")


def record_of(report: StudyReport) -> tuple[Results, Signals | None]:
    """Return record and arrays of a report, of one that was read back those that it was read from.

    Parameters
    ----------
    report : StudyReport
        From `analyze` or `read_results`.
    """
    if report.recorded is not None:
        return report.recorded.results, report.recorded.signals
    return results_from(report), signals_from(report)


def results_from(report: StudyReport, signals_sha256: str | None = None) -> Results:
    """Return the record of a report.

    Parameters
    ----------
    report : StudyReport
        From `analyze`.
    signals_sha256 : str, optional
        SHA-256 of the ``signals.npz`` that is written beside it.
    """
    from mrs_disc.signal.fit import kernel  # what an analysis has loaded, and a page has not

    files = {(f.path, f.sha256): f for level in report.levels for f in level.inputs}
    return Results(
        study_id=report.study_id,
        software=Software(
            name="mrs_disc",
            version=__version__,
            dependencies=dict(dependency_versions()),
            kernel=kernel.used(),
        ),
        recipe=resolved(report.recipe),
        recipe_sha256=report.recipe_sha256,
        models=report.models,
        files=Files(inputs=tuple(files.values()), signals=SignalsFile(sha256=signals_sha256)),
        completeness=report.completeness,
        impression=report.impression,
        notices=(*report.notices, *_anatomy_notices(report)),
        clinical={n: v for n, v in report.clinical.items() if n != "from_dicom_reference"},
        levels=tuple(level.record for level in report.levels),
        comparison=report.comparison,
        score_model_card=report.score_model_card,
        findings=report.findings,
    )


def signals_from(report: StudyReport) -> Signals:
    """Return the arrays of a report, with the voxels' outlines in the anatomy slice."""
    affines = voxel_affines(report)
    anatomy, outlines, _ = drawn(report.anatomy, affines)
    planes = {
        key: planes_through(report.anatomy, affines[key])
        for key in outlines
        if report.anatomy is not None
    }
    levels = {
        key: replace(signals, outline=outlines.get(key), planes=planes.get(key))
        for key, signals in _level_signals(report).items()
    }
    return Signals(levels=levels, anatomy=anatomy)


@lru_cache(maxsize=1)
def dependency_versions() -> tuple[tuple[str, str], ...]:
    """Return Python and the packages that an analysis rests on, with their versions."""
    # every analysis has loaded these; to look up and parse their metadata takes 5 ms
    loaded = {n: sys.modules[n].__version__ for n in _IN_EVERY_ANALYSIS if n in sys.modules}
    found = [("python", ".".join(str(n) for n in sys.version_info[:3]))]
    for name in DEPENDENCIES:
        try:
            found.append((name, loaded.get(name) or metadata.version(name)))
        except metadata.PackageNotFoundError:
            continue
    return tuple(found)


def _level_signals(report: StudyReport) -> dict[str, LevelSignals]:
    return {r.record.key: r.signals for r in report.levels if r.signals is not None}


def voxel_affines(report: StudyReport) -> dict[str, FloatArray]:
    """Return where the measured voxels lie, by the level's key; without those not known."""
    found = {key: signals.voxel_affine for key, signals in _level_signals(report).items()}
    return {key: affine for key, affine in found.items() if affine is not None}


def _anatomy_notices(report: StudyReport) -> tuple[str, ...]:
    """Say where the anatomy image, or a voxel in it, is not shown; a figure only leaves it out."""
    if not _level_signals(report):
        return ()
    _, _, notice = drawn(report.anatomy, voxel_affines(report))
    return (notice,) if notice else ()
