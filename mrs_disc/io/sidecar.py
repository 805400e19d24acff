"""JSON sidecars of NIfTI files, as BIDS and dcm2niix write them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mrs_disc.errors import ReadError

_MAX_SIDECAR_BYTES = 4_000_000


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
    try:
        if path.stat().st_size > _MAX_SIDECAR_BYTES:
            raise ReadError(path, "is too large for a JSON sidecar")
        found = json.loads(path.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        raise ReadError(path, f"cannot be read ({error.strerror or error})") from error
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise ReadError(path, f"is not a JSON sidecar ({error})") from error
    if not isinstance(found, dict):
        raise ReadError(path, "is not a JSON object")
    return found
