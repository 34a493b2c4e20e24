"""Cohere's v2 chat stream: events of the `cohere` package, or plain dicts.

The format: https://docs.cohere.com/v2/docs/streaming. Consecutive text blocks are one text. A plan
for tool calls (`tool_plan`) is thinking.
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
    sibling,
)
from guardstream.formats.toolkit.fields import fields_of, index_in
from guardstream.formats.toolkit.files import spec_of
from guardstream.formats.toolkit.reasons import reason_of

STOPS = {"content_filter": "ERROR_TOXIC", "length": "MAX_TOKENS", "tool_calls": "TOOL_CALL"}


class Cohere(SpecAdapter):
    """The adapter for chat events; one stream is one message."""

    name = "cohere"
    signs_thinking = False
    spec = spec_of("cohere")
    sse_end = "[DONE]"
    repeats = False
    steady = True

    def __init__(self, *, unknown: Unknown = "guard") -> None:
        super().__init__(unknown=unknown)
        self._index = -1
        self._open: Slot | None = None
        self._text: Slot | None = None  # the last block, if it was text
        self._plan = False

    def slot(self, leaf: Leaf, event: Mapping[str, Any], path: Path) -> Slot:
        return Slot(0, leaf.channel, leaf.field, index_in(event))

    def meaning(self, chunk: Any, event: Mapping[str, Any], pieces: Sequence[Piece]) -> Reading:
        kind = event.get("type")
        if kind == "tool-plan-delta":
            self._plan = True
        elif kind == "content-start":
            return self._started(event, pieces)
        elif kind == "tool-call-start":
            return self._called(event, pieces)
        elif kind in ("content-end", "tool-call-end"):
            slot, self._open = self._open, None
            if slot is not None and slot == self._text:
                return Reading(pieces, (0,), waits=slot)
            return Reading(pieces, (0,), closed=(slot,) if slot else ())
        elif kind == "message-end":
            delta = fields_of(event.get("delta"))
            reason = reason_of(str(delta.get("finish_reason")))
            return Reading(pieces, (0,), {0: reason}, closed=self._over(), usage=delta.get("usage"))
        return Reading(pieces, (0,))

    def _started(self, event: Mapping[str, Any], pieces: Sequence[Piece]) -> Reading:
        content = fields_of(_message(event).get("content"))
        kind = "thinking" if content.get("type") == "thinking" else "text"
        self._index = index_in(event)
        slot, earlier = Slot(0, kind, kind, self._index), self._text
        over = [each for each in self._over() if each != earlier or kind != "text"]
        self._open = slot
        self._text = slot if kind == "text" else None
        joins = self._text is not None and earlier is not None
        joined = {slot: earlier} if joins and earlier is not None else {}
        return Reading(pieces, (0,), closed=over, joined=joined)

    def _called(self, event: Mapping[str, Any], pieces: Sequence[Piece]) -> Reading:
        call = fields_of(_message(event).get("tool_calls"))
        over = self._over()
        self._open = Slot(0, "tool_args", "arguments", index_in(event))
        name = fields_of(call.get("function")).get("name") or ""
        calls = {self._open: Call(name, call.get("id"))}
        return Reading(pieces, (0,), closed=over, calls=calls)

    def _over(self) -> list[Slot]:
        """Return the texts that end because something else begins."""
        over = [slot for slot in (self._open, self._text) if slot is not None]
        if self._plan:
            over.append(Slot(0, "thinking", "tool_plan"))
        self._open, self._text, self._plan = None, None, False
        return list(dict.fromkeys(over))

    def extra(self, chunk: Any, slot: Slot, text: str, released: Released) -> Sequence[Any]:
        """Return a delta of the slot's block; without one, a new block begins before it."""
        made: list[Any] = []
        if slot.field == "content":
            made += self._close(chunk)
            slot = self._open = Slot(0, "text", "text", self._index + 1)
            start = {"content": {"type": "text", "text": ""}}
            made.append(_make(chunk, "content-start", start, slot.number))
        if slot.field == "tool_plan":
            return [*made, _make(chunk, "tool-plan-delta", {"tool_plan": text})]
        if slot.channel == "tool_args":
            call = {"tool_calls": {"function": {"arguments": text}}}
            return [*made, _make(chunk, "tool-call-delta", call, slot.number)]
        content = {"content": {slot.field: text}}
        return [*made, _make(chunk, "content-delta", content, slot.number)]

    def end(
        self, chunk: Any, choice: int, reason: FinishReason, released: Released
    ) -> Sequence[Any]:
        """Return the events that end the open block and the message, with a finish reason."""
        delta = {"finish_reason": STOPS.get(reason, "COMPLETE")}
        return [*self._close(chunk), _made(chunk, {"type": "message-end", "delta": delta})]

    def _close(self, chunk: Any) -> list[Any]:
        """End the open block; a call that is cut does not end, so that no client runs it."""
        slot, self._open = self._open, None
        if slot is None or slot.channel == "tool_args":
            return []
        return [_made(chunk, {"type": "content-end", "index": slot.number})]


def _message(event: Mapping[str, Any]) -> Mapping[str, Any]:
    return fields_of(fields_of(event.get("delta")).get("message"))


def _make(chunk: Any, kind: str, message: dict[str, Any], index: int | None = None) -> Any:
    """Return a delta event like `chunk`."""
    place = {} if index is None else {"index": index}
    return _made(chunk, {"type": kind, **place, "delta": {"message": message}})


def _made(chunk: Any, event: dict[str, Any]) -> Any:
    """Return an event like `chunk`: a dict, or an object of the class for its type."""
    if isinstance(chunk, dict):
        return event
    own = type(chunk)
    suffix = own.__name__.removeprefix(_camel(fields_of(chunk)["type"]))
    return sibling(chunk, own.__module__, _camel(event["type"]) + suffix).model_validate(event)


def _camel(kind: str) -> str:
    return "".join(word.capitalize() for word in kind.split("-"))
