"""`mrs-disc recipe`: show, check or describe recipes."""

from __future__ import annotations

import click

from mrs_disc.cli import shared


@click.group(cls=shared.Group)
def command() -> None:
    """Show, check or describe recipes."""


@command.command()
@click.argument("recipe", default="default", shell_complete=shared.complete_recipe)
def show(recipe: str) -> None:
    """Print every option of RECIPE with its meaning.

    RECIPE is a shipped name or a TOML file; without it, the default. The first line names the
    shipped recipes.

    Example: mrs-disc recipe show press_1p5t_te35
    """
    from mrs_disc.recipe import load_recipe, recipe_names, recipe_toml

    text = recipe_toml(load_recipe(recipe))
    click.echo(f"# recipes that ship with the package: {', '.join(recipe_names())}")
    click.echo(text, nl=False)


@command.command()
@click.argument("file", shell_complete=shared.complete_recipe)
def check(file: str) -> None:
    """Check a recipe and the models it names, and print its digest.

    Example: mrs-disc recipe check press_1p5t_te35
    """
    from mrs_disc.analysis import load_models
    from mrs_disc.recipe import digest, load_recipe

    recipe = load_recipe(file)
    models = load_models(recipe)
    click.echo(f"{recipe.name}: valid, digest {digest(recipe, models.digests)}")


@command.command()
def schema() -> None:
    """Print the JSON schema of a recipe, for editors and other programs.

    Example: mrs-disc recipe schema
    """
    import json

    from mrs_disc.recipe import Recipe

    click.echo(json.dumps(Recipe.model_json_schema(), indent=2))
