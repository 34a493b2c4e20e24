"""Perplexity's chunks: chat completions that say all of an answer so far beside what is new.

https://docs.perplexity.ai, "Stream mode: concise vs full": in the full mode each choice has a
`message` with the whole text, which is made of what was released. A message that does not repeat
the text is guarded as one of which nothing is known.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from guardstream.providers.adapter import Piece, Reading, Slot, Unknown
from guardstream.providers.fields import fields_of
from guardstream.providers.openai.chat import OpenAIChat
from guardstream.providers.openai.chat_chunk_spec import chunk_spec
from guardstream.providers.paths import spoken
from guardstream.providers.readers import Found
from guardstream.providers.spec import Leaf, Spec

_SO_FAR = Leaf("copy", "text", "content")


class Perplexity(OpenAIChat):
    """The adapter for chunks with messages."""

    name = "perplexity"
    spec: ClassVar[Spec] = chunk_spec(_SO_FAR)
    repeats = True

    def __init__(self, *, unknown: Unknown = "guard") -> None:
        super().__init__(unknown=unknown)
        self._said: dict[int, str] = {}

    @staticmethod
    def accepts(chunk: object) -> bool:
        """Tell whether `chunk` is one whose choices have whole messages, and nothing but those."""
        if not OpenAIChat.accepts(chunk):
            return False
        messages = [
            fields_of(fields_of(each).get("message")) for each in fields_of(chunk)["choices"]
        ]
        known = {"role", "content", "reasoning_steps"}
        return bool(messages) and all({"content"} <= each.keys() <= known for each in messages)

    def read(self, chunk: Any) -> Reading:
        """Find the text in `chunk`, and remember what its choices have said."""
        reading = super().read(chunk)
        for slot, text, kind in reading.pieces:
            if kind == "delta" and slot.field == "content" and slot.channel == "text":
                self._said[slot.choice] = self._said.get(slot.choice, "") + text
        return reading

    def _add_pieces(self, pieces: list[Piece], found: Found, event: Mapping[str, Any]) -> None:
        """Add what a leaf says: a whole message repeats all deltas so far, or is not known."""
        if found.leaf is not _SO_FAR or not isinstance(found.value, str):
            super()._add_pieces(pieces, found, event)
            return
        slot = self.slot(_SO_FAR, event, found.path)
        new = fields_of(fields_of(event["choices"][found.path[0]]).get("delta")).get("content")
        said = self._said.get(slot.choice, "") + (new if isinstance(new, str) else "")
        if said == found.value:
            pieces.append(Piece(slot, said, "copy"))
        else:
            pieces.append(Piece(Slot(0, "text", spoken(found.steps)), found.value, "unknown"))
