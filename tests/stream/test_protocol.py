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
from guardstream.stream.protocol import ChunkStream, StreamOutcome, SyncChunkStream
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


def test_a_plain_stream_has_the_same() -> None:
    log: list[str] = []
    stream: SyncChunkStream[str] = guard().wrap_sync(gen(CHUNKS, log))
    assert isinstance(stream, SyncChunkStream)
    assert "".join(stream) == "a ****** and more "
    assert (stream.finish, stream.blocked_by, log) == ("stop", None, ["closed"])


def test_the_protocols_say_what_they_promise() -> None:
    for protocol in (StreamOutcome, ChunkStream, SyncChunkStream):
        assert inspect.getdoc(protocol)
