"""Answers for characters, a page at a time: answering for all 256 characters of a page costs hardly
more than for a few of them, as long as neighbours mostly have the same answer.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import pairwise
from types import MappingProxyType
from typing import Generic, NamedTuple, TypeAlias, TypeVar

import regex

SIZE = 256
"""How many characters a page has."""

ENDS = {0, SIZE}
"""Where a page begins and ends. If the answer changes only there, all characters are alike."""

_FIRST_PAGE = "".join(map(chr, range(SIZE))).encode("utf-32-le")

Answer = TypeVar("Answer")

Judges: TypeAlias = "Iterable[tuple[int, regex.Pattern[str]]]"
"""Bits, each with the pattern that finds runs of the characters that have it."""


class Row(NamedTuple, Generic[Answer]):
    """An answer, and the first and last code points of the characters that it is for."""

    answer: Answer
    first: int
    last: int


class Pages(Generic[Answer]):
    """The rows of pages. `judge` takes all characters of a page (see `page_of`) and returns its
    rows, in order."""

    def __init__(self, judge: Callable[[str], Iterable[Row[Answer]]]) -> None:
        self._judge = judge
        self._known: dict[int, tuple[list[int], list[Row[Answer]]]] = {}

    def clear(self) -> None:
        """Forget all answers."""
        self._known.clear()

    def row(self, character: str) -> Row[Answer]:
        """The answer for a character."""
        firsts, rows = self._page(character)
        return rows[bisect_right(firsts, ord(character)) - 1]

    def rows(self, character: str) -> Sequence[Row[Answer]]:
        """The answers for all characters of the page that a character is on."""
        return self._page(character)[1]

    def _page(self, character: str) -> tuple[list[int], list[Row[Answer]]]:
        number = ord(character) // SIZE
        known = self._known.get(number)
        if known is None:
            rows = list(self._judge(page_of(character)))
            known = self._known[number] = [row.first for row in rows], rows
        return known


def page_of(character: str) -> str:
    """All characters of the page that a character is in."""
    return _page(ord(character) // SIZE)


@lru_cache(maxsize=64)  # several searches ask for a page that is new
def _page(number: int) -> str:
    codes = bytearray(_FIRST_PAGE)
    codes[1::4] = bytes([number % 256]) * SIZE
    codes[2::4] = bytes([number // 256]) * SIZE
    return codes.decode("utf-32-le", "surrogatepass")


def changes(page: str, judges: Judges) -> dict[int, int]:
    """The indexes at which the bits of a page's characters change, each with the bits that do."""
    found: dict[int, int] = {}
    for bit, judge in judges:
        for run in judge.finditer(page):
            for index in run.span():
                found[index] = found.get(index, 0) ^ bit
    return found


def told_apart(
    page: str,
    judges: Judges,
    alone: Iterable[str] = (),
    known: Mapping[int, int] = MappingProxyType({}),
) -> Iterator[Row[int]]:
    """The rows of a page; the answer for a character is the bits that it has. `known` are changes
    that are known already, as from `changes`. Each character in `alone` gets a row of its own."""
    begin = ord(page[0])
    found = {0: 0, SIZE: 0, **known}
    for index, bits in changes(page, judges).items():
        found[index] = found.get(index, 0) ^ bits
    for character in alone:
        index = ord(character) - begin
        found.setdefault(index, 0)
        found.setdefault(index + 1, 0)
    answer = 0
    for first, end in pairwise(sorted(found)):
        answer ^= found[first]
        yield Row(answer, begin + first, begin + end - 1)
