"""Density matrices of coupled spins under localised sequences, with ideal or real pulses.

A second route to the signals of lactate, alanine and propionate: it shares neither line tables nor
code with `mrs_disc.signal.fit` or `mrs_disc.simulate`, which both add closed-form lines.

Equivalent protons are one composite spin (three make 3/2 once and 1/2 twice), which is exact: the
coupling inside a group cannot be seen. So no matrix has more than 12 rows. Couplings between groups
are strong ones, J I1.I2. A pulse is a row of constant steps, each solved by its eigenvectors; spins
at `POSITIONS` places along the pulse's gradient are followed apart and added up, which the equation
of motion allows because it is linear. Gradients on both sides of a pulse leave the one coherence
that is refocused. Excitation is ideal.

Sign: ``exp(+2j pi f t)``, larger ppm is larger frequency.

Sources: semi-LASER, Scheenen 2008, doi:10.1002/mrm.21302 [R]; SPECIAL, Mlynarik 2006,
doi:10.1002/mrm.21043 [R]; GOIA-WURST(16,4), Andronesi 2010, doi:10.1016/j.jmr.2009.12.017 [R], its
peak of 817 Hz a proposal [P].
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import product
from math import pi

import numpy as np

from mrs_disc.errors import InputError
from mrs_disc.typing import ComplexArray, FloatArray

POSITIONS = 61
"""Places along one gradient; 201 change the in-phase part of lactate by less than 1e-4."""

_MULTIPLES = {1: {0.5: 1}, 2: {1.0: 1, 0.0: 1}, 3: {1.5: 1, 0.5: 2}}
"""Protons of a group to the total spins that they make, and how often."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpinSystem:
    """Groups of equivalent protons.

    Parameters
    ----------
    protons : tuple of int
        Of each group, up to three.
    ppm : tuple of float
        Their shifts.
    j_hz : tuple of (int, int, float)
        Two groups and their coupling.
    """

    protons: tuple[int, ...]
    ppm: tuple[float, ...]
    j_hz: tuple[tuple[int, int, float], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Localisation:
    """A localised sequence.

    Parameters
    ----------
    name : str
        One of `SEQUENCES`.
    echo_time_s : float
        Of the whole sequence; the echoes of PRESS and semi-LASER are equally long.
    mixing_time_s : float
        Of STEAM.
    bandwidth_hz : float
        Of the refocusing pulses of PRESS and SPECIAL (Hamming-sinc, 3.3 ms); 0: ideal pulses.
        semi-LASER has GOIA-WURST(16,4) of 4.5 ms and 20 kHz unless it is 0.
    """

    name: str
    echo_time_s: float
    mixing_time_s: float = 0.010
    bandwidth_hz: float = 0.0


SEQUENCES = ("PRESS", "sLASER", "STEAM", "SPECIAL", "spin echo")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Lines:
    """A transition spectrum: frequency from the carrier (Hz), weight, and the group it is of.

    The weights of a system of uncoupled protons add up to their number.
    """

    hz: FloatArray
    weight: ComplexArray
    group: FloatArray

    def in_phase(self, group: int) -> float:
        """Return the in-phase part of a group, in protons: its signal at time zero."""
        return float(self.weight[self.group == group].sum().real)


# ------------------------------------------------------------------------------ operators


def _matrices(spin: float) -> tuple[FloatArray, FloatArray]:
    """Return Iz and I+ of one spin."""
    m = np.arange(spin, -spin - 1, -1)
    up = np.sqrt(spin * (spin + 1) - m[1:] * (m[1:] + 1))
    return np.diag(m), np.diag(up, 1)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Block:
    """One combination of total spins: its operators, and how many times it occurs.

    `energy` is the Hamiltonian without pulse (Hz), `plus` the raising operator of each group.
    """

    energy: FloatArray
    plus: FloatArray
    z: FloatArray
    x: FloatArray
    copies: int

    def order(self) -> FloatArray:
        """Return the coherence order of each element of a density matrix."""
        m = np.diagonal(self.z)
        return m[:, None] - m[None, :]

    def selected(self, rho: ComplexArray, order: int) -> ComplexArray:
        """Return the elements of one coherence order, the others gone in the gradients."""
        return np.where(np.abs(self.order() - order) < 0.1, rho, 0.0)

    def evolved(self, rho: ComplexArray, time_s: float) -> ComplexArray:
        """Return the state after free evolution."""
        e, v = np.linalg.eigh(self.energy)
        u = (v * np.exp(-2j * pi * e * time_s)) @ v.T
        return np.asarray(u @ rho @ u.conj().T)


@cache
def blocks(system: SpinSystem, mhz: float, carrier_ppm: float) -> tuple[Block, ...]:
    """Return the blocks of a system whose frequencies count from a carrier."""
    found = []
    for spins in product(*(_MULTIPLES[n] for n in system.protons)):
        copies = int(
            np.prod([_MULTIPLES[n][s] for n, s in zip(system.protons, spins, strict=True)])
        )
        z, plus = zip(*(_embedded(spins, k) for k in range(len(spins))), strict=True)
        energy = sum((ppm - carrier_ppm) * mhz * iz for ppm, iz in zip(system.ppm, z, strict=True))
        for a, b, j in system.j_hz:
            flip = (plus[a] @ plus[b].T + plus[a].T @ plus[b]) / 2
            energy = energy + j * (z[a] @ z[b] + flip)
        total = np.sum(plus, axis=0)
        found.append(
            Block(
                energy=energy,
                plus=np.stack(plus),
                z=np.sum(z, axis=0),
                x=(total + total.T) / 2,
                copies=copies,
            )
        )
    return tuple(found)


def _embedded(spins: Sequence[float], which: int) -> tuple[FloatArray, FloatArray]:
    """Return Iz and I+ of one of several spins in their product space."""
    parts = [_matrices(spin) for spin in spins]
    z: FloatArray = np.eye(1)
    up: FloatArray = np.eye(1)
    for k, (iz, plus) in enumerate(parts):
        eye = np.eye(len(iz))
        z = np.asarray(np.kron(z, iz if k == which else eye))
        up = np.asarray(np.kron(up, plus if k == which else eye))
    return z, up


# ------------------------------------------------------------------------------ pulses


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pulse:
    """A slice-selective pulse of constant steps in the frame of its own frequency.

    `b1_hz` is the field, `gradient` the gradient over its largest value, `sweep_hz` the pulse's
    frequency; spins from -`reach_hz` to `reach_hz` (at the largest gradient) are followed.
    """

    b1_hz: FloatArray
    gradient: FloatArray
    sweep_hz: FloatArray
    step_s: float
    reach_hz: float

    @property
    def duration_s(self) -> float:
        """Length of the pulse."""
        return self.step_s * self.b1_hz.size


@cache
def sinc_pulse(bandwidth_hz: float, duration_s: float = 0.0033, steps: int = 220) -> Pulse:
    """Return a Hamming-filtered sinc of 180 degrees whose refocusing has this width at half."""
    from scipy.optimize import brentq  # a twentieth of a second of imports that few rows need

    share = (np.arange(steps) + 0.5) / steps - 0.5
    window = 0.54 + 0.46 * np.cos(2 * pi * share)
    step_s = duration_s / steps

    def shape(sinc_hz: float) -> FloatArray:
        b1 = window * np.sinc(sinc_hz * duration_s * share)
        return np.asarray(b1 * 0.5 / (b1.sum() * step_s))

    def beyond(sinc_hz: float) -> float:
        return float(_refocused(shape(sinc_hz), step_s, bandwidth_hz / 2) - 0.5)

    sinc_hz = brentq(beyond, 0.3 * bandwidth_hz, 4.0 * bandwidth_hz, xtol=0.1)
    return Pulse(
        b1_hz=shape(float(sinc_hz)),
        gradient=np.ones(steps),
        sweep_hz=np.zeros(steps),
        step_s=step_s,
        reach_hz=1.6 * bandwidth_hz,
    )


def _refocused(b1_hz: FloatArray, step_s: float, offset_hz: float) -> float:
    """Return the share of a single spin's coherence that a pulse refocuses, |U21|^2."""
    u = np.eye(2, dtype=complex)
    for b1 in b1_hz:
        e, v = np.linalg.eigh(np.array([[offset_hz, b1], [b1, -offset_hz]]) / 2)
        u = (v * np.exp(-2j * pi * e * step_s)) @ v.T @ u
    return float(abs(u[1, 0]) ** 2)


@cache
def goia_pulse(
    bandwidth_hz: float = 20000.0, duration_s: float = 0.0045, steps: int = 600
) -> Pulse:
    """Return GOIA-WURST(16,4): a gradient that falls to a tenth, a sweep that follows the field."""
    share = (np.arange(steps) + 0.5) / steps
    b1 = 817.0 * (1 - np.abs(np.sin(pi * (share - 0.5))) ** 16)
    gradient = 1 - 0.9 + 0.9 * np.abs(np.sin(pi * (share - 0.5))) ** 4
    rate = b1**2 / gradient
    sweep = np.cumsum(rate) - rate / 2
    sweep = (sweep - sweep.mean()) * gradient
    sweep *= bandwidth_hz / 2 / np.abs(sweep).max()
    return Pulse(
        b1_hz=b1,
        gradient=gradient,
        sweep_hz=sweep,
        step_s=duration_s / steps,
        reach_hz=0.62 * bandwidth_hz,
    )


@lru_cache(maxsize=64)
def _propagators(
    system: SpinSystem, mhz: float, carrier_ppm: float, kind: str, bandwidth_hz: float
) -> tuple[ComplexArray, ...]:
    """Return what a pulse does to each block at each place, shape (place, state, state)."""
    pulse = sinc_pulse(bandwidth_hz) if kind == "sinc" else goia_pulse()
    place = np.linspace(-pulse.reach_hz, pulse.reach_hz, POSITIONS)
    found = []
    for block in blocks(system, mhz, carrier_ppm):
        u = np.broadcast_to(np.eye(len(block.z), dtype=complex), (POSITIONS, *block.z.shape))
        for b1, gradient, sweep in zip(pulse.b1_hz, pulse.gradient, pulse.sweep_hz, strict=True):
            offset = (gradient * place - sweep)[:, None, None]
            e, v = np.linalg.eigh(block.energy + b1 * block.x + offset * block.z)
            turn = np.exp(-2j * pi * pulse.step_s * e)
            u = v @ (turn[..., None] * (v.transpose(0, 2, 1) @ u))
        found.append(u)
    return tuple(found)


# ------------------------------------------------------------------------------ sequences


@lru_cache(maxsize=256)
def sequence_lines(
    system: SpinSystem,
    sequence: Localisation,
    *,
    mhz: float,
    carrier_ppm: float = 4.65,
    pulse_ppm: float = 2.7,
) -> Lines:
    """Return the spectrum of a system at the echo, over that of as many uncoupled protons.

    Parameters
    ----------
    system : SpinSystem
        What is measured.
    sequence : Localisation
        How.
    mhz : float
        Hz per ppm.
    carrier_ppm : float
        Where frequency zero lies.
    pulse_ppm : float
        Shift whose slice lies where it was planned: places are counted from there.

    Raises
    ------
    InputError
        If the sequence is not known, or its echo time is shorter than its pulses.
    """
    if sequence.name not in SEQUENCES:
        raise InputError(f"no sequence is named '{sequence.name}': {', '.join(SEQUENCES)}")
    shortest = _shortest_s(sequence)
    if sequence.echo_time_s < shortest:
        raise InputError(
            f"{sequence.name}: TE {1e3 * sequence.echo_time_s:.1f} ms is shorter than its pulses "
            f"({1e3 * shortest:.1f} ms)"
        )
    states = _states(system, sequence, mhz, pulse_ppm)
    lone = SpinSystem(protons=(1,), ppm=(pulse_ppm,), j_hz=())
    ((one, state),) = _states(lone, sequence, mhz, pulse_ppm)
    whole = complex(np.trace(one.plus[0].T @ state))
    hz, weight, group = [], [], []
    for block, rho in states:
        e, v = np.linalg.eigh(block.energy)
        turned = v.T @ rho @ v
        for k, plus in enumerate(block.plus):
            detected = (v.T @ plus.T @ v).T * turned
            found = np.abs(detected) > 1e-6
            hz.append((e[:, None] - e[None, :])[found])
            weight.append(block.copies * detected[found])
            group.append(np.full(int(found.sum()), float(k)))
    # An element (a, b) turns with exp(-2j pi (E_a - E_b) t): its conjugate has our sign.
    weights = _per_proton(system, np.conj(np.concatenate(weight) / whole))
    return Lines(
        hz=np.concatenate(hz) + (pulse_ppm - carrier_ppm) * mhz,
        weight=weights,
        group=np.concatenate(group),
    )


def _shortest_s(sequence: Localisation) -> float:
    """Return how long the real pulses of a sequence last."""
    if sequence.bandwidth_hz == 0 or sequence.name in ("STEAM", "spin echo"):
        return 0.0
    if sequence.name == "sLASER":
        return 4 * goia_pulse().duration_s
    return sinc_pulse(sequence.bandwidth_hz).duration_s * (2 if sequence.name == "PRESS" else 1)


def _per_proton(system: SpinSystem, weight: ComplexArray) -> ComplexArray:
    """Scale from traces over all states to protons: n spins trace n 2^(N-1), one traces 1."""
    return np.asarray(weight / 2.0 ** (sum(system.protons) - 1))


def _states(
    system: SpinSystem, sequence: Localisation, mhz: float, pulse_ppm: float
) -> list[tuple[Block, ComplexArray]]:
    """Return every block with its density matrix at the echo, summed over places."""
    made = []
    for index, block in enumerate(blocks(system, mhz, pulse_ppm)):
        rho = block.plus.sum(axis=0).astype(complex)
        walk = _Walk(system, mhz, pulse_ppm, block, index)
        made.append((block, _PATHS[sequence.name](walk, rho, sequence)))
    return made


@dataclass(frozen=True, slots=True)
class _Walk:
    """One block on its way through a sequence."""

    system: SpinSystem
    mhz: float
    pulse_ppm: float
    block: Block
    index: int

    def flip(self, rho: ComplexArray, order: int) -> ComplexArray:
        """Apply an ideal 180; its gradients keep one order."""
        values, vectors = np.linalg.eigh(self.block.x)
        u = (vectors * np.exp(-1j * pi * values)) @ vectors.T
        return self.block.selected(u @ rho @ u.conj().T, order)

    def turn(self, rho: ComplexArray, order: int) -> ComplexArray:
        """Apply an ideal 90; its gradients keep one order."""
        values, vectors = np.linalg.eigh(self.block.x)
        u = (vectors * np.exp(-0.5j * pi * values)) @ vectors.T
        return self.block.selected(u @ rho @ u.conj().T, order)

    def real(
        self, rho: ComplexArray, kind: str, bandwidth_hz: float, orders: Sequence[int], gap_s: float
    ) -> ComplexArray:
        """Apply one or two equal pulses of one direction, `gap_s` apart, and add up the places."""
        u = _propagators(self.system, self.mhz, self.pulse_ppm, kind, bandwidth_hz)[self.index]
        back = u.conj().transpose(0, 2, 1)
        many = self.block.selected(u @ rho @ back, orders[0])
        if len(orders) > 1:
            many = self.block.evolved(many, gap_s)
            many = self.block.selected(u @ many @ back, orders[1])
        return np.asarray(many.mean(axis=0))


def _press(walk: _Walk, rho: ComplexArray, s: Localisation) -> ComplexArray:
    """90 - TE/4 - 180 - TE/2 - 180 - TE/4, with TE1 = TE2."""
    quarter = s.echo_time_s / 4
    if s.bandwidth_hz == 0:
        rho = walk.flip(walk.block.evolved(rho, quarter), -1)
        rho = walk.flip(walk.block.evolved(rho, 2 * quarter), 1)
        return walk.block.evolved(rho, quarter)
    half = sinc_pulse(s.bandwidth_hz).duration_s / 2
    rho = walk.block.evolved(rho, quarter - half)
    rho = walk.real(rho, "sinc", s.bandwidth_hz, (-1,), 0.0)
    rho = walk.block.evolved(rho, 2 * (quarter - half))
    rho = walk.real(rho, "sinc", s.bandwidth_hz, (1,), 0.0)
    return walk.block.evolved(rho, quarter - half)


def _one_echo(walk: _Walk, rho: ComplexArray, s: Localisation) -> ComplexArray:
    """90 - TE/2 - 180 - TE/2; SPECIAL has it after an inversion that leaves z magnetisation."""
    half_te = s.echo_time_s / 2
    if s.bandwidth_hz == 0 or s.name == "spin echo":
        rho = walk.flip(walk.block.evolved(rho, half_te), -1)
        return walk.block.evolved(rho, half_te).conj().T
    half = sinc_pulse(s.bandwidth_hz).duration_s / 2
    rho = walk.real(walk.block.evolved(rho, half_te - half), "sinc", s.bandwidth_hz, (-1,), 0.0)
    # The order -1 of a Hermitian matrix is the adjoint of its order +1, which is what is detected.
    return walk.block.evolved(rho, half_te - half).conj().T


def _semi_laser(walk: _Walk, rho: ComplexArray, s: Localisation) -> ComplexArray:
    """90 - TE/8 - 180 - TE/4 - 180 - TE/4 - 180 - TE/4 - 180 - TE/8, two pulses a direction."""
    eighth = s.echo_time_s / 8
    if s.bandwidth_hz == 0:
        for k, order in enumerate((-1, 1, -1, 1)):
            rho = walk.flip(walk.block.evolved(rho, eighth * (1 if k == 0 else 2)), order)
        return walk.block.evolved(rho, eighth)
    half = goia_pulse().duration_s / 2
    gap = 2 * (eighth - half)
    rho = walk.block.evolved(rho, eighth - half)
    rho = walk.real(rho, "goia", s.bandwidth_hz, (-1, 1), gap)
    rho = walk.real(walk.block.evolved(rho, gap), "goia", s.bandwidth_hz, (-1, 1), gap)
    return walk.block.evolved(rho, eighth - half)


def _steam(walk: _Walk, rho: ComplexArray, s: Localisation) -> ComplexArray:
    """90 - TE/2 - 90 - TM - 90 - TE/2: what is stored along z, and zero quanta beside it."""
    # A gradient in each half of TE keeps both the order +1 before and -1 after.
    stored = walk.turn(walk.block.evolved(rho, s.echo_time_s / 2), 0)
    stored = walk.block.evolved(stored, s.mixing_time_s)
    return walk.block.evolved(walk.turn(stored, -1), s.echo_time_s / 2).conj().T


_PATHS = {
    "PRESS": _press,
    "SPECIAL": _one_echo,
    "spin echo": _one_echo,
    "sLASER": _semi_laser,
    "STEAM": _steam,
}
