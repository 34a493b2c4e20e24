"""What a guarded stream needs from its event loop: being woken and being cleaned up.

Both work from any thread, under asyncio and under trio, without a task group.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import Context, copy_context
from inspect import isasyncgenfunction
from types import AsyncGeneratorType, GeneratorType
from typing import Any, Protocol

import anyio

CLOSE_SECONDS = 10.0
"""The time limit for closing a source, which is shielded from cancellation."""


_closing: set[asyncio.Task[object]] = set()
"""Tasks that close a source after its consumer has left; the loop itself only holds weak
references."""


class Loop(Protocol):
    """The running event loop, as seen from another thread or a finaliser."""

    def call(self, function: Callable[[], object]) -> bool:
        """Call `function` soon, in the loop's thread; return False if the loop has ended."""
        ...

    def spawn(self, function: Callable[[], Awaitable[object]]) -> None:
        """Run `function` soon in a task of its own; do nothing if the loop has ended.

        The task gets the context variables of the caller.
        """
        ...

    def spawn_within(self, function: Callable[[], Awaitable[object]]) -> None:
        """Run `function` soon in a task of its own that shares the context of this one."""
        ...

    def is_current(self) -> bool:
        """Return whether the caller runs in this loop."""
        ...


class AsyncioLoop:
    """asyncio's event loop."""

    def __init__(self) -> None:
        self.native = asyncio.get_running_loop()

    def call(self, function: Callable[[], object]) -> bool:
        try:
            self.native.call_soon_threadsafe(function)
        except RuntimeError:
            return False
        return True

    def spawn(self, function: Callable[[], Awaitable[object]]) -> None:
        self.call(lambda: self._start(function))

    def spawn_within(self, function: Callable[[], Awaitable[object]]) -> None:
        task: Any = asyncio.current_task()
        shared = getattr(task, "get_context", None)  # from Python 3.12 on
        context = shared() if shared is not None else copy_context()
        self.call(lambda: self._start(function, context))

    def is_current(self) -> bool:
        try:
            return asyncio.get_running_loop() is self.native
        except RuntimeError:
            return False

    def _start(
        self, function: Callable[[], Awaitable[object]], context: Context | None = None
    ) -> None:
        async def run() -> object:
            return await function()

        for left in _closing.copy():
            if left.get_loop().is_closed():  # it never ends, and would keep its source for ever
                _closing.discard(left)
        task = self.native.create_task(run(), context=context)
        _closing.add(task)
        task.add_done_callback(_closing.discard)


class TrioLoop:
    """trio's event loop."""

    def __init__(self) -> None:
        # Looked up, not imported, because a program that does not use trio need not have it.
        self._lowlevel: Any = sys.modules["trio"].lowlevel
        self._ended: type[Exception] = sys.modules["trio"].RunFinishedError
        self._token = self._lowlevel.current_trio_token()

    def call(self, function: Callable[[], object]) -> bool:
        try:
            self._token.run_sync_soon(function)
        except self._ended:
            return False
        return True

    def spawn(self, function: Callable[[], Awaitable[object]]) -> None:
        self._spawn(function, copy_context())

    def spawn_within(self, function: Callable[[], Awaitable[object]]) -> None:
        self._spawn(function, self._lowlevel.current_task().context)

    def _spawn(self, function: Callable[[], Awaitable[object]], context: Context) -> None:
        def start() -> None:
            with suppress(RuntimeError):  # the main task has ended, so no new task can begin
                self._lowlevel.spawn_system_task(function, context=context)

        self.call(start)

    def is_current(self) -> bool:
        try:
            return self._lowlevel.current_trio_token() is self._token
        except RuntimeError:
            return False


def left_its_loop() -> RuntimeError:
    """Return the error of a stream that is read in another event loop than the one it began in.

    An event loop that ends closes its asynchronous generators. So the source would seem to have
    ended by itself, and the rest of the answer would be missing.
    """
    return RuntimeError(
        "this stream began in another event loop, which may have closed its source: read it in "
        "one, such as one call of asyncio.run()"
    )


class Signal:
    """Wakes all tasks that wait for something to change."""

    def __init__(self) -> None:
        self._event = anyio.Event()

    def notify(self) -> None:
        """Wake the tasks that wait now."""
        event, self._event = self._event, anyio.Event()
        event.set()

    async def wait(self) -> None:
        """Wait for the next `notify`."""
        await self._event.wait()


def running_loop() -> AsyncioLoop | TrioLoop:
    """Return the running event loop; RuntimeError if it is neither asyncio's nor trio's."""
    try:
        return AsyncioLoop()
    except RuntimeError:
        pass
    try:
        return TrioLoop()
    except (KeyError, RuntimeError):
        raise RuntimeError("a guarded stream runs under asyncio or trio: use wrap_sync()") from None


def iterator_of(source: Any) -> tuple[Any, tuple[object, ...]]:
    """Return the iterator of a source's chunks, and what to close after it, in order.

    The iterator is the source itself, if possible, which saves a call for each chunk. The event
    streams of aiobotocore (aioboto3) do not allow it: their `__anext__` is an async
    generator. Raises TypeError for anything but an async stream.
    """
    own = getattr(source, "__anext__", None)
    if own is not None and not isasyncgenfunction(own):
        return source, (source,)
    if not hasattr(source, "__aiter__"):
        raise TypeError(f"an async stream is needed, not {type(source).__qualname__!r}")
    iterator = source.__aiter__()
    return iterator, (source,) if iterator is source else (iterator, source)


async def aclose_source(*sources: object) -> None:
    """Close each source by its `aclose` or `close`, shielded from a scope that is cancelled.

    An error while closing is dropped, because the stream is over and only its own end counts. So is
    a cancellation that is not this task's, such as that of a task for which the source waits.
    """
    open_sources = [source for source in sources if not _has_ended(source)]
    if not open_sources:
        return  # asking anyio for the first time loads its backend, which takes 20 ms
    shielded = _needs_shield()
    try:
        if shielded:
            with anyio.move_on_after(CLOSE_SECONDS, shield=True):
                await _aclose_all(open_sources)
        else:
            with _time_limit():
                await _aclose_all(open_sources)
    except asyncio.CancelledError:
        if not shielded and _needs_shield():  # a scope was cancelled meanwhile, perhaps beside it
            with suppress(asyncio.CancelledError):
                await aclose_source(*open_sources)
        else:
            # A task's own `cancel` passes a shield: another task closes what is still open.
            running_loop().spawn(lambda: aclose_source(*open_sources))
        raise


def _needs_shield() -> bool:
    """Return whether sources are closed in a scope: only if one around them is cancelled.

    A generator may have entered a scope or a task group before it yielded. It cannot leave that
    from inside a scope of ours: anyio raises, and keeps cancelling the task from then on.
    """
    cancelled = anyio.current_effective_deadline() == float("-inf")
    return cancelled or isinstance(running_loop(), TrioLoop)


@contextmanager
def _time_limit() -> Iterator[None]:
    """Cancel the task at the time limit, and again each second, as it may swallow that."""
    task, loop = asyncio.current_task(), asyncio.get_running_loop()
    assert task is not None
    before, cancelled = task.cancelling(), 0
    timer: asyncio.TimerHandle

    def cancel() -> None:
        nonlocal timer, cancelled
        cancelled += 1
        timer = loop.call_later(1.0, cancel)
        task.cancel()

    timer = loop.call_later(CLOSE_SECONDS, cancel)
    try:
        yield
    except asyncio.CancelledError:
        if task.cancelling() - cancelled > before:
            raise
    finally:
        timer.cancel()
        for _ in range(cancelled):
            task.uncancel()


async def _aclose_all(sources: list[object]) -> None:
    """Close the sources in order; remove each one that is closed."""
    while sources:
        await _aclose(sources[0])
        del sources[0]


async def _aclose(source: object) -> None:
    close = getattr(source, "aclose", None) or getattr(source, "close", None)
    close = close or getattr(source, "cancel", None)  # of a call of gRPC
    if close is None:
        return
    before = _cancellations()
    try:
        with suppress(Exception):
            closing = close()
            if hasattr(closing, "__await__"):
                await closing
    except asyncio.CancelledError:
        if _cancellations() > before:
            raise
    except BaseExceptionGroup as group:
        # A task group around a generator's `yield` wraps the GeneratorExit of its end in a group.
        _, rest = group.split((Exception, GeneratorExit))
        if rest is not None:
            raise rest from None


def _cancellations() -> int:
    """Return how many requests to cancel the running task of asyncio has; 0 under trio."""
    running = running_loop()
    task = asyncio.current_task() if isinstance(running, AsyncioLoop) else None
    return task.cancelling() if task is not None else 0


def _has_ended(source: object) -> bool:
    """Return whether the source is a finished generator, so that there is nothing to close."""
    if isinstance(source, AsyncGeneratorType):
        return source.ag_frame is None
    return isinstance(source, GeneratorType) and source.gi_frame is None
