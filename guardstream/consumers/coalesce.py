"""Fewer, larger chunks, for printing or for networks with a high cost per packet."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterable
from typing import TypeVar

import anyio

from guardstream.amounts import check_amount, check_count
from guardstream.consumers.read_ahead import ReadAhead
from guardstream.events import FinishReason
from guardstream.stream.arguments import known_arguments
from guardstream.stream.loops import Signal, aclose_source

C = TypeVar("C")


class Coalesce(ReadAhead[C]):
    """Merges chunks of `str` or `bytes` up to `characters` or for up to `milliseconds`.

        async with Coalesce(stream, characters=40, milliseconds=50) as chunks:
            async for chunk in chunks: ...

    No text waits longer than `milliseconds` after its arrival. Chunks of other types cannot be
    merged and pass one by one. The stream is read ahead by at most `buffer` chunks while a chunk
    is being handled.

    Raises TypeError or ValueError for an amount that is not a number above 0. Iterating raises the
    stream's exceptions, after the text before them.
    """

    @known_arguments
    def __init__(
        self,
        stream: AsyncIterable[C],
        *,
        characters: int = 40,
        milliseconds: float = 50.0,
        buffer: int = 64,
    ) -> None:
        check_count("characters", characters)
        check_amount("milliseconds", milliseconds, "milliseconds")
        check_count("buffer", buffer)
        super().__init__(stream)
        self._characters = characters
        self._seconds = milliseconds / 1000
        self._buffer = buffer
        self._chunks: deque[C] = deque()
        self._size = 0
        self._since = 0.0  # when the oldest chunk came
        self._ended = False
        self._error: Exception | None = None
        self._failed = False
        self._over = anyio.Event()
        self._news = Signal()
        self._room = Signal()

    async def __aenter__(self) -> Coalesce[C]:
        await self._start()
        return self

    @property
    def finish(self) -> FinishReason | None:
        """Why the stream ended; None while there is more to read."""
        if not self._ended or self._chunks:
            return None
        reason: FinishReason | None = getattr(self.stream, "finish", None)
        if self._failed:
            return reason or "error"
        return reason or ("cancelled" if self.stopped else "stop")

    def __aiter__(self) -> Coalesce[C]:
        return self

    async def __anext__(self) -> C:
        """Return the next merged chunk. RuntimeError outside of `async with`."""
        while not self._chunks:
            if self._ended:
                error, self._error = self._error, None
                raise error or StopAsyncIteration
            if not self._entered:
                raise RuntimeError("nobody reads the stream: iterate in 'async with Coalesce(...)'")
            await self._news.wait()
        left = self._since + self._seconds - anyio.current_time()
        if not self._enough() and left > 0:
            with anyio.move_on_after(left):
                await self._until_enough()
        return self._merged() if self._chunks else await anext(self)  # `aclose` drops them

    async def _take(self, chunk: C) -> None:
        """Keep a chunk until it is asked for; wait while too many are kept."""
        while len(self._chunks) >= self._buffer:
            await self._room.wait()
        if not self._chunks:
            self._since = anyio.current_time()
        self._chunks.append(chunk)
        self._size += len(chunk) if isinstance(chunk, (str, bytes)) else 0
        self._news.notify()

    def _end(self, error: Exception | None) -> None:
        """Note that nothing more comes, and why."""
        self._ended = True
        self._error, self._failed = error, error is not None
        self._news.notify()
        self._over.set()

    async def aclose(self) -> None:
        """Stop reading and wait until the stream is closed; what was not read is dropped."""
        self._chunks.clear()
        self._halt()
        if self._entered:
            await self._over.wait()
        else:
            await aclose_source(*self._sources)
            self._end(None)

    def _enough(self) -> bool:
        if self._ended or not self._chunks:
            return True
        full = self._size >= self._characters or len(self._chunks) >= self._buffer
        return full or not isinstance(self._chunks[-1], (str, bytes))

    async def _until_enough(self) -> None:
        while not self._enough():
            await self._news.wait()

    def _merged(self) -> C:
        """Take chunks of the first one's type from the front, as one."""
        chunks = [self._chunks.popleft()]
        kind = type(chunks[0])
        if kind in (str, bytes):
            while self._chunks and type(self._chunks[0]) is kind:
                chunks.append(self._chunks.popleft())
        self._size = sum(len(each) for each in self._chunks if isinstance(each, (str, bytes)))
        self._room.notify()
        if len(chunks) == 1:
            return chunks[0]
        return kind().join(chunks)  # type: ignore[attr-defined, no-any-return]
