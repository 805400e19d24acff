"""Lines against the properties that physics gives them."""

import numpy as np
import pytest

from mrs_disc.models import load_metabolite_model
from mrs_disc.simulate.lines import hump_fids, line_list, spline_fid, unit_fids

MODEL = load_metabolite_model("disc_1h")
NAMES = [c.name for c in MODEL.component]
TIME = np.arange(4096) / 5000.0


@pytest.mark.parametrize(
    ("echo_time_s", "bandwidth_hz", "in_phase"),
    [(0.030, None, 0.79), (0.144, None, -1.00), (0.144, 1200.0, -0.41), (0.288, 1200.0, 0.17)],
)
def test_lactate_is_modulated_as_tabulated_for_press(echo_time_s, bandwidth_hz, in_phase):
    """Symmetrical PRESS at 3 T; values from a two-spin density matrix."""
    both = MODEL.component[NAMES.index("LAC")]
    methyl = both.model_copy(update={"resonance": both.resonance[:1]})
    lines = line_list(
        methyl,
        spectrometer_mhz=127.7,
        reference_ppm=4.65,
        echo_time_s=echo_time_s,
        refocusing_bandwidth_hz=bandwidth_hz,
    )
    assert lines.weight.sum().real == pytest.approx(in_phase, abs=0.01)  # two printed digits


def test_amplitude_is_the_value_at_time_zero_without_coupling():
    fids = unit_fids(MODEL, TIME, spectrometer_mhz=127.7, echo_time_s=0.0)
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
