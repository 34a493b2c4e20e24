"""AutoGen: the messages and events of `run_stream` of an agent or a team.

https://microsoft.github.io/autogen/stable/. Chunks stream a text; the message after them repeats
all of it, and ends it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from guardstream.formats.adapter import Piece, Reading
from guardstream.formats.cumulative import CumulativeFormat
from guardstream.formats.spec import Spec
from guardstream.formats.toolkit.fields import fields_of
from guardstream.formats.toolkit.files import spec_of
from guardstream.formats.toolkit.growing import Repeating

_CHUNK = "ModelClientStreamingChunkEvent"
_USER: Spec = spec_of("autogen", "user")


class AutoGen(Repeating, CumulativeFormat, of="autogen"):
    """The adapter for messages and events; the result at the end repeats them."""

    def spec_of(self, chunk: Any) -> Spec:
        return _USER if fields_of(chunk).get("source") == "user" else self.spec

    def parts(self, event: Mapping[str, Any]) -> bool:
        return event.get("type") != _CHUNK

    def usage(self, event: Mapping[str, Any]) -> Any:
        return event.get("models_usage")

    def meaning(self, chunk: Any, event: Mapping[str, Any], pieces: Sequence[Piece]) -> Reading:
        """Return the meaning of an event; the calls in a request are complete."""
        reading = super().meaning(chunk, event, pieces)
        return reading._replace(complete=tuple(reading.calls))
