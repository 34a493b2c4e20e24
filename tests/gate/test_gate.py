"""A gate releases what a check allows, in order, and closes the source on every way out."""

from __future__ import annotations

import asyncio
import gc
import json
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import replace
from random import Random
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from guardstream import AdapterError, BlockedError, Finding
from guardstream.gate import Context, GatedStream, GateError, Verdict, gate
from guardstream.stages.units import Sentences
from tests.formats.chunks import chunk, whole
from tests.support import streams
from tests.support.chunking import one_by_one, random_split
from tests.support.sources import Silent, SlowToClose, Source, guard
from tests.support.streams import GUARD, message

pytestmark = pytest.mark.anyio

TEXT = "One is fine. Two is bad! Three is 3.14. Four\nFive? six"


class Judge:
    """A check that remembers what it was asked, and answers by the first word that is known."""

    def __init__(self, **answers: Any) -> None:
        self.asked: list[tuple[str, Context]] = []
        self.answers = answers
        self.running = self.most = 0

    @property
    def texts(self) -> list[str]:
        """What it was asked about, in the order of the text."""
        return [text for text, _ in sorted(self.asked, key=lambda each: each[1].number)]

    async def __call__(self, text: str, context: Context) -> Any:
        self.asked.append((text, context))
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            await anyio.lowlevel.checkpoint()
            for word, answer in self.answers.items():
                if word in text:
                    if isinstance(answer, BaseException):
                        raise answer
                    return await answer() if callable(answer) else answer
            return True
        finally:
            self.running -= 1


async def collected(stream: GatedStream[Any]) -> list[Any]:
    return [chunk async for chunk in stream]


async def test_a_text_comes_through_sentence_by_sentence() -> None:
    judge, source = Judge(), Source([TEXT])
    stream = gate(source, judge)
    chunks = await collected(stream)
    assert chunks == ["One is fine. ", "Two is bad! ", "Three is 3.14. ", "Four\n", "Five? ", "six"]
    assert judge.texts == chunks
    assert sorted(context.start for _, context in judge.asked) == [0, 13, 25, 40, 45, 51]
    assert (stream.finish, source.closed, stream.findings) == ("stop", 1, ())


@pytest.mark.parametrize(
    ("unit", "expected"),
    [
        ("paragraph", ["a. b.\n\n", "c"]),
        ("complete", ["a. b.\n\nc"]),
        (3, ["a. ", "b.\n", "\nc"]),
    ],
)
async def test_units_are_what_was_asked_for(unit: Any, expected: list[str]) -> None:
    judge = Judge()
    stream = gate(Source(["a. b.\n\nc"]), judge, unit=unit)
    assert await stream.text() == "a. b.\n\nc"
    assert judge.texts == expected


@pytest.mark.parametrize(
    ("answer", "text", "finish", "action"),
    [
        (False, "One is fine. ", "content_filter", "block"),
        (Verdict("block"), "One is fine. ", "content_filter", "block"),
        (Verdict("mask"), TEXT.replace("Two is bad!", "*** ** ****"), "stop", "mask"),
        (Verdict("replace", "(no) "), TEXT.replace("Two is bad! ", "(no) "), "stop", "mask"),
        (Verdict("allow"), TEXT, "stop", None),
    ],
    ids=["false", "block", "mask", "replace", "allow"],
)
async def test_a_verdict_is_carried_out_in_any_chunking(
    answer: Any, text: str, finish: str, action: str | None
) -> None:
    random = Random(1)
    for chunks in (
        [TEXT],
        one_by_one(TEXT),
        random_split(TEXT, random),
        random_split(TEXT, random),
    ):
        source = Source(chunks)
        stream = gate(source, Judge(bad=answer))
        assert await stream.text() == text
        assert (stream.finish, source.closed) == (finish, 1)
        expected = [Finding("gate", 13, 25, action)] if action else []  # type: ignore[arg-type]
        assert list(stream.findings) == expected


async def test_checks_run_beside_each_other_and_come_through_in_order() -> None:
    turns = [anyio.Event() for _ in range(4)]
    order: list[int] = []

    async def check(_: str, context: Context) -> bool:
        # Each waits for the one behind it.
        if context.number < 3:
            await turns[context.number + 1].wait()
        order.append(context.number)
        turns[context.number].set()
        return True

    stream = gate(Source(["A. ", "B. ", "C. ", "D"]), check)
    assert await collected(stream) == ["A. ", "B. ", "C. ", "D"]
    assert order == [3, 2, 1, 0]


async def test_reading_waits_when_it_is_too_far_ahead() -> None:
    release = anyio.Event()
    source = Source([f"S{number}. X" for number in range(50)])

    async def check(_: str, context: Context) -> bool:
        if context.number == 0:
            await release.wait()
        return True

    stream = gate(source, check, ahead=40)
    async with anyio.create_task_group() as group:
        got: list[str] = []

        async def read() -> None:
            got.extend(await collected(stream))

        group.start_soon(read)
        await anyio.wait_all_tasks_blocked()
        assert source.awaits < 30
        release.set()
    assert "".join(got) == "".join(f"S{number}. X" for number in range(50))


async def test_a_unit_that_does_not_end_blocks_whatever_the_chunks() -> None:
    text = "One. Two is much too long"
    for chunks in ([text], one_by_one(text)):
        source = Source(chunks)
        stream = gate(source, Judge(), ahead=12)
        assert await stream.text() == "One. "
        (finding,) = stream.findings
        assert (finding.start, finding.action, finding.kind) == (5, "block", "overflow")
        assert (stream.finish, source.closed) == ("content_filter", 1)


@pytest.mark.parametrize("otherwise", ["block", "allow"])
async def test_a_check_that_raises_is_decided_by_setting(otherwise: Any) -> None:
    error, source = ValueError("no"), Source(one_by_one(TEXT))
    stream = gate(source, Judge(bad=error), on_error=otherwise)
    text = await stream.text()
    (finding,) = stream.findings
    assert (finding.kind, finding.start) == ("rule_error", 13)
    assert stream.errors == (error,)
    assert source.closed == 1
    if otherwise == "block":
        assert (text, stream.finish, finding.action) == ("One is fine. ", "content_filter", "block")
    else:
        assert (text, stream.finish, finding.action) == (TEXT, "stop", "monitor")


@pytest.mark.parametrize("otherwise", ["block", "allow"])
async def test_a_check_that_takes_too_long_is_decided_by_setting(otherwise: Any) -> None:
    judge = Judge(bad=anyio.sleep_forever)
    stream = gate(Source([TEXT]), judge, deadline=0.5, on_timeout=otherwise)
    assert await stream.text() == ("One is fine. " if otherwise == "block" else TEXT)
    assert [finding.kind for finding in stream.findings] == ["rule_error"]
    assert judge.running == 0


@pytest.mark.parametrize("answer", [None, 1, "yes"])
async def test_an_answer_that_means_nothing_blocks(answer: Any) -> None:
    stream = gate(Source([TEXT]), Judge(One=answer))
    assert await stream.text() == ""
    assert isinstance(stream.errors[0], TypeError)


async def test_a_check_need_not_be_asynchronous() -> None:
    stream = gate(Source([TEXT]), lambda text, _: "bad" not in text)
    assert await stream.text() == "One is fine. "


async def test_blank_units_are_not_judged() -> None:
    judge = Judge()
    assert await gate(Source(["\n\n \na\n"]), judge).text() == "\n\n \na\n"
    assert judge.texts == ["a\n"]


async def test_a_block_stops_reading_at_once() -> None:
    source = Silent(["Bad. ", "Then"])
    stream = gate(source, Judge(Bad=False))
    assert await collected(stream) == []
    assert (source.closed, stream.finish) == (1, "content_filter")


async def test_a_sources_error_comes_after_what_is_whole() -> None:
    error = OSError("gone")
    source = Source(["One. ", "Two. ", "Thr"], error=error)
    stream = gate(source, Judge())
    assert [await anext(stream), await anext(stream)] == ["One. ", "Two. "]
    with pytest.raises(OSError, match="gone") as caught:
        await anext(stream)
    assert caught.value is error
    assert (stream.finish, source.closed) == ("error", 1)
    assert await collected(stream) == []


async def test_closing_ends_all_checks_and_the_source() -> None:
    judge, source = Judge(Two=anyio.sleep_forever), Silent([TEXT])
    async with gate(source, judge, deadline=60) as stream:
        async for chunk in stream:
            assert chunk == "One is fine. "
            break
    assert (judge.running, source.closed, stream.finish) == (0, 1, "cancelled")
    await stream.aclose()
    assert await collected(stream) == []


async def test_closing_while_the_source_closes_waits_only_for_that() -> None:
    source = SlowToClose([TEXT])
    with anyio.move_on_after(5) as limit:
        async with gate(source, Judge(), format="text") as stream:
            await anext(stream)
            await source.closing.wait()
    assert not limit.cancel_called
    assert (source.closed, stream.finish) == (1, "cancelled")


async def test_a_source_that_cannot_be_iterated_is_an_error() -> None:
    class Broken(Source):
        def __aiter__(self) -> Source:
            raise OSError("gone")

        __anext__ = None  # type: ignore[assignment]

    with anyio.fail_after(5), pytest.raises(OSError, match="gone"):
        await gate(Broken([]), Judge()).text()


async def test_a_gate_that_was_never_read_closes_its_source() -> None:
    source = Source([TEXT])
    async with gate(source, Judge()):
        pass
    assert source.closed == 1


async def test_a_gate_that_is_dropped_closes_its_source() -> None:
    source = Silent([TEXT])
    stream = gate(source, Judge())
    async for _ in stream:
        break
    del stream
    gc.collect()
    with anyio.fail_after(5):
        while not source.closed:
            await anyio.lowlevel.checkpoint()


@pytest.mark.parametrize("at", range(30))
async def test_cancelled_anywhere_the_source_is_closed_and_no_check_goes_on(at: int) -> None:
    scope = anyio.CancelScope()

    def before(number: int) -> None:
        if number == at:
            scope.cancel()

    source, judge = Source(one_by_one("A b. C d. E"), before=before), Judge()
    stream = gate(source, judge)
    got: list[str] = []
    with scope:
        got += [part async for part in stream]
    assert source.closed == 1
    assert judge.running == 0
    assert "A b. C d. E".startswith("".join(got))
    assert stream.finish in ("stop", "cancelled")


async def failing(*_: object) -> bool:
    """Fail when it is cancelled, in a group of tasks."""
    async with anyio.create_task_group() as group:
        group.start_soon(anyio.sleep_forever)
        try:
            await anyio.sleep_forever()
        finally:
            raise LookupError("secret")


async def test_a_check_that_fails_while_it_is_cancelled_hurts_nobody() -> None:
    async def check(_: str, context: Context) -> bool:
        return await failing() if context.number else False

    gated = gate(Source(["One. ", "Two. "]), check)
    assert await collected(gated) == []
    assert gated.finish == "content_filter"
    await anyio.lowlevel.checkpoint()


async def test_a_source_that_fails_while_it_is_cancelled_hurts_nobody() -> None:
    async def source() -> AsyncIterator[str]:
        yield "One. Two"
        await failing()

    gated = gate(source(), Judge(One=False))
    assert await collected(gated) == []
    assert gated.finish == "content_filter"


async def test_two_tasks_cannot_read_one_stream() -> None:
    stream = gate(Silent([]), Judge())
    async with anyio.create_task_group() as group:
        group.start_soon(collected, stream)
        await anyio.wait_all_tasks_blocked()
        with pytest.raises(RuntimeError, match="another task"):
            await stream.__anext__()
        group.cancel_scope.cancel()


async def test_a_gate_stands_behind_a_guard() -> None:
    chunks = ["A secret. Ag", "ain secret. for", "bidden"]
    stream = gate(guard().wrap(Source(chunks)), Judge(Again=False))
    assert await stream.text() == "A ******. "
    allowed = gate(guard().wrap(Source(chunks)), Judge())
    assert await allowed.text() == "A ******. Again ******. "
    assert allowed.finish == "content_filter"


@pytest.mark.parametrize("chunks", [["One. A secret. Tw", "o forbidden"], [*"One. Two forbidden"]])
async def test_what_waits_is_judged_before_a_guards_block_is_raised(chunks: list[str]) -> None:
    for judge in (Judge(), Judge(Two=False)):
        quiet = gate(guard().wrap(Source(chunks)), judge)
        expected = await quiet.text()
        stream = gate(guard().wrap(Source(chunks), raise_on_block=True), judge)
        with suppress(BlockedError):
            await stream.text()
        assert stream.result.text == expected
        assert (stream.finish, stream.blocked_by) == (quiet.finish, quiet.blocked_by)


async def test_a_guards_block_is_raised_through_the_gate() -> None:
    stream = gate(guard().wrap(Source(["So forbidden"]), raise_on_block=True), Judge())
    assert await anext(stream) == "So "
    with pytest.raises(BlockedError):
        await anext(stream)


async def test_the_error_of_a_guards_block_has_only_text_that_the_gate_let_through() -> None:
    judge = Judge(vile=Verdict("replace", "-"))
    stream = gate(guard().wrap(Source(["A vile. So forbidden"]), raise_on_block=True), judge)
    with pytest.raises(BlockedError) as caught:
        await stream.text()
    assert caught.value.result == stream.result
    assert stream.result.text == "-So "


# Chunks of a provider


def chat(text: str, choice: int = 0, **more: Any) -> dict[str, Any]:
    return chunk({"content": text, **more}, choice=choice)


def last(choice: int = 0) -> dict[str, Any]:
    return chunk(choice=choice, finish="stop")


def contents(chunks: Sequence[Any], choice: int = 0) -> str:
    own = [c for each in chunks for c in each["choices"] if c["index"] == choice]
    return "".join(c["delta"].get("content") or "" for c in own)


async def test_chunks_that_are_allowed_are_the_very_same() -> None:
    usage = whole([], usage={"total_tokens": 3})
    chunks = [chat("", role="assistant"), *map(chat, ["On", "e. T", "wo"]), last(), usage]
    stream = gate(Source(chunks), Judge())
    got = await collected(stream)
    assert len(got) == len(chunks)
    assert all(one is other for one, other in zip(got, chunks, strict=True))
    assert (stream.finish, await gate(Source(chunks), Judge()).text()) == ("stop", "One. Two")


async def test_a_blocked_choice_ends_as_the_format_has_it() -> None:
    chunks = [*map(chat, ["On", "e. B", "ad. Th", "ree"]), last()]
    for cut in (chunks, [*map(chat, one_by_one("One. Bad. Three")), last()]):
        stream = gate(Source(cut), Judge(Bad=False))
        got = await collected(stream)
        assert contents(got) == "One. "
        assert [c["choices"][0]["finish_reason"] for c in got][-1] == "content_filter"
        assert stream.finish == "content_filter"


async def test_a_changed_text_is_written_into_the_chunks() -> None:
    chunks = [*map(chat, ["On", "e. B", "ad. Th", "ree"]), last()]
    for answer, text in (
        (Verdict("mask"), "One. **** Three"),
        (Verdict("replace", "(no) "), "One. (no) Three"),
    ):
        stream = gate(Source(chunks), Judge(Bad=answer))
        assert contents(await collected(stream)) == text


async def test_every_choice_and_channel_is_judged_by_itself() -> None:
    chunks = [chat("A. "), chat("X", 1), chat("B", reasoning_content="Hm"), chat("y. Z", 1)]
    judge = Judge()
    await collected(gate(Source([*chunks, last(0), last(1)]), judge))
    asked = {(text, context.choice, context.channel) for text, context in judge.asked}
    assert asked == {
        ("A. ", 0, "text"), ("B", 0, "text"), ("Hm", 0, "thinking"), ("Xy. ", 1, "text"),
        ("Z", 1, "text"),
    }  # fmt: skip


async def test_only_the_channels_that_are_named_are_judged() -> None:
    judge = Judge(Hm=False)
    chunks = [chat("B", reasoning_content="Hm"), last()]
    got = await collected(gate(Source(chunks), judge, channels=["text"]))
    assert got == chunks
    assert [context.channel for _, context in judge.asked] == ["text"]
    judge = Judge()
    named: Any = (each for each in ["text"])
    await collected(gate(Source(chunks), judge, channels=named))
    assert [context.channel for _, context in judge.asked] == ["text"]


async def test_a_block_behind_a_text_that_is_open_ends_the_stream() -> None:
    source = Silent([chat("Open"), chat("Bad. X", 1)])
    stream = gate(source, Judge(Bad=False))
    got = await collected(stream)
    assert [contents(got, 0), contents(got, 1)] == ["", ""]
    assert [finding.choice for finding in stream.findings] == [1]
    assert (stream.finish, source.closed) == ("content_filter", 1)


async def test_text_in_an_unknown_field_is_judged_too() -> None:
    judge = Judge()
    chunks = [chat("A. "), {**chat("B"), "whisper": "a text"}]
    assert await collected(gate(Source(chunks), judge)) == chunks
    assert "a text" in [text for text, _ in judge.asked]


@pytest.mark.parametrize("verdict", [False, Verdict("mask")])
async def test_the_end_of_a_blocked_stream_repeats_no_unknown_text(verdict: Any) -> None:
    def check(text: str, _: Context) -> Any:
        return verdict if "whisper" in text else "bad" not in text

    said = {**chat("B. "), "whisper": "a whisper."}
    chunks = [chat("A. "), said, chat("bad. "), chat("never. ")]
    frames = [b"data: %b\n\n" % json.dumps(each).encode() for each in chunks]
    for source in (chunks, frames):
        stream = gate(Source(source), check)
        got = await collected(stream)
        assert stream.finish == "content_filter"
        assert "a whisper" not in str(got)
        assert "content_filter" in str(got)


async def test_an_unknown_chunk_is_refused_if_asked() -> None:
    chunks = [chat("A. "), {**chat("B"), "whisper": "text"}]
    stream = gate(Source(chunks), Judge(), unknown="refuse")
    with pytest.raises(Exception, match="whisper"):
        await collected(stream)
    assert stream.finish == "error"


@pytest.mark.parametrize(
    ("unit", "problem"),
    [
        ("word", "unknown unit 'word': use 'sentence'"),
        (0, "at least 1"),
        (2.5, "not 'float'"),
        (True, "not 'bool'"),
    ],
)
async def test_a_unit_that_is_none_is_refused(unit: Any, problem: str) -> None:
    with pytest.raises((TypeError, ValueError), match=problem):
        gate(Source([]), Judge(), unit=unit)


async def test_random_verdicts_in_random_chunkings_are_one_answer() -> None:
    random = Random(3)
    for _ in range(60):
        text = "".join(
            random.choice(["a", "bad", ". ", "! ", "\n", "odd", "。"]) for _ in range(12)
        )
        parts, start = [], 0
        for _, end in Sentences().read(text):
            parts.append(text[start:end])
            start = end
        parts.append(text[start:])
        expected = ""
        for part in parts:
            if "bad" in part:
                break
            expected += "*" if "odd" in part else part
        answers = {"bad": False, "odd": Verdict("replace", "*")}
        for cut in ([text], one_by_one(text), random_split(text, random)):
            assert await gate(Source(cut), Judge(**answers)).text() == expected
        provided = [*map(chat, filter(None, random_split(text, random))), last()]
        assert contents(await collected(gate(Source(provided), Judge(**answers)))) == expected


async def test_what_was_thought_does_not_hold_up_the_answer() -> None:
    stream = gate(Silent([chat("", reasoning_content="Hm"), chat("A. B")]), Judge())
    async with stream:
        assert "Hm" in str(await anext(stream))


async def test_one_choice_holds_up_the_others_only_so_long() -> None:
    source = Source([chat("Open"), *[chat(f"Line {number}\n", 1) for number in range(20)], last()])
    stream = gate(source, Judge(), ahead=50)
    assert contents(await collected(stream)) == ""
    (finding,) = stream.findings
    assert (finding.choice, finding.kind, stream.finish) == (0, "overflow", "content_filter")


# Chunks that repeat what they have said


def events(*texts: str) -> list[dict[str, Any]]:
    """Events as the helper of Anthropic's SDK gives them: each text with all of it so far."""
    message = {
        "id": "m", "type": "message", "role": "assistant", "model": "m", "content": [],
        "stop_reason": None, "stop_sequence": None,
        "usage": {"input_tokens": 1, "output_tokens": 1},
    }  # fmt: skip
    made: list[dict[str, Any]] = [
        {"type": "message_start", "message": message},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    ]
    said = ""
    for text in texts:
        said += text
        delta = {"type": "text_delta", "text": text}
        made.append({"type": "content_block_delta", "index": 0, "delta": delta})
        made.append({"type": "text", "text": text, "snapshot": said})
    block = {"type": "text", "text": said}
    end = {"stop_reason": "end_turn", "stop_sequence": None}
    return [
        *made,
        {"type": "content_block_stop", "index": 0, "content_block": block},
        {"type": "message_delta", "delta": end, "usage": {"output_tokens": 2}},
        {"type": "message_stop", "message": {**message, "content": [block], **end}},
    ]


async def test_what_is_repeated_waits_for_what_it_repeats() -> None:
    given = events("On", "e. T", "wo is b", "ad. Th", "ree")
    judge = Judge()
    got = await collected(gate(Source(given), judge))
    assert len(got) == len(given)
    assert all(one is other for one, other in zip(got, given, strict=True))
    assert judge.texts == ["One. ", "Two is bad. ", "Three"]


@pytest.mark.parametrize("answer", [False, Verdict("mask"), Verdict("replace", "x")])
async def test_what_would_be_repeated_is_blocked(answer: Any) -> None:
    source = Source(events("On", "e. T", "wo is b", "ad. Th", "ree"))
    stream = gate(source, Judge(bad=answer))
    got = await collected(stream)
    deltas = [event["delta"] for event in got if event["type"] == "content_block_delta"]
    assert "".join(delta["text"] for delta in deltas) == "One. "
    assert "Two" not in str(got)
    assert [event["type"] for event in got][-3:] == [
        "content_block_stop", "message_delta", "message_stop",
    ]  # fmt: skip
    assert (stream.finish, source.closed) == ("content_filter", 1)


# What a gate says of itself


@pytest.mark.parametrize("make", [streams.chat, message], ids=["openai", "anthropic"])
async def test_the_result_is_what_was_delivered(make: Any) -> None:
    inner = GUARD.wrap(Source(make()))
    gated = gate(inner, lambda *_: True)
    await collected(gated)
    assert gated.result == replace(inner.result, findings=())
    assert gated.stats.characters_out == inner.stats.characters_out
    assert gated.stats.characters_in == inner.stats.characters_out
    assert gated.stats.chunks_in == inner.stats.chunks_out


async def test_the_result_has_nothing_of_what_was_blocked() -> None:
    gated = gate(Source(["One. ", "Two bad. ", "Three."]), lambda text, _: "bad" not in text)
    assert await collected(gated) == ["One. "]
    assert (gated.result.text, gated.result.finish) == ("One. ", "content_filter")
    assert (gated.blocked_by, gated.result.findings) == ("gate", gated.findings)
    assert (gated.stats.chunks_out, gated.stats.characters_out) == (1, 5)


async def test_a_gate_that_nobody_has_read_is_stopped_with_its_stream() -> None:
    source = Source(["One. "])
    gated = gate(GUARD.wrap(source), lambda *_: True)
    gated.stop()
    with anyio.fail_after(5):
        while not source.closed:
            await anyio.lowlevel.checkpoint()
    assert await collected(gated) == []
    assert gated.finish == "cancelled"


async def test_a_stop_cancels_the_checks_that_run() -> None:
    cancelled, checking = anyio.Event(), anyio.Event()

    async def check(*_: object) -> bool:
        checking.set()
        try:
            await anyio.sleep_forever()
        finally:
            cancelled.set()

    source = Source(["One. ", "Two. "])
    gated = gate(source, check)
    got: list[Any] = []
    async with anyio.create_task_group() as group:

        async def read() -> None:
            got.extend(await collected(gated))

        group.start_soon(read)
        with anyio.fail_after(5):
            await checking.wait()
            assert gated.held > 0
            await anyio.to_thread.run_sync(gated.stop)
            await cancelled.wait()
    assert (got, gated.finish, gated.held, source.closed) == ([], "cancelled", 0, 1)


async def test_the_answers_text_can_be_read_alone() -> None:
    gated = gate(GUARD.wrap(Source(streams.chat())), lambda *_: True)
    texts = [text async for text in gated.text_stream]
    assert all(texts)
    assert "".join(texts) == gated.result.text


def test_a_verdict_has_a_known_action() -> None:
    with pytest.raises(ValueError, match="use 'allow' or 'block' or 'mask' or 'replace'"):
        Verdict("pass")  # type: ignore[arg-type]


# What is no Exception, and answers that come late


class OwnError(BaseException):
    """What some frameworks raise to get past `except Exception`."""


@pytest.mark.parametrize("awaited", [False, True])
async def test_what_is_no_exception_blocks_and_is_not_logged(
    awaited: bool, caplog: pytest.LogCaptureFixture
) -> None:
    async def check(text: str, _: Context) -> bool:
        if awaited:
            await anyio.lowlevel.checkpoint()
        raise OwnError(text)

    source = Source([TEXT])
    stream = gate(source, check)
    assert await collected(stream) == []
    assert (stream.finish, source.closed) == ("content_filter", 1)
    assert str(stream.errors[0]) == "a check raised OwnError, which is not an Exception"
    del stream
    gc.collect()
    await anyio.wait_all_tasks_blocked()
    assert caplog.text == ""


async def test_what_a_source_raises_that_is_no_exception_is_raised_to_the_reader(
    caplog: pytest.LogCaptureFixture,
) -> None:
    raised = OwnError("a secret")

    async def source() -> AsyncIterator[str]:
        yield "One is fine. "
        await anyio.lowlevel.checkpoint()
        raise raised

    stream = gate(source(), Judge())
    with pytest.raises(OwnError) as error:
        await collected(stream)
    assert error.value is raised
    assert stream.finish == "cancelled"
    gc.collect()
    await anyio.wait_all_tasks_blocked()
    assert caplog.text == ""


@pytest.mark.parametrize("on_timeout", ["block", "allow"])
@pytest.mark.parametrize("late", ["blocks the loop", "ignores its cancellation"])
async def test_a_late_answer_does_not_let_a_text_pass(late: str, on_timeout: Any) -> None:
    async def check(_: str, __: Context) -> Any:
        if late == "blocks the loop":
            time.sleep(0.02)  # noqa: ASYNC251
        else:
            with anyio.CancelScope(shield=True):
                await anyio.sleep(0.02)
        return answer

    for answer in (True, False):
        stream = gate(Source(["One."]), check, deadline=0.001, on_timeout=on_timeout)
        passes = answer and on_timeout == "allow"
        assert await collected(stream) == (["One."] if passes else [])
        assert stream.finish == ("stop" if passes else "content_filter")
        kind = "match" if on_timeout == "allow" and not answer else "rule_error"
        assert [found.kind for found in stream.findings] == [kind]


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_source_that_cancels_itself_is_no_end() -> None:
    async def source() -> AsyncIterator[str]:
        yield "One is fine. "
        raise asyncio.CancelledError

    stream = gate(source(), Judge())
    with pytest.raises(GateError, match="cancelled from inside"):
        await collected(stream)
    assert stream.finish == "error"


async def test_cumulative_text_is_judged_once_if_its_format_is_named() -> None:
    text = "One. A secret. Two."
    chunks = [text[:end] for end in range(1, len(text) + 1)]
    guarded = guard().wrap(Source(chunks), format="cumulative_text")
    judge = Judge()
    stream = gate(guarded, judge, format="cumulative_text")
    expected = guard().check(text).text
    assert [each async for each in stream][-1] == stream.result.text == expected
    assert "".join(judge.texts) == expected


async def test_cumulative_text_is_refused_if_its_format_is_not_named() -> None:
    text = "One. A secret. Two."
    chunks = [text[:end] for end in range(4, len(text) + 1)]
    stream = gate(guard().wrap(Source(chunks), format="cumulative_text"), Judge())
    with pytest.raises(AdapterError, match="format='cumulative_text'"):
        await collected(stream)
    stream = gate(Source(chunks), Judge(), format="text")
    assert "".join(await collected(stream)) == "".join(chunks)
