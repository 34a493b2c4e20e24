"""One guarded stream for several consumers, such as a browser, a file and a log."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterable
from typing import Generic, Literal, TypeVar

from guardstream.amounts import check_count
from guardstream.consumers.read_ahead import ReadAhead
from guardstream.errors import GuardstreamError
from guardstream.events import FinishReason
from guardstream.hints import check_known
from guardstream.stream.arguments import known_arguments
from guardstream.stream.context import AsyncContext
from guardstream.stream.loops import Signal
from guardstream.stream.outcome import RelayedOutcome
from guardstream.stream.state import reason_of

C = TypeVar("C")


class TeeOverflowError(GuardstreamError):
    """A branch was too slow for its buffer, with `slow="drop"`."""


class Tee(ReadAhead[C]):
    """Yields every chunk of a stream to each of `branches` consumers.

        async with Tee(stream, 2) as (browser, file): ...

    A branch has at most `buffer` unread chunks. The slowest branch slows the stream down
    (`slow="wait"`), or is dropped with TeeOverflowError (`"drop"`). Closing a branch does not stop
    the others; the stream is closed with the last one, or when the `async with` block is left. An
    exception of the stream is raised in each branch, after the chunks before it.

    Raises TypeError or ValueError if `branches` or `buffer` is not a whole number above 0.
    """

    @known_arguments
    def __init__(
        self,
        stream: AsyncIterable[C],
        branches: int = 2,
        *,
        buffer: int = 64,
        slow: Literal["wait", "drop"] = "wait",
    ) -> None:
        check_count("branches", branches)
        check_count("buffer", buffer)
        check_known("slow", slow, ("wait", "drop"))
        super().__init__(stream)
        self._branches = tuple(Branch(self, stream, buffer) for _ in range(branches))
        self._slow = slow

    async def __aenter__(self) -> tuple[Branch[C], ...]:
        await self._start()
        return self._branches

    async def _take(self, chunk: C) -> None:
        """Give a chunk to every branch that has not left."""
        for branch in self._branches:
            while branch.full and not branch.left:
                if self._slow == "drop":
                    branch.end(TeeOverflowError("a consumer was too slow for the stream"))
                    break
                await branch.emptier()
            if not (branch.left or branch.ended):
                branch.put(chunk)
        self.stop_if_unread()

    def _end(self, error: Exception | None) -> None:
        """Tell every branch that nothing more comes."""
        for branch in self._branches:
            branch.end(error)

    def stop_if_unread(self) -> None:
        """Stop reading if no branch takes any more."""
        if all(branch.left or branch.ended for branch in self._branches):
            self._halt()


class Branch(RelayedOutcome, AsyncContext, Generic[C]):
    """An async iterator of all chunks of the stream that a `Tee` reads; for one task at a time.

    `result`, `stats` and `findings` are those of the stream, which is ahead of this branch by its
    unread chunks; `finish` is the branch's own. `stop` ends the stream for all branches, `aclose`
    only closes this branch.
    """

    def __init__(self, tee: Tee[C], stream: AsyncIterable[C], buffer: int) -> None:
        super().__init__(stream)
        self.left = False
        self.ended = False
        self._tee = tee
        self._buffer = buffer
        self._chunks: deque[C] = deque()
        self._error: Exception | None = None
        self._failed: FinishReason | None = None
        self._filled = Signal()
        self._emptied = Signal()

    @property
    def full(self) -> bool:
        """Whether there is no room for another chunk."""
        return len(self._chunks) >= self._buffer

    @property
    def finish(self) -> FinishReason | None:
        """Why the branch ended; None while there is more to read."""
        if self.left:
            return "cancelled"
        if not self.ended or self._chunks:
            return None
        if self._failed is not None:
            return self._failed
        reason: FinishReason | None = getattr(self.stream, "finish", None)
        return reason or ("cancelled" if self._tee.stopped else "stop")

    async def __anext__(self) -> C:
        """Return the next chunk."""
        while not self._chunks:
            if self.ended or self.left:
                error, self._error = self._error, None
                raise error or StopAsyncIteration
            await self._filled.wait()
        chunk = self._chunks.popleft()
        self._emptied.notify()
        return chunk

    def stop(self) -> None:
        """End the stream for all branches. From any thread, any number of times."""
        self._tee.stop()

    async def aclose(self) -> None:
        """Leave: what was not read is dropped."""
        self.left = True
        self._chunks.clear()
        self._emptied.notify()
        self._filled.notify()
        self._tee.stop_if_unread()

    async def emptier(self) -> None:
        """Wait until a chunk was read, or the branch was left."""
        await self._emptied.wait()

    def put(self, chunk: C) -> None:
        """Add a chunk."""
        self._chunks.append(chunk)
        self._filled.notify()

    def end(self, error: Exception | None) -> None:
        """Say that nothing more comes, and why; the first reason counts."""
        if not self.ended:
            self.ended = True
            self._error = error
            self._failed = reason_of(error) if error is not None else None
            self._filled.notify()
