"""Long work beside the event loop, so that other streams go on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from typing import TypeVar

from guardstream.stream.state import StreamState

T = TypeVar("T")

LONG = 64 * 1024
"""Bytes of one event that are guarded at once: some milliseconds."""


class Apart:
    """A thread that does what is long, one piece after the other."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(1, "guardstream-long")

    async def run(self, work: Callable[[], T]) -> T:
        """Do work in the thread. A caller that is cancelled meanwhile leaves when it is done."""
        doing = asyncio.get_running_loop().run_in_executor(self._threads, copy_context().run, work)
        cancelled: asyncio.CancelledError | None = None
        while not doing.done():
            try:
                await asyncio.wait([doing])
            except asyncio.CancelledError as error:
                cancelled = error
        if cancelled is not None:
            raise cancelled
        return doing.result()

    def close(self) -> None:
        """Do nothing more."""
        self._threads.shutdown(wait=False, cancel_futures=True)


class LongEvents:
    """Takes the pieces of one stream: those of an event that has become long, in the thread."""

    def __init__(self, apart: Apart) -> None:
        self._apart = apart
        self._waiting = 0  # bytes after which nothing has gone out yet

    async def __call__(self, state: StreamState[bytes], piece: bytes) -> bytes | None:
        """Pass a piece on to the state; return what that does."""
        self._waiting += len(piece)
        if self._waiting <= LONG:
            ready = state.step(piece)
        else:
            ready = await self._apart.run(partial(state.step, piece))
        if ready is not None or state.queue:
            self._waiting = 0
        return ready
