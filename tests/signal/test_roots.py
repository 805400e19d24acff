"""The root between two places, against SciPy's and against known roots."""

from math import exp, inf, nextafter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq

from mrs_disc.errors import InputError
from mrs_disc.signal.roots import root

SHAPES = {
    "straight": lambda x: x,
    "cubic": lambda x: x**3,
    "step": lambda x: -1.0 if x < 0 else 1.0,
    "exponential": lambda x: exp(5 * x) - 1,
    "flat then steep": lambda x: (1 + x) ** 9 - 1,
    "rounded": lambda x: x / (1e-9 + abs(x)),
}


@pytest.mark.parametrize("shape", SHAPES)
@settings(max_examples=30)
@given(
    at=st.floats(-1e3, 1e3),
    below=st.floats(0.01, 0.9),
    above=st.floats(0.01, 30),
    scale=st.sampled_from([1e-200, -1.0, 1e9]),
)
def test_a_known_root_is_found_to_what_is_asked(shape, at, below, above, scale):
    count = 0

    def shifted(x):
        nonlocal count
        count += 1
        return scale * SHAPES[shape](x - at)

    found = root(shifted, at - below, at + above, 1e-9)
    assert found == pytest.approx(at, abs=1e-9 + 1e-15 * abs(at))
    assert count <= 90  # halving alone takes 37


@settings(max_examples=30)
@given(at=st.floats(0.1, 9.9), power=st.sampled_from([1, 3, 5]))
def test_scipy_finds_the_same(at, power):
    def smooth(x):
        return (x**2 - at**2) * (1 + x**power)

    found = root(smooth, 0.0, 10.0, 1e-12)
    assert found == pytest.approx(brentq(smooth, 0.0, 10.0, xtol=1e-12), abs=3e-12)


def test_a_root_at_an_end_and_ends_in_any_order():
    assert root(lambda x: x, 0.0, 1.0, 1e-12) == 0.0
    assert root(lambda x: x - 1, 0.0, 1.0, 1e-12) == pytest.approx(1.0, abs=1e-12)
    assert root(lambda x: x - 0.3, 1.0, 0.0, 1e-12) == pytest.approx(0.3, abs=1e-12)


def test_rounding_is_the_end_where_more_is_asked():
    found = root(lambda x: x - 1e6 / 3, 0.0, 1e6, 0.0)
    assert abs(found - 1e6 / 3) <= 4 * (nextafter(1e6 / 3, inf) - 1e6 / 3)


def test_without_opposite_signs_no_root_is_made_up():
    with pytest.raises(InputError, match="opposite signs"):
        root(lambda x: 1 + x * x, -1.0, 2.0, 1e-9)
