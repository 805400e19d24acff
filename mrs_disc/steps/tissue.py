"""What an image tells of a measured voxel: whether it shows it, and what tissue is in it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from mrs_disc.data import Anatomy, Quantity
from mrs_disc.record.findings import Finding, finding
from mrs_disc.record.level import Tissue
from mrs_disc.signal.tissue import tissue_shares
from mrs_disc.typing import FloatArray

MARROW_WATER = (0.4, 0.8)
"""Water signal of bone marrow over that of as much disc: four to six tenths of its signal are fat
(lumbar, Mulkern, J Magn Reson Imaging 1994;4:585-589), a disc is three quarters water [D]."""

FAT_OR_FLUID_WATER = (0.0, 1.5)
"""The same of what is bright: fat has none, fluid is all water, and relaxes more slowly [D]."""

_LEAST_PERCENT = 5.0
"""Of the voxel that is not disc, from which it is worth a remark [P]."""


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


def water_of_others(tissue: Tissue | None, quantities: Mapping[str, Quantity]) -> Finding | None:
    """Say by how much water outside the disc dilutes the amounts per tissue water.

    Parameters
    ----------
    tissue : Tissue, optional
        What the voxel holds.
    quantities : mapping of str to Quantity
        Of the disc; without any per tissue water there is nothing to say.

    Notes
    -----
    Shares of an image are no corrections: one image does not tell fluid from fat, and nobody
    measured the water of this patient's marrow. What it may be at most and at least is said.
    """
    given = any(
        name.endswith("/water") and one.value is not None for name, one in quantities.items()
    )
    if not given or tissue is None:
        return None
    disc, bone, fat = tissue.disc_percent, tissue.bone_percent, tissue.fat_percent
    if disc is None or bone is None or not disc > 0:
        return None
    fat = max(100 - disc - bone, 0.0) if fat is None else fat
    if bone + fat < _LEAST_PERCENT:
        return None
    least, most = (
        1 + (marrow * bone + bright * fat) / disc
        for marrow, bright in zip(MARROW_WATER, FAT_OR_FLUID_WATER, strict=True)
    )
    return finding("water_of_others", bone=bone, fat=fat, least=least, most=most)
