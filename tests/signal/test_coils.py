"""Coil combination against the optimum SNR in closed form and against symmetries."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mrs_disc.errors import InputError
from mrs_disc.signal.coils import coil_weights, combine
from mrs_disc.signal.noise import noise_covariance

DWELL_S = 1 / 2500
DECAY = np.exp(-np.arange(2048) * DWELL_S / 0.03)


def complex_normal(rng, *shape):
    return rng.standard_normal(shape) + 1j * rng.standard_normal(shape)


def array_of(rng, n_coils, n_transients, amplitude, n_points=1024):
    """Raw data, sensitivities and covariance of an array with correlated noise."""
    sensitivity = complex_normal(rng, n_coils) * np.exp(0.6 * rng.standard_normal(n_coils))
    mixing = np.eye(n_coils) + 0.3 * complex_normal(rng, n_coils, n_coils) / np.sqrt(n_coils)
    noise = np.einsum("ij,jtn->itn", mixing, complex_normal(rng, n_coils, n_transients, n_points))
    signal = amplitude * DECAY[:n_points] * np.exp(2j * np.pi * rng.random())
    return sensitivity[:, None, None] * signal + noise, sensitivity, 2 * mixing @ mixing.conj().T


@settings(max_examples=15)
@given(n_coils=st.integers(1, 8), seed=st.integers(0, 2**32 - 1))
def test_snr_is_the_optimum_of_any_array(n_coils, seed):
    """The optimum, sqrt(s^H C^-1 s), comes from a linear solve; strong signal, known noise."""
    rng = np.random.default_rng(seed)
    raw, sensitivity, covariance = array_of(rng, n_coils, 2, 1e5)
    found = coil_weights(raw, covariance)
    optimum = np.sqrt((sensitivity.conj() @ np.linalg.solve(covariance, sensitivity)).real)
    noise = np.sqrt((found.weights @ covariance @ found.weights.conj()).real)
    assert abs(found.weights @ sensitivity) / noise == pytest.approx(optimum, rel=1e-6)
    best = np.max(np.abs(sensitivity) / np.sqrt(np.diag(covariance).real))
    assert found.snr_gain == pytest.approx(optimum / best, rel=1e-3)


@pytest.mark.parametrize(
    ("n_coils", "n_transients", "amplitude", "least"),
    [
        (4, 48, 10.0, 0.99),
        (16, 48, 1.0, 0.99),
        (32, 64, 0.3, 0.99),
        (16, 1, 10.0, 0.99),
        (32, 1, 10.0, 0.98),  # 2,048 late samples cannot tell the noise of 32 coils any better
    ],
)
def test_snr_from_the_data_alone_is_within_a_percent(n_coils, n_transients, amplitude, least):
    rng = np.random.default_rng(n_coils)
    raw, sensitivity, covariance = array_of(rng, n_coils, n_transients, amplitude, 2048)
    optimum = np.sqrt((sensitivity.conj() @ np.linalg.solve(covariance, sensitivity)).real)
    found = coil_weights(raw, noise_covariance(raw.astype(np.complex64)))
    noise = np.sqrt((found.weights @ covariance @ found.weights.conj()).real)
    assert abs(found.weights @ sensitivity) / noise > least * optimum
    assert abs(found.weights @ sensitivity) == pytest.approx(np.abs(sensitivity).max(), rel=0.03)


def test_the_amplitude_is_that_of_the_strongest_coil():
    raw, sensitivity, covariance = array_of(np.random.default_rng(0), 8, 1, 1e6)
    found = coil_weights(raw, covariance)
    strongest = int(np.argmax(np.abs(sensitivity)))
    assert found.strongest == strongest
    combined = combine(raw, found.weights)[0]
    assert abs(combined[0]) == pytest.approx(abs(raw[strongest, 0, 0]), rel=1e-4)
    assert combined[0].imag == pytest.approx(0, abs=1e-6 * abs(combined[0]))
    assert combined[0].real > 0
    assert abs(found.weights @ sensitivity) == pytest.approx(abs(sensitivity[strongest]), rel=1e-4)
    of_combined = sensitivity / (found.weights @ sensitivity)
    np.testing.assert_allclose(np.outer(of_combined, combined), raw[:, 0], atol=30)


@settings(max_examples=20)
@given(seed=st.integers(0, 2**32 - 1), turns=st.integers(0, 2**32 - 1), scale=st.floats(1e-4, 1e4))
def test_phase_scale_and_order_of_coils_do_not_matter(seed, turns, scale):
    rng = np.random.default_rng(seed)
    raw, _, covariance = array_of(rng, 5, 3, 100.0, 256)
    other = np.random.default_rng(turns)
    order = other.permutation(5)
    turn = np.exp(2j * np.pi * other.random(5))
    plain = combine(raw, coil_weights(raw, covariance).weights)
    turned = (scale * turn[:, None, None] * raw)[order]
    mixed = scale**2 * (turn[:, None] * covariance * turn.conj())[np.ix_(order, order)]
    again = combine(turned, coil_weights(turned, mixed).weights)
    np.testing.assert_allclose(again, scale * plain, atol=1e-8 * scale * np.abs(plain).max())


@pytest.mark.parametrize("twin", [1.0, -2.0j])
def test_a_doubled_coil_is_dropped_and_changes_nothing(twin):
    rng = np.random.default_rng(1)
    raw, sensitivity, _ = array_of(rng, 4, 8, 100.0)
    plain = combine(raw, coil_weights(raw, noise_covariance(raw)).weights)
    doubled = np.concatenate([raw, twin * raw[:1]]).astype(np.complex64)
    found = coil_weights(doubled, noise_covariance(doubled))
    assert len(found.dropped) == 1
    coil, reason = found.dropped[0]
    assert coil in (0, 4)
    assert reason == f"doubles coil {4 - coil}"
    loudness = np.abs(sensitivity) / np.abs(sensitivity).max()
    factor = max(1.0, abs(twin) * loudness[0])  # the twin may be the strongest coil, the unit
    size = factor * np.abs(plain).max()
    np.testing.assert_allclose(combine(doubled, found.weights), factor * plain, atol=1e-3 * size)


def test_a_silent_and_a_summed_coil_are_dropped():
    rng = np.random.default_rng(2)
    raw, _, _ = array_of(rng, 4, 8, 100.0)
    raw = np.concatenate([raw, 0 * raw[:1], raw[:1] + raw[1:2]])
    found = coil_weights(raw, noise_covariance(raw))
    reasons = dict(found.dropped)
    assert reasons[4] == "silent"
    assert len(reasons) == 2
    assert "a sum of other coils" in reasons.values()
    assert found.weights[4] == 0


def test_a_coil_that_hears_noise_alone_gets_little_weight():
    rng = np.random.default_rng(3)
    raw, _, _ = array_of(rng, 4, 16, 30.0)
    raw[2] = 50 * complex_normal(rng, *raw[2].shape)
    found = coil_weights(raw, noise_covariance(raw))
    assert not found.dropped
    # the share of the combined noise that comes from this coil, its noise 50 times the others'
    share = 50 * np.abs(found.weights[2]) / np.linalg.norm(np.delete(found.weights, 2))
    assert share < 0.1
    assert found.strongest != 2


def test_phase_cycling_between_transients_does_not_cancel_the_signal():
    rng = np.random.default_rng(4)
    raw, sensitivity, covariance = array_of(rng, 6, 16, 5.0)
    signal = raw * np.exp(0.5j * np.pi * np.arange(16))[None, :, None]
    found = coil_weights(signal, covariance)
    optimum = np.sqrt((sensitivity.conj() @ np.linalg.solve(covariance, sensitivity)).real)
    noise = np.sqrt((found.weights @ covariance @ found.weights.conj()).real)
    assert abs(found.weights @ sensitivity) / noise > 0.99 * optimum


def test_one_coil_keeps_its_amplitude():
    raw, _, covariance = array_of(np.random.default_rng(5), 1, 4, 100.0)
    found = coil_weights(raw[:, 0], covariance)
    assert abs(found.weights[0]) == pytest.approx(1)
    assert found.snr_gain == pytest.approx(1)


def test_data_without_noise_combine_exactly():
    sensitivity = np.array([1.0, 2.0j, -0.5])
    raw = sensitivity[:, None, None] * DECAY[None, None, :]
    found = coil_weights(raw, noise_covariance(raw))
    np.testing.assert_allclose(combine(raw, found.weights)[0], 2 * DECAY, rtol=1e-4)


def test_combination_takes_any_memory_order_and_sums_in_double_precision():
    rng = np.random.default_rng(6)
    raw = complex_normal(rng, 3, 4, 50).astype(np.complex64)
    weights = complex_normal(rng, 3)
    truth = np.tensordot(weights, raw.astype(complex), 1)
    for stored in (raw, np.asfortranarray(raw), raw.transpose(1, 0, 2).copy().transpose(1, 0, 2)):
        combined = combine(stored, weights)
        assert combined.dtype == np.complex128
        np.testing.assert_allclose(combined, truth, atol=1e-13)


def test_a_transient_that_is_not_finite_stays_alone():
    rng = np.random.default_rng(7)
    raw, _, covariance = array_of(rng, 3, 6, 100.0)
    clean = coil_weights(np.delete(raw, 2, axis=1), covariance)
    raw[1, 2, 5] = np.nan
    found = coil_weights(raw, covariance)
    np.testing.assert_allclose(found.weights, clean.weights)
    combined = combine(raw, found.weights)
    assert np.flatnonzero(~np.isfinite(combined).all(axis=1)).tolist() == [2]


@pytest.mark.parametrize(
    ("reference", "covariance", "message"),
    [
        (np.ones((2, 8)), np.eye(3), "2 coils but the noise covariance"),
        (np.zeros((2, 8)), np.eye(2), "zero throughout"),
        (np.full((2, 8), np.nan), np.eye(2), "not finite"),
        (np.ones((2, 8)), np.full((2, 2), np.nan), "not finite"),
        (np.ones(8), np.eye(1), "1 axes"),
    ],
)
def test_bad_input(reference, covariance, message):
    with pytest.raises(InputError, match=message):
        coil_weights(reference, covariance)
    with pytest.raises(InputError, match="3 weights"):
        combine(np.ones((2, 8)), np.ones(3))
