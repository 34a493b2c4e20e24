"""Streams of the package `llm`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass
class StreamEvent:
    type: str
    chunk: str
    part_index: int | None = None
    tool_call_id: str | None = None
    server_executed: bool = False
    tool_name: str | None = None
    redacted: bool = False
    provider_metadata: dict[str, Any] | None = None
    message_index: int = 0


def events(kind: str, pieces: Sequence[str], **more: Any) -> list[StreamEvent]:
    return [StreamEvent(kind, piece, **more) for piece in pieces]
