"""Creates the objects that Google's adapters write: dicts with the names that the source's chunks
use, or objects of the `google-genai` package."""

from __future__ import annotations

from typing import Any

from guardstream.formats.spec import sibling

TYPES = "google.genai.types"
"""The module of the package's classes."""


def camel(name: str) -> str:
    """Return the name that REST gives to a field of the package's objects."""
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def object_like(chunk: Any, name: str, **fields: Any) -> Any:
    """Return an object like those in `chunk`: a dict, or one of the package's class `name`.

    AdapterError if there is no such class.
    """
    if isinstance(chunk, dict):
        return named_like(chunk, fields)
    return sibling(chunk, TYPES, name)(**fields)


def named_like(chunk: Any, fields: dict[str, Any]) -> dict[str, Any]:
    """Return fields, given by the package's names, by the names that `chunk` uses."""
    if not isinstance(chunk, dict):
        return fields
    names = [*chunk, *(name for each in chunk.get("candidates") or () for name in each)]
    if any("_" in name for name in names):
        return fields
    return {camel(name): value for name, value in fields.items()}
