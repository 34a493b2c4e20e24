"""A guarded stream: iterate it instead of the source.

It is the only asynchronous part of the core. The source is closed on every way out: its end, a
block, `stop`, cancellation, an error, a consumer that leaves. No cancel scope or task group stands
around a `yield`: there is no generator here at all, so nothing is left to be finalised.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterable, Awaitable, Callable, Sequence
from types import TracebackType
from typing import Any, Generic, TypeVar, cast

import anyio

from guardstream.delivery import Delivered, result_of
from guardstream.errors import AdapterError, BlockedError, StageError
from guardstream.events import Finding, FinishReason
from guardstream.flow import Flow, Sent
from guardstream.runtime import Loop, TrioLoop, aclose_source, running_loop
from guardstream.stats import Meter, Result, Stats

C = TypeVar("C")
S = TypeVar("S", bound="GuardedStream[Any]")

Start = Callable[[Any, Meter], Flow[C]]
"""Makes the flow once the first chunk (None: the source was empty) shows what it is."""


class Delivery(Generic[C]):
    """What both kinds of guarded stream share: what was found, delivered and counted."""

    def __init__(self, start: Start[C], *, raise_on_block: bool, keep_text: bool) -> None:
        self._start = start
        self._raise_on_block = raise_on_block
        self._delivered = Delivered() if keep_text else None
        self._meter = Meter()
        self._flow: Flow[C] | None = None
        self._queue: deque[Sent[C]] = deque()
        self._stopping = False
        self._faulted = False
        self._finish: FinishReason | None = None

    @property
    def findings(self) -> Sequence[Finding]:
        """What the rules have found so far, over all choices and channels."""
        return tuple(self._flow.findings) if self._flow else ()

    @property
    def finish(self) -> FinishReason | None:
        """Why the stream ended; None while it is open."""
        return self._finish

    @property
    def blocked_by(self) -> str | None:
        """The id of the rule that blocked the stream, if one did."""
        return self._flow.blocked_by if self._flow else None

    @property
    def held(self) -> int:
        """How many code points are held back now."""
        return self._flow.held if self._flow and self._finish is None else 0

    @property
    def stats(self) -> Stats:
        """The counters as they stand."""
        return self._meter.stats()

    @property
    def result(self) -> Result:
        """A snapshot of what was delivered so far."""
        return result_of(self._flow, self._delivered, self._finish)

    def _begin(self, chunk: C | None) -> Flow[C]:
        """Make the flow that the first chunk asks for."""
        self._flow = self._start(chunk, self._meter)
        return self._flow

    def _settle(self) -> Sequence[Sent[C]]:
        """Take the source's end; return the rest."""
        flow = self._flow or self._begin(None)
        return flow.finish()

    def _deliver(self, sent: Sent[C]) -> C:
        chunk, text, characters, parts = sent
        meter = self._meter
        meter.chunks_out += 1
        if characters:
            if not meter.characters_out:
                meter.release_began()
            meter.characters_out += characters
        kept = self._delivered
        if kept is not None:
            if text:
                kept.answer.write(text)
            for part in parts:
                kept.add(part)
        return chunk

    def _end(self, reason: FinishReason) -> None:
        self._meter.end()
        if self._finish is None:
            self._finish = reason

    def _fault(self) -> Exception | None:
        """Return, once, the error behind the last chunk: the flow's, or a block's if asked for."""
        if self._faulted or self._flow is None:
            return None
        self._faulted = True
        if self._flow.error is not None:
            return self._flow.error
        blocked = self._raise_on_block and self.blocked_by is not None
        return BlockedError(str(self.blocked_by)) if blocked else None

    def _kept_text(self) -> str:
        if self._delivered is None:
            raise RuntimeError("the text was not kept: wrap the stream with keep_text=True")
        return self._delivered.answer.getvalue()


class GuardedStream(Delivery[C]):
    """An async iterator of guarded chunks, of the same type as the source's.

    Use it as `async with guard.wrap(source) as stream:` so that the source is closed as soon as
    the block is left. One task reads it at a time.
    """

    def __init__(
        self, source: AsyncIterable[C], start: Start[C], *, raise_on_block: bool, keep_text: bool
    ) -> None:
        super().__init__(start, raise_on_block=raise_on_block, keep_text=keep_text)
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
        self._done: anyio.Event | None = None

    def __aiter__(self: S) -> S:
        return self

    async def __anext__(self) -> C:
        """Return the next guarded chunk."""
        while not self._queue:
            if self._finish is not None or self._reader is not None:
                raise self._nothing_more()
            try:
                if self._loop is None or self._stopping:
                    self._enter_loop()
                if self._scoped:
                    chunk = await self._receive_scoped()
                else:
                    self._reader = asyncio.current_task(self._native)
                    chunk = await self._next()
                if self._stopping:
                    raise _StopRequestedError
                flow = self._flow or self._begin(chunk)
                sent = flow.feed(chunk)
                if flow.ended is not None:
                    await self._close(flow.ended)
            except BaseException as error:
                sent = await self._left(error)
            finally:
                self._reader = None
            if len(sent) == 1:
                return self._deliver(sent[0])
            self._queue.extend(sent)
        return self._deliver(self._queue.popleft())

    async def __aenter__(self: S) -> S:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

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

    def __del__(self) -> None:
        # A consumer that left without closing: let the loop close the source, as it does for
        # asynchronous generators.
        if getattr(self, "_loop", None) is not None and self._finish is None:
            sources = self._sources
            self._loop.spawn(lambda: aclose_source(*sources))  # type: ignore[union-attr]

    def _enter_loop(self) -> None:
        """Find out which event loop this is: asyncio's tasks can be woken without a scope."""
        self._loop = running_loop()
        self._scoped = isinstance(self._loop, TrioLoop)
        self._native = getattr(self._loop, "native", None)
        if self._stopping:
            raise _StopRequestedError

    def _nothing_more(self) -> Exception:
        if self._finish is None:
            return RuntimeError("another task is reading this stream")
        return self._fault() or StopAsyncIteration()

    async def _receive_scoped(self) -> C:
        """Wait for the source in a cancel scope, which `stop` cancels."""
        with anyio.CancelScope() as scope:
            self._reader = scope
            return await self._next()
        raise _StopRequestedError

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

    async def _left(self, error: BaseException) -> Sequence[Sent[C]]:
        """Close the source after `error`; return what the source's end settles, or raise."""
        if self._take_back_cancel() and isinstance(error, asyncio.CancelledError):
            error = _StopRequestedError()
        if isinstance(error, GeneratorExit) or self._loop is None:
            raise error  # nothing can be awaited; of a task being destroyed, __del__ takes care
        if isinstance(error, StopAsyncIteration):
            return await self._exhausted()
        await self._close(reason_of(error))
        if isinstance(error, _StopRequestedError):
            return ()
        raise error

    async def _exhausted(self) -> Sequence[Sent[C]]:
        try:
            sent = self._settle()
        except BaseException as error:
            await self._close(reason_of(error))
            raise
        assert self._flow is not None
        await self._close(self._flow.ended or "stop")
        return sent

    async def _close(self, reason: FinishReason) -> None:
        if self._finish is not None:
            return
        self._end(reason)
        try:
            await aclose_source(*self._sources)
        finally:
            if self._done is not None:
                self._done.set()


class _StopRequestedError(Exception):
    """`stop` was called."""


def reason_of(error: BaseException) -> FinishReason:
    """Return the finish reason of a stream that `error` ended."""
    if isinstance(error, _StopRequestedError):
        return "cancelled"
    if isinstance(error, (AdapterError, StageError)):
        return "content_filter"
    return "error" if isinstance(error, Exception) else "cancelled"
