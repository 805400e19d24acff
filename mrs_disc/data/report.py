"""The report of a study: its levels, each with what was found, and what is done with them.

Decision: as in `results`, what a person does with it at a prompt are methods of the record.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from mrs_disc.data.frames import level_frame
from mrs_disc.data.results import FitResult, LevelMeasurement, fit_of_record
from mrs_disc.data.study import Anatomy, Origin
from mrs_disc.errors import InputError
from mrs_disc.record.brief import brief
from mrs_disc.record.findings import Finding, probability, sentences
from mrs_disc.record.level import Level, Results, best_run
from mrs_disc.record.levels import parse_level
from mrs_disc.record.parts import (
    Comparison,
    Completeness,
    DiscScore,
    InputFile,
    LevelFailure,
    Morphology,
    Provocation,
    Quality,
    Quantity,
)
from mrs_disc.record.signals import LevelSignals, Signals

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from mrs_disc.recipe import Recipe


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LevelReport:
    """One level of the report: its record, and the arrays behind it where it was measured.

    Parameters
    ----------
    record : Level
        What ``results.json`` says of it.
    measurement : LevelMeasurement or None
        What the steps found; `None` where it failed, or was read back: a record does not hold the
        samples before the fit.
    signals : LevelSignals or None
        What ``signals.npz`` holds of it.
    inputs : tuple of InputFile
        The files that it was read from.
    """

    record: Level
    measurement: LevelMeasurement | None = None
    signals: LevelSignals | None = None
    inputs: tuple[InputFile, ...] = ()
    origin: Callable[[], Origin] = field(default=Origin, repr=False)

    @property
    def level(self) -> str:
        """Disc level."""
        return self.record.level

    @property
    def run(self) -> int:
        """Which measurement of this level."""
        return self.record.run

    @property
    def quality(self) -> Quality | None:
        """Verdict with its reasons; `None` where it failed."""
        return self.record.quality

    @property
    def quantities(self) -> Mapping[str, Quantity]:
        """Ratios, sums and amounts by name, as ``["LAC/PG"]``; none where it failed."""
        return self.record.quantities

    @property
    def fit(self) -> FitResult | None:
        """The fit, also of a report that was read back; `None` where it failed.

        What a record does not hold is not there then: the echo time that fits best, covariances
        over repeats. Its curves carry the precision of the file, 1e-7 of the signal.
        """
        if self.measurement is not None:
            return self.measurement.fit
        if self.record.fit is None or self.signals is None:
            return None
        return fit_of_record(self.record.fit, self.signals)

    @property
    def notes(self) -> tuple[str, ...]:
        """What was noticed of it, in words."""
        return self.record.notes or sentences(self.record.findings)

    def plot(self, ax: Axes | None = None, ppm: tuple[float, float] = (4.3, 0.5)) -> Axes:
        """Draw its fit as the report does: see `mrs_disc.plot_fit`."""
        if self.fit is None:
            raise InputError(f"{self.record.title} cannot be drawn: it was not measured.")
        return self.fit.plot(ax, ppm)

    def __repr__(self) -> str:
        return f"<LevelReport {_line(self.record)}>"

    @property
    def failure(self) -> LevelFailure | None:
        """Where and why it stopped; `None` where it was measured."""
        return self.record.error

    @property
    def score(self) -> DiscScore | None:
        """How likely it is a source of pain; `None` where it failed."""
        return self.record.score

    @property
    def morphology(self) -> Morphology | None:
        """What a reader saw on the images, as given."""
        return self.record.morphology

    @property
    def provocation(self) -> Provocation | None:
        """Result of discography, as given."""
        return self.record.provocation

    @property
    def concordance(self) -> str:
        """How score and images (and provocation) agree, in words."""
        return self.record.concordance

    @property
    def usable(self) -> bool:
        """Measured, with a quality that is not poor."""
        return self.record.usable


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Recorded:
    """The record that a report was read back from, as its reviewer left it, and its folder."""

    results: Results
    signals: Signals | None
    folder: Path

    __repr__ = brief


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StudyReport:
    """The result of `analyze`: everything that any view of the report shows.

    ``report["L4-L5"]`` is the run of best quality, ``report["L4-L5", 2]`` names a run; a loop
    goes over all runs from head to foot.

    Parameters
    ----------
    levels : tuple of LevelReport
        Every level and run, from head to foot.
    recipe : Recipe
        The options.
    recorded : Recorded or None
        The record that it was read back from; `None` where it was just made.
    """

    study_id: str
    levels: tuple[LevelReport, ...]
    recipe: Recipe
    recipe_sha256: str
    models: Mapping[str, str]
    completeness: Completeness
    impression: str
    comparison: Comparison
    clinical: Mapping[str, Any] = field(default_factory=dict)
    anatomy: Anatomy | None = None
    notices: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    score_model_card: Mapping[str, Any] = field(default_factory=dict)
    recorded: Recorded | None = None

    def __len__(self) -> int:
        return len(self.levels)

    def __repr__(self) -> str:
        rows = [f"  {_line(level.record)}" for level in self.levels]
        return "\n".join([f"<StudyReport {self.study_id}>", *wrap(self.impression, 98), *rows])

    def _repr_html_(self) -> str:
        import mrs_disc

        return mrs_disc.report_html(self)

    def plot(self) -> Figure:
        """Draw all levels at one glance, as the report does: see `mrs_disc.plot_report`."""
        import mrs_disc

        return mrs_disc.plot_report(self)

    def to_dataframe(self) -> pd.DataFrame:
        """Return one row a level and run, with the columns of ``levels.tsv``, a pandas table.

        `study_id` stands in the place of participant and session. Units and meanings are those of
        ``levels.json``: ``LAC/PG`` is the value, ``LAC/PG_sd`` one standard deviation, and so on.

        Examples
        --------
        >>> import mrs_disc as md
        >>> study, truth = md.simulate_study(seed=1, levels=["L4-L5", "L5-S1"])
        >>> table = md.analyze(study).to_dataframe()
        >>> table[["level", "status"]].values.tolist()
        [['L4-L5', 'ok'], ['L5-S1', 'ok']]
        """
        return level_frame(self.study_id, (level.record for level in self.levels))

    def __getitem__(self, key: str | tuple[str, int]) -> LevelReport:
        level, run = (key, None) if isinstance(key, str) else key
        wanted = parse_level(level)
        runs = {r.run: r for r in self.levels if r.level == wanted and run in (None, r.run)}
        if not runs:
            has = ", ".join(f"{r.level} run {r.run}" if r.run > 1 else r.level for r in self.levels)
            asked = wanted if run is None else f"{wanted} run {run}"
            raise InputError(f"the report has no {asked}. It has: {has}.")
        return runs[best_run(r.record for r in runs.values()).run]

    def __iter__(self) -> Iterator[LevelReport]:
        return iter(self.levels)


def _line(level: Level) -> str:
    """Return a level on one line: label, probability and verdict, or why it failed."""
    if level.measured is None:
        return f"{level.title}: failed ({level.failure.message})"
    score = level.measured.score
    value = "" if score.value is None else f", probability {probability(score.value)}"
    return f"{level.title}: {score.label}{value}; spectrum {level.measured.quality.verdict}"
