"""Sources that wait for a place in a limiter, and are opened at the first read."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Callable
from typing import Any, Generic, TypeVar

from guardstream.resilience.limiter import Limiter, Place
from guardstream.stream.loops import aclose_source
from guardstream.stream.opening import Open, opened, opens
from guardstream.stream.sources import check_opened

C = TypeVar("C")


class Source(Generic[C]):
    """A source that waits for a place in `limiter`, if any, and is opened at the first read.

    The place is freed at the source's end, or when it is closed. If the stream is already open,
    only its first read waits.
    """

    def __init__(
        self,
        source: AsyncIterable[C] | Open[C],
        limiter: Callable[[], Limiter] | None = None,
        key: str = "",
    ) -> None:
        self._source = source
        self._limiter = limiter
        self._key = key
        self._stream: Any = None if opens(source) else source
        self._chunks: AsyncIterator[C] | None = None
        self._place: Place | None = None
        self._closed = False

    def __aiter__(self) -> Source[C]:
        return self

    @property
    def finish(self) -> Any:
        """The finish reason of a source that is a guarded stream; None of any other."""
        return getattr(self._stream, "finish", None)

    @property
    def blocked_by(self) -> Any:
        """The rule that blocked a source that is a guarded stream; None of any other."""
        return getattr(self._stream, "blocked_by", None)

    async def __anext__(self) -> C:
        if self._closed:
            raise StopAsyncIteration
        try:
            if self._chunks is None:
                self._chunks = await self._begin()
            return await anext(self._chunks)
        except BaseException:
            self._leave()
            raise

    async def _begin(self) -> AsyncIterator[C]:
        if self._limiter is not None:
            self._place = await self._limiter().enter(self._key)
        if self._stream is None:
            stream = await opened(self._source)  # type: ignore[arg-type]
            check_opened(stream)
            self._stream = stream
        return aiter(self._stream)

    async def aclose(self) -> None:
        """Close what was opened, and give the place back. Idempotent."""
        self._closed = True
        chunks, stream = self._chunks, self._stream
        self._chunks = self._stream = None
        try:
            await aclose_source(*(() if chunks is stream else (chunks,)), stream)
        finally:
            self._leave()

    def _leave(self) -> None:
        if self._place is not None:
            self._place.leave()
