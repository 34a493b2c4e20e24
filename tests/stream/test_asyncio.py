"""Tasks and time limits of asyncio itself, which know nothing of cancel scopes."""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import wraps
from types import ModuleType
from typing import Any
from weakref import ref

import anyio
import pytest

from guardstream import Guard, GuardedStream, Policy
from guardstream.stream.observers import StreamRecord
from tests.support.sources import Silent, Source, guard
from tests.support.sources import SlowToClose as LongToClose
from tests.support.watching import Watching


async def drain(stream: GuardedStream[Any]) -> str:
    return "".join([chunk async for chunk in stream])


def within_ten_seconds(test: Callable[..., Awaitable[None]]) -> Any:
    """A test that waits for ever fails."""

    @wraps(test)
    async def bounded(**given: Any) -> None:
        await asyncio.wait_for(test(**given), 10)

    return pytest.mark.asyncio(bounded)


@within_ten_seconds
async def test_a_cancelled_task_closes_its_source_and_stays_cancelled() -> None:
    source = Silent(["a ", "sec"])
    stream = guard().wrap(source)
    task = asyncio.create_task(drain(stream))
    await source.waiting.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (source.closed, stream.finish, stream.result.text) == (1, "cancelled", "a ")


@within_ten_seconds
async def test_a_timeout_is_a_timeout() -> None:
    source = Silent(["a "])
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await drain(guard().wrap(source))
    assert source.closed == 1


def test_sources_that_were_not_closed_before_their_loop_ended_are_not_kept() -> None:
    async def leave(source: Source) -> None:
        stream = guard().wrap(source)
        await anext(stream)
        stream.stop()
        await asyncio.sleep(0)

    left = []
    for _ in range(3):
        source = LongToClose(["a ", "b"])
        left.append(ref(source))
        asyncio.run(leave(source))
    gc.collect()
    assert [each() for each in left[:-1]] == [None, None]


class SlowToClose(Source):
    """A source that is being closed when its consumer is cancelled."""

    def __init__(self) -> None:
        super().__init__(["forbidden"])
        self.closing = asyncio.Event()

    async def aclose(self) -> None:
        self.closing.set()
        await asyncio.sleep(0.01)
        await super().aclose()


@within_ten_seconds
@pytest.mark.parametrize("scope_is_first", [True, False])
async def test_a_cancellation_while_closing_is_not_lost_beside_one_of_a_scope(
    scope_is_first: bool,
) -> None:
    async def consume() -> None:
        with scope:
            await drain(guard().wrap(source))

    source, scope = SlowToClose(), anyio.CancelScope()
    task = asyncio.create_task(consume())
    await source.closing.wait()
    for cancel in (scope.cancel, task.cancel) if scope_is_first else (task.cancel, scope.cancel):
        cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    assert source.closed == 1


@within_ten_seconds
async def test_stop_inside_a_timeout_is_a_stop() -> None:
    source = Silent(["a "])
    stream = guard().wrap(source)

    async def stop() -> None:
        await source.waiting.wait()
        stream.stop()

    stopping = asyncio.create_task(stop())
    async with asyncio.timeout(5):
        assert await drain(stream) == "a "
    await stopping
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


@within_ten_seconds
async def test_a_cancellation_after_a_stop_is_not_lost() -> None:
    source = Silent(["a "])
    stream = guard().wrap(source)
    task = asyncio.create_task(drain(stream))
    await source.waiting.wait()
    stream.stop()
    asyncio.get_running_loop().call_soon(task.cancel)
    with pytest.raises(asyncio.CancelledError):
        await task
    assert source.closed == 1


@within_ten_seconds
async def test_a_cancellation_before_a_stop_is_not_lost() -> None:
    source = Silent(["a "])
    stream = guard().wrap(source)
    task = asyncio.create_task(drain(stream))
    await source.waiting.wait()
    task.cancel()
    stream.stop()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert source.closed == 1


@within_ten_seconds
async def test_a_source_that_answers_a_stop_with_text_is_still_stopped() -> None:
    class Stubborn(Silent):
        async def __anext__(self) -> object:
            try:
                return await super().__anext__()
            except asyncio.CancelledError:
                return "one more"

    source = Stubborn(["a "])
    stream = guard().wrap(source)
    task = asyncio.create_task(drain(stream))
    await source.waiting.wait()
    stream.stop()
    assert await task == "a "
    assert task.cancelling() == 0
    assert source.closed == 1


@within_ten_seconds
async def test_a_task_that_is_destroyed_awaits_nothing() -> None:
    source = Silent(["a "])
    stream = guard().wrap(source)
    await anext(stream)
    step = stream.__anext__()
    step.send(None)
    step.close()
    assert stream.finish is None
    await stream.aclose()
    assert source.closed == 1


@within_ten_seconds
async def test_a_task_that_is_destroyed_in_a_callback_awaits_nothing() -> None:
    closed = asyncio.Event()

    async def source() -> AsyncIterator[str]:
        try:
            yield "a "
        finally:
            await asyncio.sleep(0)
            closed.set()

    async def waiting(_text: str) -> None:
        await asyncio.sleep(60)

    stream = guard().wrap(source(), on_text=waiting)
    step = stream.__anext__()
    step.send(None)
    step.close()
    assert stream.finish is None
    await stream.aclose()
    assert closed.is_set()


def test_without_an_event_loop_it_says_what_to_do() -> None:
    async def source() -> Any:
        yield "a secret "

    step = guard().wrap(source()).__anext__()
    with pytest.raises(RuntimeError, match="under asyncio or trio"):
        step.send(None)


@within_ten_seconds
async def test_a_source_whose_closing_is_cancelled_is_closed_by_another_task() -> None:
    begun, closed = asyncio.Event(), asyncio.Event()

    class Slow:
        def __aiter__(self) -> AsyncIterator[str]:
            return self  # type: ignore[return-value]

        async def __anext__(self) -> str:
            raise StopAsyncIteration

        async def aclose(self) -> None:
            begun.set()
            await asyncio.sleep(0)
            closed.set()

    task = asyncio.create_task(drain(guard().wrap(Slow())))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await closed.wait()


@within_ten_seconds
async def test_a_gated_stream_that_is_cancelled_while_it_ends_is_recorded_as_it_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Telling(Watching):
        def closed(self, record: StreamRecord) -> None:
            super().closed(record)
            told.set()

    module = ModuleType("judging")
    module.check = lambda text, _: "vile" not in text  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "judging", module)
    gate = "gate: [{use: 'judging:check', id: house, action: monitor}]"
    told, seen, source = asyncio.Event(), Telling(), LongToClose(["A vile. And on. "])
    policy = Policy.parse(gate, allow_code=["judging:check"])
    stream: Any = Guard(policy, observers=[seen]).wrap(source)
    task = asyncio.create_task(drain(stream))
    await source.closing.wait()
    stream.stop()
    for _ in range(5):  # the reader is woken, and waits until the source is closed
        await asyncio.sleep(0)
    assert (stream.finish, source.closed) == ("cancelled", 0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await told.wait()
    assert seen.record.finish == "cancelled"
    assert seen.record.findings == stream.findings
    assert [found.rule for found in stream.findings] == ["house"]
