"""Simulated FIDs of unit amount that a metabolite model names: LCModel RAW, or NIfTI-MRS.

Both store the opposite of this package's sign, and are conjugated.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mrs_disc.errors import ModelError, ReadError
from mrs_disc.files import check_file, read_head
from mrs_disc.lcmodel_raw import is_lcmodel_raw, read_lcmodel_raw
from mrs_disc.models import Component, MetaboliteModel, basis_path
from mrs_disc.typing import ComplexArray


def read_basis_fid(path: Path) -> tuple[ComplexArray, float | None]:
    """Return a simulated FID and its dwell time in s, where the file says it.

    Parameters
    ----------
    path : Path
        LCModel RAW, or NIfTI-MRS of one FID.

    Returns
    -------
    complex array, shape (point,)
        Larger ppm is larger frequency.
    float or None
        Dwell time, s.
    """
    check_file(path, "basis")
    if is_lcmodel_raw(read_head(path, 4096)):
        raw = read_lcmodel_raw(path)
        scale = (raw.number("tramp") or 1.0) / (raw.number("volume") or 1.0)
        with np.errstate(over="ignore", invalid="ignore"):  # refused below as not finite
            fid, dwell_time_s = raw.fid * scale, raw.dwell_time_s
    else:
        fid, dwell_time_s = _read_nifti(path)
    if not np.isfinite(fid).all() or not fid.any():
        raise ReadError(path, "a basis FID has to be finite and not zero throughout")
    return fid, dwell_time_s


def basis_fid(
    model: MetaboliteModel, name: str, component: Component
) -> tuple[ComplexArray, float]:
    """Return the simulated FID of a component and its dwell time in s.

    Parameters
    ----------
    model : MetaboliteModel
        Says the dwell time where the file is silent.
    name : str
        The model's name or path, to which the file's path is relative.
    component : Component
        One with a `basis`.

    Raises
    ------
    ReadError
        If the file is not there, or not of a known form.
    ModelError
        If neither the file nor the model says the dwell time.
    """
    fid, dwell_time_s = read_basis_fid(basis_path(name, component))
    dwell_time_s = dwell_time_s or model.basis_dwell_time_s
    if dwell_time_s is None:
        raise ModelError(
            f"{component.basis}: the file does not say its dwell time; "
            f"give basis_dwell_time_s at the head of the model {model.name}"
        )
    return fid, dwell_time_s


def _read_nifti(path: Path) -> tuple[ComplexArray, float | None]:
    import nibabel
    from nibabel.filebasedimages import ImageFileError

    try:
        image = nibabel.load(path)
        data = np.asanyarray(image.dataobj)
    except (ImageFileError, OSError, EOFError, ValueError) as error:
        raise ReadError(
            path, "is neither LCModel RAW nor NIfTI-MRS, the two forms of a basis FID"
        ) from error
    fid = data.reshape(-1, order="F") if data.ndim < 4 else data[0, 0, 0]
    if fid.ndim != 1 or not np.iscomplexobj(fid):
        raise ReadError(path, f"has the shape {data.shape}; a basis file holds one complex FID")
    return np.conj(fid), float(image.header["pixdim"][4]) or None
