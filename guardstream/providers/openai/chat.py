"""OpenAI chat-completion chunks, as objects of the `openai` package or as plain dicts.

Text is guarded wherever OpenAI and compatible servers put it: content, refusal, reasoning, the
arguments of each tool call. The format:
https://platform.openai.com/docs/api-reference/chat-streaming/streaming. Objects are duck-typed
(pydantic models or any object with attributes); they are copied, never changed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from guardstream.events import FinishReason
from guardstream.providers.adapter import Piece, Reading, Released, Slot, Unknown
from guardstream.providers.openai import litellm
from guardstream.providers.openai.chat_chunk_spec import BESIDE, CHUNK, PADDING, SO_FAR, TEXT
from guardstream.providers.openai.chat_chunks import (
    Calls,
    bare,
    choice_of,
    only_arguments,
    only_part,
)
from guardstream.providers.spec import UNKNOWN, Leaf, Path, Spec, SpecAdapter
from guardstream.providers.toolkit.fields import fields_of, index_in, only, replaced
from guardstream.providers.toolkit.readers import Found

REASONS: dict[str, FinishReason] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
    "error": "error",
}
"""Finish reasons, in the guard's terms."""


_MARKS = ("tool_calls", "function_call", "thinking_blocks")
"""Fields of a delta with more than text."""


class OpenAIChat(SpecAdapter):
    """The adapter for chat-completion chunks."""

    name = "openai_chat"
    signs_thinking = False
    spec: ClassVar[Spec] = CHUNK
    repeats = False  # unless a chunk has the whole text so far
    scope = 1
    steady = True
    padding = PADDING | {"timings"}
    sse_end = "[DONE]"
    calls_by_id: ClassVar[bool] = True  # if servers give several calls the same index

    def __init__(self, *, unknown: Unknown = "guard") -> None:
        super().__init__(unknown=unknown)
        self._slots: dict[tuple[int, Leaf, int], Slot] = {}
        self._calls = Calls(by_id=self.calls_by_id)
        self._said: dict[int, str] | None = None  # the texts so far, if chunks repeat them
        self._ended: set[int] = set()  # the choices that the guard has ended

    def read(self, chunk: Any) -> Reading:
        """Find the text in `chunk`; record it if chunks also repeat the whole text so far."""
        choices = fields_of(chunk).get("choices")
        if isinstance(choices, (list, tuple)):
            self._calls.read(choices)
        reading = super().read(chunk)
        if self._said is None and self._last is not None and self._last.origins:
            self._so_far()
        if self._said is not None:
            for slot, text, kind in reading.pieces:
                if kind == "delta" and slot.field == "content" and slot.channel == "text":
                    self._said[slot.choice] = self._said.get(slot.choice, "") + text
        return reading

    def _add_pieces(self, pieces: list[Piece], found: Found, event: Mapping[str, Any]) -> None:
        """Add the pieces of a leaf; text that should repeat a delta but does not is unknown."""
        if found.leaf not in (SO_FAR, TEXT) or not (found.mirrors and isinstance(found.value, str)):
            super()._add_pieces(pieces, found, event)
            return
        slot = self.slot(found.leaf, event, found.path)
        new = fields_of(fields_of(event["choices"][found.path[0]]).get("delta")).get("content")
        if found.leaf is TEXT and not new:
            pieces.append(Piece(slot, found.value))
        elif found.leaf is SO_FAR and self._repeats(found.value, slot, new):
            pieces.append(Piece(slot, found.value, "copy"))
        else:
            unknown = found._replace(leaf=UNKNOWN)
            if self._unknowns.judged([unknown])[0].leaf is UNKNOWN:
                super()._add_pieces(pieces, unknown, event)

    def _repeats(self, value: str, slot: Slot, new: Any) -> bool:
        """Return whether a message is a choice's whole text so far, with the `new` text."""
        return value == self._so_far().get(slot.choice, "") + (new if isinstance(new, str) else "")

    def _so_far(self) -> dict[int, str]:
        """Return the text of each choice so far, recorded since chunks repeat it."""
        if self._said is None:
            self._said, self.repeats = {}, True
        return self._said

    def slot(self, leaf: Leaf, event: Mapping[str, Any], path: Path) -> Slot:
        if not path or leaf.field.startswith(BESIDE):
            return Slot(0, leaf.channel, leaf.field)
        choice = event["choices"][path[0]]
        number = 0
        if leaf.field == "tool_calls":
            call = fields_of(fields_of(choice)["delta"])["tool_calls"][path[1]]
            number = self._calls.number(path[0], path[1], call)
        key = (index_in(choice, 0), leaf, number)
        slot = self._slots.get(key)
        if slot is None:
            slot = self._slots[key] = Slot(key[0], leaf.channel, leaf.field, number)
        return slot

    def meaning(self, chunk: Any, event: Mapping[str, Any], pieces: Sequence[Piece]) -> Reading:
        choices = event.get("choices")
        if not isinstance(choices, (list, tuple)):
            return Reading(pieces, (), failed=bool(event.get("error")))
        finished: dict[int, FinishReason] = {}
        indices = []
        marked = False
        for choice in choices:
            values = fields_of(choice)
            index = index_in(values)
            indices.append(index)
            reason = values.get("finish_reason")
            if reason:
                finished[index] = REASONS.get(str(reason), "stop")
            said = fields_of(values.get("delta")).get
            marked = marked or any(map(said, _MARKS))
        usage = event.get("usage")
        if not marked:
            return Reading(pieces, indices, finished, usage=usage)
        closed, calls, over = litellm.signed(choices), self._calls.begun, self._calls.over
        return Reading(
            pieces, indices, finished, closed=closed, calls=calls, usage=usage, complete=over
        )

    @staticmethod
    def without(value: Any) -> None:
        """Return None for what spells out a choice's text, even for a list."""

    def write(self, chunk: Any, texts: Sequence[str], *, ends: bool = True) -> Any | None:
        """Return `chunk` with `texts`, and without choices that have ended while others go on: a
        call might begin in them."""
        written = super().write(chunk, texts, ends=ends)
        if written is None or not self._ended:
            return written
        fields = fields_of(written)
        choices = fields.get("choices") or ()
        kept = [each for each in choices if index_in(fields_of(each)) not in self._ended]
        if len(kept) == len(choices):
            return written
        return replaced(written, {"choices": kept}) if kept or fields.get("usage") else None

    def extra(self, chunk: Any, slot: Slot, text: str, released: Released) -> Sequence[Any]:
        """Return a chunk with only `text`, in the place where `chunk` has `slot`."""
        choice = choice_of(chunk, slot.choice)
        delta = fields_of(choice).get("delta") or {}
        value: Any = fields_of(delta).get(slot.field)
        if slot.field == "tool_calls":
            value = [only_arguments(value, self._calls.index(slot.number), text)]
        elif slot.field == "function_call":
            value = only(value, {"arguments": text})
        elif slot.field == "audio":
            value = only(value, {"transcript": text})
        elif isinstance(value, list):
            value = only_part(value, slot, text)
        else:
            value = text
        once_more = litellm.only_thinking(delta, text) if slot.channel == "thinking" else {}
        said_once = text if slot.channel == "text" and slot.field == "content" else ""
        new = only(delta, {**once_more, slot.field: value})
        return [bare(chunk, choice, new, None, said_once)]

    def end(
        self, chunk: Any, choice: int, reason: FinishReason, released: Released
    ) -> Sequence[Any]:
        """Return a chunk with an empty delta and `reason` as the finish reason."""
        self._ended.add(choice)
        found = choice_of(chunk, choice)
        return [bare(chunk, found, only(fields_of(found).get("delta") or {}, {}), reason)]
