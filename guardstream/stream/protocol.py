"""The interfaces of the streams of this package, for annotations.

A function that accepts a `ChunkStream` accepts any of them: guarded, gated, retried, teed,
recorded, and your own class with these members. A `WrappedStream` is what `Guard.wrap`, `gate` and
`retrying` return, whatever the policy says.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Protocol, Self, TypeVar, runtime_checkable

from guardstream.events import Finding, FinishReason
from guardstream.stream.context import TextStream
from guardstream.stream.result import Result, Stats

__all__ = ["ChunkStream", "StreamOutcome", "SyncChunkStream", "WrappedStream"]

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
class WrappedStream(ChunkStream[C], Protocol[C]):
    """A guarded stream of any kind: a GuardedStream, a GatedStream or a RetryingStream.

    A SyncGuardedStream has the same members, to be used without `await`.
    """

    @property
    def delta(self) -> str:
        """The answer's text in the chunk that was delivered last."""
        ...

    @property
    def held(self) -> int:
        """How many code points are held back now, or wait for a verdict."""
        ...

    @property
    def failure(self) -> object:
        """The last chunk of a blocked stream, if it is an error in place of a finish reason; else
        None. See `Guard.with_on_block`."""
        ...

    @property
    def text_stream(self) -> TextStream:
        """The answer's text alone, as an async iterator that reads this stream."""
        ...

    def ready(self) -> Sequence[C]:
        """Return the further chunks that came with the last one; they count as delivered."""
        ...

    async def text(self) -> str:
        """Read the stream to its end; return the guarded text of choice 0 from the start."""
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
