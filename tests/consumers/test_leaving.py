"""Whoever leaves a generator with a reader in it, at any point, is not cancelled by it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import anyio
import anyio.lowlevel
import pytest

from guardstream.consumers import Coalesce, Tee

pytestmark = pytest.mark.anyio


class Source:
    """Endless chunks, which remember that they were closed."""

    def __init__(self) -> None:
        self.closed = anyio.Event()

    async def chunks(self) -> AsyncIterator[str]:
        try:
            while True:
                await anyio.lowlevel.checkpoint()
                yield "a word "
        finally:
            self.closed.set()


async def coalesced(source: Source) -> AsyncIterator[str]:
    async with Coalesce(source.chunks(), characters=8, milliseconds=5) as pieces:
        async for piece in pieces:
            yield piece


async def teed(source: Source) -> AsyncIterator[str]:
    async with Tee(source.chunks(), 1) as (branch,):
        async for piece in branch:
            yield piece


@pytest.mark.parametrize("reply", [coalesced, teed])
@pytest.mark.parametrize("taken", [1, 3])
async def test_an_abandoned_generator_closes_its_source_and_cancels_nobody(
    reply: Callable[[Source], AsyncIterator[str]], taken: int
) -> None:
    source = Source()
    pieces = reply(source)
    for _ in range(taken):
        await anext(pieces)
    async with anyio.create_task_group() as group:  # another task closes it, as a loop does
        group.start_soon(pieces.aclose)  # type: ignore[attr-defined]
    with anyio.fail_after(5):
        await source.closed.wait()
    await anyio.sleep(0.01)
