"""Bounds on the length of a text: characters, lines, tokens.

A bound does not change a text that fits: the text ends where the first character over it begins.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import index
from typing import NamedTuple, Protocol, TypeAlias

import regex

from guardstream.events import FinishReason

Count: TypeAlias = Callable[[str], int]
"""Counts the tokens of a text."""


class End(NamedTuple):
    """The end of a text by a limit. Offsets are in code points from the text's start.

    - `at`: the character at which the end is certain.
    - `cut`: the end of the text that is released.
    - `start`, `end`: the span that is reported.
    - `failed`: whether the limit itself failed, which blocks.
    """

    at: int
    cut: int
    start: int
    end: int
    rule: str
    reason: FinishReason = "length"
    failed: bool = False


class Bound(Protocol):
    """One limit over one text."""

    def read(self, text: str, start: int) -> End | None:
        """Read the next characters, of which the first has the offset `start`."""
        ...


class Characters:
    """At most `most` code points."""

    def __init__(self, most: int) -> None:
        self._most = most

    def read(self, text: str, start: int) -> End | None:
        """See `Bound.read`."""
        most = self._most
        return _end("max_chars", most) if start + len(text) > most else None


class Lines:
    """At most `most` lines, each ended by U+000A; a line begins with its first character."""

    def __init__(self, most: int) -> None:
        self._breaks = most

    def read(self, text: str, start: int) -> End | None:
        """See `Bound.read`."""
        place = -1
        for _ in range(self._breaks):
            found = text.find("\n", place + 1)
            if found < 0:
                return None
            place = found
            self._breaks -= 1
        return _end("max_lines", start + place + 1) if place + 1 < len(text) else None


_WORD = r"[\p{L}\p{M}\p{N}'’_]"
_OTHER = r"[^\p{L}\p{M}\p{N}'’_]"
_piece = regex.compile(rf"{_OTHER}{{0,32}}+{_WORD}{{1,32}}+|{_OTHER}{{1,32}}+", regex.V0).match


class Tokens:
    """At most so many tokens, counted piece by piece.

    A piece is a word with the text between it and the word before, at most 32 code points of each;
    tokenizers, too, keep a word together with the space before it. Once the pieces have reached the
    bound, the text ends before the next one. So the count does not depend on chunks and is linear,
    and no text waits for it. A text may exceed the bound by less than the tokens of one piece, and
    a count of the whole text may differ a little.
    """

    def __init__(self, most: int, count: Count) -> None:
        self._left = most
        self._count = count
        self._open = ""

    def read(self, text: str, start: int) -> End | None:
        """See `Bound.read`."""
        waiting = self._open + text
        begin, at = start - len(self._open), 0
        while (found := _piece(waiting, at)) and found.end() < len(waiting):
            at = found.end()
            try:
                self._left -= index(self._count(found[0]))
            except Exception:
                return _end("tokens", begin + at)._replace(reason="error", failed=True)
            if self._left <= 0:
                return _end("tokens", begin + at)
        self._open = waiting[at:]
        return None


def _end(limit: str, at: int) -> End:
    return End(at, at, at, at, f"limits.{limit}")
