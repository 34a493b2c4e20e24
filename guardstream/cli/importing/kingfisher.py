"""Kingfisher's and Nosey Parker's rules in YAML.

https://github.com/mongodb/kingfisher/blob/main/docs/RULES.md,
https://github.com/praetorian-inc/noseyparker#rules

The group `TOKEN` is the secret. Without it, each group is a secret, since Kingfisher reports the
first and Nosey Parker all of them; without groups, the whole match is. Requirements on a secret's
characters become an allowlist of texts that do not meet them.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from guardstream.cli.importing.secret_group import secrets
from guardstream.cli.importing.shape import ANYTHING, UNUSED, fitted
from guardstream.cli.importing.write import Draft, any_of, containing, slug
from guardstream.cli.importing.yaml_file import mapping

_REQUIRED = {
    "min_digits": int,
    "min_uppercase": int,
    "min_lowercase": int,
    "min_special_chars": int,
    "special_chars": str,
    "ignore_if_contains": [str],
}

_RULE = {
    "name": str,
    "id": str,
    "pattern": str,
    "min_entropy": float,
    "confidence": str,
    "visible": bool,
    "pattern_requirements": _REQUIRED,
    **dict.fromkeys(
        ("description", "categories", "references", "examples", "negative_examples"), UNUSED
    ),
    **dict.fromkeys(("validation", "revocation", "depends_on_rule"), UNUSED),
}

_COUNTED = {
    "min_digits": "0-9",
    "min_uppercase": "A-Z",
    "min_lowercase": "a-z",
    "min_special_chars": r"!-/:-@\[-`{-~",
}
"""The characters of which a minimum is required, as the inside of a class."""


def draft(text: str, path: Path) -> Draft:
    """Read rules. Examples, and how a secret is validated or revoked, have no meaning here."""
    made = Draft.of(path)
    config = fitted(mapping(text, path, "rules"), {"rules": [ANYTHING]}, "", made.notes)
    for rule in config.get("rules", ()):
        name = slug(str(rule.get("id") or rule.get("name")))
        _add(made, name, fitted(rule, _RULE, f"rule {name!r}", made.notes))
    return made


def _add(made: Draft, name: str, rule: dict[str, Any]) -> None:
    if "pattern" not in rule:
        made.notes.append(f"rule {name!r} has no pattern, and is left out")
        return
    if not rule.get("visible", True):
        made.notes.append(f"rule {name!r} is not visible, and is left out")
        return
    found = secrets(rule["pattern"], "TOKEN", every=True)
    severity, entropy = _severity(rule.get("confidence")), rule.get("min_entropy")
    allowed = _allowed(rule.get("pattern_requirements", {}))
    made.add(name, rule.get("name"), severity, found, entropy=entropy, allowed=allowed)


def _severity(confidence: str | None) -> str:
    return confidence if confidence in ("low", "medium") else "high"


def _allowed(required: dict[str, Any]) -> Iterator[str]:
    """Yield patterns for secrets with too few of some characters, or with a certain word."""
    for key, kind in _COUNTED.items():
        least = required.get(key, 0)
        if least > 0:
            own = required.get("special_chars") if key == "min_special_chars" else None
            inside = "".join(map(_in_class, own)) if own else kind
            yield rf"[^{inside}]*(?:[{inside}][^{inside}]*){{0,{least - 1}}}"
    words = any_of(required.get("ignore_if_contains", ()))
    if words:
        yield containing(words)


def _in_class(character: str) -> str:
    return character if character.isalnum() else f"\\{character}"
