"""Cohere's v2 chat stream: events of the `cohere` package, or plain dicts.

`cohere.yaml` describes them. A plan for tool calls (`tool_plan`) is thinking.
"""

from __future__ import annotations

from typing import Any

from guardstream.formats.in_blocks import InBlocks
from guardstream.formats.spec import sibling
from guardstream.formats.toolkit.fields import fields_of


class Cohere(InBlocks, of="cohere"):
    """The adapter for chat events."""

    signs_thinking = False

    def made(self, chunk: Any, event: dict[str, Any]) -> Any:
        """Return an event as `chunk` is one: a dict, or an object of the class for its type."""
        if isinstance(chunk, dict):
            return event
        own = type(chunk)
        suffix = own.__name__.removeprefix(_camel(fields_of(chunk)["type"]))
        return sibling(chunk, own.__module__, _camel(event["type"]) + suffix).model_validate(event)


def _camel(kind: str) -> str:
    return "".join(word.capitalize() for word in kind.split("-"))
