"""Finds where sentences and paragraphs end; the chunking makes no difference.

Sentences end by a simple form of Unicode's rules (UAX #29, SB4 to SB11): after a line feed; after
a Chinese or Japanese full stop, question or exclamation mark with the marks and closing brackets
that follow it; after `.`, `!`, `?` or `…`, closing marks and white space, unless a comma or the
like follows, or, after a full stop, a small letter (`e.g. this`, `3.14` and `U.S. law` stay
together). The white space belongs to the sentence before it. Paragraphs end after a blank line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Protocol

_STOPS = frozenset(".!?…")
_WIDE = frozenset("。！？｡")
_MARKS = _STOPS | _WIDE
_CLOSING = frozenset("\"'”’»)]}」』】》〉）］｝〕*_`")
_CONTINUES = _STOPS | frozenset(",;:")
_ends = re.compile("[\n" + re.escape("".join(sorted(_MARKS))) + "]")

_PLAIN, _STOPPED, _SPACED, _CLOSED = range(4)


class Units(Protocol):
    """Finds where the units of one text end."""

    def read(self, text: str) -> Iterator[tuple[int, int]]:
        """Read the next characters. For each unit that ends, yield the index in `text` of the
        character that shows it, and the index at which the unit ends: there, or right after it."""
        ...


class Sentences:
    """Finds where sentences end."""

    def __init__(self) -> None:
        self._state = _PLAIN
        self._mark = ""  # the last stop

    def read(self, text: str) -> Iterator[tuple[int, int]]:
        """See `Units.read`."""
        at = 0
        while at < len(text):
            if self._state == _PLAIN:
                found = _ends.search(text, at)
                if found is None:
                    return
                at = found.start()
            character = text[at]
            if character == "\n":
                self._state = _PLAIN
                yield at, at + 1
            elif self._over(character):
                yield at, at
            at += 1

    def _over(self, character: str) -> bool:
        """Take a character; return whether a sentence has ended before it."""
        state, over = self._state, False
        if state in (_STOPPED, _CLOSED) and character in _CLOSING:
            return False
        if state == _CLOSED:
            if character in _MARKS:
                return False
            over = True
        elif state in (_STOPPED, _SPACED) and character.isspace():
            self._state = _SPACED
            return False
        elif state == _SPACED:
            goes_on = character in _CONTINUES or (self._mark in ".…" and character.islower())
            over = not goes_on
        if character in _STOPS:
            self._mark = character
        self._state = _STOPPED if character in _STOPS else _CLOSED if character in _WIDE else _PLAIN
        return over


class Paragraphs:
    """Finds where paragraphs end: after a line feed, perhaps blanks, and another."""

    def __init__(self) -> None:
        self._blank = False

    def read(self, text: str) -> Iterator[tuple[int, int]]:
        """See `Units.read`."""
        at = 0
        while at < len(text):
            if not self._blank:
                at = text.find("\n", at)
                if at < 0:
                    return
                self._blank = True
            elif text[at] == "\n":
                yield at, at + 1
            else:
                self._blank = text[at] in " \t\r"
            at += 1


class Whole:
    """The whole text is one unit, which ends where the source does."""

    def read(self, text: str) -> Iterator[tuple[int, int]]:  # noqa: ARG002
        """See `Units.read`."""
        return iter(())


class Lengths:
    """Ends a unit every `length` code points."""

    def __init__(self, length: int) -> None:
        self._length = self._left = length

    def read(self, text: str) -> Iterator[tuple[int, int]]:
        """See `Units.read`."""
        at = 0
        while len(text) - at >= self._left:
            at += self._left
            self._left = self._length
            yield at - 1, at
        self._left -= len(text) - at
