"""A synthetic sagittal T2-weighted image of the spine, and where the discs' voxels lie in it.

Vertebrae, discs, canal and fat are drawn from plain anatomical numbers (mm; averages of adults,
recalled, for looks only), each disc with the brightness of its Pfirrmann grade.
Coordinates are patient coordinates, mm, RAS: x to the right, y to the front, z to the head.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import cos, radians, sin

import numpy as np

from mrs_disc.data import LEVELS, Anatomy, Morphology, level_order
from mrs_disc.typing import FloatArray

_REGIONS = {  # vertebral height, disc height, depth front to back, tilt of the first and last disc
    "cervical": (13.0, 5.0, 17.0, (8.0, -14.0)),
    "thoracic": (20.0, 5.0, 28.0, (-10.0, 14.0)),
    "lumbar": (26.0, 10.0, 35.0, (10.0, -28.0)),
}
_DISC_SIGNAL = {1: 225.0, 2: 185.0, 3: 115.0, 4: 62.0, 5: 34.0}
_HEIGHT_LEFT = {None: 1.0, "none": 1.0, "mild": 0.85, "moderate": 0.65, "severe": 0.45}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Place:
    """Where a disc lies: centre (mm, RAS), tilt about the left-right axis (degrees), size."""

    centre: FloatArray
    tilt_deg: float
    height_mm: float
    depth_mm: float

    def voxel_affine(self, size_mm: tuple[float, float, float]) -> FloatArray:
        """Return the affine of a voxel of that size in the middle of the disc, shape (4, 4)."""
        affine = np.eye(4)
        affine[:3, :3] = self.axes() * np.asarray(size_mm)
        affine[:3, 3] = self.centre
        return affine

    def axes(self) -> FloatArray:
        """Return the disc's own axes as columns: right, front, along the spine."""
        c, s = cos(radians(self.tilt_deg)), sin(radians(self.tilt_deg))
        return np.array([[1.0, 0.0, 0.0], [0.0, c, -s], [0.0, s, c]])


def region_of(level: str) -> str:
    """Return the region a level belongs to."""
    order = level_order(level)
    if order <= level_order("C7-T1"):
        return "cervical"
    return "thoracic" if order <= level_order("T12-L1") else "lumbar"


def places(levels: tuple[str, ...]) -> dict[str, Place]:
    """Return where all discs lie from the highest to the lowest of `levels`."""
    orders = [level_order(level) for level in levels]
    chain = LEVELS[min(orders) : max(orders) + 1]
    result: dict[str, Place] = {}
    position = np.zeros(3)
    before: Place | None = None
    for level in chain:
        region = region_of(level)
        members = [item for item in LEVELS if region_of(item) == region]
        body, height, depth, (first, last) = _REGIONS[region]
        share = members.index(level) / (len(members) - 1)
        tilt = first + (last - first) * share**1.3
        place = Place(centre=position, tilt_deg=tilt, height_mm=height, depth_mm=depth)
        if before is not None:
            middle = 0.5 * (before.tilt_deg + tilt)
            step = body + 0.5 * (before.height_mm + height)
            down = np.array([0.0, sin(radians(middle)), -cos(radians(middle))])
            place = Place(
                centre=before.centre + step * down, tilt_deg=tilt, height_mm=height, depth_mm=depth
            )
        result[level] = place
        before = place
    middle_of_all = np.mean([p.centre for p in result.values()], axis=0)
    return {
        level: Place(
            centre=np.round(p.centre - middle_of_all, 3),
            tilt_deg=p.tilt_deg,
            height_mm=p.height_mm,
            depth_mm=p.depth_mm,
        )
        for level, p in result.items()
    }


def draw_anatomy(
    rng: np.random.Generator,
    levels: tuple[str, ...],
    morphology: Mapping[str, Morphology],
    *,
    n_slices: int = 7,
    pixel_mm: float = 1.0,
) -> Anatomy:
    """Return the image: integer voxels (x, y, z) of slices 4 mm apart, and its affine.

    Parameters
    ----------
    rng : Generator
        For the noise of the image.
    levels : tuple of str
        Measured levels; the discs between them are drawn too.
    morphology : mapping
        Level to its findings; a disc without any looks healthy.
    """
    discs = places(levels)
    z_reach = max(abs(p.centre[2]) for p in discs.values()) + 42.0
    x = 4.0 * (np.arange(n_slices) - (n_slices - 1) / 2)
    y = np.arange(-80.0, 62.0, pixel_mm)
    z = np.arange(-z_reach, z_reach, pixel_mm)
    yy, zz = np.meshgrid(y, z, indexing="ij")
    ordered = list(discs.values())

    # The canal follows the backs of the discs: y of the front of the canal as a function of z.
    knots = sorted((p.centre[2], p.centre[1] - p.depth_mm / 2) for p in ordered)
    heights, backs = np.array(knots).T
    back = np.interp(zz, heights, backs)
    slope = [(backs[1] - backs[0]) / (heights[1] - heights[0])] if len(knots) > 1 else [0.0]
    back += np.where(zz < heights[0], slope[0] * (zz - heights[0]) * 0.6, 0.0)

    plane = 70.0 + 15.0 * np.sin(yy / 9.0) * np.cos(zz / 13.0)
    plane = np.where(yy < back - 22, 70 + 25 * np.sin(zz / 7.0) ** 2, plane)
    plane = np.where(yy < back - 42, 205.0, plane)
    volume = np.repeat(plane[None], n_slices, axis=0)
    inside_canal = (yy < back - 1.5) & (yy > back - 17.0)
    cord = np.abs(yy - (back - 9.0)) < (4.5 if region_of(levels[0]) != "lumbar" else 3.0)
    for index, lateral in enumerate(x):
        if abs(lateral) < 9.0:
            volume[index] = np.where(inside_canal, 235.0, volume[index])
            volume[index] = np.where(inside_canal & cord, 120.0, volume[index])
        width = max(0.0, 1.0 - (lateral / 24.0) ** 2) ** 0.5
        _draw_bones(volume[index], yy, zz, ordered, width)
        for level, place in discs.items():
            _draw_disc(volume[index], yy, zz, place, width, lateral, morphology.get(level))
    noisy = np.abs(_smooth(volume) + 5.0 * rng.standard_normal(volume.shape))
    affine = np.diag([4.0, pixel_mm, pixel_mm, 1.0])
    affine[:3, 3] = x[0], y[0], z[0]
    return Anatomy(image=np.clip(np.rint(noisy / 2) * 2, 0, 255).astype(np.uint8), affine=affine)


def _local(yy: FloatArray, zz: FloatArray, place: Place) -> tuple[FloatArray, FloatArray]:
    """Return coordinates along a disc's depth and along the spine."""
    axes = place.axes()
    dy, dz = yy - place.centre[1], zz - place.centre[2]
    return dy * axes[1, 1] + dz * axes[2, 1], dy * axes[1, 2] + dz * axes[2, 2]


def _draw_bones(
    image: FloatArray, yy: FloatArray, zz: FloatArray, discs: list[Place], width: float
) -> None:
    """Draw a vertebral body above every disc and one below the last."""
    for place, sign in [(p, 1.0) for p in discs] + [(discs[-1], -1.0)]:
        body = next(b for b, h, d, _ in _REGIONS.values() if d == place.depth_mm)
        shift = sign * (body + place.height_mm) / 2
        u, v = _local(yy, zz, place)
        v = v - shift
        waist = 1.0 - 0.06 * np.cos(np.pi * np.clip(v / body, -0.5, 0.5))
        half = place.depth_mm / 2 * width * waist
        image[(np.abs(u) < half + 1.2) & (np.abs(v) < body / 2 + 1.0)] = 25.0
        image[(np.abs(u) < half) & (np.abs(v) < body / 2)] = 128.0


def _draw_disc(
    image: FloatArray,
    yy: FloatArray,
    zz: FloatArray,
    place: Place,
    width: float,
    lateral: float,
    findings: Morphology | None,
) -> None:
    """Draw annulus and nucleus, and what was found: bulge, high-intensity zone, endplates."""
    findings = findings or Morphology(pfirrmann=2)
    u, v = _local(yy, zz, place)
    depth = place.depth_mm / 2 * width
    height = place.height_mm / 2 * _HEIGHT_LEFT[findings.disc_height_loss]
    out = {"bulge": 1.5, "protrusion": 4.0, "extrusion": 7.0}.get(findings.herniation or "", 0.0)
    if findings.modic in (1, 2):
        near = (np.abs(v) > height) & (np.abs(v) < height + 6.0) & (np.abs(u) < depth * 0.8)
        image[near] = 175.0 if findings.modic == 2 else 160.0
    back = u < 0
    reach = np.where(back, depth + out * (np.abs(lateral) < 9), depth + 1.0)
    bulge = np.clip(1 - 0.35 * (u / np.maximum(reach, 1e-6)) ** 2, 0, None)
    image[(np.abs(u) < reach) & (np.abs(v) < height * bulge + 0.5)] = 38.0
    nucleus = (u / (0.72 * depth + 1e-6)) ** 2 + (v / (0.85 * height)) ** 2 < 1
    signal = _DISC_SIGNAL[findings.pfirrmann or 2]
    image[nucleus] = signal
    if (findings.pfirrmann or 2) <= 2:
        image[nucleus & (np.abs(v) < 0.7)] = 0.75 * signal
    if findings.hiz and abs(lateral) < 5:
        spot = (u + 0.9 * depth) ** 2 + v**2 < 4.0
        image[spot] = 230.0


def _smooth(volume: FloatArray) -> FloatArray:
    """Blur within the slices, as a finite resolution does."""
    for axis in (1, 2):
        volume = 0.25 * np.roll(volume, 1, axis) + 0.5 * volume + 0.25 * np.roll(volume, -1, axis)
    return volume
