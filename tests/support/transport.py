"""A provider behind a transport of httpx."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import httpx

from guardstream.http.transport import SyncGuardTransport
from tests.serve.proxy.upstream import guard

HELLO = {"messages": [{"role": "user", "content": "hello"}]}


class Source(httpx.AsyncByteStream, httpx.SyncByteStream):
    """A body in parts, that knows whether it was closed."""

    def __init__(self, parts: list[bytes]) -> None:
        self.parts = parts
        self.given = 0
        self.closed = False

    def __iter__(self) -> Iterator[bytes]:
        for part in self.parts:
            self.given += 1
            yield part

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for part in self:
            yield part

    def close(self) -> None:
        self.closed = True

    async def aclose(self) -> None:
        self.closed = True


def provider(source: Source, kind: str = "text/event-stream") -> Callable[[Any], httpx.Response]:
    return lambda _: httpx.Response(200, headers={"content-type": kind}, stream=source)


def sync_client(answer: Callable[[Any], httpx.Response], **settings: Any) -> httpx.Client:
    inner = httpx.MockTransport(answer)
    return httpx.Client(transport=SyncGuardTransport(guard(), inner, **settings))
