"""Score models: from a disc's quantities to the probability that it is a source of pain.

One schema per kind. Every model says what it was made from, for which components, echo times and
field strengths it holds, and whether anyone has validated it; outside them no score is given.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field, model_validator

from mrs_disc.errors import ModelError, did_you_mean
from mrs_disc.models import Name, Origin, Status, load_model
from mrs_disc.schema import StrictModel, validate

Fraction: TypeAlias = Annotated[float, Field(ge=0, le=1)]
Positive: TypeAlias = Annotated[float, Field(gt=0)]
Range: TypeAlias = tuple[float, float]


class Scope(StrictModel):
    """What a model was made for; outside it no score is given."""

    components: tuple[str, ...] = Field(min_length=1)
    echo_time_s: Range
    repetition_time_s: Range | None = None
    field_t: tuple[float, ...] = Field(min_length=1)
    exploratory_field_t: tuple[float, ...] = ()
    source: str = Field(min_length=1)
    status: Status


class Training(StrictModel):
    """What the parameters were found from."""

    data: str = Field(min_length=1)
    n_patients: Annotated[int, Field(ge=0)] = 0
    n_discs: Annotated[int, Field(ge=0)] = 0
    seed: int | None = None
    software: str = ""
    source: str = Field(min_length=1)
    status: Status


class ScoreModelBase(StrictModel):
    """What every score model states."""

    schema_version: Literal[1] = 1
    name: Name
    version: Annotated[int, Field(ge=1)] = 1
    description: str = ""
    validated: bool = False
    intended_use: str = Field(min_length=1)
    limits: tuple[str, ...] = ()
    scope: Scope
    training: Training
    sources: dict[str, Origin] = Field(default_factory=dict)
    performance: dict[str, Any] = Field(default_factory=dict)


class PopulationClass(StrictModel):
    """Discs of one kind: log(acidity/structure) is normal among them."""

    name: Name
    painful: bool
    share: Annotated[float, Field(gt=0, lt=1)]
    mean: Annotated[float, Field(ge=-100, le=100)]
    sd: Annotated[float, Field(ge=1e-3, le=100)]  # beyond these no logarithm of a ratio lies
    source: str = Field(min_length=1)
    status: Status


class PopulationScore(ScoreModelBase):
    """Random-intercept population model of r = log(acidity/structure).

    r of a disc is normal within its class; all discs of a patient share an offset of standard
    deviation `patient_sd`; each disc is seen with its own measurement error. r is taken to lie in
    `r_range`, on which more acid has to mean a higher probability. A measured r above `r_cap`
    counts as that, with the structure raised to match: beyond it, at large errors, more structure
    would make a painful disc more likely.
    """

    kind: Literal["population"]
    patient_sd: Annotated[float, Field(ge=0, le=100)]
    r_range: Range
    r_cap: float
    disc_class: tuple[PopulationClass, ...] = Field(min_length=2, alias="class")

    @model_validator(mode="after")
    def _sound(self) -> PopulationScore:
        if abs(sum(c.share for c in self.disc_class) - 1) > 1e-6:
            raise ValueError("the shares of the classes have to add up to 1")
        if {c.painful for c in self.disc_class} != {True, False}:
            raise ValueError("one class at least has to be painful, and one painless")
        if not self.r_range[0] < self.r_range[1]:
            raise ValueError("r_range has to rise, as in [-5.0, 1.0]")
        if not self.r_range[0] < self.r_cap <= self.r_range[1]:
            raise ValueError("r_cap has to lie inside r_range")
        reach = 4 * self.patient_sd
        for end in (self.r_range[0] - reach, self.r_range[1] + reach):
            for sick in (c for c in self.disc_class if c.painful):
                for well in (c for c in self.disc_class if not c.painful):
                    slope = (sick.mean - end) / sick.sd**2 - (well.mean - end) / well.sd**2
                    if slope < 0:
                        raise ValueError(
                            f"at r = {end:g} more acid would lower the probability of "
                            f"'{sick.name}' against '{well.name}'; narrow r_range"
                        )
        return self

    @property
    def prevalence(self) -> float:
        """Share of painful discs before measuring."""
        return sum(c.share for c in self.disc_class if c.painful)


class LogisticTerm(StrictModel):
    """One quantity in a logistic model: ``coefficient * (x - centre) / scale``."""

    quantity: str = Field(min_length=1)
    transform: Literal["none", "log"] = "none"
    coefficient: float
    centre: float = 0.0
    scale: Positive = 1.0


class LogisticScore(ScoreModelBase):
    """Logistic regression on chosen quantities, averaged over the measurement error."""

    kind: Literal["logistic"]
    intercept: float
    prevalence: Annotated[float, Field(gt=0, lt=1)]
    term: tuple[LogisticTerm, ...] = Field(min_length=1)
    source: str = Field(min_length=1)
    status: Status


class Cutoff(StrictModel):
    """One limit: the disc is positive on the named side of it."""

    quantity: str = Field(min_length=1)
    positive: Literal["above", "below"]
    limit: float
    source: str = Field(min_length=1)
    status: Status


class CutoffScore(ScoreModelBase):
    """Ratio limits: the probability, over the measurement error, that they are passed."""

    kind: Literal["cutoffs"]
    combine: Literal["all", "any"] = "all"
    cutoff: tuple[Cutoff, ...] = Field(min_length=1)


class StructureClass(StrictModel):
    """Log of structure per tissue water among discs of one kind."""

    name: Name
    degenerated: bool
    share: Annotated[float, Field(gt=0, lt=1)]
    mean: float
    sd: Positive
    source: str = Field(min_length=1)
    status: Status


class StructureIndexScore(ScoreModelBase):
    """Degeneration from structure per tissue water; says nothing about pain."""

    kind: Literal["structure_index"]
    quantity: str = "log(structure/water)"
    disc_class: tuple[StructureClass, ...] = Field(min_length=2, alias="class")

    @model_validator(mode="after")
    def _sound(self) -> StructureIndexScore:
        if abs(sum(c.share for c in self.disc_class) - 1) > 1e-6:
            raise ValueError("the shares of the classes have to add up to 1")
        if {c.degenerated for c in self.disc_class} != {True, False}:
            raise ValueError("one class at least has to be degenerated, and one not")
        return self


ScoreModel: TypeAlias = PopulationScore | LogisticScore | CutoffScore | StructureIndexScore

KINDS: dict[str, type[ScoreModelBase]] = {
    "population": PopulationScore,
    "logistic": LogisticScore,
    "cutoffs": CutoffScore,
    "structure_index": StructureIndexScore,
}
"""A new kind: its schema here, its function in `mrs_disc.score`."""


def load_score_model(name: str) -> ScoreModel:
    """Return a score model by shipped name or path.

    Raises
    ------
    ModelError
        If it is not there, or not valid.
    """
    return load_model(name, score_model)


def score_model(content: dict[str, Any], source: str) -> ScoreModel:
    """Return the parsed content of a score model; `source` names it in messages."""
    kind = content.get("kind")
    if kind is None:
        raise ModelError(f"{source}: no score model: it lacks 'kind'. Kinds: {', '.join(KINDS)}.")
    if not isinstance(kind, str) or kind not in KINDS:
        raise ModelError(
            f"{source}: kind = {kind!r} is not a kind of score model."
            f"{did_you_mean(str(kind), KINDS)} Kinds: {', '.join(KINDS)}."
        )
    return validate(content, KINDS[kind], source, ModelError)  # type: ignore[return-value]
