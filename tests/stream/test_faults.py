"""Whatever fails, wherever: one end, one record, the source closed once, the result what was said.

Sources, callbacks, stages and observers fail at each position in turn, and consumers are cancelled
at each await, those while closing and in callbacks included.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from guardstream import Guard, Policy
from guardstream.stream.observers import ObserverError
from tests.support.faults import EACH, Bomb, PlannedError, Run, Steps, counted, said
from tests.support.sources import POLICY, gen
from tests.support.watching import Failing, Watching, watched

pytestmark = pytest.mark.anyio


# Sources


@EACH
async def test_a_source_that_dies(chunks: Sequence[Any]) -> None:
    for length in range(len(chunks) + 1):
        run = Run(chunks[:length], error=PlannedError("a secret"))
        over = False
        try:
            await run.read()
            over = True
        except PlannedError:
            assert run.stream.finish == "error"
            assert run.seen.record.error == "PlannedError"
        run.check()
        assert over is (run.stream.finish != "error")


@EACH
def test_a_plain_source_that_dies(chunks: Sequence[Any]) -> None:
    for length in range(len(chunks) + 1):
        log: list[str] = []
        seen = Watching()

        def dying(length: int = length, log: list[str] = log) -> Iterator[Any]:
            yield from gen(chunks[:length], log)
            raise PlannedError

        got: list[Any] = []
        stream = watched(seen).wrap_sync(dying())
        try:
            for each in stream:
                got.append(each)  # noqa: PERF402  (what was got before an error counts)
        except PlannedError:
            assert stream.finish == "error"
        assert log == ["closed"]
        assert said(got) == stream.result.text if got else not stream.result.text
        assert seen.record.finish == stream.finish


@EACH
async def test_a_consumer_that_leaves(chunks: Sequence[Any]) -> None:
    for leave in range(len(chunks) + 2):
        run = Run(chunks)
        async with run.stream:
            for _ in range(leave):
                try:
                    run.got.append(await anext(run.stream))
                except StopAsyncIteration:
                    break
        run.check(records=1 if leave else 0)


# Callbacks


CALLBACKS = ("on_text", "on_part", "on_tool_call", "on_finding", "on_finish")


@EACH
@pytest.mark.parametrize("name", CALLBACKS)
async def test_a_callback_that_fails(name: str, chunks: Sequence[Any]) -> None:
    at, failed = 0, True
    while failed:
        failed = await _fail_in(name, at, chunks)
        at += 1
    assert at > 1 or (name == "on_tool_call" and isinstance(chunks[0], str))


async def _fail_in(name: str, at: int, chunks: Sequence[Any]) -> bool:
    """Let a callback fail at its `at`th call; return whether it was called so often."""
    calls = 0

    async def fail(value: Any) -> None:
        nonlocal calls
        await anyio.lowlevel.checkpoint()
        calls += 1
        if name == "on_finish":
            run.ends.append(value)
        if calls == at + 1:
            raise PlannedError

    run = Run(chunks, hooks={name: fail})
    try:
        await run.read()
    except PlannedError:
        assert run.seen.record.error == "PlannedError"
        assert run.stream.finish == "error" or name == "on_finish"
        run.check()
        return True
    run.check()
    return False


# Stages


@EACH
async def test_a_stage_that_fails(chunks: Sequence[Any]) -> None:
    for at in range(100):
        calls = [at]

        def make(seen: Watching, calls: list[int] = calls) -> Guard:
            return Guard(Policy.parse(POLICY), stages=[lambda: Bomb(calls)], observers=[seen])

        run = Run(chunks, guard=make)
        try:
            await run.read()
        except Exception as error:
            assert type(error).__name__ == "StageError"  # noqa: PT017
            assert run.stream.finish == "error"
            assert run.seen.record.error == "StageError"
        run.check()
        if calls[0] >= 0:
            return
    raise AssertionError("it never ran to its end")


# Observers


@EACH
@pytest.mark.parametrize("when", ["opened", "closed"])
async def test_an_observer_that_fails(when: str, chunks: Sequence[Any]) -> None:
    run = Run(chunks, guard=lambda seen: watched(Failing(when), seen))
    await run.read()
    run.check()
    strict = Run(chunks, guard=lambda seen: watched(Failing(when), seen, observer_errors="raise"))
    with pytest.raises(ObserverError):
        await strict.read()
    strict.check()


# Cancellation


@EACH
@pytest.mark.parametrize("hooked", [False, True])
async def test_a_consumer_that_is_cancelled(chunks: Sequence[Any], hooked: bool) -> None:
    def hooks(steps: Steps) -> dict[str, Any]:
        return dict.fromkeys(CALLBACKS[:4], steps.step) if hooked else {}

    steps = Steps()
    for at in range(await counted(Run(chunks, steps, hooks=hooks(steps)))):
        with anyio.CancelScope() as scope:
            steps = Steps(at, scope.cancel)
            run = Run(chunks, steps, hooks=hooks(steps))
            await run.read()
        run.check()
        assert [each async for each in run.stream] == []


@EACH
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_consumer_whose_task_is_cancelled(chunks: Sequence[Any]) -> None:
    async def read(at: int) -> None:
        runs.append(Run(chunks, Steps(at, tasks[-1].cancel)))
        await runs[-1].read()

    runs: list[Run] = []
    tasks: list[asyncio.Task[None]] = []
    for at in range(await counted(Run(chunks)) - 1):  # the last await is that of `on_finish`
        tasks.append(asyncio.create_task(read(at)))
        await asyncio.wait(tasks[-1:])
        for _ in range(5):  # what it was closing is closed by another task
            await anyio.lowlevel.checkpoint()
        assert tasks[-1].cancelled()
        runs[-1].check()


@EACH
async def test_a_stream_that_is_stopped(chunks: Sequence[Any]) -> None:
    for at in range(await counted(Run(chunks))):
        steps = Steps(at)
        run = Run(chunks, steps)
        steps.act = run.stream.stop
        await run.read()
        run.check()


@EACH
async def test_a_stream_that_another_task_closes(chunks: Sequence[Any]) -> None:
    for at in range(await counted(Run(chunks))):
        steps = Steps(at)
        async with anyio.create_task_group() as group:
            run = Run(chunks, steps)

            async def close(run: Run = run) -> None:
                await run.stream.aclose()
                assert run.source.closed == 1

            steps.act = lambda group=group, close=close: group.start_soon(close)  # type: ignore[misc]
            await run.read()
        run.check()
