"""Reads objects of messages as mappings, whatever their class."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

SIGNATURES = ("signature", "thought_signature", "thoughtSignature", "encrypted_content")
"""Keys of an object that must be sent back as the model wrote it."""


def mapping_of(value: Any) -> Mapping[str, Any] | None:
    """Return an object as a mapping; None if that is impossible."""
    if isinstance(value, Mapping):
        return value
    if not hasattr(value, "model_dump") or isinstance(value, type):
        return None
    try:
        dumped = _with_defaults(value.model_dump(), value.model_dump(exclude_unset=True))
    except RecursionError:
        raise
    except Exception:  # classes of other packages may raise anything
        return None
    return dumped if isinstance(dumped, Mapping) else None


def _with_defaults(whole: Any, given: Any) -> Any:
    """Return the fields that were set in a pydantic model, and its defaults that are not None."""
    if isinstance(whole, dict) and isinstance(given, dict):
        return {
            key: _with_defaults(value, given[key]) if key in given else value
            for key, value in whole.items()
            if key in given or value is not None
        }
    if isinstance(whole, list) and isinstance(given, list) and len(whole) == len(given):
        return [_with_defaults(one, other) for one, other in zip(whole, given, strict=True)]
    return given


def is_signed(fields: Mapping[str, Any]) -> bool:
    """Return whether an object must be sent back as the model wrote it."""
    return any(
        isinstance(signature, (str, bytes)) and signature
        for signature in map(fields.get, SIGNATURES)
    )


def has_same_values(made: Mapping[Any, Any], given: Mapping[Any, Any]) -> bool:
    """Return whether two mappings have the same objects under the same names."""
    return made.keys() == given.keys() and all(made[key] is given[key] for key in made)


def short_name(value: object) -> str:
    """Return a type or role for an error message; a value that is not a short text becomes its
    type."""
    short = isinstance(value, str) and len(value) <= 40
    return str.__str__(value) if short else f"<{type(value).__name__}>"
