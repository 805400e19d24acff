"""Whether the multiplets of a spectrum have evolved for the echo time that its file states.

Between excitation and echo the lines of a multiplet turn against each other: how far tells for how
long. The fit's basis holds each multiplet as it is at the stated time. With some later states
beside it, as free components, the data say which state they hold; lactate, alanine and propionate
are asked together, since they evolved for one time.

With m the amplitudes of all states, C their covariance and H(t) the states of the multiplets at the
echo time t, the misfit of t is ::

    misfit(t) = min over s >= 0 of  (m - H s)^T C^-1 (m - H s)

and the root of ``misfit(stated) - min misfit(t)`` is what speaks against the stated time. No
multiplet is less than nothing. Ratio priors are left out: they hold at the stated time alone. Weak
multiplets say nothing, since every time fits them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeAlias

import numpy as np

from mrs_disc.data import EchoTime
from mrs_disc.models import Resonance
from mrs_disc.signal.fit.beside import Beside
from mrs_disc.signal.fit.inputs import FitBasis
from mrs_disc.signal.fit.posterior import Amplitudes
from mrs_disc.signal.nonnegative import least_misfits
from mrs_disc.typing import ComplexArray, FloatArray

TIMES_S = np.arange(0.006, 0.301, 0.006)
"""Echo times that are tried: a doublet of 7 Hz looks the same after 288 ms."""

At: TypeAlias = Callable[[float], Mapping[str, ComplexArray]]
"""From an echo time to the FIDs of the multiplets, groups beside their amplitude left out."""

_DAMPING_HZ, _POINTS = 15.0, 512
"""States are told apart over lines of a disc's width: what lies later is noise."""


@dataclass(frozen=True, eq=False)
class States:
    """Multiplets at the stated echo time and at some later ones, beside the rest of the model.

    Parameters
    ----------
    basis : FitBasis
        The model's components, then the later states.
    multiplets : tuple of str
        Their names.
    rows : tuple of tuple of int
        For each multiplet the rows of its states in the basis, the stated first.
    times_s : tuple of tuple of float
        For each of these states its echo time.
    """

    basis: FitBasis
    multiplets: tuple[str, ...]
    rows: tuple[tuple[int, ...], ...]
    times_s: tuple[tuple[float, ...], ...]

    @cached_property
    def beside(self) -> Beside:
        """The later states alone, as what a fit of the stated ones has not."""
        like = [
            name for name, rows in zip(self.multiplets, self.rows, strict=True) for _ in rows[1:]
        ]
        return Beside(self.basis.fids[-len(like) :], like)


def evolving(
    components: Iterable[tuple[str, Sequence[Resonance]]],
) -> dict[str, tuple[float, ...]]:
    """Return the multiplets of a model, and how much later the states lie that span the others, s.

    A multiplet of n neighbours has n + 1 lines, whose phases turn by multiples of half of J: n
    states more, each a quarter turn of the outermost line later, span all that it can be.
    """
    found: dict[str, tuple[float, ...]] = {}
    for name, resonance in components:
        coupled = [r for r in resonance if r.in_amplitude and r.neighbours and r.j_hz]
        if coupled:
            n, j_hz = coupled[0].neighbours, abs(coupled[0].j_hz)
            found[name] = tuple((k + 1) / (2 * n * j_hz) for k in range(n))
    return found


def with_later_states(
    basis: FitBasis, later_s: Mapping[str, Sequence[float]], stated_s: float, at: At
) -> States:
    """Return the basis with later states of each multiplet.

    Parameters
    ----------
    basis : FitBasis
        At the stated echo time.
    later_s : mapping of str to sequence of float
        From `evolving`.
    stated_s : float
        Echo time of the basis.
    at : callable
        Makes the multiplets at an echo time.
    """
    # Rows are those of what a fit reports, where parts of one component are one.
    reported, fids, rows, times_s = list(basis.reported), [basis.fids], [], []
    for name, delays in later_s.items():
        last = len(reported)
        rows.append((reported.index(name), *range(last, last + len(delays))))
        times_s.append((stated_s, *(stated_s + delay for delay in delays)))
        reported += [f"{name}, {1e3 * delay:.0f} ms later" for delay in delays]
        fids += [at(time_s)[name][None] for time_s in times_s[-1][1:]]
    added = reported[len(basis.reported) :]
    none = np.zeros(len(added))
    wider = replace(
        basis,
        names=(*basis.names, *added),
        wholes=(*(basis.wholes or basis.names), *added),
        shares=(*basis.usual, *(1.0 for _ in added)),
        fids=np.vstack(fids),
        shift_sd_hz=np.append(basis.shift_sd_hz, none),
        extra_width_sd_hz=np.append(basis.extra_width_sd_hz, none),
        ratio_priors=tuple(
            prior
            for prior in basis.ratio_priors
            if not {prior.numerator, prior.denominator} & set(later_s)
        ),
    )
    return States(wider, tuple(later_s), tuple(rows), tuple(times_s))


def mixtures(states: States, dwell_time_s: float, at: At) -> FloatArray:
    """Return the shares of the states that make up the multiplets at each of `TIMES_S`.

    Returns
    -------
    float array, shape (time, state, multiplet)
        H of this module's header.
    """
    n_points = min(_POINTS, states.basis.fids.shape[1])
    decay = np.exp(-np.pi * _DAMPING_HZ * dwell_time_s * np.arange(n_points))
    tried = [at(float(time_s)) for time_s in TIMES_S]
    found = np.zeros((len(tried), sum(map(len, states.rows)), len(states.multiplets)))
    first = 0
    for column, (name, rows) in enumerate(zip(states.multiplets, states.rows, strict=True)):
        spanned = [at(time_s)[name] for time_s in states.times_s[column]]
        one = np.stack([fid[:n_points] * decay for fid in spanned], axis=1)
        others = np.stack([fids[name][:n_points] * decay for fids in tried], axis=1)
        shares = np.linalg.lstsq(_real(one), _real(others), rcond=None)[0]
        found[:, first : first + len(rows), column] = shares.T
        first += len(rows)
    return found


def _real(columns: ComplexArray) -> FloatArray:
    return np.vstack([columns.real, columns.imag])


def echo_time_told(
    amplitudes: Amplitudes, states: States, shares: FloatArray, stated_s: float
) -> EchoTime:
    """Return what the multiplets say of the echo time.

    Parameters
    ----------
    amplitudes : Amplitudes
        Of a fit with `states.basis`.
    states : States
        Which of them are of multiplets.
    shares : float array, shape (time, state, multiplet)
        From `mixtures`, at `TIMES_S`.
    stated_s : float
        Echo time that the file states.
    """
    rows = [row for of_one in states.rows for row in of_one]
    covariance = amplitudes.covariance[np.ix_(rows, rows)]
    values, vectors = np.linalg.eigh(covariance)
    whiten = (vectors / np.sqrt(np.maximum(values, 1e-9 * values[-1]))).T
    m = whiten @ amplitudes.mean[rows]
    stated = np.zeros(shares.shape[1:])
    stated[np.cumsum([0, *map(len, states.rows[:-1])]), np.arange(len(states.rows))] = 1.0
    of_stated, *misfits = least_misfits(whiten @ np.concatenate([stated[None], shares]), m)
    best = int(np.argmin(misfits))
    return EchoTime(
        multiplets=states.multiplets,
        stated_s=stated_s,
        fitting_s=float(TIMES_S[best]),
        deviation_sd=float(np.sqrt(max(of_stated - misfits[best], 0.0))),
    )
