"""A calibrated model as TOML, and its figures as a small page."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from mrs_disc.calibrate import Calibration
from mrs_disc.constants import RESEARCH_USE
from mrs_disc.report.marks import Scale, points

_ACROSS, _UP = Scale(0, 1, 40, 240), Scale(0, 1, 220, 20)
_BARE = re.compile(r"^[A-Za-z0-9_-]+$")


def toml_text(content: Mapping[str, Any]) -> str:
    """Return plain data as TOML: numbers and texts first, then tables, then arrays of tables.

    >>> print(toml_text({"name": "x", "class": [{"sd": 0.5}], "scope": {"te": [0.02, 0.04]}}))
    name = "x"
    <BLANKLINE>
    [scope]
    te = [0.02, 0.04]
    <BLANKLINE>
    [[class]]
    sd = 0.5
    <BLANKLINE>
    """
    lines = [f"{_key(k)} = {_value(v)}" for k, v in content.items() if not _is_table(v)]
    for key, value in content.items():
        if isinstance(value, Mapping):
            lines += ["", f"[{_key(key)}]", *_flat(value)]
    for key, value in content.items():
        if _is_table(value) and not isinstance(value, Mapping):
            for row in value:
                lines += ["", f"[[{_key(key)}]]", *_flat(row)]
    return "\n".join(lines) + "\n"


def _flat(table: Mapping[str, Any]) -> list[str]:
    return [f"{_key(k)} = {_value(v)}" for k, v in table.items()]


def _is_table(value: Any) -> bool:
    if isinstance(value, Mapping):
        return True
    return isinstance(value, Sequence) and bool(value) and isinstance(value[0], Mapping)


def _key(key: str) -> str:
    return key if _BARE.match(key) else json.dumps(key)


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_key(k)} = {_value(v)}" for k, v in value.items()) + " }"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, Sequence):
        return "[" + ", ".join(_value(v) for v in value) + "]"
    return repr(value)


def model_toml(calibration: Calibration) -> str:
    """Return the model's file."""
    head = "# Written by mrs-disc model calibrate. status: D derived from the named cohort.\n"
    return head + toml_text(calibration.content)


def card_html(calibration: Calibration) -> str:
    """Return the figures of a calibration as one self-contained page."""
    from mrs_disc.report.page import environment  # here, so that the command's help stays quick

    figures = calibration.assessment
    return (
        environment("mrs_disc.calibrate")
        .get_template("card.html.j2")
        .render(
            model=calibration.model,
            content=calibration.content,
            figures=figures,
            warnings=calibration.warnings,
            outcome=calibration.outcome,
            notice=RESEARCH_USE,
            roc=points((_ACROSS(x), _UP(y)) for x, y in figures.curve),
            bins=[
                {"x": _ACROSS(b.mean), "y": _UP(b.observed), "low": _UP(b.low), "high": _UP(b.high)}
                for b in figures.bins
            ],
        )
    )
