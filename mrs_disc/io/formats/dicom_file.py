"""The one door to DICOM files: bounded, and nothing unpacked that may be many times larger.

A deflated file of 1 MB can hold 1 GB, and pydicom inflates it whole before it looks at a tag. Its
transfer syntax stands in the first group, which is never deflated; no scanner writes it.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mrs_disc.errors import ReadError
from mrs_disc.files import check_file, reading

_DEFLATED = "1.2.840.10008.1.2.1.99"


def read_dicom(
    path: Path, kind: str = "image", *, tags: Sequence[str] = (), pixels: bool = True
) -> Any:
    """Return a DICOM dataset.

    Parameters
    ----------
    path : Path
        The file.
    kind : str
        Of `files.MOST_BYTES`.
    tags : sequence of str
        Keywords to read, all others are passed over; empty: all.
    pixels : bool
        Whether the pixels are read.

    Raises
    ------
    ReadError
        If it is absent, too large or deflated.
    pydicom.errors.InvalidDicomError
        If it is no DICOM file. pydicom raises many kinds on broken ones.
    """
    import pydicom

    check_inflated(path, kind)
    with reading(path), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of values that are not quite to the standard
        return pydicom.dcmread(
            path, stop_before_pixels=not pixels, specific_tags=list(tags) or None
        )


def check_inflated(path: Path, kind: str) -> None:
    """Refuse a deflated file, also for libraries that open it themselves (errors as above)."""
    from pydicom.filereader import read_file_meta_info

    check_file(path, kind)
    with reading(path), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        syntax = str(read_file_meta_info(path).get("TransferSyntaxUID", ""))
    if syntax.strip("\0 ") == _DEFLATED:
        raise ReadError(path, "is a deflated DICOM file; export it uncompressed")
