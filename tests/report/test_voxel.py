"""A voxel in three planes, lipid's displacement, and the transients before and after alignment."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mrs_disc.data import Anatomy, Morphology
from mrs_disc.record import table
from mrs_disc.record.file import as_json, results_of
from mrs_disc.record.level import Tissue
from mrs_disc.record.signals import Signals, arrays_of, signals_of
from mrs_disc.report import voxel
from mrs_disc.report.anatomy import (
    FIELD_MM,
    MAX_SLICES,
    PLANE_PIXELS,
    PLANES,
    planes_through,
    section,
    slice_through,
    slices_of,
)
from mrs_disc.report.dictated import finding_sentence
from mrs_disc.report.results import results_from, signals_from
from mrs_disc.signal.transients.picture import COLUMNS, MOST_ROWS, before_and_after
from mrs_disc.simulate.anatomy import draw_anatomy, places
from mrs_disc.steps.tissue import tissue_in, water_of_others

PIXEL = FIELD_MM / PLANE_PIXELS


def block(centre, sides):
    affine = np.diag([*sides, 1.0])
    affine[:3, 3] = centre
    return affine


def area(corners):
    x, y = corners.T
    return abs(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1))) / 2


@pytest.mark.parametrize(
    ("plane", "wide", "tall"), [("sagittal", 16, 5), ("coronal", 18, 5), ("axial", 18, 16)]
)
def test_a_straight_voxel_is_cut_to_its_sides(plane, wide, tall):
    corners = section(block((3, -40, 80), (18, 16, 5)), plane)
    assert np.ptp(corners, axis=0) == pytest.approx([wide, tall])
    grown = section(block((3, -40, 80), (18, 16, 5)), plane, 0.25)
    assert area(grown) == pytest.approx(wide * tall * 1.5**2)


def test_a_tilted_voxel_is_cut_as_its_solid_is():
    """The area of the cut, against points of the plane that lie in the solid, counted."""
    rng = np.random.default_rng(3)
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    affine = np.eye(4)
    affine[:3, :3] = turn @ np.diag([18, 16, 8.0])
    for plane, (up, left) in PLANES.items():
        side = np.linspace(-20, 20, 401)
        points = np.zeros((401, 401, 3))
        points[..., up], points[..., left] = -side[:, None], -side
        inside = np.all(np.abs(points @ np.linalg.inv(affine[:3, :3]).T) <= 0.5, axis=-1)
        corners = section(affine, plane)
        assert area(corners) == pytest.approx(inside.sum() * 0.01, rel=0.02)
        rows, columns = np.nonzero(inside)
        assert corners[:, 0].max() == pytest.approx(side[columns].max(), abs=0.2)
        assert corners[:, 1].max() == pytest.approx(side[rows].max(), abs=0.2)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1)])
def test_the_planes_show_the_patient_from_the_right_sides(order):
    """Bright spots to the patient's right, front and head, and where they have to appear."""
    shape = np.array([60, 60, 60])
    volume = np.zeros(shape)
    for spot in ((12, 0, 0), (0, 15, 0), (0, 0, 18)):
        x, y, z = 30 + np.array(spot)
        volume[x - 2 : x + 3, y - 2 : y + 3, z - 2 : z + 3] = 100
    affine = np.diag([1.0, 1, 1, 1])
    affine[:3, 3] = -30
    swap = np.eye(4)[[*order, 3]]
    image = Anatomy(image=volume.transpose(order), affine=affine @ swap.T)
    planes = dict(zip(PLANES, planes_through(image, block((0, 0, 0), (5, 5, 5))), strict=True))
    half = PLANE_PIXELS / 2

    def bright(plane, right, down):
        rows, columns = np.nonzero(planes[plane] > 50)
        places = np.stack([(columns + 0.5 - half) * PIXEL, (rows + 0.5 - half) * PIXEL], axis=1)
        return np.any(np.linalg.norm(places - (right, down), axis=1) < 1.2)

    assert bright("sagittal", -15, 0)  # front: left of the picture
    assert bright("sagittal", 0, -18)  # head: up
    assert bright("coronal", -12, 0)  # the patient's right: left of the picture
    assert bright("axial", -12, 0)
    assert bright("axial", 0, -15)  # front: up


def test_no_plane_is_cut_beside_the_image():
    image = Anatomy(image=np.ones((40, 40, 40)), affine=np.eye(4))
    assert planes_through(image, block((-5, 20, 20), (5, 5, 5))) is None


@pytest.mark.parametrize("off_mm", [-1.5, 0.0, 0.5, 1.9])
@pytest.mark.parametrize("n_slices", [1, 3])
def test_the_planes_show_each_slice_over_its_whole_thickness(n_slices, off_mm):
    """A checked slice of 4 mm: in the planes across it a band as wide as the slices together."""
    rows = np.indices((80, 80)).sum(axis=0) % 2
    affine = np.diag([4.0, 1, 1, 1])
    affine[:3, 3] = [-2.0 * (n_slices - 1), -40, -40]
    image = Anatomy(image=np.repeat(100 + 100 * rows[None], n_slices, axis=0), affine=affine)
    shown = planes_through(image, block((off_mm, 0, 0), (20, 20, 8)))
    sagittal, coronal, axial = shown > 0
    assert sagittal.all()
    for plane in (coronal, axial):
        filled = plane.any(axis=0)
        assert filled.sum() * PIXEL == pytest.approx(4 * n_slices, abs=1.01 * PIXEL)
        middle = (np.flatnonzero(filled).mean() + 0.5 - PLANE_PIXELS / 2) * PIXEL
        assert middle == pytest.approx(off_mm, abs=PIXEL)  # the patient's right is on the left


def test_no_plane_is_cut_where_all_is_of_one_grey():
    image = Anatomy(image=np.zeros((40, 40, 40)), affine=np.eye(4))
    assert planes_through(image, block((20, 20, 20), (5, 5, 5))) is None


def test_the_pictures_are_kept_with_the_record(build, tmp_path):
    report = build.report([build.level("L4-L5", build.painful)])
    signals = signals_from(report)
    level = replace(
        signals.levels["L4-L5"],
        transients=np.arange(24, dtype=np.uint8).reshape(2, 3, 4),
        transients_ppm=2.04,
    )
    kept = signals_of(
        arrays_of(replace(signals, levels={"L4-L5": level}), {"L4-L5": 1.0}), tmp_path
    ).levels["L4-L5"]
    assert np.array_equal(kept.planes, level.planes)
    assert np.array_equal(kept.transients, level.transients)
    assert kept.transients_ppm == 2.04


def test_the_displacement_is_the_shift_over_the_bandwidth(build):
    level = results_from(build.report([build.level("L4-L5", build.painful)])).levels[0]
    assert voxel.displacement(level) is None
    assert "not drawn" in voxel.voxel_words(level)
    protocol = replace(level.measured.protocol, refocusing_bandwidth_hz=1500.0)
    told = replace(level, measured=replace(level.measured, protocol=protocol))
    assert voxel.displacement(told) == pytest.approx((4.65 - 1.30) * 127.7 / 1500)
    assert "29 % of a side, 5.1 mm along the longest" in voxel.voxel_words(told)


def test_alignment_straightens_the_picture():
    """A line that drifts by 20 Hz: its column moves before, and stands still after."""
    n, dwell = 100, 1 / 2000
    time = dwell * np.arange(1024)
    drift = np.linspace(-10, 10, n)
    decay = np.exp(-np.pi * 5 * time)
    after = np.tile(np.exp(2j * np.pi * 60 * time + 0.4j) * decay, (n, 1))
    before = after * np.exp(2j * np.pi * np.outer(drift, time))
    pictures, centre = before_and_after(before, after, time, (-200.0, 200.0), 50.0)
    assert pictures.shape == (2, MOST_ROWS, COLUMNS)
    assert centre == pytest.approx(60, abs=1.5)
    moved, still = pictures.argmax(axis=2)
    assert set(still) <= {COLUMNS // 2 - 1, COLUMNS // 2}
    hz = 100 / (COLUMNS - 1)
    assert (moved[0] - moved[-1]) * hz == pytest.approx(20, abs=2 * hz)  # low frequency: right


def test_silent_transients_make_a_black_picture():
    nothing = np.zeros((3, 64), dtype=complex)
    pictures, _ = before_and_after(nothing, nothing, 1e-3 * np.arange(64), (-50, 50), 20)
    assert not pictures.any()


def test_neighbouring_slices_are_kept_and_tell_which_voxels_they_meet(tmp_path):
    """Slices 4 mm apart: a voxel 18 mm wide at x = 2 reaches from -7 to 11 mm."""
    volume = np.zeros((21, 40, 50))
    volume += np.arange(21)[:, None, None]
    affine = np.diag([4.0, 1, 1, 1])
    affine[:3, 3] = (-40, -20, -25)
    cut = slice_through(Anatomy(image=volume, affine=affine), [block((2, 0, 0), (18, 16, 5))])
    assert cut.slices.shape == (MAX_SLICES, 50, 40)
    assert np.array_equal(cut.slices[cut.at], cut.image)
    x_mm = {n: 4 * (n + 10 - cut.at) - 40 for n in range(MAX_SLICES)}  # slice 10 lies at 0 mm
    first, last = slices_of(cut, block((2, 0, 0), (18, 16, 5)))
    meets = [n for n, x in x_mm.items() if x - 2 <= 11 and x + 2 >= -7]
    assert (first, last) == (meets[0], meets[-1])
    first, last = slices_of(cut, block((60, 0, 0), (5, 5, 5)))
    assert first > last
    kept = signals_of(arrays_of(Signals(levels={}, anatomy=cut), {}), tmp_path).anatomy
    assert np.array_equal(kept.slices, cut.slices)
    assert slices_of(kept, block((2, 0, 0), (18, 16, 5))) == (meets[0], meets[-1])


def test_what_the_voxel_holds_is_said_with_its_method(report):
    """The caption, the table and the record say the same; what is not certain is said to be so."""
    results = results_from(report)
    level = replace(
        results.levels[1], tissue=Tissue(disc_percent=81.6, bone_percent=18.4, reason="no fat")
    )
    words = voxel.voxel_words(level)
    assert "disc 82 %, bone marrow 18 % by the image's grey values" in words
    assert "simulated images alone; no fat" in words
    assert "fat or fluid" not in words
    cells = table.cells_of(level, table.TISSUE)
    assert list(cells.values()) == [81.6, 18.4, None]
    again = results_of(as_json(replace(results, levels=(level,))), Path("results.json"))
    assert again.levels[0].tissue == level.tissue
    assert "the voxel holds some 18 % bone marrow by the image" in finding_sentence(level, results)
    alike = replace(level, tissue=Tissue(reason="disc and marrow are of like brightness"))
    assert "not stated: disc and marrow are of like brightness." in voxel.voxel_words(alike)
    assert "grey values" not in voxel.voxel_words(replace(level, tissue=None))


def test_by_how_much_other_water_dilutes_the_amounts_is_said(report):
    """10 % marrow of .4 to .8 and 20 % fat or fluid of none to 1.5 of a disc's water, over 70 %."""
    results = results_from(report)
    quantities = results.levels[1].quantities
    tissue = Tissue(disc_percent=70.0, bone_percent=10.0, fat_percent=20.0)
    found = water_of_others(tissue, quantities)
    assert found.values["least"] == pytest.approx(1 + 0.4 * 10 / 70)
    assert found.values["most"] == pytest.approx(1 + (0.8 * 10 + 1.5 * 20) / 70)
    level = replace(results.levels[1], tissue=tissue, findings=(found,))
    assert "own water the amounts are 1.06 to 1.54 times those given." in voxel.voxel_words(level)

    # Nothing is said of a disc alone, of shares that nobody knows, and without amounts per water.
    for other in (
        None,
        Tissue(disc_percent=97.0, bone_percent=3.0, fat_percent=0.0),
        Tissue(disc_percent=90.0, bone_percent=None, fat_percent=0.0),
        Tissue(reason="the shares depend on the thresholds"),
    ):
        assert water_of_others(other, quantities) is None
    without = {n: replace(q, value=None) for n, q in quantities.items() if "water" in n}
    assert water_of_others(tissue, without) is None
    # What is bright was not told: the rest of the voxel is.
    alone = water_of_others(Tissue(disc_percent=80.0, bone_percent=20.0), quantities)
    assert alone.values["fat"] == 0
    assert alone.values["most"] == pytest.approx(1.2)


@pytest.mark.parametrize("pfirrmann", [2, 3, 4])
def test_a_voxel_that_was_planned_too_high_is_told_from_the_image(pfirrmann):
    """In a drawn spine: the part beyond the endplate, 6 mm from the disc's middle, is bone."""
    levels = ("L3-L4", "L4-L5")
    found = {"L4-L5": Morphology(pfirrmann=pfirrmann)}
    anatomy = draw_anatomy(np.random.default_rng(1), levels, found)
    place = places(levels)["L4-L5"]
    for high, beyond in ((0.0, 0.0), (3.0, 3 / 12), (5.0, 5 / 12)):
        affine = place.voxel_affine((18.0, 16.0, 12.0))
        affine[:3, 3] += place.axes()[:, 2] * high
        tissue = tissue_in(anatomy, affine)
        if tissue.bone_percent is None:
            assert pfirrmann == 2  # bright: half of the middle third is marrow
        else:
            assert tissue.bone_percent == pytest.approx(100 * beyond, abs=10)
    affine[:3, 3] += place.axes()[:, 2] * 4
    assert tissue_in(anatomy, affine).bone_percent is None  # its middle lies in bone
