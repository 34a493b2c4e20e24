"""A guarded stream: iterate it instead of the source.

This is the only asynchronous part of the core: it drives a `StreamState`. The source is closed on
every exit path: its end, a block, `stop`, a deadline, cancellation, an error, and a consumer that
leaves. There is no generator here, and no cancel scope or task group surrounds a `yield`, so
nothing is left to finalise.
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import AsyncIterable, Awaitable, Callable, Sequence
from functools import partial
from math import inf
from typing import Any, TypeVar, cast, get_args

import anyio

from guardstream.events import FinishReason
from guardstream.stream.ahead import Ahead
from guardstream.stream.callbacks import Due
from guardstream.stream.context import AsyncContext, TextStream, hide, log
from guardstream.stream.loops import (
    CLOSE_SECONDS,
    Loop,
    TrioLoop,
    aclose_source,
    iterator_of,
    left_its_loop,
    running_loop,
)
from guardstream.stream.options import Options
from guardstream.stream.outcome import Outcome, reason_at_end, rule_at_end
from guardstream.stream.state import MakeFlow, StopRequestedError, StreamState, reason_of

C = TypeVar("C")


class _SilenceError(Exception):
    """Nothing has come, which proves that a text has ended."""


class GuardedStream(Outcome[C], AsyncContext):
    """An async iterator of guarded chunks, of the same type as the source's.

    Use it as `async with guard.wrap(source) as stream:` so that the source is closed as soon as
    the block is left. One task reads it at a time, in one event loop. `Guard.wrap` makes it.
    """

    def __init__(self, source: AsyncIterable[C], make_flow: MakeFlow[C], options: Options) -> None:
        super().__init__(StreamState(make_flow, options))
        iterator, self._sources = iterator_of(source)
        self._next = cast("Callable[[], Awaitable[C]]", iterator.__anext__)
        self.run_step: Callable[[StreamState[C], C], Awaitable[C | None]] | None = None
        """Calls the state's `step`, for example in a thread; by default it is called directly."""
        self.state.has_timer = True
        self._loop: Loop | None = None
        self._ahead: Ahead[C] | None = None  # the next read, while a sign of an end waits
        self._watchful = True  # whether each wait for the source needs extra work
        self._scoped = False
        self._native: asyncio.AbstractEventLoop | None = None
        self._reader: asyncio.Task[Any] | anyio.CancelScope | None = None
        self._interrupted = False
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False
        self._source_closed: anyio.Event | None = None  # set once another task has closed it
        self._calling = False  # whether callbacks are being called
        self._concluded = False

    @property
    def finish(self) -> FinishReason | None:
        """Why the stream ended; None while it is open."""
        return self.state.finish

    @property
    def callback_error(self) -> BaseException | None:
        """What a callback raised to end the stream, if one did."""
        return self.state.callback_error

    @property
    def text_stream(self) -> TextStream:
        """The answer's text alone, as an async iterator that reads this stream."""
        return TextStream(self)

    async def __anext__(self) -> C:
        """Return the next guarded chunk."""
        state, run_step = self.state, self.run_step
        while not state.queue:
            if state.finish is not None or self._reader is not None:
                raise await self._at_end()
            try:
                if self._watchful:
                    self._prepare()
                if self._ahead is not None or self._scoped:
                    chunk = await self._receive_scoped()
                else:
                    self._reader = asyncio.current_task(self._native)
                    chunk = await self._next()
                if self._watchful:
                    state.check_stop()
                ready = state.step(chunk) if run_step is None else await run_step(state, chunk)
                if ready is not None:
                    return ready
                if state.ended is not None or state.awaits_silence:
                    await self._heed_end()
            except BaseException as error:
                await self._after_error(error)
            finally:
                self._reader = None
        if state.callbacks is not None:
            return await self._deliver_after_callbacks()
        return state.deliver(state.queue.popleft())

    def ready(self) -> list[C]:
        """Return the further chunks that came of the source's last one, without waiting.

        They count as delivered: iterating continues after them. With callbacks the list is empty,
        because each chunk has to wait for them.
        """
        state = self.state
        if state.callbacks is not None or self._reader is not None:
            return []
        return [state.deliver(state.queue.popleft()) for _ in range(len(state.queue))]

    async def text(self) -> str:
        """Read the stream to its end; return the guarded text of choice 0 from the start.

        RuntimeError with `keep_text=False`; otherwise what iterating raises.
        """
        self.state.check_kept()
        return await super().text()

    def stop(self) -> None:
        """End the stream now: held text is dropped and the source is closed.

        Callable from any thread, at any time, any number of times. A reader that waits for the
        source is woken and closes it; if there is none, the event loop closes it, so that the
        consumer may just leave. The finish reason becomes `cancelled`.
        """
        self.state.stopping = self._watchful = True
        loop = self._loop or _loop_here()
        if loop is not None:
            loop.call(self._act_on_stop)

    async def aclose(self) -> None:
        """Close the source; what was not delivered yet is dropped. Idempotent."""
        if self._reader is not None:
            # The reading task is inside the source and has to leave it before it can be closed.
            self.stop()
            await self._until_closed()
            return
        self.state.queue.clear()
        try:
            await self._close("cancelled")
        except BaseException:
            await self._conclude_quietly()
            raise
        await self._until_closed()
        await self._conclude()

    def __del__(self) -> None:
        # The consumer left without closing: let the event loop close the source, as it does for
        # asynchronous generators.
        loop = getattr(self, "_loop", None)
        if loop is None:
            return
        if self.state.finish is None:
            loop.spawn(partial(_aclose, self._ahead, self._sources))
        notify = self.state.unreported()
        # Not here: observers use locks, and a finaliser may run anywhere, even in an observer.
        if notify is not None and not loop.call(notify):
            notify()

    # Reading the source

    def _prepare(self) -> None:
        """Prepare to wait for the source."""
        watch = self.state.watch
        if self._loop is None:
            self._enter_loop()
        if watch is not None:
            watch.wait()
        self.state.check_stop()
        if watch is not None and self._native is not None and self._timer is None:
            self._schedule_deadline()

    def _enter_loop(self) -> None:
        """Detect the event loop: under asyncio, tasks can be woken without a cancel scope."""
        self._loop = running_loop()
        self._scoped = isinstance(self._loop, TrioLoop)
        self._native = getattr(self._loop, "native", None)
        # From now on only deadlines and `stop` need extra work. Another thread may call `stop`
        # right now, so the flag is reset before `stop` is checked.
        self._watchful = self.state.watch is not None
        if self.state.stopping:
            self._watchful = True
        self.state.open()

    async def _receive_scoped(self) -> C:
        """Wait for the source in a cancel scope, which `stop` cancels and a deadline ends.

        While a sign of an end waits, silence ends it, too.
        """
        state, ahead = self.state, self._ahead
        if ahead is not None and not (ahead.is_reading or state.awaits_silence):
            ahead = self._ahead = None
        limit = anyio.current_time() + state.watch.remaining() if state.watch else inf
        until = inf if ahead is None else ahead.until
        with anyio.CancelScope(deadline=min(limit, until)) as scope:
            self._reader = scope
            if ahead is None:
                return await self._next()
            await ahead.wait(self._loop or running_loop())
        if ahead is not None and ahead.has_come:
            return ahead.take()
        if ahead is not None and anyio.current_time() >= until and not state.stopping:
            await self._believe_silence(ahead)
            raise _SilenceError
        state.expired = state.expired or not state.stopping
        raise state.stop_error()

    async def _heed_end(self) -> None:
        """Close the source if the stream has ended; if a sign of that waits, read ahead."""
        if self.state.ended is not None:
            await self._close(self.state.ended)
        elif self._ahead is None:
            self._ahead = Ahead(self._next, self.state.patience)
        elif self.state.awaits_event:
            self._ahead.until = anyio.current_time() + self.state.patience

    async def _believe_silence(self, ahead: Ahead[C]) -> None:
        """Release what waits, because nothing has come since the sign of its end."""
        ahead.until = inf
        self.state.believe()
        if self.state.ended is not None:
            await self._close(self.state.ended)

    def _schedule_deadline(self) -> None:
        """Set the timer for the next deadline; one timer serves all chunks of the stream."""
        assert self.state.watch is not None
        assert self._native is not None
        remaining = self.state.watch.remaining()
        if remaining < inf:
            # The timer must not keep a stream alive that its consumer has dropped.
            check = weakref.WeakMethod(self._check_deadline)
            self._timer = self._native.call_later(max(remaining, 0.0), _call_if_alive, check)

    def _check_deadline(self) -> None:
        """End a wait that has taken too long; otherwise set the timer again."""
        self._timer = None
        watch = self.state.watch
        if self._reader is None or watch is None:
            return
        if watch.remaining() > 0:
            self._schedule_deadline()
        else:
            self.state.expired = True
            self._wake()

    # Stopping; all of this runs in the event loop

    def _act_on_stop(self) -> None:
        """Wake the reader; if there is none, close the source in a task of its own."""
        if self._reader is not None:
            self._wake()
        elif self.state.finish is None and not self._calling:
            # While callbacks run there is a reader, too, which handles the stop after them.
            loop = self._loop or running_loop()
            loop.spawn(self._close_unread)

    def _wake(self) -> None:
        """Wake the task that waits for the source."""
        if self._reader is None or self._interrupted or self.state.finish is not None:
            return
        if isinstance(self._reader, asyncio.Task):
            if self._reader.cancelling():
                return  # it is being cancelled anyway, which must not be taken for a stop
            if getattr(self._sources[0], "finish", None) in get_args(FinishReason):
                return  # a guarded stream that has ended, and is closing its own source
            self._interrupted = True
        self._reader.cancel()

    def _take_back_cancel(self) -> bool:
        """Undo the cancellation by `_wake`; return whether there was one and no other."""
        if not self._interrupted:
            return False
        self._interrupted = False
        assert isinstance(self._reader, asyncio.Task)
        return self._reader.uncancel() == 0

    async def _close_unread(self) -> None:
        """Close the source of a stream that was stopped while nobody read it."""
        if self._reader is not None or self.state.finish is not None:
            return  # there is a reader again, which sees that the stream has to end
        await self._close("cancelled")
        if not self.state.queue:  # otherwise the reader of the rest concludes
            await self._conclude_quietly()

    # The end

    async def _after_error(self, error: BaseException) -> None:
        """Close the source after `error`; return if it is the stream's end, otherwise raise."""
        if isinstance(error, _SilenceError):
            return
        if self._take_back_cancel() and isinstance(error, asyncio.CancelledError):
            error = self.state.stop_error()
        elif isinstance(error, StopAsyncIteration) and (self.state.stopping or self.state.expired):
            error = self.state.stop_error()  # the source ended before it could be interrupted
        elif isinstance(error, StopAsyncIteration) and not self._is_in_its_loop():
            error = left_its_loop()
        try:
            if isinstance(error, GeneratorExit) or self._loop is None:
                raise error  # nothing can be awaited; `__del__` handles a task that is destroyed
            if isinstance(error, StopAsyncIteration):
                await self._exhausted()
                return
            await self._fail(error)
            if not isinstance(error, StopRequestedError):
                raise error
        finally:
            del error  # its traceback leads here, and would keep whatever reads the stream

    def _is_in_its_loop(self) -> bool:
        return self._loop is None or self._loop.is_current()

    async def _exhausted(self) -> None:
        state = self.state
        try:
            sent = state.settle(rule_at_end(self._sources))
        except BaseException as error:
            await self._fail(error)
            raise
        try:
            await self._close(reason_at_end(state.ended, self._sources))
        except BaseException as error:
            if sent:  # it is not delivered
                state.finish = reason_of(error)
            await self._fail(error)
            raise
        state.queue.extend(sent)

    async def _fail(self, error: BaseException) -> None:
        """End the stream because of `error`, which is about to be raised."""
        self.state.note_error(error)
        if reason_of(error) == "timeout":
            self.state.lapse()
        try:
            await self._close(reason_of(error))
        except BaseException:
            await self._conclude_quietly()
            raise
        if not isinstance(error, StopRequestedError):
            await self._conclude_quietly()

    async def _close(self, reason: FinishReason) -> None:
        """Close the source. Only this method and `__del__` do that."""
        if self.state.finish is not None:
            return
        self.state.end(reason)
        if self._timer is not None:
            self._timer.cancel()
        try:
            await _aclose(self._ahead, self._sources)
        finally:
            self._closed = True
            if self._source_closed is not None:
                self._source_closed.set()

    async def _until_closed(self) -> None:
        """Wait until the task that is closing the source has done so."""
        if not self._closed:
            self._source_closed = self._source_closed or anyio.Event()
            await self._source_closed.wait()

    async def _at_end(self) -> BaseException:
        if self.state.finish is None:
            return RuntimeError("another task is reading this stream")
        await self._until_closed()
        error_at_end = self.state.error_at_end()
        try:
            await self._conclude()
        except Exception as other_error:
            if error_at_end is None:
                raise
            hide(other_error)
        return error_at_end or StopAsyncIteration()

    async def _conclude(self) -> None:
        """Tell callbacks and observers, once, that the stream is over."""
        if self._concluded:
            return
        self._concluded = True
        try:
            if self.state.callbacks is not None:
                with anyio.move_on_after(CLOSE_SECONDS, shield=True) as scope:
                    await self._call_at_end()
                if scope.cancelled_caught:
                    log.error("callbacks at a stream's end took too long and were cancelled")
        except Exception as error:
            self.state.note_error(error)
            raise
        finally:
            self.state.report()

    async def _conclude_quietly(self) -> None:
        """Conclude where another error is raised, or nobody can be told of one."""
        try:
            await self._conclude()
        except Exception as error:
            hide(error)

    # Callbacks

    async def _deliver_after_callbacks(self) -> C:
        """Run the callbacks for the next chunk, then deliver it; if one fails, it is not
        delivered."""
        if self._calling:
            raise RuntimeError("another task is reading this stream")
        state = self.state
        due = state.due()
        if not due:
            return state.deliver(state.queue.popleft())
        self._calling = True
        try:
            await self._call(due)
        except GeneratorExit:
            raise  # nothing can be awaited; `__del__` closes the source
        except BaseException as error:
            state.callback_failed(error)
            await self._fail(error)
            raise
        finally:
            self._calling = False
        if state.stopping and self._loop is not None:
            self._loop.call(self._act_on_stop)
        if not state.queue:  # a callback or another task has closed the stream
            return await self.__anext__()
        return state.deliver(state.queue.popleft())

    async def _call_at_end(self) -> None:
        try:
            await self._call(self.state.due_findings())
        except Exception as error:
            self.state.callback_failed(error)
            raise
        finally:
            await self._call(self.state.due_at_end())

    async def _call(self, due: Sequence[Due]) -> None:
        for callback, argument in due:
            try:
                returned = callback(argument)
                if hasattr(returned, "__await__"):
                    await returned
            except Exception as error:
                if self.state.callbacks is None or not self.state.callbacks.failed(error):
                    raise


async def _aclose(ahead: Ahead[Any] | None, sources: tuple[object, ...]) -> None:
    """Close the sources of a stream, once a read of them has been left."""
    if ahead is not None:
        await ahead.cancel()
    await aclose_source(*sources)


def _loop_here() -> Loop | None:
    """Return the running event loop; None if there is none."""
    try:
        return running_loop()
    except RuntimeError:
        return None


def _call_if_alive(method: weakref.WeakMethod[Callable[[], None]]) -> None:
    call = method()
    if call is not None:
        call()
