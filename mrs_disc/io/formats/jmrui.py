"""jMRUI text (.txt) and binary (.mrui) as measured data; `jmrui_file` says how they look.

Own reader: spec2nii 0.8.15 takes the frequency of the binary form in hertz for megahertz, and goes
by the suffix of the name.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np

from mrs_disc.constants import GAMMA_1H_MHZ_PER_T
from mrs_disc.errors import ReadError
from mrs_disc.io.formats.scan import Scan, head, megahertz, number, positive, read_only, whole
from mrs_disc.io.names import level_in, names_water
from mrs_disc.jmrui_file import HEADER_BYTES, is_jmrui, parse_jmrui
from mrs_disc.record.findings import finding, unread

FORMAT = "jmrui"
_NUCLEI = {1: "1H", 2: "31P", 3: "13C", 4: "19F", 5: "23Na"}
_LATEST_MS = 100.0
"""A begin further from the echo than this is taken for none."""


def sniff(path: Path) -> bool:
    """Say whether the content starts as jMRUI text, or holds the numbers of a binary header."""
    return is_jmrui(head(path, HEADER_BYTES))


def read(path: Path) -> Scan:
    """Read either form.

    Raises
    ------
    ReadError
        If the samples are fewer than the header says, a required entry is absent, or the names of
        its signals are those of several levels.
    """
    found = parse_jmrui(path, whole(path, "jMRUI text"))
    mhz, _ = megahertz(found.frequency)
    dwell = positive(found.interval_ms, 1e-3)
    if mhz is None or dwell is None:
        lacks = "TransmitterFrequency" if mhz is None else "SamplingInterval"
        raise ReadError(path, f"its header has no valid {lacks}, which is required")
    begin = number(found.begin_ms)
    if begin is not None and abs(begin) > _LATEST_MS:
        begin = None
    n = found.signals.shape[0]
    levels = sorted({level for name in found.names if (level := level_in(name)) is not None})
    if len(levels) > 1:
        raise unread(path, finding("signals_of_levels", n=n, levels=levels))
    is_water = np.array([names_water(name) for name in found.names] or [False] * n)
    if is_water.all():
        is_water[:] = False
    field_t = positive(found.field_t)
    scan = Scan(
        format=FORMAT,
        reader="jmrui",
        signal=read_only(found.signals[None, ~is_water]),
        nucleus=_nucleus(found.nucleus, mhz, field_t),
        spectrometer_mhz=mhz,
        dwell_time_s=dwell,
        start_time_s=(begin or 0.0) * 1e-3,
        field_strength_t=field_t,
        level_hint=levels[0] if levels else None,
        findings=(finding("signals_as_transients", n=n),) if n > 1 else (),
    )
    if not is_water.any():
        return scan
    water = replace(scan, signal=read_only(found.signals[None, is_water]), water_suppressed=False)
    return replace(scan, water=water)


def _nucleus(told: object, mhz: float, field_t: float | None) -> str | None:
    """Return the nucleus: the header's word or number, else by frequency over field."""
    word = str(told or "").strip()
    if re.fullmatch(r"\d{1,3}[A-Z][a-z]?", word):
        return word
    if (index := number(word)) is not None and int(index) in _NUCLEI:
        return _NUCLEI[int(index)]
    if field_t and abs(mhz / field_t / GAMMA_1H_MHZ_PER_T - 1) < 0.1:
        return "1H"
    return None
