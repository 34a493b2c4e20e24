"""What is left behind by a consumer that just leaves is cleaned up in its context."""

from __future__ import annotations

import gc
from contextvars import ContextVar

import anyio
import anyio.lowlevel
import pytest

from tests.support.sources import Source, guard

pytestmark = pytest.mark.anyio

REQUEST: ContextVar[str] = ContextVar("REQUEST", default="none")


async def test_a_source_is_closed_in_the_context_of_who_left_it() -> None:
    class Asking(Source):
        async def aclose(self) -> None:
            closed_in.append(REQUEST.get())
            await super().aclose()

    async def consume() -> None:
        REQUEST.set("r1")
        async for _ in guard().wrap(source):
            break
        gc.collect()

    closed_in: list[str] = []
    source = Asking(["a ", "b "])
    async with anyio.create_task_group() as group:
        group.start_soon(consume)
    with anyio.fail_after(10):
        while not source.closed:
            await anyio.lowlevel.checkpoint()
    assert closed_in == ["r1"]
