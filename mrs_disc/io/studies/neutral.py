"""Ids that name nobody: what a folder is called in outputs where its owner gave no id.

Scanner exports lie in folders that bear the patient's name, and a folder's name would come to stand
in every output. So a name is taken for an id only where it is a code (``sub-01``, ``p12``,
``lumbar_sdat``); all others give way to one that is made of the content: the same files have the
same id wherever they lie. Whether a word is a name cannot be known, so a word that is not of the
vocabulary below counts as one: a needless neutral id costs a look at the terminal.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable
from pathlib import Path

from mrs_disc.errors import ReadError
from mrs_disc.files import opened
from mrs_disc.io.names import format_suffix

_TECHNICAL = frozenset(
    """
    acceptable after anonymised anonymized anonymous asymptomatic bad baseline batch before bids
    bruker canon case cases cervical code cohort control controls copy data dataset demo dicom
    disc discs eight example export first five folder followup four good group healthy home laser
    left level levels lumbar month new nifti nine old one pain painful painless participant pat
    patient patients person phantom philips pilot poor press pseudonym raw repeat retest right
    sample samples scan scans sdat second semilaser series ses session seven siemens simulated
    site six slaser spar special spectra spectroscopy spectrum spinal spine steam studies study
    sub subject subjects ten test tests third thoracic three twix two visit volunteer water week
    whole year
    """.split()  # noqa: SIM905 - a table of 100 lines otherwise
)
"""Words that a code may hold; lower case."""
_WORD = re.compile(r"[A-Z]?[^\W\d_A-Z]+|[A-Z]+(?![^\W\d_A-Z])|[^\W\d_]+|\d+")
_DATE = re.compile(
    r"(?<!\d)((19|20)\d\d[-_. ]?(0[1-9]|1[0-2])[-_. ]?(0[1-9]|[12]\d|3[01])"
    r"|(0[1-9]|[12]\d|3[01])[-_. ]?(0[1-9]|1[0-2])[-_. ]?(19|20)\d\d)(?!\d)"
)
_SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_MOST_DIGITS = 5
"""Longer numbers are those of hospitals."""
_PIECE = 1 << 18
_MOST_FILES = 4_096


def is_code(name: str) -> bool:
    """Say whether a folder's name is a code, so that it may stand in outputs.

    >>> [is_code(name) for name in ("sub-01", "p12", "lumbar_sdat", "two", "HC07")]
    [True, True, True, True, True]
    >>> [is_code(name) for name in ("Doe_Jane", "Kim", "case_19610713", "7734100")]
    [False, False, False, False]
    """
    if not _SAFE.fullmatch(name) or _DATE.search(name):
        return False
    unknown = _unknown(name)
    numbers = [word for word in _WORD.findall(name) if word.isdecimal()]
    if any(len(number) > _MOST_DIGITS for number in numbers):
        return False
    return not unknown or (len(unknown) == 1 and len(unknown[0]) <= 3 and bool(numbers))


def resembles_a_person(name: str) -> bool:
    """Say whether an id that its owner chose looks like a name or a date of birth.

    >>> [resembles_a_person(name) for name in ("sub-HansMueller", "sub-19610713", "Doe^Jane")]
    [True, True, True]
    >>> [resembles_a_person(name) for name in ("sub-01", "sub-NDARINV12", "cohort-Basel-07")]
    [False, False, False]
    """
    return bool(_DATE.search(name)) or sum(len(word) >= 3 for word in _unknown(name)) > 1


def _unknown(name: str) -> list[str]:
    """Return the words of a name that are not of the trade; single letters are none."""
    words = [word for word in _WORD.findall(name) if not word.isdecimal() and len(word) > 1]
    return [word for word in words if word.lower() not in _TECHNICAL]


def neutral_id(files: Iterable[Path]) -> str:
    """Return an id from the content of files: of size, first and last 256 kB of each.

    Neither names nor order count. What cannot be read is left out.
    """
    pieces = []
    for path in list(files)[:_MOST_FILES]:
        try:
            with opened(path, "any") as file:
                size = os.fstat(file.fileno()).st_size
                content = file.read(_PIECE) or b""
                file.seek(max(size - _PIECE, 0))
                content += file.read(_PIECE) or b""
        except (ReadError, OSError):
            continue
        pieces.append(hashlib.sha256(b"%d\0" % size + content).digest())
    return f"study-{hashlib.sha256(b''.join(sorted(pieces))).hexdigest()[:8]}"


def files_in(folder: Path) -> list[Path]:
    """Return the files of a folder that describes no study which can be read."""
    found = []
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found += [Path(place, name) for name in sorted(names) if not name.startswith(".")]
        if len(found) > _MOST_FILES:
            break
    return found


def without_names(text: str, folder: Path) -> str:
    """Return a message about a study's folder without the names that are no codes.

    The folder's own, those of the files in it, and the path to it become an ellipsis.
    """
    names = {str(folder), str(folder.absolute()), str(folder.parent), str(folder.absolute().parent)}
    names = {name for name in names if os.sep in name}
    for path in (folder, *files_in(folder)):
        stem = path.name.removesuffix(format_suffix(path))
        if not is_code(stem):
            names |= {path.name, stem}
    for name in sorted(names, key=len, reverse=True):
        if len(name) > 3:
            text = text.replace(name, "…")
    return text
