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
    acceptable after anonymised anonymized anonymous arm asymptomatic avg back bad baseline
    batch before bids block bruker canon case cases cervical clbp clinic clinical code cohort
    control controls copy ctl ctrl data dataset day ddd degenerated demo dev dicom disc discs
    effect eight example export female first five folder followup four fusion good group hc
    healthy hernia herniated home id ivd lab laser lbp left level levels low lumbago lumbar main
    male mild moderate month mri mrs multi new nifti nine no nr number old one ortho pain
    painful painless participant pat patho patient patients person pfirrmann phantom phase
    philips pid pilot poor post postop pre preop press pseudonym pt raw ref reference repeat
    replicate retest right sample samples scan scans sciatica sdat second semilaser series ses
    session seven severe siemens simulated single site six slaser spar special spectra
    spectroscopy spectrum spinal spine steam studies study sub subject subjects surgery svs
    symptomatic te tech ten test tests third thoracic three tr train trial twix two unit
    validation visit vol volunteer water wave week whole year
    """.split()  # noqa: SIM905 - a table of 100 lines otherwise
)
"""Words that a code may hold; lower case."""
_WORD = re.compile(r"[A-Z]?[^\W\d_A-Z]+|[A-Z]+(?![^\W\d_A-Z])|[^\W\d_]+|\d+")
_NAME = re.compile(r"[A-Z][^\W\d_A-Z]+|[^\x00-\u024f]+")
"""A word as names are written: with a capital, or of a script without Latin letters."""
_VOWEL = re.compile(r"[aeiouy\u00c0-\uffff]", re.IGNORECASE)
_OF_PERSONS = frozenset(
    ["case", "p", "participant", "pat", "patient", "person", "ses", "sub", "subject", "volunteer"]
)
"""Words that stand before a person's name."""
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

    A short word beside a number is one where nobody can pronounce it, as HC or LBP.

    >>> [is_code(name) for name in ("sub-01", "p12", "lumbar_sdat", "two", "HC07")]
    [True, True, True, True, True]
    >>> [is_code(name) for name in ("Doe_Jane", "Kim", "Kim01", "case_19610713", "7734100")]
    [False, False, False, False, False]
    """
    if not _SAFE.fullmatch(name) or _DATE.search(name):
        return False
    unknown = _unknown(name)
    numbers = [word for word in _WORD.findall(name) if word.isdecimal()]
    if any(len(number) > _MOST_DIGITS for number in numbers):
        return False
    if len(unknown) == 1 and len(unknown[0]) <= 3:
        return bool(numbers) and not _NAME.fullmatch(unknown[0]) and not _VOWEL.search(unknown[0])
    return not unknown


def resembles_a_person(name: str) -> bool:
    """Say whether an id that its owner chose looks like a name or a date of birth.

    Two unknown words do, and one that is written as names are, with nothing beside it but a
    number and a word for persons.

    >>> [resembles_a_person(name) for name in ("sub-HansMueller", "sub-19610713", "Kim01")]
    [True, True, True]
    >>> [resembles_a_person(name) for name in ("sub-01", "sub-NDARINV12", "cohort-Basel-07")]
    [False, False, False]
    """
    unknown = _unknown(name)
    words = {word.lower() for word in _WORD.findall(name) if word.lower() in _TECHNICAL}
    alone = len(unknown) == 1 and words <= _OF_PERSONS
    written_so = [word for word in unknown if _NAME.fullmatch(word)]
    return (
        bool(_DATE.search(name))
        or any(not word.isascii() for word in written_so)
        or sum(len(word) >= 3 or word in written_so for word in unknown) > 1
        or (alone and bool(written_so) and bool(_VOWEL.search(unknown[0])))
    )


def _unknown(name: str) -> list[str]:
    """Return the words of a name that are not of the trade; single Latin letters are none."""
    words = [word for word in _WORD.findall(name) if not word.isdecimal()]
    words = [word for word in words if len(word) > 1 or not word.isascii()]
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
