"""NIfTI as a container: header, extension with the code of MRS, samples; no meaning of either.

The bytes of a NIfTI-2 file of one FID: header, extension, samples::

    0    1c 02 00 00        size of the header, 540; 348 in NIfTI-1
    12   20 00              datatype 32: complex64
    16   04 00 … 01 00 …    number of axes, then the size of each: 1, 1, 1, points
    104  … pixdim           the fifth is the dwell time
    540  01 00 00 00        an extension follows
    544  size, code 44      then the JSON text; the samples begin at vox_offset

The samples are read here and not through nibabel's data proxy: a stream that is cut is noticed, a
declared size is compared with the bytes that are there before any memory is taken.
"""

from __future__ import annotations

import gzip
import io
import json
import math
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np

from mrs_disc import files
from mrs_disc.errors import ReadError
from mrs_disc.io.formats.scan import MAX_SIGNAL_BYTES, conjugate_in_place, head
from mrs_disc.record.findings import finding, unread
from mrs_disc.typing import ComplexArray, FloatArray

MRS_EXTENSION = 44
_MAX_HEADER_BYTES = 8_000_000
_GZIP = b"\x1f\x8b"


def is_nifti(path: Path) -> bool:
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


@contextmanager
def opened(path: Path) -> Iterator[io.BufferedIOBase]:
    """Open plain or gzip content by its first bytes; errors of the stream name the file."""
    with files.opened(path) as raw:
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
    forms_apart_mm: float = 0.0
    """How far the two places that a header may give lie from each other (sform, qform)."""


_FIELDS: dict[int, dict[str, tuple[str, int]]] = {
    348: {
        "dim": ("8i2", 40),
        "datatype": ("i2", 70),
        "pixdim": ("8f4", 76),
        "vox_offset": ("f4", 108),
        "scl_slope": ("f4", 112),
        "scl_inter": ("f4", 116),
        "xyzt_units": ("u1", 123),
        "qform_code": ("i2", 252),
        "sform_code": ("i2", 254),
        "qoffset": ("3f4", 268),
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
        "qform_code": ("i4", 344),
        "sform_code": ("i4", 348),
        "qoffset": ("3f8", 376),
        "srow": ("(3,4)f8", 400),
    },
}
"""Type and place of the fields that are read, by the size of the header (nifti1.h, nifti2.h)."""
_COMPLEX = {32: "c8", 1792: "c16"}
_TIME_UNITS = {0: 1.0, 8: 1.0, 16: 1e-3, 24: 1e-6}
_PLACE_UNITS_MM = {1: 1e3, 3: 1e-3}
"""Units of space other than millimetres; 0, unknown, is millimetres for all who write it."""


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
    affine = _millimetres(
        np.vstack([raw["srow"].astype(float), [0.0, 0.0, 0.0, 1.0]]), int(raw["xyzt_units"])
    )
    with np.errstate(all="ignore"):
        apart = affine[:3, 3] - _millimetres(np.eye(4), int(raw["xyzt_units"]))[:3, :3] @ raw[
            "qoffset"
        ].astype(float)
        apart_mm = float(np.linalg.norm(apart)) if raw["qform_code"] > 0 else 0.0
    return Header(
        forms_apart_mm=apart_mm,
        dtype=np.dtype(order + code),
        shape=shape,
        dwell_time_s=unit * _shortest(raw["pixdim"][4]),
        affine=affine,
        slope=float(raw["scl_slope"]),
        offset=float(raw["scl_inter"]),
        start=int(start) or len(block) + 4,
    )


def _millimetres(affine: FloatArray, units: int) -> FloatArray:
    scale = _PLACE_UNITS_MM.get(units & 0x07, 1.0)
    return affine if scale == 1.0 else np.diag([scale, scale, scale, 1.0]) @ affine


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
        affine=_millimetres(np.asarray(raw.get_best_affine(), float), int(raw["xyzt_units"])),
        slope=float(raw["scl_slope"]),
        offset=float(raw["scl_inter"]),
        start=int(raw["vox_offset"]) or len(block) + 4,
    )


def read_header(path: Path, stream: io.BufferedIOBase) -> tuple[Header, dict[str, Any] | None]:
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
    at, told = 4, list[dict[str, Any]]()
    while at + 8 <= len(block):
        size, code = (int(v) for v in np.frombuffer(block, order + "i4", 2, at))
        if size < 8 or at + size > len(block):
            raise ReadError(path, "its header extension is broken (size field)")
        if code == MRS_EXTENSION:
            text = block[at + 8 : at + size].rstrip(b"\x00 ")
            try:
                found = json.loads(text.decode("utf-8"))
            except (ValueError, RecursionError) as error:  # UTF-8, JSON, 5,000 digits
                raise ReadError(
                    path, f"its MRS header extension is not JSON ({str(error)[:100]})"
                ) from error
            if not isinstance(found, dict):
                raise ReadError(path, "its MRS header extension is not a JSON object")
            told.append(found)
        at += size
    if any(other != told[0] for other in told[1:]):
        raise unread(path, finding("extensions_differ", n=len(told)))
    return told[0] if told else None


def read_samples(path: Path, stream: io.BufferedIOBase, header: Header) -> ComplexArray:
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
