"""What must be held, found by trying every continuation.

A character is held if some continuation of the text changes the region that masks it, or leads
to a match that blocks on it. Continuations are all texts up to a length over a few characters,
one of them in no rule, each with and without the end.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from typing import TypeAlias

import regex

from guardstream.stages.rules import Rule

from .reference import Mark, Region, regions_of, spans_found, words_found

Fate: TypeAlias = "tuple[int, int, frozenset[tuple[int, int, int]]] | str | None"


def continuations(alphabet: str, longest: int) -> Iterator[str]:
    """Every text over the alphabet, shortest first."""
    for length in range(longest + 1):
        for letters in product(alphabet, repeat=length):
            yield "".join(letters)


def needed_holdback(rules: Sequence[Rule], seen: str, alphabet: str, longest: int) -> int:
    """How many characters at the end must be held: some continuation changes the first's fate."""
    fates: list[Fate] | None = None
    first = len(seen)
    for more in continuations(alphabet, longest):
        now = fates_of(rules, seen + more, len(seen))
        fates = now if fates is None else fates
        first = min([first, *(i for i in range(first) if now[i] != fates[i])])
    return len(seen) - first


def fates_of(rules: Sequence[Rule], text: str, upto: int) -> list[Fate]:
    """What masks or blocks each of the first `upto` characters of a whole text; None if nothing."""
    fates: list[Fate] = [None] * upto
    marks = [
        Mark(start, end, order, rule)
        for order, rule in enumerate(rules)
        if rule.action == "mask"
        for start, end in spans_found(rule, text)
    ]
    regions = regions_of(marks)
    for region in regions:
        for index in range(region.start, min(region.end, upto)):
            fates[index] = _of_region(region)
    start = first_block(rules, text)
    if start is not None:
        start = min([start, *(r.start for r in regions if r.start < start < r.end)])
        for index in range(start, upto):
            fates[index] = "blocked"
    return fates


def _of_region(region: Region) -> Fate:
    spans = frozenset((mark.start, mark.end, mark.order) for mark in region.marks)
    return region.start, region.end, spans


def first_block(rules: Sequence[Rule], text: str) -> int | None:
    """The offset of the first block, for patterns without assertions at the end."""
    for end in range(1, len(text) + 1):
        starts = [
            start
            for rule in rules
            if rule.action == "block"
            for start in _starts_of_blocks(rule, text, end)
        ]
        if starts:
            return min(starts)
    return None


def _starts_of_blocks(rule: Rule, text: str, end: int) -> Iterator[int]:
    for word in rule.words:
        yield from (start for start, stop in words_found(rule, word, text) if stop == end)
    for pattern in rule.patterns:
        compiled = regex.compile(pattern)
        yield from (s for s in range(end) if compiled.fullmatch(text, s, end))
