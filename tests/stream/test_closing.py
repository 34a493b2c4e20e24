"""The source is closed on every way out, and the error is the original one or the block."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import suppress
from random import Random
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from guardstream import GuardedStream, Result, StageError
from guardstream.gate import gate
from tests.support.sources import Silent, Source, agen, broken_guard, guard
from tests.support.streams import chat, event_stream

pytestmark = pytest.mark.anyio

CHUNKS = ["a ", "sec", "ret", " and", " more"]


def gated(source: Any) -> Any:
    """A gate that lets all through, before a stream that has no guard."""
    return gate(source, lambda text, _: bool(text))


async def drain(stream: GuardedStream[Any]) -> str:
    return "".join([chunk async for chunk in stream])


async def test_closed_at_its_end() -> None:
    source = Source(CHUNKS)
    assert await drain(guard().wrap(source)) == "a ****** and more"
    assert source.closed == 1


@pytest.mark.parametrize("through", [lambda source: guard().wrap(source), gated])
async def test_a_source_may_have_a_generator_for_its_next(through: Any) -> None:
    """As event streams of aiobotocore do."""

    class Events:
        closed = 0

        def __aiter__(self) -> Any:
            return self.__anext__()

        async def __anext__(self) -> Any:
            for chunk in CHUNKS:
                yield chunk

        def close(self) -> None:
            self.closed += 1

    source = Events()
    assert "".join([chunk async for chunk in through(source)]).endswith(" and more")
    assert source.closed == 1


async def test_closed_by_a_block_before_the_rest_is_read() -> None:
    source = Source(["fine, ", "forbidden", " unread", " unread"])
    stream = guard().wrap(source)
    assert await drain(stream) == "fine, "
    assert source.closed == 1
    assert stream.stats.chunks_in <= 3


async def test_closed_by_a_block_before_its_last_text_is_delivered() -> None:
    source = Source(["fine, forbidden!"])
    stream = guard().wrap(source)
    assert await anext(stream) == "fine, "
    assert source.closed == 1


async def test_closed_by_a_stop_rule() -> None:
    source = Source(["that is enough.", " unread"])
    assert await drain(guard().wrap(source)) == "that is "
    assert source.closed == 1


async def test_closed_when_the_consumer_leaves() -> None:
    source = Source(CHUNKS)
    async with guard().wrap(source) as stream:
        async for _ in stream:
            break
    assert source.closed == 1
    assert stream.finish == "cancelled"
    assert [chunk async for chunk in stream] == []


async def test_closed_when_the_consumer_raises() -> None:
    source = Source(CHUNKS)

    async def consume() -> None:
        async with guard().wrap(source) as stream:
            async for _ in stream:
                raise LookupError

    with pytest.raises(LookupError):
        await consume()
    assert source.closed == 1


async def test_aclose_is_idempotent_and_closes_before_the_first_chunk() -> None:
    source = Source(CHUNKS)
    stream = guard().wrap(source)
    await stream.aclose()
    await stream.aclose()
    assert (source.closed, stream.finish) == (1, "cancelled")


async def test_an_error_of_the_source_passes_unchanged_and_held_text_is_dropped() -> None:
    error = ConnectionResetError("upstream")
    source = Source(["a ", "sec"], error=error)
    stream = guard().wrap(source)
    with pytest.raises(ConnectionResetError) as caught:
        await drain(stream)
    assert caught.value is error
    assert (stream.result.text, stream.finish, source.closed) == ("a ", "error", 1)


async def test_a_stage_that_raises_blocks_and_keeps_its_cause() -> None:
    source = Source(["fine ", "boom", "raw"])
    stream = broken_guard().wrap(source)
    assert await anext(stream) == "fine "
    with pytest.raises(StageError) as caught:
        await anext(stream)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    assert (stream.result.text, stream.finish, source.closed) == ("fine ", "error", 1)


async def test_a_stage_that_raises_at_the_end_blocks() -> None:
    source = Source(["fine "])
    stream = broken_guard(finishes=False).wrap(source)
    with pytest.raises(StageError):
        await drain(stream)
    assert (stream.finish, source.closed) == ("error", 1)


async def test_an_error_while_closing_does_not_hide_the_end() -> None:
    class Clumsy(Source):
        async def aclose(self) -> None:
            await super().aclose()
            raise OSError("already gone")

    source = Clumsy(CHUNKS)
    assert await drain(guard().wrap(source)) == "a ****** and more"
    assert source.closed == 1


async def test_close_methods_of_sdk_streams_are_found() -> None:
    class Closing(Source):
        aclose = None  # type: ignore[assignment]

        async def close(self) -> None:
            self.closed += 1

    source = Closing(["forbidden"])
    await drain(guard().wrap(source))
    assert source.closed == 1


async def test_the_iterator_and_what_it_came_from_are_closed() -> None:
    class Iterable:
        def __init__(self) -> None:
            self.log: list[str] = []

        def __aiter__(self) -> Any:
            return agen(["forbidden", "x"], self.log)

        def close(self) -> None:
            self.log.append("response closed")

    source = Iterable()
    await drain(guard().wrap(source))
    assert source.log == ["closed", "response closed"]


async def inside_a_scope() -> AsyncIterator[str]:
    with anyio.CancelScope() as scope:
        try:
            for word in ("fine ", "forbidden ", "x"):
                yield word
        finally:
            scope.cancel()


async def inside_a_task_group() -> AsyncIterator[str]:
    async with anyio.create_task_group() as group:
        group.start_soon(anyio.sleep_forever)
        for word in ("fine ", "forbidden ", "x"):
            yield word


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize("source", [inside_a_scope, inside_a_task_group])
async def test_a_source_that_yields_inside_a_scope_of_its_own_can_leave_it(source: Any) -> None:
    assert await drain(guard().wrap(source())) == "fine "
    await anyio.sleep(0.01)  # the consumer's task is not cancelled


async def with_a_cancelled_task() -> AsyncIterator[str]:
    pump = asyncio.create_task(asyncio.sleep(60))
    try:
        for word in ("fine ", "forbidden ", "x"):
            yield word
    finally:
        pump.cancel()
        await pump


async def with_a_slow_end() -> AsyncIterator[str]:
    try:
        for word in ("fine ", "forbidden ", "x"):
            yield word
    finally:
        with suppress(asyncio.CancelledError):
            await anyio.sleep(60)
        await anyio.sleep(60)


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_cancelled_task_of_the_source_does_not_cancel_the_consumer() -> None:
    assert await drain(guard().wrap(with_a_cancelled_task())) == "fine "


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_closing_that_swallows_its_cancellation_does_not_hang_the_consumer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("guardstream.stream.loops.CLOSE_SECONDS", 0.01)
    with anyio.fail_after(5):
        assert await drain(guard().wrap(with_a_slow_end())) == "fine "
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def cancelled_at(number: int, chunks: list[str]) -> tuple[Source, GuardedStream[Any]]:
    """Guard a stream and cancel its consumer at one of the source's awaits."""

    def before(place: int) -> None:
        if place == number:
            scope.cancel()

    source = Source(chunks, before=before)
    stream = guard().wrap(source)
    with anyio.CancelScope() as scope:
        async for _ in stream:
            await anyio.lowlevel.checkpoint()
    return source, stream


@pytest.mark.parametrize("chunks", [CHUNKS, ["fine ", "forbidden", "x"], ["so, ", "enough", "x"]])
async def test_closed_when_cancelled_at_every_await(chunks: list[str]) -> None:
    uncancelled, _ = await cancelled_at(-1, chunks)
    for number in range(uncancelled.awaits):
        source, stream = await cancelled_at(number, chunks)
        assert source.closed == 1
        assert stream.finish is not None
        assert "secret" not in stream.result.text
        assert [chunk async for chunk in stream] == []


async def test_closed_when_many_streams_are_dropped_at_random_moments() -> None:
    random = Random(3)

    async def consume(source: Source, leave: int, scope: anyio.CancelScope) -> None:
        with scope:
            async with guard().wrap(source) as stream:
                async for _ in stream:
                    if stream.stats.chunks_in >= leave:
                        break

    sources = [Source(CHUNKS * 5) for _ in range(300)]
    scopes = [anyio.CancelScope() for _ in sources]
    async with anyio.create_task_group() as group:
        for source, scope in zip(sources, scopes, strict=True):
            group.start_soon(consume, source, random.randrange(1, 40), scope)
        while any(not source.closed for source in sources):
            random.choice(scopes).cancel()
            await anyio.lowlevel.checkpoint()
    assert {source.closed for source in sources} == {1}


async def test_cancellation_drops_held_text() -> None:
    source, stream = await cancelled_at(2, CHUNKS)
    assert source.closed == 1
    assert (stream.result.text, stream.finish) == ("a ", "cancelled")


async def test_a_generator_is_closed_when_cancelled() -> None:
    log: list[str] = []
    with anyio.CancelScope() as scope:
        async with guard().wrap(agen(CHUNKS, log)) as stream:
            async for _ in stream:
                scope.cancel()
    assert log == ["closed"]


async def test_a_consumer_that_just_leaves_has_its_source_closed_by_the_loop() -> None:
    source = Source(CHUNKS)
    async for _ in guard().wrap(source):
        break
    gc.collect()
    with anyio.fail_after(5):
        while not source.closed:
            await anyio.lowlevel.checkpoint()


async def test_a_closing_that_hangs_does_not_hang_the_consumer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Hanging(Source):
        async def aclose(self) -> None:
            await anyio.sleep_forever()

    monkeypatch.setattr("guardstream.stream.loops.CLOSE_SECONDS", 0.01)
    assert await drain(guard().wrap(Hanging(CHUNKS))) == "a ****** and more"


async def test_stop_ends_the_stream_at_the_next_chunk() -> None:
    source = Source(CHUNKS)
    stream = guard().wrap(source)
    assert await anext(stream) == "a "
    stream.stop()
    stream.stop()
    assert await drain(stream) == ""
    assert (stream.finish, stream.result.text, source.closed) == ("cancelled", "a ", 1)


async def until_closed(source: Source) -> None:
    with anyio.fail_after(5):
        while not source.closed:
            await anyio.lowlevel.checkpoint()


async def test_a_consumer_that_stops_and_leaves_has_its_source_closed() -> None:
    source = Source(CHUNKS)
    ends: list[object] = []
    stream = guard().wrap(source, on_finish=ends.append)
    async for _ in stream:
        stream.stop()
        break
    await until_closed(source)  # while the stream is still there: nothing was collected
    while not ends:
        await anyio.lowlevel.checkpoint()
    assert (stream.finish, source.closed, ends) == ("cancelled", 1, [stream.result])
    await stream.aclose()
    assert await drain(stream) == ""
    assert (source.closed, len(ends)) == (1, 1)


async def test_a_stop_from_a_callback_closes_the_source_of_a_consumer_that_leaves() -> None:
    source = Source(CHUNKS)

    async def stop(_: str) -> None:
        stream.stop()
        await anyio.lowlevel.checkpoint()

    stream = guard().wrap(source, on_text=stop)
    assert await anext(stream) == "a "
    await until_closed(source)
    assert stream.result.text == "a "


async def test_a_stop_before_the_first_chunk_closes_the_source_without_a_reader() -> None:
    source = Source(CHUNKS)
    stream = guard().wrap(source)
    stream.stop()
    await until_closed(source)
    assert (source.closed, stream.finish) == (1, "cancelled")


async def test_what_was_released_before_a_stop_is_still_delivered() -> None:
    events = [event_stream([each]) for each in chat()]
    source = Source([b"".join(events[:-1]), events[-1]])
    stream = guard().wrap(source)
    first = await anext(stream)
    stream.stop()
    await until_closed(source)
    rest = [chunk async for chunk in stream]
    assert len(rest) > 1
    assert stream.stats.chunks_out == len([first, *rest])


async def test_leaving_waits_for_a_closing_that_has_begun() -> None:
    source = Source(CHUNKS)
    stream = guard().wrap(source)
    await anext(stream)
    stream.stop()
    while stream.finish is None:
        await anyio.lowlevel.checkpoint()
    await stream.aclose()
    assert source.closed == 1


@pytest.mark.parametrize("between", [lambda inner: inner, lambda inner: lambda: inner])
async def test_a_stop_lets_the_guard_inside_close_its_source_once(between: Any) -> None:
    class Slow(Source):
        closing = anyio.Event()

        async def aclose(self) -> None:
            await super().aclose()
            self.closing.set()
            await anyio.sleep(0.05)

    source = Slow(["a ", "sec"])
    stream = guard().wrap(between(guard().wrap(source)))
    received: list[str] = []

    async def read() -> None:
        received.extend([chunk async for chunk in stream])

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(read)
        await source.closing.wait()
        stream.stop()
    await anyio.wait_all_tasks_blocked()
    assert source.closed == 1
    assert (received, stream.finish) == (["a "], "cancelled")


async def test_what_is_closed_already_is_not_closed_again_after_a_cancellation() -> None:
    class Slow(Source):
        closing = anyio.Event()

        async def aclose(self) -> None:
            self.closing.set()
            await anyio.sleep(0.05)
            await super().aclose()

    class Response(Slow):
        def __init__(self, chunks: Source) -> None:
            super().__init__([])
            self.chunks = chunks

        def __aiter__(self) -> Any:
            return self.chunks

        __anext__ = None  # type: ignore[assignment]

    chunks = Source(CHUNKS)
    response = Response(chunks)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(drain, guard().wrap(response))
        await response.closing.wait()
        tasks.cancel_scope.cancel()
    await until_closed(response)
    assert (chunks.closed, response.closed) == (1, 1)


async def test_stop_before_the_first_chunk_reads_nothing() -> None:
    source = Source(CHUNKS)
    stream = guard().wrap(source)
    stream.stop()
    assert await drain(stream) == ""
    assert (source.closed, stream.stats.chunks_in) == (1, 0)


async def test_stop_wakes_a_reader_that_waits_for_a_silent_source() -> None:
    source = Silent(["a ", "sec"])
    stream = guard().wrap(source)
    async with anyio.create_task_group() as group:

        async def stop() -> None:
            await source.waiting.wait()
            stream.stop()

        group.start_soon(stop)
        with anyio.fail_after(5):
            assert await drain(stream) == "a "
    assert (stream.finish, source.closed) == ("cancelled", 1)


async def test_stop_from_another_thread_wakes_the_reader() -> None:
    source = Silent(["a "])
    stream = guard().wrap(source)
    async with anyio.create_task_group() as group:

        async def stop() -> None:
            await source.waiting.wait()
            await anyio.to_thread.run_sync(stream.stop)

        group.start_soon(stop)
        with anyio.fail_after(5):
            assert await stream.text() == "a "
    assert source.closed == 1


async def test_stop_and_a_cancellation_at_once_stay_a_cancellation() -> None:
    source = Silent(["a "])
    stream = guard().wrap(source)
    after: list[str] = []
    async with anyio.create_task_group() as group:

        async def read() -> None:
            await drain(stream)
            await anyio.lowlevel.checkpoint()
            after.append("went on")

        group.start_soon(read)
        await source.waiting.wait()
        group.cancel_scope.cancel()
        stream.stop()
    assert after == []
    assert source.closed == 1


async def test_stop_leaves_the_reading_task_uncancelled() -> None:
    source = Silent([])
    stream = guard().wrap(source)
    async with anyio.create_task_group() as group:

        async def stop() -> None:
            await source.waiting.wait()
            stream.stop()

        group.start_soon(stop)
        await drain(stream)
        with anyio.move_on_after(5) as scope:
            await anyio.lowlevel.checkpoint()
        assert not scope.cancelled_caught


async def test_aclose_from_another_task_waits_until_the_source_is_closed() -> None:
    source = Silent([])
    stream = guard().wrap(source)
    async with anyio.create_task_group() as group:
        group.start_soon(drain, stream)
        await source.waiting.wait()
        with anyio.fail_after(5):
            await stream.aclose()
        assert source.closed == 1


async def test_two_tasks_cannot_read_one_stream() -> None:
    source = Silent([])
    stream = guard().wrap(source)
    async with anyio.create_task_group() as group:
        group.start_soon(drain, stream)
        await source.waiting.wait()
        with pytest.raises(RuntimeError, match="another task"):
            await anext(stream)
        stream.stop()


async def test_a_stream_can_be_closed_while_its_cancelled_reader_concludes() -> None:
    concluding, over = anyio.Event(), anyio.Event()

    async def conclude(_: Result) -> None:
        concluding.set()
        await over.wait()

    async def read() -> None:
        with scope:
            await drain(stream)

    source, scope = Silent(["a "]), anyio.CancelScope()
    stream = guard().wrap(source, on_finish=conclude)
    async with anyio.create_task_group() as group:
        group.start_soon(read)
        await source.waiting.wait()
        scope.cancel()
        await concluding.wait()
        with anyio.fail_after(5):
            await stream.aclose()
        over.set()
    assert (source.closed, stream.finish) == (1, "cancelled")


def test_a_stream_whose_loop_has_ended_is_dropped_quietly() -> None:
    async def leave() -> GuardedStream[Any]:
        stream = guard().wrap(Source(CHUNKS))
        await anext(stream)
        return stream

    for backend in ("asyncio", "trio"):
        stream = anyio.run(leave, backend=backend)
        stream.stop()
        del stream
        gc.collect()


def test_a_stream_that_is_dropped_at_the_end_of_its_loop_does_not_break_the_loop() -> None:
    async def leave() -> str:
        stream = guard().wrap(Source(CHUNKS))
        return await anext(stream)

    for backend in ["asyncio", *["trio"] * 20]:  # in trio, tasks end in random order
        assert anyio.run(leave, backend=backend) == CHUNKS[0]


async def test_a_call_that_can_only_be_cancelled_is() -> None:
    """As one of gRPC."""

    class Call:
        cancelled = 0

        def __aiter__(self) -> Any:
            return agen(CHUNKS)

        def __iter__(self) -> Any:
            return iter(CHUNKS)

        def cancel(self) -> bool:
            self.cancelled += 1
            return True

    calls = Call(), Call()
    async with guard().wrap(calls[0]) as stream:
        await anext(stream)
    with guard().wrap_sync(calls[1]) as sync_stream:
        next(sync_stream)
    assert [call.cancelled for call in calls] == [1, 1]
