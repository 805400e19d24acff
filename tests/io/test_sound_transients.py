"""What a file holds for nothing is left out, what it holds twice counts once."""

from dataclasses import replace

import numpy as np
import pydicom
import pytest

from mrs_disc.errors import ReadError
from mrs_disc.io import gate
from mrs_disc.io.acquire import Given, Source, to_acquisition
from mrs_disc.io.carrier import seen_alike
from mrs_disc.io.formats.readers import read_scan, read_series
from mrs_disc.io.formats.scan import Scan
from mrs_disc.io.studies.disc_files import DiscFiles
from mrs_disc.io.transients import holes, sound
from mrs_disc.simulate.write_siemens import write_dicom
from mrs_disc.steps.preprocessing import preprocess

from .conftest import DWELL, MHZ, fid_of


def scan_of(signal, **more) -> Scan:
    return Scan(
        format="nifti-mrs",
        reader="nifti_mrs",
        signal=np.asarray(signal, np.complex64),
        nucleus="1H",
        spectrometer_mhz=MHZ,
        dwell_time_s=DWELL,
        echo_time_s=0.03,
        sequence="PRESS",
        **more,
    )


def kinds(scan):
    return [f.kind for f in scan.findings]


def test_silent_transients_and_copies_are_left_out_and_counted(spectrum):
    rows = spectrum(6)
    assert sound(scan_of(rows[None])).findings == ()
    spoilt = rows[[0, 1, 1, 2, 3, 0]].copy()
    spoilt[3] = 0
    found = sound(scan_of(spoilt[None]))
    np.testing.assert_array_equal(found.signal[0], rows[[0, 1, 3]])
    assert [(f.kind, f.values["n"]) for f in found.findings] == [
        ("transients_silent", 1),
        ("transients_repeated", 2),
    ]


def test_zeros_amid_the_signal_are_holes_those_around_it_are_none(spectrum):
    rows = spectrum(3)[None]
    rows[..., :5] = rows[..., 300:] = 0
    assert holes(rows) is None
    rows[..., 1::2] = 0
    assert holes(rows) == pytest.approx(0.5, abs=0.02)
    assert gate.examine(scan_of(rows)).first.kind == "holes"


@pytest.mark.parametrize("turned", [False, True])
def test_a_water_reference_lies_as_its_coils_see_it(turned, spectrum):
    rng = np.random.default_rng(4)
    coils = (rng.normal(size=(6, 1, 1)) + 1j * rng.normal(size=(6, 1, 1))) / 2
    metabolites = scan_of(coils * spectrum(8, seed=1))
    water = coils * spectrum(2, seed=2, water=900.0)
    found, why = seen_alike(metabolites, scan_of(np.conj(water) if turned else water))
    assert why is None
    np.testing.assert_allclose(found.signal, water, rtol=1e-6)
    assert kinds(found) == (["water_mirrored"] if turned else [])
    _, why = seen_alike(metabolites, scan_of(water[[1, 2, 0, 4, 5, 3]]))
    assert why.kind == "coils_see_otherwise"
    noise = scan_of(rng.normal(size=(6, 8, 512)) + 0j)  # tells nothing of the coils
    assert seen_alike(noise, scan_of(water))[1] is None
    alike = scan_of(np.abs(coils) * spectrum(2, water=900.0))  # without phases nothing is told
    assert seen_alike(scan_of(np.abs(coils) * spectrum(8)), alike) == (alike, None)


def test_eddy_currents_are_not_corrected_a_second_time(spectrum):
    """The metabolites were freed of a phase that the water reference still has."""
    time = DWELL * np.arange(512)
    eddy = np.exp(5j * np.exp(-time / 0.03))
    told = scan_of(spectrum(4)[None], processed=("eddy_corrected",))
    water = Source(scan=scan_of((spectrum(2, seed=5, water=900.0) * eddy)[None]), name="w")
    before = {}
    for scan in (told, replace(told, processed=())):
        disc = to_acquisition("L4-L5", Source(scan=scan, name="m"), water, Given())
        before[scan.processed] = preprocess(disc)
    right, twice = before["eddy_corrected",], before[()]
    steps = {step.step: step.method for step in right.fid.history}
    assert steps["eddy currents"] == "skipped"
    assert [f.kind for f in right.findings if "eddy" in f.kind] == ["eddy_corrected_before"]
    alone = preprocess(to_acquisition("L4-L5", Source(scan=told, name="m"), None, Given()))
    best, kept, spread = (
        np.abs(np.fft.fft(x.fid.signal, 8192)).max() for x in (alone, right, twice)
    )
    assert kept == pytest.approx(best, rel=0.05)
    assert spread < 0.7 * best  # a phase of 5 rad that is taken off spreads the lines


def test_spectra_that_were_subtracted_are_no_spectrum_of_a_disc(spectrum):
    first = gate.examine(scan_of(spectrum(4)[None], processed=("subtracted",))).first
    assert first.kind == "subtracted"


@pytest.mark.parametrize("content", [b"", b"hello", None])
def test_a_water_reference_that_cannot_be_read_does_not_cost_the_level(
    content, build, tmp_path, spectrum, protocol
):
    path = build("siemens-rda")(tmp_path, spectrum(), protocol)
    cut = path.read_bytes()[:-1000]
    (tmp_path / "w.rda").write_bytes(cut if content is None else content)
    disc = DiscFiles(level="L4-L5", folder=tmp_path, metabolite=(path.name,), water=("w.rda",))
    acquisition = disc.load()
    assert acquisition.water is None
    (said,) = [f for f in acquisition.findings if f.kind == "water_not_used"]
    assert "L4-L5/water.rda" in acquisition.notes[acquisition.findings.index(said)]


def test_objects_that_are_missing_from_a_series_are_counted(tmp_path, spectrum, protocol):
    uid = pydicom.uid.generate_uid()
    paths = []
    for i, row in enumerate(spectrum(6)):
        folder = tmp_path / str(i)
        folder.mkdir()
        path = write_dicom(folder, fid_of(row[None]), protocol, series_number=3, description="b")[0]
        dataset = pydicom.dcmread(path)
        dataset.InstanceNumber, dataset.SeriesInstanceUID = i + 1, uid
        dataset.save_as(path)
        paths.append(path)
    assert "instances_missing" not in kinds(read_series(paths))
    found = read_series([paths[i] for i in (0, 1, 3, 5)])
    assert [f.values["n"] for f in found.findings if f.kind == "instances_missing"] == [2]
    assert "instances_missing" not in kinds(read_series(paths[::2]))  # numbered by twos


def test_dicom_slabs_meet_in_the_centre_and_samples_are_counted(
    build, tmp_path, spectrum, protocol
):
    path = build("dicom-mrs")(tmp_path, spectrum(), protocol)
    centre = read_scan(path).voxel_affine[:3, 3]
    dataset = pydicom.dcmread(path)
    slabs = dataset.VolumeLocalizationSequence
    for slab, other in zip(slabs, [slabs[1], slabs[2], slabs[0]], strict=True):
        # another point of the same plane
        moved = np.array(slab.MidSlabPosition) + 7 * np.array(other.SlabOrientation)
        slab.MidSlabPosition = list(moved)
    dataset.save_as(path)
    np.testing.assert_allclose(read_scan(path).voxel_affine[:3, 3], centre, atol=1e-4)
    dataset.DataPointColumns = dataset.DataPointColumns // 2
    dataset.save_as(path)
    with pytest.raises(ReadError, match="longer than its header says"):
        read_scan(path)


def test_a_reference_of_other_times_is_used_and_said(spectrum):
    metabolites = Source(scan=scan_of(spectrum(4)[None], repetition_time_s=1.5), name="m")
    other = scan_of(spectrum(2, water=9000.0)[None], repetition_time_s=10.0)
    disc = to_acquisition("L4-L5", metabolites, Source(scan=other, name="w"), Given())
    assert disc.water_protocol.repetition_time_s == 10.0
    assert any("repetition time is 10 s, that of the metabolites 1.5 s" in n for n in disc.notes)


@pytest.mark.parametrize(
    ("group", "name", "values", "key"),
    [
        ("MREchoSequence", "EffectiveEchoTime", (30, 144), "EchoTime"),
        ("PlanePositionSequence", "ImagePositionPatient", ([0, 0, 0], [0, 0, 36]), "ImagePosition"),
    ],
)
def test_frames_of_one_object_that_were_measured_otherwise_are_no_transients(
    group, name, values, key, build, tmp_path, spectrum, protocol
):
    path = build("dicom-mrs")(tmp_path, spectrum(), protocol)
    dataset = pydicom.dcmread(path)
    dataset.NumberOfFrames = 2
    dataset.SpectroscopyData = dataset.SpectroscopyData * 2
    for change in (values[0],), values:
        frames = []
        for k in range(2):
            item, frame = pydicom.Dataset(), pydicom.Dataset()
            setattr(item, name, change[k % len(change)])
            setattr(frame, group, pydicom.Sequence([item]))
            frames.append(frame)
        dataset.PerFrameFunctionalGroupsSequence = pydicom.Sequence(frames)
        dataset.save_as(path)
        first = gate.examine(read_scan(path)).first
        if len(change) == 1:
            assert first is None
        else:
            assert first.kind == "varies"
            assert first.values["keys"][0].startswith(key)


def test_coils_that_are_called_transients_are_noticed(spectrum):
    rng = np.random.default_rng(2)
    coils = (rng.normal(size=(8, 1, 1)) + 1j * rng.normal(size=(8, 1, 1))) / 2
    signal = coils * spectrum(6, water=400.0)
    assert gate.examine(scan_of(signal)).first is None
    assert gate.examine(scan_of(signal.swapaxes(0, 1))).first.kind == "axes_exchanged"
    flat = Source(scan=scan_of((coils * spectrum(6)).reshape(1, -1, 512)), name="m")
    disc = to_acquisition("L4-L5", flat, None, Given())
    assert "transients_like_coils" in [f.kind for f in disc.findings]
    sound_one = Source(scan=scan_of(spectrum(48)[None]), name="m")
    disc = to_acquisition("L4-L5", sound_one, None, Given())
    assert "transients_like_coils" not in [f.kind for f in disc.findings]


@pytest.mark.parametrize(
    ("name", "level", "other"),
    [
        ("L3-L4_press.rda", "L4-L5", "L3-L4"),
        ("L3-L4/press.rda", "L4-L5", "L3-L4"),
        ("l4l5_press.rda", "L4-L5", None),
        ("press.rda", "L4-L5", None),
        ("L3-L4_or_L4-L5.rda", "L4-L5", None),
    ],
)
def test_a_name_that_gives_another_level_is_noticed(
    name, level, other, build, tmp_path, spectrum, protocol
):
    folder = tmp_path / "L1-L2"  # above the study: nobody's level
    path = folder / name
    path.parent.mkdir(parents=True)
    build("siemens-rda")(tmp_path, spectrum(), protocol).rename(path)
    for told in (name, str(path) if "/" not in name else name):
        disc = DiscFiles(level=level, folder=folder, metabolite=(told,))
        assert disc.load().named == other
        assert disc.site(disc.scan("metabolite")).named == other


def test_a_signal_that_was_shifted_in_a_circle_is_known(spectrum):
    rows = spectrum(6)[None]
    assert gate.examine(scan_of(rows)).first is None
    for n in (1, 6):
        (found,) = gate.examine(scan_of(np.roll(rows, -n, axis=-1))).forbids
        assert (found.kind, found.values["n"]) == ("wrapped", n)
    assert gate.examine(scan_of(rows[..., :300])).first is None  # cut before it has decayed
