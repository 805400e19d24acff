"""What was done to an FID before it was stored: zeros appended, a filter multiplied or delaying it.

Both leave the lines readable and spoil what is said of the noise: behind zeros there is none, and
under a filter it fades along the FID, where every later step takes it for white. Zeros are cut off.
A filter is recognised from the decay of the noise and divided out again, up to where the noise has
faded too far; what is left has white noise, and its first point is as it was.

The noise is looked at in blocks of the FID, in the bins that hold the least power where the signal
is strongest. Its variance is ``sd^2 g(t)^2`` with the filter ``g``; the power of a block follows a
gamma distribution, so that filters are compared by likelihood. Where a block holds rounding and not
noise (simulated data without any), or a strong line outshines it, it says nothing.

A digital filter of the receiver delays the FID by 60 to 80 points, which hold next to nothing
before the signal sets in. An FID alone, whose lines begin in phase, is loudest at once.

Decision: divided out, not carried along as a second axis of noise: every later step (registration,
water, fit, whiteness) rests on white noise, and in exact arithmetic nothing is lost by it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import scipy.fft

from mrs_disc.signal.axes import is_finite
from mrs_disc.signal.noise import median, power_of
from mrs_disc.typing import BoolArray, ComplexArray, FloatArray

_BLOCK = 64
"""Points of a block: 16 to 64 ms, within which neither filter nor noise changes much."""
_QUIET = 3.0
"""Power over that of the lowest fifth of the bins up to which a bin counts as noise."""
_EVIDENCE = 15.0
"""Gain of log likelihood from which a filter is believed: e^15 against one filter of a dozen."""
_FADED = 0.02
"""Where the filter has fallen below this share of its start, the FID is cut: noise there would be
raised 50-fold by dividing, and rounding with it."""
_RATES = np.geomspace(0.05, 60.0, 240)
"""Decays over the FID that are tried, 3 % apart: some thirty blocks tell them no better. A grid, as
importing an optimiser costs a fifth of the analysis of a disc."""
_ENOUGH = 32
"""FIDs that are looked at, evenly over coils and transients: a filter is on all of them."""
_ROUNDING = 4.0
"""Noise below this many roundings of the block's own samples is none."""
_OUTSHONE = 1e3
"""Power of the highest bin over that of the quiet ones from which a block says nothing: leakage of
the line, and its own unrest, are then as high as the noise (unsuppressed water)."""


_SHORTEST_DELAY, _LONGEST_DELAY = 4, 192
"""Points of a delay. Filters of receivers: 55 to 80 points (Bruker's tables of DSPFVS 10 to 13)."""
_SILENT = 0.1
"""Share of the highest magnitude below which the points of a delay lie [proposed]."""
_APPENDED = 16
"""Equal points at the end from which they were appended: clipped noise has a few."""
_MANY, _TAIL = 256, 512
"""FIDs that are looked at, and points of their end that tell the noise."""
_SHORTEST_ROW = 256
_BEGINS_ANEW = 10.0
"""Power of each FID in a row at its start over that at the end of any [proposed]."""
_QUIET_START, _ONE_SIDED, _FADES = 0.01, 30.0, 12.0
"""Power of a spectrum's start over that of its top; of the first 128th of its transform over its
last, and at most over its second [proposed]. Simulated echoes and delayed FIDs that pass the other
two: 16 and more over the second; most FIDs 1 to 6."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """A filter that was multiplied onto the FID.

    Parameters
    ----------
    kind : {"exponential", "gaussian", "hann", "hamming"}
        Its shape; ``hann`` and ``hamming`` fall along the whole FID.
    width_hz : float
        Line broadening: full width at half maximum that it gives to a line without any.
    """

    kind: str
    width_hz: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Stored:
    """How FIDs were stored: what follows from their points.

    Parameters
    ----------
    n_points : int
        Points that hold signal; those behind are zeros or, under a filter, hold nothing.
    n_zeros : int
        Zeros at the end of every FID.
    filter : Filter or None
        The filter that was recognised.
    weight : float array, shape (n_points,), or None
        What the points have to be multiplied with to undo it.
    """

    n_points: int
    n_zeros: int = 0
    filter: Filter | None = None
    weight: FloatArray | None = None


def examine_storage(signal: ComplexArray, dwell_time_s: float) -> Stored:
    """Find the zeros at the end of FIDs and the filter that was multiplied onto them.

    Parameters
    ----------
    signal : complex array, shape (..., point)
        FIDs of one protocol, as stored.
    dwell_time_s : float
        Dwell time in seconds.
    """
    n_points = n_filled(signal)
    stored = Stored(n_points=n_points, n_zeros=signal.shape[-1] - n_points)
    fids = evenly_taken(signal, _ENOUGH)
    sound = np.isfinite(fids).all(axis=1) & fids.any(axis=1)  # spoilt ones say nothing of noise
    if n_points < 6 * _BLOCK or not sound.any():
        return stored
    shape = _filter_of(fids[sound, :n_points], dwell_time_s)
    if shape is None:
        return stored
    gain = shape.gain(n_points, dwell_time_s)
    n_heard = int(np.argmax(gain < _FADED)) or n_points
    return Stored(
        n_points=n_heard,
        n_zeros=stored.n_zeros,
        filter=Filter(kind=shape.kind, width_hz=shape.width_hz(n_points, dwell_time_s)),
        weight=1.0 / gain[:n_heard],
    )


def n_filled(signal: ComplexArray) -> int:
    """Return the number of points before what was appended to every FID, (..., point).

    Zeros, or one value of each FID many times over: its last point, a mean, an offset.
    """
    last = signal[..., -1:]
    if last.any() and np.any(signal[..., -2:-1] != last):  # most end so: no look at all points
        return int(signal.shape[-1])
    filled = np.flatnonzero(np.any(signal != last, axis=tuple(range(signal.ndim - 1))))
    n_points = int(filled[-1]) + 1 if filled.size else 0
    if last.any() and (n_points == 0 or signal.shape[-1] - n_points < _APPENDED):
        return int(signal.shape[-1])
    return n_points


def evenly_taken(signal: ComplexArray, enough: int) -> ComplexArray:
    """Return some FIDs of many, evenly taken, shape (fid, point).

    Parameters
    ----------
    signal : complex array, shape (..., point)
        FIDs in any order of memory: those that are not taken are not read.
    enough : int
        As many, or up to twice as many.
    """
    count = int(np.prod(signal.shape[:-1], dtype=int))
    step = max(1, count // enough)
    if step == 1:
        return signal.reshape(-1, signal.shape[-1])
    return np.asarray(signal[np.unravel_index(np.arange(0, count, step), signal.shape[:-1])])


def delay_of(signal: ComplexArray) -> float | None:
    """Return the points by which a receiver's filter delayed FIDs; `None` where none did.

    Parameters
    ----------
    signal : complex array, shape (..., point)
        FIDs of one protocol, as stored.

    Returns
    -------
    float or None
        Where the magnitude has risen to a half, between points: there a symmetric filter has let
        half of a step pass. Fewer than `_SHORTEST_DELAY` are none: those are spoilt points.
    """
    n_points = signal.shape[-1]
    fids = _finite(signal, _MANY)
    if not len(fids) or n_points < 4 * _SHORTEST_DELAY:
        return None
    power = _mean_power(fids[:, : min(n_points // 4, _LONGEST_DELAY)])
    noise = float(median(_mean_power(fids[:, max(n_points // 2, n_points - _TAIL) :])))
    spread = noise / np.sqrt(len(fids))
    height = np.sqrt(np.maximum(power - noise, 0.0))
    top = float(height.max())
    risen = int(np.argmax(height >= 0.5 * top))
    if not top**2 > 30 * spread or risen < _SHORTEST_DELAY:
        return None
    quiet = float(np.mean(power[: risen * 3 // 4])) - noise
    if quiet > (_SILENT * top) ** 2 + 3 * spread:
        return None
    below, above = float(height[risen - 1]), float(height[risen])
    return risen - (above - 0.5 * top) / (above - below)


def _finite(signal: ComplexArray, enough: int) -> ComplexArray:
    """Return those of `evenly_taken` that hold numbers alone."""
    fids = evenly_taken(signal, enough)
    return fids if is_finite(fids) else np.asarray(fids[np.isfinite(fids).all(axis=1)])


def _mean_power(fids: ComplexArray) -> FloatArray:
    return np.asarray(power_of(fids).mean(axis=0))


def spectrum_top(signal: ComplexArray) -> int | None:
    """Return where samples are largest that are a spectrum and no FID; `None` for any FID.

    Parameters
    ----------
    signal : complex array, shape (..., point)
        As stored, in either order of frequencies.

    Notes
    -----
    A spectrum is quiet at its ends; its transform is loud at once, quiet before, and fades slowly.
    An echo that was sampled from before its top, or a delayed FID, is quiet at its start as well.
    Their transform is a spectrum: a line at its start lies on both sides of it, or is gone behind.
    """
    n_points = signal.shape[-1]
    fids = _finite(signal, _ENOUGH)
    if not len(fids) or n_points < 4 * _BLOCK:
        return None
    power = _mean_power(fids)
    top = int(np.argmax(power))
    start = float(np.mean(power[: n_points // 16]))
    if top < n_points // 8 or start > _QUIET_START * power[top]:
        return None
    turned = scipy.fft.fft(fids, axis=-1)
    power = _mean_power(turned)
    block = max(n_points // 128, 4)
    for decay in (power, np.roll(power[::-1], 1)):  # by the order of frequencies
        first, second, before = (
            float(np.mean(part))
            for part in (decay[:block], decay[block : 2 * block], decay[-block:])
        )
        at_once = int(np.argmax(decay)) <= block // 4
        if at_once and first > _ONE_SIDED * before and first < _FADES * second:
            return top
    return None


def length_in_a_row(signal: ComplexArray) -> int | None:
    """Return the length of the FIDs that lie end to end in each row; `None` where it holds one.

    Parameters
    ----------
    signal : complex array, shape (..., point)
        As stored. A row of several begins anew: as loud as at its start, after it had faded.
    """
    n_points = signal.shape[-1]
    fids = _finite(signal, _ENOUGH)
    if not len(fids):
        return None
    power = _mean_power(fids)
    for count in range(n_points // _SHORTEST_ROW, 1, -1):  # two of eight begin alike too
        if n_points % count:
            continue
        parts = power.reshape(count, -1)
        starts, ends = (np.mean(part, axis=1) for part in (parts[:, :8], parts[:, -_BLOCK:]))
        alike = starts.min() > starts.max() / 4
        if alike and starts.min() > _BEGINS_ANEW * ends.max() and parts.argmax(axis=1).max() < 8:
            return int(n_points // count)
    return None


# --------------------------------------------------------------------------- shapes


@dataclass(frozen=True, slots=True)
class _Shape:
    kind: str
    rate: float

    def gain(self, n_points: int, dwell_time_s: float) -> FloatArray:
        """Return the filter, 1 at the start, shape (point,)."""
        share = np.arange(n_points) / n_points
        gain: FloatArray = _SHAPES[self.kind](share, self.rate)
        return gain

    def width_hz(self, n_points: int, dwell_time_s: float) -> float:
        """Return the broadening: of the shapes of fixed length by their half value in time."""
        length_s = n_points * dwell_time_s
        if self.kind == "exponential":
            return self.rate / (np.pi * length_s)
        if self.kind == "gaussian":
            return float(2 * np.sqrt(np.log(2.0) * self.rate) / (np.pi * length_s))
        return _OF_FIXED[self.kind] / length_s


_OF_FIXED = {"hann": 1.00, "hamming": 0.905}
"""A Hann filter over the time T broadens by 1.00 / T, a Hamming filter by 0.905 / T: their windows
of twice the length are 2.00 and 1.81 bins wide (Harris, Proc IEEE 1978;66:51-83, table 1 [R])."""

_SHAPES: dict[str, Callable[[FloatArray, float], FloatArray]] = {
    "exponential": lambda share, rate: np.exp(-rate * share),
    "gaussian": lambda share, rate: np.exp(-rate * share**2),
    "hann": lambda share, _: np.maximum(0.5 + 0.5 * np.cos(np.pi * share), 1e-6),
    "hamming": lambda share, _: 0.54 + 0.46 * np.cos(np.pi * share),
}


def _filter_of(fids: ComplexArray, dwell_time_s: float) -> _Shape | None:
    """Return the filter that the noise of the blocks speaks for, if any does."""
    blocks = _block_noise(fids)
    if blocks is None:
        return None
    heard, power, n_averaged = blocks
    size = power.size
    kinds, rates, gain = _gains(fids.shape[1] // _BLOCK, fids.shape[1])
    squares = np.maximum(gain[:, heard], 1e-60) ** 2  # (filter, block)
    # Minus the log likelihood of each filter at its best variance: of expected powers v squares,
    # v the mean of power / squares, sum(log(v squares) + power / (v squares)).
    variance = (power / squares).mean(axis=1)
    lost = n_averaged * (np.log(squares).sum(axis=1) + size * np.log(variance) + size)
    best = int(np.argmin(lost[1:])) + 1
    if lost[0] - lost[best] <= _EVIDENCE:
        return None
    return _Shape(kinds[best], rates[best])


@lru_cache(maxsize=8)
def _gains(n_blocks: int, n_points: int) -> tuple[tuple[str, ...], tuple[float, ...], FloatArray]:
    """Return kind and rate of all filters that are tried, and their gain, (filter, block).

    The first is none at all.
    """
    share = (np.arange(n_blocks) + 0.5) * _BLOCK / n_points
    kinds, rates, gain = ["none"], [0.0], [np.ones(n_blocks)]
    for kind, shape in _SHAPES.items():
        for rate in np.zeros(1) if kind in _OF_FIXED else _RATES:
            kinds.append(kind)
            rates.append(float(rate))
            gain.append(shape(share, rate))
    return tuple(kinds), tuple(rates), np.stack(gain)


def _block_noise(fids: ComplexArray) -> tuple[BoolArray, FloatArray, int] | None:
    """Return which blocks are heard, their noise power, and how many values it averages.

    `None` where the noise of the late blocks is no more than the rounding of their samples.
    """
    n_blocks = fids.shape[1] // _BLOCK
    blocks = fids[:, : n_blocks * _BLOCK].reshape(len(fids), n_blocks, _BLOCK)
    position = (np.arange(_BLOCK) + 0.5) / _BLOCK
    taper = 0.36 - 0.49 * np.cos(2 * np.pi * position) + 0.14 * np.cos(4 * np.pi * position)
    spectra = scipy.fft.fft(blocks * (taper / np.sqrt(np.sum(taper**2))), axis=-1)
    power = power_of(spectra)
    n_early = max(n_blocks // 6, 1)
    early = power[:, :n_early].mean(axis=(0, 1))
    quiet = np.flatnonzero(early <= _QUIET * np.partition(early, _BLOCK // 5)[_BLOCK // 5])
    # a few transients spoilt by a spike do not matter
    level = median(power[:, :, quiet].mean(axis=2).T)
    eps = float(np.finfo(fids.real.dtype).eps)
    largest = np.abs(blocks).max(axis=(0, 2))
    heard = level > (_ROUNDING * eps * largest) ** 2
    heard &= level * _OUTSHONE > median(power.max(axis=2).T)
    heard[:n_early] = False  # their own noise chose the bins
    if np.count_nonzero(heard) < 4:
        return None
    n_averaged = max(int(quiet.size * len(fids) / 2), 1)  # the taper ties neighbouring bins
    return heard, level[heard], n_averaged
