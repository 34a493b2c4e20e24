"""A stream that is read on in another event loop never ends as if its source had ended."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from guardstream.gate import gate
from guardstream.resilience import retrying
from guardstream.stream.protocol import WrappedStream
from tests.support.sources import guard


async def generated() -> AsyncIterator[str]:
    """A generator, which its event loop closes when it ends, so that it seems to have ended."""
    for chunk in ("a ", "b "):
        await anyio.lowlevel.checkpoint()
        yield chunk
    await anyio.sleep_forever()


STREAMS: dict[str, Callable[[], WrappedStream[str]]] = {
    "guarded": lambda: guard().wrap(generated()),
    "with callbacks": lambda: guard().wrap(generated(), on_text=lambda _: None),
    "wrapped again": lambda: guard().wrap(guard().wrap(generated())),
    "gated": lambda: gate(guard().wrap(generated()), lambda *_: True, unit=1),
    "retried": lambda: retrying(guard(), generated),
}


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize("kind", STREAMS)
def test_the_rest_of_an_answer_is_not_left_out_in_silence(kind: str, backend: str) -> None:
    stream = STREAMS[kind]()

    async def first() -> str:
        return await anext(stream)

    async def rest() -> list[str]:
        with anyio.fail_after(10):
            return [chunk async for chunk in stream]

    got: Any = anyio.run(first, backend=backend)
    assert got.startswith("a")
    with pytest.raises(RuntimeError, match="this stream began in another event loop"):
        anyio.run(rest, backend=backend)
    assert stream.finish == "error"
    assert anyio.run(rest, backend=backend) == []


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize("kind", STREAMS)
def test_it_may_be_closed_in_another_loop(kind: str, backend: str) -> None:
    stream = STREAMS[kind]()

    async def first() -> None:
        await anext(stream)

    async def leave() -> None:
        with anyio.fail_after(5):
            await stream.aclose()

    anyio.run(first, backend=backend)
    anyio.run(leave, backend=backend)
    assert stream.finish == "cancelled"
