"""Replay stores: one contract for memory and a real Redis."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest
import pytest_asyncio
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ResponseError

from guardstream.serve import MemoryReplay, ReplayStore
from guardstream.serve.from_policy import redis_of
from guardstream.serve.proxy.state import StateError
from guardstream.serve.proxy.state_redis import RedisState
from guardstream.serve.replay_redis import RedisReplay
from guardstream.vault import RedisStore
from tests.support.ports import free_port
from tests.support.redis import redis_at
from tests.support.redis import redis_port as redis_port

pytestmark = pytest.mark.asyncio  # redis-py has no other

Make = Callable[..., ReplayStore]


async def test_a_redis_that_was_started_anew_is_asked_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each connection that was open before would cost a request otherwise."""
    port = free_port()
    monkeypatch.setenv("REDIS_URL", f"redis://127.0.0.1:{port}/0")
    async with redis_of("${REDIS_URL}", "state") as client:
        state, vaults = RedisState(client), RedisStore(f"redis://127.0.0.1:{port}/0")
        for _ in range(2):
            with redis_at(port, tmp_path):
                entered = [state.enter("key", f"place {number}", 9) for number in range(4)]
                assert await asyncio.gather(*entered) == [True] * 4
                assert vaults.load("a") == {}
        with pytest.raises(StateError, match="ConnectionError"):
            await state.enter("key", "place", 9)


@pytest_asyncio.fixture(params=["memory", "redis"])
async def make(request: pytest.FixtureRequest) -> AsyncIterator[Make]:
    """Makes an empty store."""
    if request.param == "memory":
        yield MemoryReplay
        return
    port = request.getfixturevalue("redis_port")
    async with Redis(port=port) as client:
        await client.flushall()
        yield lambda **bounds: RedisReplay(client, **bounds)


async def filled(store: ReplayStore, stream: str = "a", count: int = 5) -> ReplayStore:
    for number in range(1, count + 1):
        await store.append(stream, number, b"event %d" % number)
    return store


async def numbers(store: ReplayStore, since: int, stream: str = "a") -> list[int] | None:
    kept = await store.since(stream, since)
    return None if kept is None else [number for number, _ in kept.events]


async def test_events_come_back_in_order_from_any_number(make: Make) -> None:
    store = await filled(make())
    for since in range(6):
        kept = await store.since("a", since)
        assert kept is not None
        assert list(kept.events) == [(n, b"event %d" % n) for n in range(since + 1, 6)]
        assert not kept.ended


async def test_streams_are_apart(make: Make) -> None:
    store = await filled(await filled(make()), "b", 2)
    assert await numbers(store, 0, "b") == [1, 2]
    assert await store.since("c", 0) is None


async def test_the_end_is_told(make: Make) -> None:
    store = await filled(make())
    await store.close("a")
    kept = await store.since("a", 3)
    assert kept is not None
    assert ([number for number, _ in kept.events], kept.ended) == ([4, 5], True)
    assert await store.since("a", 5) == ([], True)
    assert await store.since("a", 5, 60) == ([], True)


async def test_a_stream_that_was_dropped_while_it_goes_on_has_no_gap(make: Make) -> None:
    store = make(max_age=1)
    await filled(store, count=3)
    await asyncio.sleep(1.5)
    await store.append("a", 4, b"event 4")
    assert [await numbers(store, since) for since in range(5)] == [None, None, None, [4], []]


async def test_a_stream_that_made_way_for_others_has_no_gap() -> None:
    store = MemoryReplay(max_streams=1)
    await filled(await filled(store, count=3), "b", 1)
    await store.append("a", 4, b"event 4")
    assert [await numbers(store, since) for since in range(5)] == [None, None, None, [4], []]


async def test_closing_an_unknown_stream_keeps_nothing(make: Make) -> None:
    store = make()
    await store.close("a")
    assert await store.since("a", 0) is None


async def test_the_oldest_events_make_way_and_are_missed(make: Make) -> None:
    store = await filled(make(max_events=3))
    assert [await numbers(store, since) for since in (0, 1)] == [None, None]
    assert await numbers(store, 2) == [3, 4, 5]
    await store.close("a")
    assert await numbers(store, 1) is None
    assert await numbers(store, 2) == [3, 4, 5]


async def test_bytes_are_bounded_and_the_newest_event_is_kept(make: Make) -> None:
    store = make(max_bytes=100)
    for number in range(1, 6):
        await store.append("a", number, b"x" * 40)
    assert await numbers(store, 3) == [4, 5]
    assert await numbers(store, 2) is None
    await store.append("a", 6, b"x" * 1000)
    assert await numbers(store, 5) == [6]
    assert await numbers(store, 4) is None


async def test_who_waits_is_woken_by_an_event_and_by_the_end(make: Make) -> None:
    store = await filled(make())
    found: list[Any] = []

    async def wait(since: int) -> None:
        found.append(await store.since("a", since, 60))

    with anyio.fail_after(10):
        for step in range(2):
            async with anyio.create_task_group() as group:
                group.start_soon(wait, 5 + step)
                while not await store.followed("a"):
                    await anyio.lowlevel.checkpoint()
                await (store.append("a", 6, b"six") if step == 0 else store.close("a"))
    assert found == [([(6, b"six")], False), ([], True)]


async def test_waiting_ends_by_itself(make: Make) -> None:
    store = await filled(make())
    with anyio.fail_after(10):
        assert await store.since("a", 5, 0.01) == ([], False)


async def test_a_stream_that_nobody_waited_for_is_not_followed(make: Make) -> None:
    store = await filled(make())
    await store.since("a", 0)
    assert not await store.followed("a")


async def test_the_number_of_streams_is_bounded_in_memory() -> None:
    store = MemoryReplay(max_streams=2)
    for stream in "abc":
        await filled(store, stream)
    assert await store.since("a", 0) is None
    assert await numbers(store, 4, "c") == [5]


async def test_who_waits_for_a_stream_that_is_forgotten_is_told() -> None:
    store = MemoryReplay(max_streams=1)
    await filled(store)
    found: list[Any] = []

    async def wait() -> None:
        found.append(await store.since("a", 5, 60))

    with anyio.fail_after(10):
        async with anyio.create_task_group() as group:
            group.start_soon(wait)
            while not await store.followed("a"):
                await anyio.lowlevel.checkpoint()
            await filled(store, "b")
    assert found == [None]


async def test_old_streams_are_forgotten_in_memory() -> None:
    store = MemoryReplay(max_age=0)
    await filled(store)
    assert await store.since("a", 0) is None
    assert len(store) == 0


async def test_streams_expire_in_redis(redis_port: int) -> None:
    async with Redis(port=redis_port) as client:
        await client.flushall()
        store = await filled(RedisReplay(client, max_age=100, prefix="p:"))
        assert 0 < await client.ttl("p:a") <= 100
        await client.persist("p:a")
        await store.close("a")
        assert 0 < await client.ttl("p:a") <= 100
        await store.since("a", 9, 0.01)
        assert all([await client.ttl(key) > 0 for key in await client.keys("*")])


async def test_a_client_that_decodes_is_refused() -> None:
    client = Redis(decode_responses=True)
    with pytest.raises(ValueError, match="decode_responses"):
        RedisReplay(client)
    await client.aclose()


async def test_all_streams_in_memory_are_bounded_together() -> None:
    store = MemoryReplay(max_total=1000)
    for stream in "abcdef":
        await store.append(stream, 1, b"x" * 300)
    assert [len(store), await store.since("a", 0)] == [3, None]
    await store.append("g", 1, b"x" * 5000)
    assert len(store) == 0
    await store.append("h", 1, b"x" * 300)
    assert await numbers(store, 0, "h") == [1]


async def test_a_redis_that_hangs_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        client = Redis(port=silent.getsockname()[1])
        store = RedisReplay(client, timeout=0.1)
        for _ in range(3):
            with pytest.raises(TimeoutError):
                await store.append("a", 1, b"x")
        with pytest.raises(TimeoutError):
            await store.since("a", 0)
        with pytest.raises(TimeoutError):
            await store.close("a")
        await client.aclose()


async def test_what_is_kept_in_redis_stays_after_a_failure(redis_port: int) -> None:
    async with Redis(port=redis_port) as client:
        await client.flushall()
        store = await filled(RedisReplay(client), count=3)
        with pytest.raises(ResponseError):
            await store.append("a", 3, b"again")
        await store.append("a", 5, b"the end")
        assert await numbers(store, 1) == [2, 3, 5]


@asynccontextmanager
async def losing(port: int, lost: bytes) -> AsyncIterator[int]:
    """Forward to Redis at `port`; close the first connection whose request holds `lost`, after
    Redis answered and before the client reads that."""
    closed: list[bytes] = []

    async def forward(client: asyncio.StreamReader, answers: asyncio.StreamWriter) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while data := await client.read(1 << 16):
            writer.write(data)
            answer = await reader.read(1 << 16)
            if lost in data and not closed:
                while answer.count(b"+QUEUED") < 3 or not answer.endswith(b":1\r\n"):
                    answer += await reader.read(1 << 16)
                closed.append(data)
                break
            answers.write(answer)
        answers.close()
        writer.close()

    async with await asyncio.start_server(forward, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]
    assert closed


async def test_an_event_whose_answer_was_lost_is_there_once(redis_port: int) -> None:
    async with (
        losing(redis_port, b"two") as port,
        Redis(port=port, retry=Retry(NoBackoff(), 1)) as client,
    ):
        store = RedisReplay(client, prefix="lost:")
        for number, event in enumerate([b"one", b"two", b"three"], start=1):
            await store.append("a", number, event)
        with pytest.raises(ResponseError):
            await store.append("a", 3, b"another")
        kept = await store.since("a", 0)
    assert kept is not None
    assert kept.events == [(1, b"one"), (2, b"two"), (3, b"three")]


async def test_nothing_makes_way_once_an_append_has_failed(redis_port: int) -> None:
    async with Redis(port=redis_port) as client:
        store = RedisReplay(client, prefix="failed:", max_events=2)
        await store.append("a", 1, b"one")
        with pytest.raises(ResponseError):
            await store.append("a", 1, b"another")
        for number in (2, 3, 4):
            await store.append("a", number, b"more")
        kept = await store.since("a", 0)
    assert kept is not None
    assert [number for number, _ in kept.events] == [1, 2, 3, 4]
