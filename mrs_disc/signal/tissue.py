"""Which share of a voxel is disc, bone marrow, and fat or fluid, by the grey values of an image.

The image is sampled in columns along the side of the voxel that runs along the spine, and beyond:

- disc: the median of the voxel's middle third; that it lies in a disc is taken for granted;
- marrow: the median 9 to 16 mm above and below the centre, where vertebral bodies are;
- fat or fluid: the 99.5th percentile around; one T2-weighted image does not tell the two apart.

A point is bone where it, and all points outwards to the vertebral body, are nearer to marrow
than halfway to disc, on either side: a dark annulus or endplate is not bone marrow, and counts as
disc. It is fat or fluid where it is brighter than halfway from the brighter of disc and marrow.

What is not certain is not said: where the tissues are of like brightness, where the image is coarse
against the voxel, or where other thresholds (a quarter of the way more or less) give shares that
differ by more than 10 percentage points. Limits are proposals [P]; tested on drawn images alone.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mrs_disc.typing import FloatArray

COLUMNS, STEP_MM = 14, 0.25
REACH_MM = (9.0, 16.0)
"""Where the vertebral bodies are looked for, from the centre of the voxel along the spine."""
MIDDLE = 1 / 3
CONTRAST = 4.0
"""Differences of brightness from which they count, in robust standard deviations of a tissue."""
LARGEST_CHANGE = 0.10
THRESHOLDS = (0.375, 0.5, 0.625)
"""Of the way between two tissues; the middle one gives the shares."""
MAX_AROUND_MM = 32.0


class Shares(NamedTuple):
    """Shares of the voxel, 0 to 1; `None` where they are not certain, for the reason given."""

    disc: float | None
    bone: float | None
    fat: float | None
    reason: str = ""


def tissue_shares(
    image: NDArray[np.generic],
    affine: FloatArray,
    voxel_affine: FloatArray,
    slope: float = 1.0,
    intercept: float = 0.0,
) -> Shares:
    """Return the shares of disc, bone marrow, and fat or fluid in a voxel.

    Parameters
    ----------
    image : array, shape (i, j, k)
        Grey values in any unit; the voxel is expected inside.
    affine : float array, shape (4, 4)
        Image indices to patient coordinates, mm, RAS.
    voxel_affine : float array, shape (4, 4)
        The unit cube about the origin to patient coordinates: the measured voxel.
    slope, intercept : float
        ``slope * image + intercept`` are the grey values.

    Returns
    -------
    Shares
        `fat` is `None`, with a reason, where disc or marrow is as bright as fat: what is not bone
        then counts as disc.
    """
    sides = np.linalg.norm(voxel_affine[:3, :3], axis=0)
    along = int(np.argmax(np.abs(voxel_affine[2, :3] / sides)))
    tall = float(sides[along])
    spacing = _spacing_along(affine, voxel_affine[:3, along] / tall)
    if spacing > tall / 2:
        return Shares(None, None, None, f"the image has a point every {spacing:.1f} mm alone")
    stored, heights = _columns(image, affine, voxel_affine, along, tall)
    if stored is None:
        return Shares(None, None, None, "the image ends near the voxel")
    grey = stored * slope + intercept
    inside = np.abs(heights) < tall / 2
    middle = grey[..., np.abs(heights) < MIDDLE * tall / 2]
    disc, disc_sd = _robust(middle)
    beyond = (np.abs(heights) > REACH_MM[0]) & (np.abs(heights) < REACH_MM[1])
    marrow, marrow_sd = _robust(grey[..., beyond])
    spread = max(disc_sd, marrow_sd, 1e-9)
    if abs(disc - marrow) < CONTRAST * max(min(disc_sd, marrow_sd), 0.25 * spread):
        return Shares(None, None, None, "disc and marrow are of like brightness")
    around = _around(image, affine, voxel_affine) * slope + intercept
    bright = float(np.percentile(around, 99.5))
    brighter = max(disc, marrow)
    seen = bright - brighter > CONTRAST * marrow_sd and bright > 1.25 * brighter
    found = []
    for way in THRESHOLDS:
        fat = grey > brighter + way * (bright - brighter) if seen else np.zeros(grey.shape, bool)
        like_marrow = (np.abs(grey - marrow) < way * abs(disc - marrow)) & ~fat
        bone = _reaching_out(like_marrow, heights)
        found.append([np.mean(part[..., inside]) for part in (bone, fat)])
    shares = np.array(found)
    if np.ptp(shares, axis=0).max() > LARGEST_CHANGE:
        return Shares(None, None, None, "the shares depend on the thresholds")
    bone_share, fat_share = (float(x) for x in shares[1])
    reason = "" if seen else "fat is not told apart: it is not brighter than disc and marrow"
    rest = 1 - bone_share - fat_share
    return Shares(rest, bone_share, fat_share if seen else None, reason)


def _spacing_along(affine: FloatArray, direction: FloatArray) -> float:
    """Return how far apart the image's points are along a direction, mm."""
    return float(1 / np.abs(np.linalg.solve(affine[:3, :3], direction)).max())


def _robust(values: FloatArray) -> tuple[float, float]:
    """Return the median and a standard deviation that outliers do not raise."""
    middle = float(np.median(values))
    return middle, 1.4826 * float(np.median(np.abs(values - middle)))


def _columns(
    image: NDArray[np.generic],
    affine: FloatArray,
    voxel_affine: FloatArray,
    along: int,
    tall: float,
) -> tuple[FloatArray | None, FloatArray]:
    """Return grey values, shape (column, column, height), and the heights, mm from the centre."""
    from scipy.ndimage import map_coordinates  # here, as a study without an image needs none

    reach = max(REACH_MM[1], tall / 2)
    heights = np.arange(-reach, reach + STEP_MM / 2, STEP_MM)
    across = (np.arange(COLUMNS) + 0.5) / COLUMNS - 0.5
    points = np.zeros((COLUMNS, COLUMNS, heights.size, 3))
    first, second = (axis for axis in range(3) if axis != along)
    points[..., first] = across[:, None, None]
    points[..., second] = across[None, :, None]
    points[..., along] = heights / tall
    places = points @ voxel_affine[:3, :3].T + voxel_affine[:3, 3]
    inverse = np.linalg.inv(affine)
    index = places @ inverse[:3, :3].T + inverse[:3, 3]
    ends = np.array(image.shape) - 1
    if np.mean((index < -0.5) | (index > ends + 0.5)) > 0.1:
        return None, heights
    near, low = _cut(image, index.reshape(-1, 3))
    coordinates = np.moveaxis(index - low, -1, 0)
    return map_coordinates(near, coordinates, order=1, mode="nearest"), heights


def _cut(image: NDArray[np.generic], index: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the part of the image that holds places, as floats, and where it begins."""
    ends = np.array(image.shape)
    low = np.clip(np.floor(index.min(axis=0)).astype(int), 0, ends - 1)
    high = np.clip(np.ceil(index.max(axis=0)).astype(int) + 1, low + 1, ends)
    part = image[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]
    return np.nan_to_num(np.asarray(part, dtype=np.float64), posinf=0.0, neginf=0.0), low


def _around(image: NDArray[np.generic], affine: FloatArray, voxel_affine: FloatArray) -> FloatArray:
    """Return the grey values within `MAX_AROUND_MM` of the voxel, along the image's axes."""
    inverse = np.linalg.inv(affine)
    centre = inverse[:3, :3] @ voxel_affine[:3, 3] + inverse[:3, 3]
    reach = MAX_AROUND_MM * np.linalg.norm(inverse[:3, :3], axis=1)
    near, _ = _cut(image, np.stack([centre - reach, centre + reach]))
    return near


def _reaching_out(like_marrow: NDArray[np.bool_], heights: FloatArray) -> NDArray[np.bool_]:
    """Return the points from which all points outwards, to the vertebral body, are like marrow."""
    out = np.abs(heights) <= 0.5 * sum(REACH_MM)
    bone = like_marrow & out
    for side, step in ((heights >= 0, -1), (heights < 0, 1)):
        part = np.where(side & out, like_marrow, True)[..., ::step]
        bone &= np.where(side, np.logical_and.accumulate(part, axis=-1)[..., ::step], True)
    return _without_sheets(bone)


def _without_sheets(bone: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Take out what is one or two columns thick: where bright meets dark, a sheet is as marrow."""
    from scipy.ndimage import binary_opening

    for axis in (0, 1):
        shape = [1, 1, 1]
        shape[axis] = 3
        wider = np.pad(bone, [(2, 2) if n == axis else (0, 0) for n in range(3)], mode="edge")
        opened = binary_opening(wider, np.ones(shape, bool))
        bone = np.take(opened, np.arange(2, 2 + COLUMNS), axis=axis)
    return bone
