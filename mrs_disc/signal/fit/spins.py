"""Lines of two coupled groups of protons at the echo of a localised sequence, by density matrix.

Coupling is strong (J Ia.Ib), pulses are ideal or real ones, and nothing is tabled over echo time:
the zero-quantum coherence of a stimulated echo beats with field and mixing time at hundreds of Hz,
and what real pulses transfer between the groups beats with the echo time, so a table would have to
be as fine as the calculation, which takes milliseconds.

Equivalent protons are one spin: a methyl group is 3/2 once and 1/2 twice. A real pulse is followed
at places along its gradient. During a pulse the rotation of each group, exact for field and offset,
alternates with the coupling (symmetric splitting). Gradients around each pulse leave the coherence
that is refocused, -1 to +1 and back. Excitation is ideal, echoes are equally long, and all is
relative to a spin without neighbours: of a stimulated echo to its half signal.

Sources: adiabatic pulses of semi-LASER, GOIA-WURST(16,4): Andronesi 2010,
doi:10.1016/j.jmr.2009.12.017.

Sign: ``exp(+2j pi f t)``, larger ppm is larger frequency.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache, reduce
from math import pi, sqrt
from typing import Literal, TypeAlias

import numpy as np

from mrs_disc.typing import ComplexArray, FloatArray

Shape: TypeAlias = Literal["hamming_sinc", "goia_wurst"]

_PLACES = 97
"""Places along a gradient; twice as many change the in-phase part of lactate by less than 2e-3."""

_SEGMENTS = 24
"""Between so many parts of a pulse the coupling acts."""

_SINC_CYCLES = 5.828
"""Sinc of 180 degrees under a Hamming window: its bandwidth times its duration [D], such that it
refocuses 1200 Hz at half height in 3.3 ms."""

_GOIA_PEAK = 3.6765
"""Largest field of GOIA-WURST times its duration: 817 Hz over 4.5 ms [P]."""

_SAME_HZ = 2e-3
"""Lines closer than this are one: over a second they part by less than a degree."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RefocusingPulse:
    """A refocusing pulse that selects a slice.

    Parameters
    ----------
    shape : str
        ``hamming_sinc`` or ``goia_wurst``.
    bandwidth_hz : float
        Of what is refocused, of the sweep for ``goia_wurst``.
    duration_s : float
        Length of the pulse.
    carrier_ppm : float
        Where it has its carrier: off it a pulse whose gradient is modulated refocuses less well.
    """

    shape: Shape
    bandwidth_hz: float
    duration_s: float
    carrier_ppm: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Evolution:
    """What a sequence does to coupled spins between excitation and echo.

    Parameters
    ----------
    echo_time_s : float
        Of the whole sequence.
    pulses : tuple of int
        Refocusing pulses of each direction of the gradient: (1, 1) PRESS, (2, 2) semi-LASER, (1,)
        one echo; () for a stimulated echo.
    refocusing : RefocusingPulse or None
        What refocuses; `None`: ideal pulses.
    mixing_time_s : float or None
        Of a stimulated echo; `None`: not known, its zero-quantum coherence is left out.
    """

    echo_time_s: float
    pulses: tuple[int, ...] = (1, 1)
    refocusing: RefocusingPulse | None = None
    mixing_time_s: float | None = None

    @property
    def shortest_s(self) -> float:
        """The echo time that the pulses alone take, s."""
        return sum(self.pulses) * (self.refocusing.duration_s if self.refocusing else 0.0)

    def at(self, echo_time_s: float) -> Evolution:
        """Return the same at another echo time, with ideal pulses where real ones do not fit."""
        fits = echo_time_s >= self.shortest_s
        return replace(self, echo_time_s=echo_time_s, refocusing=self.refocusing if fits else None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two coupled groups of up to three equivalent protons."""

    protons: tuple[int, int]
    hz: tuple[float, float]
    j_hz: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Lines:
    """Lines of one group: distance from its uncoupled place (Hz), and weight at the echo.

    A group without neighbours has one line at zero of weight one.
    """

    hz: FloatArray
    weight: ComplexArray


# ------------------------------------------------------------------------------ operators


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Block:
    """Two composite spins, and how many times they occur.

    `power` are twice the spins, `z` is the total Iz of each state, `lower` the I- of each group,
    `energy` in Hz with its eigenvectors, `coupling` likewise for J alone.
    """

    power: tuple[int, int]
    copies: int
    z: FloatArray
    lower: FloatArray
    energy: FloatArray
    states: FloatArray
    coupling: tuple[FloatArray, FloatArray]

    def evolved(self, rho: ComplexArray, time_s: float) -> ComplexArray:
        """Return the state after free precession; leading axes are places."""
        u = (self.states * np.exp(-2j * pi * self.energy * time_s)) @ self.states.T
        return np.asarray(u @ rho @ u.conj().T)

    def kept(self, rho: ComplexArray, order: int) -> ComplexArray:
        """Return the coherences of one order, as gradients leave them."""
        return np.where(np.isclose(self.z[:, None] - self.z[None, :], order), rho, 0.0)


_SPINS = {0: {0: 1}, 1: {1: 1}, 2: {2: 1, 0: 1}, 3: {3: 1, 1: 2}}
"""Protons of a group to twice the spins that they make, and how often."""


def _lowering(power: int) -> FloatArray:
    """Return I- of a spin power/2, its states from the highest m down."""
    spin = power / 2
    m = spin - np.arange(power)
    return np.diag(np.sqrt(spin * (spin + 1) - m * (m - 1)), -1)


@lru_cache(maxsize=32)
def _blocks(pair: Pair) -> tuple[_Block, ...]:
    made = []
    for a, times_a in _SPINS[pair.protons[0]].items():
        for b, times_b in _SPINS[pair.protons[1]].items():
            one_a, one_b = np.eye(a + 1), np.eye(b + 1)
            lower = np.stack([np.kron(_lowering(a), one_b), np.kron(one_a, _lowering(b))])
            z_a = np.repeat(a / 2 - np.arange(a + 1), b + 1)
            z_b = np.tile(b / 2 - np.arange(b + 1), a + 1)
            flip = lower[0].T @ lower[1]
            coupling = pair.j_hz * (np.diag(z_a * z_b) + (flip + flip.T) / 2)
            whole = np.diag(pair.hz[0] * z_a + pair.hz[1] * z_b) + coupling
            energy, states = np.linalg.eigh(whole)
            own, vectors = np.linalg.eigh(coupling)
            made.append(
                _Block(
                    power=(a, b),
                    copies=times_a * times_b,
                    z=z_a + z_b,
                    lower=lower,
                    energy=energy,
                    states=states,
                    coupling=(own, vectors),
                )
            )
    return tuple(made)


# ------------------------------------------------------------------------------ pulses


def _course(pulse: RefocusingPulse) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return field (Hz), gradient over its largest value, and frequency (Hz), step by step."""
    if pulse.shape == "hamming_sinc":
        x = (np.arange(10 * _SEGMENTS) + 0.5) / (10 * _SEGMENTS) - 0.5
        field = (0.54 + 0.46 * np.cos(2 * pi * x)) * np.sinc(_SINC_CYCLES * x)
        field *= 0.5 / (field.mean() * pulse.duration_s)
        return field, np.ones_like(x), np.zeros_like(x)
    x = (np.arange(25 * _SEGMENTS) + 0.5) / (25 * _SEGMENTS) - 0.5
    edge = np.abs(np.sin(pi * x))
    field, gradient = 1 - edge**16, 0.1 + 0.9 * edge**4
    rate = field**2 / gradient
    swept = np.cumsum(rate) - rate / 2
    sweep = gradient * (swept - swept.mean())
    sweep *= pulse.bandwidth_hz / 2 / np.abs(sweep).max()
    return field * _GOIA_PEAK / pulse.duration_s, gradient, sweep


def _places_hz(pulse: RefocusingPulse) -> FloatArray:
    """Return offsets along the gradient that reach beyond the slice."""
    reach = pulse.bandwidth_hz * (1.6 if pulse.shape == "hamming_sinc" else 0.62)
    return np.linspace(-reach, reach, _PLACES)


def _rotations(pulse: RefocusingPulse, hz: float) -> ComplexArray:
    """Return what each part of a pulse does to a spin 1/2, shape (part, place, 2, 2)."""
    field, gradient, sweep = (values.reshape(_SEGMENTS, -1, 1) for values in _course(pulse))
    offset = gradient * _places_hz(pulse) + hz - sweep
    turned = np.hypot(offset, field)
    half_angle = pi * turned * pulse.duration_s / (_SEGMENTS * field.shape[1])
    # U = [[a, b], [-b*, a*]]
    sine = np.sin(half_angle) / np.maximum(turned, 1e-300)
    a, b = np.cos(half_angle) - 1j * sine * offset, -1j * sine * field
    total_a, total_b = a[:, 0], b[:, 0]
    for step in range(1, a.shape[1]):
        new_a, new_b = a[:, step], b[:, step]
        total_a, total_b = (
            new_a * total_a - new_b * total_b.conj(),
            new_a * total_b + new_b * total_a.conj(),
        )
    return np.stack(
        [
            np.stack([total_a, total_b], axis=-1),
            np.stack([-total_b.conj(), total_a.conj()], axis=-1),
        ],
        axis=-2,
    )


def _of_spin(u: ComplexArray, power: int) -> ComplexArray:
    """Return the rotation of a spin power/2: that of as many spins 1/2, their symmetric states."""
    if power == 0:
        return np.ones((*u.shape[:-2], 1, 1), dtype=complex)
    many = reduce(_kron, [u] * power)
    ups = np.array([power - bin(state).count("1") for state in range(2**power)])
    symmetric = np.stack([(ups == power - k) * 1.0 for k in range(power + 1)], axis=1)
    symmetric /= np.sqrt(symmetric.sum(axis=0))
    return np.asarray(symmetric.T @ many @ symmetric)


def _kron(one: ComplexArray, other: ComplexArray) -> ComplexArray:
    joined = np.einsum("...ij,...kl->...ikjl", one, other)
    rows = one.shape[-2] * other.shape[-2]
    return np.asarray(joined.reshape(*one.shape[:-2], rows, rows))


@lru_cache(maxsize=32)
def _propagators(pair: Pair, pulse: RefocusingPulse | None) -> tuple[ComplexArray, ...]:
    """Return what a refocusing pulse does to each block, shape (place, state, state)."""
    if pulse is None:
        turn = np.array([[[0, -1j], [-1j, 0]]])
        return tuple(
            _kron(_of_spin(turn, block.power[0]), _of_spin(turn, block.power[1]))
            for block in _blocks(pair)
        )
    rotation = [_rotations(pulse, hz) for hz in pair.hz]
    made = []
    for block in _blocks(pair):
        turns = _kron(_of_spin(rotation[0], block.power[0]), _of_spin(rotation[1], block.power[1]))
        values, vectors = block.coupling
        half = (vectors * np.exp(-1j * pi * values * pulse.duration_s / _SEGMENTS)) @ vectors.T
        total = half @ turns[0] @ half
        for turn in turns[1:]:
            total = half @ (turn @ (half @ total))
        made.append(total)
    return tuple(made)


# ------------------------------------------------------------------------------ sequences


@lru_cache(maxsize=256)
def pair_lines(pair: Pair, evolution: Evolution) -> tuple[Lines, Lines]:
    """Return the lines of both groups of a pair.

    Parameters
    ----------
    pair : Pair
        Its frequencies count from where a pulse has its carrier.
    evolution : Evolution
        With an echo time that is as long as its pulses at least.
    """
    states = _at_echo(pair, evolution)
    alone = Pair(protons=(1, 0), hz=(0.0, 0.0), j_hz=0.0)
    one = _at_echo(alone, evolution)[0]
    whole = np.sum(_blocks(alone)[0].lower[0] * one)
    found = []
    for group, protons in enumerate(pair.protons):
        # All states of n protons: n 2^(N-1) is the trace of I- with itself.
        scale = protons * 2.0 ** (sum(pair.protons) - 1) * whole
        hz, weight = [], []
        for block, rho in zip(_blocks(pair), states, strict=True):
            turned = block.states.T @ rho @ block.states
            seen = (block.states.T @ block.lower[group] @ block.states) * turned
            there = np.abs(seen) > 1e-9
            distance = block.energy[None, :] - block.energy[:, None] - pair.hz[group]
            hz.append(distance[there])
            weight.append(block.copies * seen[there] / scale)
        found.append(_joined(np.concatenate(hz), np.concatenate(weight)))
    return found[0], found[1]


def _joined(hz: FloatArray, weight: ComplexArray) -> Lines:
    """Return lines of which those at one place are one."""
    place, index = np.unique(np.round(hz / _SAME_HZ), return_inverse=True)
    total = np.zeros(place.size, dtype=complex)
    np.add.at(total, index, weight)
    return Lines(hz=place * _SAME_HZ, weight=total)


def _at_echo(pair: Pair, evolution: Evolution) -> list[ComplexArray]:
    """Return each block's coherence of order -1 at the echo, the mean over all places."""
    if not evolution.pulses:
        return [_stimulated(block, evolution) for block in _blocks(pair)]
    gap_s = (evolution.echo_time_s - evolution.shortest_s) / sum(evolution.pulses)
    made = []
    for block, u in zip(_blocks(pair), _propagators(pair, evolution.refocusing), strict=True):
        rho = block.evolved(block.lower.sum(axis=0).astype(complex), gap_s / 2)
        back, order = u.conj().transpose(0, 2, 1), -1
        for k, pulses in enumerate(evolution.pulses):
            many = rho[None] if k == 0 else block.evolved(rho, gap_s)[None]
            for n in range(pulses):
                order = -order
                before = block.evolved(many, gap_s) if n else many
                many = block.kept(u @ before @ back, order)
            rho = many.mean(axis=0)
        rho = block.evolved(rho, gap_s / 2)
        made.append(rho if order == -1 else rho.conj().T)
    return made


def _stimulated(block: _Block, evolution: Evolution) -> ComplexArray:
    """Return the coherence at a stimulated echo: 90 - TE/2 - 90 - TM - 90 - TE/2."""
    quarter: ComplexArray = np.array([[1, -1j], [-1j, 1]]) / complex(sqrt(2))
    u = _kron(_of_spin(quarter, block.power[0]), _of_spin(quarter, block.power[1]))
    half_s, back = evolution.echo_time_s / 2, u.conj().T
    rho = block.evolved(block.lower.sum(axis=0).astype(complex), half_s)
    stored = block.kept(u @ rho @ back, 0)
    if evolution.mixing_time_s is not None:
        stored = block.evolved(stored, evolution.mixing_time_s)
    else:
        shares = np.diagonal(block.states.T @ stored @ block.states)
        stored = np.asarray((block.states * shares) @ block.states.T)
    after = block.kept(u @ stored @ back, 1)
    return block.evolved(after, half_s).conj().T
