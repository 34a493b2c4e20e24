"""Amazon Bedrock guardrails in JSON, as `create-guardrail` takes and `get-guardrail` gives them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from guardstream.cli.importing.write import Draft, ImportingError, slug

_ACTIONS = {"BLOCK": "block", "ANONYMIZE": "mask", "NONE": "monitor"}

_PACKS = "extend guardstream/pii-en for it"


def draft(text: str, path: Path) -> Draft:
    """Read word lists and patterns; topics and content filters need a model, and are noted."""
    try:
        config = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ImportingError(f"{path}: not valid JSON: {error}") from error
    if not isinstance(config, dict):
        raise ImportingError(f"{path}: no guardrail")
    name = slug(str(config.get("name") or path.stem))
    made = Draft(name, str(config.get("description") or f"Imported from {path.name}"))
    _add_words(made, _section(config, "wordPolicy"))
    _add_sensitive(made, _section(config, "sensitiveInformationPolicy"))
    for key in ("topicPolicy", "contentPolicy", "contextualGroundingPolicy"):
        if _section(config, key):
            made.notes.append(f"{key!r} asks a model, and is left out")
    return made


def _section(config: dict[str, Any], name: str) -> dict[str, Any]:
    found = config.get(name) or config.get(f"{name}Config") or {}
    return found if isinstance(found, dict) else {}


def _items(section: dict[str, Any], name: str) -> list[dict[str, Any]]:
    found = section.get(name) or section.get(f"{name}Config") or []
    return [item for item in found if isinstance(item, dict)]


def _action(item: dict[str, Any]) -> str:
    given = item.get("outputAction") or item.get("action") or "BLOCK"
    return _ACTIONS.get(str(given).upper(), "block")


def _add_words(made: Draft, section: dict[str, Any]) -> None:
    by_action: dict[str, list[str]] = {}
    for item in _items(section, "words"):
        if item.get("text"):
            by_action.setdefault(_action(item), []).append(str(item["text"]))
    for action, words in by_action.items():
        made.rules.append({"id": f"words-{action}", "action": action, "words": words})
    for item in _items(section, "managedWordLists"):
        made.notes.append(f"word list {item.get('type')!r}: extend guardstream/profanity-en for it")


def _add_sensitive(made: Draft, section: dict[str, Any]) -> None:
    for item in _items(section, "regexes"):
        if item.get("pattern"):
            rule = {"id": slug(str(item.get("name") or "pattern"))}
            rule |= {"description": str(item["description"])} if item.get("description") else {}
            made.rules.append({**rule, "action": _action(item), "pattern": [str(item["pattern"])]})
    for item in _items(section, "piiEntities"):
        made.notes.append(f"entity {item.get('type')!r}: {_PACKS}")
