"""The decoded text of a JSON string: its positions in the source, and its escapes."""

from __future__ import annotations

import json
import re

from guardstream.jsonstream.origins import Origins

begins_escape = re.compile(
    r"\\(?:u(?:[0-9a-fA-F]{0,3}"
    r"|[dD][89abAB][0-9a-fA-F]{2}(?:\\(?:u(?:[dD](?:[c-fC-F][0-9a-fA-F]?)?)?)?)?))?"
).fullmatch
"""Matches an incomplete escape, or one of a surrogate pair."""


class Spans:
    """Maps positions in a string's decoded text to offsets in the source, both in code points.

    Only escapes need an entry.
    """

    def __init__(self, start: int) -> None:
        self.length = 0
        self._origins = Origins(0, start)

    def add(self, text: str, start: int, end: int) -> None:
        """Append a part: a run, or one escape if `text` is shorter than its source."""
        position, self.length = self.length, self.length + len(text)
        if end - start != len(text):
            self._origins.add((position, self.length), (start, end))

    def start(self, position: int) -> int:
        """Return the offset at which the character at `position` begins; at the end, the next
        one's."""
        return self._origins.start(position)

    def placed(self, start: int, end: int) -> tuple[int, int]:
        """Return the offsets of the text between two positions."""
        return self._origins.start(start), self._origins.end(end)


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
