"""Presidio's recognisers in YAML: https://microsoft.github.io/presidio/analyzer/adding_recognizers/."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from guardstream.cli.importing.write import Draft, ImportingError, slug
from guardstream.cli.importing.yaml_file import value_of

_CHECKS = {
    "CREDIT_CARD": "luhn",
    "IBAN_CODE": "iban",
    "ABA_ROUTING_NUMBER": "aba",
    "UK_NHS": "nhs",
    "IN_AADHAAR": "verhoeff",
    "US_SSN": "ssn",
    "IP_ADDRESS": "ip",
}


def draft(text: str, path: Path) -> Draft:
    """Read recognisers: patterns with their scores, deny lists, and context words."""
    value = value_of(text, path)
    recognisers = value.get("recognizers") if isinstance(value, dict) else value
    if not isinstance(recognisers, list):
        raise ImportingError(f"{path}:1:1: no list of recognizers")
    made = Draft(slug(path.stem), f"Imported from {path.name}")
    for recogniser in recognisers:
        if isinstance(recogniser, dict):
            _add(made, recogniser)
    return made


def _add(made: Draft, recogniser: dict[str, Any]) -> None:
    entity = str(recogniser.get("supported_entity") or recogniser.get("name") or "rule")
    name = slug(entity)
    patterns = [
        "(?i)" + str(pattern["regex"])
        for pattern in recogniser.get("patterns") or ()
        if isinstance(pattern, dict) and pattern.get("regex")
    ]
    words = [str(word) for word in recogniser.get("deny_list") or ()]
    if not patterns and not words:
        made.notes.append(f"recogniser {name!r} has no patterns and no deny list, and is left out")
        return
    rule: dict[str, Any] = {"id": name, "description": f"{entity}, from Presidio"}
    rule |= {"pattern": patterns} if patterns else {}
    rule |= {"words": words} if words else {}
    if entity in _CHECKS:
        rule["validate"] = _CHECKS[entity]
    context = _context(recogniser)
    if context and _needs_context(recogniser):
        rule["keywords"] = {"words": context, "within": 50}
    elif context:
        made.notes.append(f"recogniser {name!r}: context only raises a score, and is left out")
    made.rules.append(rule)


def _context(recogniser: dict[str, Any]) -> list[str]:
    words = recogniser.get("context") or []
    for language in recogniser.get("supported_languages") or ():
        if isinstance(language, dict):
            words = [*words, *(language.get("context") or ())]
    return [str(word) for word in words]


def _needs_context(recogniser: dict[str, Any]) -> bool:
    """Whether all patterns score so low that Presidio itself asks for context."""
    scores = [
        pattern.get("score", 1)
        for pattern in recogniser.get("patterns") or ()
        if isinstance(pattern, dict)
    ]
    numbers = [score for score in scores if isinstance(score, (int, float))]
    return bool(numbers) and max(numbers) < 0.4
