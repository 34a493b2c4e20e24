"""What all streams have in common: `async with`, `with`, and the answer's text."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Any, Generic, NoReturn, Protocol, Self, TypeVar

from guardstream.events import FinishReason

log = logging.getLogger("guardstream")


class _AsyncClosable(Protocol):
    async def aclose(self) -> None: ...


class _Closable(Protocol):
    def close(self) -> None: ...


class _Read(Protocol):
    def __aiter__(self) -> AsyncIterator[Any]: ...
    @property
    def result(self) -> Any: ...


class _HasDelta(Protocol):
    @property
    def delta(self) -> str: ...
    @property
    def finish(self) -> FinishReason | None: ...
    @property
    def blocked_by(self) -> str | None: ...


class _AsyncStream(_HasDelta, _AsyncClosable, Protocol):
    async def __anext__(self) -> Any: ...


class _SyncStream(_HasDelta, _Closable, Protocol):
    def __next__(self) -> Any: ...


S = TypeVar("S", bound=_HasDelta)


class Shown:
    """The base of all streams: the `repr` says whether it has ended, and how."""

    def __repr__(self) -> str:
        ended = getattr(self, "finish", None)
        return f"<{type(self).__name__}, {'open' if ended is None else f'finish {ended!r}'}>"

    def __reduce__(self) -> NoReturn:
        """Raise TypeError: a stream in progress cannot be pickled or copied."""
        raise TypeError(
            "a guarded stream cannot be pickled or copied: pass its `result`, or the guard"
        )


class AsyncContext(Shown):
    """The base of asynchronous streams, which `async with` closes."""

    def __aiter__(self) -> Self:
        return self

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self: _AsyncClosable,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            await self.aclose()
        except Exception as failure:
            if error is None:
                raise
            hide(failure)

    async def text(self: _Read) -> str:
        """Read the stream to its end; return choice 0's text from the start.

        Raises what iterating raises, and RuntimeError for a stream with `keep_text=False`.
        """
        async for _ in self:
            pass
        text: str = self.result.text
        return text


class SyncContext(Shown):
    """The base of synchronous streams, which `with` closes."""

    def __iter__(self) -> Self:
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self: _Closable,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            self.close()
        except Exception as failure:
            if error is None:
                raise
            hide(failure)


class _TextOf(Generic[S]):
    """A stream's answer."""

    def __init__(self, stream: S) -> None:
        self._stream = stream

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._stream!r}>"

    @property
    def finish(self) -> FinishReason | None:
        """Why the stream ended; None while it is open."""
        return self._stream.finish

    @property
    def blocked_by(self) -> str | None:
        """The id of the rule that blocked the stream, if one did."""
        return self._stream.blocked_by


class TextStream(_TextOf[_AsyncStream]):
    """An async iterator of a stream's answer, in pieces that are not empty."""

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> str:
        """Return the next text of the answer."""
        while True:
            await self._stream.__anext__()
            if self._stream.delta:
                return self._stream.delta

    async def aclose(self) -> None:
        """Close the stream."""
        await self._stream.aclose()


class SyncTextStream(_TextOf[_SyncStream]):
    """An iterator of a stream's answer, in pieces that are not empty."""

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> str:
        """Return the next text of the answer."""
        while True:
            next(self._stream)
            if self._stream.delta:
                return self._stream.delta

    def close(self) -> None:
        """Close the stream."""
        self._stream.close()


def check_kept(*, is_kept: bool) -> None:
    """Raise RuntimeError for a stream that does not keep its text."""
    if not is_kept:
        raise RuntimeError("the text was not kept: wrap the stream with keep_text=True")


def hide(error: Exception) -> None:
    """Log an error that follows the one that is raised."""
    log.error("a guarded stream that had failed failed again (%s)", type(error).__name__)
