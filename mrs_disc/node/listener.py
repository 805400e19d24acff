"""The listening socket: pynetdicom's, but that one caller who says nothing holds up no other.

pynetdicom 3.0.4 shakes hands for TLS where it accepts connections, one after the other and without
a limit of time: a caller who connects and stays silent would close the port to all. Here each
caller shakes hands in a thread of its own, and has ten seconds.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from socketserver import BaseServer
from typing import Any

from pynetdicom.transport import ThreadedAssociationServer

HANDSHAKE_S = 10.0


class Listener(ThreadedAssociationServer):  # type: ignore[misc]  # pynetdicom is not looked into
    """A server of associations; `trouble` is told what a connection broke with."""

    trouble: Callable[[str], None] = staticmethod(lambda _: None)

    def get_request(self) -> tuple[socket.socket, Any]:
        """Accept a connection, and leave the handshake to its thread."""
        connection, address = self.socket.accept()
        if self.ssl_context is not None:
            connection.settimeout(HANDSHAKE_S)
            connection = self.ssl_context.wrap_socket(
                connection, server_side=True, do_handshake_on_connect=False
            )
        return connection, address

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Shake hands, then serve the association."""
        if self.ssl_context is not None:
            try:
                request.do_handshake()
                request.settimeout(None)
            except OSError as error:
                self.trouble(type(error).__name__)
                self.shutdown_request(request)
                return
        super().process_request_thread(request, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say in a word what went wrong, where the standard library prints a traceback."""
        import sys

        kind = sys.exc_info()[0]
        self.trouble(kind.__name__ if kind is not None else "unknown")

    def shutdown(self) -> None:
        """End, and close the socket."""
        BaseServer.shutdown(self)
        self.server_close()
