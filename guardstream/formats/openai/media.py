"""OpenAI's streams of transcriptions, and of images and speech, which contain no text.

https://platform.openai.com/docs/api-reference/audio/transcript-text-delta-event and its neighbours.
A transcription streams one text; a diarized one also sends segments, each a text of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from guardstream.events import FinishReason
from guardstream.formats.adapter import Piece, Reading, Released, Slot
from guardstream.formats.spec import (
    SpecAdapter,
)
from guardstream.formats.toolkit.fields import fields_of, replaced
from guardstream.formats.toolkit.files import spec_of

_LAST = (
    *("transcript.text.done", "speech.audio.done"),
    *("image_generation.completed", "image_edit.completed"),
)
_TEXT = Slot(0, "text", "text")


class OpenAIMedia(SpecAdapter):
    """The adapter for events of one transcription, image or speech."""

    name = "openai_media"
    spec = spec_of("openai_media")

    def meaning(self, chunk: Any, event: Mapping[str, Any], pieces: Sequence[Piece]) -> Reading:
        if event.get("type") not in _LAST:
            return Reading(pieces, (0,), failed=event.get("type") == "error")
        usage = event.get("usage")
        return Reading(pieces, (0,), {0: "stop"}, closed=(_TEXT,), usage=usage)

    def extra(self, chunk: Any, slot: Slot, text: str, released: Released) -> Sequence[Any]:
        """Return a delta like `chunk` with only `text`."""
        if fields_of(chunk).get("type") != "transcript.text.delta":
            return []
        blank = {"logprobs": None} if fields_of(chunk).get("logprobs") else {}
        return [replaced(chunk, {"delta": text, **blank})]

    def end(
        self, chunk: Any, choice: int, reason: FinishReason, released: Released
    ) -> Sequence[Any]:
        """Return the end of a transcription, with the text so far."""
        if not isinstance(chunk, dict) or not chunk["type"].startswith("transcript."):
            return []
        return [{"type": "transcript.text.done", "text": released(_TEXT)}]
