"""Sources that remember whether they were closed, and policies for them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Any

import anyio.lowlevel

from guardstream import Event, Guard, Policy
from guardstream.events import Finish, Form, Stage, Text

POLICY = """
version: 1
name: test
rules:
  - {id: word, words: [secret], replacement: "*"}
  - {id: bad, words: [forbidden], action: block}
  - {id: enough, words: [enough], action: stop}
"""


def guard() -> Guard:
    """A guard that masks, blocks and stops at one word each."""
    return Guard(Policy.parse(POLICY))


class Source:
    """An async iterator of chunks that counts how often it was closed.

    `before` is called before each await, also while closing, with its number from 0.
    """

    def __init__(
        self,
        chunks: Sequence[object],
        *,
        error: Exception | None = None,
        before: Callable[[int], None] = lambda _: None,
    ) -> None:
        self.closed = 0
        self.awaits = 0
        self._chunks = iter(chunks)
        self._error = error
        self._before = before

    def __aiter__(self) -> Source:
        return self

    async def __anext__(self) -> object:
        await self._checkpoint()
        for chunk in self._chunks:
            return chunk
        if self._error is not None:
            raise self._error
        raise StopAsyncIteration

    async def aclose(self) -> None:
        await self._checkpoint()
        self.closed += 1

    async def _checkpoint(self) -> None:
        self._before(self.awaits)
        self.awaits += 1
        await anyio.lowlevel.checkpoint()


class Silent(Source):
    """A source that yields its chunks, and then nothing more without ending."""

    def __init__(self, chunks: Sequence[object] = ()) -> None:
        super().__init__(chunks)
        self.waiting = anyio.Event()

    async def __anext__(self) -> object:
        try:
            return await super().__anext__()
        except StopAsyncIteration:
            self.waiting.set()
            await anyio.sleep_forever()
            raise


class SlowToClose(Source):
    """A source that waits for a moment while it is closed."""

    def __init__(self, chunks: Sequence[object] = ()) -> None:
        super().__init__(chunks)
        self.closing = anyio.Event()

    async def aclose(self) -> None:
        self.closing.set()
        await anyio.sleep(0.05)
        await super().aclose()


class Generating:
    """A source whose iterator is a generator, as of a class with `async def __aiter__`."""

    def __init__(self, chunk: Any) -> None:
        self.closed = 0
        self._chunk = chunk

    async def __aiter__(self) -> AsyncIterator[Any]:
        try:
            while True:
                await anyio.lowlevel.checkpoint()
                yield self._chunk
        finally:
            self.closed += 1


class BrokenStage:
    """A stage that lets text through until it fails."""

    held = 0

    def __init__(self, *, finishes: bool) -> None:
        self._finishes = finishes

    def feed(self, text: str) -> list[Event]:
        if "boom" in text:
            raise ZeroDivisionError("in the stage")
        return [Text(text)]

    def finish(self) -> list[Event]:
        if not self._finishes:
            raise ZeroDivisionError("in the stage")
        return [Finish("stop")]


class BrokenPolicy(Policy):
    """A policy whose stage fails at 'boom', or at the end."""

    finishes = True

    def stages(self, channel: str, tool: str | None = None, form: Form = "json") -> list[Stage]:  # noqa: ARG002
        return [BrokenStage(finishes=self.finishes)]


def broken_guard(*, finishes: bool = True) -> Guard:
    """A guard whose stage raises."""
    policy = BrokenPolicy.parse("version: 1")
    assert isinstance(policy, BrokenPolicy)
    policy.finishes = finishes
    return Guard(policy)


async def agen(chunks: Sequence[str], log: list[str] | None = None) -> AsyncIterator[str]:
    """An async generator of chunks that logs its end."""
    try:
        for chunk in chunks:
            await anyio.lowlevel.checkpoint()
            yield chunk
    finally:
        if log is not None:
            log.append("closed")


def gen(chunks: Sequence[str], log: list[str] | None = None) -> Iterator[str]:
    """A generator of chunks that logs its end."""
    try:
        yield from chunks
    finally:
        if log is not None:
            log.append("closed")
