"""Trivy's secret rules in YAML: https://trivy.dev/latest/docs/scanner/secret/#custom-rules.

Their patterns are RE2; `secret-group-name` names the secret, which is the whole match without it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from guardstream.cli.importing.re2 import part, re2
from guardstream.cli.importing.secret_group import Secrets, secrets
from guardstream.cli.importing.shape import ANYTHING, UNUSED, fitted
from guardstream.cli.importing.write import Draft, containing, keyword_notes, slug
from guardstream.cli.importing.yaml_file import mapping
from guardstream.events import SEVERITIES

_ALLOWED = {"id": str, "description": UNUSED, "regex": str, "path": str}

_ELSEWHERE = ("enable-builtin-rules", "disable-allow-rules", "exclude-block")

CONFIG = {
    "rules": [ANYTHING],
    "allow-rules": [_ALLOWED],
    "disable-rules": [str],
    **dict.fromkeys(_ELSEWHERE, UNUSED),
}

_RULE = {
    "id": str,
    "category": UNUSED,
    "title": str,
    "severity": str,
    "regex": str,
    "keywords": [str],
    "path": str,
    "allow-rules": [_ALLOWED],
    "secret-group-name": str,
    "examples": UNUSED,
}


def draft(text: str, path: Path) -> Draft:
    """Read rules and what they allow; paths have no meaning here."""
    made = Draft.of(path)
    config = fitted(mapping(text, path), CONFIG, "", made.notes)
    made.notes += [f"{key!r} is left out" for key in config if key in _ELSEWHERE]
    rules = [fitted(rule, _RULE, _whose(rule), made.notes) for rule in config.get("rules", ())]
    disabled = config.get("disable-rules", [])
    for name in disabled:
        if name not in [rule.get("id") for rule in rules]:
            made.notes.append(f"'disable-rules': {name!r} is not a rule of this file")
    allowed = list(_allowed(made, config, "the rules for all"))
    for rule in rules:
        if rule.get("id") in disabled:
            made.notes.append(f"{_whose(rule)} is disabled, and left out")
        else:
            _add(made, rule, allowed)
    return made


def _whose(rule: dict[str, Any]) -> str:
    return f"rule {_id(rule)!r}"


def _id(rule: dict[str, Any]) -> str:
    return slug(str(rule.get("id") or rule.get("title")))


def _add(made: Draft, rule: dict[str, Any], allowed: list[str]) -> None:
    if "regex" not in rule:
        made.notes.append(f"{_whose(rule)} has no regex, and is left out")
        return
    made.notes += [f"{_whose(rule)}: {note}" for note in _lost(rule)]
    named = rule.get("secret-group-name")
    found = Secrets([re2(rule["regex"])], group=False)
    if named and f"<{named}>" in rule["regex"]:
        found = secrets(rule["regex"], named)
    elif named:
        made.notes.append(f"{_whose(rule)}: no group is called {named!r}, its matches are masked")
    severity = rule.get("severity", "").lower()
    if severity not in SEVERITIES:
        if severity:
            made.notes.append(f"{_whose(rule)}: its severity is not known, and becomes medium")
        severity = "medium"
    own = [*_allowed(made, rule, _whose(rule)), *allowed]
    made.add(_id(rule), rule.get("title"), severity, found, allowed=own)


def _lost(rule: dict[str, Any]) -> Iterator[str]:
    if rule.get("path"):
        yield "its path is left out, it holds for every text"
    yield from keyword_notes(rule.get("keywords"), rule["regex"])


def _allowed(made: Draft, holder: dict[str, Any], whose: str) -> Iterator[str]:
    """Yield the patterns of the secrets that are allowed."""
    for each in holder.get("allow-rules", ()):
        if each.get("regex"):
            yield containing(part(each["regex"]))
        if each.get("path") or not each.get("regex"):
            made.notes.append(f"{whose}: allow-rule {each.get('id')!r} is about paths, left out")
