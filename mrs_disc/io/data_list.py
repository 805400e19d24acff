"""Philips data/list pairs, through spec2nii."""

from __future__ import annotations

from pathlib import Path

from mrs_disc.io import vendor
from mrs_disc.io.scan import Scan, head, sibling

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
