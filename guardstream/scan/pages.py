"""Answers for characters that are asked for one by one, and together once many of them are.

A text of one script asks for a few of each page of 256 characters; one of all scripts, or of random
ones, for nearly all of them. To answer for a page costs as much as for a dozen characters.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Generic, NamedTuple, TypeVar

ENOUGH = 8
"""How many characters of a page are answered for one by one."""

Answer = TypeVar("Answer")


class Row(NamedTuple, Generic[Answer]):
    """An answer, and the first and the last of the characters that it is known to be for."""

    answer: Answer
    first: int
    last: int


class Pages(Generic[Answer]):
    """Answers by page. `one` answers for a character, `whole` for each character of a page."""

    def __init__(
        self, one: Callable[[str], Answer], whole: Callable[[str], Sequence[Answer]]
    ) -> None:
        self._one = one
        self._whole = whole
        self._asked: dict[int, int] = {}
        self._known: dict[int, tuple[list[int], list[Row[Answer]]]] = {}

    def clear(self) -> None:
        """Forget all answers."""
        self._asked.clear()
        self._known.clear()

    def row(self, character: str) -> Row[Answer]:
        """The answer for a character."""
        code = ord(character)
        page = code >> 8
        known = self._known.get(page)
        if known is None:
            asked = self._asked[page] = self._asked.get(page, 0) + 1
            if asked <= ENOUGH:
                return Row(self._one(character), code, code)
            known = self._known[page] = self._judged(page << 8)
        firsts, rows = known
        return rows[bisect_right(firsts, code) - 1]

    def _judged(self, begin: int) -> tuple[list[int], list[Row[Answer]]]:
        answers = self._whole("".join(map(chr, range(begin, begin + 256))))
        rows = []
        for answer, places in groupby(enumerate(answers), key=itemgetter(1)):
            codes = [begin + place for place, _ in places]
            rows.append(Row(answer, codes[0], codes[-1]))
        return [row.first for row in rows], rows
