"""Event streams as async iterators: decoded, kept alive, and closed."""

from __future__ import annotations

from contextlib import aclosing

import anyio
import anyio.lowlevel
import pytest

from guardstream.errors import SSEError
from guardstream.framing.sse import Event
from guardstream.serve import aiter_events, heartbeats
from tests.serve.apps import Upstream
from tests.support.sources import Generating

pytestmark = pytest.mark.anyio

PING = b": ping\n\n"


async def test_events_are_decoded_in_every_split() -> None:
    data = ": note\n\ndata: €\r\n\r\nid: 1\rdata: b\r\r".encode()
    for size in (1, 2, 3, 7, 100):
        upstream = Upstream([data[at : at + size] for at in range(0, len(data), size)])
        found = [event async for event in aiter_events(upstream.stream())]
        assert found == [Event("€"), Event("b", id="1")]


async def test_an_event_that_waited_for_a_line_feed_comes_at_the_end() -> None:
    events = aiter_events(Upstream([b"data: a\r\n\r"]).stream())
    assert [event async for event in events] == [Event("a")]


async def test_a_consumer_that_leaves_closes_the_source() -> None:
    upstream = Upstream([b"data: a\n\n"], silent=True)
    async with aclosing(aiter_events(upstream.stream())) as events:
        assert await anext(events) == Event("a")
    assert upstream.closed.is_set()


async def test_a_line_that_is_too_long_comes_after_the_events_before_it() -> None:
    upstream = Upstream([b"data: a\n\ndata: 0123456789\n\n"], silent=True)
    events = aiter_events(upstream.stream(), max_line=10)
    assert await anext(events) == Event("a")
    with pytest.raises(SSEError, match="more than 10 bytes"):
        await anext(events)
    assert upstream.closed.is_set()


async def test_heartbeats_come_in_silence_alone() -> None:
    upstream = Upstream([b"data: a\n\n", b"data: b\n\n"], silent=True)
    found = []
    with anyio.fail_after(5):
        async with heartbeats(upstream.stream(), 0.01) as chunks:
            async for chunk in chunks:
                found.append(chunk)
                if found.count(PING) == 3:
                    break
    assert found == [b"data: a\n\n", b"data: b\n\n", PING, PING, PING]
    assert upstream.closed.is_set()


async def test_heartbeats_end_with_the_source() -> None:
    chunks = [b"data: %d\n\n" % number for number in range(50)]
    async with heartbeats(Upstream(chunks).stream(), 5) as beating:
        assert [chunk async for chunk in beating] == chunks


async def test_heartbeats_raise_what_the_source_raises() -> None:
    upstream = Upstream([b"data: a\n\n"], error=RuntimeError("own"))
    async with heartbeats(upstream.stream(), 5) as beating:
        assert await anext(beating) == b"data: a\n\n"
        with pytest.raises(RuntimeError, match="own"):
            await anext(beating)


async def test_what_leaves_the_block_of_heartbeats_passes_as_it_is() -> None:
    error = RuntimeError("own")
    with pytest.raises(RuntimeError) as caught:
        async with heartbeats(Upstream([], error=error).stream(), 5) as beating:
            await anext(beating)
    assert caught.value is error


async def test_an_iterator_that_is_left_is_closed() -> None:
    source = Generating(b"data: a\n\n")
    async with heartbeats(source, 5):
        await anyio.wait_all_tasks_blocked()
    assert source.closed == 1
    events = aiter_events(source)
    await anext(events)
    await events.aclose()
    assert source.closed == 2


async def test_heartbeats_read_one_chunk_ahead() -> None:
    upstream = Upstream([b"data: a\n\n"] * 100)
    async with heartbeats(upstream.stream(), 5) as beating:
        await anext(beating)
        for _ in range(50):
            await anyio.lowlevel.checkpoint()
        assert upstream.given == 2
    assert upstream.closed.is_set()
