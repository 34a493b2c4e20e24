"""The named events that `guardstream.framing.sse` makes: start, content, complete, error.

Each is a JSON object: `{"id": …}`, `{"text": …}`, `{"finish": …}`, `{"code": …, "message": …}`. An
application sends them to its own page; other fields that hold text are refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, get_args

from guardstream.events import FinishReason
from guardstream.formats.adapter import Piece, Reading, Released, Slot
from guardstream.formats.spec import SpecAdapter
from guardstream.formats.toolkit.files import spec_of

_NAMES = {"text": "content", "finish": "complete", "code": "error", "id": "start"}

_REASONS: tuple[FinishReason, ...] = get_args(FinishReason)


class NamedEvents(SpecAdapter):
    """The adapter for the payloads of named events."""

    name = "events"
    spec = spec_of("events")
    repeats = False

    @staticmethod
    def event_name(chunk: Mapping[str, Any]) -> str:
        """Return the name of the event that carries `chunk`."""
        return next((name for field, name in _NAMES.items() if field in chunk), "message")

    @staticmethod
    def speaks(chunk: Any) -> bool:
        """Return whether a chunk has text or an end."""
        return isinstance(chunk, dict) and not chunk.keys().isdisjoint(("text", "finish", "code"))

    def meaning(self, chunk: Any, event: Mapping[str, Any], pieces: Sequence[Piece]) -> Reading:
        finish = event.get("finish")
        reason: FinishReason = finish if finish in _REASONS else "stop"
        failed = "code" in event
        return Reading(pieces, (0,), {0: reason} if finish else {}, failed)

    def extra(self, chunk: Any, slot: Slot, text: str, released: Released) -> Sequence[Any]:
        """Return an event of content."""
        return [{"text": text}]

    def end(
        self, chunk: Any, choice: int, reason: FinishReason, released: Released
    ) -> Sequence[Any]:
        """Return the event that completes the answer."""
        return [{"finish": reason}]
