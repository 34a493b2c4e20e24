"""Streams of OpenAI's live sessions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import count
from typing import Any

Event = dict[str, Any]


SESSION = {
    "id": "live_1",
    "expires_at": 1,
    "model": "gpt-live-1",
    "status": "active",
    "instructions": "Be kind.",
}


def event(kind: str, **fields: Any) -> Event:
    return {"type": kind, "event_id": "", **fields}


def said(pieces: Sequence[str], who: str = "output") -> list[Event]:
    times = {"start_ms": 200, "end_ms": 400}
    return [event(f"session.{who}_transcript.delta", delta=each, **times) for each in pieces]


def session(*parts: Iterable[Event]) -> list[Event]:
    started = event("session.started", session=SESSION)
    usage = event("session.usage.updated", usage={"seconds": 1.5})
    audio = {"type": "session.output_audio.delta", "delta": "UklGRg==", "start_ms": 0}
    closed = event(
        "session.closed", reason="close_requested", session=SESSION, usage={"seconds": 2}
    )
    source = [started, audio, *(each for part in parts for each in part), usage, closed]
    return [
        {**each, "event_id": f"event_{number}"} if "event_id" in each else each
        for number, each in zip(count(), source, strict=False)
    ]
