"""Recipes: strict, printed in full, and digested by content."""

from __future__ import annotations

import tomllib
from importlib.resources import files
from pathlib import Path

import pytest

from mrs_disc.analysis import load_models
from mrs_disc.errors import ModelError, RecipeError
from mrs_disc.recipe import (
    Recipe,
    digest,
    load_recipe,
    recipe_names,
    recipe_path,
    recipe_toml,
    resolved,
)

DIGESTS = {
    "fit.model": "a",
    "fit.sequences": "s",
    "quantify.relaxation": "b",
    "score.model": "c",
}


def written(folder: Path, text: str) -> Path:
    path = folder / "press.toml"
    path.write_text(text)
    return path


def test_the_default_recipe_file_says_what_the_code_does():
    assert load_recipe("default") == Recipe()


@pytest.mark.parametrize("group", ["quantify", "quality", "score"])
def test_every_limit_of_a_judgement_bears_a_tag(group):
    """V read in the source, R recalled, D derived, P proposed; settings of the method have none."""
    options = type(getattr(Recipe(), group))
    limits = {name: f for name, f in options.model_fields.items() if isinstance(f.default, float)}
    assert limits
    for name, field in limits.items():
        assert field.description.endswith(("[V]", "[R]", "[D]", "[P]")), name


def test_every_shipped_recipe_loads_and_is_named_as_its_file():
    assert {"default", "press_1p5t_te35"} <= set(recipe_names())
    for name in recipe_names():
        assert load_recipe(name).name == name


def test_a_printed_recipe_reads_back_as_itself(tmp_path):
    recipe = load_recipe("press_1p5t_te35")
    path = tmp_path / "printed.toml"
    path.write_text(recipe_toml(recipe))
    assert load_recipe(path) == recipe
    assert tomllib.loads(recipe_toml(recipe))["align"]["max_shift_hz"] == 12.0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "[align]\nmax_shift_ppm = 1",
            "press.toml: [align] has no option 'max_shift_ppm'. Did you mean 'max_shift_hz'? "
            "Options: method, window_ppm, max_shift_hz.",
        ),
        ("[aling]\nx = 1", "press.toml: has no option 'aling'. Did you mean 'align'?"),
        (
            '[align]\nmethod = "best"',
            "press.toml: [align] method should be 'registration' or 'none'. Came: 'best'.",
        ),
        ("[fit]\nwindow_ppm = [4, 1]", "press.toml: [fit] window_ppm has to rise"),
        (
            "[fit]\nwindow_ppm = [0.5, 400]",
            "press.toml: [fit] window_ppm should lie between -20 and 20 ppm. Came: [0.5, 400].",
        ),
        ("[fit]\nwindow_ppm = [4]", "press.toml: [fit] window_ppm has 1 numbers"),
        ("[score]\nlikely = 0.8", "press.toml: [score] likely should be greater than 1."),
        ("[score]\nunlikely = 1.5", "press.toml: [score] unlikely should be less than 1."),
        (
            "[score]\nlikely = 0.25\nunlikely = 4",
            "press.toml: [score] likely should be greater than 1. Came: 0.25. (1 more)",
        ),
        ("[score]\nprevalence = 0", "press.toml: [score] prevalence should be greater than 0."),
        ("[score]\nprevalence = 1.0", "press.toml: [score] prevalence should be less than 1."),
        (
            '[score]\nout_of_scope = "reject"',
            "press.toml: [score] out_of_scope should be 'exploratory' or 'refuse'. Came: 'reject'.",
        ),
        ("[score]\nlikely = nan", "press.toml: [score] likely should be a finite number"),
        ("[score\n", "press.toml: is not valid TOML"),
    ],
)
def test_a_mistake_is_one_line_that_says_what_to_do(tmp_path, text, message):
    with pytest.raises((RecipeError, ValueError)) as caught:
        load_recipe(written(tmp_path, text))
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_an_unknown_name_lists_the_recipes():
    with pytest.raises(RecipeError, match=r"Did you mean 'press_1p5t_te35'\? Recipes: default"):
        load_recipe("press_1p5t_te3")


def test_shipped_recipes_differ_and_a_former_name_is_what_it_was():
    models = load_models(Recipe()).digests
    digests = {name: digest(load_recipe(name), models) for name in recipe_names()}
    assert len(set(digests.values())) == len(digests)
    assert load_recipe("press_3t_te30") == Recipe()


def test_the_default_recipe_file_is_what_the_command_prints():
    text = recipe_path("default").read_text()
    assert text.partition("\n")[2] == recipe_toml(Recipe())


def test_a_model_path_is_relative_to_the_recipe(tmp_path):
    recipe = load_recipe(written(tmp_path, '[fit]\nmodel = "own.toml"'))
    assert recipe.fit.model == str(tmp_path / "own.toml")
    assert resolved(recipe)["fit"]["model"] == "own.toml"


def test_a_table_of_sequences_is_relative_to_the_recipe_and_counts_by_its_content(tmp_path):
    shipped = Path(str(files("mrs_disc.models"))) / "sequences.toml"
    (tmp_path / "mine.toml").write_text(shipped.read_text())
    recipe = load_recipe(written(tmp_path, '[fit]\nsequences = "mine.toml"'))
    assert recipe.fit.sequences == str(tmp_path / "mine.toml")
    assert resolved(recipe)["fit"]["sequences"] == "mine.toml"
    own = digest(recipe, load_models(recipe).digests)
    assert own == digest(Recipe(), load_models(Recipe()).digests)  # the same table


def test_the_digest_covers_options_and_model_content_but_neither_path_nor_name(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    text = '[fit]\nmodel = "own.toml"'
    one = digest(load_recipe(written(tmp_path / "a", text)), DIGESTS)
    two = digest(load_recipe(written(tmp_path / "b", f'name = "x"\n{text}')), DIGESTS)
    assert one == two
    other_model = digest(load_recipe(written(tmp_path / "a", text)), DIGESTS | {"fit.model": "z"})
    other_option = digest(
        load_recipe(written(tmp_path / "a", text + '\nbaseline = "none"')), DIGESTS
    )
    assert len({one, other_model, other_option}) == 3


def test_the_resolved_recipe_of_a_result_reads_back():
    recipe = load_recipe("press_1p5t_te35")
    assert Recipe.model_validate(resolved(recipe)) == recipe


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[fit]\nmodel = "nope"', "recipe press, [fit] model: no model is named 'nope'"),
        (
            '[fit]\nmodel = "acidity_structure"',
            "recipe press, [fit] model: acidity_structure.toml: no metabolite model",
        ),
        ('[score]\nmodel = "disc_1h"', "recipe press, [score] model: disc_1h.toml: no score model"),
        ('[quantify]\nrelaxation = "./gone.toml"', "recipe press, [quantify] relaxation: gone"),
    ],
)
def test_a_model_that_is_not_there_is_told_with_the_option_that_names_it(tmp_path, text, message):
    recipe = load_recipe(written(tmp_path, text))
    with pytest.raises(ModelError) as caught:
        load_models(recipe)
    assert str(caught.value).startswith(message)
