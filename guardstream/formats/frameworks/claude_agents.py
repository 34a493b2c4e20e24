"""The Claude Agent SDK: the messages of `query` and of a client, and the lines of Claude Code.

https://code.claude.com/docs/en/agent-sdk/streaming-output. With partial messages, events of
Anthropic's format stream each message, which then comes as a whole; without them, each message is
new text. Chunks are objects of `claude-agent-sdk`, or the JSON lines of `claude -p --output-format
stream-json`. The messages of an agent that a tool call started are a choice of their own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from guardstream.events import FinishReason
from guardstream.formats.adapter import (
    NEW,
    Call,
    Passes,
    Piece,
    Reading,
    Released,
    Slot,
    Unknown,
    passes_any,
)
from guardstream.formats.anthropic.messages import Anthropic
from guardstream.formats.spec import (
    Spec,
    VariedSpecAdapter,
    sibling,
)
from guardstream.formats.toolkit.fields import fields_of, replaced
from guardstream.formats.toolkit.files import spec_of
from guardstream.formats.toolkit.nested import Nested
from guardstream.formats.toolkit.reasons import reason_of
from guardstream.formats.toolkit.streamed import Streamed

_TYPES = "claude_agent_sdk.types"

_EVENTS = spec_of("claude_agents")


_FIELDS = {
    "stream_event": {"event", "session_id", "uuid"},
    "assistant": {"content", "model", "parent_tool_use_id"},
    "user": {"content", "parent_tool_use_id", "uuid"},
    "result": {"num_turns", "result", "session_id"},
    "system": {"data", "subtype"},
    "rate_limit_event": {"rate_limit_info", "session_id", "uuid"},
    "conversation_reset": {"new_conversation_id", "session_id", "uuid"},
}
"""The fields by which objects of each kind are told."""


class _Messages(VariedSpecAdapter):
    """The adapter for the messages of one agent: they repeat its events, or have new text."""

    name = "claude_agents"
    spec = _EVENTS.specs["assistant"]

    def __init__(self, *, unknown: Unknown = "guard") -> None:
        super().__init__(unknown=unknown)
        self._events = Anthropic(unknown=unknown)
        self._event: Any = None  # the last chunk that had one
        self._streamed = Streamed()
        self._open: Slot | None = None  # the slot of text that may go on
        self._count = 0  # of messages
        self._called = 0  # of calls in them

    def judge_marks(self, passes: Passes) -> None:
        """Ask `passes` about marks, in events and messages."""
        super().judge_marks(passes)
        self._events.judge_marks(passes)

    def read(self, chunk: Any) -> Reading:
        """Find the text in an event, or in a message."""
        if _kind(chunk) != "stream_event":
            return super().read(chunk)
        self._event = chunk
        reading = self._events.read(_event(chunk))
        reading = self.added(reading, chunk)
        self._streamed.note(reading.pieces)
        said = [piece.slot for piece in reading.pieces if piece.kind == "delta"]
        self._open = next((slot for slot in said if slot.field == "text"), self._open)
        if reading.closed or reading.finished:
            self._open = None
        return reading

    def spec_of(self, chunk: Any) -> Spec:
        kind, subtype = _kind(chunk), fields_of(chunk).get("subtype")
        if kind == "system" and subtype == "init":
            kind = "init"
        spec: Spec = _EVENTS.specs.get(kind, _EVENTS.other)
        return spec

    def meaning(self, chunk: Any, event: Mapping[str, Any], pieces: Sequence[Piece]) -> Reading:
        kind = _kind(chunk)
        says = kind == "assistant" and self._event is None
        self._count += says
        found = [self._known(piece, says=says) for piece in pieces]
        self._streamed.note(found)
        new = [piece.slot for piece in found if piece.kind == "delta"]
        if kind == "result":
            reason = reason_of(str(event.get("stop_reason")))
            ended: dict[int, FinishReason] = {0: "error" if event.get("is_error") else reason}
            return Reading(found, (0,), ended, usage=event.get("usage"), complete=new)
        message = fields_of(event.get("message")) or event
        repeats = any(piece.kind == "copy" and piece.slot == self._open for piece in found)
        waits = self._open if repeats and not new else None
        usage = message.get("usage") if kind == "assistant" and self._event is None else None
        calls = _calls(message, found)
        told = [p.slot for p in found if p.kind == "copy" and p.slot.channel == "thinking"]
        says = self._open is not None or any(piece.kind in NEW for piece in found)
        choices = (0,) if says else ()
        return Reading(
            found, choices, closed=told, waits=waits, calls=calls, usage=usage, complete=new
        )

    def _known(self, piece: Piece, *, says: bool) -> Piece:
        """Return a piece as a copy in the slot that streamed it; as new text, if the message `says`
        it.

        The blocks of a message with new text are one text, because readers may join them.
        """
        channel = piece.slot.channel
        if piece.kind not in ("copy", "parsed") or piece.slot.field != "message":
            return piece
        if not says:
            return self._streamed.placed(piece)
        if channel == "tool_args":
            self._called += 1
            return Piece(Slot(0, channel, "input", -self._called), piece.text)
        field = "content" if channel == "text" else channel
        return Piece(Slot(0, channel, field, -self._count), piece.text)

    def write(self, chunk: Any, texts: Sequence[str], *, ends: bool = True) -> Any | None:
        """Return `chunk` with `texts` in place of its own; None if nothing is left in it."""
        if _kind(chunk) != "stream_event":
            return super().write(chunk, texts, ends=ends)
        count = len(texts) - len(self.pieces(chunk, fields_of(chunk)))
        written = self._events.write(_event(chunk), texts[:count], ends=ends)
        if written is None:
            return None
        made = chunk if count == len(texts) else super().write(chunk, texts[count:]) or chunk
        return _holding(made, written)

    def without_unknown(self, chunk: Any) -> Any:
        """Return `chunk` without text at paths that the format does not know."""
        made = super().without_unknown(chunk)
        if _kind(chunk) != "stream_event":
            return made
        return _holding(made, self._events.without_unknown(_event(chunk)))

    def passed(self, chunk: Any) -> None:
        """Remember the released text of each block."""
        if _kind(chunk) == "stream_event":
            self._events.passed(_event(chunk))

    def extra(self, chunk: Any, slot: Slot, text: str, released: Released) -> Sequence[Any]:
        """Return events with only `text`, or a message if the source sends no events."""
        if self._event is not None and slot.number >= 0:
            last = self.without_unknown(self._event)
            made = self._events.extra(_event(last), slot, text, released)
            return [_holding(last, each) for each in made]
        return [_saying(chunk, text)] if slot.channel == "text" else []

    def end(
        self, chunk: Any, choice: int, reason: FinishReason, released: Released
    ) -> Sequence[Any]:
        """Return the events that end the message; without events, nothing does."""
        if self._event is None:
            return []
        last = self.without_unknown(self._event)
        made = self._events.end(_event(last), 0, reason, released)
        return [_holding(last, each) for each in made]


class ClaudeAgents:
    """The adapter for messages and events of a session."""

    name = "claude_agents"
    repeats = True
    ends_with_source = True
    spec: ClassVar[Spec] = {"event": Anthropic.spec, **_EVENTS.specs["assistant"]}

    def __init__(self, *, unknown: Unknown = "guard") -> None:
        self._unknown = unknown
        self._passes: Passes = passes_any
        self._agents: dict[str, Nested] = {}

    def judge_marks(self, passes: Passes) -> None:
        """Ask `passes` about marks from now on."""
        self._passes = passes
        for agent in self._agents.values():
            agent.adapter.judge_marks(passes)  # type: ignore[attr-defined]

    def read(self, chunk: Any) -> Reading:
        """Find the text in a message or an event; its agent's adapter reads it."""
        return self._agent(chunk).read(chunk)

    def write(self, chunk: Any, texts: Sequence[str], *, ends: bool = True) -> Any | None:
        """Return `chunk` with `texts` in place of its own; None if nothing is left in it."""
        return self._agent(chunk).write(chunk, texts, ends=ends)

    def without_unknown(self, chunk: Any) -> Any:
        """Return `chunk` without text at paths that the format does not know."""
        return self._agent(chunk).without_unknown(chunk)

    def passed(self, chunk: Any) -> None:
        """Remember the released text of each block."""
        self._agent(chunk).passed(chunk)

    def extra(self, chunk: Any, slot: Slot, text: str, released: Released) -> Sequence[Any]:
        """Return chunks of the agent with only `text`."""
        return self._agent(chunk).extra(chunk, slot, text, released)

    def end(
        self, chunk: Any, choice: int, reason: FinishReason, released: Released
    ) -> Sequence[Any]:
        """Return the events that end the message of the agent."""
        return self._agent(chunk).end(chunk, reason, released)

    def _agent(self, chunk: Any) -> Nested:
        """Return the adapter of a chunk's agent: the first one, or one that a call started."""
        asked = fields_of(chunk).get("parent_tool_use_id")
        key = asked if isinstance(asked, str) else ""
        if key not in self._agents:
            adapter = _Messages(unknown=self._unknown)
            adapter.judge_marks(self._passes)
            self._agents[key] = Nested(adapter, len(self._agents) + 1 if key else 0)
        return self._agents[key]


def _kind(chunk: Any) -> str:
    """Return the kind of a message; "" for any other chunk."""
    if isinstance(chunk, dict):
        return str(chunk.get("type"))
    keys = fields_of(chunk).keys()
    return next((kind for kind, own in _FIELDS.items() if own <= keys), "")


def _event(chunk: Any) -> Any:
    return fields_of(chunk)["event"]


def _holding(chunk: Any, event: Any) -> Any:
    return chunk if event is _event(chunk) else replaced(chunk, {"event": event})


def _calls(message: Mapping[str, Any], pieces: Sequence[Piece]) -> dict[Slot, Call]:
    """Return the calls that a message makes, by the slots of their arguments."""
    content = message.get("content")
    blocks = map(fields_of, content if isinstance(content, list) else ())
    told = [Call(each["name"], each.get("id")) for each in blocks if each.get("name")]
    slots = [piece.slot for piece in pieces if piece.slot.field == "input"]
    return dict(zip(slots, told, strict=len(slots) == len(told)))


def _saying(chunk: Any, text: str) -> Any:
    """Return a message like `chunk` with only `text`."""
    fields = fields_of(chunk)
    kept = {name: fields[name] for name in ("uuid", "session_id", "model") if name in fields}
    if isinstance(chunk, dict):
        content = [{"type": "text", "text": text}]
        message = {"type": "message", "role": "assistant", "content": content}
        return {**kept, "type": "assistant", "message": message, "parent_tool_use_id": None}
    block = sibling(chunk, _TYPES, "TextBlock")(text=text)
    made = sibling(chunk, _TYPES, "AssistantMessage")
    return made(content=[block], **{"model": "", **kept})
