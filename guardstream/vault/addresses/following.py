"""Follows a text, and keeps the states of all constructs that may be open in it.

A text is read mark by mark: a run of white space, a word, or a punctuation mark. In
`![a](//e.example/? b) c`, the target of an image opens after `](` with the state `Target.RELATIVE`.
The slashes lead to `Target.RELATIVE_SLASH` and then `Target.ABSOLUTE`, in which a stand-in is not
restored, and the parenthesis closes it.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache

import regex

from guardstream.vault.addresses.css import CSS
from guardstream.vault.addresses.directives import DIRECTIVES
from guardstream.vault.addresses.fields import FIELDS
from guardstream.vault.addresses.html import HTML
from guardstream.vault.addresses.markdown import MARKDOWN
from guardstream.vault.addresses.mermaid import MERMAID
from guardstream.vault.addresses.states import (
    CLOSED,
    OTHER,
    OUTSIDE,
    PARAGRAPH,
    PUNCTUATION,
    SPACE,
    WORD,
    Open,
    State,
)
from guardstream.vault.addresses.strings import STRINGS
from guardstream.vault.addresses.terminals import TERMINALS
from guardstream.vault.addresses.tex import TEX
from guardstream.vault.addresses.wikis import WIKIS

MARKUPS = (HTML, CSS, STRINGS, MARKDOWN, TEX, DIRECTIVES, WIKIS, MERMAID, FIELDS, TERMINALS)

LONGEST_OPENING = 224
"""The longest opening of a construct, with what must precede it, in code points."""

_STEPS = {state: row for markup in MARKUPS for state, row in markup.steps.items()}
_OPENINGS = [opening for markup in MARKUPS for opening in markup.openings]
_ENDINGS = [(re.compile(ending.pattern), ending) for markup in MARKUPS for ending in markup.endings]


_FIRSTS = sorted({opening.first for opening in _OPENINGS})


def _then(first: str) -> str:
    """Return a pattern for what must follow the first character of any opening."""
    return "|".join(opening.then for opening in _OPENINGS if opening.first == first)


# All openings, but for what must precede them. A match is only the first character, because they
# may overlap, as in `{{{`. The pattern begins with a set, which `re` searches for quickly.
_any_opening = re.compile(
    rf"[{''.join(map(re.escape, _FIRSTS))}]"
    rf"(?={'|'.join(f'(?<={re.escape(first)})(?:{_then(first)})' for first in _FIRSTS)})"
)


@cache
def _openings_at(first: str) -> list[tuple[regex.Pattern[str], Open]]:
    """Return the openings that begin with a character: their patterns, and what they open."""
    return [
        (regex.compile(f"(?<={after}){re.escape(first)}{then}"), frozenset((opens,)))
        for begins, then, opens, after in _OPENINGS
        if begins == first
    ]


_mark = regex.compile(
    rf"(?P<{PARAGRAPH}>\n(?<=\n[ \t\r]{{0,32}}\n))|(?P<{SPACE}>\n|[^\S\n]+)"
    rf"|[{re.escape(PUNCTUATION)}]|(?P<{WORD}>[^{re.escape(PUNCTUATION)}\s]+)"
)


def within(state: Open, text: str, start: int, end: int) -> Open:
    """Return what is open at `end` of `text`, given what is at `start`.

    An opening that ends after `start` may begin before it, by up to LONGEST_OPENING. The text must
    have a character at `end`, which some openings depend on.
    """
    opened = _opened(text, start, end)
    closed = _closed(text, start, end, state.union(*opened.values()))
    at = start
    for place in sorted({*opened, *closed, end}):
        state = _through(state, text, at, place)
        state = state.difference(closed.get(place, OUTSIDE)) | opened.get(place, OUTSIDE)
        at = place
    return state


def _through(state: Open, text: str, start: int, end: int) -> Open:
    """Return what is open at `end`, if nothing opens between `start` and it."""
    if not state:
        return OUTSIDE
    for mark in _mark.finditer(text, start, end):
        state = _step(state, mark.lastgroup or mark[0])
        if not state:
            break
    return state


@lru_cache(maxsize=4_096)
def _step(state: Open, mark: str) -> Open:
    return frozenset(after for each in state if (after := _next(each, mark)) is not CLOSED)


def _next(state: State, mark: str) -> State | None:
    row = _STEPS[state]
    if mark == PARAGRAPH and mark not in row:
        mark = SPACE
    return row[mark] if mark in row else row.get(OTHER, state)


def _opened(text: str, start: int, end: int) -> dict[int, Open]:
    """Return what opens after `start`, up to `end`, by the offset after each opening."""
    last = min(end + 1, len(text))
    opened: dict[int, Open] = {}
    for match in _any_opening.finditer(text, max(start - LONGEST_OPENING, 0), last):
        for pattern, opens in _openings_at(match[0]):
            found = pattern.match(text, match.start(), last)
            if found and start < (at := found.end()) <= end:
                opened[at] = opened.get(at, OUTSIDE) | opens
    return opened


def _closed(text: str, start: int, end: int, state: Open) -> dict[int, Open]:
    """Return what the endings after `start`, up to `end`, close in it, by the offset after each."""
    first, last = max(start - LONGEST_OPENING, 0), min(end + 1, len(text))
    return {
        match.end(): ending.closes
        for pattern, ending in _ENDINGS
        if not ending.inside.isdisjoint(state)
        for match in pattern.finditer(text, first, last)
        if start < match.end() <= end
    }
