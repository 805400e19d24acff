"""signals.npz: same report, same bytes; read back without trust."""

from __future__ import annotations

import io
import zipfile
from dataclasses import replace

import numpy as np
import pytest

from mrs_disc.data import Anatomy
from mrs_disc.errors import ReadError
from mrs_disc.record.signals import arrays_of, npz_bytes, read_signals, sha256, signals_of
from mrs_disc.report.anatomy import slice_through, voxel_outline
from mrs_disc.report.results import results_from, signals_from, voxel_affines


def written(report):
    """The arrays of a report as its file has them, by name."""
    noise = {r.record.key: r.record.fit.noise_sd for r in report if r.record.fit}
    return arrays_of(signals_from(report), noise)


def test_equal_reports_give_equal_bytes(report, build):
    assert npz_bytes(written(report)) == npz_bytes(written(build.report()))


def test_numpy_reads_the_file(report, tmp_path):
    path = tmp_path / "signals.npz"
    path.write_bytes(npz_bytes(written(report)))
    with np.load(path, allow_pickle=False) as arrays:
        assert arrays["L4-L5_run-2/data"].dtype == np.complex64
        assert not any(name.startswith("L5-S1") for name in arrays.files)


def test_data_are_fit_plus_noise_after_reading_back(report, tmp_path):
    content = npz_bytes(written(report))
    path = tmp_path / "signals.npz"
    path.write_bytes(content)
    signals = read_signals(path, sha256(content))
    level = signals.levels["L1-L2"]
    fit = report["L1-L2"].measurement.fit
    residual = level.data - level.fit
    assert np.std(residual.real) == pytest.approx(fit.noise.sd, rel=0.1)
    np.testing.assert_allclose(level.data, fit.curves.data, rtol=1e-6, atol=1e-3)


def test_what_is_cut_off_the_model_is_far_below_the_noise(report):
    signals = signals_of(written(report), None)
    fit = report["L1-L2"].measurement.fit
    lost = np.abs(signals.levels["L1-L2"].components - fit.curves.components).max()
    assert lost < 2e-3 * fit.noise.sd


@pytest.mark.parametrize(
    "content",
    [b"", b"not a zip", npz_bytes({"L4-L5/data": np.ones(3)}), npz_bytes({"L4-L5/x": np.ones(3)})],
    ids=["empty", "no zip", "real data", "lacks arrays"],
)
def test_a_damaged_file_is_refused(content, tmp_path):
    path = tmp_path / "signals.npz"
    path.write_bytes(content)
    with pytest.raises(ReadError, match=r"^signals\.npz: "):
        read_signals(path, None)


def test_a_file_of_another_result_is_refused(report, tmp_path):
    path = tmp_path / "signals.npz"
    path.write_bytes(npz_bytes(written(report)))
    with pytest.raises(ReadError, match="does not belong"):
        read_signals(path, "0" * 64)


def test_pickles_are_never_opened(tmp_path):
    path = tmp_path / "signals.npz"
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.array([{"a": 1}], dtype=object))
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("L4-L5/data.npy", buffer.getvalue())
    with pytest.raises(ReadError, match="is damaged"):
        read_signals(path, None)


def test_a_file_that_unpacks_to_too_much_is_refused_unread(tmp_path, monkeypatch):
    path = tmp_path / "signals.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.npy", b"\0" * 10_000_000)
    monkeypatch.setattr("mrs_disc.record.signals.MAX_BYTES", 1_000_000)
    with pytest.raises(ReadError, match="unpacks to more"):
        read_signals(path, None)


def volume(axes):
    """A volume with one bright box, stored in any order and direction of axes."""
    image = np.zeros((40, 60, 80))  # left, front, head; 1 mm
    image[18:23, 35:45, 50:56] = 100.0
    affine = np.eye(4)
    affine[:3, 3] = (-20, -30, -40)
    order, flips = axes
    for axis, flip in enumerate(flips):
        if flip:
            image = np.flip(image, axis)
            affine[:3, 3] += affine[:3, axis] * (image.shape[axis] - 1)
            affine[:3, axis] *= -1
    return Anatomy(image=image.transpose(order), affine=affine[:, [*order, 3]])


ORDERS = [
    ((0, 1, 2), (False, False, False)),
    ((2, 1, 0), (True, False, True)),
    ((1, 2, 0), (False, True, True)),
]


@pytest.mark.parametrize("axes", ORDERS)
def test_the_voxel_is_drawn_where_the_disc_lies_however_the_image_is_stored(axes):
    voxel = np.diag([5.0, 10.0, 6.0, 1.0])
    voxel[:3, 3] = (20 - 20, 39.5 - 30, 52.5 - 40)
    piece = slice_through(volume(axes), [voxel])
    outline = voxel_outline(piece, voxel)
    rows, columns = np.nonzero(piece.image > 100)
    assert outline[:, 0].min() == pytest.approx(columns.min() - 0.5, abs=0.01)
    assert outline[:, 0].max() == pytest.approx(columns.max() + 0.5, abs=0.01)
    assert outline[:, 1].min() == pytest.approx(rows.min() - 0.5, abs=0.01)
    assert outline[:, 1].max() == pytest.approx(rows.max() + 0.5, abs=0.01)
    assert rows.mean() < 80 / 2  # head is up
    assert columns.mean() < 60 / 2  # front is left


def test_an_image_without_sagittal_extent_is_not_shown():
    flat = Anatomy(image=np.ones((50, 50, 1)), affine=np.diag([1.0, 1.0, 5.0, 1.0]))
    assert slice_through(flat, []) is None


def anatomy_notices(report):
    return [n for n in results_from(report).notices if "anatomy image" in n]


def test_an_anatomy_image_that_holds_the_voxels_needs_no_words(report):
    assert any(name.endswith("/outline") for name in written(report))
    assert anatomy_notices(report) == []


def test_an_anatomy_image_of_another_place_is_left_out_and_said(report):
    away = report.anatomy.affine.copy()
    away[2, 3] += 2000  # mm: the head of a giant
    moved = replace(report, anatomy=replace(report.anatomy, affine=away))
    names = set(written(moved))
    assert "anatomy/image" not in names
    assert not any(name.endswith("/outline") for name in names)
    assert any(name.endswith("/voxel_affine") for name in names)
    assert anatomy_notices(moved) == [
        "The report shows no anatomy image: none of the measured voxels lies in it."
    ]


def test_a_voxel_beside_the_anatomy_image_is_named(report):
    heights = {key: affine[2, 3] for key, affine in voxel_affines(report).items()}
    cut = sorted(set(heights.values()))[:2]
    lowest = ", ".join(key for key, height in heights.items() if height == cut[0])
    affine = report.anatomy.affine.copy()
    first = round((sum(cut) / 2 - affine[2, 3]) / affine[2, 2])
    affine[2, 3] += affine[2, 2] * first
    upper = replace(report.anatomy, image=report.anatomy.image[:, :, first:], affine=affine)
    part = replace(report, anatomy=upper)
    drawn = {name.split("/")[0] for name in written(part) if name.endswith("/outline")}
    assert drawn == {key for key, height in heights.items() if height > cut[0]}
    assert anatomy_notices(part) == [f"The anatomy image does not hold the voxel of {lowest}."]
