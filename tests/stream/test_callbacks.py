"""Callbacks hear exactly what is delivered, before it is, sync or async; and their errors."""

from __future__ import annotations

import json
import logging
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from guardstream import AdapterError, BlockedError, Finding, GuardedStream, Part, Result, ToolCall
from tests.formats.chunks import call, chunk
from tests.support.sources import Silent, Source, gen, guard
from tests.support.streams import ARGUMENTS, CUTS, GUARD, Cut, chat, message

pytestmark = pytest.mark.anyio

CHUNKS = ["a ", "sec", "ret", " and", " more"]


class Heard:
    """Keeps what callbacks were called with, in order."""

    def __init__(self) -> None:
        self.all: list[tuple[str, Any]] = []

    def hooks(self, *names: str) -> dict[str, Any]:
        """Plain callbacks of these names, all if none is given."""
        known = names or ("on_text", "on_part", "on_tool_call", "on_finding", "on_finish")
        return {name: lambda value, name=name: self.all.append((name, value)) for name in known}

    def awaited(self, *names: str) -> dict[str, Any]:
        """The same as coroutine functions."""

        def make(name: str) -> Any:
            async def hear(value: Any) -> None:
                await anyio.lowlevel.checkpoint()
                self.all.append((name, value))

            return hear

        return {name: make(name) for name in names or self.hooks()}

    def of(self, name: str) -> list[Any]:
        return [value for kind, value in self.all if kind == name]


async def drain(stream: GuardedStream[Any]) -> list[Any]:
    return [each async for each in stream]


@pytest.mark.parametrize("make", [chat, message], ids=["openai", "anthropic"])
@pytest.mark.parametrize("cut", CUTS, ids=range(len(CUTS)))
async def test_callbacks_hear_what_is_delivered(make: Any, cut: Cut) -> None:
    heard = Heard()
    stream = GUARD.wrap(Source(make(cut)), **heard.awaited())
    await drain(stream)
    assert "".join(heard.of("on_text")) == stream.result.text
    parts: list[Part] = heard.of("on_part")
    for (choice, channel), text in stream.result.channels.items():
        said = [part.text for part in parts if (part.choice, part.channel) == (choice, channel)]
        assert "".join(said) == text
    assert tuple(heard.of("on_finding")) == stream.findings
    assert heard.of("on_finish") == [stream.result]
    assert heard.all[-1][0] == "on_finish"


@pytest.mark.parametrize("make", [chat, message], ids=["openai", "anthropic"])
@pytest.mark.parametrize("cut", CUTS, ids=range(len(CUTS)))
async def test_a_tool_call_is_heard_once_and_whole(make: Any, cut: Cut) -> None:
    heard = Heard()
    stream = GUARD.wrap(Source(make(cut)), **heard.hooks("on_tool_call"))
    await drain(stream)
    arguments = ARGUMENTS.replace("secret", "######")
    assert heard.of("on_tool_call") == [ToolCall("send", arguments, "call_1", 0, True)]


def test_plain_streams_call_the_same() -> None:
    heard = Heard()
    list(GUARD.wrap_sync(chat(), **heard.hooks()))
    assert "".join(heard.of("on_text")) == "the ###### is told"
    assert len(heard.of("on_tool_call")) == len(heard.of("on_finish")) == 1


def events(*chunks: Any) -> list[bytes]:
    return [f"data: {json.dumps(each)}\n\n".encode() for each in chunks]


def heard_of(parts: list[bytes], failing: str = "") -> tuple[list[Any], Any]:
    """What is heard and got of a stream until the callback of that name fails, and its end."""
    log: list[Any] = []

    def make(name: str) -> Any:
        def hear(value: Any) -> None:
            log.append((name, value))
            if name == failing:
                raise LookupError

        return hear

    hooks: Any = {name: make(name) for name in Heard().hooks()}
    stream = guard().wrap_sync(iter(parts), **hooks)
    for _ in range(2):  # nothing of what came after the failure is left for the next reader
        try:
            log.extend(stream)
        except (LookupError, AdapterError) as error:
            log.append(type(error))
    return log, (stream.finish, stream.blocked_by, stream.result, stream.stats.tokens_out)


SAID = events(
    chunk({"content": "so "}),
    chunk({"content": "a secret "}),
    chunk({"content": "sec"}),
    chunk({"content": "ret and "}),
    chunk({"content": "forbidden"}),
)
CALLS = events(
    chunk(call(0, '{"a": 1}', id="c1", name="first")),
    chunk(finish="tool_calls"),
    chunk(call(0, '{"b": 2}', id="c2", name="second")),
    chunk(finish="tool_calls"),
)
COUNTED = events(
    chunk({"content": "so "}),
    *({**chunk({"content": "it is "}), "usage": {"completion_tokens": n}} for n in range(3)),
)
BROKEN = [*SAID[:3], b'data: {"named": 1, "named": 2}\n\n']


@pytest.mark.parametrize("failing", ["", "on_text", "on_part", "on_finding", "on_tool_call"])
@pytest.mark.parametrize(
    "frames", [SAID, CALLS, COUNTED, BROKEN], ids=["text", "calls", "counted", "broken"]
)
def test_the_same_is_heard_in_the_same_order_of_events_that_come_together(
    frames: list[bytes], failing: str
) -> None:
    once = heard_of(frames, failing)
    for size in range(2, len(frames) + 1):
        parts = [b"".join(frames[at : at + size]) for at in range(0, len(frames), size)]
        assert heard_of(parts, failing) == once


def test_a_call_is_heard_under_its_own_name_although_another_takes_its_place() -> None:
    log, _ = heard_of([b"".join(CALLS)])
    calls = [each[1] for each in log if each[0] == "on_tool_call"]
    assert (calls[0].name, calls[0].id, calls[0].arguments) == ("first", "c1", '{"a": 1}')


def test_a_plain_stream_refuses_callbacks_that_must_be_awaited() -> None:
    class Callable:
        async def __call__(self, value: object) -> None: ...

    for callback in (Heard().awaited("on_text")["on_text"], Callable()):
        with pytest.raises(TypeError, match=r"on_text= is a coroutine function, .* cannot await"):
            guard().wrap_sync(gen(CHUNKS), on_text=callback)


def test_a_plain_stream_refuses_what_a_callback_returns_to_be_awaited() -> None:
    hear = Heard().awaited("on_text")["on_text"]
    returned: list[Any] = []

    def sly(text: str) -> Any:
        returned.append(hear(text))
        return returned[-1]

    with pytest.raises(TypeError, match="returned a coroutine"):
        list(guard().wrap_sync(gen(CHUNKS), on_text=sly))
    returned[0].close()


async def test_a_callback_hears_before_the_consumer_does() -> None:
    heard: list[str] = []
    stream = guard().wrap(Source(CHUNKS), on_text=heard.append)
    async for text in stream:
        assert heard[-1] == text
    assert "".join(heard) == "a ****** and more"


async def test_a_finding_that_releases_nothing_is_heard_at_the_end() -> None:
    heard = Heard()
    await drain(guard().wrap(Source(["forbidden"]), **heard.hooks("on_finding", "on_finish")))
    assert [name for name, _ in heard.all] == ["on_finding", "on_finish"]


async def test_a_call_whose_tool_was_blocked_is_not_heard() -> None:
    heard = Heard()
    chunks = [
        chunk(call(0, '{"to": "forbidden"}', id="x", name="send")),
        chunk({}, finish="tool_calls"),
    ]
    await drain(GUARD.wrap(Source(chunks), **heard.hooks("on_tool_call")))
    assert heard.all == []


def test_tool_calls_need_their_text() -> None:
    with pytest.raises(TypeError, match="keep_text=True"):
        guard().wrap_sync([], keep_text=False, **Heard().hooks("on_tool_call"))


# Errors


def failing(at: int) -> Any:
    """A callback that fails when it is called for the `at`th time."""
    calls: list[object] = []

    def fail(value: object) -> None:
        calls.append(value)
        if len(calls) == at:
            raise LookupError("in the callback")

    return fail


@pytest.mark.parametrize("at", range(1, 4))
async def test_an_error_ends_the_stream_before_the_chunk_is_delivered(at: int) -> None:
    source, heard = Source(CHUNKS), Heard()
    stream = guard().wrap(source, on_text=failing(at), **heard.hooks("on_finish"))
    got: list[Any] = []

    async def read() -> None:
        async for text in stream:
            got.append(text)  # noqa: PERF401  (what was got before the error counts)

    with pytest.raises(LookupError):
        await read()
    assert (source.closed, stream.finish) == (1, "error")
    assert len(got) == at - 1
    assert "".join(got) == stream.result.text
    assert heard.of("on_finish") == [stream.result]
    assert await drain(stream) == []


@pytest.mark.parametrize("at", range(1, 4))
def test_an_error_ends_a_plain_stream(at: int) -> None:
    log: list[str] = []
    stream = guard().wrap_sync(gen(CHUNKS, log), on_text=failing(at))
    got: list[str] = []

    def read() -> None:
        for text in stream:
            got.append(text)  # noqa: PERF402  (what was got before the error counts)

    with pytest.raises(LookupError):
        read()
    assert (log, stream.finish, len(got)) == (["closed"], "error", at - 1)
    assert "".join(got) == stream.result.text


@pytest.mark.parametrize("name", ["on_text", "on_part", "on_finding", "on_finish"])
async def test_an_error_can_be_reported_instead(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    hooks: dict[str, Any] = {name: failing(1)}
    stream = guard().wrap(Source(CHUNKS), callback_errors="report", **hooks)
    assert await stream.text() == "a ****** and more"
    assert stream.finish == "stop"
    (line,) = [each.getMessage() for each in caplog.records if each.levelno == logging.ERROR]
    assert "LookupError" in line
    assert "in the callback" not in line


async def test_an_error_of_the_last_callbacks_is_raised_behind_all_text() -> None:
    source = Source(CHUNKS)
    stream = guard().wrap(source, on_finish=failing(1))
    with pytest.raises(LookupError):
        await drain(stream)
    assert (stream.result.text, source.closed) == ("a ****** and more", 1)
    assert await drain(stream) == []


async def test_an_error_about_a_late_finding_does_not_keep_the_end_from_being_heard() -> None:
    heard = Heard()
    stream = guard().wrap(Source(["forbidden"]), on_finding=failing(1), **heard.hooks("on_finish"))
    with pytest.raises(LookupError):
        await drain(stream)
    (result,) = heard.of("on_finish")
    assert result.finish == stream.finish == "error"


async def test_what_the_consumer_raised_counts_more_than_a_callback(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def consume() -> None:
        async with guard().wrap(Source(CHUNKS), on_finish=failing(1)) as stream:
            async for _ in stream:
                raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await consume()
    assert "LookupError" in caplog.text


async def test_what_the_source_raised_counts_more_than_a_callback(
    caplog: pytest.LogCaptureFixture,
) -> None:
    source = Source(["a "], error=ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        await drain(guard().wrap(source, on_finish=failing(1)))
    assert "LookupError" in caplog.text


async def test_a_block_counts_more_than_a_callback(caplog: pytest.LogCaptureFixture) -> None:
    options: Any = {"raise_on_block": True, "on_finish": failing(1)}
    with pytest.raises(BlockedError):
        await drain(guard().wrap(Source(["forbidden"]), **options))
    options = {"raise_on_block": True, "on_finish": failing(1)}
    with pytest.raises(BlockedError):
        list(guard().wrap_sync(gen(["forbidden"]), **options))
    assert caplog.text.count("LookupError") == 2


async def test_the_end_is_heard_on_every_way_out() -> None:
    async def leave(stream: GuardedStream[Any]) -> None:
        async with stream:
            async for _ in stream:
                break

    async def stop(stream: GuardedStream[Any]) -> None:
        await anext(stream)
        stream.stop()
        await drain(stream)

    async def close_unread(stream: GuardedStream[Any]) -> None:
        await stream.aclose()
        await stream.aclose()

    for act in (leave, stop, close_unread):
        heard = Heard()
        await act(guard().wrap(Source(CHUNKS), **heard.awaited("on_finish")))
        (result,) = heard.of("on_finish")
        assert result.finish == "cancelled"


async def test_the_end_is_heard_when_the_consumer_is_cancelled() -> None:
    heard = Heard()
    source = Silent(["a "])
    with anyio.CancelScope() as scope:
        stream = guard().wrap(
            source, on_text=lambda _: scope.cancel(), **heard.awaited("on_finish")
        )
        await drain(stream)
    (result,) = heard.of("on_finish")
    assert (result.finish, result.text) == ("cancelled", "a ")
    assert source.closed == 1


async def test_a_callback_at_the_end_that_hangs_does_not_hang_the_consumer(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def hang(_: Result) -> None:
        await anyio.sleep_forever()

    monkeypatch.setattr("guardstream.stream.asynchronous.CLOSE_SECONDS", 0.01)
    with anyio.fail_after(10):
        assert await guard().wrap(Source(CHUNKS), on_finish=hang).text() == "a ****** and more"
    assert "took too long" in caplog.text


# A stream that is closed while a callback runs


async def test_a_callback_may_close_the_stream() -> None:
    source = Source(CHUNKS)

    async def close(_: Finding) -> None:
        await stream.aclose()

    stream = guard().wrap(source, on_finding=close)
    assert await drain(stream) == ["a "]
    assert (source.closed, stream.finish, stream.result.text) == (1, "cancelled", "a ")


def test_a_callback_may_close_a_plain_stream() -> None:
    log: list[str] = []
    stream = guard().wrap_sync(gen(CHUNKS, log), on_finding=lambda _: stream.close())
    assert list(stream) == ["a "]
    assert (log, stream.finish) == (["closed"], "cancelled")


async def test_a_callback_may_stop_the_stream() -> None:
    stream = guard().wrap(Source(CHUNKS), on_text=lambda _: stream.stop())
    assert await drain(stream) == ["a "]
    assert stream.finish == "cancelled"


async def test_another_task_may_close_the_stream_while_a_callback_waits() -> None:
    source = Source(CHUNKS)
    waiting, go_on = anyio.Event(), anyio.Event()
    got: list[str] = []

    async def wait(_: str) -> None:
        waiting.set()
        await go_on.wait()

    async def read() -> None:
        got.extend(await drain(stream))

    stream = guard().wrap(source, on_text=wait)
    async with anyio.create_task_group() as group:
        group.start_soon(read)
        await waiting.wait()
        with pytest.raises(RuntimeError, match="another task"):
            await anext(stream)
        await stream.aclose()
        go_on.set()
    assert (got, source.closed, stream.result.text) == ([], 1, "")
