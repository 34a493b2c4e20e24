"""A JSON object over several lines, as objects are written for readers.

It is refused at the first line that cannot be of it, so that a broken line does not take the lines
after it for its own.
"""

from __future__ import annotations

import re

_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+("?)')
"""A string, or the beginning of one: so that none is looked for again within it."""

_BRACKET = re.compile(rb"[]{}[]")

_SPACE = b" \t\r\n"

_PAIRS = {b"}": b"{", b"]": b"["}


class Unfinished:
    """The lines of an object that has begun, and not ended."""

    def __init__(self) -> None:
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
            elif not self._open or self._open.pop() != _PAIRS[mark]:
                return False
        return True

    def _may_follow(self, first: bytes) -> bool:
        """Tell whether a line may begin so after the one before."""
        if first in (b"}", b"]", b",", b":"):
            return self._last not in (b",", b":")
        is_key = self._open[-1:] == [b"{"] and self._last in (b"{", b",")
        return self._last in (b"{", b"[", b",", b":") and (not is_key or first == b"s")

    @property
    def is_over(self) -> bool:
        """Whether the object has ended."""
        return not self._open


def _stood_for(string: re.Match[bytes]) -> bytes:
    """Return what stands for a string where only marks count: a quote if it does not end."""
    return b"s" if string[1] else b'"'
