"""From the files of one disc to its `DiscAcquisition`: gate, water, what the user adds.

Water comes from its own file, from a second scan inside the metabolite's file, or from transients
of that file without suppression. A reference of another subject, day, scanner or voxel is noticed
and left out with a note: its eddy-current phase and its amount would be wrong. One of another
dwell time is an error, since the two files cannot be of one protocol.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any

import numpy as np
from pydantic import Field, field_validator, model_validator

from mrs_disc.data import (
    PULSES,
    SEQUENCES,
    AnySignal,
    DiscAcquisition,
    Fid,
    Protocol,
    RawSignal,
    Sampling,
    Scanner,
    Transients,
)
from mrs_disc.io import gate
from mrs_disc.io.carrier import in_frame_of, seen_alike
from mrs_disc.io.consistent import consistent
from mrs_disc.io.formats.scan import Scan, read_only
from mrs_disc.io.transients import like_coils, sound
from mrs_disc.record.findings import Finding, finding, once, stop
from mrs_disc.schema import StrictModel, within

_TOLERANCE = {
    "echo_time_s": 0.01,
    "repetition_time_s": 0.01,
    "mixing_time_s": 0.01,
    "spectrometer_mhz": 1e-3,
    "dwell_time_s": 1e-2,
}
"""Relative difference up to which file and user say the same."""
_STRONGER = 5.0
"""A file this much stronger than the metabolites is water, however little of it is seen."""


class Given(StrictModel):
    """What the user says of an acquisition, for what the file is silent on.

    What `overrule` names counts although the file says otherwise.
    """

    echo_time_s: Annotated[float, Field(lt=1), within(1e-3, 1, "s", "ms")] | None = None
    """Echo time."""
    repetition_time_s: Annotated[float, Field(lt=60), within(0.05, 60, "s", "ms")] | None = None
    """Repetition time."""
    mixing_time_s: Annotated[float, Field(gt=0, lt=10)] | None = None
    """Mixing time of a stimulated echo."""
    spectrometer_mhz: Annotated[float, Field(gt=10, le=1000)] | None = None
    """Larmor frequency of the nucleus."""
    dwell_time_s: Annotated[float, Field(ge=5e-5, le=2e-3)] | None = None
    """Time between complex points."""
    start_time_s: Annotated[float, Field(ge=-0.1, le=0.1)] | None = None
    """Time of the first point after the echo."""
    sequence: str | None = None
    """Localisation, of a fixed vocabulary."""
    refocusing_pulse: str | None = None
    """Shape of the refocusing pulses, of a fixed vocabulary."""
    refocusing_bandwidth_hz: Annotated[float, within(200, 100_000, "Hz", "kHz")] | None = None
    """Bandwidth of the refocusing pulses."""
    overrule: tuple[str, ...] = ()
    """Names of fields that count although the file says otherwise."""

    @field_validator("sequence")
    @classmethod
    def _known(cls, value: str | None) -> str | None:
        if value is not None and value not in SEQUENCES:
            raise ValueError(f"should be one of {', '.join(SEQUENCES)}")
        return value

    @field_validator("refocusing_pulse")
    @classmethod
    def _of_a_known_shape(cls, value: str | None) -> str | None:
        if value is not None and value not in PULSES:
            raise ValueError(f"should be one of {', '.join(PULSES)}")
        return value

    @model_validator(mode="after")
    def _overrules_what_is_given(self) -> Given:
        idle = [key for key in self.overrule if key not in _IN_FILES or getattr(self, key) is None]
        if idle:
            raise ValueError(f"overrule names {', '.join(idle)}, which is not given beside it")
        return self

    def fill(self, scan: Scan, name: str) -> tuple[Scan, tuple[str, ...]]:
        """Return the scan with its gaps filled, and the names of what was filled.

        Raises
        ------
        InputError
            If the file says otherwise than the user, and is not overruled.
        """
        filled: dict[str, Any] = {}
        overruled: list[Finding] = []
        for key in _IN_FILES:
            mine, theirs = getattr(self, key), _stated(scan, key)
            if mine is None:
                continue
            if theirs is None or (key == "echo_time_s" and scan.echo_time_doubt is not None):
                filled[key] = mine
            elif _differs(key, mine, theirs, scan):
                if key not in self.overrule:
                    raise stop(finding("user_contradicts", key, given=mine, file=theirs), name)
                filled[key] = mine
                overruled.append(finding("overruled", key, given=mine, file=theirs))
        recorded = ("refocusing_pulse", "refocusing_bandwidth_hz")
        given = (*filled, *(key for key in recorded if getattr(self, key) is not None))
        asked = gate.echo_time_asked(scan) if "echo_time_s" in filled else []
        kept = [one for one in scan.findings if one not in asked]
        if scan.water is not None and "start_time_s" in filled:
            filled["water"] = replace(scan.water, start_time_s=filled["start_time_s"])
        return replace(scan, findings=(*kept, *overruled), **filled), given

    def of_the_water(self, *, started: bool) -> Given:
        """Return what holds for the reference too; one in the same file has started with it."""
        shared = ("spectrometer_mhz", "dwell_time_s", *(() if started else ("start_time_s",)))
        overrule = tuple(key for key in self.overrule if key in shared)
        return Given(**{key: getattr(self, key) for key in shared}, overrule=overrule)


_IN_FILES = (*_TOLERANCE, "start_time_s", "sequence")
"""What files may say too."""


def _stated(scan: Scan, key: str) -> float | str | None:
    """Return what the file says: not a start at the echo, nor a sequence of an unknown name."""
    value: float | str | None = getattr(scan, key)
    return None if value == "other" else value or None


def _differs(key: str, mine: Any, theirs: Any, scan: Scan) -> bool:
    if key == "sequence":
        return bool(mine != theirs)
    if key == "start_time_s":
        return bool(abs(mine - theirs) > 0.5 * (scan.dwell_time_s or 0.0))
    return bool(abs(mine - theirs) > _TOLERANCE[key] * abs(theirs))


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A scan on its way into the record.

    Parameters
    ----------
    scan : Scan
        With all that was noticed of it among its findings.
    name : str
        What messages call its file.
    given : tuple of str
        What the user said of it.
    mirrored, is_water : bool, bool or None
        What the gate saw of the metabolites.
    own : bool
        Of a water reference: it lies in the metabolites' own file.
    """

    scan: Scan
    name: str
    given: tuple[str, ...] = ()
    mirrored: bool = False
    is_water: bool | None = None
    own: bool = False

    def noted(self, *findings: Finding) -> Source:
        """Return the same source with more findings."""
        return replace(self, scan=self.scan.noted(*findings))


def to_acquisition(
    level: str,
    metabolite: Source,
    water: Source | None,
    given: Given,
    noticed: Sequence[Finding] = (),
) -> DiscAcquisition:
    """Return the record of one disc: its metabolites judged, its water found, the two paired.

    Parameters
    ----------
    level : str
        Disc level.
    metabolite, water : Source
        As read; `water` is `None` where the study names none.
    given : Given
        What the user says.
    noticed : sequence of Finding
        What was noticed before the files were read.

    Raises
    ------
    InputError
        If the metabolite scan must not be analysed, lacks what an analysis needs, or disagrees
        with the water reference or the user.
    """
    metabolite, water = find_water(judge(metabolite, given), water)
    reference, more = (None, ()) if water is None else pair(metabolite, water, given)
    return DiscAcquisition(
        level=level,
        metabolite=to_signal(metabolite.scan),
        protocol=to_protocol(metabolite.scan, given, metabolite.given),
        water=to_signal(reference.scan) if reference else None,
        water_protocol=to_protocol(reference.scan, given, reference.given) if reference else None,
        findings=once([*noticed, *metabolite.scan.findings, *more]),
        subject=metabolite.scan.identity.subject,
    )


def judge(source: Source, given: Given) -> Source:
    """Return the metabolites with what the user said, turned over where they lay mirrored.

    Raises
    ------
    InputError
        If they must not be analysed, or lack what an analysis needs.
    """
    scan, by_user = given.fill(source.scan, source.name)
    if "start_time_s" in by_user and scan.n_early:
        scan = scan.noted(finding("early_samples", n=scan.n_early))
    scan = sound(consistent(scan.from_echo()))
    if scan.processed:
        scan = scan.noted(finding("processed", steps=[s.replace("_", " ") for s in scan.processed]))
    examined = gate.examine(scan)
    asked = gate.echo_time_asked(scan) if "echo_time_s" not in by_user else []
    for forbids in (*examined.forbids, *gate.missing(scan), *asked):
        raise stop(forbids, source.name)
    if examined.mirrored:
        scan = scan.turned_over().noted(finding("turned_over"))
    if scan.n_coils == 1 and (spread := like_coils(split_water(scan)[0].signal)) is not None:
        scan = scan.noted(finding("transients_like_coils", spread=spread))
    if gate.is_clipped(scan.signal):
        scan = scan.noted(finding("clipped"))
    return replace(
        source,
        scan=scan,
        given=by_user,
        mirrored=examined.mirrored,
        is_water=examined.is_water,
    )


def find_water(metabolite: Source, water: Source | None) -> tuple[Source, Source | None]:
    """Return the metabolites without water transients, and the water reference or `None`.

    The reference of a file of its own is taken as it is; without one, that which the metabolites'
    file holds as a second scan, or as transients without suppression.
    """
    if water is not None:
        return metabolite, water
    if (inside := metabolite.scan.water) is not None:
        found = Source(scan=inside, name=metabolite.name, own=True)
        return metabolite.noted(finding("own_water")), found
    scan, split = split_water(metabolite.scan)  # of a scan that lies right by now
    if split is not None:
        count = finding("water_transients", n=split.n_transients, of=metabolite.scan.n_transients)
        found = Source(scan=split, name=metabolite.name, own=True)
        return replace(metabolite, scan=scan.noted(count)), found
    if metabolite.is_water:
        metabolite = metabolite.noted(finding("not_suppressed"))
    return metabolite, None


def pair(
    metabolite: Source, water: Source, given: Given
) -> tuple[Source | None, tuple[Finding, ...]]:
    """Return the water reference as it goes with the metabolites, and what was noticed of it.

    `None` stands for one that belongs to another measurement, holds no water, or that the gate
    forbids.

    Raises
    ------
    InputError
        If its dwell time is another.
    """
    scan = metabolite.scan
    reference, by_user = _as_reference(metabolite, water, given)
    dwell_s, other_s = scan.dwell_time_s or 0.0, reference.dwell_time_s or 0.0
    if abs(dwell_s - other_s) > 2e-3 * dwell_s:
        raise stop(
            finding(
                "other_dwell_time",
                file=water.name,
                metabolite=metabolite.name,
                came_s=other_s,
                wanted_s=dwell_s,
            )
        )
    examined = gate.examine(reference)
    why = examined.first or gate.false_pair(scan, reference)
    if why is None:
        reference, why = seen_alike(scan, reference)
    if why is None and not {*metabolite.given, *by_user} & {"spectrometer_mhz"}:
        reference = in_frame_of(scan, reference)
    stronger = gate.water_height(reference) > _STRONGER * gate.water_height(scan)
    suppressed = examined.is_water is False or gate.is_suppressed(reference)
    if why is None and suppressed and not stronger:
        why = finding("holds_no_water")
    if why is not None:
        return None, (finding("water_not_used", "water", file=water.name, why=why),)
    new = [f for f in reference.findings if f not in scan.findings]
    new += _otherwise_measured(scan, reference)
    noted = [finding("of_the_water", "water", note=one) for one in new]
    if scan.n_coils == reference.n_coils == 1 and (spread := like_coils(reference.signal)):
        noted.append(finding("transients_like_coils", spread=spread))
    return replace(water, scan=reference, given=by_user), tuple(noted)


def _otherwise_measured(scan: Scan, reference: Scan) -> list[Finding]:
    """Return which times of the reference are others: amounts are corrected with each its own."""
    found = []
    for field in ("echo_time_s", "repetition_time_s"):
        mine, its = getattr(scan, field), getattr(reference, field)
        if mine and its and abs(its - mine) > 0.01 * mine:
            found.append(finding("measured_otherwise", field, came=its, wanted=mine))
    return found


def _as_reference(metabolite: Source, water: Source, given: Given) -> tuple[Scan, tuple[str, ...]]:
    """Return the reference's scan with its gaps filled, turned as the metabolites are."""
    scan, reference = metabolite.scan, water.scan
    if metabolite.mirrored and not water.own and reference.format == scan.format:
        reference = reference.turned_over()
    own = given.of_the_water(started=water.own)
    reference, by_user = own.fill(reference, water.name)
    reference = sound(reference.from_echo())
    if not reference.spectrometer_mhz:
        reference = replace(reference, spectrometer_mhz=scan.spectrometer_mhz)
    if not reference.dwell_time_s:
        reference = replace(reference, dwell_time_s=scan.dwell_time_s)
    if not water.own and (inside := split_water(reference)[1]) is not None:
        reference = inside
    return reference, by_user


def split_water(scan: Scan) -> tuple[Scan, Scan | None]:
    """Return the scan without its unsuppressed transients, and these; `None` for none."""
    if scan.n_transients < 2 or gate.alternation(scan) is not None:
        return scan, None
    from mrs_disc.signal.water_scan import water_transients

    mask = np.asarray(water_transients(scan.signal))
    if not mask.any() or mask.all():
        return scan, None
    water = replace(
        scan, signal=read_only(scan.signal[:, mask]), water=None, water_suppressed=False
    )
    return replace(scan, signal=read_only(scan.signal[:, ~mask])), water


# --------------------------------------------------------------------------- records


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
        mixing_time_s=scan.mixing_time_s,
        refocusing_pulse=given.refocusing_pulse,
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
