"""GE P-files, through spec2nii where it knows revision and pulse sequence, else by their frames.

Fields of the header by spec2nii's names, of a real file of revision 9::

    rhr_rh_rdbm_rev       9.0         float at byte 0, tells where the others lie
    rhr_rh_frame_size     2048        points of a frame
    rhr_rh_raw_pass_size  409600      bytes of all coils
    rhr_rh_ps_mps_freq    638726220   tenths of a hertz
    rhr_rh_user19         8.0         water frames, which come first

spec2nii 0.8.15 stops at revisions before 12 (LX 11 and older) and at pulse sequences it has no
mapping for; its table of header fields serves all the same. Layout, read off real files of
revision 9 with their SAGE headers beside them: after the header, per coil one baseline frame and
then the frames, each of complex 32-bit integers, little-endian; water frames first; sign as in
NIfTI-MRS.
"""

from __future__ import annotations

import ctypes
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from mrs_disc.errors import ReadError
from mrs_disc.io.formats import vendor
from mrs_disc.io.formats.scan import (
    Identity,
    Scan,
    conjugate_in_place,
    digest,
    head,
    named_sequence,
    number,
    read_only,
    seconds,
    whole,
)
from mrs_disc.record.findings import finding
from mrs_disc.typing import ComplexArray

FORMAT = "ge-pfile"
_FIRST_MAPPED = 12.0
_OFFSETS = {9: 61_464, 11: 66_072}
"""Where the data start in revisions whose header does not say so."""
_NOT_MAPPED = ("UnknownPfile", "UnsupportedPulseSequenceError", "HeaderDataError")
"""What spec2nii raises at a pulse sequence or offset it does not know, and at absent geometry."""


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
    if 8.5 < revision < _FIRST_MAPPED:
        return _frames(path, revision)
    try:
        return vendor.ge_pfile(path)
    except ReadError as error:
        if type(error.__cause__).__name__ not in _NOT_MAPPED:
            raise
    return _frames(path, revision).noted(finding("frames_in_order"))


def _header(path: Path, raw: bytes, revision: float) -> Any:
    """Return the header's fields by spec2nii's table of the revision."""
    from spec2nii.GE import ge_hdr_fields

    if not np.isfinite(revision):
        raise ReadError(path, "its revision is no number: damaged, or not a P-file")
    try:
        table = ge_hdr_fields.get_pfile_hdr_fields(revision)
    except ge_hdr_fields.UnknownPfileHdr as error:
        raise ReadError(
            path, f"is a P-file of the unknown revision {revision:.3f}; export DICOM instead"
        ) from error
    layout = type("Header", (ctypes.LittleEndianStructure,), {"_pack_": 1, "_fields_": table})
    if len(raw) < ctypes.sizeof(layout):
        raise ReadError(path, "ends inside its header: cut off")
    return layout.from_buffer_copy(raw)  # type: ignore[attr-defined]


def _frames(path: Path, revision: float) -> Scan:
    """Read the frames of every coil as they lie."""
    raw = whole(path, "GE P-file")
    header = _header(path, raw, revision)
    points, coils = header.rhr_rh_frame_size, 0
    for i in range(4):
        first, last = (getattr(header, f"rhr_rh_dab[{i}]_{end}_rcv") for end in ("start", "stop"))
        coils += last - first + 1 if i == 0 or last > first else 0
    start = getattr(header, "rhr_rdb_hdr_off_data", 0) or _OFFSETS.get(int(revision), 0)
    per_coil = header.rhr_rh_raw_pass_size // max(coils * points * 8, 1)
    if (
        not (points > 0 and 0 < coils <= 128 and per_coil > 1 and start > 0)
        or header.rhr_rh_point_size != 4
        or header.rhi_numecho > 1
        or not header.rhr_spectral_width > 0
    ):
        raise ReadError(path, "its header is not that of unedited single-voxel spectroscopy")
    needed = start + coils * per_coil * points * 8
    if len(raw) < needed:
        raise ReadError(path, f"has {len(raw)} bytes of {needed}: cut off; copy it again")
    integers = np.frombuffer(raw, "<i4", coils * per_coil * points * 2, start)
    samples = integers.astype(np.float32).view(np.complex64).reshape(coils, per_coil, points)
    conjugate_in_place(samples)
    signal: ComplexArray = samples[:, 1:]
    scan = Scan(
        format=FORMAT,
        reader="ge",
        signal=read_only(signal),
        coil_axis=coils > 1,
        nucleus="1H",
        spectrometer_mhz=header.rhr_rh_ps_mps_freq * 1e-7,
        dwell_time_s=1.0 / header.rhr_spectral_width,
        echo_time_s=seconds(header.rhi_te, 1e-6, 1.0),
        repetition_time_s=seconds(header.rhi_tr, 1e-6, 60.0),
        sequence=named_sequence([_text(header.rhi_psdname)]),
        manufacturer="GE",
        n_voxels=max(1, header.rhr_xcsi) * max(1, header.rhr_ycsi) * max(1, header.rhr_zcsi),
        identity=Identity(
            subject=digest(_text(header.rhe_patname)),
            date=digest(_text(header.rhr_rh_scan_date)),
        ),
    )
    n_water = number(header.rhr_rh_user19)  # what is no number names no frames
    return _water_apart(scan, 0 if n_water is None else int(min(n_water, scan.n_transients)))


def _text(value: bytes) -> str:
    return value.split(b"\x00")[0].decode("latin-1")


def _water_apart(scan: Scan, n_water: int) -> Scan:
    """Return the scan with its first frames as water, where these are the strong ones."""
    if not 0 < n_water < scan.n_transients:
        return scan
    height = np.abs(scan.signal[:, :, :64]).max(axis=(0, 2))
    if height[:n_water].min() <= height[n_water:].max():
        return scan
    water = replace(scan, signal=read_only(scan.signal[:, :n_water]), water_suppressed=False)
    return replace(scan, signal=read_only(scan.signal[:, n_water:]), water=water)
