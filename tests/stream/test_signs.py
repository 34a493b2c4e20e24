"""A sign of an end proves nothing: what it would release waits for a proof."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import trio
import trio.testing

from guardstream import Deadlines, Guard, Policy
from guardstream.stream.flows.pieces import MAX_WAITING
from tests.formats.chunks import accumulate, chunk

POLICY = """
rules:
  - {id: bird, words: [bluebird], replacement: "[bird]"}
  - {id: fish, words: [redfish], action: block}
"""
GUARD = Guard(Policy.parse(POLICY))


def test_empty_chunks_wait_behind_an_end_only_up_to_a_bound() -> None:
    taken = 0

    def source() -> Iterator[dict[str, Any]]:
        nonlocal taken
        yield chunk({"content": "the blue"}, finish="stop")
        while True:
            taken += 1
            yield chunk({})

    assert accumulate([next(iter(GUARD.wrap_sync(source())))]) == {(0, "content"): "the blue"}
    assert taken == MAX_WAITING


# A driver with a timer, in virtual time

Timed = list[tuple[float, dict[str, Any]]]
"""Chunks, each with the seconds of silence before it."""


async def slowly(source: Timed) -> AsyncIterator[dict[str, Any]]:
    for seconds, each in source:
        await trio.sleep(seconds)
        yield each


def heard(source: Timed, **options: Any) -> list[tuple[float, str]]:
    """What is shown, and when."""

    async def main() -> list[tuple[float, str]]:
        start = trio.current_time()
        stream = GUARD.wrap(slowly(source), clock=trio.current_time, **options)
        return [
            (round(trio.current_time() - start, 3), text)
            async for each in stream
            if (text := each["choices"][0]["delta"].get("content"))
        ]

    return trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))


SIGN = chunk(finish="stop")


def test_silence_after_a_sign_proves_it() -> None:
    source = [(0, chunk({"content": "the blue"})), (1, SIGN), (30, chunk({}))]
    assert heard(source) == [(0.0, "the "), (1.5, "blue")]
    assert heard([(0, chunk({"content": "the blue"}, finish="stop")), (9, SIGN)]) == [
        (0.5, "the blue")
    ]


def test_empty_chunks_and_further_signs_break_no_silence() -> None:
    source = [(0, chunk({"content": "the blue"})), *((0.2, each) for each in (SIGN, {}, SIGN, {}))]
    empty = [(at, each or chunk({})) for at, each in source]
    assert heard([*empty, (9, SIGN)]) == [(0.0, "the "), (0.7, "blue")]


def test_text_in_time_goes_on_in_the_same_pipeline() -> None:
    source = [(0, chunk({"content": "the blue"})), (0.1, SIGN), (0.3, chunk({"content": "bird!"}))]
    assert heard(source) == [(0.0, "the "), (0.4, "[bird]!")]


def test_after_a_wrong_sign_silence_proves_nothing() -> None:
    wrong = [
        (0.0, chunk({"content": "a bird"})),
        (0.1, SIGN),
        (0.3, chunk({"content": " is blue"})),
    ]
    source = [*wrong, (0.1, SIGN), (9, chunk({"content": "bird"}))]
    assert "".join(text for _, text in heard(source)) == "a bird is [bird]"


def test_silence_is_as_long_as_it_is_set() -> None:
    source = [(0, chunk({"content": "the blue"})), (1, SIGN), (30, chunk({}))]
    assert heard(source, deadlines=Deadlines(settle=3)) == [(0.0, "the "), (4.0, "blue")]


def test_a_deadline_settles_what_is_held_after_a_sign() -> None:
    source = [(0, chunk({"content": "the blue"})), (0.1, SIGN), (30, chunk({}))]
    assert heard(source, deadlines=Deadlines(idle=0.3)) == [(0.0, "the "), (0.4, "blue")]
    assert heard([source[0], (30, SIGN)], deadlines=Deadlines(idle=0.3)) == [(0.0, "the ")]


def test_a_read_that_goes_on_is_left_with_the_stream() -> None:
    left = []

    async def source() -> AsyncIterator[dict[str, Any]]:
        try:
            yield chunk({"content": "the blue"}, finish="stop")
            await asyncio.sleep(60)
        finally:
            left.append(True)

    async def main() -> None:
        async with GUARD.wrap(source(), deadlines=Deadlines(settle=0.01)) as stream:
            assert await anext(stream) == chunk({"content": "the blue"}, finish="stop")
            read = asyncio.create_task(anext(stream))
            await asyncio.sleep(0.01)
            stream.stop()
            with pytest.raises(StopAsyncIteration):
                await read
        assert left == [True]

    asyncio.run(main())


def test_the_framings_own_sign_is_proved_by_silence_too() -> None:
    data = b"data: %b\n\n" % json.dumps(chunk({"content": "the blue"})).encode()

    async def source() -> AsyncIterator[bytes]:
        for each in (data, b"data: [DONE]\n\n"):
            yield each
        await trio.sleep(60)

    async def main() -> list[float]:
        start = trio.current_time()
        return [trio.current_time() - start async for _ in GUARD.wrap(source())]

    times = trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
    assert [round(each, 2) for each in times] == [0, 0.5, 0.5]
