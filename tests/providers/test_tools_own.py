"""Values that a tool or an application names the fields of: none of them passes as a mark."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from types import SimpleNamespace
from typing import Any

import pytest

from guardstream import Guard, Policy
from tests.providers.laws import left_raw, unchanged
from tests.support.optional import optional

AIMessage, ToolCall = optional("langchain_core.messages", "AIMessage", "ToolCall")

KEY = "AKIAIOSFODNN7EXAMPLE"
CARD = 4111111111111111
RULES = """
rules:
  - {id: key, pattern: 'AKIA[A-Z0-9]{16}', replacement: '[#]'}
  - {id: card, pattern: '4[0-9]{15}'}
"""
GUARD = Guard(Policy.parse(RULES))

OWN = {
    **dict.fromkeys(("id", "type", "name", "status", "data", "uri", "path", "call_id"), KEY),
    "rows": [{"id": KEY, "kind": KEY, "role": KEY}],
    "number": CARD,
    "numbers": [7, [CARD]],
}


def update(**fields: Any) -> dict[str, Any]:
    """What an agent sends to an editor."""
    told = {"sessionUpdate": "tool_call_update", "toolCallId": "call_1", **fields}
    params = {"sessionId": "s1", "update": told}
    return {"jsonrpc": "2.0", "method": "session/update", "params": params}


def protocol(**data: Any) -> dict[str, Any]:
    params = {"namespace": [], "timestamp": 1, "data": {"event": "tool-finished", **data}}
    return {"type": "event", "method": "tools", "seq": 1, "params": params}


def call(args: dict[str, Any]) -> ToolCall:
    return ToolCall(name="find", args=args, id="call_1")


def gemini(*parts: dict[str, Any]) -> dict[str, Any]:
    history = [{"role": "model", "parts": [*parts]}]
    said = [{"content": {"role": "model", "parts": [{"text": "so"}]}, "index": 0}]
    return {"candidates": said, "automaticFunctionCallingHistory": history}


CASES: dict[str, tuple[str, Callable[[], Any]]] = {
    "acp": ("acp", lambda: update(rawOutput=OWN)),
    "protocol": ("langchain_protocol", lambda: protocol(tool_call_id="c1", output=OWN)),
    "history, args": ("gemini", lambda: gemini({"functionCall": {"name": "f", "args": OWN}})),
    "history, response": (
        "gemini",
        lambda: gemini({"functionResponse": {"name": "f", "response": OWN}}),
    ),
    "gemini, a server's tool": (
        "gemini",
        lambda: {
            "candidates": [
                {
                    "content": {
                        "role": "model",
                        "parts": [{"toolResponse": {"toolType": "MAPS", "response": OWN}}],
                    },
                    "index": 0,
                }
            ]
        },
    ),
    "langgraph": (
        "langgraph",
        lambda: ("values", {"messages": [AIMessage("", tool_calls=[call(OWN)])], "own": OWN}),
    ),
    "mcp": (
        "mcp",
        lambda: {"jsonrpc": "2.0", "id": 1, "result": {"content": [], "structuredContent": OWN}},
    ),
    "mistral": (
        "mistral_conversations",
        lambda: {
            "event": "tool.execution.done",
            "data": {
                "type": "tool.execution.done",
                "output_index": 0,
                "id": "t1",
                "name": "code_interpreter",
                "info": OWN,
            },
        },
    ),
    "agno, a message": (
        "agno",
        lambda: {
            "event": "RunCompleted",
            "run_id": "r1",
            "agent_id": "a1",
            "content": "so",
            "messages": [{"role": "tool", "tool_call_id": "c1", "tool_args": OWN}],
        },
    ),
    "agno, references": (
        "agno",
        lambda: {
            "event": "RunCompleted",
            "run_id": "r1",
            "agent_id": "a1",
            "content": "so",
            "references": [{"query": "q", "references": [{"meta_data": OWN}]}],
        },
    ),
    "autogen": (
        "autogen",
        lambda: SimpleNamespace(
            messages=[SimpleNamespace(id="m1", source="a", type="StructuredMessage", content=OWN)],
            stop_reason="done",
        ),
    ),
    "microsoft_agents": (
        "microsoft_agents",
        lambda: {
            "type": "output",
            "origin": "EXECUTOR",
            "executor_id": "e1",
            "iteration": None,
            "data": {
                "messages": [
                    {"role": "tool", "contents": [{"type": "function_result", "result": OWN}]},
                    {"role": "assistant", "contents": [{"type": "x", "arguments": OWN}]},
                ],
            },
        },
    ),
    "mcp, a link": (
        "mcp",
        lambda: {
            "jsonrpc": "2.0",
            "id": 1,
            "result": {
                "content": [{"type": "resource_link", "uri": f"file:///{KEY}", "name": "f"}]
            },
        },
    ),
    "smolagents, output": (
        "smolagents",
        lambda: SimpleNamespace(output=OWN, is_final_answer=False),
    ),
    "smolagents, arguments": (
        "smolagents",
        lambda: SimpleNamespace(name="find", arguments=OWN, id="call_1"),
    ),
    "smolagents, calls": (
        "smolagents",
        lambda: SimpleNamespace(
            model_output_message=SimpleNamespace(
                role="assistant",
                content="so",
                tool_calls=[SimpleNamespace(id="call_1", type="function", arguments=OWN)],
            ),
            timing=None,
        ),
    ),
    "haystack": (
        "haystack",
        lambda: SimpleNamespace(
            content="",
            meta={},
            component_info=None,
            index=0,
            tool_calls=None,
            tool_call_result=SimpleNamespace(
                result="so",
                origin=SimpleNamespace(tool_name="find", arguments=OWN, id="call_1"),
                error=False,
            ),
            start=False,
            finish_reason=None,
            reasoning=None,
        ),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_no_field_of_a_tools_own_value_passes(name: str) -> None:
    provider, make = CASES[name]
    event = make()
    before = deepcopy(event)
    assert unchanged([event], provider=provider)
    out = list(GUARD.wrap_sync([event], provider=provider))
    assert out
    assert not left_raw([getattr(each, "__dict__", each) for each in out], KEY)
    assert "[#]" in str(out)
    assert str(CARD) not in str(out)
    assert event == before


def test_a_whole_number_becomes_a_string_and_others_stay() -> None:
    given = {"card": CARD, "cards": [CARD, 5], "share": 0.4111111111111111, "is": True, "no": None}
    event = {"jsonrpc": "2.0", "id": CARD, "result": {"content": [], "structuredContent": given}}
    (out,) = GUARD.wrap_sync([event])
    shown = {**given, "card": "[card]", "cards": ["[card]", 5]}
    assert out == {**event, "result": {"content": [], "structuredContent": shown}}


def test_numbers_of_a_format_pass() -> None:
    citation = {"type": "url_citation", "start_index": CARD, "title": "so"}
    delta = {"content": "so", "annotations": [{"type": "url_citation", "url_citation": citation}]}
    event = {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": delta}]}
    assert unchanged([event], provider="openai_chat")
    assert list(GUARD.wrap_sync([event])) == [event]


def test_a_callers_own_number_passes_in_what_repeats_it() -> None:
    data: dict[str, Any] = {"input": {"account": CARD}}
    began = {"event": "on_chain_start", "run_id": "1", "name": "c", "parent_ids": [], "data": data}
    ended = {
        **began,
        "event": "on_chain_end",
        "data": {**data, "output": {"account": CARD, "n": 5}},
    }
    events = [{**each, "tags": [], "metadata": {}} for each in (began, ended)]
    assert list(GUARD.wrap_sync(events)) == events
