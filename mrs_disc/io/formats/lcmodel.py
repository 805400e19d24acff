"""LCModel RAW and H2O: Fortran namelists, then pairs of numbers.

Five lines, of many::

     $SEQPAR
     ECHOT= 50.0
     $END
     $NMID id='metab', fmtdat='(2E15.6)', volume=1.0, tramp=1.0 $END
        1.234560E-02   -3.456780E-03

The values lie as in a NIfTI-MRS file, found on real files of three sources; spec2nii 0.8.15
conjugates them (its result is mirrored), and drops the echo time.
"""

from __future__ import annotations

import re
from pathlib import Path

from mrs_disc.errors import ReadError
from mrs_disc.io.formats.scan import Scan, head, megahertz, named_sequence, read_only, seconds
from mrs_disc.lcmodel_raw import read_lcmodel_raw

FORMAT = "lcmodel-raw"
_NMID = re.compile(rb"[$&]NMID\b", re.IGNORECASE)


def sniff(path: Path) -> bool:
    """Say whether the content begins with the namelist of a RAW file."""
    start = head(path)
    return _NMID.search(start) is not None and b"NMUSED" not in start.upper()


def read(path: Path) -> Scan:
    """Read a RAW or H2O file; frequency and dwell time are `None` where it holds none."""
    raw = read_lcmodel_raw(path)
    if raw.header.get("seqacq", "").strip(".").lower().startswith("t"):
        raise ReadError(
            path,
            "was acquired sequentially (SEQACQ = T): real and imaginary points are of different "
            "times, which is not read; write complex points",
        )
    mhz, notes = megahertz(raw.number("hzpppm"))
    points = raw.number("nunfil", "numberofpoints")
    if points and len(raw.fid) < points:
        raise ReadError(path, f"holds {len(raw.fid)} of {points:.0f} points: cut off")
    return Scan(
        format=FORMAT,
        reader="lcmodel",
        signal=read_only(raw.fid.reshape(1, 1, -1)),
        nucleus="1H",
        spectrometer_mhz=mhz,
        dwell_time_s=seconds(raw.dwell_time_s, 1.0, 0.1),
        echo_time_s=seconds(raw.number("echot"), 1e-3, 1.0),
        sequence=named_sequence([raw.header.get("seq")]),
        findings=notes,
    )
