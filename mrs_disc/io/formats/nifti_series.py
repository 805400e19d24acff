"""What a NIfTI-MRS header says of each transient, against what it says of all of them.

Entries of a dimension stand in ``dim_6_header``: a list with a value for each index, or ``{"start":
…, "increment": …}``. Transients of several protocols may not be averaged, whichever way it is said.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from mrs_disc.io.formats.scan import MAX_SIGNAL_BYTES, number
from mrs_disc.record.findings import Finding, finding
from mrs_disc.typing import ComplexArray

TRANSIENT_TAGS = ("DIM_DYN", "DIM_MEAS")
_OF_THE_PROTOCOL = (
    "EchoTime",
    "RepetitionTime",
    "InversionTime",
    "MixingTime",
    "ExcitationFlipAngle",
    "FlipAngle",
    "TxOffset",
    "SpectrometerFrequency",
    "SpecFreqChemShift",
    "ResonantNucleus",
    "AcquisitionStartTime",
    "EditCondition",
    "EditPulse",
)
"""Entries that may not change along transients that are averaged."""
_APART = {"SpectrometerFrequency": 1e-5}
"""Relative difference of two transients, where it is not 1e-3: a drift stays below."""


def first_of(value: Any) -> Any:
    """Return the first of a list, or what is none."""
    return value[0] if isinstance(value, (list, tuple)) and value else value


def is_number(value: object) -> bool:
    """Say whether a JSON value is a number; true and false are none."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def along_transients(
    samples: ComplexArray, facts: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, tuple[float, ...]]]:
    """Return the entries with those that all transients share, and those that change along them.

    An entry is a list, or ``{"start": …, "increment": …}``, either of them also under ``Value``.
    """
    found, varying = dict(facts), dict[str, tuple[float, ...]]()
    for n in (5, 6, 7):
        header = facts.get(f"dim_{n}_header")
        if facts.get(f"dim_{n}") not in TRANSIENT_TAGS or not isinstance(header, dict):
            continue
        size = samples.shape[n - 1] if samples.ndim >= n else 1
        for key in _OF_THE_PROTOCOL:
            values = _values(header.get(key), size)
            numbers = sorted({float(v) for v in values if is_number(v)})
            steps = np.diff(numbers) > _APART.get(key, 1e-3) * np.abs(numbers[1:])
            if len(numbers) > 0 and all(is_number(v) for v in values):
                stated = number(first_of(facts.get(key)))
                if steps.any() or not _agree(stated, numbers[0]):
                    varying[key] = tuple(sorted({*numbers, *([stated] if stated else [])}))
                else:
                    found.setdefault(key, numbers[0])
            elif len({json.dumps(v, sort_keys=True) for v in values}) > 1:
                varying[key] = ()
    return found, varying


def _agree(stated: float | None, each: float) -> bool:
    return stated is None or math.isclose(stated, each, rel_tol=1e-3, abs_tol=1e-9)


def lengths(samples: ComplexArray, facts: Mapping[str, Any]) -> Iterator[Finding]:
    """Find lists along a dimension that say more or less than the dimension holds."""
    for n in (5, 6, 7):
        header = facts.get(f"dim_{n}_header")
        size = samples.shape[n - 1] if samples.ndim >= n else 1
        for key, entry in (header if isinstance(header, dict) else {}).items():
            values = _values(entry, size)
            if values and len(values) != size:
                name = key if key in _OF_THE_PROTOCOL else "a list"
                yield finding("list_of_other_length", key=name, n=len(values), size=size, axis=n)


def listed(facts: Mapping[str, Any]) -> Iterator[Finding]:
    """Find several frequencies for one nucleus: the first counts."""
    told, nuclei = facts.get("SpectrometerFrequency"), facts.get("ResonantNucleus")
    if not isinstance(told, list) or not told:
        return
    n_nuclei = len(nuclei) if isinstance(nuclei, list) else 1
    if len(told) > n_nuclei and any(v != told[0] for v in told[1:]):
        yield finding("several_frequencies", mhz=number(told[0]), n=len(told))


def _values(entry: Any, size: int) -> list[Any]:
    """Return what a header says of each index of a dimension; nothing where it is silent."""
    if isinstance(entry, dict):
        if "Value" in entry:
            return _values(entry["Value"], size)
        start, step = number(entry.get("start")), number(entry.get("increment"))
        if start is None or step is None:
            return []
        return [start + step * i for i in range(min(size, MAX_SIGNAL_BYTES // 2048))]
    return entry if isinstance(entry, list) else []
