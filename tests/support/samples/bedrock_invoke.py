"""Streams of models that Bedrock invokes."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Sequence
from typing import Any

Event = dict[str, Any]


def anthropic(pieces: Sequence[str]) -> list[Event]:
    message = {"id": "m", "type": "message", "role": "assistant", "content": [], "model": "c"}
    said = [{"type": "text_delta", "text": piece} for piece in pieces]
    return [
        {"type": "message_start", "message": {**message, "usage": {"input_tokens": 3}}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        *({"type": "content_block_delta", "index": 0, "delta": each} for each in said),
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {}},
        {"type": "message_stop", "amazon-bedrock-invocationMetrics": {"inputTokenCount": 3}},
    ]


def chunks(events: Sequence[Event], *, wire: bool = False) -> list[Event]:
    made = []
    for event in events:
        data = json.dumps(event).encode()
        made.append({"chunk": {"bytes": b64encode(data).decode() if wire else data}})
    return made


def said(events: Sequence[Event]) -> str:
    return "".join(text for event in events for text in _texts(event))


def _texts(event: Event) -> list[str]:
    if "outputs" in event:
        return [each["text"] for each in event["outputs"]]
    if "choices" in event:
        return [each["delta"].get("content") or "" for each in event["choices"]]
    if "contentBlockDelta" in event:
        return [event["contentBlockDelta"]["delta"]["text"]]
    if isinstance(event.get("delta"), dict):
        return [event["delta"].get("text") or ""]
    return [event.get("generation") or event.get("outputText") or event.get("text") or ""]
