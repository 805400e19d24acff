"""Strict, frozen schemas of the files that people write, and the wording of what is wrong in them.

Decision: every TOML file (recipe, model, study) passes through `validate`, so that a mistake reads
the same everywhere. Refused: pydantic's own messages, which name classes and types, not options.
"""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError

from mrs_disc.errors import InputError, ReadError, did_you_mean
from mrs_disc.files import read_text

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

TOML = "recipe, model or study file"
"""The kind of all files that pass through here."""


class StrictModel(BaseModel):
    """Base of all schemas: unknown keys are errors, instances are frozen.

    Validators are built when they are first used: a command needs few of them.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, defer_build=True)


def within(low: float, high: float, unit: str = "", mistaken_for: str = "") -> AfterValidator:
    """Return a check of a physical number's range, which asks about the unit.

    Parameters
    ----------
    low, high : float
        What is allowed, both included.
    unit : str
        Of the number.
    mistaken_for : str
        The unit in which it may have been written instead.
    """

    def check(value: float) -> float:
        if low <= value <= high:
            return value
        asked = f" (was it written in {mistaken_for}?)" if mistaken_for else ""
        raise ValueError(f"should lie between {low:g} and {high:g} {unit}".rstrip() + asked)

    check.__doc__ = f"{low:g} to {high:g} {unit}".rstrip()  # the reference prints it
    return AfterValidator(check)


ModelT = TypeVar("ModelT", bound=BaseModel)


def read_toml(path: Path) -> dict[str, Any]:
    """Return the content of a TOML file.

    Raises
    ------
    ReadError
        If the file is absent, unreadable, too large, not UTF-8 or not TOML.
    """
    return parse_toml(read_text(path, TOML), path)


def parse_toml(text: str, path: Path) -> dict[str, Any]:
    """Return the content of TOML text; `path` names its file in a `ReadError`."""
    try:
        return tomllib.loads(text)
    except ValueError as error:  # also of a number of 5,000 digits
        why = str(error).partition("; use sys.")[0]  # advice of Python to programmers
        raise ReadError(path, f"is not valid TOML: {why}") from error
    except RecursionError as error:
        raise ReadError(path, "is nested too deeply for a TOML file") from error


def load_toml(path: Path, schema: type[ModelT], raises: type[InputError] = InputError) -> ModelT:
    """Read a TOML file into `schema`; what is wrong becomes `raises` with one clear line."""
    return validate(read_toml(path), schema, path.name, raises)


def validate(
    content: Mapping[str, Any],
    schema: type[ModelT],
    source: str,
    raises: type[InputError] = InputError,
) -> ModelT:
    """Return `content` as an instance of `schema`.

    Parameters
    ----------
    content : mapping
        The parsed file.
    schema : pydantic model
        What it has to be.
    source : str
        The file's name, which starts the message.
    raises : InputError type
        The error to raise.
    """
    try:
        return schema.model_validate(content)
    except ValidationError as error:
        raise raises(explain(error, schema, source)) from None


def explain(
    error: ValidationError,
    schema: type[BaseModel] | None,
    source: str,
    hidden: Collection[str] = (),
) -> str:
    """Return the first mistake of a validation as one line that a person can act on.

    Parameters
    ----------
    error : ValidationError
        What pydantic says.
    schema : pydantic model or None
        Where the options are looked up that a message names; `None`: unknown keys are no mistake.
    source : str
        The file's name, which starts the message.
    hidden : collection of str
        Parts of a place that the file does not have.
    """
    mistakes = _without_echoes(error.errors(include_url=False))
    unknown = [m for m in mistakes if m["type"] == "extra_forbidden"]
    mistake = (unknown or mistakes)[0]
    location = tuple(part for part in mistake["loc"] if part not in hidden)
    where = _where(location[:-1])
    name = str(location[-1]) if location else ""
    if mistake["type"] == "extra_forbidden" and schema is not None:
        options = _options(schema, location[:-1])
        return (
            f"{source}: {where}has no option '{name}'."
            f"{did_you_mean(name, options)} Options: {', '.join(options)}."
        )
    if mistake["type"] == "missing" and isinstance(location[-1], int):
        return f"{source}: {where}has {location[-1]} numbers, which is too few."
    if mistake["type"] == "missing":
        return f"{source}: {where}lacks '{name}', which is required."
    came = f" Came: {_short(mistake['input'])}." if location else ""
    if mistake["type"] == "too_short" and "min_length" in mistake.get("ctx", {}):
        least = mistake["ctx"]["min_length"]
        items = "item" if least == 1 else "items"
        return f"{source}: {_where(location)}should have at least {least} {items}.{came}"
    reason = _reason(mistake)
    more = f" ({len(mistakes) - 1} more)" if len(mistakes) > 1 else ""
    return f"{source}: {_where(location)}{reason.rstrip('.')}.{came}{more}"


def _reason(mistake: ErrorDetails) -> str:
    """Return what is wrong with a value: a validator's own words, else pydantic's, shortened."""
    if mistake["type"] == "value_error":
        return str(mistake["ctx"]["error"])
    if mistake["type"] == "tuple_type":
        return "should be a list in square brackets"
    return mistake["msg"].removeprefix("Input ")


def _without_echoes(mistakes: Sequence[ErrorDetails]) -> list[ErrorDetails]:
    """Return the mistakes without those that only repeat, further out, that one lies inside.

    A list whose only item is wrong counts as empty too.
    """
    places = [m["loc"] for m in mistakes]
    return [
        mistake
        for mistake, place in zip(mistakes, places, strict=True)
        if not any(len(p) > len(place) and p[: len(place)] == place for p in places)
        or mistake["type"] != "too_short"
    ]


def _where(location: tuple[int | str, ...]) -> str:
    """Return the place in the words of TOML: ``[align] method``, ``[[component]] 3``."""
    words: list[str] = []
    for part, following in zip_longest(location, location[1:]):
        if isinstance(part, int):
            words.append(str(part + 1))
        elif isinstance(following, int):
            words.append(f"[[{part}]]")
        elif following is not None and not words:
            words.append(f"[{part}]")
        else:
            words.append(str(part))
    text = " ".join(words)
    if len(location) == 1 and text and not text.startswith("["):
        text = f"[{text}]" if text.isidentifier() else text
    return f"{text} " if text else ""


def _options(schema: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    """Return the keys that are allowed at `location`."""
    here: Any = schema
    for part in location:
        if isinstance(part, str) and part in getattr(here, "model_fields", {}):
            here = _model_in(here.model_fields[part].annotation) or here
    return [f.alias or name for name, f in here.model_fields.items()]


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """Return the schema inside ``tuple[Schema, ...]``, ``Schema | None`` and the like."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for argument in get_args(annotation):
        if (found := _model_in(argument)) is not None:
            return found
    return None


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
