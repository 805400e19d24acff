"""Shares of disc, bone, and fat or fluid in a voxel, against images with known shares."""

from __future__ import annotations

from math import cos, radians, sin

import numpy as np
import pytest

from mrs_disc.signal.tissue import tissue_shares

SHAPE, MM = (17, 90, 90), (4.0, 0.8, 0.8)
AFFINE = np.diag([*MM, 1.0])
AFFINE[:3, 3] = [-(n - 1) / 2 * mm for n, mm in zip(SHAPE, MM, strict=True)]


def spine(disc_mm, disc=60.0, marrow=128.0, fat_behind=None, fat=240.0, tilt=0.0, noise=4.0):
    """Return a disc between two vertebrae and, behind a plane, fat; noise is white."""
    index = np.moveaxis(np.indices(SHAPE), 0, -1)
    _, y, z = np.moveaxis(index @ AFFINE[:3, :3].T + AFFINE[:3, 3], -1, 0)
    c, s = cos(radians(tilt)), sin(radians(tilt))
    depth, height = c * y + s * z, -s * y + c * z
    share = np.clip((disc_mm / 2 - np.abs(height)) / MM[2] + 0.5, 0, 1)  # of a point's volume
    image = marrow + share * (disc - marrow)
    image = np.where(depth < (-15.0 if fat_behind is None else fat_behind), fat, image)
    return image + noise * np.random.default_rng(5).standard_normal(SHAPE)


def voxel(tall=10.0, tilt=0.0):
    c, s = cos(radians(tilt)), sin(radians(tilt))
    affine = np.eye(4)
    affine[:3, :3] = np.array([[1, 0, 0], [0, c, -s], [0, s, c]]) * [18.0, 16.0, tall]
    return affine


@pytest.mark.parametrize("tilt", [0.0, 25.0])
@pytest.mark.parametrize("disc", [40.0, 205.0])
@pytest.mark.parametrize("disc_mm", [12.0, 8.0, 5.0])
def test_shares_are_those_of_the_geometry(disc_mm, disc, tilt):
    """A slab of a height in a voxel of 10 mm fills that share of it."""
    found = tissue_shares(spine(disc_mm, disc, tilt=tilt, fat=330.0), AFFINE, voxel(tilt=tilt))
    share = min(disc_mm / 10, 1.0)
    assert found.disc == pytest.approx(share, abs=0.05)  # a pixel has .8 mm
    assert found.bone == pytest.approx(1 - share, abs=0.05)
    assert found.fat == pytest.approx(0.0, abs=0.02)


def test_fat_behind_a_plane_fills_its_share():
    """Of 16 mm front to back, the last 4 lie behind the plane: a quarter."""
    found = tissue_shares(spine(12.0, fat_behind=-4.0), AFFINE, voxel())
    assert found.fat == pytest.approx(0.25, abs=0.05)
    assert found.disc == pytest.approx(0.75, abs=0.05)


def test_a_dark_annulus_and_endplate_are_no_marrow():
    image = spine(10.0, disc=190.0, fat=330.0, noise=3.0)
    index = np.moveaxis(np.indices(SHAPE), 0, -1)
    _, y, z = np.moveaxis(index @ AFFINE[:3, :3].T + AFFINE[:3, 3], -1, 0)
    image[(np.abs(y) > 6) & (np.abs(z) < 5) & (y > -15)] = 35.0  # across the grey of marrow
    found = tissue_shares(image, AFFINE, voxel(tall=8.0))
    assert found.bone == pytest.approx(0.0, abs=0.03)


def test_what_is_not_certain_is_not_said():
    alike = tissue_shares(spine(8.0, disc=130.0), AFFINE, voxel())
    assert (alike.disc, alike.bone) == (None, None)
    assert "like brightness" in alike.reason
    coarse = AFFINE @ np.diag([1.0, 1.0, 8.0, 1.0])
    assert "6.4 mm" in tissue_shares(spine(8.0), coarse, voxel()).reason
    away = voxel()
    away[2, 3] = 60.0
    assert "ends near" in tissue_shares(spine(8.0), AFFINE, away).reason
    bright = tissue_shares(spine(8.0, disc=230.0), AFFINE, voxel())
    assert bright.fat is None
    assert "fat" in bright.reason
    assert bright.disc == pytest.approx(0.8, abs=0.05)


def test_a_blurred_noisy_image_states_no_wrong_share():
    """Whatever is stated lies within a tenth of the truth; the rest is left out."""
    for noise in (5.0, 15.0, 30.0):
        for disc_mm in (4.0, 7.0, 11.0):
            found = tissue_shares(spine(disc_mm, noise=noise), AFFINE, voxel())
            if found.disc is not None:
                assert found.disc == pytest.approx(min(disc_mm / 10, 1.0), abs=0.1)
