"""jMRUI text (.txt) and binary (.mrui): what the file says, not yet what it means.

Five lines of the text; the binary form begins with 64 big-endian doubles, of which the second is
the number of points, the third the interval and the fourth the begin of the signal in ms, the sixth
the frequency in Hz::

    jMRUI Data Textfile
    PointsInDataset: 2048
    SamplingInterval: 2.5E-1
    TransmitterFrequency: 1.23253E8
    Signal 1 out of 1 in file

The samples have this package's sign as they are stored. It stands this low because basis sets and
measured data both come in it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mrs_disc.errors import ReadError
from mrs_disc.typing import ComplexArray

HEADER_BYTES = 512
_TITLE = b"jMRUI Data Textfile"
_SIGNAL = re.compile(r"^Signal\s+(?:number:\s*)?\d+\s+out of\s+\d+.*$", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class JmruiFile:
    """A jMRUI file.

    Parameters
    ----------
    signals : complex array, shape (signal, point)
        As stored.
    names : tuple of str
        Names of the signals, where the text gives one for each; else empty.
    interval_ms, begin_ms, frequency, field_t, nucleus : object
        Entries of the header as they stand, text or number; None where there is none.
    """

    signals: ComplexArray
    names: tuple[str, ...] = ()
    interval_ms: object = None
    begin_ms: object = None
    frequency: object = None
    field_t: object = None
    nucleus: object = None


def is_jmrui(start: bytes) -> bool:
    """Say whether the first `HEADER_BYTES` are those of a jMRUI file."""
    return start.lstrip().startswith(_TITLE) or _binary_header(start) is not None


def parse_jmrui(path: Path, content: bytes) -> JmruiFile:
    """Return what the content of a jMRUI file says; `path` names it in a `ReadError`.

    Raises
    ------
    ReadError
        If it is of neither form, or its samples are fewer than the header says.
    """
    if content.lstrip()[: len(_TITLE)] == _TITLE:
        return _text(path, content.decode("latin-1"))
    return _binary(path, content)


def _text(path: Path, text: str) -> JmruiFile:
    blocks = _SIGNAL.split(text)
    values = {
        key: value.strip() for key, value in re.findall(r"^(\w+):[ \t]*(.*)$", blocks[0], re.M)
    }
    points = _count(values.get("PointsInDataset"), 0)
    signals = _count(values.get("DatasetsInFile"), 1)
    if len(blocks) - 1 < signals or not points:
        raise ReadError(path, f"holds {len(blocks) - 1} of {signals} signals: cut off?")
    rows = np.stack([_samples(path, block, points) for block in blocks[1:]])
    names = _names(values.get("SignalNames", ""), len(rows))
    return JmruiFile(
        signals=rows,
        names=names,
        interval_ms=values.get("SamplingInterval"),
        begin_ms=values.get("BeginTime"),
        frequency=values.get("TransmitterFrequency"),
        field_t=values.get("MagneticField"),
        nucleus=values.get("TypeOfNucleus"),
    )


def _samples(path: Path, block: str, points: int) -> ComplexArray:
    lines = [line.split()[:2] for line in block.splitlines() if line.strip()][:points]
    if len(lines) < points:
        raise ReadError(path, f"holds {len(lines)} of {points} points: cut off")
    try:
        table = np.array(lines, dtype=np.float64).reshape(points, 2)
    except ValueError as error:
        raise ReadError(path, "holds something else than numbers among its samples") from error
    return np.asarray(table.view(np.complex128)[:, 0])


def _count(text: str | None, otherwise: int) -> int:
    try:
        found = float(text or "")
    except ValueError:
        return otherwise
    return int(found) if 1 <= found < 1e9 else otherwise


def _names(text: str, count: int) -> tuple[str, ...]:
    names: Sequence[str] = [name.strip() for name in text.strip("; ").split(";")]
    return tuple(names) if len(names) == count and all(names) else ()


def _binary_header(start: bytes) -> np.ndarray[tuple[int], np.dtype[np.float64]] | None:
    if len(start) < HEADER_BYTES:
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


def _binary(path: Path, content: bytes) -> JmruiFile:
    header = _binary_header(content[:HEADER_BYTES])
    if header is None:
        raise ReadError(path, "is no jMRUI file")
    points = int(header[1])
    frames = (len(content) - HEADER_BYTES) // (16 * points)
    if frames < 1:
        raise ReadError(path, f"holds less than one signal of {points} points: cut off")
    samples = np.frombuffer(content, ">c16", frames * points, HEADER_BYTES)
    return JmruiFile(
        signals=samples.reshape(frames, points).astype(np.complex128),
        interval_ms=header[2],
        begin_ms=header[3],
        frequency=header[5],
        field_t=header[6],
        nucleus=header[7],
    )
