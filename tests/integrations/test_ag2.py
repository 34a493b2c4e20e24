"""The events of an AG2 run as a stream that ends with it, and whose end cancels it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from guardstream.integrations.ag2 import events
from tests.laws.asked import GUARD
from tests.support.samples.ag2 import ModelMessageChunk

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("anyio_backend", ["asyncio"])]


class Stream:
    """What a run publishes to."""

    def __init__(self) -> None:
        self.subscribers: dict[int, Callable[[Any], Awaitable[None]]] = {}

    def subscribe(self, function: Callable[[Any], Awaitable[None]]) -> int:
        self.subscribers[len(self.subscribers)] = function
        return len(self.subscribers) - 1

    def unsubscribe(self, subscription: int) -> None:
        del self.subscribers[subscription]

    async def send(self, event: Any) -> None:
        for function in [*self.subscribers.values()]:
            await function(event)


class Run:
    """A run that says some pieces, and then fails, never ends, or returns."""

    def __init__(self, *pieces: str, end: BaseException | float | None = None) -> None:
        self.stream = Stream()
        self.pieces, self.end = pieces, end
        self.left = self.cancelled = False

    async def __aenter__(self) -> Run:
        await self.stream.send(ModelMessageChunk("first "))
        return self

    async def __aexit__(self, *_error: object) -> None:
        task = self.task
        task.cancel()
        await asyncio.wait([task])
        self.left, self.cancelled = True, task.cancelled()

    async def result(self) -> str:
        self.task = asyncio.ensure_future(self._say())
        return await self.task

    async def _say(self) -> str:
        for piece in self.pieces:
            await self.stream.send(ModelMessageChunk(piece))
            await asyncio.sleep(0)
        if isinstance(self.end, BaseException):
            raise self.end
        await asyncio.sleep(self.end or 0)
        return "done"


async def test_the_stream_ends_with_the_run() -> None:
    run = Run("a sec", "ret")
    stream = GUARD.wrap(events(run))
    assert await stream.text() == "first a ######"
    assert (run.left, run.cancelled, run.stream.subscribers) == (True, False, {})


async def test_what_the_run_raises_is_raised() -> None:
    run = Run("a sec", end=ValueError("no"))
    stream = GUARD.wrap(events(run))
    with pytest.raises(ValueError, match="no"):
        await stream.text()
    assert run.left


async def test_closing_the_stream_cancels_the_run() -> None:
    run = Run("a", end=60.0)
    async with GUARD.wrap(events(run)) as stream:
        async for event in stream:
            if event.content == "a":
                break
    assert (run.left, run.cancelled, run.stream.subscribers) == (True, True, {})
