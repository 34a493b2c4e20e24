"""OpenAI's assistants: the events of a run on a thread, its messages and its steps.

Objects of the `openai` package, which hold an event's name and data, or the data alone as it comes
over the wire. https://platform.openai.com/docs/api-reference/assistants-streaming/events.
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

_WITHOUT_PLACE = frozenset({"whole", "aside", "unknown", "name", "mark"})
"""Kinds of pieces that belong to no place in a message or a step."""

_ENDED = ("completed", "incomplete", "failed", "cancelled", "expired", "requires_action")
_STATUS: dict[str, FinishReason] = {
    "incomplete": "length",
    "failed": "error",
    "cancelled": "cancelled",
    "expired": "timeout",
    "requires_action": "tool_calls",
}


class Assistants(SpecAdapter):
    """The adapter for events of a run; there is one choice."""

    name = "assistants"
    spec = spec_of("assistants")
    sse_end = "[DONE]"

    def __init__(self, *, unknown: Unknown = "guard") -> None:
        super().__init__(unknown=unknown)
        self._numbers: dict[tuple[Any, Any], int] = {}  # of texts, by object and place
        self._made: dict[str, Any] = {}  # the last message and run

    @staticmethod
    def event_name(chunk: Mapping[str, Any]) -> str:
        """Return the name of the event that carries `chunk`."""
        kind = str(chunk["object"])
        return kind if kind.endswith(".delta") else f"{kind}.{chunk.get('status') or 'created'}"

    def slot(self, leaf: Leaf, event: Mapping[str, Any], path: Path) -> Slot:
        return Slot(0, leaf.channel, leaf.field, path[0] if path else 0)

    def meaning(self, chunk: Any, event: Mapping[str, Any], pieces: Sequence[Piece]) -> Reading:
        event = fields_of(_data(chunk))
        if event.get("error") or fields_of(chunk).get("event") == "error":
            return Reading(pieces, (0,), failed=True)
        kind, status = str(event.get("object")), str(event.get("status"))
        own = event.get("id")
        if kind in ("thread.message", "thread.run"):
            self._made[kind] = _data(self.silent(chunk))
        if kind == "thread.run":
            found = [self._in_call(piece, event) for piece in pieces]
            finished = {0: _STATUS.get(status, "stop")} if status in _ENDED else {}
            return Reading(found, (0,), finished, usage=event.get("usage"))
        found = [self._in_place(piece, own, event) for piece in pieces]
        if kind.endswith(".delta"):
            return Reading(found, (0,), calls=self._calls(own, event))
        over = [piece.slot for piece in found if piece.kind == "copy"] if status in _ENDED else []
        return Reading(found, (0,), closed=over)

    def _in_place(self, piece: Piece, own: Any, event: Mapping[str, Any]) -> Piece:
        """Return a piece in the slot of its place in a message or step."""
        if piece.kind in _WITHOUT_PLACE:
            return piece
        item = _items(event)[piece.slot.number]
        place = (own, index_in(item, piece.slot.number))
        number = self._numbers.setdefault(place, len(self._numbers))
        return piece._replace(slot=piece.slot._replace(number=number))

    def _in_call(self, piece: Piece, event: Mapping[str, Any]) -> Piece:
        """Return the arguments of a required action in the slot of their call."""
        if piece.kind in _WITHOUT_PLACE:
            return piece
        action = fields_of(fields_of(event.get("required_action")).get("submit_tool_outputs"))
        own = fields_of(action["tool_calls"][piece.slot.number]).get("id")
        number = self._numbers.get(("call", own), -1)
        return piece._replace(slot=piece.slot._replace(number=number))

    def _calls(self, own: Any, event: Mapping[str, Any]) -> dict[Slot, Call]:
        calls: dict[Slot, Call] = {}
        for place, item in enumerate(_items(event)):
            name = fields_of(item.get("function")).get("name")
            if name:
                key = (own, index_in(item, place))
                number = self._numbers.setdefault(key, len(self._numbers))
                self._numbers["call", item.get("id")] = number
                calls[Slot(0, "tool_args", "arguments", number)] = Call(name, item.get("id"))
        return calls

    def extra(self, chunk: Any, slot: Slot, text: str, released: Released) -> Sequence[Any]:
        """Return a delta of the slot's message or step."""
        data = fields_of(_data(chunk))
        if slot.field == "content":
            content = {"index": 0, "type": "text", "text": {"value": text, "annotations": []}}
            message = fields_of(self._made["thread.message"])
            return [_made(chunk, "thread.message.delta", message["id"], {"content": [content]})]
        places = {number: place for place, number in self._numbers.items() if place[0] != "call"}
        _, index = places[slot.number]
        if slot.field in ("text", "refusal"):
            value: Any = {"value": text} if slot.field == "text" else text
            content = {"index": index, "type": slot.field, slot.field: value}
            return [_made(chunk, "thread.message.delta", data["id"], {"content": [content]})]
        kind = "function" if slot.channel == "tool_args" else "code_interpreter"
        inner = {"arguments": text} if kind == "function" else {"input": text}
        call = {"index": index, "type": kind, kind: inner}
        details = {"type": "tool_calls", "tool_calls": [call]}
        return [_made(chunk, "thread.run.step.delta", data["id"], {"step_details": details})]

    def end(
        self, chunk: Any, choice: int, reason: FinishReason, released: Released
    ) -> Sequence[Any]:
        """Return what ends the open message, with the text released in it, and the run."""
        status = "completed" if reason == "stop" else "incomplete"
        cut = {"reason": reason} if reason != "stop" else None
        made: list[Any] = []
        message, run = self._made.get("thread.message"), self._made.get("thread.run")
        if message is not None and fields_of(message).get("status") not in _ENDED:
            own = fields_of(message)["id"]
            content = [
                {
                    "type": "text",
                    "text": {"value": released(Slot(0, "text", "text", number)), "annotations": []},
                }
                for (of, _), number in self._numbers.items()
                if of == own
            ]
            ended = {**_plain(message), "status": status, "incomplete_details": cut}
            made.append(_event(chunk, {**ended, "content": content}))
        if run is not None:
            made.append(_event(chunk, {**_plain(run), "status": status, "incomplete_details": cut}))
        return made


def _data(chunk: Any) -> Any:
    fields = fields_of(chunk)
    return fields["data"] if {"event", "data"} <= fields.keys() else chunk


def _items(event: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the fields of a message's contents, or of a step's tool calls."""
    inner = fields_of(event.get("delta")) or event
    details = fields_of(inner.get("step_details"))
    return [fields_of(item) for item in inner.get("content") or details.get("tool_calls") or ()]


def _plain(data: Any) -> dict[str, Any]:
    return dict(data) if isinstance(data, dict) else dict(data.model_dump())


def _made(chunk: Any, kind: str, own: str, delta: dict[str, Any]) -> Any:
    return _event(chunk, {"id": own, "object": kind, "delta": delta})


def _event(chunk: Any, data: dict[str, Any]) -> Any:
    """Return an event like `chunk`: its data as a dict, or an object of the package's class."""
    if _data(chunk) is chunk:
        return data
    name = Assistants.event_name(data)
    if isinstance(chunk, dict):
        return {"event": name, "data": data}
    kind = "".join(word.capitalize() for word in name.split("."))
    return sibling(chunk, type(chunk).__module__, kind).construct(event=name, data=data)
