"""Bruker ParaVision (fid, 2dseq, rawdata.job0), through spec2nii and brukerapi."""

from __future__ import annotations

from pathlib import Path

from mrs_disc.errors import ReadError
from mrs_disc.io import vendor
from mrs_disc.io.scan import Scan, head

FORMAT = "bruker"
_NAMES = ("fid", "2dseq", "rawdata.job0", "fid_proc.64")


def sniff(path: Path) -> bool:
    """Say whether a ParaVision parameter file lies where this data file has it."""
    if path.name not in _NAMES:
        return False
    folder = path.parent.parent.parent if path.name == "2dseq" else path.parent
    for name in ("method", "acqp"):
        try:
            if head(folder / name, 64).lstrip().startswith(b"##TITLE="):
                return True
        except ReadError:
            continue
    return False


def read(path: Path) -> Scan:
    """Read a ParaVision data file with the parameter files around it."""
    return vendor.bruker(path)
