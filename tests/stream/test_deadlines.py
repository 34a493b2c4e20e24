"""Deadlines end a stream as `timeout`, keep what was delivered, and close the source."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from typing import Any

import anyio
import anyio.lowlevel
import pytest
import trio.testing

from guardstream import Deadlines, Guard, GuardedStream, Policy
from guardstream.http.stream import WireGuard
from tests.support.sources import Silent, Source, gen, guard
from tests.support.streams import GUARD, chat, event_stream

LIMITED = Guard(Policy.parse("limits: {first_token: 1s, idle: 2s, total: 5s}"))


async def drain(stream: GuardedStream[Any]) -> str:
    return "".join([chunk async for chunk in stream])


class Slow(Source):
    """A source that waits before each chunk."""

    def __init__(self, chunks: Sequence[object], waits: Sequence[float]) -> None:
        super().__init__(chunks)
        self._waits = iter(waits)

    async def __anext__(self) -> object:
        await anyio.sleep(next(self._waits, 0.0))
        return await super().__anext__()


async def timed(chunks: Sequence[object], waits: Sequence[float], limits: Deadlines) -> Any:
    """What became of a stream whose chunks come after these seconds, by trio's own clock."""
    source = Slow(chunks, waits)
    stream = guard().wrap(source, deadlines=limits, clock=trio.current_time)
    text = await drain(stream)
    assert stream.result.text == text
    assert source.closed == 1
    return text, stream.finish


def under_trio(function: Callable[..., Any], *arguments: Any) -> Any:
    """Run with a clock that jumps to whatever is waited for."""
    return trio.run(function, *arguments, clock=trio.testing.MockClock(autojump_threshold=0))


@pytest.mark.parametrize(
    ("waits", "limits", "expected"),
    [
        ([0, 0, 0], Deadlines(1, 1, 1), ("a b c ", "stop")),
        ([3, 0, 0], Deadlines(first_token=2), ("", "timeout")),
        ([3, 0, 0], Deadlines(idle=2), ("", "timeout")),
        ([3, 0, 0], Deadlines(idle=Fraction(5, 2)), ("", "timeout")),  # type: ignore[arg-type]
        ([1, 9, 9], Deadlines(first_token=2), ("a b c ", "stop")),
        ([0, 1, 1, 3], Deadlines(idle=2), ("a b c ", "timeout")),
        ([0, 3, 0], Deadlines(first_token=1, idle=2), ("a ", "timeout")),
        ([2, 2, 2], Deadlines(idle=3, total=5), ("a b ", "timeout")),
        ([2, 2, 2], Deadlines(first_token=3, idle=3, total=7), ("a b c ", "stop")),
    ],
)
def test_each_deadline_ends_the_stream_at_its_time(
    waits: list[float], limits: Deadlines, expected: tuple[str, str]
) -> None:
    assert under_trio(timed, ["a ", "b ", "c "], waits, limits) == expected


def test_a_chunk_without_text_is_no_first_token() -> None:
    async def main() -> Any:
        chunks = chat(lambda text: [text])
        source = Slow(chunks, [0, 3])
        stream = GUARD.wrap(source, deadlines=Deadlines(first_token=2), clock=trio.current_time)
        got = [chunk async for chunk in stream]
        return len(got), stream.finish

    assert under_trio(main) == (1, "timeout")


def test_a_slow_consumer_counts_in_all_but_is_not_idle() -> None:
    async def main(limits: Deadlines) -> Any:
        stream = guard().wrap(Source(["a ", "b "]), deadlines=limits, clock=trio.current_time)
        async for _ in stream:
            await trio.sleep(3)
        return stream.result.text, stream.finish

    assert under_trio(main, Deadlines(idle=2)) == ("a b ", "stop")
    assert under_trio(main, Deadlines(total=2)) == ("a ", "timeout")


def test_held_text_is_dropped() -> None:
    assert under_trio(timed, ["a ", "sec"], [0, 0, 9], Deadlines(idle=2)) == ("a ", "timeout")


def test_stop_is_no_timeout() -> None:
    async def main() -> Any:
        source = Silent(["a "])
        stream = guard().wrap(source, deadlines=Deadlines(idle=5), clock=trio.current_time)
        async with trio.open_nursery() as nursery:

            async def stop() -> None:
                await source.waiting.wait()
                stream.stop()

            nursery.start_soon(stop)
            await drain(stream)
        return stream.finish, source.closed

    assert under_trio(main) == ("cancelled", 1)


def test_a_policy_sets_them_and_the_caller_may_set_others() -> None:
    async def main(deadlines: Deadlines | None) -> Any:
        source = Slow(["a "], [3])
        stream = LIMITED.wrap(source, deadlines=deadlines, clock=trio.current_time)
        await drain(stream)
        return stream.finish

    assert under_trio(main, None) == "timeout"
    assert under_trio(main, Deadlines(first_token=9)) == "stop"
    assert under_trio(main, Deadlines()) == "stop"


def test_a_policy_in_shadow_mode_ends_nothing() -> None:
    shadow = Guard(Policy.parse("mode: shadow\nlimits: {idle: 1s}"))

    async def main() -> Any:
        stream = shadow.wrap(Slow(["a "], [3]), clock=trio.current_time)
        return await drain(stream), stream.finish

    assert under_trio(main) == ("a ", "stop")


# Under asyncio, where a timer stands for all chunks


@pytest.mark.parametrize("limits", [Deadlines(0.01), Deadlines(idle=0.01), Deadlines(total=0.01)])
@pytest.mark.asyncio
async def test_a_silent_source_is_left_under_asyncio(limits: Deadlines) -> None:
    source = Silent([])
    stream = guard().wrap(source, deadlines=limits)
    assert await drain(stream) == ""
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
    assert (stream.finish, source.closed) == ("timeout", 1)


@pytest.mark.asyncio
async def test_only_a_first_deadline_lets_the_rest_take_its_time() -> None:
    source = Silent(["a ", "b "])
    stream = guard().wrap(source, deadlines=Deadlines(first_token=30))

    async def stop() -> None:
        await source.waiting.wait()
        stream.stop()

    stopping = asyncio.create_task(stop())
    assert await drain(stream) == "a b "
    assert stream.finish == "cancelled"
    await stopping


@pytest.mark.asyncio
async def test_a_stream_that_is_just_dropped_is_not_kept_alive_by_its_timer() -> None:
    source = Source(["a ", "b "])
    async for _ in guard().wrap(source, deadlines=Deadlines(idle=600)):
        break
    gc.collect()
    with anyio.fail_after(10):
        while not source.closed:
            await anyio.lowlevel.checkpoint()
    assert source.closed == 1


@pytest.mark.asyncio
async def test_a_source_that_answers_a_deadline_with_text_is_left_all_the_same() -> None:
    class Stubborn(Silent):
        async def __anext__(self) -> object:
            try:
                return await super().__anext__()
            except asyncio.CancelledError:
                return "late"

    source = Stubborn(["a "])
    stream = guard().wrap(source, deadlines=Deadlines(idle=0.01))
    assert await drain(stream) == "a "
    task = asyncio.current_task()
    assert task is not None
    assert (stream.finish, source.closed, task.cancelling()) == ("timeout", 1, 0)


@pytest.mark.asyncio
async def test_a_cancellation_is_no_timeout() -> None:
    source = Silent(["a "])
    stream = guard().wrap(source, deadlines=Deadlines(idle=30))
    task = asyncio.create_task(drain(stream))
    await source.waiting.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (stream.finish, source.closed) == ("cancelled", 1)


# A clock of one's own


class Clock:
    """A clock that stands still until it is told to go on."""

    def __init__(self) -> None:
        self.now = 100.0
        self.asked = 0

    def __call__(self) -> float:
        self.asked += 1
        return self.now


STEPS = [
    ([0, 0, 0], Deadlines(1, 1, 1), ("a b c ", "stop")),
    ([3, 0, 0], Deadlines(first_token=2), ("", "timeout")),
    ([1, 1, 3], Deadlines(idle=2), ("a b ", "timeout")),
    ([1, 1, 1], Deadlines(total=3), ("a b ", "timeout")),
]


@pytest.mark.asyncio
async def test_the_timer_goes_by_the_given_clock() -> None:
    clock, source = Clock(), Silent(["a "])
    stream = guard().wrap(source, deadlines=Deadlines(idle=0.001), clock=clock)
    async with anyio.create_task_group() as group:

        async def go_on() -> None:
            await source.waiting.wait()
            asked = clock.asked
            while clock.asked < asked + 6:  # the timer has looked, in vain
                await anyio.lowlevel.checkpoint()
            clock.now += 1

        group.start_soon(go_on)
        with anyio.fail_after(10):
            assert await drain(stream) == "a "
    assert stream.finish == "timeout"


@pytest.mark.anyio
@pytest.mark.parametrize(("steps", "limits", "expected"), STEPS)
async def test_a_chunk_that_comes_too_late_is_dropped(
    steps: list[float], limits: Deadlines, expected: tuple[str, str]
) -> None:
    clock = Clock()

    class Stepping(Source):
        async def __anext__(self) -> object:
            clock.now += next(times, 0)
            return await super().__anext__()

    times = iter(steps)
    source = Stepping(["a ", "b ", "c "])
    stream = guard().wrap(source, deadlines=limits, clock=clock)
    assert (await drain(stream), stream.finish) == expected
    assert source.closed == 1


@pytest.mark.parametrize(("steps", "limits", "expected"), STEPS)
def test_a_plain_stream_looks_when_a_chunk_comes(
    steps: list[float], limits: Deadlines, expected: tuple[str, str]
) -> None:
    clock = Clock()
    log: list[str] = []

    def source() -> Iterator[str]:
        for step, chunk in zip(steps, gen(["a ", "b ", "c "], log), strict=True):
            clock.now += step
            yield chunk

    with guard().wrap_sync(source(), deadlines=limits, clock=clock) as stream:
        assert ("".join(stream), stream.finish) == expected


def test_a_body_says_how_long_it_may_take() -> None:
    body = WireGuard(GUARD, deadlines=Deadlines(first_token=30))
    left = body.remaining()
    assert left is not None
    assert 0 < left <= 30
    body.feed(event_stream(chat()))
    assert body.remaining() is None
    body.close("timeout")
    assert (body.ended, body.remaining()) == ("timeout", None)
