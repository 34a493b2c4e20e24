"""Warnings about rules that find nothing because an earlier one finds all their matches."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from guardstream.policy.build import CHANNELS
from guardstream.policy.document import Problem
from guardstream.policy.sources import PlacedRule
from guardstream.stages.rules import Rule


class _Known(NamedTuple):
    """A rule, and its words as it compares them."""

    rule: Rule
    channels: frozenset[str]
    words: frozenset[str]


class Earlier:
    """The rules before another, by word and pattern: few share one, and only those can cover it."""

    def __init__(self) -> None:
        self._by: defaultdict[str, list[_Known]] = defaultdict(list)

    def add(self, placed: PlacedRule, rule: Rule) -> None:
        """Add a rule that finds everything it looks for; one with conditions covers nothing."""
        if rule.has_checks:
            return
        words = frozenset(_folded(rule, rule.words))
        known = _Known(rule, frozenset(placed.rule.channels or CHANNELS), words)
        for key in {*map(str.casefold, rule.words), *rule.patterns}:
            self._by[key].append(known)

    def that_share(self, rule: Rule) -> Sequence[_Known]:
        """Return the rules, in order, that look for the first thing that `rule` looks for."""
        key = rule.words[0].casefold() if rule.words else rule.patterns[0]
        return self._by.get(key, ())


def _folded(rule: Rule, words: Iterable[str]) -> Iterator[str]:
    """Yield words as `rule` compares them."""
    return map(str.casefold, words) if rule.ignore_case else iter(words)


def find(placed: PlacedRule, rule: Rule, earlier: Earlier) -> list[Problem]:
    """Return a warning if one of the rules before a rule finds all that it finds."""
    for known in earlier.that_share(rule):
        if _covers(known, placed, rule):
            message = f"rule {rule.id!r} is shadowed: {known.rule.id!r} finds all its matches"
            return [Problem(placed.origin.mark("id"), message)]
    return []


def _covers(known: _Known, placed: PlacedRule, rule: Rule) -> bool:
    """Return whether an earlier rule of equal effect finds everything that `rule` finds."""
    first = known.rule
    if (first.action, first.group, first.whole_word) != (rule.action, rule.group, rule.whole_word):
        return False
    if not known.channels.issuperset(placed.rule.channels or CHANNELS):
        return False
    if not set(first.normalize).issuperset(rule.normalize):
        return False
    if rule.ignore_case and not first.ignore_case:
        return False
    same = set(first.patterns).issuperset(rule.patterns)
    return same and known.words.issuperset(_folded(first, rule.words))
