"""Frames of Amazon's event stream."""

from __future__ import annotations

import json
from typing import Any

from guardstream.framing import aws
from tests.support.optional import optional

EventStreamBuffer = optional("botocore.eventstream", "EventStreamBuffer")


def body(*events: dict[str, Any]) -> bytes:
    return b"".join(
        aws.message(name, json.dumps(value).encode())
        for event in events
        for name, value in event.items()
    )


def read(data: bytes) -> list[dict[str, Any]]:
    """What `botocore` makes of a body."""
    buffer = EventStreamBuffer()
    buffer.add_data(data)
    return [{str(each.headers[":event-type"]): json.loads(each.payload)} for each in buffer]


def delta(text: str) -> dict[str, Any]:
    return {"contentBlockDelta": {"contentBlockIndex": 0, "delta": {"text": text}, "p": "abc"}}


STREAM = [
    {"messageStart": {"role": "assistant"}},
    delta("a sec"),
    delta("ret, no"),
    {"contentBlockStop": {"contentBlockIndex": 0}},
    {"messageStop": {"stopReason": "end_turn"}},
]
