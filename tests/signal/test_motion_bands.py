"""Lines and water of one series, against the same series without water."""

import numpy as np
import pytest

from mrs_disc.signal.axes import frequency_axis, window
from mrs_disc.signal.transients.align import align
from mrs_disc.signal.transients.motion_bands import part, reference_of
from mrs_disc.signal.transients.registration import decimated
from mrs_disc.signal.transients.reject import find_outliers
from mrs_disc.signal.transients.series import Series, Spectra

DWELL_S, N_POINTS, N = 1 / 2500, 1024, 64
TIME = np.arange(N_POINTS) * DWELL_S
FREQUENCY = frequency_axis(N_POINTS, DWELL_S)
WINDOW, WATER = (-568.0, -57.0), (-32.0, 32.0)
INSIDE, BAND = window(FREQUENCY, *WINDOW), window(FREQUENCY, *WATER)
LINES = sum(
    area * np.exp((2j * np.pi * hz - np.pi * width) * TIME)
    for hz, area, width in ((-333, 1.0, 18), (-420, 0.3, 20), (-185, 0.4, 15), (-120, 0.5, 25))
)
LINE_OF_WATER = np.exp((2j * np.pi * 4 - np.pi * 12) * TIME)


def noise(rng, n=N):
    return rng.standard_normal((n, N_POINTS)) + 1j * rng.standard_normal((n, N_POINTS))


def jittering(rng, size, n=N):
    return size * (1 + 0.3 * rng.standard_normal(n))[:, None] * np.exp(0.7j) * LINE_OF_WATER


def spectra(signal, sd):
    unitary = np.fft.fftshift(np.fft.fft(signal, norm="ortho", axis=1), axes=1)
    return unitary / (sd * np.sqrt(2))


def parted(signal, sd):
    return part(Spectra(spectra(signal, sd), FREQUENCY, N_POINTS * DWELL_S), INSIDE, BAND)


def scatter(signal):
    """Mean square departure from the mean; 1 is the noise of a complex sample."""
    return np.mean(np.abs(signal - signal.mean(axis=0)) ** 2)


@pytest.mark.parametrize("size", [20.0, 60.0])
def test_the_jitter_of_strong_water_leaves_the_lines_alone(size):
    rng = np.random.default_rng(1)
    sd = 0.5
    still = LINES + sd * noise(rng)
    shaken = still + jittering(rng, size)
    lines, water = parted(shaken, sd)
    alone = decimated(spectra(still, sd)[:, INSIDE], N_POINTS * DWELL_S)
    raw = decimated(spectra(shaken, sd)[:, INSIDE], N_POINTS * DWELL_S)
    assert water is not None
    assert scatter(raw.signal) > 1.3 * scatter(alone.signal)
    assert scatter(lines.signal) < 1.05 * scatter(alone.signal)
    # and what the lines themselves tell is still there
    assert reference_of(lines.signal).energy > 0.6 * reference_of(alone.signal).energy


def test_weak_water_is_one_line_more():
    rng = np.random.default_rng(2)
    sd = 3.0
    lines, water = parted(LINES + jittering(rng, 0.2) + sd * noise(rng), sd)
    assert water is None
    assert len(lines.time) > len(decimated(spectra(noise(rng), sd)[:, INSIDE], 0.4096).time)


def test_the_amplitude_against_the_others_is_that_put_in():
    rng = np.random.default_rng(3)
    sd = 0.05
    put_in = np.ones(N, dtype=complex)
    put_in[5] = 0.5 * np.exp(0.4j)
    band = decimated(spectra(put_in[:, None] * LINES + sd * noise(rng), sd)[:, INSIDE], 0.4096)
    reference = reference_of(band.signal)
    found = reference.amplitude(band.signal)
    np.testing.assert_allclose(found, put_in, atol=5 / np.sqrt(2 * reference.energy))


def test_noise_has_no_reference():
    rng = np.random.default_rng(4)
    band = decimated(spectra(noise(rng, 256), 1.0)[:, INSIDE], 0.4096)
    reference = reference_of(band.signal)
    assert reference is None or reference.energy < 1


@pytest.mark.parametrize("steady", [True, False])
def test_steady_water_bears_witness_and_wandering_water_accuses_nobody(steady):
    """The lines alone tell the phase to 10 degrees, and cost 7 sound transients in 1,000."""
    found, lost = [], []
    for seed in range(12):
        rng = np.random.default_rng([5, seed])
        sd = 1.0
        bad = np.zeros(N, dtype=bool)
        bad[[9, 30, 50]] = True
        turn = np.exp(1j * np.radians(np.where(bad, 60, 0) + 6 * rng.standard_normal(N)))
        own = np.exp(1j * np.radians((4 if steady else 60) * rng.standard_normal(N)))
        series = np.where(bad, 0.7, 1.0)[:, None] * LINES + own[:, None] * jittering(rng, 3.0)
        data = turn[:, None] * series + sd * noise(rng)
        aligned = align(Series.of(data, DWELL_S), window_hz=WINDOW, water_hz=WATER)
        out = ~find_outliers(aligned, window_hz=WINDOW, water_hz=WATER).keep
        found.append(out[bad].mean())
        lost.append(out[~bad].mean())
    assert np.mean(lost) < (0.003 if steady else 0.02)
    if steady:
        assert np.mean(found) >= 0.9
