"""Lines against the properties that physics gives them."""

import numpy as np
import pytest

from mrs_disc.models import load_metabolite_model
from mrs_disc.signal.fit.spins import Evolution, RefocusingPulse
from mrs_disc.simulate.lines import hump_fids, line_list, spline_fid, unit_fids

MODEL = load_metabolite_model("disc_1h")
NAMES = [c.name for c in MODEL.component]
TIME = np.arange(4096) / 5000.0


SINC = RefocusingPulse(
    shape="hamming_sinc", bandwidth_hz=1200.0, duration_s=0.0033, carrier_ppm=2.7
)


@pytest.mark.parametrize(
    ("echo_time_s", "pulses", "pulse", "in_phase"),
    [
        (0.030, (1,), None, 0.803),
        (0.144, (1,), None, -0.998),
        (0.144, (1, 1), SINC, -0.352),
        (0.288, (1, 1), SINC, 0.143),
    ],
)
def test_lactate_is_modulated_as_tabulated(echo_time_s, pulses, pulse, in_phase):
    """By another density matrix [D], its pulses not given to the digit."""
    lines = line_list(
        MODEL.component[NAMES.index("LAC")],
        spectrometer_mhz=127.74,
        reference_ppm=4.65,
        evolution=Evolution(echo_time_s=echo_time_s, pulses=pulses, refocusing=pulse),
    )
    methyl = lines.hz < (2.7 - 4.65) * 127.74
    assert lines.weight[methyl].sum().real == pytest.approx(in_phase, abs=0.012)


def test_an_echo_time_alone_means_ideal_press():
    """Between 90-180-180 pulses that are ideal, weak coupling gives cos(pi J TE) of a doublet."""
    lines = line_list(
        MODEL.component[NAMES.index("LAC")],
        spectrometer_mhz=127.74,
        reference_ppm=4.65,
        echo_time_s=0.144,
    )
    methyl = lines.hz < (2.7 - 4.65) * 127.74
    assert lines.weight[methyl].sum().real == pytest.approx(np.cos(np.pi * 6.93 * 0.144), abs=0.02)


def test_amplitude_is_the_value_at_time_zero_without_coupling():
    fids = unit_fids(MODEL, TIME, spectrometer_mhz=127.7, evolution=Evolution(echo_time_s=0.0))
    for name in ("PG", "CHO", "CARB", "COL", "LIP"):
        assert fids[NAMES.index(name), 0] == pytest.approx(1.0)


def test_spline_is_the_real_part_of_its_spectrum():
    time = np.arange(8192) / 5000.0
    fid = spline_fid(time, knot_hz=np.array([-200.0]), height=np.array([1.0]), spacing_hz=100.0)
    fid[0] *= 0.5
    spectrum = np.fft.fftshift(np.fft.fft(fid)) / 5000.0
    hz = np.fft.fftshift(np.fft.fftfreq(time.size, 1 / 5000.0))
    x = np.abs((hz + 200.0) / 100.0)
    cubic = np.where(x < 1, 2 / 3 - x**2 + x**3 / 2, np.where(x < 2, (2 - x) ** 3 / 6, 0.0))
    assert np.allclose(spectrum.real, cubic, atol=2e-3)


def test_hump_has_its_width_and_area():
    time = np.arange(8192) / 5000.0
    one = np.array([80.0])
    fid = hump_fids(time, centre_hz=np.zeros(1), fwhm_hz=one, area=np.ones(1))
    fid[0] *= 0.5
    spectrum = np.fft.fftshift(np.fft.fft(fid).real) / 5000.0
    hz = np.fft.fftshift(np.fft.fftfreq(time.size, 1 / 5000.0))
    above = hz[spectrum > spectrum.max() / 2]
    assert np.ptp(above) == pytest.approx(80.0, abs=1.3)  # two bins of 0.6 Hz
    assert spectrum.sum() * 5000.0 / time.size == pytest.approx(0.5, rel=1e-6)
