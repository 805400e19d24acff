"""``/health`` on 127.0.0.1, for a site's own watch: counts and whether the node is at work."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from mrs_disc.errors import InputError


class Health:
    """Answers GET /health with JSON: 200 while the node is at work, 503 while it is not.

    Parameters
    ----------
    port : int
        On 127.0.0.1; 0 takes a free one.
    ask : callable
        Returns whether all is well, and what to tell.

    Raises
    ------
    InputError
        If the port is taken.
    """

    def __init__(self, port: int, ask: Callable[[], tuple[bool, Mapping[str, Any]]]) -> None:
        class Handler(BaseHTTPRequestHandler):
            server_version, sys_version = "mrs-disc", ""

            def do_GET(self) -> None:
                well, told = ask() if self.path == "/health" else (False, {})
                code = (200 if well else 503) if self.path == "/health" else 404
                body = json.dumps(told).encode() + b"\n"
                self.send_response(code)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.send_header("cache-control", "no-store")
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *words: object) -> None:
                pass

        try:
            self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        except OSError as error:
            raise InputError(
                f"health_port = {port}: cannot be used ({error.strerror}); choose another"
            ) from error
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def port(self) -> int:
        """Where it answers."""
        return int(self._server.server_address[1])

    def stop(self) -> None:
        """Answer no longer."""
        self._server.shutdown()
        self._server.server_close()
