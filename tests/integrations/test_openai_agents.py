"""The events of a run of the OpenAI Agents SDK as a stream whose end cancels the run."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from guardstream.integrations.openai_agents import events
from tests.laws.asked import GUARD
from tests.support.samples.frameworks import Raw

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("anyio_backend", ["asyncio"])]


class Run:
    """What `Runner.run_streamed` returns: a run in a task, for whose end its iterator waits."""

    def __init__(self, pieces: Sequence[str], end: BaseException | None = None) -> None:
        self._pieces, self._end = pieces, end
        self.queue: asyncio.Queue[Any] = asyncio.Queue()
        self.goes_on = asyncio.Event()
        self.ran_tools = self.closed = False
        self.task = asyncio.ensure_future(self._run())

    async def _run(self) -> None:
        place = {"item_id": "m", "output_index": 0, "content_index": 0}
        for piece in self._pieces:
            delta = {"type": "response.output_text.delta", "delta": piece, **place}
            self.queue.put_nowait(Raw(delta))
        if self._end is None:
            await self.goes_on.wait()
            self.ran_tools = True
        self.queue.put_nowait(self._end)

    def cancel(self) -> None:
        self.task.cancel()

    async def stream_events(self) -> AsyncIterator[Any]:
        try:
            while (event := await self.queue.get()) is not None:
                if isinstance(event, BaseException):
                    raise event
                yield event
        except asyncio.CancelledError:
            self.cancel()
            raise
        finally:
            await asyncio.wait([self.task])
            self.closed = True


async def test_the_stream_ends_with_the_run() -> None:
    run = Run(["a sec", "ret"])
    run.goes_on.set()
    stream = GUARD.wrap(events(run))
    assert await stream.text() == "a ######"
    assert (run.closed, run.ran_tools, run.task.cancelled()) == (True, True, False)


async def test_a_block_cancels_the_run_before_its_tools() -> None:
    run = Run(["it is for", "bidden now"])
    stream = GUARD.wrap(events(run))
    assert await stream.text() == "it is "
    assert stream.finish == "content_filter"
    assert (run.closed, run.ran_tools, run.task.cancelled()) == (True, False, True)


async def test_a_reader_that_leaves_cancels_the_run() -> None:
    run = Run(["a sec", "ret"])
    async with GUARD.wrap(events(run)) as stream:
        async for _ in stream:
            break
    assert (run.closed, run.task.cancelled()) == (True, True)


async def test_a_cancelled_reader_cancels_the_run() -> None:
    run = Run(["so"])
    reader = asyncio.ensure_future(GUARD.wrap(events(run)).text())
    for _ in range(10):  # until it waits for more
        await asyncio.sleep(0)
    assert run.queue.empty()
    reader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reader
    assert (run.closed, run.task.cancelled()) == (True, True)


async def test_what_the_run_raises_is_raised() -> None:
    run = Run(["a sec"], end=ValueError("no"))
    with pytest.raises(ValueError, match="no"):
        await GUARD.wrap(events(run)).text()
    assert run.closed
