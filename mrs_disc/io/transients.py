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

_HOLES, _EARLY = 0.2, 4
"""Share of zeros in the first fourth of the signal from which it has holes [proposed]."""


def sound(scan: Scan) -> Scan:
    """Return the scan without silent transients and copies of others, which is noted."""
    if scan.n_transients < 2:
        return scan
    silent: BoolArray = ~np.any(scan.signal, axis=(0, 2))
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
        start = seen.setdefault(signal[:, i, :8].tobytes(), [])
        copies[i] = any(np.array_equal(signal[:, i], signal[:, k]) for k in start)
        start.append(i)
    return copies


def holes(signal: ComplexArray) -> float | None:
    """Return the share of zeros between the samples where a signal is strongest, if it has holes.

    Zeros before the first sample are a delay, those behind the last were appended.
    """
    there: BoolArray = np.any(signal, axis=(0, 1))
    places = np.flatnonzero(there)
    if places.size < 2:
        return None
    length = max(16, (int(places[-1]) - int(places[0]) + 1) // _EARLY)
    share = 1.0 - float(there[places[0] : places[0] + length].mean())
    return share if share > _HOLES else None
