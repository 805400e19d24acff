"""NIfTI-MRS: single-voxel spectroscopy in NIfTI with a JSON header extension of code 44.

The samples lie as (x, y, z, point, dimension 5 to 7); what the extension says of them::

    {"SpectrometerFrequency": [123.224418], "ResonantNucleus": ["1H"],
     "EchoTime": 0.03, "RepetitionTime": 5.0, "SpecFreqChemShift": 4.65,
     "dim_5": "DIM_COIL", "dim_6": "DIM_DYN",
     "dim_6_header": {"EchoTime": {"start": 0.03, "increment": 0.01}},
     "PulseSequenceFile": {"Value": "svs_slaser_dkd", "Description": "…"}}

Source: Clarke et al., Magn Reson Med 2022;88:2358-2370, doi:10.1002/mrm.29418, and the standard,
https://github.com/wtclarke/mrs_nifti_standard (dimension tags, units, sign).

The standard stores ``exp(-i 2 pi f t)`` for a resonance above the carrier, so samples are
conjugated. Trailing axes of size 1, which NIfTI drops, come back from the tags. What a list of one
number, a value that changes along the transients or an echo time in parts means is decided here.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from mrs_disc.constants import WATER_PPM
from mrs_disc.errors import ReadError
from mrs_disc.io.formats.entries import inversion
from mrs_disc.io.formats.nifti import Header, is_nifti, opened, read_header, read_samples
from mrs_disc.io.formats.nifti_series import (
    TRANSIENT_TAGS,
    along_transients,
    first_of,
    is_number,
    lengths,
    listed,
)
from mrs_disc.io.formats.scan import (
    HIGHEST_FIELD_T,
    PARTS_OF_ECHO,
    Identity,
    Scan,
    digest,
    known_manufacturer,
    known_model,
    known_processing,
    known_software,
    megahertz,
    named_sequence,
    number,
    read_only,
    seconds,
)
from mrs_disc.io.formats.sidecar import own_sidecar, read_sidecar
from mrs_disc.io.names import level_in
from mrs_disc.record.findings import Finding, finding, unread
from mrs_disc.typing import ComplexArray, FloatArray

FORMAT = "nifti-mrs"
_LONGEST_S = {"EchoTime": 1.0, "RepetitionTime": 60.0, "MixingTime": 10.0}
_FIELD_OF = {
    "EchoTime": "echo_time_s",
    "RepetitionTime": "repetition_time_s",
    "MixingTime": "mixing_time_s",
}
_ONE_NUMBER = (
    *_LONGEST_S,
    "AcquisitionStartTime",
    "DwellTime",
    "InversionTime",
    "MagneticFieldStrength",
    "SpecFreqChemShift",
    "SpectralWidth",
)
"""Entries that are one number each, for all transients."""
_FORMS_APART_MM = 3.0
_CARRIER_PPM = (-5.0, 15.0)
"""Carriers of 1H spectroscopy stand between 0 and 5 ppm; wider, for nobody measures elsewhere."""
_PARTS_KNOWN_S = {0.008: 0.030}
"""First part and sum of a split echo time, s: 8 + 12 + 10 ms, CMRR's protocol at 3 T, of which both
the protocol and NIfTI-MRS files are public. A guess: the user has to confirm it."""


def sniff(path: Path) -> bool:
    """Say whether the content is NIfTI, plain or in a gzip stream."""
    return is_nifti(path)


def read(path: Path) -> Scan:
    """Read a NIfTI-MRS file; its header extension must say frequency and nucleus, or a sidecar.

    Raises
    ------
    ReadError
        If it is an image, its extension is absent or broken, or its data are cut.
    """
    return read_with_sidecar(path, None)


def read_with_sidecar(path: Path, sidecar: Mapping[str, Any] | None) -> Scan:
    """Read a NIfTI-MRS file, with a BIDS sidecar for what the header extension leaves open.

    Without an extension (early drafts; what dcm2niix writes) the sidecar has to speak for it, by
    default the JSON file of the same name, which is trusted with one FID: its name is no proof.
    """
    with opened(path) as stream:
        header, extension = read_header(path, stream)
        if header.dtype.kind != "c":
            raise unread(path, finding("image"))
        if extension is None and sidecar is None:
            if (beside := own_sidecar(path)) is None:
                raise ReadError(
                    path,
                    "is a NIfTI file without the MRS header extension (code 44), so it says "
                    "neither frequency nor nucleus. Put its JSON sidecar beside it, or convert "
                    "the scanner's files with 'mrs-disc convert'.",
                )
            sidecar = read_sidecar(beside)
            if (n_fids := max(header.shape[4:], default=1)) > 1:
                raise ReadError(
                    path,
                    f"holds {n_fids} FIDs and no MRS header extension (code 44) that says what "
                    "they are. Name the file in a study (study.toml, BIDS), where its JSON "
                    "sidecar speaks for it, or convert the scanner's files.",
                )
        samples = read_samples(path, stream, header)
    own, beside_it = _plain(path, extension or {}), _plain(path, sidecar or {})
    scan = _scan(path, header, samples, {**beside_it, **own}, extension is not None)
    return _answered(scan.noted(*_contradictions(own, beside_it), *_sides(scan, own, beside_it)))


def _answered(scan: Scan) -> Scan:
    """Return the scan with the echo time of its sidecar, where that of the file is in doubt.

    A sidecar that says the same was written with the file, by the same converter; one that says
    otherwise is where the user of a BIDS dataset can answer.
    """
    said = [f for f in scan.findings if f.values.get("key") == "EchoTime"]
    if scan.echo_time_doubt is None or not said:
        return scan
    told, doubted = said[0].values["sidecar"], said[0].values["file"]
    asked = ("echo_in_parts", "echo_in_known_parts")
    kept = [f for f in scan.findings if f not in said and f.kind not in asked]
    answer = finding("echo_time_by_sidecar", "echo_time_s", s=told, file_s=doubted)
    return replace(scan, echo_time_s=told, echo_is_part=False, findings=(*kept, answer))


def _sides(
    scan: Scan, extension: Mapping[str, Any], sidecar: Mapping[str, Any]
) -> tuple[Finding, ...]:
    """Return what a voxel that dcm2niix placed may have wrong.

    1.0.20260724 swaps the in-plane sides of enhanced spectroscopy (PixelSpacing begins with the
    distance of the rows). Neither header nor sidecar tells the kind of object or the release that
    mends it: the voxel stays as the file has it, and its centre is right either way.
    """
    size = scan.voxel_size_mm
    if not _by_dcm2niix({**sidecar, **extension}) or size is None:
        return ()
    if math.isclose(size[0], size[1], rel_tol=1e-3):
        return ()
    return (finding("sides_by_dcm2niix", one_mm=size[0], other_mm=size[1]),)


def _by_dcm2niix(facts: Mapping[str, Any]) -> bool:
    converter = facts.get("ConversionMethod") or facts.get("ConversionSoftware")
    return "dcm2niix" in str(converter)[:200].lower()


def _plain(path: Path, facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the entries with a list of one number as that number.

    Raises
    ------
    ReadError
        If an entry that is one number holds a list of several, or of none.
    """
    found = dict(facts)
    for key in _ONE_NUMBER:
        value = found.get(key)
        if isinstance(value, dict):  # as user-defined entries are written, with a description
            value = value.get("Value", value)
        while isinstance(value, list) and value and all(_same(v, value[0]) for v in value):
            value = value[0]  # one number, or the same for each transient
        if isinstance(value, list):
            shown = json.dumps(value) if all(is_number(v) for v in value) else "no numbers"
            raise ReadError(
                path,
                f"its {key} is a list of {len(value)}, {shown[:80]}: one number expected. Correct "
                "the header or sidecar, and split a series that was measured with several.",
            )
        if value is not None:
            found[key] = value
    return found


def _same(one: object, other: object) -> bool:
    return type(one) is type(other) and one == other


def _contradictions(extension: Mapping[str, Any], sidecar: Mapping[str, Any]) -> list[Finding]:
    """Return what a sidecar says otherwise than the file itself, whose word counts."""
    notes = []
    for key in ("EchoTime", "RepetitionTime", "SpectrometerFrequency", "SpectralWidth"):
        file, beside = (number(first_of(facts.get(key))) for facts in (extension, sidecar))
        if file is not None and beside is not None and not math.isclose(file, beside, rel_tol=1e-3):
            notes.append(finding("sidecar_contradicts", key=key, sidecar=beside, file=file))
    return notes


def _scan(
    path: Path, header: Header, samples: ComplexArray, facts: Mapping[str, Any], standard: bool
) -> Scan:
    scan = scan_from_parts(
        samples,
        facts,
        form=FORMAT,
        reader="nifti_mrs",
        dwell_time_s=_dwell_time(header, facts),
        affine=header.affine,
    )
    scan = _with_asked_echo(scan, facts).noted(*_other_width(header, facts))
    if header.forms_apart_mm > _FORMS_APART_MM:
        scan = scan.noted(finding("forms_differ", apart_mm=header.forms_apart_mm))
    if not standard:
        return scan.noted(finding("no_mrs_extension"))
    if scan.spectrometer_mhz is None or scan.nucleus is None:
        lacks = "SpectrometerFrequency" if scan.spectrometer_mhz is None else "ResonantNucleus"
        raise ReadError(path, f"its MRS header extension lacks a valid {lacks}, which is required")
    return scan


def _with_asked_echo(scan: Scan, facts: Mapping[str, Any]) -> Scan:
    """Return the scan with its echo time in doubt where the header can hold its first part only.

    spec2nii 0.8.15 and older write the first of three parts for CMRR's ``svs_slaser_dkd``.
    """
    names = [facts.get(k) for k in ("PulseSequenceFile", "SequenceName", "ProtocolName")]
    program = " ".join(str(n.get("Value", "") if isinstance(n, dict) else n) for n in names)
    if scan.echo_time_s is None or not PARTS_OF_ECHO.search(program):
        return scan
    known = next((s for p, s in _PARTS_KNOWN_S.items() if math.isclose(p, scan.echo_time_s)), None)
    stated_ms = scan.echo_time_s * 1e3
    if known is None:
        asked = finding("echo_in_parts", "echo_time_s", stated_ms=stated_ms)
    else:
        asked = finding(
            "echo_in_known_parts", "echo_time_s", stated_ms=stated_ms, known_ms=known * 1e3
        )
    scan = replace(scan, echo_time_s=known or scan.echo_time_s, echo_is_part=True)
    return scan.noted(asked)


def scan_from_parts(
    samples: ComplexArray,
    facts: Mapping[str, Any],
    *,
    form: str,
    reader: str,
    dwell_time_s: float | None,
    affine: FloatArray,
) -> Scan:
    """Return the scan of samples in this package's sign and the entries of a header extension.

    Parameters
    ----------
    samples : complex array, shape (x, y, z, point[, dimension 5][, 6][, 7])
    facts : mapping
        Entries of a NIfTI-MRS header extension or of a BIDS sidecar.
    form, reader : str
        What `Scan.format` and `Scan.reader` say.
    """
    mhz, notes = megahertz(
        first_of(facts.get("SpectrometerFrequency", facts.get("ImagingFrequency")))
    )
    nucleus = first_of(facts.get("ResonantNucleus"))
    signal, coil_axis, extra, more = _axes(samples, facts)
    more = (*more, *listed(facts), *lengths(samples, facts))
    facts, varying = along_transients(samples, facts)
    return Scan(
        format=form,
        reader=reader,
        signal=read_only(signal),
        coil_axis=coil_axis,
        nucleus=nucleus if isinstance(nucleus, str) and nucleus else None,
        spectrometer_mhz=mhz,
        dwell_time_s=dwell_time_s,
        reference_ppm=_carrier_ppm(facts),
        start_time_s=_start_time(facts.get("AcquisitionStartTime")) or 0.0,
        echo_time_s=seconds(facts.get("EchoTime"), 1.0, _LONGEST_S["EchoTime"]),
        repetition_time_s=seconds(facts.get("RepetitionTime"), 1.0, _LONGEST_S["RepetitionTime"]),
        mixing_time_s=seconds(facts.get("MixingTime"), 1.0, _LONGEST_S["MixingTime"]),
        sequence=_sequence(facts),
        manufacturer=known_manufacturer(facts.get("Manufacturer")),
        scanner=known_model(facts.get("ManufacturersModelName")),
        software=known_software(first_of(facts.get("SoftwareVersions"))),
        field_strength_t=seconds(facts.get("MagneticFieldStrength"), 1.0, HIGHEST_FIELD_T),
        voxel_affine=_placed(affine),
        water_suppressed=_suppressed(facts),
        extra_axes=extra,
        varying=varying,
        processed=_processed(facts),
        n_voxels=int(np.prod(samples.shape[:3])),
        identity=Identity(
            subject=digest(facts.get("PatientID")) or digest(facts.get("PatientName")),
            date=digest(facts.get("StudyDate")),
            device=digest(facts.get("DeviceSerialNumber")),
        ),
        level_hint=level_in(facts.get("ProtocolName")),
        findings=(
            *notes,
            *more,
            *_no_numbers(facts),
            *inversion(first_of(facts.get("InversionTime")), 1.0),
        ),
    )


def _inversion(facts: Mapping[str, Any]) -> tuple[Finding, ...]:
    return inversion(first_of(facts.get("InversionTime")), 1.0)


def _sequence(facts: Mapping[str, Any]) -> str | None:
    if "EditPulse" in facts or "EditCondition" in facts:
        return "edited"
    names = [facts.get(key) for key in ("SequenceName", "PulseSequenceType")]
    return named_sequence(names, facts.get("ProtocolName"))


def _processed(facts: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the codes of the steps that the header's provenance lists."""
    steps = facts.get("ProcessingApplied")
    if not isinstance(steps, list):
        return ()
    return known_processing(*(step.get("Method") for step in steps if isinstance(step, dict)))


def _no_numbers(facts: Mapping[str, Any]) -> list[Finding]:
    """Return which numbers of a header are none; what stands there in words is not repeated."""
    found = []
    for key, longest in _LONGEST_S.items():
        if facts.get(key) is None or seconds(facts[key], 1.0, longest) is not None:
            continue
        value = number(first_of(facts[key]))
        if value == 0.0 and key == "MixingTime":
            continue  # how some write that there is none
        found.append(finding("no_time", _FIELD_OF[key], key=key, value=value, below=longest))
    start, shift = facts.get("AcquisitionStartTime"), facts.get("SpecFreqChemShift")
    if start is not None and _start_time(start) is None:
        found.append(finding("no_start", value=number(start)))
    if shift is not None and _ppm(shift) is None:
        low, high = _CARRIER_PPM
        limits = {"low": low, "high": high, "taken": WATER_PPM}
        found.append(finding("no_carrier", key="SpecFreqChemShift", value=number(shift), **limits))
    return found


def _axes(
    samples: ComplexArray, facts: Mapping[str, Any]
) -> tuple[ComplexArray, bool, dict[str, int], tuple[Finding, ...]]:
    """Return (coil, transient, point) of the first voxel, and what the other axes are."""
    tags = {n: facts[f"dim_{n}"] for n in (5, 6, 7) if isinstance(facts.get(f"dim_{n}"), str)}
    n_axes = max([samples.ndim, *tags])
    first = samples[0, 0, 0].reshape(samples.shape[3:] + (1,) * (n_axes - samples.ndim))
    notes: list[Finding] = []
    told = [tag for tag in tags.values() if tag in TRANSIENT_TAGS]
    coil, transients, extra, tagged = None, [], {}, set[str]()
    for axis in range(1, first.ndim):
        tag, size = tags.get(axis + 4), first.shape[axis]
        if tag == "DIM_COIL" and coil is None:
            coil = axis
        elif tag in TRANSIENT_TAGS and tag not in tagged:
            transients.append(axis)
            tagged.add(tag)
        elif tag == "DIM_USER_0" and size > 1 and facts.get("Manufacturer") == "Bruker":
            transients.append(axis)  # spec2nii 0.8.15 knows no other name for ParaVision's averages
            notes.append(finding("bruker_averages", dimension=axis + 4))
        elif tag is None and size > 1 and not transients and not told:
            transients.append(axis)
            notes.append(finding("untagged_dimension", dimension=axis + 4, size=size))
        elif size > 1:
            extra[str(tag or f"{axis + 4} (without a tag)")] = size
    kept = [0, *([coil] if coil is not None else []), *transients]
    first = first[tuple(slice(None) if a in kept else 0 for a in range(first.ndim))]
    place = {axis: n for n, axis in enumerate(sorted(kept))}
    order = [place[a] for a in ([coil] if coil is not None else []) + transients] + [0]
    moved = first.transpose(order)
    n_coils = moved.shape[0] if coil is not None else 1
    signal = moved.reshape(n_coils, -1, moved.shape[-1])
    return signal, coil is not None, extra, tuple(notes)


def _dwell_time(header: Header, facts: Mapping[str, Any]) -> float | None:
    """Return the dwell time, s; an entry that says it more exactly refines single precision."""
    stored = header.dwell_time_s
    width = number(facts.get("SpectralWidth"))
    if width and stored > 0 and abs(width * stored - 1) < 1e-5:
        return 1.0 / width
    if 0 < stored < 1:
        return stored
    return seconds(facts.get("DwellTime"), 1.0, 1.0)


def _other_width(header: Header, facts: Mapping[str, Any]) -> tuple[Finding, ...]:
    """Return where the spectral width is another than that of the dwell time, which counts."""
    width, stored = number(facts.get("SpectralWidth")), header.dwell_time_s
    if not width or not 0 < stored < 1 or math.isclose(width * stored, 1, rel_tol=1e-3):
        return ()
    return (finding("other_width", hz=width, dwell_time_s=stored, dwell_hz=1 / stored),)


def _placed(affine: FloatArray) -> FloatArray | None:
    """Return the affine, or `None` for the placeholder of unlocalised data (10 m voxels)."""
    sizes = np.linalg.norm(affine[:3, :3], axis=0)
    return affine if np.all(np.isfinite(affine)) and 0 < sizes.min() <= sizes.max() < 1000 else None


_LONGEST_START_S = 0.1
"""As the user may give it; 0.8 is a start in milliseconds."""


def _start_time(value: Any) -> float | None:
    found = number(value)
    return found if found is not None and abs(found) <= _LONGEST_START_S else None


def _carrier_ppm(facts: Mapping[str, Any]) -> float:
    """Return the shift at zero frequency: the header's, 0 among them, else that of water."""
    found = _ppm(facts.get("SpecFreqChemShift"))
    return WATER_PPM if found is None else found


def _ppm(value: Any) -> float | None:
    found = number(value)
    return found if found is not None and _CARRIER_PPM[0] <= found <= _CARRIER_PPM[1] else None


def _suppressed(facts: Mapping[str, Any]) -> bool | None:
    """Return what the header says; nothing of dcm2niix, which counts frames (1.0.20260724)."""
    value = facts.get("WaterSuppressed", facts.get("WaterSuppression"))
    return value if isinstance(value, bool) and not _by_dcm2niix(facts) else None
