"""Where JSON objects and arrays end: in the middle of a line, or after several.

One over several lines, as objects are written for readers, is refused at the first line that cannot
be of it, so that a broken line does not take the lines after it for its own.
"""

from __future__ import annotations

import re

_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+("?)')
"""A string, or the beginning of one: so that none is looked for again within it."""

_BRACKET = re.compile(rb"[]{}[]")

_SPACE = b" \t\r\n"

_PAIRS = {b"}": b"{", b"]": b"["}

_MOST_NESTED = 10_000
"""Brackets in each other; what reads JSON gives up far before."""

_STRUCTURE = re.compile(rb'[]["{}]')
_IN_STRING = re.compile(rb'["\\]')


class Ends:
    """Finds where a value ends in bytes that grow, and looks at each of them once: an object, an
    array or a string.

    It looks from `at`, where so many brackets are open.
    """

    def __init__(self, at: int = 0, is_open: int = 0) -> None:
        self._at = at
        self._open = is_open
        self._in_string = False

    def find(self, data: bytes | bytearray) -> int | None:
        """Return the offset after the value, which is asked for once; None if it goes on."""
        while found := (_IN_STRING if self._in_string else _STRUCTURE).search(data, self._at):
            if found[0] == b"\\" and found.end() == len(data):
                self._at = found.start()
                return None
            self._at = found.end() + (found[0] == b"\\")
            if found[0] == b'"':
                self._in_string = not self._in_string
            elif not self._in_string:
                self._open += 1 if found[0] in b"{[" else -1
            if self._open <= 0 and not self._in_string:
                return self._at
        self._at = max(self._at, len(data))
        return None


class Unfinished:
    """The lines of an object that has begun, and not ended. `lead` stands before it."""

    def __init__(self, lead: bytes) -> None:
        self.lead = lead
        self.raw = bytearray()
        self._open: list[bytes] = []
        self._last = b":"  # the last byte of the line before: an object may come after it

    def take(self, line: bytes) -> bool:
        """Take the next line; return whether the object may go on with it, or end."""
        self.raw += line
        bare = _STRING.sub(_stood_for, line).translate(None, _SPACE)
        if not bare:
            return True
        if b'"' in bare or not self._may_follow(bare[:1]):
            return False
        self._last = bare[-1:]
        for mark in _BRACKET.findall(bare):
            if mark not in _PAIRS:
                self._open.append(mark)
                if len(self._open) > _MOST_NESTED:
                    return False
            elif not self._open or self._open.pop() != _PAIRS[mark]:
                return False
        return True

    def _may_follow(self, first: bytes) -> bool:
        """Tell whether a line may begin so after the one before."""
        if first in (b"}", b"]", b",", b":"):
            return self._last not in (b",", b":")
        is_key = self._open[-1:] == [b"{"] and self._last in (b"{", b",")
        return self._last in (b"{", b"[", b",", b":") and (not is_key or first == b"s")

    def ends(self) -> Ends:
        """Return what finds the end of the object in the next line."""
        return Ends(is_open=len(self._open))

    @property
    def is_over(self) -> bool:
        """Whether the object has ended."""
        return not self._open


def _stood_for(string: re.Match[bytes]) -> bytes:
    """Return what stands for a string where only marks count: a quote if it does not end."""
    return b"s" if string[1] else b'"'
