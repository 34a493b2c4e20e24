"""Every stream, whichever way its chunks came, can be asked and ended in the same words."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from guardstream.consumers import Coalesce, Tee, record
from guardstream.gate import gate
from guardstream.resilience import retrying
from guardstream.stream.protocol import ChunkStream, StreamOutcome, SyncChunkStream, WrappedStream
from tests.support.sources import Silent, Source, gen, guard

pytestmark = pytest.mark.anyio

CHUNKS = ["a ", "sec", "ret ", "and ", "more "]

Make = Callable[[Source], Any]
"""Makes a stream of a source: as a context manager, for those that have to be entered."""


@asynccontextmanager
async def guarded(source: Source) -> AsyncIterator[ChunkStream[Any]]:
    yield guard().wrap(source)


@asynccontextmanager
async def gated(source: Source) -> AsyncIterator[ChunkStream[Any]]:
    yield gate(guard().wrap(source), lambda *_: True, unit=1)


@asynccontextmanager
async def retried(source: Source) -> AsyncIterator[ChunkStream[Any]]:
    yield retrying(guard(), lambda: source)


@asynccontextmanager
async def branch(source: Source) -> AsyncIterator[ChunkStream[Any]]:
    async with Tee(guard().wrap(source), 1) as (only,):
        yield only


@asynccontextmanager
async def merged(source: Source) -> AsyncIterator[ChunkStream[Any]]:
    async with Coalesce(guard().wrap(source), characters=1, milliseconds=1) as chunks:
        yield chunks


@asynccontextmanager
async def recorded(source: Source) -> AsyncIterator[ChunkStream[Any]]:
    yield record(guard().wrap(source), Path("/dev/null"))


EACH = pytest.mark.parametrize("make", [guarded, gated, retried, branch, merged, recorded])


async def drain(stream: ChunkStream[Any]) -> str:
    return "".join([chunk async for chunk in stream])


@EACH
async def test_it_says_how_it_went(make: Make) -> None:
    source = Source(CHUNKS)
    async with make(source) as stream:
        assert isinstance(stream, ChunkStream)
        assert stream.finish is None
        assert await drain(stream) == "a ****** and more "
        assert stream.finish == stream.result.finish == "stop"
        assert stream.result.text == "a ****** and more "
        assert stream.stats.characters_out == len("a ****** and more ")
        assert stream.blocked_by is None
        assert [found.rule for found in stream.findings] == ([] if make is gated else ["word"])
    assert source.closed == 1


@EACH
async def test_it_names_the_rule_that_blocked_it(make: Make) -> None:
    async with make(Source(["a ", "forbidden", " b"])) as stream:
        assert await drain(stream) == "a "
        assert (stream.finish, stream.blocked_by) == ("content_filter", "bad")
        assert stream.result.blocked_by == "bad"


@EACH
async def test_stop_wakes_a_reader_and_closes_the_source(make: Make) -> None:
    source = Silent(["a "])
    got: list[str] = []
    shown, over = anyio.Event(), anyio.Event()
    async with make(source) as stream, anyio.create_task_group() as group:

        async def read() -> None:
            async for chunk in stream:
                got.append(chunk)
                if "".join(got) == "a ":
                    shown.set()
            over.set()

        group.start_soon(read)
        with anyio.fail_after(5):
            await source.waiting.wait()
            await shown.wait()
            stream.stop()
            stream.stop()
            await over.wait()
        assert (source.closed, stream.finish) == (1, "cancelled")
    assert "".join(got) == "a "


@EACH
async def test_stop_closes_the_source_of_a_consumer_that_leaves(make: Make) -> None:
    source = Source(CHUNKS)
    async with make(source) as stream:
        async for _ in stream:
            stream.stop()
            break
        with anyio.fail_after(5):
            while not source.closed:
                await anyio.lowlevel.checkpoint()
        assert source.closed == 1


@EACH
async def test_leaving_it_closes_the_source_once(make: Make) -> None:
    source = Source(CHUNKS)
    async with make(source) as stream:
        await anext(stream)
        await stream.aclose()
        await stream.aclose()
    assert source.closed == 1


WRAPPED = pytest.mark.parametrize("make", [guarded, gated, retried])


@WRAPPED
async def test_all_that_wrap_may_return_has_the_same_attributes(make: Make) -> None:
    async with make(Source(CHUNKS)) as stream:
        assert isinstance(stream, WrappedStream)
        assert "open" in repr(stream)
        got, deltas = [], []
        async for chunk in stream:
            got.append(chunk)
            deltas.append(stream.delta)
        assert got == deltas
        assert (stream.held, stream.failure, stream.ready()) == (0, None, [])
        assert repr(stream) == f"<{type(stream).__name__}, finish 'stop'>"
    async with make(Source(CHUNKS)) as stream:
        assert await stream.text() == "".join(got)
    async with make(Source(CHUNKS)) as stream:
        assert [text async for text in stream.text_stream] == got


@WRAPPED
async def test_what_came_with_a_chunk_can_be_had_at_once(make: Make) -> None:
    async with make(Source([f"data: {n}\n\n".encode() for n in (1, 2)])) as stream:
        one_by_one = [chunk async for chunk in stream]
    async with make(Source([b"data: 1\n\ndata: 2\n\n"])) as stream:
        got = [await anext(stream), *stream.ready()]
        assert stream.stats.chunks_out == len(got)
        if make is not gated:  # where the second waits for its verdict
            assert got == one_by_one
        assert got + [chunk async for chunk in stream] == one_by_one


@WRAPPED
async def test_nothing_is_ready_while_another_task_reads(make: Make) -> None:
    source = Silent(["a "])
    async with make(source) as stream, anyio.create_task_group() as group:
        group.start_soon(drain, stream)
        await source.waiting.wait()
        assert stream.ready() == []
        stream.stop()


FRAMES = [
    b'data: {"choices": [{"index": 0, "delta": {"content": "%s"}}]}\n\n' % word
    for word in (b"so ", b"forbidden")
]

ENDING = guard().with_on_block("error")
"""A guard that ends a blocked stream with an error."""

WAYS: dict[str, Callable[[], WrappedStream[Any]]] = {
    "guarded": lambda: ENDING.wrap(Source(FRAMES)),
    "gated": lambda: gate(ENDING.wrap(Source(FRAMES)), lambda *_: True),
    "retried": lambda: retrying(ENDING, lambda: Source(FRAMES)),
}


@pytest.mark.parametrize("way", WAYS)
async def test_the_error_at_the_end_of_a_blocked_stream_is_its_failure(way: str) -> None:
    stream = WAYS[way]()
    *_, last = [chunk async for chunk in stream]
    assert b"error" in last
    assert stream.failure == last


def test_a_plain_stream_has_the_same() -> None:
    log: list[str] = []
    stream: SyncChunkStream[str] = guard().wrap_sync(gen(CHUNKS, log))
    assert isinstance(stream, SyncChunkStream)
    assert "".join(stream) == "a ****** and more "
    assert (stream.finish, stream.blocked_by, log) == ("stop", None, ["closed"])
    asynchronous = {name for name in dir(WrappedStream) if not name.startswith("_")} - {"aclose"}
    assert asynchronous <= set(dir(stream))


def test_a_plain_stream_gives_what_came_with_a_chunk_without_reading_on() -> None:
    log: list[str] = []
    stream = guard().wrap_sync(gen([b"data: 1\n\ndata: 2\n\n", b"data: 3\n\n"], log))
    assert [next(stream), *stream.ready()] == [b"data: 1\n\n", b"data: 2\n\n"]
    assert stream.ready() == []
    assert list(stream) == [b"data: 3\n\n"]
    ending = ENDING.wrap_sync(FRAMES)
    assert list(ending)[-1] == ending.failure


def test_the_protocols_say_what_they_promise() -> None:
    for protocol in (StreamOutcome, ChunkStream, SyncChunkStream, WrappedStream):
        assert inspect.getdoc(protocol)
