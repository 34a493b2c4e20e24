"""The decoded text of a JSON string: its positions in the source, and its escapes."""

from __future__ import annotations

import json
from bisect import bisect_right


class Spans:
    """Maps positions in a string's decoded text to offsets in the source, both in code points.

    Only escapes, which break the one-to-one mapping, need an entry.
    """

    def __init__(self, start: int) -> None:
        self.length = 0
        self._decoded: list[int] = []
        self._source: list[int] = []
        self._end = start
        self._in_run = False

    def add(self, text: str, start: int, end: int) -> None:
        """Append a part: a run, or one escape if `text` is shorter than its source."""
        run = end - start == len(text)
        if not self._decoded or start != self._end or not run or not self._in_run:
            self._decoded.append(self.length)
            self._source.append(start)
        self._in_run = run
        self._end = end
        self.length += len(text)

    def start(self, position: int) -> int:
        """Return the offset at which the character at `position` begins; at the end, the next
        one's."""
        if position >= self.length:
            return self._end
        index = bisect_right(self._decoded, position) - 1
        return self._source[index] + position - self._decoded[index]

    def end(self, position: int) -> int:
        """Return the offset after the character before `position`."""
        if not position:
            return self.start(0)
        index = bisect_right(self._decoded, position - 1) - 1
        if index + 1 < len(self._decoded) and self._decoded[index + 1] == position:
            return self._source[index + 1]
        if position == self.length:
            return self._end
        return self._source[index] + position - self._decoded[index]

    def placed(self, start: int, end: int) -> tuple[int, int]:
        """Return the offsets of the text between two positions."""
        return self.start(start), self.end(end)


class Spelling:
    """Writes text as the inside of a JSON string, with the escapes that its source uses.

    A character is escaped as it was last escaped, so that unchanged text stays the same, even if
    its writer escapes everything that is not ASCII.
    """

    def __init__(self) -> None:
        self._known: dict[str, str] = {}

    def learn(self, char: str, escape: str) -> None:
        """Record that the source writes `escape` for `char`."""
        if escape != encode(char):
            self._known[char] = escape
        else:
            self._known.pop(char, None)

    def write(self, text: str) -> str:
        """Write `text` as the inside of a string."""
        known = self._known
        if not known:
            return encode(text)
        return "".join([known.get(char) or encode(char) for char in text])


def encode(text: str) -> str:
    """Write `text` as the inside of a JSON string, with only the escapes that RFC 8259 requires."""
    if text.isprintable() and '"' not in text and "\\" not in text:
        return text
    return json.dumps(text, ensure_ascii=False)[1:-1]
