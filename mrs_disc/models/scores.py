"""Score models: from a disc's quantities to the probability that it is a source of pain.

One schema per kind. Every model says what it was made from, for which components, echo times and
field strengths it holds, and whether anyone has validated it; outside them no score is given.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, Field, model_validator

from mrs_disc.errors import ModelError, did_you_mean
from mrs_disc.models import Name, Origin, Status, load_model
from mrs_disc.schema import StrictModel, validate

Fraction: TypeAlias = Annotated[float, Field(ge=0, le=1)]
Positive: TypeAlias = Annotated[float, Field(gt=0)]


def _rising(value: tuple[float, float]) -> tuple[float, float]:
    if not value[0] < value[1]:
        raise ValueError("should go from the lower to the higher number")
    return value


Range: TypeAlias = Annotated[tuple[float, float], AfterValidator(_rising)]


Region: TypeAlias = Literal["cervical", "thoracic", "lumbar"]


class Scope(StrictModel):
    """What a model was made for; outside it no score is given, or one that is exploratory."""

    components: tuple[str, ...] = Field(min_length=1)
    """That have to be fitted."""
    echo_time_s: Range
    """From and to."""
    repetition_time_s: Range | None = None
    """From and to; none: any."""
    field_t: tuple[float, ...] = Field(min_length=1)
    """Fields that it holds at."""
    exploratory_field_t: tuple[float, ...] = ()
    """Fields at which its score is called exploratory."""
    region: tuple[Region, ...] = ()
    """Of the spine; none: of any. Discs of other regions are exploratory."""
    source: str = Field(min_length=1)
    """Of the scope."""
    status: Status
    """V read in the source, R recalled, D derived, P proposed."""

    @model_validator(mode="after")
    def _once(self) -> Scope:
        fields = (*self.field_t, *self.exploratory_field_t)
        for name, values in (("field", fields), ("region", self.region)):
            if twice := [value for value in values if values.count(value) > 1]:
                raise ValueError(f"names the {name} {twice[0]} twice")
        return self


class Training(StrictModel):
    """What the parameters were found from."""

    data: str = Field(min_length=1)
    """What it was."""
    n_patients: Annotated[int, Field(ge=0)] = 0
    """How many."""
    n_discs: Annotated[int, Field(ge=0)] = 0
    """How many."""
    seed: int | None = None
    """Of simulated data."""
    software: str = ""
    """That found the parameters."""
    source: str = Field(min_length=1)
    """Of the data."""
    status: Status
    """V read in the source, R recalled, D derived, P proposed."""


class ScoreModelBase(StrictModel):
    """What every score model states."""

    schema_version: Literal[1] = 1
    """Of the form of the file."""
    name: Name
    """Of the model, in every report."""
    version: Annotated[int, Field(ge=1)] = 1
    """Of the model."""
    description: str = ""
    """What it does."""
    validated: bool = False
    """Whether anyone held it against other patients."""
    intended_use: str = Field(min_length=1)
    """What for, and what not."""
    limits: tuple[str, ...] = ()
    """What a reader has to know."""
    scope: Scope
    """Where it holds."""
    training: Training
    """What it was made from."""
    sources: dict[str, Origin] = Field(default_factory=dict)
    """Number to a source of its own."""
    performance: dict[str, Any] = Field(default_factory=dict)
    """Figures of its cross-validation, where there was one."""


class PopulationClass(StrictModel):
    """Discs of one kind: log(acidity/structure) is normal among them."""

    name: Name
    """Of the kind of disc."""
    painful: bool
    """Whether such a disc hurts."""
    share: Annotated[float, Field(gt=0, lt=1)]
    """Among discs, before measuring."""
    mean: Annotated[float, Field(ge=-100, le=100)]
    """Of log(acidity/structure)."""
    sd: Annotated[float, Field(ge=1e-3, le=100)]  # beyond these no logarithm of a ratio lies
    """Of the same."""
    source: str = Field(min_length=1)
    """Of the numbers."""
    status: Status
    """V read in the source, R recalled, D derived, P proposed."""


class PopulationScore(ScoreModelBase):
    """Random-intercept population model of r = log(acidity/structure).

    r of a disc is normal within its class; all discs of a patient share an offset of standard
    deviation `patient_sd`; each disc is seen with its own measurement error. r is taken to lie in
    `r_range`, on which more acid has to mean a higher probability. A measured r above `r_cap`
    counts as that, with the structure raised to match: beyond it, at large errors, more structure
    would make a painful disc more likely.
    """

    kind: Literal["population"]
    """The kind of model."""
    patient_sd: Annotated[float, Field(ge=0, le=100)]
    """Of the offset that all discs of a patient share."""
    r_range: Range
    """Ends of log(acidity/structure)."""
    r_cap: float
    """A larger value counts as this."""
    disc_class: tuple[PopulationClass, ...] = Field(min_length=2, alias="class")
    """Kinds of discs, each with `[[class]]`."""

    @model_validator(mode="after")
    def _sound(self) -> PopulationScore:
        if abs(sum(c.share for c in self.disc_class) - 1) > 1e-6:
            raise ValueError("the shares of the classes have to add up to 1")
        if {c.painful for c in self.disc_class} != {True, False}:
            raise ValueError("one class at least has to be painful, and one painless")
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
    """Of results.json."""
    transform: Literal["none", "log"] = "none"
    """Before centring."""
    coefficient: float
    """Of the standardised quantity."""
    centre: float = 0.0
    """Taken off."""
    scale: Positive = 1.0
    """Divided by."""


class LogisticScore(ScoreModelBase):
    """Logistic regression on chosen quantities, averaged over the measurement error."""

    kind: Literal["logistic"]
    """The kind of model."""
    intercept: float
    """Of the linear predictor."""
    prevalence: Annotated[float, Field(gt=0, lt=1)]
    """Share of painful discs in the training."""
    term: tuple[LogisticTerm, ...] = Field(min_length=1)
    """Quantities, each with `[[term]]`."""
    source: str = Field(min_length=1)
    """Of the numbers."""
    status: Status
    """V read in the source, R recalled, D derived, P proposed."""


class Cutoff(StrictModel):
    """One limit: the disc is positive on the named side of it."""

    quantity: str = Field(min_length=1)
    """Of results.json."""
    positive: Literal["above", "below"]
    """On which side a disc is positive."""
    limit: float
    """Where."""
    source: str = Field(min_length=1)
    """Of the limit."""
    status: Status
    """V read in the source, R recalled, D derived, P proposed."""


class CutoffScore(ScoreModelBase):
    """Ratio limits: the probability, over the measurement error, that they are passed."""

    kind: Literal["cutoffs"]
    """The kind of model."""
    combine: Literal["all", "any"] = "all"
    """Whether all limits have to be passed, or any."""
    cutoff: tuple[Cutoff, ...] = Field(min_length=1)
    """Limits, each with `[[cutoff]]`."""


class StructureClass(StrictModel):
    """Log of structure per tissue water among discs of one kind."""

    name: Name
    """Of the kind of disc."""
    degenerated: bool
    """Whether such a disc is."""
    share: Annotated[float, Field(gt=0, lt=1)]
    """Among discs."""
    mean: float
    """Of the quantity."""
    sd: Positive
    """Of the same."""
    source: str = Field(min_length=1)
    """Of the numbers."""
    status: Status
    """V read in the source, R recalled, D derived, P proposed."""


class StructureIndexScore(ScoreModelBase):
    """Degeneration from structure per tissue water; says nothing about pain."""

    kind: Literal["structure_index"]
    """The kind of model."""
    quantity: str = "log(structure/water)"
    """Of results.json."""
    disc_class: tuple[StructureClass, ...] = Field(min_length=2, alias="class")
    """Kinds of discs, each with `[[class]]`."""

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
"""A new kind: its schema here, its function in `mrs_disc.scoring`."""


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
