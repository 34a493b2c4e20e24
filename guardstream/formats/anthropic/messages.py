"""Anthropic message streams: raw events and those of the package's `messages.stream` helper.

Objects of the `anthropic` package, including the beta types, or plain dicts. The format:
https://docs.anthropic.com/en/docs/build-with-claude/streaming. Consecutive text blocks are one
text, because citations cut an answer into blocks. A signature stays even if the thinking that it
signs has changed; the provider then rejects the block.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from guardstream.events import FinishReason
from guardstream.formats.adapter import Call, Piece, Reading, Released, Slot, Unknown
from guardstream.formats.anthropic.ending import TURN, Ending
from guardstream.formats.spec import Leaf, Path, SpecAdapter
from guardstream.formats.toolkit.fields import fields_of, index_in, replaced
from guardstream.formats.toolkit.files import spec_of
from guardstream.formats.toolkit.reasons import reason_of

_HELPER = ("text", "thinking", "input_json", "citation", "signature", "compaction")
"""The types of events that the helper adds after raw ones."""

_BLOCK_SLOTS = {
    "text": ("text", "text"),
    "thinking": ("thinking", "thinking"),
    "tool_use": ("tool_args", "input"),
    "server_tool_use": ("tool_args", "input"),
    "mcp_tool_use": ("tool_args", "input"),
    "compaction": ("text", "compaction"),
}


class Anthropic(SpecAdapter):
    """The adapter for message events; another message in the same stream begins anew."""

    name = "anthropic"
    signs_end = True
    spec = spec_of("anthropic")
    steady = True
    last = ("message_delta", "message_stop")
    notes_alike = False

    def __init__(self, *, unknown: Unknown = "guard") -> None:
        super().__init__(unknown=unknown)
        self._begun = False
        self._turn = 0
        self._index = 0
        self._open: Slot | None = None
        self._text: Slot | None = None  # the last block, if it was text
        self._has_ended = False  # whether the message has given its reason to stop
        self._usage: Any = None
        self._ending = Ending()

    def taken(self, chunk: Any) -> Any:
        """Return a copy of the one event that the helper keeps changing."""
        if isinstance(chunk, dict):
            return chunk
        fields = fields_of(chunk)
        if fields.get("type") == "citation":
            return replaced(chunk, {"snapshot": list(fields["snapshot"])})
        return chunk

    def slot(self, leaf: Leaf, event: Mapping[str, Any], path: Path) -> Slot:
        kind = event.get("type")
        index = index_in(event, self._index)
        if kind in ("message_start", "message_stop"):
            index = path[0] if path else 0
        field = "start" if kind == "message_start" else leaf.field
        return Slot(0, leaf.channel, field, self._turn * TURN + index)

    def read(self, chunk: Any) -> Reading:
        """Find the text in an event."""
        kind = fields_of(chunk).get("type")
        if self._ending.helper is None:
            self._ending.saw(kind in _HELPER, chunk)
        if kind == "message_start":
            self._turn += self._begun
            self._begun = True
        return super().read(chunk)

    def meaning(self, chunk: Any, event: Mapping[str, Any], pieces: Sequence[Piece]) -> Reading:
        kind = event.get("type")
        if kind == "content_block_delta":
            return self._said(event, pieces)
        if kind == "content_block_start":
            return self._started(event, pieces)
        if kind == "content_block_stop":
            return self._stopped(pieces)
        if kind == "message_start":
            return self._message(event, pieces)
        if kind in self.last:
            return self._ended(event, pieces)
        return Reading(pieces, (0,), failed=kind == "error")

    def _said(self, event: Mapping[str, Any], pieces: Sequence[Piece]) -> Reading:
        signed = fields_of(event.get("delta")).get("type") == "signature_delta"
        if signed and self._open is not None:
            return Reading(pieces, (0,), closed=(self._open,))
        number = self._turn * TURN + index_in(event, self._index)
        if self._open is None or self._open.number != number:
            self._ending.reopen(number)
        return Reading(pieces, (0,))

    def _message(self, event: Mapping[str, Any], pieces: Sequence[Piece]) -> Reading:
        closed = [slot for slot in (self._text, self._open) if slot is not None]
        self._text = self._open = None
        self._has_ended = False
        self._usage = fields_of(event.get("message")).get("usage")
        return Reading(pieces, (0,), closed=closed, usage=self._usage)

    def _started(self, event: Mapping[str, Any], pieces: Sequence[Piece]) -> Reading:
        self._index = index_in(event)
        block = fields_of(event.get("content_block"))
        channel, field = _BLOCK_SLOTS.get(str(block.get("type")), ("text", "tool_result"))
        slot, earlier = Slot(0, channel, field, self._turn * TURN + self._index), self._text
        self._open = slot
        self._text = slot if field == "text" else None
        call = Call(str(block.get("name") or ""), block.get("id"))
        calls = {slot: call} if channel == "tool_args" else {}
        if earlier is None:
            return Reading(pieces, (0,), calls=calls)
        if self._text is not None:
            return Reading(pieces, (0,), joined={slot: earlier})
        return Reading(pieces, (0,), closed=(earlier,), calls=calls)

    def _stopped(self, pieces: Sequence[Piece]) -> Reading:
        slot, self._open = self._open, None
        if slot is None:
            return Reading(pieces, (0,))
        if slot.field == "text":
            return Reading(pieces, (0,), waits=slot)
        return Reading(pieces, (0,), closed=(slot,))

    def _ended(self, event: Mapping[str, Any], pieces: Sequence[Piece]) -> Reading:
        reason = fields_of(event.get("delta")).get("stop_reason")
        finished = {0: reason_of(reason)} if reason else {}
        self._has_ended = self._has_ended or bool(reason)
        closed = () if self._text is None or self._has_ended else (self._text,)
        if event.get("usage") is not None:
            self._usage = _merged(self._usage, event["usage"])
        return Reading(pieces, (0,), finished, closed=closed, usage=self._usage)

    def passed(self, chunk: Any) -> None:
        """Remember the released text of each block."""
        self._ending.passed(chunk)

    def extra(self, chunk: Any, slot: Slot, text: str, released: Released) -> Sequence[Any]:
        """Return a delta of the slot's block, in a block of its own if that one is over."""
        return self._ending.extra(chunk, slot, text, released)

    def end(
        self, chunk: Any, choice: int, reason: FinishReason, released: Released
    ) -> Sequence[Any]:
        """Return the events that end the open block and the message, with a stop reason."""
        return self._ending.end(chunk, reason, released)


def _merged(usage: Any, later: Any) -> Any:
    """Return the usage updated by a later one, whose counts are totals."""
    if usage is None:
        return later
    news = {name: value for name, value in fields_of(later).items() if value is not None}
    return replaced(usage, news)
