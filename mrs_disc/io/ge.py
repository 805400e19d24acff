"""GE P-files: header revision 9 by an own reader, later ones through spec2nii.

spec2nii 0.8.15 stops at revision 9 (LX 11). Its layout, read off real files with their SAGE
headers beside them: header of 61,464 bytes, per coil one baseline frame and then the frames,
each of complex 32-bit integers, little-endian; water frames first; sign as in NIfTI-MRS.
"""

from __future__ import annotations

import struct
from dataclasses import replace
from pathlib import Path

import numpy as np

from mrs_disc.errors import ReadError
from mrs_disc.io import vendor
from mrs_disc.io.scan import (
    Identity,
    Scan,
    conjugate_in_place,
    digest,
    head,
    known_sequence,
    read_only,
    seconds,
    whole,
)
from mrs_disc.typing import ComplexArray

FORMAT = "ge-pfile"
_HEADER_9 = 61_464
_MAX_BYTES = 200_000_000


def sniff(path: Path) -> bool:
    """Say whether the content starts with a P-file's revision and logo."""
    start = head(path, 64)
    if len(start) < 64:
        return False
    if start[34:37] == b"GE_" or start[34:44] == b"INVALIDNMR":
        return True
    revision = struct.unpack("<f", start[:4])[0]
    return bool(11.0 <= revision < 40.0 and abs(revision * 1000 - round(revision * 1000)) < 0.01)


def read(path: Path) -> Scan:
    """Read a P-file.

    Raises
    ------
    ReadError
        If its frames are not all there, or its revision is not known.
    """
    revision = struct.unpack("<f", head(path, 4))[0]
    if 8.5 < revision < 10.0:
        return _revision_9(path)
    return vendor.ge_pfile(path)


def _revision_9(path: Path) -> Scan:
    raw = whole(path, _MAX_BYTES)
    if len(raw) < _HEADER_9:
        raise ReadError(path, "ends inside its header: cut off")
    frames, points, bytes_each = (struct.unpack_from("<h", raw, at)[0] for at in (74, 80, 82))
    first, last = struct.unpack_from("<hh", raw, 200)
    coils = last - first + 1
    width, references = (struct.unpack_from("<f", raw, at)[0] for at in (368, 292))
    frequency, repetition, echo = (
        struct.unpack_from("<i", raw, at)[0] for at in (424, 60_128, 60_136)
    )
    if not (frames > 0 and points > 0 and 0 < coils <= 64 and bytes_each == 4 and width > 0):
        raise ReadError(path, "its header is not that of single-voxel spectroscopy (PROBE)")
    needed = _HEADER_9 + coils * (frames + 1) * points * 8
    if len(raw) < needed:
        raise ReadError(path, f"has {len(raw)} bytes of {needed}: cut off; copy it again")
    integers = np.frombuffer(raw, "<i4", coils * (frames + 1) * points * 2, _HEADER_9)
    samples = integers.astype(np.float32).view(np.complex64).reshape(coils, frames + 1, points)
    conjugate_in_place(samples)
    signal: ComplexArray = samples[:, 1:]
    n_water = int(references) if 0 < references < frames else 0
    scan = Scan(
        format=FORMAT,
        reader="ge",
        signal=read_only(signal[:, n_water:]),
        coil_axis=coils > 1,
        transient_axis=True,
        nucleus="1H",
        spectrometer_mhz=frequency * 1e-7,
        dwell_time_s=1.0 / width,
        echo_time_s=seconds(echo, 1e-6, 1.0),
        repetition_time_s=seconds(repetition, 1e-6, 60.0),
        sequence=known_sequence(raw[60_248:60_281].split(b"\x00")[0].decode("ascii", "replace")),
        manufacturer="GE",
        identity=Identity(
            subject=digest(raw[57_440:57_453].split(b"\x00")[0].decode("ascii", "replace")),
            date=digest(raw[16:26].split(b"\x00")[0].decode("ascii", "replace")),
        ),
    )
    if not n_water:
        return scan
    water = replace(scan, signal=read_only(signal[:, :n_water]), water_suppressed=False)
    return replace(scan, water=water)
