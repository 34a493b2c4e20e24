"""Where a rule's warnings point to."""

from __future__ import annotations

from collections.abc import Iterator

from guardstream.policy.document import Problem
from guardstream.policy.sources import Origin, PlacedRule
from guardstream.stages.rules import Rule


def about(here: Origin, message: str, *parts: str | int) -> Problem:
    """Return a warning about one of the values of a rule."""
    return Problem(here.mark(*parts), f"rule {here.rule.id!r}: {message}")


def patterns(placed: PlacedRule, rule: Rule) -> Iterator[tuple[Origin, tuple[str | int, ...], str]]:
    """Yield the patterns of a rule and of its exceptions, each with its place."""
    for index, pattern in enumerate(rule.patterns):
        yield placed.origin, ("pattern", index), pattern
    yield from exceptions(placed, rule)


def exceptions(
    placed: PlacedRule, rule: Rule
) -> Iterator[tuple[Origin, tuple[str | int, ...], str]]:
    """Yield the patterns of a rule's exceptions, each with its place."""
    for name, patterns in (("patterns", rule.allow_patterns), ("after", rule.allow_after)):
        for index, pattern in enumerate(patterns):
            yield placed.origin_of("allow"), ("allow", name, index), pattern
