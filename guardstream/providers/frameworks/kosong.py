"""Kosong's message parts (Kimi): what a `StreamedMessage` gives, as objects or plain dicts.

https://github.com/MoonshotAI/kosong. Clients merge consecutive parts into one, so held text of a
part goes out before the next part. A tool call begins with its id and name, and parts of its
arguments follow. Nothing marks the end of a message but the end of its stream.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from guardstream.providers.adapter import Call, Piece, Reading, Released, Slot, Unknown
from guardstream.providers.spec import SpecAdapter, sibling
from guardstream.providers.toolkit.fields import fields_of
from guardstream.providers.toolkit.files import spec_of
from guardstream.providers.toolkit.runs import Runs


class Kosong(SpecAdapter):
    """The adapter for parts; one stream is one message."""

    name = "kosong"
    spec = spec_of("kosong")
    repeats = False
    ends_with_source = True

    def __init__(self, *, unknown: Unknown = "guard") -> None:
        super().__init__(unknown=unknown)
        self._runs = Runs()
        self._call: Slot | None = None
        self._calls = 0

    def meaning(self, chunk: Any, event: Mapping[str, Any], pieces: Sequence[Piece]) -> Reading:
        over = self._call
        calls: dict[Slot, Call] = {}
        if event.get("function"):
            self._call = Slot(0, "tool_args", "arguments", self._calls)
            self._calls += 1
            name = fields_of(event["function"]).get("name") or ""
            calls[self._call] = Call(name, event.get("id"))
            self._runs.stop(0)
        elif "arguments_part" in event:
            over = None
        else:
            self._call = None
        found, closed, complete = self._runs.number(pieces)
        found = [
            piece._replace(slot=self._call)
            if piece.slot.channel == "tool_args" and self._call is not None
            else piece
            for piece in found
        ]
        closed += [over] if over is not None else []
        return Reading(found, (0,), closed=closed, calls=calls, complete=complete)

    def extra(self, chunk: Any, slot: Slot, text: str, released: Released) -> Sequence[Any]:
        """Return a part with only `text`."""
        if slot.channel == "tool_args":
            return [_make(chunk, "ToolCallPart", {"arguments_part": text})]
        if slot.channel == "thinking":
            return [_make(chunk, "ThinkPart", {"type": "think", "think": text})]
        return [_make(chunk, "TextPart", {"type": "text", "text": text})]


def _make(chunk: Any, name: str, fields: dict[str, Any]) -> Any:
    """Return a part like `chunk`: a dict, or an object of the class `name` beside its own."""
    if isinstance(chunk, dict):
        return fields
    return sibling(chunk, type(chunk).__module__, name)(**fields)
