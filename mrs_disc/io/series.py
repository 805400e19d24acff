"""DICOM files of a folder by the series that they belong to, as an archive gives them out."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

from mrs_disc.errors import InputError, ReadError
from mrs_disc.io.formats.dicom import sop_class
from mrs_disc.io.images import dicom_header
from mrs_disc.words import harmless

_TAGS = (
    "SeriesInstanceUID",
    "SeriesNumber",
    "SeriesDescription",
    "PatientName",
    "PatientID",
    "Rows",
)
_DIRECTORY = "1.2.840.10008.1.3.10"
"""Class of DICOMDIR, which belongs to no series."""


MAX_FILES = 50_000
"""Files that a folder may hold, with all folders in it."""


def files_below(folder: Path) -> list[Path]:
    """Return the files of a folder and of the folders in it, in order; none that is hidden.

    Raises
    ------
    InputError
        If there are more than `MAX_FILES`.
    """
    found: list[Path] = []
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(f for f in folders if not f.startswith("."))
        paths = (Path(place) / n for n in sorted(names) if not n.startswith("."))
        found += [path for path in paths if path.name.isprintable() and path.is_file()]
        if len(found) > MAX_FILES:
            raise InputError(f"{folder.name}: more than {MAX_FILES} files; name a smaller folder")
    return found


def dicom_series(paths: Iterable[Path], spectra: Collection[Path]) -> list[dict[str, Any]]:
    """Return the series of DICOM files, by number, ready for JSON.

    Parameters
    ----------
    paths : iterable of Path
        Files; what is no DICOM file, or has a broken header, is passed over.
    spectra : collection of Path
        Those of them that hold spectroscopy.

    Returns
    -------
    list of dict
        ``{number, description, n_files, holds}``; `holds` is ``spectroscopy``, ``image`` or
        ``other`` (a report, a presentation state). A number or description that is absent is
        `None`, and so is a description that shares a word with the patient's name or id.
    """
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for path in paths:
        try:
            uid, header = sop_class(path), dicom_header(path, *_TAGS)
        except ReadError:  # may not be opened
            continue
        if uid is None or header is None or uid == _DIRECTORY:
            continue
        holds = "spectroscopy" if path in spectra else "image" if "Rows" in header else "other"
        entry = {"number": _number(header), "description": _description(header), "n_files": 0}
        series = str(header.get("SeriesInstanceUID"))
        found.setdefault((series, holds), {**entry, "holds": holds})["n_files"] += 1
    return [found[key] for key in sorted(found, key=lambda k: _place(k, found[k]["number"]))]


def _place(key: tuple[str, str], number: int | None) -> tuple[bool, int, tuple[str, str]]:
    return number is None, number or 0, key


def _number(header: Any) -> int | None:
    try:
        return int(header.get("SeriesNumber"))
    except (TypeError, ValueError):
        return None


def _description(header: Any) -> str | None:
    """Return the description, unless it names the patient: it is free text that people type."""
    try:
        text = harmless(header.get("SeriesDescription") or "", 64).strip()
        person = f"{header.get('PatientName') or ''} {header.get('PatientID') or ''}"
    except (TypeError, ValueError):
        return None
    names = {w for w in re.split(r"[\W_]+", person.casefold()) if len(w) > 2}
    words = set(re.split(r"[\W_]+", text.casefold()))
    return text if text and not names & words else None
