"""LCModel RAW as different programs write it."""

import numpy as np
import pytest

from mrs_disc.io.formats.readers import read_scan

FID = np.exp((2j * np.pi * 300 - 12) * 5e-4 * np.arange(256)) * 100 + (3 - 2j)


def fortran(value, width, digits, letter="E"):
    """Return a number as Fortran's E format writes it: 0.ddddE+ee."""
    power = int(np.floor(np.log10(abs(value)))) + 1
    return f"{value / 10.0**power:.{digits}f}{letter}{power:+03d}".rjust(width)


def body(columns, width, digits, letter="E"):
    """Return the points, stored conjugated, so many columns a line."""
    parts = np.column_stack([FID.real, -FID.imag]).ravel()
    words = [fortran(v, width, digits, letter) for v in parts]
    return "\n".join("".join(words[i : i + columns]) for i in range(0, len(words), columns))


SEQUENCE = " $SEQPAR\n ECHOT= 30.0\n HZPPPM= 127.75\n SEQ= 'PRESS'\n $END\n"
VARIANTS = {
    "two columns": SEQUENCE + " $NMID\n ID='x', FMTDAT='(2E15.6)'\n $END\n" + body(2, 15, 6),
    "columns that touch": SEQUENCE + " $NMID ID='x'\n FMTDAT='(6E13.6)'\n $END\n" + body(6, 13, 6),
    "ampersands": " &SEQPAR\n echot=30., hzpppm=127.75, seq='PRESS' &END\n"
    + " &NMID fmtdat='(8E13.5)' &END\n"
    + body(8, 13, 5),
    "slashes": " &seqpar\n echot = 3.0e1\n hzpppm = 1.2775E+02\n seq = 'press'\n /\n"
    + " &nmid id = 'a/b c', fmtdat = '(2E15.6)' /\n"
    + body(2, 15, 6),
    "double precision": SEQUENCE.replace("30.0", "30.0D0")
    + " $NMID\n ID='x', FMTDAT='(2D15.6)'\n $END\n"
    + body(2, 15, 6, "D"),
    "other line ends": (SEQUENCE + " $NMID\n ID='x'\n $END\n" + body(2, 15, 6)).replace(
        "\n", "\r\n"
    ),
    "a title first": "made by somebody\n" + SEQUENCE + " $NMID\n ID='x'\n $END\n" + body(2, 15, 6),
}


@pytest.mark.parametrize("name", VARIANTS)
def test_the_variants_of_the_form_hold_the_same_signal(name, tmp_path):
    path = tmp_path / "x.RAW"
    path.write_bytes(VARIANTS[name].encode())
    scan = read_scan(path)
    np.testing.assert_allclose(scan.signal[0, 0], FID, rtol=1e-4)
    assert (scan.spectrometer_mhz, scan.echo_time_s, scan.sequence) == (127.75, 0.03, "PRESS")


def test_without_a_sequence_list_the_file_is_silent_and_opens(tmp_path):
    path = tmp_path / "x.RAW"
    path.write_text(" $NMID\n ID='x', FMTDAT='(2E15.6)'\n $END\n" + body(2, 15, 6))
    scan = read_scan(path)
    assert scan.spectrometer_mhz is None
    assert scan.dwell_time_s is None
    np.testing.assert_allclose(scan.signal[0, 0], FID, rtol=1e-4)
