"""A provider's HTTP responses, played to its official client without a network."""

from __future__ import annotations

import importlib
import json
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

from tests.support.optional import optional

openai = optional("openai")


def http_of(sdk: Any) -> Any:
    """The HTTP library that an SDK uses: it differs between them, and between their versions."""
    return importlib.import_module(sdk.DefaultHttpxClient.__mro__[1].__module__.partition(".")[0])


Event = dict[str, Any]


def sse(events: Sequence[Event], *, named: bool = False, done: bool = False) -> bytes:
    """Events as a provider sends them: named by their type, or with `[DONE]` at the end."""
    parts = []
    for event in events:
        name = f"event: {event['type']}\n" if named else ""
        parts.append(f"{name}data: {json.dumps(event)}\n\n")
    return ("".join(parts) + ("data: [DONE]\n\n" if done else "")).encode()


class Body:
    """A response body of some chunks of bytes that remembers how it was read."""

    def __init__(self, *chunks: bytes) -> None:
        self.chunks = chunks
        self.sent = 0
        self.closed = False

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self.chunks:
            self.sent += 1
            yield chunk

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self:
            yield chunk


def transport(body: Body, sdk: Any = openai) -> Any:
    """A transport that answers every request of an SDK's client with `body`."""
    httpx = http_of(sdk)

    class Streamed(httpx.SyncByteStream, httpx.AsyncByteStream):  # type: ignore[name-defined, misc]
        def __iter__(self) -> Iterator[bytes]:
            return iter(body)

        def __aiter__(self) -> AsyncIterator[bytes]:
            return body.__aiter__()

        def close(self) -> None:
            body.closed = True

        async def aclose(self) -> None:
            body.closed = True

    headers = {"content-type": "text/event-stream"}
    return httpx.MockTransport(lambda _: httpx.Response(200, headers=headers, stream=Streamed()))


def openai_client(body: Body) -> openai.OpenAI:
    """The official client, whose requests are answered with `body`."""
    http = openai.DefaultHttpxClient(transport=transport(body))
    return openai.OpenAI(api_key="none", http_client=http, max_retries=0)
