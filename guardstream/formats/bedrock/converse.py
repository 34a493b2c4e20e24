"""Amazon Bedrock's ConverseStream: the events of boto3's and aioboto3's event streams.

Each event is a dict with one key; on the wire, its field `p` is padding. The format:
https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html. A block of
text has no start, and its stop may be missing. Consecutive text blocks are one text, because
citations cut an answer into blocks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from guardstream.events import FinishReason
from guardstream.formats.adapter import Call, Piece, Reading, Released, Slot, Unknown
from guardstream.formats.spec import (
    Leaf,
    Path,
    SpecAdapter,
)
from guardstream.formats.toolkit.fields import fields_of, index_in
from guardstream.formats.toolkit.files import spec_of
from guardstream.formats.toolkit.reasons import reason_of

FAULTS = (
    "internalServerException",
    "modelStreamErrorException",
    "validationException",
    "throttlingException",
    "serviceUnavailableException",
)


STOPS = {
    "content_filter": "content_filtered",
    "length": "max_tokens",
    "tool_calls": "tool_use",
}


class Bedrock(SpecAdapter):
    """The adapter for events; one stream is one message."""

    name = "bedrock"
    spec = spec_of("bedrock")
    repeats = False
    steady = True

    def __init__(self, *, unknown: Unknown = "guard") -> None:
        super().__init__(unknown=unknown)
        self._index = -1
        self._open: Slot | None = None
        self._text: Slot | None = None  # the last block, if it was text

    def slot(self, leaf: Leaf, event: Mapping[str, Any], path: Path) -> Slot:
        index = self.number(fields_of(event.get("contentBlockDelta")))
        return Slot(0, leaf.channel, leaf.field, index)

    def number(self, event: Mapping[str, Any]) -> int:
        """Return the number of the block that an event belongs to."""
        return index_in(event, name="contentBlockIndex")

    def place(self, number: int) -> dict[str, Any]:
        """Return the field of an event that says which block it belongs to."""
        return {"contentBlockIndex": number}

    def meaning(self, chunk: Any, event: Mapping[str, Any], pieces: Sequence[Piece]) -> Reading:
        if "contentBlockStart" in event:
            return self._started(fields_of(event["contentBlockStart"]), pieces)
        if "contentBlockDelta" in event:
            return self._said(fields_of(event["contentBlockDelta"]), pieces)
        if "contentBlockStop" in event:
            slot, self._open = self._open, None
            if slot is not None and slot == self._text:
                return Reading(pieces, (0,), waits=slot)
            return Reading(pieces, (0,), closed=(slot,) if slot else ())
        if "messageStop" in event or event.keys() & set(FAULTS):
            return self._ended(event, pieces)
        usage = fields_of(event.get("metadata")).get("usage")
        return Reading(pieces, (0,), usage=usage)

    def _started(self, start: Mapping[str, Any], pieces: Sequence[Piece]) -> Reading:
        self._index = self.number(start)
        use = fields_of(fields_of(start.get("start")).get("toolUse"))
        slot = Slot(0, "tool_args", "input", self._index)
        over = self._over(slot)
        self._open = slot
        calls = {slot: Call(str(use.get("name") or ""), use.get("toolUseId"))} if use else {}
        return Reading(pieces, (0,), closed=over, calls=calls)

    def _said(self, event: Mapping[str, Any], pieces: Sequence[Piece]) -> Reading:
        """Read a delta: the first of a block without a start begins it."""
        self._index = self.number(event)
        slot = next((piece.slot for piece in pieces if piece.kind == "delta"), None)
        if slot is None or slot == self._open:
            return Reading(pieces, (0,))
        earlier = self._text
        joins = slot.field == "text" and earlier is not None and earlier != slot
        over = self._over(slot)
        self._open = slot
        self._text = slot if slot.field == "text" else None
        if joins and earlier is not None:
            return Reading(pieces, (0,), joined={slot: earlier})
        return Reading(pieces, (0,), closed=over)

    def _ended(self, event: Mapping[str, Any], pieces: Sequence[Piece]) -> Reading:
        over = self._over(None)
        if "messageStop" not in event:
            return Reading(pieces, (0,), failed=True)
        reason = str(fields_of(event["messageStop"]).get("stopReason"))
        return Reading(pieces, (0,), {0: reason_of(reason)}, closed=over)

    def _over(self, slot: Slot | None) -> list[Slot]:
        """Return the blocks that end when `slot` begins; a text block continues another one."""
        over = [each for each in (self._open, self._text) if each is not None and each != slot]
        self._open = self._text = None
        return list(dict.fromkeys(over))

    def extra(self, chunk: Any, slot: Slot, text: str, released: Released) -> Sequence[Any]:
        """Return a delta of the slot's block; of a new one, if nothing was released in any."""
        made: list[Any] = []
        if slot.field == "content":
            made += self._close()
            slot = self._open = Slot(0, "text", "text", self._index + 1)
        delta: dict[str, Any] = {"text": text}
        if slot.channel == "thinking":
            delta = {"reasoningContent": delta}
        elif slot.channel == "tool_args":
            delta = {"toolUse": {"input": text}}
        elif slot.field == "tool_result":
            delta = {"toolResult": [delta]}
        return [*made, {"contentBlockDelta": {**self.place(slot.number), "delta": delta}}]

    def end(
        self, chunk: Any, choice: int, reason: FinishReason, released: Released
    ) -> Sequence[Any]:
        """Return the events that end the open block and the message, with a stop reason."""
        stop = {"stopReason": STOPS.get(reason, "end_turn")}
        return [*self._close(), {"messageStop": stop}]

    def _close(self) -> list[Any]:
        slot, self._open = self._open, None
        return [{"contentBlockStop": self.place(slot.number)}] if slot else []
