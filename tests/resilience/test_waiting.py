"""Waits between attempts, deadlines, and the ways out: all sources are closed."""

from __future__ import annotations

import gc
import weakref
from collections.abc import AsyncIterator
from typing import Any

import anyio
import anyio.lowlevel
import pytest
import trio.testing

from guardstream import Deadlines
from guardstream.resilience import retrying
from tests.resilience.providers import (
    AT_ONCE,
    CHUNKS,
    BusyError,
    Provider,
    broken,
    drain,
)
from tests.support.sources import Silent, SlowToClose, Source, guard
from tests.support.streams import GUARD, chat
from tests.support.watching import Watching, watched

pytestmark = pytest.mark.anyio


def waited(error: Exception, **options: Any) -> float:
    """How long a stream whose first attempt raises `error` waits, by trio's own clock."""

    async def main() -> float:
        await retrying(guard(), Provider(error, Source(CHUNKS)), **options).text()
        return trio.current_time() - began

    clock = trio.testing.MockClock(autojump_threshold=0)
    began = clock.current_time()
    return trio.run(main, clock=clock)


def test_a_server_says_how_long_to_wait() -> None:
    assert waited(BusyError("7"), **AT_ONCE) == pytest.approx(7, abs=0.5)


def test_a_server_that_asks_for_too_much_is_not_waited_for() -> None:
    with pytest.raises(BusyError):
        waited(BusyError("600"), **AT_ONCE)


def test_waits_grow_and_are_bounded() -> None:
    assert waited(BusyError(), wait_initial=50.0, wait_max=9.0) == pytest.approx(9, abs=0.5)


async def test_stop_ends_the_wait_for_another_attempt() -> None:
    provider = Provider(BusyError("30"), Source(CHUNKS))
    stream = retrying(guard(), provider)
    async with anyio.create_task_group() as group:

        async def stop() -> None:
            while not provider.opened:
                await anyio.lowlevel.checkpoint()
            await anyio.to_thread.run_sync(stream.stop)

        group.start_soon(stop)
        with anyio.fail_after(10):
            assert await drain(stream) == []
    assert (stream.finish, provider.opened) == ("cancelled", 1)


async def test_stop_ends_the_wait_for_a_source_that_does_not_open() -> None:
    opening = anyio.Event()

    async def never() -> Any:
        opening.set()
        await anyio.sleep_forever()

    stream = retrying(guard(), never)
    async with anyio.create_task_group() as group:

        async def stop() -> None:
            await opening.wait()
            stream.stop()

        group.start_soon(stop)
        with anyio.fail_after(10):
            assert await drain(stream) == []
    assert stream.finish == "cancelled"


async def test_stop_before_the_first_chunk_opens_nothing() -> None:
    provider = Provider(Source(CHUNKS))
    stream = retrying(guard(), provider)
    stream.stop()
    assert await drain(stream) == []
    assert (provider.opened, stream.finish) == (0, "cancelled")


async def test_stop_ends_a_stream_that_is_read() -> None:
    source = Silent(["a "])
    stream = retrying(guard(), Provider(source))
    async with anyio.create_task_group() as group:

        async def stop() -> None:
            await source.waiting.wait()
            stream.stop()

        group.start_soon(stop)
        with anyio.fail_after(10):
            assert await drain(stream) == ["a "]
    assert (stream.finish, source.closed) == ("cancelled", 1)


async def test_a_deadline_before_the_first_text_is_worth_another_attempt() -> None:
    provider = Provider(Silent([""]), Source(CHUNKS))
    stream = retrying(guard(), provider, deadlines=Deadlines(first_token=0.01), **AT_ONCE)
    assert await anext(stream) == "a "
    assert provider.opened == 2
    await stream.aclose()
    assert provider.closed == [1, 1]


async def test_a_deadline_that_passes_in_every_attempt_is_an_error() -> None:
    provider = Provider(Silent(), Silent())
    stream = retrying(guard(), provider, deadlines=Deadlines(idle=0.01), attempts=2, **AT_ONCE)
    with pytest.raises(TimeoutError, match="before the deadline"):
        await drain(stream)
    assert (stream.finish, provider.closed) == ("timeout", [1, 1])


async def test_a_deadline_behind_the_first_text_is_an_end() -> None:
    provider = Provider(Silent(["a "]), Source(CHUNKS))
    stream = retrying(guard(), provider, deadlines=Deadlines(idle=0.01), **AT_ONCE)
    assert await drain(stream) == ["a "]
    assert (stream.finish, provider.opened) == ("timeout", 1)


# Closing


async def test_the_source_is_closed_when_the_consumer_leaves() -> None:
    provider = Provider(broken(), Source(CHUNKS))
    async with retrying(guard(), provider, **AT_ONCE) as stream:
        await anext(stream)
    assert (provider.closed, stream.finish) == ([1, 1], "cancelled")
    await stream.aclose()
    assert await drain(stream) == []
    assert provider.opened == 2


async def test_text_that_waits_behind_earlier_chunks_is_not_in_the_result_if_it_is_dropped() -> (
    None
):
    provider = Provider(Source(chat(lambda text: [text])))
    async with retrying(GUARD, provider) as stream:
        first = await anext(stream)
        assert first["choices"][0]["delta"]["content"] == ""
        assert stream.result.channels == {}
    assert stream.result.channels == {}
    assert stream.result.text == ""


@pytest.mark.parametrize("at", range(8))
async def test_a_source_is_closed_when_its_consumer_is_cancelled(at: int) -> None:
    ends: list[Any] = []

    def before(place: int) -> None:
        if place == at:
            scope.cancel()

    first, second = broken("sec"), Source(CHUNKS, before=before)
    provider = Provider(first, second)
    stream = retrying(guard(), provider, on_finish=ends.append, **AT_ONCE)
    got: list[Any] = []
    with anyio.CancelScope() as scope:
        async for each in stream:
            got.append(each)  # noqa: PERF401  (what was got before the cancellation counts)
    assert provider.closed == [1, 1]
    assert "".join(got) == stream.result.text
    assert ends == [stream.result]
    assert stream.finish in ("cancelled", "stop")


async def test_two_tasks_cannot_read_one_stream() -> None:
    source = Silent(["a "])
    provider = Provider(source)
    stream = retrying(guard(), provider)
    async with anyio.create_task_group() as group:
        group.start_soon(drain, stream)
        await anyio.wait_all_tasks_blocked()
        with pytest.raises(RuntimeError, match="another task"):
            await anext(stream)
        assert stream.finish is None
        stream.stop()
    assert (provider.opened, source.closed) == (1, 1)


@pytest.mark.parametrize("resumed", [False, True])
async def test_a_stream_that_is_dropped_is_gone_at_once(resumed: bool) -> None:
    opened = 0

    async def provider(_: str = "") -> AsyncIterator[str]:
        nonlocal opened
        opened += 1
        if opened == 1:
            raise BusyError
        yield "a "
        if opened == 2:
            raise BusyError
        yield "b "

    stream = retrying(guard(), provider, resume=provider, attempts=4, **AT_ONCE)
    gc.collect()
    gc.disable()  # an asynchronous generator would be finalised in the midst of being closed
    try:
        for _ in range(2 if resumed else 1):
            await anext(stream)
        left = weakref.ref(stream)
        del stream
        assert left() is None
    finally:
        gc.enable()


async def test_a_stream_that_is_left_after_a_failed_attempt_was_cancelled() -> None:
    seen = Watching()
    announced = anyio.Event()

    async def announce(_: Exception, __: int) -> None:
        announced.set()
        await anyio.sleep_forever()

    stream = retrying(
        watched(seen), Provider(broken("sec"), Source(CHUNKS)), on_retry=announce, **AT_ONCE
    )
    async with anyio.create_task_group() as group:
        group.start_soon(drain, stream)
        await announced.wait()
        group.cancel_scope.cancel()
    assert stream.finish == "cancelled"
    assert [(record.finish, record.error) for record in seen.records] == [("cancelled", None)]


async def test_a_stream_that_another_task_closes_at_its_end_is_recorded() -> None:
    async def show(_: str) -> None:
        if source.closed:  # the rest, after the source's end
            await shown.wait()

    seen, source, shown = Watching(), SlowToClose(["a ", "sec"]), anyio.Event()
    stream = retrying(watched(seen), Provider(source), on_text=show, **AT_ONCE)
    async with anyio.create_task_group() as group:
        group.start_soon(drain, stream)
        await source.closing.wait()
        await stream.aclose()
        shown.set()
    assert seen.record.finish == stream.finish == "stop"


@pytest.mark.parametrize(("text", "finish"), [("a forbidden", "content_filter"), ("a ", "stop")])
async def test_a_cancellation_while_an_ended_source_is_closed_leaves_the_streams_end(
    text: str, finish: str
) -> None:
    seen, source = Watching(), SlowToClose([text])
    stream = retrying(watched(seen), Provider(source), **AT_ONCE)
    async with anyio.create_task_group() as group:
        group.start_soon(drain, stream)
        await source.closing.wait()
        group.cancel_scope.cancel()
    assert source.closed == 1
    assert (stream.finish, seen.record.finish) == (finish, finish)
