"""What a file's or a series' name tells: disc level, water reference, run."""

from __future__ import annotations

import re
from pathlib import Path

from mrs_disc.errors import InputError

COMPANIONS = (".spar", ".list")
"""Endings of the files that hold the parameters of the samples beside them."""

_LEVEL = re.compile(r"(?<![A-Za-z0-9])([CTL]\d{1,2}[-_/ ]?[CTLS]?\d{1,2})(?![A-Za-z0-9])", re.I)
_WATER = re.compile(
    r"(?<![a-z])(w?ref\d*|mrsref|wref\w*|water|wat|w|nws|now?s|nosupp?|unsupp?(ressed)?|wunsup|h2o)"
    r"(?![a-z])",
    re.IGNORECASE,
)
_RUN = re.compile(r"(?<![a-z])run[-_ ]?(\d{1,2})(?!\d)", re.IGNORECASE)


def level_in(*texts: object) -> str | None:
    """Return the one level that names hold; `None` where they hold none, or several.

    >>> level_in("L4-L5_press"), level_in("svs_l5s1_ref"), level_in("t2_tse_sag")
    ('L4-L5', 'L5-S1', None)
    """
    spelt = [_LEVEL.findall(re.sub(r"[_-]", " ", str(text or ""))) for text in texts]
    words = [w for words in spelt for word in words for w in (word, word.replace(" ", ""))]
    if not words:
        return None
    from mrs_disc.data import parse_level  # the records cost 25 ms, and most names hold no level

    found = set()
    for word in words:
        try:
            found.add(parse_level(word))
        except InputError:
            continue
    return found.pop() if len(found) == 1 else None


def names_water(text: str) -> bool:
    """Say whether a name tells of an unsuppressed water reference.

    >>> names_water("l45_ref"), names_water("L4-L5_press")
    (True, False)
    """
    return _WATER.search(text.replace("_", " ")) is not None


def run_in(text: str) -> int:
    """Return the run that a name holds; 1 where it holds none.

    >>> run_in("L4-L5_run-2_press"), run_in("L4-L5_press")
    (2, 1)
    """
    match = _RUN.search(text)
    return int(match.group(1)) if match else 1


def format_suffix(path: Path) -> str:
    """Return the suffix where it is one of a format and not a part of a name or a pattern."""
    name = path.name
    if name.lower().endswith(".nii.gz"):
        return name[-7:]
    suffix = path.suffix
    return suffix if suffix[1:].isalnum() and len(suffix) <= 6 else ""
