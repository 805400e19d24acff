"""What an image tells of a measured voxel: whether it shows it, and what tissue is in it."""

from __future__ import annotations

import numpy as np

from mrs_disc.data import Anatomy
from mrs_disc.record.level import Tissue
from mrs_disc.signal.tissue import tissue_shares
from mrs_disc.typing import FloatArray


def tissue_in(anatomy: Anatomy | None, voxel_affine: FloatArray | None) -> Tissue | None:
    """Return what a voxel holds by the image.

    Parameters
    ----------
    anatomy : Anatomy, optional
        Image and affine, mm, RAS.
    voxel_affine : float array, shape (4, 4), optional
        Voxel indices to patient coordinates, mm, RAS.

    Returns
    -------
    Tissue or None
        Shares in percent, each `None` where the image does not tell; `None` without an image that
        shows the voxel.
    """
    if anatomy is None or voxel_affine is None or not holds(anatomy, voxel_affine):
        return None
    affine = np.asarray(anatomy.affine, dtype=np.float64)
    if not np.all(np.isfinite(affine)) or abs(np.linalg.det(affine[:3, :3])) < 1e-9:
        return None
    if anatomy.slope == 0:
        return None
    size = (*anatomy.image.shape, 1, 1)[:3]
    volume = np.asarray(anatomy.image).reshape(*size, -1)[..., 0]
    shares = tissue_shares(volume, affine, voxel_affine, anatomy.slope, anatomy.intercept)
    disc, bone, fat = (None if part is None else 100 * part for part in shares[:3])
    return Tissue(disc_percent=disc, bone_percent=bone, fat_percent=fat, reason=shares.reason)


def holds(anatomy: Anatomy, voxel_affine: FloatArray) -> bool:
    """Say whether a voxel's centre lies in the volume."""
    shape = (*anatomy.image.shape, 1, 1)[:3]
    try:
        index = np.linalg.solve(anatomy.affine, voxel_affine[:, 3])[:3]
    except np.linalg.LinAlgError:
        return True  # an affine that is no affine is refused where it is used
    return bool(np.all((index > -1) & (index < np.array(shape))))
