"""What a guarded stream needs of the event loop it runs in: to be woken, and to be cleaned up.

Both work from any thread, under asyncio and under trio, without a task group.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from contextvars import copy_context
from inspect import isasyncgenfunction
from types import AsyncGeneratorType, GeneratorType
from typing import Any, Protocol

import anyio

CLOSE_SECONDS = 10.0
"""How long closing a source may take; it is shielded from cancellation, so it has to end."""


_closing: set[asyncio.Task[object]] = set()
"""Tasks that close a source after its consumer has left; the loop itself holds them weakly."""


class Loop(Protocol):
    """The running event loop, as seen from another thread or a finaliser."""

    def call(self, function: Callable[[], object]) -> bool:
        """Call `function` soon, in the loop's thread; do nothing, False, if the loop has ended."""
        ...

    def spawn(self, function: Callable[[], Awaitable[object]]) -> None:
        """Run `function` soon in a task of its own; do nothing if the loop has ended.

        The task has the context variables of the caller.
        """
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

    def _start(self, function: Callable[[], Awaitable[object]]) -> None:
        async def run() -> object:
            return await function()

        task = self.native.create_task(run())
        _closing.add(task)
        task.add_done_callback(_closing.discard)


class TrioLoop:
    """trio's event loop."""

    def __init__(self) -> None:
        # Looked up, not imported: a program that does not use trio need not have it.
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
        context = copy_context()
        self.call(lambda: self._lowlevel.spawn_system_task(function, context=context))


def running_loop() -> AsyncioLoop | TrioLoop:
    """Return the event loop that runs the caller; RuntimeError if it is neither of the two."""
    try:
        return AsyncioLoop()
    except RuntimeError:
        pass
    try:
        return TrioLoop()
    except (KeyError, RuntimeError):
        raise RuntimeError("a guarded stream runs under asyncio or trio: use wrap_sync()") from None


def iterator_of(source: Any) -> Any:
    """Return what gives a source's chunks: the source itself, where it can.

    A step less for each chunk. The event streams of aiobotocore (aioboto3) cannot: their
    `__anext__` is an async generator.
    """
    own = getattr(source, "__anext__", None)
    return source.__aiter__() if own is None or isasyncgenfunction(own) else source


async def aclose_source(*sources: object) -> None:
    """Close each source by its `aclose` or `close`, shielded from cancellation.

    An error while closing is dropped: the stream is over, and its own end is what counts.
    """
    open_sources = [source for source in sources if not _has_ended(source)]
    if not open_sources:
        return  # the first scope of a program loads anyio's backend, which takes 20 ms
    with anyio.move_on_after(CLOSE_SECONDS, shield=True):
        for source in open_sources:
            close = getattr(source, "aclose", None) or getattr(source, "close", None)
            if close is not None:
                with suppress(Exception):
                    closing = close()
                    if hasattr(closing, "__await__"):
                        await closing


def _has_ended(source: object) -> bool:
    """Whether the source is a generator that has run to its end: there is nothing to close."""
    if isinstance(source, AsyncGeneratorType):
        return source.ag_frame is None
    return isinstance(source, GeneratorType) and source.gi_frame is None
