"""Drives the work on a stream, asynchronous or plain: chunks go in, values come out."""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, AsyncIterable, Generator, Iterable, Iterator
from typing import Any, Protocol, TypeAlias, TypeVar

from guardstream.stream.loops import aclose_source
from guardstream.stream.synchronous import close_source

T_co = TypeVar("T_co", covariant=True)
T = TypeVar("T")

Stream: TypeAlias = AsyncIterable[Any] | Iterable[Any]


class Work(Protocol[T_co]):
    """Turns chunks into values. `over` says that no more chunks are needed."""

    @property
    def over(self) -> bool: ...
    def feed(self, chunk: Any) -> Iterator[T_co]: ...
    def finish(self, stream: object) -> Iterator[T_co]: ...


async def values(stream: Stream, work: Work[T]) -> AsyncGenerator[T, None]:
    """Yield what `work` makes of the stream's chunks; closes the stream on every way out."""
    chunks = _Chunks(stream)
    try:
        async for chunk in chunks:
            for value in work.feed(chunk):
                yield value
            if work.over:
                return
        for value in work.finish(stream):
            yield value
    finally:
        await chunks.aclose()


def values_sync(stream: Iterable[Any], work: Work[T]) -> Generator[T, None, None]:
    """Yield what `work` makes of the stream's chunks; closes the stream on every way out."""
    if isinstance(stream, AsyncIterable):
        raise TypeError("an asynchronous stream cannot be read synchronously: leave '_sync' out")
    _check(stream)
    chunks = iter(stream)
    try:
        for chunk in chunks:
            yield from work.feed(chunk)
            if work.over:
                return
        yield from work.finish(stream)
    finally:
        close_source(chunks, stream)


def _check(stream: object) -> None:
    """Raise TypeError for anything but a stream."""
    if inspect.iscoroutine(stream):
        stream.close()
        raise TypeError("a coroutine is not a stream: await it first")
    if not isinstance(stream, (AsyncIterable, Iterable)):
        raise TypeError(f"expected a stream of text or chunks, not {type(stream).__qualname__!r}")


class _Chunks:
    """A stream's chunks, from an asynchronous or a plain iterable; closes what it took."""

    def __init__(self, stream: Stream) -> None:
        _check(stream)
        self._stream = stream
        self._async = aiter(stream) if isinstance(stream, AsyncIterable) else None
        self._plain = None if isinstance(stream, AsyncIterable) else iter(stream)

    def __aiter__(self) -> _Chunks:
        return self

    async def __anext__(self) -> Any:
        if self._async is not None:
            return await anext(self._async)
        assert self._plain is not None
        for chunk in self._plain:
            return chunk
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """Close the iterator and the stream, also while being cancelled."""
        await aclose_source(self._async or self._plain, self._stream)
