"""LM Studio's own stream: the fragments of a prediction that the `lmstudio` package gives.

https://lmstudio.ai/docs/python/llm-prediction/chat-completion. A fragment says whether it is text
or thinking. The tags around thinking are fragments, too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from guardstream.formats.adapter import Piece, Reading, Released, Slot
from guardstream.formats.spec import SpecAdapter
from guardstream.formats.toolkit.fields import fields_of, replaced
from guardstream.formats.toolkit.files import spec_of

_KINDS = ("reasoning_type", "reasoningType")
"""The field of an object, and of its JSON."""

_TEXT = Slot(0, "text", "content")
_THINKING = Slot(0, "thinking", "thinking")


class LMStudio(SpecAdapter):
    """The adapter for fragments, as objects or dicts; no fragment ends the stream."""

    name = "lmstudio"
    spec = spec_of("lmstudio")
    repeats = False

    def meaning(self, chunk: Any, event: Mapping[str, Any], pieces: Sequence[Piece]) -> Reading:
        kind = next((event[each] for each in _KINDS if each in event), None)
        slot, before = (_TEXT, _THINKING) if kind == "none" else (_THINKING, _TEXT)
        found = [
            piece._replace(slot=slot) if piece.slot == _TEXT and piece.kind == "delta" else piece
            for piece in pieces
        ]
        return Reading(found, (0,), closed=(before,))

    def extra(self, chunk: Any, slot: Slot, text: str, released: Released) -> Sequence[Any]:
        """Return a fragment like the last that had such text."""
        fields = fields_of(chunk)
        kind = "none" if slot.channel == "text" else "reasoning"
        kinds = {each: kind for each in _KINDS if each in fields}
        return [replaced(chunk, {"content": text, **kinds})]
