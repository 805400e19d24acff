"""All records that pass between the rooms: frozen, keyword-only, units in the names.

An unknown value is `None`, never a stand-in. Arrays are copied once and made read-only. Each state
of the signal has its own type: `RawSignal` (coil, transient, point), `Transients` (transient,
point), `Fid` (point), so that a step in the wrong place fails the type check.

Sign: a resonance at larger ppm has larger frequency, ``exp(+2j*pi*f*t)`` with
``f = (ppm - reference_ppm) * spectrometer_mhz``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from mrs_disc.constants import WATER_PPM
from mrs_disc.errors import InputError, did_you_mean
from mrs_disc.typing import ComplexArray, FloatArray

if TYPE_CHECKING:
    from mrs_disc.recipe import Recipe

# --------------------------------------------------------------------------- disc levels

_CHAIN = (
    *(f"C{n}" for n in range(2, 8)),
    *(f"T{n}" for n in range(1, 13)),
    *(f"L{n}" for n in range(1, 6)),
    "S1",
)
LEVELS: tuple[str, ...] = (
    *(f"{upper}-{lower}" for upper, lower in pairwise(_CHAIN)),
    "L5-L6",
    "L6-S1",
)
"""Disc levels from head to foot; the last two exist in a transitional spine."""

_LEVEL = re.compile(r"^([CTL])(\d{1,2})[-_/ ]?([CTLS]?)(\d{1,2})$", re.IGNORECASE)


def parse_level(text: str) -> str:
    """Return the level in its one spelling; ``L4L5``, ``L4/5`` and ``l4_l5`` mean the same.

    >>> parse_level("l4_l5"), parse_level("L5/S1"), parse_level("C5/6")
    ('L4-L5', 'L5-S1', 'C5-C6')

    Raises
    ------
    InputError
        If it is not a disc level.
    """
    match = _LEVEL.match(text.strip())
    if match:
        upper, m, lower, n = match.groups()
        if not lower:
            lower = "S" if upper.upper() == "L" and n == "1" else upper
        level = f"{upper.upper()}{int(m)}-{lower.upper()}{int(n)}"
        if level in LEVELS:
            return level
    raise InputError(
        f"'{text}' is not a disc level.{did_you_mean(text.upper(), LEVELS)} "
        "Levels: C2-C3 to L5-S1, L5-L6, L6-S1."
    )


def level_order(level: str) -> int:
    """Return the position of a level from head to foot (L5-L6 and L6-S1 after L4-L5)."""
    return LEVELS.index(level)


# --------------------------------------------------------------------------- arrays

ArrayT = TypeVar("ArrayT", bound=NDArray[Any])


def frozen(array: ArrayT) -> ArrayT:
    """Return the array read-only; a writeable one is copied first, so that its owner keeps it."""
    if array.flags.writeable:
        array = array.copy()
        array.flags.writeable = False
    return array


# --------------------------------------------------------------------------- measurement

SEQUENCES = ("PRESS", "STEAM", "sLASER", "LASER", "SPECIAL", "ISIS", "FID", "edited", "other")
"""Fixed vocabulary of `Protocol.sequence`; free text of a header never leaves the reader."""

MANUFACTURERS = ("Siemens", "Philips", "GE", "UIH", "Bruker", "Canon", "simulated", "other")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How a FID was sampled.

    Parameters
    ----------
    dwell_time_s : float
        Time between complex points, s.
    spectrometer_mhz : float
        Larmor frequency of the nucleus, MHz.
    reference_ppm : float
        Shift at zero frequency.
    start_time_s : float
        Time of the first point after the echo, s.
    nucleus : str
        As NIfTI-MRS writes it.
    """

    dwell_time_s: float
    spectrometer_mhz: float
    reference_ppm: float = WATER_PPM
    start_time_s: float = 0.0
    nucleus: str = "1H"

    def __post_init__(self) -> None:
        if not 5e-6 <= self.dwell_time_s <= 1e-2:
            raise InputError(
                f"dwell time = {self.dwell_time_s} s: seconds expected, between 5e-6 and 0.01"
            )
        if not 10 <= self.spectrometer_mhz <= 1000:
            raise InputError(
                f"spectrometer frequency = {self.spectrometer_mhz}: MHz expected, 10 to 1000"
            )

    @property
    def spectral_width_hz(self) -> float:
        """Reciprocal of the dwell time, Hz."""
        return 1.0 / self.dwell_time_s

    def time_s(self, n_points: int) -> FloatArray:
        """Return the time of each point, s, shape (point,)."""
        return self.start_time_s + self.dwell_time_s * np.arange(n_points, dtype=np.float64)

    def hz(self, ppm: float) -> float:
        """Return the frequency of a chemical shift, Hz from the carrier."""
        return (ppm - self.reference_ppm) * self.spectrometer_mhz


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """How a disc was measured; `None` where neither file nor user says.

    `voxel_affine` maps voxel indices to patient coordinates (mm, RAS), as NIfTI has it.
    `given_by_user` names the fields that came from the study file and not from the scanner.
    """

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
    voxel_affine: FloatArray | None = field(default=None, compare=False)
    water_suppressed: bool | None = None
    water_suppression: str | None = None
    manufacturer: str | None = None
    scanner: str | None = None
    software: str | None = None
    given_by_user: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.echo_time_s is not None and not 0 < self.echo_time_s < 1:
            raise InputError(f"echo_time_s = {self.echo_time_s}: seconds expected, between 0 and 1")
        if self.repetition_time_s is not None and not 0 < self.repetition_time_s < 60:
            raise InputError(
                f"repetition_time_s = {self.repetition_time_s}: seconds expected, between 0 and 60"
            )
        if self.sequence is not None and self.sequence not in SEQUENCES:
            raise InputError(f"sequence = '{self.sequence}': one of {', '.join(SEQUENCES)}")
        if self.voxel_affine is not None:
            object.__setattr__(self, "voxel_affine", frozen(self.voxel_affine))


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRecord:
    """What one step did: its method, its options and what it measured on the way."""

    step: str
    method: str
    options: Mapping[str, Any] = field(default_factory=dict)
    measured: Mapping[str, Any] = field(default_factory=dict)

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


SignalT = TypeVar("SignalT", bound="Signal")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Signal:
    """Base of the three states of a signal: time-domain samples with how they came about."""

    signal: ComplexArray
    sampling: Sampling
    history: tuple[StepRecord, ...] = ()

    axes: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        if self.signal.ndim != len(self.axes):
            raise InputError(
                f"{type(self).__name__} has the axes ({', '.join(self.axes)}), "
                f"but the signal has the shape {self.signal.shape}"
            )
        if not np.iscomplexobj(self.signal):
            raise InputError("the signal is not complex: the imaginary part was lost")
        object.__setattr__(self, "signal", frozen(self.signal))

    def become(
        self,
        kind: type[SignalT],
        signal: ComplexArray,
        step: str,
        *,
        method: str,
        options: Mapping[str, Any] | None = None,
        measured: Mapping[str, Any] | None = None,
    ) -> SignalT:
        """Return the next state with this step added to the history."""
        record = StepRecord(
            step=step, method=method, options=options or {}, measured=measured or {}
        )
        signal.flags.writeable = False
        return kind(signal=signal, sampling=self.sampling, history=(*self.history, record))

    def skipped(self: SignalT, step: str, why: str) -> SignalT:
        """Return the same signal with a note that `step` was not needed."""
        record = StepRecord(step=step, method="skipped", measured={"reason": why})
        return replace(self, history=(*self.history, record))

    @property
    def n_points(self) -> int:
        """Number of complex points."""
        return int(self.signal.shape[-1])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RawSignal(Signal):
    """Samples of every coil and transient."""

    axes: ClassVar[tuple[str, ...]] = ("coil", "transient", "point")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Transients(Signal):
    """Coils combined, transients apart."""

    axes: ClassVar[tuple[str, ...]] = ("transient", "point")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fid(Signal):
    """One FID: coils combined, transients averaged."""

    axes: ClassVar[tuple[str, ...]] = ("point",)


AnySignal: TypeAlias = RawSignal | Transients | Fid


# --------------------------------------------------------------------------- study


@dataclass(frozen=True, slots=True, kw_only=True)
class Morphology:
    """What a reader saw on the images of one disc."""

    pfirrmann: int | None = None
    modic: int | None = None
    hiz: bool | None = None
    herniation: str | None = None
    disc_height_loss: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Provocation:
    """Result of provocation discography of one disc, in studies that have it."""

    result: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InputFile:
    """One file that a level was read from.

    `path` is the BIDS path, or ``level/role.suffix`` where the scanner's own file name might
    carry a person's name. `reader` is `None` where no reader knows the content.
    """

    path: str
    sha256: str | None
    reader: str | None
    role: Literal["metabolite", "water"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Anatomy:
    """A morphologic image to draw the voxels on: voxels (i, j, k) and their affine (mm, RAS)."""

    image: NDArray[Any]
    affine: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DiscAcquisition:
    """All that was measured of one disc, ready for `preprocess`.

    `water` is the unsuppressed reference, `water_protocol` how that was measured. `notes` are
    what the reader noticed and mended or only suspects; what forbids analysis is an error.
    """

    level: str
    run: int = 1
    metabolite: AnySignal
    protocol: Protocol
    water: AnySignal | None = None
    water_protocol: Protocol | None = None
    morphology: Morphology | None = None
    provocation: Provocation | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DiscEntry:
    """One disc of a study before its signal is read.

    `load` reads the files and raises `InputError` where they cannot be used; `inputs` names and
    hashes them without reading them as spectra.
    """

    level: str
    run: int = 1
    load: Callable[[], DiscAcquisition]
    inputs: Callable[[], tuple[InputFile, ...]]
    morphology: Morphology | None = None
    provocation: Provocation | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Study:
    """One examination of one person; no signal is read before it is asked for.

    ``study["L4-L5"]`` reads the first run of a level, ``study["L4-L5", 2]`` the second.
    """

    study_id: str
    discs: tuple[DiscEntry, ...]
    session_id: str | None = None
    region: str | None = None
    clinical: Mapping[str, Any] = field(default_factory=dict)
    load_anatomy: Callable[[], Anatomy | None] | None = None
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.discs:
            raise InputError(f"study '{self.study_id}' names no disc")
        keys = [(d.level, d.run) for d in self.discs]
        for key in keys:
            if keys.count(key) > 1:
                raise InputError(
                    f"level {key[0]} is named twice as run {key[1]}; "
                    "give the repeated measurement run = 2, or take one out"
                )
        ordered = sorted(self.discs, key=lambda d: (level_order(d.level), d.run))
        object.__setattr__(self, "discs", tuple(ordered))

    @property
    def levels(self) -> tuple[str, ...]:
        """The levels from head to foot, each once."""
        return tuple(dict.fromkeys(d.level for d in self.discs))

    def entry(self, level: str, run: int | None = None) -> DiscEntry:
        """Return the entry of a level; of its first run where `run` is not given."""
        wanted = parse_level(level)
        for disc in self.discs:
            if disc.level == wanted and run in (None, disc.run):
                return disc
        has = ", ".join(f"{d.level} run {d.run}" if d.run > 1 else d.level for d in self.discs)
        asked = wanted if run is None else f"{wanted} run {run}"
        raise InputError(f"study '{self.study_id}' has no {asked}. It has: {has}.")

    def __getitem__(self, key: str | tuple[str, int]) -> DiscAcquisition:
        level, run = (key, None) if isinstance(key, str) else key
        return self.entry(level, run).load()

    def __iter__(self) -> Iterator[DiscEntry]:
        return iter(self.discs)

    def __len__(self) -> int:
        return len(self.discs)


# --------------------------------------------------------------------------- results


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
    notes: tuple[str, ...] = ()


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
            has = ", ".join(dict.fromkeys(r.level for r in self.levels))
            raise InputError(f"the report has no {wanted}. It has: {has}.")
        return best_run(runs)

    def __iter__(self) -> Iterator[LevelReport]:
        return iter(self.levels)


_VERDICT_RANK: dict[str, int] = {"good": 2, "acceptable": 1, "poor": 0}


def best_run(runs: list[LevelReport]) -> LevelReport:
    """Return the run of best quality: by verdict, then by SNR, then the earliest."""

    def rank(report: LevelReport) -> tuple[int, float, int]:
        if report.measurement is None:
            return (-1, 0.0, -report.run)
        quality = report.measurement.quality
        return (_VERDICT_RANK[quality.verdict], quality.snr or 0.0, -report.run)

    return max(runs, key=rank)
