"""jMRUI text (.txt) and binary (.mrui) as measured data; `jmrui_file` says how they look.

Own reader: spec2nii 0.8.15 takes the frequency of the binary form in hertz for megahertz, and goes
by the suffix of the name.
"""

from __future__ import annotations

import re
from pathlib import Path

from mrs_disc.constants import GAMMA_1H_MHZ_PER_T
from mrs_disc.errors import ReadError
from mrs_disc.io.formats.scan import Scan, head, megahertz, number, positive, read_only, whole
from mrs_disc.jmrui_file import HEADER_BYTES, is_jmrui, parse_jmrui
from mrs_disc.record.findings import finding

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
        If the samples are fewer than the header says, or a required entry is absent.
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
    field_t = positive(found.field_t)
    return Scan(
        format=FORMAT,
        reader="jmrui",
        signal=read_only(found.signals[None]),
        nucleus=_nucleus(found.nucleus, mhz, field_t),
        spectrometer_mhz=mhz,
        dwell_time_s=dwell,
        start_time_s=(begin or 0.0) * 1e-3,
        field_strength_t=field_t,
        findings=(finding("signals_as_transients", n=n),) if n > 1 else (),
    )


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
