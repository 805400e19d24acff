"""Basis FIDs against closed forms and published numbers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mrs_disc.errors import InputError
from mrs_disc.models import Resonance
from mrs_disc.signal.fit.basis import component_fid, resample_basis
from mrs_disc.signal.fit.spins import Evolution

MHZ, REFERENCE = 127.7, 4.65
TIME = np.arange(2048) / 2500.0
LACTATE = (
    Resonance(ppm=1.314, weight=3, j_hz=6.933, neighbours=1, partner_ppm=4.097),
    Resonance(ppm=4.097, weight=1, j_hz=6.933, neighbours=3, partner_ppm=1.314, in_amplitude=False),
)


def fid_of(*resonances, time=TIME, echo_time_s=0.028):
    return component_fid(
        resonances,
        time_s=time,
        spectrometer_mhz=MHZ,
        reference_ppm=REFERENCE,
        evolution=Evolution(echo_time_s=echo_time_s),
    )


def test_amplitude_is_the_sum_of_the_lines_that_count_before_j_modulation():
    """At the top of the excitation (t = -TE) every multiplet is in phase."""
    start = fid_of(*LACTATE, time=np.array([0.0]), echo_time_s=0.0)
    assert start[0] == pytest.approx(1 + 1 / 3)


def test_larger_ppm_has_larger_frequency():
    fid = fid_of(Resonance(ppm=5.0, weight=2))
    frequency = np.angle(fid[1] / fid[0]) / (2 * np.pi) * 2500
    assert frequency == pytest.approx((5.0 - 4.65) * MHZ)


@pytest.mark.parametrize(
    ("neighbours", "closed"), [(1, lambda x: np.cos(x)), (2, lambda x: np.cos(x) ** 2)]
)
@given(echo_time_s=st.floats(0, 0.3), j_hz=st.floats(1, 15))
def test_multiplets_follow_products_of_cosines(neighbours, closed, echo_time_s, j_hz):
    """n neighbours modulate by cos(pi J (t + TE)) to the power n."""
    line = Resonance(ppm=4.65, weight=1, j_hz=j_hz, neighbours=neighbours)
    fid = fid_of(line, echo_time_s=echo_time_s)
    expected = closed(np.pi * j_hz * (TIME + echo_time_s))
    np.testing.assert_allclose(fid, expected, atol=1e-9)


def test_gaussian_width_is_the_full_width_at_half_maximum():
    fid = fid_of(Resonance(ppm=REFERENCE, weight=1, gauss_width_ppm=0.2))
    spectrum = np.fft.fftshift(np.fft.fft(fid, 2**17)).real
    frequency = np.fft.fftshift(np.fft.fftfreq(2**17, 1 / 2500))
    above = frequency[spectrum > 0.5 * (spectrum.max() + spectrum.min())]
    assert above.max() - above.min() == pytest.approx(0.2 * MHZ, rel=0.02)


@pytest.mark.parametrize(
    ("dwell_from", "dwell_to"), [(1 / 4000, 1 / 2500), (1 / 2000, 1 / 2500), (1 / 2500, 1 / 2000)]
)
def test_resampling_gives_what_a_simulation_at_the_other_dwell_time_gives(dwell_from, dwell_to):
    damped = tuple(
        Resonance(ppm=r.ppm, weight=r.weight, j_hz=r.j_hz, neighbours=r.neighbours,
                  in_amplitude=r.in_amplitude, extra_width_hz=1.0)
        for r in LACTATE
    )  # fmt: skip
    source = fid_of(*damped, time=np.arange(8192) * dwell_from)
    expected = fid_of(*damped, time=np.arange(2048) * dwell_to)
    result = resample_basis(source, dwell_from, dwell_to, 2048)
    assert np.abs(result - expected).max() < 1e-6


def test_resampling_ends_in_zeros_where_the_source_ends():
    source = fid_of(*LACTATE)[:512]
    result = resample_basis(source, 1 / 2500, 1 / 2500, 1024)
    np.testing.assert_allclose(result[:512], source, atol=1e-9)
    assert not result[512:].any()


def test_a_component_without_amplitude_is_refused():
    with pytest.raises(InputError, match="in_amplitude add up to 0"):
        fid_of(Resonance(ppm=1, weight=1, in_amplitude=False))


@pytest.mark.parametrize("bad", [np.zeros(4), np.full(64, np.nan), np.zeros((8, 8))])
def test_a_basis_fid_that_cannot_be_resampled_is_refused(bad):
    with pytest.raises(InputError, match="8 finite points"):
        resample_basis(bad.astype(complex), 1e-3, 1e-3, 16)
