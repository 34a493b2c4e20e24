"""OpenRouter's responses: the events of OpenAI's Responses API, as objects of its package.

What `beta.responses.send` of the `openrouter` package streams:
https://openrouter.ai/docs/sdks/python/api-reference/betaresponses. On the wire, and as dicts, they
are those events themselves, which `openai_responses` reads.
"""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter

from guardstream.formats.adapter import Unknown
from guardstream.formats.openai.responses import OpenAIResponses
from guardstream.formats.spec import sibling
from guardstream.formats.toolkit.fields import fields_of, replaced
from guardstream.formats.toolkit.objects import Event, Objects, dumped, with_changes


class OpenRouterResponses(Objects):
    """The adapter for objects."""

    name = "openrouter_responses"
    packages = frozenset({"openrouter"})
    repeats = OpenAIResponses.repeats

    def __init__(self, *, unknown: Unknown = "guard") -> None:
        super().__init__(OpenAIResponses(unknown=unknown), unknown=unknown)

    def json_of(self, chunk: Any) -> Event:
        """Return the event that an object represents, with the fields that are null: some have to
        be there."""
        return _raw(chunk) or dumped(chunk, with_nulls=True)

    def changed(self, chunk: Any, old: Event, new: Event) -> Any:
        """Return an object like `chunk` for the same event with other texts."""
        if old is _raw(chunk):
            return replaced(chunk, {"raw": new})
        return with_changes(chunk, old, new)

    def made(self, chunk: Any, event: Event) -> Any:
        """Return an object of the package for an event that the guard adds.

        The package has one type for all events, which knows the class of each.
        """
        events = sibling(chunk, "openrouter.components", "StreamEvents")
        return TypeAdapter(events).validate_python(event)


def _raw(chunk: object) -> Event | None:
    """Return the event in an object of the class for events that the package does not know or
    expect."""
    fields = fields_of(chunk)
    raw = fields.get("raw")
    return raw if fields.get("type") == "UNKNOWN" and isinstance(raw, dict) else None
