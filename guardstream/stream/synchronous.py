"""A guarded stream for programs without an event loop: the same promises, `for` and `with`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from types import TracebackType
from typing import Any, TypeVar

from guardstream.events import FinishReason
from guardstream.stream.callbacks import Due
from guardstream.stream.flow import Sent
from guardstream.stream.loops import close_source
from guardstream.stream.state import Options, Start, StopRequestedError, Streaming, hide, reason_of

C = TypeVar("C")
S = TypeVar("S", bound="SyncGuardedStream[Any]")


class SyncGuardedStream(Streaming[C]):
    """An iterator of guarded chunks, of the same type as the source's.

    Use it as `with guard.wrap_sync(source) as stream:` so that the source is closed as soon as the
    block is left. Deadlines are looked at when a chunk comes: a wait cannot be interrupted.
    """

    def __init__(self, source: Iterable[C], start: Start[C], options: Options) -> None:
        options.hooks.check_sync()
        super().__init__(start, options)
        self._iterator: Iterator[C] = iter(source)
        self._sources: tuple[object, ...] = (self._iterator, source)

    def __iter__(self: S) -> S:
        return self

    def __next__(self) -> C:
        """Return the next guarded chunk."""
        while not self._queue:
            if self._finish is not None:
                raise self._nothing_more()
            sent = self._advance()
            if len(sent) == 1 and self._hooks is None:
                return self._deliver(sent[0])
            self._queue.extend(sent)
        if self._hooks is not None:
            return self._deliver_called()
        return self._deliver(self._queue.popleft())

    def __enter__(self: S) -> S:
        return self

    def __exit__(
        self,
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
        self._conclude()

    def __del__(self) -> None:
        if not getattr(self, "_sources", None):
            return
        if self._finish is None:
            close_source(*self._sources)
        record = self._take_record()
        if record is not None:
            self._options.observing.close_quietly(record)

    def _advance(self) -> Sequence[Sent[C]]:
        """Take one chunk, or the end, from the source; return what may go out."""
        try:
            self._open()
            if self._watch is not None:
                self._watch.wait()
            self._look()
            chunk = next(self._iterator)
            self._look()
            sent = self._feed(chunk)
        except StopIteration:
            return self._exhausted()
        except StopRequestedError as stop:
            self._close(stop.reason)
            return ()
        except BaseException as error:
            self._fail(error)
            raise
        if self._flow is not None and self._flow.ended is not None:
            self._close(self._flow.ended)
        return sent

    def _exhausted(self) -> Sequence[Sent[C]]:
        try:
            sent = self._settle()
        except BaseException as error:
            self._fail(error)
            raise
        assert self._flow is not None
        self._close(self._flow.ended or "stop")
        return sent

    def _fail(self, error: BaseException) -> None:
        """End the stream because of `error`, which is about to be raised."""
        self._note(error)
        self._close(reason_of(error))
        try:
            self._conclude()
        except Exception as later:
            hide(later)

    def _close(self, reason: FinishReason) -> None:
        if self._finish is None:
            self._end(reason)
            close_source(*self._sources)

    def _nothing_more(self) -> Exception:
        fault = self._fault()
        try:
            self._conclude()
        except Exception as later:
            if fault is None:
                raise
            hide(later)
        return fault or StopIteration()

    def _conclude(self) -> None:
        """Tell callbacks and observers, once, that the stream is over."""
        if self._concluded:
            return
        self._concluded = True
        try:
            if self._hooks is not None:
                self._call_at_end()
        except Exception as error:
            self._note(error)
            raise
        finally:
            self._record()

    def _deliver_called(self) -> C:
        """Deliver the next chunk once callbacks know of it; if one fails, it is not delivered."""
        try:
            self._call(self._due(self._queue[0]))
        except BaseException as error:
            self._call_failed(error)
            self._fail(error)
            raise
        if not self._queue:  # a callback has closed the stream
            return next(self)
        return self._deliver(self._queue.popleft())

    def _call_at_end(self) -> None:
        try:
            self._call(self._due_findings())
        except Exception as error:
            self._call_failed(error)
            raise
        finally:
            self._call(self._due_at_end())

    def _call(self, due: Sequence[Due]) -> None:
        assert self._hooks is not None
        for callback, argument in due:
            try:
                returned = callback(argument)
                if hasattr(returned, "__await__"):
                    raise TypeError(
                        "a callback of a stream without an event loop returned a "
                        "coroutine: use wrap()"
                    )
            except Exception as error:
                if not self._hooks.failed(error):
                    raise
