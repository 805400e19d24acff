"""A FID that begins after the echo, and says so: the same disc, the same figures."""

from __future__ import annotations

import numpy as np
import pytest

from mrs_disc.analysis import analyze, load_models, measure_level
from mrs_disc.data import DiscAcquisition, DiscEntry, Fid, Protocol, Sampling, Study, Transients
from mrs_disc.recipe import Recipe
from mrs_disc.report.curves import on_grid, spectra
from mrs_disc.validate.second.spins import Localisation, SpinSystem, sequence_lines

MHZ, DWELL, POINTS, ECHO = 127.7, 4e-4, 1024, 0.030
RECIPE = Recipe()
MODELS = load_models(RECIPE)
LACTATE = SpinSystem(protons=(3, 1), ppm=(1.3142, 4.0974), j_hz=((0, 1, 6.933),))


def lines_at(time: np.ndarray, echo_s: float = ECHO) -> np.ndarray:
    """Return PG 20, LAC 8 and CHO 6 at these times; lactate as PRESS leaves it.

    Of the width of 16 Hz 12 come from the field, which refocuses before the echo.
    """
    decay = np.pi * (4 * time + 12 * np.abs(time))

    def line(ppm: float) -> np.ndarray:
        return np.exp(2j * np.pi * (ppm - 4.65) * MHZ * time - decay)

    lines = sequence_lines(LACTATE, Localisation(name="PRESS", echo_time_s=echo_s), mhz=MHZ)
    lactate = lines.weight / 3 @ np.exp(2j * np.pi * lines.hz[:, None] * time - decay)
    return np.asarray(20 * line(2.04) + 8 * lactate + 6 * line(3.21))


def noise(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.standard_normal(shape) + 1j * rng.standard_normal(shape)


def delayed(delay: float, seed: int = 1, *, with_water: bool) -> DiscAcquisition:
    """Return transients behind a symmetric low-pass filter of 120 points, which delays them."""
    over, half, rows = 8, 60, 16
    time = DWELL / over * np.arange(POINTS * over)
    tap = np.arange(-half * over, half * over + 1) / over
    taps = 0.92 * np.sinc(0.92 * tap) * np.hamming(tap.size) / over
    rng = np.random.default_rng(seed)

    def received(fid: np.ndarray) -> np.ndarray:
        passed = np.fft.ifft(np.fft.fft(fid, 2 * fid.size) * np.fft.fft(taps, 2 * fid.size))
        first = round((half - delay) * over)
        early = np.zeros(max(-first, 0), complex)
        return np.concatenate([early, passed[max(first, 0) :]])[::over][:POINTS]

    def transients(fid: np.ndarray, n: int) -> Transients:
        rows = np.tile(received(fid), (n, 1))
        signal = rows + 0.6 * np.sqrt(n) * noise(rng, *rows.shape)
        return Transients(signal=signal, sampling=sampling)

    sampling = Sampling(dwell_time_s=DWELL, spectrometer_mhz=MHZ)
    protocol = Protocol(
        sequence="PRESS", echo_time_s=ECHO, repetition_time_s=1.5, spectrometer_mhz=MHZ
    )
    water = 8000 * np.exp(-np.pi * 12 * time)
    return DiscAcquisition(
        level="L4-L5",
        metabolite=transients(lines_at(time) + 2e-3 * water, rows),
        water=transients(water, 4) if with_water else None,
        protocol=protocol,
        water_protocol=protocol if with_water else None,
    )


def begun(
    start_s: float, seed: int = 1, *, said: bool = True, echo_s: float = ECHO
) -> DiscAcquisition:
    """Return lines on times from the start on, with noise."""
    fid = lines_at(start_s + DWELL * np.arange(POINTS), echo_s)
    white = noise(np.random.default_rng(seed), POINTS)
    sampling = Sampling(dwell_time_s=DWELL, spectrometer_mhz=MHZ, start_time_s=said * start_s)
    protocol = Protocol(echo_time_s=ECHO, repetition_time_s=1.5, spectrometer_mhz=MHZ)
    signal = Fid(signal=fid + 0.6 * white, sampling=sampling)
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


@pytest.mark.parametrize("early", [2, 4, 6, 8, 12, 20, 70, 128])
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


@pytest.mark.parametrize(("true_s", "seed"), [(0.1, 1), (0.135, 2), (0.144, 3)])
def test_a_wrong_echo_time_is_no_early_start(true_s, seed):
    """Lactate that has turned over lies beside the acetyl peak as after a start 5.6 ms early."""
    found = measure_level(begun(0.0, seed, echo_s=true_s), RECIPE, MODELS)
    kinds = {one.kind for one in found.quality.findings}
    assert "start_measured" not in kinds
    assert kinds & {"echo_time_contradicted", "below_zero"}


@pytest.mark.parametrize("delay", [20.25, 67.98, 76.5])
@pytest.mark.parametrize("with_water", [False, True])
def test_the_delay_of_a_receivers_filter_is_measured(delay, with_water):
    found = measure_level(delayed(delay, with_water=with_water), RECIPE, MODELS)
    (noticed,) = [one for one in found.quality.findings if one.kind == "delay_measured"]
    assert noticed.values["ms"] == pytest.approx(1e3 * delay * DWELL, abs=0.15e3 * DWELL)
    # Lipid comes out so far below zero in one of forty discs, by chance.
    kinds = {one.kind for one in found.quality.findings}
    assert found.quality.verdict == "acceptable" or "lipid_beside" in kinds
    assert found.fit.curves.sampling.start_time_s == pytest.approx(
        (noticed.values["n"] - delay) * DWELL, abs=0.15 * DWELL
    )
    for name, amplitude in (("PG", 20.0), ("LAC", 8.0), ("CHO", 6.0)):
        k = found.fit.index(name)
        assert abs(found.fit.amplitude[k] - amplitude) < 3.5 * found.fit.sd[k]


@pytest.mark.parametrize("start_ms", [0.0, 0.4])
def test_a_sound_start_is_left_alone(start_ms):
    found = measure_level(begun(1e-3 * start_ms), RECIPE, MODELS)
    assert not [one for one in found.quality.findings if one.kind == "start_measured"]
    assert found.fit.curves.data.size == POINTS
