"""A FID that begins after the echo, and says so: the same disc, the same figures."""

from __future__ import annotations

import numpy as np
import pytest

from mrs_disc.analysis import analyze, load_models, measure_level
from mrs_disc.data import DiscAcquisition, DiscEntry, Fid, Protocol, Sampling, Study
from mrs_disc.recipe import Recipe
from mrs_disc.report.curves import on_grid, spectra
from mrs_disc.validate.second.spins import Localisation, SpinSystem, sequence_lines

MHZ, DWELL, POINTS, ECHO = 127.7, 4e-4, 1024, 0.030
RECIPE = Recipe()
MODELS = load_models(RECIPE)
LACTATE = SpinSystem(protons=(3, 1), ppm=(1.3142, 4.0974), j_hz=((0, 1, 6.933),))


def begun(start_s: float, seed: int = 1, *, said: bool = True) -> DiscAcquisition:
    """Return lines on times from the start on, with noise; lactate as PRESS leaves it."""
    time = start_s + DWELL * np.arange(POINTS)

    def line(ppm: float) -> np.ndarray:
        return np.exp(2j * np.pi * (ppm - 4.65) * MHZ * time - np.pi * 16 * time)

    lines = sequence_lines(LACTATE, Localisation(name="PRESS", echo_time_s=ECHO), mhz=MHZ)
    lactate = lines.weight / 3 @ np.exp(2j * np.pi * lines.hz[:, None] * time - np.pi * 16 * time)
    fid = 20 * line(2.04) + 8 * lactate + 6 * line(3.21)
    rng = np.random.default_rng(seed)
    noise = rng.standard_normal(POINTS) + 1j * rng.standard_normal(POINTS)
    sampling = Sampling(dwell_time_s=DWELL, spectrometer_mhz=MHZ, start_time_s=said * start_s)
    protocol = Protocol(echo_time_s=ECHO, repetition_time_s=1.5, spectrometer_mhz=MHZ)
    signal = Fid(signal=fid + 0.6 * noise, sampling=sampling)
    return DiscAcquisition(level="L4-L5", metabolite=signal, protocol=protocol)


@pytest.mark.parametrize("start_ms", [0.0, 0.2, 0.8, 1.6, 3.0])
def test_width_and_height_do_not_depend_on_the_stated_start(start_ms):
    here = measure_level(begun(1e-3 * start_ms), RECIPE, MODELS).quality
    at_echo = measure_level(begun(0.0), RECIPE, MODELS).quality
    # The acetyl line has two populations of free width: the broad one has gone after 3 ms.
    assert here.linewidth_hz == pytest.approx(at_echo.linewidth_hz, rel=0.15)
    # The points that were not taken have gone from the height: 16 Hz for the start, and noise.
    lost = np.exp(-np.pi * 16 * 1e-3 * start_ms)
    assert here.snr == pytest.approx(lost * at_echo.snr, rel=0.15)
    assert here.verdict != "poor", here.reasons


@pytest.mark.parametrize("start_ms", [0.0, 1.6, 3.0])
def test_pictures_stand_upright(start_ms):
    disc = begun(1e-3 * start_ms)
    study = Study(study_id="s", discs=(DiscEntry(level="L4-L5", load=lambda: disc, inputs=tuple),))
    report = analyze(study)["L4-L5"]
    assert report.signals is not None
    drawn = spectra(report.record, report.signals)
    page = on_grid(report.record, report.signals)
    for ppm in (2.04, 3.21):
        near = np.abs(drawn.ppm - ppm) < 0.05
        top = drawn.data[near].max()
        assert top > 0.4 * np.abs(drawn.data).max() * (1.0 if ppm == 2.04 else 0.3)
        assert top > -3 * drawn.data[near].min()
        shown = np.interp(ppm, drawn.ppm, drawn.data)
        assert page["data"].real[round(ppm / 0.004)] == pytest.approx(shown * DWELL, rel=0.2)


@pytest.mark.parametrize("early", [2, 3, 4, 5, 6, 7, 8])
def test_points_before_the_echo_are_counted_where_the_file_is_silent(early):
    found = measure_level(begun(-early * DWELL, said=False), RECIPE, MODELS)
    (noticed,) = [one for one in found.quality.findings if one.kind == "start_measured"]
    assert noticed.values["n"] == early
    assert found.quality.verdict == "acceptable"
    assert found.fit.curves.data.size == POINTS - early
    at_echo = measure_level(begun(0.0), RECIPE, MODELS).fit
    for name in ("PG", "LAC", "CHO"):
        k = found.fit.index(name)
        # One disc, two draws of the noise.
        apart = np.hypot(found.fit.sd[k], at_echo.sd[k])
        assert abs(found.fit.amplitude[k] - at_echo.amplitude[k]) < 3.5 * apart


@pytest.mark.parametrize("start_ms", [0.0, 0.4])
def test_a_sound_start_is_left_alone(start_ms):
    found = measure_level(begun(1e-3 * start_ms), RECIPE, MODELS)
    assert not [one for one in found.quality.findings if one.kind == "start_measured"]
    assert found.fit.curves.data.size == POINTS
