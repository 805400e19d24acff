"""Siemens RDA: a text header and one averaged FID as pairs of 64-bit floats.

Between a line with ``Begin of header`` and one with ``End of header`` stand::

    SequenceName: svs_se
    TE: 30.000000
    DwellTime: 500
    VectorSize: 2048
    VOIPositionSag: 0.000000

Own reader: spec2nii 0.8.15 opens a file that was cut short without a word, and stops at headers
with LF line ends or without geometry. The samples have the sign of NIfTI-MRS and are conjugated.
Releases from XA on give the voxel as three slabs, as the DICOM standard does, in place of the field
of view: ``SlabThickness[0]`` and, where there are, ``SlabOrientation`` and ``MidSlabPosition``.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from mrs_disc.errors import ReadError
from mrs_disc.io.formats.entries import inversion, said_twice, told
from mrs_disc.io.formats.scan import (
    HIGHEST_FIELD_T,
    Identity,
    Scan,
    digest,
    head,
    known_model,
    known_software,
    lps_affine,
    megahertz,
    named_sequence,
    number,
    positive,
    read_only,
    seconds,
    whole,
)
from mrs_disc.io.names import level_in
from mrs_disc.record.findings import finding, unread
from mrs_disc.signal.water_scan import early_amplitude
from mrs_disc.typing import ComplexArray, FloatArray

FORMAT = "siemens-rda"
_TIMES = {"TE": "echo_time_s", "TR": "repetition_time_s", "TM": "mixing_time_s"}
_ONLY_ONCE = {*_TIMES, "VectorSize", "DwellTime", "MRFrequency", "Nucleus"}
_BEGINS = 0.5
"""Amplitude at the start of further FIDs over that of the first: below, they are its rest."""
_BEGIN, _END = b">>> Begin of header <<<", b">>> End of header <<<"


def sniff(path: Path) -> bool:
    """Say whether the content starts as an RDA header does."""
    return _BEGIN in head(path, 64)  # a byte-order mark may stand before it


def read(path: Path) -> Scan:
    """Read an RDA file.

    Raises
    ------
    ReadError
        If the header has no end, lacks a required value, or the samples are not all there.
    """
    raw = whole(path, "Siemens RDA")
    end = raw.find(_END, 0, 1_000_000)
    if end < 0:
        raise ReadError(path, "has no '>>> End of header <<<' line: cut off or not an RDA file")
    start = end + len(_END)
    start += 2 if raw[start : start + 2] == b"\r\n" else 1
    values, twice = _header(raw[:end])
    notes = said_twice(twice, _TIMES)
    values |= dict.fromkeys(twice.keys() & _ONLY_ONCE, "")  # of two that differ none counts
    points = int(positive(values.get("VectorSize")) or 0)
    matrix = [int(positive(values.get(f"CSIMatrixSize[{i}]")) or 1) for i in range(3)]
    voxels = int(np.prod([float(n) for n in matrix]))
    dwell, mhz = positive(values.get("DwellTime"), 1e-6), positive(values.get("MRFrequency"))
    for name, value in (("VectorSize", points), ("DwellTime", dwell), ("MRFrequency", mhz)):
        if not value:
            raise ReadError(path, f"its header has no valid {name}, which is required")
    mhz, in_hz = megahertz(mhz)
    notes = (*notes, *in_hz, *inversion(values.get("TI"), 1e-3))
    affine = _affine(values)
    if affine is None:
        notes = (*notes, finding("no_voxel"))
    return Scan(
        format=FORMAT,
        reader="rda",
        signal=read_only(_samples(path, raw[start:], points, voxels)),
        nucleus=values.get("Nucleus"),
        spectrometer_mhz=mhz,
        dwell_time_s=dwell,
        echo_time_s=seconds(values.get("TE"), 1e-3, 1.0),
        repetition_time_s=seconds(values.get("TR"), 1e-3, 60.0),
        mixing_time_s=seconds(values.get("TM"), 1e-3, 10.0),
        sequence=named_sequence([values.get("SequenceName")], values.get("ProtocolName")),
        manufacturer="Siemens",
        scanner=known_model(values.get("ModelName")),
        software=known_software(values.get("SoftwareVersion[0]")),
        field_strength_t=seconds(values.get("MagneticFieldStrength"), 1.0, HIGHEST_FIELD_T),
        n_averages=int(positive(values.get("NumberOfAverages")) or 0) or None,
        voxel_affine=affine,
        n_voxels=voxels,
        identity=Identity(
            subject=digest(values.get("PatientID")) or digest(values.get("PatientName")),
            date=digest(values.get("StudyDate")),
        ),
        level_hint=level_in(values.get("ProtocolName"), values.get("SeriesDescription")),
        findings=notes,
    )


def _samples(path: Path, raw: bytes, points: int, voxels: int) -> ComplexArray:
    """Return the samples, shape (1, FID, point); of spectroscopic imaging the first voxel's."""
    n_fids, rest = divmod(len(raw), points * voxels * 16)
    if rest or not n_fids or (voxels > 1 and n_fids > 1):
        why = "longer than its header says" if n_fids else "cut off"
        raise ReadError(
            path,
            f"has {len(raw)} bytes of samples, but VectorSize {points} x {voxels} voxel needs "
            f"{points * voxels * 16}: {why}; export it again",
        )
    samples = np.frombuffer(raw, "<c16", points * n_fids)
    signal: ComplexArray = samples.conj().reshape(1, n_fids, points)
    size = early_amplitude(signal)
    if n_fids > 1 and np.median(size[1:]) < _BEGINS * size[0]:
        raise unread(path, finding("fid_in_pieces", points=points, n=n_fids))
    return signal


def _header(block: bytes) -> tuple[dict[str, str], dict[str, tuple[str, str]]]:
    """Return the header's values; its encoding differs between sites, only ASCII is used."""
    return told(re.findall(r"^([\w\[\],]+):[ \t]*(.*?)\s*$", block.decode("latin-1"), re.MULTILINE))


def _vector(values: dict[str, str], *names: str) -> list[float | None]:
    return [number(values.get(name)) for name in names]


def _affine(values: dict[str, str]) -> FloatArray | None:
    """Return the voxel's affine; geometry is optional, a spectrum without it is still one."""
    if (affine := _affine_of_slabs(values)) is not None:
        return affine
    row = _vector(values, *(f"RowVector[{i}]" for i in range(3)))
    column = _vector(values, *(f"ColumnVector[{i}]" for i in range(3)))
    centre = _centre(values)
    size = [
        next((s for k in names if (s := positive(values.get(k))) is not None), None)
        for names in (
            ("PixelSpacingCol", "VOIReadoutFOV", "VOIReadoutVOV", "SlabThickness[2]"),
            ("PixelSpacingRow", "VOIPhaseFOV", "SlabThickness[1]"),
            ("SliceThickness", "VOIThickness", "SlabThickness[0]"),
        )
    ]
    if centre is None or None in (*row, *column, *size):
        return None
    a, b, c = (float(s or 0) for s in size)
    return lps_affine(row, column, centre, (a, b, c))


def _centre(values: dict[str, str]) -> list[float] | None:
    """Return the voxel's centre, LPS, mm."""
    found = _vector(values, "VOIPositionSag", "VOIPositionCor", "VOIPositionTra")
    if None in found:
        found = _vector(values, *(f"PositionVector[{i}]" for i in range(3)))
    return None if None in found else [float(v or 0) for v in found]


def _affine_of_slabs(values: dict[str, str]) -> FloatArray | None:
    """Return the affine of a voxel in which three slabs at right angles meet."""
    names = "SlabThickness", "SlabOrientation", "MidSlabPosition"
    thick, normals, middle = (_numbers(values, name) for name in names)
    if len(thick) != 3 or len(normals) != 9 or min(thick) <= 0:
        return None
    axes = np.reshape(normals, (3, 3))
    if not np.allclose(axes @ axes.T, np.eye(3), atol=0.02):
        return None
    centre = middle if len(middle) == 3 else _centre(values)
    if len(middle) == 9:  # a point of each slab's middle plane: the three planes meet in the centre
        centre = np.linalg.solve(axes, np.sum(axes * np.reshape(middle, (3, 3)), axis=1)).tolist()
    if centre is None:
        return None
    # The last two slabs lie along row and column, the first is the slice.
    return lps_affine(axes[2], axes[1], centre, (thick[2], thick[1], thick[0]))


def _numbers(values: dict[str, str], name: str) -> list[float]:
    """Return all numbers under one name, by their indices, one or several to a line."""
    found: list[tuple[list[int], list[float]]] = []
    for key, text in values.items():
        if key == name or key.startswith(f"{name}["):
            words = [number(w) for w in re.split(r"[\s\\;]+", text.strip())]
            if None in words:
                return []
            found.append(
                ([int(i) for i in re.findall(r"\d+", key)], [float(w or 0) for w in words])
            )
    return [value for _, row in sorted(found) for value in row]
