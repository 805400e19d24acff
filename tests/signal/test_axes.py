"""Axes and spectra against closed forms."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mrs_disc.errors import InputError
from mrs_disc.signal import axes

DWELL_S = 1 / 2500


def complex_normal(rng, *shape):
    return rng.standard_normal(shape) + 1j * rng.standard_normal(shape)


@given(n_points=st.integers(2, 300), k=st.integers(-150, 149))
def test_a_wave_lands_at_its_frequency(n_points, k):
    frequencies = axes.frequency_axis(n_points, DWELL_S)
    wave_hz = frequencies[(n_points // 2 + k) % n_points]
    wave = np.exp(2j * np.pi * wave_hz * axes.time_axis(n_points, DWELL_S))
    assert frequencies[np.argmax(np.abs(axes.spectrum(wave)))] == pytest.approx(wave_hz)
    assert np.all(np.diff(frequencies) > 0)


def test_a_line_has_the_area_and_height_of_its_fourier_integral():
    amplitude, decay_s = 3.0, 0.05
    time = axes.time_axis(4096, DWELL_S)
    lines = axes.spectrum(amplitude * np.exp(-time / decay_s)) * DWELL_S
    frequencies = axes.frequency_axis(4096, DWELL_S)
    integral = amplitude / (1 / decay_s + 2j * np.pi * frequencies)
    near = np.abs(frequencies) < 250
    # the trapezoid rule turns 1 / x into cot(x): (2 pi f dwell)**2 / 12 less, 3.3 % at 250 Hz
    np.testing.assert_allclose(lines[near], integral[near], rtol=0.034)
    assert lines[2048].real == pytest.approx(amplitude * decay_s, rel=1e-4)


def test_precision_is_kept_and_the_input_untouched():
    fid = np.ones((2, 8), dtype=np.complex64)
    assert axes.spectrum(fid).dtype == np.complex64
    assert (fid == 1).all()


def test_ppm_grows_with_frequency_from_the_reference():
    ppm = axes.ppm_axis(2048, DWELL_S, 127.7, 4.65)
    assert ppm[1024] == 4.65
    assert ppm[1024 + 512] == pytest.approx(4.65 + 625 / 127.7)


@given(
    n_transients=st.integers(1, 5),
    n_points=st.integers(1, 500),
    seed=st.integers(0, 2**32 - 1),
)
def test_phasors_are_exponentials(n_transients, n_points, seed):
    rng = np.random.default_rng(seed)
    frequency, phase = rng.uniform(-50, 50, n_transients), rng.uniform(-9, 9, n_transients)
    time = np.arange(n_points) * DWELL_S
    direct = np.exp(1j * (phase[:, None] + 2 * np.pi * frequency[:, None] * time))
    found = axes.phasors(frequency, phase, n_points, DWELL_S)
    np.testing.assert_allclose(found, direct, atol=1e-11)
    single = axes.phasors(frequency, phase, n_points, DWELL_S, np.complex64)
    assert single.dtype == np.complex64


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: axes.time_axis(4, 0.0), "dwell time"),
        (lambda: axes.frequency_axis(4, float("nan")), "dwell time"),
        (lambda: axes.ppm_axis(4, DWELL_S, -1.0, 4.65), "MHz"),
        (lambda: axes.window(np.arange(4.0), 7.0, 9.0), "no point of the spectrum"),
        (lambda: axes.complex_array([], "fid"), "empty"),
        (lambda: axes.complex_array(["a"], "fid"), "numbers expected"),
        (lambda: axes.complex_array([0.0, 0.0], "fid"), "zero throughout"),
        (lambda: axes.complex_array([1.0, np.nan], "fid"), "not finite"),
        (lambda: axes.complex_array([1.0, np.inf - np.inf], "fid"), "not finite"),
        (lambda: axes.complex_array(np.ones((2, 2)), "fid", 1), "2 axes, 1 expected"),
    ],
)
def test_bad_input_is_said_in_one_line(call, message):
    with pytest.raises(InputError, match=message) as raised:
        call()
    assert "\n" not in str(raised.value)


def test_sums_that_overflow_are_not_taken_for_bad_points():
    huge = np.full(8, 3e38, dtype=np.complex64)
    assert axes.complex_array(huge, "fid").dtype == np.complex64
