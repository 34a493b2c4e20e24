"""Streams to users' interfaces: Vercel's UI messages and data stream, and AG-UI's events."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from guardstream import Guard, Policy
from guardstream.providers import detect
from guardstream.providers.protocols.ui_messages import UIMessages
from tests.providers.laws import (
    ARGUMENTS,
    GUARD,
    MASKED,
    cuttings,
    events,
    guarded,
    in_any_cut,
    left_raw,
    unchanged,
)

Event = dict[str, Any]


def ui(pieces: Sequence[str]) -> list[Event]:
    call = {"toolCallId": "call_1", "toolName": "find"}
    return [
        {"type": "start", "messageId": "m"},
        {"type": "start-step"},
        {"type": "reasoning-start", "id": "r"},
        *({"type": "reasoning-delta", "id": "r", "delta": piece} for piece in pieces),
        {"type": "reasoning-end", "id": "r"},
        {"type": "text-start", "id": "t"},
        *({"type": "text-delta", "id": "t", "delta": piece} for piece in pieces),
        {"type": "text-end", "id": "t"},
        {"type": "tool-input-start", **call},
        *(
            {"type": "tool-input-delta", "toolCallId": "call_1", "inputTextDelta": piece}
            for piece in pieces
        ),
        {"type": "tool-input-available", **call, "input": json.loads("".join(pieces))},
        {"type": "tool-output-available", "toolCallId": "call_1", "output": {"a": "a secret"}},
        {"type": "data-weather", "id": "d", "data": {"city": "a secret"}},
        {"type": "finish-step"},
        {"type": "finish"},
    ]


def ag_ui(pieces: Sequence[str]) -> list[Event]:
    return [
        {"type": "RUN_STARTED", "threadId": "t", "runId": "r"},
        {"type": "THINKING_START", "title": "a secret"},
        {"type": "THINKING_TEXT_MESSAGE_START"},
        *({"type": "THINKING_TEXT_MESSAGE_CONTENT", "delta": piece} for piece in pieces),
        {"type": "THINKING_TEXT_MESSAGE_END"},
        {"type": "TEXT_MESSAGE_START", "messageId": "m", "role": "assistant"},
        *({"type": "TEXT_MESSAGE_CONTENT", "messageId": "m", "delta": piece} for piece in pieces),
        {"type": "TEXT_MESSAGE_END", "messageId": "m"},
        {"type": "TOOL_CALL_START", "toolCallId": "call_1", "toolCallName": "find"},
        *({"type": "TOOL_CALL_ARGS", "toolCallId": "call_1", "delta": piece} for piece in pieces),
        {"type": "TOOL_CALL_END", "toolCallId": "call_1"},
        {"type": "TOOL_CALL_RESULT", "toolCallId": "call_1", "content": "a secret"},
        {"type": "STATE_DELTA", "delta": [{"op": "add", "path": "/a", "value": "a secret"}]},
        {"type": "RUN_FINISHED", "threadId": "t", "runId": "r"},
    ]


def data(pieces: Sequence[str]) -> list[Event]:
    return [
        {"f": {"messageId": "m"}},
        *({"g": piece} for piece in pieces),
        *({"0": piece} for piece in pieces),
        {"b": {"toolCallId": "call_1", "toolName": "find"}},
        *({"c": {"toolCallId": "call_1", "argsTextDelta": piece}} for piece in pieces),
        {"9": {"toolCallId": "call_2", "toolName": "find", "args": {"q": "a secret"}}},
        {"a": {"toolCallId": "call_2", "result": "a secret"}},
        {"2": [{"note": "a secret"}]},
        {"e": {"finishReason": "stop", "usage": {"promptTokens": 1}, "isContinued": False}},
        {"d": {"finishReason": "stop", "usage": {"promptTokens": 1, "completionTokens": 2}}},
    ]


def coded(chunks: Sequence[Event]) -> bytes:
    """Chunks as lines of a data stream."""
    lines = [f"{code}:{json.dumps(value)}\n" for each in chunks for code, value in each.items()]
    return "".join(lines).encode()


FORMATS = {"ui_messages": ui, "ag_ui": ag_ui, "data_stream": data}


def strings(value: Any) -> Iterator[str]:
    for each in value.values() if isinstance(value, dict) else value:
        if isinstance(each, str):
            yield each
        elif isinstance(each, (dict, list)):
            yield from strings(each)


@pytest.mark.parametrize("name", FORMATS)
def test_every_text_is_masked_in_any_cut(name: str) -> None:
    for pieces in cuttings(ARGUMENTS):
        source = FORMATS[name](pieces)
        out, result = guarded(source, name)
        assert result.finish == "stop"
        assert [next(iter(strings([each]))) for each in out][-1:] == [
            next(iter(strings([each]))) for each in source
        ][-1:]


@pytest.mark.parametrize("name", FORMATS)
def test_an_empty_policy_changes_nothing(name: str) -> None:
    source = FORMATS[name](["a", " b"]) if name != "ui_messages" else ui(['{"a"', ": 1}"])
    assert unchanged(source)
    wire = coded(source) if name == "data_stream" else events(*source)
    assert in_any_cut(wire) == wire
    assert detect(source[0]).name == name  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", FORMATS)
def test_a_block_ends_what_is_open(name: str) -> None:
    guard = Guard(Policy.parse("block_message: no\nrules: [{id: b, words: [bad], action: block}]"))
    stream = guard.wrap_sync(FORMATS[name](['"so ', 'bad "']))
    out = list(stream)
    assert "bad" not in str(out)
    assert stream.finish == "content_filter"
    ends = {
        "ui_messages": ["finish"],
        "ag_ui": ["RUN_FINISHED"],
        "data_stream": [],
    }
    assert [each["type"] for each in out[-1:] if "type" in each] == ends[name]
    assert "no" in list(strings(out))
    if name == "ag_ui":
        assert out[-1] == {"type": "RUN_FINISHED", "threadId": "t", "runId": "r"}


def test_a_word_over_two_texts_of_a_message_is_found() -> None:
    texts = [
        [
            {"type": "text-start", "id": name},
            {"type": "text-delta", "id": name, "delta": said},
            {"type": "text-end", "id": name},
        ]
        for name, said in (("1", "a sec"), ("2", "ret."))
    ]
    stream = GUARD.wrap_sync([{"type": "start"}, *texts[0], *texts[1], {"type": "finish"}])
    out = list(stream)
    assert stream.result.text == "a ######."
    assert [each["type"] for each in out].count("text-end") == 2


def several_of_ui(pieces: Sequence[str]) -> list[Event]:
    """Two texts at a time, as two models write them into one message; a call comes between."""
    call = {"type": "tool-input-start", "toolCallId": "c", "toolName": "find"}
    said = [{"type": "text-delta", "id": name, "delta": p} for p in pieces for name in "ab"]
    half = len(said) // 2
    return [
        {"type": "start"},
        *({"type": "text-start", "id": name} for name in "ab"),
        *(*said[:half], call, *said[half:]),
        *({"type": "text-end", "id": name} for name in "ab"),
        {"type": "finish"},
    ]


def several_of_ag_ui(pieces: Sequence[str]) -> list[Event]:
    """Two messages at a time, as two agents write them."""
    call = {"type": "TOOL_CALL_START", "toolCallId": "c", "toolCallName": "find"}
    said = [
        {"type": "TEXT_MESSAGE_CONTENT", "messageId": name, "delta": piece}
        for piece in pieces
        for name in "ab"
    ]
    half = len(said) // 2
    return [
        {"type": "RUN_STARTED", "threadId": "t", "runId": "r"},
        *({"type": "TEXT_MESSAGE_START", "messageId": name} for name in "ab"),
        *(*said[:half], call, *said[half:]),
        *({"type": "TEXT_MESSAGE_END", "messageId": name} for name in "ab"),
        {"type": "RUN_FINISHED", "threadId": "t", "runId": "r"},
    ]


@pytest.mark.parametrize("make", [several_of_ui, several_of_ag_ui])
def test_texts_at_the_same_time_are_texts_of_their_own(make: Any) -> None:
    for pieces in (*cuttings("it is a secret."), ["it is a sec", "ret."]):
        said = {"a": "", "b": ""}
        kinds = []
        for event in GUARD.wrap_sync(make(pieces)):
            kinds.append(event["type"])
            if "delta" in event:
                said[event.get("id") or event["messageId"]] += event["delta"]
        assert said == dict.fromkeys("ab", "it is a ######.")
        assert kinds[-3:] == [event["type"] for event in make(pieces)][-3:]


@pytest.mark.parametrize("make", [several_of_ui, several_of_ag_ui])
def test_an_empty_policy_changes_nothing_in_texts_at_the_same_time(make: Any) -> None:
    assert unchanged(make(["a sec", "ret"]))


CALLS_OF_UI: list[list[Event]] = [
    [
        {"type": "tool-input-start", "toolCallId": "c", "toolName": "find"},
        {"type": "tool-input-delta", "toolCallId": "c", "inputTextDelta": "{}"},
        {"type": "tool-input-available", "toolCallId": "c", "toolName": "find", "input": {}},
    ],
    [{"type": "tool-input-available", "toolCallId": "c", "toolName": "find", "input": {}}],
    [{"type": "tool-call", "toolCallId": "c", "toolName": "find", "input": "{}"}],
]
CALL_OF_AG_UI: list[Event] = [
    {"type": "TOOL_CALL_START", "toolCallId": "c", "toolCallName": "find"},
    {"type": "TOOL_CALL_END", "toolCallId": "c"},
]


def around_call(call: Sequence[Event]) -> list[Event]:
    """A text that is open while a model makes a call, and continues after it."""
    start, content, end = "text-start", "text-delta", "text-end"
    name = "id"
    if call is CALL_OF_AG_UI:
        start, content, end = (f"TEXT_MESSAGE_{at}" for at in ("START", "CONTENT", "END"))
        name = "messageId"
    text: Event = {"type": content, name: "t"}
    return [
        {"type": start, name: "t"},
        {**text, "delta": "it is a sec"},
        *call,
        {**text, "delta": "ret."},
        {"type": end, name: "t"},
    ]


@pytest.mark.parametrize("call", [*CALLS_OF_UI, CALL_OF_AG_UI])
def test_a_call_does_not_end_a_text_that_is_open(call: list[Event]) -> None:
    source = around_call(call)
    out = list(GUARD.wrap_sync(source))
    assert "".join(event.get("delta", "") for event in out) == "it is a ######."
    assert [event["type"] for event in in_order(out)] == [event["type"] for event in source]


@pytest.mark.parametrize("call", [*CALLS_OF_UI, CALL_OF_AG_UI])
def test_a_text_that_ends_after_a_call_is_not_continued_by_the_next(call: list[Event]) -> None:
    *first, more, end = around_call(call)
    own = "messageId" if call is CALL_OF_AG_UI else "id"
    source = [*first, end, *({**event, own: "u"} for event in (first[0], more, end))]
    assert unchanged(source)


@pytest.mark.parametrize("message", ["", "block_message: sorry\n"])
@pytest.mark.parametrize("action", ["block", "stop"])
def test_a_run_of_ag_ui_in_which_a_call_is_cut_fails_and_ends_no_call(
    action: str, message: str
) -> None:
    rule = f"rules: [{{id: w, words: [forbidden], action: {action}}}]"
    guard = Guard(Policy.parse(message + rule))
    begun, *_, end = ag_ui([])
    step = {"type": "STEP_STARTED", "stepName": "plan"}
    args = {"type": "TOOL_CALL_ARGS", "toolCallId": "c"}
    pieces = [{**args, "delta": each} for each in ('{"q": "so for', 'bidden"}')]
    call, over = CALL_OF_AG_UI
    kinds = [each["type"] for each in guard.wrap_sync([begun, step, call, *pieces, over, end])]
    assert "TOOL_CALL_END" not in kinds
    assert kinds[-2:] == ["STEP_FINISHED", "RUN_ERROR"]
    assert ("TEXT_MESSAGE_END" in kinds) == (message != "" and action == "block")


@pytest.mark.parametrize(
    ("action", "rest"),
    [("block", 'bidden"}'), ("stop", 'bidden"}'), ("block", "bid"), ("stop", "bid")],
)
def test_a_run_of_ag_ui_in_which_a_call_in_chunks_is_cut_fails(action: str, rest: str) -> None:
    rule = f"rules: [{{id: w, pattern: 'forbidden|forbid\\Z', action: {action}}}]"
    begun, *_, end = ag_ui([])
    first = {"toolCallId": "c", "toolCallName": "find", "delta": '{"q": "so for'}
    call = [{"type": "TOOL_CALL_CHUNK", **each} for each in (first, {"delta": rest})]
    text = [{"type": "TEXT_MESSAGE_CHUNK", "messageId": "m", "delta": "forbidden"}]
    for source in ([begun, *call, end], [begun, call[0], *text, end]):
        out = list(Guard(Policy.parse(rule)).wrap_sync(source))
        assert out[-1]["type"] == "RUN_ERROR"
    whole = [begun, call[0] | {"delta": '{"q": 1}'}, *text, end]
    assert list(Guard(Policy.parse(rule)).wrap_sync(whole))[-1] == end


@pytest.mark.parametrize("action", ["block", "stop"])
def test_a_call_that_is_cut_where_it_ends_does_not_end(action: str) -> None:
    guard = Guard(Policy.parse(f"rules: [{{id: w, pattern: 'forbid\\Z', action: {action}}}]"))
    begun, *_, end = ag_ui([])
    call, over = CALL_OF_AG_UI
    args = {"type": "TOOL_CALL_ARGS", "toolCallId": "c", "delta": '{"q": "so forbid'}
    kinds = [each["type"] for each in guard.wrap_sync([begun, call, args, over, end])]
    assert kinds == ["RUN_STARTED", "TOOL_CALL_START", "TOOL_CALL_ARGS", "RUN_ERROR"]


def test_a_run_of_ag_ui_that_is_blocked_after_a_call_finishes() -> None:
    begun, *_, end = ag_ui([])
    text = {"type": "TEXT_MESSAGE_CONTENT", "messageId": "m", "delta": "forbidden"}
    start = {"type": "TEXT_MESSAGE_START", "messageId": "m", "role": "assistant"}
    out = list(GUARD.wrap_sync([begun, *CALL_OF_AG_UI, start, text, end]))
    assert [each["type"] for each in out[-2:]] == ["TEXT_MESSAGE_END", "RUN_FINISHED"]


FORBIDDEN_IN_UI: list[Event] = [
    {"type": "tool-input-available", "toolCallId": "c", "toolName": "f", "input": "forbidden"},
    {"type": "tool-output-available", "toolCallId": "c", "output": "forbidden"},
    {"type": "reasoning-delta", "id": "r", "delta": "forbidden"},
    {"type": "tool-input-start", "toolCallId": "c", "toolName": "forbidden"},
]
FORBIDDEN_IN_AG_UI: list[Event] = [
    {"type": "TOOL_CALL_ARGS", "toolCallId": "c", "delta": "forbidden"},
    {"type": "TOOL_CALL_RESULT", "messageId": "n", "toolCallId": "c", "content": "forbidden"},
    {"type": "CUSTOM", "name": "told", "value": "forbidden"},
]


@pytest.mark.parametrize("said", ["it is all.", "it is a sec"])
@pytest.mark.parametrize("blocked", [*FORBIDDEN_IN_UI, *FORBIDDEN_IN_AG_UI])
def test_a_block_message_after_the_end_of_a_text_is_a_text_of_its_own(
    blocked: Event, said: str
) -> None:
    policy = """
block_message: no
rules:
  - {id: word, words: [secret], replacement: "#"}
  - {id: bad, words: [forbidden], action: block}
"""
    start, content, end = (f"TEXT_MESSAGE_{at}" for at in ("START", "CONTENT", "END"))
    name = "messageId"
    if blocked in FORBIDDEN_IN_UI:
        start, content, end, name = "text-start", "text-delta", "text-end", "id"
    text = [{"type": start, name: "t"}, {"type": content, name: "t", "delta": said}]
    source = [*text, {"type": end, name: "t"}, blocked]
    out = list(Guard(Policy.parse(policy)).wrap_sync(source))
    kinds = (start, content, end)
    found = [(event["type"], event[name]) for event in out if event["type"] in kinds]
    found = [*dict.fromkeys(found)]
    own = found[-1][1]
    assert own != "t"
    assert found == [(kind, each) for each in ("t", own) for kind in kinds]
    shown = [
        "".join(e["delta"] for e in out if e["type"] == content and e[name] == each)
        for each in ("t", own)
    ]
    assert shown == [said, "no"]


def test_a_text_after_several_at_the_same_time_continues_the_last() -> None:
    source = several_of_ui(["so ", "a sec"])[:-1]
    source += [{"type": "text-start", "id": "c"}, {"type": "text-delta", "id": "c", "delta": "ret"}]
    source += [{"type": "text-end", "id": "c"}, {"type": "finish"}]
    out = list(GUARD.wrap_sync(source))
    said = {name: [e["delta"] for e in out if "delta" in e and e["id"] == name] for name in "abc"}
    assert {name: "".join(said[name]) for name in said} == {
        "a": "so a sec",
        "b": "so a ",
        "c": "######",
    }


STEP = {"type": "STEP_STARTED", "stepName": "plan"}
SPANS: list[tuple[list[Event], list[Event]]] = [
    ([STEP], [{"type": "STEP_FINISHED", "stepName": "plan"}]),
    (
        [{**STEP, "stepName": "a"}, {**STEP, "stepName": "b"}],
        [{"type": "STEP_FINISHED", "stepName": name} for name in "ba"],
    ),
    ([STEP, {"type": "STEP_FINISHED", "stepName": "plan"}], []),
    (
        [{"type": "REASONING_START", "messageId": "r1"}],
        [{"type": "REASONING_END", "messageId": "r1"}],
    ),
    ([{"type": "THINKING_START"}], [{"type": "THINKING_END"}]),
    (
        [
            {"type": "SUBAGENT_STARTED", "subagentRunId": "s1", "name": "helper"},
            {**STEP, "subagentRunId": "s1"},
        ],
        [
            {"type": "STEP_FINISHED", "stepName": "plan", "subagentRunId": "s1"},
            {"type": "SUBAGENT_FINISHED", "subagentRunId": "s1"},
        ],
    ),
    (
        [
            {"type": "SUBAGENT_STARTED", "subagentRunId": "s1", "name": "helper"},
            {"type": "SUBAGENT_ERROR", "subagentRunId": "s1", "message": "a"},
        ],
        [],
    ),
]


@pytest.mark.parametrize(("begun", "ended"), SPANS)
def test_a_blocked_run_of_ag_ui_ends_what_it_is_in_the_middle_of(
    begun: list[Event], ended: list[Event]
) -> None:
    run = {"threadId": "t", "runId": "r"}
    said = {"type": "TEXT_MESSAGE_CONTENT", "messageId": "m", "delta": "so forbidden."}
    source = [{"type": "RUN_STARTED", **run}, *begun]
    source += [{"type": "TEXT_MESSAGE_START", "messageId": "m"}, said]
    end = {"type": "TEXT_MESSAGE_END", "messageId": "m"}
    out = list(GUARD.wrap_sync(source))
    assert out[len(source) :] == [end, *ended, {"type": "RUN_FINISHED", **run}]


@pytest.mark.parametrize(
    ("blocked", "left"),
    [
        ({"type": "RUN_ERROR", "message": "forbidden"}, {"type": "RUN_ERROR", "message": ""}),
        (
            {"type": "RUN_FINISHED", "threadId": "t", "runId": "r", "result": ["so", "forbidden"]},
            {"type": "RUN_FINISHED", "threadId": "t", "runId": "r", "result": ["so", ""]},
        ),
    ],
)
def test_a_run_of_ag_ui_that_is_blocked_in_its_end_ends_once(blocked: Event, left: Event) -> None:
    policy = "block_message: no\nrules: [{id: b, words: [forbidden], action: block}]"
    begun = [{"type": "RUN_STARTED", "threadId": "t", "runId": "r"}, STEP]
    out = list(Guard(Policy.parse(policy)).wrap_sync([*begun, blocked]))
    kinds = [event["type"] for event in out[len(begun) :]]
    said = [f"TEXT_MESSAGE_{at}" for at in ("START", "CONTENT", "END")]
    assert kinds == [*said, "STEP_FINISHED", left["type"]]
    assert out[-1] == left


def in_a_run(*between: Event) -> list[Event]:
    run = {"threadId": "t", "runId": "r"}
    return [{"type": "RUN_STARTED", **run}, *between, {"type": "RUN_FINISHED", **run}]


def message(*said: str, own: str = "m") -> list[Event]:
    """A message of AG-UI."""
    start, content, end = (f"TEXT_MESSAGE_{at}" for at in ("START", "CONTENT", "END"))
    begin: Event = {"type": start, "messageId": own, "role": "assistant"}
    texts = [{"type": content, "messageId": own, "delta": text} for text in said]
    return [begin, *texts, {"type": end, "messageId": own}]


def part(*said: str, own: str = "t") -> list[Event]:
    """A text of a UI message."""
    texts = [{"type": "text-delta", "id": own, "delta": text} for text in said]
    return [{"type": "text-start", "id": own}, *texts, {"type": "text-end", "id": own}]


AFTER_A_TEXT: list[list[Event]] = [
    [STEP, {"type": "STEP_FINISHED", "stepName": "plan"}],
    [STEP],
    [{"type": "STATE_SNAPSHOT", "snapshot": {"a": "so"}}],
    [{"type": "CUSTOM", "name": "told", "value": "so"}],
    [{"type": "REASONING_START", "messageId": "r1"}],
    [*CALL_OF_AG_UI],
]


ENDS = {
    "TEXT_MESSAGE_START": "TEXT_MESSAGE_END",
    "TOOL_CALL_START": "TOOL_CALL_END",
    "REASONING_START": "REASONING_END",
}


@pytest.mark.parametrize("after", AFTER_A_TEXT)
def test_what_came_after_a_blocked_text_of_ag_ui_neither_goes_out_nor_is_ended(
    after: list[Event],
) -> None:
    source = in_a_run(*message("so ", "forbidden"), *after)
    out = list(GUARD.wrap_sync(source))
    begun = [each["type"] for each in out]
    ended = [ENDS[kind] for kind in begun if kind in ENDS]
    assert sorted(ended) == sorted(kind for kind in begun if kind in ENDS.values())
    assert out[:3] == source[:3]
    assert out[-1] == source[-1]
    assert not {"", "STATE_SNAPSHOT", "CUSTOM", "STEP_STARTED"} & {*begun}


def test_a_text_that_waited_when_the_stream_was_blocked_is_not_ended() -> None:
    told = {"type": "data-x", "data": {"t": "forbidden"}}
    source = [{"type": "start"}, *part("a sec"), told, *part(" so", own="u"), {"type": "finish"}]
    out = list(GUARD.wrap_sync(source))
    texts = [event for event in out if event["type"].startswith("text-")]
    assert texts == part("a ")


def test_what_is_held_of_a_text_whose_end_went_out_is_said_in_another() -> None:
    told = {"type": "message-metadata", "messageMetadata": {"m": "enough!"}}
    first, second = part("a sec"), part(" so", own="u")
    stream = GUARD.wrap_sync([{"type": "start", "messageId": "a1"}, *first, told, *second])
    out = [event for event in stream if event["type"] in {each["type"] for each in first}]
    assert stream.finish == "stop"
    assert out == [*part("a "), *part("sec")]


def in_chunks(*said: str, own: str = "m") -> list[Event]:
    """A message of AG-UI that no event begins or ends."""
    return [{"type": "TEXT_MESSAGE_CHUNK", "messageId": own, "delta": text} for text in said]


@pytest.mark.parametrize("text", [message, in_chunks])
def test_each_message_of_ag_ui_is_a_text(text: Any) -> None:
    def of_two(first: str, second: str) -> list[Event]:
        return in_a_run(*text(*first), *text(*second, own="n"))

    stream = GUARD.wrap_sync(of_two("hello", "secret"))
    masked = "".join(event.get("delta", "") for event in stream)
    assert masked == "hello######"
    assert [(found.rule, found.start) for found in stream.findings] == [("word", 0)]
    split = GUARD.wrap_sync(of_two("a sec", "ret"))
    said = {"m": "", "n": ""}
    for event in split:
        if "delta" in event:
            said[event["messageId"]] += event["delta"]
    assert said == {"m": "a sec", "n": "ret"}
    assert not split.findings


@pytest.mark.parametrize("release", ["sentence", "complete"])
def test_a_message_of_ag_ui_keeps_text_that_waits_for_its_unit(release: str) -> None:
    guard = Guard(Policy.parse(f"limits: {{release: {release}}}"))
    source = in_a_run(*message("so"), *message("it is", own="n"))
    assert list(guard.wrap_sync(source)) == source
    chunks = [*in_chunks("so"), *in_chunks("it is", own="n")]
    openings = [{name: each[name] for name in ("type", "messageId")} for each in chunks]
    out = list(guard.wrap_sync(in_a_run(*chunks)))
    assert out == in_a_run(openings[0], chunks[0], openings[1], chunks[1])


@pytest.mark.parametrize("text", [part, message])
@pytest.mark.parametrize("more", ["", "limits: {max_chars: 99, release: sentence}"])
def test_a_rule_stops_at_the_end_of_a_text_if_a_call_follows(text: Any, more: str) -> None:
    policy = f"rules: [{{id: s, words: [enough], action: stop}}]\n{more}"
    begin, calls = {"type": "start", "messageId": "a1"}, CALLS_OF_UI[0]
    if text is message:
        begin, calls = in_a_run()[0], CALL_OF_AG_UI
    for said in cuttings("so enough"):
        stream = Guard(Policy.parse(policy)).wrap_sync([begin, *text(*said), *calls])
        out = list(stream)
        texts = [event["type"] for event in text("so ")]
        assert [*dict.fromkeys(event["type"] for event in out[:-1])] == [begin["type"], *texts]
        assert (stream.finish, stream.result.text) == ("stop", "so ")
        assert [found.rule for found in stream.findings] == ["s"]


@pytest.mark.parametrize("text", [part, message])
@pytest.mark.parametrize(
    ("policy", "said", "found"),
    [
        ("json: {on_violation: stop}", '{"a": 1', ["json"]),
        ("json: {on_violation: stop, fences: strip}", "none", ["json"]),
        ("json: {schema: {minimum: 30}, on_violation: stop}", "29", ["json"]),
        ("json: {after: stop}", "42", []),
    ],
)
def test_what_stops_json_at_the_end_of_a_text_stops_the_stream(
    text: Any, policy: str, said: str, found: list[str]
) -> None:
    begin, calls = {"type": "start", "messageId": "a1"}, CALLS_OF_UI[0]
    if text is message:
        begin, calls = in_a_run()[0], CALL_OF_AG_UI
    called = {event["type"] for event in calls}
    for pieces in cuttings(said):
        stream = Guard(Policy.parse(policy)).wrap_sync([begin, *text(*pieces), *calls])
        assert called.isdisjoint(event["type"] for event in stream)
        assert stream.finish == "stop"
        assert [finding.rule for finding in stream.findings] == found


@pytest.mark.parametrize(
    "told",
    [
        {"type": "tool-output-available", "toolCallId": "c", "output": {"a": "so enough"}},
        {"type": "data-x", "data": {"t": "so enough"}},
    ],
)
def test_a_rule_stops_at_the_end_of_a_value(told: Event) -> None:
    source = [{"type": "start", "messageId": "a1"}, told, *part("more"), {"type": "finish"}]
    stream = GUARD.wrap_sync(source)
    assert [event["type"] for event in stream] == ["start", told["type"], "finish"]
    assert stream.finish == "stop"


def test_a_rule_that_only_reports_a_stop_does_not_stop_at_the_end_of_a_text() -> None:
    policy = "mode: shadow\nrules: [{id: s, words: [enough], action: stop}]"
    source = [{"type": "start", "messageId": "a1"}, *part("so enough"), *CALLS_OF_UI[0]]
    stream = Guard(Policy.parse(policy)).wrap_sync(source)
    assert list(stream) == source
    assert [found.rule for found in stream.findings] == ["s"]


STEPS: list[Event] = [{"type": "finish-step"}, {"type": "start-step"}]


def unended(kind: str, name: str, *pieces: str) -> list[Event]:
    """A block of UI messages that nothing ends: clients end it with its step."""
    said = [{"type": f"{kind}-delta", "id": name, "delta": piece} for piece in pieces]
    return [{"type": f"{kind}-start", "id": name}, *said]


def test_thinking_that_ends_with_its_step_goes_out_before_the_steps_end() -> None:
    begin = [{"type": "start", "messageId": "m"}, {"type": "start-step"}]
    for said in cuttings("so sec"):
        source = [*begin, *unended("reasoning", "r", *said), *STEPS, {"type": "finish"}]
        out = list(GUARD.wrap_sync(source))
        assert out[-3:] == [*STEPS, {"type": "finish"}]
        assert "".join(each.get("delta", "") for each in out) == "so sec"


def test_a_text_that_ends_with_its_step_goes_on_in_the_next() -> None:
    begin = [{"type": "start", "messageId": "m"}, {"type": "start-step"}]
    for first, second in zip(cuttings("a sec"), cuttings("ret b"), strict=False):
        source = [*begin, *unended("text", "t1", *first), *STEPS, *unended("text", "t2", *second)]
        stream = GUARD.wrap_sync([*source, {"type": "finish"}])
        assert not left_raw(list(stream))
        assert stream.result.text == "a ###### b"


@pytest.mark.parametrize("kind", ["text", "reasoning"])
def test_what_is_blocked_at_the_end_of_the_stream_ends_it_once(kind: str) -> None:
    policy = "rules: [{id: b, words: [forbidden], action: block}]\nblock_message: sorry"
    said = [*unended(kind, "a", "so forbidden"), *unended("text", "b", " ")]
    source = [{"type": "start", "messageId": "m"}, *said, {"type": "finish"}]
    out = list(Guard(Policy.parse(policy)).wrap_sync(source))
    assert [each for each in out if each["type"] == "finish"] == [out[-1]]
    assert out[-1]["finishReason"] == "content-filter"


def test_the_name_of_a_step_that_is_blocked_is_not_told_at_its_end() -> None:
    source: list[Event] = [{"type": "RUN_STARTED", "threadId": "t", "runId": "r"}]
    source += [{"type": "STEP_STARTED", "stepName": "forbidden"}]
    out = list(GUARD.wrap_sync(source))
    assert "forbidden" not in str(out)
    assert [each.get("stepName") for each in out[1:3]] == ["", ""]


def test_chunks_of_ag_ui_are_gone_on_with_by_chunks() -> None:
    source: list[Event] = [{"type": "RUN_STARTED", "threadId": "t", "runId": "r"}]
    source += [{"type": "TEXT_MESSAGE_CHUNK", "messageId": "m", "delta": d} for d in ("a sec", "!")]
    source += [{"type": "REASONING_MESSAGE_CONTENT", "messageId": "n", "delta": "a sec"}]
    source += [{"type": "RUN_FINISHED", "threadId": "t", "runId": "r"}]
    stream = GUARD.wrap_sync(source)
    out = list(stream)
    assert {each["type"] for each in out} == {each["type"] for each in source}
    assert (stream.result.text, stream.result.thinking) == ("a sec!", "a sec")


def test_lines_of_a_data_stream_are_guarded_on_the_wire() -> None:
    source = coded(data(list("it is a secret.")))
    out = in_any_cut(source, GUARD)
    assert b"######" in out
    text = [json.loads(line[2:]) for line in out.decode().splitlines() if line.startswith("0:")]
    assert "".join(text) == "it is a ######."


def test_done_follows_a_blocked_ui_stream() -> None:
    wire = events(*ui(['"so ', 'forbidden "'])) + b"data: [DONE]\n\n"
    end = b'data: {"type":"finish","finishReason":"content-filter"}\n\ndata: [DONE]\n\n'
    assert in_any_cut(wire, GUARD).endswith(end)


def model(pieces: Sequence[str], *, streamed: bool = True, given: Any = None) -> list[Event]:
    """What a model of the AI SDK streams, and Vercel's AI Gateway."""
    said = [
        {"type": "tool-input-start", "id": "call_1", "toolName": "find"},
        *({"type": "tool-input-delta", "id": "call_1", "delta": piece} for piece in pieces),
        {"type": "tool-input-end", "id": "call_1"},
    ]
    asked = {"type": "tool-call", "toolCallId": "call_1", "toolName": "find"}
    return [
        {"type": "stream-start", "warnings": []},
        {"type": "response-metadata", "id": "r1", "modelId": "m1", "timestamp": "2026-01-01"},
        {"type": "text-start", "id": "0"},
        *({"type": "text-delta", "id": "0", "delta": piece} for piece in pieces),
        {"type": "text-end", "id": "0"},
        *(said if streamed else []),
        {**asked, "input": "".join(pieces) if given is None else given},
        {"type": "source", "sourceType": "url", "id": "s1", "url": "x", "title": "a secret"},
        {"type": "raw", "rawValue": {"said": "a secret"}},
        {
            "type": "finish",
            "finishReason": {"unified": "tool-calls", "raw": "tool_calls"},
            "usage": {"inputTokens": {"total": 5}, "outputTokens": {"total": 7}},
        },
    ]


def test_what_a_model_of_the_ai_sdk_streams_is_guarded_in_any_cut() -> None:
    assert detect(model([])[0]).name == "model_parts"  # type: ignore[attr-defined]
    for pieces in cuttings(ARGUMENTS):
        for source in (
            model(pieces),
            model(pieces, streamed=False),
            model(pieces, given=json.loads(ARGUMENTS)),
        ):
            assert unchanged(source)
            stream = GUARD.wrap_sync(source)
            out = list(stream)
            assert not left_raw(out)
            assert stream.finish == "tool_calls"
            (found,) = stream.result.tool_calls
            assert (found.name, found.id, found.complete) == ("find", "call_1", True)
            asked = next(each["input"] for each in out if each["type"] == "tool-call")
            assert json.loads(found.arguments) == (
                json.loads(asked) if isinstance(asked, str) else asked
            )
            deltas = [each["delta"] for each in out if each["type"] == "tool-input-delta"]
            assert "".join(deltas) in ("", found.arguments)


@pytest.mark.parametrize("streamed", [False, True])
def test_a_blocked_call_of_a_model_is_not_made_and_the_end_is_complete(streamed: bool) -> None:
    source = model(['"so for', 'bidden"'], streamed=streamed)
    source = [each for each in source if not each["type"].startswith("text-")]
    out = list(GUARD.wrap_sync(source))
    kinds = [each["type"] for each in out]
    assert "tool-call" not in kinds
    assert kinds.count("tool-input-start") == kinds.count("tool-input-end")
    why = "content-filter"
    assert out[-1] == {
        "type": "finish",
        "finishReason": {"unified": why, "raw": why},
        "usage": {"inputTokens": {}, "outputTokens": {}},
    }


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        ("rules: [{id: b, words: [bad], action: block}]", {"finishReason": "content-filter"}),
        ("limits: {max_chars: 3}", {"finishReason": "length"}),
        ("rules: [{id: s, words: [bad], action: stop}]", {}),
    ],
)
def test_the_end_of_a_ui_stream_says_why_its_answer_is_cut(
    policy: str, said: dict[str, str]
) -> None:
    guard = Guard(Policy.parse(policy))
    source = ui(['"so ', 'bad "'])
    assert list(guard.wrap_sync(source))[-1] == {"type": "finish", **said}


def ui_call(pieces: Sequence[str], given: Any) -> list[Event]:
    call = {"toolCallId": "call_1", "toolName": "find"}
    deltas = [
        {"type": "tool-input-delta", "toolCallId": "call_1", "inputTextDelta": piece}
        for piece in pieces
    ]
    started = [{"type": "tool-input-start", **call}] if pieces else []
    whole = {"type": "tool-input-available", **call, "input": given}
    return [{"type": "start"}, *started, *deltas, whole, {"type": "finish"}]


def data_call(pieces: Sequence[str], given: Any) -> list[Event]:
    call = {"toolCallId": "call_1", "toolName": "find"}
    deltas = [{"c": {"toolCallId": "call_1", "argsTextDelta": piece}} for piece in pieces]
    started = [{"b": call}] if pieces else []
    end = {"d": {"finishReason": "tool-calls"}}
    return [{"f": {"messageId": "m"}}, *started, *deltas, {"9": {**call, "args": given}}, end]


@pytest.mark.parametrize("make", [ui_call, data_call])
def test_what_repeats_the_streamed_input_of_a_call_is_no_more_of_it(make: Any) -> None:
    whole = '{"q": "a secret"}'
    for pieces in cuttings(whole):
        source = make(pieces, json.loads(whole))
        assert unchanged(source)
        stream = GUARD.wrap_sync(source)
        out = list(stream)
        assert {"q": "a ######"} in [inner for each in out[-2].values() for inner in within(each)]
        (call,) = stream.result.tool_calls
        assert (call.name, call.arguments, call.complete) == ("find", '{"q": "a ######"}', True)
        assert len(stream.findings) == 1


def within(value: Any) -> list[Any]:
    return list(value.values()) if isinstance(value, dict) and "args" in value else [value]


@pytest.mark.parametrize("pieces", [[], ['{"q": "so for'], ['{"q": "so ', 'forbidden"}']])
@pytest.mark.parametrize("make", [ui_call, data_call])
def test_a_call_whose_input_is_blocked_is_not_made(make: Any, pieces: list[str]) -> None:
    stream = GUARD.wrap_sync(make(pieces, {"q": "so forbidden"}))
    out = list(stream)
    assert stream.finish == "content_filter"
    assert not [each for each in out if "9" in each or each.get("type") == "tool-input-available"]
    assert not stream.result.tool_calls[0].complete


def test_an_input_that_is_none_ends_its_call() -> None:
    call = {"toolCallId": "call_1", "toolName": "find"}
    delta = {"type": "tool-input-delta", "toolCallId": "call_1", "inputTextDelta": '{"q": "a sec'}
    for given in ('{"q": "a secret', '{"q": "a secret", "q": 1}', "a secret", {"q": "a secret"}):
        broken = {"type": "tool-input-error", **call, "input": given, "errorText": "a secret"}
        source = [{"type": "start"}, {"type": "tool-input-start", **call}, delta, broken]
        source += [{"type": "tool-input-available", **call, "input": {"q": "another"}}]
        source += [{"type": "text-start", "id": "t"}, {"type": "finish"}]
        assert unchanged(source)
        stream = GUARD.wrap_sync(source)
        assert not left_raw(list(stream))
        assert stream.finish == "stop"


@pytest.mark.parametrize("rest", ["", '"}', '", "b": 1}'])
def test_an_input_that_says_more_than_its_deltas_is_guarded(rest: str) -> None:
    call = {"toolCallId": "call_1", "toolName": "find"}
    said = '{"q": "a sec' + rest
    for given in ('{"q": "a secret', '{"q": "a secret", "q": "a sec"}', '{"q": "a sec"} secret'):
        source = [
            {"type": "start"},
            {"type": "tool-input-start", **call},
            {"type": "tool-input-delta", "toolCallId": "call_1", "inputTextDelta": said},
            {"type": "tool-input-available", **call, "input": given},
        ]
        assert not left_raw(list(GUARD.wrap_sync(source)))


def test_a_stream_goes_on_after_an_error_part() -> None:
    said = [{"type": "text-start", "id": "t"}, {"type": "text-delta", "id": "t", "delta": "a sec"}]
    source = [{"type": "start"}, *said, {"type": "error", "errorText": "a secret"}]
    source += [{"type": "finish-step"}, {"type": "finish", "finishReason": "error"}]
    wire = events(*source) + b"data: [DONE]\n\n"
    assert in_any_cut(wire) == wire
    stream = GUARD.wrap_sync(source)
    assert not left_raw(list(stream))
    assert (stream.finish, stream.result.text) == ("error", "a ")


@pytest.mark.parametrize(
    "first",
    [
        {"type": "data-status", "data": {"status": "so"}, "transient": True},
        {"type": "error", "errorText": "no"},
        {"type": "tool-input-start", "toolCallId": "c", "toolName": "find"},
        {"type": "start", "messageId": "m", "of_later": 1},
        {"type": "data-status", "data": {"status": "so"}, "of_later": 1},
        {"type": "start-step"},
        {"type": "message-metadata", "messageMetadata": {"model": "m-1"}},
        {"type": "source-url", "sourceId": "s", "url": "https://example.com"},
        {"type": "source-document", "sourceId": "s", "mediaType": "text/plain", "title": "no"},
        {"type": "file", "url": "https://example.com/a.png", "mediaType": "image/png"},
        {"type": "tool-output-available", "toolCallId": "c", "output": {}},
        {"type": "tool-approval-response", "approvalId": "a", "approved": True},
        {"type": "text-delta", "id": "t", "delta": "so "},
    ],
)
def test_a_stream_may_begin_with_any_part(first: Event) -> None:
    assert isinstance(detect(first), UIMessages)
    source = [first, {"type": "text-start", "id": "t"}]
    source += [{"type": "text-delta", "id": "t", "delta": piece} for piece in ("a sec", "ret")]
    source += [{"type": "text-end", "id": "t"}, {"type": "finish"}]
    stream = GUARD.wrap_sync(source)
    assert not left_raw(list(stream))
    assert stream.result.text.removeprefix("so ") == "a ######"


def test_what_is_held_of_a_step_goes_out_before_it_is_reset() -> None:
    said = [{"type": "text-start", "id": "t"}, {"type": "text-delta", "id": "t", "delta": "a sec"}]
    call: list[Event] = [
        {"type": "tool-input-start", "toolCallId": "c", "toolName": "find"},
        {"type": "tool-input-delta", "toolCallId": "c", "inputTextDelta": '{"q": "a sec'},
    ]
    again = [{**each, "delta": "ret"} if "delta" in each else each for each in said]
    source: list[Event] = [{"type": "start"}, {"type": "start-step"}, *said, *call]
    source += [{"type": "reset-step"}, *again, {"type": "text-end", "id": "t"}, *call]
    source += [{**call[0], "type": "tool-input-available", "input": {"q": "a sec"}}]
    source += [{"type": "finish"}]
    stream = GUARD.wrap_sync(source)
    out = list(stream)
    kinds = [each["type"] for each in out]
    texts = [(place, each["delta"]) for place, each in enumerate(out) if "delta" in each]
    before = "".join(text for place, text in texts if place < kinds.index("reset-step"))
    after = "".join(text for place, text in texts if place > kinds.index("reset-step"))
    assert (before, after) == ("a sec", "ret")
    held = ["text-delta", "tool-input-delta"]
    kinds = [event["type"] for event in in_order(out)]
    assert kinds == [*(e["type"] for e in source[:6]), *held, *(e["type"] for e in source[6:])]
    assert unchanged(source)


def in_order(source: Sequence[Event]) -> list[Event]:
    """Events, of deltas in a row the first."""
    kept: list[Event] = []
    for each in source:
        if not (kept and "delta" in each["type"] and kept[-1]["type"] == each["type"]):
            kept.append(each)
    return kept


def test_a_block_after_a_reset_ends_no_part_of_before() -> None:
    guard = Guard(Policy.parse("rules: [{id: b, words: [bad], action: block}]"))
    source: list[Event] = [{"type": "start"}, {"type": "text-start", "id": "t"}]
    source += [{"type": "text-delta", "id": "t", "delta": "so"}, {"type": "reset-step"}]
    source += [{"type": "reasoning-start", "id": "r"}]
    source += [{"type": "reasoning-delta", "id": "r", "delta": "bad"}, {"type": "finish"}]
    kinds = [each["type"] for each in guard.wrap_sync(source)]
    assert kinds[-2:] == ["reasoning-end", "finish"]
    assert "text-end" not in kinds


@pytest.mark.parametrize(
    ("said", "finish"),
    [("stop", "stop"), ("length", "length"), ("tool-calls", "tool_calls"), ("other", "stop")],
)
def test_the_reason_of_a_finish_part_is_the_streams(said: str, finish: str) -> None:
    stream = GUARD.wrap_sync([{"type": "start"}, {"type": "finish", "finishReason": said}])
    assert [each["type"] for each in stream] == ["start", "finish"]
    assert stream.finish == finish


def test_citations_of_a_text_are_guarded_at_its_end() -> None:
    cited = [{"type": "url", "url": "https://example.com", "title": "a secret", "text": "no"}]
    for last in ("a sec", "a secret", "so"):
        source: list[Event] = [{"type": "start"}, {"type": "text-start", "id": "t"}]
        source += [{"type": "text-delta", "id": "t", "delta": last}]
        source += [{"type": "text-end", "id": "t", "citations": cited}, {"type": "finish"}]
        out = list(GUARD.wrap_sync(source))
        assert not left_raw(out)
        assert out[-2]["citations"] == [{**cited[0], "title": "a ######"}]


def test_parts_of_a_full_stream_say_their_text_alike() -> None:
    for pieces in cuttings("a secret, no sec"):
        source = [{"type": "start"}, {"type": "text-start", "id": "t"}]
        source += [{"type": "text-delta", "id": "t", "text": piece} for piece in pieces]
        source += [{"type": "text-end", "id": "t"}, {"type": "finish"}]
        stream = GUARD.wrap_sync(source)
        out = list(stream)
        assert "".join(each.get("text", "") for each in out) == "a ######, no sec"
        assert stream.result.text == "a ######, no sec"


def test_what_a_provider_signs_passes() -> None:
    signed = {"anthropic": {"signature": "secret+4==", "note": "a secret"}}
    source: list[Event] = [
        {"type": "start"},
        {"type": "reasoning-start", "id": "r"},
        {"type": "reasoning-end", "id": "r", "providerMetadata": signed},
    ]
    last = list(GUARD.wrap_sync(source))[-1]["providerMetadata"]["anthropic"]
    assert last == {"signature": "secret+4==", "note": "a ######"}


def test_chunks_that_nothing_begins_say_a_text_or_a_call() -> None:
    for pieces in cuttings(ARGUMENTS):
        source: list[Event] = [{"type": "RUN_STARTED", "threadId": "t", "runId": "r"}]
        for kind, first in (
            ("REASONING_MESSAGE_CHUNK", {"messageId": "r"}),
            ("TEXT_MESSAGE_CHUNK", {"messageId": "m"}),
            ("TOOL_CALL_CHUNK", {"toolCallId": "call_1", "toolCallName": "find"}),
        ):
            rest = [{"type": kind, "delta": piece} for piece in pieces[1:]]
            source += [{"type": kind, "delta": pieces[0], **first}, *rest]
        source += [{"type": "RUN_FINISHED", "threadId": "t", "runId": "r"}]
        assert unchanged(source)
        stream = GUARD.wrap_sync(source)
        assert not left_raw(list(stream))
        result = stream.result
        assert (result.text, result.thinking) == (MASKED, MASKED)
        (call,) = result.tool_calls
        assert (call.name, call.id, call.arguments) == ("find", "call_1", MASKED)
        assert call.complete


@pytest.mark.parametrize("kind", ["REASONING_MESSAGE_CHUNK", "TEXT_MESSAGE_CHUNK"])
@pytest.mark.parametrize(("mask", "pieces"), [("#", ["sec", "ret so"]), ("", ["secret", " so"])])
def test_the_first_chunk_of_a_message_goes_out_with_its_id_if_its_text_does_not(
    kind: str, mask: str, pieces: list[str]
) -> None:
    guard = Guard(Policy.parse(f"rules: [{{id: w, words: [secret], replacement: '{mask}'}}]"))
    source: list[Event] = [{"type": "RUN_STARTED", "threadId": "t", "runId": "r"}]
    for own in ("m", "n"):
        source += [{"type": kind, "messageId": own, "delta": pieces[0]}]
        source += [{"type": kind, "delta": text} for text in (pieces[1], " it")]
    out = [
        (each.get("messageId"), each.get("delta"))
        for each in guard.wrap_sync(source)
        if each["type"] == kind
    ]
    said = "###### so" if mask == "#" else " so"
    assert out == [
        *[("m", None), (None, said), (None, " it")],
        *[("n", None), (None, said), (None, " it")],
    ]


@pytest.mark.parametrize("pieces", list(cuttings("a secret, no sec")))
def test_the_event_that_an_event_was_made_of_shows_no_more_than_it_does(pieces: list[str]) -> None:
    at = {"messageId": "m"}
    source: list[Event] = [
        {"type": "RUN_STARTED", "threadId": "t", "runId": "r"},
        {"type": "TEXT_MESSAGE_START", **at, "role": "assistant"},
        *(
            {
                "type": "TEXT_MESSAGE_CONTENT",
                **at,
                "delta": piece,
                "rawEvent": {"event": "on_chat_model_stream", "data": {"content": piece}},
            }
            for piece in pieces
        ),
        {"type": "TEXT_MESSAGE_END", **at},
        {"type": "RUN_FINISHED", "threadId": "t", "runId": "r"},
    ]
    assert unchanged(source)
    out = list(GUARD.wrap_sync(source))
    deltas = [event for event in out if "delta" in event]
    assert "".join(event["delta"] for event in deltas) == "a ######, no sec"
    for event in deltas:
        assert not event.get("rawEvent") or event["rawEvent"]["data"]["content"] == event["delta"]
