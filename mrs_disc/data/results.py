"""What an analysis found, from one disc's clean FID to the report of a study."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from mrs_disc.data.signals import Fid, Protocol
from mrs_disc.data.study import Anatomy, Origin
from mrs_disc.errors import InputError
from mrs_disc.record.findings import Finding, sentences
from mrs_disc.record.level import Level, best_run
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
    Quantities,
)
from mrs_disc.record.sampling import Sampling
from mrs_disc.record.signals import LevelSignals
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


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Curves:
    """The curves that show a fit, as FIDs with the zero-order phase removed.

    A delay stays: multiply a spectrum by ``exp(-2j*pi*f*delay_s)`` to show it.

    Parameters
    ----------
    sampling : Sampling
        Of all curves, its axis referenced to the lines.
    data, baseline : complex arrays, shape (point,)
        What was fitted, and the baseline of the model.
    components : complex array, shape (component, point)
        Each component's FID; ``baseline + components.sum(0)`` is the fit.
    window_ppm : tuple of float
        Fitted range.
    reference_shift_ppm : float
        How far all lines lay from their places on the axis of the file; taken off in `sampling`.
    """

    sampling: Sampling
    data: ComplexArray
    baseline: ComplexArray
    components: ComplexArray
    window_ppm: tuple[float, float]
    reference_shift_ppm: float = 0.0

    @property
    def fit(self) -> ComplexArray:
        """The whole model, a FID like `data`."""
        total: ComplexArray = self.baseline + self.components.sum(axis=0)
        return total


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """The noise that a fit found, and what it left beside it.

    Parameters
    ----------
    sd : float
        Standard deviation of the real noise of one point of the FID.
    spectrum_sd : float
        The same of the unapodized spectrum, plain FFT of the data.
    residual_ratio : float
        RMS of the residual in the fitted range / noise.
    residual_whiteness_p : float or None
        Probability of a residual as structured as this one from white noise.
    """

    sd: float
    spectrum_sd: float
    residual_ratio: float
    residual_whiteness_p: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """The zero-order phase that was taken off the curves, and the delay that was not.

    The delay is that of the first point after the echo: the start that the file says, and what the
    fit found beyond it.
    """

    zero_order_rad: float
    delay_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityPeak:
    """The component that quality is judged on; `height` is that of its fit in the spectrum."""

    name: str = ""
    height: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class EchoPhase:
    """How far a doublet has evolved beyond the stated echo time.

    Parameters
    ----------
    name : str
        The component.
    strength_sd : float
        Both phases of the doublet together, in standard deviations.
    deviation_sd : float
        The phase that it should not have, in its standard deviations.
    late_s : float
        Time by which it evolved longer than stated.
    period_s : float
        Time after which it looks the same.
    """

    name: str
    strength_sd: float
    deviation_sd: float
    late_s: float
    period_s: float


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
    linewidth_hz : float array, shape (component,)
        Full width at half maximum of one line.
    echo : EchoPhase or None
        Of the doublet that tells the echo time; `None` where nothing seemed wrong.
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
    curves: Curves
    noise: Noise
    phase: Phase
    peak: QualityPeak = QualityPeak()
    converged: bool
    reason: str = ""
    echo: EchoPhase | None = None

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

    def index(self, name: str) -> int:
        """Return the place of a component in the arrays."""
        return self.names.index(name)

    def has(self, *names: str) -> bool:
        """Say whether the model holds all these components."""
        return set(names) <= set(self.names)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LevelMeasurement:
    """One disc through preprocessing, fit, quality and quantities."""

    preprocessed: Preprocessed
    fit: FitResult
    quality: Quality
    quantities: Quantities


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LevelReport:
    """One level of the report: its record, and the arrays behind it where it was measured.

    Parameters
    ----------
    record : Level
        What ``results.json`` says of it.
    measurement : LevelMeasurement or None
        What the steps found; `None` where it failed.
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
    findings: tuple[Finding, ...] = ()
    score_model_card: Mapping[str, Any] = field(default_factory=dict)

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
