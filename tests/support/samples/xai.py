"""Streams of xAI."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tests.formats import xai_messages
from tests.formats.xai_messages import Chunk

Event = dict[str, Any]


BESIDE: Event = {
    **{"id": "r", "model": "grok-4"},
    "usage": {"promptTokens": 5, "serverSideToolsUsed": ["SERVER_SIDE_TOOL_WEB_SEARCH"]},
}


def message(*outputs: Event, **more: Any) -> Any:
    return xai_messages.message(*outputs, **{**BESIDE, **more})


def output(index: int, delta: Event, **more: Any) -> Event:
    return {"index": index, "delta": {"role": "ROLE_ASSISTANT", **delta}, **more}


def answer(pieces: Sequence[str]) -> Sequence[Any]:
    """Chunks of an answer without tools."""
    messages = [message(output(0, {"content": piece})) for piece in pieces]
    return [Chunk(each, 0) for each in messages]
