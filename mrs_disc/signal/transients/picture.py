"""The transients before and after alignment as two small grey pictures, for the eye alone.

Each row is the spectrum of a transient around the strongest line of their average; both pictures
share one phase and one scale. Nothing is computed from them.

===========  ==========================  ======================
symbol       name                        shape, unit
===========  ==========================  ======================
exp(-iwt)    ``kernel``                  (column, point)
Re(S)        ``real``                    (2, row, column)
===========  ==========================  ======================
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mrs_disc.signal.axes import exponentials
from mrs_disc.typing import ComplexArray, FloatArray

MOST_ROWS, COLUMNS = 64, 72
_BROADENING_HZ = 3.0
_DEEPEST = -0.4
"""Of the highest point: what lies below is black."""


def before_and_after(
    before: ComplexArray,
    after: ComplexArray,
    time_s: FloatArray,
    search_hz: tuple[float, float],
    half_hz: float,
) -> tuple[NDArray[np.uint8], float]:
    """Return the pictures of transients before and after alignment.

    Parameters
    ----------
    before, after : complex arrays, shape (transient, point)
        In the same order.
    time_s : float array, shape (point,)
        Of each point.
    search_hz : tuple of float
        Between which the strongest line is looked for.
    half_hz : float
        How far on both sides of it is shown.

    Returns
    -------
    picture : uint8 array, shape (2, row, column)
        Before and after; at most `MOST_ROWS` transients, evenly taken; the highest frequency at
        the left, as spectra are drawn.
    centre_hz : float
        Frequency of the strongest line, in the middle.
    """
    weight = np.exp(-np.pi * _BROADENING_HZ * time_s)
    centre = _strongest_hz(np.nan_to_num(after.mean(axis=0)) * weight, time_s, search_hz)
    rows = np.unique(np.linspace(0, len(before) - 1, min(MOST_ROWS, len(before))).round())
    chosen = rows.astype(int)
    frequency = np.linspace(centre + half_hz, centre - half_hz, COLUMNS)
    first, dwell = _sampling(time_s)
    # exp(iwt) times the weight. In single precision: a grey level is a 255th of the whole.
    rate = (2j * np.pi * frequency - np.pi * _BROADENING_HZ) * dwell
    start = (2j * np.pi * frequency - np.pi * _BROADENING_HZ) * first
    shown = np.empty((2, chosen.size, time_s.size), dtype=np.complex64)
    for row, transient in enumerate(chosen):  # one by one: a selection would be a copy
        shown[0, row], shown[1, row] = before[transient], after[transient]
    shown[~np.isfinite(shown).all(axis=2)] = 0
    mean = _heights(shown[1].mean(axis=0, dtype=np.complex128) * weight, frequency, time_s)
    strongest = mean[int(np.argmax(np.abs(mean)))]
    start += 1j * np.angle(strongest)
    kernel = exponentials(rate, time_s.size, start, dtype=np.complex64)
    # The real part alone, one real product: that of a and b is the dot product of a and conj(b).
    real = shown.view(np.float32) @ kernel.view(np.float32).T
    highest = float(np.quantile(real, 0.995))
    if highest <= 0:
        return np.zeros(real.shape, dtype=np.uint8), centre
    scaled = (np.clip(real / highest, _DEEPEST, 1) - _DEEPEST) / (1 - _DEEPEST)
    return np.asarray(np.rint(255 * scaled), dtype=np.uint8), centre


def _strongest_hz(fid: ComplexArray, time_s: FloatArray, search_hz: tuple[float, float]) -> float:
    frequency = np.arange(search_hz[0], search_hz[1], _BROADENING_HZ / 2)
    return float(frequency[int(np.argmax(np.abs(_heights(fid, frequency, time_s))))])


def _heights(fid: ComplexArray, frequency_hz: FloatArray, time_s: FloatArray) -> ComplexArray:
    """Return the spectrum of an FID at evenly spaced frequencies, two or more."""
    # Point k = block * n_fine + j: the sum over j is one matrix product for all blocks.
    first, dwell = _sampling(time_s)
    n_fine = max(int(np.sqrt(fid.size)), 1)
    n_blocks = -(-fid.size // n_fine)
    turn, step = -2j * np.pi * frequency_hz[0], -2j * np.pi * (frequency_hz[1] - frequency_hz[0])
    late, within = first + dwell * n_fine * np.arange(n_blocks), dwell * np.arange(n_fine)
    coarse, fine = (exponentials(step * t, frequency_hz.size, turn * t) for t in (late, within))
    blocks = np.zeros(n_blocks * n_fine, dtype=np.complex128)
    blocks[: fid.size] = fid
    partial = blocks.reshape(n_blocks, n_fine) @ fine
    return np.asarray(np.sum(coarse * partial, axis=0))


def _sampling(time_s: FloatArray) -> tuple[float, float]:
    """Return the time of the first point and the dwell time."""
    return float(time_s[0]), float(time_s[-1] - time_s[0]) / max(time_s.size - 1, 1)
