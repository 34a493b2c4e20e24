"""Which rules yield to which: `yields` names rules whose masks are kept where both match.

An address inside a connection string begins in the password, and would swallow the host's name:
it yields to the rule for such passwords. Only a mask yields, only to one that is as severe, and
never in a circle. A match is judged by the text up to its end, so it yields to nothing that only
later text completes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from guardstream.events import SEVERITIES
from guardstream.hints import hint
from guardstream.policy.model import PolicyFile
from guardstream.policy.sources import MergedPolicy, PlacedRule
from guardstream.stages.rules import Rule

Pairs = list[tuple[PlacedRule, Rule]]


def check(merged: MergedPolicy) -> None:
    """Report what cannot be yielded to."""
    for placed in merged.rules.values():
        for number, name in enumerate(placed.rule.yields):
            if (message := _fault(merged, placed, name)) is not None:
                here = placed.origin_of("yields")
                here.report(f"rule {placed.rule.id!r}: {message}", "yields", number)


def _fault(merged: MergedPolicy, placed: PlacedRule, name: str) -> str | None:
    known = merged.rules.get(name)
    if known is None:
        return f"it yields to rule {name!r}, which does not exist, {hint(name, list(merged.rules))}"
    rule, other = placed.rule, known.rule
    if "mask" not in (rule.action, other.action) or rule.action != other.action:
        return "only a mask yields, and only to a mask"
    if not other.pattern:
        return f"it yields to rule {name!r}, which has no pattern"
    if SEVERITIES.index(rule.severity) > SEVERITIES.index(other.severity):
        return f"it is more severe than rule {name!r}, to which it yields"
    if placed.rule.id in _reached(merged, name):
        return f"it yields to rule {name!r}, which yields to it"
    return None


def _reached(merged: MergedPolicy, name: str) -> set[str]:
    """Return a rule and all that it yields to, directly or not."""
    reached, waiting = set[str](), [name]
    while waiting:
        name = waiting.pop()
        if name not in reached and name in merged.rules:
            reached.add(name)
            waiting += merged.rules[name].rule.yields
    return reached


def resolved(file: PolicyFile, pairs: Sequence[tuple[PlacedRule, Rule]]) -> Pairs:
    """Return rules with those among them that they yield to. Where a rule may fail and be
    disabled, nothing yields to it."""
    if file.on_error == "allow" or not any(placed.rule.yields for placed, _ in pairs):
        return list(pairs)
    by_id = {rule.id: (placed, rule) for placed, rule in pairs}

    def whole(name: str) -> Rule:
        placed, rule = by_id[name]
        return replace(rule, yields=tuple(of(placed)))

    def of(placed: PlacedRule) -> Iterator[Rule]:
        return (whole(name) for name in placed.rule.yields if name in by_id)

    return [(placed, whole(rule.id)) for placed, rule in pairs]
