"""The interface of all streams of this package: guarded, gated, retried, teed, recorded.

A function that accepts a `ChunkStream` accepts any of them, and your own class with these members.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Protocol, Self, TypeVar, runtime_checkable

from guardstream.events import Finding, FinishReason
from guardstream.stream.result import Result, Stats

__all__ = ["ChunkStream", "StreamOutcome", "SyncChunkStream"]

C = TypeVar("C", covariant=True)


class StreamOutcome(Protocol):
    """The state of a stream, readable at any time and from any thread."""

    @property
    def findings(self) -> Sequence[Finding]:
        """The findings so far, in the order in which they settled."""
        ...

    @property
    def finish(self) -> FinishReason | None:
        """Why the stream ended; None while it is open."""
        ...

    @property
    def blocked_by(self) -> str | None:
        """The id of the rule that blocked the stream, or None."""
        ...

    @property
    def stats(self) -> Stats:
        """A snapshot of the counters."""
        ...

    @property
    def result(self) -> Result:
        """A snapshot of the delivered text, findings and tool calls."""
        ...

    def stop(self) -> None:
        """End the stream now; held text is dropped and the source is closed. Idempotent."""
        ...


@runtime_checkable
class ChunkStream(StreamOutcome, Protocol[C]):
    """An asynchronous stream of chunks: `guard.wrap`, `gate`, `retrying`, a branch of a `Tee`."""

    def __aiter__(self) -> Self: ...
    async def __anext__(self) -> C: ...
    async def __aenter__(self) -> Self: ...
    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...

    async def aclose(self) -> None:
        """Leave the stream: what was not delivered yet is dropped. Idempotent."""
        ...


@runtime_checkable
class SyncChunkStream(StreamOutcome, Protocol[C]):
    """A stream of chunks without an event loop: `guard.wrap_sync`."""

    def __iter__(self) -> Self: ...
    def __next__(self) -> C: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...

    def close(self) -> None:
        """Leave the stream: what was not delivered yet is dropped. Idempotent."""
        ...
