"""Write the reference: options, columns, findings, exit statuses and functions, a page each.

``python tests/tools/reference.py`` writes ``.github/docs/reference/*.md`` from the schemas, the
tables and the docstrings of the package, so that no page is written by hand. ``--check`` says what
is not current and writes nothing. ``tests/tools/site.py`` makes a searchable site of them.
"""

from __future__ import annotations

import argparse
import ast
import inspect
import re
import sys
import textwrap
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import click
from annotated_types import Ge, Gt, Le, Lt, MaxLen, MinLen
from pydantic import AfterValidator, BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

import mrs_disc as md
from mrs_disc.cli import COMMANDS, EXIT_STATUS, cli
from mrs_disc.io.studies.study_toml import StudyFile
from mrs_disc.models import MetaboliteModel
from mrs_disc.models.relaxation import RelaxationModel
from mrs_disc.models.scores import KINDS as SCORE_KINDS
from mrs_disc.models.sequences import SequenceTable
from mrs_disc.recipe import Recipe
from mrs_disc.record import table
from mrs_disc.record.wording import KINDS
from mrs_disc.toml_text import toml_value

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / ".github" / "docs" / "reference"
MADE = "<!-- written by tests/tools/reference.py: change the source, not this page -->"


# --------------------------------------------------------------------------- schemas


@lru_cache(maxsize=64)
def docstrings(schema: type[BaseModel]) -> dict[str, str]:
    """Return the docstrings that stand under the fields of a schema, and of what it is made of."""
    found: dict[str, str] = {}
    for parent in reversed(schema.__mro__):
        if not (isinstance(parent, type) and issubclass(parent, BaseModel)) or parent is BaseModel:
            continue
        body = ast.parse(textwrap.dedent(inspect.getsource(parent))).body[0]
        assert isinstance(body, ast.ClassDef)
        for field, after in zip(body.body, body.body[1:], strict=False):
            if (
                isinstance(field, ast.AnnAssign)
                and isinstance(field.target, ast.Name)
                and isinstance(after, ast.Expr)
                and isinstance(after.value, ast.Constant)
            ):
                found[field.target.id] = " ".join(str(after.value.value).split())
    return found


def inner(annotation: Any) -> list[type[BaseModel]]:
    """Return the schemas inside an annotation."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [found for argument in get_args(annotation) for found in inner(argument)]


NAMES = {str: "text", int: "whole number", float: "number", bool: "true or false", Any: "anything"}


def kind_words(annotation: Any, limits: Sequence[Any] = ()) -> str:
    """Return what a field takes, in words."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return kind_words(arguments[0], [*arguments[1:], *limits])
    if origin is Literal:
        return " · ".join(f"`{toml_value(value)}`" for value in arguments)
    if origin in (Union, UnionType):
        kinds = [a for a in arguments if a is not NoneType]
        return " or ".join(kind_words(a, limits) for a in kinds)
    if origin is tuple:
        items = [a for a in arguments if a is not Ellipsis]
        if Ellipsis not in arguments:
            return f"{len(items)} of: {kind_words(items[0], limits)}"
        if inner(items[0]):
            return "tables"
        return f"list of: {kind_words(items[0], limits)}"
    if origin is dict:
        return "table"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "table"
    return " ".join([NAMES.get(annotation, str(annotation)), *limit_words(limits)])


def limit_words(limits: Sequence[Any]) -> Iterator[str]:
    """Yield the limits of a number or text."""
    for limit in limits:
        if isinstance(limit, FieldInfo):
            yield from limit_words(limit.metadata)
        for kind, sign, of in ((Ge, "≥", "ge"), (Gt, ">", "gt"), (Le, "≤", "le"), (Lt, "<", "lt")):
            if isinstance(limit, kind):
                yield f"{sign} {getattr(limit, of):g}"
        if isinstance(limit, MaxLen):
            yield f"up to {limit.max_length} characters"
        if isinstance(limit, MinLen) and limit.min_length > 1:
            yield f"at least {limit.min_length}"
        words = (limit.func.__doc__ or "") if isinstance(limit, AfterValidator) else ""
        if re.fullmatch(r"[-\d.e+]+ to .*", words):
            yield f"({words})"


def default_words(field: FieldInfo) -> str:
    """Return a field's default as TOML; what has none is required."""
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if value is None or value is PydanticUndefined or isinstance(value, BaseModel):
        return "–"
    value = list(value) if isinstance(value, tuple) else value
    return f"`{toml_value(value)}`" if not isinstance(value, dict) else "–"


def cell(text: str) -> str:
    """Return text for a cell of a table."""
    return " ".join(text.split()).replace("|", "\\|")


def schema_tables(schema: type[BaseModel], path: str = "", level: int = 2) -> Iterator[str]:
    """Yield the tables of a schema: its own fields, then those of the tables in it."""
    told = docstrings(schema)
    title = f"`{path}`" if path else "At the head of the file"
    yield f"{'#' * level} {title}\n"
    yield f"{inspect.getdoc(schema) or ''}\n"
    rows = ["| option | takes | default | what it means |", "|---|---|---|---|"]
    below = []
    for name, field in schema.model_fields.items():
        shown = field.alias or name
        schemas = inner(field.annotation)
        words = field.description or told.get(name, "")
        whole = [field.annotation, *field.metadata]
        kind = kind_words(whole[0], whole[1:])
        if schemas:
            several = get_origin(field.annotation) in (tuple, dict) or "tables" in kind
            place = ".".join(part for part in (path.strip("[]"), shown) if part)
            below.append((schemas[0], f"[[{place}]]" if several else f"[{place}]"))
            words = words or (inspect.getdoc(schemas[0]) or "").splitlines()[0]
        rows.append(f"| `{shown}` | {cell(kind)} | {default_words(field)} | {cell(words)} |")
    yield "\n".join(rows) + "\n"
    for one, place in below:
        yield from schema_tables(one, place, level + 1 if level < 4 else level)


# --------------------------------------------------------------------------- pages


def page(title: str, words: str, *parts: str) -> str:
    """Return a page."""
    return "\n".join([f"# {title}\n", MADE + "\n", words + "\n", *parts]).rstrip() + "\n"


def score_page() -> str:
    """Return the page of the score models, a part for each kind."""
    parts = []
    for kind, schema in SCORE_KINDS.items():
        parts += [f'## kind = "{kind}"\n', *schema_tables(schema, level=3)]
    return page("Score models", "A TOML file that `[score] model` of a recipe names.", *parts)


def columns_page() -> str:
    """Return the page of the columns of every table."""
    rows = ["| column | unit | what it means | words in it |", "|---|---|---|---|"]
    for name, column in table.COLUMNS.items():
        words = "; ".join(f"`{word}`: {what}" for word, what in column.levels.items())
        rows.append(f"| `{name}` | {column.units} | {cell(column.description)} | {cell(words)} |")
    parts = ["| behind a quantity's name | what it means |", "|---|---|"]
    parts += [
        f"| `{part or '(nothing)'}` | {cell(what.removeprefix(': ') or 'its value')} |"
        for part, what in table.PARTS.items()
    ]
    of_levels = ", ".join(f"`{name}`" for name in table.LEVELS_HEAD)
    return page(
        "Columns",
        "`levels.csv` of a study, `levels.tsv` of a dataset and `report.to_dataframe()` take their "
        "columns from one table; each file's data dictionary repeats it.",
        "\n".join(rows) + "\n",
        "## Quantities\n",
        "\n".join(parts) + "\n",
        f"`levels.tsv` begins with `participant_id`, `session_id`, {of_levels}; the quantities "
        "follow, without `_limit`.\n",
    )


def findings_page() -> str:
    """Return the page of the kinds of findings."""
    rows = ["| code | role | best verdict | sentence |", "|---|---|---|---|"]
    rows += [
        f"| `{name}` | {kind.role} | {kind.verdict or ''} | {cell(kind.words)} |"
        for name, kind in sorted(KINDS.items())
    ]
    roles = (
        "`forbids`: the level cannot be analysed. `problem`: the result may be wrong, or something "
        "was left out. `guess`: to be confirmed. `note`: what was mended or found. `reason`: of a "
        "verdict or a score. `passed`: a gate that was passed. `remark`: worth a line. `because`: "
        "stands inside another finding. A best verdict is what such a finding leaves of a spectrum."
    )
    words = "What is noticed, in `info --json` and `results.json` as `{kind, subject, values}`."
    return page("Findings", words, roles + "\n", "\n".join(rows) + "\n")


def commands(group: click.Group, above: str) -> Iterator[tuple[str, click.Command]]:
    """Yield every command with its whole name."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command, f"{above} {name}")
        else:
            yield f"{above} {name}", command


def commands_page() -> str:
    """Return the page of the commands and of their exit statuses."""
    rows = ["| status | meaning |", "|---|---|"]
    rows += [f"| {number} | {cell(words)} |" for number, words in EXIT_STATUS.items()]
    parts = ["## Exit status\n", "\n".join(rows) + "\n"]
    for name, command in commands(cli, "mrs-disc"):
        # Names as under `cli`: a command keeps those of its first context.
        names = cli.context_settings["help_option_names"]
        context = click.Context(
            command, info_name=name, max_content_width=100, help_option_names=names
        )
        context.terminal_width = 100
        parts.append(f"## {name}\n\n```text\n{command.get_help(context)}\n```\n")
    return page("Commands", f"{len(COMMANDS)} commands and their parts.", *parts)


def python_page() -> str:
    """Return the page of the public names, from their docstrings."""
    parts = []
    for name in md.__all__:
        public = getattr(md, name)
        if not callable(public):
            continue
        signature = re.sub(r"<function .*? at 0x\w+>", "…", str(inspect.signature(public)))
        signature = signature.replace("'", "")
        parts.append(
            f"## md.{name}\n\n```text\n{name}{signature}\n\n{inspect.getdoc(public)}\n```\n"
        )
    return page(
        "Python", "`import mrs_disc as md`; [examples](../scripting.md) of all of it.", *parts
    )


def pages() -> dict[str, str]:
    """Return every page of the reference by its name."""
    made = {
        "study.md": page(
            "study.toml", "One examination; `mrs-disc init` drafts it.", *schema_tables(StudyFile)
        ),
        "recipe.md": page(
            "Recipe",
            "Every choice of an analysis; `mrs-disc recipe show` prints it, "
            "`Recipe.replace` changes it.",
            *schema_tables(Recipe),
        ),
        "metabolite_model.md": page(
            "Metabolite models",
            "A TOML file that `[fit] model` of a recipe names; `mrs-disc model check` checks it.",
            *schema_tables(MetaboliteModel),
        ),
        "relaxation_model.md": page(
            "Relaxation times",
            "A TOML file that `[quantify] relaxation` of a recipe names.",
            *schema_tables(RelaxationModel),
        ),
        "sequences.md": page(
            "Sequences",
            "A TOML file that `[fit] sequences` of a recipe names.",
            *schema_tables(SequenceTable),
        ),
        "score_model.md": score_page(),
        "columns.md": columns_page(),
        "findings.md": findings_page(),
        "commands.md": commands_page(),
        "python.md": python_page(),
    }
    titles = {name: text.splitlines()[0].removeprefix("# ") for name, text in made.items()}
    lines = [f"- [{title}]({name})" for name, title in titles.items()]
    made["README.md"] = page(
        "Reference", "Written from the schemas, tables and docstrings.", "\n".join(lines)
    )
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the pages, or say which are not current."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; 1 where not current")
    check = parser.parse_args(arguments).check
    stale = []
    for name, text in pages().items():
        path = FOLDER / name
        if not path.exists() or path.read_text() != text:
            stale.append(name)
            if not check:
                FOLDER.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
    sys.stdout.write("".join(f"{name}\n" for name in stale))
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
