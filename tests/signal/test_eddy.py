"""Eddy-current correction against the phase that was put in."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mrs_disc.errors import InputError
from mrs_disc.signal.eddy import correct_eddy_currents

DWELL_S = 1 / 2500
TIME = np.arange(2048) * DWELL_S
EDDY = np.radians(20) * np.exp(-TIME / 0.005) + np.radians(10) * np.exp(-TIME / 0.05)


def line(hz, width_hz, amplitude=1.0, gauss_hz=8.0):
    decay = np.pi * width_hz * TIME + (np.pi * gauss_hz * TIME) ** 2 / (4 * np.log(2))
    return amplitude * np.exp(2j * np.pi * hz * TIME - decay)


METABOLITES = line(-333, 9) + line(-426, 9, 0.3) + line(-184, 9, 0.1)


def noise(seed, sd):
    rng = np.random.default_rng(seed)
    return sd * (rng.standard_normal(2048) + 1j * rng.standard_normal(2048))


def distortion(fid, truth=METABOLITES):
    """RMS error of a FID when its own best constant phase and frequency are forgiven."""
    phase = np.angle(fid * truth.conj())
    weight = np.abs(truth)
    time = np.arange(len(fid)) * DWELL_S
    line_of = np.polynomial.polynomial.polyfit(time, phase, 1, w=weight)
    turned = fid * np.exp(-1j * (line_of[0] + line_of[1] * time))
    return np.linalg.norm(turned - truth) / np.linalg.norm(truth)


def frequency_hz(fid):
    """Slope of the phase while the line stands high, its points weighted by their magnitude."""
    early = TIME < 0.03
    phase = np.unwrap(np.angle(fid[early]))
    return np.polyfit(TIME[early], phase, 1, w=np.abs(fid[early]))[0] / (2 * np.pi)


@pytest.mark.parametrize("width_hz", [5, 12, 25])
@pytest.mark.parametrize(("water_sd", "most"), [(0.01, 0.003), (0.1, 0.016), (1.0, 0.05)])
def test_the_distortion_goes(width_hz, water_sd, most):
    """Water of amplitude 100, its phase worth nothing where it has fallen into the noise."""
    found = []
    for seed in range(5):
        water = line(5, width_hz, 100, 5) * np.exp(1j * EDDY) + noise(seed, water_sd)
        result = correct_eddy_currents(METABOLITES * np.exp(1j * EDDY), water, DWELL_S)
        found.append(distortion(result.signal))
    assert distortion(METABOLITES * np.exp(1j * EDDY)) > 0.07
    assert np.mean(found) < most


@pytest.mark.parametrize("water_sd", [0.01, 0.3, 3.0])
def test_without_eddy_currents_no_noise_is_put_in(water_sd):
    water = line(5, 15, 100, 5) + noise(1, water_sd)
    result = correct_eddy_currents(METABOLITES, water, DWELL_S)
    assert np.linalg.norm(result.signal - METABOLITES) < 0.02 * np.linalg.norm(METABOLITES)
    assert frequency_hz(result.water) == pytest.approx(5, abs=0.2)


def test_constant_phase_and_frequency_stay():
    water = line(7, 10, 100) * np.exp(0.9j)
    result = correct_eddy_currents(METABOLITES, water, DWELL_S)
    np.testing.assert_allclose(result.signal, METABOLITES, atol=1e-4)
    assert np.angle(result.water[0]) == pytest.approx(0.9, abs=1e-3)
    assert frequency_hz(result.water) == pytest.approx(7, abs=1e-3)


def test_zero_points_and_silence_of_the_reference():
    water = line(5, 8, 100) * np.exp(1j * EDDY) + noise(2, 0.02)
    water[:2] = 0
    water[700:720] = 0
    water[1500:] = 0
    result = correct_eddy_currents(METABOLITES * np.exp(1j * EDDY), water, DWELL_S)
    assert np.isfinite(result.signal).all()
    assert distortion(result.signal) < 0.015


@pytest.mark.parametrize("n_water", [512, 2048, 4096])
def test_reference_of_another_length(n_water):
    time = np.arange(n_water) * DWELL_S
    rng = np.random.default_rng(3)
    water = 100 * np.exp((2j * np.pi * 5 - 40) * time + 0.3j * np.exp(-time / 0.01))
    water = water + 0.05 * (rng.standard_normal(n_water) + 1j * rng.standard_normal(n_water))
    distorted = METABOLITES * np.exp(0.3j * np.exp(-TIME / 0.01))
    result = correct_eddy_currents(distorted, water, DWELL_S)
    assert result.signal.shape == result.phase_rad.shape == (2048,)
    assert distortion(result.signal) < 0.02
    clean = 100 * np.exp((2j * np.pi * 5 - 40) * time)
    assert result.water.shape == (n_water,)
    assert distortion(result.water, clean) < 0.02


@settings(max_examples=10)
@given(scale=st.floats(1e-3, 1e3), turn=st.floats(0, 6.28), seed=st.integers(0, 2**32 - 1))
def test_scale_and_phase_of_the_reference_do_not_matter(scale, turn, seed):
    water = line(5, 10, 100) * np.exp(1j * EDDY) + noise(seed, 0.1)
    plain = correct_eddy_currents(METABOLITES, water, DWELL_S, noise_sd=0.1)
    other = correct_eddy_currents(
        METABOLITES, scale * np.exp(1j * turn) * water, DWELL_S, noise_sd=0.1 * scale
    )
    # rounding may move the last point that counts as water, and the run-out after it
    np.testing.assert_allclose(other.phase_rad[:600], plain.phase_rad[:600], atol=2e-3)


def test_transients_and_single_precision():
    water = line(5, 10, 100) * np.exp(1j * EDDY)
    stack = np.stack([METABOLITES, 2j * METABOLITES]).astype(np.complex64)
    result = correct_eddy_currents(stack, water.astype(np.complex64), DWELL_S)
    assert result.signal.dtype == np.complex64
    np.testing.assert_allclose(result.signal[1], 2j * result.signal[0], atol=1e-5)


@pytest.mark.parametrize(
    ("water", "message"),
    [
        (np.zeros(2048), "zero throughout"),
        (np.full(2048, np.nan), "not finite"),
        (noise(4, 1.0), "does not stand out of its noise"),
        (np.ones((2, 2048)), "2 axes"),
    ],
)
def test_bad_input(water, message):
    with pytest.raises(InputError, match=message):
        correct_eddy_currents(METABOLITES, water, DWELL_S)


def test_rounding_does_not_reach_the_eddy_current_phase():
    """The smoother's equations are nearly singular where the water is gone."""
    time = np.arange(2048) * 4e-4
    rng = np.random.default_rng(0)
    water = 1000 * np.exp((-12 * np.pi + 10j * np.pi) * time + 0.5j * np.exp(-time / 0.02))
    water += 0.3 * (rng.standard_normal(2048) + 1j * rng.standard_normal(2048))
    once, again = (correct_eddy_currents(water, water, dt) for dt in (4e-4, np.nextafter(4e-4, 0)))
    assert np.abs(once.phase_rad - again.phase_rad).max() < 1e-9


@pytest.mark.parametrize(("points", "dwell_time_s"), [(8192, 83e-6), (16384, 50e-6)])
def test_a_long_narrow_reference_is_smoothed(points, dwell_time_s):
    """Rounding makes the smoother's matrix indefinite there; the phase must still come out."""
    time = dwell_time_s * np.arange(points)
    turn = 0.4 * np.exp(-time / 0.02)
    water = np.exp(-np.pi * 12 * time + 1j * turn)
    rng = np.random.default_rng(4)
    water = water + 1e-4 * (rng.standard_normal(points) + 1j * rng.standard_normal(points))
    found = correct_eddy_currents(water, water, dwell_time_s)
    early = time < 0.1
    left = np.unwrap(np.angle(found.signal[early]))
    straight = np.polyval(np.polyfit(time[early], left, 1), time[early])  # phase and frequency stay
    assert np.abs(left - straight).max() < 0.05
