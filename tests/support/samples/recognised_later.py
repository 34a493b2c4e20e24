"""Streams whose format shows late."""

from __future__ import annotations

from typing import Any

from tests.formats.chunks import chunk

Event = dict[str, Any]


STARTED: Event = {"status": "started", "type": "run", "conversation": "a chat with a secret"}


def openai(pieces: list[str]) -> list[Event]:
    return [*(chunk({"content": piece}) for piece in pieces), chunk(finish="stop")]


def anthropic(pieces: list[str]) -> list[Event]:
    block = {"type": "text", "text": ""}
    message = {"id": "msg_1", "type": "message", "role": "assistant", "content": []}
    return [
        {"type": "message_start", "message": message},
        {"type": "content_block_start", "index": 0, "content_block": block},
        *(
            {
                "type": "content_block_delta",
                "index": 0,
                "delta": {"type": "text_delta", "text": piece},
            }
            for piece in pieces
        ),
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}},
        {"type": "message_stop"},
    ]


def ui(pieces: list[str]) -> list[Event]:
    said = [{"type": "text-delta", "id": "t", "delta": piece} for piece in pieces]
    return [{"type": "start"}, {"type": "text-start", "id": "t"}, *said, {"type": "finish"}]


FORMATS = {"openai_chat": openai, "anthropic": anthropic, "ui_messages": ui}
