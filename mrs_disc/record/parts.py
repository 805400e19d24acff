"""The parts of a record, each as ``results.json`` holds it: one family from the fit to the page.

Frozen and keyword-only, plain numbers and texts without arrays, units in the names; an unknown
value is `None`, never a stand-in. They are valid where they are made; a file's are checked by
`mrs_disc.record.file`, which also prints these explanations as the schema of the file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field

from mrs_disc.errors import InputError
from mrs_disc.record.findings import Finding

Herniation: TypeAlias = Literal["none", "bulge", "protrusion", "extrusion", "sequestration"]
HeightLoss: TypeAlias = Literal["none", "mild", "moderate", "severe"]
Limit: TypeAlias = Literal["upper"] | None
Verdict: TypeAlias = Literal["good", "acceptable", "poor"]
Label: TypeAlias = Literal["likely painful", "indeterminate", "unlikely painful"]
Digest: TypeAlias = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Share: TypeAlias = Annotated[float, Field(ge=0, le=1)]
Rows: TypeAlias = tuple[tuple[float, ...], ...]

SEQUENCES = (
    "PRESS",
    "STEAM",
    "sLASER",
    "LASER",
    "SPECIAL",
    "spin echo",
    "ISIS",
    "FID",
    "edited",
    "other",
)
"""Fixed vocabulary of `Protocol.sequence`; free text of a header never leaves the reader."""

PULSES = ("ideal", "hamming_sinc", "goia_wurst")
"""Fixed vocabulary of `Protocol.refocusing_pulse`."""

MANUFACTURERS = ("Siemens", "Philips", "GE", "UIH", "Bruker", "Canon", "simulated", "other")

# --------------------------------------------------------------------------- how it was measured


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRecord:
    """What one step did."""

    step: str
    """The step of the processing."""
    method: str
    """How it was done; "skipped" where it was not needed."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """What it was set to."""
    measured: Mapping[str, Any] = field(default_factory=dict)
    """What it measured on the way."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "options", MappingProxyType(dict(self.options)))
        object.__setattr__(self, "measured", MappingProxyType(dict(self.measured)))

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle through plain dictionaries (a mapping proxy cannot be pickled)."""
        arguments = (self.step, self.method, dict(self.options), dict(self.measured))
        return _step_record, arguments


def _step_record(
    step: str, method: str, options: dict[str, Any], measured: dict[str, Any]
) -> StepRecord:
    return StepRecord(step=step, method=method, options=options, measured=measured)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scanner:
    """What a disc was measured with; null where the file is silent."""

    manufacturer: str | None = None
    """Of a fixed vocabulary."""
    model: str | None = None
    """Of a fixed vocabulary; the file calls it scanner."""
    software: str | None = None
    """Release of the scanner's software, of a fixed form."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """How a disc was measured; null where neither file nor user says."""

    sequence: str | None = None
    """Localisation, of a fixed vocabulary."""
    echo_time_s: float | None = None
    repetition_time_s: float | None = None
    mixing_time_s: float | None = None
    """Of stimulated echoes."""
    refocusing_pulse: str | None = None
    """Shape of the refocusing pulses, of a fixed vocabulary; the user gives it."""
    refocusing_bandwidth_hz: float | None = None
    """Of the refocusing pulses; the user gives it."""
    spectrometer_mhz: float | None = None
    """Larmor frequency of the nucleus."""
    field_strength_t: float | None = None
    spectral_width_hz: float | None = None
    n_points: int | None = None
    """Complex points of one FID as stored."""
    n_coils: int | None = None
    """Receive channels in the file."""
    n_transients: int | None = None
    """FIDs in the file; 1 where the scanner averaged."""
    n_averages: int | None = None
    """FIDs behind each stored one."""
    voxel_size_mm: tuple[float, float, float] | None = None
    water_suppressed: bool | None = None
    scanner: Scanner = field(default_factory=Scanner)
    given_by_user: tuple[str, ...] = ()
    """Fields that came from the study file and not from the scanner."""

    def __post_init__(self) -> None:
        if self.echo_time_s is not None and not 0 < self.echo_time_s < 1:
            raise InputError(f"echo_time_s = {self.echo_time_s}: seconds expected, between 0 and 1")
        if self.repetition_time_s is not None and not 0 < self.repetition_time_s < 60:
            raise InputError(
                f"repetition_time_s = {self.repetition_time_s}: seconds expected, between 0 and 60"
            )
        if self.sequence is not None and self.sequence not in SEQUENCES:
            raise InputError(f"sequence = '{self.sequence}': one of {', '.join(SEQUENCES)}")
        if self.refocusing_pulse is not None and self.refocusing_pulse not in PULSES:
            raise InputError(
                f"refocusing_pulse = '{self.refocusing_pulse}': one of {', '.join(PULSES)}"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class InputFile:
    """One file that a level was read from."""

    path: str
    """The BIDS path, or level/role.suffix where a scanner's file name might carry a name."""
    sha256: str | None
    """Of its content."""
    reader: str | None
    """The format as which it was read; null where no reader knows the content."""
    role: Literal["metabolite", "water"] | None = None
    """What it was read for; told in memory alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalsFile:
    """The arrays beside the record."""

    file: Literal["signals.npz"] = "signals.npz"
    sha256: Digest | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """What a record was read from, and the arrays that lie beside it."""

    inputs: tuple[InputFile, ...]
    signals: SignalsFile


@dataclass(frozen=True, slots=True, kw_only=True)
class Morphology:
    """What a reader saw on the images of one disc."""

    pfirrmann: Annotated[int, Field(ge=1, le=5)] | None = None
    """Grade of degeneration, 1 to 5."""
    modic: Annotated[int, Field(ge=0, le=3)] | None = None
    """Change of the endplates, 0 (none) to 3."""
    hiz: bool | None = None
    """High-intensity zone."""
    herniation: str | None = None
    """none, bulge, protrusion, extrusion or sequestration."""
    disc_height_loss: str | None = None
    """none, mild, moderate or severe."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Provocation:
    """Result of provocation discography of one disc, in studies that have it."""

    result: str
    """positive, negative or indeterminate."""


# --------------------------------------------------------------------------- what was found


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """What can be said of a spectrum, and the verdict with each of its reasons."""

    verdict: Verdict
    reasons: tuple[str, ...]
    """The gravest first; of a good spectrum what it passed."""
    snr: float | None
    """Height of the quality peak / standard deviation of the real noise of the spectrum."""
    linewidth_hz: float | None
    """Full width at half maximum of the quality peak."""
    water_linewidth_hz: float | None = None
    """Full width at half maximum of the water reference."""
    n_transients: int
    n_rejected: int
    rejected: tuple[int, ...] = ()
    """Their indices, from 0."""
    drift_hz: float | None
    """Range of the smoothed frequencies of the transients."""
    residual_water: float | None
    """Highest point of 4.4 to 4.9 ppm after removal / height of the quality peak."""
    water_before_removal: float | None = None
    """Highest point of 4.4 to 4.9 ppm before removal / height of the quality peak."""
    lipid_contaminated: bool = False
    """Lipid may pass for lactate."""
    shift_ppm: float | None = None
    """How far all lines lay from their places on the axis of the file, water at its own."""
    findings: tuple[Finding, ...] = field(default=(), compare=False)
    """The same as data, on the way to the findings of the level."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Metabolite:
    """Amplitude of one component of the model, with its interval."""

    amplitude: float
    """At the start of the FID, T2-weighted, before J-modulation, in units of the file."""
    sd: float
    """One standard deviation."""
    low: float | None
    """Lower end of the 95 % interval."""
    high: float | None
    """Upper end; of an upper limit the one-sided 95 % limit."""
    limit: Limit
    """Not null where the amplitude lies below two standard deviations: only `high` counts."""
    crlb_percent: float | None
    """100 x Cramér-Rao bound / amplitude; null where that is not positive."""
    ppm: float | None
    """Where its first resonance was found."""
    linewidth_hz: float | None
    """Full width at half maximum of one line."""
    repetition_sd: float | None = None
    """One standard deviation over repeats of the same measurement, with new noise alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Correlation:
    """Correlation of the amplitudes."""

    names: tuple[str, ...]
    matrix: Rows


@dataclass(frozen=True, slots=True, kw_only=True)
class RatioHeld:
    """A ratio of amplitudes that the fit took for partly known."""

    name: str
    """Numerator / denominator."""
    median: float
    log_sd: float
    """Standard deviation of its natural logarithm."""
    source: str
    status: str
    """V read in the source, R recalled, D derived, P proposed."""
    deviation_sd: float | None = None
    """How many prior standard deviations the fit's ratio lies from it; null where it is not
    positive."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """The fit in numbers; its curves stand in signals.npz."""

    model: str
    """name@version."""
    converged: bool
    metabolites: Mapping[str, Metabolite]
    correlation: Correlation
    residual_ratio: float | None
    """RMS of the residual in the fitted range / noise."""
    residual_whiteness_p: float | None = None
    """Probability of a residual as structured as this one from white noise."""
    reason: str = ""
    """Why it did not converge."""
    window_ppm: tuple[float, float] = (0.5, 4.2)
    """Fitted range."""
    quality_peak: str = ""
    """Component that SNR and linewidth are judged on."""
    ratio_priors: tuple[RatioHeld, ...] = ()
    """What was taken for known of ratios, and how far the fit lies from it."""
    noise_sd: float = 0.0
    """Standard deviation of the real noise of one point of the FID."""
    spectrum_noise_sd: float = 0.0
    """The same of the unapodized spectrum, plain FFT."""
    phase_rad: float = 0.0
    """Zero-order phase that was taken off."""
    delay_s: Annotated[float, Field(ge=-1, le=1)] = 0.0
    """Delay of the first point that stays, the file's start in it: multiply the spectrum by
    exp(-2j pi f delay_s), f from the carrier, to show it."""
    reference_shift_ppm: float = 0.0
    """How far all lines lay from their places on the axis of the file."""

    @property
    def first_lines(self) -> dict[str, float | None]:
        """The components in their order, with the ppm of the first line of each."""
        return {name: metabolite.ppm for name, metabolite in self.metabolites.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    """A number with its honest interval, or the reason why there is none."""

    value: float | None
    sd: float | None = None
    """One standard deviation."""
    low: float | None = None
    """Lower end of the 95 % interval; null where a logarithm has none."""
    high: float | None = None
    """Upper end; of an upper limit the one-sided 95 % limit."""
    limit: Limit = None
    """Not null where the value lies below two standard deviations: only `high` counts."""
    unit: str = ""
    how: str = ""
    """The formula, and what was or was not corrected for."""
    reason: str = ""
    """Why there is no value."""
    repetition_sd: float | None = None
    """One standard deviation over repeats of the same measurement, with new noise alone: the error
    of a change, where `sd` is that of the truth."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sum:
    """A weighted sum of amplitudes as measured: never cut at zero."""

    value: float
    sd: float
    weights: Mapping[str, float] = field(default_factory=dict)
    """Component to its weight."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """The uncut sums of a disc, which scores are made from."""

    of: Mapping[str, Sum]
    """LAAL, acidity and structure, where the model has their parts."""
    covariance_acidity_structure: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantities:
    """Ratios, sums and water-referenced amounts of one disc.

    ``quantities["LAC/PG"]`` is one of them.
    """

    values: Mapping[str, Quantity]
    names: tuple[str, ...] = ()
    """The quantities that `covariance` is of: those that could be had."""
    covariance: Rows = ()
    merged_laal: bool = False
    """Lactate and alanine could not be told apart."""
    sums: Sums | None = None
    """The sums uncut; null where the fit gave no number."""
    factors: Mapping[str, Any] = field(default_factory=dict)
    """What a reader needs to redo the water-referenced amounts."""

    def __getitem__(self, name: str) -> Quantity:
        return self.values[name]


@dataclass(frozen=True, slots=True, kw_only=True)
class LikelihoodRatio:
    """How many times as likely the measurement is of a painful disc as of a painless one.

    The error of the measurement is averaged over, so that it is inside the value. It rests on no
    prevalence.
    """

    value: Annotated[float, Field(ge=0)]
    low: Annotated[float, Field(ge=0)] | None = None
    """2.5th percentile over what is common to the patient's discs and not known; null where the
    model has no such part."""
    high: Annotated[float, Field(ge=0)] | None = None
    """97.5th percentile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscScore:
    """How likely a disc is a source of pain."""

    model: str
    """name@version."""
    value: Share | None
    """Probability at the prevalence among the inputs; null where none can be given."""
    low: Share | None
    """2.5th percentile over the measurement error."""
    high: Share | None
    """97.5th percentile."""
    label: Label
    evidence: LikelihoodRatio | None = None
    """What the disc's own measurement says; null where the kind of model has no such ratio."""
    reasons: tuple[str, ...] = ()
    inputs: Mapping[str, Any] = field(default_factory=dict)
    """The numbers that it follows from; `with_levels` are the discs that it was judged beside."""
    findings: tuple[Finding, ...] = field(default=(), compare=False)
    """The same as data, on the way to the findings of the level."""

    @property
    def with_levels(self) -> tuple[str, ...]:
        """The patient's other discs whose measurement went into this score."""
        return tuple(self.inputs.get("with_levels", ()))


NOT_SCORED = DiscScore(
    model="", value=None, low=None, high=None, label="indeterminate", reasons=("not scored",)
)
"""What a measured disc has until a model has seen it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelFailure:
    """Where one level stopped, in words for the person who has to mend it."""

    stage: str
    """read, measure, or level: where its name is contradicted."""
    message: str
    findings: tuple[Finding, ...] = field(default=(), compare=False)
    """The same as data, on the way to the findings of the level."""


# --------------------------------------------------------------------------- of the study


@dataclass(frozen=True, slots=True, kw_only=True)
class Completeness:
    """Whether enough discs could be used (CPT 0609T asks for three)."""

    n_levels: int
    """Levels measured and not poor."""
    min_levels: int
    met: bool
    missing: tuple[str, ...] = ()
    """Levels without a usable spectrum."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One level against a reference, with its 95 % interval."""

    difference: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceComparison:
    """All levels against one reference."""

    reference: str
    """The median of the patient's discs, or one level."""
    levels: Mapping[str, Difference]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The discs of one patient against one another."""

    quantity: str
    references: tuple[ReferenceComparison, ...] = ()
    reason: str = ""
    """Why they are not compared."""
    assumes: str = ""
    """What the comparison takes for granted."""
    most_acidic: Mapping[str, Share] = field(default_factory=dict)
    """Of each usable disc, the probability that acidity/structure is highest in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Software:
    """What wrote the file, and the packages whose version may change a number."""

    name: str
    version: str
    dependencies: Mapping[str, str] = field(default_factory=dict)
    kernel: Literal["c", "numpy"] | None = None
    """What drew the chains of the fits: compiled, or NumPy; `None` of versions that had one way."""
