"""Siemens twix (.dat) of VB, VD, VE and XA, through spec2nii and pymapVBVD."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mrs_disc.io import vendor
from mrs_disc.io.scan import Scan, head

FORMAT = "siemens-twix"


def sniff(path: Path) -> bool:
    """Say whether the content starts as a twix header of VB, or as a multi-raid file of VD on."""
    start = head(path, 64)
    if len(start) < 32:
        return False
    first, second = (int(v) for v in np.frombuffer(start, "<u4", 2))
    size = path.stat().st_size
    if first == 0 and 1 <= second <= 64:
        offset, length = (int(v) for v in np.frombuffer(start, "<u8", 2, 16))
        return 10240 <= offset < 1 << 40 and length > 0 and size > 10240
    named = start[8:].split(b"\x00")[0]
    return 1 <= second <= 64 and 1000 < first < 100_000_000 and named.isalnum() and len(named) > 2


def read(path: Path) -> Scan:
    """Read a twix file."""
    return vendor.twix(path)
