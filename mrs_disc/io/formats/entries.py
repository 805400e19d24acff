"""Entries of text headers: what one tells twice, and times that stand in many formats alike."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from mrs_disc.io.formats.scan import number, positive
from mrs_disc.record.findings import Finding, finding


def told(pairs: Iterable[tuple[str, str]]) -> tuple[dict[str, str], dict[str, tuple[str, str]]]:
    """Return the entries of a header, and those that it tells twice and otherwise.

    >>> told([("TE", "30"), ("TR", "1500"), ("TE", "135"), ("TR", "1500")])
    ({'TE': '135', 'TR': '1500'}, {'TE': ('30', '135')})
    """
    values: dict[str, str] = {}
    twice: dict[str, tuple[str, str]] = {}
    for key, value in pairs:
        if values.get(key, value) != value:
            twice.setdefault(key, (values[key], value))
        values[key] = value
    return values, twice


def said_twice(
    twice: Mapping[str, tuple[str, str]], fields: Mapping[str, str]
) -> tuple[Finding, ...]:
    """Return which of the fields, by the keys of a header, it tells twice and otherwise."""
    return tuple(
        finding("said_twice", field, key=key, one=number(one), other=number(other))
        for key, field in fields.items()
        for one, other in ([twice[key]] if key in twice else [])
    )


_LONGEST_INVERSION_S = 20.0


def inversion(value: object, scale: float) -> tuple[Finding, ...]:
    """Return that an inversion came before the signal; 0 is how some write that none did."""
    time_s = positive(value, scale)
    if time_s is None:
        return ()
    if time_s >= _LONGEST_INVERSION_S:
        return (finding("inversion_too_long", seconds=time_s),)
    return (finding("inverted", seconds=time_s),)
