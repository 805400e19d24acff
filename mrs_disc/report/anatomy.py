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
from mrs_disc.steps.tissue import holds
from mrs_disc.typing import FloatArray

MAX_PIXELS = 320
MIN_PIXELS = 24
MAX_SLICES = 9
"""Slices that are kept to scroll through: the one that is shown and its neighbours."""
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
    first = max(0, min(index - MAX_SLICES // 2, volume.shape[across] - MAX_SLICES))
    planes = np.moveaxis(volume, (up, forth, across), (1, 2, 0))[first : first + MAX_SLICES]
    rows, columns = inverse[up].copy(), inverse[forth].copy()
    if direction[2, up] > 0:  # first index at the feet
        planes, rows = planes[:, ::-1], _flipped(rows, planes.shape[1])
    if direction[1, forth] > 0:  # first index at the back
        planes, columns = planes[:, :, ::-1], _flipped(columns, planes.shape[2])
    step = max(1, -(-max(planes.shape[1:]) // MAX_PIXELS))
    planes = planes[:, ::step, ::step]
    shown = _grey(planes, planes[index - first], slope=anatomy.slope, intercept=anatomy.intercept)
    return AnatomySlice(
        image=shown[index - first],
        pixel_mm=(float(spacing[up]) * step, float(spacing[forth]) * step),
        to_pixel=np.stack([columns, rows]) / step,
        slices=shown,
        at=index - first,
        to_slice=inverse[across] - np.array([0.0, 0.0, 0.0, first]),
    )


# --------------------------------------------------------------------------- a voxel's own planes

PLANES: dict[str, tuple[int, int]] = {"sagittal": (2, 1), "coronal": (2, 0), "axial": (1, 0)}
"""Plane to the axes of patient coordinates (RAS) that run up and to the left in its picture: head
up or front up, front or right of the patient to the left."""
FIELD_MM, PLANE_PIXELS = 64.0, 80


def planes_through(anatomy: Anatomy, voxel_affine: FloatArray) -> NDArray[np.uint8] | None:
    """Return the image in three planes through the centre of a voxel.

    Parameters
    ----------
    anatomy : Anatomy
        Volume and affine.
    voxel_affine : float array, shape (4, 4)
        Voxel indices to patient coordinates, mm, RAS.

    Returns
    -------
    uint8 array, shape (plane, row, column), or None
        In the order of `PLANES`, `FIELD_MM` wide and tall, linearly interpolated; black where the
        volume ends, half a spacing beyond its outermost points. `None` where the centre lies
        outside of it, or where there is nothing to see: all is of one grey.
    """
    from scipy.ndimage import map_coordinates  # here, as a report without an image needs none

    if not holds(anatomy, voxel_affine) or abs(np.linalg.det(anatomy.affine[:3, :3])) < 1e-9:
        return None
    inverse = np.linalg.inv(np.asarray(anatomy.affine, dtype=np.float64))
    offset = FIELD_MM * (0.5 - (np.arange(PLANE_PIXELS) + 0.5) / PLANE_PIXELS)
    places = []
    for up, left in PLANES.values():
        points = np.tile(voxel_affine[:3, 3], (PLANE_PIXELS, PLANE_PIXELS, 1))
        points[..., up] += offset[:, None]
        points[..., left] += offset
        places.append(points @ inverse[:3, :3].T + inverse[:3, 3])
    index = np.moveaxis(np.stack(places), -1, 0)
    # Only what the planes touch is unpacked: an image may be of any size.
    size = np.array((*anatomy.image.shape, 1, 1)[:3])
    low = np.clip(np.floor(index.min(axis=(1, 2, 3))).astype(int), 0, size - 1)
    high = np.clip(np.ceil(index.max(axis=(1, 2, 3))).astype(int) + 1, low + 1, size)
    volume = np.asarray(anatomy.image).reshape(*size, -1)[..., 0]
    near = volume[tuple(slice(*ends) for ends in zip(low, high, strict=True))]
    grey = near.astype(np.float32) * np.float32(anatomy.slope) + np.float32(anatomy.intercept)
    # Not scipy's "constant", which ends at the centres of the outermost slices, nor
    # "grid-constant", which lets their outer half fade: a slice has its thickness on both sides.
    found = map_coordinates(grey, index - low[:, None, None, None], order=1, mode="nearest")
    last = (size - 0.5)[:, None, None, None]
    shown = _grey(np.where(np.all((index >= -0.5) & (index <= last), axis=0), found, 0.0))
    return shown if shown.any() else None


def section(voxel_affine: FloatArray, plane: str, grown: float = 0.0) -> FloatArray:
    """Return the outline of a voxel cut by a plane through its centre.

    Parameters
    ----------
    voxel_affine : float array, shape (4, 4)
        Voxel indices to patient coordinates, mm, RAS.
    plane : str
        Of `PLANES`.
    grown : float
        By how much of its length each side is moved outwards.

    Returns
    -------
    float array, shape (corner, 2)
        To the right and down in the picture, mm from the centre.
    """
    up, left = PLANES[plane]
    normal = 3 - up - left
    signs = np.array(list(product((-1.0, 1.0), repeat=3)))
    corners = (0.5 + grown) * signs @ voxel_affine[:3, :3].T
    ends = [
        (a, b) for a in range(8) for b in range(a) if np.count_nonzero(signs[a] != signs[b]) == 1
    ]
    points = []
    for a, b in ends:
        one, other = corners[a, normal], corners[b, normal]
        if one * other <= 0 and one != other:
            points.append(corners[a] + one / (one - other) * (corners[b] - corners[a]))
    return _hull(-np.array(points)[:, [left, up]])


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
    inside = {key: affine for key, affine in voxel_affines.items() if holds(anatomy, affine)}
    if not inside:
        return None, {}, f"{NOT_SHOWN}: none of the measured voxels lies in it."
    image = slice_through(anatomy, list(inside.values()))
    if image is None:
        return None, {}, f"{NOT_SHOWN}: it has no sagittal plane of {MIN_PIXELS} pixels or more."
    outside = [key for key in voxel_affines if key not in inside]
    left_out = f"The anatomy image does not hold the voxel of {', '.join(outside)}."
    outlines = {key: voxel_outline(image, affine) for key, affine in inside.items()}
    return image, outlines, left_out if outside else ""


def _flipped(row: FloatArray, n: int) -> FloatArray:
    return np.array([0.0, 0.0, 0.0, n - 1.0]) - row


def _grey(
    planes: NDArray[np.generic],
    window: NDArray[np.generic] | None = None,
    *,
    slope: float = 1.0,
    intercept: float = 0.0,
) -> NDArray[np.uint8]:
    """Return grey values; the window is that of all, or of the plane that is named."""

    def plain(image: NDArray[np.generic]) -> FloatArray:
        return np.nan_to_num(np.abs(image.astype(np.float64) * slope + intercept), posinf=0.0)

    values = plain(planes)
    low, high = np.percentile(values if window is None else plain(window), [1.0, 99.5])
    scaled = (values - low) / (high - low) if high > low else np.zeros_like(values)
    return np.asarray(np.rint(255 * np.clip(scaled, 0, 1)), dtype=np.uint8)


def slices_of(anatomy: AnatomySlice, voxel_affine: FloatArray) -> tuple[int, int]:
    """Return the first and the last of the kept slices that a voxel reaches into.

    Where it reaches into none, the first is behind the last.
    """
    assert anatomy.slices is not None
    assert anatomy.to_slice is not None
    corners = np.array([[*c, 1.0] for c in product((-0.5, 0.5), repeat=3)])
    at = corners @ voxel_affine.T @ anatomy.to_slice
    first, last = int(np.ceil(at.min() - 0.5)), int(np.floor(at.max() + 0.5))
    return max(first, 0), min(last, len(anatomy.slices) - 1)


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
