"""``--bids-filter-file``: which files of a dataset are taken, by their entities.

Five lines of one, as other BIDS Apps read it::

    {
      "svs": {"session": ["01"], "acquisition": "press"},
      "mrsref": {"acquisition": null, "run": 1}
    }

Keys are the long names of entities; a list takes any of its labels, ``null`` a file without the
entity. Source of the form: fMRIPrep and pybids, https://bids-standard.github.io/pybids.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

from mrs_disc.errors import ReadError, did_you_mean
from mrs_disc.files import read_json

Filters: TypeAlias = Mapping[str, Mapping[str, tuple[str | None, ...]]]
"""Suffix to entity to the labels that are taken; `None` stands for its absence."""

SUFFIXES = ("svs", "mrsref")
ENTITIES = {
    "subject": "sub",
    "session": "ses",
    "acquisition": "acq",
    "nucleus": "nuc",
    "voi": "voi",
    "reconstruction": "rec",
    "run": "run",
    "echo": "echo",
    "inversion": "inv",
}
_FIXED = {"datatype": "mrs", "extension": "", "suffix": ""}
"""Keys that other programs need, and that say nothing here."""


def read_filters(path: Path) -> Filters:
    """Return the filters of a file.

    Raises
    ------
    ReadError
        If it cannot be read, or asks for what is not known here.
    """
    content: dict[str, Any] = read_json(path, "JSON sidecar")
    filters: dict[str, Mapping[str, tuple[str | None, ...]]] = {}
    for suffix, wanted in content.items():
        _check_known(path, suffix, SUFFIXES, "suffix")
        filters[suffix] = _entities(path, suffix, wanted)
    return filters


def _entities(path: Path, suffix: str, wanted: Any) -> dict[str, tuple[str | None, ...]]:
    if not isinstance(wanted, dict):
        raise ReadError(path, f'"{suffix}": entities in braces are expected')
    found: dict[str, tuple[str | None, ...]] = {}
    for name, labels in wanted.items():
        if name in _FIXED:
            continue
        _check_known(path, name, (*ENTITIES, *ENTITIES.values()), "entity")
        values = labels if isinstance(labels, list) else [labels]
        if not values or not all(one is None or isinstance(one, str | int) for one in values):
            raise ReadError(path, f'"{name}": a label, a list of labels or null is expected')
        found[str(ENTITIES.get(name, name))] = tuple(None if v is None else str(v) for v in values)
    return found


def _check_known(path: Path, word: str, known: tuple[str, ...], what: str) -> None:
    if word not in known:
        names = ", ".join(dict.fromkeys(known))
        raise ReadError(
            path, f"no {what} is called '{word[:40]}'.{did_you_mean(word, known)} Known: {names}"
        )


def fits(filters: Filters, suffix: str, entities: Mapping[str, str]) -> bool:
    """Say whether a file is taken.

    >>> fits({"svs": {"run": ("1",)}}, "svs", {"run": "01"}), fits({}, "mrsref", {})
    (True, True)
    """
    return all(
        _label(entities.get(entity)) in [_label(one) for one in labels]
        for entity, labels in filters.get(suffix, {}).items()
    )


def _label(text: str | None) -> str | int | None:
    """Return a label as it is compared: without its entity, numbers by their value."""
    if text is None:
        return None
    label = text.rpartition("-")[2]
    return int(label) if label.isdecimal() else label
