"""What an importer makes, tried on the engine, and written as a policy."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from io import StringIO
from typing import Any

import regex
from ruamel.yaml import YAML
from ruamel.yaml.scalarstring import SingleQuotedScalarString

from guardstream.errors import GuardstreamError
from guardstream.stages.redact import RuleError, RuleSet
from guardstream.stages.rules import Rule


class ImportingError(GuardstreamError):
    """A file cannot be imported."""


@dataclass(slots=True)
class Draft:
    """A policy that is being made: its name, rules as they stand in the file, and notes."""

    name: str
    description: str
    rules: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(
        self,
        name: str,
        description: object,
        severity: str,
        patterns: list[str],
        *,
        group: bool,
        entropy: object = None,
        allowed: Iterable[str] = (),
    ) -> None:
        """Add a rule for a secret, which is the group `secret` or the whole match.

        `allowed` patterns match such secrets in full that are none; one that cannot be read is
        left out, and noted: more is found without it.
        """
        rule: dict[str, Any] = {"id": name, "description": str(description or "")}
        rule |= {"severity": severity, "pattern": patterns}
        if group:
            rule["group"] = "secret"
        if entropy:
            rule["validate"] = {"entropy": float(str(entropy))}
        given = list(allowed)
        readable = [pattern for pattern in given if _compiles(pattern)]
        if len(readable) < len(given):
            count = len(given) - len(readable)
            self.notes.append(f"rule {name!r}: {count} allowed patterns cannot be read, left out")
        if readable:
            rule["allow"] = {"patterns": list(dict.fromkeys(readable))}
        self.rules.append(rule)


def _compiles(pattern: str) -> bool:
    try:
        regex.compile(pattern, regex.V0)
    except regex.error:
        return False
    return True


def unknown(entry: dict[str, Any], known: frozenset[str]) -> Iterator[str]:
    """Say which keys are not known, and left out."""
    yield from (f"{key!r} is not known, and left out" for key in entry if key not in known)


def containing(pattern: str) -> str:
    """Return a pattern that matches in full what another matches somewhere in."""
    return rf"[\s\S]*?(?:{pattern})[\s\S]*"


def any_of(words: Iterable[object]) -> str:
    """Return a pattern for some words, whatever their case; empty without any."""
    found = "|".join(re.escape(str(word)) for word in words)
    return f"(?i:{found})" if found else ""


def untold_keywords(keywords: object, pattern: str) -> Iterator[str]:
    """Say that keywords are left out, if a pattern does not have one of them in it anyway."""
    words = [str(word) for word in keywords] if isinstance(keywords, list) else []
    if words and not any(word.lower() in pattern.lower() for word in words):
        yield f"its keywords {words} are left out, it holds without them"


def slug(name: str) -> str:
    """Return an id made of a name."""
    return re.sub(r"[^\w.-]+", "-", name).strip("-").lower()[:100] or "rule"


def usable(draft: Draft) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the rules that the engine takes, their ids made unique, and notes on the others."""
    kept: list[dict[str, Any]] = []
    notes: list[str] = []
    seen: dict[str, int] = {}
    for rule in draft.rules:
        patterns: list[str] = []
        for pattern in rule.get("pattern", []):
            problem = _problem(pattern, rule.get("group"))
            if problem is None:
                patterns.append(pattern)
            else:
                notes.append(f"rule {rule['id']!r}: a pattern is left out: {problem}")
        if not patterns and not rule.get("words"):
            continue
        count = seen[rule["id"]] = seen.get(rule["id"], 0) + 1
        name = rule["id"] if count == 1 else f"{rule['id']}-{count}"
        kept.append({**rule, "id": name, **({"pattern": patterns} if patterns else {})})
    return kept, notes


def _problem(pattern: str, group: str | int | None) -> str | None:
    """Return why the engine refuses a pattern; None if it takes it."""
    try:
        RuleSet([Rule("x", patterns=(pattern,), group=group)])
    except RuleError as error:
        return str(error)
    return None


def as_yaml(draft: Draft) -> str:
    """Return the policy as YAML; patterns stand in single quotes, so that they read as they are."""
    rules = [
        {key: _quoted(value) if key == "pattern" else value for key, value in rule.items()}
        for rule in draft.rules
    ]
    head = {"version": 1, "name": draft.name, "description": draft.description}
    yaml = YAML()
    yaml.width = 10_000
    yaml.indent(mapping=2, sequence=4, offset=2)
    out = StringIO()
    yaml.dump({**head, "rules": rules}, out)
    return out.getvalue()


def _quoted(patterns: list[str]) -> Any:
    """In single quotes, unless there is a character that needs an escape."""
    quoted = [
        SingleQuotedScalarString(pattern) if pattern.isprintable() else pattern
        for pattern in patterns
    ]
    return quoted[0] if len(quoted) == 1 else quoted
