"""Notices that a client has left, while the application reads what the client sends."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import anyio
import anyio.lowlevel
from starlette.types import Message, Receive

READ_AHEAD = 1024
"""Messages that are read before the application asks for them. After more, nothing is seen until it
does."""

READ_AHEAD_SIZE = 256 * 1024
"""Bytes, or characters, of these messages, beyond which none is read either."""


class Receiver:
    """The `receive` that an application is given.

    While `watch` runs, the server is asked even when the application does not: the moment the
    client leaves, `left` is called, with whether the application was waiting for a message. If it
    returns True, the application is not told before `release`.
    """

    def __init__(self, receive: Receive, left: Callable[[bool], bool]) -> None:
        self._receive = receive
        self._left = left
        self._ahead: deque[Message] = deque()
        self._size = 0  # of those messages
        self._room = anyio.Event()
        self._lock = anyio.Lock()
        self._waiting = 0
        self._farewell: Message | None = None
        self._withheld = False
        self._released = anyio.Event()

    async def __call__(self) -> Message:
        """Return the application's next message."""
        if self._ahead:  # for what is there nobody waits until `watch` has read the next
            await anyio.lowlevel.checkpoint()
            if self._ahead:
                return self._taken()
        self._waiting += 1
        try:
            async with self._lock:
                if self._ahead:
                    return self._taken()
                message = await self._next()
        finally:
            self._waiting -= 1
        if self._withheld:
            await self._released.wait()
        return message

    async def watch(self) -> None:
        """Read ahead until the client leaves, while the application has not too much unread."""
        while self._farewell is None:
            if len(self._ahead) >= READ_AHEAD or self._size >= READ_AHEAD_SIZE:
                self._room = anyio.Event()
                await self._room.wait()
                continue
            async with self._lock:
                message = await self._next()
                if self._farewell is None:
                    self._ahead.append(message)
                    self._size += _size(message)

    def release(self) -> None:
        """Tell the application that the client has left, if it was not told."""
        self._released.set()

    def _taken(self) -> Message:
        message = self._ahead.popleft()
        self._size -= _size(message)
        self._room.set()
        return message

    async def _next(self) -> Message:
        if self._farewell is not None:
            return self._farewell
        message = await self._receive()
        if message["type"].endswith(".disconnect"):
            self._farewell = message
            self._withheld = self._left(self._waiting > 0)
        return message


def _size(message: Message) -> int:
    """Return how long a message is, of a request's body or of a WebSocket."""
    return sum(len(message.get(name) or "") for name in ("body", "bytes", "text"))
