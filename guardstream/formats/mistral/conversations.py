"""Mistral's conversations: what a model or an agent says, the tools that it runs, and handoffs.

Events of the `mistralai` package, which hold an event's name and data, or the data alone as it
comes over the wire: https://docs.mistral.ai/api/#tag/beta.conversations. Text, thoughts and
references alternate in a message; nothing marks the end of one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from guardstream.events import FinishReason
from guardstream.formats.adapter import Call, Piece, Reading, Released, Slot, Unknown
from guardstream.formats.mistral.chat import event_like
from guardstream.formats.spec import (
    Leaf,
    Path,
    SpecAdapter,
    named_by_type,
)
from guardstream.formats.toolkit.fields import fields_of, index_in, replaced
from guardstream.formats.toolkit.files import spec_of

DONE, ERROR = "conversation.response.done", "conversation.response.error"


_CALLS = ("function.call.delta", "tool.execution.started", "tool.execution.delta")

_CLASSES = {
    DONE: "ResponseDoneEvent",
    ERROR: "ResponseErrorEvent",
    "message.output.delta": "MessageOutputEvent",
}


class Conversations(SpecAdapter):
    """The adapter for a conversation's events; there is one choice."""

    name = "mistral_conversations"
    spec = spec_of("mistral_conversations")
    repeats = False
    steady = True
    signs_thinking = False

    def __init__(self, *, unknown: Unknown = "guard") -> None:
        super().__init__(unknown=unknown)
        self._count = 0  # the number of the last text or call
        self._next = 0  # the index of a further output
        self._saying: Any = None  # the message and channel of the last event
        self._here = Slot(0, "text", "text")  # the slot of the current event
        self._text: Slot | None = None  # the text that another may continue
        self._calls: dict[Any, Slot] = {}
        self._called = False

    event_name = staticmethod(named_by_type)

    def slot(self, leaf: Leaf, event: Mapping[str, Any], path: Path) -> Slot:
        number = self._here.number if leaf.kind == "delta" else 0
        return Slot(0, leaf.channel, leaf.field, number)

    def read(self, chunk: Any) -> Reading:
        """Find the text in an event; another response in the same stream begins anew."""
        data = fields_of(_data(chunk))
        kind = data.get("type")
        self._next = max(self._next, index_in(data, -1, "output_index") + 1)
        if kind == "message.output.delta":
            self._note_message(data)
        elif kind in _CALLS:
            slot = Slot(0, "tool_args", "args", self._count + 1)
            self._here = self._calls.get(_key(data), slot)
            self._count = max(self._count, self._here.number)
        if kind == "conversation.response.started":
            self._calls.clear()
            self._saying, self._called, self._next = None, False, 0
        return super().read(chunk)

    def _note_message(self, data: Mapping[str, Any]) -> None:
        """Note the slot of a message's event: the last slot if the event continues its text."""
        channel = _channel_of(data.get("content"))
        saying = str(data.get("id")), data.get("output_index"), channel
        if saying != self._saying:
            self._saying = saying
            self._count += 1
            self._here = Slot(0, channel, channel, self._count)

    def meaning(self, chunk: Any, event: Mapping[str, Any], pieces: Sequence[Piece]) -> Reading:
        data = fields_of(_data(chunk))
        kind = data.get("type")
        if kind == "message.output.delta":
            return self._said(pieces)
        if kind in _CALLS:
            return self._tool(str(kind), data, pieces)
        if kind == "tool.execution.done":
            slot = self._calls.get(_key(data))
            return Reading(pieces, (0,), closed=self._over() if slot is None else (slot,))
        if kind == ERROR:
            return Reading(pieces, (0,), {0: "error"}, failed=True)
        if kind == DONE:
            reason: FinishReason = "tool_calls" if self._called else "stop"
            return Reading(pieces, (0,), {0: reason}, closed=self._over(), usage=data.get("usage"))
        if str(kind).startswith("agent.handoff."):
            return Reading(pieces, (0,), closed=self._over())
        return Reading(pieces, (0,))

    def _said(self, pieces: Sequence[Piece]) -> Reading:
        """Text continues the text before it, whatever thoughts or references came in between."""
        slot, earlier = self._here, self._text
        if slot.channel != "text" or slot == earlier:
            return Reading(pieces, (0,))
        self._text = slot
        return Reading(pieces, (0,), joined={} if earlier is None else {slot: earlier})

    def _tool(self, kind: str, data: Mapping[str, Any], pieces: Sequence[Piece]) -> Reading:
        key, slot = _key(data), self._here
        if key in self._calls:
            return Reading(pieces, (0,))
        self._calls[key] = slot
        self._saying = None
        self._called = self._called or kind == "function.call.delta"
        calls = {
            slot: Call(str(data.get("name") or ""), data.get("tool_call_id") or data.get("id"))
        }
        return Reading(pieces, (0,), closed=self._over(), calls=calls)

    def _over(self) -> Sequence[Slot]:
        """Return the text that ends because a tool or another agent begins, or the response
        ends."""
        text, self._text, self._saying = self._text, None, None
        return () if text is None else (text,)

    def extra(self, chunk: Any, slot: Slot, text: str, released: Released) -> Sequence[Any]:
        """Return an event that continues the slot; a message if nothing was released in any."""
        data = _data(chunk)
        if slot.field == "content":
            message = {"id": f"msg_guard_{self._next}", "output_index": self._next}
            message |= {"content_index": 0, "content": text}
            return [_made(chunk, {"type": "message.output.delta", **message})]
        if slot.channel == "tool_args":
            return [_with(chunk, replaced(data, {"arguments": text}))]
        content = fields_of(data)["content"]
        return [_with(chunk, replaced(data, {"content": _saying(content, text)}))]

    def end(
        self, chunk: Any, choice: int, reason: FinishReason, released: Released
    ) -> Sequence[Any]:
        """Return the events that end the response; only an error has a reason."""
        if reason in ("stop", "length", "tool_calls"):
            usage = dict.fromkeys(("prompt_tokens", "completion_tokens", "total_tokens"), 0)
            return [_made(chunk, {"type": DONE, "usage": usage})]
        told = {"code": 403, "message": f"the response was ended: {reason}"}
        return [_made(chunk, {"type": ERROR, **told})]


def _data(chunk: Any) -> Any:
    """Return an event's data: the event itself, if nothing is around it."""
    fields = fields_of(chunk)
    return fields["data"] if "type" not in fields and "data" in fields else chunk


def _channel_of(content: Any) -> str:
    """Return the channel of a message's content; "" if it is not text."""
    if isinstance(content, str):
        return "text"
    kind = fields_of(content).get("type")
    return kind if kind in ("text", "thinking") else ""


def _key(data: Mapping[str, Any]) -> Any:
    """Return the key of a call."""
    return str(data.get("id")), str(data.get("tool_call_id"))


def _saying(content: Any, text: str) -> Any:
    """Return a message's content with another text."""
    if isinstance(content, str):
        return text
    fields = fields_of(content)
    if "thinking" not in fields:
        return replaced(content, {"text": text})
    first = next(each for each in fields["thinking"] if "text" in fields_of(each))
    return replaced(content, {"thinking": [replaced(first, {"text": text})]})


def _with(chunk: Any, data: Any) -> Any:
    """Return an event like `chunk` with other data."""
    return data if _data(chunk) is chunk else replaced(chunk, {"data": data})


def _made(chunk: Any, event: dict[str, Any]) -> Any:
    """Return an event like `chunk`: its data as a dict, or an object of the package's class."""
    return event_like(chunk, _data(chunk), event, _CLASSES)
