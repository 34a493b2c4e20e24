"""Whether a text gets one answer in every chunking: all cuts in two, single characters, and 200 at
random. It is found out in slices, each of which goes on for a while.
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
    """How far it is: chunkings `done` of `total`; `next` is None at the end.

    `differs` are the lengths of the chunks that gave another answer.
    """

    done: int
    total: int
    next: int | None
    differs: list[int] | None


def checked(guard: Guard, text: str, begin: int, seconds: float) -> Slice:
    """Try chunkings from number `begin` on, for about so many seconds, and compare the answers."""
    expected = guard.check(text)
    total = count(text)
    until = monotonic() + seconds
    number = begin
    while number < total:
        chunks = chunking(text, number)
        number += 1
        if not _same(expected, _played(guard, chunks)):
            return Slice(done=number, total=total, next=None, differs=[len(c) for c in chunks])
        if monotonic() > until:
            break
    following = number if number < total else None
    return Slice(done=number, total=total, next=following, differs=None)


def count(text: str) -> int:
    """How many chunkings of a text there are to try."""
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


def _same(one: Result, other: Result) -> bool:
    return (one.text, list(one.findings), one.finish) == (
        other.text,
        list(other.findings),
        other.finish,
    )
