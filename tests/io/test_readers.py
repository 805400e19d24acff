"""One contract for every reader: sign, units, shape, and a sentence for what is broken."""

import os

import numpy as np
import pytest

from mrs_disc.errors import ReadError
from mrs_disc.io.formats.readers import READERS, find_reader, read_scan
from mrs_disc.io.gate import examine
from mrs_disc.io.studies.draft import draft_study

NOT_BUILT = {
    "siemens-twix": "its binary header cannot be written honestly; tested on real files",
}
SILENT_ON_ECHO = {"jmrui", "jmrui:binary", "plain-text"}


@pytest.mark.parametrize("reader", READERS, ids=lambda r: r.FORMAT)
def test_every_reader_is_built_or_named(reader, request):
    from_conftest = {kind.split(":")[0] for kind in request.getfixturevalue("kinds")}
    assert reader.FORMAT in from_conftest or reader.FORMAT in NOT_BUILT


@pytest.fixture
def kinds(build):
    return list(build.__self__)


def test_content_is_known_to_one_reader_only(built):
    kind, path, _ = built
    knows = [r.FORMAT for r in READERS if r.sniff(path)]
    assert knows == [kind.split(":")[0]]
    assert knows[0] == find_reader(path).FORMAT


def test_samples_come_back_in_our_sign_and_order(built):
    _, path, rows = built
    scan = read_scan(path)
    assert scan.signal.shape == (1, 1, rows.shape[1])
    scale = np.abs(rows).max()
    # 1 in 3000: the GE format holds integers, the text formats seven digits
    np.testing.assert_allclose(scan.signal[0, 0], rows[0], atol=scale / 3000)
    assert scan.signal.dtype == np.complex64
    assert not scan.signal.flags.writeable
    assert not examine(scan).mirrored


def test_units_are_seconds_and_megahertz(built):
    kind, path, _ = built
    scan = read_scan(path)
    if kind == "plain-text":
        assert scan.spectrometer_mhz is None
        assert scan.dwell_time_s is None
        return
    assert scan.spectrometer_mhz == pytest.approx(127.75, rel=1e-6)
    assert scan.dwell_time_s == pytest.approx(1 / 2000, rel=1e-6)
    assert scan.nucleus == "1H"
    if kind in SILENT_ON_ECHO:
        assert scan.echo_time_s is None
    else:
        assert scan.echo_time_s == pytest.approx(0.03)


def test_no_free_text_of_a_header_is_kept(built):
    _, path, _ = built
    scan = read_scan(path)
    shown = repr(
        [scan.sequence, scan.manufacturer, scan.scanner, scan.software, scan.notes, scan.level_hint]
    )
    assert "Doe" not in shown
    assert "Doe" not in repr(scan.identity)


def test_a_cut_file_is_refused_by_name(built):
    kind, path, _ = built
    content = path.read_bytes()
    for share in (0.1, 0.5, 0.9):
        path.write_bytes(content[: int(len(content) * share)])
        if kind == "plain-text":
            continue  # rows of numbers have no declared end
        with pytest.raises(ReadError) as caught:
            read_scan(path)
        assert path.name in str(caught.value)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("spoil", ["zero", "nan"])
def test_samples_that_are_no_signal_are_refused(spoil, build, tmp_path, spectrum, protocol):
    rows = spectrum(1).copy()
    rows[:] = 0 if spoil == "zero" else rows
    if spoil == "nan":
        rows[0, 17] = np.nan
    path = build("nifti-mrs")(tmp_path, rows, protocol)
    with pytest.raises(ReadError, match="zero" if spoil == "zero" else "not numbers"):
        read_scan(path)


@pytest.mark.parametrize("name", ["x.dat", "x.rda", "x.IMA", "x.SDAT", "x.nii.gz", "P1.7", "x.bin"])
@pytest.mark.parametrize("content", ["empty", "zeros", "random", "text"])
def test_hostile_content_is_refused(name, content, tmp_path):
    made = {
        "empty": b"",
        "zeros": b"\x00" * 300_000,
        "random": np.random.default_rng(3).bytes(300_000),
        "text": b"hello world\n" * 1000,
    }[content]
    path = tmp_path / name
    path.write_bytes(made)
    with pytest.raises(ReadError) as caught:
        read_scan(path)
    assert name.split(".")[0] in str(caught.value)


def test_a_missing_file_and_a_folder_are_named(tmp_path):
    with pytest.raises(ReadError, match=r"absent\.rda: there is no such file"):
        read_scan(tmp_path / "absent.rda")
    with pytest.raises(ReadError, match="is a folder"):
        read_scan(tmp_path)


def test_a_decimal_comma_and_lf_line_ends_in_rda(build, tmp_path, spectrum, protocol):
    path = build("siemens-rda")(tmp_path, spectrum(1), protocol)
    head, tail = path.read_bytes().split(b">>> End of header <<<\r\n")
    head = head.replace(b"\r\n", b"\n").replace(b"TE: 30.000000", b"TE: 30,000000")
    path.write_bytes(head + b">>> End of header <<<\n" + tail)
    assert read_scan(path).echo_time_s == pytest.approx(0.03)


@pytest.mark.parametrize(
    ("kind", "header", "needed"),
    [
        ("siemens-rda", "built.rda", {"VectorSize", "DwellTime", "MRFrequency"}),
        (
            "philips-sdat",
            "built.SPAR",
            {"samples", "sample_frequency", "synthesizer_frequency"},
        ),
    ],
)
def test_any_line_of_a_text_header_may_be_absent_but_these(
    kind, header, needed, build, tmp_path, spectrum, protocol
):
    rows = spectrum(1)
    path = build(kind)(tmp_path, rows, protocol)
    whole = (tmp_path / header).read_bytes()
    text, mark, samples = whole.partition(b">>> End")
    lines = text.splitlines(keepends=True)
    for i, line in enumerate(lines):
        name = line.split(b":")[0].strip().decode()
        if b":" not in line:
            continue
        (tmp_path / header).write_bytes(b"".join(lines[:i] + lines[i + 1 :]) + mark + samples)
        if name in needed:
            with pytest.raises(ReadError, match=name):
                read_scan(path)
        else:
            np.testing.assert_allclose(read_scan(path).signal[0], rows, rtol=1e-5)


def test_the_later_rda_header_and_a_byte_order_mark(build, tmp_path, spectrum, protocol):
    """XA60 writes fields that readers by a fixed list stop at, and leaves geometry out."""
    path = build("siemens-rda")(tmp_path, spectrum(1), protocol)
    head, tail = path.read_bytes().split(b">>> End of header <<<")
    kept = [x for x in head.split(b"\r\n") if not x.startswith((b"RowV", b"ColumnV", b"VOI"))]
    kept[1:1] = [
        b"rot: 0.1",
        b"VOIRotationInPlane: ",
        b"PatientName: M\xfcller",
        b"Unit[ppm]: x: y",
    ]
    path.write_bytes(b"\xef\xbb\xbf" + b"\r\n".join(kept) + b">>> End of header <<<" + tail)
    scan = read_scan(path)
    assert scan.echo_time_s == pytest.approx(0.03)
    np.testing.assert_allclose(scan.signal[0], spectrum(1), rtol=1e-6)


def test_old_csa_headers_and_long_echo_lists(build, tmp_path, spectrum, protocol):
    """VA21 writes no NumberOfFrames; some sequences leave 32 entries in alTE."""
    path = build("dicom-mrs:csa")(
        tmp_path,
        spectrum(1),
        protocol,
        without=("NumberOfFrames",),
        alte=(19_960, *[135_000] * 31),
        EchoTime=[19.96],
    )
    assert read_scan(path).echo_time_s == pytest.approx(0.01996)


def test_water_inside_a_file_is_kept_apart(build, tmp_path, spectrum, protocol):
    rows = spectrum(1)
    for kind, n_water in (("ge-pfile", 2), ("dicom-mrs:philips", 1), ("dicom-mrs:uih", 1)):
        folder = tmp_path / kind.replace(":", "-")
        folder.mkdir()
        scan = read_scan(build(kind)(folder, rows, protocol))
        assert scan.n_transients == 1
        assert scan.water is not None
        assert scan.water.n_transients == n_water
        # rounding to integers in the GE file
        np.testing.assert_allclose(scan.water.signal[0, 0], 100 * rows[0], rtol=2e-3, atol=1)


def test_rows_of_sdat_and_signals_of_jmrui_are_transients(build, tmp_path, spectrum, protocol):
    rows = spectrum(5)
    for kind in ("philips-sdat", "jmrui", "jmrui:binary", "philips-data-list", "ge-pfile"):
        folder = tmp_path / kind.replace(":", "-")
        folder.mkdir()
        scan = read_scan(build(kind)(folder, rows, protocol))
        assert scan.n_transients == 5
        np.testing.assert_allclose(scan.signal[0], rows, atol=np.abs(rows).max() / 3000)


def test_affines_agree_between_formats(build, tmp_path, spectrum, protocol):
    """The box is the same; an axis may point the other way."""
    wanted = protocol.voxel_affine
    for kind in ("nifti-mrs", "philips-sdat", "siemens-rda", "dicom-mrs", "dicom-mrs:csa"):
        folder = tmp_path / kind.replace(":", "-")
        folder.mkdir()
        affine = read_scan(build(kind)(folder, spectrum(1), protocol)).voxel_affine
        np.testing.assert_allclose(affine[:3, 3], wanted[:3, 3], atol=1e-4)
        np.testing.assert_allclose(np.abs(affine[:3, :3]), np.abs(wanted[:3, :3]), atol=1e-3)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_is_refused_and_not_waited_for(tmp_path):
    pipe = tmp_path / "L4-L5.rda"
    os.mkfifo(pipe)
    with pytest.raises(ReadError, match="no regular file"):
        read_scan(pipe)
    with pytest.raises(ReadError, match="no spectrum"):
        draft_study(tmp_path)


@pytest.mark.parametrize("count", [float("nan"), float("inf"), -1e30])
def test_water_frames_that_are_counted_by_no_number(build, spectrum, protocol, tmp_path, count):
    """As a mutant said it."""
    import ctypes
    import struct

    from spec2nii.GE.ge_hdr_fields import get_pfile_hdr_fields

    fields = {"_pack_": 1, "_fields_": get_pfile_hdr_fields(np.float32(24))}
    header = type("Header", (ctypes.LittleEndianStructure,), fields)
    path = build("ge-pfile:24")(tmp_path, spectrum(3), protocol)
    content = bytearray(path.read_bytes())
    struct.pack_into("<f", content, header.rhr_rh_user19.offset, count)
    path.write_bytes(content)
    assert read_scan(path).n_points == 512
