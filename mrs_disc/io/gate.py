"""The plausibility gate behind every reader: what forbids analysis, and what only has to be said.

Nothing here trusts a header. Whether a spectrum is one of unsuppressed water, and whether it lies
mirrored about its carrier, is judged on the samples: under a sine-squared window over the first
50 to 80 ms the tails of the water line fall off fast, so that the region of the metabolites can be
compared with its mirror image and with the water.

These two are heuristics, as no header says either reliably: `WaterSuppressed` is absent from most
files and false in some, and the sign of the axis is a convention that exports have got wrong. Their
limits lie between what the real files at hand show on both sides; what lies between two limits is
not decided here. A file of another kind of tissue or sequence may meet them otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias
from weakref import WeakKeyDictionary

import numpy as np

from mrs_disc.constants import WATER_PPM
from mrs_disc.data.places import OTHER_SCANNER
from mrs_disc.io.formats.scan import Scan, other_voxel
from mrs_disc.io.transients import holes, like_coils, wrapped
from mrs_disc.record.findings import Finding, finding, unread
from mrs_disc.signal.stored import evenly_taken, length_in_a_row, spectrum_top
from mrs_disc.typing import ComplexArray, FloatArray

MIN_POINTS = 256
DWELL_TIME_S = (50e-6, 2e-3)
SPECTROMETER_MHZ = (10.0, 1000.0)
WATER_RATIO = 60.0
"""Height of the water against the highest peak of 1.9 to 3.5 ppm, above which a spectrum counts as
not suppressed, unless metabolites stand beside the water. Real files: suppressed 0.1 to 90 in
tissue, 60 to 190 in phantoms; unsuppressed 330 to 5,000."""
WEAKLY_SUPPRESSED, HARDLY_SUPPRESSED = 300.0, 600.0
"""The same height where metabolites do stand beside the water: below the first it was suppressed,
if weakly; from there to the second the samples alone do not tell, as simulated discs without any
suppression lie at 300 to 600."""
STANDS_OUT = {WEAKLY_SUPPRESSED: 1.8, HARDLY_SUPPRESSED: 3.0}
"""Height of the highest peak on one side of the water over that at the same distances on the other,
from which it is no tail of the water, up to either of these ratios. Real files: weakly suppressed
2.2 to 70; unsuppressed of a ratio of 300 to 600 below 2.1."""
NO_WATER_RATIO = 10.0
"""Below this a spectrum is not one of water, unless it is far stronger than the other file's."""
MIRROR_RATIO = 9.0
"""Power on the wrong side over that on the right one, sum and peak. Real files: below 3.5."""
_FARTHEST_PPM, _NEAREST_PPM = 3.9, 2.75
"""Offsets from water that are looked at, and that the spectral width has to hold."""
_OFF_PPM = 1.0
"""How far a line of water may lie from its place: the field was off, or the carrier was set so."""
ALTERNATES = 1.5
"""Amplitude of every second transient over that of the others, from which a scheme of adding and
subtracting is meant. Real series of four and more transients: below 1.2."""
PEAK = (1e-15, 1e15)
"""Largest sample: beyond, squares and sums leave single precision. Real files: 1e-9 to 1e10."""
_MAX_FIDS = 512
_BLOCK = 1 << 16  # samples that stay in the processor's cache for both looks at them
_CLIP_POINTS, _CLIP_ROW = 256, 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """What the gate found; what `forbids` an analysis stops it."""

    forbids: tuple[Finding, ...] = ()
    mirrored: bool = False
    is_water: bool | None = None

    @property
    def first(self) -> Finding | None:
        """The first reason not to analyse."""
        return self.forbids[0] if self.forbids else None


def check_samples(path: Path, signal: ComplexArray, what: str = "samples") -> None:
    """Refuse samples that hold no signal.

    Raises
    ------
    ReadError
        If a sample is not finite, all are zero, or the largest is of no measured size.
    """
    flat = np.ravel(signal, order="K")  # no copy, whatever the order of the axes in memory
    peak = 0.0
    for start in range(0, flat.size, _BLOCK):
        block = flat[start : start + _BLOCK].view(np.float32)
        low, high = float(block.min()), float(block.max())  # NaN spreads through both
        if not (np.isfinite(low) and np.isfinite(high)):
            bad = int(np.count_nonzero(~np.isfinite(signal)))
            raise unread(path, finding("not_numbers", n=bad, of=signal.size, what=what))
        peak = max(peak, -low, high)
    if flat.size == 0 or peak == 0.0:
        raise unread(path, finding("all_zero", what=what))
    if not PEAK[0] <= peak <= PEAK[1]:
        low, high = PEAK
        size = {"peak": peak, "low": low, "high": high}
        raise unread(path, finding("size_implausible", of=signal.size, what=what, **size))


def examine(scan: Scan) -> Examined:
    """Judge a scan; what the user may still add (frequency, echo time) is not judged here."""
    scan = scan.from_echo()
    dwell_time_s, mhz = scan.dwell_time_s, scan.spectrometer_mhz
    sizes = {tag: n for tag, n in scan.extra_axes.items() if tag != "DIM_EDIT"}
    forbids: list[Finding] = []
    if scan.nucleus not in (None, "1H"):
        forbids.append(finding("other_nucleus", nucleus=scan.nucleus))
    if scan.n_voxels > 1:
        forbids.append(finding("many_voxels", n=scan.n_voxels))
    if "DIM_EDIT" in scan.extra_axes or scan.sequence == "edited":
        forbids.append(finding("edited"))
    if sizes:
        forbids.append(finding("more_dimensions", sizes=sizes))
    if scan.varying:
        forbids.append(finding("varies", keys=list(scan.varying)))
    is_water = _verdict(scan)
    if not _has_imaginary(scan.signal) or (is_water is False and _is_real(scan)):
        forbids.append(finding("not_complex"))
    if (length := length_in_a_row(scan.signal)) is not None:
        forbids.append(finding("fids_in_a_row", n=scan.n_points // length, points=length))
    if (top := spectrum_top(scan.signal)) is not None:
        forbids.append(finding("holds_spectrum", at=top + 1, of=scan.n_points))
        is_water = None
    if (share := holes(scan.signal)) is not None:
        forbids.append(finding("holes", share=share))
    if top is None and length is None and (n := wrapped(scan.signal)):
        forbids.append(finding("wrapped", n=n))
    if scan.n_coils > 1 and (spread := like_coils(scan.signal)) is not None:
        forbids.append(finding("axes_exchanged", spread=spread))
    if "subtracted" in scan.processed:
        forbids.append(finding("subtracted"))
    if (ratio := alternation(scan)) is not None:
        forbids.append(finding("alternates", ratio=ratio))
    if scan.n_points < MIN_POINTS:
        forbids.append(finding("too_few_points", n=scan.n_points, least=MIN_POINTS))
    low, high = DWELL_TIME_S
    if dwell_time_s is not None and not low * 0.99 <= dwell_time_s <= high * 1.01:
        forbids.append(
            finding("dwell_time_implausible", dwell_time_s=dwell_time_s, low=low, high=high)
        )
    low, high = SPECTROMETER_MHZ
    if mhz is not None and not low < mhz < high:
        forbids.append(finding("frequency_implausible", spectrometer_mhz=mhz, low=low, high=high))
    return Examined(
        forbids=tuple(forbids),
        mirrored=top is None and not is_water and _is_mirrored(scan),
        is_water=is_water,
    )


def _verdict(scan: Scan) -> bool | None:
    """Return whether a spectrum is of unsuppressed water; `None` where that cannot be told."""
    found = water_ratio(scan)
    if found is None:
        return None
    ratio, at_least = found
    if ratio < WATER_RATIO:
        return False if ratio < NO_WATER_RATIO and not at_least else None
    for most, stands_out in STANDS_OUT.items():
        if ratio < most and _beside_water(scan) > stands_out:
            return False if most == WEAKLY_SUPPRESSED else None
    return True


def is_suppressed(scan: Scan) -> bool:
    """Say whether lines beside the water are too high for unsuppressed water.

    That counts for a reference that is no stronger than its metabolites: dcm2niix calls every
    second frame one. By the file alone such a spectrum may be of either kind.
    """
    found = water_ratio(scan)
    return found is not None and found[0] < WATER_RATIO and not found[1]


def is_clipped(signal: ComplexArray) -> bool:
    """Say whether the receiver was overdriven: several points in a row stand at a coil's limit.

    Parameters
    ----------
    signal : complex array, shape (coil, transient, point)
        As stored; once coils or transients were added up, clipping can no longer be seen.
    """
    early = signal[..., :_CLIP_POINTS]
    for part in (early.real, early.imag):
        size = np.abs(part)
        peak = size.max(axis=(1, 2), keepdims=True)
        in_row = (size >= peak * np.float32(1 - 1e-6)) & (peak > 0)
        for _ in range(_CLIP_ROW - 1):
            in_row = in_row[..., :-1] & in_row[..., 1:]
        if in_row.any():
            return True
    return False


def _has_imaginary(signal: ComplexArray) -> bool:
    """Say whether any sample has an imaginary part: mostly the first points tell."""
    return bool(signal[..., :8].imag.any() or signal.imag.any())


def _is_real(scan: Scan) -> bool:
    """Say whether every FID lies on one line through zero, as a real signal times a phase does.

    Noise fills the plane. Only metabolites are asked: water alone lies so where it is on resonance
    and without noise, as in simulated references. A lost part leaves rounding alone, 1e-13.
    """
    fids = evenly_taken(scan.signal, 16).astype(np.complex128)
    fids /= max(float(np.abs(fids).max()), 1e-300)
    energy = float(np.sum(np.abs(fids) ** 2))
    return bool(np.abs(np.sum(fids**2, axis=1)).sum() > (1 - 1e-6) * energy)


def alternation(scan: Scan) -> float | None:
    """Return how much stronger transients are by turns; `None` where they are not.

    The turns have a period of 2 (as + -), 4 (+ + - -), 8 or 16. Every transient of one kind is
    stronger than every one of the other, but for a tenth that may be spoilt, by as much as counts
    and by more than those of one kind differ: drift and spoilt transients pass for no scheme.
    """
    if scan.n_transients < 4:
        return None
    from mrs_disc.signal.water_scan import early_amplitude

    for size in (early_amplitude(scan.signal), _common_amplitude(scan)):
        if not size.max() > ALTERNATES * size.min():  # then no two kinds are that far apart
            continue
        for period in (2, 4, 8, 16):
            if 2 * period <= scan.n_transients and (ratio := _by_turns(size, period)) is not None:
                return ratio
    return None


def _by_turns(size: FloatArray, period: int) -> float | None:
    """Return how much stronger half of the places of a period are than the other half."""
    if not size.min() > 0:
        return None
    place = np.arange(size.size) % period
    means = np.bincount(place, size) / np.bincount(place)
    strong_places = np.zeros(period, dtype=bool)
    strong_places[np.argsort(means)[period // 2 :]] = True
    is_strong = strong_places[place]
    weak, strong = size[~is_strong], size[is_strong]
    (weakest, weak_most), (strong_least, strongest) = _range(weak), _range(strong)
    apart = strong_least / weak_most
    spread = max(weak_most / weakest, strongest / strong_least)
    return float(strong.mean() / weak.mean()) if apart > max(ALTERNATES, spread) else None


def _range(size: FloatArray) -> tuple[float, float]:
    """Return the least and the largest, of many without the tenth that may be spoilt."""
    ranked, spoilt = np.sort(size), size.size // 10
    return float(ranked[spoilt]), float(ranked[ranked.size - 1 - spoilt])


def _common_amplitude(scan: Scan) -> FloatArray:
    """Return the share of each transient's start in what all of them have in common.

    Of weak transients the start alone is noise; what they have in common stands out of it.
    """
    n_points = min(scan.n_points, 256)
    start = np.moveaxis(scan.signal[..., :n_points], 0, 1)
    # In single precision, as stored: what alternates differs by half.
    start = np.array(start, dtype=np.complex64, order="C").reshape(scan.n_transients, -1)
    real = start.view(np.float32)
    finite = np.isfinite(real).all(axis=1)
    real[~finite] = 0
    real /= max(float(real.max()), -float(real.min()), 1e-30)
    common = start[int(np.argmax(np.einsum("ij,ij->i", real, real)))]
    for _ in range(4):
        weights = start @ np.conj(common)
        weights /= max(float(np.linalg.norm(weights)), 1e-30)
        common = np.conj(weights) @ start
    amplitude: FloatArray = np.abs(start @ np.conj(common)) / max(np.linalg.norm(common), 1e-30)
    return amplitude


def missing(scan: Scan) -> list[Finding]:
    """Return what neither the file nor the user has said but an analysis needs."""
    found: list[Finding] = []
    for name in ("echo_time_s", "spectrometer_mhz", "dwell_time_s"):
        if getattr(scan, name) is None:
            said = ("no_time", "time_implausible", "said_twice")
            wrong = [f for f in scan.findings if f.kind in said and f.subject == name]
            instead = {"instead": wrong[0]} if wrong else {}
            found.append(finding("stated_wrong" if wrong else "not_stated", name, **instead))
    return found


def echo_time_asked(scan: Scan) -> list[Finding]:
    """Return what asks the user for the echo time, since that of the file may be a part of it."""
    doubt = scan.echo_time_doubt
    if doubt == "short_semi_laser" and scan.echo_time_s is not None:
        return [finding(doubt, "echo_time_s", ms=scan.echo_time_s * 1e3)]
    if doubt == "first_part":
        kinds = ("echo_in_parts", "echo_in_known_parts")
        return [one for one in scan.findings if one.kind in kinds]
    return []


def false_pair(scan: Scan, water: Scan) -> Finding | None:
    """Return why a water reference belongs to another measurement, or `None`.

    Digests are compared, never shown; what one of the files does not say is no difference.
    """
    a, b = scan.identity, water.identity
    if a.subject and b.subject and a.subject != b.subject:
        return finding("other_subject")
    if a.date and b.date and a.date != b.date and not (a.exam and a.exam == b.exam):
        return finding("other_day")
    if scan.manufacturer and water.manufacturer and scan.manufacturer != water.manufacturer:
        return finding("other_maker", came=water.manufacturer, wanted=scan.manufacturer)
    if scan.scanner and water.scanner and scan.scanner != water.scanner:
        return finding("other_model", came=water.scanner, wanted=scan.scanner)
    if a.device and b.device and a.device != b.device:
        return finding("other_device")
    f, g = scan.spectrometer_mhz, water.spectrometer_mhz
    if f and g and abs(f - g) > OTHER_SCANNER * f:
        return finding("other_frequency", came=g, wanted=f)
    if np.array_equal(scan.signal, water.signal):
        # Where much water is left, the spectrum itself would pass for one of water.
        return finding("same_samples")
    return other_voxel(scan, water)


# --------------------------------------------------------------------------- spectrum


def _combined(scan: Scan, n_points: int) -> ComplexArray:
    """Return the first points of up to 512 FIDs combined by their strongest common signal.

    Six power iterations for the first singular vector; phases of coils and transients fall out.
    """
    fids = scan.signal[..., :n_points].reshape(-1, n_points)
    fids = fids[:: max(1, len(fids) // _MAX_FIDS)].astype(np.complex128)
    parts = fids.view(np.float64)
    parts /= max(float(parts.max()), -float(parts.min()), 1e-300)
    found: ComplexArray = fids[int(np.argmax(np.einsum("ij,ij->i", parts, parts)))]
    for _ in range(6 if len(fids) > 1 else 0):
        weights = fids @ np.conj(found)
        weights /= max(float(np.linalg.norm(weights)), 1e-300)
        found = np.conj(weights) @ fids
    return found


OffsetPower: TypeAlias = tuple[FloatArray, FloatArray, float]
_POWER: WeakKeyDictionary[Scan, dict[float, OffsetPower | None]] = WeakKeyDictionary()


def offset_power(scan: Scan, window_s: float) -> OffsetPower | None:
    """Return the offset from the carrier (ppm), power without the noise floor, and that floor.

    Made once for each scan: several questions are put to it.
    """
    known = _POWER.setdefault(scan, {})
    if window_s not in known:
        known[window_s] = _offset_power(scan, window_s)
    return known[window_s]


def _offset_power(scan: Scan, window_s: float) -> OffsetPower | None:
    if not scan.dwell_time_s or not scan.spectrometer_mhz:
        return None
    dwell, mhz = scan.dwell_time_s, scan.spectrometer_mhz
    if not 2 * _NEAREST_PPM < 1.0 / dwell / mhz < 1e3:
        return None
    n = min(scan.n_points, max(48, int(window_s / dwell)))
    window = np.sin(np.pi * (np.arange(n) + 0.5) / n) ** 2
    size = 1 << (4 * n - 1).bit_length()
    spectrum = np.fft.fft(_combined(scan, n) * window, size)
    power: FloatArray = np.asarray(spectrum.real**2 + spectrum.imag**2, dtype=np.float64)
    offset: FloatArray = np.asarray(np.fft.fftfreq(size, dwell) / mhz, dtype=np.float64)
    far = np.abs(offset) > 0.4 / dwell / mhz
    floor = _median(power[far]) if far.any() else 0.0
    above = np.maximum(power - floor, 0.0)
    offset.flags.writeable = above.flags.writeable = False
    return offset, above, floor


def _median(values: FloatArray) -> float:
    """Return the upper median; numpy.median loads masked arrays, 15 ms."""
    middle = values.size // 2
    return float(np.partition(values, middle)[middle])


def _water_at(scan: Scan, offset: FloatArray, power: FloatArray, *, mirrored: bool) -> float:
    """Return where water lies on the axis of offsets, were the spectrum mirrored or not.

    That is its place by the declared reference; that of a line nearby which outshines all others,
    since then it is water that lies off its place.
    """
    place = (WATER_PPM - scan.reference_ppm) * (-1 if mirrored else 1)
    near = np.flatnonzero(np.abs(offset - place) < _OFF_PPM)
    if not near.size:
        return place
    line = float(offset[near[np.argmax(power[near])]])
    others = power[np.abs(offset - line) > 1.15]
    alone = others.size and power[near].max() > NO_WATER_RATIO**2 * others.max()
    return line if alone else place


def water_ratio(scan: Scan) -> tuple[float, bool] | None:
    """Return the height of the water over the highest metabolite peak, `None` where unknown.

    With it goes whether it is a lower limit set by the noise. The window is short: a water line of
    30 Hz in bone or cord is gone after 50 ms.
    """
    found = offset_power(scan, 0.05)
    if found is None:
        return None
    offset, power, floor = found
    distance = np.abs(offset - _water_at(scan, offset, power, mirrored=False))
    water = power[distance < 0.4]
    other = power[(distance > 1.15) & (distance < _NEAREST_PPM)]
    if not water.size or not other.size or water.max() <= 0:
        return None
    highest = max(float(other.max()), 1e-12 * float(water.max()))
    return float(np.sqrt(water.max() / highest)), highest < 30 * floor


def _beside_water(scan: Scan) -> float:
    """Return how much higher a line stands on one side of the water than anything on the other.

    The tail of a line, its side bands and its eddy currents lie on both sides alike. 0 where noise
    may have made the line.
    """
    found = offset_power(scan, 0.1)
    if found is None:
        return 0.0
    offset, power, floor = found
    distance = offset - _water_at(scan, offset, power, mirrored=False)
    far = (np.abs(distance) > 1.15) & (np.abs(distance) < _NEAREST_PPM)
    sides = [power[far & (distance < 0)], power[far & (distance > 0)]]
    if not all(side.size for side in sides):
        return 0.0
    low, high = sorted(float(side.max()) for side in sides)
    return float(np.sqrt(high / max(low, 1e-12 * high))) if high > 25 * floor else 0.0


def water_height(scan: Scan) -> float:
    """Return the magnitude of the strongest early sample: water, where it is not suppressed."""
    return float(np.abs(scan.signal[..., :64]).max())


def _is_mirrored(scan: Scan) -> bool:
    """Say whether the signal beside the water lies at 5.5 to 8.5 instead of 0.8 to 3.8 ppm.

    A carrier amid the metabolites leaves nothing to tell it by: their mirror image lies on them.
    """
    found = offset_power(scan, 0.08)
    if found is None:
        return False
    offset, power, floor = found
    right_water = offset - _water_at(scan, offset, power, mirrored=False)
    wrong_water = offset - _water_at(scan, offset, power, mirrored=True)
    far = (np.abs(right_water) > 0.9) & (np.abs(wrong_water) > 0.9)
    right = power[far & (right_water > -_FARTHEST_PPM) & (right_water < 0)]
    wrong = power[far & (wrong_water < _FARTHEST_PPM) & (wrong_water > 0)]
    if not right.size or not wrong.size:
        return False
    return bool(
        wrong.sum() > MIRROR_RATIO * right.sum()
        and wrong.max() > MIRROR_RATIO * right.max()
        and wrong.max() > 30 * floor
    )
