"""DICOM spectroscopy: the standard's MR Spectroscopy Storage and Siemens' private CSA objects.

Five elements of the standard's class, and where CSA keeps the same::

    (0018,9052) SpectralWidth 2000              CSA image header: RealDwellTime 500000 (ns)
    (0018,9098) TransmitterFrequency 297.1545   CSA image header: ImagingFrequency
    (0018,9082) EffectiveEchoTime 30            CSA image header: EchoTime; protocol: alTE[0]
    (0018,9126) VolumeLocalizationSequence      CSA: VoiPosition …; protocol: sSpecPara.sVoI
    (5600,0020) SpectroscopyData, complex64     (7FE1,1010)

Sources: DICOM PS3.3 section A.36.3 (MR Spectroscopy IOD) and C.8.14; Siemens' CSA header as
nibabel reads it. Own reader: spec2nii 0.8.15 stops where an optional attribute is absent (coil
names, three localisation slabs, `NumberOfFrames` of VA21), and takes the sum of the whole `alTE`
list for the echo time. Philips' private class of older releases goes through spec2nii. VA25 keeps
the voxel in the text of the protocol only.

Sign, checked on real files: Siemens XA, Philips: as here. CSA, UIH: as NIfTI-MRS, conjugated.
Chemical Shift Reference (0018,9053) is the shift at the transmitter frequency (PS3.3 C.8.14.1).
Siemens XA60 writes 4.7 and Philips 4.68, their names for water, which is 4.65 ppm here; another
shift is a carrier set off water, and is taken.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from mrs_disc.constants import WATER_PPM
from mrs_disc.errors import ReadError
from mrs_disc.files import read_bytes
from mrs_disc.io.formats import vendor
from mrs_disc.io.formats.dicom_file import check_inflated, read_dicom
from mrs_disc.io.formats.dicom_groups import along_frames, group
from mrs_disc.io.formats.entries import inversion
from mrs_disc.io.formats.scan import (
    HIGHEST_FIELD_T,
    PARTS_OF_ECHO,
    Identity,
    Scan,
    digest,
    head,
    known_manufacturer,
    known_model,
    known_nucleus,
    known_sequence,
    known_software,
    lps_affine,
    megahertz,
    named_sequence,
    number,
    positive,
    read_only,
    seconds,
    sum_of_parts,
)
from mrs_disc.io.names import level_in
from mrs_disc.record.findings import Finding, finding
from mrs_disc.typing import ComplexArray, FloatArray

FORMAT = "dicom-mrs"
STANDARD = "1.2.840.10008.5.1.4.1.1.4.2"
SIEMENS_CSA = "1.3.12.2.1107.5.9.1"
PHILIPS_PRIVATE = "1.3.46.670589.11.0.0.12.1"
IMAGE_CLASSES = {
    "1.2.840.10008.5.1.4.1.1.4": "MR image",
    "1.2.840.10008.5.1.4.1.1.4.1": "enhanced MR image",
    "1.2.840.10008.5.1.4.1.1.2": "CT image",
    "1.2.840.10008.5.1.4.1.1.7": "secondary capture",
    "1.2.840.10008.1.3.10": "directory of a disc",
}
_KIND = "DICOM spectrum"
_WATER_PPM = (4.5, 4.9)
"""What a maker can call water, by its temperature: that of 51 and of 13 degrees C."""
_CARRIER_PPM = (0.5, 9.0)
"""Carriers of 1H spectroscopy; 0 stands where a program knows none."""
_CARRIER_KEY = "Chemical Shift Reference (0018,9053)"
_UIH_WATER = (0x0065, 0xFF07)


def sniff(path: Path) -> bool:
    """Say whether this is a DICOM object of a class that holds spectroscopy."""
    uid = sop_class(path)
    if uid is None or uid in IMAGE_CLASSES:
        return False
    return uid in (STANDARD, SIEMENS_CSA, PHILIPS_PRIVATE) or _has_samples(path)


def _has_samples(path: Path) -> bool:
    """Say whether a DICOM file of an unknown class holds spectroscopy samples all the same."""
    try:
        content = read_bytes(path, _KIND)
        return b"\x00\x56\x20\x00O" in content or b"\x56\x00\x00\x20O" in content
    except ReadError:  # too large
        return False


def sop_class(path: Path) -> str | None:
    """Return the class of a DICOM file from its first bytes; `None` where it is none."""
    start = head(path, 1024)
    if start[128:132] != b"DICM":
        return None
    found = re.search(rb"\x02\x00\x02\x00UI..([\d.]+)", start[132:], re.DOTALL)
    return found.group(1).decode() if found else ""


def read(path: Path) -> Scan:
    """Read one DICOM file: one FID, or the frames that it holds.

    Raises
    ------
    ReadError
        If it is cut, compressed, no time-domain data, or lacks a required attribute.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom on values that are not quite to the standard
        try:
            if sop_class(path) == PHILIPS_PRIVATE:
                check_inflated(path, _KIND)
                return vendor.philips_classic(path)
            dataset = read_dicom(path, _KIND)
            if sop_class(path) == SIEMENS_CSA:
                return _csa(path, dataset)
            return _standard(path, dataset)
        except ReadError:
            raise
        except Exception as error:  # pydicom raises many kinds on broken values
            raise ReadError(
                path, f"its DICOM header is broken or incomplete ({type(error).__name__})"
            ) from error


# --------------------------------------------------------------------------- standard


def _standard(path: Path, dataset: Any) -> Scan:
    samples = _time_samples(path, dataset)
    width = positive(dataset.get("SpectralWidth"))
    mhz, notes = megahertz(dataset.get("TransmitterFrequency"))
    nucleus = dataset.get("ResonantNucleus")
    points = _integer(dataset, "DataPointColumns") or _integer(
        dataset, "SpectroscopyAcquisitionDataColumns"
    )
    for what, value in (
        ("number of points", points),
        ("SpectralWidth", width),
        ("TransmitterFrequency", mhz),
        ("ResonantNucleus", nucleus),
    ):
        if not value:
            raise ReadError(path, f"has no valid {what}, which is required")
    assert points and width  # noqa: PT018 - checked above
    maker = known_manufacturer(dataset.get("Manufacturer"))
    carrier_ppm, said = _carrier(dataset.get("ChemicalShiftReference"), str(nucleus))
    voxels = _n_voxels(dataset)
    fids, water = _split(dataset, maker, _frames(path, dataset, samples, points, voxels), voxels)
    sign = np.conj if maker == "UIH" else np.asarray
    scan = Scan(
        format=FORMAT,
        reader="dicom",
        signal=read_only(sign(fids)[None]),
        nucleus=str(nucleus),
        spectrometer_mhz=mhz,
        dwell_time_s=1.0 / width,
        reference_ppm=carrier_ppm,
        echo_time_s=seconds(group(dataset, "MREchoSequence", "EffectiveEchoTime"), 1e-3, 1.0)
        or seconds(dataset.get("EchoTime"), 1e-3, 1.0),
        repetition_time_s=seconds(
            group(dataset, "MRTimingAndRelatedParametersSequence", "RepetitionTime"), 1e-3, 60.0
        )
        or seconds(dataset.get("RepetitionTime"), 1e-3, 60.0),
        sequence=_sequence(dataset),
        manufacturer=maker,
        n_averages=int(positive(group(dataset, "MRAveragesSequence", "NumberOfAverages")) or 0)
        or None,
        voxel_affine=_affine(dataset),
        n_voxels=voxels,
        varying=along_frames(dataset),
        processed=_processed(dataset, maker),
        findings=(*notes, *said, *_inverted(dataset)),
        **_common(dataset),
    )
    if water is None:
        return scan
    reference = replace(scan, signal=read_only(sign(water)[None]), water_suppressed=False)
    return replace(scan, water=reference)


def _inverted(dataset: Any) -> tuple[Finding, ...]:
    """Return that an inversion came before the signal, which the modifiers of a frame tell."""
    times = group(dataset, "MRModifierSequence", "InversionTimes") or dataset.get("InversionTimes")
    first = times[0] if isinstance(times, Sequence) and len(times) else times
    return inversion(first if first is not None else dataset.get("InversionTime"), 1e-3)


def _processed(dataset: Any, maker: str | None) -> tuple[str, ...]:
    """Return what was done to the samples; Philips flags so that the water lies beside them."""
    corrected = dataset.get("WaterReferencedPhaseCorrection") == "YES" and maker != "Philips"
    return ("eddy_corrected",) if corrected else ()


def _time_samples(path: Path, dataset: Any) -> ComplexArray:
    """Return the complex samples in the time domain, all frames in a row."""
    if dataset.get("DataRepresentation", "COMPLEX") != "COMPLEX":
        raise ReadError(path, "holds no complex data; export the raw (complex) spectroscopy")
    if dataset.get("SignalDomainColumns", "TIME") != "TIME":
        raise ReadError(path, "holds a spectrum, not a time signal; export the unprocessed data")
    if "SpectroscopyData" not in dataset:
        raise ReadError(path, "holds no SpectroscopyData: cut off?")
    # pydicom hands on the bytes as they are stored, by the order of the transfer syntax
    order = "<" if dataset.original_encoding[1] is not False else ">"
    return np.frombuffer(_bytes(path, dataset.SpectroscopyData), order + "c8")


def _carrier(value: Any, nucleus: str) -> tuple[float, tuple[Finding, ...]]:
    """Return the shift at the transmitter frequency, ppm, and what is to be said of it."""
    stated = number(value)
    if value in (None, "") or known_nucleus(nucleus) != "1H":
        return WATER_PPM, ()
    if stated is not None and _WATER_PPM[0] <= stated <= _WATER_PPM[1]:
        return WATER_PPM, ()
    low, high = _CARRIER_PPM
    if stated is None or not low <= stated <= high:
        limits = {"low": low, "high": high, "taken": WATER_PPM}
        return WATER_PPM, (finding("no_carrier", key=_CARRIER_KEY, value=stated, **limits),)
    return stated, (finding("carrier_off_water", ppm=stated, water=WATER_PPM),)


def _n_voxels(dataset: Any) -> int:
    plane = (_integer(dataset, "Rows") or 1) * (_integer(dataset, "Columns") or 1)
    return plane * (_integer(dataset, "SpectroscopyAcquisitionOutOfPlanePhaseSteps") or 1)


def _frames(
    path: Path, dataset: Any, samples: ComplexArray, points: int, voxels: int
) -> ComplexArray:
    """Return the FIDs, shape (frame, point); a single frame holds all voxels."""
    frames = _integer(dataset, "NumberOfFrames") or 1
    per_frame = voxels if frames == 1 else 1
    wanted = points * frames * per_frame
    if samples.size != wanted:
        why = "cut off" if samples.size < wanted else "longer than its header says"
        raise ReadError(
            path,
            f"has {samples.size} samples, but {frames} frames of {points} points need "
            f"{wanted}: {why}; export it again",
        )
    return samples.reshape(-1, points)


def _split(
    dataset: Any, maker: str | None, fids: ComplexArray, voxels: int
) -> tuple[ComplexArray, ComplexArray | None]:
    """Return metabolite FIDs and the water that the makers put beside them."""
    if voxels > 1:
        return fids[:1], None
    if maker == "UIH" and _UIH_WATER in dataset:
        water = np.frombuffer(dataset[_UIH_WATER].value, "<c8")
        return fids, water.reshape(-1, fids.shape[1]) if water.size % fids.shape[1] == 0 else None
    flagged = dataset.get("WaterReferencedPhaseCorrection") == "YES"
    if maker == "Philips" and len(fids) == 2 and flagged:
        return fids[:1], fids[1:]  # frame 0 metabolites, frame 1 water
    return fids, None


def _sequence(dataset: Any) -> str | None:
    edited = dataset.get((0x2005, 0x1597))
    if edited is not None and str(edited.value).strip() == "Y":
        return "edited"
    technique = str(dataset.get("VolumeLocalizationTechnique", ""))
    words = (
        dataset.get("PulseSequenceName"),
        dataset.get("SequenceName"),
        dataset.get("ProtocolName"),
        dataset.get("SeriesDescription"),
    )
    if any(known_sequence(word) == "edited" for word in words):
        return "edited"
    return named_sequence([*words[:2], technique], *words[2:])


def _affine(dataset: Any) -> FloatArray | None:
    """Return the voxel's affine from plane orientation, or from three orthogonal slabs."""
    plane = group(dataset, "PlaneOrientationSequence", "ImageOrientationPatient")
    place = group(dataset, "PlanePositionSequence", "ImagePositionPatient")
    spacing = group(dataset, "PixelMeasuresSequence", "PixelSpacing")
    depth = positive(group(dataset, "PixelMeasuresSequence", "SliceThickness"))
    slabs = list(dataset.get("VolumeLocalizationSequence", None) or [])
    try:
        thick = [float(s.SlabThickness) for s in slabs]
        normals = np.array([[float(v) for v in s.SlabOrientation] for s in slabs])
        if len(slabs) == 3 and np.allclose(normals @ normals.T, np.eye(3), atol=0.02):
            middle = np.array([[float(v) for v in s.MidSlabPosition] for s in slabs])
            # a point of each slab's middle plane: the three planes meet in the centre
            centre = np.linalg.solve(normals, np.sum(normals * middle, axis=1))
            return lps_affine(normals[0], normals[1], centre, (thick[0], thick[1], thick[2]))
        if plane is None or place is None or spacing is None:
            return None
        depth = depth or (thick[0] if thick else None)
        if depth is None:
            return None
        row, column = np.reshape([float(v) for v in plane], (2, 3))
        return lps_affine(row, column, place, (float(spacing[1]), float(spacing[0]), depth))
    except (AttributeError, TypeError, ValueError):
        return None  # geometry is optional: a spectrum without it is still one


# --------------------------------------------------------------------------- Siemens CSA


def _csa(path: Path, dataset: Any) -> Scan:
    tags = _csa_tags(dataset, "image")
    if not tags:
        raise ReadError(path, "holds no CSA header, which Siemens spectroscopy needs")
    element = dataset.get((0x7FE1, 0x1010))
    if element is None:
        raise ReadError(path, "holds no spectroscopy data (7FE1,1010): cut off?")
    samples = np.frombuffer(_bytes(path, element.value), "<c8")
    points = int(positive(_item(tags, "DataPointColumns")) or 0) or int(
        positive(_item(tags, "SpectroscopyAcquisitionDataColumns")) or 0
    )
    voxels = 1
    for name in ("Rows", "Columns", "NumberOfFrames"):
        voxels *= int(positive(_item(tags, name)) or 1)
    dwell = positive(_item(tags, "RealDwellTime"), 1e-9)
    mhz, notes = megahertz(_item(tags, "ImagingFrequency"))
    points = points or samples.size // voxels
    if dwell is None or mhz is None:
        lacks = "RealDwellTime" if dwell is None else "ImagingFrequency"
        raise ReadError(path, f"its CSA header has no valid {lacks}, which is required")
    if samples.size < points * voxels or not points:
        raise ReadError(
            path, f"has {samples.size} samples, {points} x {voxels} are needed: cut off"
        )
    protocol = _protocol_text(dataset)
    program = re.search(r'tSequenceFileName\s*=\s*"*([^"\n]*)', protocol)
    name = (program.group(1) if program else "").lower()
    return Scan(
        format="siemens-csa-dicom",
        reader="dicom",
        signal=read_only(np.conj(samples[:points]).reshape(1, 1, points)),
        nucleus=str(_item(tags, "ImagedNucleus") or _item(tags, "ResonantNucleus") or "") or None,
        spectrometer_mhz=mhz,
        dwell_time_s=dwell,
        echo_time_s=_csa_echo_time(tags, protocol, name),
        repetition_time_s=seconds(_item(tags, "RepetitionTime"), 1e-3, 60.0),
        sequence=named_sequence(
            [name.rsplit("\\", 1)[-1], _item(tags, "SequenceName")], dataset.get("ProtocolName")
        ),
        manufacturer="Siemens",
        n_averages=int(positive(_item(tags, "NumberOfAverages")) or 0) or None,
        voxel_affine=_csa_affine(tags, protocol),
        n_voxels=voxels,
        findings=(*notes, *inversion(_item(tags, "InversionTime"), 1e-3)),
        **_common(dataset),
    )


def _csa_tags(dataset: Any, kind: Literal["image", "series"]) -> dict[str, Any]:
    """Return the tags of a CSA header that hold something; none where it is absent."""
    from nibabel.nicom import csareader

    header = csareader.get_csa_header(dataset, kind) or {"tags": {}}
    return {k: v["items"] for k, v in header["tags"].items() if v["n_items"] and v["items"]}


def _protocol_text(dataset: Any) -> str:
    """Return the protocol as the scanner's own text; VA releases call it otherwise."""
    tags = _csa_tags(dataset, "series")
    return str(_item(tags, "MrPhoenixProtocol") or _item(tags, "MrProtocol") or "")


def _csa_affine(tags: dict[str, Any], protocol: str) -> FloatArray | None:
    """Return the voxel's affine from the tags, or where VA25 leaves them out from the protocol."""
    position = tags.get("VoiPosition")
    size = [positive(_item(tags, k)) for k in ("VoiReadoutFoV", "VoiPhaseFoV", "VoiThickness")]
    row, column = np.reshape(np.array(tags.get("ImageOrientationPatient", [0] * 6), float), (2, 3))
    if position is None or None in size:
        voxel = _voxel_of_protocol(protocol)
        position = position or voxel.get("sPosition") or tags.get("ImagePositionPatient")
        size = [s or voxel.get(k) for s, k in zip(size, _VOXEL_SIDES, strict=True)]
        if not (row.any() and column.any()) and voxel:
            row, column = _turned_in_plane(voxel["sNormal"], voxel["dInPlaneRot"])
    if position is None or None in size:
        return None
    a, b, c = (float(s or 0) for s in size)
    return lps_affine(row, column, position, (a, b, c))


_VOXEL_SIDES = ("dReadoutFOV", "dPhaseFOV", "dThickness")


def _voxel_of_protocol(protocol: str) -> dict[str, Any]:
    """Return ``sSpecPara.sVoI`` of a protocol's text, in which what is 0 is left out."""
    found = dict(re.findall(r"sSpecPara\.sVoI\.([\w.]+)\s*=\s*([-+.\deE]+)", protocol))
    sides = {k: positive(found.get(k)) for k in _VOXEL_SIDES}
    if None in sides.values():
        return {}
    axes = ("dSag", "dCor", "dTra")
    vectors = {
        name: [number(found.get(f"{name}.{axis}")) or 0.0 for axis in axes]
        for name in ("sPosition", "sNormal")
    }
    return {**sides, **vectors, "dInPlaneRot": number(found.get("dInPlaneRot")) or 0.0}


def _turned_in_plane(normal: Sequence[float], turn: float) -> tuple[FloatArray, FloatArray]:
    """Return row and column of a voxel by its normal and rotation, as the scanner turns them."""
    from spec2nii.GSL.gslfunctions import calc_prs

    column, row = calc_prs(np.asarray(normal, dtype=float), turn, False)
    return np.asarray(row, dtype=float), np.asarray(column, dtype=float)


def _csa_echo_time(tags: dict[str, Any], protocol: str, program: str) -> float | None:
    """Return the echo time: the header's, or the sum of its parts where a sequence splits it."""
    alte = dict(re.findall(r"alTE\[(\d+)\]\s*=\s*(\d+)", protocol))
    if PARTS_OF_ECHO.search(program):
        parts = [number(alte.get(str(i))) for i in range(3)]
        if (total := sum_of_parts(parts)) is not None:
            return total
    stated = seconds(_item(tags, "EchoTime"), 1e-3, 1.0)
    return stated or seconds(alte.get("0"), 1e-6, 1.0)


# --------------------------------------------------------------------------- helpers


def _common(dataset: Any) -> dict[str, Any]:
    """Return what all classes say in the same place."""
    software = dataset.get("SoftwareVersions")
    if software is not None and not isinstance(software, str):
        software = next(iter(software), None)
    return {
        "scanner": known_model(dataset.get("ManufacturerModelName")),
        "software": known_software(software),
        "field_strength_t": seconds(dataset.get("MagneticFieldStrength"), 1.0, HIGHEST_FIELD_T),
        "order": (
            int(positive(dataset.get("SeriesNumber")) or 0),
            int(positive(dataset.get("InstanceNumber")) or 0),
        ),
        "level_hint": level_in(dataset.get("ProtocolName"), dataset.get("SeriesDescription")),
        "series": digest(dataset.get("SeriesInstanceUID")),
        "identity": Identity(
            subject=digest(dataset.get("PatientID")) or digest(dataset.get("PatientName")),
            exam=digest(dataset.get("StudyInstanceUID")),
            date=digest(dataset.get("StudyDate")),
            device=digest(dataset.get("DeviceSerialNumber")),
        ),
    }


def _bytes(path: Path, value: Any) -> bytes:
    content = bytes(value or b"")
    if not content or len(content) % 8:
        raise ReadError(path, f"its samples have {len(content)} bytes, no whole number: cut off")
    return content


def _item(tags: dict[str, Any], name: str) -> Any:
    items = tags.get(name)
    return items[0] if items else None


def _integer(dataset: Any, name: str) -> int | None:
    value = positive(dataset.get(name))
    return int(value) if value else None
