"""LCModel RAW: Fortran namelists, then pairs of numbers; basis sets and measured data alike.

Source: LCModel manual (Provencher), sections on RAW files and MakeBasis: namelists ``SEQPAR`` and
``NMID``, then pairs of numbers in the format that ``FMTDAT`` gives. The values lie as in a
NIfTI-MRS file (found on real files), so that they are conjugated here. It stands this low because
models and readers both need it, and a reader should not wait for the models' schemas (0.1 s).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mrs_disc.errors import ReadError
from mrs_disc.files import read_bytes
from mrs_disc.typing import ComplexArray

_NAMELIST = re.compile(r"[$&](\w+)(.*?)(?:[$&]END\b|(?<!\S)/\s*$)", re.DOTALL | re.I | re.M)
_ENTRY = re.compile(r"(\w+)\s*=\s*('[^']*'|[^,\s]+)")
_FORMAT = re.compile(r"\(?\s*(\d+)\s*[EFGD]\s*(\d+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RawFile:
    """A LCModel RAW file: the FID as stored, in this package's sign, and the header.

    `header` holds the namelist entries, keys in lower case, strings without quotes.
    """

    fid: ComplexArray
    header: dict[str, str]

    def number(self, *names: str) -> float | None:
        """Return the first of these entries that is a number above zero."""
        for name in names:
            try:
                value = float(self.header[name].lower().replace("d", "e"))
            except (KeyError, ValueError):
                continue
            if 0 < value < np.inf:
                return value
        return None

    @property
    def dwell_time_s(self) -> float | None:
        """Dwell time in s, where the file says it."""
        return self.number("deltat", "dwelltime")


def is_lcmodel_raw(head: bytes) -> bool:
    """Say whether a file that starts with `head` is LCModel RAW."""
    return re.search(rb"[$&]NMID\b", head, re.IGNORECASE) is not None


def read_lcmodel_raw(path: Path) -> RawFile:
    """Read a LCModel RAW file.

    Raises
    ------
    ReadError
        If the file is not of that form, or holds something else than pairs of finite numbers.
    """
    return parse_lcmodel_raw(path, read_bytes(path, "LCModel RAW"))


def parse_lcmodel_raw(path: Path, content: bytes) -> RawFile:
    """Return what the content of a LCModel RAW file says; `path` names it in a `ReadError`."""
    text = content.decode("latin-1")
    header: dict[str, str] = {}
    end = 0
    for namelist in _NAMELIST.finditer(text):
        if re.search(r"[$&]\w+", text[end : namelist.start()]):
            break
        header |= {k.lower(): v.strip("'").strip() for k, v in _ENTRY.findall(namelist[2])}
        end = namelist.end()
        if namelist[1].upper() == "NMID":
            break
    else:
        raise ReadError(path, "holds no $NMID ... $END header, which LCModel RAW begins with")
    values = numbers(path, text[end:], header.get("fmtdat", ""))
    if values.size == 0 or values.size % 2:
        raise ReadError(
            path, f"holds {values.size} numbers, but complex points come in pairs: cut short?"
        )
    fid: ComplexArray = np.conj(values.view(np.complex128))
    return RawFile(fid=fid, header=header)


def numbers(path: Path, body: str, fmtdat: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return the numbers after the header; columns of fixed width may touch."""
    words = body.split()
    try:
        return np.array(words, dtype=np.float64)
    except ValueError:
        pass
    if not (form := _FORMAT.search(fmtdat)):
        raise ReadError(path, "holds something else than numbers after its header")
    width = int(form[2])
    fields = (
        line[start : start + width]
        for line in body.splitlines()
        for start in range(0, len(line.rstrip()), width)
    )
    try:
        return np.array([float(f.replace("D", "E")) for f in fields if f.strip()])
    except ValueError:
        raise ReadError(path, "holds something else than numbers after its header") from None
