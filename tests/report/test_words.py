"""Numbers with as many digits as they deserve, and texts that stay harmless."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mrs_disc.report.words import (
    decimals,
    harmless,
    interval,
    measured,
    number,
    probability,
    quantity_word,
    rounded,
)


@pytest.mark.parametrize(
    ("value", "sd", "text"),
    [
        (0.3812, 0.123, "0.38 ± 0.12"),
        (1234.0, 340.0, "1200 ± 300"),
        (1234.0, 96.0, "1230 ± 100"),
        (5.93, 0.25, "5.93 ± 0.25"),
        (60.34, 0.35, "60.3 ± 0.3"),
        (-0.0004, 0.01, "0.000 ± 0.010"),
        (None, 0.1, "–"),
    ],
)
def test_digits_follow_the_uncertainty(value, sd, text):
    assert measured(value, sd, None, None) == text


def test_the_limit_of_a_logarithm_has_the_two_decimals_of_the_words_about_it():
    assert measured(-0.954, None, "upper", 0.0061) == "< 0.01"
    assert measured(-2.82, None, "upper", -0.2831) == "< \u22120.28"


@given(st.floats(1e-6, 1e6), st.floats(1e-6, 1e6))
def test_rounding_never_moves_a_value_by_more_than_a_third_of_its_sd(value, sd):
    """One digit of 3 or more: half a unit of it is a sixth of the sd; of two, a twentieth."""
    shown = float(rounded(value, decimals(sd, value)).replace("\u2212", "-"))
    assert abs(shown - value) <= sd / 3


@given(st.text())
def test_harmless_text_is_one_line_without_control_or_direction(text):
    cleaned = harmless(text)
    assert "\n" not in cleaned
    assert not set(cleaned) & set("\u202a\u202b\u202d\u202e\u2066\u2067\u200f\x00\x1b")
    cleaned.encode("utf-8")


def test_a_probability_is_never_certain():
    assert [probability(p) for p in (0.0, 0.2, 0.999, None)] == ["< 0.01", "0.20", "> 0.99", "–"]


def test_words():
    assert quantity_word("PG/water") == "proteoglycan per tissue water"
    assert interval(1.0, 2.0, 1) == "1.0 to 2.0"
    assert number(0.0) == "0"
    assert number(float("nan")) == "not reported"
