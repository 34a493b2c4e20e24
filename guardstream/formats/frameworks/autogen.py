"""AutoGen: the messages and events of `run_stream` of an agent or a team.

https://microsoft.github.io/autogen/stable/. Chunks stream a text; the message after them repeats
all of it, and ends it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from guardstream.formats.adapter import Call, Piece, Reading
from guardstream.formats.spec import Spec
from guardstream.formats.toolkit.fields import fields_of
from guardstream.formats.toolkit.files import spec_of
from guardstream.formats.toolkit.growing import Repeating

_CHUNK = "ModelClientStreamingChunkEvent"


_REQUEST = "ToolCallRequestEvent"


_EVENTS = spec_of("autogen")
_USER: Spec = spec_of("autogen", "user")


class AutoGen(Repeating):
    """The adapter for messages and events; the result at the end repeats them."""

    name = "autogen"
    spec = _EVENTS.specs[_CHUNK]

    def spec_of(self, chunk: Any) -> Spec:
        event = fields_of(chunk)
        spec: Spec = _EVENTS.specs.get(str(event.get("type")), _EVENTS.other)
        return _USER if event.get("source") == "user" else spec

    def parts(self, event: Mapping[str, Any]) -> bool:
        return event.get("type") != _CHUNK

    def called(self, event: Mapping[str, Any]) -> Mapping[int, Call]:
        requested = event.get("content") if event.get("type") == _REQUEST else ()
        calls = map(fields_of, requested or ())
        return {
            place: Call(call["name"], call.get("id"))
            for place, call in enumerate(calls)
            if call.get("name")
        }

    def usage(self, event: Mapping[str, Any]) -> Any:
        return event.get("models_usage")

    def meaning(self, chunk: Any, event: Mapping[str, Any], pieces: Sequence[Piece]) -> Reading:
        """Return the meaning of an event; the calls in a request are complete."""
        reading = super().meaning(chunk, event, pieces)
        return reading._replace(complete=tuple(reading.calls))
