"""Kingfisher's and Nosey Parker's rules in YAML.

https://github.com/mongodb/kingfisher/blob/main/docs/RULES.md,
https://github.com/praetorian-inc/noseyparker#rules

The group `TOKEN` is the secret. Without it each group is, since Kingfisher reports the
first and Nosey Parker each of them; or the whole match. What is required of its characters
becomes what is allowed otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from guardstream.cli.importing.re2 import secrets
from guardstream.cli.importing.write import Draft, any_of, containing, slug, unknown
from guardstream.cli.importing.yaml_file import entries

_RULE = frozenset({"name", "id", "pattern", "min_entropy", "confidence", "visible"})
_RULE |= {"pattern_requirements", "description", "categories", "references", "examples"}
_RULE |= {"negative_examples", "validation", "revocation", "depends_on_rule"}

_COUNTED = {
    "min_digits": "0-9",
    "min_uppercase": "A-Z",
    "min_lowercase": "a-z",
    "min_special_chars": r"!-/:-@\[-`{-~",
}
"""What there must be some of, as the inside of a class."""


def draft(text: str, path: Path) -> Draft:
    """Read rules. Examples, and how a secret is validated or revoked, have no meaning here."""
    made = Draft(slug(path.stem), f"Imported from {path.name}")
    for rule in entries(text, path, "rules")[1]:
        _add(made, rule)
    return made


def _add(made: Draft, rule: dict[str, Any]) -> None:
    name = slug(str(rule.get("id") or rule.get("name")))
    if not isinstance(rule.get("pattern"), str):
        made.notes.append(f"rule {name!r} has no pattern, and is left out")
        return
    if rule.get("visible") is False:
        made.notes.append(f"rule {name!r} is not visible, and is left out")
        return
    made.notes += [f"rule {name!r}: {note}" for note in unknown(rule, _RULE)]
    patterns, group = secrets(rule["pattern"], "TOKEN", every=True)
    required = rule.get("pattern_requirements") or {}
    made.notes += [
        f"rule {name!r}: 'pattern_requirements.{key}' is not known, and left out"
        for key in required
        if key not in _COUNTED and key not in ("special_chars", "ignore_if_contains")
    ]
    severity, entropy = _severity(rule.get("confidence")), rule.get("min_entropy")
    allowed = _allowed(required)
    made.add(
        name, rule.get("name"), severity, patterns, group=group, entropy=entropy, allowed=allowed
    )


def _severity(confidence: object) -> str:
    return confidence if confidence in ("low", "medium") else "high"


def _allowed(required: dict[str, Any]) -> Iterator[str]:
    """Patterns for what has too few of some characters, or contains a word."""
    for key, kind in _COUNTED.items():
        least = required.get(key)
        if isinstance(least, int) and least > 0:
            own = required.get("special_chars") if key == "min_special_chars" else None
            inside = "".join(map(_in_class, own)) if own else kind
            yield rf"[^{inside}]*(?:[{inside}][^{inside}]*){{0,{least - 1}}}"
    words = any_of(required.get("ignore_if_contains") or ())
    if words:
        yield containing(words)


def _in_class(character: str) -> str:
    return character if character.isalnum() else f"\\{character}"
