"""Connections to an upstream, with aiohttp, the fastest HTTP client for asyncio.

aiohttp is configured to add, follow, store and repair nothing: exactly the judged request is sent.
"""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
from collections.abc import AsyncIterator, Sequence
from functools import cache, partial

import aiohttp
import certifi
from aiohttp.client_proto import ResponseHandler
from yarl import URL

from guardstream.serve.proxy.answers import UpstreamError
from guardstream.serve.proxy.forwarding import Incoming, Outgoing
from guardstream.serve.routes import Headers

_KEPT_OPEN = 15.0
"""Seconds that an idle connection stays open."""

_MAX_HEADER = 64 * 1024
"""The maximum bytes of one header of an answer."""

_PIECE = 64 * 1024
"""The bytes of a request that are written at once, and half the bytes of an answer that are
buffered."""

_AT_ONCE = 32 * 1024
"""The bytes of an answer that are guarded at once, before other streams get a turn."""

_EARLY = 32
"""How many connections may turn out to be unusable before a request fails."""

_BLANK_LINE = re.compile(rb"\n\r?\n")

_AUTOMATIC = ("accept", "accept-encoding", "content-type", "user-agent")
"""Headers that aiohttp would add."""


@cache
def tls() -> ssl.SSLContext:
    """Return the TLS context for upstreams. Creating it takes a tenth of a second."""
    context = ssl.create_default_context(cafile=certifi.where())
    context.set_alpn_protocols(["http/1.1"])
    return context


class _EarlyError(aiohttp.ClientConnectionError):
    """The upstream sent something before the request: the connection is closed."""


class _Wire(ResponseHandler):
    """Parses a connection with the same result in every chunking, and however it breaks off.

    aiohttp drops a head that arrives together with an error in its body, lets the reader of a body
    wait forever after an error in its chunks, and takes a reset for the end of a body without a
    length.
    """

    _before = b""  # the last bytes of an incomplete head

    def data_received(self, data: bytes) -> None:
        while data and (self._payload is None or self._payload.is_eof()):
            found = _BLANK_LINE.search(self._before + data)
            if found is None:
                self._before = (self._before + data)[-2:]
                break
            size = found.end() - len(self._before)
            self._before = b""
            super().data_received(data[:size])
            data = data[size:]
            if not data:
                return
        super().data_received(data)

    def set_exception(self, exc: BaseException, *cause: BaseException) -> None:
        super().set_exception(exc, *cause)
        _break_off(self._payload, exc)

    def connection_lost(self, exc: BaseException | None) -> None:
        body = self._payload
        if exc is not None:
            _break_off(body, exc)
        super().connection_lost(exc)
        _break_off(body, exc)  # again, because a reader that a chunk's end has woken waits again


def _wire(loop: asyncio.AbstractEventLoop) -> ResponseHandler:
    return _Wire(loop)


def _break_off(body: aiohttp.StreamReader | None, why: BaseException | None) -> None:
    """Tell the reader of an incomplete body that it has broken off."""
    if body is not None and not body.is_eof():
        late = why if isinstance(why, TimeoutError) else None
        body.set_exception(body.exception() or late or aiohttp.ClientPayloadError())


class _Request(aiohttp.ClientRequest):
    """A request that does not take bytes that arrived before it was sent for its answer.

    They would be an answer to another request, or to none
    (https://www.rfc-editor.org/rfc/rfc9112#section-9.3.1).
    """

    async def send(self, conn: aiohttp.connector.Connection) -> aiohttp.ClientResponse:
        if conn.protocol is not None and conn.protocol.should_close:
            conn.close()
            raise _EarlyError
        return await super().send(conn)


class Connections:
    """The connections to one upstream; created in the event loop that uses them.

    At most `most` are open, beyond which requests wait; None means no limit. Timeouts are in
    seconds: `connect` to connect, `read` between any two bytes of an answer.
    """

    def __init__(self, *, connect: float, read: float, most: int | None) -> None:
        connector = aiohttp.TCPConnector(
            limit=most or 0,
            ssl=tls(),
            keepalive_timeout=_KEPT_OPEN,
            resolver=aiohttp.ThreadedResolver(),
        )
        connector._factory = partial(_wire, asyncio.get_running_loop())
        self._session = aiohttp.ClientSession(
            connector=connector,
            request_class=_Request,
            cookie_jar=aiohttp.DummyCookieJar(),  # clients must not share cookies
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=connect, sock_read=read),
            skip_auto_headers=_AUTOMATIC,
            trust_env=False,
            auto_decompress=False,
            read_bufsize=_PIECE,
            max_line_size=_MAX_HEADER,
            max_field_size=_MAX_HEADER,
        )

    async def send(self, request: Outgoing) -> Incoming:
        """Send a request; return the answer, its body unread. UpstreamError if it fails."""
        try:
            return _Answer(await self._sent(request))
        except (TimeoutError, aiohttp.ClientError, OSError, ValueError) as error:
            raise _failed(error) from error

    async def _sent(self, request: Outgoing) -> aiohttp.ClientResponse:
        headers, body = _sent(request.headers), request.body
        long = len(body) > _PIECE
        if long:
            headers.append(("content-length", str(len(body))))
        for left in reversed(range(_EARLY)):
            try:
                return await self._session.request(
                    request.method,
                    URL(request.url, encoded=True),
                    headers=headers,
                    data=_in_pieces(body) if long else body or None,
                    allow_redirects=False,
                )
            except _EarlyError:
                if not left:  # all of them: the server speaks first, unlike HTTP
                    raise
                # otherwise over another connection, because nothing was sent
        raise AssertionError("the last attempt ends with an answer or an error")

    async def aclose(self) -> None:
        """Close all connections."""
        await self._session.close()


async def _in_pieces(body: bytes) -> AsyncIterator[bytes]:
    """Yield a long body in pieces, so that it is never copied as a whole in the event loop."""
    for at in range(0, len(body), _PIECE):
        yield body[at : at + _PIECE]


class _Answer:
    """An answer over a connection."""

    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self.status = answer.status
        self.headers: Headers = [(name.lower(), value) for name, value in answer.raw_headers]
        self._answer = answer
        self._body = answer.content
        self._more = False  # whether more was buffered than was read

    def __aiter__(self) -> _Answer:
        return self

    async def __anext__(self) -> bytes:
        if self._more:
            await asyncio.sleep(0)
        try:
            piece = await self._body.read(_AT_ONCE)
        except (TimeoutError, aiohttp.ClientError, OSError, RuntimeError) as error:
            piece = self._body._read_nowait(_AT_ONCE)  # buffered before it
            if not piece:
                raise _failed(self._body.exception() or error) from error
        if not piece:
            raise StopAsyncIteration
        self._more = len(piece) == _AT_ONCE
        return piece

    async def aclose(self) -> None:
        """Discard the rest, and close its connection."""
        self._answer.close()


def _sent(headers: Headers) -> list[tuple[str, str]]:
    """Return headers in aiohttp's form; it encodes them as UTF-8, which nearly all are."""
    try:
        return [(name.decode("ascii"), value.decode()) for name, value in headers]
    except UnicodeDecodeError as error:
        raise UpstreamError(
            400, "invalid_header", "a header that is not in UTF-8 cannot be sent on"
        ) from error


def _failed(error: BaseException) -> UpstreamError:
    """Describe an upstream's failure without its address or any text."""
    kind, reason = type(error).__name__, _reason(error)
    if isinstance(error, asyncio.TimeoutError):
        why = f"the upstream took too long ({kind})"
        return UpstreamError(504, "upstream_timeout", why, reason)
    if isinstance(error, (aiohttp.InvalidURL, ValueError)):
        return UpstreamError(400, "invalid_path", "the path cannot be sent on", reason)
    return UpstreamError(502, "upstream_error", f"the upstream failed ({kind})", reason)


_REASONS: Sequence[tuple[type[BaseException], str]] = (
    (_EarlyError, "no http"),
    (socket.gaierror, "unknown host"),
    (aiohttp.ClientSSLError, "tls"),
    (ssl.SSLError, "tls"),
    (aiohttp.ConnectionTimeoutError, "connect timed out"),
    (TimeoutError, "timed out"),
    (ConnectionRefusedError, "refused"),
    (aiohttp.ServerDisconnectedError, "closed early"),
    (aiohttp.ClientPayloadError, "closed early"),
    (ConnectionError, "closed early"),
    (aiohttp.ClientResponseError, "no http"),
    (OSError, "not reached"),
)
"""Descriptions of errors; the first match is used."""


def _reason(error: BaseException) -> str:
    """Describe in a word or two how an upstream failed."""
    below = getattr(error, "os_error", error)  # why connecting failed
    for kind, reason in _REASONS:
        if isinstance(error, kind) or isinstance(below, kind):
            return reason
    return type(error).__name__
