"""Philips data/list pairs, through spec2nii.

Lines of a list file: values of the scan begin with a point, each vector in the data file has a line
of its own (here the first columns and the last two, bytes and place)::

    # === DATA DESCRIPTION FILE ===
    .    0    0    0  number_of_mixes                    :     1
    # typ mix   dyn   card  echo  loca  chan  extr1 extr2 ... size   offset
      STD     0     0     0     0     0     0     0     0 ... 16384       0
      STD     0     0     0     0     0     1     0     0 ... 16384   16384
"""

from __future__ import annotations

from pathlib import Path

from mrs_disc.io.formats import vendor
from mrs_disc.io.formats.scan import Scan, head, sibling

FORMAT = "philips-data-list"


def sniff(path: Path) -> bool:
    """Say whether this is the list by content, or the data beside one (it has no signature)."""
    if path.suffix.lower() == ".data":
        listed = sibling(path, ".list")
        return listed is not None and _is_list(listed)
    return path.suffix.lower() == ".list" and _is_list(path)


def _is_list(path: Path) -> bool:
    start = head(path)
    return b"DATA DESCRIPTION FILE" in start or b"complex data vector" in start


def read(path: Path) -> Scan:
    """Read a data/list pair."""
    return vendor.data_list(path)
