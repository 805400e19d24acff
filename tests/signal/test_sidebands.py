"""Images of residual water: found, measured and subtracted; what is no image stays."""

from __future__ import annotations

import numpy as np
import pytest

from mrs_disc.signal.sidebands import remove_sidebands

DWELL, POINTS = 4e-4, 2048
TIME = DWELL * np.arange(POINTS)
SD = 5.0


def line(hz: float, area: complex, width: float) -> np.ndarray:
    return area * np.exp(2j * np.pi * hz * TIME - np.pi * width * TIME)


WATER = line(3.0, 1500 * np.exp(0.7j), 7.0) + line(-4.0, 500 * np.exp(-2j), 11.0)
METABOLITES = line(-333.0, 100.0, 12.0) + line(-425.0, 60.0, 14.0) + line(-110.0, 150.0, 40.0)


def noise(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return SD * (rng.standard_normal(POINTS) + 1j * rng.standard_normal(POINTS))


def modulated(hz: float, depth: float, phase: float) -> np.ndarray:
    """Return what a vibration adds to the water, to all orders."""
    return WATER * (np.exp(1j * depth * np.sin(2 * np.pi * hz * TIME + phase)) - 1)


def removed(signal, water=WATER, beside=0.0):
    return remove_sidebands(
        signal,
        signal + water + beside,
        water,
        DWELL,
        search_hz=(60.0, 530.0),
        removed_hz=100.0,
        noise_sd=SD,
    )


@pytest.mark.parametrize("hz", [[121.0], [333.0], [95.0, 427.0], [310.0, 324.0]])
@pytest.mark.parametrize("seed", range(4))
def test_pairs_are_found_where_they_are_and_leave_nothing_upfield(hz, seed):
    clean = METABOLITES + noise(seed)
    phases = np.random.default_rng(seed).uniform(-3, 3, len(hz))
    images = sum(modulated(f, 0.02, p) for f, p in zip(hz, phases, strict=True))
    near = np.fft.fftfreq(POINTS, DWELL)
    spectrum = np.fft.fft(images)
    # What lies near the water was taken with it, its lower half alone.
    gone = np.fft.ifft(np.where((near > 50) & (near < 100), spectrum, 0)) if hz[0] < 100 else 0.0
    got = removed(clean + images - gone, beside=gone)
    # A pair 17 standard deviations high: its place is known to .5 Hz, and its size to a twentieth.
    assert got.hz == pytest.approx(sorted(hz), abs=2.0)
    assert got.share == pytest.approx([0.01] * len(hz), rel=0.2)
    upfield = (near > -530) & (near < -60)
    left = np.fft.fft(got.signal - clean)[upfield]
    assert np.linalg.norm(left) < 0.3 * np.linalg.norm(spectrum[upfield])


def test_noise_is_no_image():
    found = [removed(METABOLITES + noise(seed)).hz.size for seed in range(100)]
    assert sum(found) == 0


@pytest.mark.parametrize(
    ("downfield", "water"),
    [
        pytest.param(line(480.0, 15.0, 8.0), WATER / 10, id="a line too large for the water"),
        pytest.param(line(430.0, 60.0, 45.0), WATER, id="amides, which are broad"),
        pytest.param(line(430.0, 2.0, 8.0), WATER, id="a line near the noise"),
        pytest.param(line(430.0, 60.0, 8.0), 0 * WATER, id="no water"),
    ],
)
def test_protons_that_resonate_downfield_are_no_images(downfield, water):
    signal = METABOLITES + downfield + noise(9)
    got = removed(signal, water)
    assert not got.hz.size
    assert np.array_equal(got.signal, signal)
