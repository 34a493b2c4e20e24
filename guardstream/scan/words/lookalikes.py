"""Letters that a reader takes for Latin ones, though Unicode's confusables do not list them. The
names of characters tell them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import cache

_AMONG = (
    (0x80, 0x2100), (0x2C60, 0x2C80), (0xA720, 0xA800), (0xAB30, 0xAB70), (0x1F100, 0x1F200),
)  # fmt: skip
"""The ranges in which Unicode has Latin letters beyond ASCII."""

_SMALL = re.compile(
    r"LATIN LETTER SMALL CAPITAL ([A-Z])"
    r"|NEGATIVE (?:CIRCLED|SQUARED) LATIN CAPITAL LETTER ([A-Z])"
    r"|REGIONAL INDICATOR SYMBOL LETTER ([A-Z])"
)
_STROKED = re.compile(r"LATIN (?:SMALL|CAPITAL) LETTER ([A-Z]) WITH (?:[A-Z]+ )?(?:STROKE|BAR)")


@cache
def drawn() -> dict[int, str]:
    """Small capitals, letters in black boxes and circles, and those that flags are made of."""
    return dict(_named(_SMALL))


@cache
def stroked() -> dict[int, str]:
    """Letters with a stroke, such as ø, ł and đ, which no decomposition has."""
    return dict(_named(_STROKED))


def _named(pattern: re.Pattern[str]) -> Iterator[tuple[int, str]]:
    for first, end in _AMONG:
        for code in range(first, end):
            if found := pattern.fullmatch(unicodedata.name(chr(code), "")):
                letter = next(filter(None, found.groups()))
                yield code, letter if chr(code).isupper() else letter.lower()
