"""Presidio's recognisers in YAML: https://microsoft.github.io/presidio/analyzer/adding_recognizers/."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from guardstream.cli.importing.entities import KNOWN, Wanted
from guardstream.cli.importing.shape import ANYTHING, UNUSED, fitted
from guardstream.cli.importing.write import Draft, ImportingError, Side, slug
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

_ANALYZER = {
    "recognizer_registry": ANYTHING,
    "supported_languages": UNUSED,
    "nlp_configuration": UNUSED,
    "context_aware_enhancer": UNUSED,
    "default_score_threshold": float,
}
"""The file for a whole analyzer, which has the recognisers in a section."""

_CONFIG = {
    "recognizers": [ANYTHING],
    "global_regex_flags": int,
    "supported_languages": UNUSED,
    "supported_countries": UNUSED,
}

RECOGNISER = {
    "name": str,
    "type": str,
    "class_name": str,
    "country_code": UNUSED,
    "enabled": bool,
    "supported_entity": str,
    "supported_language": UNUSED,
    "supported_languages": [(str, {"language": UNUSED, "context": [str]})],
    "patterns": [{"name": UNUSED, "regex": str, "score": float}],
    "context": [str],
    "deny_list": [str],
    "deny_list_score": UNUSED,
}

_OWN = {
    "AbaRouting": "ABA_ROUTING_NUMBER",
    "Email": "EMAIL_ADDRESS",
    "Iban": "IBAN_CODE",
    "Ip": "IP_ADDRESS",
    "Nhs": "UK_NHS",
    "Phone": "PHONE_NUMBER",
    "SgFin": "SG_NRIC_FIN",
}
"""The entities of Presidio's own recognisers whose classes are not named like them."""

_FLAGS = {2: "i", 8: "m", 16: "s", 64: "x"}
"""The flags of Python's `re`, whose sum Presidio's files have; all others are left out."""

_USUAL_FLAGS = 26

LEAST = 0.4
"""The least score of a match with context; a match with a lower score is only found with
context."""


def draft(text: str, path: Path) -> Draft:
    """Read recognisers: patterns with their scores, deny lists, and context words.

    The packs' rules take the place of Presidio's own recognisers.
    """
    value = value_of(text, path)
    value = {"recognizers": value} if isinstance(value, list) else value
    notes: list[str] = []
    if isinstance(value, dict) and "recognizer_registry" in value:
        value = _registry(value, notes)
    if not isinstance(value, dict) or not isinstance(value.get("recognizers"), list):
        raise ImportingError(f"{path}:1:1: there is no list of recognizers")
    made = Draft.of(path)
    made.notes += notes
    listed = [{"name": each} if isinstance(each, str) else each for each in value["recognizers"]]
    config = fitted({**value, "recognizers": listed}, _CONFIG, "", made.notes)
    flags = config.get("global_regex_flags", _USUAL_FLAGS)
    if flags < 0 or flags & ~sum(_FLAGS):
        made.notes.append("'global_regex_flags' has flags that are not known, and left out")
    written = "".join(letter for flag, letter in _FLAGS.items() if flags & flag)
    wanted = Wanted(made)
    for recogniser in config["recognizers"]:
        name = str(recogniser.get("supported_entity") or recogniser.get("name") or "rule")
        whose = f"recogniser {slug(name)!r}"
        fit = fitted(recogniser, RECOGNISER, whose, made.notes)
        entity = _own_entity(fit)
        if entity in KNOWN and fit.get("enabled", True):
            wanted.add(made, entity, {})
        else:
            add(made, made, name, fit, flags=written)
    wanted.settle()
    return made


def _own_entity(recogniser: dict[str, Any]) -> str:
    """Return the entity of one of Presidio's own recognisers; empty for one with patterns."""
    if recogniser.get("patterns") or recogniser.get("deny_list"):
        return ""
    name = str(recogniser.get("class_name") or recogniser.get("name") or "")
    short = name.removesuffix("Recognizer")
    return _OWN.get(short) or re.sub(r"(?<=[a-z])(?=[A-Z])", "_", short).upper()


def _registry(analyzer: dict[str, Any], notes: list[str]) -> Any:
    """Return the recognisers' section of an analyzer's file."""
    found = fitted(analyzer, _ANALYZER, "", notes)
    if found.get("default_score_threshold"):
        notes.append("'default_score_threshold' is left out: patterns of a low score count, too")
    return found.get("recognizer_registry")


def add(
    made: Draft,
    side: Side,
    entity: str,
    recogniser: dict[str, Any],
    *,
    flags: str = "ims",
    least: float = LEAST,
    keys: Mapping[str, Any] | None = None,
) -> None:
    """Make a side look for what a recogniser finds; `keys` are further keys of its rule.

    If all its patterns score below `least`, one of its context words is required.
    """
    name = slug(entity)
    if not recogniser.get("enabled", True):
        made.notes.append(f"recogniser {name!r} is not enabled, and is left out")
        return
    patterns = [
        (f"(?{flags})" if flags else "") + pattern["regex"]
        for pattern in recogniser.get("patterns", ())
        if pattern.get("regex")
    ]
    words = [word for word in recogniser.get("deny_list", ()) if word]
    if not patterns and not words:
        why = "has no patterns and no deny list, nor a rule of a pack, and is left out"
        made.notes.append(f"recogniser {name!r} {why}")
        return
    rule: dict[str, Any] = {"id": name, "description": f"{entity}, from Presidio"}
    rule |= {"pattern": patterns} if patterns else {}
    rule |= {"words": words} if words else {}
    if entity in _CHECKS:
        rule["validate"] = _CHECKS[entity]
        made.notes.append(f"recogniser {name!r}: its check digits are tested, as Presidio's own do")
    context = _context(recogniser)
    if context and _best_score(recogniser) < least:
        rule["keywords"] = {"words": context, "within": 50}
    elif context:
        made.notes.append(f"recogniser {name!r}: context only raises a score, and is left out")
    side.rules.append({**rule, **(keys or {})})


def _context(recogniser: dict[str, Any]) -> list[str]:
    words = [*recogniser.get("context", ())]
    for language in recogniser.get("supported_languages", ()):
        if isinstance(language, dict):
            words += language.get("context", ())
    return [word for word in words if word]


def _best_score(recogniser: dict[str, Any]) -> float:
    """Return the highest score of its patterns; 1 if it has none."""
    return max((pattern.get("score", 1) for pattern in recogniser.get("patterns", ())), default=1)
