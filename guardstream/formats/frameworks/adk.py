"""Google's Agent Development Kit: the events of `Runner.run_async`, or those that its server sends.

https://adk.dev/events/. Partial events stream one of Gemini's contents; the event after them
repeats all of it. Without streaming only such whole events come.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from copy import copy
from typing import Any, ClassVar

from guardstream.events import FinishReason
from guardstream.formats.adapter import Call, Piece, Reading, Released, Slot, Unknown
from guardstream.formats.google.gemini import STOPS
from guardstream.formats.google.gemini_calls import Calls, call_in, get, parts_of, values_in
from guardstream.formats.google.written import camel
from guardstream.formats.spec import (
    Leaf,
    Path,
    Spec,
    VariedSpecAdapter,
    sibling,
)
from guardstream.formats.toolkit.fields import as_text, fields_of, only, replaced
from guardstream.formats.toolkit.files import spec_of
from guardstream.formats.toolkit.reasons import known_reason
from guardstream.formats.toolkit.streamed import Streamed

_TYPES = "google.genai.types"

_STREAMED = ("text", "thought", "transcript", "input")
"""Fields whose text continues from event to event."""

_KEPT = (
    *("id", "timestamp", "invocation_id", "author", "branch", "actions", "node_info"),
    *("model_version", "isolation_scope"),
)
"""The fields that an added event has from the one that it is modelled on."""


class ADK(VariedSpecAdapter):
    """The adapter for the events of one agent, or of several, in turn or at the same time."""

    name = "adk"
    leaves_out_calls = True
    spec = spec_of("adk")
    asked: ClassVar[Spec] = spec_of("adk", "asked")
    partial: ClassVar[Spec] = spec_of("adk", "partial")
    """A partial event may already have the changes of state that the whole event makes."""
    ends_with_source = True

    def __init__(self, *, unknown: Unknown = "guard") -> None:
        super().__init__(unknown=unknown)
        self._calls = Calls()
        self._streamed = Streamed()
        self._arguments: dict[str, Slot] = {}  # of calls that came whole, by their text
        self._parts: dict[Hashable, Slot] = {}  # the open part, by agent
        self._texts: dict[Hashable, dict[str, Slot]] = {}  # the last text by field, by agent
        self._told_so_far: dict[Hashable, list[Slot]] = {}  # the texts of partial events, by agent
        self._begun: dict[tuple[Hashable, str], Slot] = {}  # calls by agent and id, or else name
        self._calling: set[Hashable] = set()  # agents whose calls are streamed
        self._choices: dict[Hashable, int] = {}  # of agents with a choice of their own
        self._answering: Hashable = None  # the agent that streams a response as choice 0
        self._count = 0
        self._called = 0

    def taken(self, chunk: Any) -> Any:
        """Return a copy of a partial event: its runner keeps adding to the actions in it."""
        fields = fields_of(chunk)
        actions = fields.get("actions")
        if isinstance(chunk, dict) or not fields.get("partial") or actions is None:
            return chunk
        held = {name: copy(old) for name, old in fields_of(actions).items() if _holds(old)}
        return replaced(chunk, {"actions": replaced(actions, held)})

    def spec_of(self, chunk: Any) -> Spec:
        fields = fields_of(chunk)
        if fields.get("author") == "user":
            return self.asked
        return self.partial if fields.get("partial") else self.spec

    def slot(self, leaf: Leaf, event: Mapping[str, Any], path: Path) -> Slot:
        if not path:
            return Slot(0, leaf.channel, leaf.field)
        part = parts_of(event)[path[0]]
        if leaf.field == "text":
            return Slot(0, *(("thinking", "thought") if part.get("thought") else ("text", "text")))
        if leaf.field == "partial":
            value = values_in(part)[path[1]]
            return Slot(0, leaf.channel, str(get(value, "json_path")), path[0])
        return Slot(0, leaf.channel, leaf.field, path[0] if leaf.channel == "tool_args" else 0)

    def meaning(self, chunk: Any, event: Mapping[str, Any], pieces: Sequence[Piece]) -> Reading:
        agent = (event.get("author"), event.get("branch"))
        usage = get(event, "usage_metadata")
        choice = self._choice(agent)
        pieces = [piece._replace(slot=piece.slot._replace(choice=choice)) for piece in pieces]
        if event.get("partial"):
            pieces, calls, over = self._calls.read(choice, event, pieces)
            if calls:
                self._calling.add(agent)
            for slot, call in calls.items():
                self._begun[agent, call.id or call.name] = slot
            reading = self._going_on(agent, pieces)
            return reading._replace(choices=(choice,), calls=calls, complete=over, usage=usage)
        self._calls.end(choice)
        self._calling.discard(agent)
        reading = self._whole(agent, event, pieces)
        ended = _finished(event, choice)
        if ended == {0: "error"}:
            return reading._replace(failed=True, closed=())
        return reading._replace(choices=(choice,), finished=ended, usage=usage)

    def _choice(self, agent: Hashable) -> int:
        """Return the choice of an agent, a new one if the agent began during another's response."""
        first = self._answering
        if agent != first and (self._told_so_far.get(first) or first in self._calling):
            self._choices.setdefault(agent, len(self._choices) + 1)
        elif agent not in self._choices:
            self._answering = agent
        return self._choices.get(agent, 0)

    def _going_on(self, agent: Hashable, pieces: Sequence[Piece]) -> Reading:
        """Return the reading of a partial event. Text after a thought is another part, but
        continues the text before the thought."""
        found: list[Piece] = []
        joined: dict[Slot, Slot] = {}
        closed: list[Slot] = []
        texts = self._texts.setdefault(agent, {})
        for piece in pieces:
            field = piece.slot.field
            if piece.slot.channel == "tool_args":
                closed += texts.values()
                texts.clear()
                self._parts.pop(agent, None)
                if piece.kind == "whole":
                    self._arguments[piece.text] = piece.slot
            elif piece.kind == "delta" and field in _STREAMED:
                earlier, going_on = texts.get(field), self._parts.get(agent)
                if earlier is None or earlier != going_on:
                    self._count += 1
                    slot = texts[field] = piece.slot._replace(number=self._count)
                    self._told_so_far.setdefault(agent, []).append(slot)
                    if earlier is not None:
                        joined[slot] = earlier
                self._parts[agent] = texts[field]
                piece = piece._replace(slot=texts[field])
            found.append(piece)
        self._streamed.note(found)
        return Reading(found, (), closed=closed, joined=joined)

    def _whole(self, agent: Hashable, event: Mapping[str, Any], pieces: Sequence[Piece]) -> Reading:
        """Return the reading of a whole event, which repeats the streamed text or has a text of its
        own."""
        self._parts.pop(agent, None)
        says = not self._told_so_far.pop(agent, None)
        self._count += 1
        closed = [*self._texts.pop(agent, {}).values()]
        named = [call for call in map(call_in, parts_of(event)) if call.get("name")]
        found: list[Piece] = []
        new: list[Slot] = []
        calls: dict[Slot, Call] = {}
        for piece in pieces:
            told = self._repeated(piece, says=says)
            found.append(told)
            if told.kind == "delta":
                new.append(told.slot)
            if piece.kind == "whole" and piece.slot.field == "args":
                call = named.pop(0) if named else {}
                begun = self._begun.pop((agent, call.get("id") or str(call.get("name"))), None)
                if told.kind == "whole":
                    told = found[-1] = told._replace(slot=begun or told.slot)
                    calls[told.slot] = Call(str(call.get("name") or ""), call.get("id"))
        self._streamed.note(found)
        return Reading(found, (), closed=closed, calls=calls, complete=[*new, *calls])

    def _repeated(self, piece: Piece, *, says: bool) -> Piece:
        """Return a piece of a whole event: a copy of streamed text, or a new text if the event
        `says` it."""
        slot, text, kind = piece
        if kind == "whole" and slot.field == "args":
            known = self._arguments.get(text)
            if known is not None:
                return Piece(known, text, "copy")
            self._called += 1
            return Piece(slot._replace(number=-self._called), text, kind)
        if kind == "whole":
            return piece._replace(kind="copy")
        if kind == "delta" and slot.field in _STREAMED:
            copy = Piece(slot, text, "copy")
            known = None if says else self._streamed.find(copy, channel=slot.channel)
            if known is not None:
                return copy._replace(slot=known)
            return Piece(slot._replace(number=self._count), text)
        return self._streamed.placed(piece)

    def extra(self, chunk: Any, slot: Slot, text: str, released: Released) -> Sequence[Any]:
        """Return a partial event with one part of the slot's kind."""
        if slot.channel == "tool_args":
            return []
        content = _content(chunk, [_part(chunk, slot, text)])
        return [_event(chunk, {"content": content, "partial": True})]

    def end(
        self, chunk: Any, choice: int, reason: FinishReason, released: Released
    ) -> Sequence[Any]:
        """Return an event that repeats all of the open text, with the reason of its end."""
        author = fields_of(chunk)
        slots = self._told_so_far.get((author.get("author"), author.get("branch")), ())
        parts = [
            _part(chunk, slot, text)
            for slot in slots
            if slot.field in ("text", "thought") and (text := released(slot))
        ]
        stop: Any = STOPS.get(reason, "STOP")
        error = {"error_code": stop} if stop != "STOP" else {}
        if not isinstance(chunk, dict):
            stop = sibling(chunk, _TYPES, "FinishReason")(stop)
        content = {"content": _content(chunk, parts)}
        return [_event(chunk, {**content, "partial": False, "finish_reason": stop, **error})]


def _finished(event: Mapping[str, Any], choice: int) -> dict[int, FinishReason]:
    """Return the finish reason of a response; None if the event does not end one."""
    reason, code = get(event, "finish_reason"), get(event, "error_code")
    if not (reason or code):
        return {choice: "stop"} if get(event, "turn_complete") else {}
    told = as_text(reason or code)
    ended = known_reason(told) or ("stop" if reason or told == "STOP" else "error")
    called = any(map(call_in, parts_of(event)))
    return {choice: "tool_calls" if ended == "stop" and called else ended}


def _make(chunk: Any, name: str, fields: dict[str, Any]) -> Any:
    return fields if isinstance(chunk, dict) else sibling(chunk, _TYPES, name)(**fields)


def _part(chunk: Any, slot: Slot, text: str) -> Any:
    thought = {"thought": True} if slot.channel == "thinking" else {}
    return _make(chunk, "Part", {"text": text, **thought})


def _content(chunk: Any, parts: list[Any]) -> Any:
    return _make(chunk, "Content", {"parts": parts, "role": "model"})


def _event(chunk: Any, updates: dict[str, Any]) -> Any:
    """Return an event like `chunk`, of the same agent, with `updates` as its only content."""
    fields = fields_of(chunk)
    kept = {name: fields[name] for each in _KEPT for name in (each, camel(each)) if name in fields}
    actions = kept.get("actions")
    if actions is not None:
        blank = {name: type(old)() for name, old in fields_of(actions).items() if _holds(old)}
        kept["actions"] = only(actions, blank)
    if isinstance(chunk, dict) and "invocationId" in fields:
        updates = {camel(name): value for name, value in updates.items()}
    return only(chunk, {**kept, **updates})


def _holds(value: Any) -> bool:
    return isinstance(value, (dict, list))
