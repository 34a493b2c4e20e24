"""ACP: what an agent sends to an editor, as JSON and as objects of its package."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from guardstream.formats import detect
from tests.formats.changes import leaves, put
from tests.laws.asked import GUARD, left_raw

Event = dict[str, Any]

OVER: Event = {"jsonrpc": "2.0", "id": 3, "result": {"stopReason": "end_turn"}}

CALL: Event = {
    "sessionUpdate": "tool_call",
    "toolCallId": "call_1",
    "title": "Reading",
    "kind": "read",
    "status": "pending",
    "locations": [{"path": "/a/b.py", "line": 3}],
    "rawInput": {"path": "/a"},
}
CALLED: Event = {
    "sessionUpdate": "tool_call_update",
    "toolCallId": "call_1",
    "status": "completed",
    "content": [
        {"type": "content", "content": {"type": "text", "text": "out"}},
        {"type": "diff", "path": "/a/b.py", "oldText": "old", "newText": "new"},
        {"type": "terminal", "terminalId": "term_1"},
    ],
    "rawOutput": {"lines": ["out"]},
}
PLAN: Event = {
    "sessionUpdate": "plan",
    "entries": [{"content": "do it", "priority": "high", "status": "pending"}],
}
OTHERS: list[Event] = [
    {
        "sessionUpdate": "available_commands_update",
        "availableCommands": [{"name": "web", "description": "finds", "input": {"hint": "what"}}],
    },
    {"sessionUpdate": "current_mode_update", "currentModeId": "code"},
    {"sessionUpdate": "session_info_update", "title": "so", "updatedAt": "2026-01-01T00:00:00Z"},
    {"sessionUpdate": "usage_update", "used": 1, "size": 5},
    {
        "sessionUpdate": "config_option_update",
        "configOptions": [
            {
                "id": "mode",
                "name": "Mode",
                "type": "select",
                "currentValue": "ask",
                "options": [{"value": "ask", "name": "Ask", "description": "asks"}],
            }
        ],
    },
]
REQUESTS: list[Event] = [
    {
        "method": "session/request_permission",
        "params": {
            "toolCall": {name: value for name, value in CALLED.items() if name != "sessionUpdate"},
            "options": [{"optionId": "allow-1", "name": "Allow", "kind": "allow_once"}],
        },
    },
    {"method": "fs/write_text_file", "params": {"path": "/a", "content": "body"}},
    {
        "method": "terminal/create",
        "params": {"command": "ls", "args": ["-l"], "env": [{"name": "K", "value": "v"}]},
    },
]


def note(update: Event, session: str = "s1") -> Event:
    params = {"sessionId": session, "update": update}
    return {"jsonrpc": "2.0", "method": "session/update", "params": params}


def piece(text: str, kind: str = "message", own: str | None = None) -> Event:
    update = {
        "sessionUpdate": f"agent_{kind}_chunk",
        "content": {"type": "text", "text": text},
    }
    return {**update, **({"messageId": own} if own else {})}


def turn(pieces: Sequence[str]) -> list[Event]:
    thoughts = [note(piece(text, "thought")) for text in pieces]
    texts = [note(piece(text)) for text in pieces]
    return [note(PLAN), *thoughts, *texts, note(CALL), note(CALLED), note(PLAN), OVER]


def every_kind() -> list[Event]:
    """An event of each kind."""
    asked = [
        {"jsonrpc": "2.0", "id": at, **each, "params": {"sessionId": "s1", **each["params"]}}
        for at, each in enumerate(REQUESTS)
    ]
    return [*turn(["so"]), *map(note, OTHERS), *asked]


def test_no_secret_in_place_of_any_value_passes() -> None:
    source = every_kind()
    for place, event in enumerate(source):
        for way in leaves(event):
            changed = [*source[:place], put(event, way, "a secret"), *source[place + 1 :]]
            assert not left_raw(list(GUARD.wrap_sync(changed, format="acp"))), way


def test_requests_and_answers_begin_a_stream() -> None:
    answers = [{"agentCapabilities": {}}, {"protocolVersion": 1}, {"sessionId": "s"}]
    firsts = [{"jsonrpc": "2.0", "id": 0, "result": each} for each in answers]
    for first in (*firsts, *every_kind()[-len(REQUESTS) :]):
        assert detect(first).name == "acp"  # type: ignore[attr-defined]
    sampled = {"role": "assistant", "content": {}, "model": "m-1", "stopReason": "endTurn"}
    for result in (sampled, {"protocolVersion": "2025-06-18"}):
        answer = {"jsonrpc": "2.0", "id": 0, "result": result}
        assert detect(answer).name == "mcp"  # type: ignore[attr-defined]
