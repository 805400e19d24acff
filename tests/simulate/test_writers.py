"""Files in scanner formats, read back by readers that this package did not write."""

import shutil
import subprocess
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mrs_disc.data import Fid, Protocol, Sampling, Transients
from mrs_disc.errors import InputError, OutputError
from mrs_disc.io.formats.philips import vax_floats
from mrs_disc.simulate import simulate_study
from mrs_disc.simulate.anatomy import places
from mrs_disc.simulate.dataset import write_study
from mrs_disc.simulate.write_philips import vax_bytes, write_sdat
from mrs_disc.simulate.write_siemens import write_dicom, write_rda

SAMPLING = Sampling(dwell_time_s=0.0005, spectrometer_mhz=123.25)
AFFINE = places(("L4-L5", "L5-S1"))["L5-S1"].voxel_affine((18.0, 16.0, 5.0))
PROTOCOL = Protocol(
    sequence="PRESS", echo_time_s=0.03, repetition_time_s=1.5, voxel_affine=AFFINE, n_averages=4
)


@pytest.fixture
def rows():
    rng = np.random.default_rng(1)
    return (rng.normal(size=(3, 512)) + 1j * rng.normal(size=(3, 512))).astype(np.complex64) * 1e3


def check(image, expected):
    """Compare with a NIfTI-MRS object: its array has the opposite sign."""
    stored = np.squeeze(np.asarray(image.image[:]))
    got = np.conj(stored.T if stored.ndim == 2 else stored)
    assert np.allclose(got, expected, rtol=1e-6, atol=1e-4)
    assert np.allclose(image.getAffine("voxel", "world"), AFFINE, atol=1e-4)
    assert image.dwelltime == pytest.approx(0.0005)
    assert image.spectrometer_frequency[0] == pytest.approx(123.25)
    header = image.hdr_ext.to_dict()
    assert header["EchoTime"] == pytest.approx(0.03)
    assert header["RepetitionTime"] == pytest.approx(1.5)


def test_sdat_is_read_by_spec2nii(rows, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its own dependencies warn on import
        from spec2nii.Philips.philips import read_sdat_spar_pair

    signal = Transients(signal=rows, sampling=SAMPLING)
    sdat, spar = write_sdat(tmp_path / "a.SDAT", signal, PROTOCOL)
    images, _ = read_sdat_spar_pair(sdat, spar, tags=[None] * 3)
    check(images[0], rows)


def test_rda_is_read_by_spec2nii(rows, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from spec2nii.Siemens.rda import convert_rda

    path = write_rda(tmp_path / "a.rda", Fid(signal=rows[0], sampling=SAMPLING), PROTOCOL)
    images, _ = convert_rda(path, None, False)
    check(images[0], rows[0])


def test_dicom_series_is_read_by_spec2nii(rows, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from spec2nii.Siemens.dicomfunctions import multi_file_dicom

    signal = Transients(signal=rows, sampling=SAMPLING)
    paths = write_dicom(tmp_path, signal, PROTOCOL, series_number=3, description="press")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        images, _ = multi_file_dicom(paths, None, "DIM_DYN", False)
    check(images[0], rows)


def test_dicom_has_identifiers_of_its_own_and_the_same_bytes_each_time(rows, tmp_path):
    import pydicom

    signal = Transients(signal=rows, sampling=SAMPLING)
    for name in ("a", "b"):
        write_dicom(tmp_path / name, signal, PROTOCOL, series_number=3, description="press")
    files = sorted((tmp_path / "a").iterdir())
    identifiers = {pydicom.dcmread(path).SOPInstanceUID for path in files}
    assert len(identifiers) == 3
    for path in files:
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


@given(
    arrays(
        np.complex64,
        st.integers(1, 40),
        elements=st.complex_numbers(
            max_magnitude=2.0**100, allow_nan=False, allow_infinity=False, width=64
        ),
    )
)
@settings(max_examples=60)
def test_vax_floats_survive(samples):
    """Exact but for what lies below the range of the format (3e-39)."""
    again = vax_floats(vax_bytes(samples)).view(np.complex64)
    assert np.allclose(again.view(np.float32), samples.view(np.float32), rtol=0, atol=1e-36)
    large = np.abs(samples.view(np.float32)) > 1e-35
    assert np.array_equal(again.view(np.float32)[large], samples.view(np.float32)[large])


def test_vax_one_is_the_known_bit_pattern():
    """1.0 as VAX F is 0x4080 0x0000, low byte first."""
    assert vax_bytes(np.array([1.0 + 0.0j], np.complex64)) == bytes([0x80, 0x40, 0, 0, 0, 0, 0, 0])


def test_sdat_refuses_what_it_cannot_hold(tmp_path):
    signal = Fid(signal=np.full(256, np.nan + 0j), sampling=SAMPLING)
    with pytest.raises(InputError, match="not finite"):
        write_sdat(tmp_path / "a.SDAT", signal, PROTOCOL)
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_overwritten(rows, tmp_path):
    fid = Fid(signal=rows[0], sampling=SAMPLING)
    path = write_rda(tmp_path / "a.rda", fid, PROTOCOL)
    before = path.read_bytes()
    with pytest.raises(OutputError, match=r"a\.rda"):
        write_rda(path, Fid(signal=rows[1], sampling=SAMPLING), PROTOCOL)
    assert path.read_bytes() == before


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dicom3tools is absent")
def test_dicom_is_to_the_standard(rows, tmp_path):
    signal = Transients(signal=rows, sampling=SAMPLING)
    paths = write_dicom(tmp_path, signal, PROTOCOL, series_number=3, description="press")
    done = subprocess.run(["dciodvfy", paths[0]], capture_output=True, text=True, check=False)
    assert not [line for line in done.stderr.splitlines() if line.startswith("Error")]


def test_simulated_studies_are_of_different_patients(tmp_path):
    """Or an archive would file them as one."""
    pydicom = pytest.importorskip("pydicom")
    found = set()
    for seed in (1, 2):
        study, truth = simulate_study(seed, levels=("L4-L5",), study_id="sub-01", anatomy=False)
        folder = write_study(tmp_path / str(seed), study, truth, form="dicom")
        headers = [pydicom.dcmread(path) for path in folder.rglob("*.dcm")]
        found.add(frozenset((str(h.PatientID), str(h.StudyInstanceUID)) for h in headers))
    assert [len(one) for one in found] == [1, 1]
