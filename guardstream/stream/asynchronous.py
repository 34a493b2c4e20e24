"""A guarded stream: iterate it instead of the source.

It is the only asynchronous part of the core. The source is closed on every way out: its end, a
block, `stop`, a deadline, cancellation, an error, a consumer that leaves. No cancel scope or task
group stands around a `yield`: there is no generator here at all, so nothing is left to finalise.
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import AsyncIterable, Awaitable, Callable, Sequence
from functools import partial
from types import TracebackType
from typing import Any, TypeVar, cast

import anyio

from guardstream.events import FinishReason
from guardstream.stream.callbacks import Due
from guardstream.stream.flow import Sent
from guardstream.stream.loops import CLOSE_SECONDS, Loop, TrioLoop, aclose_source, running_loop
from guardstream.stream.state import (
    Options,
    Start,
    StopRequestedError,
    Streaming,
    hide,
    log,
    reason_of,
)

C = TypeVar("C")
S = TypeVar("S", bound="GuardedStream[Any]")


class GuardedStream(Streaming[C]):
    """An async iterator of guarded chunks, of the same type as the source's.

    Use it as `async with guard.wrap(source) as stream:` so that the source is closed as soon as
    the block is left. One task reads it at a time.
    """

    def __init__(self, source: AsyncIterable[C], start: Start[C], options: Options) -> None:
        super().__init__(start, options)
        iterator = source if hasattr(source, "__anext__") else source.__aiter__()
        self._next = cast("Callable[[], Awaitable[C]]", iterator.__anext__)
        self._sources: tuple[object, ...] = (source,)
        if iterator is not source:
            self._sources = (iterator, source)
        self._loop: Loop | None = None
        self._scoped = False
        self._native: asyncio.AbstractEventLoop | None = None
        self._reader: asyncio.Task[Any] | anyio.CancelScope | None = None
        self._interrupted = False
        self._timer: asyncio.TimerHandle | None = None
        self._done: anyio.Event | None = None

    def __aiter__(self: S) -> S:
        return self

    async def __anext__(self) -> C:
        """Return the next guarded chunk."""
        while not self._queue:
            if self._finish is not None or self._reader is not None:
                raise await self._nothing_more()
            try:
                if self._loop is None or self._stopping or self._watch is not None:
                    self._prepare()
                if self._scoped:
                    chunk = await self._receive_scoped()
                else:
                    self._reader = asyncio.current_task(self._native)
                    chunk = await self._next()
                if self._stopping or self._watch is not None:
                    self._look()
                sent = self._feed(chunk)
                flow = self._flow
                if flow is not None and flow.ended is not None:
                    await self._close(flow.ended)
            except BaseException as error:
                sent = await self._left(error)
            finally:
                self._reader = None
            if len(sent) == 1 and self._hooks is None:
                return self._deliver(sent[0])
            self._queue.extend(sent)
        if self._hooks is not None:
            return await self._deliver_called()
        return self._deliver(self._queue.popleft())

    async def __aenter__(self: S) -> S:
        return self

    async def __aexit__(
        self,
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

    async def text(self) -> str:
        """Read the stream to its end; return the guarded text of choice 0 from the start."""
        self._kept_text()
        async for _ in self:
            pass
        return self._kept_text()

    def stop(self) -> None:
        """End the stream now: held text is dropped, the source is closed by the reading task.

        Callable from any thread, at any time, any number of times; a reader that waits for the
        source is woken. The finish reason becomes `cancelled`.
        """
        self._stopping = True
        if self._loop is not None:
            self._loop.call(self._wake)

    async def aclose(self) -> None:
        """Close the source; what was not delivered yet is dropped. Idempotent."""
        if self._reader is not None:
            # The reading task is inside the source: it has to come out before it can be closed.
            self._done = self._done or anyio.Event()
            self.stop()
            await self._done.wait()
            return
        self._queue.clear()
        await self._close("cancelled")
        await self._conclude()

    def __del__(self) -> None:
        # A consumer that left without closing: let the loop close the source, as it does for
        # asynchronous generators.
        if getattr(self, "_loop", None) is None:
            return
        if self._finish is None:
            sources = self._sources
            self._loop.spawn(lambda: aclose_source(*sources))  # type: ignore[union-attr]
        record = self._take_record()
        if record is not None:
            # Not here: observers have locks, and this may run in the midst of whatever they do.
            tell = partial(self._options.observing.close_quietly, record)
            if not self._loop.call(tell):  # type: ignore[union-attr]
                tell()

    # -- reading the source

    def _prepare(self) -> None:
        """Get ready to wait for the source."""
        if self._loop is None:
            self._enter_loop()
        if self._watch is not None:
            self._watch.wait()
        self._look()
        if self._watch is not None and self._native is not None and self._timer is None:
            self._look_later()

    def _enter_loop(self) -> None:
        """Find out which event loop this is: asyncio's tasks can be woken without a scope."""
        self._loop = running_loop()
        self._scoped = isinstance(self._loop, TrioLoop)
        self._native = getattr(self._loop, "native", None)
        self._open()

    async def _receive_scoped(self) -> C:
        """Wait for the source in a cancel scope, which `stop` cancels and a deadline ends."""
        limit = anyio.current_time() + self._watch.remaining() if self._watch else float("inf")
        with anyio.CancelScope(deadline=limit) as scope:
            self._reader = scope
            return await self._next()
        self._expired = self._expired or not self._stopping
        raise self._stopped()

    def _look_later(self) -> None:
        """Set the timer for the next deadline: one stands for all chunks of the stream."""
        assert self._watch is not None
        assert self._native is not None
        remaining = self._watch.remaining()
        if remaining < float("inf"):
            # The timer must not keep a stream alive that its consumer has left.
            self._timer = self._native.call_later(max(remaining, 0.0), _ring, weakref.ref(self))

    def _look_at_clock(self) -> None:
        """End a wait that has taken too long; otherwise look again when it could have."""
        self._timer = None
        if self._reader is None or self._watch is None:
            return
        if self._watch.remaining() > 0:
            self._look_later()
        else:
            self._expired = True
            self._wake()

    def _wake(self) -> None:
        """Wake the task that waits for the source; runs in the event loop."""
        if self._reader is None or self._interrupted or self._finish is not None:
            return
        if isinstance(self._reader, asyncio.Task):
            if self._reader.cancelling():
                return  # it is being cancelled anyway, which must not be mistaken for a stop
            self._interrupted = True
        self._reader.cancel()

    def _take_back_cancel(self) -> bool:
        """Undo the cancellation by `_wake`; return whether there was one, and no other."""
        if not self._interrupted:
            return False
        self._interrupted = False
        assert isinstance(self._reader, asyncio.Task)
        return self._reader.uncancel() == 0

    # -- the end

    async def _left(self, error: BaseException) -> Sequence[Sent[C]]:
        """Close the source after `error`; return what the source's end settles, or raise."""
        if self._take_back_cancel() and isinstance(error, asyncio.CancelledError):
            error = self._stopped()
        if isinstance(error, GeneratorExit) or self._loop is None:
            raise error  # nothing can be awaited; of a task being destroyed, __del__ takes care
        if isinstance(error, StopAsyncIteration):
            return await self._exhausted()
        await self._fail(error)
        if isinstance(error, StopRequestedError):
            return ()
        raise error

    async def _exhausted(self) -> Sequence[Sent[C]]:
        try:
            sent = self._settle()
        except BaseException as error:
            await self._fail(error)
            raise
        assert self._flow is not None
        await self._close(self._flow.ended or "stop")
        return sent

    async def _fail(self, error: BaseException) -> None:
        """End the stream because of `error`, which is about to be raised."""
        self._note(error)
        await self._close(reason_of(error))
        if not isinstance(error, StopRequestedError):
            try:
                await self._conclude()
            except Exception as later:
                hide(later)

    async def _close(self, reason: FinishReason) -> None:
        if self._finish is not None:
            return
        self._end(reason)
        if self._timer is not None:
            self._timer.cancel()
        try:
            await aclose_source(*self._sources)
        finally:
            if self._done is not None:
                self._done.set()

    async def _nothing_more(self) -> BaseException:
        if self._finish is None:
            return RuntimeError("another task is reading this stream")
        fault = self._fault()
        try:
            await self._conclude()
        except Exception as later:
            if fault is None:
                raise
            hide(later)
        return fault or StopAsyncIteration()

    async def _conclude(self) -> None:
        """Tell callbacks and observers, once, that the stream is over."""
        if self._concluded:
            return
        self._concluded = True
        try:
            if self._hooks is not None:
                with anyio.move_on_after(CLOSE_SECONDS, shield=True) as scope:
                    await self._call_at_end()
                if scope.cancelled_caught:
                    log.error("callbacks at a stream's end took too long and were cancelled")
        except Exception as error:
            self._note(error)
            raise
        finally:
            self._record()

    # -- callbacks

    async def _deliver_called(self) -> C:
        """Deliver the next chunk once callbacks know of it; if one fails, it is not delivered."""
        if self._calling:
            raise RuntimeError("another task is reading this stream")
        due = self._due(self._queue[0])
        if not due:
            return self._deliver(self._queue.popleft())
        self._calling = True
        try:
            await self._call(due)
        except BaseException as error:
            self._call_failed(error)
            await self._fail(error)
            raise
        finally:
            self._calling = False
        if not self._queue:  # a callback, or another task, has closed the stream
            return await self.__anext__()
        return self._deliver(self._queue.popleft())

    async def _call_at_end(self) -> None:
        try:
            await self._call(self._due_findings())
        except Exception as error:
            self._call_failed(error)
            raise
        finally:
            await self._call(self._due_at_end())

    async def _call(self, due: Sequence[Due]) -> None:
        assert self._hooks is not None
        for callback, argument in due:
            try:
                returned = callback(argument)
                if hasattr(returned, "__await__"):
                    await returned
            except Exception as error:
                if not self._hooks.failed(error):
                    raise


def _ring(left: weakref.ref[GuardedStream[Any]]) -> None:
    stream = left()
    if stream is not None:
        stream._look_at_clock()
