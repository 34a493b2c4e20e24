"""Checks whether a text gets the same answer in every chunking: each cut in two, single characters,
and 200 random chunkings.

The work is done in slices of limited time.
"""

from __future__ import annotations

from random import Random
from time import monotonic
from typing import TypedDict

from guardstream.guard import Guard
from guardstream.stream.result import Result

RANDOM = 200
LONGEST = 20_000
"""Characters of a text that is checked; the work grows with its square."""


class Slice(TypedDict):
    """The progress: chunkings `done` of `total`; `next` is the number to go on from, None at the
    end.

    `differs` has the lengths of the chunks that gave another answer.
    """

    done: int
    total: int
    next: int | None
    differs: list[int] | None


def checked(guard: Guard, text: str, begin: int, seconds: float) -> Slice:
    """Compare the answers of chunkings from number `begin` on, for about `seconds` seconds."""
    expected = _compared(guard.check(text))
    total = count(text)
    until = monotonic() + seconds
    number = begin
    while number < total:
        chunks = chunking(text, number)
        number += 1
        if _compared(_played(guard, chunks)) != expected:
            return Slice(done=number, total=total, next=None, differs=[len(c) for c in chunks])
        if monotonic() > until:
            break
    following = number if number < total else None
    return Slice(done=number, total=total, next=following, differs=None)


def count(text: str) -> int:
    """Return how many chunkings of a text are checked."""
    return max(len(text) - 1, 0) + 1 + RANDOM


def chunking(text: str, number: int) -> list[str]:
    """Return the text in chunks: first all cuts in two, then single characters, then random."""
    cuts = max(len(text) - 1, 0)
    if number < cuts:
        return [text[: number + 1], text[number + 1 :]]
    if number == cuts or len(text) < 2:
        return list(text)
    random = Random(number)
    most = min(len(text) - 1, 2 ** random.randint(1, 10))
    places = sorted(random.sample(range(1, len(text)), random.randint(1, most)))
    return [text[a:b] for a, b in zip([0, *places], [*places, len(text)], strict=True)]


def _played(guard: Guard, chunks: list[str]) -> Result:
    stream = guard.wrap_sync(chunks, framing="text", clock=lambda: 0.0)
    stream.text()
    return stream.result


def _compared(result: Result) -> tuple[object, ...]:
    """Return what must be the same in every chunking."""
    return result.text, tuple(result.findings), result.finish
