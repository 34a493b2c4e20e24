"""uvicorn's HTTP/1.1 with a deadline for headers, a connection limit, and a graceful end.

Requests are parsed by h11, which is slower than httptools and stricter: httptools accepts requests
without a host, of HTTP/0.9 or with several codings, has no limit on a head, and loses the body of a
request that offers to upgrade, as Java's client does. What h11 accepts but other servers before the
proxy may read differently is refused here: lines of a head or after a body that end in a line feed
alone (https://www.rfc-editor.org/rfc/rfc9112#section-2.2), and two lengths (section 6.3). h11's
limit on the length of lines also applies to lines that arrive at once.
"""

from __future__ import annotations

import asyncio
import logging
import re
from typing import Any, ClassVar

import h11
from h11._receivebuffer import ReceiveBuffer
from starlette.types import Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from guardstream.policy.serving import HEADER_TIMEOUT, MAX_CONNECTIONS

log = logging.getLogger("guardstream.serve")

_FULL = (
    b"HTTP/1.1 503 Service Unavailable\r\n"
    b"content-length: 0\r\nretry-after: 1\r\nconnection: close\r\n\r\n"
)

_SPARE = 8
"""Connections beyond the limit that are accepted for health checks: otherwise a supervisor would
kill a busy process, and all its requests."""

_WATCHING = frozenset({"/healthz", "/metrics"})

_EVERY = 10.0
"""Seconds after which the log reports again that clients are refused."""

_BARE = re.compile(rb"(?<!\r)\n")
_END = re.compile(rb"\n\r?\n")

_LENGTHS = frozenset({b"content-length", b"transfer-encoding"})

_OVER = frozenset({h11.MUST_CLOSE, h11.CLOSED})
"""States of a client whose last request has arrived: further bytes belong to no request, and are
not read (https://www.rfc-editor.org/rfc/rfc9112#section-9.6)."""

_COPIED = 64 * 1024
"""The maximum bytes of a body part that is copied to be written together with its length."""

_WITHOUT_BODY = frozenset({204, 304})


class _StrictBuffer(ReceiveBuffer):
    """The input buffer of h11. Its lines are those of a head, or what follows a chunked body."""

    _seen = 0  # bytes of the incomplete lines

    def __init__(self, most: int) -> None:
        super().__init__()
        self._most = most

    def maybe_extract_next_line(self) -> bytearray | None:
        """Return the line before a chunk, if it is complete. RemoteProtocolError if it is too
        long."""
        came = len(self._data)
        line = super().maybe_extract_next_line()
        self._check_length(came)
        return line

    def maybe_extract_lines(self) -> list[bytearray] | None:
        """Return the lines up to a blank one, if they are complete. RemoteProtocolError as
        above."""
        came = len(self._data)
        if not self._data.startswith(b"\r\n"):
            bare = _BARE.search(self._data, self._seen)
            end = _END.search(self._data, max(0, self._seen - 2))
            if bare is not None and (end is None or bare.start() < end.end()):
                raise h11.RemoteProtocolError("a line ends in a line feed alone")
        lines = super().maybe_extract_lines()
        self._check_length(came)
        self._seen = len(self._data) if lines is None else 0
        if lines and {bytes(line.partition(b":")[0]).lower() for line in lines} >= _LENGTHS:
            raise h11.RemoteProtocolError("a body has two lengths")
        return lines

    def _check_length(self, came: int) -> None:
        """Refuse complete lines that are too long, taken from `came` bytes; h11 checks incomplete
        ones."""
        if came - len(self._data) > self._most:
            raise h11.RemoteProtocolError("lines are too long", error_status_hint=431)


class BoundedProtocol(H11Protocol):
    """One connection. While no request is being answered, its client has `seconds` to send one.

    Beyond `most` connections of this process, a client gets an error and is disconnected, except
    for a few health checks. A connection that is still open `lasts` seconds after the server began
    to stop is aborted.
    """

    seconds: ClassVar[float] = HEADER_TIMEOUT
    most: ClassVar[int] = MAX_CONNECTIONS
    lasts: ClassVar[float] = 60.0
    _warned: ClassVar[float] = -_EVERY
    _spare = False
    _late: asyncio.TimerHandle | None = None
    _last: asyncio.TimerHandle | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._most_of_head = self.conn._max_incomplete_event_size
        self._head: ReceiveBuffer = _StrictBuffer(self._most_of_head)
        self.conn._receive_buffer = self._head
        self._answer, self.app = self.app, self._answered

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._spare = len(self.connections) > self.most
        if self._spare:
            self._warn()
        if len(self.connections) > self.most + _SPARE:
            transport.write(_FULL)
            transport.close()
        else:
            self._expect()

    def _warn(self) -> None:
        now = self.loop.time()
        if now - BoundedProtocol._warned >= _EVERY:
            BoundedProtocol._warned = now
            log.warning("max_connections: %d are open, more are refused", self.most)

    def data_received(self, data: bytes) -> None:
        if self.conn.their_state in _OVER:
            return
        if self._continues_head(data):
            self._head += data
        else:
            super().data_received(data)
            self._expect()

    def _continues_head(self, data: bytes) -> bool:
        """Return whether the data continues a head and completes no line. h11 is not called then: a
        thousand clients that send heads byte by byte would keep it busy."""
        begun = self.conn.their_state is h11.IDLE and bool(self._head)
        return begun and b"\n" not in data and len(self._head) + len(data) <= self._most_of_head

    def _unsupported_upgrade_warning(self) -> None:
        """Do not recommend installing a WebSocket library: WebSockets are refused on purpose."""

    def send_400_response(self, msg: str) -> None:
        """Refuse the input, unless an answer has begun, and close; the application sees a
        disconnect."""
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            super().send_400_response(msg)
        self.transport.close()
        if self.cycle is not None:
            self.cycle.disconnected = True
            self.cycle.message_event.set()

    def shutdown(self) -> None:
        """Close the connection once its answer has ended and the client has read it."""
        super().shutdown()
        self._last = self._last or self.loop.call_later(self.lasts, self.transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop()
        if self._last is not None:
            self._last.cancel()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._expect()

    async def _answered(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application; the parts of a chunked body are written directly.

        h11 takes 15 microseconds to write the length of each.
        """
        if self._spare and scope["path"] not in _WATCHING:
            await _refuse(send)
            return
        cycle, chunked = self.cycle, False

        async def write(message: Message) -> None:
            nonlocal chunked
            if message["type"] == "http.response.start":
                chunked = _in_chunks(scope, message)
            elif chunked and message.get("more_body"):
                if self.flow.write_paused and not cycle.disconnected:
                    await self.flow.drain()
                body = message.get("body")
                if body and not cycle.disconnected:
                    self._write_chunk(body)
                return
            await send(message)

        await self._answer(scope, receive, write)

    def _write_chunk(self, body: bytes) -> None:
        if len(body) < _COPIED:
            self.transport.write(b"%x\r\n%b\r\n" % (len(body), body))
        else:
            self.transport.writelines((b"%x\r\n" % len(body), body, b"\r\n"))

    def _expect(self) -> None:
        """Start the timer if a request's headers are due; stop it if they are complete."""
        busy = self.cycle is not None and not self.cycle.response_complete
        if busy:
            self._stop()
        elif self._late is None:
            self._late = self.loop.call_later(self.seconds, self.transport.close)

    def _stop(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None


async def _refuse(send: Send) -> None:
    """Send the answer for clients beyond the connection limit."""
    headers = [(b"content-length", b"0"), (b"retry-after", b"1"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": 503, "headers": headers})
    await send({"type": "http.response.body"})


def _in_chunks(scope: Scope, start: Message) -> bool:
    """Return whether h11 sends the body of an answer in chunks."""
    names = {bytes(name).lower() for name, _ in start.get("headers", ())}
    return (
        scope["http_version"] == "1.1"
        and scope["method"] not in ("HEAD", "CONNECT")
        and start["status"] not in _WITHOUT_BODY
        and not names & _LENGTHS
    )
