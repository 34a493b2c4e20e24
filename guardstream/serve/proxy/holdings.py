"""The bodies that a process keeps while it reads them, of requests and of whole answers: one bound.

A short body never waits. A longer one waits for its turn, and if it gets none, its client is told
to ask again; a request that has stalled gives up its place first. A stream that is under way has
its place already, so it never waits.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from ctypes import CDLL
from types import TracebackType
from typing import Self, TypeVar

import anyio

from guardstream.http.request import RefusedError
from guardstream.serve.proxy.memory_budget import MemoryBudget

T = TypeVar("T")

MOST = 192 * 1024 * 1024
"""Bytes of long bodies that a process keeps."""

SHORT = 64 * 1024
"""Bytes of a body that is not counted: the connections are, and so many bytes need each anyway."""

WAIT = 10.0
"""Seconds that a body waits for its turn; after that, an answer is better than patience."""

STALLED = 5.0
"""Seconds without a byte after which a body that others wait for is given up."""


MUCH = 32 * 1024 * 1024
"""Bytes after which the memory of bodies is given back to the system."""

_trim: Callable[[int], object] = (
    getattr(CDLL(None), "malloc_trim", lambda _: None)
    if sys.platform == "linux"
    else lambda _: None
)
"""Gives back what the C library would keep, because its heap is in pieces after many bodies."""


class CrowdedError(RefusedError):
    """There is no room for a body: its client may ask again, `headers` say when."""

    headers = ((b"retry-after", b"5"),)

    def __init__(self) -> None:
        super().__init__(503, "too_many_bodies", "other long bodies take all the room: ask later")


class Holdings:
    """The bodies of one process; `with holdings.one() as holding` holds one of them."""

    def __init__(self, most: int = MOST) -> None:
        self._memory = MemoryBudget(most)
        self._all: dict[Holding, None] = {}
        self._peak = 0  # the most bytes that were held since none were

    @property
    def taken(self) -> int:
        """The bytes that are held."""
        return self._memory.taken

    def one(self) -> Holding:
        """Return what holds one body until it is left."""
        return Holding(self, self._memory)

    def enter(self, holding: Holding) -> None:
        """Count a body among those that may have to give up their place."""
        self._all[holding] = None

    def release(self, holding: Holding) -> None:
        """Take back the place of a body."""
        self._peak = max(self._peak, self.taken)
        self._memory.release(holding)
        self._all.pop(holding, None)
        if self._peak > MUCH and not self.taken:
            self._peak = 0
            _trim(0)

    def give_up_stalled(self) -> None:
        """Let the body that has stalled the longest give up its place."""
        waiting = [each for each in self._all if each.stalled > STALLED]
        if waiting:
            max(waiting, key=lambda each: each.stalled).give_up()


class Holding:
    """One body, from its first byte until its request is over."""

    def __init__(self, holdings: Holdings, memory: MemoryBudget) -> None:
        self._holdings = holdings
        self._memory = memory
        self._size = 0
        self._reading: anyio.CancelScope | None = None
        self._since = 0.0

    @property
    def stalled(self) -> float:
        """For how many seconds its next byte has been awaited; 0 for a short body."""
        counts = self._reading is not None and self._size > SHORT
        return anyio.current_time() - self._since if counts else 0.0

    def give_up(self) -> None:
        """End the wait for its next byte."""
        if self._reading is not None:
            self._reading.cancel()

    async def reading(self, part: Awaitable[T]) -> T:
        """Await its next part; RefusedError if it had to give up its place."""
        self._since = anyio.current_time()
        with anyio.CancelScope() as self._reading:
            came = await part
            self._reading = None
            return came
        self._reading = None
        raise RefusedError(408, "body_timeout", "the body has stalled, and others wait")

    async def add(self, size: int) -> None:
        """Make room for more of it; CrowdedError if there is none for a while."""
        before, self._size = self._size, self._size + size
        if self._size <= SHORT:
            return
        more = self._size if before <= SHORT else size
        for _ in range(int(WAIT)):
            with anyio.move_on_after(1):
                await self._memory.acquire(self, more)
                return
            self._holdings.give_up_stalled()
        raise CrowdedError

    def __enter__(self) -> Self:
        self._holdings.enter(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._holdings.release(self)
