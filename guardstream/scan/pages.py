"""Answers for characters by page: to answer for a page of 256 characters costs hardly more than for
a few of them, as long as neighbours mostly have the same answer.
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
"""Where a page begins and ends: characters that change only there are all alike."""

_FIRST_PAGE = "".join(map(chr, range(SIZE))).encode("utf-32-le")

Answer = TypeVar("Answer")

Judges: TypeAlias = "Iterable[tuple[int, regex.Pattern[str]]]"
"""Patterns that find runs of characters, and the bit that those have which each finds."""


class Row(NamedTuple, Generic[Answer]):
    """An answer, and the first and the last of the characters that it is known to be for."""

    answer: Answer
    first: int
    last: int


class Pages(Generic[Answer]):
    """The rows of pages. `judge` makes those of a page, in their order; see `page_of`."""

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
    """The indexes at which a page's characters change, and the bits that do: each pattern finds the
    runs of its characters, which have its bit."""
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
    """The rows of a page as patterns tell its characters apart, and as they are `known` to change
    by others: the answer for a character is the bits that it has. Some characters stand `alone`."""
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
