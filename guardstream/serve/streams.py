"""Server-sent events as asynchronous streams: decoded as they arrive, kept alive in silence."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator
from contextlib import AbstractAsyncContextManager

import anyio

from guardstream.consumers.read_ahead import ReadAhead
from guardstream.framing.sse import MAX_EVENT, MAX_LINE, Comment, Decoder, Event, encode
from guardstream.stream.loops import Signal, aclose_source, iterator_of

PING = encode(Comment("ping"))
"""A heartbeat: clients ignore it, proxies and browsers see that the connection is alive."""


async def aiter_events(
    source: AsyncIterable[bytes],
    *,
    max_line: int = MAX_LINE,
    max_event: int = MAX_EVENT,
    strict: bool = False,
) -> AsyncGenerator[Event, None]:
    """Yield the events of a stream of bytes; the source is closed on every exit path.

    `max_line` and `max_event` are in bytes. As the standard requires, an event that the end cuts
    off is dropped. Raises SSEError for a line or an event that is longer and, with `strict`, for
    invalid UTF-8, which otherwise becomes U+FFFD.
    """
    decoder = Decoder(max_line=max_line, max_event=max_event, strict=strict)
    iterator, sources = iterator_of(source)
    try:
        while (data := await anext(iterator, None)) is not None:
            for item in decoder.feed(data):
                if isinstance(item, Event):
                    yield item
            if decoder.error is not None:
                raise decoder.error
        for item in decoder.finish():
            if isinstance(item, Event):
                yield item
    finally:
        await aclose_source(*sources)


def heartbeats(
    source: AsyncIterable[bytes], seconds: float
) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
    """Enter to get the chunks of `source`, and a comment whenever `seconds` pass without one.

    A chunk has to be whole events. A task reads the source one chunk ahead. When the block is left,
    the task ends and the source is closed. The iterator raises what the source raises.
    """
    return _Beating(source, seconds)


class _Beating(ReadAhead[bytes]):
    """Chunks that another task reads; a timeout never loses a chunk."""

    def __init__(self, source: AsyncIterable[bytes], seconds: float) -> None:
        super().__init__(source)
        self._seconds = seconds
        self._chunks: deque[bytes] = deque()
        self._ended: Exception | None = None
        self._filled = Signal()
        self._emptied = Signal()

    async def __aenter__(self) -> AsyncIterator[bytes]:
        await self._start()
        return self

    async def _take(self, chunk: bytes) -> None:
        self._chunks.append(chunk)
        self._filled.notify()
        while self._chunks:
            await self._emptied.wait()

    def _end(self, error: Exception | None) -> None:
        self._ended = error or StopAsyncIteration()
        self._filled.notify()

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        with anyio.move_on_after(self._seconds):
            while not self._chunks and self._ended is None:
                await self._filled.wait()
        if self._chunks:
            self._emptied.notify()
            return self._chunks.popleft()
        if self._ended is not None:
            raise self._ended
        return PING
