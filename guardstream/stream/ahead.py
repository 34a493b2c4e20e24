"""A read of a source that its reader can stop waiting for, without cancelling it.

Most sources end when a read of them is cancelled. So a reader that waits only for some time lets a
task of its own read the next chunk, and may wait for that again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar, cast

import anyio

from guardstream.stream.loops import CLOSE_SECONDS, Loop

C = TypeVar("C")


class Ahead(Generic[C]):
    """The next read of a source.

    `until` is when its reader gives up waiting, by the loop's clock; infinite once it has, because
    nothing is left to wait for but the chunk.
    """

    def __init__(self, receive: Callable[[], Awaitable[C]], seconds: float) -> None:
        self.until = anyio.current_time() + seconds
        self._receive = receive
        self._scope = anyio.CancelScope()
        self._over: anyio.Event | None = None  # set once the read has ended
        self._chunk: list[C] = []
        self._error: BaseException | None = None

    @property
    def is_reading(self) -> bool:
        """Whether a read has begun whose result was not taken."""
        return self._over is not None

    @property
    def has_come(self) -> bool:
        """Whether the read has ended."""
        return self._over is not None and self._over.is_set()

    async def wait(self, loop: Loop) -> None:
        """Wait for the read to end; begin it if necessary."""
        if self._over is None:
            self._over, self._scope = anyio.Event(), anyio.CancelScope()
            loop.spawn_within(self._read)
        await self._over.wait()

    def take(self) -> C:
        """Return the chunk that came, or raise what the source raised."""
        self._over = None
        error, self._error = self._error, None
        if error is not None:
            try:
                raise error
            finally:
                del error  # its traceback leads here
        return self._chunk.pop()

    async def cancel(self) -> None:
        """Cancel the read, and wait until it has left the source."""
        if self._over is None or self._over.is_set():
            return
        self._scope.cancel()
        with anyio.move_on_after(CLOSE_SECONDS, shield=True):
            await self._over.wait()

    async def _read(self) -> None:
        over = cast("anyio.Event", self._over)
        try:
            with self._scope:
                self._chunk.append(await self._receive())
        except BaseException as error:  # the reader gets it
            self._error = error
        finally:
            over.set()
