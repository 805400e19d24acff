"""What a header says of one thing against what it says of another, whatever the format.

A time in another unit (30 us for 30 ms), a repetition shorter than the echo, a field that belongs
to another frequency: each is a number like any other until it is held against the rest. What cannot
be true counts as not said, and is named.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from mrs_disc.constants import GAMMA_1H_MHZ_PER_T
from mrs_disc.io.formats.scan import Scan
from mrs_disc.record.findings import Finding, finding

SHORTEST_ECHO_S = 1e-3
"""Below lies no echo of a localised 1H spectrum; as the user may give it."""
SHORTEST_REPETITION_S = 0.05
"""As the user may give it."""
_WITHOUT_ECHO = ("FID", "ISIS")
_FIELDS_APART = 0.06
"""Relative difference of field and frequency: "3 T" is 2.89 T on many scanners."""
_STIMULATED = ("STEAM", "other", "edited", None)
"""Sequences that may have a mixing time."""


def consistent(scan: Scan) -> Scan:
    """Return the scan without what its own header contradicts, which is noted."""
    changes: dict[str, Any] = {}
    noticed: list[Finding] = []
    echo_s, repetition_s = scan.echo_time_s, scan.repetition_time_s
    too_short = echo_s is not None and echo_s < SHORTEST_ECHO_S
    if too_short and scan.sequence not in _WITHOUT_ECHO and scan.nucleus in (None, "1H"):
        limits = {"low": SHORTEST_ECHO_S, "high": 1.0}
        noticed.append(finding("time_implausible", "echo_time_s", seconds=echo_s, **limits))
        changes["echo_time_s"] = echo_s = None
    if repetition_s is not None:
        least = max(SHORTEST_REPETITION_S, echo_s or 0.0)
        if repetition_s < least:
            limits = {"low": least, "high": 60.0}
            said = finding("time_implausible", "repetition_time_s", seconds=repetition_s, **limits)
            noticed.append(said)
            changes["repetition_time_s"] = None
    mhz, field_t = scan.spectrometer_mhz, scan.field_strength_t
    if mhz and field_t and scan.nucleus in (None, "1H"):
        of_frequency_t = mhz / GAMMA_1H_MHZ_PER_T
        if abs(field_t / of_frequency_t - 1) > _FIELDS_APART:
            values = {"field_t": field_t, "mhz": mhz, "taken_t": of_frequency_t}
            noticed.append(finding("field_contradicts", **values))
            changes["field_strength_t"] = None
    if scan.mixing_time_s and scan.sequence not in _STIMULATED:
        said = finding(
            "mixing_time_contradicts",
            "mixing_time_s",
            seconds=scan.mixing_time_s,
            sequence=scan.sequence,
        )
        noticed.append(said)
    if scan.water is not None:
        changes["water"] = consistent(scan.water)
    return replace(scan, **changes).noted(*noticed) if changes or noticed else scan
