"""The drafts of importers: checked by the engine, and written as a policy."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.scalarstring import SingleQuotedScalarString

from guardstream.cli.importing.secret_group import Secrets, compiles, refusal
from guardstream.errors import GuardstreamError

_MOST_ENTROPY = 21.0
"""Bits for a character, the most that a policy takes."""


class ImportingError(GuardstreamError):
    """A file cannot be imported."""


@dataclass(slots=True, kw_only=True)
class Side:
    """What a policy looks for in one direction: rules as a policy file has them, and packs.

    A rule without patterns or words changes the pack's rule with its id. `taken` are the ids of the
    packs' rules.
    """

    rules: list[dict[str, Any]] = field(default_factory=list)
    packs: list[str] = field(default_factory=list)
    taken: set[str] = field(default_factory=set)
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        """Whether it finds nothing."""
        return not self.rules and not self.packs


@dataclass(slots=True)
class Draft(Side):
    """A policy in the making: its name, what it looks for in answers and prompts, and notes."""

    name: str
    description: str
    prompts: Side = field(default_factory=Side, kw_only=True)
    notes: list[str] = field(default_factory=list, kw_only=True)

    @classmethod
    def of(cls, path: Path) -> Draft:
        """Return an empty draft with the name of the file that it comes from."""
        return cls(slug(path.stem), f"Imported from {path.name}")

    @property
    def directions(self) -> tuple[tuple[str, Side], tuple[str, Side]]:
        """Return the sides for prompts and for answers, by the names that other tools use."""
        return ("input", self.prompts), ("output", self)

    def add(
        self,
        name: str,
        description: object,
        severity: str,
        found: Secrets,
        *,
        entropy: float | None = None,
        allowed: Iterable[str] = (),
    ) -> None:
        """Add a rule for a secret, which is the group `secret` or the whole match.

        `allowed` patterns match in full what looks like such a secret but is not one. They are left
        out, and noted, if they cannot be read or more than the secret is masked: more is found
        without them.
        """
        rule: dict[str, Any] = {"id": name, "description": str(description or "")}
        rule |= {"severity": severity, "pattern": found.patterns}
        if found.group:
            rule["group"] = "secret"
        if found.is_wider:
            self.notes.append(f"rule {name!r}: all of a match is masked, its group is not a secret")
            if any(True for _ in allowed):
                self.notes.append(f"rule {name!r}: what it allows is left out, for the same reason")
        if entropy and 0 < entropy <= _MOST_ENTROPY:
            rule["validate"] = {"entropy": entropy}
        elif entropy and entropy > 0:
            self.notes.append(f"rule {name!r}: its entropy is more than a text has, and left out")
        given = [] if found.is_wider else list(allowed)
        readable = [pattern for pattern in given if compiles(pattern)]
        if len(readable) < len(given):
            count = len(given) - len(readable)
            self.notes.append(f"rule {name!r}: {count} allowed patterns cannot be read, left out")
        if readable:
            rule["allow"] = {"patterns": list(dict.fromkeys(readable))}
        self.rules.append(rule)


def containing(pattern: str) -> str:
    """Return a pattern that matches, in full, each text that contains a match of `pattern`."""
    return rf"[\s\S]*?(?:{pattern})[\s\S]*"


def any_of(words: Iterable[object]) -> str:
    """Return a pattern for some words in any case; empty if there are none."""
    found = "|".join(re.escape(str(word)) for word in words)
    return f"(?i:{found})" if found else ""


def keyword_notes(words: list[str] | None, pattern: str) -> Iterator[str]:
    """Yield a note that keywords are left out, unless the pattern contains one of them."""
    if words and not any(word.lower() in pattern.lower() for word in words):
        yield f"its keywords {words} are left out, it holds without them"


def slug(name: str) -> str:
    """Return a name as an id."""
    return re.sub(r"[^\w.-]+", "-", name).strip("-").lower()[:100] or "rule"


def usable(side: Side) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the rules that the engine accepts, with unique ids, and notes on the others."""
    kept: list[dict[str, Any]] = []
    notes: list[str] = []
    seen = dict.fromkeys(side.taken, 1)
    for rule in side.rules:
        if rule.keys().isdisjoint(("pattern", "words")):
            kept.append(rule)
            continue
        patterns: list[str] = []
        for pattern in rule.get("pattern", []):
            problem = refusal(pattern, rule.get("group"))
            if problem is None:
                patterns.append(pattern)
            else:
                notes.append(f"rule {rule['id']!r}: a pattern is left out: {problem}")
        if not patterns and not rule.get("words"):
            continue
        count = seen[rule["id"]] = seen.get(rule["id"], 0) + 1
        name = rule["id"]
        if count > 1:
            name += f"-{count}"
            notes.append(f"rule {rule['id']!r} exists already, and is called {name!r} here")
        kept.append({**rule, "id": name, "pattern": patterns})
        if not patterns:
            del kept[-1]["pattern"]
    return kept, notes


def as_yaml(draft: Draft) -> str:
    """Return the policy as YAML; patterns are in single quotes, so that they need no escapes."""
    head = {"version": 1, "name": draft.name, "description": draft.description, **_side(draft)}
    if not draft.prompts.is_empty:
        head["input"] = _side(draft.prompts)
    yaml = YAML()
    yaml.width = 10_000
    yaml.indent(mapping=2, sequence=4, offset=2)
    out = StringIO()
    yaml.dump(head, out)
    return out.getvalue()


def _side(side: Side) -> dict[str, Any]:
    """Return the keys for one direction."""
    packs = {"extends": [f"guardstream/{pack}" for pack in side.packs]} if side.packs else {}
    rules = [
        {key: _quoted(value) if key == "pattern" else value for key, value in rule.items()}
        for rule in side.rules
    ]
    return {**packs, **side.settings, "rules": rules}


def _quoted(patterns: list[str]) -> Any:
    """Return a text in single quotes, unless one of its characters needs an escape."""
    quoted = [
        SingleQuotedScalarString(pattern) if pattern.isprintable() else pattern
        for pattern in patterns
    ]
    return quoted[0] if len(quoted) == 1 else quoted
