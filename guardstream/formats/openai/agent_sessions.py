"""Sessions of OpenAI's agents: the events of their turns, over the wire or as objects.

What `client.beta.agents.sessions` of the `openai` package streams:
https://developers.openai.com/api/docs/guides/agents-api/sessions/events. The fields are those of
the package's types (`openai.types.beta.AgentSessionEvent`). Messages and summaries of thoughts
stream in parts; a part belongs to the item whose id its events have. Calls come whole when their
item is added, and the package runs them then. Users' texts and the agent's settings are the
caller's and pass.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, NamedTuple

from guardstream.events import FinishReason
from guardstream.formats.adapter import Call, Piece, Reading, Released, Slot, Unknown
from guardstream.formats.spec import (
    Leaf,
    Path,
    SpecAdapter,
    named_by_type,
    sibling,
)
from guardstream.formats.toolkit.fields import fields_of, index_in
from guardstream.formats.toolkit.files import spec_of

PARTS = 1000
"""A slot's number is its item's number times this, plus the number of the part in the item."""

TURN = "agent.session.turn"
OVER: Mapping[str, FinishReason] = {
    f"{TURN}.completed": "stop",
    f"{TURN}.failed": "error",
    f"{TURN}.cancelled": "cancelled",
}
"""The events that end a turn, and its finish reason."""


class _Said(NamedTuple):
    """A kind of streamed text: the middle of its events' names, its slot's channel and field, and
    the event's field with the place of its part."""

    name: str
    channel: str
    field: str
    place: str | None


_STREAMED = (
    _Said(f"{TURN}.output_text", "text", "text", "content_index"),
    _Said(f"{TURN}.reasoning_summary_text", "thinking", "summary", "summary_index"),
    _Said("agent.output.command_execution_output", "text", "output", None),
)
_NAMES = {said.name: said for said in _STREAMED}
_FIELDS = {said.field: said for said in _STREAMED}
_PART_EVENTS = {f"{TURN}.content_part": "text", f"{TURN}.reasoning_summary_part": "summary"}


_CODES = {
    "content_filter": "misalignment_policy_violation",
    "length": "max_output_tokens",
    "timeout": "request_timeout",
}
"""The package's codes of a turn's error that come closest to why the guard ended it."""

_CLASSES = {
    f"{TURN}.output_text.delta": "AgentSessionTurnOutputTextDeltaEvent",
    f"{TURN}.output_text.done": "AgentSessionTurnOutputTextDoneEvent",
    f"{TURN}.reasoning_summary_text.delta": "AgentSessionTurnReasoningSummaryTextDeltaEvent",
    f"{TURN}.reasoning_summary_text.done": "AgentSessionTurnReasoningSummaryTextDoneEvent",
    "agent.output.command_execution_output.delta": "AgentOutputCommandExecutionOutputDeltaEvent",
    f"{TURN}.item.done": "AgentSessionTurnItemDoneEvent",
    f"{TURN}.completed": "AgentSessionTurnCompletedEvent",
    f"{TURN}.failed": "AgentSessionTurnFailedEvent",
}


class AgentSessions(SpecAdapter):
    """The adapter for a session's events; there is one choice."""

    name = "openai_agent_sessions"
    spec = spec_of("openai_agent_sessions")
    steady = True
    padding = frozenset({"event_id", "obfuscation"})
    notes_alike = "last"

    def __init__(self, *, unknown: Unknown = "guard") -> None:
        super().__init__(unknown=unknown)
        self._numbers: dict[Hashable, int] = {}  # of items, by id and by place
        self._about: dict[int, dict[str, Any]] = {}  # where items belong, as they went out
        self._live: dict[Slot, None] = {}
        self._called: set[Slot] = set()
        self._texts: dict[int, dict[Slot, None]] = {}  # the slots of open messages
        self._turn: Any = None  # the last turn of the agent itself
        self._count = 0

    event_name = staticmethod(named_by_type)

    def slot(self, leaf: Leaf, event: Mapping[str, Any], path: Path) -> Slot:
        return Slot(0, leaf.channel, leaf.field, self._number(event, path[0] if path else 0))

    def _number(self, event: Mapping[str, Any], part: int = 0) -> int:
        """Return the number of a part: of the item that the event is about, or holds.

        An event without the item's id is about the last item in its place.
        """
        item = fields_of(event.get("item"))
        turn = event.get("turn_id") or item.get("turn_id")
        place = (str(turn), index_in(event, -1, "output_index"))
        own = event.get("item_id") or item.get("id")
        number = self._numbers.setdefault(str(own) if own else place, len(self._numbers))
        self._numbers[place] = number
        part = index_in(event, index_in(event, part, "summary_index"), "content_index")
        return number * PARTS + part

    def meaning(self, chunk: Any, event: Mapping[str, Any], pieces: Sequence[Piece]) -> Reading:
        name, _, state = str(event.get("type")).rpartition(".")
        for piece in pieces:
            if piece.kind == "delta":
                self._live[piece.slot] = None
                if piece.slot.field == "text":
                    self._texts.setdefault(piece.slot.number // PARTS, {})[piece.slot] = None
        if name in _NAMES or name in _PART_EVENTS:
            return self._part(name, state, event, pieces)
        if name == f"{TURN}.item":
            return self._item(state, event, pieces)
        if "turn" in event:
            return self._turned(f"{name}.{state}", event, pieces)
        if name == "agent.session" and state in ("requires_action", "failed"):
            reason: FinishReason = "error" if state == "failed" else "tool_calls"
            return Reading(pieces, (0,), {0: reason}, closed=tuple(self._live))
        return Reading(pieces, (0,))

    def _part(
        self, name: str, state: str, event: Mapping[str, Any], pieces: Sequence[Piece]
    ) -> Reading:
        """Read the beginning, a delta or the end of a part of an item."""
        if state != "done":
            return Reading(pieces, (0,))
        return Reading(pieces, (0,), closed=(self._part_slot(name, event),))

    def _part_slot(self, name: str, event: Mapping[str, Any]) -> Slot:
        said = _NAMES[name] if name in _NAMES else _FIELDS[_PART_EVENTS[name]]
        return Slot(0, said.channel, said.field, self._number(event))

    def _item(self, state: str, event: Mapping[str, Any], pieces: Sequence[Piece]) -> Reading:
        """Read the beginning or the end of an item; a call is complete at its beginning."""
        item = fields_of(event.get("item"))
        slot = Slot(0, "tool_args", "arguments", self._number(event))
        calls = {}
        if item.get("type") in ("function_call", "mcp_call") and slot not in self._called:
            self._called.add(slot)
            calls = {slot: Call(str(item.get("name") or ""), item.get("call_id") or item.get("id"))}
        if state == "added":
            complete = [piece.slot for piece in pieces if piece.slot == slot]
            return Reading(pieces, (0,), calls=calls, complete=complete)
        return Reading(pieces, (0,), calls=calls, closed=self._live_in(slot.number // PARTS))

    def _live_in(self, number: int) -> Sequence[Slot]:
        """Return the open slots of an item."""
        return [slot for slot in self._live if slot.number // PARTS == number]

    def _turned(self, kind: str, event: Mapping[str, Any], pieces: Sequence[Piece]) -> Reading:
        """Read the beginning or the end of a turn; those of subagents end nothing."""
        turn = fields_of(event.get("turn"))
        if turn.get("subagent_id") is not None or kind not in OVER:
            return Reading(pieces, (0,))
        usage = event.get("usage") or turn.get("usage")
        return Reading(pieces, (0,), {0: OVER[kind]}, closed=tuple(self._live), usage=usage)

    def passed(self, chunk: Any) -> None:
        """Record where an item belongs, the turn, and what has ended, as they go out."""
        event = fields_of(chunk)
        kind = str(event.get("type"))
        if "item_id" in event or "item" in event:
            self._passed_item(kind, event)
        elif "turn" in event and fields_of(event["turn"]).get("subagent_id") is None:
            self._turn = event["turn"]
            if kind in OVER:
                self._live.clear()
                self._texts.clear()

    def _passed_item(self, kind: str, event: Mapping[str, Any]) -> None:
        number = self._number(event) // PARTS
        self._about[number] = _about(event)
        name, _, state = kind.rpartition(".")
        if state != "done":
            return
        if name in _NAMES or name in _PART_EVENTS:
            self._live.pop(self._part_slot(name, event), None)
            return
        self._texts.pop(number, None)
        for slot in self._live_in(number):
            del self._live[slot]

    def extra(self, chunk: Any, slot: Slot, text: str, released: Released) -> Sequence[Any]:
        """Return a delta of the slot's part; a call's arguments have none, they come whole."""
        said = _FIELDS.get("text" if slot.field == "content" else slot.field)
        if said is None:
            return []
        number = self._open_message() if slot.field == "content" else slot.number
        if slot.field != "content":
            self._about[number // PARTS] = _about(fields_of(chunk))
        index = {} if said.place is None else {said.place: number % PARTS}
        event = {"type": f"{said.name}.delta", "delta": text, **index}
        return [self._event(chunk, event, number // PARTS)]

    def _open_message(self) -> int:
        """Return the number of the open text, or of a new one."""
        live = [slot.number for slot in self._live if slot.field == "text"]
        return live[-1] if live else self._number({"item_id": "msg_guard"})

    def end(
        self, chunk: Any, choice: int, reason: FinishReason, released: Released
    ) -> Sequence[Any]:
        """Return the ends of the open parts and messages, and of the turn."""
        made: list[Any] = []
        for slot in self._live:
            said = _FIELDS.get(slot.field)
            if said is not None and said.place is not None:
                index = {said.place: slot.number % PARTS}
                event = {"type": f"{said.name}.done", "text": released(slot), **index}
                made.append(self._event(chunk, event, slot.number // PARTS))
        for number, slots in self._texts.items():
            content = [{"type": "output_text", "text": released(slot)} for slot in slots]
            made.append(self._message(chunk, number, content))
        return made if self._turn is None else [*made, self._ended(chunk, reason)]

    def _message(self, chunk: Any, number: int, content: list[dict[str, Any]]) -> Any:
        """Return the end of a message that is cut off."""
        about = self._about.get(number, {})
        own = {"id": about.get("item_id", "msg_guard"), "turn_id": about.get("turn_id")}
        message = {"type": "message", "role": "assistant", "status": "incomplete", **own}
        event = {"type": f"{TURN}.item.done", "item": {**message, "content": content}}
        return self._event(chunk, event, number, item=True)

    def _ended(self, chunk: Any, reason: FinishReason) -> Any:
        """Return the end of the turn: completed, or failed with the closest code there is."""
        turn = self._turn if isinstance(self._turn, dict) else self._turn.model_dump()
        kind = f"{TURN}.completed"
        ended: dict[str, Any] = {"status": "completed"}
        if reason not in ("stop", "tool_calls"):
            told = {"code": _CODES.get(reason, "internal_error")}
            told["message"] = f"the turn was ended: {reason}"
            kind = f"{TURN}.failed"
            ended = {"status": "failed", "error": told}
        ids = {"session_id": turn.get("session_id"), "turn_id": turn.get("id")}
        return self._made_event(chunk, {"type": kind, **ids, "turn": {**turn, **ended}})

    def _event(self, chunk: Any, event: dict[str, Any], number: int, *, item: bool = False) -> Any:
        """Return an event about an item."""
        about = {"item_id": "msg_guard", "output_index": 0} | self._about.get(number, {})
        about.setdefault("session_id", fields_of(chunk).get("session_id"))
        if item:
            del about["item_id"]
        return self._made_event(chunk, {**event, **about})

    def _made_event(self, chunk: Any, event: dict[str, Any]) -> Any:
        """Return an event like `chunk`: a dict, or an object of the package's class.

        Its id is new, since clients drop an event whose id they have seen.
        """
        self._count += 1
        event = {**event, "event_id": f"event_guard_{self._count}"}
        if isinstance(chunk, dict):
            return event
        return sibling(chunk, "openai.types.beta", _CLASSES[event["type"]]).model_validate(event)


def _about(event: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields that say where an event's item belongs."""
    item = fields_of(event.get("item"))
    return {
        "item_id": event.get("item_id") or item.get("id"),
        "output_index": index_in(event, 0, "output_index"),
        "session_id": event.get("session_id"),
        "turn_id": event.get("turn_id") or item.get("turn_id"),
    }
