"""Values that recur at one place of a stream, such as a role or a kind in each event.

Text at an unknown path may come in tokens, so the values at one path are also judged joined. If
they only recur (`user`, `user`, `user`), an unbounded pattern sees one long candidate in them that
soon overflows. Such an overflow means nothing, and must not block the stream. Tokens of a text do
not recur like that, and there an overflow counts.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable

from guardstream.events import Finding

MASK = "\ufdd0"
"""Stands for a character that is masked; it is in no text (a noncharacter of Unicode)."""

_OFTEN = 4
"""How often each value must recur on average, so that the values do not count as a text."""

_LONG = 1024
"""How many code points are kept of the last value; values of this length never count as equal."""


def without(text: str, found: Iterable[Finding]) -> str:
    """Return a text with MASK in place of what was found in it, so that it is found only once."""
    for each in found:
        text = f"{text[: each.start]}{MASK * (each.end - each.start)}{text[each.end :]}"
    return text


class Tail:
    """The last values at one place: `text` is the last `memory` code points of them, joined, and
    `begun` a short text of the JSON or the event that the last one ends in."""

    def __init__(self, memory: int) -> None:
        self.text = ""
        self.last = ""  # the last value, or the beginning of one that is long
        self.begun = ""
        self.memory = memory
        self._values: deque[str] = deque()
        self._size = 0

    def copy(self) -> Tail:
        copy = Tail(self.memory)
        copy.text, copy.last, copy.begun = self.text, self.last, self.begun
        copy._values, copy._size = self._values.copy(), self._size
        return copy

    def shared(self, other: Tail) -> Tail:
        """Return a tail of the values that `other` has, too: the same objects, as other objects may
        be equal by chance."""
        shared = Tail(self.memory)
        counts = Counter(map(id, other._values))
        for value in self._values:
            if counts[id(value)]:
                counts[id(value)] -= 1
                shared.add(value)
        if self.begun == other.begun:
            shared.begun = self.begun
        return shared

    def add(self, value: str) -> None:
        """Add a value after those before it."""
        if not value:
            return
        self.last = value[:_LONG]
        self.text = (self.text + value)[-self.memory :]
        # The end of a long value is enough to tell it from others.
        self._values.append(value[-self.memory :])
        self._size += len(self._values[-1])
        while self._size - len(self._values[0]) >= self.memory:
            self._size -= len(self._values.popleft())

    def is_only(self, value: str) -> bool:
        """Return whether all of the last values are this one."""
        return self._values.count(value) == len(self._values)

    def recurs(self, value: str) -> bool:
        """Return whether the last values are a few that recur, with or without the next `value`."""
        before, size = [*reversed(self._values)], len(self.text)
        return _are_few(before, size) or _are_few([value, *before], size + len(value))

    def shortened(self, value: str) -> tuple[str, str]:
        """Return the end of the text, and the beginning of `value` after it.

        Together they have at most `memory` code points, so that no candidate in them overflows. The
        end is half of that, or less if `value` is long.
        """
        kept = min(self.memory // 2, max(self.memory - len(value), self.memory // 4))
        return self.text[max(len(self.text) - kept, 0) :], value[: self.memory - kept]


def _are_few(last: Iterable[str], size: int) -> bool:
    """Return whether a few values recur in the last `size` code points; `last` has them backwards.

    The tokens of a text differ from each other, unless they are single characters.
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
