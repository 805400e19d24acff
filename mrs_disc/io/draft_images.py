"""The image that a draft proposes to draw the voxels on: a sagittal T2 series, no localizer."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

_LOCALIZER = re.compile(r"loc|scout|survey|plan|aahead|3-?plane|cal(ib)?", re.IGNORECASE)
_TAGS = [
    "SeriesInstanceUID",
    "SeriesDescription",
    "ProtocolName",
    "ImageOrientationPatient",
    "ImageType",
    "EchoTime",
    "RepetitionTime",
]


@dataclass(slots=True)
class _Series:
    first: Path
    n_slices: int = 1
    words: str = ""
    sagittal: bool = False
    t2: bool = False
    placed: bool = False


def propose_anatomy(folder: Path, files: list[Path]) -> tuple[str, str] | None:
    """Return the path (relative, of a file or a folder) and why it is proposed; `None` for none."""
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
    fits = [s for s in series.values() if s.placed and not _LOCALIZER.search(s.words)]
    fits = [s for s in fits if s.sagittal]
    if not fits:
        return None
    best = max(fits, key=lambda s: (s.t2, s.n_slices, s.first.as_posix()))
    alone = len(places[best.first.parent]) == 1 and best.first.parent != folder
    dicom = ".nii" not in best.first.name.lower()
    path = best.first.parent if dicom and alone else best.first
    kind = "sagittal T2" if best.t2 else "sagittal image"
    return path.relative_to(folder).as_posix(), f"{kind}, {best.n_slices} slices"


def _dicom(path: Path) -> tuple[str, _Series] | None:
    import pydicom

    try:
        d: Any = pydicom.dcmread(path, specific_tags=_TAGS, stop_before_pixels=True)
        uid = str(d.get("SeriesInstanceUID") or path)
        words = f"{d.get('SeriesDescription', '')} {d.get('ProtocolName', '')}"
        echo, repetition = (float(d.get(k) or 0) for k in ("EchoTime", "RepetitionTime"))
        direction = d.get("ImageOrientationPatient")
        row, column = np.reshape([float(v) for v in direction or [0.0] * 6], (2, 3))
    except Exception:  # one broken image does not spoil a draft
        return None
    sagittal = abs(float(np.cross(row, column)[0])) > 0.7
    t2 = bool(re.search(r"t2", words, re.IGNORECASE)) or (echo > 60 and repetition > 1500)
    return uid, _Series(path, 1, words, sagittal, t2, bool(direction))


def _nifti(path: Path) -> tuple[str, _Series] | None:
    import nibabel

    try:
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
