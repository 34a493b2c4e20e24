"""pydantic-ai's events: those of `Agent.run_stream_events` and of a model's stream.

https://ai.pydantic.dev/agents/#streaming-events-and-final-output. Parts begin and continue in
deltas. They are repeated when they end, in the calls made from them, and in the run's result with
its messages. The caller's texts, user and system prompts, pass. Consecutive text parts are one
text, because citations cut an answer into parts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from guardstream.events import FinishReason
from guardstream.formats.adapter import NONE, Call, Piece, Reading, Released, Slot, Unknown
from guardstream.formats.spec import SpecAdapter, sibling
from guardstream.formats.toolkit.fields import fields_of, index_in
from guardstream.formats.toolkit.files import spec_of
from guardstream.formats.toolkit.streamed import Streamed

_MODULE = "pydantic_ai.messages"

_SLOTS = {
    "text": ("text", "text"),
    "thinking": ("thinking", "thinking"),
    "tool-call": ("tool_args", "args"),
    "builtin-tool-call": ("tool_args", "args"),
    "compaction": ("text", "compaction"),
}

_DELTAS = {
    "text": ("TextPartDelta", "content_delta", {"part_delta_kind": "text"}),
    "thinking": ("ThinkingPartDelta", "content_delta", {"part_delta_kind": "thinking"}),
    "tool_args": ("ToolCallPartDelta", "args_delta", {"part_delta_kind": "tool_call"}),
}

_NAME = Slot(0, "text", "$.part.tool_name")
"""A tool's name, which continues in deltas."""

_PARTS = {"text": "TextPart", "thinking": "ThinkingPart"}


class PydanticAI(SpecAdapter):
    """The adapter for events; there is one choice."""

    name = "pydantic_ai"
    spec = spec_of("pydantic_ai")
    notes_alike = False

    def __init__(self, *, unknown: Unknown = "guard") -> None:
        super().__init__(unknown=unknown)
        self._indices: list[int] = []  # of parts, in the order in which they began
        self._open: tuple[Slot, Any] | None = None
        self._asked = Call("")  # the last call, with its name so far
        self._call: dict[str, Any] | None = None  # the part of it that went out
        self._text: Slot | None = None  # the last part, if it was text
        self._streamed = Streamed()

    def meaning(self, chunk: Any, event: Mapping[str, Any], pieces: Sequence[Piece]) -> Reading:
        kind = event.get("event_kind")
        pieces = [each._replace(slot=_NAME) if each.kind == "name" else each for each in pieces]
        if kind == "part_start":
            self._call = None
            return self._started(event, pieces)
        if kind == "part_delta":
            found = self._here(pieces)
            self._streamed.note(found)
            return Reading(found, (0,), calls=self._named(fields_of(event.get("delta"))))
        if kind == "part_end":
            return self._ended(pieces)
        found = [self._known(piece) for piece in pieces]
        if kind == "final_result":
            return Reading(found, (0,))
        over, self._text = self._text, None
        finished: dict[int, FinishReason] = {0: "stop"} if kind == "agent_run_result" else {}
        return Reading(found, (0,), finished, closed=(over,) if over else ())

    def passed(self, chunk: Any) -> None:
        """Record what goes out of a call: if the guard ends it, its end repeats it."""
        event = fields_of(chunk)
        kind = event.get("event_kind")
        if kind == "part_start":
            part = fields_of(event.get("part"))
            self._call = {name: part.get(name) for name in ("tool_name", "tool_call_id")}
        elif kind == "part_delta" and self._call is not None:
            more = fields_of(event.get("delta")).get("tool_name_delta")
            if more:
                self._call["tool_name"] = (self._call["tool_name"] or "") + more

    def _started(self, event: Mapping[str, Any], pieces: Sequence[Piece]) -> Reading:
        part = fields_of(event.get("part"))
        channel, field = _SLOTS.get(str(part.get("part_kind")), ("text", "tool_result"))
        slot, earlier = Slot(0, channel, field, len(self._indices)), self._text
        self._indices.append(index_in(event))
        self._open = slot, part
        self._text = slot if field == "text" else None
        calls: dict[Slot, Call] = {}
        if channel == "tool_args":
            self._asked = Call(part.get("tool_name") or "", part.get("tool_call_id"))
            calls[slot] = self._asked
        found = self._here(pieces)
        self._streamed.note(found)
        if earlier is None:
            return Reading(found, (0,), calls=calls)
        if self._text is not None:
            return Reading(found, (0,), joined={slot: earlier})
        return Reading(found, (0,), closed=(earlier,), calls=calls)

    def _named(self, delta: Mapping[str, Any]) -> Mapping[Slot, Call]:
        """Return the open call, if a delta has its id or more of its name."""
        name, own = (delta.get(each) for each in ("tool_name_delta", "tool_call_id"))
        if self._open is None or self._open[0].channel != "tool_args" or not (name or own):
            return NONE
        known = self._asked
        self._asked = Call(known.name + (name or ""), known.id or own)
        return {self._open[0]: self._asked}

    def _ended(self, pieces: Sequence[Piece]) -> Reading:
        found = [piece if piece.kind == "whole" else self._in_open(piece) for piece in pieces]
        slot = None if self._open is None else self._open[0]
        self._open = None
        if slot is not None and slot == self._text:
            return Reading(found, (0,), waits=slot)
        return Reading(found, (0,), closed=() if slot is None else (slot,))

    def _here(self, pieces: Sequence[Piece]) -> list[Piece]:
        """Return pieces in the slot of the part that is open; others stay where they are."""
        own = None if self._open is None else self._open[0]
        return [
            self._in_open(piece) if own is not None and piece.slot.field == own.field else piece
            for piece in pieces
        ]

    def _in_open(self, piece: Piece) -> Piece:
        return piece if self._open is None else piece._replace(slot=self._open[0])

    def _known(self, piece: Piece) -> Piece:
        """Return a piece that repeats text, in the slot of that text."""
        if piece.kind not in ("copy", "parsed"):
            return piece
        return piece._replace(slot=self._streamed.find(piece) or piece.slot)

    def extra(self, chunk: Any, slot: Slot, text: str, released: Released) -> Sequence[Any]:
        """Return a delta of the slot's part; of a new one, if nothing was released in any."""
        if slot.field not in ("content", "compaction"):
            name, field, kind = _DELTAS[slot.channel]
            delta = _make(chunk, name, {field: text, **kind})
            event = {"index": self._indices[slot.number], "delta": delta}
            return [_make(chunk, "PartDeltaEvent", {**event, "event_kind": "part_delta"})]
        made = self._close(chunk, released)
        slot = Slot(0, "text", "text", len(self._indices))
        index = max(self._indices, default=-1) + 1
        self._indices.append(index)
        part = _make(chunk, "TextPart", {"content": text, "part_kind": "text"})
        for own, mark in (("PartStartEvent", "part_start"), ("PartEndEvent", "part_end")):
            made.append(_make(chunk, own, {"index": index, "part": part, "event_kind": mark}))
        return made

    def end(
        self, chunk: Any, choice: int, reason: FinishReason, released: Released
    ) -> Sequence[Any]:
        """Return what ends the open part: there is no event for the end of a response."""
        return self._close(chunk, released)

    def _close(self, chunk: Any, released: Released) -> list[Any]:
        if self._open is None:
            return []
        (slot, part), self._open = self._open, None
        name = _PARTS.get(slot.channel)
        if name is None:
            if self._call is None:
                return []  # it did not go out
            kind = part.get("part_kind")
            name = "ToolCallPart" if kind == "tool-call" else "NativeToolCallPart"
            call = {**self._call, "part_kind": kind, "args": released(slot)}
            made = _make(chunk, name, call)
        else:
            made = _make(chunk, name, {"content": released(slot), "part_kind": slot.field})
        event = {"index": self._indices[slot.number], "part": made, "event_kind": "part_end"}
        return [_make(chunk, "PartEndEvent", event)]


def _make(chunk: Any, name: str, fields: dict[str, Any]) -> Any:
    """Return an event or part like those in `chunk`: a dict, or an object of the class `name`."""
    return fields if isinstance(chunk, dict) else sibling(chunk, _MODULE, name)(**fields)
