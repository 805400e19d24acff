"""The sagittal slice that the voxels are drawn on, and where they lie in it.

The slice is that of the image volume whose plane runs nearest to the middle of the voxels. It is
shown as on a light box: head up, front of the body to the left.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product

import numpy as np
from numpy.typing import NDArray

from mrs_disc.data import Anatomy
from mrs_disc.record.signals import AnatomySlice
from mrs_disc.typing import FloatArray

MAX_PIXELS = 320
MIN_PIXELS = 24
NOT_SHOWN = "The report shows no anatomy image"


def slice_through(anatomy: Anatomy, voxel_affines: Sequence[FloatArray]) -> AnatomySlice | None:
    """Return the sagittal slice nearest to the middle of the voxels.

    Parameters
    ----------
    anatomy : Anatomy
        Volume and affine.
    voxel_affines : sequence of float arrays, shape (4, 4)
        Of the measured voxels; empty: the middle slice.

    Returns
    -------
    AnatomySlice or None
        `None` where the volume has no sagittal extent to show.
    """
    volume, affine = np.asarray(anatomy.image), np.asarray(anatomy.affine, dtype=np.float64)
    volume = volume.reshape(volume.shape + (1,) * (3 - volume.ndim))
    volume = volume.reshape(*volume.shape[:3], -1)[..., 0]
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    if not np.all(np.isfinite(affine)) or abs(np.linalg.det(affine[:3, :3])) < 1e-9:
        return None
    direction = affine[:3, :3] / spacing
    across = int(np.argmax(np.abs(direction[0])))  # left to right: the axis that is cut
    up = int(np.argmax(np.where(np.arange(3) == across, -1.0, np.abs(direction[2]))))
    forth = 3 - across - up
    if min(volume.shape[up], volume.shape[forth]) < MIN_PIXELS:
        return None
    inverse = np.linalg.inv(affine)
    centres = [(inverse @ np.append(a[:3, 3], 1.0))[across] for a in voxel_affines]
    middle = float(np.mean(centres)) if centres else (volume.shape[across] - 1) / 2
    index = int(np.clip(round(middle), 0, volume.shape[across] - 1))
    plane = np.moveaxis(volume, (up, forth, across), (0, 1, 2))[:, :, index]
    rows, columns = inverse[up].copy(), inverse[forth].copy()
    if direction[2, up] > 0:  # first index at the feet
        plane, rows = plane[::-1], _flipped(rows, plane.shape[0])
    if direction[1, forth] > 0:  # first index at the back
        plane, columns = plane[:, ::-1], _flipped(columns, plane.shape[1])
    step = max(1, -(-max(plane.shape) // MAX_PIXELS))
    return AnatomySlice(
        image=_grey(plane[::step, ::step]),
        pixel_mm=(float(spacing[up]) * step, float(spacing[forth]) * step),
        to_pixel=np.stack([columns, rows]) / step,
    )


def drawn(
    anatomy: Anatomy | None, voxel_affines: Mapping[str, FloatArray]
) -> tuple[AnatomySlice | None, dict[str, FloatArray], str]:
    """Return the slice to show, the voxels' outlines in it, and what is not shown and why.

    Parameters
    ----------
    anatomy : Anatomy or None
        Volume and affine, where the study has them.
    voxel_affines : mapping of str to float array, shape (4, 4)
        Of the measured voxels whose place is known, by the level's key.
    """
    if anatomy is None:
        return None, {}, ""
    if not voxel_affines:  # the review page shows the middle slice all the same
        middle = slice_through(anatomy, [])
        return middle, {}, f"{NOT_SHOWN}: the spectra do not say where their voxels lie."
    inside = {key: affine for key, affine in voxel_affines.items() if _holds(anatomy, affine)}
    if not inside:
        return None, {}, f"{NOT_SHOWN}: none of the measured voxels lies in it."
    image = slice_through(anatomy, list(inside.values()))
    if image is None:
        return None, {}, f"{NOT_SHOWN}: it has no sagittal plane of {MIN_PIXELS} pixels or more."
    outside = [key for key in voxel_affines if key not in inside]
    left_out = f"The anatomy image does not hold the voxel of {', '.join(outside)}."
    outlines = {key: voxel_outline(image, affine) for key, affine in inside.items()}
    return image, outlines, left_out if outside else ""


def _holds(anatomy: Anatomy, voxel_affine: FloatArray) -> bool:
    """Say whether a voxel's centre lies in the volume."""
    shape = (*anatomy.image.shape, 1, 1)[:3]
    try:
        index = np.linalg.solve(anatomy.affine, voxel_affine[:, 3])[:3]
    except np.linalg.LinAlgError:
        return True  # what `slice_through` refuses for its own reason
    return bool(np.all((index > -1) & (index < np.array(shape))))


def _flipped(row: FloatArray, n: int) -> FloatArray:
    return np.array([0.0, 0.0, 0.0, n - 1.0]) - row


def _grey(plane: NDArray[np.generic]) -> NDArray[np.uint8]:
    values = np.nan_to_num(np.abs(plane.astype(np.float64)), posinf=0.0)
    low, high = np.percentile(values, [1.0, 99.5])
    scaled = (values - low) / (high - low) if high > low else np.zeros_like(values)
    return np.asarray(np.rint(255 * np.clip(scaled, 0, 1)), dtype=np.uint8)


def voxel_outline(anatomy: AnatomySlice, voxel_affine: FloatArray) -> FloatArray:
    """Return the voxel's outline in the slice's plane: (corner, 2), column and row."""
    assert anatomy.to_pixel is not None
    corners = np.array([[*c, 1.0] for c in product((-0.5, 0.5), repeat=3)])
    points = corners @ voxel_affine.T @ anatomy.to_pixel.T
    return _hull(points)


def _hull(points: FloatArray) -> FloatArray:
    """Return the convex hull of points in the plane (Andrew's monotone chain)."""
    ordered = sorted(map(tuple, np.round(points, 4)))

    def half(points: list[tuple[float, ...]]) -> list[tuple[float, ...]]:
        chain: list[tuple[float, ...]] = []
        for p in points:
            while len(chain) > 1 and _turn(chain[-2], chain[-1], p) <= 0:
                chain.pop()
            chain.append(p)
        return chain

    return np.array(half(ordered)[:-1] + half(ordered[::-1])[:-1])


def _turn(a: tuple[float, ...], b: tuple[float, ...], c: tuple[float, ...]) -> float:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
