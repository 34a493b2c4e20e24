"""Amazon Bedrock guardrails in JSON, as `create-guardrail` takes and `get-guardrail` gives them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from guardstream.cli.importing.shape import UNUSED, fitted
from guardstream.cli.importing.write import Draft, ImportingError, slug
from guardstream.jsonstream.verdict import verdict

_ACTIONS = {"BLOCK": "block", "ANONYMIZE": "mask", "NONE": "monitor"}

_PACKS = "extend guardstream/pii-en for it"

_MODELS = ("topicPolicy", "contentPolicy", "contextualGroundingPolicy", "automatedReasoningPolicy")

_ABOUT = (
    *("guardrailId", "guardrailArn", "version", "status", "statusReasons", "createdAt"),
    *("updatedAt", "failureRecommendations", "kmsKeyArn", "kmsKeyId", "tags"),
    *("clientRequestToken", "ResponseMetadata", "crossRegionDetails", "crossRegionConfig"),
)

_ITEM = {
    "action": str,
    "outputAction": str,
    "outputEnabled": bool,
    "inputAction": UNUSED,
    "inputEnabled": UNUSED,
}


def _named(**shapes: Any) -> dict[str, Any]:
    """Return shapes under their names in an answer, and in a request."""
    return {**shapes, **{f"{name}Config": shape for name, shape in shapes.items()}}


_CONFIG = {
    "name": str,
    "description": str,
    "blockedInputMessaging": UNUSED,
    "blockedOutputsMessaging": str,
    **dict.fromkeys(_ABOUT, UNUSED),
    **_named(**dict.fromkeys(_MODELS, UNUSED)),
    **_named(
        wordPolicy=_named(
            words=[{**_ITEM, "text": str}], managedWordLists=[{**_ITEM, "type": str}]
        ),
        sensitiveInformationPolicy=_named(
            piiEntities=[{**_ITEM, "type": str}],
            regexes=[{**_ITEM, "name": str, "description": str, "pattern": str}],
        ),
    ),
}


def draft(text: str, path: Path) -> Draft:
    """Read word lists and patterns; topics and content filters need a model, and are noted."""
    # As strict as a stream's JSON: of a key that is repeated, one would be ignored in silence.
    if (wrong := verdict([text], None)) is not None:
        raise ImportingError(f"{path}:{wrong.line}:{wrong.column}: not valid JSON: {wrong.reason}")
    config = json.loads(text)
    if not isinstance(config, dict):
        raise ImportingError(f"{path}:1:1: not a guardrail: expected an object in braces")
    made = Draft.of(path)
    config = fitted(config, _CONFIG, "", made.notes)
    made.name = slug(config.get("name") or path.stem)
    made.description = config.get("description") or made.description
    if config.get("blockedOutputsMessaging"):
        made.settings["block_message"] = config["blockedOutputsMessaging"]
    if config.get("blockedInputMessaging"):
        made.notes.append("'blockedInputMessaging' is left out: the policy is for answers")
    _add_words(made, _part(config, "wordPolicy"))
    _add_sensitive(made, _part(config, "sensitiveInformationPolicy"))
    for key in _MODELS:
        if _part(config, key):
            made.notes.append(f"{key!r} asks a model, and is left out")
    return made


def _part(holder: dict[str, Any], name: str) -> Any:
    return holder.get(name) or holder.get(f"{name}Config") or {}


def _items(made: Draft, section: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """Return the items of a section that apply to answers."""
    found = []
    for place, item in enumerate(_part(section, name)):
        if item.get("outputEnabled", True):
            found.append(item)
        else:
            made.notes.append(f"'{name}[{place}]' is only for prompts, and is left out")
    return found


def _action(made: Draft, item: dict[str, Any]) -> str:
    given = str(item.get("outputAction") or item.get("action") or "BLOCK").upper()
    if given not in _ACTIONS:
        made.notes.append(f"action {given!r} is not known, and becomes BLOCK")
    return _ACTIONS.get(given, "block")


def _add_words(made: Draft, section: dict[str, Any]) -> None:
    by_action: dict[str, list[str]] = {}
    for item in _items(made, section, "words"):
        if item.get("text"):
            by_action.setdefault(_action(made, item), []).append(item["text"])
    for action, words in by_action.items():
        made.rules.append({"id": f"words-{action}", "action": action, "words": words})
    for item in _items(made, section, "managedWordLists"):
        made.notes.append(f"word list {item.get('type')!r}: extend guardstream/profanity-en for it")


def _add_sensitive(made: Draft, section: dict[str, Any]) -> None:
    for item in _items(made, section, "regexes"):
        name = slug(item.get("name") or "pattern")
        if not item.get("pattern"):
            made.notes.append(f"rule {name!r} has no pattern, and is left out")
            continue
        rule = {"id": name}
        rule |= {"description": item["description"]} if item.get("description") else {}
        made.rules.append({**rule, "action": _action(made, item), "pattern": [item["pattern"]]})
    for item in _items(made, section, "piiEntities"):
        made.notes.append(f"entity {item.get('type')!r}: {_PACKS}")
