"""How the data came and where reports went: the transmission that CPT 0610T describes.

The record stands in a study's ``provenance.json``, never in ``results.json``, which the same input
gives with the same bytes. It names senders and receivers, associations, times and digests; it names
no patient.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from mrs_disc.errors import ReadError
from mrs_disc.files import read_json
from mrs_disc.report.words import harmless

PROVENANCE_NAME = "provenance.json"
Rows = tuple[tuple[str, str], ...]
_MOST = 20
"""Associations that are told one by one."""


def transmission_of(folder: Path) -> Rows:
    """Return the rows that the provenance beside a result gives; none where there is none."""
    with suppress(ReadError):
        if (folder / PROVENANCE_NAME).is_file():
            record = read_json(folder / PROVENANCE_NAME, "record of a batch")
            return transmission_rows(record.get("transmission"))
    return ()


def transmission_rows(record: Any) -> Rows:
    """Return a transmission as rows of a report: what, hashes, when, from, to, by what.

    Parameters
    ----------
    record : mapping or None
        ``received`` a row a file, ``sent`` a row a report; anything else gives no rows.
    """
    if not isinstance(record, Mapping):
        return ()
    received = [one for one in _list(record, "received") if one.get("sha256")]
    rows = [("Received", words) for words in _associations(received)]
    if received:
        digests = "\n".join(sorted(str(one["sha256"]) for one in received))
        total = hashlib.sha256(digests.encode()).hexdigest()
        rows.append(("Received files, SHA-256 of their sorted digests", total))
    rows += [
        ("Sent", f"{_text(one, 'kind')} report to {_text(one, 'to')}, {_text(one, 'time')}")
        for one in _list(record, "sent")
    ]
    return tuple(rows)


def _associations(received: Iterable[Mapping[str, Any]]) -> list[str]:
    groups: dict[tuple[str, ...], list[str]] = {}
    for one in received:
        names = ("calling", "address", "called", "association")
        key = tuple(_text(one, name) for name in names)
        groups.setdefault(key, []).append(_text(one, "time"))
    words = [_association(key, times) for key, times in groups.items()]
    more = len(words) - _MOST
    return words[:_MOST] + ([f"and by {more} more associations"] if more > 0 else [])


def _association(key: tuple[str, ...], times: list[str]) -> str:
    calling, address, called, association = key
    files = f"{len(times)} file{'s' * (len(times) > 1)}"
    first, last = min(times), max(times)
    when = first if first == last else f"{first} to {last}"
    if calling == "folder":
        return f"{files} from a watched folder, {when}"
    return f"{files} from {calling} at {address} to {called}, association {association}, {when}"


def _list(record: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    found = record.get(name)
    return [one for one in found if isinstance(one, Mapping)] if isinstance(found, list) else []


def _text(one: Mapping[str, Any], name: str) -> str:
    return harmless(str(one.get(name) or "not reported"), 60)
