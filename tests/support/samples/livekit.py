"""Streams of LiveKit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import BaseModel


class FunctionToolCall(BaseModel):
    type: Literal["function"] = "function"
    name: str
    arguments: str
    call_id: str
    extra: dict[str, Any] | None = None


class ChoiceDelta(BaseModel):
    role: Literal["assistant"] | None = None
    content: str | None = None
    tool_calls: list[FunctionToolCall] = []
    extra: dict[str, Any] | None = None


class Usage(BaseModel):
    completion_tokens: int
    service_tier: str | None = None


class ChatChunk(BaseModel):
    id: str
    delta: ChoiceDelta | None = None
    usage: Usage | None = None


def said(pieces: Sequence[str]) -> list[ChatChunk]:
    deltas = [ChoiceDelta(role="assistant", content=piece) for piece in pieces]
    return [ChatChunk(id="c-1", delta=delta) for delta in deltas]
