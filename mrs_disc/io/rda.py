"""Siemens RDA: a text header and one averaged FID as pairs of 64-bit floats.

Own reader: spec2nii 0.8.15 opens a file that was cut short without a word, and stops at headers
with LF line ends or without geometry. The samples have the sign of NIfTI-MRS and are conjugated.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from mrs_disc.errors import ReadError
from mrs_disc.io.names import level_in
from mrs_disc.io.scan import (
    Identity,
    Scan,
    digest,
    head,
    known_model,
    known_sequence,
    known_software,
    lps_affine,
    megahertz,
    number,
    positive,
    read_only,
    seconds,
    whole,
)
from mrs_disc.typing import ComplexArray, FloatArray

FORMAT = "siemens-rda"
_MAX_BYTES = 64_000_000
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
    raw = whole(path, _MAX_BYTES)
    end = raw.find(_END, 0, 1_000_000)
    if end < 0:
        raise ReadError(path, "has no '>>> End of header <<<' line: cut off or not an RDA file")
    start = end + len(_END)
    start += 2 if raw[start : start + 2] == b"\r\n" else 1
    values = _header(raw[:end])
    points = int(positive(values.get("VectorSize")) or 0)
    matrix = [int(positive(values.get(f"CSIMatrixSize[{i}]")) or 1) for i in range(3)]
    voxels = int(np.prod([float(n) for n in matrix]))
    dwell, mhz = positive(values.get("DwellTime"), 1e-6), positive(values.get("MRFrequency"))
    for name, value in (("VectorSize", points), ("DwellTime", dwell), ("MRFrequency", mhz)):
        if not value:
            raise ReadError(path, f"its header has no valid {name}, which is required")
    n_fids, rest = divmod(len(raw) - start, points * voxels * 16)
    if rest or not n_fids or (voxels > 1 and n_fids > 1):
        raise ReadError(
            path,
            f"has {len(raw) - start} bytes of samples, but VectorSize {points} x {voxels} voxel "
            f"needs {points * voxels * 16}: cut off; export it again",
        )
    mhz, notes = megahertz(mhz)
    samples = np.frombuffer(raw, "<c16", points * n_fids, start)
    signal: ComplexArray = samples.conj().reshape(1, n_fids, points)
    return Scan(
        format=FORMAT,
        reader="rda",
        signal=read_only(signal),
        nucleus=values.get("Nucleus"),
        spectrometer_mhz=mhz,
        dwell_time_s=dwell,
        echo_time_s=seconds(values.get("TE"), 1e-3, 1.0),
        repetition_time_s=seconds(values.get("TR"), 1e-3, 60.0),
        sequence=known_sequence(values.get("SequenceName"), values.get("ProtocolName")),
        manufacturer="Siemens",
        scanner=known_model(values.get("ModelName")),
        software=known_software(values.get("SoftwareVersion[0]")),
        field_strength_t=seconds(values.get("MagneticFieldStrength"), 1.0, 20.0),
        n_averages=int(positive(values.get("NumberOfAverages")) or 0) or None,
        voxel_affine=_affine(values),
        n_voxels=voxels,
        identity=Identity(
            subject=digest(values.get("PatientID")) or digest(values.get("PatientName")),
            date=digest(values.get("StudyDate")),
        ),
        level_hint=level_in(values.get("ProtocolName"), values.get("SeriesDescription")),
        findings=notes,
    )


def _header(block: bytes) -> dict[str, str]:
    """Return the header's values; its encoding differs between sites, only ASCII is used."""
    pairs = re.findall(r"^([\w\[\],]+):[ \t]*(.*?)\s*$", block.decode("latin-1"), re.MULTILINE)
    return dict(pairs)


def _vector(values: dict[str, str], *names: str) -> list[float | None]:
    return [number(values.get(name)) for name in names]


def _affine(values: dict[str, str]) -> FloatArray | None:
    """Return the voxel's affine; geometry is optional, a spectrum without it is still one."""
    row = _vector(values, *(f"RowVector[{i}]" for i in range(3)))
    column = _vector(values, *(f"ColumnVector[{i}]" for i in range(3)))
    centre = _vector(values, "VOIPositionSag", "VOIPositionCor", "VOIPositionTra")
    if None in centre:
        centre = _vector(values, *(f"PositionVector[{i}]" for i in range(3)))
    size = [
        positive(values.get(k)) for k in ("PixelSpacingCol", "PixelSpacingRow", "SliceThickness")
    ]
    if None in (*row, *column, *centre, *size):
        return None
    a, b, c = (float(s or 0) for s in size)
    return lps_affine(row, column, centre, (a, b, c))
