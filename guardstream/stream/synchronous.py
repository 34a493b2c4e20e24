"""A guarded stream for programs without an event loop: the same promises, `for` and `with`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from threading import Lock
from typing import TypeVar

from guardstream.events import FinishReason
from guardstream.stream.callbacks import Due
from guardstream.stream.context import SyncContext, SyncTextStream, hide
from guardstream.stream.options import Options
from guardstream.stream.outcome import Outcome, reason_at_end, rule_at_end
from guardstream.stream.state import MakeFlow, StopRequestedError, StreamState, reason_of

C = TypeVar("C")


class SyncGuardedStream(Outcome[C], SyncContext):
    """An iterator of guarded chunks, of the same type as the source's.

    Use it as `with guard.wrap_sync(source) as stream:` so that the source is closed as soon as the
    block is left. `Guard.wrap_sync` makes it. Deadlines are looked at when a chunk comes: a wait
    cannot be interrupted.
    """

    def __init__(self, source: Iterable[C], make_flow: MakeFlow[C], options: Options) -> None:
        options.handlers.check_sync()
        super().__init__(StreamState(make_flow, options))
        self._iterator: Iterator[C] = iter(source)
        self._sources: tuple[object, ...] = (self._iterator, source)
        if self._iterator is source:
            self._sources = (source,)
        self._begun = False
        self._busy = False  # whether the next chunk is being fetched; that thread handles a stop
        self._claim = Lock()  # the thread that acquires it closes the source
        self._is_closed = False
        self._concluded = False

    @property
    def finish(self) -> FinishReason | None:
        """Why the stream ended; None while it is open."""
        return self.state.finish

    @property
    def text_stream(self) -> SyncTextStream:
        """The answer's text alone, as an iterator that reads this stream."""
        return SyncTextStream(self)

    def __next__(self) -> C:
        """Return the next guarded chunk."""
        state = self.state
        self._busy = True
        try:
            while not state.queue:
                if state.finish is not None:
                    raise self._at_end()
                ready = self._advance()
                if ready is not None:
                    return ready
            if state.callbacks is not None:
                return self._deliver_after_callbacks()
            return state.deliver(state.queue.popleft())
        finally:
            self._busy = False
            if state.stopping:
                self._close_unread()

    def ready(self) -> list[C]:
        """Return the further chunks that came of the source's last one, without reading on.

        They count as delivered: iterating continues after them. With callbacks the list is empty,
        because each chunk has to wait for them.
        """
        state = self.state
        if state.callbacks is not None or self._busy:
            return []
        return [state.deliver(state.queue.popleft()) for _ in range(len(state.queue))]

    def text(self) -> str:
        """Read the stream to its end; return the guarded text of choice 0 from the start.

        RuntimeError with `keep_text=False`; otherwise what iterating raises.
        """
        self.state.check_kept()
        for _ in self:
            pass
        return self.result.text

    def stop(self) -> None:
        """End the stream at the next chunk: held text is dropped, the source is closed.

        Callable from any thread; a reader that waits for the source is not woken. If none does, the
        source is closed here, so that the consumer may just leave.
        """
        self.state.stopping = True
        if not self._busy:
            self._close_unread()

    def close(self) -> None:
        """Close the source; what was not delivered yet is dropped. Idempotent.

        If another thread waits for a generator, that thread closes it when the next chunk comes.
        """
        self.state.stopping = True  # first: that thread looks at it when it has left the source
        self.state.queue.clear()
        self._close("cancelled")
        self._conclude()

    def __del__(self) -> None:
        if not getattr(self, "_claim", None):
            return
        if not self._is_closed:
            close_source(*self._sources)
        notify = self.state.unreported()
        if notify is not None:
            notify()

    # Reading the source

    def _advance(self) -> C | None:
        """Take one chunk, or the end, from the source; return a chunk to deliver at once."""
        state = self.state
        watch = state.watch
        try:
            if not self._begun:
                self._begun = True
                state.open()
            if watch is not None:
                watch.wait()
            if state.stopping or watch is not None:
                state.check_stop()
            chunk = next(self._iterator)
            if state.stopping or watch is not None:
                state.check_stop()
            ready = state.step(chunk)
        except StopIteration:
            self._exhausted()
            return None
        except StopRequestedError as stop:
            if stop.reason == "timeout":
                state.lapse()
            self._close(stop.reason)
            return None
        except BaseException as error:
            self._fail(error)
            raise
        if ready is None and state.ended is not None:
            self._close(state.ended)
        return ready

    # The end

    def _close_unread(self) -> None:
        """Close the source of a stream that was stopped and has no reader."""
        self._close("cancelled")
        if not self.state.queue:  # otherwise the reader of the rest concludes
            try:
                self._conclude()
            except Exception as error:
                hide(error)

    def _exhausted(self) -> None:
        state = self.state
        try:
            sent = state.settle(rule_at_end(self._sources))
            reason = reason_at_end(state.ended, self._sources)
        except BaseException as error:
            self._fail(error)
            raise
        self._close(reason)
        state.queue.extend(sent)

    def _fail(self, error: BaseException) -> None:
        """End the stream because of `error`, which is about to be raised."""
        self.state.note_error(error)
        self._close(reason_of(error))
        try:
            self._conclude()
        except Exception as later:
            hide(later)

    def _close(self, reason: FinishReason) -> None:
        """Close the source. Only this method and `__del__` do that.

        A signal may interrupt it anywhere: the stream has ended then, and is closed later.
        """
        self.state.end(reason)
        if self._claim.acquire(blocking=False):
            try:
                self._is_closed = close_source(*self._sources)
            finally:
                if not self._is_closed:
                    self._claim.release()

    def _at_end(self) -> Exception:
        error_at_end = self.state.error_at_end()
        try:
            self._conclude()
        except Exception as later:
            if error_at_end is None:
                raise
            hide(later)
        return error_at_end or StopIteration()

    def _conclude(self) -> None:
        """Tell callbacks and observers, once, that the stream is over."""
        if self._concluded:
            self.state.report()  # another thread may have closed it as observers were being told
            return
        self._concluded = True
        try:
            if self.state.callbacks is not None:
                self._call_at_end()
        except Exception as error:
            self.state.note_error(error)
            raise
        finally:
            self.state.report()

    # Callbacks

    def _deliver_after_callbacks(self) -> C:
        """Run the callbacks for the next chunk, then deliver it; if one fails, it is not
        delivered."""
        state = self.state
        try:
            self._call(state.due())
        except BaseException as error:
            state.callback_failed(error)
            self._fail(error)
            raise
        if not state.queue:  # a callback has closed the stream
            return next(self)
        return state.deliver(state.queue.popleft())

    def _call_at_end(self) -> None:
        try:
            self._call(self.state.due_findings())
        except Exception as error:
            self.state.callback_failed(error)
            raise
        finally:
            self._call(self.state.due_at_end())

    def _call(self, due: Sequence[Due]) -> None:
        for callback, argument in due:
            try:
                returned = callback(argument)
                if hasattr(returned, "__await__"):
                    raise TypeError(
                        "a callback of a stream without an event loop returned a "
                        "coroutine: use wrap()"
                    )
            except Exception as error:
                if self.state.callbacks is None or not self.state.callbacks.failed(error):
                    raise


def close_source(*sources: object) -> bool:
    """Close each source that has a `close`, or a `cancel`, as a call of gRPC; an error while
    closing is dropped.

    Return False if one is a generator that is still open, because another thread is reading it.
    """
    closed = True
    for source in sources:
        close = getattr(source, "close", None) or getattr(source, "cancel", None)
        if close is not None:
            with suppress(Exception):
                close()
        closed = closed and getattr(source, "gi_frame", None) is None
    return closed
