"""Prior knowledge as data: metabolite, relaxation and score models, read from TOML and checked.

Every model is a file that a user can write; the package's own are of the same form. A model's
digest covers its content (and that of the basis files it names), never its path. A loaded model
carries the FIDs of its basis files: whoever fits with it opens none.
"""

from __future__ import annotations

import hashlib
import json
import weakref
from collections.abc import Callable, Mapping, Sequence
from functools import cache, lru_cache
from importlib import resources
from math import hypot
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias, TypeVar

from pydantic import (
    BaseModel,
    Field,
    PrivateAttr,
    ValidationInfo,
    field_validator,
    model_validator,
)

from mrs_disc.errors import ModelError, did_you_mean
from mrs_disc.files import read_text
from mrs_disc.models.basis import BasisFid, read_basis_fid
from mrs_disc.schema import TOML, StrictModel, parse_toml, validate, within

Status: TypeAlias = Literal["V", "R", "D", "P"]
"""V read in the source, R recalled, D derived, P proposed."""

Name: TypeAlias = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_+\-]*$", max_length=40)]


class Origin(StrictModel):
    """Where a number comes from."""

    source: str = Field(min_length=1)
    """Where the number was read."""
    status: Status
    """V read in the source, R recalled, D derived, P proposed."""


class Resonance(StrictModel):
    """One group of equivalent spins, split by coupled neighbours."""

    ppm: Annotated[float, Field(ge=-5, le=15)]
    """Chemical shift of the group."""
    weight: Annotated[float, Field(gt=0), within(1e-4, 1e4)]
    """Relative area, as a rule the number of protons."""
    j_hz: Annotated[float, Field(ge=0, le=50)] = 0.0
    """Coupling to the neighbours."""
    neighbours: Annotated[int, Field(ge=0, le=3)] = 0
    """Coupled equivalent spins: 0 singlet, 1 doublet, 2 triplet, 3 quartet."""
    partner_ppm: Annotated[float, Field(ge=-5, le=15)] | None = None
    """Where the coupled spins lie: real pulses and stimulated echoes need it."""
    in_amplitude: bool = True
    """Whether the weight counts in the unit of the component's amplitude."""
    extra_width_hz: Annotated[float, within(0, 1000, "Hz")] = 0.0
    """Lorentzian width beyond the component's."""
    gauss_width_ppm: Annotated[float, within(0, 5, "ppm", "Hz")] = 0.0
    """Gaussian width, for lipid and macromolecules."""

    @model_validator(mode="after")
    def _coupled(self) -> Resonance:
        if (self.neighbours > 0) != (self.j_hz > 0):
            raise ValueError("a multiplet needs both j_hz and neighbours, a singlet neither")
        return self


class Part(StrictModel):
    """A share of a component that moves and widens on its own in the fit."""

    share: Annotated[float, Field(gt=0, lt=1)]
    """Of the component: median of its prior."""
    log_sd: Annotated[float, Field(gt=0), within(0.01, 10)]
    """Of the prior of its ratio to what the component, or else its first part, is held to."""
    shift_sd_ppm: Annotated[float, Field(ge=0, le=0.2)] = 0.0
    """How far it may move on its own: one standard deviation, 0: only with all others."""
    extra_width_hz: Annotated[float, Field(ge=0, le=200)] = 0.0
    """Lorentzian width beyond what all components share."""
    extra_width_sd_hz: Annotated[float, Field(ge=0, le=100)] = 0.0
    """How far that may change: one standard deviation, 0: fixed."""
    resonance: tuple[Resonance, ...] = Field(min_length=1)
    """Its lines."""
    source: str = "not stated"
    """Of its numbers."""
    status: Status = "P"
    """V read in the source, R recalled, D derived, P proposed."""


class Presence(StrictModel):
    """How likely a disc holds any of a component: the fit lets it in by evidence, and above zero.

    Its parts are let in one by one.
    """

    probability: Annotated[float, Field(gt=0, lt=1)]
    """That it is there."""
    ratio: Annotated[float, Field(gt=0), within(1e-4, 1e4)]
    """Typical size where it is there: standard deviation of its ratio to the quality peak."""
    at_start: bool = False
    """Whether the lines are searched by it too, as by what every disc holds: only what lies apart
    from all others."""
    source: str = "not stated"
    """Of the numbers."""
    status: Status = "P"
    """V read in the source, R recalled, D derived, P proposed."""


class Pool(Presence):
    """More of a component, elsewhere in the field: its own lines moved and widened, by evidence.

    What of it is found counts to the component.
    """

    shift_ppm: Annotated[float, Field(ge=-0.5, le=0.5)] = 0.0
    """From the component's own place."""
    gauss_width_ppm: Annotated[float, within(0, 5, "ppm", "Hz")] = 0.0
    """Gaussian width beyond that of its lines."""

    @model_validator(mode="after")
    def _apart(self) -> Pool:
        if self.shift_ppm == 0 and self.gauss_width_ppm == 0:
            raise ValueError("shift_ppm or gauss_width_ppm has to differ from zero")
        return self

    def lines_of(self, resonance: tuple[Resonance, ...]) -> tuple[Resonance, ...]:
        """Return lines moved and widened."""
        return tuple(
            r.model_copy(
                update={
                    "ppm": r.ppm + self.shift_ppm,
                    "gauss_width_ppm": hypot(r.gauss_width_ppm, self.gauss_width_ppm),
                }
            )
            for r in resonance
        )


class Component(StrictModel):
    """One metabolite of the model: resonances, or a simulated basis FID.

    Where it has parts, the fit takes them in the place of its resonances, and its amount is the
    sum of theirs: lines of no fixed shape.
    """

    name: Name
    """What it is called in every output."""
    source: str = "not stated"
    """Of all its numbers, unless `sources` names one apart."""
    status: Status = "P"
    """V read in the source, R recalled, D derived, P proposed."""
    sources: dict[str, Origin] = Field(default_factory=dict)
    """Number to a source of its own."""
    shift_sd_ppm: Annotated[float, Field(ge=0, le=0.2)] = 0.0
    """How far it may move on its own: one standard deviation, 0: only with all others."""
    extra_width_hz: Annotated[float, Field(ge=0, le=200)] = 0.0
    """Lorentzian width beyond what all components share."""
    extra_width_sd_hz: Annotated[float, Field(ge=0, le=100)] = 0.0
    """How far that may change: one standard deviation, 0: fixed."""
    resonance: tuple[Resonance, ...] = ()
    """Its lines, each with `[[component.resonance]]`."""
    part: tuple[Part, ...] = ()
    """Shares that move and widen on their own."""
    pool: tuple[Pool, ...] = ()
    """More of it elsewhere in the field, each with `[[component.pool]]`."""
    presence: Presence | None = None
    """Of what not every disc holds: how likely it is there, and how much of it."""
    basis: str | None = None
    """A simulated FID instead of lines: LCModel RAW or NIfTI-MRS, from the folder of the model."""
    _simulated: BasisFid | None = PrivateAttr(default=None)

    @property
    def simulated(self) -> BasisFid | None:
        """The FID of the basis file, where there is one and the model is loaded."""
        return self._simulated

    def load_simulated(self, folder: Path) -> Component:
        """Return the component with the FID of its basis file, if any, relative to a folder."""
        if self.basis is None:
            return self
        component = self.model_copy()
        component._simulated = read_basis_fid(folder / self.basis)
        return component

    def without_pools(self) -> Component:
        """Return the component with no more of it than at its own place."""
        return self.model_copy(update={"pool": ()})

    @field_validator("sources", mode="before")
    @classmethod
    def _plain_sources(cls, value: Any, known: ValidationInfo) -> Any:
        """Take a plain string for a source of the component's own status."""
        if not isinstance(value, Mapping):
            return value
        status = known.data.get("status", "P")
        return {
            key: {"source": item, "status": status} if isinstance(item, str) else item
            for key, item in value.items()
        }

    @model_validator(mode="after")
    def _one_kind(self) -> Component:
        if bool(self.resonance) == (self.basis is not None):
            raise ValueError("give either [[component.resonance]] or basis, not both, not neither")
        if self.part and self.basis is not None:
            raise ValueError("parts are of resonances: leave out basis, or the parts")
        if self.pool and (self.basis is not None or self.part or self.presence is not None):
            raise ValueError("pools are of resonances: leave out basis, part and presence, or them")
        if self.part and (len(self.part) < 2 or abs(sum(p.share for p in self.part) - 1) > 1e-3):
            raise ValueError("two parts or more are expected, whose shares add up to 1")
        if self.resonance and not any(r.in_amplitude for r in self.resonance):
            raise ValueError("one resonance at least has to be in_amplitude = true")
        return self


class RatioPrior(StrictModel):
    """A log-normal prior on the ratio of two amplitudes."""

    numerator: Name
    """A component."""
    denominator: Name
    """Another."""
    median: Annotated[float, Field(gt=0), within(1e-4, 1e4)]
    """Of the ratio."""
    log_sd: Annotated[float, Field(gt=0), within(0.01, 10)]
    """Standard deviation of its natural logarithm."""
    source: str = "not stated"
    """Of the numbers."""
    status: Status = "P"
    """V read in the source, R recalled, D derived, P proposed."""


class Unresolved(StrictModel):
    """A range in which the baseline may hold lines narrower than elsewhere.

    Of a compound whose lines are too many or too variable for a fixed shape: they count to the
    baseline, and what of it lies in its component is the part of usual shape.
    """

    ppm: tuple[Annotated[float, Field(ge=-5, le=15)], Annotated[float, Field(ge=-5, le=15)]]
    """From and to."""
    widths_hz: tuple[Annotated[float, Field(gt=2, le=100)], ...] = Field(min_length=1, max_length=6)
    """Gaussian widths that a line may have."""
    odds: Annotated[float, Field(gt=0), within(1e-3, 1e3)] = 1.0
    """Prior odds of each width against one width of the other humps."""
    source: str = "not stated"
    """Of the numbers."""
    status: Status = "P"
    """V read in the source, R recalled, D derived, P proposed."""

    @field_validator("ppm")
    @classmethod
    def _rising(cls, value: tuple[float, float]) -> tuple[float, float]:
        if not value[0] < value[1]:
            raise ValueError("the lower end comes first")
        return value


class LineShape(StrictModel):
    """What is known of the shape that all lines share."""

    spread_odds: Annotated[float, Field(gt=0), within(1e-3, 1e3)] = 1.0
    """Prior odds that the field spreads the lines, by a Gaussian width, against none."""
    source: str = "not stated"
    """Of the number."""
    status: Status = "P"
    """V read in the source, R recalled, D derived, P proposed."""


class MetaboliteModel(StrictModel):
    """The components that the fit looks for."""

    schema_version: Literal[1] = 1
    """Of the form of the file."""
    name: Name
    """Of the model, in every report."""
    version: Annotated[int, Field(ge=1)] = 1
    """Of the model."""
    description: str = ""
    """What it is for."""
    nucleus: Literal["1H"] = "1H"
    """Of the spectra."""
    quality_peak: Name | None = None
    """Component that SNR and linewidth are judged on; default: the first."""
    basis_dwell_time_s: Annotated[float, Field(gt=0), within(1e-6, 1e-2, "s", "ms")] | None = None
    """Dwell time of the basis files that do not say it."""
    line_shape: LineShape = LineShape()
    """Of all lines together."""
    component: tuple[Component, ...] = Field(min_length=1)
    """What is fitted, each with `[[component]]`."""
    foreign: tuple[Component, ...] = ()
    """Compounds that few discs hold, each with `[[foreign]]`: fitted by evidence, counted to the
    baseline, and named where they are found."""
    unresolved: tuple[Unresolved, ...] = ()
    """Ranges in which the baseline may hold narrow lines, each with `[[unresolved]]`."""
    prior: tuple[RatioPrior, ...] = ()
    """Ratios of components that are partly known."""

    @model_validator(mode="after")
    def _consistent(self) -> MetaboliteModel:
        names = [c.name for c in self.component]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"component '{name}' is named twice")
        asked = [self.quality_peak] if self.quality_peak else []
        asked += [n for p in self.prior for n in (p.numerator, p.denominator)]
        for name in asked:
            if name not in names:
                raise ValueError(
                    f"no component is named '{name}'.{did_you_mean(name, names)} "
                    f"Components: {', '.join(names)}"
                )
        return self

    @property
    def quality_component(self) -> str:
        """The component on which SNR and linewidth are judged."""
        return self.quality_peak or self.component[0].name


ModelT = TypeVar("ModelT", bound=BaseModel)


def model_names() -> list[str]:
    """Return the names of the models that the package ships."""
    return sorted(path.stem for path in _folder().glob("*.toml"))


@cache
def _folder() -> Path:
    return Path(str(resources.files("mrs_disc.models")))


def model_path(name: str) -> Path:
    """Return the file of a model: of a shipped name, or the path that was given."""
    if name.endswith(".toml"):
        return Path(name)
    path = _folder() / f"{name}.toml"
    if path.is_file():
        return path
    names = model_names()
    raise ModelError(
        f"no model is named '{name}'.{did_you_mean(name, names)} "
        f"Models: {', '.join(names)}; or give the path of a TOML file."
    )


def load_metabolite_model(name: str) -> MetaboliteModel:
    """Return a metabolite model by shipped name or path, its basis files read.

    Raises
    ------
    ModelError
        If it is not there, or not valid.
    ReadError
        If a basis file is not there, or not of a known form.
    """
    return load_basis_fids(load_model(name, _metabolite_model), model_path(name).parent)


def load_basis_fids(model: MetaboliteModel, folder: Path) -> MetaboliteModel:
    """Return a metabolite model with the FIDs of its basis files, whose paths start at a folder.

    Raises
    ------
    ReadError
        If a basis file is not there, or not of a known form.
    ModelError
        If neither a file nor the model says the dwell time.
    """
    if all(component.basis is None for component in model.component):
        return model
    components = tuple(component.load_simulated(folder) for component in model.component)
    for component in components:
        if component.simulated is None or component.simulated.dwell_time_s is not None:
            continue
        if model.basis_dwell_time_s is None:
            raise ModelError(
                f"{component.basis}: the file does not say its dwell time; "
                f"give basis_dwell_time_s at the head of the model {model.name}"
            )
    return model.model_copy(update={"component": components})


def _metabolite_model(content: dict[str, Any], source: str) -> MetaboliteModel:
    if "component" not in content:
        raise ModelError(f"{source}: no metabolite model: it lacks [[component]].")
    return validate(content, MetaboliteModel, source, ModelError)


def load_model(name: str, check: Callable[[dict[str, Any], str], ModelT]) -> ModelT:
    """Return what `check` makes of a model's parsed content and its file's name."""
    path = model_path(name)
    model: ModelT = _checked(read_text(path, TOML), path, check)
    return model


@lru_cache(maxsize=12)
def _checked(text: str, path: Path, check: Callable[[dict[str, Any], str], Any]) -> Any:
    """Return the model that a file's text holds: the same text is checked once."""
    return check(parse_toml(text, path), path.name)


def content_digest(model: BaseModel, files: Sequence[str] = ()) -> str:
    """Return the SHA-256 of a model's content and of the digests of the files it names."""
    total = hashlib.sha256(_canonical(model))
    for sha256 in files:
        total.update(bytes.fromhex(sha256))
    return total.hexdigest()


_CANONICAL: dict[int, tuple[weakref.ref[BaseModel], bytes]] = {}


def _canonical(model: BaseModel) -> bytes:
    """Return a model's content as it is hashed; models do not change, so once for each object."""
    number = id(model)
    kept = _CANONICAL.get(number)
    if kept is not None and kept[0]() is model:
        return kept[1]
    dumped = model.model_dump(mode="json")
    canonical = json.dumps(dumped, sort_keys=True, separators=(",", ":")).encode()

    def forget(_: weakref.ref[BaseModel]) -> None:
        _CANONICAL.pop(number, None)

    _CANONICAL[number] = weakref.ref(model, forget), canonical
    return canonical


def metabolite_model_digest(model: MetaboliteModel) -> str:
    """Return the digest of a loaded metabolite model, its basis files included."""
    simulated = [component.simulated for component in model.component]
    return content_digest(model, [basis.sha256 for basis in simulated if basis is not None])


def model_reference(model: Any) -> str:
    """Return ``name@version``, as reports name a model."""
    return f"{model.name}@{model.version}"
