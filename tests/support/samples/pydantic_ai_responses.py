"""Responses of Pydantic AI."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from tests.support.optional import optional

ModelMessage, ModelResponse, ModelResponsePart, TextPart, ThinkingPart, ToolCallPart = optional(
    "pydantic_ai.messages",
    "ModelMessage",
    "ModelResponse",
    "ModelResponsePart",
    "TextPart",
    "ThinkingPart",
    "ToolCallPart",
)


AT = datetime(2026, 5, 4, tzinfo=UTC)  # else each response has its own


def response(*parts: ModelResponsePart, **fields: Any) -> ModelResponse:
    return ModelResponse(parts=list(parts), model_name="m", timestamp=AT, **fields)
