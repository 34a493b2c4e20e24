"""A bound on how many streams run at once, in all and for each key, with a queue."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio

from guardstream.errors import GuardstreamError
from guardstream.stream.arguments import known_arguments


class LimiterError(GuardstreamError):
    """There is no room for a stream: the queue is full, or the wait took too long."""


class Limiter:
    """Limits how many streams run at once; those that wait are admitted first come, first served.

    `total` bounds all streams, `per_key` those of each key (a user, an API key). `queue` is how
    many may wait; `timeout` how long each may, in seconds. It belongs to one event loop.
    """

    @known_arguments
    def __init__(
        self,
        total: int,
        *,
        per_key: int | None = None,
        queue: int | None = None,
        timeout: float | None = None,
    ) -> None:
        if total < 1 or (per_key is not None and per_key < 1):
            raise ValueError("a limiter needs room for at least one stream")
        self.running = 0
        self.waiting = 0
        self._total = anyio.Semaphore(total)
        self._per_key = per_key
        self._keys: dict[str, _Key] = {}
        self._queue = queue
        self._timeout = timeout

    @asynccontextmanager
    async def slot(self, key: str = "") -> AsyncIterator[None]:
        """Enter to run a stream, which counts for `key`; leave when it is over.

        Raises LimiterError if the queue is full, or if no room comes within `timeout` seconds.
        """
        own = self._keys.setdefault(key, _Key(self._per_key))
        own.users += 1
        try:
            if not self._enter_now(own):
                await self._wait(own)
            self.running += 1
            try:
                yield
            finally:
                self.running -= 1
                self._total.release()
                own.release()
        finally:
            own.users -= 1
            if not own.users:
                self._keys.pop(key, None)

    def _enter_now(self, own: _Key) -> bool:
        """Take a place if there is one free; who waits already has it promised."""
        try:
            own.enter_now()
        except anyio.WouldBlock:
            return False
        try:
            self._total.acquire_nowait()
        except anyio.WouldBlock:
            own.release()
            return False
        return True

    async def _wait(self, own: _Key) -> None:
        if self._queue is not None and self.waiting >= self._queue:
            raise LimiterError(f"{self.waiting} streams wait already: no room for another")
        self.waiting += 1
        try:
            with anyio.fail_after(self._timeout):
                # The key's own turn first: who waits for it must not take room from others.
                await own.enter()
                try:
                    await self._total.acquire()
                except BaseException:
                    own.release()
                    raise
        except TimeoutError:
            raise LimiterError(f"no room for a stream within {self._timeout} seconds") from None
        finally:
            self.waiting -= 1


class _Key:
    """The places of one key, and how many streams of it there are, waiting ones too."""

    def __init__(self, room: int | None) -> None:
        self.users = 0
        self._places = None if room is None else anyio.Semaphore(room)

    def enter_now(self) -> None:
        if self._places is not None:
            self._places.acquire_nowait()

    async def enter(self) -> None:
        if self._places is not None:
            await self._places.acquire()

    def release(self) -> None:
        if self._places is not None:
            self._places.release()
