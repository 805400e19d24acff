"""What a record is called at a prompt: its fields, an array by its shape, nothing over pages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

_LONGEST = 90
"""Characters of a field; what is longer is cut."""
_SMALL = 4
"""Numbers of an array that is shown whole."""


def brief(record: Any) -> str:
    """Return a record's name with one short line a field, whatever it holds.

    >>> from mrs_disc.record.sampling import Sampling
    >>> brief(Sampling(dwell_time_s=5e-4, spectrometer_mhz=123.2)).splitlines()[:2]
    ['Sampling(', '  dwell_time_s=0.0005,']
    """
    rows = [f"  {f.name}={_short(getattr(record, f.name))}," for f in fields(record) if f.repr]
    return "\n".join([f"{type(record).__name__}(", *rows, ")"])


def _short(value: Any) -> str:
    if isinstance(value, np.ndarray):
        if value.size <= _SMALL:
            return np.array2string(value, precision=4, separator=", ").replace("\n", "")
        return f"<{value.dtype} array, shape {value.shape}>"
    if is_dataclass(value):
        return f"{type(value).__name__}(…)"
    if isinstance(value, Mapping) and value:
        names = ", ".join(str(name) for name in value)
        return _cut(f"{{{names}}}")
    if isinstance(value, tuple) and value and is_dataclass(value[0]):
        return f"<{len(value)} {type(value[0]).__name__}>"
    return _cut(repr(value))


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
