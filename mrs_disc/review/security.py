"""What keeps the page to the person at this machine: checks before any route is looked up.

A one-time token in the printed address becomes a strict cookie. Every request needs that cookie and
the right Host; every change needs the right Origin, a JSON body of bounded size and its length.
A page that another site opens, frames or posts to gets nothing: the cookie is not sent, the Host or
Origin is another, and the policy forbids frames, inline script and any address but our own.

Refused: Starlette's TrustedHostMiddleware, which forgets the port, so that ``127.0.0.1:80`` passes.
"""

from __future__ import annotations

import hmac
import secrets
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_ADDRESS = 2_000
"""Characters of path and query."""
MAX_BODY = 32_000
"""Bytes of an act; the longest comment is far shorter."""

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "cache-control": "no-store",
}

_HEAD = (
    '<!doctype html><html lang="en"><head><meta charset="utf-8">'
    '<meta name="viewport" content="width=device-width, initial-scale=1">'
    '<meta name="color-scheme" content="dark light"><title>mrs-disc review</title>'
)
# The next page is asked for by this page and not by a redirect: where the address was followed from
# another site (a terminal in a browser), the strict cookie would not go with the redirect.
_WELCOME = (
    f"{_HEAD}"
    '<link rel="icon" href="/static/icon.svg"><meta http-equiv="refresh" content="0; url=/"></head>'
    '<body><p><a href="/">Open the review page</a></p></body></html>'
)
_DENIED = (
    f"{_HEAD}</head><body><main><h1>This page is closed</h1><p>The address printed by "
    "<code>mrs-disc review</code> opens it once, in one browser. Go back to that browser, or stop "
    "the command and start it again for a new address.</p></main></body></html>"
)


@dataclass(slots=True)
class Door:
    """The token and the cookie of one server.

    Parameters
    ----------
    port : int
        Where the server listens on 127.0.0.1.
    token : str
        What the printed address carries; it opens the door once.
    session : str
        What the cookie carries from then on.
    on_open : callable
        Called once, when somebody has come in.
    """

    port: int
    token: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    session: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    on_open: Callable[[], None] = lambda: None
    _used: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def cookie(self) -> str:
        """Name of the cookie: browsers share cookies between the ports of one host."""
        return f"mrs_disc_review_{self.port}"

    @property
    def hosts(self) -> tuple[str, str]:
        """The Host headers that are ours."""
        return f"127.0.0.1:{self.port}", f"localhost:{self.port}"

    @property
    def address(self) -> str:
        """What is printed and opened."""
        return f"http://127.0.0.1:{self.port}/?token={self.token}"

    def opens(self, token: str) -> bool:
        """Say whether a token opens the door, and close it behind the first."""
        if not hmac.compare_digest(token.encode(), self.token.encode()):
            return False
        with self._lock:
            first, self._used = not self._used, True
        if first:
            self.on_open()
        return first

    def knows(self, session: str) -> bool:
        """Say whether a cookie is that of this server."""
        return hmac.compare_digest(session.encode(), self.session.encode())

    def let_in(self, headers: Mapping[bytes, bytes]) -> bool:
        """Say whether a request carries the cookie, by its headers of lower-case names."""
        cookies = cookie_parser(headers.get(b"cookie", b"").decode("latin-1"))
        return self.knows(cookies.get(self.cookie, ""))


class Guard:
    """ASGI middleware: refuse what does not come from our own page."""

    def __init__(self, app: ASGIApp, door: Door) -> None:
        self.app = app
        self.door = door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a refused request, or pass it on with a bounded body and strict headers."""
        if scope["type"] != "http":
            return  # no websocket, no lifespan: nothing is answered

        async def strict(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        refusal = self._refusal(scope)
        if refusal is not None and not self.door.let_in(dict(scope["headers"])):
            refusal.headers.setdefault("connection", "close")  # a stranger keeps no place
        if refusal is None and scope["method"] == "POST":
            body = await _body(receive)
            if body is None:
                refusal = _refuse(413, f"larger than {MAX_BODY} bytes")
            else:
                receive = _replay(body)
        await (refusal or self.app)(scope, receive, strict)

    def _refusal(self, scope: Scope) -> Response | None:
        """Return the answer to a request that is not let in."""
        headers, query = Headers(scope=scope), scope.get("query_string", b"")
        host = headers.get("host", "")
        if host not in self.door.hosts:
            return _refuse(403, "this host is not served here")
        if len(scope["path"]) + len(query) > MAX_ADDRESS:
            return _refuse(414, "the address is too long")
        if scope["method"] not in ("GET", "HEAD", "POST"):
            return _refuse(405, "only GET and POST are answered")
        origin = headers.get("origin")
        if origin is not None and origin != f"http://{host}":
            return _refuse(403, "this origin is not served here")
        if scope["method"] == "POST" and (problem := _post_problem(headers)):
            return problem
        known = self.door.let_in(dict(scope["headers"]))
        if scope["path"] == "/" and scope["method"] == "GET" and b"token=" in query:
            return self._welcome(query, known)
        return None if known else HTMLResponse(_DENIED, status_code=403)

    def _welcome(self, query: bytes, known: bool) -> Response:
        token = parse_qs(query.decode("latin-1")).get("token", [""])[0]
        if known:
            return HTMLResponse(_WELCOME)
        if not self.door.opens(token):
            return HTMLResponse(_DENIED, status_code=403)
        welcome = HTMLResponse(_WELCOME)
        welcome.set_cookie(
            self.door.cookie, self.door.session, path="/", httponly=True, samesite="strict"
        )
        return welcome


def _post_problem(headers: Headers) -> Response | None:
    if headers.get("origin") is None:
        return _refuse(403, "a change needs the Origin of this page")
    if headers.get("sec-fetch-site", "same-origin") != "same-origin":
        return _refuse(403, "a change comes from this page only")
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        return _refuse(415, "only application/json is accepted")
    length = headers.get("content-length", "")
    if not length.isdecimal():
        return _refuse(411, "the length of the body is needed")
    if len(length) > 9 or int(length) > MAX_BODY:
        return _refuse(413, f"larger than {MAX_BODY} bytes")
    return None


def _refuse(status: int, why: str) -> Response:
    return PlainTextResponse(f"refused: {why}\n", status_code=status)


async def _body(receive: Receive) -> bytes | None:
    """Return the whole body, or `None` as soon as it is too large or cut off."""
    body: bytes = b""
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        part: bytes = message.get("body", b"")
        body += part
        if len(body) > MAX_BODY:
            return None
        if not message.get("more_body", False):
            return body


def _replay(body: bytes) -> Receive:
    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return receive
