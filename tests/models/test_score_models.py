"""Score and relaxation models: refused where unsound, and every number with source and tag."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

import mrs_disc
from mrs_disc.errors import InputError, ModelError
from mrs_disc.models import load_metabolite_model, model_names, model_path
from mrs_disc.models.relaxation import choose_time, load_relaxation_model
from mrs_disc.models.scores import KINDS, load_score_model, score_model

FILES = sorted(
    path
    for path in Path(mrs_disc.__file__).parent.rglob("*.toml")
    if not {"pipelines", "sample_data"} & set(path.parts)  # in the wheel: choices, not numbers
)
"""Models, the simulator's population, and the priors of validation."""
FREE = {"schema_version", "version", "seed", "n_patients", "n_discs", "year"}
"""Numbers that describe the file, or a paper, and nothing in nature."""


def sourced(node: Any) -> bool:
    return isinstance(node, dict) and "source" in node and node.get("status") in tuple("VRDP")


def unsourced(
    node: Any, where: str, covered: bool, names: frozenset[str] = frozenset()
) -> list[str]:
    """Return the numbers without source and tag.

    Covered is what its own table or one above covers, and what a [sources] of either names.
    """
    if isinstance(node, dict):
        own = covered or sourced(node)
        names |= {key for key, entry in node.get("sources", {}).items() if sourced(entry)}
        return [
            missing
            for key, value in node.items()
            if key not in FREE
            for missing in unsourced(value, f"{where}.{key}", own or key in names, names)
        ]
    if isinstance(node, list):
        return [
            missing
            for n, value in enumerate(node)
            for missing in unsourced(value, f"{where}[{n}]", covered, names)
        ]
    is_number = isinstance(node, int | float) and not isinstance(node, bool)
    return [where] if is_number and not covered else []


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_every_number_has_a_source_and_a_tag(path):
    assert unsourced(tomllib.loads(path.read_text()), path.stem, False) == []


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_only_what_was_read_may_be_called_published(path):
    """A value tagged R, D or P is never called published or measured in discs."""

    def walk(node: Any) -> None:
        if isinstance(node, dict):
            if node.get("status") in ("R", "D", "P"):
                assert "published" not in str(node.get("source", "")).lower()
            for value in node.values():
                walk(value)
        elif isinstance(node, list):
            for value in node:
                walk(value)

    walk(tomllib.loads(path.read_text()))


def test_the_check_finds_a_number_without_source():
    content = {"component": [{"name": "X", "resonance": [{"ppm": 2.0}]}], "version": 1}
    assert unsourced(content, "x", False) == ["x.component[0].resonance[0].ppm"]


def shipped(name: str) -> dict[str, Any]:
    return tomllib.loads(model_path(name).read_text())


def test_shipped_score_models_are_labelled_as_simulated_and_not_validated():
    for name in ("acidity_structure", "structure_index", "lactate_cutoff"):
        model = load_score_model(name)
        assert model.validated is False
        assert "simulated" in model.training.data


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda c: c.update(kind="populaton"), "Did you mean 'population'?"),
        (lambda c: c.pop("kind"), "no score model: it lacks 'kind'"),
        (lambda c: c["class"][0].update(share=0.5), "add up to 1"),
        (lambda c: [k.update(painful=False) for k in c["class"]], "one class at least"),
        (lambda c: c["class"][2].update(sd=0.9), "narrow r_range"),
        (lambda c: c.update(r_range=[1.0, -5.0]), "from the lower to the higher"),
        (lambda c: c["scope"].update(echo_time_s=[0.04, 0.025]), "from the lower to the higher"),
        (lambda c: c["scope"].update(repetition_time_s=[2, 2]), "from the lower to the higher"),
        (lambda c: c["scope"].update(exploratory_field_t=[3.0]), "names the field 3.0 twice"),
        (lambda c: c["scope"].update(region=["lumbar"] * 2), "names the region lumbar twice"),
        (lambda c: c.update(r_cap=3.0), "inside r_range"),
        (lambda c: c.update(patient_sdd=0.2), "has no option 'patient_sdd'"),
        (lambda c: c["class"][0].pop("source"), "lacks 'source'"),
        (lambda c: c["scope"].update(region=["lumber"]), "'thoracic' or 'lumbar'"),
    ],
)
def test_an_unsound_population_model_is_refused_in_one_line(change, words):
    content = shipped("acidity_structure")
    change(content)
    with pytest.raises(ModelError) as caught:
        score_model(content, "mine.toml")
    assert words in str(caught.value)
    assert str(caught.value).startswith("mine.toml")
    assert "\n" not in str(caught.value)


def test_a_model_of_another_kind_is_refused():
    with pytest.raises(ModelError, match="no metabolite model"):
        load_metabolite_model("acidity_structure")
    with pytest.raises(InputError, match="kind"):
        load_score_model("disc_1h")
    with pytest.raises(InputError):
        load_relaxation_model("acidity_structure")


@pytest.mark.parametrize(
    ("name", "load"),
    [
        ("disc_1h", load_metabolite_model),
        ("relaxation", load_relaxation_model),
        ("acidity_structure", load_score_model),
    ],
)
def test_an_edited_model_is_read_anew(name, load, tmp_path):
    path = tmp_path / "mine.toml"
    text = model_path(name).read_text()
    version = load(name).version
    path.write_text(text)
    assert load(str(path)).version == version
    path.write_text(text.replace(f"\nversion = {version}\n", f"\nversion = {version + 1}\n"))
    assert load(str(path)).version == version + 1
    path.write_text("nonsense = 1\n" + text)
    with pytest.raises(ModelError, match=r"mine\.toml: has no option 'nonsense'"):
        load(str(path))


def test_every_kind_of_score_model_has_a_function():
    from mrs_disc.scoring import KINDS as FUNCTIONS

    assert set(FUNCTIONS) == set(KINDS)


def test_names_of_shipped_models():
    assert {"acidity_structure", "relaxation", "structure_index"} <= set(model_names())


@pytest.mark.parametrize(
    ("field_t", "grade", "t2", "t1"),
    [(2.89, 2, 0.129, 1.5), (3.0, 4, 0.051, 1.1), (1.5, 1, 0.210, 1.2), (3.0, None, 0.09, 1.3)],
)
def test_water_times_follow_grade_and_field(field_t, grade, t2, t1):
    water = load_relaxation_model("relaxation").water
    assert choose_time(water.t2, field_t, grade).seconds == t2
    assert choose_time(water.t1, field_t, grade).seconds == t1


def test_no_time_is_invented_for_another_field():
    assert choose_time(load_relaxation_model("relaxation").water.t1, 7.0, 2) is None


@pytest.mark.parametrize("field_t", [1.5, 3.0])
def test_every_component_of_the_disc_model_has_relaxation_times(field_t):
    """Else its amount per water would be missing in every result."""
    relaxation = load_relaxation_model("relaxation")
    for component in load_metabolite_model("disc_1h").component:
        entry = relaxation.of(component.name)
        assert entry is not None, component.name
        assert choose_time(entry.t1, field_t, None)
        assert choose_time(entry.t2, field_t, None)
