"""Relaxation times, protons and the molality of water: what water referencing needs.

The file is TOML of the same form for the package and for a user. Times are log-normal: a median and
the standard deviation of the logarithm, which quantification propagates.
"""

from __future__ import annotations

from math import exp
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from mrs_disc.constants import Z95
from mrs_disc.errors import ModelError
from mrs_disc.models import Name, Status, load_model
from mrs_disc.schema import StrictModel, validate, within

FIELD_TOLERANCE = 0.15
"""A time holds for fields that differ by this fraction at most (2.89 T is 3 T)."""

Seconds = Annotated[float, Field(gt=0), within(1e-3, 20, "s", "ms")]
LogSd = Annotated[float, Field(ge=0, le=1.5)]


class Time(StrictModel):
    """A relaxation time with its scatter, where it holds, and where it comes from."""

    seconds: Seconds
    """The time."""
    log_sd: LogSd
    """Scatter among discs: standard deviation of its natural logarithm."""
    field_t: Annotated[float, Field(gt=0), within(0.1, 25, "T", "MHz")] | None = None
    """Field that it was measured at; none: any."""
    pfirrmann: tuple[int, ...] = ()
    """Grades that it holds for; empty: any."""
    source: str = Field(min_length=1)
    """Where it was read."""
    status: Status
    """V read in the source, R recalled, D derived, P proposed."""

    @property
    def interval_s(self) -> tuple[float, float]:
        """Where 95 % of discs lie."""
        return self.seconds * exp(-Z95 * self.log_sd), self.seconds * exp(Z95 * self.log_sd)


class Water(StrictModel):
    """The water reference: two protons, 55.51 mol per kg."""

    molality_mol_kg: Annotated[float, Field(gt=0), within(1, 100, "mol/kg", "mmol/kg")]
    """Of pure water."""
    protons: Annotated[float, Field(gt=0), within(0.01, 1000)]
    """Of a molecule."""
    t1: tuple[Time, ...] = Field(min_length=1)
    """Longitudinal relaxation, by grade and field."""
    t2: tuple[Time, ...] = Field(min_length=1)
    """Transverse relaxation, by grade and field."""
    source: str = Field(min_length=1)
    """Of molality and protons."""
    status: Status
    """V read in the source, R recalled, D derived, P proposed."""


class Metabolite(StrictModel):
    """Protons behind the amplitude of a component, and its relaxation times."""

    name: Name
    """Component of the metabolite model."""
    protons: Annotated[float, Field(gt=0), within(0.01, 1000)]
    """Behind its amplitude."""
    t1: tuple[Time, ...] = Field(min_length=1)
    """Longitudinal relaxation, by field."""
    t2: tuple[Time, ...] = Field(min_length=1)
    """Transverse relaxation, by field."""
    source: str = Field(min_length=1)
    """Of the protons."""
    status: Status
    """V read in the source, R recalled, D derived, P proposed."""


class RelaxationModel(StrictModel):
    """All that turns areas into mmol per kg tissue water."""

    schema_version: Literal[1] = 1
    """Of the form of the file."""
    name: Name
    """Of the model."""
    version: Annotated[int, Field(ge=1)] = 1
    """Of the model."""
    description: str = ""
    """What it is for."""
    water: Water
    """The reference."""
    metabolite: tuple[Metabolite, ...] = ()
    """Each with `[[metabolite]]`."""

    @model_validator(mode="after")
    def _names_once(self) -> RelaxationModel:
        names = [m.name for m in self.metabolite]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"metabolite '{name}' is named twice")
        return self

    def of(self, component: str) -> Metabolite | None:
        """Return the entry of a component, or `None` where the file has none."""
        return next((m for m in self.metabolite if m.name == component), None)


def choose_time(times: tuple[Time, ...], field_t: float, pfirrmann: int | None) -> Time | None:
    """Return the time that holds at this field and grade, the most specific first.

    Parameters
    ----------
    times : tuple of Time
        Entries of one species.
    field_t : float
        Field strength, T.
    pfirrmann : int or None
        Grade of the disc; entries for named grades then do not hold.

    Returns
    -------
    Time or None
        `None` where no entry holds, as at 7 T in a file for 1.5 and 3 T.
    """
    holds = [
        t
        for t in times
        if (t.field_t is None or abs(t.field_t / field_t - 1) <= FIELD_TOLERANCE)
        and (not t.pfirrmann or pfirrmann in t.pfirrmann)
    ]
    return max(holds, key=lambda t: (bool(t.pfirrmann), t.field_t is not None), default=None)


def load_relaxation_model(name: str) -> RelaxationModel:
    """Return relaxation times by shipped name or path.

    Raises
    ------
    ModelError
        If the file is not there, not valid, or a model of another kind.
    """
    return load_model(name, _relaxation_model)


def _relaxation_model(content: dict[str, Any], source: str) -> RelaxationModel:
    model = validate(content, RelaxationModel, source, ModelError)
    if not model.metabolite:
        raise ModelError(
            f"{source}: names no [[metabolite]], so nothing could be referenced to water."
        )
    return model
