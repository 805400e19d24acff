"""A header that contradicts itself: nothing is chosen in silence, whatever the format."""

import json
import re

import nibabel
import numpy as np
import pytest

from mrs_disc.errors import InputError, ReadError
from mrs_disc.io import gate
from mrs_disc.io.acquire import Given, Source, to_acquisition
from mrs_disc.io.formats.readers import read_scan

from .conftest import DWELL, MHZ

HEADER = {
    "SpectrometerFrequency": [MHZ],
    "ResonantNucleus": ["1H"],
    "EchoTime": 0.03,
    "RepetitionTime": 1.5,
    "SequenceName": "PRESS",
    "dim_5": "DIM_DYN",
}


@pytest.fixture
def nifti(tmp_path, spectrum):
    """Write four transients with these extensions, and an affine in these units."""

    def write(*headers, units="mm", affine=None):
        rows = spectrum(4, 600)
        place = np.diag([20.0, 25.0, 15.0, 1.0]) if affine is None else affine
        image = nibabel.Nifti2Image(np.conj(rows.T).reshape(1, 1, 1, 600, -1), place)
        image.header["pixdim"][4] = DWELL
        image.header.set_xyzt_units(units, "sec")
        for entries in headers or ({},):
            content = json.dumps(HEADER | entries).encode()
            image.header.extensions.append(nibabel.nifti1.Nifti1Extension(44, content))
        nibabel.save(image, tmp_path / "x.nii")
        return tmp_path / "x.nii"

    return write


def kinds(scan):
    return {f.kind for f in scan.findings}


def edited(path, *changes):
    """Replace text in a scanner's file; each change is found."""
    content = path.read_bytes()
    for old, new in changes:
        content, n = re.subn(old, new, content)
        assert n
    path.write_bytes(content)
    return path


# --------------------------------------------------------------------------- any format


@pytest.mark.parametrize(
    ("entries", "kind", "lost"),
    [
        ({"EchoTime": 3e-5}, "time_implausible", "echo_time_s"),
        ({"RepetitionTime": 0.0015}, "time_implausible", "repetition_time_s"),
        ({"EchoTime": 0.9, "RepetitionTime": 0.3}, "time_implausible", "repetition_time_s"),
        ({"MagneticFieldStrength": 0.5}, "field_contradicts", "field_strength_t"),
        ({"MixingTime": 10}, "no_time", "mixing_time_s"),
    ],
)
def test_what_cannot_be_true_counts_as_not_said(entries, kind, lost, nifti):
    scan = read_scan(nifti(entries))
    assert kind in kinds(scan)
    assert getattr(scan, lost) is None


def test_a_mixing_time_of_a_sequence_without_one_is_said(nifti):
    assert "mixing_time_contradicts" in kinds(read_scan(nifti({"MixingTime": 0.01})))
    for sound in ({"MixingTime": 0}, {"MixingTime": 0.01, "SequenceName": "svs_st"}):
        assert not kinds(read_scan(nifti(sound)))


@pytest.mark.parametrize("field_t", [2.89, 3.0, 2.8936])
def test_the_fields_that_makers_write_are_no_contradiction(field_t, nifti):
    path = nifti({"SpectrometerFrequency": [123.2], "MagneticFieldStrength": field_t})
    assert not kinds(read_scan(path))


def test_an_echo_time_in_another_unit_asks_the_user(nifti):
    source = Source(scan=read_scan(nifti({"EchoTime": 3e-5})), name="x.nii")
    with pytest.raises(InputError, match=r"3e-05 s.*another unit.*give echo_time_s"):
        to_acquisition("L4-L5", source, None, Given())
    disc = to_acquisition("L4-L5", source, None, Given(echo_time_s=0.03))
    assert disc.protocol.echo_time_s == 0.03


# --------------------------------------------------------------------------- NIfTI-MRS


def test_two_extensions_that_differ_are_refused_and_two_alike_are_one(nifti):
    assert not kinds(read_scan(nifti({}, {})))
    with pytest.raises(ReadError, match="2 MRS extensions"):
        read_scan(nifti({}, {"EchoTime": 0.144}))


@pytest.mark.parametrize(("units", "scale"), [("meter", 1e-3), ("micron", 1e3), ("mm", 1.0)])
def test_the_voxel_is_read_in_the_units_of_the_header(units, scale, nifti):
    affine = np.diag([20.0 * scale, 25.0 * scale, 15.0 * scale, 1.0])
    affine[:3, 3] = np.array([4.0, -30.0, 12.0]) * scale
    scan = read_scan(nifti(units=units, affine=affine))
    assert scan.voxel_size_mm == pytest.approx((20, 25, 15), rel=1e-6)
    np.testing.assert_allclose(scan.voxel_affine[:3, 3], [4, -30, 12], rtol=1e-6)


def test_transients_that_say_otherwise_than_their_file_are_another_protocol(nifti):
    scan = read_scan(nifti({"dim_5_header": {"EchoTime": [0.144] * 4}}))
    assert scan.varying == {"EchoTime": (0.03, 0.144)}
    assert gate.examine(scan).first.kind == "varies"
    drifted = [MHZ + 1e-4 * k for k in range(4)]
    assert not read_scan(nifti({"dim_5_header": {"SpectrometerFrequency": drifted}})).varying
    jumped = [MHZ, MHZ, MHZ + 0.1, MHZ + 0.1]
    assert read_scan(nifti({"dim_5_header": {"SpectrometerFrequency": jumped}})).varying


def test_a_list_of_another_length_than_its_dimension_is_said(nifti):
    scan = read_scan(nifti({"dim_5_header": {"EchoTime": [0.03] * 6, "Doe": [1]}}))
    said = [f for f in scan.findings if f.kind == "list_of_other_length"]
    assert [f.values["n"] for f in said] == [6, 1]
    assert not any("Doe" in note for note in scan.notes)


def test_several_frequencies_of_one_nucleus_are_said(nifti):
    assert "several_frequencies" in kinds(read_scan(nifti({"SpectrometerFrequency": [MHZ, 63.9]})))
    both = {"SpectrometerFrequency": [MHZ, 51.7], "ResonantNucleus": ["1H", "31P"]}
    assert not kinds(read_scan(nifti(both)))


# --------------------------------------------------------------------------- text headers


@pytest.mark.parametrize(
    ("form", "change", "kind", "lost"),
    [
        ("siemens-rda", (rb"TM: 0.0+", b"TE: 135.0"), "said_twice", "echo_time_s"),
        ("siemens-rda", (rb"TI: 0.0+", b"TI: 1000.0"), "inverted", None),
        ("philips-sdat", (rb"mix_number : 1", b"echo_time : 144"), "said_twice", "echo_time_s"),
        ("philips-sdat", (rb"(spectrum_echo_time :) \S+", rb"\1 144"), "said_twice", "echo_time_s"),
        ("philips-sdat", (rb"(inversion_time :) 0", rb"\1 1000"), "inverted", None),
        ("philips-data-list", (rb"(inversion_time :) 0", rb"\1 1000"), "inverted", None),
        ("philips-sdat", (rb'(selection_enable :) "yes"', rb'\1 "no"'), "no_voxel", "voxel_affine"),
    ],
)
def test_what_a_text_header_tells_twice_or_beside_is_said(
    form, change, kind, lost, build, tmp_path, spectrum, protocol
):
    path = build(form)(tmp_path, spectrum(), protocol)
    assert not {"said_twice", "inverted", "no_voxel"} & kinds(read_scan(path))
    edited(path.with_suffix(".SPAR") if form.startswith("philips") else path, change)
    scan = read_scan(path)
    assert kind in kinds(scan)
    assert lost is None or getattr(scan, lost) is None


def test_a_header_of_half_the_points_makes_no_second_transient(build, tmp_path, spectrum, protocol):
    path = build("siemens-rda")(tmp_path, spectrum(n_points=2048), protocol)
    whole = path.read_bytes()
    two = tmp_path / "two.rda"
    two.write_bytes(whole + whole[-2048 * 16 :])  # two FIDs end to end are two
    assert read_scan(two).n_transients == 2
    with pytest.raises(ReadError, match="number of points is wrong"):
        read_scan(edited(path, (rb"VectorSize: 2048", b"VectorSize: 1024")))


def test_voxels_beside_each_other_are_not_one(build, tmp_path, spectrum, protocol):
    path = build("philips-sdat")(tmp_path, spectrum(2), protocol)
    edited(path.with_suffix(".SPAR"), (rb"volumes : 1", b"volumes : 2"))
    assert gate.examine(read_scan(path)).first.kind == "many_voxels"


@pytest.mark.parametrize("name", ["eja_svs_mpress", "eja_svs_mslaser"])
def test_edited_sequences_of_cmrr_are_edited(name, build, tmp_path, spectrum, protocol):
    path = build("siemens-rda")(tmp_path, spectrum(), protocol)
    scan = read_scan(edited(path, (rb"(SequenceName:) \S+", rb"\1 " + name.encode())))
    assert gate.examine(scan).first.kind == "edited"


def named_signals(build, folder, rows, protocol, *names):
    path = build("jmrui")(folder, rows, protocol)
    told = f"SignalNames: {';'.join(names)}\nMagneticField".encode()
    return edited(path, (rb"MagneticField", told))


def test_signals_of_several_levels_in_one_file_are_no_transients(
    build, tmp_path, spectrum, protocol
):
    path = named_signals(build, tmp_path, spectrum(3), protocol, "L3L4", "L4L5", "L5S1")
    with pytest.raises(ReadError, match="3 signals, by their names of L3-L4, L4-L5 and L5-S1"):
        read_scan(path)


def test_a_signal_that_is_named_water_is_the_reference(build, tmp_path, spectrum, protocol):
    rows = spectrum(3)
    scan = read_scan(named_signals(build, tmp_path, rows, protocol, "l45_1", "l45_ref", "l45_2"))
    np.testing.assert_allclose(scan.signal[0], rows[[0, 2]], rtol=1e-6)
    np.testing.assert_allclose(scan.water.signal[0], rows[[1]], rtol=1e-6)


def test_points_that_were_acquired_one_by_one_are_refused(build, tmp_path, spectrum, protocol):
    path = build("lcmodel-raw")(tmp_path, spectrum(), protocol)
    assert read_scan(path).n_points == 512
    with pytest.raises(ReadError, match="SEQACQ"):
        read_scan(edited(path, (rb"volume=1.0", rb"seqacq=.true., volume=1.0")))


def test_two_dimensions_of_transients_or_one_without_a_name_are_not_guessed(tmp_path, spectrum):
    rows = np.stack([spectrum(3), spectrum(3, seed=2)])  # (2, 3, point)
    for tags in ({"dim_5": "DIM_DYN", "dim_6": "DIM_DYN"}, {"dim_5": None, "dim_6": "DIM_DYN"}):
        samples = np.conj(rows.T).reshape(1, 1, 1, 512, 3, 2)
        image = nibabel.Nifti2Image(samples, np.eye(4))
        image.header["pixdim"][4] = DWELL
        told = {k: v for k, v in (HEADER | tags).items() if v}
        content = json.dumps(told).encode()
        image.header.extensions.append(nibabel.nifti1.Nifti1Extension(44, content))
        nibabel.save(image, tmp_path / "x.nii")
        assert gate.examine(read_scan(tmp_path / "x.nii")).first.kind == "more_dimensions"


@pytest.mark.parametrize("kind", [nibabel.Nifti1Image, nibabel.Nifti2Image])
def test_two_places_in_one_header_are_said(kind, tmp_path, spectrum):
    samples = np.conj(spectrum(2).T).reshape(1, 1, 1, 512, 2)
    affine = np.diag([20.0, 20.0, 20.0, 1.0])
    affine[:3, 3] = [1, 2, 3]
    image = kind(samples, affine)
    image.header["pixdim"][4] = DWELL
    content = json.dumps(HEADER).encode()
    image.header.extensions.append(nibabel.nifti1.Nifti1Extension(44, content))
    for moved_mm in (0.0, 40.0):
        other = affine.copy()
        other[2, 3] += moved_mm
        image.set_qform(other, code=1)
        nibabel.save(image, tmp_path / "x.nii")
        said = [f for f in read_scan(tmp_path / "x.nii").findings if f.kind == "forms_differ"]
        assert [f.values["apart_mm"] for f in said] == ([] if moved_mm == 0 else [40.0])
