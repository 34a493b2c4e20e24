"""Code and templates in addresses: what begins in one is part of it, with its spaces.

So Showdown reads code, MediaWiki `https://…/{{urlencode:…}}`
(https://www.mediawiki.org/wiki/Help:Extension:ParserFunctions), and AsciiDoc `https://…/++…++[text]`
(https://docs.asciidoctor.org/asciidoc/latest/pass/pass-macro).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from guardstream.vault.addresses.plain import SPACES, Beginnings

_INSETS = (
    (re.compile("`+|</?code\\b", re.IGNORECASE), ("`", "<")),
    (re.compile(r"\{\{|\}\}"), ("{",)),
    (re.compile(r"\+\+\+?|\$\$|pass:[a-z,]{0,8}\["), ("+", "$", "pass:")),
)
"""Patterns for the marks of each kind, and the texts of which one is in any that opens."""
_CLOSES = {"<code": "</code", "{{": "}}"}  # any other mark closes itself
_ENDS = frozenset(_CLOSES.values())


def ends_in_code_of_address(text: str) -> bool:
    """Return whether `text` ends in an address that contains code, complete or still open."""
    return any(
        _ends_in_address_with(marks, text)
        for marks, signs in _INSETS
        if any(sign in text for sign in signs)
    )


def _ends_in_address_with(marks: re.Pattern[str], text: str) -> bool:
    start = text.rfind("\n\n") + 1
    addresses = Beginnings(text)
    end = -1  # of the last code in an address
    for at, after in _code_in(marks, text, start):
        begin = max(start, *(text.rfind(space, start, at) + 1 for space in SPACES))
        if begin <= end or (begin < at and addresses.between(begin, at)):
            if after is None:
                return True
            end = after
    return end >= 0 and not any(space in text[end:] for space in SPACES)


def _code_in(pattern: re.Pattern[str], text: str, start: int) -> Iterator[tuple[int, int | None]]:
    """Yield where code begins and ends: None if nothing ends it, and it may be plain text."""
    marks = [(match.span(), match[0].lower()) for match in pattern.finditer(text, start)]
    following: dict[str, int] = {}  # the number of the next mark of each kind
    closing: list[int | None] = [None] * len(marks)
    for number in range(len(marks) - 1, -1, -1):
        mark = marks[number][1]
        if mark not in _ENDS:
            closing[number] = following.get(_CLOSES.get(mark, mark))
        if mark == "{{":
            following.pop("}}", None)  # templates may be nested: those around it count as open
        following[mark] = number
    number = 0
    while number < len(marks):
        (at, _), mark = marks[number]
        closes = closing[number]
        if closes is not None:
            yield at, marks[closes][0][1]
            number = closes
        elif mark not in _ENDS:
            yield at, None
        number += 1
