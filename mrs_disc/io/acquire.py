"""From the files of one disc to its `DiscAcquisition`: gate, water, what the user adds.

Water comes from its own file, from a second scan inside the metabolite's file, or from transients
of that file without suppression. A reference of another subject, day, scanner or voxel is noticed
and left out with a note: its eddy-current phase and its amount would be wrong. One of another
dwell time is an error, since the two files cannot be of one protocol.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mrs_disc.data import (
    AnySignal,
    DiscAcquisition,
    Fid,
    Morphology,
    Protocol,
    Provocation,
    RawSignal,
    Sampling,
    Scanner,
    Transients,
)
from mrs_disc.errors import InputError
from mrs_disc.io import gate
from mrs_disc.io.scan import Scan, other_voxel, read_only
from mrs_disc.typing import BoolArray

_TOLERANCE = {
    "echo_time_s": 0.01,
    "repetition_time_s": 0.01,
    "spectrometer_mhz": 1e-3,
    "dwell_time_s": 1e-2,
}
_FREQUENCY_APART = 2e-4
"""Relative difference that only another scanner has (120 MHz: 24 kHz; drift stays below 1 kHz)."""
_STRONGER = 5.0
"""A file this much stronger than the metabolites is water, however little of it is seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What the user says of an acquisition, for what the file is silent on."""

    echo_time_s: float | None = None
    repetition_time_s: float | None = None
    spectrometer_mhz: float | None = None
    dwell_time_s: float | None = None
    refocusing_bandwidth_hz: float | None = None

    def fill(self, scan: Scan, name: str) -> tuple[Scan, tuple[str, ...]]:
        """Return the scan with its gaps filled, and the names of what was filled.

        Raises
        ------
        InputError
            If the file says otherwise than the user.
        """
        filled: dict[str, float] = {}
        for key, tolerance in _TOLERANCE.items():
            mine, theirs = getattr(self, key), getattr(scan, key)
            if mine is None:
                continue
            if theirs is None:
                filled[key] = mine
            elif abs(mine - theirs) > tolerance * abs(theirs):
                raise InputError(
                    f"{name}: [disc.acquisition] {key} = {mine:g}, but the file says {theirs:g}. "
                    "Take the entry out, or correct it."
                )
        given = (*filled, *(["refocusing_bandwidth_hz"] if self.refocusing_bandwidth_hz else []))
        return replace(scan, **filled), given  # type: ignore[arg-type]


def to_acquisition(
    level: str,
    run: int,
    metabolite: Scan,
    water: Scan | None,
    given: Given,
    *,
    names: tuple[str, str] = ("metabolite", "water"),
    morphology: Morphology | None = None,
    provocation: Provocation | None = None,
    notes: Sequence[str] = (),
) -> DiscAcquisition:
    """Judge the scans of one disc and return its record.

    Raises
    ------
    InputError
        If the metabolite scan must not be analysed, lacks what an analysis needs, or disagrees
        with the water reference or the user.
    """
    scan, by_user = given.fill(metabolite, names[0])
    scan, findings = judged(scan, names[0])
    for sentence in gate.missing(scan):
        raise InputError(f"{names[0]}: {sentence}")
    said = [*notes, *scan.notes]
    if gate.is_clipped(scan.signal):
        said.append("samples are clipped: the receiver was overdriven, amounts are distorted")
    if water is None and scan.water is not None:
        water, names = scan.water, (names[0], names[0])
        said.append("the water reference was found in the metabolite's own file")
    from_the_same: Scan | None = None
    if water is None:
        scan, from_the_same, note = split_water(scan)  # of a scan that lies right by now
        water = from_the_same
        said += [note] if note else []
    if water is None and findings.is_water:
        said.append("the water of the metabolite spectrum is not suppressed")
    water_by_user: tuple[str, ...] = ()
    if water is not None:
        if findings.mirrored and water.format == scan.format and water is not from_the_same:
            water = _turned_over(water)
        water, water_by_user, more = _reference(scan, water, given, names)
        said += more
    return DiscAcquisition(
        level=level,
        run=run,
        metabolite=to_signal(scan),
        protocol=to_protocol(scan, given, by_user),
        water=to_signal(water) if water is not None else None,
        water_protocol=to_protocol(water, given, water_by_user) if water is not None else None,
        morphology=morphology,
        provocation=provocation,
        notes=tuple(dict.fromkeys(said)),
    )


def judged(scan: Scan, name: str) -> tuple[Scan, gate.Findings]:
    """Return the scan, mended where it lies mirrored, with the gate's findings.

    Raises
    ------
    InputError
        If it must not be analysed.
    """
    findings = gate.examine(scan)
    if findings.first is not None:
        raise InputError(f"{name}: {findings.first}")
    if findings.mirrored:
        note = "the spectrum lay mirrored about its carrier and was turned over (conjugated)"
        scan = _turned_over(scan).noted(note)
    return scan, findings


def _turned_over(scan: Scan) -> Scan:
    """Return a scan with its spectrum turned over about the carrier.

    A water line alone does not tell how it lies: the reference goes as the metabolites of the same
    format went, or its coil phases, eddy currents and offset would count with the wrong sign.
    """
    return replace(scan, signal=read_only(np.conj(scan.signal)))


def to_signal(scan: Scan) -> AnySignal:
    """Return the signal in the state that says what is left to do."""
    assert scan.dwell_time_s is not None and scan.spectrometer_mhz is not None  # noqa: PT018
    sampling = Sampling(
        dwell_time_s=scan.dwell_time_s,
        spectrometer_mhz=scan.spectrometer_mhz,
        reference_ppm=scan.reference_ppm,
        start_time_s=scan.start_time_s,
    )
    signal = scan.signal
    if scan.coil_axis:
        return RawSignal(signal=signal, sampling=sampling)
    if scan.n_transients > 1:
        return Transients(signal=signal[0], sampling=sampling)
    return Fid(signal=signal[0, 0], sampling=sampling)


def to_protocol(scan: Scan, given: Given, by_user: Sequence[str] = ()) -> Protocol:
    """Return how a scan was measured, with what the user said marked."""
    return Protocol(
        sequence=scan.sequence,
        echo_time_s=scan.echo_time_s,
        repetition_time_s=scan.repetition_time_s,
        refocusing_bandwidth_hz=given.refocusing_bandwidth_hz,
        spectrometer_mhz=scan.spectrometer_mhz,
        field_strength_t=scan.field_strength_t,
        spectral_width_hz=1.0 / scan.dwell_time_s if scan.dwell_time_s else None,
        n_points=scan.n_points,
        n_coils=scan.n_coils,
        n_transients=scan.n_transients,
        n_averages=scan.n_averages,
        voxel_size_mm=scan.voxel_size_mm,
        voxel_affine=scan.voxel_affine,
        water_suppressed=scan.water_suppressed,
        scanner=Scanner(manufacturer=scan.manufacturer, model=scan.scanner, software=scan.software),
        given_by_user=tuple(by_user),
    )


# --------------------------------------------------------------------------- water


def split_water(scan: Scan) -> tuple[Scan, Scan | None, str | None]:
    """Return the scan without its unsuppressed transients, these, and a note."""
    if scan.n_transients < 2:
        return scan, None, None
    from mrs_disc.signal.reject import water_transients

    mask: BoolArray = np.asarray(water_transients(scan.signal))
    if not mask.any() or mask.all():
        return scan, None, None
    note = f"{int(mask.sum())} of {mask.size} transients are unsuppressed water: the reference"
    water = replace(
        scan, signal=read_only(scan.signal[:, mask]), water=None, water_suppressed=False
    )
    return replace(scan, signal=read_only(scan.signal[:, ~mask])), water, note


def _reference(
    scan: Scan, water: Scan, given: Given, names: tuple[str, str]
) -> tuple[Scan | None, tuple[str, ...], list[str]]:
    """Return the water reference and what the user said of it, or `None` with the reason."""
    own = Given(spectrometer_mhz=given.spectrometer_mhz, dwell_time_s=given.dwell_time_s)
    water, by_user = own.fill(water, names[1])
    fill = {
        k: getattr(scan, k) for k in ("spectrometer_mhz", "dwell_time_s") if not getattr(water, k)
    }
    water = replace(water, **fill)
    if names[0] != names[1] and (inside := split_water(water)[1]) is not None:
        water = inside
    dwell, other = scan.dwell_time_s or 0.0, water.dwell_time_s or 0.0
    if abs(dwell - other) > 2e-3 * dwell:
        raise InputError(
            f"dwell time of {names[1]} is {other:.6g} s, that of {names[0]} {dwell:.6g} s: "
            "not one protocol. Name the reference that belongs to it, or leave water out."
        )
    findings = gate.examine(water)
    if findings.first is not None:
        raise InputError(f"{names[1]}: {findings.first}")
    if (apart := false_pair(scan, water)) is not None:
        return None, (), [f"water reference {names[1]} is not used: {apart}"]
    stronger = gate.water_height(water) > _STRONGER * gate.water_height(scan)
    if findings.is_water is False and not stronger:
        why = "its water is suppressed, or it holds none"
        return None, (), [f"water reference {names[1]} is not used: {why}"]
    return (
        water,
        by_user,
        [f"water reference: {note}" for note in water.notes if note not in scan.notes],
    )


def false_pair(scan: Scan, water: Scan) -> str | None:
    """Return why a water reference belongs to another measurement, or `None`.

    Digests are compared, never shown; what one of the files does not say is no difference.
    """
    a, b = scan.identity, water.identity
    if a.subject and b.subject and a.subject != b.subject:
        return "its header names another subject"
    if a.date and b.date and a.date != b.date and not (a.exam and a.exam == b.exam):
        return "it was measured on another day"
    f, g = scan.spectrometer_mhz, water.spectrometer_mhz
    if f and g and abs(f - g) > _FREQUENCY_APART * f:
        return f"its spectrometer frequency is {g:.4f} MHz, not {f:.4f} MHz"
    if np.array_equal(scan.signal, water.signal):
        # Where much water is left, the spectrum itself would pass for one of water.
        return "it holds the samples of the metabolite file"
    return other_voxel(scan, water)
