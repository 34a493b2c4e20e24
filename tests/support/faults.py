"""Streams in which something fails at a place of a test's choice, and what must hold then."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import anyio.lowlevel
import pytest

from guardstream import Event, Guard, GuardedStream, Policy, Result, Text
from guardstream.http.stream import WireGuard
from tests.formats.chunks import accumulate
from tests.support.sources import Source
from tests.support.streams import chat, event_stream, message
from tests.support.watching import Watching, watched

PLAIN = ["a ", "sec", "ret", " and", " more"]
BLOCKED = ["fine ", "forbidden", " unread"]
STOPPED = ["so, ", "enough", " unread"]
BODY = [event_stream([each]) for each in chat(lambda text: [text[:5], text[5:]])]

STREAMS: dict[str, Sequence[Any]] = {
    "text": PLAIN,
    "blocked": BLOCKED,
    "stopped": STOPPED,
    "openai": chat(lambda text: [text[:6], text[6:]]),
    "anthropic": message(lambda text: [text[:6], text[6:]]),
    "bytes": BODY,
}

EACH = pytest.mark.parametrize("chunks", STREAMS.values(), ids=STREAMS)


class PlannedError(Exception):
    """The error that these tests raise on purpose."""


@dataclass
class Steps:
    """Counts the awaits of a test from 0, and calls `act` at number `at`."""

    at: int = -1
    act: Callable[[], object] = lambda: None
    taken: int = 0

    async def step(self, _: object = None) -> None:
        self.taken += 1
        if self.taken - 1 == self.at:
            self.act()
        await anyio.lowlevel.checkpoint()


@dataclass
class Run:
    """One stream, and what everybody around it saw."""

    chunks: Sequence[Any]
    steps: Steps = field(default_factory=Steps)
    error: Exception | None = None
    guard: Callable[[Watching], Guard] = watched
    hooks: dict[str, Any] = field(default_factory=dict)
    got: list[Any] = field(default_factory=list)
    ends: list[Result] = field(default_factory=list)
    seen: Watching = field(default_factory=Watching)

    def __post_init__(self) -> None:
        self.source = Stepping(self.chunks, self.steps, self.error)
        self.stream: GuardedStream[Any] = self.guard(self.seen).wrap(
            self.source, **{"on_finish": self._end, **self.hooks}
        )

    async def _end(self, result: Result) -> None:
        await self.steps.step()
        self.ends.append(result)

    async def read(self) -> None:
        async for chunk in self.stream:
            self.got.append(chunk)

    def check(self, *, records: int = 1) -> None:
        """One end, one record, the source closed once, the result what was delivered."""
        result, stream = self.stream.result, self.stream
        assert self.source.closed == 1
        assert stream.finish is not None
        assert self.ends == [result]
        assert said(self.got) == result.text
        assert [record.finish for record in self.seen.records] == [stream.finish] * records
        assert stream.held == 0
        for word in ("secret", "forbidden"):
            assert word not in str(result) + str(self.got) + str(self.seen.records)


class Stepping(Source):
    def __init__(self, chunks: Sequence[Any], steps: Steps, error: Exception | None) -> None:
        super().__init__(chunks, error=error)
        self._steps = steps

    async def _checkpoint(self) -> None:
        await self._steps.step()


def said(chunks: Sequence[Any]) -> str:
    """The answer's text in chunks of any kind."""
    if any(isinstance(each, bytes) for each in chunks):
        return _said_in_bytes(chunks)
    if all(isinstance(each, str) for each in chunks):
        return "".join(chunks)
    if "choices" in chunks[0]:
        return accumulate(list(chunks)).get((0, "content"), "")
    return "".join(
        each["delta"]["text"]
        for each in chunks
        if each.get("delta", {}).get("type") == "text_delta"
    )


def _said_in_bytes(chunks: Sequence[bytes]) -> str:
    whole = WireGuard(Guard(Policy.parse("version: 1")))
    whole.feed(b"".join(chunks))
    return whole.result.text


async def counted(run: Run) -> int:
    """How many awaits a stream has if nothing happens at any of them."""
    await run.read()
    run.check()
    return run.steps.taken


class Bomb:
    """A stage that passes text on until it fails, for the nth time it is called in a stream."""

    def __init__(self, calls: list[int]) -> None:
        self._calls = calls

    def feed(self, text: str) -> list[Event]:
        self._count()
        return [Text(text)]

    def finish(self) -> list[Event]:
        self._count()
        return []

    def _count(self) -> None:
        self._calls[0] -= 1
        if self._calls[0] < 0:
            raise PlannedError("a secret")
