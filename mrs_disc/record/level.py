"""A level and a study as they are recorded: what was measured is there as a whole, or not at all.

``results.json`` holds a level's parts side by side and null where it failed; in memory they are one
`Measured`, so that whoever has it has all of it. `mrs_disc.record.file` packs and unpacks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from mrs_disc.record.findings import Finding
from mrs_disc.record.levels import parse_level
from mrs_disc.record.parts import (
    NOT_SCORED,
    Comparison,
    Completeness,
    Digest,
    DiscScore,
    Files,
    Fit,
    LevelFailure,
    Morphology,
    Protocol,
    Provocation,
    Quality,
    Quantities,
    Quantity,
    Software,
    StepRecord,
)
from mrs_disc.record.review import LevelReview, Review, level_key


def _spelt(value: str) -> str:
    if parse_level(value) != value:
        raise ValueError(f"'{value}' is not how a level is spelt here")
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What was measured of one disc, and the score that follows."""

    protocol: Protocol
    """Of the metabolite measurement."""
    quality: Quality
    fit: Fit
    quantities: Quantities
    score: DiscScore = NOT_SCORED
    history: tuple[StepRecord, ...] = ()
    """The steps from the file to the fit, in their order."""
    water_protocol: Protocol | None = None
    """Of the water reference, where there is one."""
    notes: tuple[str, ...] = ()
    """What reader and steps noticed, mended or only suspect."""


TISSUE_METHOD = "grey values of the image: halfway from disc to marrow, and to fat or fluid"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tissue:
    """What the voxel holds, by the grey values of the image; null where that is not certain."""

    disc_percent: float | None = None
    """Disc, its dark annulus and endplates among it."""
    bone_percent: float | None = None
    """Bone marrow."""
    fat_percent: float | None = None
    """Fat or fluid, which one T2-weighted image does not tell apart."""
    reason: str = ""
    """Why something is not stated."""
    method: str = TISSUE_METHOD
    """How it was estimated; tested on simulated images alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """One level and run, measured or failed."""

    level: Annotated[str, AfterValidator(_spelt)]
    """Disc level, as "L4-L5"."""
    run: Annotated[int, Field(ge=1, le=999)] = 1
    """Which measurement of this level."""
    measured: Measured | None = None
    error: LevelFailure | None = None
    """Why it failed."""
    morphology: Morphology | None = None
    """As given."""
    provocation: Provocation | None = None
    """As given."""
    concordance: str = ""
    """How score and images (and provocation) agree."""
    tissue: Tissue | None = None
    """What the voxel holds by the image; null where no image shows it."""
    findings: tuple[Finding, ...] = ()
    """What was noticed, as codes."""
    review: LevelReview | None = None

    @property
    def key(self) -> str:
        """Name of the level's arrays and files."""
        return level_key(self.level, self.run)

    @property
    def title(self) -> str:
        """Level as a heading shows it."""
        return self.level if self.run == 1 else f"{self.level}, run {self.run}"

    @property
    def failure(self) -> LevelFailure:
        """Why there is no measurement; said in general where the record does not say it."""
        return self.error or LevelFailure(stage="measure", message="no result")

    @property
    def rejected(self) -> bool:
        """Whether a reviewer took it out."""
        return self.review is not None and self.review.decision == "reject"

    @property
    def standing(self) -> Measured | None:
        """What was measured, unless a reviewer took it out."""
        return None if self.rejected else self.measured

    @property
    def usable(self) -> bool:
        """Whether it was measured, is not poor and was not taken out."""
        return self.standing is not None and self.standing.quality.verdict != "poor"

    @property
    def protocol(self) -> Protocol | None:
        """How it was measured."""
        return self.measured.protocol if self.measured else None

    @property
    def quality(self) -> Quality | None:
        """What can be said of its spectrum."""
        return self.measured.quality if self.measured else None

    @property
    def fit(self) -> Fit | None:
        """Its fit in numbers."""
        return self.measured.fit if self.measured else None

    @property
    def quantities(self) -> Mapping[str, Quantity]:
        """Its quantities by name; none where it failed."""
        return self.measured.quantities.values if self.measured else {}

    @property
    def score(self) -> DiscScore | None:
        """Its score."""
        return self.measured.score if self.measured else None

    @property
    def water_protocol(self) -> Protocol | None:
        """How its water reference was measured."""
        return self.measured.water_protocol if self.measured else None

    @property
    def notes(self) -> tuple[str, ...]:
        """What was noticed of it; none where it failed."""
        return self.measured.notes if self.measured else ()

    @property
    def history(self) -> tuple[StepRecord, ...]:
        """Its steps; none where it failed."""
        return self.measured.history if self.measured else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """The whole of results.json."""

    study_id: str
    software: Software
    recipe: Mapping[str, Any]
    """All options, defaults written out."""
    recipe_sha256: Digest
    """Of the resolved options and the content of the models."""
    models: Mapping[str, str]
    """name@version of the models of fit, relaxation and score."""
    files: Files
    completeness: Completeness
    impression: str
    notices: tuple[str, ...]
    """For research use, and what concerns the whole study."""
    clinical: Mapping[str, Any] = field(default_factory=dict)
    """As given."""
    levels: tuple[Level, ...]
    comparison: Comparison
    score_model_card: Mapping[str, Any] = field(default_factory=dict)
    """What the score model was made from and for."""
    findings: tuple[Finding, ...] = ()
    """What was noticed of the whole study, as codes."""
    review: Review | None = None

    def options(self, group: str) -> dict[str, Any]:
        """Return the options of one group of the recipe; none where it is not there."""
        options = self.recipe.get(group)
        return options if isinstance(options, dict) else {}

    @property
    def signed(self) -> bool:
        """Whether a signature covers this result."""
        return self.review is not None and self.review.signed

    @property
    def best(self) -> dict[str, Level]:
        """The best run of each level, in the order of the record."""
        return best_runs(self.levels)


VERDICT_RANK = {"poor": 0, "acceptable": 1, "good": 2}


def best_run(runs: Iterable[Level]) -> Level:
    """Return the run of best quality: by verdict, then by SNR, then the earliest.

    One that failed, or that a reviewer took out, comes last.
    """

    def rank(level: Level) -> tuple[int, float, int]:
        if level.standing is None:
            return (-1, 0.0, -level.run)
        quality = level.standing.quality
        return (VERDICT_RANK[quality.verdict], quality.snr or 0.0, -level.run)

    return max(runs, key=rank)


def best_runs(levels: Iterable[Level]) -> dict[str, Level]:
    """Return the best run of each level, in the order in which the levels come."""
    runs: dict[str, list[Level]] = {}
    for level in levels:
        runs.setdefault(level.level, []).append(level)
    return {name: best_run(of_level) for name, of_level in runs.items()}


def completeness_of(
    levels: Iterable[Level], min_levels: int, noticed: Iterable[Finding] = ()
) -> Completeness:
    """Return how many levels have a usable run, and which have none.

    `noticed` are the findings of the study: what is one disc under two names counts once.
    """
    best = best_runs(levels)
    usable = [name for name, level in best.items() if level.usable]
    twice = {
        lower
        for one in noticed
        if one.kind in ("same_file_twice", "levels_at_one_place")
        for upper, *lowers in [one.values.get("levels") or [""]]
        for lower in lowers
        if upper != lower and upper in usable and lower in usable
    }
    return Completeness(
        n_levels=len(usable) - len(twice),
        min_levels=min_levels,
        met=len(usable) - len(twice) >= min_levels,
        missing=tuple(name for name in best if name not in usable),
    )
