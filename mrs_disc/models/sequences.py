"""What localised sequences do to coupled spins: a table of sequences and of their pulses.

The file is TOML of the same form for the package and for a user, who adds a sequence by an entry.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from mrs_disc.errors import ModelError
from mrs_disc.models import Name, Status, load_model
from mrs_disc.record.parts import SEQUENCES
from mrs_disc.schema import StrictModel, validate, within

Shape = Literal["hamming_sinc", "goia_wurst"]


class Pulse(StrictModel):
    """A refocusing pulse as it is where nobody says more."""

    shape: Shape
    """What it is called."""
    bandwidth_hz: Annotated[float, within(200, 100_000, "Hz", "kHz")]
    """Where nobody says another."""
    duration_s: Annotated[float, Field(gt=0), within(1e-4, 0.05, "s", "ms")]
    """At that bandwidth."""
    carrier_ppm: Annotated[float, Field(ge=-5, le=15)]
    """Where its middle lies."""
    source: str = Field(min_length=1)
    """Of the numbers."""
    status: Status
    """V read in the source, R recalled, D derived, P proposed."""

    def length_s(self, bandwidth_hz: float) -> float:
        """Return how long the pulse is at another bandwidth: a sweep keeps its length."""
        if self.shape == "goia_wurst":
            return self.duration_s
        return self.duration_s * self.bandwidth_hz / bandwidth_hz


class Sequence(StrictModel):
    """A sequence by the name that the protocol has."""

    name: str
    """As the protocol has it."""
    pulses: tuple[Annotated[int, Field(ge=1, le=4)], ...] = Field((), max_length=3)
    """Refocusing pulses of each direction."""
    stimulated: bool = False
    """Whether the echo is a stimulated one."""
    refocusing: Shape | None = None
    """Shape of its pulses where nobody says another."""
    real: Literal["always", "told"] = "told"
    """Whether real pulses are taken always, or where their bandwidth is told."""
    source: str = Field(min_length=1)
    """Of the numbers."""
    status: Status
    """V read in the source, R recalled, D derived, P proposed."""

    @field_validator("name")
    @classmethod
    def _known(cls, value: str) -> str:
        if value not in SEQUENCES:
            raise ValueError(f"should be one of {', '.join(SEQUENCES)}")
        return value

    @model_validator(mode="after")
    def _one_kind(self) -> Sequence:
        if self.stimulated == bool(self.pulses):
            raise ValueError("give either pulses or stimulated = true, not both, not neither")
        if self.stimulated and self.refocusing is not None:
            raise ValueError("a stimulated echo has no refocusing pulse")
        return self


class SequenceTable(StrictModel):
    """All sequences whose evolution is known."""

    schema_version: Literal[1] = 1
    """Of the form of the file."""
    name: Name
    """Of the table."""
    version: Annotated[int, Field(ge=1)] = 1
    """Of the table."""
    description: str = ""
    """What it is for."""
    pulse: tuple[Pulse, ...] = ()
    """Refocusing pulses, each with `[[pulse]]`."""
    sequence: tuple[Sequence, ...] = Field(min_length=1)
    """Sequences, each with `[[sequence]]`."""

    @model_validator(mode="after")
    def _names_once(self) -> SequenceTable:
        shapes: list[str] = [p.shape for p in self.pulse]
        for names in ([s.name for s in self.sequence], shapes):
            for name in names:
                if names.count(name) > 1:
                    raise ValueError(f"'{name}' is named twice")
        for asked in (s.refocusing for s in self.sequence):
            if asked is not None and asked not in shapes:
                raise ValueError(f"no [[pulse]] has the shape '{asked}'")
        return self

    def of(self, name: str) -> Sequence | None:
        """Return the entry of a sequence, or `None` where the file has none."""
        return next((s for s in self.sequence if s.name == name), None)

    def pulse_of(self, shape: str) -> Pulse | None:
        """Return the pulse of a shape, or `None` where the file has none."""
        return next((p for p in self.pulse if p.shape == shape), None)


def load_sequences(name: str) -> SequenceTable:
    """Return a table of sequences by shipped name or path.

    Raises
    ------
    ModelError
        If the file is not there, not valid, or a model of another kind.
    """
    return load_model(name, _table)


def _table(content: dict[str, Any], source: str) -> SequenceTable:
    if "sequence" not in content:
        raise ModelError(f"{source}: no table of sequences: it lacks [[sequence]].")
    return validate(content, SequenceTable, source, ModelError)
