"""Warnings about the words of a rule."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import regex

from guardstream.policy.checks import is_code
from guardstream.policy.document import Problem
from guardstream.policy.lint.places import about
from guardstream.policy.sources import PlacedRule
from guardstream.stages.confirm import confirmation_of
from guardstream.stages.rules import Rule


def find(placed: PlacedRule, rule: Rule, limit: int) -> Iterator[Problem]:
    """Yield the warnings about a rule's words; `limit` characters can be held."""
    yield from _refused_words(placed, rule)
    yield from _patterns_as_words(placed)
    yield from _lost_characters(placed, rule)
    yield from _long_words(placed, rule, limit)
    yield from _unmeant(placed, rule)
    yield from _unquoted_classes(placed)


def _refused_words(placed: PlacedRule, rule: Rule) -> Iterator[Problem]:
    """Warn of words that the rule's own checks or exceptions always let pass."""
    if rule.normalize or any(map(is_code, placed.rule.validate_ or ())):
        return
    confirmation = confirmation_of(replace(rule, keywords=(), allow_after=()))
    if confirmation is None:
        return

    def is_refused(word: str) -> bool:
        return not any(confirmation.of_words.judge(each, "") for each in _spellings(rule, word))

    refused = list(filter(is_refused, rule.words))
    if refused:
        message = f"{len(refused)} of its words are never found: 'validate' or 'allow' refuses them"
        yield about(placed.origin_of("words"), message, "words")


def _spellings(rule: Rule, word: str) -> Iterator[str]:
    """Yield the usual ways to write a word: patterns and validators may tell them apart."""
    yield word
    if rule.ignore_case:
        yield from (word.lower(), word.upper(), word.title(), word.swapcase())


_AS_PATTERN = regex.compile(
    r"\\[bdDsSwW]|\(\?|\.[*+]|a-z|A-Z|0-9\]|[\])][*+?]|\w\{\d|(?:\w{3}|\w-)\*$|^\*[.@-]"
)
"""Hardly ever in a word, unless it was meant as a pattern."""


def is_like_pattern(word: str) -> bool:
    """Return whether a word looks like a pattern."""
    return _AS_PATTERN.search(word) is not None


def _patterns_as_words(placed: PlacedRule) -> Iterator[Problem]:
    """Warn of words that look like patterns: they are only found as they are written."""
    words, here = placed.rule.words, placed.origin_of("words")
    for index, word in enumerate(words if isinstance(words, list) else ()):
        if is_like_pattern(word):
            shown = repr(word[:40]).replace(r"\\", "\\")
            message = f"{shown} is only found as it is written: for a pattern, use 'pattern'"
            yield about(here, message, "words", index)


_QUOTED = regex.compile(r"[“”„«»‹›‘‚「『].*[“”«»‹›’」』]")
_LISTED = regex.compile(r"[^,;]+(?:[,;]\s?[^,;]+){2,}")
_UNMEANT = (
    (lambda word: word != word.strip(), "begin or end with a space", "leave the spaces out"),
    (_QUOTED.fullmatch, "stand in typographic quotes", "leave the quotes out, or write \" or '"),
    (_LISTED.fullmatch, "look like a list", "write each word on a line, or in an item, of its own"),
)
"""What a word is hardly ever meant to be: how to tell, how to say it, and what to do."""


def _unmeant(placed: PlacedRule, rule: Rule) -> Iterator[Problem]:
    """Warn of words that are only found with signs that were meant to surround or part them."""
    for tell, what, instead in _UNMEANT:
        found = [word for word in rule.words if tell(word)]
        if found:
            message = f"{len(found)} of its words {what}, and are only found so: {instead}"
            yield about(placed.origin_of("words"), message, "words")


_IN_CLASS = regex.compile(r"\^?(?:\w-\w)+\w*")


def _unquoted_classes(placed: PlacedRule) -> Iterator[Problem]:
    """Warn of what YAML reads as a list, though it was meant as a class of characters."""
    rule = placed.rule
    for key, given in (("words", rule.words), ("pattern", rule.pattern)):
        if isinstance(given, list) and len(given) == 1 and _IN_CLASS.fullmatch(str(given[0])):
            shown = f"[{given[0]}]"
            message = f"YAML reads {shown} as a list of one text: for a class, write '{shown}'"
            yield about(placed.origin_of(key), message, key)


_LOST = "\ufffd"
"""The replacement character, which a conversion writes for bytes that it cannot read."""


def _lost_characters(placed: PlacedRule, rule: Rule) -> Iterator[Problem]:
    """Warn of words in which characters were lost; a word of nothing else is meant."""
    broken = [word for word in rule.words if _LOST in word and word.strip(_LOST)]
    if broken:
        message = (
            f"{len(broken)} of its words have U+FFFD in them, the sign of characters that were "
            "lost in a conversion: write the words again"
        )
        yield about(placed.origin_of("words"), message, "words")


def _long_words(placed: PlacedRule, rule: Rule, limit: int) -> Iterator[Problem]:
    longest = max(map(len, rule.words), default=0)
    if longest > limit:
        message = f"rule {rule.id!r} has a word of {longest} characters, {limit} can be held"
        yield Problem(placed.origin.mark("words"), message)
