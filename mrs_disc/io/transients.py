"""Transients that a file holds for nothing: silent ones, and copies of others.

Both are no measurement. A silent one was never filled, or lost on the way; a copy (one DICOM object
under two names, a buffer that was written twice) would count twice.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mrs_disc.io.formats.scan import Scan, read_only
from mrs_disc.record.findings import Finding, finding
from mrs_disc.typing import BoolArray, ComplexArray

_BEGINNING = 8
"""Samples by which transients are told apart at first."""
_HOLES, _EARLY = 0.2, 4
"""Share of zeros in the first fourth of the signal from which it has holes [proposed]."""
_FEW, _OF_COILS, _OF_TRANSIENTS, _LOUD = 4, 0.3, 0.1, 3.0
"""Transients from which their strengths are compared; spread of those of coils, at least, and of
those of transients, at most; signal over noise from which it is believed [proposed]."""


def sound(scan: Scan) -> Scan:
    """Return the scan without silent transients and copies of others, which is noted."""
    if scan.n_transients < 2:
        return scan
    silent: BoolArray = ~np.any(scan.signal[..., :_BEGINNING], axis=(0, 2))
    if silent.any():
        silent = ~np.any(scan.signal, axis=(0, 2))
    copies = _copies(scan.signal) & ~silent
    noticed: list[Finding] = []
    for kind, mask in (("transients_silent", silent), ("transients_repeated", copies)):
        if mask.any():
            noticed.append(finding(kind, n=int(mask.sum()), of=scan.n_transients))
    if not noticed:
        return scan
    kept = scan.signal[:, ~(silent | copies)]
    return replace(scan, signal=read_only(kept)).noted(*noticed)


def _copies(signal: ComplexArray) -> BoolArray:
    """Return which transients hold the samples of one before them."""
    copies = np.zeros(signal.shape[1], dtype=bool)
    seen: dict[bytes, list[int]] = {}
    for i in range(signal.shape[1]):
        start = seen.setdefault(signal[:, i, :_BEGINNING].tobytes(), [])
        copies[i] = any(np.array_equal(signal[:, i], signal[:, k]) for k in start)
        start.append(i)
    return copies


def like_coils(signal: ComplexArray) -> float | None:
    """Return the spread of the transients' strengths where it is that of coils; else `None`.

    Transients of one voxel are alike in strength, but for a few; coils differ by their distance
    from it. Where the other axis has no such spread, the two were exchanged.
    """
    if signal.shape[1] < _FEW:
        return None
    spread = _spread(signal)
    if spread is None or spread < _OF_COILS:
        return None
    other = _spread(signal.swapaxes(0, 1)) if len(signal) >= _FEW else None
    return spread if len(signal) == 1 or (other is not None and other < _OF_TRANSIENTS) else None


def _spread(signal: ComplexArray) -> float | None:
    """Return the middle half's range of the transients' strengths over their median.

    `None` where noise may have made it.
    """
    end = signal.shape[-1]
    if not signal[..., -1].any():  # zeros were appended
        filled = np.flatnonzero(np.any(signal, axis=(0, 1)))
        end = int(filled[-1]) + 1 if filled.size else 0
    n = min(32, end // 8)
    if n < 4:
        return None
    with np.errstate(all="ignore"):
        first, last = (
            np.sum(np.abs(signal[..., part].astype(np.complex128)) ** 2, axis=(0, 2))
            for part in (slice(0, n), slice(end - n, end))
        )
        strength = np.sqrt(np.maximum(first - last, 0.0))
        low, middle, high = np.quantile(strength, (0.25, 0.5, 0.75))
        if not middle > _LOUD * np.sqrt(np.median(last)):
            return None
        return float((high - low) / middle)


def holes(signal: ComplexArray) -> float | None:
    """Return the share of zeros between the samples where a signal is strongest, if it has holes.

    Zeros before the first sample are a delay, those behind the last were appended.
    """
    if signal[0, 0].all():
        return None
    there: BoolArray = np.any(signal, axis=(0, 1))
    places = np.flatnonzero(there)
    if places.size < 2:
        return None
    length = max(16, (int(places[-1]) - int(places[0]) + 1) // _EARLY)
    share = 1.0 - float(there[places[0] : places[0] + length].mean())
    return share if share > _HOLES else None


_BEHIND, _STANDS_OUT, _OF_START = 64, 5.0, 0.8
"""Points before the last ones that tell the noise; size of what wrapped around over it, and over
the first point, at least [proposed]. What a receiver's filter builds up, where its delay was taken
off in a circle, is weaker than the first point, and does no harm."""


def wrapped(signal: ComplexArray) -> int:
    """Return how many last points are the signal's start, shifted in a circle; 0 for none.

    A first-order phase on a spectrum does that to its FID.
    """
    n_points = signal.shape[-1]
    if n_points < 4 * _BEHIND:
        return 0
    looked_at = signal[..., :1], signal[..., n_points - _BEHIND - _BEHIND // 2 :]
    with np.errstate(all="ignore"):
        mean = np.concatenate([s.mean(axis=1, dtype=np.complex128) for s in looked_at], axis=-1)
        size = np.sqrt(np.mean(np.abs(mean) ** 2, axis=0))
    for n in range(1, _BEHIND // 2):
        if size[-n - 1] > _STANDS_OUT * np.median(size[-n - _BEHIND : -n - 1]):
            continue  # one more belongs to them
        last, noise = size[-n:], np.median(size[-n - _BEHIND : -n])
        found = last.min() > _STANDS_OUT * noise and last.max() > _OF_START * size[0]
        return n if found else 0
    return 0
