"""Phase, place and width of lines against closed forms."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mrs_disc.errors import InputError
from mrs_disc.signal.phase import dominant_frequency_hz, find_phase, linewidth_hz

DWELL_S = 1 / 2500
TIME = np.arange(2048) * DWELL_S
WINDOW = (-568.0, -57.0)


def line(hz, width_hz, amplitude=1.0, gauss_hz=0.0):
    decay = np.pi * width_hz * TIME + (np.pi * gauss_hz * TIME) ** 2 / (4 * np.log(2))
    return amplitude * np.exp(2j * np.pi * hz * TIME - decay)


DISC = line(-333, 9, 1, 8) + line(-426, 9, 0.3, 8) + line(-184, 9, 0.2, 8) + line(-100, 9, 0.3, 8)


def noise(seed, sd):
    rng = np.random.default_rng(seed)
    return sd * (rng.standard_normal(2048) + 1j * rng.standard_normal(2048))


@settings(max_examples=25)
@given(phase=st.floats(-3.1, 3.1), seed=st.integers(0, 2**32 - 1))
def test_zero_order_phase_is_found(phase, seed):
    """By overlapping lines it is off by 2.3 degrees, by noise 1.8: five times that is allowed."""
    fid = DISC * np.exp(1j * phase) + noise(seed, 0.05)
    found = find_phase(fid, DWELL_S, window_hz=WINDOW)
    assert abs(np.angle(np.exp(1j * (found - phase)))) < np.radians(12)


@settings(max_examples=25)
@given(hz=st.floats(-600, 600), width=st.floats(3, 40), phase=st.floats(0, 6.28))
def test_place_of_a_line(hz, width, phase):
    fid = line(hz, width) * np.exp(1j * phase)
    assert dominant_frequency_hz(fid, DWELL_S) == pytest.approx(hz, abs=0.01)


def test_the_search_keeps_to_its_range():
    fid = line(-333, 9, 5) + line(4, 9)
    assert dominant_frequency_hz(fid, DWELL_S) == pytest.approx(-333, abs=0.1)
    assert dominant_frequency_hz(fid, DWELL_S, (-30, 30)) == pytest.approx(4, abs=0.5)


@pytest.mark.parametrize("width", [2.0, 8.0, 30.0])
def test_width_of_lorentz_and_gauss_lines(width):
    assert linewidth_hz(line(12.3, width) * 1j, DWELL_S) == pytest.approx(width, rel=0.01)
    assert linewidth_hz(line(12.3, 0.01, 1, width), DWELL_S) == pytest.approx(width, rel=0.02)


def test_width_of_a_voigt_line():
    """Olivero and Longbothum's formula is right to 0.02 %."""
    truth = 0.5346 * 8 + np.sqrt(0.2166 * 64 + 100)
    assert linewidth_hz(line(3, 8, 100, 10) + noise(0, 0.1), DWELL_S) == pytest.approx(
        truth, rel=0.02
    )


@pytest.mark.parametrize("call", [dominant_frequency_hz, linewidth_hz])
def test_bad_input(call):
    for fid in (np.zeros(64), np.full(64, np.nan), np.ones((2, 64))):
        with pytest.raises(InputError):
            call(fid, DWELL_S)
    with pytest.raises(InputError, match="no point"):
        call(line(0, 5), DWELL_S, (4000.0, 5000.0))


def test_a_window_without_points():
    with pytest.raises(InputError, match="no point"):
        find_phase(DISC, DWELL_S, window_hz=(3000.0, 4000.0))


def test_one_point_has_no_width():
    with pytest.raises(InputError, match="half its height"):
        linewidth_hz(np.array([1.0 + 0j, 0, 0, 0]), DWELL_S)
