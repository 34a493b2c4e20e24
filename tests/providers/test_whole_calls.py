"""A call that comes whole in one event is not made if a block cuts it, in any format."""

from __future__ import annotations

import json
from typing import Any

import pytest

from guardstream import Guard, Policy
from tests.providers.test_agents import CrewCall, StreamChunk
from tests.support.optional import optional

AIMessage = optional("langchain_core.messages", "AIMessage")
PartStartEvent, ToolCallPart = optional("pydantic_ai.messages", "PartStartEvent", "ToolCallPart")

GUARD = Guard(Policy.parse("rules: [{id: bad, words: [forbidden], action: block}]"))
INPUT = {"command": "remove", "path": "so forbidden here", "depth": 1}
ARGUMENTS = json.dumps(INPUT)
SAID = "I look it up. "


def anthropic(given: Any) -> list[Any]:
    message = {"id": "m", "type": "message", "role": "assistant", "model": "c", "content": []}
    usage = {"input_tokens": 1, "output_tokens": 1}
    block = {"type": "tool_use", "id": "t", "name": "find", "input": given}
    return [
        {"type": "message_start", "message": {**message, "stop_reason": None, "usage": usage}},
        {"type": "content_block_start", "index": 0, "content_block": block},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": usage},
        {"type": "message_stop"},
    ]


def responses(item: dict[str, Any]) -> list[Any]:
    item = {"id": "i", "call_id": "t", "status": "completed", **item}
    response = {"id": "r", "object": "response", "created_at": 1, "model": "m", "output": []}
    return [
        {"type": "response.created", "response": {**response, "status": "in_progress"}},
        {"type": "response.output_item.done", "output_index": 0, "item": item},
        {"type": "response.completed", "response": {**response, "output": [item]}},
    ]


def claude(text: str, given: Any) -> list[Any]:
    blocks = [{"type": "text", "text": text}]
    blocks.append({"type": "tool_use", "id": "t", "name": "find", "input": given})
    message = {"id": "m", "role": "assistant", "model": "c", "content": blocks}
    return [{"type": "assistant", "message": message, "session_id": "s"}]


def chat(text: str, arguments: str = '{"depth": 1}') -> list[Any]:
    called = {"index": 0, "id": "t", "function": {"name": "find", "arguments": arguments}}
    delta = {"role": "assistant", "content": text, "tool_calls": [called]}
    choice = {"index": 0, "delta": delta, "finish_reason": "tool_calls"}
    return [{"id": "c", "object": "chat.completion.chunk", "model": "m", "choices": [choice]}]


CALL = {"toolCallId": "t", "toolName": "find"}
PARAMETER = {"name": "path", "type": "string", "value": INPUT["path"]}
INVOKED = {"functionInvocationInput": {"function": "find", "parameters": [PARAMETER]}}

TOLD = AIMessage(content="", tool_calls=[{"name": "find", "args": INPUT, "id": "t"}])

SOURCES: dict[str, list[Any]] = {
    "anthropic": anthropic(INPUT),
    "anthropic, a string": anthropic(INPUT["path"]),
    "openai_responses, free text": responses(
        {"type": "custom_tool_call", "name": "find", "input": INPUT["path"]}
    ),
    "openai_responses, a shell": responses(
        {"type": "shell_call", "action": {"commands": ["find", "find forbidden", "find"]}}
    ),
    "openai_responses, a local shell": responses(
        {
            "type": "local_shell_call",
            "action": {"type": "exec", "command": ["find", "forbidden"], "env": {}},
        }
    ),
    "openai_responses, a patch": responses(
        {
            "type": "apply_patch_call",
            "operation": {"type": "create_file", "path": "find", "diff": "+forbidden"},
        }
    ),
    "ui_messages": [{"type": "start"}, {"type": "tool-input-available", **CALL, "input": INPUT}],
    "ui_messages, a string": [
        {"type": "start"},
        {"type": "tool-input-available", **CALL, "input": INPUT["path"]},
    ],
    "data_stream": [{"f": {"messageId": "m"}}, {"9": {**CALL, "args": INPUT}}],
    "data_stream, a string": [{"f": {"messageId": "m"}}, {"9": {**CALL, "args": INPUT["path"]}}],
    "bedrock_agent": [{"returnControl": {"invocationId": "i", "invocationInputs": [INVOKED]}}],
    "claude_agents": claude(SAID, INPUT),
    "langgraph, a state": [("values", {"messages": [TOLD]})],
    "langgraph, an update": [("updates", {"agent": {"messages": [TOLD]}})],
    "crewai": [StreamChunk("", "tool_call", tool_call=CrewCall("t", "find", ARGUMENTS))],
    "pydantic_ai": [PartStartEvent(index=0, part=ToolCallPart("find", INPUT, "t"))],
    "openai_chat, with its end": chat(SAID, ARGUMENTS),
    "openai_chat, after its text": chat("so forbidden here"),
    "claude_agents, after its text": claude("so forbidden here", {"depth": 1}),
}


@pytest.mark.parametrize("name", SOURCES)
def test_a_call_that_a_block_cuts_does_not_go_out(name: str) -> None:
    stream = GUARD.wrap_sync(SOURCES[name], provider=name.split(",")[0])
    out = list(stream)
    assert stream.finish == "content_filter"
    assert "find" not in repr(out)
    assert not any(call.complete for call in stream.result.tool_calls)


def test_the_text_beside_such_a_call_goes_out() -> None:
    stream = GUARD.wrap_sync(claude(SAID, INPUT), provider="claude_agents")
    assert SAID in repr(list(stream))
    assert stream.result.text == SAID


@pytest.mark.parametrize("action", ["stop", "block"])
def test_a_stop_cuts_a_call_like_a_block(action: str) -> None:
    guard = Guard(Policy.parse(f"rules: [{{id: bad, words: [forbidden], action: {action}}}]"))
    for name in ("anthropic", "ui_messages", "data_stream", "openai_responses, free text"):
        assert "find" not in repr(list(guard.wrap_sync(SOURCES[name]))), name


def test_the_name_of_a_call_that_is_left_out_is_not_told() -> None:
    source = claude(SAID, {"depth": 1})
    source[0]["message"]["content"][1]["name"] = "forbidden"
    stream = GUARD.wrap_sync(source, provider="claude_agents")
    assert "forbidden" not in repr([list(stream), stream.result])
