"""Trivy's secret rules in YAML: https://trivy.dev/latest/docs/scanner/secret/#custom-rules.

Their patterns are RE2; `secret-group-name` names the secret, which is the whole match without it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from guardstream.cli.importing.re2 import part, secrets, whole
from guardstream.cli.importing.write import Draft, containing, slug, unknown, untold_keywords
from guardstream.cli.importing.yaml_file import entries
from guardstream.stages.rules import SEVERITIES

_CONFIG = frozenset({"rules", "allow-rules"})

_RULE = frozenset({"id", "category", "title", "severity", "regex", "keywords", "path"})
_RULE |= {"allow-rules", "secret-group-name", "examples"}


def draft(text: str, path: Path) -> Draft:
    """Read rules and what they allow; paths have no meaning here."""
    config, rules = entries(text, path, "rules")
    made = Draft(slug(path.stem), f"Imported from {path.name}")
    made.notes += [f"{key!r} is left out" for key in config if key not in _CONFIG]
    allowed = list(_allowed(made, config, "the rules for all"))
    for rule in rules:
        _add(made, rule, allowed)
    return made


def _add(made: Draft, rule: dict[str, Any], allowed: list[str]) -> None:
    name = slug(str(rule.get("id") or rule.get("title")))
    if not isinstance(rule.get("regex"), str):
        made.notes.append(f"rule {name!r} has no regex, and is left out")
        return
    made.notes += [f"rule {name!r}: {note}" for note in _untold(rule)]
    named = rule.get("secret-group-name")
    patterns, group = [whole(rule["regex"])], False
    if named:
        patterns, group = secrets(rule["regex"], str(named))
    severity = str(rule.get("severity", "")).lower()
    severity = severity if severity in SEVERITIES else "medium"
    own = [*_allowed(made, rule, f"rule {name!r}"), *allowed]
    made.add(name, rule.get("title"), severity, patterns, group=group, allowed=own)


def _untold(rule: dict[str, Any]) -> Iterator[str]:
    if rule.get("path"):
        yield "its path is left out, it holds for every text"
    yield from untold_keywords(rule.get("keywords"), rule["regex"])
    yield from unknown(rule, _RULE)


def _allowed(made: Draft, holder: dict[str, Any], whose: str) -> Iterator[str]:
    """The patterns for secrets that are allowed."""
    for each in holder.get("allow-rules") or ():
        if isinstance(each, dict) and each.get("regex"):
            yield containing(part(str(each["regex"])))
        elif isinstance(each, dict):
            made.notes.append(f"{whose}: allow-rule {each.get('id')!r} is about paths, left out")
