"""Simulated FIDs of unit amount that a metabolite model names: LCModel RAW, or NIfTI-MRS.

Both store the opposite of this package's sign, and are conjugated. A file is opened once, when its
model is loaded; the loaded model carries the FID.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import zlib
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mrs_disc.errors import NoSuchPathError, ReadError
from mrs_disc.files import MOST_BYTES, read_bytes
from mrs_disc.lcmodel_raw import is_lcmodel_raw, parse_lcmodel_raw
from mrs_disc.typing import ComplexArray

_GZIP = b"\x1f\x8b"
_NIFTI_1, _NIFTI_2 = 348, 540
"""Bytes of the header, with which a file begins: 32 bits, in either order."""


@dataclass(frozen=True, slots=True)
class BasisFid:
    """A simulated FID as its file holds it; two of the same content are the same.

    Parameters
    ----------
    fid : complex array, shape (point,)
        Larger ppm is larger frequency.
    dwell_time_s : float or None
        Dwell time, s, where the file says it.
    sha256 : str
        Digest of the file's content.
    """

    fid: ComplexArray = field(compare=False, repr=False)
    dwell_time_s: float | None
    sha256: str


def read_basis_fid(path: Path) -> BasisFid:
    """Return a simulated FID from LCModel RAW, or NIfTI-MRS of one FID.

    Raises
    ------
    ReadError
        If the file is not there, or not of a known form.
    """
    try:
        content = read_bytes(path, "basis")
    except NoSuchPathError as error:
        raise ReadError(path, "cannot be read (there is no such basis file)") from error
    if is_lcmodel_raw(content[:4096]):
        raw = parse_lcmodel_raw(path, content)
        scale = (raw.number("tramp") or 1.0) / (raw.number("volume") or 1.0)
        with np.errstate(over="ignore", invalid="ignore"):  # refused below as not finite
            fid, dwell_time_s = raw.fid * scale, raw.dwell_time_s
    else:
        fid, dwell_time_s = _parse_nifti(path, content)
    if not np.isfinite(fid).all() or not fid.any():
        raise ReadError(path, "a basis FID has to be finite and not zero throughout")
    fid.flags.writeable = False  # all fits share it
    return BasisFid(fid, dwell_time_s, hashlib.sha256(content).hexdigest())


def _parse_nifti(path: Path, content: bytes) -> tuple[ComplexArray, float | None]:
    """Return the one FID of a NIfTI-MRS file, and its dwell time in s."""
    import nibabel
    from nibabel.filebasedimages import ImageFileError
    from nibabel.spatialimages import HeaderDataError

    try:
        if content.startswith(_GZIP):
            with gzip.GzipFile(fileobj=io.BytesIO(content)) as packed:
                content = packed.read(int(MOST_BYTES["basis"]))
        sizes = {int.from_bytes(content[:4], "little"), int.from_bytes(content[:4], "big")}
        if not sizes & {_NIFTI_1, _NIFTI_2}:
            raise ValueError("no NIfTI")
        kind = nibabel.Nifti1Image if _NIFTI_1 in sizes else nibabel.Nifti2Image
        image = kind.from_bytes(content)
        data = np.asanyarray(image.dataobj)
    except (ImageFileError, HeaderDataError, OSError, EOFError, ValueError, zlib.error) as error:
        raise ReadError(
            path, "is neither LCModel RAW nor NIfTI-MRS, the two forms of a basis FID"
        ) from error
    fid = data.reshape(-1, order="F") if data.ndim < 4 else data[0, 0, 0]
    if fid.ndim != 1 or not np.iscomplexobj(fid):
        raise ReadError(path, f"has the shape {data.shape}; a basis file holds one complex FID")
    return np.conj(fid), float(image.header["pixdim"][4]) or None
