"""Options that several commands share, and what the shell offers after them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from mrs_disc.errors import did_you_mean

if TYPE_CHECKING:
    from mrs_disc.recipe import Recipe


class Group(click.Group):
    """A group that answers an unknown command with the nearest one and all of them."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Suggest the nearest command for one that does not exist."""
        known = self.list_commands(ctx)
        unknown = bool(args) and not args[0].startswith("-") and args[0] not in known
        if unknown and not ctx.resilient_parsing:  # what a shell completes may be half a word
            raise click.UsageError(
                f"there is no command '{args[0]}'.{did_you_mean(args[0], known)} "
                f"Commands: {', '.join(known)}.",
                ctx,
            )
        return super().resolve_command(ctx, args)


Complete = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def _offer(names: Callable[[], Iterable[str]]) -> Complete:
    """Return a completion: the names that begin as typed, or files."""

    def complete(ctx: click.Context, param: click.Parameter, typed: str) -> list[CompletionItem]:
        found = [CompletionItem(name) for name in names() if name.startswith(typed)]
        return found or [CompletionItem(typed, type="file")]

    return complete


def _recipes() -> Iterable[str]:
    from mrs_disc.recipe import recipe_names

    return recipe_names()


def _models() -> Iterable[str]:
    from mrs_disc.models import model_names

    return model_names()


def _formats() -> Iterable[str]:
    from mrs_disc.report import FORMATS

    return FORMATS


complete_recipe, complete_model = _offer(_recipes), _offer(_models)

recipe = click.option(
    "-r",
    "--recipe",
    shell_complete=complete_recipe,
    help="Name of a shipped recipe, or a TOML file.",
)
accept_levels = click.option(
    "--accept-levels",
    is_flag=True,
    help="Analyse levels although place, file or person contradicts their names; the report says "
    'so first. The recipe\'s [levels] contradictions = "accept".',
)
levels = click.option("--level", "levels", multiple=True, help="Only this level; may be repeated.")
dicom_reference = click.option(
    "--dicom-reference",
    type=click.Path(path_type=Path),
    help="A DICOM file of the patient, or a folder with some, for the DICOM output. DICOM input "
    "needs none.",
)


pairing = click.option(
    "--pairing",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Keep which id stands for which folder, in a file that you alone can read; a later batch "
    "that names it uses the same ids.",
)


def accepting(recipe: str | Recipe | None, accept_levels: bool) -> str | Recipe | None:
    """Return the recipe that is asked for, with contradicted levels accepted where that is."""
    if not accept_levels:
        return recipe
    from mrs_disc.recipe import LevelOptions, load_recipe

    accept = LevelOptions(contradictions="accept")
    return load_recipe(recipe).model_copy(update={"levels": accept})


def refuse_idle_dicom_options(
    formats: Iterable[str], reference: Path | None, *, page_image: bool = False
) -> None:
    """Refuse options of the DICOM output where there is none, rather than forget them."""
    given = f"--dicom-reference {reference}" if reference is not None else "--page-image"
    if (reference is not None or page_image) and "dicom" not in formats:
        raise click.UsageError(
            f"{given} is for --format dicom, which is not asked for: add that, or leave this out"
        )


def formats(which: str) -> Callable[[Any], Any]:
    """Return ``--format``; `which` lists the formats, in the order of the help."""
    return click.option(
        "--format",
        "formats",
        multiple=True,
        metavar="FORMAT",
        shell_complete=_offer(_formats),
        help=which,
    )
