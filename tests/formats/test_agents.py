"""Streams of agents' runs, as objects with the fields of the frameworks' own, and as dicts."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from types import ModuleType
from typing import Any

import pytest

from guardstream import Guard, Policy
from guardstream.formats import detect
from tests.laws.asked import GUARD, cuttings, left_raw, unchanged
from tests.support.samples.agents import (
    ARGUMENTS,
    BLOCKED,
    MASKED,
    TEXT,
    Actions,
    AgentItem,
    ChatContent,
    Event,
    GraphResult,
    NodeResult,
    OfTheApplication,
    Outcome,
    ResultMessage,
    RunCancelledEvent,
    RunCompletedEvent,
    RunContentEvent,
    RunEvent,
    SystemMessage,
    TextContent,
    Tool,
    ToolCallEvent,
    ToolResultBlock,
    UserMessage,
    block,
    event,
    guarded,
    kernel,
    message,
    part,
    pieces_of,
    spoken,
    types,
)

MASKED_ARGUMENTS = '{"q": "a ######, no sec"}'


# Claude's agents


def claude(pieces: Sequence[str], arguments: Sequence[str] = (ARGUMENTS,)) -> Iterator[Any]:
    yield SystemMessage("init", {"cwd": "/home/me", "tools": ["find"]})
    yield from message(("thinking", pieces), ("text", pieces), ("tool_use", arguments))
    yield UserMessage([ToolResultBlock("call_1", "found a secret")])
    yield from message(("text", pieces))
    yield ResultMessage("".join(pieces))


# Agents of Google's kit


def call(arguments: dict[str, Any]) -> types.Part:
    return types.Part(function_call=types.FunctionCall(name="find", id="c1", args=arguments))


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


# Strands


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


def test_what_is_told_of_a_call_so_far_does_not_grow_later() -> None:
    stream = GUARD.wrap_sync([{"init_event_loop": True}, *calling(list(ARGUMENTS))])
    told = [each["current_tool_use"]["input"] for each in stream if "current_tool_use" in each]
    assert told[-1] == MASKED_ARGUMENTS
    assert all(MASKED_ARGUMENTS.startswith(each) for each in told)


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


# Semantic Kernel


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
