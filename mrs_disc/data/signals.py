"""What was sampled and how: sampling, protocol, the record of a step, the states of a signal.

Each state has its own type: `RawSignal` (coil, transient, point), `Transients` (transient, point),
`Fid` (point), so that a step in the wrong place fails the type check.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, ClassVar, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from mrs_disc.constants import WATER_PPM
from mrs_disc.errors import InputError
from mrs_disc.typing import ComplexArray, FloatArray

ArrayT = TypeVar("ArrayT", bound=NDArray[Any])


def frozen(array: ArrayT) -> ArrayT:
    """Return the array read-only; a writeable one is copied first, so that its owner keeps it."""
    if array.flags.writeable:
        array = array.copy()
        array.flags.writeable = False
    return array


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
