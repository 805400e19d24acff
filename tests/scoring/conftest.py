"""Discs as a score sees them, without any signal."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mrs_disc.models.scores import PopulationScore, load_score_model
from mrs_disc.scoring.disc import Disc

COMPONENTS = ("PG", "LAC", "ALA", "PA", "CHO", "CARB", "COL", "LIP")


def make_disc(acidity: float, structure: float, /, **changes: object) -> Disc:
    """Return a disc of 3 T and TE 30 ms with errors of 5 % of structure."""
    fields: dict[str, object] = {
        "level": "L4-L5",
        "acidity": acidity,
        "structure": structure,
        "acidity_sd": 0.05 * structure,
        "structure_sd": 0.05 * structure,
        "components": COMPONENTS,
        "echo_time_s": 0.030,
        "repetition_time_s": 1.5,
        "field_t": 2.89,
    }
    return Disc(**{**fields, **changes})  # type: ignore[arg-type]


@pytest.fixture
def disc() -> Callable[..., Disc]:
    return make_disc


@pytest.fixture(scope="session")
def model() -> PopulationScore:
    loaded = load_score_model("acidity_structure")
    assert isinstance(loaded, PopulationScore)
    return loaded
