"""What a header says beyond one plain number: lists, values that change, parts, places, starts."""

import json

import nibabel
import numpy as np
import pytest

from mrs_disc.errors import InputError, ReadError
from mrs_disc.io import gate
from mrs_disc.io.acquire import Given, Source, to_acquisition
from mrs_disc.io.convert import convert
from mrs_disc.io.formats.nifti_mrs import read_with_sidecar
from mrs_disc.io.formats.readers import read_scan, read_series
from mrs_disc.io.formats.scan import named_sequence

from .conftest import DWELL, MHZ

HEADER = {"SpectrometerFrequency": [MHZ], "ResonantNucleus": ["1H"], "EchoTime": 0.03}


@pytest.fixture
def nifti(tmp_path, spectrum):
    """Write transients as NIfTI-MRS with these entries, `None` taking one out."""

    def write(n_transients=4, name="x.nii", **entries):
        rows = spectrum(n_transients, 600)
        image = nibabel.Nifti2Image(np.conj(rows.T).reshape(1, 1, 1, 600, -1), np.eye(4) * 20)
        image.header["pixdim"][4] = DWELL
        image.header.set_xyzt_units("mm", "sec")
        header = {
            k: v for k, v in (HEADER | {"dim_5": "DIM_DYN"} | entries).items() if v is not None
        }
        content = json.dumps(header).encode()
        image.header.extensions.append(nibabel.nifti1.Nifti1Extension(44, content))
        nibabel.save(image, tmp_path / name)
        return tmp_path / name

    return write


SINGLE = [
    ("EchoTime", 0.028, "echo_time_s"),
    ("RepetitionTime", 1.5, "repetition_time_s"),
    ("MixingTime", 0.0137, "mixing_time_s"),
    ("MagneticFieldStrength", 3.0, "field_strength_t"),
    ("AcquisitionStartTime", 0.002, "start_time_s"),
    ("SpecFreqChemShift", 3.0, "reference_ppm"),
]


@pytest.mark.parametrize(("key", "value", "field"), SINGLE)
def test_a_list_of_one_number_is_that_number(key, value, field, nifti):
    for spelt in ([value], [[value]], {"Value": value, "Description": "as users write"}):
        assert getattr(read_scan(nifti(**{key: spelt})), field) == value


@pytest.mark.parametrize("key", [key for key, _, _ in SINGLE])
def test_a_list_of_several_is_shown_and_refused(key, nifti):
    with pytest.raises(ReadError, match=rf"{key} is a list of 3, \[0\.03, 0\.06, 0\.03\]"):
        read_scan(nifti(**{key: [0.03, 0.06, 0.03]}))
    with pytest.raises(ReadError, match=rf"{key} is a list of 2, no numbers") as caught:
        read_scan(nifti(**{key: ["Doe", "Jane"]}))
    assert "Doe" not in str(caught.value)


def test_a_sidecar_is_read_as_the_header_is(nifti):
    path = nifti(EchoTime=None)
    assert read_scan(path, {"EchoTime": [0.028], "RepetitionTime": [1.5]}).echo_time_s == 0.028
    with pytest.raises(ReadError, match=r"\[1\.5, 2\.0\]"):
        read_scan(path, {"RepetitionTime": [1.5, 2.0]})


@pytest.mark.parametrize(
    "spelt",
    [
        [0.03, 0.06, 0.09, 0.12],
        {"start": 0.03, "increment": 0.03},
        {"Value": [0.03, 0.06, 0.09, 0.12], "Description": "a series of echo times"},
        {"Value": {"start": 0.03, "increment": 0.03}},
    ],
)
@pytest.mark.parametrize("key", ["EchoTime", "InversionTime", "ExcitationFlipAngle", "MixingTime"])
def test_a_value_that_changes_along_the_transients_is_reported(key, spelt, nifti):
    scan = read_scan(nifti(dim_5_header={key: spelt}))
    assert scan.varying == {key: pytest.approx((0.03, 0.06, 0.09, 0.12))}


def test_words_that_change_are_reported_without_being_repeated(nifti):
    scan = read_scan(nifti(dim_5_header={"EditCondition": ["Doe", "OFF", "Doe", "OFF"]}))
    assert scan.varying == {"EditCondition": ()}


def test_a_value_that_all_transients_share_is_that_value(nifti):
    shared = {"EchoTime": [0.03] * 4, "MixingTime": {"start": 0.01, "increment": 0.0}}
    scan = read_scan(nifti(EchoTime=None, dim_5_header=shared))
    assert (scan.varying, scan.echo_time_s) == ({}, 0.03)


def test_what_says_nothing_of_the_protocol_may_change(nifti):
    header = {"SubjectMoved": [0, 1, 0, 1], "SpectrometerFrequency": [MHZ] * 4}
    assert not read_scan(nifti(dim_5_header=header)).varying


# --------------------------------------------------------------------------- echo time


def test_an_echo_time_that_can_be_a_part_is_in_doubt(nifti):
    program = {"Value": r"%CustomerSeq%\svs_slaser_dkd", "Description": "Sequence binary path."}
    scan = read_scan(nifti(EchoTime=0.008, SequenceName="slaser", PulseSequenceFile=program))
    assert scan.echo_time_doubt == "first_part"
    assert scan.echo_time_s == 0.03  # the only split that is known, said to be a guess
    assert any("8 ms can be the first of three parts" in note for note in scan.notes)
    other = read_scan(nifti(EchoTime=0.0071, SequenceName="svs_slaserVOI_dkd2"))
    assert (other.echo_time_doubt, other.echo_time_s) == ("first_part", 0.0071)


def test_what_the_user_says_ends_the_doubt_and_nothing_is_converted_with_it(nifti, tmp_path):
    path = nifti(EchoTime=0.008, SequenceName="svs_slaser_dkd")
    with pytest.raises(InputError, match="first of three parts"):
        convert([path], tmp_path / "no.nii.gz")
    (made,) = convert([path], tmp_path / "yes.nii.gz", Given(echo_time_s=0.028))
    again = read_scan(made)
    assert (again.echo_time_s, again.echo_time_doubt) == (0.028, None)


@pytest.mark.parametrize(
    ("header", "sidecar_s", "echo_time_s", "doubt"),
    [
        ({"EchoTime": 0.008, "SequenceName": "svs_slaser_dkd"}, 0.028, 0.028, None),
        ({"EchoTime": 0.0071, "SequenceName": "svs_slaser_dkd"}, 0.028, 0.028, None),
        # What the converter wrote twice answers nothing.
        ({"EchoTime": 0.0071, "SequenceName": "svs_slaser_dkd"}, 0.0071, 0.0071, "first_part"),
        ({"EchoTime": 0.009, "SequenceName": "sLASER"}, 0.028, 0.028, None),
        ({"EchoTime": 0.009, "SequenceName": "sLASER"}, 0.0091, 0.0091, "short_semi_laser"),
        # A file that is not in doubt counts.
        ({"EchoTime": 0.03, "SequenceName": "svs_se"}, 0.028, 0.03, None),
    ],
)
def test_a_sidecar_answers_for_an_echo_time_in_doubt(nifti, header, sidecar_s, echo_time_s, doubt):
    scan = read_with_sidecar(nifti(**header), {"EchoTime": sidecar_s})
    assert (scan.echo_time_s, scan.echo_time_doubt) == (echo_time_s, doubt)
    said = [f.kind for f in scan.findings if f.subject == "echo_time_s"]
    assert ("echo_time_by_sidecar" in said) == (echo_time_s == sidecar_s != header["EchoTime"])


def test_a_series_of_echo_times_is_not_converted_as_one(nifti, tmp_path):
    path = nifti(dim_5_header={"EchoTime": [0.03, 0.06, 0.09, 0.12]})
    with pytest.raises(InputError, match="EchoTime changes along the transients"):
        convert([path], tmp_path / "no.nii.gz")


@pytest.mark.parametrize(
    ("name", "echo", "doubt"),
    [
        ("eja_svs_slaser", 0.008, "short_semi_laser"),
        ("semi-LASER", 0.0149, "short_semi_laser"),
        ("eja_svs_slaser", 0.01996, None),
        ("svs_se", 0.008, None),
        ("svs_st", 0.003, None),
    ],
)
def test_a_semi_laser_has_no_shorter_echo_than_its_pulses(name, echo, doubt, nifti):
    assert read_scan(nifti(EchoTime=echo, SequenceName=name)).echo_time_doubt == doubt


@pytest.mark.parametrize("program", ["svs_slaser_dkd", "svs_slaserVOI_dkd2", "svs_se"])
def test_the_parts_of_an_echo_are_summed_for_the_sequence_that_splits_it(
    program, build, tmp_path, spectrum, protocol
):
    """Leftovers behind the third entry count nowhere."""
    path = build("dicom-mrs:csa")(
        tmp_path,
        spectrum(1),
        protocol,
        program=program,
        alte=(8000, 12000, 10000, 135000, 135000),
        EchoTime=[8.0],
    )
    assert read_scan(path).echo_time_s == (0.008 if program == "svs_se" else 0.03)


# --------------------------------------------------------------------------- start


@pytest.mark.parametrize("early", [1, 6, 40])
def test_samples_before_the_echo_are_kept_in_files_and_left_out_of_the_analysis(
    early, nifti, tmp_path
):
    path = nifti(AcquisitionStartTime=-early * DWELL)
    scan = read_scan(path)
    assert (scan.n_points, scan.n_early) == (600, early)
    acquired = to_acquisition("L4-L5", Source(scan=scan, name="a"), None, Given()).metabolite
    np.testing.assert_array_equal(acquired.signal, scan.signal[0, :, early:])
    assert abs(acquired.sampling.start_time_s) < 1e-9
    (copy,) = convert([path], tmp_path / "copy.nii.gz")
    again = read_scan(copy)
    np.testing.assert_array_equal(again.signal, scan.signal)
    assert again.start_time_s == pytest.approx(scan.start_time_s)


def test_a_start_is_rounded_to_the_nearest_sample_and_the_rest_is_kept(nifti):
    for samples, early, rest in ((-2.4, 2, -0.4), (-2.6, 3, 0.4), (-0.4, 0, -0.4), (1.3, 0, 1.3)):
        scan = read_scan(nifti(AcquisitionStartTime=samples * DWELL))
        assert scan.n_early == early
        assert scan.from_echo().start_time_s == pytest.approx(rest * DWELL)


@pytest.mark.parametrize(("begin", "start"), [("-2E0", -0.002), ("1.5E0", 0.0015), ("9E9", 0.0)])
def test_jmrui_says_when_a_signal_begins_in_milliseconds(
    begin, start, build, tmp_path, spectrum, protocol
):
    path = build("jmrui")(tmp_path, spectrum(1), protocol)
    path.write_text(path.read_text().replace("TypeOf", f"BeginTime: {begin}\nTypeOf"))
    scan = read_scan(path)
    assert scan.start_time_s == pytest.approx(start)
    assert scan.n_early == (4 if start < 0 else 0)


@pytest.mark.parametrize("start", [-10.0, "soon", float("nan")])
def test_a_start_that_is_none_is_said(start, nifti):
    scan = read_scan(nifti(AcquisitionStartTime=start))
    assert (scan.start_time_s, scan.n_early) == (0.0, 0)
    assert any("AcquisitionStartTime" in note for note in scan.notes)


# --------------------------------------------------------------------------- carrier, protocol


@pytest.mark.parametrize("ppm", [0.0, 1.0, 2.6, 3.0, 4.65])
def test_every_carrier_between_the_standard_and_water_is_read(ppm, nifti):
    assert read_scan(nifti(SpecFreqChemShift=ppm)).reference_ppm == ppm


@pytest.mark.parametrize("ppm", [99, "water", -40.0])
def test_a_carrier_nowhere_near_protons_is_said(ppm, nifti):
    scan = read_scan(nifti(SpecFreqChemShift=ppm))
    assert scan.reference_ppm == 4.65
    assert any("SpecFreqChemShift" in note for note in scan.notes)


def test_what_was_done_to_the_samples_is_kept_as_codes(nifti):
    steps = [{"Method": m} for m in ("RF coil combination", "Zero-filling", "Apodization", "Doe")]
    scan = read_scan(nifti(ProcessingApplied=steps))
    assert scan.processed == ("apodised", "zero_filled", "coils_combined")


def test_files_of_two_protocols_are_no_series(nifti):
    first = nifti(name="a.nii", RepetitionTime=2.0)
    for change in ({"RepetitionTime": 3.0}, {"RepetitionTime": 2.0, "AcquisitionStartTime": 0.002}):
        with pytest.raises(InputError, match="not of one acquisition"):
            read_series([first, nifti(name="b.nii", **change)])


# --------------------------------------------------------------------------- voxel


SLABS = {
    "comma": "SlabOrientation[{i},{j}]",
    "two brackets": "SlabOrientation[{i}][{j}]",
    "flat": "SlabOrientation[{n}]",
}


def respelt(path, taken, given):
    """Write an RDA file anew without the lines that begin so, and with others."""
    head, tail = path.read_bytes().split(b">>> End of header <<<")
    kept = [x for x in head.split(b"\r\n") if not x.decode("latin-1").startswith(taken)]
    kept[-1:] = [*(line.encode() for line in given), b""]
    path.write_bytes(b"\r\n".join(kept) + b">>> End of header <<<" + tail)


@pytest.mark.parametrize("form", SLABS)
def test_an_rda_of_three_slabs_keeps_its_voxel(form, build, tmp_path, spectrum, protocol):
    """As DICOM has it: a point on each slab's middle plane; they meet in the voxel's centre."""
    path = build("siemens-rda")(tmp_path, spectrum(1), protocol)
    wanted = read_scan(path).voxel_affine
    lps = np.diag([-1, -1, 1, 1]) @ wanted
    size = np.linalg.norm(lps[:3, :3], axis=0)
    axes = (lps[:3, :3] / size).T[[2, 1, 0]]  # slice, phase, readout
    lines = [f"SlabThickness[{i}]: {s:.6f}" for i, s in enumerate(size[[2, 1, 0]])]
    for i in range(3):
        point = lps[:3, 3] + 7.0 * axes[(i + 1) % 3]  # anywhere on the plane
        for j in range(3):
            key = SLABS[form].format(i=i, j=j, n=3 * i + j)
            middle = key.replace("SlabOrientation", "MidSlabPosition")
            lines += [f"{key}: {axes[i, j]:.6f}", f"{middle}: {point[j]:.6f}"]
    respelt(path, ("RowV", "ColumnV", "VOI", "PositionV", "Pixel", "Slice", "FoV"), lines)
    scan = read_scan(path)
    np.testing.assert_allclose(np.abs(scan.voxel_affine), np.abs(wanted), atol=1e-4)
    assert not any("voxel" in note for note in scan.notes)


def test_slabs_give_the_sides_where_rows_and_place_are_there(build, tmp_path, spectrum, protocol):
    path = build("siemens-rda")(tmp_path, spectrum(1), protocol)
    a, b, c = read_scan(path).voxel_size_mm
    lines = [f"SlabThickness[{i}]: {s:.6f}" for i, s in enumerate((c, b, a))]
    respelt(path, ("Pixel", "Slice", "VOIThickness", "VOIPhase", "VOIReadout"), lines)
    assert read_scan(path).voxel_size_mm == pytest.approx((a, b, c))


def test_an_rda_without_a_voxel_says_so(build, tmp_path, spectrum, protocol):
    path = build("siemens-rda")(tmp_path, spectrum(1), protocol)
    respelt(path, ("RowV", "ColumnV", "VOI", "PositionV"), [])
    scan = read_scan(path)
    assert scan.voxel_affine is None
    assert any("no place and size of the voxel" in note for note in scan.notes)


def test_an_rda_that_is_too_long_is_not_called_cut_off(build, tmp_path, spectrum, protocol):
    path = build("siemens-rda")(tmp_path, spectrum(1), protocol)
    path.write_bytes(path.read_bytes() + b"\x00" * 24)
    with pytest.raises(ReadError, match="longer than its header says") as caught:
        read_scan(path)
    assert "cut off" not in str(caught.value)


@pytest.mark.parametrize("text", ["MrProtocol", "MrPhoenixProtocol"])
@pytest.mark.parametrize("turned", [False, True])
def test_a_voxel_that_only_the_protocols_text_has(
    text, turned, build, tmp_path, spectrum, protocol
):
    """VA25 leaves out the tags, and in the text what is 0."""
    told = [
        "sSpecPara.sVoI.sPosition.dSag           = -4",
        "sSpecPara.sVoI.sPosition.dCor           = 30.5",
        "sSpecPara.sVoI.sNormal.dTra             = 1",
        "sSpecPara.sVoI.dThickness               = 15",
        "sSpecPara.sVoI.dPhaseFOV                = 25",
        "sSpecPara.sVoI.dReadoutFOV              = 20",
    ]
    gone = ["VoiPosition", "VoiReadoutFoV", "VoiPhaseFoV", "VoiThickness"]
    if turned:  # no direction either: the scanner's own rule for a transverse voxel
        gone.append("ImageOrientationPatient")
    path = build("dicom-mrs:csa")(
        tmp_path,
        spectrum(1),
        protocol,
        without=gone,
        told=told,
        text=text,
        ImagePositionPatient=[6.0, 18.0, 0.0],
    )
    scan = read_scan(path)
    assert scan.voxel_size_mm == pytest.approx((20, 25, 15))
    np.testing.assert_allclose(scan.voxel_affine[:3, 3], [4, -30.5, 0])
    np.testing.assert_allclose(np.abs(np.diag(scan.voxel_affine)), [20, 25, 15, 1])


# Names as vendors and sites write them, most of them met in real files.
NAMES = {
    "PRESS": ["svs_se", "*svs_se", "%SiemensSeq%\\svs_se", "eja_svs_press", "probe-p", "PRESS"],
    "STEAM": ["svs_st", "%SiemensSeq%\\svs_st", "probe-s", "STEAM", "User:ccSTEAM_SIR_DIR"],
    "sLASER": ["svs_slaser", "svs_slaser_dkd", "eja_svs_slaser", "sLASER", "semi-LASER"],
    "SPECIAL": ["svs_special", "SPECIAL", "jn_svs_special_128"],
    "spin echo": ["spin echo", "SPIN_ECHO"],
    "other": ["mrs_new_sequence", "site_v7"],
    None: ["", "None", None, "SPECTROSCOPY", "PRIME"],
}


@pytest.mark.parametrize(("kind", "name"), [(k, n) for k, names in NAMES.items() for n in names])
def test_names_of_sequences_are_mapped_by_one_table(kind, name):
    assert named_sequence([name]) == kind
    assert named_sequence([None, name], "L4-L5") == kind  # what hints at nothing changes nothing


def test_what_a_user_says_fills_in_for_a_name_that_nobody_knows(nifti):
    scan = read_scan(nifti(SequenceName="site_v7", ProtocolName="L4-L5"))
    assert scan.sequence == "other"
    source = Source(scan=scan, name="x.nii")
    for given in (Given(sequence="PRESS"), Given(sequence="STEAM", mixing_time_s=0.01)):
        disc = to_acquisition("L4-L5", source, None, given)
        assert disc.protocol.sequence == given.sequence
        assert disc.protocol.mixing_time_s == given.mixing_time_s
        assert "sequence" in disc.protocol.given_by_user


def test_a_mixing_time_of_the_file_goes_into_the_protocol(nifti):
    scan = read_scan(nifti(SequenceName="svs_st", MixingTime=0.0137))
    source = Source(scan=scan, name="x.nii")
    protocol = to_acquisition("L4-L5", source, None, Given()).protocol
    assert (protocol.sequence, protocol.mixing_time_s) == ("STEAM", 0.0137)
    with pytest.raises(InputError, match=r"mixing_time_s = 0\.03, but the file says 0\.0137"):
        to_acquisition("L4-L5", source, None, Given(mixing_time_s=0.03))


@pytest.mark.parametrize("pulse", ["sinc", "HS8"])
def test_a_pulse_of_no_known_shape_is_refused_with_those_that_are(pulse):
    with pytest.raises(ValueError, match="ideal, hamming_sinc, goia_wurst"):
        Given(refocusing_pulse=pulse)


@pytest.fixture
def dicom(build, tmp_path, spectrum, protocol):
    """Write the standard's DICOM object with these elements changed."""
    import pydicom

    def write(samples=None, **elements):
        path = build("dicom-mrs")(tmp_path, spectrum(1), protocol)
        dataset = pydicom.dcmread(path)
        for name, value in elements.items():
            setattr(dataset, name, value)
        if samples is not None:
            dataset.SpectroscopyData = samples.astype("<c8").tobytes()
        dataset.save_as(path)
        return path

    return write


@pytest.mark.parametrize(
    ("stated", "carrier", "said"),
    [
        (4.7, 4.65, []),
        (4.68, 4.65, []),
        (None, 4.65, []),
        (2.3, 2.3, ["carrier_off_water"]),
        (0.0, 4.65, ["no_carrier"]),
        (-127.0, 4.65, ["no_carrier"]),
    ],
)
def test_a_dicom_carrier_off_water_counts_and_is_said(stated, carrier, said, dicom):
    """PS3.3 C.8.14.1: the chemical shift at the transmitter frequency, in ppm."""
    path = dicom(ChemicalShiftReference=stated)
    scan = read_scan(path)
    assert scan.reference_ppm == carrier
    assert [f.kind for f in scan.findings] == said


def test_a_line_of_a_dicom_object_lies_where_its_carrier_puts_it(dicom):
    time = DWELL * np.arange(512)
    fid = 1e3 * np.exp(2j * np.pi * (2.0 - 2.3) * MHZ * time - 12 * time)
    scan = read_scan(dicom(fid, ChemicalShiftReference=2.3))
    hz = np.fft.fftfreq(512, DWELL)[np.argmax(np.abs(np.fft.fft(scan.signal[0, 0])))]
    assert scan.reference_ppm + hz / MHZ == pytest.approx(2.0, abs=0.02)
    assert gate.examine(scan).is_water is not True


def test_a_big_endian_dicom_object_holds_the_same_samples(dicom, spectrum):
    import pydicom

    path = dicom()
    dataset = pydicom.dcmread(path)
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRBigEndian
    dataset.SpectroscopyData = spectrum(1)[0].astype(">c8").tobytes()
    swapped = pydicom.Dataset(dataset)
    swapped.file_meta = dataset.file_meta
    swapped.save_as(path, enforce_file_format=True)
    np.testing.assert_array_equal(read_scan(path).signal[0, 0], spectrum(1)[0])


@pytest.mark.parametrize(
    ("width", "said"), [(1 / DWELL, []), (2.0005e3, []), (4000.0, ["other_width"])]
)
def test_a_spectral_width_beside_another_dwell_time_is_said(nifti, width, said):
    scan = read_scan(nifti(SpectralWidth=width))
    assert [f.kind for f in scan.findings] == said
    assert scan.dwell_time_s == pytest.approx(DWELL, rel=1e-3)


@pytest.mark.parametrize(
    ("inversion", "said"),
    [(0, []), (0.9, ["inverted"]), ([0.9], ["inverted"]), (900.0, ["inversion_too_long"])],
)
def test_an_inversion_is_said_since_nothing_is_corrected_for_it(nifti, inversion, said):
    assert [f.kind for f in read_scan(nifti(InversionTime=inversion)).findings] == said


@pytest.mark.parametrize("value", [True, False])
def test_what_dcm2niix_says_of_suppression_is_not_believed(nifti, value):
    assert read_scan(nifti(WaterSuppressed=value)).water_suppressed is value
    path = nifti(name="y.nii", WaterSuppressed=value, ConversionMethod="dcm2niix v1.0.20260724")
    assert read_scan(path).water_suppressed is None
