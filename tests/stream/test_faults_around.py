"""What stands around a guarded stream keeps its promises, whatever fails: bodies, tees, sinks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anyio
import pytest

from guardstream import Guard, Policy, Result
from guardstream.consumers import Coalesce, JsonLinesSink, Sink, Tee, record, write_to
from guardstream.http.stream import WireGuard
from guardstream.resilience import RetryingStream, retrying
from tests.support.faults import (
    BLOCKED,
    BODY,
    PLAIN,
    STOPPED,
    Bomb,
    PlannedError,
    Run,
    Stepping,
    Steps,
    counted,
    said,
)
from tests.support.sources import POLICY
from tests.support.watching import Watching, watched

pytestmark = pytest.mark.anyio


# Bodies


@pytest.mark.parametrize("at", range(1, len(BODY) + 1))
def test_a_body_that_cannot_be_guarded_from_some_frame_on(at: int) -> None:
    seen = Watching()
    body = WireGuard(watched(seen))
    got: list[bytes] = []
    for frame in [*BODY[:at], b"data: {broken\n\n", *BODY[at:]]:
        try:
            got += body.feed(frame)
        except Exception as error:
            assert "secret" not in str(error)  # noqa: PT017
    body.close()
    assert (body.ended, seen.record.finish) == ("error", "error")
    assert seen.record.error == "AdapterError"
    assert said(got) == body.result.text


@pytest.mark.parametrize("at", range(100))
def test_a_body_whose_stage_fails(at: int) -> None:
    seen = Watching()
    guard = Guard(Policy.parse(POLICY), stages=[lambda: Bomb(calls)], observers=[seen])
    calls = [at]
    body = WireGuard(guard)
    got: list[bytes] = []
    try:
        for frame in BODY:
            got += body.feed(frame)
        got += body.finish()
    except Exception as error:
        assert type(error).__name__ == "StageError"  # noqa: PT017
    body.close()
    failed = calls[0] < 0
    assert seen.record.finish == body.ended == ("error" if failed else "tool_calls")
    assert seen.record.error == ("StageError" if failed else None)
    assert said(got) == body.result.text


# What stands around a stream


def around(run: Run) -> list[tuple[str, Callable[[], Any]]]:
    """Readers of a run's stream, each of which keeps what it gets in `run.got`."""

    async def tee() -> None:
        async with Tee(run.stream, 2, buffer=2) as (first, second):

            async def follow() -> None:
                async for _ in second:
                    pass

            async with anyio.create_task_group() as group:
                group.start_soon(follow)
                async for chunk in first:
                    run.got.append(chunk)

    async def coalesce() -> None:
        async with Coalesce(run.stream, characters=4, milliseconds=1) as merged:
            async for chunk in merged:
                run.got.append(chunk)

    async def sink() -> None:
        await write_to(run.stream, Kept(run.got))

    return [("tee", tee), ("coalesce", coalesce), ("sink", sink)]


class Kept:
    """A sink that keeps what it gets, until it fails."""

    def __init__(self, got: list[Any], at: int = -1) -> None:
        self.closed = 0
        self._got, self._at = got, at

    def write(self, text: str) -> None:
        self._fail()
        self._got.append(text)

    def close(self, result: Result) -> None:  # noqa: ARG002
        self.closed += 1
        self._fail()

    def _fail(self) -> None:
        self._at -= 1
        if self._at == -1:
            raise PlannedError


READERS = pytest.mark.parametrize("reader", range(3), ids=["tee", "coalesce", "sink"])
TEXTS = pytest.mark.parametrize("chunks", [PLAIN, BLOCKED, STOPPED])


@READERS
@TEXTS
async def test_a_source_that_dies_behind_a_reader(reader: int, chunks: list[str]) -> None:
    for length in range(len(chunks) + 1):
        run = Run(chunks[:length], error=PlannedError())
        try:
            await around(run)[reader][1]()
            assert run.stream.finish in ("content_filter", "stop")
        except* PlannedError:
            assert run.stream.finish == "error"
        run.check()


@READERS
@TEXTS
async def test_a_reader_that_is_cancelled(reader: int, chunks: list[str]) -> None:
    for at in range(await counted(Run(chunks))):
        with anyio.CancelScope() as scope:
            run = Run(chunks, Steps(at, scope.cancel))
            await around(run)[reader][1]()
        text = run.stream.result.text
        # What was read ahead was delivered to the reader, which had no time to pass it on.
        assert text.startswith(said(run.got))
        run.got[:] = [text]
        run.check()


@TEXTS
async def test_a_sink_is_closed_when_its_reader_is_cancelled(chunks: list[str]) -> None:
    for at in range(await counted(Run(chunks))):
        with anyio.CancelScope() as scope:
            run = Run(chunks, Steps(at, scope.cancel))
            kept = Kept(run.got)
            await write_to(run.stream, kept)
        assert kept.closed == 1
        run.check()


@TEXTS
async def test_a_sink_that_fails(chunks: list[str]) -> None:
    for at in range(len(chunks) + 2):
        run = Run(chunks)
        good: list[str] = []
        sinks: list[Sink] = [Kept([], at), Kept(good)]
        try:
            await write_to(run.stream, *sinks)
        except PlannedError:
            assert run.stream.finish is not None
        run.got += good
        if run.stream.result.text != said(good):  # the chunk at which the first sink failed
            run.got[:] = [run.stream.result.text]
        run.check()
        reported = Run(chunks)
        await write_to(reported.stream, Kept([], at), Kept(reported.got), on_error="report")
        reported.check()


@pytest.mark.parametrize("how", ["raise", "report"])
async def test_a_full_disk_behind_a_sink(how: Any, caplog: pytest.LogCaptureFixture) -> None:
    run = Run(PLAIN)
    sinks: list[Sink] = [JsonLinesSink("/dev/full"), Kept(run.got)]
    try:
        await write_to(run.stream, *sinks, on_error=how)
        assert how == "report"
    except OSError:
        assert how == "raise"
        assert run.stream.finish == "cancelled"
    assert "sink JsonLinesSink failed (OSError: No space left on device)" in caplog.text
    assert run.source.closed == 1
    assert run.seen.record.finish == run.stream.finish


async def test_the_log_names_the_type_alone_of_what_a_sink_raises(
    caplog: pytest.LogCaptureFixture,
) -> None:
    await write_to(Run(PLAIN).stream, Kept([], 0), on_error="report")
    assert caplog.messages == ["sink Kept failed (PlannedError)"]


@pytest.mark.parametrize("path", ["/dev/full", "/none/recording.jsonl"])
async def test_a_recording_that_cannot_be_written(path: str) -> None:
    run = Run([*PLAIN, "." * 20_000])

    async def read() -> None:
        async for chunk in record(run.stream, path):
            run.got.append(chunk)

    with pytest.raises(OSError, match="No s"):
        await read()
    assert run.source.closed == 1
    assert run.stream.finish is not None
    assert run.stream.result.text.startswith(said(run.got))


# Streams that are opened again


async def opened_again(steps: Steps, first: int) -> tuple[list[Stepping], RetryingStream[Any]]:
    """A stream whose first source dies behind so many chunks."""
    sources = [
        Stepping(["", "sec"][:first], steps, ConnectionError()),
        Stepping(PLAIN, steps, None),
    ]
    left = iter(sources)

    async def open_stream() -> Any:
        await steps.step()
        return next(left)

    return sources, retrying(
        watched(), open_stream, on_finish=steps.step, wait_initial=0.0, wait_max=0.0
    )


@pytest.mark.parametrize("first", range(3))
async def test_a_stream_that_is_opened_again_and_cancelled(first: int) -> None:
    steps = Steps()
    _, stream = await opened_again(steps, first)
    assert await stream.text() == "a ****** and more"
    for at in range(steps.taken):
        with anyio.CancelScope() as scope:
            sources, stream = await opened_again(Steps(at, scope.cancel), first)
            got: list[str] = []
            async for chunk in stream:
                got.append(chunk)  # noqa: PERF401
        assert {source.closed for source in sources if source.awaits} <= {1}
        assert "".join(got) == stream.result.text
        assert stream.finish in ("cancelled", "stop")
