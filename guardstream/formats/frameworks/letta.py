"""Letta: the messages that an agent streams, with or without its tokens.

https://docs.letta.com/guides/agents/streaming. A message goes on while its id and its type stay the
same; the parts of one step share an id. A call is in one field, or in two.
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
from guardstream.formats.toolkit.fields import fields_of, replaced
from guardstream.formats.toolkit.files import spec_of
from guardstream.formats.toolkit.reasons import reason_of

_IDS = ("id", "otid", "run_id", "step_id", "sender_id")


_BESIDE = ("ping", "usage_statistics")
"""Types of events that come between the parts of a message."""


class Letta(SpecAdapter):
    """The adapter for messages, as objects, as dicts or on the wire."""

    name = "letta"
    spec = spec_of("letta")
    repeats = False
    ends_with_source = True
    sse_end = "[DONE]"

    def __init__(self, *, unknown: Unknown = "guard") -> None:
        super().__init__(unknown=unknown)
        self._message: Any = None  # the id and the type of the current message
        self._count = 0  # of messages, and of calls
        self._open: dict[Slot, None] = {}
        self._calls: dict[tuple[str, Any], Slot] = {}  # of the current message, by field and id
        self._own: dict[Slot, Any] = {}  # the ids of all calls: text may go out after its call
        self._called: Any = None  # the id of the last call: later parts may leave it out

    def read(self, chunk: Any) -> Reading:
        over = self._begin(fields_of(chunk))
        reading = super().read(chunk)
        return reading._replace(closed=[*over, *reading.closed])

    def _begin(self, event: Mapping[str, Any]) -> Sequence[Slot]:
        """Note which message an event belongs to; return the slots that end with the message
        before."""
        kind = event.get("message_type")
        message = (kind, event.get("id"))
        if kind in _BESIDE or message == self._message:
            return ()
        over = tuple(self._open)
        self._message = message
        self._count += 1
        self._open.clear()
        self._calls.clear()
        self._called = None
        return over

    def slot(self, leaf: Leaf, event: Mapping[str, Any], path: Path) -> Slot:
        if leaf.kind != "delta":
            return Slot(0, leaf.channel, leaf.field)
        if leaf.channel == "tool_args":
            return self._call_slot(leaf.field, _calls_in(event, leaf.field)[path[0] if path else 0])
        return Slot(0, leaf.channel, leaf.field, self._count)

    def _call_slot(self, field: str, call: Mapping[str, Any]) -> Slot:
        own = self._called = call.get("tool_call_id") or self._called
        if (field, own) not in self._calls:
            self._count += 1
            slot = self._calls[field, own] = Slot(0, "tool_args", field, self._count)
            self._own[slot] = own
        return self._calls[field, own]

    def meaning(self, chunk: Any, event: Mapping[str, Any], pieces: Sequence[Piece]) -> Reading:
        calls: dict[Slot, Call] = {}
        for field, call in _told_once(event):
            if call.get("name"):
                slot = self._call_slot(field, call)
                calls[slot] = Call(str(call["name"]), call.get("tool_call_id"))
        self._open |= dict.fromkeys(piece.slot for piece in pieces if piece.kind == "delta")
        kind, why = event.get("message_type"), event.get("stop_reason")
        finished = {0: reason_of(str(why))} if kind == "stop_reason" else {}
        usage = chunk if kind == "usage_statistics" else None
        failed = kind == "error_message"
        return Reading(pieces, (0,), finished, failed, calls=calls, usage=usage)

    def extra(self, chunk: Any, slot: Slot, text: str, released: Released) -> Sequence[Any]:
        """Return a message like the last that had such text, with only `text`."""
        fields = fields_of(chunk)
        if slot.channel == "thinking":
            return [replaced(chunk, {"reasoning": text, "signature": None})]
        if slot.channel == "text":
            return [_assistant(chunk, text)]
        if slot.field == "tool_call":
            said = replaced(fields["tool_call"], {"arguments": text})
            return [replaced(chunk, {"tool_call": said, "tool_calls": None})]
        changes = {"tool_calls": self._cut(fields, slot, text)}
        if fields.get("tool_call"):
            changes["tool_call"] = replaced(fields["tool_call"], {"arguments": ""})
        return [replaced(chunk, changes)]

    def _cut(self, fields: Mapping[str, Any], slot: Slot, text: str) -> Any:
        """Return the value of the field with calls, reduced to the slot's call and `text`."""
        told = fields["tool_calls"]
        if not isinstance(told, list):
            return replaced(told, {"arguments": text})
        return [
            replaced(call, {"arguments": text})
            for call in told
            if fields_of(call).get("tool_call_id") in (self._own[slot], None)
        ]

    def end(
        self, chunk: Any, choice: int, reason: FinishReason, released: Released
    ) -> Sequence[Any]:
        """Return the reason among dicts; objects just end."""
        if not isinstance(chunk, dict):
            return []
        why = "max_tokens_exceeded" if reason == "length" else "end_turn"
        return [{"message_type": "stop_reason", "stop_reason": why}]


def _assistant(chunk: Any, text: str) -> Any:
    """Return a message to the user: like `chunk`, or a new one after it if it has another type."""
    fields = fields_of(chunk)
    content = fields.get("content")
    if fields.get("message_type") == "assistant_message":
        parts = content if isinstance(content, list) else []
        like = next((part for part in parts if "text" in fields_of(part)), None)
        said = text if like is None else [replaced(like, {"text": text})]
        return replaced(chunk, {"content": said})
    made = {name: fields[name] for name in (*_IDS, "date") if name in fields}
    made |= {"message_type": "assistant_message", "content": text}
    if isinstance(chunk, dict):
        return made
    package = type(chunk).__module__.rpartition(".")[0]
    return sibling(chunk, f"{package}.assistant_message", "AssistantMessage")(**made)


def _told_once(event: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """Return the calls in a message, each once, with its field."""
    one = _calls_in(event, "tool_call")
    own = [call.get("tool_call_id") for call in one]
    more = [call for call in _calls_in(event, "tool_calls") if call.get("tool_call_id") not in own]
    return [*(("tool_calls", call) for call in more), *(("tool_call", call) for call in one)]


def _calls_in(event: Mapping[str, Any], field: str) -> list[Mapping[str, Any]]:
    """Return the calls in a field: one, several or none."""
    told = event.get(field)
    return [
        fields_of(each) for each in (told if isinstance(told, list) else [told] if told else [])
    ]
