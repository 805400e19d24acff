"""ParaVision as it is stored: every file of a scan, its delay, its coils, its own reference."""

import numpy as np
import pytest

from mrs_disc.errors import InputError, ReadError
from mrs_disc.io.acquire import Given, Source, to_acquisition
from mrs_disc.io.describe import describe
from mrs_disc.io.formats.readers import read_scan, read_series
from mrs_disc.signal.stored import delay_of

from .conftest import DWELL, MHZ, bruker


@pytest.fixture
def rows(spectrum):
    return spectrum(3)


@pytest.mark.parametrize("name", ["fid", "rawdata.job0", "pdata/1/fid_proc.64"])
@pytest.mark.parametrize("jobs", [1, 2])
def test_every_file_of_paravision_360_opens_whatever_acq_size_says(
    name, jobs, tmp_path, rows, protocol
):
    """`ACQ_size` says 1024, the points are 512; one job or two."""
    second = "" if jobs == 1 else " (0, 15.125, 25.5, 19.5, 31)"
    info = f"( {jobs} )\n(0, 0, 8, 19.4, 31){second}"
    scan = read_scan(bruker(tmp_path, rows, protocol, name=name, ACQ_RxFilterInfo=info))
    assert scan.signal.shape == (1, 3, 512)
    assert not scan.extra_axes
    np.testing.assert_allclose(scan.signal[0], rows, atol=1.0)  # rounded to integers
    assert scan.voxel_size_mm == pytest.approx((25, 15, 20))
    assert scan.software == "PV-360.3.5"


def test_coils_lie_inside_each_transient(tmp_path, rows, protocol):
    scan = read_scan(bruker(tmp_path, rows, protocol, name="rawdata.job0", coils=4))
    assert scan.signal.shape == (4, 3, 512)
    for coil in range(4):
        np.testing.assert_allclose(scan.signal[coil], (coil + 1) * rows, atol=1.0)


@pytest.mark.parametrize(
    ("says", "value"),
    [
        ("ACQ_RxFilterInfo", "( 1 )\n(70.25, 0, 8, 19.4, 31)"),
        ("GRPDLY", 69.98),
        ("PVM_DigShift", 70),
    ],
)
def test_samples_of_the_filters_delay_are_kept_and_left_out_of_the_analysis(
    says, value, tmp_path, rows, protocol
):
    silent = {"ACQ_RxFilterInfo": None} | {says: value}
    path = bruker(tmp_path, rows, protocol, delay=70, **silent)
    scan = read_scan(path)
    assert scan.n_points == describe(path)["n_points"] == 582
    assert scan.n_early == 70
    assert scan.start_time_s == pytest.approx(-70 * DWELL, abs=0.3 * DWELL)
    acquisition = to_acquisition("L4-L5", Source(scan=scan, name="fid"), None, Given())
    np.testing.assert_allclose(acquisition.metabolite.signal, rows, atol=1.0)
    assert abs(acquisition.metabolite.sampling.start_time_s) <= 0.5 * DWELL
    assert any("70 samples lie before the echo" in note for note in scan.notes)


def test_a_delay_that_was_taken_out_already_is_not_taken_out_again(tmp_path, rows, protocol):
    scan = read_scan(bruker(tmp_path, rows, protocol, GRPDLY=69.98, ACQ_RxFilterInfo=None))
    assert (scan.n_early, scan.start_time_s) == (0, 0.0)


def test_the_reference_inside_is_the_water(tmp_path, rows, protocol):
    water = 50 * rows[0]
    path = bruker(tmp_path, rows, protocol, name="rawdata.job0", coils=2, water=water)
    scan = read_scan(path)
    np.testing.assert_allclose(scan.water.signal[:, 0], [water, 2 * water], atol=2.0)
    assert scan.water.water_suppressed is False
    assert scan.water_suppressed is True
    changed = path.parent / "method"
    changed.write_text(changed.read_text().replace("RefScanRG=101", "RefScanRG=50.5"))
    louder = read_scan(path)
    np.testing.assert_allclose(louder.water.signal, 2 * scan.water.signal, rtol=1e-6)
    assert any("gain" in note for note in louder.notes)


def test_the_reference_in_a_file_of_its_own_counts_first(tmp_path, rows, protocol):
    path = bruker(tmp_path, rows, protocol)
    (tmp_path / "fid.refscan").write_bytes(
        np.round((70 * rows[:1]).astype(complex).view(float)).astype("<i4").tobytes()
    )
    np.testing.assert_allclose(read_scan(path).water.signal[0, 0], 70 * rows[0], atol=1.0)
    assert read_scan(tmp_path / "fid.refscan").n_transients == 1


def test_a_reference_of_several_coils_is_not_used_with_combined_ones(tmp_path, rows, protocol):
    bruker(tmp_path, rows, protocol, name="rawdata.job0", coils=2, water=50 * rows[0])
    whole = (tmp_path / "method").read_text()
    path = bruker(tmp_path, rows[:1], protocol, name="pdata/1/fid_proc.64")
    (tmp_path / "method").write_text(whole)
    scan = read_scan(path)
    assert (scan.water, scan.n_transients) == (None, 1)
    assert any("name rawdata.job0" in note for note in scan.notes)


def test_a_fid_for_each_repetition_has_its_coils_combined(tmp_path, spectrum, protocol):
    """ParaVision 360 may combine what four receivers heard; four repetitions are no coils."""
    combined = {"PVM_NRepetitions": 4, "PVM_EncNReceivers": 4}
    path = bruker(tmp_path, spectrum(4), protocol, **combined)
    assert read_scan(path).signal.shape == (1, 4, 512)
    path = bruker(tmp_path, spectrum(4), protocol, coils=4, PVM_NRepetitions=4)
    assert read_scan(path).signal.shape == (4, 4, 512)


def test_a_folder_with_both_files_of_one_scan_counts_it_once(tmp_path, rows, protocol):
    paths = [bruker(tmp_path, rows, protocol, name=n) for n in ("fid", "rawdata.job0")]
    assert read_series(paths).n_transients == 3


@pytest.mark.parametrize("order", ["little", "big"])
@pytest.mark.parametrize(
    ("word", "kind"), [("_32_BIT", "i4"), ("GO_32BIT_FLOAT", "f4"), ("_16_BIT", "i2")]
)
def test_types_and_orders_of_bytes(order, word, kind, tmp_path, rows, protocol):
    """Older releases, and files that were moved from other machines."""
    path = bruker(
        tmp_path, rows, protocol, BYTORDA=order, ACQ_word_size=word, ACQ_sw_version="<PV 5.1>"
    )
    numbers = np.round(rows.astype(complex).view(float))
    path.write_bytes(numbers.astype((">" if order == "big" else "<") + kind).tobytes())
    np.testing.assert_allclose(read_scan(path).signal[0], rows, atol=1.0)


def test_a_carrier_beside_the_water_is_the_reference_of_the_axis(tmp_path, rows, protocol):
    scan = read_scan(bruker(tmp_path, rows, protocol, PVM_FrqWorkOffsetPpm=[-2.65, "@7*(0)"]))
    assert scan.reference_ppm == pytest.approx(2.0)


def test_frequencies_to_a_gigahertz_are_plausible(tmp_path, rows, protocol):
    """Discs of animals are measured at 9.4 to 23.5 T; the spectral width grows with it."""
    path = bruker(tmp_path, rows, protocol, PVM_FrqWork=[999.9, "@7*(0)"], PVM_SpecSWH=[8000])
    assert not any("MHz" in problem for problem in describe(path)["problems"])


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"PVM_SpecSWH": None}, "PVM_SpecSWH"),
        ({"PVM_FrqWork": None}, "PVM_FrqWork"),
        ({"ACQ_dim_desc": "( 2 )\nSpatial Spatial"}, "image"),
        ({"PVM_SpecMatrix": [500]}, "cut off"),
    ],
)
def test_what_is_absent_or_does_not_fit_is_named(change, says, tmp_path, rows, protocol):
    jobs = {"ACQ_jobs": None} if "PVM_SpecSWH" in change else {}
    with pytest.raises(ReadError, match=says) as caught:
        read_scan(bruker(tmp_path, rows, protocol, **change, **jobs))
    assert str(caught.value).startswith("fid: ")


def test_imaging_in_space_is_told_and_not_analysed(tmp_path, rows, protocol):
    path = bruker(
        tmp_path,
        rows,
        protocol,
        ACQ_dim_desc="( 3 )\nSpectroscopic Spatial Spatial",
        ACQ_size=[1024, 8, 8],
    )
    assert "64 voxels" in describe(path)["problems"][0]


def test_identity_and_free_text_are_digests(tmp_path, rows, protocol):
    scan = read_scan(bruker(tmp_path, rows, protocol, VisuSubjectId="( 65 )\n<Doe>"))
    assert scan.identity.subject
    assert "Doe" not in repr(scan)
    assert scan.spectrometer_mhz == MHZ


@pytest.mark.parametrize(
    ("marker", "says"), [("procpar", "spec2nii varian.*echo_time_s"), ("acqus", "TopSpin")]
)
def test_folders_of_other_spectrometers_are_named_for_what_they_are(marker, says, tmp_path):
    folder = tmp_path / "scan.fid"
    folder.mkdir()
    (folder / marker).write_text("##TITLE= Parameter file\n")
    (folder / "fid").write_bytes(bytes(range(256)) * 16)
    for path in (folder, folder / "fid", folder / marker):
        with pytest.raises(InputError, match=says):
            read_scan(path)
        with pytest.raises(InputError, match=says):
            describe(path)


def test_the_delay_that_scanners_state_is_measured_on_their_samples(real_data):
    """Only where the water of a scan outshines its noise; the filters are not quite symmetric."""
    stated = []
    for path in sorted(real_data.glob("found/*/**/fid")):
        scan = read_scan(path)
        if (measured := delay_of(scan.signal)) is not None:
            stated.append(-scan.start_time_s / scan.dwell_time_s)
            assert measured == pytest.approx(stated[-1], abs=0.7)
            assert delay_of(scan.from_echo().signal) is None
    assert len(stated) >= 2


def test_what_paravision_reconstructed_is_refused_in_one_sentence(tmp_path, spectrum, protocol):
    measured = bruker(tmp_path / "5", spectrum(2), protocol)
    made = tmp_path / "5" / "pdata" / "1" / "2dseq"
    made.parent.mkdir(parents=True)
    made.write_bytes(b"\1\0\0\0" * 1024)
    with pytest.raises(ReadError, match=r"2dseq: is what ParaVision reconstructed.*name the fid"):
        read_scan(made)
    assert read_series([made, measured]).n_transients == 2  # of both, what was measured
