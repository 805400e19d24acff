"""The noise of a measurement as its mark: no two measurements have the same.

A file may be copied, converted, scaled, phased, turned over, cut, zero-filled or averaged; its
bytes differ then, its noise does not. Two discs have lines alike, so the lines are left out: what
is compared are the phases of the outer fifth of the spectrum, far from all of them. A disturbance
of one frequency is one of some hundred bins and counts for no more.

Of independent noise, the agreement of two marks exceeds `SAME` with a probability below 1e-14
(a window of sine squared leaves some 50 independent bins, ``exp(-0.64 x 50)``).
"""

from __future__ import annotations

import numpy as np
import scipy.fft

from mrs_disc.signal.noise import median
from mrs_disc.typing import ComplexArray

SAME = 0.8
"""Agreement from which two marks are of one measurement: that of one is 1, of others near 0.1."""
_POINTS = 512
_OUTER = 0.4
"""Share of the sampling frequency beyond which bins count, from the carrier to either side."""
_COILS, _TRANSIENTS = 8, 64
_NO_NOISE = 3e-5
"""Share of the highest bin below which the outer ones hold rounding or leakage."""


def noise_print(signal: ComplexArray) -> ComplexArray | None:
    """Return the marks of a measurement: of each coil's average, and of the strongest's transients.

    Parameters
    ----------
    signal : complex array, shape (coil, transient, point), (transient, point) or (point,)
        As read.

    Returns
    -------
    complex64 array, shape (mark, bin), or None
        Phasors; `None` where the FID is too short, or holds no noise.
    """
    raw = np.asarray(signal)
    raw = raw.reshape((1,) * (3 - raw.ndim) + raw.shape)
    if raw.shape[-1] < _POINTS:
        return None
    start = raw[..., :_POINTS]
    with np.errstate(all="ignore"):
        mean = start.mean(axis=1, dtype=np.complex128)
        size = np.linalg.norm(mean, axis=1)
        strongest = np.argsort(-size, kind="stable")[:_COILS]
        fids = np.concatenate([mean[strongest], start[strongest[0], :_TRANSIENTS]])
        window = np.sin(np.pi * (np.arange(_POINTS) + 0.5) / _POINTS) ** 2
        spectrum = scipy.fft.fft(fids * window)
        first = int(_OUTER * _POINTS) + 1
        outer = spectrum[:, first : 1 - first]
        size = np.abs(outer)
        kept = median(size) > _NO_NOISE * np.abs(spectrum).max(axis=1)  # also no NaN
        if not kept.any():
            return None
        marks: ComplexArray = (outer / size)[kept].astype(np.complex64)
    return marks[np.isfinite(marks).all(axis=1)]


def same_noise(one: ComplexArray | None, other: ComplexArray | None) -> bool:
    """Say whether two measurements share their noise, as they are or mirrored."""
    if one is None or other is None or not one.size or not other.size:
        return False
    # conjugating an FID exchanges the two sides of its spectrum
    mirrored = np.conj(other[:, ::-1])
    agree = (np.abs(one.conj() @ marks.T).max() for marks in (other, mirrored))
    return bool(max(agree) > SAME * one.shape[1])
