"""Warns of what is valid in a policy but probably not intended, each time with its place.

The errors of a policy that does not load are reported by loading it. Only the file's own rules are
checked, because the files that it extends have warnings of their own.
"""

from __future__ import annotations

from collections.abc import Iterator

from guardstream.policy import problems
from guardstream.policy.build import CompiledPolicy
from guardstream.policy.document import Problem
from guardstream.policy.lint import normalization, patterns, rules, sections, shadowing, words
from guardstream.policy.lint.places import about
from guardstream.policy.sources import PlacedRule
from guardstream.stages.rules import Rule


def warnings(built: CompiledPolicy) -> list[str]:
    """Return the warnings about a policy's own rules, as `file:line:column: warning: …`."""
    found = list(sections.find(built))
    earlier = shadowing.Earlier()
    for placed, rule in zip(built.placed, built.rules, strict=True):
        shadowed = shadowing.find(placed, rule, earlier)
        earlier.add(placed, rule)
        if placed.origin.source is built.source:
            found += _of_rule(built, placed, rule)
            found += shadowed
    lines = problems.warnings_of(built.source.name, found)
    return lines + (warnings(built.input) if built.input else [])


def _of_rule(built: CompiledPolicy, placed: PlacedRule, rule: Rule) -> Iterator[Problem]:
    """Yield the warnings about one rule, whatever other rules there are."""
    limit = built.file.max_holdback
    yield from rules.find(built, placed, rule)
    yield from normalization.find(placed, rule)
    yield from words.find(placed, rule, limit)
    for index, pattern in enumerate(rule.patterns):
        for message in patterns.find(pattern, rule.group, limit):
            yield about(placed.origin, message, "pattern", index)


def missing_keys(built: CompiledPolicy) -> list[str]:
    """Return a warning for each secret that the policy needs and the environment does not have."""
    return problems.warnings_of(built.source.name, sections.find_missing_keys(built))
