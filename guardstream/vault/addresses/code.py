"""Code in addresses: in Showdown, code that begins in one is part of it, with its spaces."""

from __future__ import annotations

import re
from collections.abc import Iterator

from guardstream.vault.addresses.plain import SPACES, Beginnings

_code = re.compile("`+|</?code\\b", re.IGNORECASE)


def ends_in_code_of_address(text: str) -> bool:
    """Return whether `text` ends in an address that contains code, complete or still open."""
    if "`" not in text and "<" not in text:
        return False
    start = text.rfind("\n\n") + 1
    addresses = Beginnings(text)
    end = -1  # of the last code in an address
    for at, after in _code_in(text, start):
        begin = max(start, *(text.rfind(space, start, at) + 1 for space in SPACES))
        if begin <= end or (begin < at and addresses.between(begin, at)):
            if after is None:
                return True
            end = after
    return end >= 0 and not any(space in text[end:] for space in SPACES)


def _code_in(text: str, start: int) -> Iterator[tuple[int, int | None]]:
    """Yield where code begins and ends: None if nothing ends it, and it may be plain text."""
    marks = [(match.span(), match[0].lower()) for match in _code.finditer(text, start)]
    following: dict[str, int] = {}  # the number of the next mark of each kind
    closing: list[int | None] = [None] * len(marks)
    for number in range(len(marks) - 1, -1, -1):
        mark = marks[number][1]
        closing[number] = following.get(mark.replace("<", "</"))
        following[mark] = number
    number = 0
    while number < len(marks):
        (at, _), mark = marks[number]
        closes = closing[number]
        if closes is not None:
            yield at, marks[closes][0][1]
            number = closes
        elif mark != "</code":
            yield at, None
        number += 1
