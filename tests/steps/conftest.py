"""A disc with coils and transients, from lines that share no code with the fit."""

from __future__ import annotations

import numpy as np
import pytest

from mrs_disc.data import DiscAcquisition, Fid, Protocol, RawSignal, Sampling
from mrs_disc.validate.second.spins import Localisation, SpinSystem, sequence_lines

MHZ, DWELL, POINTS, ECHO = 127.7, 4e-4, 1024, 0.030
SAMPLING = Sampling(dwell_time_s=DWELL, spectrometer_mhz=MHZ)
TIME = DWELL * np.arange(POINTS)
TRUTH = {"PG": 20.0, "LAC": 8.0, "ALA": 3.0, "CHO": 4.0}


def line(ppm: float) -> np.ndarray:
    """Return a singlet."""
    return np.exp(2j * np.pi * (ppm - 4.65) * MHZ * TIME)


def methyl(ppm: float, ch_ppm: float, j_hz: float) -> np.ndarray:
    """Return a CH3 of amplitude one and the CH beside it, as PRESS leaves them at the echo."""
    system = SpinSystem(protons=(3, 1), ppm=(ppm, ch_ppm), j_hz=((0, 1, j_hz),))
    lines = sequence_lines(system, Localisation(name="PRESS", echo_time_s=ECHO), mhz=MHZ)
    return lines.weight / 3 @ np.exp(2j * np.pi * lines.hz[:, None] * TIME)


def metabolites(width_hz: float = 9.0) -> np.ndarray:
    """Return the FID of `TRUTH`."""
    fid = TRUTH["PG"] * (0.8 * line(2.04) + 0.2 * line(2.00)) * np.exp(-np.pi * 6.0 * TIME)
    fid += TRUTH["LAC"] * methyl(1.3142, 4.0974, 6.933)
    fid += TRUTH["ALA"] * methyl(1.4667, 3.7746, 7.234)
    fid += TRUTH["CHO"] * line(3.21)
    return fid * np.exp(-np.pi * width_hz * TIME)


def complex_noise(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.standard_normal(shape) + 1j * rng.standard_normal(shape)


@pytest.fixture(scope="session")
def disc() -> DiscAcquisition:
    """Four coils, 16 transients, drift of 4 Hz, some residual water, and a water reference."""
    rng = np.random.default_rng(11)
    sensitivity = np.array([1.0, 0.6, 0.4j, -0.3 + 0.2j])
    shift = np.linspace(-2, 2, 16)[:, None]
    water = 300 * np.exp(-np.pi * 12 * TIME)
    series = (metabolites() + 0.05 * water) * np.exp(2j * np.pi * shift * TIME)
    raw = sensitivity[:, None, None] * series + 0.5 * complex_noise(rng, 4, 16, POINTS)
    reference = sensitivity[:, None, None] * water + 0.5 * complex_noise(rng, 4, 2, POINTS)
    protocol = Protocol(echo_time_s=ECHO, repetition_time_s=1.5, spectrometer_mhz=MHZ)
    return DiscAcquisition(
        level="L4-L5",
        metabolite=RawSignal(signal=raw, sampling=SAMPLING),
        water=RawSignal(signal=reference, sampling=SAMPLING),
        protocol=protocol,
        water_protocol=protocol,
    )


@pytest.fixture(scope="session")
def truth() -> dict[str, float]:
    return TRUTH


@pytest.fixture(scope="session")
def noise_free() -> DiscAcquisition:
    """One averaged FID whose noise is a millionth of the signal."""
    noise = 1e-5 * complex_noise(np.random.default_rng(1), POINTS)
    return DiscAcquisition(
        level="L4-L5",
        metabolite=Fid(signal=metabolites() + noise, sampling=SAMPLING),
        protocol=Protocol(echo_time_s=ECHO),
    )
