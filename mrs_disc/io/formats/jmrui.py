"""jMRUI text (.txt) and binary (.mrui).

Five lines of the text; the binary form begins with 64 big-endian doubles, of which the second is
the number of points, the third the interval and the fourth the begin of the signal in ms, the sixth
the frequency in Hz::

    jMRUI Data Textfile
    PointsInDataset: 2048
    SamplingInterval: 2.5E-1
    TransmitterFrequency: 1.23253E8
    Signal 1 out of 1 in file

Own reader: spec2nii 0.8.15 takes the frequency of the binary form in hertz for megahertz, and goes
by the suffix of the name. The samples have this package's sign as they are stored.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from mrs_disc.constants import GAMMA_1H_MHZ_PER_T
from mrs_disc.errors import ReadError
from mrs_disc.io.formats.scan import Scan, head, megahertz, number, positive, read_only, whole
from mrs_disc.record.findings import finding
from mrs_disc.typing import ComplexArray

FORMAT = "jmrui"
_NUCLEI = {1: "1H", 2: "31P", 3: "13C", 4: "19F", 5: "23Na"}
_TITLE = b"jMRUI Data Textfile"
_SIGNAL = re.compile(r"^Signal\s+(?:number:\s*)?\d+\s+out of\s+\d+.*$", re.MULTILINE)
_LATEST_MS = 100.0
"""A begin further from the echo than this is taken for none."""


def sniff(path: Path) -> bool:
    """Say whether the content starts as jMRUI text, or holds the numbers of a binary header."""
    start = head(path, 512)
    return start.lstrip().startswith(_TITLE) or _binary_header(start) is not None


def read(path: Path) -> Scan:
    """Read either form.

    Raises
    ------
    ReadError
        If the samples are fewer than the header says, or a required entry is absent.
    """
    start = head(path, 512)
    return _text(path) if start.lstrip().startswith(_TITLE) else _binary(path, start)


def _text(path: Path) -> Scan:
    text = whole(path, "jMRUI text").decode("latin-1")
    blocks = _SIGNAL.split(text)
    values = {
        key: value.strip() for key, value in re.findall(r"^(\w+):[ \t]*(.*)$", blocks[0], re.M)
    }
    points = int(positive(values.get("PointsInDataset")) or 0)
    signals = int(positive(values.get("DatasetsInFile")) or 1)
    if len(blocks) - 1 < signals or not points:
        raise ReadError(path, f"holds {len(blocks) - 1} of {signals} signals: cut off?")
    rows: list[ComplexArray] = []
    for block in blocks[1:]:
        lines = [line.split()[:2] for line in block.splitlines() if line.strip()][:points]
        if len(lines) < points:
            raise ReadError(path, f"holds {len(lines)} of {points} points: cut off")
        try:
            table = np.array(lines, dtype=np.float64).reshape(points, 2)
        except ValueError as error:
            raise ReadError(path, "holds something else than numbers among its samples") from error
        rows.append(table.view(np.complex128)[:, 0])
    return _scan(
        path,
        np.stack(rows)[None],
        interval_ms=values.get("SamplingInterval"),
        begin_ms=values.get("BeginTime"),
        frequency=values.get("TransmitterFrequency"),
        field_t=values.get("MagneticField"),
        nucleus=values.get("TypeOfNucleus"),
    )


def _binary_header(start: bytes) -> np.ndarray[tuple[int], np.dtype[np.float64]] | None:
    if len(start) < 512:
        return None
    found = np.frombuffer(start, ">f8", 13)
    if not np.all(np.isfinite(found)):
        return None
    points, interval, frequency, field = found[1], found[2], found[5], found[6]
    plausible = (
        16 <= points < 1e7
        and points == int(points)
        and 1e-3 <= interval <= 20
        and 1e6 <= frequency < 1e10
        and 0 <= field < 30
    )
    return found.astype(np.float64) if plausible else None


def _binary(path: Path, start: bytes) -> Scan:
    header = _binary_header(start)
    if header is None:
        raise ReadError(path, "is no jMRUI file")
    raw = whole(path, "jMRUI text")
    points = int(header[1])
    frames = (len(raw) - 512) // (16 * points)
    if frames < 1:
        raise ReadError(path, f"holds less than one signal of {points} points: cut off")
    samples = np.frombuffer(raw, ">c16", frames * points, 512).reshape(1, frames, points)
    return _scan(
        path,
        samples,
        interval_ms=header[2],
        begin_ms=header[3],
        frequency=header[5],
        field_t=header[6],
        nucleus=header[7],
    )


def _scan(
    path: Path,
    samples: ComplexArray,
    *,
    interval_ms: object,
    begin_ms: object,
    frequency: object,
    field_t: object,
    nucleus: object,
) -> Scan:
    mhz, _ = megahertz(frequency)
    dwell = positive(interval_ms, 1e-3)
    if mhz is None or dwell is None:
        lacks = "TransmitterFrequency" if mhz is None else "SamplingInterval"
        raise ReadError(path, f"its header has no valid {lacks}, which is required")
    begin = number(begin_ms)
    if begin is not None and abs(begin) > _LATEST_MS:
        begin = None
    n = samples.shape[1]
    return Scan(
        format=FORMAT,
        reader="jmrui",
        signal=read_only(samples),
        nucleus=_nucleus(nucleus, mhz, positive(field_t)),
        spectrometer_mhz=mhz,
        dwell_time_s=dwell,
        start_time_s=(begin or 0.0) * 1e-3,
        field_strength_t=positive(field_t),
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
