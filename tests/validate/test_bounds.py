"""Bounds against closed forms, numeric derivatives and a fit that shares nothing with them."""

import numpy as np
import pytest
from scipy.optimize import least_squares

from mrs_disc.simulate.lines import hump_fids
from mrs_disc.validate.bounds import covariance_bound, hump_jacobian, linear_sd, signal_jacobian

TIME = np.arange(1024) / 2500.0


def signal(parameters, units):
    """Amplitudes, shift, width, phase, own shifts: the order of the Jacobian."""
    n = len(units)
    amplitude, (shift, width, phase), own = (
        parameters[:n],
        parameters[n : n + 3],
        parameters[n + 3 :],
    )
    common = np.exp((2j * np.pi * shift - np.pi * width) * TIME + 1j * phase)
    return common * sum(
        a * u * np.exp(2j * np.pi * o * TIME) for a, u, o in zip(amplitude, units, own, strict=True)
    )


@pytest.fixture
def units():
    return np.exp((2j * np.pi * np.array([[-330.0], [-425.0]]) - np.pi * 12.0) * TIME)


def test_jacobian_is_the_numeric_derivative(units):
    at = np.array([3.0, 1.0, 0, 0, 0, 0, 0])
    jacobian = signal_jacobian(units, at[:2], TIME, gaussian=False)
    for index in range(at.size):
        step = np.zeros(at.size)
        step[index] = 1e-5
        numeric = (signal(at + step, units) - signal(at - step, units)) / 2e-5
        assert np.allclose(jacobian[index], numeric, atol=1e-6)


def test_hump_jacobian_is_the_numeric_derivative():
    at = np.array([2.0, -300.0, 70.0])

    def hump(p):
        return hump_fids(TIME, centre_hz=p[1:2], fwhm_hz=p[2:], area=p[:1])

    jacobian = hump_jacobian(TIME, at[1:2], at[2:], at[:1])
    for index in range(3):
        step = np.zeros(3)
        step[index] = 1e-4
        numeric = (hump(at + step) - hump(at - step)) / 2e-4
        assert np.allclose(jacobian[index], numeric, atol=1e-5)


def test_amplitude_of_one_known_line_has_its_closed_form():
    """Only the amplitude unknown: variance = sd^2 / sum exp(-2 pi w t)."""
    unit = np.exp((2j * np.pi * 50 - np.pi * 9.0) * TIME)[None]
    bound = covariance_bound(unit, 0.1, {})
    geometric = (1 - np.exp(-2 * np.pi * 9.0 * 1024 / 2500)) / (1 - np.exp(-2 * np.pi * 9.0 / 2500))
    assert bound[0, 0] == pytest.approx(0.1**2 / geometric, rel=1e-9)


def test_known_parameter_and_sharp_prior_agree(units):
    jacobian = signal_jacobian(units, np.array([3.0, 1.0]), TIME, gaussian=True)
    known = covariance_bound(jacobian, 0.05, dict.fromkeys((6, 7), 0.0))
    sharp = covariance_bound(jacobian, 0.05, dict.fromkeys((6, 7), 1e-6))
    assert np.allclose(known[:6, :6], sharp[:6, :6], rtol=1e-6)
    free = covariance_bound(jacobian, 0.05, {6: 0.0})
    assert np.all(np.diagonal(free)[:2] >= np.diagonal(known)[:2])


def test_least_squares_reaches_the_bound(units):
    """A plain fit of the true model has the bound's spread: 400 fits, 3.5 % standard error."""
    rng = np.random.default_rng(0)
    truth = np.array([3.0, 1.0, 0.0, 0.0, 0.0])
    sd = 0.1

    def model(p):
        return signal(np.append(p, [0.0, 0.0]), units)

    clean = model(truth)
    found = []
    for _ in range(400):
        data = clean + sd * (rng.normal(size=1024) + 1j * rng.normal(size=1024))

        def residual(p, data=data):
            difference = model(p) - data
            return np.concatenate([difference.real, difference.imag])

        found.append(least_squares(residual, truth, method="lm").x)
    jacobian = signal_jacobian(units, truth[:2], TIME, gaussian=False)
    bound = np.sqrt(np.diagonal(covariance_bound(jacobian, sd, {5: 0.0, 6: 0.0})))[:2]
    assert np.std(found, axis=0)[:2] == pytest.approx(bound, rel=0.12)


def test_linear_sd_is_the_delta_method():
    covariance = np.array([[4.0, 1.0], [1.0, 9.0]])
    assert linear_sd(np.array([1.0, -1.0]), covariance) == pytest.approx(np.sqrt(11.0))
