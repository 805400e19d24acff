"""NIfTI-MRS out and in again: exact, deterministic, valid, and safe against broken files."""

import gzip
import json
import subprocess
import sys
from dataclasses import replace

import nibabel
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nifti_mrs.nifti_mrs import NIFTI_MRS

from mrs_disc.data import Fid, Protocol, RawSignal, Sampling, Transients
from mrs_disc.errors import OutputError, ReadError
from mrs_disc.io import gate
from mrs_disc.io.acquire import to_signal
from mrs_disc.io.formats.readers import read_scan
from mrs_disc.io.write_nifti_mrs import header_extension, sidecar, write_nifti_mrs

KINDS = {RawSignal: 3, Transients: 2, Fid: 1}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("suffix", [".nii.gz", ".nii"])
def test_round_trip_is_exact_and_valid(kind, suffix, tmp_path, protocol):
    from nifti_mrs.validator import validate_nifti_mrs

    rng = np.random.default_rng(5)
    shape = (2, 3, 300)[3 - KINDS[kind] :]
    values = (rng.normal(size=shape) + 1j * rng.normal(size=shape)).astype(np.complex64)
    sampling = Sampling(dwell_time_s=1 / 2500, spectrometer_mhz=123.2, reference_ppm=4.7)
    path = write_nifti_mrs(
        tmp_path / f"x{suffix}", kind(signal=values, sampling=sampling), protocol
    )

    other = NIFTI_MRS(str(path))
    validate_nifti_mrs(other)
    theirs = other[:][0, 0, 0]  # nifti-mrs conjugates on access, as we do
    ours = np.moveaxis(values, -1, 0)
    np.testing.assert_array_equal(theirs, ours)
    back = read_scan(path)
    assert type(to_signal(back)) is kind
    np.testing.assert_array_equal(to_signal(back).signal, values)
    assert back.dwell_time_s == 1 / 2500
    assert back.reference_ppm == 4.7
    assert back.spectrometer_mhz == 123.2
    assert (back.echo_time_s, back.repetition_time_s) == (0.03, 2.0)
    np.testing.assert_allclose(back.voxel_affine, protocol.voxel_affine, atol=1e-5)


@pytest.mark.parametrize(("coils", "transients"), [(1, 1), (1, 4), (4, 1)])
def test_axes_of_size_one_come_back(coils, transients, tmp_path):
    values = np.ones((coils, transients, 300), np.complex64)
    sampling = Sampling(dwell_time_s=1 / 2000, spectrometer_mhz=127.7)
    path = write_nifti_mrs(tmp_path / "x.nii", RawSignal(signal=values, sampling=sampling))
    scan = read_scan(path)
    assert scan.coil_axis
    assert to_signal(scan).signal.shape == values.shape


@pytest.mark.parametrize("image", [nibabel.Nifti1Image, nibabel.Nifti2Image])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("form", ["sform", "qform", "neither"])
@pytest.mark.parametrize(("unit", "per_second"), [("sec", 1.0), ("msec", 1e3), ("usec", 1e6)])
def test_headers_are_read_as_nibabel_reads_them(image, order, form, unit, per_second, tmp_path):
    """Those that an affine places are read without nibabel, which takes long to import."""
    rng = np.random.default_rng(len(form))
    values = rng.normal(size=(1, 1, 1, 300, 2, 4)) + 1j * rng.normal(size=(1, 1, 1, 300, 2, 4))
    affine = np.array([[20, 1, 0, -7], [-1, 15, 0, 9], [0, 0, 25, 3], [0, 0, 0, 1.0]])
    made = image(values.astype(np.complex64), affine)
    header = made.header.as_byteswapped(order)
    header["pixdim"][4] = 4e-4 * per_second
    header.set_xyzt_units("mm", unit)
    header.set_sform(affine, code=int(form == "sform"))
    header.set_qform(np.diag([20, 15, 25, 1.0]), code=int(form != "neither"))
    tags = {"SpectrometerFrequency": [127.7], "ResonantNucleus": ["1H"]}
    tags |= {"dim_5": "DIM_COIL", "dim_6": "DIM_DYN"}
    extension = nibabel.nifti1.Nifti1Extension(44, json.dumps(tags).encode())
    header.extensions.append(extension)
    path = tmp_path / "x.nii"
    nibabel.save(image(values.astype(np.complex64), None, header), path)

    theirs = nibabel.load(path)
    scan = read_scan(path)
    assert theirs.header.endianness == order
    np.testing.assert_array_equal(
        scan.signal, np.asarray(theirs.dataobj)[0, 0, 0].conj().transpose(1, 2, 0)
    )
    assert scan.dwell_time_s == pytest.approx(4e-4, rel=1e-12)
    np.testing.assert_array_equal(scan.voxel_affine, theirs.header.get_best_affine())


def test_same_signal_same_bytes_and_nothing_is_replaced_unasked(tmp_path, spectrum, sampling):
    fid = Fid(signal=spectrum(1)[0], sampling=sampling)
    a, b = (write_nifti_mrs(tmp_path / n, fid) for n in ("a.nii.gz", "b.nii.gz"))
    assert a.read_bytes() == b.read_bytes()
    with pytest.raises(OutputError, match="there already"):
        write_nifti_mrs(a, fid)
    write_nifti_mrs(a, fid, overwrite=True)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.nii.gz", "b.nii.gz"]


def test_a_folder_that_cannot_be_written_to_is_named(tmp_path, spectrum, sampling):
    (tmp_path / "file").touch()  # not even root writes below a file
    with pytest.raises(OutputError, match="cannot be written"):
        write_nifti_mrs(tmp_path / "file" / "a.nii", Fid(signal=spectrum(1)[0], sampling=sampling))


def test_history_becomes_processing_without_a_time(spectrum, sampling):
    fid = Transients(signal=spectrum(4), sampling=sampling).become(
        Fid, spectrum(1)[0], "average", method="mean", options={"weights": "none"}
    )
    (entry,) = header_extension(fid, None)["ProcessingApplied"]
    assert entry["Method"] == "Signal averaging"
    assert entry["Details"] == "average: mean (weights=none)"
    assert "Time" not in entry


def test_sidecar_leaves_out_what_is_unknown(spectrum, sampling):
    found = sidecar(Fid(signal=spectrum(1)[0], sampling=sampling), Protocol(echo_time_s=0.03))
    assert found["EchoTime"] == 0.03
    assert "RepetitionTime" not in found
    json.dumps(found)


# --------------------------------------------------------------------------- broken files


@pytest.fixture
def nifti(tmp_path, spectrum, sampling):
    """Return the bytes of a small valid file."""
    path = tmp_path / "good.nii"
    write_nifti_mrs(path, Transients(signal=spectrum(2), sampling=sampling))
    return path.read_bytes()


def with_shape(content, shape):
    """Return the file with another declared shape."""
    dims = np.array([len(shape), *shape, *[1] * (7 - len(shape))], "<i2")
    return content[:40] + dims.tobytes() + content[56:]


def with_extension(content, entries):
    """Return the file with another header extension."""
    text = json.dumps(entries).encode()
    text += b" " * (-(len(text) + 8) % 16)
    block = np.array([len(text) + 8, 44], "<i4").tobytes() + text
    old = int(np.frombuffer(content, "<f4", 1, 108)[0])
    new = np.array([352 + len(block)], "<f4").tobytes()
    return content[:108] + new + content[112:352] + block + content[old:]


GOOD = {"SpectrometerFrequency": [127.7], "ResonantNucleus": ["1H"], "dim_5": "DIM_DYN"}


@pytest.mark.parametrize(
    ("shape", "tags"),
    [
        ((2, 4, 1, 128), {}),  # voxels lie between the points of one FID in memory
        ((1, 1, 1, 128, 2, 2, 2), {"dim_5": "DIM_COIL", "dim_6": "DIM_EDIT", "dim_7": "DIM_DYN"}),
        ((1, 1, 1, 128, 2, 2, 2), {"dim_5": "DIM_DYN", "dim_6": "DIM_USER_0", "dim_7": "DIM_COIL"}),
    ],
)
def test_what_is_not_analysed_is_described_in_any_order_of_its_axes(shape, tags, tmp_path, nifti):
    path = tmp_path / "many.nii"
    path.write_bytes(with_extension(with_shape(nifti, shape), {**GOOD, "dim_5": None, **tags}))
    scan = read_scan(path)
    stored = NIFTI_MRS(str(path))[:] if tags else np.asarray(nibabel.load(path).dataobj).conj()
    first = stored[0, 0, 0]
    for axis, tag in reversed([(int(key[-1]) - 4, tag) for key, tag in tags.items()]):
        if tag in ("DIM_EDIT", "DIM_USER_0"):
            first = first.take(0, axis=axis)
    assert np.array_equal(np.sort_complex(scan.signal.ravel()), np.sort_complex(first.ravel()))
    assert scan.n_points == 128
    assert scan.n_voxels == (8 if not tags else 1)
    assert gate.examine(scan).first is not None


def test_a_declared_size_beyond_the_data_costs_no_memory(tmp_path, nifti):
    path = tmp_path / "big.nii"
    path.write_bytes(with_shape(nifti, (1, 1, 1, 32767, 1000)))
    with pytest.raises(ReadError, match="ends after"):
        read_scan(path)
    path.write_bytes(with_shape(nifti, (1, 1, 1, 32767, 32767)))
    with pytest.raises(ReadError, match="declares"):
        read_scan(path)


@pytest.mark.slow
def test_a_gzip_bomb_stays_small(tmp_path, nifti):
    """A gigabyte of zeros behind a header that declares as much, and behind an honest one."""
    path = tmp_path / "bomb.nii.gz"
    for head in (with_shape(nifti, (1, 1, 1, 32767, 3000)), nifti):
        with gzip.GzipFile(path, "wb", compresslevel=1) as file:
            file.write(head)
            for _ in range(300):
                file.write(bytes(1 << 20))
        code = (
            "import sys\n"
            "from pathlib import Path\n"
            "from mrs_disc.io.formats.readers import read_scan\n"
            "from mrs_disc.errors import ReadError\n"
            "try: read_scan(Path(sys.argv[1]))\n"
            "except ReadError as error: print(error)\n"
            "status = open('/proc/self/status').read()\n"  # ru_maxrss is that of the parent too
            "print(status.partition('VmHWM:')[2].split()[0])\n"
        )
        run = subprocess.run(
            [sys.executable, "-c", code, path], capture_output=True, text=True, check=True
        )
        assert int(run.stdout.split()[-1]) < 1_000_000  # kilobytes


@pytest.mark.parametrize(
    ("entries", "says"),
    [
        ({"ResonantNucleus": ["1H"]}, "SpectrometerFrequency"),
        ({"SpectrometerFrequency": [127.7]}, "ResonantNucleus"),
        ({"SpectrometerFrequency": "x", "ResonantNucleus": ["1H"]}, "SpectrometerFrequency"),
        ([1, 2], "not a JSON object"),
    ],
)
def test_a_header_extension_that_lacks_what_it_must_hold(entries, says, tmp_path, nifti):
    path = tmp_path / "bad.nii"
    path.write_bytes(with_extension(nifti, entries))
    with pytest.raises(ReadError, match=says):
        read_scan(path)


def test_a_frequency_in_hertz_is_mended_and_noted(tmp_path, nifti):
    path = tmp_path / "hz.nii"
    path.write_bytes(with_extension(nifti, GOOD | {"SpectrometerFrequency": [127_700_000.0]}))
    scan = read_scan(path)
    assert scan.spectrometer_mhz == 127.7
    assert any("Hz" in note for note in scan.notes)


def test_a_sidecar_that_contradicts_the_header_is_noted(tmp_path, nifti):
    path = tmp_path / "two.nii"
    path.write_bytes(with_extension(nifti, GOOD | {"EchoTime": 0.028}))
    scan = read_scan(path, {"EchoTime": 0.05, "SpectrometerFrequency": [127.7]})
    assert scan.echo_time_s == 0.028
    (note,) = scan.notes
    assert "EchoTime 0.05, the file's own header 0.028" in note
    assert not read_scan(path, {"EchoTime": 0.028}).notes


@pytest.mark.parametrize(
    ("extension", "sidecar", "said"),
    [
        ({}, {"ConversionSoftware": "dcm2niix"}, True),
        ({"ConversionMethod": "dcm2niix v1.0.20260724"}, None, True),
        ({"ConversionMethod": "spec2nii v0.8.15"}, {"ConversionSoftware": "dcm2niix"}, False),
        ({}, {"ConversionSoftware": ["other"]}, False),
        ({}, None, False),
    ],
)
def test_a_voxel_that_dcm2niix_placed_may_have_its_sides_swapped(
    tmp_path, spectrum, sampling, protocol, extension, sidecar, said
):
    signal = Fid(signal=spectrum(1)[0], sampling=sampling)
    for other_mm in (25.0, 20.0):
        affine = protocol.voxel_affine.copy()
        affine[:3, :3] = np.diag([-20.0, -other_mm, 15.0])
        path = tmp_path / f"{other_mm:.0f}.nii"
        write_nifti_mrs(path, signal, replace(protocol, voxel_affine=affine))
        path.write_bytes(with_extension(path.read_bytes(), GOOD | extension))
        found = [f for f in read_scan(path, sidecar).findings if f.kind == "sides_by_dcm2niix"]
        expected = [pytest.approx({"one_mm": 20.0, "other_mm": 25.0})]
        assert [f.values for f in found] == (expected if said and other_mm == 25.0 else [])


def test_an_untagged_dimension_is_taken_as_transients_and_noted(tmp_path, nifti):
    path = tmp_path / "untagged.nii"
    path.write_bytes(with_extension(nifti, {k: v for k, v in GOOD.items() if k != "dim_5"}))
    scan = read_scan(path)
    assert scan.n_transients == 2
    assert any("no tag" in note for note in scan.notes)


def test_an_echo_time_in_milliseconds_is_no_echo_time(tmp_path, nifti):
    path = tmp_path / "ms.nii"
    path.write_bytes(with_extension(nifti, GOOD | {"EchoTime": 35.0}))
    assert read_scan(path).echo_time_s is None


@settings(max_examples=150)
@given(data=st.data())
def test_any_spoilt_byte_gives_a_scan_or_a_sentence(data, tmp_path_factory, spectrum, sampling):
    folder = tmp_path_factory.mktemp("spoilt")
    good = write_nifti_mrs(folder / "a.nii", Fid(signal=spectrum(1, 64)[0], sampling=sampling))
    content = bytearray(good.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, 600))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.one_of(st.none(), st.integers(0, len(content))))
    path = folder / "b.nii"
    path.write_bytes(bytes(content[:cut]))
    try:
        read_scan(path)
    except ReadError as error:
        message = str(error)
    else:
        message = "b.nii: "
    assert message.startswith("b.nii: ")
