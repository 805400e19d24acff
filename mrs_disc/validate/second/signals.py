"""FIDs of the second simulator: lines, broad signals, water and what a scanner adds, as arrays.

Nothing is drawn here: whoever calls gives every number. Frequencies count from water at 4.65 ppm,
``exp(+2j pi f t)``, larger ppm is larger frequency. A width is a full width at half maximum: a
Lorentzian one decays as exp(-pi w t), a Gaussian one as exp(-(pi w t)^2 / (4 ln 2)).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from math import log, pi
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike
from pydantic import Field

from mrs_disc.schema import StrictModel, load_toml
from mrs_disc.typing import ComplexArray, FloatArray
from mrs_disc.validate.second.spins import Lines, Localisation, SpinSystem, sequence_lines

WATER_PPM = 4.65


class Spins(StrictModel):
    """A coupled compound: its groups of equivalent protons."""

    protons: tuple[int, ...]
    ppm: tuple[float, ...]
    j_hz: tuple[tuple[int, int, float], ...]
    source: str
    status: str

    def system(self) -> SpinSystem:
        """Return it as a spin system."""
        return SpinSystem(protons=self.protons, ppm=self.ppm, j_hz=self.j_hz)


class LineTable(StrictModel):
    """Lines without coupling: ppm and protons."""

    line: tuple[tuple[float, float], ...]
    source: str
    status: str

    @property
    def ppm(self) -> FloatArray:
        """Places of the lines."""
        return np.array([row[0] for row in self.line])

    @property
    def protons(self) -> FloatArray:
        """Areas of the lines."""
        return np.array([row[1] for row in self.line])


class Kind(StrictModel):
    """Discs of one class."""

    share: float
    painful: bool
    median: dict[str, float]
    log_sd: dict[str, float]
    water_t2_s: float
    water_t1_s: float
    pfirrmann: int
    source: str
    status: str


class Amounts(StrictModel):
    """What turns an amount into an area."""

    protons: dict[str, float]
    t2_s: dict[str, float]
    t1_s: dict[str, float]
    carb_per_pg: float
    source: str
    status: str

    def weight(self, name: str, echo_time_s: float, repetition_time_s: float) -> float:
        """Return what relaxation leaves of a component."""
        t2, t1 = self.t2_s[name], self.t1_s[name]
        return float(np.exp(-echo_time_s / t2) * (1 - np.exp(-repetition_time_s / t1)))


class Tables(StrictModel):
    """All of ``tables.toml``."""

    spins: dict[str, Spins]
    lines: dict[str, LineTable]
    class_: dict[str, Kind] = Field(alias="class")
    amounts: Amounts

    def protons(self, compound: str) -> float:
        """Return the protons of a compound of either form."""
        if compound in self.spins:
            return float(sum(self.spins[compound].protons))
        return float(self.lines[compound].protons.sum())


@cache
def load_tables() -> Tables:
    """Return the shipped tables."""
    return load_toml(Path(__file__).with_name("tables.toml"), Tables)


# ------------------------------------------------------------------------------ lines


def decay(time_s: FloatArray, lorentz_hz: ArrayLike, gauss_hz: ArrayLike) -> FloatArray:
    """Return the envelopes of lines, shape (line, point)."""
    lorentz = np.atleast_1d(lorentz_hz)[:, None]
    gauss = np.atleast_1d(gauss_hz)[:, None]
    return np.asarray(np.exp(-pi * lorentz * time_s - (pi * gauss * time_s) ** 2 / (4 * log(2.0))))


def singlets(
    time_s: FloatArray,
    *,
    hz: ArrayLike,
    area: ArrayLike,
    lorentz_hz: ArrayLike = 0.0,
    gauss_hz: ArrayLike = 0.0,
) -> ComplexArray:
    """Return the sum of lines, each with its frequency, area (complex: its phase) and widths."""
    turn = np.exp(2j * pi * np.atleast_1d(hz)[:, None] * time_s)
    envelope = decay(time_s, lorentz_hz, gauss_hz)
    return np.asarray((np.atleast_1d(area)[:, None] * turn * envelope).sum(axis=0))


def coupled(
    time_s: FloatArray, compound: str, sequence: Localisation, *, mhz: float
) -> ComplexArray:
    """Return a compound's FID over its number of protons, without decay."""
    system = load_tables().spins[compound].system()
    if compound in ("inositol", "taurine", "threonine"):  # nuisances: ideal pulses are enough
        sequence = Localisation(name="spin echo", echo_time_s=sequence.echo_time_s)
    lines = _gathered(sequence_lines(system, sequence, mhz=mhz))
    return np.asarray(lines[1] @ np.exp(2j * pi * lines[0][:, None] * time_s) / sum(system.protons))


def _gathered(lines: Lines) -> tuple[FloatArray, ComplexArray]:
    """Return frequencies and weights with lines of one place put together (0.01 Hz)."""
    place = np.round(lines.hz, 2)
    hz, index = np.unique(place, return_inverse=True)
    weight = np.zeros(hz.size, dtype=complex)
    np.add.at(weight, index, lines.weight)
    strong = np.abs(weight) > 1e-4
    return hz[strong], weight[strong]


def hz_of(ppm: ArrayLike, mhz: float) -> FloatArray:
    """Return frequencies from water."""
    return np.asarray((np.asarray(ppm) - WATER_PPM) * mhz)


# ------------------------------------------------------------------------------ the rest


def sidebands(
    time_s: FloatArray, signal: ComplexArray, *, hz: ArrayLike, share: float, phase_rad: float
) -> ComplexArray:
    """Return antisymmetric pairs of images of a signal, as vibrating coils modulate its frequency.

    Each pair has `share` of the signal on either side, of opposite sign.
    """
    tone = np.sin(2 * pi * np.atleast_1d(hz)[:, None] * time_s + phase_rad).sum(axis=0)
    return np.asarray(2j * share * tone * signal)


def field_spread(time_s: FloatArray, hz: ArrayLike, share: ArrayLike) -> ComplexArray:
    """Return what multiplies every FID where parts of the voxel have other frequencies."""
    shares = np.asarray(share) / np.sum(share)
    return np.asarray(shares @ np.exp(2j * pi * np.atleast_1d(hz)[:, None] * time_s))


def cycled(
    signal: ComplexArray, unwanted: ComplexArray, n_transients: int, period: int
) -> ComplexArray:
    """Return transients in which an unwanted signal turns by one period and the wanted one stays.

    Over whole cycles it cancels. Shape (transient, point).
    """
    turn = np.exp(2j * pi * np.arange(n_transients) / period)
    return np.asarray(signal[None] + turn[:, None] * unwanted[None])


def drifting(
    transients: ComplexArray, time_s: FloatArray, hz: FloatArray, phase_rad: FloatArray
) -> ComplexArray:
    """Turn each transient by its own frequency and phase."""
    turn = np.exp(1j * phase_rad[:, None] + 2j * pi * hz[:, None] * time_s)
    return np.asarray(transients * turn)


def areas(
    concentration: Mapping[str, float], *, echo_time_s: float, repetition_time_s: float
) -> dict[str, float]:
    """Return the areas at the echo of components given in mmol per kg tissue water."""
    amounts = load_tables().amounts
    return {
        name: value * amounts.protons[name] * amounts.weight(name, echo_time_s, repetition_time_s)
        for name, value in concentration.items()
    }
