"""Which format a first chunk is in: a table of what marks each, read without importing a format."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from guardstream.formats.toolkit.fields import fields_of


def is_chat(_chunk: Any, fields: Mapping[str, Any]) -> bool:
    """Return whether a chunk is one of chat completions: the first row of the table, which is not
    imported for it."""
    choices = fields.get("choices")
    if not isinstance(choices, list):
        return False
    if not choices:
        return fields.get("object") in ("chat.completion.chunk", "", None)
    return all("delta" in fields_of(choice) for choice in choices)
