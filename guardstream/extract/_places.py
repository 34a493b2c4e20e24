"""Where in a document a token stands: paths as ijson has them, keys joined by dots, `item`."""

from __future__ import annotations

from typing import cast

from guardstream.jsonstream.lexer import tokens as t
from guardstream.jsonstream.lexer.tokens import Token

_STRINGS = (t.STRING, t.STRING_PART)
_BEGIN = (t.OPEN_OBJECT, t.OPEN_ARRAY, t.STRING_PART, t.SCALAR_PART)
_SCALARS = (t.STRING, t.INTEGER, t.FLOAT, t.LITERAL)


class Place:
    """Follows tokens; `prefix` is the path of the value that a token is about."""

    def __init__(self) -> None:
        self.prefix = ""
        self._prefixes: list[str] = []

    def follow(self, token: Token) -> None:
        """Take the next token."""
        kind, value = token[0], token[1]
        if kind == t.KEY:
            outer = self._prefixes[-1]
            self.prefix = f"{outer}.{value}" if outer else value
        elif kind in (t.OPEN_OBJECT, t.OPEN_ARRAY):
            self._prefixes.append(self.prefix)
            if kind == t.OPEN_ARRAY:
                self.prefix = f"{self.prefix}.item" if self.prefix else "item"
        elif kind in (t.CLOSE_OBJECT, t.CLOSE_ARRAY):
            self.prefix = self._prefixes.pop()


class TextAt:
    """The text of the strings at a path, as it comes."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._place = Place()

    def take(self, token: Token) -> str:
        """The text that `token` brings at the path."""
        kind, value, start, end = token
        if kind not in _STRINGS:
            self._place.follow(token)
            return ""
        if self._place.prefix != self._path:
            return ""
        tail = value[len(value) - (end - 1 - start) :] if kind == t.STRING else value
        return cast(str, tail)


class SpansAt:
    """The values at a path, each as the offsets at which its text begins and ends."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._place = Place()
        self._start: int | None = None  # of the value at the path that is open
        self._depth = 0  # of containers open in it

    def take(self, token: Token) -> tuple[int, int] | None:
        """The span of the value that `token` ends, if it stands at the path."""
        kind, _, start, end = token
        here = self._start is None and self._place.prefix == self._path
        if here and kind in (*_BEGIN, *_SCALARS):
            self._start = start - (kind in _STRINGS)
        opens = kind in (t.OPEN_OBJECT, t.OPEN_ARRAY)
        closes = kind in (t.CLOSE_OBJECT, t.CLOSE_ARRAY)
        self._place.follow(token)
        if self._start is None:
            return None
        self._depth += opens - closes
        if self._depth or not (closes or kind in _SCALARS):
            return None
        found, self._start = (self._start, end), None
        return found
