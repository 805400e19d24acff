"""The shipped score parameters are those of the simulator: drawn again, they agree."""

from __future__ import annotations

import importlib.util
import tomllib
from math import sqrt
from pathlib import Path

import pytest

from mrs_disc.models import model_path

SCRIPT = Path(__file__).parents[2] / "tests" / "tools" / "train_score_models.py"
N = 1500


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("train_score_models", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def table(script):
    return script.draw(seed=91, per_class=N)


def test_population_parameters_are_those_of_new_simulated_discs(script, table):
    card = tomllib.loads(model_path("acidity_structure").read_text())
    for entry, kind in zip(card["class"], "HDP", strict=True):
        r = table[kind]["r"]
        spread = sqrt(r.var())
        # Four standard errors of a mean and of a standard deviation.
        assert entry["mean"] == pytest.approx(r.mean(), abs=4 * spread / sqrt(N))
        total = sqrt(entry["sd"] ** 2 + card["patient_sd"] ** 2)
        assert total == pytest.approx(spread, rel=4 / sqrt(2 * N))


def test_shares_are_those_of_five_lumbar_discs(script):
    card = tomllib.loads(model_path("acidity_structure").read_text())
    assert [c["share"] for c in card["class"]] == pytest.approx(list(script.shares()), abs=1e-3)


def test_log_ratio_is_normal_within_a_class(table):
    """What the population model takes for granted: skewness and excess near zero."""
    for kind in "HDP":
        z = (table[kind]["r"] - table[kind]["r"].mean()) / table[kind]["r"].std()
        assert abs((z**3).mean()) < 0.3
        assert abs((z**4).mean() - 3) < 0.6


def test_every_model_that_the_script_writes_is_shipped_as_it_writes_it(script, table):
    for name, make in (
        ("acidity_structure", script.population),
        ("structure_index", script.structure_index),
        ("lactate_cutoff", script.cutoff),
    ):
        written = tomllib.loads(make(table, 91, N))
        shipped = tomllib.loads(model_path(name).read_text())
        assert set(written) == set(shipped)
        assert written["scope"] == shipped["scope"]
        assert written["limits"] == shipped["limits"]
