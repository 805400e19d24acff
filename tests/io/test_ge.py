"""GE P-files of many revisions and sequences, in the layout of spec2nii's table of fields."""

import numpy as np
import pytest

from mrs_disc.errors import ReadError
from mrs_disc.io.formats.readers import read_scan


@pytest.mark.parametrize("revision", [9.0, 11.0, 16.0, 24.0, 26.002, 28.003])
@pytest.mark.parametrize("sequence", [b"probe-p", b"site_press", b"/usr/bin/site/probe_s"])
def test_frames_come_back_whatever_revision_and_sequence(
    revision, sequence, build, tmp_path, spectrum, protocol
):
    rows = spectrum(5)
    path = build("ge-pfile")(
        tmp_path, rows, protocol, revision=revision, sequence=sequence, coils=3
    )
    scan = read_scan(path)
    expected = np.stack([rows * (coil + 1) for coil in range(3)])
    np.testing.assert_allclose(scan.signal, expected, atol=0.8)  # whole numbers in the file
    np.testing.assert_allclose(scan.water.signal[:, 1], 100 * expected[:, 0], atol=0.8)
    assert (scan.echo_time_s, scan.spectrometer_mhz) == (0.03, 127.75)
    mapped = sequence == b"probe-p" or revision < 12
    assert any("no mapping" in note for note in scan.notes) != mapped


def test_frames_that_are_not_stronger_are_no_water(build, tmp_path, spectrum, protocol):
    path = build("ge-pfile")(tmp_path, spectrum(5) * 0 + 1000, protocol)
    raw = bytearray(path.read_bytes())
    frame = 512 * 8
    raw[61_464 + frame : 61_464 + 3 * frame] = raw[61_464 + 3 * frame : 61_464 + 5 * frame]
    path.write_bytes(raw)
    assert read_scan(path).water is None
    assert read_scan(path).n_transients == 7


@pytest.mark.parametrize("sequence", [b"probe-p", b"site_press"])
@pytest.mark.parametrize("revision", [9.0, 26.002])
def test_a_cut_file_is_refused(sequence, revision, build, tmp_path, spectrum, protocol):
    path = build("ge-pfile")(tmp_path, spectrum(5), protocol, revision=revision, sequence=sequence)
    path.write_bytes(path.read_bytes()[:-5000])
    with pytest.raises(ReadError, match=r"P12345\.7: .*cut off"):
        read_scan(path)


def test_a_revision_beyond_all_tables_is_named(build, tmp_path, spectrum, protocol):
    path = build("ge-pfile")(tmp_path, spectrum(2), protocol, revision=28.003)
    path.write_bytes(np.float32(35.0).tobytes() + path.read_bytes()[4:])
    with pytest.raises(ReadError, match=r"unknown revision 35\.000"):
        read_scan(path)
