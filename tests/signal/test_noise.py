"""Noise against noise that was put in."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mrs_disc.errors import InputError
from mrs_disc.signal.noise import noise_covariance, noise_sd, quiet_bins

DWELL_S = 1 / 2500


def complex_normal(rng, *shape):
    return rng.standard_normal(shape) + 1j * rng.standard_normal(shape)


def line(n_points, hz, width_hz, amplitude=1.0):
    time = np.arange(n_points) * DWELL_S
    return amplitude * np.exp((2j * np.pi * hz - np.pi * width_hz) * time)


SIGNALS = {
    "nothing": lambda n: 0 * line(n, 0, 1),
    "metabolites": lambda n: line(n, -333, 17) + line(n, -190, 17, 0.3) + line(n, -400, 90, 0.5),
    "strong water": lambda n: line(n, 3, 8, 1e4),
    "narrow water that has not decayed": lambda n: line(n, 3, 1.5, 1e3),
    "a broad signal": lambda n: line(n, -400, 60, 50),
    "an offset": lambda n: np.full(n, 2.0 + 1j),
}


@pytest.mark.parametrize("name", SIGNALS)
@pytest.mark.parametrize(("n_points", "n_transients"), [(2048, 1), (2048, 16), (512, 1), (512, 16)])
def test_signal_is_not_taken_for_noise(name, n_points, n_transients):
    """The tolerance is four standard errors of as many samples as the tail has."""
    rng = np.random.default_rng(7)
    noise = 0.3 * complex_normal(rng, n_transients, n_points)
    found = noise_sd(SIGNALS[name](n_points) + noise)
    assert found == pytest.approx(0.3, rel=0.01 + 4 / np.sqrt(1.5 * n_points * n_transients))


@settings(max_examples=25)
@given(scale=st.floats(1e-6, 1e6), seed=st.integers(0, 2**32 - 1), turn=st.floats(0, 6.3))
def test_scale_and_phase(scale, seed, turn):
    fid = line(256, -300, 20) + complex_normal(np.random.default_rng(seed), 256)
    assert noise_sd(fid * scale * np.exp(1j * turn)) == pytest.approx(scale * noise_sd(fid))


def test_zero_filling_and_empty_band_edges_do_not_hide_noise():
    rng = np.random.default_rng(1)
    fids = 0.3 * complex_normal(rng, 8, 2048)
    filled = fids.copy()
    filled[:, 1200:] = 0
    assert noise_sd(filled) == pytest.approx(0.3, rel=0.02)
    spectra = np.fft.fft(fids)
    spectra[:, np.abs(np.fft.fftfreq(2048)) > 0.42] *= 1e-3
    assert noise_sd(np.fft.ifft(spectra)) == pytest.approx(0.3, rel=0.03)


def test_a_spoilt_transient_does_not_count():
    fids = 0.3 * complex_normal(np.random.default_rng(2), 16, 1024)
    fids[3] *= 30
    fids[5, 700] += 1000
    fids[9] = 0
    assert noise_sd(fids) == pytest.approx(0.3, rel=0.03)


def test_without_noise_there_is_rounding_and_never_zero():
    fid = line(1024, -333, 17)
    assert 0 < noise_sd(fid) < 1e-6
    assert 0 < noise_sd(fid.astype(np.complex64)) < 1e-4


def test_covariance_is_that_of_the_mixing():
    rng = np.random.default_rng(3)
    n_coils = 6
    mixing = np.eye(n_coils) + 0.3 * complex_normal(rng, n_coils, n_coils)
    raw = np.einsum("ij,jtn->itn", mixing, complex_normal(rng, n_coils, 32, 1024))
    raw += complex_normal(rng, n_coils)[:, None, None] * line(1024, 5, 10, 300)
    truth = 2 * mixing @ mixing.conj().T
    size = np.sqrt(np.outer(np.diag(truth), np.diag(truth)).real)
    found = noise_covariance(raw.astype(np.complex64))
    # one element of a covariance of n samples has the standard error 1 / sqrt(n), n about 3000
    assert np.max(np.abs(found - truth) / size) < 4 / np.sqrt(3000)
    np.testing.assert_allclose(found, found.conj().T)


def test_covariance_leaves_out_transients_that_are_not_finite_or_spiked():
    rng = np.random.default_rng(4)
    raw = complex_normal(rng, 3, 20, 512)
    clean = noise_covariance(raw)
    raw[1, 3, 400] = np.nan
    raw[:, 5] *= 100
    raw[2, 7] = np.inf
    np.testing.assert_allclose(noise_covariance(raw), clean, atol=0.25)


def test_a_silent_coil_has_no_covariance():
    raw = complex_normal(np.random.default_rng(5), 3, 4, 256)
    raw[1] = 0
    found = noise_covariance(raw)
    assert not found[1].any()
    assert not found[:, 1].any()
    assert found[0, 0].real == pytest.approx(2, rel=0.2)


def test_quiet_bins_are_never_none():
    assert quiet_bins(np.ones(64), 1).all()
    assert quiet_bins(np.geomspace(1, 1e6, 64), 4).any()


@pytest.mark.parametrize(
    ("signal", "message"),
    [
        (np.zeros(100), "zero throughout"),
        (np.full(100, np.nan), "not finite"),
        (np.ones(10), "10 points"),
        (np.ones((2, 2, 100)), "3 axes"),
    ],
)
def test_bad_input(signal, message):
    with pytest.raises(InputError, match=message):
        noise_sd(signal)


def test_covariance_of_nothing_finite():
    with pytest.raises(InputError, match="not finite"):
        noise_covariance(np.full((2, 3, 64), np.nan + 0j))
    with pytest.raises(InputError, match="points that are not zero"):
        noise_covariance(np.zeros((2, 3, 64), dtype=complex))
