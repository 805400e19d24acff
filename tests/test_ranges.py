"""Every physical number that a person writes has a range, and the message asks about the unit."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mrs_disc.cli import run
from mrs_disc.errors import InputError
from mrs_disc.io.acquire import Given
from mrs_disc.models import RatioPrior, Resonance
from mrs_disc.models.relaxation import Time, Water
from mrs_disc.recipe import Recipe
from mrs_disc.schema import validate

PRIOR = {"numerator": "ALA", "denominator": "LAC", "median": 0.3, "log_sd": 0.7}
LINE = {"ppm": 2.0, "weight": 3.0}
TIME = {"seconds": 0.1, "log_sd": 0.1, "source": "x", "status": "P"}


@pytest.mark.parametrize(("schema", "fixed", "name", "right", "mistaken", "unit"), [
    (Given, {}, "refocusing_bandwidth_hz", 2000.0, 2.0, "kHz"),
    (Given, {}, "echo_time_s", 0.03, 30.0, ""),
    (Given, {}, "echo_time_s", 0.03, 3e-5, "ms"),
    (Given, {}, "repetition_time_s", 1.5, 1500.0, ""),
    (Given, {}, "repetition_time_s", 1.5, 1.5e-3, "ms"),
    (Given, {}, "spectrometer_mhz", 127.7, 1.277e8, ""),
    (Given, {}, "dwell_time_s", 4e-4, 0.4, ""),
    (Time, TIME, "seconds", 0.1, 1e-4, "ms"),
    (Time, TIME, "field_t", 3.0, 127.7, "MHz"),
    (Water, {}, "molality_mol_kg", 55.5, 55_500.0, "mmol/kg"),
    (RatioPrior, PRIOR, "median", 0.3, 1e-300, ""),
    (RatioPrior, PRIOR, "log_sd", 0.7, 1e-300, ""),
    (Resonance, LINE, "gauss_width_ppm", 0.2, 25.0, "Hz"),
    (Resonance, LINE, "extra_width_hz", 5.0, 1e300, ""),
    (Resonance, LINE, "weight", 3.0, 1e-300, ""),
])  # fmt: skip
def test_a_number_of_another_unit_is_asked_about(schema, fixed, name, right, mistaken, unit):
    rest = {"protons": 2, "t1": (TIME,), "t2": (TIME,), "source": "x", "status": "P"}
    fixed = rest | fixed if schema is Water else fixed
    validate(fixed | {name: right}, schema, "file.toml")
    with pytest.raises(InputError, match=name) as refused:
        validate(fixed | {name: mistaken}, schema, "file.toml")
    assert unit in str(refused.value)
    if unit:
        assert re.search(
            rf"should lie between .* \(was it written in {unit}\?\)", str(refused.value)
        )


def numbers():
    """Yield group and name of each option of a recipe that is one real number."""
    for group, field in Recipe.model_fields.items():
        for name, option in getattr(field.annotation, "model_fields", {}).items():
            default = option.default
            if isinstance(default, (int, float)) and not isinstance(default, bool):
                yield group, name


@pytest.mark.parametrize(("group", "name"), list(numbers()))
@pytest.mark.parametrize("value", [1e300, 1e-300, -1.0, math.inf, math.nan])
def test_no_option_of_a_recipe_takes_a_number_without_sense(group, name, value):
    if value == 1e-300 and name in ("max_fraction", "merge_correlation", "min_kept_fraction",
                                    "unlikely", "downfield_ppm"):  # fmt: skip
        return  # a share may be none at all
    with pytest.raises(InputError):
        validate({group: {name: value}}, Recipe, "recipe.toml")


@given(low=st.floats(1, 1e3), good=st.floats(1, 1e3))
def test_gates_lie_in_their_order(low, good):
    content = {"quality": {"min_snr": low, "good_snr": good}}
    if low <= good:
        assert validate(content, Recipe, "r").quality.good_snr == good
    else:
        with pytest.raises(InputError, match="good_snr is below min_snr"):
            validate(content, Recipe, "r")


@pytest.mark.parametrize("group", ["align", "water", "fit"])
def test_every_window_rises(group):
    with pytest.raises(InputError, match=rf"\[{group}\] window_ppm has to rise"):
        validate({group: {"window_ppm": (4.0, 1.0)}}, Recipe, "r")


@pytest.mark.parametrize("option", ["--time-limit", "--memory-limit"])
@pytest.mark.parametrize("value", ["inf", "nan", "-1"])
def test_limits_of_a_batch_are_numbers(option, value, tmp_path, capsys):
    assert run(["batch", str(tmp_path), "-o", str(tmp_path / "o"), option, value]) == 2
    assert option in capsys.readouterr().err
