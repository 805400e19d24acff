"""The image that a draft proposes to draw the voxels on: a sagittal T2 series, no localizer."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mrs_disc.io.images import dicom_header
from mrs_disc.record.findings import Finding, finding

_LOCALIZER = re.compile(r"loc|scout|survey|plan|aahead|3-?plane|cal(ib)?", re.IGNORECASE)
_TAGS = (
    "SeriesInstanceUID",
    "SeriesDescription",
    "ProtocolName",
    "ImageOrientationPatient",
    "EchoTime",
    "RepetitionTime",
)


@dataclass(slots=True)
class _Series:
    first: Path
    n_slices: int = 1
    words: str = ""
    sagittal: bool = False
    t2: bool = False
    placed: bool = False


@dataclass(frozen=True, slots=True)
class Proposed:
    """The image that is proposed: its path in the folder, of a file or a folder, and why."""

    path: str
    finding: Finding


def propose_anatomy(folder: Path, files: list[Path]) -> Proposed | None:
    """Return the longest sagittal series that is no localizer, T2-weighted before others.

    Heuristic, from the names that makers and sites give to localizers, and from the contrast that
    discs are read on; an export without names and echo times leaves the number of slices.
    """
    series: dict[str, _Series] = {}
    places: dict[Path, set[str]] = defaultdict(set)
    for path in files:
        found = _nifti(path) if ".nii" in path.name.lower() else _dicom(path)
        if found is None:
            continue
        uid, item = found
        known = series.setdefault(uid, item)
        if known is not item:
            known.n_slices += 1
        places[path.parent].add(uid)
    fits = [s for s in series.values() if s.placed and s.sagittal]
    fits = [s for s in fits if not _LOCALIZER.search(s.words)]
    if not fits:
        return None
    best = max(fits, key=lambda s: (s.t2, s.n_slices, s.first.as_posix()))
    alone = len(places[best.first.parent]) == 1 and best.first.parent != folder
    dicom = ".nii" not in best.first.name.lower()
    path = best.first.parent if dicom and alone else best.first
    plane = "sagittal T2" if best.t2 else "sagittal image"
    why = finding("anatomy_proposed", plane=plane, n_slices=best.n_slices)
    return Proposed(path.relative_to(folder).as_posix(), why)


def _dicom(path: Path) -> tuple[str, _Series] | None:
    if (header := dicom_header(path, *_TAGS)) is None:
        return None
    try:
        uid = str(header.get("SeriesInstanceUID") or path)
        words = f"{header.get('SeriesDescription', '')} {header.get('ProtocolName', '')}"
        echo, repetition = (float(header.get(k) or 0) for k in ("EchoTime", "RepetitionTime"))
        direction = header.get("ImageOrientationPatient")
        row, column = np.reshape([float(v) for v in direction or [0.0] * 6], (2, 3))
    except (TypeError, ValueError):  # one broken image does not spoil a draft
        return None
    sagittal = abs(float(np.cross(row, column)[0])) > 0.7
    t2 = bool(re.search(r"t2", words, re.IGNORECASE)) or (echo > 60 and repetition > 1500)
    return uid, _Series(path, 1, words, sagittal, t2, bool(direction))


def _nifti(path: Path) -> tuple[str, _Series] | None:
    import nibabel
    import nibabel.imageglobals

    try:
        with nibabel.imageglobals.LoggingOutputSuppressor():  # it mends headers aloud
            image: Any = nibabel.load(path)
        if len([n for n in image.shape if n > 1]) not in (2, 3):
            return None
        slices = int(min(image.shape[:3]))
        thick = int(np.argmin(image.shape[:3]))
        normal = np.abs(np.asarray(image.affine)[:3, thick])
    except Exception:  # one broken image does not spoil a draft
        return None
    words = path.name
    sagittal = bool(normal[0] >= 0.7 * np.linalg.norm(normal))
    return str(path), _Series(path, slices, words, sagittal, "t2" in words.lower(), True)
