"""Notices that a client has disconnected, while the application reads what it sends."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import anyio
import anyio.lowlevel
from starlette.types import Message, Receive

READ_AHEAD = 1024
"""How many messages are read before the application asks for them. After that, a disconnect is only
noticed when it asks again."""

READ_AHEAD_SIZE = 256 * 1024
"""The total size of these messages, in bytes or characters, at which reading ahead stops, too."""


class Receiver:
    """The `receive` that an application is given.

    While `watch` runs, the server is asked even when the application does not ask: the moment the
    client disconnects, `left` is called with whether the application was waiting for a message. If
    it returns True, the application is not told until `release`.
    """

    def __init__(self, receive: Receive, left: Callable[[bool], bool]) -> None:
        self._receive = receive
        self._left = left
        self._ahead: deque[Message] = deque()
        self._size = 0  # of the messages ahead
        self._room = anyio.Event()
        self._lock = anyio.Lock()
        self._waits: set[anyio.CancelScope] = set()
        self._disconnect: Message | None = None
        self._withheld = False
        self._released = anyio.Event()

    async def __call__(self) -> Message:
        """Return the application's next message."""
        if self._ahead:  # what is there is returned without waiting for `watch` to read more
            await anyio.lowlevel.checkpoint()
            if self._ahead:
                return self._taken()
        wait = anyio.CancelScope()
        self._waits.add(wait)
        try:
            with wait:
                async with self._lock:
                    if self._ahead:
                        return self._taken()
                    message = await self._next()
                if self._withheld:
                    await self._released.wait()
                return message
        finally:
            self._waits.discard(wait)
        return {"type": "http.disconnect"}

    async def watch(self) -> None:
        """Read ahead until the client disconnects, while the application has little unread."""
        while self._disconnect is None:
            if len(self._ahead) >= READ_AHEAD or self._size >= READ_AHEAD_SIZE:
                self._room = anyio.Event()
                await self._room.wait()
                continue
            async with self._lock:
                message = await self._next()
                if self._disconnect is None:
                    self._ahead.append(message)
                    self._size += _size(message)

    def release(self) -> None:
        """Tell the application that the client has disconnected, unless it was told."""
        self._released.set()

    def disconnect(self) -> bool:
        """Tell the application that its client has left, if it waits for a message; return whether
        it does."""
        for wait in self._waits:
            wait.cancel()
        return bool(self._waits)

    def _taken(self) -> Message:
        message = self._ahead.popleft()
        self._size -= _size(message)
        self._room.set()
        return message

    async def _next(self) -> Message:
        if self._disconnect is not None:
            return self._disconnect
        message = await self._receive()
        if message["type"].endswith(".disconnect"):
            self._disconnect = message
            self._withheld = self._left(bool(self._waits))
        return message


def _size(message: Message) -> int:
    """Return the size of a message, of a request's body or of a WebSocket."""
    return sum(len(message.get(name) or "") for name in ("body", "bytes", "text"))
