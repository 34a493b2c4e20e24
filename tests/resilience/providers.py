"""Providers that fail, and sources that break off."""

from __future__ import annotations

from typing import Any

import anyio.lowlevel

from guardstream.resilience import RetryingStream
from tests.support.sources import Source

CHUNKS = ["a ", "sec", "ret", " and", " more"]
WHOLE = "a ****** and more"

AT_ONCE: dict[str, Any] = {"wait_initial": 0.0, "wait_max": 0.0}


class BusyError(ConnectionError):
    """What a provider raises that is busy; it may say for how long."""

    def __init__(self, retry_after: str | None = None) -> None:
        super().__init__("busy with a secret")
        self.headers = {"Retry-After": retry_after} if retry_after else {}


class Provider:
    """Opens the sources that it is given, one after the other; an error is raised instead."""

    def __init__(self, *given: Source | Exception | str) -> None:
        self.given = given
        self.opened = 0

    async def __call__(self, _text: str = "") -> Any:
        await anyio.lowlevel.checkpoint()
        self.opened += 1
        source = self.given[min(self.opened, len(self.given)) - 1]
        if isinstance(source, Exception):
            raise source
        return source

    @property
    def closed(self) -> list[int]:
        """How often each source that was opened has been closed."""
        return [each.closed for each in self.given[: self.opened] if isinstance(each, Source)]


def broken(*chunks: Any) -> Source:
    return Source(chunks, error=BusyError())


async def drain(stream: RetryingStream[Any]) -> list[Any]:
    return [each async for each in stream]
