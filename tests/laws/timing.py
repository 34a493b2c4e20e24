"""When the text of a recording is shown, in virtual time: events 20 ms apart, and what comes after
the sign of the end."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import trio
import trio.testing

from guardstream import Guard, Policy
from tests.laws.recordings import Event, Recording, parsed, texts
from tests.laws.shapes import ends, said

GAP = 0.02

WORDS = ", ".join(
    f"{first}{second}ing" for first in "abcdefghijklmnopqrst" for second in "aeioulmnrs"
)
"""200 words, with which many of the words of an answer begin."""

GUARD = Guard(Policy.parse(f"extends: guardstream/chat\nrules: [{{id: words, words: [{WORDS}]}}]"))

TAILS: dict[str, float] = {"end": 0.0, "pause": 30.0, "never": math.inf, "tool": 10.0}
"""How long a source waits after its last sign: it ends, pauses and goes on, says nothing more, or
runs a tool and adds to its text."""


@dataclass(frozen=True)
class Shown:
    """What a client has read, by the time in seconds since the stream began."""

    steps: list[tuple[float, dict[Any, str]]]
    sign: float

    def by(self, time: float) -> dict[Any, str]:
        """The texts that are shown by a time."""
        found: dict[Any, str] = {}
        for at, said_then in self.steps:
            if at <= time:
                for key, text in said_then.items():
                    found[key] = found.get(key, "") + text
        return found


def last_sign(recording: Recording) -> int:
    """The number of the last event that says that the answer ends."""
    return max(n for n, each in enumerate(recording.events) if ends(each.data, recording.shape))


def has_sign(recording: Recording) -> bool:
    """Tell whether a recording has a sign of an end, and no text after it."""
    signs = [n for n, each in enumerate(recording.events) if ends(each.data, recording.shape)]
    speaking = [n for n, each in enumerate(recording.events) if said(each.data, recording.shape)]
    return bool(signs) and max(signs) >= max(speaking)


def _encoded(event: Event, recording: Recording) -> bytes:
    return event.sse() if recording.is_sse else event.line()


async def _source(recording: Recording, tail: str) -> AsyncIterator[bytes]:
    sign, first = last_sign(recording), None
    for n, event in enumerate(recording.events):
        await trio.sleep(GAP)
        if first is None and said(event.data, recording.shape):
            first = event
        yield _encoded(event, recording)
        if n == sign:
            await trio.sleep(TAILS[tail])
            if tail == "tool" and first is not None:
                yield _encoded(first, recording)
                return


def shown(recording: Recording, tail: str, guard: Guard = GUARD) -> Shown:
    """When the text of a recording is shown, with what follows its last sign."""
    sign = (last_sign(recording) + 1) * GAP
    steps: list[tuple[float, dict[Any, str]]] = []

    async def read() -> None:
        with trio.move_on_after(sign + 60):
            async with guard.wrap(_source(recording, tail)) as stream:
                async for chunk in stream:
                    found = texts(parsed(chunk), recording.shape)
                    steps.append((trio.current_time() - start, found))

    async def main() -> None:
        nonlocal start
        start = trio.current_time()
        await read()

    start = 0.0
    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
    return Shown(steps, sign)
