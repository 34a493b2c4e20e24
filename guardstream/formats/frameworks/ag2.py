"""AG2, from version 1: the events of an agent's stream.

https://docs.ag2.ai/. A model's text and reasoning come in pieces; the message and the response
after them repeat the text. The class of an event says what it is; in a dict, `__event__` does.
Events with calls are copied, because the agent that runs the calls adds their parsed arguments to
them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from guardstream.events import FinishReason
from guardstream.formats.adapter import Call, Piece, Reading, Released, Slot, Unknown
from guardstream.formats.spec import (
    Leaf,
    Path,
    Spec,
    VariedSpecAdapter,
    sibling,
)
from guardstream.formats.toolkit.fields import fields_of, only, replaced
from guardstream.formats.toolkit.files import spec_of
from guardstream.formats.toolkit.reasons import known_reason
from guardstream.formats.toolkit.streamed import Streamed

_BY_CLASS = spec_of("ag2")
"""Specs by the class of an event, or by its first known base."""

_STREAMED = {"ModelMessageChunk": "text", "ModelReasoning": "thinking"}
"""Classes of events with pieces of a response, and the fields of their slots."""

_OVER = frozenset({"ModelMessage", "ModelResponse"})
"""Classes of events that end the texts of a model's response."""


class AG2(VariedSpecAdapter):
    """The adapter for events. A model's texts go on from response to response, but each response
    repeats only its own. A task is a choice of its own."""

    name = "ag2"
    spec = _BY_CLASS.specs["ModelMessageChunk"]
    ends_with_source = True

    def __init__(self, *, unknown: Unknown = "guard") -> None:
        super().__init__(unknown=unknown)
        self._turn = self._begun = 0  # the model's text, and its response's first
        self._heard = 0  # the user's text
        self._open: dict[Slot, None] = {}  # open texts, in order
        self._before: dict[str, Slot] = {}  # the last texts of the model, by field
        self._tasks: dict[Any, int] = {}  # the choices of tasks, by id
        self._calls: dict[tuple[Any, str], Slot] = {}  # by id and arguments
        self._streamed = Streamed()

    def taken(self, chunk: Any) -> Any:
        """Return an event with copies of its calls, without their arguments as values."""
        return _own(chunk)

    def spec_of(self, chunk: Any) -> Spec:
        spec: Spec = _BY_CLASS.specs.get(_kind(chunk), _BY_CLASS.other)
        return spec

    def slot(self, leaf: Leaf, event: Mapping[str, Any], path: Path) -> Slot:
        if leaf.field in ("text", "thinking"):
            return Slot(0, leaf.channel, leaf.field, self._turn)
        if leaf.field == "progress":
            choice = self._tasks.setdefault(event.get("task_id"), len(self._tasks) + 1)
            return Slot(choice, leaf.channel, leaf.field)
        if leaf.field == "heard":
            number = self._heard
        elif leaf.field in ("commands", "stdout", "stderr"):
            number = _TURN * self._turn + _LIST * _index(event, "output_index")
            number += _index(event, "command_index")
        else:
            number = path[-1] if path and leaf.field == "arguments" else 0
        return Slot(0, leaf.channel, leaf.field, number)

    def meaning(self, chunk: Any, event: Mapping[str, Any], pieces: Sequence[Piece]) -> Reading:
        kind = _kind(chunk)
        calls: dict[Slot, Call] = {}
        whole: list[Slot] = []
        found = [self._placed(piece, event, calls, whole) for piece in pieces]
        self._streamed.note(found)
        here = {each.slot: None for each in found if each.kind == "delta"}
        over = self._ended(kind, event)
        self._open |= here
        reading = Reading(
            found,
            (self._tasks.get(event.get("task_id"), 0),),
            closed=over,
            joined=self._joined(here),
            calls=calls,
            complete=[*whole, *calls],
        )
        if kind != "ModelResponse":
            return reading
        self._turn += 1
        self._begun = self._turn
        return reading._replace(finished={0: _reason(event)}, usage=event.get("usage") or None)

    def _ended(self, kind: str, event: Mapping[str, Any]) -> list[Slot]:
        """Return the texts that an event ends."""
        over: list[Slot] = []
        if kind in _OVER:
            over = [slot for slot in self._open if slot.field not in ("heard", "progress")]
        elif kind == "TranscriptionCompletedEvent":
            over = [slot for slot in self._open if slot.field == "heard"]
            self._heard += 1
        elif kind == "TaskEvent" and "content" not in event:
            task = self._tasks.get(event.get("task_id"))
            over = [slot for slot in self._open if slot.choice == task]
        for slot in over:
            del self._open[slot]
        return over

    def _joined(self, slots: Iterable[Slot]) -> dict[Slot, Slot]:
        """Return the model's texts that begin, each with the text before it: readers join the
        two."""
        joined = {}
        for slot in slots:
            if slot.field in ("text", "thinking"):
                earlier = self._before.get(slot.field)
                self._before[slot.field] = slot
                if earlier not in (None, slot):
                    joined[slot] = earlier
        return joined

    def _placed(
        self,
        piece: Piece,
        event: Mapping[str, Any],
        calls: dict[Slot, Call],
        whole: list[Slot],
    ) -> Piece:
        """Return a piece in the slot of its text: a repetition in the slot of the repeated text, a
        new call or a message that was not streamed in a new slot."""
        slot, text, kind = piece
        if kind == "copy" and slot.field == "text":
            known = self._streamed.find(piece, channel="text")
            if known is not None and known.number >= self._begun:
                return piece._replace(slot=known)
            self._turn += 1
            whole.append(slot._replace(number=self._turn))
            return Piece(whole[-1], text)
        if kind == "copy" and slot.field != "progress":
            return piece._replace(slot=self._streamed.find(piece) or slot)
        if kind != "whole" or slot.channel != "tool_args":
            return piece
        call = _call(event, slot.number)
        known = self._calls.get((call.get("id"), text))
        if known is not None:
            return Piece(known, text, "copy")
        own = slot._replace(number=len(self._calls))
        self._calls[call.get("id"), text] = own
        calls[own] = Call(str(call.get("name")), call.get("id"))
        return piece._replace(slot=own)

    def extra(self, chunk: Any, slot: Slot, text: str, released: Released) -> Sequence[Any]:
        """Return an event with a piece of a text."""
        for kind, field in _STREAMED.items():
            if slot.field == field or (slot.is_answer and field == "text"):
                return [_piece(chunk, kind, text)]
        fields = fields_of(chunk)
        name = "content" if slot.field in ("progress", "commands", "heard") else slot.field
        if name not in fields:
            return []
        blank = dict.fromkeys({"stdout", "stderr"} & fields.keys())
        blank |= {"payload": {}} if "payload" in fields else {}
        return [replaced(chunk, {**blank, name: text})]

    def end(
        self, chunk: Any, choice: int, reason: FinishReason, released: Released
    ) -> Sequence[Any]:
        """Return the response of a model with the text so far; tasks have none."""
        if choice:
            return []
        text = released(Slot(0, "text", "text", self._turn))
        message = _made(chunk, "ModelMessage", {"content": text}) if text else None
        return [_made(chunk, "ModelResponse", {"message": message, "finish_reason": reason})]


_TURN, _LIST = 1_000_000, 1_000
"""Added to the number of a command for each earlier turn, and for each earlier output."""


def _index(event: Mapping[str, Any], name: str) -> int:
    index = event.get(name)
    return index if isinstance(index, int) else 0


def _kind(chunk: Any) -> str:
    """Return the name of an event's class, or of its first known base."""
    if isinstance(chunk, dict):
        return _BASES.get(name := str(chunk.get("__event__")).rpartition(".")[2], name)
    return next(
        (each.__name__ for each in type(chunk).__mro__ if each.__name__ in _BY_CLASS.specs), ""
    )


_BASES = {
    "BuiltinToolCallEvent": "ToolCallEvent",
    **dict.fromkeys(("ToolErrorEvent", "ToolNotFoundEvent"), "ToolResultEvent"),
    "BuiltinToolResultEvent": "ToolResultEvent",
    "DrainedModelRequest": "ModelRequest",
    "ToolApprovalRequest": "HumanInputRequest",
    **{f"Task{what}": "TaskEvent" for what in ("Started", "Progress", "Completed", "Failed")},
    **{f"Task{what}": "TaskEvent" for what in ("Expired", "Cancelled")},
}
"""The classes of events in dicts, whose bases are not known."""


def _reason(event: Mapping[str, Any]) -> FinishReason:
    called = bool(fields_of(event.get("tool_calls") or {}).get("calls"))
    return known_reason(event.get("finish_reason")) or ("tool_calls" if called else "stop")


def _call(event: Mapping[str, Any], place: int) -> Mapping[str, Any]:
    """Return the fields of a call in an event."""
    if "tool_calls" in event:
        event = fields_of(event["tool_calls"])
    return fields_of(event["calls"][place]) if "calls" in event else event


def _own(event: Any) -> Any:
    if isinstance(event, dict):
        return event
    fields = fields_of(event)
    if "_serialized_arguments" in fields:
        return replaced(event, {"_serialized_arguments": None})
    if fields.get("calls"):
        return replaced(event, {"calls": [*map(_own, fields["calls"])]})
    calls = fields.get("tool_calls")
    return event if not calls else replaced(event, {"tool_calls": _own(calls)})


def _piece(chunk: Any, kind: str, text: str) -> Any:
    """Return an event with a piece of the model's text, like `chunk` if that is one, too."""
    if _kind(chunk) != kind:
        return _made(chunk, kind, {"content": text})
    kept = {
        name: each for name, each in fields_of(chunk).items() if name in ("created_at", "__event__")
    }
    return only(chunk, {**kept, "content": text})


_EVENTS = "ag2.events.types"


def _made(chunk: Any, kind: str, fields: dict[str, Any]) -> Any:
    """Return another event beside `chunk`."""
    if isinstance(chunk, dict):
        return {"__event__": f"{_EVENTS}.{kind}", **fields}
    return sibling(chunk, _EVENTS, kind)(**fields)
