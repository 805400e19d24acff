"""Values and plain tables as TOML text, for every file of that form that the package writes.

Refused: tomli-w. A recipe and the draft of a study carry a comment on nearly every line, which it
cannot write; so those writers lay out their lines themselves and take the values from here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def toml_value(value: Any) -> str:
    """Return a text, number, truth value, list or inline table as TOML.

    >>> toml_value({"te": (0.02, 0.04), "on": True, "by hand": "a word"})
    '{ te = [0.02, 0.04], on = true, "by hand" = "a word" }'
    """
    if isinstance(value, Mapping):
        return "{ " + ", ".join(_lines(value)) + " }"
    if isinstance(value, str):
        # JSON's escapes are TOML's but for one character that JSON does not escape.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, Sequence):
        return "[" + ", ".join(toml_value(item) for item in value) + "]"
    return str(value).lower() if isinstance(value, bool) else repr(value)


def toml_text(content: Mapping[str, Any]) -> str:
    """Return plain data as TOML: numbers and texts first, then tables, then arrays of tables.

    A table inside a table stands on one line, one inside an array under a head of its own.

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
    tables = {key: value for key, value in content.items() if isinstance(value, Mapping)}
    arrays = {key: value for key, value in content.items() if _is_array_of_tables(value)}
    lines = _lines({k: v for k, v in content.items() if k not in tables and k not in arrays})
    for key, table in tables.items():
        lines += ["", f"[{_key(key)}]", *_lines(table)]
    for key, rows in arrays.items():
        for row in rows:
            inner = {name: part for name, part in row.items() if isinstance(part, Mapping)}
            lines += ["", f"[[{_key(key)}]]"]
            lines += _lines({name: part for name, part in row.items() if name not in inner})
            for name, part in inner.items():
                lines += [f"[{_key(key)}.{_key(name)}]", *_lines(part)]
    return "\n".join(lines) + "\n"


def _lines(table: Mapping[str, Any]) -> list[str]:
    return [f"{_key(key)} = {toml_value(value)}" for key, value in table.items()]


def _is_array_of_tables(value: Any) -> bool:
    rows = isinstance(value, Sequence) and not isinstance(value, str)
    return rows and bool(value) and all(isinstance(row, Mapping) for row in value)


def _key(key: str) -> str:
    return key if _BARE.fullmatch(key) else toml_value(key)
