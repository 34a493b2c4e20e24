"""Values that recur at one place of a stream, such as a role or a kind in each event.

Joined, they soon look like one long candidate of a pattern without a limit. That it grows too long
means nothing, whereas a text that comes in tokens may be the beginning of a match.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from guardstream.events import Finding

MASK = "\ufdd0"
"""Stands for a character that is masked; it is in no text (a noncharacter of Unicode)."""

_OFTEN = 4
"""How often values recur on average, if the longest text that they could be part of is none."""


_LONG = 1024
"""How much is kept of the last value, which another of this length is never the same as."""


def without(text: str, found: Iterable[Finding]) -> str:
    """Return a text with MASK in place of what is found in it, of which no later match is a
    part."""
    for each in found:
        text = f"{text[: each.start]}{MASK * (each.end - each.start)}{text[each.end :]}"
    return text


class Tail:
    """The last `memory` code points of the values at one place, in `text`, and the values that they
    are made of."""

    def __init__(self, memory: int) -> None:
        self.text = ""
        self.last = ""  # the last value, or the beginning of one that is long
        self._memory = memory
        self._values: deque[str] = deque()
        self._size = 0

    def copy(self) -> Tail:
        copy = Tail(self._memory)
        copy.text, copy.last = self.text, self.last
        copy._values, copy._size = self._values.copy(), self._size
        return copy

    def add(self, value: str) -> None:
        """Add a value after those before it."""
        if not value:
            return
        self.last = value[:_LONG]
        self.text = (self.text + value)[-self._memory :]
        # Of a long one, the others need not be told from its beginning.
        self._values.append(value[-self._memory :])
        self._size += len(self._values[-1])
        while self._size - len(self._values[0]) >= self._memory:
            self._size -= len(self._values.popleft())

    def recurs(self, value: str) -> bool:
        """Return whether the values are few that recur, alone or with `value`, which comes after
        them."""
        before, size = [*reversed(self._values)], len(self.text)
        return _are_few(before, size) or _are_few([value, *before], size + len(value))

    def shortened(self, value: str) -> tuple[str, str]:
        """Return the end of the text where values recur, and the beginning of `value` after it:
        half of the text, or less if `value` is long.

        Together they are so short that no candidate is too long.
        """
        kept = min(self._memory // 2, max(self._memory - len(value), self._memory // 4))
        return self.text[max(len(self.text) - kept, 0) :], value[: self._memory - kept]


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
