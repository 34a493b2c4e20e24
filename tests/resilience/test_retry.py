"""Streams that are opened again: nothing is doubled, nothing is lost."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio.lowlevel
import pytest

from guardstream import Part, StageError
from guardstream.consumers import FileSink, write_to
from guardstream.resilience import retrying
from tests.formats.chunks import call, chunk
from tests.resilience.providers import (
    AT_ONCE,
    CHUNKS,
    WHOLE,
    BusyError,
    Provider,
    broken,
    drain,
)
from tests.support.sources import Source, broken_guard, guard
from tests.support.streams import CUTS, GUARD, Cut, chat, message
from tests.support.watching import Watching, watched

pytestmark = pytest.mark.anyio


# Before anything was released


@pytest.mark.parametrize("chunks", [None, [], ["", ""], ["sec"]], ids=str)
async def test_another_attempt_is_made_until_something_was_released(chunks: Any) -> None:
    first = BusyError() if chunks is None else broken(*chunks)
    provider = Provider(first, Source(CHUNKS))
    stream = retrying(guard(), provider, **AT_ONCE)
    assert "".join(await drain(stream)) == WHOLE
    assert (provider.opened, stream.attempts) == (2, 2)
    assert set(provider.closed) == {1}
    assert (stream.result.text, stream.finish) == (WHOLE, "stop")


async def test_a_source_may_be_opened_by_a_plain_function() -> None:
    sources = [broken(), Source(CHUNKS)]
    stream: Any = retrying(guard(), lambda: sources.pop(0), **AT_ONCE)
    assert await stream.text() == WHOLE


@pytest.mark.parametrize("make", [chat, message], ids=["openai", "anthropic"])
@pytest.mark.parametrize("cut", CUTS, ids=range(len(CUTS)))
async def test_chunks_of_an_attempt_that_failed_leave_no_trace(
    make: Callable[..., list[Any]], cut: Cut
) -> None:
    expected = GUARD.wrap(Source(make(cut)))
    plain = [each async for each in expected]
    provider = Provider(broken(make(cut)[0]), Source(make(cut)))
    stream = retrying(GUARD, provider, **AT_ONCE)
    assert await drain(stream) == plain
    assert stream.result == expected.result


async def test_an_error_behind_the_first_text_passes() -> None:
    source = broken("a ", "sec")
    provider = Provider(source, Source(CHUNKS))
    stream = retrying(guard(), provider, **AT_ONCE)
    assert await anext(stream) == "a "
    with pytest.raises(BusyError):
        await anext(stream)
    assert (stream.result.text, stream.finish, provider.opened) == ("a ", "error", 1)
    assert source.closed == 1
    assert await drain(stream) == []


async def test_a_call_of_a_tool_without_arguments_is_not_made_twice() -> None:
    calls: list[Any] = []
    chunks = [chunk(call(0, "", id="x", name="now")), chunk({}, finish="tool_calls")]
    provider = Provider(broken(*chunks), Source(chunks))
    stream = retrying(GUARD, provider, on_tool_call=calls.append, **AT_ONCE)
    with pytest.raises(BusyError):
        await drain(stream)
    assert (len(calls), provider.opened) == (1, 1)


async def test_attempts_are_bounded_and_the_last_error_is_raised() -> None:
    errors = [BusyError(), BusyError(), BusyError()]
    provider = Provider(*errors)
    stream = retrying(guard(), provider, attempts=3, **AT_ONCE)
    with pytest.raises(BusyError) as caught:
        await drain(stream)
    assert caught.value is errors[-1]
    assert (provider.opened, stream.finish, stream.result.text) == (3, "error", "")
    assert await drain(stream) == []
    assert provider.opened == 3


async def test_an_error_that_is_not_worth_it_is_raised_at_once() -> None:
    provider = Provider(ValueError(), Source(CHUNKS))
    with pytest.raises(ValueError, match=r"^$"):
        await drain(retrying(guard(), provider, fallbacks=[provider], **AT_ONCE))
    assert provider.opened == 1


async def test_what_is_worth_it_can_be_said() -> None:
    provider = Provider(ValueError(), Source(CHUNKS))
    stream = retrying(guard(), provider, worth=lambda error: type(error) is ValueError, **AT_ONCE)
    assert await stream.text() == WHOLE


async def test_a_stage_that_fails_is_not_tried_again() -> None:
    provider = Provider(Source(["boom"]), Source(["boom"]))
    stream = retrying(broken_guard(), provider, **AT_ONCE)
    with pytest.raises(StageError):
        await drain(stream)
    assert (provider.opened, stream.finish, provider.closed) == (1, "error", [1])


async def test_a_stream_that_breaks_off_before_its_first_text_is_tried_again_if_asked() -> None:
    cut, whole = (
        [chunk({"role": "assistant"})],
        [chunk({"content": "hi"}), chunk({}, finish="stop")],
    )
    for on, expected in (((), ("", "incomplete", 1)), (("incomplete",), ("hi", "stop", 2))):
        provider = Provider(Source(cut), Source(whole))
        stream = retrying(guard(), provider, on=on, **AT_ONCE)
        text = await stream.text()
        assert (text, stream.finish, provider.opened) == expected
    provider = Provider(Source([chunk({"content": "so "})]), Source(whole))
    stream = retrying(guard(), provider, on=("incomplete",), **AT_ONCE)
    assert (await stream.text(), stream.finish) == ("so ", "incomplete")


async def test_a_block_is_not_tried_again() -> None:
    provider = Provider(Source(["forbidden"]), Source(CHUNKS))
    stream = retrying(guard(), provider, **AT_ONCE)
    assert await drain(stream) == []
    assert (provider.opened, stream.finish, stream.blocked_by) == (1, "content_filter", "bad")
    assert [found.rule for found in stream.findings] == ["bad"]


async def test_a_callback_that_fails_is_not_tried_again() -> None:
    def gone(_: object) -> None:
        raise ConnectionError("the consumer's own connection")

    provider = Provider(Source(CHUNKS), Source(CHUNKS))
    stream = retrying(guard(), provider, on_text=gone, **AT_ONCE)
    with pytest.raises(ConnectionError):
        await drain(stream)
    assert (provider.opened, provider.closed, stream.result.text) == (1, [1], "")


# Fallbacks


async def test_fallbacks_are_tried_in_order() -> None:
    first, second = Provider(BusyError()), Provider(broken("sec"))
    third = Provider(Source(CHUNKS))
    stream = retrying(guard(), first, fallbacks=[second, third], attempts=2, **AT_ONCE)
    assert await stream.text() == WHOLE
    assert (first.opened, second.opened, third.opened) == (2, 2, 1)
    assert stream.attempts == 5


async def test_a_whole_answer_is_a_fallback_too() -> None:
    whole: Any = Provider("a secret, forbidden and more")
    stream = retrying(guard(), Provider(BusyError()), fallbacks=[whole], attempts=1, **AT_ONCE)
    assert await drain(stream) == ["a ******, "]
    assert stream.finish == "content_filter"


async def test_the_error_of_the_last_fallback_is_raised() -> None:
    last = BusyError()
    with pytest.raises(BusyError) as caught:
        await drain(
            retrying(
                guard(), Provider(BusyError()), fallbacks=[Provider(last)], attempts=1, **AT_ONCE
            )
        )
    assert caught.value is last


# Callbacks and observers


async def test_callbacks_hear_of_the_attempt_that_succeeds() -> None:
    texts: list[str] = []
    parts: list[Part] = []
    ends: list[Any] = []
    stream = retrying(
        guard(),
        Provider(BusyError(), broken("sec"), Source(CHUNKS)),
        on_text=texts.append,
        on_part=parts.append,
        on_finish=ends.append,
        **AT_ONCE,
    )
    await drain(stream)
    assert "".join(texts) == "".join(part.text for part in parts) == WHOLE
    assert ends == [stream.result]


async def test_the_end_is_heard_of_a_stream_that_never_began() -> None:
    ends: list[Any] = []

    async def hear(result: Any) -> None:
        await anyio.lowlevel.checkpoint()
        ends.append(result.finish)

    with pytest.raises(BusyError):
        await drain(retrying(guard(), Provider(BusyError()), attempts=1, on_finish=hear, **AT_ONCE))
    assert ends == ["error"]


async def test_an_error_about_the_end_can_be_reported(caplog: pytest.LogCaptureFixture) -> None:
    def fail(_: object) -> None:
        raise LookupError

    for how, expected in (("report", None), ("raise", LookupError)):
        options: Any = {"on_finish": fail, "callback_errors": how}
        stream = retrying(guard(), Provider(Source(CHUNKS)), **options)
        if expected is None:
            assert await stream.text() == WHOLE
        else:
            with pytest.raises(expected):
                await stream.text()
    assert "LookupError" in caplog.text


async def test_observers_are_told_of_all_attempts_as_one_stream() -> None:
    seen = Watching()
    stream = retrying(watched(seen), Provider(broken("sec"), Source(CHUNKS)), **AT_ONCE)
    await drain(stream)
    record = seen.record
    assert (record.finish, record.error, record.attempts) == ("stop", None, 2)
    assert seen.starts == [record.start]
    assert list(record.findings) == list(stream.findings)


async def test_the_record_of_attempts_that_all_fail_has_the_last_error() -> None:
    seen = Watching()
    stream = retrying(watched(seen), Provider(broken("sec")), attempts=3, **AT_ONCE)
    with pytest.raises(BusyError):
        await drain(stream)
    record = seen.record
    assert (record.finish, record.error, record.attempts) == ("error", "BusyError", 3)


async def test_a_stream_that_is_left_has_its_record() -> None:
    seen = Watching()
    stream = retrying(watched(seen), Provider(broken("sec"), Source(CHUNKS)), **AT_ONCE)
    await anext(stream)
    await stream.aclose()
    assert (seen.record.finish, seen.record.attempts) == ("cancelled", 2)


async def test_the_record_of_a_stream_that_went_on_has_the_findings_of_both_sources() -> None:
    seen = Watching()
    stream = retrying(
        watched(seen),
        Provider(broken("a secret b")),
        resume=lambda _: Source(["c secret"]),
        **AT_ONCE,
    )
    await drain(stream)
    assert len(seen.record.findings) == 2
    assert list(seen.record.findings) == list(stream.findings)


async def test_a_stream_that_is_opened_again_can_be_written(tmp_path: Path) -> None:
    path = tmp_path / "answer.txt"
    provider = Provider(broken(chat()[0]), Source(chat()))
    result = await write_to(retrying(GUARD, provider, **AT_ONCE), FileSink(path))
    assert path.read_text() == result.text == "the ###### is told"


# Who wants to know of attempts


@pytest.mark.parametrize("awaited", [True, False])
async def test_each_further_attempt_is_announced(awaited: bool) -> None:
    told: list[tuple[Exception, int]] = []

    async def tell_later(error: Exception, attempt: int) -> None:
        await anyio.lowlevel.checkpoint()
        told.append((error, attempt))

    def tell(error: Exception, attempt: int) -> None:
        told.append((error, attempt))

    first, second = BusyError(), BusyError()
    provider = Provider(first, second, Source(CHUNKS))
    stream = retrying(guard(), provider, on_retry=tell_later if awaited else tell, **AT_ONCE)
    assert "".join(await drain(stream)) == WHOLE
    assert told == [(first, 2), (second, 3)]


async def test_a_fallback_is_announced_too() -> None:
    told: list[int] = []
    provider = Provider(BusyError(), Source(CHUNKS))
    options: Any = {**AT_ONCE, "attempts": 1}
    stream = retrying(
        guard(), provider, fallbacks=[provider], on_retry=lambda _, n: told.append(n), **options
    )
    assert "".join(await drain(stream)) == WHOLE
    assert told == [2]


async def test_no_attempt_is_made_if_its_announcement_fails() -> None:
    def fail(_error: Exception, _attempt: int) -> None:
        raise ConnectionError("of the callback, which would be worth another attempt")

    provider = Provider(BusyError(), Source(CHUNKS))
    stream = retrying(guard(), provider, on_retry=fail, **AT_ONCE)
    with pytest.raises(ConnectionError, match="of the callback"):
        await drain(stream)
    assert (provider.opened, stream.attempts, stream.finish) == (1, 1, "error")


async def test_text_that_was_not_kept_cannot_be_had() -> None:
    stream = retrying(guard(), Provider(Source(CHUNKS)), keep_text=False, **AT_ONCE)
    with pytest.raises(RuntimeError, match="keep_text=True"):
        await stream.text()
    await stream.aclose()


async def test_what_an_error_says_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    stream = retrying(guard(), Provider(BusyError(), Source(CHUNKS)), **AT_ONCE)
    await drain(stream)
    (record,) = (each for each in caplog.records if each.name == "stamina")
    assert "BusyError" in str(record.__dict__)
    assert "secret" not in str(record.__dict__)


async def test_the_last_error_is_raised_as_it_is() -> None:
    why = ValueError("why")
    last = BusyError()
    last.__cause__ = why
    with pytest.raises(BusyError) as raised:
        await drain(retrying(guard(), Provider(BusyError(), last), attempts=2, **AT_ONCE))
    assert raised.value is last
    assert last.__cause__ is why
    assert last.__context__ is None
