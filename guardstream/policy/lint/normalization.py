"""Warnings about a rule's `normalize`: where it has no effect, or hides what the rule looks for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import regex

from guardstream.errors import PatternError
from guardstream.policy.document import Problem
from guardstream.policy.lint.places import about, patterns
from guardstream.policy.sources import PlacedRule
from guardstream.policy.validators import NAMED
from guardstream.scan.regex.parser import parse
from guardstream.scan.regex.rewrite import fragments
from guardstream.scan.words.normalize import TRANSLATED, Table
from guardstream.stages.rules import Rule


def find(placed: PlacedRule, rule: Rule) -> Iterator[Problem]:
    """Yield the warnings about a rule's normalisation."""
    yield from _unused_spaces(placed, rule)
    yield from _never_found(placed, rule)
    yield from _turned_digits(placed, rule)


def _unused_spaces(placed: PlacedRule, rule: Rule) -> Iterator[Problem]:
    """Warn of normalisation of spaces in a rule without spaces."""
    names = [name for name in rule.normalize if name == "spaces"]
    names += [name for name in rule.normalize if name == "markdown" and not rule.words]
    spaced = (char.isspace() for word in rule.words for char in word)
    if names and not any(spaced) and not any(map(_has_space, rule.patterns)):
        message = f"{names[0]!r} has no effect: no word and no pattern of it has a space"
        yield about(placed.origin, message, "normalize")


def _has_space(pattern: str) -> bool:
    """Return whether a pattern contains a space that `parse` treats as one."""
    return parse(pattern).tree != parse(pattern, r"\s").tree


def _never_found(placed: PlacedRule, rule: Rule) -> Iterator[Problem]:
    """Warn of characters in patterns that normalisation turns into others, so that they are never
    found."""
    names = TRANSLATED.intersection(rule.normalize)
    if not names:
        return
    table = Table(names)
    for here, parts, pattern in patterns(placed, rule):
        turned = {
            character: table[ord(character)]
            for fragment in _fragments(pattern)
            for character in {*_AS_LETTERS, *fragment}
            if _loses(fragment, character, table[ord(character)])
        }
        if turned:
            changes = " and ".join(f"{old!r} into {new!r}" for old, new in sorted(turned.items()))
            instead = " and ".join(map(repr, sorted(set(turned.values()))))
            message = f"'normalize' turns {changes} before patterns match: match {instead} there"
            yield about(here, message, *parts)


_AS_LETTERS = "01"
"""Digits that `confusables` turns into letters; a pattern hardly ever names them one by one."""

_PRIVATE = "\ue000"


def _fragments(pattern: str) -> Iterator[str]:
    """Yield the sets of characters in a pattern; none of one that only complete texts can match."""
    with suppress(PatternError):
        yield from fragments(parse(pattern).tree)


def _loses(fragment: str, character: str, turned: str) -> bool:
    """Return whether a set of characters has a character, but not what it is turned into.

    A negated set, which also has characters that nobody names, is meant to exclude the latter.
    """
    if turned == character:
        return False
    has = regex.compile(fragment, regex.V0).fullmatch
    return bool(has(character)) and not has(turned) and not has(_PRIVATE)


def _turned_digits(placed: PlacedRule, rule: Rule) -> Iterator[Problem]:
    """Warn of checks that need all digits of a match, if normalisation turns some into letters."""
    if "confusables" not in rule.normalize:
        return
    for check in placed.rule.validate_ or ():
        if isinstance(check, str) and check in NAMED and check != "varied":
            message = (
                f"'confusables' turns '0' and '1' into letters before {check!r} sees a match, "
                "which is then judged without them: remove one of the two"
            )
            yield about(placed.origin_of("validate_"), message, "validate")
