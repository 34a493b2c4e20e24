"""Runs an application that can be stopped at once, such that its source is closed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress

import anyio
import anyio.lowlevel
from starlette.types import ASGIApp, Message, Receive, Scope

TOLD_SECONDS = 1.0
"""Seconds that an application may take to end after it was told that its client has left."""

DROPPED = 64
"""Messages of a stopped application that are dropped before it gets an error."""


class StoppedError(Exception):
    """Raised by the handler of a message that stops the application."""


class Running:
    """Runs an application in the caller's task and passes its messages to `handle`.

    Most applications send from a loop over their source. An exception raised by `send` would leave
    an asynchronous generator in that loop suspended, for the garbage collector to close. So `stop`
    makes `send` return, and cancels the application at its next wait, which is in its source. An
    application that keeps sending without waiting is cancelled in `send` after all, or gets OSError
    there. A thread that goes on after its application has ended gets it, too: it waited for its
    source, and nothing could cancel it.

    `tell` reports a disconnect to an application that waits for one, and returns whether it does.
    Such an application ends by itself: it may have tasks that its cancellation would not reach, as
    Django's has.
    """

    def __init__(
        self, handle: Callable[[Message], Awaitable[None]], tell: Callable[[], bool] | None = None
    ) -> None:
        self.stopped = False
        self._handle = handle
        self._tell = tell
        self._whole = anyio.CancelScope()
        self._sends: set[anyio.CancelScope] = set()
        self._dropped = 0

    async def run(self, app: ASGIApp, scope: Scope, receive: Receive) -> Exception | None:
        """Run `app` to its end, or until it is stopped; return its exception."""
        with self._whole:
            try:
                await app(scope, receive, self._send)
            except Exception as error:
                return error
            finally:
                self._dropped = DROPPED
        return None

    def stop(self) -> None:
        """Cancel the application and `handle`; no more messages are taken."""
        self.stopped = True
        for sending in self._sends:
            sending.cancel()
        if not self._sends:
            self._end()

    def _end(self) -> None:
        if self._tell is not None and self._tell():
            self._whole.deadline = anyio.current_time() + TOLD_SECONDS
        else:
            self._whole.cancel()

    async def _send(self, message: Message) -> None:
        if self.stopped:
            await self._drop()
            return
        sending = anyio.CancelScope()
        self._sends.add(sending)
        try:
            with sending, suppress(StoppedError):
                await self._handle(message)
        finally:
            self._sends.discard(sending)
            if self.stopped and not self._sends:
                self._end()

    async def _drop(self) -> None:
        self._dropped += 1
        if self._dropped > DROPPED:
            await anyio.lowlevel.checkpoint()
            raise OSError("the stream has ended: its client has left, or the guard ended it")
