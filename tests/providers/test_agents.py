"""Streams of agents' runs, as objects with the fields of the frameworks' own, and as dicts."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from types import ModuleType
from typing import Any

import pytest
from pydantic import BaseModel

from guardstream import Guard, Policy
from guardstream.providers import detect
from guardstream.stream.result import Result
from tests.providers.laws import (
    EMPTY,
    GUARD,
    cuttings,
    events,
    in_any_cut,
    left_raw,
    lines,
    unchanged,
)
from tests.support.optional import optional

types = optional("google.genai.types")

TEXT, MASKED = "a secret, no sec", "a ######, no sec"
ARGUMENTS = '{"q": "a secret, no sec"}'
MASKED_ARGUMENTS = '{"q": "a ######, no sec"}'
BLOCKED = "well for\nforbidden words"


def guarded(source: Sequence[Any], guard: Guard = GUARD) -> tuple[list[Any], Result]:
    stream = guard.wrap_sync(source)
    return list(stream), stream.result


# Claude's agents


@dataclass
class TextBlock:
    text: str


@dataclass
class ThinkingBlock:
    thinking: str
    signature: str = "c2ln1"


@dataclass
class ToolUseBlock:
    id: str
    name: str
    input: dict[str, Any]


@dataclass
class ToolResultBlock:
    tool_use_id: str
    content: Any
    is_error: bool | None = None


@dataclass
class StreamEvent:
    event: dict[str, Any]
    uuid: str = "u1"
    session_id: str = "s1"
    parent_tool_use_id: str | None = None


@dataclass
class AssistantMessage:
    content: list[Any]
    model: str = "claude-1"
    parent_tool_use_id: str | None = None
    usage: Any = None


@dataclass
class UserMessage:
    content: Any
    uuid: str | None = None
    parent_tool_use_id: str | None = None


@dataclass
class SystemMessage:
    subtype: str
    data: dict[str, Any]


@dataclass
class ResultMessage:
    result: str
    subtype: str = "success"
    num_turns: int = 2
    session_id: str = "s1"
    is_error: bool = False
    stop_reason: str = "end_turn"
    usage: Any = field(default_factory=lambda: {"output_tokens": 7})


def said(block: dict[str, Any], pieces: Sequence[str], asked: str | None) -> Iterator[Any]:
    kind = block["type"]
    delta, name = {
        "text": ("text_delta", "text"),
        "thinking": ("thinking_delta", "thinking"),
        "tool_use": ("input_json_delta", "partial_json"),
    }[kind]
    yield from told({"type": "content_block_start", "index": 0, "content_block": block}, asked)
    for piece in pieces:
        event = {"type": "content_block_delta", "index": 0, "delta": {"type": delta, name: piece}}
        yield from told(event, asked)
    content: dict[str, Any] = {
        "text": TextBlock("".join(pieces)),
        "thinking": ThinkingBlock("".join(pieces)),
        "tool_use": ToolUseBlock("call_1", "find", {"q": TEXT}),
    }
    yield AssistantMessage([content[kind]], parent_tool_use_id=asked)
    yield from told({"type": "content_block_stop", "index": 0}, asked)


def told(event: dict[str, Any], asked: str | None = None) -> Iterator[Any]:
    yield StreamEvent(event, parent_tool_use_id=asked)


def message(*blocks: tuple[str, Sequence[str]], asked: str | None = None) -> Iterator[Any]:
    usage = {"input_tokens": 3, "output_tokens": 1}
    begun = {"id": "m1", "role": "assistant", "content": [], "usage": usage}
    yield from told({"type": "message_start", "message": begun}, asked)
    starts: dict[str, dict[str, Any]] = {
        "text": {"type": "text", "text": ""},
        "thinking": {"type": "thinking", "thinking": "", "signature": ""},
        "tool_use": {"type": "tool_use", "id": "call_1", "name": "find", "input": {}},
    }
    for kind, pieces in blocks:
        yield from said(starts[kind], pieces, asked)
    delta = {"stop_reason": "tool_use" if blocks[-1][0] == "tool_use" else "end_turn"}
    yield from told({"type": "message_delta", "delta": delta, "usage": {"output_tokens": 5}}, asked)
    yield from told({"type": "message_stop"}, asked)


def claude(pieces: Sequence[str], arguments: Sequence[str] = (ARGUMENTS,)) -> Iterator[Any]:
    yield SystemMessage("init", {"cwd": "/home/me", "tools": ["find"]})
    yield from message(("thinking", pieces), ("text", pieces), ("tool_use", arguments))
    yield UserMessage([ToolResultBlock("call_1", "found a secret")])
    yield from message(("text", pieces))
    yield ResultMessage("".join(pieces))


def as_line(chunk: Any) -> dict[str, Any]:
    """What Claude Code prints for an object."""
    own = {name: value for name, value in vars(chunk).items() if value is not None}
    kinds = {"StreamEvent": "stream_event", "ResultMessage": "result", "SystemMessage": "system"}
    kind = kinds.get(type(chunk).__name__, "assistant")
    marks = {"type": kind, "session_id": "s1", "uuid": "u1"}
    if kind == "system":
        return {**own["data"], "subtype": "init", **marks}
    if kind != "assistant":
        return {**own, **marks}
    blocks = [{"type": "text", **vars(block)} for block in own.pop("content")]
    return {**marks, "message": {"role": "assistant", "content": blocks}}


def of_claude(out: Sequence[Any]) -> tuple[str, str]:
    deltas = [each.event.get("delta", {}) for each in out if isinstance(each, StreamEvent)]
    texts = "".join(each.get("text", "") for each in deltas)
    return texts, "".join(each.get("thinking", "") for each in deltas)


def test_events_and_messages_of_claude_tell_the_same_guarded_text() -> None:
    for pieces, arguments in zip(cuttings(TEXT), cuttings(ARGUMENTS), strict=True):
        source = list(claude(pieces, arguments))
        assert type(detect(source[0])).name == "claude_agents"
        assert unchanged(source)
        out, result = guarded(source)
        assert not left_raw(out, "a secret")
        assert of_claude(out) == (MASKED + MASKED, MASKED)
        assert (result.text, result.thinking, result.finish) == (MASKED + MASKED, MASKED, "stop")
        assert result.usage == {"output_tokens": 7}
        (call,) = result.tool_calls
        assert (call.name, call.id, call.arguments) == ("find", "call_1", MASKED_ARGUMENTS)
        messages = [each.content[0] for each in out if isinstance(each, AssistantMessage)]
        assert messages == [
            ThinkingBlock(MASKED),
            TextBlock(MASKED),
            ToolUseBlock("call_1", "find", {"q": MASKED}),
            TextBlock(MASKED),
        ]
        assert out[-1].result == MASKED
        assert len(result.findings) == 5  # the four that stream, and what the tool gave


def test_messages_of_claude_stream_where_there_are_no_events() -> None:
    source = [each for each in claude([TEXT]) if not isinstance(each, StreamEvent)]
    assert unchanged(source)
    out, result = guarded(source)
    assert not left_raw(out, "a secret")
    assert result.text == MASKED + MASKED
    assert [call.arguments for call in result.tool_calls] == ['{"q":"a ######, no sec"}']
    assert out[-1].result == MASKED
    split, result = guarded([AssistantMessage([TextBlock("a sec"), TextBlock("ret")])])
    assert [block.text for block in split[0].content] == ["a ", "######"]


def test_the_lines_of_claude_code_are_read_too() -> None:
    kept = list(message(("text", [TEXT])))
    source = [as_line(each) for each in [SystemMessage("init", {"cwd": "/home"}), *kept]]
    source.append(as_line(ResultMessage(TEXT)))
    assert unchanged(source)
    out, result = guarded(source)
    assert (result.text, left_raw(out)) == (MASKED, False)
    assert in_any_cut(lines(*source)) == lines(*source)
    assert b"secret" not in in_any_cut(lines(*source), GUARD)


def test_an_agent_that_claude_asks_is_a_choice_of_its_own() -> None:
    main = list(message(("text", ["a sec", "ret"])))
    asked = list(message(("text", ["b sec", "ond and a secret"]), asked="call_7"))
    mixed = [each for pair in zip(main, asked, strict=True) for each in pair]
    out, result = guarded(mixed)
    assert result.text == "a ######"
    of_asked = [each for each in out if each.parent_tool_use_id]
    assert of_claude(of_asked)[0] == "b second and a ######"
    assert [each.content[0].text for each in of_asked if isinstance(each, AssistantMessage)] == [
        "b second and a ######"
    ]
    assert [each.event["type"] for each in of_asked if isinstance(each, StreamEvent)].count(
        "content_block_start"
    ) == 1


def test_what_is_made_after_an_event_of_claude_tells_nothing_else_of_it() -> None:
    source = [as_line(each) for each in message(("text", ["a sec", "ond, no sec"]))]
    assert not left_raw(source)
    for at, chunk in enumerate(source):
        for change in ({"note": "a secret"}, {"uuid": "a secret"}, {"session_id": "a secret"}):
            out, result = guarded([*source[:at], {**chunk, **change}, *source[at + 1 :]])
            assert (result.text, left_raw(out)) == ("a second, no sec", False)


def test_a_block_closes_the_message_of_claude() -> None:
    for pieces in cuttings(BLOCKED):
        out, result = guarded(list(claude(pieces)))
        assert result.finish == "content_filter"
        ends = [each.event["type"] for each in out[-3:]]
        assert ends == ["content_block_stop", "message_delta", "message_stop"]
        assert out[-2].event["delta"]["stop_reason"] == "refusal"
        assert not left_raw(out, "forbidden")


# Agents of Google's kit


class Actions(BaseModel):
    state_delta: dict[str, Any] = {}
    artifact_delta: dict[str, int] = {}
    transfer_to_agent: str | None = None


class Event(BaseModel):
    content: types.Content | None = None
    partial: bool | None = None
    finish_reason: types.FinishReason | None = None
    error_code: str | None = None
    error_message: str | None = None
    usage_metadata: Any = None
    author: str = "helper"
    invocation_id: str = "e-1"
    branch: str | None = None
    actions: Actions = Actions()


def part(text: str, **fields: Any) -> types.Part:
    return types.Part(text=text, **fields)


def call(arguments: dict[str, Any]) -> types.Part:
    return types.Part(function_call=types.FunctionCall(name="find", id="c1", args=arguments))


def event(*parts: types.Part, partial: bool | None = None, **fields: Any) -> Event:
    content = types.Content(role="model", parts=list(parts))
    return Event(content=content, partial=partial, **fields)


def adk(pieces: Sequence[str]) -> list[Event]:
    text, thought = "".join(pieces), {"thought": True}
    streamed = [event(part(piece, **thought), partial=True) for piece in pieces]
    streamed += [event(part(piece), partial=True) for piece in pieces]
    streamed.append(event(call({"q": text}), partial=True))
    usage = {"total_token_count": 8}
    stop = {"finish_reason": "STOP", "usage_metadata": usage, "partial": False}
    streamed.append(event(part(text, **thought), part(text), call({"q": text}), **stop))
    given = types.FunctionResponse(name="find", id="c1", response={"r": "a secret"})
    streamed.append(event(types.Part(function_response=given)))
    streamed += [event(part(piece), partial=True) for piece in pieces]
    last = event(part(text), **stop)
    last.actions = Actions(state_delta={"answer": text})
    return [*streamed, last]


def of_adk(out: Sequence[Any]) -> tuple[str, str]:
    parts = [each for chunk in out if chunk.partial for each in chunk.content.parts]
    texts = "".join(each.text or "" for each in parts if not each.thought)
    return texts, "".join(each.text or "" for each in parts if each.thought)


def test_the_last_event_of_a_response_repeats_the_guarded_parts() -> None:
    for pieces in cuttings(TEXT):
        source = adk(pieces)
        assert type(detect(source[0])).name == "adk"
        assert list(EMPTY.wrap_sync(source)) == source
        out, result = guarded(source)
        assert not left_raw([each.model_dump() for each in out], "a secret")
        assert of_adk(out) == (MASKED + MASKED, MASKED)
        assert (result.text, result.thinking) == (MASKED + MASKED, MASKED)
        assert (result.finish, result.usage) == ("stop", {"total_token_count": 8})
        assert [(each.name, each.id, each.arguments) for each in result.tool_calls] == [
            ("find", "c1", '{"q":"a ######, no sec"}')
        ]
        wholes = [each for each in out if each.partial is False]
        assert [each.text for each in wholes[0].content.parts[:2]] == [MASKED, MASKED]
        assert wholes[0].content.parts[2].function_call.args == {"q": MASKED}
        assert wholes[-1].content.parts[0].text == MASKED
        assert wholes[-1].actions.state_delta == {"answer": MASKED}
        assert len(result.findings) == 5


def test_parts_that_a_thought_cuts_are_one_text() -> None:
    parts = [part("a sec"), part("hm", thought=True), part("ret b")]
    whole = event(*parts, partial=False)
    for streamed in ([event(each, partial=True) for each in parts], [event(*parts, partial=True)]):
        out, result = guarded([*streamed, whole])
        assert result.text == "a ###### b"
        assert [each.text for each in out[-1].content.parts] == ["a ", "hm", "###### b"]
        assert len(result.findings) == 1
    (alone,), result = guarded([event(part("a sec"), part("ret b"))])
    assert [each.text for each in alone.content.parts] == ["a ", "###### b"]


def test_events_without_partial_ones_stream() -> None:
    source = [each for each in adk([TEXT]) if not each.partial]
    assert unchanged(source)
    out, result = guarded(source)
    assert (result.text, result.thinking) == (MASKED + MASKED, MASKED)
    assert [each.arguments for each in result.tool_calls] == ['{"q":"a ######, no sec"}']
    assert not left_raw([each.model_dump() for each in out], "a secret")


def test_arguments_by_path_and_then_as_a_whole_are_one_call() -> None:
    def value(text: str, more: bool) -> Event:
        told = types.PartialArg(json_path="$.q", string_value=text, will_continue=more)
        calling = types.FunctionCall(partial_args=[told], will_continue=True)
        return event(types.Part(function_call=calling), partial=True)

    begun = types.FunctionCall(name="find", id="c1", will_continue=True)
    source = [event(types.Part(function_call=begun), partial=True)]
    source += [value("a sec", True), value("ret", False), event(call({"q": "a secret"}))]
    out, result = guarded(source)
    assert not left_raw([each.model_dump() for each in out])
    assert [(each.id, each.arguments) for each in result.tool_calls] == [("c1", '{"q":"a ######"}')]


def test_a_call_goes_on_where_each_event_repeats_its_name_and_id() -> None:
    def partial(own: str, text: str = "", more: bool = True) -> Event:
        told = types.PartialArg(json_path="$.q", string_value=text, will_continue=more)
        calling = types.FunctionCall(
            id=own, name="find", partial_args=[told] if text or not more else None
        )
        calling.will_continue = True
        return event(types.Part(function_call=calling), partial=True)

    def turn(*owns: str) -> list[Event]:
        begun = [partial(own, text) for text in ("", "a sec", "ret b") for own in owns]
        over = [partial(own, more=False) for own in owns]
        whole = [
            types.Part(
                function_call=types.FunctionCall(id=own, name="find", args={"q": "a secret b"})
            )
            for own in owns
        ]
        return [*begun, *over, event(*whole)]

    seen: list[Any] = []
    stream = GUARD.wrap_sync([*turn("c1", "c2"), *turn("c1")], on_tool_call=seen.append)
    out = list(stream)
    masked = '{"q":"a ###### b"}'
    expected = [("c1", masked), ("c2", masked), ("c1", masked)]
    assert [(each.id, each.arguments) for each in stream.result.tool_calls] == expected
    assert [(each.id, each.arguments) for each in seen] == expected
    parts = [part.function_call for each in out if each.partial for part in each.content.parts]
    for own, count in (("c1", 2), ("c2", 1)):
        values = [value for call in parts if call.id == own for value in call.partial_args or ()]
        told = "".join(value.string_value or "" for value in values)
        assert told == "a ###### b" * count


def test_agents_beside_each_other_have_texts_of_their_own() -> None:
    def one(branch: str, text: str, partial: bool) -> Event:
        return event(part(text), partial=partial, author=branch, branch=f"both.{branch}")

    source = [one("A", "a sec", True), one("B", "b sec", True), one("A", "ret", True)]
    source += [one("B", "ond", True), one("A", "a secret", False), one("B", "b second", False)]
    out, result = guarded(source)
    assert of_adk([each for each in out if each.author == "A"])[0] == "a ######"
    assert of_adk([each for each in out if each.author == "B"])[0] == "b second"
    assert result.text == "a ######"
    after = [event(part("c"), partial=True, author="C"), event(part("c"), author="C")]
    assert guarded([*source, *after])[1].text == "a ######c"


@pytest.mark.parametrize("named", [True, False])
def test_calls_of_agents_beside_each_other_may_have_one_id(named: bool) -> None:
    def one(agent: str, text: str, more: bool) -> Event:
        value = types.PartialArg(json_path="$.q", string_value=text, will_continue=more)
        told = {"name": "find", "id": "c1"} if named or text.endswith("sec") else {}
        calling = types.FunctionCall(**told, partial_args=[value], will_continue=more)
        return event(types.Part(function_call=calling), partial=True, author=agent)

    source = [one("A", "a sec", True), one("B", "b sec", True)]
    source += [one("A", "ret", False), one("B", "ond", False)]
    source += [
        event(call({"q": text}), author=text[0].upper()) for text in ("a secret", "b second")
    ]
    out, result = guarded(source)
    for agent, text in (("A", "a ######"), ("B", "b second")):
        calls = [each.content.parts[0].function_call for each in out if each.author == agent]
        values = [value for made in calls for value in made.partial_args or ()]
        assert "".join(value.string_value or "" for value in values) == text
        assert calls[-1].args == {"q": text}
    assert [made.arguments for made in result.tool_calls] == [
        '{"q":"a ######"}',
        '{"q":"b second"}',
    ]


def test_partial_events_do_not_tell_what_a_whole_one_says_later() -> None:
    """All events of a response have the same actions, and the last one sets the state in them."""
    for pieces in cuttings(TEXT):
        actions = Actions()

        def source(pieces: Sequence[str] = pieces, actions: Actions = actions) -> Iterator[Event]:
            for each in pieces[:-1]:
                yield event(part(each), partial=True, actions=actions)
            actions.state_delta["answer"] = TEXT  # the runner is ahead of its reader
            yield event(part(pieces[-1]), partial=True, actions=actions)
            yield event(part(TEXT), partial=False, actions=actions)

        stream = GUARD.wrap_sync(source())
        out = list(stream)
        assert not left_raw([each.model_dump() for each in out])
        assert out[-1].actions.state_delta == {"answer": MASKED}
        assert len(stream.findings) == 1


def test_what_an_agent_keeps_in_its_state_is_text_whatever_it_is_called() -> None:
    rule = Guard(Policy.parse("rules: [{id: w, words: [secret1], replacement: '#'}]"))
    actions = Actions(state_delta={"answer": {"id": "secret1", "name": "a secret1"}})
    (told,), _ = guarded([event(part("a"), actions=actions)], rule)
    assert told.actions.state_delta == {"answer": {"id": "#######", "name": "a #######"}}


def test_an_error_of_the_model_ends_a_response() -> None:
    failed = Event(error_code="RESOURCE_EXHAUSTED", error_message="a secret")
    (_, told), result = guarded([event(part("a secr"), partial=True), failed])
    assert (told.error_message, result.finish) == ("a ######", "error")
    assert result.text == "a "  # what was held is dropped


def test_what_the_server_of_the_kit_sends_is_read_too() -> None:
    source = [
        {**each.model_dump(mode="json", exclude_none=True), "id": "e1"} for each in adk([TEXT])
    ]
    for chunk in source:
        chunk["invocationId"] = chunk.pop("invocation_id")
    assert unchanged(source)
    out, result = guarded(source)
    assert (result.text, left_raw(out, "a secret")) == (MASKED + MASKED, False)
    assert in_any_cut(events(*source)) == events(*source)
    assert b"a secret" not in in_any_cut(events(*source), GUARD)


def test_a_block_ends_with_an_event_that_says_so() -> None:
    for pieces in cuttings(BLOCKED):
        out, result = guarded(adk(pieces)[len(pieces) :])
        assert result.finish == "content_filter"
        last = out[-1]
        assert (last.partial, last.error_code) == (False, "SAFETY")
        assert last.finish_reason is types.FinishReason.SAFETY
        assert "".join(each.text for each in last.content.parts) == result.text == "well for\n"
    asked = event(call({"q": "forbidden"}), partial=True)
    ended, _ = guarded([event(part("well"), partial=True), asked])
    assert [each.text for each in ended[-1].content.parts] == ["well"]


# Strands


class OfTheApplication:
    """An agent, which nobody else can read."""

    __slots__ = ("secret",)


OWN = {"agent": OfTheApplication(), "event_loop_cycle_id": "c1", "request_state": {}}


def block(
    deltas: Sequence[dict[str, Any]], start: dict[str, Any], repeats: Sequence[dict[str, Any]]
) -> Iterator[dict[str, Any]]:
    yield {"event": {"contentBlockStart": {"start": start}}}
    for delta, repeat in zip(deltas, repeats, strict=True):
        yield {"event": {"contentBlockDelta": {"delta": delta}}}
        yield {**repeat, "delta": delta, **OWN}
    yield {"event": {"contentBlockStop": {}}}


def spoken(pieces: Sequence[str]) -> Iterator[dict[str, Any]]:
    yield from block([{"text": each} for each in pieces], {}, [{"data": each} for each in pieces])


def thought(pieces: Sequence[str]) -> Iterator[dict[str, Any]]:
    deltas = [{"reasoningContent": {"text": each}} for each in pieces]
    yield from block(deltas, {}, [{"reasoningText": each, "reasoning": True} for each in pieces])


def calling(pieces: Sequence[str], name: str = "find") -> Iterator[dict[str, Any]]:
    """A call; what is told of it so far is one object, to which its maker goes on adding."""
    use: dict[str, Any] = {"toolUseId": name, "name": name, "input": ""}
    told: dict[str, Any] = {"type": "tool_use_stream", "current_tool_use": use}
    deltas = [{"toolUse": {"input": each}} for each in pieces]
    started = {"toolUse": {"name": name, "toolUseId": name}}
    for each in block(deltas, started, [told] * len(pieces)):
        if "delta" in each:
            use["input"] += each["delta"]["toolUse"]["input"]
        yield each
    use["input"] = {"q": TEXT}


def strands(pieces: Sequence[str], arguments: Sequence[str] | None) -> Iterator[dict[str, Any]]:
    yield {"init_event_loop": True}
    yield {"event": {"messageStart": {"role": "assistant"}}}
    yield from thought(pieces)
    yield from spoken(pieces)
    text = "".join(pieces)
    content: list[dict[str, Any]] = [
        {"reasoningContent": {"reasoningText": {"text": text}}},
        {"text": text},
    ]
    if arguments is not None:
        yield from calling(arguments)
        content.append({"toolUse": {"toolUseId": "find", "name": "find", "input": {"q": TEXT}}})
    yield {"event": {"messageStop": {"stopReason": "tool_use" if arguments else "end_turn"}}}
    yield {"event": {"metadata": {"usage": {"totalTokens": 8}, "metrics": {"latencyMs": 1}}}}
    yield {"message": {"role": "assistant", "content": content}}
    given = {"toolUseId": "find", "status": "success", "content": [{"text": "a secret"}]}
    yield {"message": {"role": "user", "content": [{"toolResult": given}]}}
    yield {"result": Outcome("end_turn", {"role": "assistant", "content": content[1:2]})}


@dataclass
class Outcome:
    stop_reason: str
    message: dict[str, Any]
    metrics: Any = field(default_factory=lambda: {"accumulated_usage": {"totalTokens": 9}})


def of_strands(out: Sequence[Any]) -> tuple[str, str]:
    texts = "".join(each.get("data", "") for each in out)
    return texts, "".join(each.get("reasoningText", "") for each in out)


def of_the_model(out: Sequence[Any]) -> str:
    found = [each["event"].get("contentBlockDelta", {}) for each in out if "event" in each]
    return "".join(each.get("delta", {}).get("text", "") for each in found)


def test_events_for_users_repeat_the_guarded_events_of_the_model() -> None:
    for pieces in cuttings(TEXT):
        source = list(strands(pieces, None))
        assert type(detect(source[0])).name == "strands"
        assert unchanged(source)
        stream = GUARD.wrap_sync(strands(pieces, pieces_of(pieces)))
        out, result = list(stream), stream.result
        seen = [{**each, "agent": None} for each in out]
        assert not left_raw(seen, "a secret")
        assert of_strands(out) == (MASKED, MASKED)
        assert of_the_model(out) == MASKED
        assert (result.text, result.thinking) == (MASKED, MASKED)
        assert (result.finish, result.usage) == ("tool_calls", {"totalTokens": 9})
        (made,) = result.tool_calls
        assert (made.name, made.id, made.arguments) == ("find", "find", MASKED_ARGUMENTS)
        told = next(each["message"]["content"] for each in out if "message" in each)
        assert told[1:] == [
            {"text": MASKED},
            {"toolUse": {"toolUseId": "find", "name": "find", "input": {"q": MASKED}}},
        ]
        assert out[-1]["result"].message["content"] == [{"text": MASKED}]
        assert len(result.findings) == 4


def pieces_of(pieces: Sequence[str]) -> list[str]:
    """Arguments in about as many pieces as a text has."""
    step = -(-len(ARGUMENTS) // len(pieces))
    return [ARGUMENTS[at : at + step] for at in range(0, len(ARGUMENTS), step)]


def test_what_is_told_of_a_call_so_far_does_not_grow_later() -> None:
    stream = GUARD.wrap_sync([{"init_event_loop": True}, *calling(list(ARGUMENTS))])
    told = [each["current_tool_use"]["input"] for each in stream if "current_tool_use" in each]
    assert told[-1] == MASKED_ARGUMENTS
    assert all(MASKED_ARGUMENTS.startswith(each) for each in told)


def test_what_was_said_before_is_left_out_where_a_rule_would_change_it() -> None:
    said = [{"role": "user", "content": [{"text": "hello"}]}]
    said.append({"role": "assistant", "content": [{"text": "a secret"}, {"text": "forbidden"}]})
    source = [{"init_event_loop": True}, {"data": "a", "delta": {"text": "a"}, "messages": said}]
    assert unchanged(source)
    (_, told), result = guarded(source)
    assert [each["text"] for message in told["messages"] for each in message["content"]] == [
        "hello",
        "",
        "",
    ]
    assert (result.finish, result.findings) == ("stop", ())


def test_calls_without_places_are_told_apart() -> None:
    source = [*calling(['{"q": "a sec', 'ret"}'], "find"), *calling(['{"q": "sec', '"}'], "look")]
    _, result = guarded(source)
    assert [(each.name, each.arguments) for each in result.tool_calls] == [
        ("find", '{"q": "a ######"}'),
        ("look", '{"q": "sec"}'),
    ]


def test_events_for_users_alone_stream() -> None:
    for pieces in cuttings(TEXT):
        source = [each for each in spoken(pieces) if "data" in each]
        out, result = guarded(source)
        assert of_strands(out)[0] == result.text == MASKED
        assert not any("event" in each for each in out)


def test_agents_of_a_graph_and_in_tools_stream_inside_of_events() -> None:
    def node(name: str, text: Sequence[str]) -> list[dict[str, Any]]:
        kind = {"type": "multiagent_node_stream", "node_id": name}
        return [{**kind, "event": each} for each in [{"init_event_loop": True}, *spoken(text)]]

    first, second = node("first", ["a sec", "ret"]), node("second", ["b sec", "ond"])
    mixed = [each for pair in zip(first, second, strict=True) for each in pair]
    assert unchanged(mixed)
    out, result = guarded(mixed)
    heard = {
        name: of_strands([each["event"] for each in out if each["node_id"] == name])[0]
        for name in ("first", "second")
    }
    assert heard == {"first": "a ######", "second": "b second"}
    assert result.text == "a ######"
    stopped = {"type": "multiagent_node_stop", "node_id": "first", "node_result": None}
    assert guarded([*first, stopped, *second])[1].text == "a ######b second"

    use = {"toolUseId": "t1", "name": "find", "input": {}}
    events_of_tool = [
        {"type": "tool_stream", "tool_stream_event": {"tool_use": use, "data": each}}
        for each in [{"init_event_loop": True}, *spoken(["a sec", "ret"])]
    ]
    out, result = guarded([{"init_event_loop": True}, *events_of_tool])
    assert of_strands([each["tool_stream_event"]["data"] for each in out[1:]])[0] == "a ######"
    assert result.text == ""


@dataclass
class NodeResult:
    result: Any
    execution_time: int = 5


@dataclass
class GraphResult:
    results: dict[str, NodeResult]
    execution_order: list[Any]
    accumulated_usage: dict[str, int] = field(default_factory=lambda: {"totalTokens": 16})


def graph(pieces: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Two nodes, one after the other, and what a graph tells about them."""
    given: dict[str, NodeResult] = {}
    for name in ("writer", "editor"):
        yield {"type": "multiagent_node_start", "node_id": name, "node_type": "agent"}
        stream = {"type": "multiagent_node_stream", "node_id": name}
        for each in [{"init_event_loop": True}, *spoken(pieces)]:
            yield {**stream, "event": each}
        message = {"role": "assistant", "content": [{"text": "".join(pieces)}]}
        given[name] = NodeResult(Outcome("end_turn", message))
        yield {**stream, "event": {"result": given[name].result}}
        yield {"type": "multiagent_node_stop", "node_id": name, "node_result": given[name]}
    yield {"type": "multiagent_handoff", "from_node_ids": ["writer"], "to_node_ids": ["editor"]}
    node: dict[str, Any] = {"node_id": "writer"}
    node["executor"] = node  # it is the application's own
    yield {"type": "multiagent_result", "result": GraphResult(given, [node])}


def test_what_a_graph_tells_of_its_agents_is_made_of_what_was_released() -> None:
    for pieces in cuttings(TEXT):
        assert unchanged(list(graph(pieces)))
        out, result = guarded(list(graph(pieces)))
        assert result.text == MASKED * 2
        assert result.usage == {"totalTokens": 16}
        assert len(result.findings) == 2
        told = [each["node_result"] for each in out if "node_result" in each]
        told += out[-1]["result"].results.values()
        assert [each.result.message["content"] for each in told] == [[{"text": MASKED}]] * 4


def test_agents_of_a_graph_in_a_graph_answer_one_after_the_other() -> None:
    within = {"type": "multiagent_node_stream", "node_id": "inner"}
    inner = [{**within, "event": each} for each in graph(["a sec", "ret"])]
    ended = {"type": "multiagent_node_stop", "node_id": "inner", "node_result": None}
    out, result = guarded([*inner, ended, *graph([TEXT])])
    assert result.text == "a ######" * 2 + MASKED * 2
    assert not left_raw([{**each, "result": None} for each in out], "a secret")


def in_a_tool(event: Any) -> dict[str, Any]:
    use = {"toolUseId": "find", "name": "find", "input": {"q": TEXT}}
    return {"type": "tool_stream", "tool_stream_event": {"tool_use": use, "data": event}}


def test_what_a_tool_is_given_is_made_of_what_was_released() -> None:
    for pieces in cuttings(TEXT):
        message = {"role": "assistant", "content": [{"text": TEXT}]}
        stop = {"event": {"messageStop": {"stopReason": "end_turn"}}}
        events = [{"init_event_loop": True}, *spoken(pieces), stop, {"message": message}]
        events += [{"result": Outcome("end_turn", message)}, {"step": 1}]
        source = [{"init_event_loop": True}, *calling([ARGUMENTS]), *map(in_a_tool, events)]
        out, result = guarded(source)
        told = [each["tool_stream_event"] for each in out if "tool_stream_event" in each]
        assert {each["tool_use"]["input"].get("q") for each in told} <= {None, MASKED}
        assert told[-3]["data"]["message"]["content"] == [{"text": MASKED}]
        assert told[-2]["data"]["result"].message["content"] == [{"text": MASKED}]
        assert len(result.findings) == 2


def test_what_a_tool_gave_may_have_pictures_and_fields_of_any_name() -> None:
    picture = {"format": "png", "source": {"bytes": b"\x89PNG\xff"}}
    content: list[Any] = [{"image": picture}, {"json": {"status": "secret1", "format": "secret1"}}]
    given = {"toolUseId": "t1", "status": "success", "content": content}
    told = {"role": "user", "content": [{"toolResult": given}]}
    source = [{"init_event_loop": True}, {"message": told}]
    assert unchanged(source)
    rule = Guard(Policy.parse("rules: [{id: w, words: [secret1], replacement: '#'}]"))
    (_, out), _ = guarded(source, rule)
    masked = {"status": "#######", "format": "#######"}
    result = out["message"]["content"][0]["toolResult"]
    assert result == {**given, "content": [{"image": picture}, {"json": masked}]}

    line = {"type": "user", "session_id": "s1", "uuid": "u1", "tool_use_result": {"id": "secret1"}}
    (user,), _ = guarded([line], rule)
    assert user["tool_use_result"] == {"id": "#######"}

    answer = types.FunctionResponse(name="find", id="c1", response={"name": "secret1"})
    (told_by,), _ = guarded([event(types.Part(function_response=answer))], rule)
    assert told_by.content.parts[0].function_response.response == {"name": "#######"}


def test_a_block_lets_users_have_all_that_the_model_has_said() -> None:
    for pieces in cuttings(BLOCKED):
        out, result = guarded([{"init_event_loop": True}, *spoken(pieces)])
        assert result.finish == "content_filter"
        assert of_strands(out)[0] == of_the_model(out) == result.text


def test_a_block_ends_the_message_of_the_model() -> None:
    for pieces in cuttings(BLOCKED):
        out, result = guarded(list(strands(pieces, None))[: -len(pieces)])
        assert result.finish == "content_filter"
        stop = {"event": {"messageStop": {"stopReason": "content_filtered"}}}
        assert out[-2:] == [{"event": {"contentBlockStop": {}}}, stop]
        assert not left_raw([{**each, "agent": None} for each in out], "forbidden")


# Agno


@dataclass
class RunEvent:
    event: str = ""
    run_id: str = "r1"
    agent_id: str = "a1"
    parent_run_id: str | None = None
    content: Any = None


@dataclass
class RunContentEvent(RunEvent):
    event: str = "RunContent"
    content_type: str = "str"
    reasoning_content: str | None = None


@dataclass
class RunCompletedEvent(RunEvent):
    event: str = "RunCompleted"
    reasoning_content: str | None = None
    metrics: Any = None


@dataclass
class RunCancelledEvent(RunEvent):
    event: str = "RunCancelled"
    reason: str | None = None


@dataclass
class Tool:
    tool_call_id: str
    tool_name: str
    tool_args: dict[str, Any]
    result: str | None = None


@dataclass
class ToolCallEvent(RunEvent):
    tool: Tool | None = None


def agno(pieces: Sequence[str], **of: Any) -> list[Any]:
    text = "".join(pieces)
    source: list[Any] = [RunEvent("RunStarted", **of)]
    source += [RunContentEvent(reasoning_content=each, **of) for each in pieces]
    source += [RunContentEvent(content=each, **of) for each in pieces]
    arguments = {"q": text}
    source.append(ToolCallEvent("ToolCallStarted", tool=Tool("c1", "find", arguments), **of))
    done = Tool("c1", "find", arguments, "found a secret")
    source.append(ToolCallEvent("ToolCallCompleted", tool=done, **of))
    source += [RunContentEvent(content=each, **of) for each in pieces]
    source.append(RunEvent("RunContentCompleted", **of))
    metrics = {"total_tokens": 8}
    told = {"content": text + text, "reasoning_content": text, "metrics": metrics}
    return [*source, RunCompletedEvent(**told, **of)]


def of_agno(out: Sequence[Any]) -> tuple[str, str]:
    said = [each for each in out if isinstance(each, RunContentEvent)]
    texts = "".join(each.content or "" for each in said)
    return texts, "".join(each.reasoning_content or "" for each in said)


@pytest.mark.parametrize("made", [str, lambda piece: {"said": piece}])
def test_the_content_of_a_tools_own_events_never_comes_out_whole(made: Any) -> None:
    for pieces in cuttings("a secret"):
        told = [RunEvent(event="CustomEvent", content=made(piece)) for piece in pieces]
        out, _ = guarded([RunContentEvent(content="so"), *told])
        assert "secret" not in "".join(
            each.content if isinstance(each.content, str) else each.content["said"]
            for each in out
            if each.content is not None
        )


def test_what_a_workflow_tells_of_its_steps_is_made_of_what_was_released() -> None:
    messages = [{"role": "user", "content": "forbidden"}, {"role": "assistant", "content": TEXT}]
    for pieces in cuttings(TEXT):
        ids = {"workflow_id": "w1", "run_id": "r1"}
        done = {"content": TEXT, "messages": messages, "agent_id": "a1", "run_id": "r2"}
        ended = {"content": TEXT, "step_results": [{"content": TEXT}], "step_executor_runs": [done]}
        source: list[Any] = [{"event": "WorkflowStarted", **ids}]
        source += [
            {"event": "RunContent", "agent_id": "a1", "run_id": "r2", "content": each}
            for each in pieces
        ]
        source.append({"event": "RunContentCompleted", "agent_id": "a1", "run_id": "r2"})
        source.append({"event": "StepCompleted", **ids, "step_response": done, "content": TEXT})
        source.append({"event": "WorkflowCompleted", **ids, **ended, "run_output": ended})
        assert unchanged(source)
        out, result = guarded(source)
        assert (result.text, len(result.findings)) == (MASKED, 1)
        told = out[-1]["run_output"]["step_executor_runs"][0]
        assert [each["content"] for each in told["messages"]] == ["", MASKED]
        assert not left_raw(out, "a secret")


def test_calls_of_the_same_tool_with_the_same_arguments_are_two() -> None:
    tools = [Tool(each, "find", {"q": TEXT}) for each in ("c1", "c2")]
    source = [ToolCallEvent("ToolCallStarted", tool=each) for each in tools]
    source += [ToolCallEvent("ToolCallCompleted", tool=each) for each in tools]
    _, result = guarded(source)
    assert [each.id for each in result.tool_calls] == ["c1", "c2"]


def test_a_structured_content_is_text_whatever_its_fields_are_called() -> None:
    rule = Guard(Policy.parse("rules: [{id: w, words: [secret1], replacement: '#'}]"))
    content = {"name": "secret1", "type": "a secret1", "of": [{"id": "secret1"}]}
    out, _ = guarded([RunContentEvent(content=content), RunCompletedEvent(content=content)], rule)
    masked = {"name": "#######", "type": "a #######", "of": [{"id": "#######"}]}
    assert [each.content for each in out] == [masked, masked]


def test_what_completes_a_run_repeats_its_guarded_content() -> None:
    for pieces in cuttings(TEXT):
        source = agno(pieces)
        assert type(detect(source[0])).name == "agno"
        assert unchanged(source)
        out, result = guarded(source)
        assert not left_raw(out, "a secret")
        assert of_agno(out) == (MASKED + MASKED, MASKED)
        assert (result.text, result.thinking) == (MASKED + MASKED, MASKED)
        assert (result.finish, result.usage) == ("stop", {"total_tokens": 8})
        assert [(each.name, each.id, each.arguments) for each in result.tool_calls] == [
            ("find", "c1", '{"q":"a ######, no sec"}')
        ]
        assert (out[-1].content, out[-1].reasoning_content) == (MASKED + MASKED, MASKED)
        assert len(result.findings) == 5


def test_members_of_a_team_are_choices_of_their_own() -> None:
    team = [RunContentEvent(content=each) for each in ("a sec", "ret")]
    member = [
        RunContentEvent(content=each, run_id="r2", parent_run_id="r1") for each in ("b sec", "ond")
    ]
    mixed = [each for pair in zip(team, member, strict=True) for each in pair]
    out, result = guarded(mixed)
    assert of_agno([each for each in out if each.run_id == "r2"])[0] == "b second"
    assert of_agno([each for each in out if each.run_id == "r1"])[0] == result.text == "a ######"


def test_a_block_cancels_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("agno.run.agent")
    module.RunCancelledEvent = RunCancelledEvent  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "agno.run.agent", module)
    for pieces in cuttings(BLOCKED):
        out, result = guarded([RunContentEvent(content=each) for each in pieces])
        assert result.finish == "content_filter"
        assert out[-1] == RunCancelledEvent(reason="content_filter")
        assert of_agno(out)[0] == "well for\n"
        dicts = [vars(RunContentEvent(content=each)) for each in pieces]
        told, _ = guarded(dicts)
        assert told[-1]["event"] == "RunCancelled"


# CrewAI


@dataclass
class CrewCall:
    tool_id: str
    tool_name: str | None
    arguments: str
    index: int = 0


@dataclass
class StreamChunk:
    content: str
    chunk_type: str = "text"
    task_index: int = 0
    task_id: str = "t1"
    agent_role: str = "Writer"
    tool_call: CrewCall | None = None


@dataclass
class StreamFrame:
    type: str
    data: dict[str, Any]
    id: str = "e1"
    seq: int = 1
    channel: str = "llm"
    namespace: list[str] = field(default_factory=list)


def test_each_task_of_a_crew_is_a_text() -> None:
    for pieces in cuttings(TEXT):
        calls = [CrewCall("c1", "find", each) for each in pieces_of(pieces)]
        source = [StreamChunk(each) for each in pieces]
        source += [StreamChunk("", "tool_call", tool_call=each) for each in calls]
        source += [StreamChunk(each, task_index=1, task_id="t2") for each in pieces]
        assert type(detect(source[0])).name == "crewai"
        assert unchanged(source)
        out, result = guarded(source)
        assert not left_raw(out, "a secret")
        assert result.text == MASKED + MASKED
        assert "".join(each.content for each in out if each.task_index == 0) == MASKED
        assert [(each.name, each.id, each.arguments) for each in result.tool_calls] == [
            ("find", "c1", MASKED_ARGUMENTS)
        ]
        frames = [StreamFrame("llm_call_started", {"model": "m-1"})]
        frames += [StreamFrame("llm_stream_chunk", {"chunk": each}) for each in pieces]
        frames.append(StreamFrame("llm_call_completed", {"response": TEXT}))
        assert unchanged(frames)
        told, result = guarded(frames)
        assert result.text == MASKED == "".join(each.data.get("chunk", "") for each in told)
        assert told[-1].data == {"response": MASKED}


def crew_calls(pieces: Sequence[str], *, so_far: bool) -> list[StreamChunk]:
    """Calls in two turns; a chunk says what is new in the arguments, and them so far if asked."""
    source = []
    for name, index in (("c1", 0), ("c2", 1), ("c3", 0)):
        for at, piece in enumerate(pieces, start=1):
            told = "".join(pieces[:at]) if so_far else piece
            called = CrewCall(name, "find", told, index)
            source.append(StreamChunk(piece, "tool_call", tool_call=called))
    return source


@pytest.mark.parametrize("so_far", [True, False])
def test_arguments_of_a_crew_are_told_so_far_or_in_pieces(so_far: bool) -> None:
    for pieces in cuttings(ARGUMENTS):
        source = crew_calls(pieces, so_far=so_far)
        assert unchanged(source)
        out, result = guarded([StreamChunk("a"), *source])
        assert not left_raw(out)
        assert result.text == "a"
        made = [(each.id, each.arguments) for each in result.tool_calls]
        assert made == [(each, MASKED_ARGUMENTS) for each in ("c1", "c2", "c3")]
        assert "".join(each.content for each in out) == "a" + MASKED_ARGUMENTS * 3
        told = [each.tool_call.arguments for each in out[1:] if each.tool_call.tool_id == "c1"]
        assert (told[-1] if so_far else "".join(told)) == MASKED_ARGUMENTS
        assert len(result.findings) == 3


@pytest.mark.parametrize("own", ["call_0", ""])
@pytest.mark.parametrize("so_far", [True, False])
def test_a_call_of_a_crew_may_have_the_id_of_an_earlier_one(own: str, so_far: bool) -> None:
    for pieces in cuttings(ARGUMENTS):
        source: list[StreamChunk] = []
        for name in "qp":
            named = [piece.replace("q", name) for piece in pieces]
            for at, piece in enumerate(named, start=1):
                told = "".join(named[:at]) if so_far else piece
                called = CrewCall(own, "find" if so_far or at == 1 else None, told)
                source.append(StreamChunk(piece, "tool_call", tool_call=called))
        assert unchanged(source)
        out, result = guarded(source)
        assert not left_raw(out)
        expected = [MASKED_ARGUMENTS.replace("q", name) for name in "qp"]
        assert [each.arguments for each in result.tool_calls] == expected
        for told in [each.tool_call.arguments for each in out if each.tool_call and so_far]:
            assert any(each.startswith(told) for each in expected)


def test_frames_of_a_crew_tell_thoughts_and_what_was_asked() -> None:
    asked = {"messages": [{"role": "user", "content": "forbidden"}]}
    for pieces in cuttings(TEXT):
        frames = [StreamFrame("llm_call_started", asked)]
        frames += [StreamFrame("llm_thinking_chunk", {"chunk": each}) for each in pieces]
        frames += [StreamFrame("llm_stream_chunk", {"chunk": each}) for each in pieces]
        ended = {"response": TEXT, "usage": {"total_tokens": 8}, **asked}
        out, result = guarded([*frames, StreamFrame("llm_call_completed", ended)])
        assert (result.text, result.thinking, result.finish) == (MASKED, MASKED, "stop")
        assert out[-1].data["response"] == MASKED
        assert out[-1].data["messages"] == [{"role": "user", "content": ""}]
        assert result.usage == {"total_tokens": 8}
        assert len(result.findings) == 2


# Semantic Kernel


class Reason(Enum):
    CALLS = "tool_calls"


@dataclass
class TextContent:
    text: str
    content_type: str = "text"
    choice_index: int = 0


@dataclass
class FunctionCallContent:
    arguments: str
    id: str | None = None
    name: str | None = None
    index: int = 0
    content_type: str = "function_call"


@dataclass
class FunctionResultContent:
    result: Any
    id: str = "c1"
    content_type: str = "function_result"


@dataclass
class ChatContent:
    items: list[Any]
    inner_content: Any = None
    finish_reason: Reason | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    content_type: str = "message"
    choice_index: int = 0


@dataclass
class AgentItem:
    message: ChatContent
    thread: Any


def kernel(pieces: Sequence[str]) -> list[ChatContent]:
    source = [ChatContent([TextContent(each)], {"delta": each}) for each in pieces]
    calls = [FunctionCallContent("", "c1", "tools-find")]
    calls += [FunctionCallContent(each) for each in pieces_of(pieces)]
    source += [ChatContent([each]) for each in calls]
    return [*source, ChatContent([], finish_reason=Reason.CALLS)]


def test_tokens_of_a_kernel_are_counted() -> None:
    told = {"usage": {"prompt_tokens": 7, "completion_tokens": 3}}
    for last in (ChatContent([], metadata=told), [ChatContent([], metadata=told)]):
        stream = GUARD.wrap_sync([ChatContent([TextContent("a")]), last])
        list(stream)
        assert (stream.stats.tokens_in, stream.stats.tokens_out) == (7, 3)


def test_messages_of_a_kernel_are_read_alone_and_in_lists_and_items() -> None:
    for pieces in cuttings(TEXT):
        messages = kernel(pieces)
        kinds: list[list[Any]] = [messages, [[each] for each in messages]]
        kinds.append([AgentItem(each, OfTheApplication()) for each in messages])
        for source in kinds:
            assert type(detect(source[0])).name == "semantic_kernel"
            assert unchanged(source)
            out, result = guarded(source)
            assert (result.text, result.finish) == (MASKED, "tool_calls")
            assert [(each.name, each.id, each.arguments) for each in result.tool_calls] == [
                ("tools-find", "c1", MASKED_ARGUMENTS)
            ]
            told = [each[0] if isinstance(each, list) else each for each in out]
            told = [each.message if isinstance(each, AgentItem) else each for each in told]
            texts = [item.text for each in told for item in each.items if hasattr(item, "text")]
            assert "".join(texts) == MASKED
            assert not left_raw(told, "a secret")
            inner = [each.inner_content["delta"] for each in told if each.inner_content]
            assert "secret" not in "".join(inner)


def test_what_only_the_providers_chunks_of_a_kernel_say_is_not_spelled_out() -> None:
    for pieces in cuttings(TEXT):
        source = [
            ChatContent([], {"reasoning": each}, metadata={"id": f"c{place}"})
            for place, each in enumerate(pieces)
        ]
        out, _ = guarded(source)
        said = [each.inner_content["reasoning"] for each in out if each.inner_content]
        assert "secret" not in "".join(said)


def test_equal_pieces_of_a_kernels_provider_are_joined_like_others() -> None:
    rule = "version: 1\nrules: [{id: w, words: [bookkeeper], action: mask}]"
    guard = Guard(Policy.parse(rule))
    out, _ = guarded([ChatContent([], {"reasoning": each}) for each in "a bookkeeper"], guard)
    assert "keeper" not in "".join(each.inner_content["reasoning"] for each in out)


def test_choices_of_a_kernel_come_in_one_list() -> None:
    def said(text: str, choice: int) -> ChatContent:
        return ChatContent([TextContent(text, choice_index=choice)], choice_index=choice)

    for pieces in cuttings(TEXT):
        source = [[said(each, 0), said(each.upper(), 1)] for each in pieces]
        assert unchanged(source)
        out, result = guarded(source)
        told = [
            "".join(each.items[0].text for part in out for each in part if each.choice_index == at)
            for at in (0, 1)
        ]
        assert told == [MASKED, MASKED.upper()]
        assert (result.text, len(result.findings)) == (MASKED, 2)


def test_what_a_function_gave_a_kernel_is_text_whatever_it_is_called() -> None:
    rule = Guard(Policy.parse("rules: [{id: w, words: [secret1], replacement: '#'}]"))
    given = {"id": "secret1", "of": [{"content_type": "secret1"}]}
    (told,), _ = guarded([ChatContent([FunctionResultContent(given)])], rule)
    assert told.items[0].result == {"id": "#######", "of": [{"content_type": "#######"}]}


# All of them


SOURCES = {
    "claude_agents": lambda text: list(claude([text])),
    "adk": lambda text: adk([text]),
    "strands": lambda text: list(strands([text], None)),
    "agno": lambda text: agno([text]),
}


@pytest.mark.parametrize("name", SOURCES)
def test_a_stop_ends_a_run_as_its_framework_does(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = ModuleType("agno.run.agent")
    module.RunCompletedEvent = RunCompletedEvent  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "agno.run.agent", module)
    stops = Guard(Policy.parse("limits: {stop: [', no']}"))
    out, result = guarded(SOURCES[name](TEXT), stops)
    assert result.finish == "stop"
    assert not left_raw(
        [{**each, "agent": 0} if isinstance(each, dict) else each for each in out], ", no"
    )
