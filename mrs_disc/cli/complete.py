"""What the shell offers after an option: names that ship with the package, and files."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import click
from click.shell_completion import CompletionItem

Complete = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def _offer(names: Callable[[], Iterable[str]]) -> Complete:
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


recipes, models, formats = _offer(_recipes), _offer(_models), _offer(_formats)
