"""Unit-amplitude FIDs of the components that are fitted, as arrays.

Lines are born in phase at the excitation and evolve under J until the echo. Groups whose neighbours
are known evolve as `mrs_disc.signal.fit.spins` has it, by density matrix under the sequence that
was played. A group whose neighbours lie nobody knows where is a first-order multiplet: a line
displaced by ``o`` Hz carries the phase ``2 pi o (t + TE)`` at the time t after the echo.

Sign: ``exp(+2j pi f t)``, larger ppm is larger frequency.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import comb, log, pi
from typing import Protocol

import numpy as np

from mrs_disc.errors import InputError
from mrs_disc.signal.axes import exponential_tables
from mrs_disc.signal.fit.spins import Evolution, Lines, Pair, pair_lines
from mrs_disc.typing import ComplexArray, FloatArray

GAUSS_RATE = pi**2 / (4 * log(2))
"""A Gaussian line of FWHM w Hz decays as ``exp(-GAUSS_RATE w^2 t^2)``."""


class Resonance(Protocol):
    """A group of equivalent spins: one line, or a first-order multiplet, as `models.Resonance`."""

    @property
    def ppm(self) -> float:
        """Chemical shift of the group."""

    @property
    def weight(self) -> float:
        """Relative area, as a rule the number of protons."""

    @property
    def j_hz(self) -> float:
        """Coupling to the neighbours in Hz."""

    @property
    def neighbours(self) -> int:
        """Number of coupled equivalent spins: 0 singlet, 1 doublet, 2 triplet, 3 quartet."""

    @property
    def partner_ppm(self) -> float | None:
        """Where the coupled spins lie, if known; all but the closed form of an echo needs it."""

    @property
    def in_amplitude(self) -> bool:
        """Whether the weight counts in the unit that the component's amplitude is given in."""

    @property
    def extra_width_hz(self) -> float:
        """Lorentzian FWHM beyond what all components share."""

    @property
    def gauss_width_ppm(self) -> float:
        """Gaussian FWHM, for lipid and macromolecules."""


def component_fid(
    resonances: Sequence[Resonance],
    *,
    time_s: FloatArray,
    spectrometer_mhz: float,
    reference_ppm: float,
    evolution: Evolution,
    extra_width_hz: float = 0.0,
) -> ComplexArray:
    """Return the FID of a component of amplitude one.

    Parameters
    ----------
    resonances : sequence of Resonance
        The groups of the component, tied by their weights.
    time_s : float array, shape (point,)
        Time since the echo top in seconds, evenly spaced.
    spectrometer_mhz : float
        Hertz per ppm.
    reference_ppm : float
        Chemical shift at zero frequency.
    evolution : Evolution
        What the sequence did to coupled spins until the echo.
    extra_width_hz : float
        Lorentzian FWHM of all groups, beside their own.

    Returns
    -------
    complex array, shape (point,)
        The weights of the groups that count in the amplitude add up to one at time zero, before
        J modulation; the other groups come on top.

    Raises
    ------
    InputError
        If no group counts in the amplitude, or their weights do not add up to a positive number.
    """
    unit = sum(resonance.weight for resonance in resonances if resonance.in_amplitude)
    if not unit > 0:
        raise InputError(
            "component: the weights of the resonances with in_amplitude add up to "
            f"{unit:g}, expected a positive number"
        )
    if not spectrometer_mhz > 0:
        raise InputError(f"spectrometer_mhz = {spectrometer_mhz}: a positive number expected")
    time = np.asarray(time_s, dtype=float)
    dwell = (time[-1] - time[0]) / max(time.size - 1, 1)
    fid = np.zeros(time.shape, dtype=complex)
    for resonance in resonances:
        frequency = (resonance.ppm - reference_ppm) * spectrometer_mhz
        lorentz_hz = resonance.extra_width_hz + extra_width_hz
        lines = group_lines(resonance, resonances, spectrometer_mhz, evolution)
        rate = 2j * pi * (frequency + lines.hz) - pi * lorentz_hz
        coarse, fine = exponential_tables(rate * dwell, time.size, rate * time[0])
        weight = (resonance.weight / unit) * lines.weight
        group = ((weight[:, None] * coarse).T @ fine).ravel()[: time.size]
        if resonance.gauss_width_ppm:
            gauss_hz = resonance.gauss_width_ppm * spectrometer_mhz
            group *= np.exp(-GAUSS_RATE * (gauss_hz * time) ** 2)
        fid += group
    return fid


def group_lines(
    resonance: Resonance,
    resonances: Sequence[Resonance],
    spectrometer_mhz: float,
    evolution: Evolution,
) -> Lines:
    """Return the lines of a group at the echo, as distances from its place.

    Parameters
    ----------
    resonance : Resonance
        The group.
    resonances : sequence of Resonance
        All groups of its component, in which its neighbours are looked for.
    spectrometer_mhz : float
        Hertz per ppm.
    evolution : Evolution
        What the sequence did to coupled spins.
    """
    n, j_hz = resonance.neighbours, resonance.j_hz
    if n == 0 or j_hz == 0:
        return Lines(hz=np.zeros(1), weight=np.ones(1, dtype=complex))
    if resonance.partner_ppm is None:
        offset: FloatArray = np.asarray((np.arange(n + 1) - n / 2) * j_hz, dtype=float)
        share = np.array([comb(n, line) for line in range(n + 1)]) / 2**n
        return Lines(hz=offset, weight=share * np.exp(2j * pi * offset * evolution.echo_time_s))
    pulse = evolution.refocusing
    carrier = pulse.carrier_ppm if pulse else (resonance.ppm + resonance.partner_ppm) / 2
    hz = tuple((ppm - carrier) * spectrometer_mhz for ppm in (resonance.ppm, resonance.partner_ppm))
    # The upfield group comes first in both of a pair, which so are one pair.
    first = resonance.ppm <= resonance.partner_ppm
    protons = (_protons(resonance, resonances), n)
    pair = Pair(
        protons=protons if first else protons[::-1],
        hz=(min(hz), max(hz)),
        j_hz=j_hz,
    )
    return pair_lines(pair, evolution)[0 if first else 1]


def _protons(resonance: Resonance, resonances: Sequence[Resonance]) -> int:
    """Return how many protons a group has: what its neighbours see of it, else its weight."""
    for other in resonances:
        if (other.ppm, other.partner_ppm) == (resonance.partner_ppm, resonance.ppm):
            return other.neighbours
    return int(min(max(round(resonance.weight), 1), 3))


def resample_basis(
    fid: ComplexArray, dwell_from: float, dwell_to: float, n_points: int
) -> ComplexArray:
    """Return a simulated basis FID at another dwell time.

    Parameters
    ----------
    fid : complex array, shape (point,)
        The FID as simulated; its first point lies at time zero.
    dwell_from, dwell_to : float
        Dwell time of `fid` and of the result in seconds.
    n_points : int
        Length of the result; beyond the end of `fid` it is zero.

    Returns
    -------
    complex array, shape (n_points,)

    Raises
    ------
    InputError
        If the FID is shorter than eight points or not finite, or a dwell time is not positive.

    Notes
    -----
    A Fourier interpolation would ring at the first point, where an FID jumps. Each new point is
    instead the least-squares combination of its nearest 24 neighbours, one-sided at the ends, that
    is exact for the band in which the FID has its energy. When the new spectral width is smaller
    than the old, lines outside it fold as they would on a scanner without a filter.
    """
    source = np.asarray(fid)
    if source.ndim != 1 or source.size < 8 or not np.all(np.isfinite(source)):
        raise InputError("basis FID: at least 8 finite points in one dimension expected")
    if not (dwell_from > 0 and dwell_to > 0):
        raise InputError(f"basis FID: dwell times {dwell_from}, {dwell_to} s must be positive")
    centre, half_band = _occupied_band(source)
    index = np.arange(source.size)
    slow = source * np.exp(-2j * pi * centre * index)
    position = np.arange(n_points) * (dwell_to / dwell_from)
    inside = position <= source.size - 1
    where = position[inside]
    taps = min(24, source.size)
    first = np.clip(np.floor(where).astype(int) - taps // 2 + 1, 0, source.size - taps)
    weights = band_weights(where - first, taps, half_band)[0]
    values = np.einsum("pt,pt->p", weights, slow[first[:, None] + np.arange(taps)])
    result = np.zeros(n_points, dtype=complex)
    result[inside] = values * np.exp(2j * pi * centre * where)
    return result


def band_weights(
    position: FloatArray, taps: int, half_band: float, derivatives: Sequence[int] = (0,)
) -> FloatArray:
    """Return least-squares interpolation weights for signals of limited band.

    Parameters
    ----------
    position : float array, shape (position,)
        Where the signal is evaluated, in samples from the first tap; outside is extrapolation.
    taps : int
        Number of consecutive samples combined.
    half_band : float
        Half of the band in cycles per sample, centred on zero.
    derivatives : sequence of int
        Orders of the derivatives, per sample; 0 is the signal.

    Returns
    -------
    float array, shape (derivative, position, taps)
        The weights of least mean square error over all frequencies of the band.
    """
    nodes = 3 * taps
    omega = 2 * pi * half_band * ((np.arange(nodes) + 0.5) * (2 / nodes) - 1)
    centre_tap = 0.5 * (taps - 1)
    sample = np.exp(1j * np.outer(omega, np.arange(taps) - centre_tap))
    target = np.exp(1j * np.outer(omega, np.asarray(position) - centre_tap))
    orders = [(1j * omega[:, None]) ** order * target for order in derivatives]
    right = np.concatenate(orders, axis=1)
    # The cut keeps the weights small where the band makes neighbouring samples redundant.
    inverse = np.linalg.pinv(np.concatenate([sample.real, sample.imag]), rcond=1e-9)
    weights = inverse @ np.concatenate([right.real, right.imag])
    return np.asarray(weights.T.reshape(len(derivatives), -1, taps))


def _occupied_band(fid: ComplexArray) -> tuple[float, float]:
    """Return centre and half-width of the band with the energy, in cycles per sample."""
    n = fid.size
    # A raised cosine that starts at one hides the jump at the end, a Hann ramp that at the start.
    ramp = np.minimum(1.0, (np.arange(n) + 1) / max(4, n // 64)) ** 2
    fade = 0.5 + 0.5 * np.cos(pi * np.arange(n) / n)
    power = np.abs(np.fft.fft(fid * ramp * fade)) ** 2
    total = power.sum()
    if not total > 0:
        return 0.0, 0.25
    frequency = np.fft.fftfreq(n)
    mean = np.angle(np.sum(power * np.exp(2j * pi * frequency))) / (2 * pi)
    distance = np.abs((frequency - mean + 0.5) % 1.0 - 0.5)
    order = np.argsort(distance)
    share = np.cumsum(power[order]) / total
    reach = distance[order][np.searchsorted(share, 0.9999)]
    return float(mean), float(min(0.48, 1.15 * reach + 0.02))


def voigt_width(lorentz_hz: FloatArray, gauss_hz: float) -> FloatArray:
    """Return the full width at half maximum of a Voigt line.

    Source: Olivero and Longbothum, J Quant Spectrosc Radiat Transf 1977;17:233-236, to 0.02 %.
    """
    return np.asarray(0.5346 * lorentz_hz + np.sqrt(0.2166 * lorentz_hz**2 + gauss_hz**2))
