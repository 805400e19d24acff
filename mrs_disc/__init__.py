"""Single-voxel 1H MR spectroscopy of intervertebral discs, from scanner files to a report.

>>> import mrs_disc as md
>>> study, truth = md.simulate_study(seed=1)
>>> report = md.analyze(study)
>>> report["L4-L5"].score.label in ("likely painful", "indeterminate", "unlikely painful")
True

The names below load their module when they are first used, so that ``import mrs_disc`` stays light.
"""

from __future__ import annotations

from mrs_disc._version import __version__ as __version__

TYPE_CHECKING = False  # type checkers take it for true; to import it would take ten times the rest
if TYPE_CHECKING:
    from typing import Any

    from mrs_disc.analysis import analyze as analyze
    from mrs_disc.analysis import measure as measure
    from mrs_disc.analysis import score as score
    from mrs_disc.batch.whole import read_cohort as read_cohort
    from mrs_disc.data import LevelMeasurement as LevelMeasurement
    from mrs_disc.io import read_study as read_study
    from mrs_disc.planning import plan as plan
    from mrs_disc.recipe import load_recipe as load_recipe
    from mrs_disc.report import write_report as write_report
    from mrs_disc.report.notebook import report_html as report_html
    from mrs_disc.report.plots import plot_fit as plot_fit
    from mrs_disc.report.plots import plot_levels as plot_levels
    from mrs_disc.report.plots import plot_report as plot_report
    from mrs_disc.report.read_back import read_results as read_results
    from mrs_disc.simulate import simulate_study as simulate_study
    from mrs_disc.steps import fit as fit
    from mrs_disc.steps import grade as grade
    from mrs_disc.steps import preprocess as preprocess
    from mrs_disc.steps import quantify as quantify

_HOME = {
    "LevelMeasurement": "mrs_disc.data",
    "analyze": "mrs_disc.analysis",
    "fit": "mrs_disc.steps",
    "grade": "mrs_disc.steps",
    "load_recipe": "mrs_disc.recipe",
    "measure": "mrs_disc.analysis",
    "plan": "mrs_disc.planning",
    "plot_fit": "mrs_disc.report.plots",
    "plot_levels": "mrs_disc.report.plots",
    "plot_report": "mrs_disc.report.plots",
    "preprocess": "mrs_disc.steps",
    "quantify": "mrs_disc.steps",
    "read_cohort": "mrs_disc.batch.whole",
    "read_results": "mrs_disc.report.read_back",
    "read_study": "mrs_disc.io",
    "report_html": "mrs_disc.report.notebook",
    "score": "mrs_disc.analysis",
    "simulate_study": "mrs_disc.simulate",
    "write_report": "mrs_disc.report",
}

__all__ = ["__version__", *sorted(_HOME)]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        from importlib import import_module

        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module 'mrs_disc' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted(__all__)
