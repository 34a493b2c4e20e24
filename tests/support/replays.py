"""Answers that can be read again."""

from __future__ import annotations

from typing import Any

import anyio.lowlevel

from guardstream.framing.sse import Decoder, Event
from tests.serve.visit import Visit

SSE = "text/event-stream"


def events(body: bytes) -> list[Event]:
    return [item for item in Decoder().feed(body) if isinstance(item, Event)]


def ids(visit: Visit) -> list[str]:
    return [event.id or "" for event in events(visit.body)]


def text(visit: Visit) -> str:
    return "".join(event.data for event in events(visit.body) if event.event == "message")


async def fetch(app: Any, last_id: str | None = None, **request: Any) -> Visit:
    headers = {} if last_id is None else {"last-event-id": last_id}
    with anyio.fail_after(5):
        return await Visit(headers=headers, **request).to(app)


WORDS = [f"data: {word} \n\n".encode() for word in ("one", "two", "secret", "four", "five")]
