"""Disc levels and their one spelling."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import pairwise

from mrs_disc.errors import InputError, did_you_mean

_CHAIN = (
    *(f"C{n}" for n in range(2, 8)),
    *(f"T{n}" for n in range(1, 13)),
    *(f"L{n}" for n in range(1, 6)),
    "S1",
)
LEVELS: tuple[str, ...] = (
    *(f"{upper}-{lower}" for upper, lower in pairwise(_CHAIN)),
    "L5-L6",
    "L6-S1",
)
"""Disc levels from head to foot; the last two exist in a transitional spine."""

REGIONS: dict[str, tuple[str, ...]] = {
    "cervical": LEVELS[: LEVELS.index("C7-T1") + 1],
    "thoracic": LEVELS[LEVELS.index("T1-T2") : LEVELS.index("T12-L1") + 1],
    "lumbar": LEVELS[LEVELS.index("L1-L2") :],
}
"""Levels of each region, from head to foot."""

_LEVEL = re.compile(r"^([CTL])(\d{1,2})[-_/ ]?([CTLS]?)(\d{1,2})$", re.IGNORECASE)


def parse_level(text: str) -> str:
    """Return the level in its one spelling; ``L4L5``, ``L4/5`` and ``l4_l5`` mean the same.

    >>> parse_level("l4_l5"), parse_level("L5/S1"), parse_level("C5/6")
    ('L4-L5', 'L5-S1', 'C5-C6')

    Raises
    ------
    InputError
        If it is not a disc level.
    """
    match = _LEVEL.match(text.strip())
    if match:
        upper, m, lower, n = match.groups()
        if not lower:
            lower = "S" if upper.upper() == "L" and n == "1" else upper
        level = f"{upper.upper()}{int(m)}-{lower.upper()}{int(n)}"
        if level in LEVELS:
            return level
    shown = text if len(text) <= 40 else f"{text[:40]}…"
    raise InputError(
        f"'{shown}' is not a disc level.{did_you_mean(text[:40].upper(), LEVELS)} "
        "Levels: C2-C3 to L5-S1, L5-L6, L6-S1."
    )


def level_order(level: str) -> int:
    """Return the position of a level from head to foot (L5-L6 and L6-S1 after L4-L5)."""
    return LEVELS.index(level)


def spans(levels: Iterable[str]) -> str:
    """Return levels with neighbours drawn together.

    >>> spans(["T1-T2", "T2-T3", "T3-T4", "T9-T10"])
    'T1-T2 to T3-T4, T9-T10'
    """
    runs: list[list[str]] = []
    for level in sorted(levels, key=level_order):
        if runs and level_order(level) == level_order(runs[-1][-1]) + 1:
            runs[-1].append(level)
        else:
            runs.append([level])
    words = [f"{r[0]} to {r[-1]}" if len(r) > 2 else ", ".join(r) for r in runs]
    return ", ".join(words)
