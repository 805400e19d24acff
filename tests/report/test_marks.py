"""Ticks and scales: round numbers inside the ends, places that go back to their values."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mrs_disc.report.marks import Scale, few, nice

ENDS = st.tuples(st.floats(-1e4, 1e4), st.floats(1e-3, 1e4)).map(lambda v: (v[0], v[0] + v[1]))


def is_round(step):
    """Say whether a step is 1, 2 or 5 times a power of ten, read off its decimal spelling."""
    return f"{step:.3e}"[:5] in ("1.000", "2.000", "5.000")


@given(ends=ENDS, n=st.integers(2, 8))
def test_nice_numbers_are_round_and_about_as_many_as_asked(ends, n):
    numbers = nice(*ends, n)
    slack = 1e-9 * max(map(abs, ends))
    assert all(ends[0] - slack <= v <= ends[1] + slack for v in numbers)
    assert len(numbers) <= n + 1
    if len(numbers) > 1:
        assert is_round(numbers[1] - numbers[0])


@given(ends=ENDS)
@pytest.mark.parametrize(("least", "most"), [(2, 4), (3, 8)])
def test_few_numbers_keep_to_their_count(ends, least, most):
    numbers = few(*ends, least, most)
    assert len(numbers) == 1 or least <= len(numbers) <= most
    if len(numbers) > 1:
        assert is_round(numbers[1] - numbers[0])


@given(ends=ENDS)
def test_a_course_always_has_three_ticks(ends):
    """Steps of 1, 2 and 5 are at most 2.5-fold apart: of two and of nine one always fits."""
    assert len(few(*ends, 3, 8)) >= 3


@given(ends=ENDS, share=st.floats(0, 1))
def test_a_scale_is_straight(ends, share):
    value = ends[0] + share * (ends[1] - ends[0])
    place = Scale(*ends, 220.0, 20.0)(value)
    assert math.isclose(place, 220 - 200 * share, abs_tol=1e-4)
