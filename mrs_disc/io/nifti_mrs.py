"""NIfTI-MRS: single-voxel spectroscopy in NIfTI with a JSON header extension of code 44.

Source: Clarke et al., Magn Reson Med 2022;88:2358-2370, doi:10.1002/mrm.29418, and the standard,
https://github.com/wtclarke/mrs_nifti_standard (dimension tags, units, sign).

The samples are read here and not through nibabel's data proxy: a stream that is cut is noticed, a
declared size is compared with the bytes that are there before any memory is taken, and the sign
changes in place. The standard stores ``exp(-i 2 pi f t)`` for a resonance above the carrier, so
samples are conjugated. Trailing axes of size 1, which NIfTI drops, come back from the tags.
"""

from __future__ import annotations

import gzip
import io
import json
import math
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np

from mrs_disc.constants import WATER_PPM
from mrs_disc.errors import ReadError
from mrs_disc.io.names import level_in
from mrs_disc.io.scan import (
    MAX_SIGNAL_BYTES,
    Identity,
    Scan,
    conjugate_in_place,
    digest,
    head,
    known_manufacturer,
    known_model,
    known_sequence,
    known_software,
    megahertz,
    number,
    read_only,
    seconds,
)
from mrs_disc.io.sidecar import own_sidecar, read_sidecar
from mrs_disc.record.findings import Finding, finding, unread
from mrs_disc.typing import ComplexArray, FloatArray

FORMAT = "nifti-mrs"
MRS_EXTENSION = 44
_LONGEST_S = {"EchoTime": 1.0, "RepetitionTime": 60.0}
_FIELD_OF = {"EchoTime": "echo_time_s", "RepetitionTime": "repetition_time_s"}
_MAX_HEADER_BYTES = 8_000_000
_TRANSIENT_TAGS = ("DIM_DYN", "DIM_MEAS")
_GZIP = b"\x1f\x8b"


def sniff(path: Path) -> bool:
    """Say whether the content is NIfTI, plain or in a gzip stream."""
    start = head(path, 512)
    if start[:2] == _GZIP:
        try:
            start = zlib.decompressobj(31).decompress(start, 352)
        except zlib.error:
            return path.name.lower().endswith((".nii.gz", ".nii"))
    size = {int.from_bytes(start[:4], order) for order in ("little", "big")}
    return (348 in size and start[344:347] in (b"n+1", b"ni1")) or (
        540 in size and start[4:7] in (b"n+2", b"ni2")
    )


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
    with _opened(path) as stream:
        header, extension = _header(path, stream)
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
        samples = _samples(path, stream, header)
    facts = {**(sidecar or {}), **(extension or {})}
    scan = _scan(path, header, samples, facts, extension is not None)
    return scan.noted(*_contradictions(extension or {}, sidecar or {}))


def _contradictions(extension: Mapping[str, Any], sidecar: Mapping[str, Any]) -> list[Finding]:
    """Return what a sidecar says otherwise than the file itself, whose word counts."""
    notes = []
    for key in ("EchoTime", "RepetitionTime", "SpectrometerFrequency"):
        file, beside = (number(_first(facts.get(key))) for facts in (extension, sidecar))
        if file is not None and beside is not None and not math.isclose(file, beside, rel_tol=1e-3):
            notes.append(finding("sidecar_contradicts", key=key, sidecar=beside, file=file))
    return notes


@contextmanager
def _opened(path: Path) -> Iterator[io.BufferedIOBase]:
    """Open plain or gzip content by its first bytes; errors of the stream name the file."""
    with path.open("rb") as raw:
        packed = raw.peek(2)[:2] == _GZIP
        try:
            yield gzip.GzipFile(fileobj=raw) if packed else raw
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise ReadError(
                path, "the gzip stream is cut or broken; copy the file again"
            ) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What is needed of a NIfTI header."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    dwell_time_s: float
    affine: FloatArray
    slope: float
    offset: float
    start: int


_FIELDS: dict[int, dict[str, tuple[str, int]]] = {
    348: {
        "dim": ("8i2", 40),
        "datatype": ("i2", 70),
        "pixdim": ("8f4", 76),
        "vox_offset": ("f4", 108),
        "scl_slope": ("f4", 112),
        "scl_inter": ("f4", 116),
        "xyzt_units": ("u1", 123),
        "sform_code": ("i2", 254),
        "srow": ("(3,4)f4", 280),
    },
    540: {
        "dim": ("8i8", 16),
        "datatype": ("i2", 12),
        "pixdim": ("8f8", 104),
        "vox_offset": ("i8", 168),
        "scl_slope": ("f8", 176),
        "scl_inter": ("f8", 184),
        "xyzt_units": ("i4", 500),
        "sform_code": ("i4", 348),
        "srow": ("(3,4)f8", 400),
    },
}
"""Type and place of the fields that are read, by the size of the header (nifti1.h, nifti2.h)."""
_COMPLEX = {32: "c8", 1792: "c16"}
_TIME_UNITS = {0: 1.0, 8: 1.0, 16: 1e-3, 24: 1e-6}


def _plain_header(block: bytes, order: Literal["<", ">"]) -> Header | None:
    """Return the header of a complex signal that an affine places, or None for any other.

    What spec2nii and this package write is read without importing nibabel, which takes as long as
    the whole analysis of a disc.
    """
    layout = _layout(len(block), order)
    raw = np.frombuffer(block[: layout.itemsize], layout)[0]
    n_axes = int(raw["dim"][0])
    shape = tuple(int(n) for n in raw["dim"][1 : 1 + n_axes])
    code = _COMPLEX.get(int(raw["datatype"]))
    unit = _TIME_UNITS.get(int(raw["xyzt_units"]) & 0x38)
    start = float(raw["vox_offset"])
    if not 4 <= n_axes <= 7 or min(shape) < 1 or code is None or unit is None:
        return None
    if raw["sform_code"] <= 0 or not math.isfinite(start):
        return None
    return Header(
        dtype=np.dtype(order + code),
        shape=shape,
        dwell_time_s=unit * _shortest(raw["pixdim"][4]),
        affine=np.vstack([raw["srow"].astype(float), [0.0, 0.0, 0.0, 1.0]]),
        slope=float(raw["scl_slope"]),
        offset=float(raw["scl_inter"]),
        start=int(start) or len(block) + 4,
    )


@cache
def _layout(size: int, order: Literal["<", ">"]) -> np.dtype[Any]:
    fields = _FIELDS[size]
    formats, places = zip(*fields.values(), strict=True)
    described = np.dtype({"names": list(fields), "formats": formats, "offsets": places})
    return described.newbyteorder(order)


def _shortest(value: np.floating[Any]) -> float:
    """Return the shortest decimal that is this number in its own precision."""
    return float(np.format_float_positional(value, unique=True))


def _any_header(block: bytes) -> Header:
    """Return the header, by nibabel."""
    from nibabel.nifti1 import Nifti1Header
    from nibabel.nifti2 import Nifti2Header

    raw = (Nifti2Header if len(block) == 540 else Nifti1Header)(block, check=False)
    unit = {"msec": 1e-3, "usec": 1e-6}.get(raw.get_xyzt_units()[1], 1.0)
    return Header(
        dtype=np.dtype(raw.get_data_dtype()),
        shape=tuple(int(n) for n in raw.get_data_shape()),
        dwell_time_s=unit * _shortest(raw["pixdim"][4]),
        affine=np.asarray(raw.get_best_affine(), dtype=float),
        slope=float(raw["scl_slope"]),
        offset=float(raw["scl_inter"]),
        start=int(raw["vox_offset"]) or len(block) + 4,
    )


def _header(path: Path, stream: io.BufferedIOBase) -> tuple[Header, dict[str, Any] | None]:
    """Return the header and the MRS extension, parsed."""
    first = stream.read(4)
    order: Literal["<", ">"] = "<" if int.from_bytes(first, "little") in (348, 540) else ">"
    size = int.from_bytes(first, "little" if order == "<" else "big")
    if size not in (348, 540):
        raise ReadError(path, "is not a NIfTI file")
    block = first + stream.read(size - 4)
    if len(block) < size:
        raise ReadError(path, "ends inside its NIfTI header")
    try:
        header = _plain_header(block, order) or _any_header(block)
    except Exception as error:  # nibabel raises many kinds on codes that it does not know
        raise ReadError(path, f"its NIfTI header is broken ({type(error).__name__})") from error
    if not size <= header.start <= _MAX_HEADER_BYTES:
        raise ReadError(path, f"its header says that the data start at byte {header.start}")
    rest = stream.read(header.start - size)
    if len(rest) < header.start - size:
        raise ReadError(path, "ends inside its header extension")
    return header, _extension(path, rest, order)


def _extension(path: Path, block: bytes, order: str) -> dict[str, Any] | None:
    """Return the JSON of the extension with code 44, or `None` where there is none."""
    if len(block) < 4 or block[0] == 0:
        return None
    at = 4
    while at + 8 <= len(block):
        size, code = (int(v) for v in np.frombuffer(block, order + "i4", 2, at))
        if size < 8 or at + size > len(block):
            raise ReadError(path, "its header extension is broken (size field)")
        if code == MRS_EXTENSION:
            text = block[at + 8 : at + size].rstrip(b"\x00 ")
            try:
                found = json.loads(text.decode("utf-8"))
            except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
                raise ReadError(path, f"its MRS header extension is not JSON ({error})") from error
            if not isinstance(found, dict):
                raise ReadError(path, "its MRS header extension is not a JSON object")
            return found
        at += size
    return None


def _samples(path: Path, stream: io.BufferedIOBase, header: Header) -> ComplexArray:
    """Return the samples as complex64, Fortran order as stored; sizes are checked first."""
    dtype, shape = header.dtype, header.shape
    if len(shape) < 4 or min(shape) < 1:
        raise ReadError(path, f"has the shape {shape}; spectroscopy has (x, y, z, time, …)")
    wanted = int(np.prod([float(n) for n in shape])) * dtype.itemsize
    if wanted > MAX_SIGNAL_BYTES:
        raise ReadError(
            path,
            f"declares {wanted / 1e6:.0f} MB of samples, shape {shape}; at most "
            f"{MAX_SIGNAL_BYTES / 1e6:.0f} MB are read. Average transients or crop it first.",
        )
    if isinstance(stream, (io.BufferedReader, io.FileIO)):
        there = path.stat().st_size - stream.tell()
        if there < wanted:
            raise ReadError(path, f"ends after {there} of {wanted} bytes of samples")
    flat = np.empty(wanted // dtype.itemsize, dtype)
    filled = 0
    view = memoryview(flat.view(np.uint8).data)
    while filled < wanted:
        n_read = stream.readinto(view[filled : filled + (1 << 24)])
        if not n_read:
            raise ReadError(path, f"ends after {filled} of {wanted} bytes of samples")
        filled += n_read
    slope, offset = header.slope, header.offset
    samples: ComplexArray = flat.astype(np.complex64, copy=False)
    if np.isfinite([slope, offset]).all() and slope != 0.0 and (slope, offset) != (1.0, 0.0):
        with np.errstate(all="ignore"):  # what is beyond range is refused as not finite
            samples *= np.float32(slope)
            samples += np.complex64(offset)
    return conjugate_in_place(samples).reshape(shape, order="F")


def _first(value: Any) -> Any:
    return value[0] if isinstance(value, (list, tuple)) and value else value


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
    if not standard:
        return scan.noted(finding("no_mrs_extension"))
    if scan.spectrometer_mhz is None or scan.nucleus is None:
        lacks = "SpectrometerFrequency" if scan.spectrometer_mhz is None else "ResonantNucleus"
        raise ReadError(path, f"its MRS header extension lacks a valid {lacks}, which is required")
    return scan


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
        _first(facts.get("SpectrometerFrequency", facts.get("ImagingFrequency")))
    )
    nucleus = _first(facts.get("ResonantNucleus"))
    signal, coil_axis, extra, more = _axes(samples, facts)
    return Scan(
        format=form,
        reader=reader,
        signal=read_only(signal),
        coil_axis=coil_axis,
        nucleus=nucleus if isinstance(nucleus, str) and nucleus else None,
        spectrometer_mhz=mhz,
        dwell_time_s=dwell_time_s,
        reference_ppm=_ppm(facts.get("SpecFreqChemShift")),
        start_time_s=number(facts.get("AcquisitionStartTime")) or 0.0,
        echo_time_s=seconds(facts.get("EchoTime"), 1.0, _LONGEST_S["EchoTime"]),
        repetition_time_s=seconds(facts.get("RepetitionTime"), 1.0, _LONGEST_S["RepetitionTime"]),
        sequence="edited"
        if "EditPulse" in facts or "EditCondition" in facts
        else known_sequence(
            facts.get("SequenceName"), facts.get("PulseSequenceType"), facts.get("ProtocolName")
        ),
        manufacturer=known_manufacturer(facts.get("Manufacturer")),
        scanner=known_model(facts.get("ManufacturersModelName")),
        software=known_software(_first(facts.get("SoftwareVersions"))),
        field_strength_t=seconds(facts.get("MagneticFieldStrength"), 1.0, 20.0),
        voxel_affine=_placed(affine),
        water_suppressed=_flag(facts.get("WaterSuppressed", facts.get("WaterSuppression"))),
        extra_axes=extra,
        n_voxels=int(np.prod(samples.shape[:3])),
        identity=Identity(
            subject=digest(facts.get("PatientID")) or digest(facts.get("PatientName")),
            date=digest(facts.get("StudyDate")),
        ),
        level_hint=level_in(facts.get("ProtocolName")),
        findings=(*notes, *more, *_no_times(facts)),
    )


def _no_times(facts: Mapping[str, Any]) -> list[Finding]:
    """Return which times of a header are no times; what stands there in words is not repeated."""
    found = []
    for key, longest in _LONGEST_S.items():
        if facts.get(key) is None or seconds(facts[key], 1.0, longest) is not None:
            continue
        value = number(_first(facts[key]))
        found.append(finding("no_time", _FIELD_OF[key], key=key, value=value, below=longest))
    return found


def _axes(
    samples: ComplexArray, facts: Mapping[str, Any]
) -> tuple[ComplexArray, bool, dict[str, int], tuple[Finding, ...]]:
    """Return (coil, transient, point) of the first voxel, and what the other axes are."""
    tags = {n: facts[f"dim_{n}"] for n in (5, 6, 7) if isinstance(facts.get(f"dim_{n}"), str)}
    n_axes = max([samples.ndim, *tags])
    first = samples[0, 0, 0].reshape(samples.shape[3:] + (1,) * (n_axes - samples.ndim))
    notes: list[Finding] = []
    coil, transients, extra = None, [], {}
    for axis in range(1, first.ndim):
        tag, size = tags.get(axis + 4), first.shape[axis]
        if tag == "DIM_COIL" and coil is None:
            coil = axis
        elif tag in _TRANSIENT_TAGS:
            transients.append(axis)
        elif tag is None and size > 1 and not transients:
            transients.append(axis)
            notes.append(finding("untagged_dimension", dimension=axis + 4, size=size))
        elif size > 1:
            extra[str(tag or f"dim_{axis + 4}")] = size
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


def _placed(affine: FloatArray) -> FloatArray | None:
    """Return the affine, or `None` for the placeholder of unlocalised data (10 m voxels)."""
    sizes = np.linalg.norm(affine[:3, :3], axis=0)
    return affine if np.all(np.isfinite(affine)) and 0 < sizes.min() <= sizes.max() < 1000 else None


def _ppm(value: Any) -> float:
    found = number(value)
    return found if found is not None and -10 < found < 20 else WATER_PPM


def _flag(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None
