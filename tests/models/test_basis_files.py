"""Basis FIDs in both forms, as other programs write them."""

import gzip

import nibabel
import numpy as np
import pytest

from mrs_disc.errors import ReadError
from mrs_disc.models.basis import read_basis_fid

FID = np.exp((2j * np.pi * 300 - 20) * np.arange(256) * 4e-4)


def nifti(kind, shape=(1, 1, 1, 256), dwell_time_s=4e-4):
    image = kind(FID.conj().reshape(shape).astype(np.complex128), np.eye(4))
    if len(shape) == 4:
        image.header["pixdim"][4] = dwell_time_s
    return image.to_bytes()


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize("kind", [nibabel.Nifti1Image, nibabel.Nifti2Image])
def test_nifti_mrs_of_either_version_is_read(tmp_path, kind, pack):
    path = tmp_path / "x.nii"
    path.write_bytes(pack(nifti(kind)))
    found = read_basis_fid(path)
    np.testing.assert_allclose(found.fid, FID)
    assert found.dwell_time_s == pytest.approx(4e-4)


# A packed file holds the time: names of tests that all of their processes agree on.
NO_BASIS = {
    "empty": b"",
    "text": b"no basis at all" * 99,
    "cut off": nifti(nibabel.Nifti1Image)[:400],
    "packed, cut off": gzip.compress(nifti(nibabel.Nifti2Image))[:200],
    "not packed": b"\x1f\x8bno gzip",
}


@pytest.mark.parametrize("content", NO_BASIS.values(), ids=NO_BASIS)
def test_what_is_no_basis_is_refused_with_the_forms_that_are(tmp_path, content):
    path = tmp_path / "x.nii"
    path.write_bytes(content)
    with pytest.raises(ReadError, match=r"x.nii: .*LCModel RAW nor NIfTI-MRS"):
        read_basis_fid(path)


def test_an_image_is_no_basis(tmp_path):
    path = tmp_path / "x.nii"
    path.write_bytes(nibabel.Nifti1Image(np.ones((4, 8, 8)), np.eye(4)).to_bytes())
    with pytest.raises(ReadError, match="holds one complex FID"):
        read_basis_fid(path)


def test_a_shared_fid_cannot_be_written_into(tmp_path):
    path = tmp_path / "x.nii"
    path.write_bytes(nifti(nibabel.Nifti1Image))
    with pytest.raises(ValueError, match="read-only"):
        read_basis_fid(path).fid[:] = 0
