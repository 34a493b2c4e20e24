"""Values that a provider's package has parsed from streamed JSON: made anew from guarded text."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import is_dataclass
from typing import Any

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import from_json, to_json


def map_parsed(value: Any, change: Callable[[str], str]) -> Any:
    """Change the JSON text that `value` represents; return `value` itself if it did not change.

    A model or dataclass is made anew from the changed text, and is None if that is not valid for
    it. What a model has by default alone was never in the text.
    """
    if isinstance(value, BaseModel):
        old = value.model_dump_json(by_alias=True, exclude_unset=True, warnings=False)
    else:
        old = to_json(value).decode()
    new = change(old)
    if new == old:
        return value
    if isinstance(value, BaseModel) or is_dataclass(value):
        try:
            return TypeAdapter(type(value)).validate_json(new)
        except ValidationError:
            return None
    return parsed(new)


def parsed(text: str) -> Any:
    """Parse JSON text as far as it goes; an empty object if there is nothing to parse."""
    try:
        return from_json(text, allow_partial=True) if text.strip() else {}
    except ValueError:
        return {}


def same_value(text: str, other: str) -> bool:
    """Return whether two JSON texts, the first perhaps cut short, stand for the same value.

    The other may then be shown in place of the first. So it has to be complete and must not repeat
    a field, or it would show text that is not in its value.
    """
    if text == other:
        return True
    try:
        value = json.loads(other, object_pairs_hook=_once)
    except ValueError:
        return False
    return json.dumps(parsed(text), sort_keys=True) == json.dumps(value, sort_keys=True)


def _once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise ValueError("an object repeats a field")
    return fields


def is_json(text: Any) -> bool:
    """Return whether a text is complete JSON, as a call's arguments are unless they are cut."""
    try:
        json.loads(text)
    except (TypeError, ValueError, RecursionError):
        return False
    return True
