"""The schema of ``results.json``: what every view of a report reads.

The file is written without it (`results`); here it is checked before anything is drawn from it.
Unknown keys are passed over, so that an older version reads what a newer one wrote.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from mrs_disc.data import Label, Verdict, parse_level
from mrs_disc.errors import NoSuchPathError, ReadError
from mrs_disc.report.results import level_key
from mrs_disc.schema import explain

MAX_JSON_BYTES = 64_000_000

Digest: TypeAlias = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Part(BaseModel):
    """Base of the schema: frozen, finite numbers, unknown keys ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)


class Software(Part):
    """Name and version of what wrote the file."""

    name: str
    version: str
    dependencies: dict[str, str] = Field(default_factory=dict)


class Input(Part):
    """One file that was read."""

    path: str
    sha256: str | None
    reader: str | None


class SignalsFile(Part):
    """The arrays beside the record."""

    file: Literal["signals.npz"]
    sha256: Digest | None


class Complete(Part):
    """Whether enough discs could be used."""

    n_levels: int
    min_levels: int
    met: bool
    missing: tuple[str, ...] = ()


class Failure(Part):
    """Where a level stopped."""

    stage: str
    message: str


class ProtocolPart(Part):
    """How a disc was measured; null where the file is silent."""

    sequence: str | None = None
    echo_time_s: float | None = None
    repetition_time_s: float | None = None
    refocusing_bandwidth_hz: float | None = None
    spectrometer_mhz: float | None = None
    field_strength_t: float | None = None
    spectral_width_hz: float | None = None
    n_points: int | None = None
    n_coils: int | None = None
    n_transients: int | None = None
    n_averages: int | None = None
    voxel_size_mm: tuple[float, float, float] | None = None
    water_suppressed: bool | None = None
    manufacturer: str | None = None
    scanner: str | None = None
    software: str | None = None
    given_by_user: tuple[str, ...] = ()


class QualityPart(Part):
    """What can be said of the spectrum."""

    verdict: Verdict
    reasons: tuple[str, ...]
    snr: float | None
    linewidth_hz: float | None
    water_linewidth_hz: float | None = None
    n_transients: int
    n_rejected: int
    rejected: tuple[int, ...] = ()
    drift_hz: float | None
    residual_water: float | None
    lipid_contaminated: bool = False


class Metabolite(Part):
    """Amplitude of one component, with its interval."""

    amplitude: float
    sd: float
    low: float | None
    high: float | None
    limit: Literal["upper"] | None
    crlb_percent: float | None
    ppm: float | None
    linewidth_hz: float | None


class Correlation(Part):
    """Correlation of the amplitudes."""

    names: tuple[str, ...]
    matrix: tuple[tuple[float, ...], ...]


class FitPart(Part):
    """The fit in numbers."""

    model: str
    converged: bool
    metabolites: dict[str, Metabolite]
    correlation: Correlation
    residual_ratio: float | None
    residual_whiteness_p: float | None = None
    reason: str = ""
    window_ppm: tuple[float, float] = (0.5, 4.2)
    quality_peak: str = ""
    noise_sd: float = 0.0
    spectrum_noise_sd: float = 0.0
    phase_rad: float = 0.0
    delay_s: Annotated[float, Field(ge=-0.01, le=0.01)] = 0.0
    reference_shift_ppm: float = 0.0


class QuantityPart(Part):
    """A number with its interval, or the reason why there is none."""

    value: float | None
    sd: float | None = None
    low: float | None = None
    high: float | None = None
    limit: Literal["upper"] | None = None
    unit: str = ""
    how: str = ""
    reason: str = ""


class ScorePart(Part):
    """The judgement of one disc."""

    model: str
    value: Annotated[float, Field(ge=0, le=1)] | None
    low: Annotated[float, Field(ge=0, le=1)] | None
    high: Annotated[float, Field(ge=0, le=1)] | None
    label: Label
    reasons: tuple[str, ...] = ()
    inputs: dict[str, Any] = Field(default_factory=dict)


class MorphologyPart(Part):
    """What a reader saw on the images."""

    pfirrmann: Annotated[int, Field(ge=1, le=5)] | None = None
    modic: Annotated[int, Field(ge=0, le=3)] | None = None
    hiz: bool | None = None
    herniation: str | None = None
    disc_height_loss: str | None = None


class ProvocationPart(Part):
    """Result of discography."""

    result: str


class Step(Part):
    """What one step did."""

    step: str
    method: str
    options: dict[str, Any] = Field(default_factory=dict)
    measured: dict[str, Any] = Field(default_factory=dict)


class Quantification(Part):
    """How amplitudes became quantities."""

    merged_laal: bool = False
    factors: dict[str, Any] = Field(default_factory=dict)


class LevelReviewPart(Part):
    """What a reviewer decided on a level."""

    decision: Literal["accept", "reject", "unsure"] | None = None
    comment: str = ""
    words: str = ""


class ReviewPart(Part):
    """State of the review of a result; laid over the record when it is rendered."""

    status: str
    words: str
    signed_by: str | None = None
    signed_at: str | None = None
    head: str | None = None
    n_acts: int = 0
    problem: str | None = None


class Level(Part):
    """One level and run, measured or failed."""

    level: str
    run: Annotated[int, Field(ge=1, le=999)]
    status: Literal["ok", "failed"]
    error: Failure | None = None
    protocol: ProtocolPart | None = None
    quality: QualityPart | None = None
    fit: FitPart | None = None
    quantities: dict[str, QuantityPart] | None = None
    score: ScorePart | None = None
    morphology: MorphologyPart | None = None
    provocation: ProvocationPart | None = None
    concordance: str | None = None
    history: tuple[Step, ...] | None = None
    water_protocol: ProtocolPart | None = None
    quantification: Quantification | None = None
    notes: tuple[str, ...] | None = None
    review: LevelReviewPart | None = None

    @field_validator("level")
    @classmethod
    def _is_level(cls, value: str) -> str:
        if parse_level(value) != value:
            raise ValueError(f"'{value}' is not how a level is spelt here")
        return value

    @property
    def key(self) -> str:
        """Name of the level's arrays and files."""
        return level_key(self.level, self.run)

    @property
    def title(self) -> str:
        """Level as a heading shows it."""
        return self.level if self.run == 1 else f"{self.level}, run {self.run}"

    @property
    def measured(self) -> bool:
        """Whether there is a spectrum with a fit and a score."""
        parts = (self.protocol, self.quality, self.fit, self.quantities, self.score)
        return self.status == "ok" and all(p is not None for p in parts)


class DifferencePart(Part):
    """One level against a reference."""

    difference: float
    low: float | None
    high: float | None


class ReferencePart(Part):
    """All levels against one reference."""

    reference: str
    levels: dict[str, DifferencePart]


class ComparisonPart(Part):
    """The discs of one person against one another."""

    quantity: str
    references: tuple[ReferencePart, ...] = ()
    reason: str = ""
    assumes: str = ""


class Results(Part):
    """The whole of ``results.json``."""

    schema_version: Literal["1"]
    study_id: str
    software: Software
    recipe: dict[str, Any]
    recipe_sha256: Digest
    models: dict[str, str]
    inputs: tuple[Input, ...]
    signals: SignalsFile
    completeness: Complete
    impression: str
    notices: tuple[str, ...]
    clinical: dict[str, Any] = Field(default_factory=dict)
    levels: tuple[Level, ...]
    comparison: ComparisonPart
    score_model_card: dict[str, Any] = Field(default_factory=dict)
    review: ReviewPart | None = None

    def options(self, group: str) -> dict[str, Any]:
        """Return the options of one group of the recipe; none where it is not there."""
        found = self.recipe.get(group)
        return found if isinstance(found, dict) else {}

    @property
    def signed(self) -> bool:
        """Whether a signature covers this result."""
        return self.review is not None and self.review.status == "signed"

    @property
    def best(self) -> dict[str, Level]:
        """The run of best quality of each level, from head to foot."""
        runs: dict[str, Level] = {}
        for level in self.levels:
            if level.level not in runs or _rank(level) > _rank(runs[level.level]):
                runs[level.level] = level
        return runs


def _rank(level: Level) -> tuple[int, float, int]:
    """Order the runs of a level as the analysis does; one that a reviewer rejected comes last."""
    rejected = level.review is not None and level.review.decision == "reject"
    if level.quality is None or rejected:
        return (-1, 0.0, -level.run)
    verdict = ("poor", "acceptable", "good").index(level.quality.verdict)
    return (verdict, level.quality.snr or 0.0, -level.run)


def read_results(path: Path) -> Results:
    """Read and check ``results.json``.

    Raises
    ------
    ReadError
        If it is absent, not JSON, or not a record of this kind.
    """
    return results_of(read_record(path), path)


def results_of(record: dict[str, Any], path: Path) -> Results:
    """Return a checked record; `path` names it in messages."""
    try:
        return Results.model_validate(record)
    except ValidationError as error:
        raise ReadError(path, explain(error, Results, "results.json").partition(": ")[2]) from None


def read_record(path: Path) -> dict[str, Any]:
    """Read a JSON object of bounded size, without NaN."""

    def refuse(constant: str) -> float:
        raise ValueError(f"it holds {constant}")

    try:
        if path.stat().st_size > MAX_JSON_BYTES:
            raise ReadError(
                path, f"larger than {MAX_JSON_BYTES // 1_000_000} MB, not a results.json"
            )
        record = json.loads(path.read_bytes().decode("utf-8"), parse_constant=refuse)
    except FileNotFoundError as error:
        if path.suffix != ".json":  # a name as it was typed, not one that was put together
            raise NoSuchPathError(path) from error
        where = path.parent.name or "this folder"
        raise ReadError(path, f"is not in {where}; 'mrs-disc analyze' writes it") from error
    except OSError as error:
        raise ReadError(path, f"cannot be read ({error.strerror or error})") from error
    except (ValueError, RecursionError) as error:
        raise ReadError(path, f"is not a valid results.json ({str(error)[:100]})") from None
    if not isinstance(record, dict):
        raise ReadError(path, "is not a results.json: an object is expected at its top")
    return record
