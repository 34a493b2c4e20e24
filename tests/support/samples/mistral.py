"""Streams of Mistral's models."""

from __future__ import annotations

from typing import Any

import httpx

from tests.laws.asked import events
from tests.support.optional import optional

Client = optional("mistralai.client", "Mistral")


def objects(*source: dict[str, Any]) -> list[Any]:
    """The events that the package gives for a body."""

    def handle(_: httpx.Request) -> httpx.Response:
        body = events(*source) + b"data: [DONE]\n\n"
        return httpx.Response(200, content=body, headers={"content-type": "text/event-stream"})

    http = httpx.Client(transport=httpx.MockTransport(handle))
    messages: Any = [{"role": "user", "content": "q"}]
    with Client(api_key="none", client=http).chat.stream(model="m", messages=messages) as stream:
        return list(stream)
