"""Tee, coalescing, sinks and recordings: nothing lost, nothing doubled, the source closed."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest

from guardstream import BlockedError, Guard, Policy
from guardstream.consumers import (
    Coalesce,
    FileSink,
    JsonLinesSink,
    LoggingSink,
    Tee,
    TeeOverflowError,
    record,
    replay,
    replay_sync,
    write_to,
)
from guardstream.consumers.recording import RecordingError
from guardstream.stream.result import Result
from tests.support.optional import optional
from tests.support.sources import Generating, Silent, SlowToClose, Source

ChatCompletionChunk = optional("openai.types.chat", "ChatCompletionChunk")

pytestmark = pytest.mark.anyio

GUARD = Guard(
    Policy.parse(
        """
rules:
  - {id: word, words: [secret], replacement: "#"}
  - {id: bad, words: [forbidden], action: block}
"""
    )
)


async def silent(*chunks: str) -> AsyncIterator[str]:
    for chunk in chunks:
        yield chunk
    await anyio.sleep_forever()


# Tee


async def test_each_branch_gets_every_chunk() -> None:
    source = Source(["a sec", "ret ", "b ", "c"])
    found: dict[int, list[str]] = {}

    async def consume(number: int, branch: Any) -> None:
        found[number] = [chunk async for chunk in branch]

    async with (
        Tee(GUARD.wrap(source), 3, buffer=1) as branches,
        anyio.create_task_group() as group,
    ):
        for number, branch in enumerate(branches):
            group.start_soon(consume, number, branch)
    assert [*found.values()] == [found[0]] * 3
    assert "".join(found[0]) == "a ###### b c"
    assert source.closed == 1


async def test_a_branch_that_leaves_does_not_stop_the_others() -> None:
    chunks = [f"{number} " for number in range(20)]
    source = Source(chunks)
    async with Tee(GUARD.wrap(source), 2, buffer=2) as (first, second):
        assert await anext(first) == "0 "
        await first.aclose()
        assert "".join([chunk async for chunk in second]) == "".join(chunks)
    assert source.closed == 1


async def test_a_branch_that_is_cancelled_does_not_stop_the_others() -> None:
    async with Tee(silent("one "), 2) as (first, second):
        assert await anext(first) == "one "
        with anyio.move_on_after(0.01):
            await anext(first)
        assert await anext(second) == "one "


async def test_the_source_is_closed_when_the_last_branch_leaves() -> None:
    source = Silent(["one "])
    stream = GUARD.wrap(source)
    async with Tee(stream, 2) as (first, second):
        await anext(first)
        await first.aclose()
        await second.aclose()
        with anyio.fail_after(10):
            while not source.closed:
                await anyio.lowlevel.checkpoint()


async def test_the_slowest_branch_slows_the_stream_down() -> None:
    source = Source([f"{number} " for number in range(100)])
    async with Tee(GUARD.wrap(source), 2, buffer=3) as (fast, _slow):
        for _ in range(3):
            await anext(fast)
        with anyio.move_on_after(0.02):
            await anext(fast)
        assert source.awaits <= 6


async def test_a_slow_branch_is_dropped_if_that_is_asked_for() -> None:
    source = Source([f"{number} " for number in range(100)])
    async with Tee(GUARD.wrap(source), 2, buffer=3, slow="drop") as (fast, slow):
        assert len([chunk async for chunk in fast]) == 100
        for _ in range(3):
            await anext(slow)
        with pytest.raises(TeeOverflowError):
            await anext(slow)


async def test_what_the_source_raises_is_raised_in_each_branch() -> None:
    source = Source(["one "], error=LookupError("gone"))
    async with Tee(GUARD.wrap(source), 2) as branches:
        for branch in branches:
            assert await anext(branch) == "one "
            with pytest.raises(LookupError):
                await anext(branch)
            assert branch.finish == "error"


async def test_a_branch_of_a_stream_that_raises_its_block_is_blocked() -> None:
    async with Tee(GUARD.wrap(Source(["forbidden"]), raise_on_block=True), 2) as branches:
        for branch in branches:
            with pytest.raises(BlockedError):
                await anext(branch)
            assert (branch.finish, branch.blocked_by) == ("content_filter", "bad")


async def test_a_branch_ends_if_the_block_is_left_while_the_source_closes() -> None:
    source, ended = SlowToClose(["a ", "b"]), anyio.Event()

    async def consume(branch: Any) -> None:
        assert [chunk async for chunk in branch] == ["a ", "b"]
        ended.set()

    async with anyio.create_task_group() as group:
        async with Tee(source, 1) as (branch,):
            group.start_soon(consume, branch)
            await source.closing.wait()
        with anyio.fail_after(1):
            await ended.wait()


@pytest.mark.parametrize("coalesced", [False, True])
async def test_two_readers_share_the_chunks_and_both_end(coalesced: bool) -> None:
    stream = GUARD.wrap(Source(["a ", "b ", "c "]))
    found: list[str] = []

    async def consume(chunks: Any) -> None:
        found.extend([chunk async for chunk in chunks])

    with anyio.fail_after(5):
        async with Coalesce(stream, characters=1) if coalesced else Tee(stream, 1) as entered:
            reader: Any = entered if coalesced else entered[0]  # type: ignore[index]
            async with anyio.create_task_group() as group:
                group.start_soon(consume, reader)
                group.start_soon(consume, reader)
    assert sorted("".join(found).split()) == ["a", "b", "c"]


async def test_what_the_block_raises_passes_as_it_is() -> None:
    with pytest.raises(ZeroDivisionError):
        async with Tee(silent(), 1):
            raise ZeroDivisionError


# Coalescing


async def test_chunks_are_merged_until_there_are_enough_characters() -> None:
    source = Source(list("a secret and more of it"))
    async with Coalesce(GUARD.wrap(source), characters=8, milliseconds=10_000) as merged:
        chunks = [chunk async for chunk in merged]
    assert "".join(chunks) == "a ###### and more of it"
    assert all(len(chunk) >= 8 for chunk in chunks[:-1])


async def test_no_text_waits_longer_than_it_may() -> None:
    async with Coalesce(silent("a", "b"), characters=1000, milliseconds=20) as merged:
        with anyio.fail_after(10):
            assert await anext(merged) == "ab"


async def test_chunks_that_cannot_be_merged_pass_one_by_one() -> None:
    async def chunks() -> AsyncIterator[Any]:
        for chunk in ({"n": 1}, "a", "b", {"n": 2}, b"c", b"d"):
            yield chunk

    async with Coalesce(chunks(), characters=100, milliseconds=10_000) as merged:
        assert [chunk async for chunk in merged] == [{"n": 1}, "ab", {"n": 2}, b"cd"]


async def test_an_error_comes_behind_the_text_before_it() -> None:
    source = Source(["a", "b"], error=LookupError("gone"))
    async with Coalesce(GUARD.wrap(source), characters=100, milliseconds=10_000) as merged:
        assert await anext(merged) == "ab"
        with pytest.raises(LookupError):
            await anext(merged)


async def test_what_was_left_early_says_so() -> None:
    async def plain() -> AsyncIterator[str]:
        for chunk in "abc":
            yield chunk
            await anyio.lowlevel.checkpoint()
        await anyio.sleep_forever()

    async with Coalesce(plain(), characters=1) as merged:
        await anext(merged)
    async with Tee(plain(), buffer=1) as (branch, _):
        await anext(branch)
    for each in (merged, branch):
        async for _ in each:
            pass
    assert (merged.finish, branch.finish) == ("cancelled", "cancelled")


async def test_closing_ends_a_reader_that_waits_for_more_characters() -> None:
    ended = False

    async def consume(chunks: Any) -> None:
        nonlocal ended
        assert [chunk async for chunk in chunks] == []
        ended = True

    async with (
        anyio.create_task_group() as group,
        Coalesce(GUARD.wrap(Silent(["a "])), milliseconds=60_000) as chunks,
    ):
        group.start_soon(consume, chunks)
        await anyio.wait_all_tasks_blocked()
        await chunks.aclose()
    assert ended
    assert chunks.finish == "cancelled"


async def test_a_stream_that_is_closed_before_it_is_entered_has_ended() -> None:
    source = Source(["a"])
    chunks = Coalesce(GUARD.wrap(source))
    await chunks.aclose()
    assert (chunks.finish, source.closed) == ("cancelled", 1)


async def test_a_stream_that_is_stopped_before_it_is_entered_is_not_read() -> None:
    source = Source(["a"])
    coalesced = Coalesce(GUARD.wrap(source))
    coalesced.stop()
    async with coalesced as chunks:
        assert [chunk async for chunk in chunks] == []
    assert (coalesced.finish, source.awaits, source.closed) == ("cancelled", 1, 1)


@pytest.mark.parametrize(
    "consumer", [lambda source: Tee(source, 1, buffer=1), lambda source: Coalesce(source, buffer=1)]
)
async def test_an_iterator_that_is_left_is_closed(consumer: Any) -> None:
    source = Generating("a ")
    async with consumer(source):
        await anyio.wait_all_tasks_blocked()  # with a chunk that nobody takes
    assert source.closed == 1


async def test_the_iterator_that_a_recording_reads_is_closed(tmp_path: Path) -> None:
    source = Generating("a ")
    async with record(source, tmp_path / "chunks.jsonl") as chunks:
        await anext(chunks)
    assert source.closed == 1


async def test_chunks_that_nobody_reads_are_not_waited_for() -> None:
    merged = Coalesce(GUARD.wrap(Source(["a"])))
    with anyio.move_on_after(20) as scope, pytest.raises(RuntimeError, match="async with"):
        await anext(merged)
    assert not scope.cancelled_caught
    await merged.aclose()


# Sinks


async def test_a_file_is_there_when_the_answer_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "answer.txt"
    sink = FileSink(path)
    seen: list[str] = []

    async def watched() -> AsyncIterator[str]:
        for chunk in ("a sec", "ret ", "\r\nb"):
            seen.append(sink.partial.read_text() if sink.partial.exists() else "")
            assert not path.exists()
            yield chunk

    result = await write_to(GUARD.wrap(watched()), sink)
    assert seen == ["", "a ", "a ###### "]
    assert path.read_bytes() == b"a ###### \r\nb"
    assert result.text == "a ###### \r\nb"
    assert not sink.partial.exists()


@pytest.mark.parametrize("partial", ["keep", "delete"])
async def test_a_blocked_answer_is_no_file(tmp_path: Path, partial: Any) -> None:
    sink = FileSink(tmp_path / "answer.txt", partial=partial)
    await write_to(GUARD.wrap(Source(["it is forbidden"])), sink)
    assert not sink.path.exists()
    assert sink.partial.exists() == (partial == "keep")


async def test_json_lines_and_logs_get_the_text_and_the_end(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    path = tmp_path / "answers.jsonl"
    await write_to(GUARD.wrap(Source(["one\ntwo sec", "ret"])), JsonLinesSink(path), LoggingSink())
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert "".join(line.get("text", "") for line in lines) == "one\ntwo ######"
    assert lines[-1]["finish"] == "stop"
    assert [record.getMessage() for record in caplog.records] == [
        "one",
        "two ######",
        "finish: stop",
    ]


class Full:
    """A sink whose disk is full after the first text."""

    def __init__(self) -> None:
        self.closed = 0

    def write(self, _text: str) -> None:
        raise OSError(28, "No space left on device")

    def close(self, _result: Result) -> None:
        self.closed += 1


async def test_a_full_disk_ends_the_stream_or_is_reported(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    source = Source(["one ", "two "])
    with pytest.raises(OSError, match="No space"):
        await write_to(GUARD.wrap(source), Full())
    assert source.closed == 1
    path = tmp_path / "answer.txt"
    result = await write_to(
        GUARD.wrap(Source(["one ", "two "])), Full(), FileSink(path), on_error="report"
    )
    assert path.read_text() == result.text == "one two "
    assert "No space left on device" in caplog.text


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no full device")
@pytest.mark.parametrize("partial", ["keep", "delete"])
async def test_a_file_that_could_not_be_written_is_kept_or_removed(
    tmp_path: Path, partial: Any
) -> None:
    sink = FileSink(tmp_path / "answer.txt", partial=partial)
    sink.partial.symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space"):
        await write_to(GUARD.wrap(Source(["one "])), sink)
    assert sink.partial.is_symlink() == (partial == "keep")


async def test_half_a_surrogate_pair_ends_no_sink_and_no_recording(tmp_path: Path) -> None:
    text, lines, recording = tmp_path / "a.txt", tmp_path / "a.jsonl", tmp_path / "recording"
    stream = GUARD.wrap(record(Source(["a ", "\ud83d b"]), recording))
    await write_to(stream, FileSink(text), JsonLinesSink(lines))
    assert text.read_text() == "a ? b"
    assert json.loads(lines.read_text().splitlines()[1]) == {"text": "\ud83d b"}
    assert [each async for each in replay(recording, speed=0)] == ["a ", "\ud83d b"]


# Recordings


def chunk(content: str) -> ChatCompletionChunk:
    choice = {"index": 0, "delta": {"content": content}, "finish_reason": None}
    head = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    return ChatCompletionChunk.model_validate({**head, "choices": [choice]})


@pytest.mark.parametrize(
    "chunks",
    [
        ["a", "é\n", ""],
        [b"\xff", b"b"],
        [{"choices": []}, {"n": [1, None]}],
        [chunk("a"), chunk("b")],
    ],
    ids=["text", "bytes", "json", "model"],
)
async def test_a_recording_gives_the_same_chunks(tmp_path: Path, chunks: list[Any]) -> None:
    async def source() -> AsyncIterator[Any]:
        for each in chunks:
            yield each

    path = tmp_path / "recording.jsonl"
    assert [each async for each in record(source(), path)] == chunks
    build = ChatCompletionChunk.model_validate
    assert [each async for each in replay(path, speed=0, build=build)] == chunks
    assert [*replay_sync(path, speed=0, build=build)] == chunks


async def test_what_is_recorded_is_guarded(tmp_path: Path) -> None:
    path = tmp_path / "recording.jsonl"
    async for _ in record(GUARD.wrap(Source(["a sec", "ret"])), path):
        pass
    assert "secret" not in path.read_text()
    assert await GUARD.wrap(replay(path, speed=0)).text() == "a ######"


async def test_a_recording_keeps_the_times(tmp_path: Path) -> None:
    path = tmp_path / "recording.jsonl"
    lines = [
        {"recording": 1},
        {"t": 0.0, "text": "a"},
        {"t": 4.0, "text": "b"},
        {"t": 4, "end": True},
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    began = anyio.current_time()
    assert [each async for each in replay(path, speed=100)] == ["a", "b"]
    assert anyio.current_time() - began >= 0.04


async def test_a_recording_says_how_it_ended(tmp_path: Path) -> None:
    path = tmp_path / "recording.jsonl"
    recorder = record(Source(["a"], error=LookupError("gone")), path)
    with pytest.raises(LookupError):
        [each async for each in recorder]
    assert json.loads(path.read_text().splitlines()[-1])["end"] == "LookupError"


async def test_a_recording_that_is_dropped_is_closed_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "recording.jsonl"
    recorder = record(Source(["a", "b"]), path)
    await anext(recorder)
    del recorder
    gc.collect()
    assert json.loads(path.read_text().splitlines()[-1])["end"] == "dropped"


def test_a_task_that_is_cancelled_while_it_waits_for_a_thread_closes_its_sinks(
    tmp_path: Path,
) -> None:
    async def main() -> None:
        threads = anyio.to_thread.current_default_thread_limiter()
        threads.total_tokens = 1
        threads.acquire_on_behalf_of_nowait("another")
        stream, sink = GUARD.wrap(Source(["a secret"])), FileSink(tmp_path / "answer.txt")
        task = asyncio.ensure_future(write_to(stream, sink))
        await anyio.wait_all_tasks_blocked()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert (tmp_path / "answer.txt").read_text() == "a ######"


@pytest.mark.parametrize("line", ["{}", "no json", '{"t": 1}', '{"t": 1, "bytes": "%"}', "[]"])
async def test_what_is_no_recording_is_refused_with_its_line(tmp_path: Path, line: str) -> None:
    path = tmp_path / "recording.jsonl"
    path.write_text(f'{{"recording": 1}}\n{line}\n')
    with pytest.raises(RecordingError, match=":2: "):
        [each async for each in replay(path)]


@pytest.mark.parametrize("seconds", ["NaN", "Infinity", "1e400", "-1", "1" + "0" * 400])
async def test_an_invalid_time_is_refused_with_its_line(tmp_path: Path, seconds: str) -> None:
    path = tmp_path / "recording.jsonl"
    path.write_text(f'{{"recording": 1}}\n{{"t": {seconds}, "text": "a"}}\n')
    with pytest.raises(RecordingError, match=":2: "):
        [each async for each in replay(path)]
    with pytest.raises(RecordingError, match=":2: "):
        [*replay_sync(path)]


@pytest.mark.parametrize("speed", ["2", None, True, -1, float("nan"), float("inf")])
def test_an_invalid_speed_is_refused(tmp_path: Path, speed: Any) -> None:
    for play in (replay, replay_sync):
        with pytest.raises((TypeError, ValueError), match=r"speed= needs a (finite )?number"):
            play(tmp_path / "recording.jsonl", speed=speed)


@pytest.mark.parametrize("data", [b"", b"\xff\xfe\0", b"[" * 100_000])
async def test_what_is_no_recording_at_all_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "recording.jsonl"
    path.write_bytes(data)
    with pytest.raises(RecordingError, match=r"recording\.jsonl"):
        [each async for each in replay(path)]
