"""uvicorn's HTTP/1.1 with a deadline for a request's headers, and a limit on connections.

A head whose lines end in a line feed alone is refused: h11 would take it, and what stands before
the proxy may read other lines in it (https://www.rfc-editor.org/rfc/rfc9112#section-2.2).
"""

from __future__ import annotations

import asyncio
import re
from typing import ClassVar

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

_FULL = (
    b"HTTP/1.1 503 Service Unavailable\r\n"
    b"content-length: 0\r\nretry-after: 1\r\nconnection: close\r\n\r\n"
)


_BARE = re.compile(rb"(?<!\r)\n")
_END = re.compile(rb"\n\r?\n")


class BoundedProtocol(H11Protocol):
    """One connection. While no request is being answered, its client has `seconds` to send one.

    Beyond `most` connections of this process a client is told so, and its connection closed.
    """

    seconds: ClassVar[float] = 10.0
    most: ClassVar[int] = 1000
    _late: asyncio.TimerHandle | None = None
    _looked: int = 0  # bytes of the head that is coming

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > self.most:
            transport.write(_FULL)
            transport.close()
        else:
            self._expect()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._expect()

    def handle_events(self) -> None:
        if self.conn.their_state is h11.IDLE and self._is_bare(self.conn.trailing_data[0]):
            self.send_400_response("Invalid HTTP request received.")
            return
        super().handle_events()
        if self.conn.their_state is not h11.IDLE:
            self._looked = 0

    def _is_bare(self, head: bytes) -> bool:
        """Tell whether a line of a head, as far as it has come, ends in a line feed alone."""
        bare = _BARE.search(head, self._looked)
        if bare is None:
            self._looked = len(head)
            return False
        end = _END.search(head, max(0, self._looked - 2))
        return end is None or bare.start() < end.end()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._expect()

    def _expect(self) -> None:
        """Start the clock if the headers of a request are to come; stop it if they are there."""
        busy = self.cycle is not None and not self.cycle.response_complete
        if busy:
            self._stop()
        elif self._late is None:
            self._late = self.loop.call_later(self.seconds, self.transport.close)

    def _stop(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None
