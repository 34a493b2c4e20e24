"""Streams of protocols for user interfaces."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

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
