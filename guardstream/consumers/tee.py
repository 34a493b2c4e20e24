"""One guarded stream for several consumers: a browser, a file and a log at once."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterable
from typing import Generic, Literal, TypeVar

import anyio

from guardstream.consumers.reading import Reading
from guardstream.errors import GuardstreamError

C = TypeVar("C")


class TeeOverflowError(GuardstreamError):
    """A branch was too slow for its buffer, and `slow="drop"` was asked for."""


class Tee(Reading[C]):
    """Gives each of `branches` consumers every chunk.

        async with Tee(stream, 2) as (browser, file): ...

    A branch has at most `buffer` chunks unread: the slowest one slows the stream down (`wait`), or
    is given up with TeeOverflowError (`drop`). A branch that leaves does not stop the others; the
    stream is closed with the last, or when the block is left. What the stream raises is raised in
    each branch behind the chunks that came before.
    """

    def __init__(
        self,
        stream: AsyncIterable[C],
        branches: int = 2,
        *,
        buffer: int = 64,
        slow: Literal["wait", "drop"] = "wait",
    ) -> None:
        if branches < 1 or buffer < 1:
            raise ValueError("a tee needs at least one branch, and room for one chunk in each")
        super().__init__(stream)
        self._branches = tuple(Branch(self, buffer) for _ in range(branches))
        self._slow = slow

    async def __aenter__(self) -> tuple[Branch[C], ...]:
        await self._start()
        return self._branches

    async def _take(self, chunk: C) -> None:
        for branch in self._branches:
            while branch.full and not branch.left:
                if self._slow == "drop":
                    branch.end(TeeOverflowError("a consumer was too slow for the stream"))
                    break
                await branch.emptier()
            if not (branch.left or branch.ended):
                branch.put(chunk)
        self.look()

    def _end(self, error: Exception | None) -> None:
        for branch in self._branches:
            branch.end(error)

    def look(self) -> None:
        """Stop reading if no branch takes any more."""
        if all(branch.left or branch.ended for branch in self._branches):
            self._stop()


class Branch(Generic[C]):
    """An async iterator of all chunks of the stream; one task reads it at a time."""

    def __init__(self, tee: Tee[C], buffer: int) -> None:
        self.left = False
        self.ended = False
        self._tee = tee
        self._buffer = buffer
        self._chunks: deque[C] = deque()
        self._error: Exception | None = None
        self._filled = anyio.Event()
        self._emptied = anyio.Event()

    @property
    def full(self) -> bool:
        """Whether there is no room for another chunk."""
        return len(self._chunks) >= self._buffer

    def __aiter__(self) -> Branch[C]:
        return self

    async def __anext__(self) -> C:
        """Return the next chunk."""
        while not self._chunks:
            if self.ended or self.left:
                error, self._error = self._error, None
                raise error or StopAsyncIteration
            self._filled = anyio.Event()
            await self._filled.wait()
        chunk = self._chunks.popleft()
        self._emptied.set()
        return chunk

    async def aclose(self) -> None:
        """Leave: what was not read is dropped."""
        self.left = True
        self._chunks.clear()
        self._emptied.set()
        self._filled.set()
        self._tee.look()

    async def emptier(self) -> None:
        """Wait until a chunk was read, or the branch was left."""
        self._emptied = anyio.Event()
        await self._emptied.wait()

    def put(self, chunk: C) -> None:
        """Add a chunk."""
        self._chunks.append(chunk)
        self._filled.set()

    def end(self, error: Exception | None) -> None:
        """Say that nothing more comes, and why; the first reason counts."""
        if not self.ended:
            self.ended = True
            self._error = error
            self._filled.set()
