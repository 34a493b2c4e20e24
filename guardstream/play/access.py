"""Access to the playground: only for the page that was opened with the token, on this machine.

A page of another site can send requests to 127.0.0.1, too, and its host name may resolve to that
address (DNS rebinding). So each request needs the token, a name of this machine in `Host`, and no
`Origin` except the page's own.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from http import HTTPStatus

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADER = "x-guardstream-token"
"""The header with the token, for requests whose path does not have it."""

API = "/api/"

MAX_BODY = 2 * 1024 * 1024
"""The maximum size of a request's body, in bytes."""

_HOSTS = ("127.0.0.1", "localhost")

# Browsers write style attributes themselves where text is typed over a selection in an editor.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'nonce-{nonce}'; "
    "style-src-attr 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

_HEADERS: Mapping[str, str] = {
    "cache-control": "no-store",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "referrer-policy": "no-referrer",  # the address of the page has the token
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}


class Access:
    """ASGI middleware that refuses requests without access, and limits the size of all others.

    The page's files are at `/TOKEN/`; the application gets their paths without the token. Requests
    to `/api/` have the token in a header. `scope["state"]["nonce"]` is the nonce of the page's own
    style elements (Content Security Policy).
    """

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app = app
        self._token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        nonce = secrets.token_urlsafe(16)
        answer = _Protected(send, nonce)
        refused = self._refused(scope)
        if refused is not None:
            status, message = refused
            await PlainTextResponse(message + "\n", status)(scope, receive, answer)
            return
        path = scope["path"].removeprefix(f"/{self._token}")
        state = {**scope.get("state", {}), "nonce": nonce}
        inner = {**scope, "path": path, "raw_path": path.encode(), "state": state}
        await self._app(inner, _Bounded(receive), answer)

    def _refused(self, scope: Scope) -> tuple[HTTPStatus, str] | None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if host not in _allowed(scope):
            return HTTPStatus.MISDIRECTED_REQUEST, "this is not a host name of the playground"
        origin = headers.get("origin")
        if (origin is None and scope["method"] != "GET") or origin not in (None, f"http://{host}"):
            return HTTPStatus.FORBIDDEN, "only the playground's own page may ask"
        if not self._has_token(scope["path"], headers):
            return HTTPStatus.FORBIDDEN, "open the whole address that guardstream play has printed"
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > MAX_BODY:
            return HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"more than {MAX_BODY} bytes"
        return None

    def _has_token(self, path: str, headers: Headers) -> bool:
        first, _, rest = path.removeprefix("/").partition("/")
        asked = f"/{first}/" == API or f"/{rest}".startswith(API)
        given = headers.get(HEADER, "") if asked else first
        return secrets.compare_digest(given.encode(), self._token.encode())


def _allowed(scope: Scope) -> list[str]:
    port = scope["server"][1]
    return [f"{name}:{port}" for name in _HOSTS]


class TooLargeError(Exception):
    """A body without a declared length is too large."""


class _Bounded:
    """Counts the bytes that are received. Raises TooLargeError if there are too many."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._size = 0

    async def __call__(self) -> Message:
        message = await self._receive()
        self._size += len(message.get("body", b""))
        if self._size > MAX_BODY:
            raise TooLargeError
        return message


class _Protected:
    """Adds the headers that isolate the page from other sites."""

    def __init__(self, send: Send, nonce: str) -> None:
        self._send = send
        self._nonce = nonce

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers[name] = value
            headers["content-security-policy"] = _POLICY.format(nonce=self._nonce)
        await self._send(message)
