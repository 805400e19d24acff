"""Functional groups of enhanced DICOM objects: what holds for all frames, and for each."""

from __future__ import annotations

from typing import Any

from mrs_disc.io.formats.scan import number

_OF_FRAMES = (
    ("EchoTime", "MREchoSequence", "EffectiveEchoTime"),
    ("RepetitionTime", "MRTimingAndRelatedParametersSequence", "RepetitionTime"),
    ("FlipAngle", "MRTimingAndRelatedParametersSequence", "FlipAngle"),
    ("ImagePositionPatient", "PlanePositionSequence", "ImagePositionPatient"),
    ("ImageOrientationPatient", "PlaneOrientationSequence", "ImageOrientationPatient"),
)
"""What may not change along the frames of one object, and the functional group that holds it."""


def along_frames(dataset: Any) -> dict[str, tuple[float, ...]]:
    """Return what changes from frame to frame, and the numbers that it takes where it is one."""
    frames = list(dataset.get("PerFrameFunctionalGroupsSequence", None) or [])
    varying: dict[str, tuple[float, ...]] = {}
    for key, sequence, name in _OF_FRAMES:
        told = [items[0].get(name) for frame in frames if (items := frame.get(sequence))]
        seen = {str(value) for value in told if value is not None}
        if len(seen) > 1:
            numbers = sorted({n for value in told if (n := number(value)) is not None})
            varying[key] = tuple(numbers)
    return varying


def group(dataset: Any, sequence: str, name: str) -> Any:
    """Return an attribute of the functional groups: of the first frame, else the shared one."""
    for place in ("PerFrameFunctionalGroupsSequence", "SharedFunctionalGroupsSequence"):
        groups = dataset.get(place)
        if groups and (items := groups[0].get(sequence)):
            value = items[0].get(name)
            if value is not None and value != "":
                return value
    return None
