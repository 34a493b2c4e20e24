"""Server-sent events as objects."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any


@dataclass(frozen=True)
class ServerSentEvent:
    event: str = "message"
    data: str = ""
    id: str = ""
    retry: int | None = None


class Kind(Enum):
    OUTPUT = "output"
    LOGS = "logs"
    DONE = "done"


@dataclass
class Typed:
    event: Kind
    data: str
    id: str = "1690000000:0"
    retry: int | None = None


def openai(pieces: Sequence[str]) -> Iterator[Any]:
    for piece in pieces:
        choices = [{"index": 0, "delta": {"content": piece}, "finish_reason": None}]
        yield {"object": "chat.completion.chunk", "choices": choices}
    choices = [{"index": 0, "delta": {}, "finish_reason": "stop"}]
    yield {"object": "chat.completion.chunk", "choices": choices}


def events(chunks: Iterator[Any], *, named: bool = False) -> list[ServerSentEvent]:
    return [
        ServerSentEvent(each["type"] if named else "message", json.dumps(each)) for each in chunks
    ]
