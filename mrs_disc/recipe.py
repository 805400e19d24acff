"""The recipe: every choice of the analysis, strict, frozen and printed in full.

The order of processing is physics and not in the recipe; a recipe sets the options of each stage.
What cannot change a result (workers, folders, verbosity) is not in it.

Decision: the digest covers the resolved options and the *content* of the models, never a path, so
that the same analysis has the same digest on every machine. Refused: hashing the file's bytes
(a comment would change it; a changed model would not).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, Field, field_validator, model_validator

from mrs_disc.constants import LIKELY_FROM, UNLIKELY_UP_TO
from mrs_disc.errors import RecipeError, did_you_mean
from mrs_disc.schema import StrictModel, load_toml, validate, within
from mrs_disc.toml_text import toml_value

FARTHEST_PPM = 20.0
"""What lies beyond is no chemical shift of protons: Hz, or a slip of the pen."""


def _in_ppm(window: tuple[float, float]) -> tuple[float, float]:
    if max(map(abs, window)) > FARTHEST_PPM:
        raise ValueError(f"should lie between -{FARTHEST_PPM:g} and {FARTHEST_PPM:g} ppm")
    if not window[0] < window[1]:
        raise ValueError("has to rise, as in [0.5, 4.2]")
    return window


Window: TypeAlias = Annotated[tuple[float, float], AfterValidator(_in_ppm)]
Ratio: TypeAlias = Annotated[float, Field(gt=0), within(1e-3, 1e4)]
Hertz: TypeAlias = Annotated[float, Field(gt=0), within(0.1, 1000, "Hz", "ppm or kHz")]
WidthPpm: TypeAlias = Annotated[float, Field(gt=0), within(1e-3, 5, "ppm", "Hz")]
Fraction: TypeAlias = Annotated[float, Field(ge=0, le=1)]


class CoilOptions(StrictModel):
    """Combination of the receive coils."""

    method: Literal["svd"] = Field(
        "svd", description="noise-whitened singular-value decomposition (Rodgers 2010)"
    )


class AlignOptions(StrictModel):
    """Frequency and phase of the transients."""

    method: Literal["registration", "none"] = Field(
        "registration", description="spectral registration (Near 2015), or none"
    )
    window_ppm: Window = Field((0.2, 4.2), description="range that is registered")
    max_shift_hz: Hertz = Field(25.0, description="largest shift that is corrected")


class RejectOptions(StrictModel):
    """Transients that are left out of the average."""

    method: Literal["robust", "none"] = Field(
        "robust", description="outliers of amplitude, frequency, phase and shape, or none"
    )
    max_fraction: Fraction = Field(0.5, description="never reject more than this share")


class EddyOptions(StrictModel):
    """Eddy currents."""

    method: Literal["klose", "none"] = Field(
        "klose", description="phase of the water reference (Klose 1990) where there is one, or none"
    )


class WaterOptions(StrictModel):
    """Residual water."""

    method: Literal["hlsvd", "none"] = Field(
        "hlsvd", description="low-rank model of the water band, subtracted, or none"
    )
    window_ppm: Window = Field((4.3, 5.0), description="band in which components are water")
    downfield_ppm: Annotated[float, Field(ge=0, le=2)] = Field(
        0.4, description="so far downfield of it too: nothing of the model resonates there [P]"
    )


class PhaseOptions(StrictModel):
    """Zero-order phase of the averaged spectrum."""

    method: Literal["lines", "none"] = Field(
        "lines", description="turn the lines of the fitted window upright, or none"
    )


class FitOptions(StrictModel):
    """The metabolite fit."""

    model: str = Field("disc_1h", description="metabolite model: a name, or a TOML file")
    sequences: str = Field(
        "sequences", description="how coupled spins evolve in each sequence: a name, or a TOML file"
    )
    exclude: tuple[Annotated[str, Field(min_length=1, max_length=40)], ...] = Field(
        (), description="components of the model that are left out, with the priors that name them"
    )
    window_ppm: Window = Field(
        (0.5, 4.2), description="fitted range; a component without a line in it is left out"
    )
    baseline: Literal["humps", "spline", "none"] = Field(
        "humps",
        description="positive broad humps averaged by evidence; a spline as other programs have "
        "it, its stiffness by evidence; or no baseline",
    )
    ratio_priors: bool = Field(
        True,
        description="hold ratios of amplitudes by the priors of the model, which every report has",
    )
    bootstrap: Annotated[int, Field(ge=0, le=1000)] = Field(
        0,
        description="repeats with transients drawn anew, for the error of repetition; 0: its "
        "formula; 50 tell it to 10 %",
    )

    @field_validator("bootstrap")
    @classmethod
    def _enough(cls, value: int) -> int:
        if 0 < value < 20:
            raise ValueError("20 or more tell a standard deviation to 16 %, or 0 for the formula")
        return value


class QuantifyOptions(StrictModel):
    """From amplitudes to ratios and water-referenced amounts."""

    reference: Literal["auto", "water", "none"] = Field(
        "auto", description="water reference: where there is one, required, or not used"
    )
    relaxation: str = Field(
        "relaxation", description="relaxation times for water referencing: a name, or a TOML file"
    )
    merge_correlation: Fraction = Field(
        0.8, description="|correlation| of LAC and ALA from which only their sum counts [P]"
    )
    merge_linewidth_ppm: WidthPpm = Field(
        0.1525, description="linewidth from which LAC and ALA count merged: their distance [D]"
    )
    samples: Annotated[int, Field(ge=500, le=200_000)] = Field(
        4000, description="Monte-Carlo draws behind each interval (fixed seed)"
    )


class QualityOptions(StrictModel):
    """Gates of the verdict. [P] proposed here, [D] derived; none is a published limit of discs."""

    min_snr: Ratio = Field(5.0, description="of the quality peak; below: poor [P]")
    good_snr: Ratio = Field(8.0, description="from here on good [P]")
    good_linewidth_ppm: WidthPpm = Field(
        0.20, description="of the quality peak at 3 T; up to here good [P]"
    )
    max_linewidth_ppm: WidthPpm = Field(
        0.30, description="above: poor; at other fields what a line has of its own stays in Hz [P]"
    )
    max_residual_water: Ratio = Field(10.0, description="times the quality peak; above: poor [P]")
    max_water_before_removal: Ratio = Field(
        50.0,
        description="the same before its removal; above: acceptable at best, as its foot reaches "
        "the metabolites [P]",
    )
    min_kept_fraction: Fraction = Field(0.5, description="transients kept; below: poor [P]")
    max_residual_ratio: Ratio = Field(1.5, description="RMS of residual / noise; above: poor [P]")
    max_drift_hz: Hertz = Field(10.0, description="above: acceptable at best [P]")
    max_lipid_ratio: Ratio = Field(
        3.0, description="CH2 of lipid / (LAC + ALA); above: lactate contaminated by lipid [P]"
    )
    max_negative_sd: Ratio = Field(
        3.0, description="standard deviations of a component below zero; beyond: poor [P]"
    )
    max_echo_time_sd: Ratio = Field(
        3.0,
        description="by which the multiplets fit another echo time better; beyond: poor [P]",
    )
    good_shift_ppm: WidthPpm = Field(
        0.05, description="of all lines from their places, water at its own; up to here good [P]"
    )
    max_shift_ppm: WidthPpm = Field(0.1, description="above: poor [P]")
    max_shift_without_water_ppm: WidthPpm = Field(
        0.3, description="the same without a water reference; above: poor [P]"
    )

    @model_validator(mode="after")
    def _ordered(self) -> QualityOptions:
        if self.good_snr < self.min_snr:
            raise ValueError("good_snr is below min_snr: nothing would be acceptable")
        if self.good_linewidth_ppm > self.max_linewidth_ppm:
            raise ValueError("good_linewidth_ppm is above max_linewidth_ppm")
        return self


class ScoreOptions(StrictModel):
    """From quantities to a judgement."""

    model: str = Field("acidity_structure", description="score model: a name, or a TOML file")
    likely: Annotated[float, Field(gt=1, le=1000)] = Field(
        LIKELY_FROM,
        description="likely painful from this likelihood ratio on, where the probability is one "
        "half or more [P]",
    )
    unlikely: Annotated[float, Field(gt=0, lt=1)] = Field(
        UNLIKELY_UP_TO,
        description="unlikely painful up to this likelihood ratio, where the probability is one "
        "half or less [P]",
    )
    prevalence: Annotated[float, Field(gt=0, lt=1)] | None = Field(
        None, description="share of painful discs before measuring; default: the model's own"
    )
    repeats: Literal["combined", "best"] = Field(
        "combined",
        description="runs of one disc: taken together where they agree, or the best alone",
    )
    out_of_scope: Literal["exploratory", "refuse"] = Field(
        "exploratory",
        description="discs of a region or field that the score was not made for: scored and "
        "called exploratory, or not scored",
    )
    min_levels: Annotated[int, Field(ge=1, le=30)] = Field(
        3, description="usable discs that make a complete examination (CPT 0609T)"
    )


class LevelOptions(StrictModel):
    """Names of the levels against places, files and headers."""

    contradictions: Literal["refuse", "accept"] = Field(
        "refuse",
        description="levels whose place, file or person contradicts their name: refused, or "
        "accepted as named and reported as not confirmed",
    )


class Recipe(StrictModel):
    """All options of an analysis; a file names only those that differ from the defaults."""

    schema_version: Literal[1] = 1
    """Of the form of the file."""
    name: str = Field("default", max_length=100, description="shown in the report")
    levels: LevelOptions = LevelOptions()
    coils: CoilOptions = CoilOptions()
    align: AlignOptions = AlignOptions()
    reject: RejectOptions = RejectOptions()
    eddy: EddyOptions = EddyOptions()
    water: WaterOptions = WaterOptions()
    phase: PhaseOptions = PhaseOptions()
    fit: FitOptions = FitOptions()
    quantify: QuantifyOptions = QuantifyOptions()
    quality: QualityOptions = QualityOptions()
    score: ScoreOptions = ScoreOptions()

    def replace(self, **changes: Any) -> Recipe:
        """Return the recipe with other options, checked as those of a file are.

        Parameters
        ----------
        **changes : mapping, or a value
            A group's name and what changes in it; the group's other options stay. The path of a
            model is taken from the current folder.

        Returns
        -------
        Recipe
            Another one: recipes do not change.

        Raises
        ------
        RecipeError
            If there is no such option, or its value is not allowed.

        Examples
        --------
        >>> recipe = Recipe().replace(name="mine", fit={"window_ppm": (0.5, 3.0)})
        >>> recipe.fit.window_ppm, recipe.fit.baseline
        ((0.5, 3.0), 'humps')
        >>> recipe.replace(fit={"window": (0.5, 3.0)})  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        mrs_disc.errors.RecipeError: recipe mine: [fit] has no option 'window'. ...
        """
        content = self.model_dump()
        for name, change in changes.items():
            given = change.model_dump() if isinstance(change, StrictModel) else change
            both = isinstance(given, Mapping) and isinstance(content.get(name), dict)
            content[name] = content[name] | dict(given) if both else given
        return validate(content, Recipe, f"recipe {self.name}", RecipeError)


MODEL_OPTIONS = (
    ("fit", "model"),
    ("fit", "sequences"),
    ("quantify", "relaxation"),
    ("score", "model"),
)
"""Options that name a model file: a shipped name, or a path relative to the recipe."""


def recipe_names() -> list[str]:
    """Return the names of the recipes that the package ships."""
    return sorted(path.stem for path in pipelines_folder().glob("*.toml"))


def pipelines_folder() -> Path:
    """Return the folder of the shipped recipes; a source checkout keeps it beside the package."""
    package = Path(str(resources.files("mrs_disc")))
    inside = package / "pipelines"
    return inside if inside.is_dir() else package.parent / "pipelines"


FORMER = {"press_3t_te30": "default"}
"""Names that shipped recipes had, to what is the same today: older scripts go on."""


def recipe_path(name: str) -> Path:
    """Return the file of a shipped recipe."""
    name = FORMER.get(name, name)
    path = pipelines_folder() / f"{name}.toml"
    if path.is_file():
        return path
    names = recipe_names()
    raise RecipeError(
        f"no recipe is named '{name}'.{did_you_mean(name, names)} "
        f"Recipes: {', '.join(names)}; or give the path of a TOML file."
    )


def load_recipe(recipe: str | Path | Recipe | None = None) -> Recipe:
    """Return a recipe from its name, its path, or the defaults.

    Parameters
    ----------
    recipe : str, Path, Recipe or None
        A shipped name (``"press_1p5t_te35"``), a TOML file, a recipe (returned as it is), or `None`
        for the defaults.

    Returns
    -------
    Recipe
        With the paths of its models made absolute.

    Raises
    ------
    RecipeError
        If there is none of that name, or it holds an unknown or forbidden option.
    """
    if recipe is None:
        return Recipe()
    if isinstance(recipe, Recipe):
        return recipe
    path = Path(recipe)
    if path.suffix != ".toml":
        path = recipe_path(str(recipe))
    elif not path.exists():
        raise RecipeError(
            f"{path.name}: there is no such file. 'mrs-disc recipe show > {path.name}' writes one "
            f"to start from; shipped recipes: {', '.join(recipe_names())}"
        )
    loaded = load_toml(path, Recipe, RecipeError)
    if "name" not in loaded.model_fields_set:
        loaded = loaded.model_copy(update={"name": path.stem})
    return _with_model_paths(loaded, path.parent)


def _with_model_paths(recipe: Recipe, folder: Path) -> Recipe:
    """Return the recipe with model paths made absolute: they are relative to its file."""
    for group, option in MODEL_OPTIONS:
        options = getattr(recipe, group)
        value = getattr(options, option)
        if value.endswith(".toml"):
            path = str((folder / value).resolve())
            recipe = recipe.model_copy(update={group: options.model_copy(update={option: path})})
    return recipe


def resolved(recipe: Recipe) -> dict[str, Any]:
    """Return all options with their defaults written out; a model's path becomes its file name."""
    content = recipe.model_dump(mode="json")
    for group, option in MODEL_OPTIONS:
        content[group][option] = Path(content[group][option]).name
    return content


def digest(recipe: Recipe, model_digests: Mapping[str, str]) -> str:
    """Return the SHA-256 of the options and of the content of the models.

    Parameters
    ----------
    recipe : Recipe
        The resolved recipe.
    model_digests : mapping
        ``"fit.model"`` and the like to the digest of that model's content.
    """
    content = resolved(recipe)
    del content["name"]
    for group, option in MODEL_OPTIONS:
        content[group][option] = model_digests[f"{group}.{option}"]
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def recipe_toml(recipe: Recipe) -> str:
    """Return a recipe as commented TOML with every option and its meaning."""
    lines = [f"schema_version = {recipe.schema_version}", f"name = {toml_value(recipe.name)}"]
    for group in Recipe.model_fields:
        options = getattr(recipe, group)
        if not isinstance(options, StrictModel):
            continue
        lines += ["", f"[{group}]  # {(type(options).__doc__ or '').strip()}"]
        for option, field in type(options).model_fields.items():
            value = getattr(options, option)
            text = f"{option} = {toml_value(value)}" if value is not None else f"# {option} ="
            lines.append(f"{text}  # {field.description}")
    return "\n".join(lines) + "\n"
