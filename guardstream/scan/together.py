"""Reads a text by all searches of a stream, where nobody must look."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from guardstream.scan.match import UNREAD, Steps

try:
    from guardstream.scan import _native
except ImportError:
    # Without a compiler, or where the extension does not fit the interpreter.
    BUILT = False
else:
    BUILT = True


def reader(searches: Sequence[Steps]) -> Callable[[str], int]:
    """What reads all of a text if nothing in it needs attention, and returns how many characters
    the oldest live candidate holds back; else it reads nothing and returns UNREAD. It is not to be
    called while a candidate that overflowed lives on."""
    if len(searches) == 1:
        return searches[0].read
    if BUILT:
        kinds = _native.Stream, _native.WordStream
        natives = tuple([search for search in searches if isinstance(search, kinds)])
        if natives and len(natives) == len(searches):
            return partial(_native.read, natives)

    def read(text: str) -> int:
        held = 0
        for number, search in enumerate(searches):
            waits = search.read(text)
            if waits < 0:
                for earlier in searches[:number]:
                    earlier.unread()
                return UNREAD
            if waits > held:
                held = waits
        return held

    return read
