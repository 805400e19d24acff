"""Plain text: two columns, real and imaginary part, one row per point.

Three lines, separated by blanks, tabs, commas or semicolons::

    # what begins with # or % is left out
    1.2345600e-02   -3.4567800e-03
    1.1111100e-02,  -2.2222200e-03

The form has no convention of sign and holds neither frequency nor dwell time; both have to be given
in study.toml. The values are taken in this package's sign, and turned over with a note where
the spectrum then lies mirrored.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from mrs_disc.errors import ReadError
from mrs_disc.io.formats.scan import Scan, head, read_only, whole
from mrs_disc.record.findings import finding

FORMAT = "plain-text"
_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eEdD][-+]?\d+)?"
_ROW = re.compile(rf"^\s*{_NUMBER}[\s,;]+{_NUMBER}\s*$")


def sniff(path: Path) -> bool:
    """Say whether the first rows are pairs of numbers, comments aside."""
    start = head(path)
    if b"\x00" in start:
        return False
    lines = start.decode("latin-1").splitlines()[:-1][:20]
    rows = [line for line in lines if line.strip() and not line.lstrip().startswith(("#", "%"))]
    return len(rows) >= 8 and all(_ROW.match(row) for row in rows)


def read(path: Path) -> Scan:
    """Read two columns of numbers."""
    text = whole(path, "text of a spectrum").decode("latin-1")
    rows = [re.split(r"[#%]", line)[0] for line in text.splitlines()]
    words = re.sub(r"[,;]", " ", " ".join(rows)).replace("D", "E").split()
    try:
        values = np.array(words, dtype=np.float64)
    except ValueError as error:
        raise ReadError(path, "holds something else than two columns of numbers") from error
    if values.size % 2:
        raise ReadError(path, f"holds {values.size} numbers, which are no pairs: cut off?")
    return Scan(
        format=FORMAT,
        reader="text",
        signal=read_only(values.view(np.complex128).reshape(1, 1, -1)),
        findings=(finding("sign_assumed"),),
    )
