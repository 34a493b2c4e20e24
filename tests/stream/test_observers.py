"""Observers are told once when a stream begins and once when it has ended, whatever ended it."""

from __future__ import annotations

import gc
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from guardstream import Deadlines, Guard, GuardedStream, Policy, StageError, Text
from guardstream.http.body import guard_body
from guardstream.http.stream import WireGuard
from guardstream.stream.observers import ObserverError
from tests.support.sources import BrokenPolicy, Silent, Source, gen
from tests.support.streams import chat, event_stream
from tests.support.watching import Failing, Watching, watched

pytestmark = pytest.mark.anyio

CHUNKS = ["a ", "sec", "ret", " and", " more"]


async def drain(stream: GuardedStream[Any]) -> str:
    return "".join([chunk async for chunk in stream])


async def test_a_record_says_how_a_stream_went() -> None:
    seen = Watching()
    guard = watched(seen)
    stream = guard.wrap(Source(CHUNKS), attributes={"user": "u1"})
    await drain(stream)
    (start,) = seen.starts
    record = seen.record
    assert record.start == start
    assert (start.policy, start.fingerprint) == ("test", guard.policy.fingerprint)
    assert (start.shadow, start.attributes) == (False, {"user": "u1"})
    assert (record.format, record.finish, record.error) == ("text", "stop", None)
    assert record.findings == stream.findings
    assert record.stats == stream.stats
    assert record.stats.held_max == 6
    assert record.stats.held_seconds > 0


async def test_a_record_has_the_providers_usage() -> None:
    seen = Watching()
    stream: Any = watched(seen).wrap(Source(chat()))
    async for _ in stream:
        pass
    assert seen.record.format == "openai_chat"
    assert seen.record.usage["completion_tokens"] == 9


async def test_nothing_is_said_of_a_stream_that_is_not_read() -> None:
    seen = Watching()
    stream = watched(seen).wrap(Source(CHUNKS))
    await stream.aclose()
    assert (seen.starts, seen.records) == ([], [])


async def test_every_end_has_one_record() -> None:
    seen = Watching()
    guard = watched(seen)

    async def blocked() -> None:
        await drain(guard.wrap(Source(["forbidden"])))

    async def left() -> None:
        async with guard.wrap(Source(CHUNKS)) as stream:
            await anext(stream)

    async def stopped() -> None:
        stream = guard.wrap(Source(CHUNKS))
        await anext(stream)
        stream.stop()
        await drain(stream)

    async def late() -> None:
        await drain(guard.wrap(Silent(["a "]), deadlines=Deadlines(idle=0.01)))

    async def failed() -> None:
        with pytest.raises(LookupError):
            await drain(guard.wrap(Source(["a "], error=LookupError("a secret"))))

    async def cancelled() -> None:
        with anyio.CancelScope() as scope:
            await drain(guard.wrap(Silent(["a "]), on_text=lambda _: scope.cancel()))

    for act, finish, error in (
        (blocked, "content_filter", None),
        (left, "cancelled", None),
        (stopped, "cancelled", None),
        (late, "timeout", None),
        (failed, "error", "LookupError"),
        (cancelled, "cancelled", None),
    ):
        seen.records.clear()
        await act()
        assert (seen.record.finish, seen.record.error) == (finish, error), act.__name__
        assert "secret" not in str(seen.record)


async def test_a_block_names_its_rule() -> None:
    seen = Watching()
    await drain(watched(seen).wrap(Source(["forbidden"])))
    assert seen.record.blocked_by == "bad"


async def test_a_stage_that_fails_has_a_record() -> None:
    seen = Watching()
    stream = Guard(BrokenPolicy.parse("version: 1"), observers=[seen]).wrap(
        Source(["fine ", "boom"])
    )
    with pytest.raises(StageError):
        await drain(stream)
    assert (seen.record.finish, seen.record.error) == ("error", "StageError")
    assert seen.record.stats.characters_out == 5


async def test_a_stream_that_is_just_dropped_has_a_record() -> None:
    seen = Watching()
    async for _ in watched(seen).wrap(Source(CHUNKS)):
        break
    gc.collect()
    with anyio.fail_after(10):
        while not seen.records:
            await anyio.lowlevel.checkpoint()
    assert seen.record.finish == "cancelled"


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_stream_that_is_dropped_behind_its_loop_has_a_record(backend: str) -> None:
    seen = Watching()

    async def leave() -> Any:
        stream = watched(seen).wrap(Source(CHUNKS))
        await anext(stream)
        return stream

    stream = anyio.run(leave, backend=backend)
    del stream
    gc.collect()
    assert seen.record.finish == "cancelled"


def test_plain_streams_have_records() -> None:
    seen = Watching()
    guard = watched(seen)
    assert guard.wrap_sync(gen(CHUNKS)).text() == "a ****** and more"
    with guard.wrap_sync(gen(CHUNKS)) as stream:
        next(stream)
    next(guard.wrap_sync(gen(CHUNKS)))
    gc.collect()
    assert [record.finish for record in seen.records] == ["stop", "cancelled", "cancelled"]
    assert len(seen.starts) == 3


def test_bodies_have_records() -> None:
    seen = Watching()
    guard = watched(seen)
    whole = WireGuard(guard, attributes={"path": "/chat"})
    whole.feed(event_stream(chat()))
    whole.finish()
    whole.close()
    cut = WireGuard(guard)
    cut.feed(event_stream(chat()[:3]))
    cut.close()
    WireGuard(guard).close()
    dropped = WireGuard(guard)
    dropped.feed(event_stream(chat()[:3]))
    del dropped
    gc.collect()
    ends = [record.finish for record in seen.records]
    assert ends == ["tool_calls", "cancelled", "cancelled"]
    assert seen.records[0].start.attributes == {"path": "/chat"}


def test_whole_answers_have_records() -> None:
    seen = Watching()
    choice = {"index": 0, "finish_reason": "stop", "message": {"content": "a secret"}}
    usage = {"prompt_tokens": 1, "completion_tokens": 2}
    answer = {"id": "c", "object": "chat.completion", "model": "m", "choices": [choice]}
    guard_body(watched(seen), "openai_chat", {**answer, "usage": usage}, attributes={"a": "b"})
    record = seen.record
    assert (record.finish, record.usage, record.start.attributes) == ("stop", usage, {"a": "b"})
    assert [found.rule for found in record.findings] == ["word"]


async def test_shadow_mode_is_told() -> None:
    seen = Watching()
    shadow = watched(
        seen, policy="mode: shadow\nrules: [{id: bad, words: [forbidden], action: block}]"
    )
    assert await drain(shadow.wrap(Source(["forbidden"]))) == "forbidden"
    assert (seen.record.start.shadow, seen.record.finish) == (True, "stop")
    assert [found.rule for found in seen.record.findings] == ["bad"]


# Observers that fail


@pytest.mark.parametrize("when", ["opened", "closed"])
async def test_an_error_is_logged_and_the_others_are_told(
    when: str, caplog: pytest.LogCaptureFixture
) -> None:
    seen = Watching()
    stream = watched(Failing(when), seen).wrap(Source(CHUNKS))
    assert await drain(stream) == "a ****** and more"
    assert (len(seen.starts), len(seen.records)) == (1, 1)
    assert "observer 'Failing' failed (OSError: No space left on device)" in caplog.text
    assert "secret" not in caplog.text


@pytest.mark.parametrize("when", ["opened", "closed"])
async def test_an_error_ends_the_stream_if_that_is_asked_for(when: str) -> None:
    seen, source = Watching(), Source(CHUNKS)
    stream = watched(Failing(when), seen, observer_errors="raise").wrap(source)
    with pytest.raises(ObserverError, match="No space left on device") as caught:
        await drain(stream)
    assert isinstance(caught.value.__cause__, OSError)
    assert source.closed == 1
    assert (len(seen.starts), len(seen.records)) == (1, 1)
    assert await drain(stream) == ""
    if when == "opened":
        assert (stream.finish, stream.stats.chunks_in) == ("error", 0)
        assert seen.record.error == "ObserverError"


@pytest.mark.parametrize("when", ["opened", "closed"])
def test_an_error_ends_a_plain_stream_if_that_is_asked_for(when: str) -> None:
    seen = Watching()
    log: list[str] = []
    stream = watched(Failing(when), seen, observer_errors="raise").wrap_sync(gen(CHUNKS, log))
    with pytest.raises(ObserverError):
        list(stream)
    assert (len(seen.starts), len(seen.records)) == (1, 1)
    assert log == (["closed"] if when == "closed" else [])
    assert list(stream) == []


async def test_the_sources_error_counts_more_than_an_observers(
    caplog: pytest.LogCaptureFixture,
) -> None:
    source = Source(["a "], error=LookupError())
    with pytest.raises(LookupError):
        await drain(watched(Failing(), observer_errors="raise").wrap(source))
    assert "ObserverError" in caplog.text


async def test_a_record_has_the_first_error() -> None:
    def fail(_: object) -> None:
        raise ZeroDivisionError

    seen = Watching()
    source = Source(["a "], error=LookupError())
    with pytest.raises(LookupError):
        await drain(watched(seen).wrap(source, on_finish=fail))
    assert seen.record.error == "LookupError"


async def test_the_error_of_a_dropped_stream_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async for _ in watched(Failing(), observer_errors="raise").wrap(Source(CHUNKS)):
        break
    gc.collect()
    with anyio.fail_after(10):
        while not caplog.records:
            await anyio.lowlevel.checkpoint()
    assert "No space left on device" in caplog.text


def test_a_body_ends_with_an_observers_error() -> None:
    begun = WireGuard(watched(Failing("opened"), observer_errors="raise"))
    with pytest.raises(ObserverError):
        begun.feed(event_stream(chat()))
    assert (begun.ended, begun.feed(b"more")) == ("error", [])
    ended = WireGuard(watched(Failing("closed"), observer_errors="raise"))
    assert ended.feed(event_stream(chat()))
    assert ended.error is None
    ended.finish()
    assert ended.ended == "tool_calls"
    assert isinstance(ended.error, ObserverError)
    ended.close()


def test_a_guard_with_more_stages_keeps_its_observers() -> None:
    seen = Watching()
    policy = Policy.parse("version: 1")

    class Loud:
        def feed(self, text: str) -> list[Any]:
            return [Text(text.upper())]

        def finish(self) -> list[Any]:
            return []

    guard = Guard(policy, observers=[seen]).with_stages([Loud])
    assert guard.wrap_sync(["a"]).text() == "A"
    assert seen.record.finish == "stop"
