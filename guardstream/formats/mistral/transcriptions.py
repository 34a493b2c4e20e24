"""Mistral's transcriptions: the text of a recording as it is recognised, and its segments.

Events of the `mistralai` package (`audio.transcriptions.stream`), which hold an event's name and
data, or the data alone as it comes over the wire:
https://docs.mistral.ai/api/endpoint/audio/transcriptions. A segment repeats a part of the text, or
comes in place of one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from guardstream.events import FinishReason
from guardstream.formats.adapter import Piece, Reading, Released, Slot
from guardstream.formats.mistral.chat import event_like
from guardstream.formats.spec import (
    SpecAdapter,
    named_by_type,
)
from guardstream.formats.toolkit.fields import fields_of
from guardstream.formats.toolkit.files import spec_of

DELTA, DONE = "transcription.text.delta", "transcription.done"
_TEXT = Slot(0, "text", "text")
_NOTHING = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
_CLASSES = {DELTA: "TranscriptionStreamTextDelta", DONE: "TranscriptionStreamDone"}


class Transcriptions(SpecAdapter):
    """The adapter for events of one transcription."""

    name = "mistral_transcription"
    spec = spec_of("mistral_transcription")

    event_name = staticmethod(named_by_type)

    def meaning(self, chunk: Any, event: Mapping[str, Any], pieces: Sequence[Piece]) -> Reading:
        data = fields_of(_data(chunk))
        if data.get("type") != DONE:
            return Reading(pieces, (0,))
        return Reading(pieces, (0,), {0: "stop"}, closed=(_TEXT,), usage=data.get("usage"))

    def extra(self, chunk: Any, slot: Slot, text: str, released: Released) -> Sequence[Any]:
        """Return a delta with only `text`."""
        return [_made(chunk, {"type": DELTA, "text": text})]

    def end(
        self, chunk: Any, choice: int, reason: FinishReason, released: Released
    ) -> Sequence[Any]:
        """Return the end of a transcription, with the text so far."""
        told: dict[str, Any] = {"model": "", "language": None, "usage": dict(_NOTHING)}
        return [_made(chunk, {"type": DONE, "text": released(_TEXT), "segments": [], **told})]


def _data(chunk: Any) -> Any:
    """Return an event's data: the event itself, if nothing is around it."""
    fields = fields_of(chunk)
    return fields["data"] if fields.keys() == {"event", "data"} else chunk


def _made(chunk: Any, event: dict[str, Any]) -> Any:
    """Return an event like `chunk`: its data as a dict, or an object of the package's class."""
    return event_like(chunk, _data(chunk), event, _CLASSES)
