"""Google's interactions: the steps of a model, each with a start, deltas and a stop.

Events of the `google-genai` package or plain dicts: https://ai.google.dev/api/interactions-api. The
API's first version, without steps, has events for contents instead, under other names.
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
from guardstream.formats.toolkit.fields import fields_of, index_in, replaced
from guardstream.formats.toolkit.files import spec_of

_BEFORE = {
    "interaction.created": "interaction.start",
    "interaction.completed": "interaction.complete",
    "step.start": "content.start",
    "step.delta": "content.delta",
    "step.stop": "content.stop",
}
"""The names of events before there were steps."""

_NOW = {before: now for now, before in _BEFORE.items()}


STATUS: dict[str, FinishReason] = {
    "failed": "error",
    "cancelled": "cancelled",
    "incomplete": "length",
    "requires_action": "tool_calls",
    "budget_exceeded": "length",
}

_SLOTS = {
    **dict.fromkeys(("model_output", "text"), ("text", "text")),
    "thought": ("thinking", "thinking"),
}


class Interactions(SpecAdapter):
    """The adapter for interaction events; there is one choice."""

    name = "interactions"
    spec = spec_of("interactions")
    repeats = False

    def __init__(self, *, unknown: Unknown = "guard") -> None:
        super().__init__(unknown=unknown)
        self._open: Slot | None = None
        self._index = -1
        self._interaction: Any = None
        self._by_steps = True

    def slot(self, leaf: Leaf, event: Mapping[str, Any], path: Path) -> Slot:
        return Slot(0, leaf.channel, leaf.field, index_in(event))

    def meaning(self, chunk: Any, event: Mapping[str, Any], pieces: Sequence[Piece]) -> Reading:
        own = str(event.get("event_type"))
        kind = _NOW.get(own, own)
        self._by_steps = self._by_steps and own not in _NOW
        if kind == "step.start":
            return self._started(event, pieces)
        if kind == "step.stop":
            slot, self._open = self._open, None
            return Reading(pieces, (0,), closed=(slot,) if slot else ())
        if kind in ("interaction.created", "interaction.completed"):
            self._interaction = self.silent(chunk)
        if kind == "interaction.completed":
            interaction = fields_of(event.get("interaction"))
            reason = STATUS.get(str(interaction.get("status")), "stop")
            return Reading(pieces, (0,), {0: reason}, usage=interaction.get("usage"))
        return Reading(pieces, (0,), failed=kind == "error")

    def _started(self, event: Mapping[str, Any], pieces: Sequence[Piece]) -> Reading:
        step = fields_of(event.get("step") or event.get("content"))
        self._index = index_in(event)
        channel, field = _SLOTS.get(str(step.get("type")), ("tool_args", "args"))
        over = () if self._open is None else (self._open,)
        self._open = Slot(0, channel, field, self._index)
        called = str(step.get("type")).endswith("_call")
        name = step.get("name") or step.get("type")
        calls = {self._open: Call(str(name), step.get("id"))} if called else {}
        return Reading(pieces, (0,), closed=over, calls=calls)

    def extra(self, chunk: Any, slot: Slot, text: str, released: Released) -> Sequence[Any]:
        """Return a delta of the slot's step; of a new one, if nothing was released in any."""
        made: list[Any] = []
        if slot.field == "content":
            made += self._close(chunk)
            slot = self._open = Slot(0, "text", "text", self._index + 1)
            begun = (
                {"step": {"type": "model_output"}}
                if self._by_steps
                else {"content": {"type": "text"}}
            )
            made.append(self._make(chunk, "step.start", {"index": slot.number, **begun}))
        delta: dict[str, Any] = {"type": "text", "text": text}
        if slot.channel == "thinking":
            delta = {"type": "thought_summary", "content": delta}
        elif slot.channel == "tool_args":
            delta = {"type": "arguments_delta", "arguments": text}
        said_here = {"index": slot.number, "delta": delta}
        return [*made, self._make(chunk, "step.delta", said_here)]

    def end(
        self, chunk: Any, choice: int, reason: FinishReason, released: Released
    ) -> Sequence[Any]:
        """Return what ends the open step, and the interaction."""
        made = self._close(chunk)
        last = self._interaction
        if last is None:
            return made
        status = "completed" if reason == "stop" else "incomplete"
        interaction = replaced(fields_of(last)["interaction"], {"status": status})
        if isinstance(last, dict):
            return [*made, self._make(last, "interaction.completed", {"interaction": interaction})]
        kind = sibling(last, _package(last), "InteractionCompletedEvent")
        return [*made, kind(interaction=interaction)]

    def _close(self, chunk: Any) -> list[Any]:
        slot, self._open = self._open, None
        if slot is None:
            return []
        return [self._make(chunk, "step.stop", {"index": slot.number})]

    def _make(self, chunk: Any, kind: str, fields: dict[str, Any]) -> Any:
        """Return an event like `chunk`: a dict, or an object of the package's class for it."""
        event = {"event_type": kind if self._by_steps else _BEFORE[kind], **fields}
        if isinstance(chunk, dict):
            return event
        name = event["event_type"].title().replace(".", "")
        module = f"{_package(chunk)}.{name.lower()}"
        return sibling(chunk, module, name).model_validate(event)


def _package(chunk: Any) -> str:
    return type(chunk).__module__.rpartition(".")[0]
