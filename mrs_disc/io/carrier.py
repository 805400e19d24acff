"""The water reference in the frame of its metabolites: two files may have carriers of their own.

Between two scans a scanner adjusts its frequency; each file then counts from its own carrier, and
the same water stands at another frequency in it. Eddy-current phase and reference would take that
for a shift of the metabolites. The difference is what the headers say: of `spectrometer_mhz`, and
of the ppm that lies on the carrier.

Decision: the header alone does not decide, for two reasons. A scanner that follows a drift of the
field sets its carrier on the water each time: the frequencies differ, and nothing has to be moved.
And formats round in their own ways: four decimals of MHz are 100 Hz. The water has to go with the
residual water of the metabolites, or with the place of water on their axis where noise hides it.
Files of one format are believed unless the shift takes it away from there, files of two formats
only where it brings it nearer.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mrs_disc.constants import WATER_PPM
from mrs_disc.io.formats.scan import Scan, read_only
from mrs_disc.io.gate import offset_power
from mrs_disc.record.findings import Finding, finding
from mrs_disc.signal.axes import time_axis
from mrs_disc.typing import ComplexArray

SAME_HZ = 0.05
"""Carriers nearer than this are one: headers hold the frequency to 1 Hz, some to their last bit."""
_AGREE = 0.1
"""Two ways of saying one difference agree within this share of it."""
_MARGIN_HZ = 3.0
"""How well two lines of water are placed against each other [proposed]: the residue of a
suppressed line has its highest point some hertz off."""
_WINDOW_S = 0.1
_SEARCH_PPM = 0.5
"""Up to where the residual water is looked for: from 3.9 ppm on lie lines of metabolites."""
_CLEAR = 30.0
"""Power over the noise from which the residual water can be placed."""


def in_frame_of(scan: Scan, water: Scan) -> Scan:
    """Return the water reference as if it were measured on the carrier of `scan`, the change noted.

    Parameters
    ----------
    scan, water : Scan
        Metabolites and reference, both with the frequency that their own file states.
    """
    mhz, other_mhz = scan.spectrometer_mhz, water.spectrometer_mhz
    if not mhz or not other_mhz or not scan.dwell_time_s:
        return water
    same = replace(water, spectrometer_mhz=mhz, reference_ppm=scan.reference_ppm)
    shift_hz = _declared_hz(scan, water)
    if abs(shift_hz) < SAME_HZ:
        return same if shift_hz else water
    time = time_axis(water.n_points, scan.dwell_time_s)
    ramp = np.exp(2j * np.pi * shift_hz * time)
    moved = replace(same, signal=read_only(water.signal * ramp.astype(np.complex64)))
    if not _believed(scan, same, moved):
        return same.noted(finding("carrier_doubted", hz=shift_hz))
    return moved.noted(finding("carrier_moved", hz=shift_hz))


_SEEN_ALIKE, _SEEN_OTHERWISE, _SEEN_SURELY = 0.9, 0.8, 0.97
"""Overlap of the coils' weights for water and metabolites, and of two halves of the metabolites
[proposed]. Of one voxel, real files: 0.978 to 1, halves 0.998 to 1."""


def seen_alike(scan: Scan, water: Scan) -> tuple[Scan, Finding | None]:
    """Return the water reference, turned over where it was mirrored, and why it cannot be used.

    A water line alone does not tell how it lies. But coils see water and metabolites of a voxel
    with the same weights, and conjugating a file conjugates these too: weights from such a
    reference, or from one of other coils, would add the coils against each other.
    """
    if scan.n_coils < 2 or water.n_coils != scan.n_coils or scan.n_transients < 2:
        return water, None
    metabolites, of_water = _ends(scan.signal), _ends(water.signal)
    if metabolites is None or of_water is None:
        return water, None
    halves = [_power_in_coils(*(part[:, k::2] for part in metabolites)) for k in (0, 1)]
    one, other, mine = (_strongest(power) for power in (*halves, halves[0] + halves[1]))
    its = _strongest(_power_in_coils(*of_water))
    if abs(np.vdot(one, other)) < _SEEN_SURELY:
        return water, None  # too weak to tell
    as_it_is, turned = float(abs(np.vdot(its, mine))), float(abs(its @ mine))
    if as_it_is >= _SEEN_OTHERWISE:
        return water, None
    if turned > _SEEN_ALIKE:
        return water.turned_over().noted(finding("water_mirrored")), None
    return water, finding("coils_see_otherwise", overlap=as_it_is)


def _ends(signal: ComplexArray) -> tuple[ComplexArray, ComplexArray] | None:
    """Return the first and the last samples of a signal; `None` where there is none."""
    end = signal.shape[-1]
    if not signal[..., -1].any():  # zeros were appended
        filled = np.flatnonzero(np.any(signal, axis=(0, 1)))
        end = int(filled[-1]) + 1 if filled.size else 0
    length = min(64, end // 4)
    if length < 1:
        return None
    first, last = signal[..., :length], signal[..., end - length : end]
    return (first, last) if np.isfinite(first).all() and np.isfinite(last).all() else None


def _power_in_coils(first: ComplexArray, last: ComplexArray) -> ComplexArray:
    """Return the products of the coils' signals, from `_ends`.

    What the end of the FID holds as well is noise, which no coil has as much of as another.
    """
    first, last = (one.reshape(len(one), -1).astype(np.complex128) for one in (first, last))
    power: ComplexArray = first @ first.conj().T - last @ last.conj().T
    return power


def _strongest(power: ComplexArray) -> ComplexArray:
    """Return how coils see the strongest signal, of unit length."""
    found: ComplexArray = np.linalg.eigh(power)[1][:, -1]
    return found


def _declared_hz(scan: Scan, water: Scan) -> float:
    """Return how far the carrier of the water lies above that of the metabolites, Hz."""
    mhz, other_mhz = scan.spectrometer_mhz or 0.0, water.spectrometer_mhz or 0.0
    by_frequency = (other_mhz - mhz) * 1e6
    by_ppm = (water.reference_ppm - scan.reference_ppm) * mhz
    if by_ppm and abs(by_frequency - by_ppm) < _AGREE * abs(by_ppm):
        return by_frequency  # one difference, said in two ways
    return by_frequency + by_ppm


def _believed(scan: Scan, before: Scan, after: Scan) -> bool:
    """Say whether the place of the metabolites' water speaks for the shift, or not against it."""
    target = _water_hz(scan, _SEARCH_PPM)
    if target is None:
        target = (WATER_PPM - scan.reference_ppm) * (scan.spectrometer_mhz or 0.0)
    here, there = (_water_hz(one, 2 * _SEARCH_PPM) for one in (before, after))
    one_format = scan.format == before.format
    if here is None or there is None:
        return one_format
    nearer_hz = abs(here - target) - abs(there - target)
    return nearer_hz > (-_MARGIN_HZ if one_format else _MARGIN_HZ)


def _water_hz(scan: Scan, reach_ppm: float) -> float | None:
    """Return where the highest line about the water lies from the carrier, Hz; `None` for none."""
    found = offset_power(scan, _WINDOW_S)
    if found is None:
        return None
    offset, power, floor = found
    order = np.argsort(offset)
    offset, power = offset[order], power[order]
    near = np.flatnonzero(np.abs(offset + scan.reference_ppm - WATER_PPM) < reach_ppm)
    if near.size < 3 or not power[near].max() > _CLEAR * floor:
        return None
    top = int(near[np.argmax(power[near])])
    if top in (near[0], near[-1]):
        return None  # the foot of a line beyond
    left, mid, right = np.log(np.maximum(power[top - 1 : top + 2], 1e-300))
    bend = left - 2 * mid + right
    beside = 0.5 * (left - right) / bend if bend < 0 else 0.0
    step = offset[1] - offset[0]
    return float((offset[top] + beside * step) * (scan.spectrometer_mhz or 0.0))
