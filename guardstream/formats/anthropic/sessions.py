"""Sessions of Anthropic's managed agents: their events, over the wire or as objects.

What `client.beta.sessions.events.stream` of the `anthropic` package streams, and its threads; the
fields are those of the package's types
(`anthropic.types.beta.sessions.BetaManagedAgentsStreamSessionEvents`). A message comes whole, and
before that in deltas if the client asked for them (`event_deltas`). Texts of users and the system
are the caller's own and pass.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from guardstream.events import FinishReason
from guardstream.formats.adapter import Call, Kind, Piece, Reading, Released, Slot, Unknown
from guardstream.formats.spec import (
    Leaf,
    Path,
    SpecAdapter,
    named_by_type,
)
from guardstream.formats.toolkit.fields import fields_of, index_in
from guardstream.formats.toolkit.files import spec_of
from guardstream.formats.toolkit.package_objects import constructed
from guardstream.formats.toolkit.reasons import reason_of

PARTS = 1000
"""A slot's number is its event's number times this, plus the index of the entry in the event's
content."""


MESSAGE, DELTA, IDLE = "agent.message", "event_delta", "session.status_idle"
REQUESTED = "span.model_request_end"
_OVER = (REQUESTED, IDLE, "session.status_terminated", "session.deleted")
CALLS = ("agent.tool_use", "agent.mcp_tool_use", "agent.custom_tool_use")


_CLASSES = {
    MESSAGE: "BetaManagedAgentsAgentMessageEvent",
    IDLE: "BetaManagedAgentsSessionStatusIdleEvent",
    DELTA: "BetaManagedAgentsDeltaEvent",
}


class AnthropicSessions(SpecAdapter):
    """The adapter for a session's events; there is one choice."""

    name = "anthropic_sessions"
    spec = spec_of("anthropic_sessions")
    steady = True
    notes_alike = "last"

    def __init__(self, *, unknown: Unknown = "guard") -> None:
        super().__init__(unknown=unknown)
        self._numbers: dict[str, int] = {}  # of events, by their ids
        self._next = 0  # the number of the next event
        self._came_whole: set[int] = set()  # the numbers of messages that came whole
        self._previews: dict[int, dict[Slot, None]] = {}  # slots, by message
        self._ids: dict[int, Any] = {}  # of previewed messages, as they went out
        self._time: Any = None  # of the last event that went out

    event_name = staticmethod(named_by_type)

    def slot(self, leaf: Leaf, event: Mapping[str, Any], path: Path) -> Slot:
        part = index_in(event.get("delta"), path[0] if path else 0)
        return Slot(0, leaf.channel, leaf.field, self._number(event) * PARTS + part)

    def _number(self, event: Mapping[str, Any]) -> int:
        """Return the number of an event, or of the one that a delta is about."""
        own = str(event.get("event_id") or event.get("id"))
        return self._numbers[own] if own in self._numbers else self._new_number(own)

    def _new_number(self, own: str) -> int:
        number = self._numbers[own] = self._next
        self._next += 1
        return number

    def meaning(self, chunk: Any, event: Mapping[str, Any], pieces: Sequence[Piece]) -> Reading:
        kind = str(event.get("type"))
        if kind == DELTA:
            return self._previewed(event, pieces)
        if kind == MESSAGE:
            return self._message(event, pieces)
        if kind in CALLS:
            return self._called(event, pieces)
        if kind in _OVER:
            return self._over(kind, event, pieces)
        if kind == "error":
            return Reading(pieces, (0,), {0: "error"}, failed=True)
        return Reading(pieces, (0,))

    def _previewed(self, event: Mapping[str, Any], pieces: Sequence[Piece]) -> Reading:
        """Read a delta; an entry of the content continues the text of the one before it."""
        if not any(piece.kind == "delta" for piece in pieces):
            return Reading(pieces, (0,))
        slots = self._previews.setdefault(self._number(event), {})
        joined = {}
        for piece in pieces:
            if piece.kind == "delta" and piece.slot not in slots:
                if slots:
                    joined = {piece.slot: next(reversed(slots))}
                slots[piece.slot] = None
        return Reading(pieces, (0,), joined=joined)

    def _message(self, event: Mapping[str, Any], pieces: Sequence[Piece]) -> Reading:
        """Read a whole message: it repeats its preview, which may have stopped early, or is new.

        Another one with the same id, or without one, is a text of its own.
        """
        number = self._number(event)
        slots = self._previews.get(number)
        if slots is None and number in self._came_whole:
            number = self._new_number(str(event.get("id")))
        self._came_whole.add(number)
        if slots is not None:
            return Reading(pieces, (0,), closed=tuple(slots), joined=_in_turn(pieces, "copy"))
        said = [_as_said(each, number) if each.kind == "copy" else each for each in pieces]
        complete = [each.slot for each in said if each.kind == "delta"]
        return Reading(said, (0,), joined=_in_turn(said, "delta"), complete=complete)

    def _called(self, event: Mapping[str, Any], pieces: Sequence[Piece]) -> Reading:
        slot = Slot(0, "tool_args", "input", self._number(event) * PARTS)
        calls = {slot: Call(str(event.get("name") or ""), event.get("id"))}
        return Reading(pieces, (0,), calls=calls, complete=(slot,))

    def _over(self, kind: str, event: Mapping[str, Any], pieces: Sequence[Piece]) -> Reading:
        """Read the end of a request or the session, which ends previews whose message did not
        come."""
        slots = [slot for previewed in self._previews.values() for slot in previewed]
        finished = {0: reason_of(fields_of(event.get("stop_reason")).get("type"))}
        return Reading(pieces, (0,), {} if kind == REQUESTED else finished, closed=slots)

    def passed(self, chunk: Any) -> None:
        """Record previewed messages and the time, as they go out."""
        event = fields_of(chunk)
        kind = event.get("type")
        self._time = event.get("processed_at") or self._time
        if kind == DELTA:
            self._ids[self._number(event)] = event.get("event_id")
        elif kind == MESSAGE:
            self._previews.pop(self._number(event), None)
        elif kind in _OVER:
            self._previews.clear()

    def extra(self, chunk: Any, slot: Slot, text: str, released: Released) -> Sequence[Any]:
        """Return a delta of a previewed message, or else a message."""
        if slot.channel == "tool_args":
            return []
        number, part = divmod(slot.number, PARTS)
        own = fields_of(chunk).get("event_id") or fields_of(chunk).get("id")
        if slot.field == "content":
            if not self._previews:
                return [self._whole(chunk, "sevt_guard", [text])]
            number, slots = next(reversed(self._previews.items()))
            part, own = next(reversed(slots)).number % PARTS, self._ids.get(number)
        self._ids[number] = own
        said = {"type": "content_delta", "index": part, "content": {"type": "text", "text": text}}
        return [self._event(chunk, {"type": DELTA, "event_id": own, "delta": said})]

    def _whole(self, chunk: Any, own: Any, texts: Sequence[str]) -> Any:
        """Return a message whose id is `own`."""
        content = [{"type": "text", "text": text} for text in texts]
        told = {"id": own, "content": content, "processed_at": self._time}
        return self._event(chunk, {"type": MESSAGE, **told})

    def end(
        self, chunk: Any, choice: int, reason: FinishReason, released: Released
    ) -> Sequence[Any]:
        """Return the previewed messages, as far as they went, and the end of the session's work."""
        made = []
        for number, slots in self._previews.items():
            texts = [released(slot) for slot in slots]
            made.append(self._whole(chunk, self._ids.get(number), texts))
        why = "refusal" if reason == "content_filter" else "end_turn"
        idle = {"type": IDLE, "id": "sevt_guard_end", "stop_reason": {"type": why}}
        return [*made, self._event(chunk, {**idle, "processed_at": self._time})]

    def _event(self, chunk: Any, event: dict[str, Any]) -> Any:
        """Return an event like `chunk`: a dict, or an object of the package's class."""
        kind = event["type"]
        package = "anthropic.types.beta" if kind == DELTA else "anthropic.types.beta.sessions"
        return constructed(chunk, _CLASSES[kind], event, package)


def _in_turn(pieces: Sequence[Piece], kind: Kind) -> Mapping[Slot, Slot]:
    """Return which slot each entry of a message continues."""
    slots = list(dict.fromkeys(each.slot for each in pieces if each.kind == kind))
    return dict(zip(slots[1:], slots, strict=False))


def _as_said(piece: Piece, number: int) -> Piece:
    """Return a repeated text as new text of the message with this number."""
    part = piece.slot.number % PARTS
    return piece._replace(kind="delta", slot=piece.slot._replace(number=number * PARTS + part))
