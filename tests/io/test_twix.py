"""Twix of other sites and releases: headers with gaps, the layout of VD on, the reference of XA."""

import re

import numpy as np
import pytest

from mrs_disc.errors import ReadError
from mrs_disc.io.formats.readers import read_scan

from .twix_releases import as_vd, header, header_blocks

STEAM = "pymapvbvd/meas_MID311_STEAM_wref1_FID115674.dat"
AVERAGE, PHASE, REPETITION = 1, 5, 6
"""Places of the loop counters."""


@pytest.fixture(scope="module")
def original(real_data):
    path = real_data / STEAM
    return path.read_bytes(), read_scan(path)


@pytest.fixture
def respelt(original, tmp_path):
    """Write the file with its header's texts changed."""
    raw = original[0]

    def write(*changes):
        blocks = header_blocks(raw)
        for old, new in changes:
            assert any(re.search(old, text) for text in blocks.values())
            blocks = {name: re.sub(old, new, text) for name, text in blocks.items()}
        path = tmp_path / "site.dat"
        path.write_bytes(header(blocks) + raw[int.from_bytes(raw[:4], "little") :])
        return path

    return write


def entry(name, value):
    """Return the change that gives an entry another value."""
    old = rb'(<Param\w+\."' + name + rb'">\s*\{\s*(?:<Precision>\s*\d*)?)[^}]*\}'
    return old, rb"\1 " + value + b" }"


def gone(name):
    return rb'(<Param\w+\.")' + name + rb'">', rb'\1Removed">'


@pytest.mark.parametrize(
    "changes",
    [
        [entry(b"PatientName", b'"0123"')],
        [entry(b"tProtocolName", b'"5"'), entry(b"ManufacturersModelName", b'"7"')],
        [entry(b"PatientSex", b'""'), entry(b"FlipAngle", b"")],
        [gone(n) for n in (b"PatientBirthDay", b"PatientSex", b"flUsedPatientWeight")],
        [gone(n) for n in (b"DeviceSerialNumber", b"InstitutionName", b"InstitutionAddress")],
        [gone(b"tSequenceString"), gone(b"SequenceFileName"), gone(b"tICEProgramName")],
        [gone(b"lFinalMatrixSizePhase"), gone(b"lFinalMatrixSizeSlice")],
        [gone(b"Frequency"), gone(b"ResonantNucleus")],
        [(rb"sSpecPara\.sVoI\.dPhaseFOV", b"sSpecPara.sVoI.dRemoved")],
    ],
    ids=lambda changes: changes[0][0][-30:].decode().strip('">') if changes else "",
)
def test_what_only_names_a_person_or_a_scanner_may_be_absent_or_odd(changes, respelt, original):
    scan = read_scan(respelt(*changes))
    assert np.array_equal(scan.signal, original[1].signal)
    for key in ("nucleus", "spectrometer_mhz", "dwell_time_s", "echo_time_s", "repetition_time_s"):
        assert getattr(scan, key) == getattr(original[1], key)


def test_without_a_dwell_time_the_file_is_refused_by_what_it_lacks(respelt):
    path = respelt((rb"alDwellTime", b"alRemoved"))
    with pytest.raises(ReadError, match=r"site\.dat: its header has no valid dwell time"):
        read_scan(path)


@pytest.mark.parametrize("release", ["syngo MR D13", "syngo MR E11", "syngo MR XA61", "N4 later"])
def test_the_layout_of_later_releases_holds_the_same_scan(release, original, tmp_path):
    path = tmp_path / "later.dat"
    path.write_bytes(as_vd(original[0], release))
    scan = read_scan(path)
    assert np.array_equal(scan.signal, original[1].signal)
    assert np.array_equal(scan.water.signal, original[1].water.signal)
    assert scan.echo_time_s == original[1].echo_time_s
    assert scan.software == (release if release.startswith("syngo") else None)
    assert np.allclose(scan.voxel_affine, original[1].voxel_affine)


def test_the_first_phase_of_xa_product_sequences_is_the_reference(original, tmp_path):
    """The records of an XA scan: one reference, then the averages, in the loop of phases."""

    def counters(i):
        image = i - i // 3 - 1  # each third record of the original is a phase-correction scan
        return {PHASE: min(max(image, 0), 1), AVERAGE: max(image - 1, 0), REPETITION: 0}

    path = tmp_path / "xa.dat"
    path.write_bytes(as_vd(original[0], "syngo MR XA30", counters=counters, times=2))
    scan = read_scan(path)
    assert scan.n_transients == 3
    assert np.array_equal(scan.water.signal[:, 0], original[1].signal[:, 0])
    assert np.array_equal(scan.signal[:, 0], original[1].signal[:, 1])


def test_averages_in_the_loop_of_later_releases_are_transients_in_vb_too(original, tmp_path):
    """Also where VB's own table of loops does not know the counter."""
    raw = bytearray(original[0])
    (at,) = np.frombuffer(raw, "<u4", 1)
    while not raw[at + 20] & 1:
        columns, _ = np.frombuffer(raw, "<u2", 2, int(at) + 28)
        loops = np.frombuffer(raw, "<u2", 14, int(at) + 32)
        moved = loops.copy()
        moved[AVERAGE], moved[REPETITION] = loops[REPETITION], 0
        raw[int(at) + 32 : int(at) + 60] = moved.tobytes()
        at = int(at) + 128 + 8 * int(columns)
    path = tmp_path / "vb.dat"
    path.write_bytes(raw)
    scan = read_scan(path)
    assert not scan.extra_axes
    assert np.array_equal(scan.signal, original[1].signal)


@pytest.mark.parametrize("later", [False, True])
def test_a_file_cut_inside_a_readout_is_refused_and_one_without_end_mark_says_so(
    later, original, tmp_path
):
    """pymapVBVD opens both with the whole readouts alone."""
    raw = as_vd(original[0], "syngo MR E11") if later else original[0]
    path = tmp_path / "cut.dat"
    path.write_bytes(raw[:-300_000])
    with pytest.raises(ReadError, match=r"cut\.dat: ends inside the record .* cut off"):
        read_scan(path)
    last = raw.rindex(original[1].signal[-1, 1].tobytes()) + 8 * 4096
    path.write_bytes(raw[:last])
    assert any("no end mark" in note for note in read_scan(path).notes)


@pytest.mark.parametrize("name", [b"Config", b"Dicom", b"Meas", b"MeasYaps", b"Phoenix", b"Spice"])
def test_any_one_block_of_the_header_may_be_absent(name, original, tmp_path):
    """Each value that the signal needs stands in two of them."""
    raw, scan = original
    blocks = {n: text for n, text in header_blocks(raw).items() if n != name}
    path = tmp_path / "block.dat"
    path.write_bytes(header(blocks) + raw[int.from_bytes(raw[:4], "little") :])
    found = read_scan(path)
    assert np.array_equal(found.signal, scan.signal)
    for key in ("nucleus", "spectrometer_mhz", "dwell_time_s", "echo_time_s", "sequence"):
        assert getattr(found, key) == getattr(scan, key)


CUT_OFF, CENTRE, ICE_FIFTH, FREE_FIRST = 60, 64, 80, 88
"""Places in the header of a VB readout; its fifth ICE parameter there is only in VD and later."""


def with_word(raw, place, value):
    """Return the VB file with one 16-bit word of every readout's header changed."""
    raw = bytearray(raw)
    (at,) = (int(v) for v in np.frombuffer(raw, "<u4", 1))
    while not raw[at + 20] & 1:
        columns, channels = (int(v) for v in np.frombuffer(raw, "<u2", 2, at + 28))
        for channel in range(channels):
            where = at + channel * (128 + 8 * columns) + place
            raw[where : where + 2] = int(value).to_bytes(2, "little")
        at += channels * (128 + 8 * columns)
    return bytes(raw)


@pytest.mark.parametrize("later", [False, True])
@pytest.mark.parametrize(
    ("place", "columns", "early"),
    [
        (CENTRE, 6, 6),
        (CUT_OFF, 32, 32),
        (CENTRE, 2048, 0),  # the middle of the readout, as of an image: no start that is meant
        (FREE_FIRST, 2, 0),  # not a sequence that keeps it there
    ],
)
def test_the_column_of_the_echo_gives_the_time_of_the_first(
    place, columns, early, later, original, tmp_path
):
    raw = with_word(original[0], place, columns)
    path = tmp_path / "early.dat"
    path.write_bytes(as_vd(raw, "syngo MR E11") if later else raw)
    scan = read_scan(path)
    assert scan.n_early == scan.water.n_early == early
    assert scan.start_time_s == pytest.approx(-early * 83.3e-6)
    assert np.array_equal(scan.signal, original[1].signal)  # as stored
    assert np.array_equal(scan.from_echo().signal, original[1].signal[..., early:])


@pytest.mark.parametrize(
    ("program", "early"), [(b"svs_se", 8), (b"svs_st", 8), (b"jn_svs_special", 8), (b"my_press", 0)]
)
def test_sequences_that_keep_the_columns_in_a_place_of_their_own(
    program, early, respelt, original, tmp_path
):
    path = respelt((rb"uzay_steam_gui", program))
    path.write_bytes(with_word(path.read_bytes(), FREE_FIRST, 8))
    assert read_scan(path).n_early == early


PULSE = rb"(sPrepPulses\.ucInversion\s*= )0x4"


@pytest.mark.parametrize("release", [None, "syngo MR D13", "syngo MR E11", "syngo MR XA30"])
@pytest.mark.parametrize(
    ("pulse", "said"), [(b"0x2", "inverted"), (b"0x4", "inversion_contradicted")]
)
def test_an_inversion_is_said_in_seconds_whatever_the_release(
    pulse, said, release, respelt, original, tmp_path
):
    """The protocol of every release keeps it in microseconds."""
    path = respelt((PULSE, rb"\g<1>" + pulse + b"\nalTI[0] = 900000"))
    if release:
        path.write_bytes(as_vd(path.read_bytes(), release))
    scan = read_scan(path)
    found = {f.kind: f.values for f in scan.findings if "inver" in f.kind}
    assert found == {said: {"seconds": 0.9}}
    assert scan.water is None or scan.water.findings == scan.findings
    assert not any("inver" in f.kind for f in original[1].findings)


def test_an_entry_named_inversion_time_does_not_stop_the_reader(respelt):
    """spec2nii asks for a number under another name where it finds this one."""
    path = respelt((rb'"InversionTimeRequired"', b'"InversionTime"'))
    assert not any("inver" in f.kind for f in read_scan(path).findings)


DKD = (rb"uzay_steam_gui", b"svs_slaser_dkd")
PARTS = (
    rb"(alTE\[0\]\s*=\s*)11000",
    rb"\g<1>8000\nalTE[1] = 12000\nalTE[2] = 10000\nalTE[3] = 135000",
)


@pytest.mark.parametrize("program", [b"svs_slaser_dkd", b"svs_slaserVOI_dkd2"])
def test_the_parts_of_a_split_echo_are_summed(program, respelt):
    """And the file has no mode of reference scans, which spec2nii asks for."""
    scan = read_scan(respelt((DKD[0], program), PARTS))
    assert scan.echo_time_s == 0.03
    assert scan.echo_time_doubt is None
    assert read_scan(respelt(PARTS)).echo_time_s == 0.008  # another sequence: the first alone


def test_references_before_and_behind_are_no_metabolites(respelt, original, tmp_path):
    """Mode 2 of `svs_slaser_dkd2`: a reference, four averages, a reference."""

    def counters(i):
        return {REPETITION: max(i - i // 3 - 1, 0)}  # each third record is a phase correction

    mode = (rb"(sSpecPara\.lAutoRefScanNo\s*=)", rb"sSpecPara.lAutoRefScanMode = 2\n\1")
    averages = (rb"(\nlAverages\s*=\s*)\d+", rb"\g<1>4")
    raw = respelt((DKD[0], b"svs_slaser_dkd2"), PARTS, mode, averages).read_bytes()
    path = tmp_path / "references.dat"
    path.write_bytes(as_vd(raw, "syngo MR E11", counters=counters, times=3))
    scan = read_scan(path)
    readouts = np.concatenate([original[1].signal] * 3, axis=1)
    assert np.array_equal(scan.signal, readouts[:, 1:5])
    assert np.array_equal(scan.water.signal, readouts[:, [0, 5]])
