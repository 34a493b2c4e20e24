"""Notices that a client has left, while the application reads what the client sends."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import anyio
from starlette.types import Message, Receive

READ_AHEAD = 16
"""Messages that are read before the application asks for them; after more, nothing is seen."""


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
        self._lock = anyio.Lock()
        self._waiting = 0
        self._farewell: Message | None = None
        self._withheld = False
        self._released = anyio.Event()

    async def __call__(self) -> Message:
        """Return the application's next message."""
        self._waiting += 1
        try:
            async with self._lock:
                if self._ahead:
                    return self._ahead.popleft()
                message = await self._next()
        finally:
            self._waiting -= 1
        if self._withheld:
            await self._released.wait()
        return message

    async def watch(self) -> None:
        """Read ahead until the client leaves, or the application has too much unread."""
        while self._farewell is None and len(self._ahead) < READ_AHEAD:
            async with self._lock:
                message = await self._next()
                if self._farewell is None:
                    self._ahead.append(message)

    def release(self) -> None:
        """Tell the application that the client has left, if it was not told."""
        self._released.set()

    async def _next(self) -> Message:
        if self._farewell is not None:
            return self._farewell
        message = await self._receive()
        if message["type"].endswith(".disconnect"):
            self._farewell = message
            self._withheld = self._left(self._waiting > 0)
        return message
