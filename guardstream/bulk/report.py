"""The counts of a run over stored texts, which can be added up. They contain no text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from guardstream.errors import GuardstreamError
from guardstream.events import Finding, counted

PLACES = 100
"""How many places of changes are kept; the rest is only counted."""


class BulkError(GuardstreamError):
    """Stored texts cannot be guarded; the message names the file and the place in it."""


class FullError(BulkError):
    """There is no space left for the output."""


@dataclass(slots=True)
class Report:
    """The counts of some records.

    - `records`, `characters`: how many were read; code points of the texts in them.
    - `changed`, `blocked`: records in which something was masked; those that a rule blocks, which
      keep what precedes the match, and the policy's block message.
    - `findings`: how often each rule has acted, as `(rule, action)`.
    - `before`, `differ`, `places`: of a comparison, what the first policy has found, in how many
      records the two differ, and in which: the first `PLACES`.
    """

    records: int = 0
    characters: int = 0
    changed: int = 0
    blocked: int = 0
    differ: int = 0
    findings: Counter[tuple[str, str]] = field(default_factory=Counter)
    before: Counter[tuple[str, str]] = field(default_factory=Counter)
    places: list[str] = field(default_factory=list)

    def found(self, findings: Iterable[Finding]) -> None:
        """Count the findings of a text: of those that overlap and mask, one."""
        for finding in counted(findings):
            self.findings[finding.rule, finding.action] += 1

    def add(self, other: Report) -> None:
        """Add the counts of another report."""
        self.records += other.records
        self.characters += other.characters
        self.changed += other.changed
        self.blocked += other.blocked
        self.differ += other.differ
        self.findings.update(other.findings)
        self.before.update(other.before)
        self.places += other.places[: PLACES - len(self.places)]

    def as_dict(self) -> dict[str, Any]:
        """Return the report as JSON values, which `of` reads."""
        return {
            "records": self.records,
            "characters": self.characters,
            "changed": self.changed,
            "blocked": self.blocked,
            "differ": self.differ,
            "findings": _by_rule(self.findings),
            "before": _by_rule(self.before),
            "places": self.places,
        }

    @classmethod
    def of(cls, value: Mapping[str, Any]) -> Report:
        """Return the report that `as_dict` has written. KeyError or TypeError for another value."""
        names = ("records", "characters", "changed", "blocked", "differ")
        return cls(
            **{name: int(value[name]) for name in names},
            findings=_counted(value["findings"]),
            before=_counted(value["before"]),
            places=list(value["places"]),
        )


def _by_rule(findings: Counter[tuple[str, str]]) -> dict[str, dict[str, int]]:
    rules: dict[str, dict[str, int]] = {}
    for (rule, action), number in sorted(findings.items()):
        rules.setdefault(rule, {})[action] = number
    return rules


def _counted(rules: Mapping[str, Mapping[str, int]]) -> Counter[tuple[str, str]]:
    return Counter(
        {
            (rule, action): int(number)
            for rule, actions in rules.items()
            for action, number in actions.items()
        }
    )
