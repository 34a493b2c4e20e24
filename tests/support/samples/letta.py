"""Streams of Letta."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel

DATE = datetime(2026, 1, 1, tzinfo=UTC)


class Delta(BaseModel):
    arguments: str | None = None
    name: str | None = None
    tool_call_id: str | None = None


class Message(BaseModel):
    """A message of any type; what another type has is left out."""

    id: str = "message-1"
    date: datetime = DATE
    message_type: str
    name: str | None = None
    otid: str | None = None
    run_id: str | None = None
    seq_id: int | None = None


class Assistant(Message):
    message_type: str = "assistant_message"
    content: str | list[dict[str, Any]]


class Reasoning(Message):
    message_type: str = "reasoning_message"
    reasoning: str
    signature: str | None = None
    source: str | None = "reasoner_model"


class Calling(Message):
    message_type: str = "tool_call_message"
    tool_call: Delta
    tool_calls: list[Delta] | Delta | None = None


class Returned(Message):
    message_type: str = "tool_return_message"
    status: str = "success"
    tool_call_id: str = "call_1"
    tool_return: str
    stdout: list[str] | None = None
    tool_returns: list[dict[str, Any]] | None = None


class Stop(BaseModel):
    stop_reason: str = "end_turn"
    message_type: str = "stop_reason"


class Usage(BaseModel):
    message_type: str = "usage_statistics"
    completion_tokens: int = 3


def said(pieces: Sequence[str], own: str = "message-1") -> list[Any]:
    return [Assistant(id=own, content=piece) for piece in pieces]


def arguments(chunks: Sequence[Any], own: str = "call_1") -> str:
    found = [each.tool_call for each in chunks if isinstance(each, Calling)]
    return "".join(call.arguments or "" for call in found if call.tool_call_id == own)
