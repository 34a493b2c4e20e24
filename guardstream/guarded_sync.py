"""A guarded stream for programs without an event loop: the same promises, `for` and `with`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from types import TracebackType
from typing import Any, TypeVar

from guardstream.events import FinishReason
from guardstream.flow import Sent
from guardstream.guarded import Delivery, Start, reason_of
from guardstream.runtime import close_source

C = TypeVar("C")
S = TypeVar("S", bound="SyncGuardedStream[Any]")


class SyncGuardedStream(Delivery[C]):
    """An iterator of guarded chunks, of the same type as the source's.

    Use it as `with guard.wrap_sync(source) as stream:` so that the source is closed as soon as the
    block is left.
    """

    def __init__(
        self, source: Iterable[C], start: Start[C], *, raise_on_block: bool, keep_text: bool
    ) -> None:
        super().__init__(start, raise_on_block=raise_on_block, keep_text=keep_text)
        self._iterator: Iterator[C] = iter(source)
        self._sources: tuple[object, ...] = (self._iterator, source)

    def __iter__(self: S) -> S:
        return self

    def __next__(self) -> C:
        """Return the next guarded chunk."""
        while not self._queue:
            if self._finish is not None:
                raise self._fault() or StopIteration
            sent = self._advance()
            if len(sent) == 1:
                return self._deliver(sent[0])
            self._queue.extend(sent)
        return self._deliver(self._queue.popleft())

    def __enter__(self: S) -> S:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def text(self) -> str:
        """Read the stream to its end; return the guarded text of choice 0 from the start."""
        self._kept_text()
        for _ in self:
            pass
        return self._kept_text()

    def stop(self) -> None:
        """End the stream at the next chunk: held text is dropped, the source is closed.

        Callable from any thread; a reader that waits for the source is not woken.
        """
        self._stopping = True

    def close(self) -> None:
        """Close the source; what was not delivered yet is dropped. Idempotent."""
        self._queue.clear()
        self._close("cancelled")

    def __del__(self) -> None:
        if getattr(self, "_sources", None) and self._finish is None:
            close_source(*self._sources)

    def _advance(self) -> Sequence[Sent[C]]:
        """Take one chunk, or the end, from the source; return what may go out."""
        if self._stopping:
            self._close("cancelled")
            return ()
        try:
            chunk = next(self._iterator)
            if self._stopping:
                return ()
            flow = self._flow or self._begin(chunk)
            sent = flow.feed(chunk)
        except StopIteration:
            return self._exhausted()
        except BaseException as error:
            self._close(reason_of(error))
            raise
        if flow.ended is not None:
            self._close(flow.ended)
        return sent

    def _exhausted(self) -> Sequence[Sent[C]]:
        try:
            sent = self._settle()
        except BaseException as error:
            self._close(reason_of(error))
            raise
        assert self._flow is not None
        self._close(self._flow.ended or "stop")
        return sent

    def _close(self, reason: FinishReason) -> None:
        if self._finish is None:
            self._end(reason)
            close_source(*self._sources)
