"""What a result says: the text of each channel, tool calls, usage; the same in any chunking."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from guardstream import Guard, Policy, Result, ToolCall
from guardstream.http import guard_body
from tests.formats.chunks import call, chunk
from tests.support.chunking import random_split
from tests.support.sources import Source, gen
from tests.support.streams import CUTS, GUARD, Cut, chat, event_stream, message

pytestmark = pytest.mark.anyio

MAKERS = pytest.mark.parametrize("make", [chat, message], ids=["openai", "anthropic"])

Make = Callable[..., list[dict[str, Any]]]


def result_of(chunks: list[Any], **options: Any) -> Result:
    stream = GUARD.wrap_sync(gen(chunks), **options)
    for _ in stream:
        pass
    return stream.result


@MAKERS
@pytest.mark.parametrize("cut", CUTS, ids=range(len(CUTS)))
def test_a_result_has_every_channel_and_the_tool_calls(make: Make, cut: Cut) -> None:
    result = result_of(make(cut))
    assert (result.text, result.thinking) == ("the ###### is told", "think of a ###### ")
    assert result.channels[0, "tool_args"] == '{"to": "######", "count": 2}'
    (sent,) = result.tool_calls
    assert (sent.name, sent.id, sent.complete) == ("send", "call_1", True)
    assert sent.parse() == {"to": "######", "count": 2}
    assert [found.channel for found in result.findings] == ["thinking", "text", "tool_args"]
    assert result.finish == "tool_calls"


@MAKERS
def test_as_json_a_result_says_what_happened_without_the_text(make: Make) -> None:
    said = json.dumps(result_of(make()).as_dict())
    assert "think" not in said.replace("thinking", "")
    values = json.loads(said)
    assert (values["finish"], values["blocked_by"]) == ("tool_calls", None)
    assert (values["input_tokens"], values["output_tokens"]) == (7, 9)
    assert [found["channel"] for found in values["findings"]] == ["thinking", "text", "tool_args"]


@MAKERS
def test_usage_is_the_providers_own_in_all(make: Make) -> None:
    usage = result_of(make()).usage
    counts = {name.partition("_")[0]: count for name, count in usage.items()}
    assert (counts.get("prompt", counts.get("input")), 9) == (7, usage[_output(usage)])


def _output(usage: dict[str, int]) -> str:
    return "completion_tokens" if "completion_tokens" in usage else "output_tokens"


@MAKERS
async def test_an_asynchronous_stream_and_one_of_bytes_have_the_same_result(make: Make) -> None:
    expected = result_of(make())
    stream = GUARD.wrap(Source(make()))
    async for _ in stream:
        pass
    assert stream.result == expected
    data = event_stream(make())
    for seed in range(3):
        cut = random_split(data.decode(), Random(seed))
        body = GUARD.wrap(Source([piece.encode() for piece in cut]))
        async for _ in body:
            pass
        assert body.result == expected


def test_each_choice_has_texts_of_its_own() -> None:
    chunks = [
        chunk({"content": "one sec"}),
        chunk({"content": "two"}, choice=1),
        chunk({"refusal": "no sec"}, choice=1),
        chunk({"content": "ret"}),
        chunk({"refusal": "ret"}, choice=1),
        chunk({}, finish="stop"),
        chunk({}, choice=1, finish="stop"),
    ]
    result = result_of(chunks)
    assert result.channels == {
        (0, "text"): "one ######",
        (1, "text"): "two",
        (1, "refusal"): "no ######",
    }
    assert (result.text, result.refusal) == ("one ######", "")


def test_several_calls_are_kept_apart_and_in_order() -> None:
    chunks = [
        chunk(call(0, '{"a": ', id="x", name="first")),
        chunk(call(1, "[]", id="y", name="second")),
        chunk(call(0, '"secret"}')),
        chunk({}, finish="tool_calls"),
    ]
    calls = result_of(chunks).tool_calls
    assert [(each.name, each.arguments) for each in calls] == [
        ("first", '{"a": "######"}'),
        ("second", "[]"),
    ]


def test_a_call_that_is_cut_off_is_not_complete() -> None:
    chunks = [chunk(call(0, '{"to": "x", ', id="x", name="send"))]
    (cut,) = result_of(chunks).tool_calls
    assert (cut.complete, cut.arguments) == (False, '{"to": "x", ')
    with pytest.raises(json.JSONDecodeError):
        cut.parse()


@pytest.mark.parametrize("reason", ["length", "content_filter", "error"])
def test_a_call_is_not_complete_if_its_choice_ends_early(reason: str) -> None:
    made: list[ToolCall] = []
    chunks = [
        chunk(call(0, '{"path": "/tmp', id="x", name="delete")),
        chunk({}, finish=reason),
    ]
    stream = GUARD.wrap_sync(gen(chunks), on_tool_call=made.append)
    assert len([*stream]) == 2
    assert stream.finish == reason
    assert [each.complete for each in stream.result.tool_calls] == [False]
    assert made == []


def test_a_call_is_not_complete_if_the_event_that_closes_it_reports_an_error() -> None:
    called = {"id": "c", "function": {"name": "delete", "arguments": '{"path": "/tmp'}}
    events = [
        {"type": "tool-call-start", "index": 0, "delta": {"message": {"tool_calls": called}}},
        {"type": "message-end", "delta": {"finish_reason": "ERROR"}},
    ]
    stream = GUARD.wrap_sync(gen(events))
    assert len([*stream]) == 2
    assert [each.complete for each in stream.result.tool_calls] == [False]


def test_a_blocked_call_is_not_complete() -> None:
    chunks = [
        chunk(call(0, '{"to": "forbidden"}', id="x", name="send")),
        chunk({}, finish="tool_calls"),
    ]
    result = result_of(chunks)
    assert result.finish == "content_filter"
    assert not any(each.complete for each in result.tool_calls)
    assert "forbidden" not in str(result)


def test_a_snapshot_is_what_was_delivered_so_far() -> None:
    stream = GUARD.wrap_sync(gen(["a sec", "ret b", " c"]))
    assert next(stream) == "a "
    assert stream.result == Result("a ", (), None, {(0, "text"): "a "})
    assert next(stream) == "###### b"
    assert (stream.result.text, stream.result.finish) == ("a ###### b", None)


def test_no_text_is_kept_if_none_is_to_be() -> None:
    stream = GUARD.wrap_sync(chat(), keep_text=False)
    for _ in stream:
        pass
    result = stream.result
    assert (result.text, result.channels, result.tool_calls) == ("", {}, ())
    assert (len(result.findings), result.finish) == (3, "tool_calls")
    with pytest.raises(RuntimeError, match="keep_text=True"):
        stream.text()


def test_a_block_message_is_part_of_the_answer() -> None:
    guard = Guard(
        Policy.parse(
            "block_message: ' [stopped]'\nrules: [{id: bad, words: [forbidden], action: block}]"
        )
    )
    stream = guard.wrap_sync(chat(text="it is forbidden to say"))
    for _ in stream:
        pass
    assert (stream.result.text, stream.result.finish) == ("it is  [stopped]", "content_filter")


@pytest.mark.parametrize(
    ("text", "message", "said"),
    [
        ("a (forbidden", "Stopped.", "a ( Stopped."),
        ("a forbidden", "Stopped.", "a Stopped."),
        ("a (forbidden", "\nStopped.", "a (\nStopped."),
        ("forbidden", "Stopped.", "Stopped."),
        (
            "\u56de\u7b54\uff1aforbidden",
            "\u505c\u6b62\u3002",
            "\u56de\u7b54\uff1a\u505c\u6b62\u3002",
        ),
    ],
)
def test_a_block_message_does_not_run_into_a_word(text: str, message: str, said: str) -> None:
    """Streams of any chunking, whole answers and `check` put the same space."""
    rule = {"id": "bad", "pattern": "forbidden", "action": "block"}
    guard = Guard(Policy.parse(json.dumps({"block_message": message, "rules": [rule]})))
    assert guard.check(text).text == said
    for cut in range(len(text)):
        assert "".join(guard.wrap_sync([text[:cut], text[cut:]])) == said
    stream = guard.wrap_sync(chat(text=text))
    list(stream)
    assert stream.result.text == said
    message_of = {"role": "assistant", "content": text}
    body = {"choices": [{"index": 0, "message": message_of, "finish_reason": "stop"}]}
    guarded, _ = guard_body(guard, "openai_chat", body)
    assert guarded["choices"][0]["message"]["content"] == said


def test_tokens_are_those_of_the_providers_usage() -> None:
    stream = GUARD.wrap_sync(chat())
    list(stream)
    usage = stream.result.usage
    stats = stream.stats
    assert (stats.tokens_in, stats.tokens_out) == (
        usage["prompt_tokens"],
        usage["completion_tokens"],
    )
    assert stats.tokens_per_second == pytest.approx(stats.tokens_out / stats.seconds)


def test_an_answer_of_no_tokens_has_a_speed() -> None:
    stats = replace(GUARD.wrap_sync([]).stats, tokens_out=0, seconds=2.0)
    assert stats.tokens_per_second == 0


def test_there_are_no_tokens_where_nobody_counts_them() -> None:
    stream = GUARD.wrap_sync(["a secret"])
    list(stream)
    stats = stream.stats
    assert (stats.tokens_in, stats.tokens_out, stats.tokens_per_second) == (None, None, None)


BLOCKS = Guard(Policy.parse("rules: [{id: bad, words: [bad], action: block}]"))

STOPS = Guard(Policy.parse("limits: {max_chars: 3}"))


@pytest.mark.parametrize(("inner", "finish"), [(BLOCKS, "content_filter"), (STOPS, "length")])
async def test_a_guard_around_a_guarded_text_ends_as_that_does(inner: Guard, finish: str) -> None:
    stream = GUARD.wrap(inner.wrap(Source(["so ", "ba", "d"])))
    assert await stream.text() == "so "
    assert stream.finish == finish
    alone = GUARD.wrap_sync(inner.wrap_sync(["so ", "ba", "d"]))
    assert alone.text() == "so "
    assert alone.finish == finish


async def test_the_outer_guard_that_ends_the_stream_says_why() -> None:
    stream = STOPS.wrap(GUARD.wrap(Source(["so ", "far"])))
    assert await stream.text() == "so "
    assert stream.finish == "length"


def test_a_source_may_have_any_other_finish() -> None:
    class Chunks(list[str]):
        def finish(self) -> None: ...

    stream = GUARD.wrap_sync(Chunks(["so "]))
    assert (stream.text(), stream.finish) == ("so ", "stop")


@pytest.mark.parametrize("names", [["bluebird"], ["blue", "bird"]])
def test_a_tool_name_that_ends_the_stream_is_not_in_the_result(names: list[str]) -> None:
    guard = Guard(Policy.parse("rules: [{id: word, words: [bluebird]}]"))
    chunks = [chunk(call(0, "", name=name, id="call_1")) for name in names]
    stream = guard.wrap_sync(gen([*chunks, chunk(call(0, "{}"))]))
    for _ in stream:
        pass
    (sent,) = stream.result.tool_calls
    assert (sent.name, sent.id, stream.finish) == ("", "call_1", "content_filter")


def test_a_call_id_that_ends_the_stream_is_not_in_the_result() -> None:
    guard = Guard(Policy.parse("rules: [{id: word, words: [bluebird], action: block}]"))
    stream = guard.wrap_sync(gen([chunk(call(0, "", name="send", id="bluebird"))]))
    for _ in stream:
        pass
    assert stream.finish == "content_filter"
    assert "bluebird" not in repr(stream.result)
