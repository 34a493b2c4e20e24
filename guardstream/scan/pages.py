"""Answers for characters by page: to answer for a page of 256 characters costs hardly more than for
a few of them, as long as neighbours mostly have the same answer.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from itertools import groupby, pairwise
from operator import itemgetter
from typing import Generic, NamedTuple, TypeVar

import regex

SIZE = 256
"""How many characters a page has."""

Answer = TypeVar("Answer")


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
        code = ord(character)
        known = self._known.get(code // SIZE)
        if known is None:
            rows = list(self._judge(page_of(character)))
            known = self._known[code // SIZE] = [row.first for row in rows], rows
        firsts, rows = known
        return rows[bisect_right(firsts, code) - 1]


def page_of(character: str) -> str:
    """All characters of the page that a character is in."""
    return _page(ord(character) // SIZE)


@lru_cache(maxsize=64)  # several searches ask for a page that is new
def _page(number: int) -> str:
    codes = array("I", range(number * SIZE, (number + 1) * SIZE))
    return codes.tobytes().decode("utf-32", "surrogatepass")


def rows_of(page: str, answers: Iterable[Answer]) -> Iterator[Row[Answer]]:
    """The rows of a page that has these answers."""
    for answer, places in groupby(enumerate(answers, ord(page[0])), key=itemgetter(1)):
        codes = [code for code, _ in places]
        yield Row(answer, codes[0], codes[-1])


def told_apart(
    page: str, judges: Iterable[tuple[int, regex.Pattern[str]]], alone: Iterable[str] = ()
) -> Iterator[Row[int]]:
    """The rows of a page as patterns tell its characters apart: each pattern finds the runs of its
    characters, and its bit is in the answers of these. Some characters stand `alone`."""
    begin = ord(page[0])
    changes = {0: 0, SIZE: 0}
    for bit, judge in judges:
        for run in judge.finditer(page):
            for place in run.span():
                changes[place] = changes.get(place, 0) ^ bit
    for character in alone:
        place = ord(character) - begin
        changes.setdefault(place, 0)
        changes.setdefault(place + 1, 0)
    answer = 0
    for first, end in pairwise(sorted(changes)):
        answer ^= changes[first]
        yield Row(answer, begin + first, begin + end - 1)
