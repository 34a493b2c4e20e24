"""Formats that only a file describes: what a stream of each says, and how the guard ends it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from guardstream import Guard, Policy, PolicyError
from guardstream.formats import ADAPTERS, JSONFormat, detect
from guardstream.formats.cumulative import CumulativeFormat
from guardstream.formats.described import DescribedFormat
from guardstream.formats.toolkit import files
from tests.support.samples.described import STREAMS, chat_ui, dify, hunyuan, langflow, onyx

Event = dict[str, Any]

WORD = "bluebird"


def _guard(policy: str) -> Guard:
    return Guard(Policy.parse(policy))


GUARD = _guard('rules: [{id: name, words: [bluebird], replacement: "[codename]"}]')
BLOCK = _guard("rules: [{id: name, words: [bluebird], action: block}]")
NOTHING = _guard("rules: [{id: none, words: [zebrafinch]}]")

TEXTS = ("the ", "blue", "bird", " flies")

KINDS = (DescribedFormat, CumulativeFormat)


@pytest.fixture(params=STREAMS, ids=lambda make: make.__name__)
def make(request: pytest.FixtureRequest) -> Any:
    return request.param


def test_a_stream_is_recognised(make: Any) -> None:
    assert detect(next(make(iter(TEXTS)))).name == make.__name__


def test_a_word_between_two_events_is_masked(make: Any) -> None:
    stream = GUARD.wrap_sync([*make(iter(TEXTS))])
    out = [*stream]
    assert stream.result.text == "the [codename] flies"
    assert not any(part in json.dumps(out) for part in ("blue", "bird"))
    ends = {"langserve_log", "ragflow", "bot_framework"}
    assert stream.result.finish == "stop" or make.__name__ in ends


def test_what_no_rule_touches_stays_as_it_is(make: Any) -> None:
    source = [*make(iter(TEXTS))]
    out = [*NOTHING.wrap_sync(source)]
    assert out == source


def test_a_block_shows_nothing_of_a_match(make: Any) -> None:
    stream = BLOCK.wrap_sync([*make(iter(TEXTS))])
    out = json.dumps([*stream])
    assert stream.result.finish == "content_filter"
    assert "blue" not in out
    assert "flies" not in out


@pytest.mark.parametrize(
    ("make_", "last"),
    [
        (dify, {"event": "message_end", "task_id": "t", "message_id": "m", "conversation_id": "c"}),
        (
            hunyuan,
            {"Delta": {"Role": "assistant", "Content": ""}, "FinishReason": "content_filter"},
        ),
        (langflow, {"event": "end"}),
        (onyx, {"ind": 0, "obj": {"type": "stop"}}),
        (chat_ui, {"type": "finalAnswer"}),
    ],
)
def test_a_block_ends_as_the_format_does(make_: Any, last: Event) -> None:
    out = [*BLOCK.wrap_sync([*make_(iter(TEXTS))])][-1]
    end = out["Choices"][0] if "Choices" in out else out
    assert last.items() <= end.items()


def test_every_described_format_is_tried() -> None:  # the others have tests of their own
    others = {"anthropic_completions", "tgi", "llama_cpp", "koboldcpp", "workers_ai", "cohere_v1"}
    others |= {"openai_completions", "openai_media", "watsonx", "ollama"}
    others |= {"dashscope", "sglang", "haystack", "smolagents", "autogen"}
    others |= {"bedrock_llama", "bedrock_mistral", "bedrock_titan", "writer", "kosong", "livekit"}
    described = {n for n, a in ADAPTERS.items() if issubclass(a, KINDS)}
    assert described - others == {make.__name__ for make in STREAMS}


def test_every_file_says_what_it_reads_and_where_that_is_documented() -> None:
    for name in files.names():
        content = files.parsed(name)
        assert content["about"]
        assert content["source"]
        for section in {*content} - {"about", "source", "define"} & {"event", "answer"}:
            files.described(name).spec(section)


def test_a_wheels_files_are_the_same(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    compiled = tmp_path / "formats.jsonl"
    compiled.write_text(f"ollama {json.dumps(files.parsed('ollama'))}\n", encoding="utf-8")
    monkeypatch.setattr(files, "COMPILED", compiled)
    files._compiled.cache_clear()
    try:
        assert files._content("ollama") == files.parsed("ollama")
        with pytest.raises(ValueError, match="no format is described as 'other'"):
            files._content("other")
    finally:
        files._compiled.cache_clear()


CALLS: Event = {
    "kind": "mark",
    "calls": [{"index": "call.index", "id": "call.id", "name": "call.name", "args": "tool_args"}],
    "say": "text",
    "done": "done",
    "why": "reason",
    "usage": "usage",
    "error": "error",
}


def test_calls_that_come_at_the_same_time_are_told_apart() -> None:
    mine = JSONFormat("mine", event=CALLS, reasons={"enough": "length"})
    events: list[Event] = [
        {"calls": [{"index": 0, "id": "a", "name": "f", "args": '{"x": "blue'}]},
        {"calls": [{"index": 1, "id": "b", "name": "g", "args": '{"y": "blue'}]},
        {"calls": [{"index": 1, "args": 'bird"}'}, {"index": 0, "args": 'bird"}'}]},
        {"done": True, "why": "enough", "usage": {"tokens": 3}},
    ]
    stream = GUARD.wrap_sync(events, format=mine)
    list(stream)
    found = [(call.name, call.id, call.arguments) for call in stream.result.tool_calls]
    assert found == [("f", "a", '{"x": "[codename]"}'), ("g", "b", '{"y": "[codename]"}')]
    assert (stream.result.finish, stream.result.usage) == ("length", {"tokens": 3})


def test_what_is_held_of_a_call_goes_out_in_that_call() -> None:
    mine = JSONFormat("mine", event=CALLS)
    both: Event = {
        "calls": [
            {"index": 0, "id": "a", "name": "f", "args": '{"x": "so"'},
            {"index": 1, "id": "b", "name": "g", "args": '{"y": "blue'},
        ]
    }
    *_, last, end = GUARD.wrap_sync([both, {"done": True}], format=mine)
    assert last == {"calls": [{"index": 1, "id": "b", "args": "blue"}]}
    assert end == {"done": True}


RESULTS = {"results": [{"said": "text", "why": "done"}], "seen": "usage", "made": "usage"}


def test_items_that_are_each_done_are_choices() -> None:
    mine = JSONFormat("mine", event=RESULTS, words={"open": "going on", "stop": "enough"})
    events: list[Event] = [
        {"results": [{"said": "a", "why": "going on"}, {"said": "blue", "why": "going on"}]},
        {"results": [{"said": "b", "why": "end"}, {"said": "bird", "why": "limit"}]},
    ]
    stream = GUARD.wrap_sync(events, format=mine)
    list(stream)
    texts = stream.result.channels
    assert (texts[0, "text"], texts[1, "text"]) == ("ab", "[codename]")


def test_what_the_guard_adds_says_that_an_answer_goes_on() -> None:
    mine = JSONFormat("mine", event=RESULTS, words={"open": "going on"})
    events: list[Event] = [{"results": [{"said": f"so {WORD}", "why": "end"}]}]
    first, last = BLOCK.wrap_sync(events, format=mine)
    assert first == {"results": [{"said": "so ", "why": "going on"}]}
    assert last == {"results": [{"said": "", "why": "content_filter"}]}


def test_fields_of_the_usage_are_one_object() -> None:
    mine = JSONFormat("mine", event=RESULTS)
    stream = GUARD.wrap_sync([{"results": [{"said": "a"}], "made": 2, "seen": 1}], format=mine)
    list(stream)
    assert stream.result.usage == {"seen": 1, "made": 2}


def test_calls_without_a_number_follow_each_other() -> None:
    event = {
        "$by": "type",
        "say": {"text": "text"},
        "call": {"id": "call.id", "name": "call.name"},
        "args": {"part": "tool_args"},
    }
    events = [
        {"type": "call", "id": "a", "name": "f"},
        {"type": "args", "part": '{"x": "blue'},
        {"type": "args", "part": 'bird"}'},
        {"type": "call", "id": "b", "name": "g"},
        {"type": "args", "part": "{}"},
        {"type": "say", "text": "done"},
    ]
    stream = GUARD.wrap_sync(events, format=JSONFormat("mine", event=event))
    list(stream)
    found = [(call.name, call.arguments, call.complete) for call in stream.result.tool_calls]
    assert found == [("f", '{"x": "[codename]"}', True), ("g", "{}", True)]


def test_an_error_fails_the_stream() -> None:
    events = [{"say": "the "}, {"error": {"message": "overloaded"}}]
    stream = GUARD.wrap_sync(events, format=JSONFormat("mine", event=CALLS))
    list(stream)
    assert stream.result.finish == "error"


def test_choices_are_told_apart_by_their_numbers() -> None:
    event = {"answers": [{"n": "choice", "text": "text", "end": "done"}]}
    events = [
        {"answers": [{"n": 1, "text": "blue"}, {"n": 0, "text": "the blue"}]},
        {"answers": [{"n": 0, "text": "bird"}]},
        {"answers": [{"n": 1, "text": "bird"}]},
        {"answers": [{"n": 0, "end": "stop"}, {"n": 1, "end": "stop"}]},
    ]
    stream = GUARD.wrap_sync(events, format=JSONFormat("mine", event=event))
    out = json.dumps([*stream])
    assert out.count("[codename]") == 2
    assert "blue" not in out
    assert "bird" not in out


@pytest.mark.parametrize(
    ("event", "message"),
    [
        ({"a": "txt"}, "event.a: unknown role 'txt', did you mean 'text'?"),
        ({"a": "mark"}, "no field of its events has a role of text"),
        ({"a": ["text", "text"]}, r"event.a: needs a role, an object, or a list with one item"),
        ({"a": "$b"}, "event.a: nothing is defined as 'b'$"),
        ({"a": "copy"}, "event.a: 'copy' needs the text that it is a kind of: 'copy text'"),
        ({"a": {"id": None}}, "event.a.id: needs a role, .* quote names with a comma in braces"),
        ({"a": "cpy $b"}, "event.a: unknown kind 'cpy', did you mean 'copy'?"),
        ({"a": {"$tre": "text"}}, r"event.a: unknown '\$tre', did you mean '\$tree'?"),
    ],
)
def test_a_description_that_cannot_be_read_says_where(event: Event, message: str) -> None:
    with pytest.raises(ValueError, match=message.replace("?", r"\?")):
        JSONFormat("mine", event=event)


def test_a_policy_describes_a_format() -> None:
    policy = {"formats": {"mine": {"event": CALLS, "words": {"content_filter": "filtered"}}}}
    rules = {"rules": [{"id": "name", "words": [WORD], "action": "block"}]}
    guard = _guard(json.dumps({**policy, **rules}))
    out = [*guard.wrap_sync([{"say": "the blue"}, {"say": "bird"}], format="mine")]
    assert out == [{"say": "the "}, {"done": True, "why": "filtered"}]


def test_paths_and_events_are_not_mixed() -> None:
    with pytest.raises(ValueError, match="text= and event= both say what events hold"):
        JSONFormat("mine", text="$.a", event={"a": "text"})


def _like(base: str, event: Event) -> Guard:
    rules = {"rules": [{"id": "name", "words": [WORD], "replacement": "[codename]"}]}
    return _guard(json.dumps({"formats": {"mine": {"like": base, "event": event}}, **rules}))


def _chunk(**delta: str) -> Event:
    return {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": delta}]}


def test_a_format_is_like_another_one_with_changes() -> None:
    event = {"choices": [{"delta": {"say": "text", "plan": "thinking.plan"}}], "trace": "mark"}
    events = [
        _chunk(plan="so blue"),
        _chunk(plan="bird"),
        _chunk(say="the blue"),
        _chunk(say="bird"),
    ]
    stream = _like("openai_chat", event).wrap_sync(events)
    out = json.dumps([*stream])
    assert stream.result.text == "the [codename]"
    assert stream.result.channels[0, "thinking"] == "so [codename]"
    assert "blue" not in out


def test_a_format_is_like_one_that_is_described_in_one_piece() -> None:
    with pytest.raises(PolicyError, match="no format 'opena_chat', did you mean 'openai_chat'"):
        _like("opena_chat", {"say": "text"})
    for base in ("strands", "langchain"):
        with pytest.raises(PolicyError, match=f"no format like '{base}' can be described"):
            _like(base, {"say": "text"})


def _left(source: list[Event], event: Event) -> str:
    return json.dumps([*BLOCK.wrap_sync(source, format=JSONFormat("mine", event=event))])


def test_what_ends_a_blocked_stream_repeats_nothing_of_its_last_event() -> None:
    error = {"text": "text", "error": "error", "stop": "done"}
    out = _left([{"text": "hi "}, {"error": "the bluebird", "stop": "x"}], error)
    assert out == json.dumps(
        [{"text": "hi "}, {"error": "the ", "stop": None}, {"error": "", "stop": True}]
    )
    kinds = {
        "$by": "type",
        "say": {"text": "text"},
        "end": {"type": "done", "all": "whole text.all"},
    }
    events = [{"type": "say", "text": "hi "}, {"type": "end", "all": "hi bluebird"}]
    assert _left(events, kinds) == json.dumps([events[0], {"type": "end"}])


def test_a_call_does_not_part_a_text_where_calls_have_numbers() -> None:
    events = [
        {"say": "blue"},
        {"calls": [{"index": 0, "name": "f", "args": "{}"}]},
        {"say": "bird"},
    ]
    stream = GUARD.wrap_sync(events, format=JSONFormat("mine", event=CALLS))
    list(stream)
    assert stream.result.text == "[codename]"


def test_blocks_tell_their_calls_apart() -> None:
    event = {
        "$by": "type",
        "open": {"block": "by", "id": "call.id", "name": "call.name"},
        "more": {"block": "by", "json": "tool_args"},
        "say": {"text": "text"},
    }
    events = [
        {"type": "open", "block": 1, "id": "a", "name": "f"},
        {"type": "open", "block": 2, "id": "b", "name": "g"},
        {"type": "more", "block": 1, "json": '{"x": "blue'},
        {"type": "more", "block": 2, "json": '{"y": "so"}'},
        {"type": "more", "block": 1, "json": 'bird"}'},
    ]
    stream = GUARD.wrap_sync(events, format=JSONFormat("mine", event=event))
    list(stream)
    found = [(call.name, call.arguments) for call in stream.result.tool_calls]
    assert found == [("f", '{"x": "[codename]"}'), ("g", '{"y": "so"}')]


def test_an_echo_is_what_was_said_last() -> None:
    event = {"text": "text", "again": "echo text"}
    events = [{"text": "the bluebird", "again": "the bluebird"}, {"text": " so", "again": " so"}]
    mine = JSONFormat("mine", event=event)
    assert [*NOTHING.wrap_sync(events, format=mine)] == events
    assert "blue" not in json.dumps([*GUARD.wrap_sync(events, format=mine)])


def test_what_ends_an_answer_may_be_an_object() -> None:
    mine = JSONFormat("mine", event={"text": "text", "end": "done"})
    stream = GUARD.wrap_sync([{"text": "so"}, {"end": {"of": ["it"]}}], format=mine)
    assert len(list(stream)) == 2
    assert stream.result.finish == "stop"
