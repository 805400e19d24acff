"""What was sampled and how: the protocol with its voxel, the states of a signal.

Each state has its own type: `RawSignal` (coil, transient, point), `Transients` (transient, point),
`Fid` (point), so that a step in the wrong place fails the type check.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, ClassVar, TypeAlias, TypeVar

import numpy as np

from mrs_disc.errors import InputError
from mrs_disc.record import parts
from mrs_disc.record.brief import brief
from mrs_disc.record.parts import StepRecord
from mrs_disc.record.sampling import Sampling, frozen
from mrs_disc.typing import ComplexArray, FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol(parts.Protocol):
    """How a disc was measured, with its place; `None` where neither file nor user says.

    `voxel_affine` maps voxel indices to patient coordinates (mm, RAS), as NIfTI has it.
    """

    voxel_affine: FloatArray | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        parts.Protocol.__post_init__(self)
        if self.voxel_affine is not None:
            object.__setattr__(self, "voxel_affine", frozen(self.voxel_affine))

    @property
    def recorded(self) -> parts.Protocol:
        """The same without its place, which stands among the arrays."""
        kept = {f.name: getattr(self, f.name) for f in fields(parts.Protocol)}
        return parts.Protocol(**kept)


SignalT = TypeVar("SignalT", bound="Signal")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Signal:
    """Base of the three states of a signal: time-domain samples with how they came about."""

    signal: ComplexArray
    sampling: Sampling
    history: tuple[StepRecord, ...] = ()

    axes: ClassVar[tuple[str, ...]] = ()

    __repr__ = brief

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

    __repr__ = brief


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Transients(Signal):
    """Coils combined, transients apart."""

    axes: ClassVar[tuple[str, ...]] = ("transient", "point")

    __repr__ = brief


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fid(Signal):
    """One FID: coils combined, transients averaged."""

    axes: ClassVar[tuple[str, ...]] = ("point",)

    __repr__ = brief


AnySignal: TypeAlias = RawSignal | Transients | Fid
