"""Finds where JSON objects and arrays end: in the middle of a line, or after several lines.

An object that spans lines is refused at the first line that cannot be part of it, so that a broken
line does not swallow the lines after it.
"""

from __future__ import annotations

import re

_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+("?)')
"""A string, or the beginning of one, so that no other string is matched inside it."""

_BRACKET = re.compile(rb"[]{}[]")

_SPACE = b" \t\r\n"

_PAIRS = {b"}": b"{", b"]": b"["}

_MOST_NESTED = 10_000
"""The maximum nesting; JSON parsers give up far earlier."""

_STRUCTURE = re.compile(rb'[]["{}]')
_IN_STRING = re.compile(rb'["\\]')


class Ends:
    """Finds the end of an object, array or string in growing bytes, and reads each byte once.

    It starts at `at`, where `is_open` brackets are open.
    """

    def __init__(self, at: int = 0, is_open: int = 0) -> None:
        self._at = at
        self._open = is_open
        self._in_string = False

    def find(self, data: bytes | bytearray) -> int | None:
        """Return the offset after the value, once; None if the value continues."""
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
    """The lines of an incomplete object. `lead` comes before it."""

    def __init__(self, lead: bytes) -> None:
        self.lead = lead
        self.raw = bytearray()
        self._open: list[bytes] = []
        self._last = b":"  # the last byte of the previous line: an object may follow it

    def take(self, line: bytes) -> bool:
        """Take the next line; return whether it may continue or end the object."""
        self.raw += line
        bare = _STRING.sub(_placeholder, line).translate(None, _SPACE)
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
        """Return whether a line may begin like this after the previous one."""
        if first in (b"}", b"]", b",", b":"):
            return self._last not in (b",", b":")
        is_key = self._open[-1:] == [b"{"] and self._last in (b"{", b",")
        return self._last in (b"{", b"[", b",", b":") and (not is_key or first == b"s")

    def ends(self) -> Ends:
        """Return what finds the end of the object in the next line."""
        return Ends(is_open=len(self._open))

    @property
    def is_over(self) -> bool:
        """Whether the object is complete."""
        return not self._open


def _placeholder(string: re.Match[bytes]) -> bytes:
    """Return a placeholder for a string, because only punctuation counts: a quote if it is
    incomplete."""
    return b"s" if string[1] else b'"'
