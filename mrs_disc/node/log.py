"""Lines of the log: one JSON object each, on stderr, without identity."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TextIO

Log = Callable[..., None]
"""Takes the event and its fields."""


def utc(seconds: float) -> str:
    """Return a time as the records have it.

    >>> utc(0.0)
    '1970-01-01T00:00:00Z'
    """
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def json_log(now: Callable[[], float], stream: TextIO | None = None) -> Log:
    """Return a log that writes a line an event: ``{"time": …, "event": …, …}``."""
    lock = threading.Lock()

    def log(event: str, **fields: object) -> None:
        line = json.dumps({"time": utc(now()), "event": event, **fields}, ensure_ascii=True)
        with lock:
            print(line, file=stream or sys.stderr, flush=True)

    return log
