"""JSON sidecars of NIfTI files, as BIDS and dcm2niix write them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mrs_disc.files import read_json


def own_sidecar(path: Path) -> Path | None:
    """Return the JSON file of the same name beside a NIfTI file, or `None`."""
    name = path.name.lower()
    for suffix in (".nii.gz", ".nii"):
        if name.endswith(suffix):
            other = path.with_name(path.name[: -len(suffix)] + ".json")
            return other if other.exists() else None
    return None


def read_sidecar(path: Path) -> dict[str, Any]:
    """Return the entries of a JSON sidecar.

    Raises
    ------
    ReadError
        If it is not a JSON object in UTF-8.
    """
    return read_json(path, "JSON sidecar", nan=True)  # some converters write NaN for unknown
