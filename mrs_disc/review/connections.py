"""Connections of strangers: few, short, and never in the way of the reviewer.

Anybody on the machine may connect to 127.0.0.1, and who connects and says nothing costs a place.
So a connection is a stranger's until a request on it has carried the reviewer's cookie. A stranger
has seconds for a whole request; of too many, the one that waited longest goes. What the reviewer
has open is never closed for another's sake.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

from mrs_disc.review.security import Door

BACKLOG = 64
"""Connections that the system accepts before the program looks."""
MOST_STRANGERS = 100
"""More than `BACKLOG`: who has just connected is heard before a crowd behind him counts."""
PATIENCE_S = 5.0
"""For the first whole request of a connection."""


class Strangers:
    """The connections that have not shown the cookie, oldest first.

    Parameters
    ----------
    door : Door
        Knows the cookie.
    most : int
        How many may be open at once.
    patience_s : float
        How long one may stay without showing the cookie, seconds.
    """

    def __init__(
        self, door: Door, most: int = MOST_STRANGERS, patience_s: float = PATIENCE_S
    ) -> None:
        self.door = door
        self.most = most
        self.patience_s = patience_s
        self._waiting: dict[Connection, asyncio.TimerHandle] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def come(self, connection: Connection) -> None:
        """Let one wait; the one that waited longest goes where it is one too many."""
        while len(self._waiting) >= self.most:
            self._dismiss(next(iter(self._waiting)))
        loop = asyncio.get_running_loop()
        self._waiting[connection] = loop.call_later(self.patience_s, self._dismiss, connection)

    def forget(self, connection: Connection) -> None:
        """Take one from the list: it is the reviewer's, or it is gone."""
        if (timer := self._waiting.pop(connection, None)) is not None:
            timer.cancel()

    def _dismiss(self, connection: Connection) -> None:
        self.forget(connection)
        connection.transport.abort()  # a close would wait until all is sent, to one who never reads


class Connection(H11Protocol):
    """One connection of the server; `strangers` is set by `connection_of`."""

    strangers: Strangers

    def connection_made(self, transport: Any) -> None:
        """Begin as a stranger's."""
        super().connection_made(transport)
        self.strangers.come(self)

    def data_received(self, data: bytes) -> None:
        """Look for the cookie with each request."""
        super().data_received(data)
        if self.scope is not None and self.strangers.door.let_in(dict(self.scope["headers"])):
            self.strangers.forget(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Give the place back."""
        self.strangers.forget(self)
        super().connection_lost(exc)


def connection_of(strangers: Strangers) -> type[Connection]:
    """Return the class of connections that share a list of strangers, as uvicorn asks for one."""
    return type("Connection", (Connection,), {"strangers": strangers})
