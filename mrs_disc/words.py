"""Texts of files and people made harmless, and what components and quantities are called."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

COMPONENTS: dict[str, tuple[str, str]] = {
    "PG": ("proteoglycan", "N-acetyl group of glycosaminoglycans, near 2.0 ppm"),
    "LAC": ("lactate", "CH3 at 1.31 ppm"),
    "ALA": ("alanine", "CH3 at 1.47 ppm"),
    "LAAL": ("lactate + alanine", "sum of both, where lines or noise do not tell them apart"),
    "PA": ("propionate", "1.05 and 2.17 ppm"),
    "CHO": ("choline", "N(CH3)3 at 3.21 ppm"),
    "CARB": ("carbohydrate", "ring protons, 3.4 to 4.2 ppm"),
    "COL": ("collagen", "mobile residues at 1.71, 3.02 and 3.36 ppm"),
    "LIP": ("lipid", "marrow fat, strongest at 1.30 ppm"),
}
"""What the components of the disc model stand for."""

SUMS = {"acidity": "LAC + ALA + 3/5 PA", "structure": "PG + COL"}
"""What is added up in the sums of the disc model."""

_DROPPED = {"Cc", "Cf", "Cs", "Co", "Cn"}
_JOINERS = "\u200d\ufe0f"  # inside emoji


def counted(number: int, noun: str) -> str:
    """Return a number with its noun.

    >>> counted(1, "study"), counted(0, "study"), counted(2, "level")
    ('1 study', '0 studies', '2 levels')
    """
    many = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
    return f"{number} {noun if number == 1 else many}"


def harmless(text: object, limit: int = 2000) -> str:
    r"""Return text on one line, without control, direction or private characters.

    >>> harmless("a\u202eb\tc")
    'ab c'
    """
    words = " ".join(str(text)[: 4 * limit].split())
    kept = "".join(c for c in words if c in _JOINERS or unicodedata.category(c) not in _DROPPED)
    return kept if len(kept) <= limit else kept[: limit - 1] + "…"


def clean(value: Any, limit: int = 2000) -> Any:
    """Return lists and dictionaries with every text in them harmless; our own SVG stays."""
    if isinstance(value, str):
        return harmless(value, limit)
    if isinstance(value, dict):
        return {k: v if k.endswith("svg") else clean(v, limit) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [clean(v, limit) for v in value]
    return value


def component_word(name: str) -> str:
    """Return what a component is called in words."""
    return COMPONENTS.get(name, (name, ""))[0]


def quantity_word(name: str) -> str:
    """Return what a quantity is called in words.

    >>> quantity_word("LAC/PG"), quantity_word("acidity")
    ('lactate / proteoglycan', 'acidity (LAC + ALA + 3/5 PA)')
    """
    if name in SUMS:
        return f"{name} ({SUMS[name]})"
    if match := re.fullmatch(r"([A-Z]+)/([A-Z]+)", name):
        return f"{component_word(match[1])} / {component_word(match[2])}"
    if match := re.fullmatch(r"([A-Z]+)/water", name):
        return f"{component_word(match[1])} per tissue water"
    return component_word(name)
