"""What readers get wrong on real scanner files, right here; truth is another format or tool."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from mrs_disc.errors import InputError, ReadError
from mrs_disc.io.describe import describe
from mrs_disc.io.formats.readers import read_scan, read_series
from mrs_disc.io.gate import examine, water_ratio
from mrs_disc.io.studies.disc_files import DiscFiles
from mrs_disc.io.studies.study import read_study


def fid_of(scan):
    """Combine coils by their first singular vector and average: enough to see the peaks."""
    signal = np.asarray(scan.signal, dtype=complex)
    if signal.shape[0] > 1:
        weights = np.linalg.svd(signal.mean(1), full_matrices=False)[0][:, 0].conj()
        signal = np.einsum("c,ctp->tp", weights, signal)[None]
    rows = signal[0]
    turn = np.exp(-1j * np.angle((rows * rows.mean(0).conj()).sum(-1)))
    return (rows * turn[:, None]).mean(0)


def peak(scan, low, high):
    """Place (ppm) and complex height of the largest peak above the straight line of its window."""
    fid, n = fid_of(scan), 1 << 17
    time = np.arange(fid.size) * scan.dwell_time_s
    spectrum = np.fft.fft(fid * np.exp(-4 * np.pi * time), n)
    ppm = np.fft.fftfreq(n, scan.dwell_time_s) / scan.spectrometer_mhz + 4.65
    inside = np.flatnonzero((ppm > low) & (ppm < high))
    inside = inside[np.argsort(ppm[inside])]
    x, y = ppm[inside], spectrum[inside]
    y = y - (y[0] + (y[-1] - y[0]) * (x - x[0]) / (x[-1] - x[0]))
    at = np.argmax(np.abs(y))
    return x[at], y[at]


BRAIN = [
    *(f"fitting_challenge/jmrui/dataset{n}_WS.txt" for n in (*range(1, 25, 2), 27)),
    *(f"fitting_challenge/lcmodel/dataset{n}.RAW" for n in (*range(1, 25, 2), 27)),
    "lcmodel/data.raw",
    "nifti_mrs_tools/metab.nii.gz",
    "nifti_mrs_tools/metab_raw.nii.gz",
    "osprey/sdat_press_sub-01/sub-01_PRESS_35_act.sdat",
    "osprey/sdat_mm_sub-01/sub-01_ses-01_PRESS_raw-act_noID.SDAT",
    "osprey2021/rda/ACC_PRESS.rda",
    "osprey2021/lcmodel_sub-01/mrs_sub-01_ses-01_press_sub-01_PRESS_35_act_LCM_A.RAW",
    "osprey2021/twix_lcm_sub-01/mrs_sub-01_ses-01_press_sub-01_PRESS30_LCM_A.RAW",
    "pastis/spinal_cord_sLASER_shortTE_WS.dcm",
    "spec2nii/metab.RAW",
    "spec2nii/metab_jmrui.txt",
    "spec2nii/metab.txt",
]


@pytest.mark.parametrize("name", BRAIN)
def test_acetyl_and_choline_stand_at_their_shift_and_positive(name, real_data):
    """0.03 ppm after the common shift of the carrier, itself below 0.04; set 25 has no acetyl."""
    facts = {e["path"]: e for e in json.loads((real_data / "manifest.json").read_text())["files"]}
    scan = read_scan(real_data / name)
    if scan.spectrometer_mhz is None:
        entry = facts[name]
        scan = replace(scan, spectrometer_mhz=entry["mhz"], dwell_time_s=entry["dwell_s"])
    assert not examine(scan).mirrored
    acetyl, a = peak(scan, 1.85, 2.2)
    choline, c = peak(scan, 3.12, 3.32)
    shift = (acetyl - 2.01 + choline - 3.21) / 2
    assert abs(shift) < 0.04
    assert acetyl - shift == pytest.approx(2.01, abs=0.03)
    assert choline - shift == pytest.approx(3.21, abs=0.03)
    assert abs(np.angle(c / a)) < np.pi / 3  # with the phase that makes one positive the other is


def test_one_signal_in_raw_jmrui_and_text(real_data):
    """Rounded to seven digits in the files."""
    raw, jmrui, text = (
        read_scan(real_data / "spec2nii" / n).signal[0, 0]
        for n in ("metab.RAW", "metab_jmrui.txt", "metab.txt")
    )
    np.testing.assert_allclose(raw, jmrui, atol=1e-9)
    np.testing.assert_array_equal(text, jmrui)


def test_raw_keeps_megahertz_and_echo_time(real_data):
    found = describe(real_data / "spec2nii" / "metab.RAW")
    assert found["spectrometer_mhz"] == pytest.approx(297.219948)
    assert found["echo_time_s"] == pytest.approx(0.05)
    silent = describe(real_data / "fitting_challenge/lcmodel/dataset1.RAW")
    assert silent["spectrometer_mhz"] is None
    assert silent["dwell_time_s"] is None


def test_csa_echo_time_is_one_echo_and_not_the_list(real_data):
    ws, no_ws = (
        read_scan(real_data / f"pastis/spinal_cord_sLASER_shortTE_{n}.dcm") for n in ("WS", "noWS")
    )
    assert ws.echo_time_s == pytest.approx(0.01996)
    assert 0 < no_ws.echo_time_s < 1


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("rda_truncated.rda", "11383 bytes"),
        ("rda_no_end_of_header.rda", "End of header"),
        ("rda_dwell_zero.rda", "DwellTime"),
        ("nifti_gz_truncated.nii.gz", "gzip stream"),
        ("nifti_broken_json.nii.gz", "not JSON"),
        ("nifti_no_frequency.nii.gz", "SpectrometerFrequency"),
        ("anatomical.nii", "image"),
        ("example4d.nii.gz", "image"),
        ("MR_small.dcm", "MR image"),
        ("siemens_T1_image.IMA", "MR image"),
        ("no_meta.dcm", "no format"),
        ("text_named.dcm", "no format"),
        ("dicom_mrs_truncated.dcm", "cut off"),
        ("sdat_named.rda", "no format"),
        ("sdat_truncated.SDAT", "4099 bytes"),
        ("spar_nan.SDAT", "sample_frequency"),
        ("spar_no_frequency.SDAT", "synthesizer_frequency"),
        ("spar_without_data.SPAR", "not beside it"),
        ("spar_wrong_samples.SDAT", "999999"),
        ("empty.dat", "is empty"),
        ("twix_header_only.dat", "cut off"),
        ("twix_truncated.dat", "cut off"),
        ("twix_imaging_gre.dat", "imaging sequence"),
        ("pfile_truncated.7", "cut off"),
    ],
)
def test_hostile_files_get_one_sentence_with_their_name(name, says, real_data):
    with pytest.raises(ReadError) as caught:
        read_scan(real_data / "hostile" / name)
    message = str(caught.value)
    assert message.startswith(name)
    assert says in message
    assert "\n" not in message


def test_philips_enhanced_dicom_with_one_localisation_item(real_data):
    scan = read_scan(real_data / "suspect/philips_phantom_shortTE.dcm")
    assert scan.signal.shape == (1, 1, 1024)
    assert scan.water is not None
    assert water_ratio(scan.water)[0] > 10 * water_ratio(scan)[0]
    assert scan.voxel_size_mm == pytest.approx((25, 25, 15))
    assert scan.echo_time_s == pytest.approx(0.0319136, rel=1e-5)


def test_spar_of_an_old_release(real_data):
    scan = read_scan(real_data / "tarquin/svs_30_WS.SPAR")
    assert scan.spectrometer_mhz == pytest.approx(127.788256)
    assert scan.n_points == 2048


def test_ge_revision_9_against_its_sage_header(real_data):
    for name, mhz in (("P1751_1.5T_030_2000.7", 63.872622), ("P1907_1.5T_030_2000.7", 63.872612)):
        scan = read_scan(real_data / "tarquin" / name)
        assert (scan.n_transients, scan.water.n_transients) == (16, 8)
        assert scan.spectrometer_mhz == pytest.approx(mhz, abs=1e-6)
        assert scan.echo_time_s == pytest.approx(0.03)
        assert scan.repetition_time_s == pytest.approx(2.0)
        assert water_ratio(scan.water)[0] > 2 * water_ratio(scan)[0]
        assert not examine(scan).mirrored


def test_one_scan_as_dicom_and_rda(real_data):
    """The RDA holds its dwell time in whole microseconds; the samples are the same."""
    dicom, rda = (read_scan(real_data / "suspect" / f"SVS_30.{s}") for s in ("IMA", "rda"))
    scale = np.abs(rda.signal).max()
    np.testing.assert_allclose(dicom.signal, rda.signal, atol=2e-7 * scale)
    assert dicom.dwell_time_s == pytest.approx(833.4e-6, rel=1e-9)
    assert rda.dwell_time_s == pytest.approx(833e-6, rel=1e-9)
    np.testing.assert_allclose(dicom.voxel_affine, rda.voxel_affine, atol=1e-4)
    assert dicom.identity.date == rda.identity.date


def test_mean_of_the_transients_is_the_scanners_average(real_data):
    """1e-4 of the peak after one real factor, as the scanner rounds it."""
    folder = real_data / "dcm_qa_spec"
    series = read_series(sorted(folder.glob("300*.dcm")))
    (average,) = folder.glob("31001*.dcm")
    assert series.signal.shape == (1, 64, 1024)
    mean = series.signal[0].mean(0)
    scanner = read_scan(average).signal[0, 0]
    factor = np.vdot(mean, scanner) / np.vdot(mean, mean)
    assert 1 / factor == pytest.approx(1.0012, abs=1e-4)
    assert np.abs(factor * mean - scanner).max() < 2e-4 * np.abs(scanner).max()


def test_what_dcm2niix_writes_is_read_with_its_sidecar(real_data, tmp_path):
    for name in ("svs_se_30", "svs_se_31"):
        shutil.copy(real_data / "dcm_qa_spec" / f"{name}.nii", tmp_path)
        with pytest.raises(ReadError, match="without the MRS header extension"):
            read_scan(tmp_path / f"{name}.nii")
        shutil.copy(real_data / "dcm_qa_spec" / f"{name}.json", tmp_path)
    assert read_scan(tmp_path / "svs_se_31.nii").echo_time_s == 0.03
    with pytest.raises(ReadError, match="holds 64 FIDs and no MRS header"):
        read_scan(tmp_path / "svs_se_30.nii")
    disc = DiscFiles(level="L4-L5", folder=tmp_path, metabolite=("svs_se_30.nii",))
    series = read_series(sorted((real_data / "dcm_qa_spec").glob("300*.dcm")))
    found = disc.load()
    np.testing.assert_allclose(found.metabolite.signal, series.signal[0], rtol=1e-6)
    assert found.protocol.echo_time_s == pytest.approx(0.03)
    average = replace(disc, metabolite=("svs_se_31.nii",)).load()
    assert type(average.metabolite).__name__ == "Fid"


def test_trailing_axes_of_size_one_come_back_from_the_tags(real_data):
    scan = read_scan(real_data / "nifti_mrs_tools/ecc.nii.gz")
    assert (scan.coil_axis, scan.n_coils, scan.n_transients) == (True, 4, 1)


def test_a_reference_of_another_person_and_day_is_not_used(real_data, tmp_path):
    for name in ("WS", "noWS"):
        shutil.copy(real_data / f"pastis/spinal_cord_sLASER_shortTE_{name}.dcm", tmp_path)
    (tmp_path / "study.toml").write_text(
        'schema_version = 1\nstudy_id = "s"\n[[disc]]\nlevel = "C4-C5"\n'
        'metabolite = "spinal_cord_sLASER_shortTE_WS.dcm"\n'
        'water = "spinal_cord_sLASER_shortTE_noWS.dcm"\n'
    )
    acquisition = read_study(tmp_path)["C4-C5"]
    assert acquisition.water is None
    (note,) = [n for n in acquisition.notes if "not used" in n]
    assert "subject" in note or "day" in note
    assert "YT" not in note
    assert "2020" not in note
    (problem, *_) = describe(tmp_path)["levels"][0]["problems"]
    assert "not used" in problem


def test_residual_water_and_filter_delay_stay_as_they_are(real_data):
    scan = read_scan(real_data / "osprey/sdat_press_sub-01/sub-01_PRESS_35_act.sdat")
    first, second = np.abs(scan.signal[0, 0, :2])
    assert first < second
    assert water_ratio(scan)[0] > 15
    reference = read_scan(real_data / "osprey/sdat_press_sub-01/sub-01_PRESS_35_ref.sdat")
    assert examine(reference).is_water


def test_edited_data_are_described_and_refused(real_data, tmp_path):
    folder = real_data / "osprey2021/ima_mega68"
    first = sorted(folder.iterdir())[0]
    found = describe(first)
    assert found["n_transients"] == 1
    assert "edited" in found["problems"][0]
    disc = DiscFiles(level="L4-L5", folder=folder, metabolite=(".",))
    with pytest.raises(InputError, match="edited") as caught:
        disc.load()
    assert "HERMES_GABA" not in str(caught.value)
    scan = disc.scan("metabolite")
    assert scan.n_transients == len(list(folder.iterdir()))


@pytest.mark.parametrize(
    ("name", "shape", "mhz", "echo"),
    [
        ("pastis/spinal_cord_sLASER_shortTE_noWS.dat", (8, 2, 8224), 297.205946, 0.01996),
        ("pymapvbvd/meas_MID311_STEAM_wref1_FID115674.dat", (32, 2, 4096), 297.219948, 0.011),
    ],
)
def test_twix(name, shape, mhz, echo, real_data, capfd):
    scan = read_scan(real_data / name)
    assert scan.signal.shape == shape
    assert scan.spectrometer_mhz == pytest.approx(mhz, abs=1e-6)
    assert scan.echo_time_s == pytest.approx(echo)
    assert capfd.readouterr() == ("", "")


def test_twix_and_nifti_of_one_scan(real_data):
    """The NIfTI keeps four of the 32 coils of the same water scan."""
    twix = read_scan(real_data / "pymapvbvd/meas_MID311_STEAM_wref1_FID115674.dat")
    nifti = read_scan(real_data / "nifti_mrs_tools/wref_raw.nii.gz")
    scale = np.abs(nifti.signal).max()
    matches = [min(np.abs(twix.signal[c] - coil).max() for c in range(32)) for coil in nifti.signal]
    assert max(matches) < 1e-5 * scale


VENDOR = {
    "osprey/sdat_press_sub-01/sub-01_PRESS_35_act.sdat": "sdat",
    "spant/philips_spar_sdat_WS.SDAT": "sdat",
    "suspect/SVS_30.rda": "rda",
    "tarquin/example.rda": "rda",
    "suspect/SVS_30.IMA": "siemens",
    "pastis/spinal_cord_sLASER_shortTE_WS.dcm": "siemens",
}


def by_spec2nii(path, kind):
    """Read the same file by spec2nii's own function: samples in its sign, affine."""
    from spec2nii.Philips.philips import read_sdat_spar_pair
    from spec2nii.Siemens.dicomfunctions import multi_file_dicom
    from spec2nii.Siemens.rda import convert_rda

    if kind == "sdat":
        spar = path.with_suffix(".spar" if path.suffix == ".sdat" else ".SPAR")
        made = read_sdat_spar_pair(path, spar, tags=[None] * 3)
    elif kind == "rda":
        made = convert_rda(path, None, False)
    else:
        made = multi_file_dicom([path], None, "DIM_DYN", False)
    image = made[0][0].image
    return np.asarray(image.data).reshape(-1), np.asarray(made[0][0].getAffine("voxel", "world"))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", VENDOR)
def test_own_readers_agree_with_spec2nii(name, real_data):
    samples, affine = by_spec2nii(real_data / name, VENDOR[name])
    scan = read_scan(real_data / name)
    scale = np.abs(samples).max()
    np.testing.assert_allclose(scan.signal[0, 0], np.conj(samples), atol=1e-6 * scale)
    np.testing.assert_allclose(scan.voxel_affine, affine, atol=1e-3)


def test_all_real_files_against_the_manifest(real_data):
    """Everything that spec2nii converts opens with the manifest's numbers, where it is right."""
    entries = json.loads((real_data / "manifest.json").read_text())["files"]
    seen = {}
    for entry in entries:
        if entry["role"] != "mrs" or entry["status"] != "converted":
            continue
        kind = (entry["path"].rsplit("/", 1)[0], entry["format"])
        seen[kind] = seen.get(kind, 0) + 1
        if seen[kind] > 2:
            continue
        found = describe(real_data / entry["path"])
        assert found["n_points"] == entry["n_points"], entry["path"]
        assert found["n_coils"] == entry["n_coils"], entry["path"]
        assert found["n_transients"] == entry["n_transients"], entry["path"]
        if found["spectrometer_mhz"] is not None:
            assert found["spectrometer_mhz"] == pytest.approx(entry["mhz"], rel=2e-3)
            assert found["dwell_time_s"] == pytest.approx(entry["dwell_s"], rel=1e-3)
        if entry.get("te_s") and entry["te_s"] < 1:
            assert found["echo_time_s"] == pytest.approx(entry["te_s"], rel=1e-3)


# --------------------------------------------------------------------------- found later


@pytest.fixture(scope="session")
def found(real_data):
    if not (real_data / "found" / "manifest.json").is_file():
        pytest.skip(f"no folder 'found' in {real_data}")
    return real_data / "found"


def test_all_later_files_against_their_manifest(found):
    """Its numbers were read from header text and samples by other means than any reader."""
    entries = json.loads((found / "manifest.json").read_text())["files"]
    for entry in entries:
        if entry["role"] != "mrs":
            continue
        told = describe(found / entry["path"])
        for ours, theirs, within in (
            ("spectrometer_mhz", "mhz", 1e-6),
            ("dwell_time_s", "dwell_s", 1e-6),
            ("n_points", "n_points", 0),
            ("n_coils", "n_coils", 0),
            ("n_transients", "n_transients", 0),
            ("echo_time_s", "te_s", 1e-9),
            ("repetition_time_s", "tr_s", 1e-9),
        ):
            if entry.get(theirs) is not None:
                assert told[ours] == pytest.approx(entry[theirs], rel=within), entry["path"]
        if entry.get("voxel_mm"):
            assert told["voxel_size_mm"] == pytest.approx(entry["voxel_mm"])


def test_the_combined_average_of_paravision_is_a_sum_of_the_coils_that_are_stored(found):
    """The scanner's own weights; so the order of coils and points is right, and of real parts."""
    folder = found / "comp_mrs/pv360_11_one_job"
    coils = read_scan(folder / "rawdata.job0").signal[:, 0].astype(complex)
    combined = read_scan(folder / "pdata/1/fid_proc.64").signal[0, 0]
    scaling = np.array([0.820681, 1.0])  # PVM_EncChanScaling
    difference = scaling @ coils / 2 - combined
    assert np.abs(difference).max() < 1e-6 * np.abs(combined).max()
    other = read_scan(found / "comp_mrs/pv360_57/pdata/1/fid_proc.64")
    assert "eddy_corrected" in other.processed
    assert read_scan(found / "comp_mrs/pv360_57/rawdata.job0").water.n_coils == 4


@pytest.mark.parametrize(
    ("name", "early"),
    [("pv6_9/fid", 68), ("pv6_9/rawdata.job0", 68), ("pv360_57/rawdata.job0", 76)],
)
def test_the_group_delay_of_paravision_ends_where_the_signal_begins(name, early, found):
    """Water of a phantom: half its height is reached within a sample of the start, and kept."""
    scan = read_scan(found / "comp_mrs" / name)
    size = np.abs(scan.signal).sum(axis=(0, 1))
    assert scan.n_early == early
    assert abs(int(np.argmax(size > size.max() / 2)) - early) <= 1
    assert size[early + 1 : early + 20].min() > 0.8 * size.max()


def test_one_scan_of_va25_as_dicom_and_rda(found):
    """Of the two only the RDA says the voxel in so many words."""
    dicom, rda = (
        read_scan(found / "tarquin" / f"siemens_{n}") for n in ("ima_WS.ima", "rda_WS.rda")
    )
    np.testing.assert_allclose(dicom.voxel_affine, rda.voxel_affine, atol=1e-6)


def test_a_split_echo_time_is_one_in_every_format(found):
    files = ["twix_dkd.dat", "twix_dkd1.dat", "twix_dkd2.dat", "csa_dkd.dcm"]
    scans = [read_scan(found / "reduced" / name) for name in files]
    assert [s.echo_time_s for s in scans] == [0.03] * 4
    assert [s.echo_time_doubt for s in scans] == [None] * 4
    assert (scans[2].n_transients, scans[2].water.n_transients) == (1, 2)
    for path in sorted((found / "nws").glob("*sLaser*")):
        assert read_scan(path).echo_time_doubt == "first_part"
    for path in sorted((found / "nws").glob("*mPress*")):
        assert read_scan(path).echo_time_doubt is None


def test_columns_before_the_echo_of_twix(real_data):
    """CMRR's semi-LASER begins four columns early; the other file says nothing."""
    for name, early in (
        ("pastis/spinal_cord_sLASER_shortTE_noWS.dat", 4),
        ("pymapvbvd/meas_MID311_STEAM_wref1_FID115674.dat", 0),
    ):
        scan = read_scan(real_data / name)
        assert (scan.n_early, scan.water.n_early) == (early, early)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("name", "mode"), [("pv6_9/fid", "FID"), ("pv360_57/rawdata.job0", "RAWDATA")]
)
def test_paravision_as_spec2nii_converts_it(name, mode, found, tmp_path):
    """Where it reads at all: the samples from the echo on, averages as a dimension of the user."""
    from types import SimpleNamespace

    from spec2nii.bruker import read_bruker

    options = {"query": [], "fileout": None, "zeropad": False, "nospectrum": False}
    path = found / "comp_mrs" / name
    made = read_bruker(SimpleNamespace(file=str(path), mode=mode, dump_headers=False, **options))
    made[0][0].save(str(tmp_path / "made.nii.gz"))
    theirs, ours = read_scan(tmp_path / "made.nii.gz"), read_scan(path).from_echo()
    assert not theirs.extra_axes
    np.testing.assert_allclose(theirs.signal, ours.signal, rtol=1e-6)
    np.testing.assert_allclose(theirs.voxel_affine, ours.voxel_affine, atol=1e-5)
    assert theirs.spectrometer_mhz == pytest.approx(ours.spectrometer_mhz)
    assert theirs.echo_time_s == pytest.approx(ours.echo_time_s)
