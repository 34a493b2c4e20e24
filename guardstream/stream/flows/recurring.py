"""Values that recur at one place of a stream, such as a role or a kind in each event.

Joined, they soon look like one long candidate of a pattern without a limit. That it grows too long
means nothing, whereas a text that comes in tokens may be the beginning of a match.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

_OFTEN = 4
"""How often values recur on average, if the longest text that they could be part of is none."""


class Values:
    """The values that the last `memory` code points at one place are made of."""

    def __init__(self, memory: int) -> None:
        self._memory = memory
        self._values: deque[str] = deque()
        self._size = 0

    def copy(self) -> Values:
        copy = Values(self._memory)
        copy._values, copy._size = self._values.copy(), self._size
        return copy

    def note(self, value: str) -> None:
        """Record a value after those before it."""
        if not value:
            return
        # Of a long one, the others need not be told from its beginning.
        self._values.append(value[-self._memory :])
        self._size += len(self._values[-1])
        while self._size - len(self._values[0]) >= self._memory:
            self._size -= len(self._values.popleft())

    def recur(self, tail: str, text: str) -> bool:
        """Return whether the values at the end of a `tail` are few that recur, alone or with
        `text`, which comes after them."""
        before = [*reversed(self._values)]
        return _are_few(before, len(tail)) or _are_few([text, *before], len(tail) + len(text))


def _are_few(last: Iterable[str], size: int) -> bool:
    """Return whether the values, from the last one back, of `size` code points together, are few
    that recur.

    A text that comes in tokens has others each time, unless they are single characters.
    """
    seen = 0
    different: set[str] = set()
    for value in last:
        if size <= 0:
            break
        seen += 1
        different.add(value)
        size -= len(value)
    if len(different) == 1:
        return seen > 1
    return min(map(len, different), default=0) > 1 and len(different) * _OFTEN <= seen


def shortened(tail: str, text: str, memory: int) -> str:
    """Return the end of a `tail` of values that recur: half of it, or what `text` leaves room for.

    A pattern without a limit then has no candidate that is too long.
    """
    kept = max(min(memory // 2, memory - len(text)), 0)
    return tail[max(len(tail) - kept, 0) :]
