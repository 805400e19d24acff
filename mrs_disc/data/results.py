"""What an analysis found, from one disc's clean FID to the report of a study."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from mrs_disc.data.levels import parse_level
from mrs_disc.data.signals import Fid, Protocol, Sampling
from mrs_disc.data.study import Anatomy, InputFile, Morphology, Provocation
from mrs_disc.errors import InputError
from mrs_disc.record.findings import Finding, sentences
from mrs_disc.typing import ComplexArray, FloatArray

if TYPE_CHECKING:
    from mrs_disc.recipe import Recipe


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Preprocessed:
    """A disc's spectrum ready for the fit, with what the steps found.

    Parameters
    ----------
    fid : Fid
        Combined, aligned, averaged, eddy-current and phase corrected, water removed.
    unsuppressed_residue : Fid
        The same before residual-water removal.
    water : Fid or None
        The water reference, combined and averaged.
    protocol : Protocol
        Of the metabolite measurement.
    transient_frequency_hz, transient_phase_rad : float arrays, shape (transient,)
        What was corrected in each transient; empty where the file came averaged.
    rejected : mapping
        Index of a rejected transient to the reason.
    drift_hz : float or None
        Range of the smoothed frequencies of the transients.
    water_linewidth_hz : float or None
        Full width at half maximum of the water reference.
    """

    fid: Fid
    unsuppressed_residue: Fid
    protocol: Protocol
    water: Fid | None = None
    water_protocol: Protocol | None = None
    transient_frequency_hz: FloatArray = field(default_factory=lambda: np.empty(0))
    transient_phase_rad: FloatArray = field(default_factory=lambda: np.empty(0))
    rejected: Mapping[int, str] = field(default_factory=dict)
    n_transients: int = 1
    drift_hz: float | None = None
    water_linewidth_hz: float | None = None
    findings: tuple[Finding, ...] = ()

    @property
    def notes(self) -> tuple[str, ...]:
        """The findings in words."""
        return sentences(self.findings)


Limit: TypeAlias = Literal["upper"] | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FitResult:
    """Amplitudes of a disc with their full covariance, and the curves that show the fit.

    Parameters
    ----------
    names : tuple of str
        The components, in the order of every array here.
    amplitude : float array, shape (component,)
        Time-domain amplitude at the start of the FID (units of the file, T2-weighted).
    covariance : float array, shape (component, component)
        Of the amplitudes, with all other parameters, the baseline and the noise unknown.
    crlb : float array, shape (component,)
        Cramér-Rao bound of each amplitude, in its unit.
    low, high : float arrays, shape (component,)
        95 % interval.
    ppm : float array, shape (component,)
        Where the component's first resonance was found on the referenced axis.
    reference_shift_ppm : float
        How far all lines lay from their places on the axis of the file; taken off in `sampling`.
    linewidth_hz : float array, shape (component,)
        Full width at half maximum of one line.
    sampling : Sampling
        Of the curves.
    data, baseline : complex arrays, shape (point,)
        FIDs with the zero-order phase removed. A delay stays: multiply the spectrum by
        ``exp(-2j*pi*f*delay_s)`` to show it.
    components : complex array, shape (component, point)
        Each component's FID, in the same phase; ``baseline + components.sum(0)`` is the fit.
    noise_sd : float
        Standard deviation of the real noise of one point of the FID.
    spectrum_noise_sd : float
        Standard deviation of the real noise of the unapodized spectrum, plain FFT of `data`.
    window_ppm : tuple of float
        Fitted range.
    residual_ratio : float
        RMS of the residual in the window / noise.
    residual_whiteness_p : float or None
        Probability of a residual as structured as this one from white noise.
    quality_peak_height : float
        Height of the quality peak of the fitted component in the same spectrum.
    """

    model: str
    names: tuple[str, ...]
    amplitude: FloatArray
    covariance: FloatArray
    crlb: FloatArray
    low: FloatArray
    high: FloatArray
    ppm: FloatArray
    linewidth_hz: FloatArray
    sampling: Sampling
    data: ComplexArray
    baseline: ComplexArray
    components: ComplexArray
    noise_sd: float
    spectrum_noise_sd: float
    window_ppm: tuple[float, float]
    phase_rad: float
    delay_s: float
    residual_ratio: float
    residual_whiteness_p: float | None
    converged: bool
    reason: str = ""
    quality_peak: str = ""
    quality_peak_height: float = 0.0
    reference_shift_ppm: float = 0.0

    @property
    def sd(self) -> FloatArray:
        """One standard deviation of each amplitude."""
        return np.sqrt(np.maximum(np.diagonal(self.covariance), 0.0))

    @property
    def crlb_percent(self) -> FloatArray:
        """100 x Cramér-Rao bound / amplitude; infinite where that is not positive."""
        percent = np.full(len(self.names), np.inf)
        positive = self.amplitude > 0
        percent[positive] = 100.0 * self.crlb[positive] / self.amplitude[positive]
        return percent

    @property
    def fit(self) -> ComplexArray:
        """The whole model, a FID like `data`."""
        total: ComplexArray = self.baseline + self.components.sum(axis=0)
        return total

    def index(self, name: str) -> int:
        """Return the place of a component in the arrays."""
        return self.names.index(name)

    def has(self, *names: str) -> bool:
        """Say whether the model holds all these components."""
        return set(names) <= set(self.names)


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    """A number with its honest interval, or the reason why there is none."""

    value: float | None
    sd: float | None = None
    low: float | None = None
    high: float | None = None
    limit: Limit = None
    unit: str = ""
    how: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Quantities:
    """Ratios, sums and water-referenced amounts of one disc.

    `covariance` is that of the values of `names` (those that could be had), in that order;
    `merged_laal` says that lactate and alanine could not be told apart.
    """

    values: Mapping[str, Quantity]
    names: tuple[str, ...] = ()
    covariance: FloatArray = field(default_factory=lambda: np.empty((0, 0)))
    merged_laal: bool = False
    factors: Mapping[str, Any] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Quantity:
        return self.values[name]


Verdict: TypeAlias = Literal["good", "acceptable", "poor"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """What can be said of a spectrum, and the verdict with each of its reasons."""

    verdict: Verdict
    reasons: tuple[str, ...]
    snr: float | None
    linewidth_hz: float | None
    water_linewidth_hz: float | None
    n_transients: int
    n_rejected: int
    rejected: tuple[int, ...]
    drift_hz: float | None
    residual_water: float | None
    lipid_contaminated: bool = False
    findings: tuple[Finding, ...] = ()


Label: TypeAlias = Literal["likely painful", "indeterminate", "unlikely painful"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscScore:
    """How likely a disc is a source of pain; `value` is `None` where none can be given."""

    model: str
    value: float | None
    low: float | None
    high: float | None
    label: Label
    reasons: tuple[str, ...]
    inputs: Mapping[str, Any] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LevelMeasurement:
    """One disc through preprocessing, fit, quality and quantities."""

    preprocessed: Preprocessed
    fit: FitResult
    quality: Quality
    quantities: Quantities


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelFailure:
    """Where one level stopped, in words for the person who has to mend it."""

    stage: str
    message: str
    findings: tuple[Finding, ...] = field(default=(), compare=False)

    @property
    def kind(self) -> str:
        """The code of what stopped it."""
        return self.findings[0].kind if self.findings else "refused"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LevelReport:
    """One level of the report: measured and scored, or failed."""

    level: str
    run: int
    measurement: LevelMeasurement | None
    failure: LevelFailure | None
    score: DiscScore | None
    morphology: Morphology | None = None
    provocation: Provocation | None = None
    concordance: str = ""
    inputs: tuple[InputFile, ...] = ()

    @property
    def usable(self) -> bool:
        """Measured, with a quality that is not poor."""
        return self.measurement is not None and self.measurement.quality.verdict != "poor"


@dataclass(frozen=True, slots=True, kw_only=True)
class Completeness:
    """Whether enough discs could be used (CPT 0609T asks for three)."""

    n_levels: int
    min_levels: int
    met: bool
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One level against a reference."""

    difference: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceComparison:
    """All levels against one reference: the patient's median, or one level."""

    reference: str
    levels: Mapping[str, Difference]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The discs of one patient against one another, or the reason why they are not compared."""

    quantity: str
    references: tuple[ReferenceComparison, ...] = ()
    reason: str = ""
    assumes: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StudyReport:
    """The result of `analyze`: everything that any view of the report shows.

    ``report["L4-L5"]`` is the run of best quality, ``report["L4-L5", 2]`` names a run.
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
    score_model_card: Mapping[str, Any] = field(default_factory=dict)

    def __getitem__(self, key: str | tuple[str, int]) -> LevelReport:
        level, run = (key, None) if isinstance(key, str) else key
        wanted = parse_level(level)
        runs = [r for r in self.levels if r.level == wanted and run in (None, r.run)]
        if not runs:
            has = ", ".join(f"{r.level} run {r.run}" if r.run > 1 else r.level for r in self.levels)
            asked = wanted if run is None else f"{wanted} run {run}"
            raise InputError(f"the report has no {asked}. It has: {has}.")
        return best_run(runs)

    def __iter__(self) -> Iterator[LevelReport]:
        return iter(self.levels)


_VERDICT_RANK: dict[str, int] = {"good": 2, "acceptable": 1, "poor": 0}


def best_runs(reports: Iterable[LevelReport]) -> dict[str, LevelReport]:
    """Return the run that stands for each level, in the order in which the levels come."""
    runs: dict[str, list[LevelReport]] = {}
    for report in reports:
        runs.setdefault(report.level, []).append(report)
    return {level: best_run(found) for level, found in runs.items()}


def best_run(runs: list[LevelReport]) -> LevelReport:
    """Return the run of best quality: by verdict, then by SNR, then the earliest."""

    def rank(report: LevelReport) -> tuple[int, float, int]:
        if report.measurement is None:
            return (-1, 0.0, -report.run)
        quality = report.measurement.quality
        return (_VERDICT_RANK[quality.verdict], quality.snr or 0.0, -report.run)

    return max(runs, key=rank)
