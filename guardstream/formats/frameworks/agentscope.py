"""AgentScope, from version 2: the events of `Agent.reply_stream`, or those that its server sends.

https://docs.agentscope.io/building-blocks/message-and-event. Texts, thinking, calls and tools'
results begin, go on and end by their ids. Requests for confirmation repeat calls, and the message
that may come last repeats everything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from guardstream.events import FinishReason
from guardstream.formats.adapter import Piece, Reading, Released, Slot, Unknown
from guardstream.formats.spec import (
    Leaf,
    Path,
    sibling,
)
from guardstream.formats.toolkit.blocks import Block, Blocks
from guardstream.formats.toolkit.fields import fields_of
from guardstream.formats.toolkit.files import spec_of
from guardstream.formats.toolkit.objects import Event, Objects, model_like
from guardstream.formats.toolkit.reasons import reason_of
from guardstream.formats.toolkit.streamed import Streamed


class Events(Blocks):
    """Reads a reply's events as JSON."""

    name = "agentscope"
    repeats = True
    spec = spec_of("agentscope")
    blocks = (
        Block("text", "TEXT_BLOCK_START", "TEXT_BLOCK_DELTA", "TEXT_BLOCK_END", "block_id"),
        Block(
            *("thinking", "THINKING_BLOCK_START", "THINKING_BLOCK_DELTA", "THINKING_BLOCK_END"),
            "block_id",
        ),
        Block(
            *("tool_args", "TOOL_CALL_START", "TOOL_CALL_DELTA", "TOOL_CALL_END"),
            *("tool_call_id", "delta", "tool_call_name"),
        ),
    )
    finished = "REPLY_END"

    def __init__(self, *, unknown: Unknown = "guard") -> None:
        super().__init__(unknown=unknown)
        self._results: dict[Any, int] = {}  # of tools, by the ids of their calls
        self._streamed = Streamed()

    def slot(self, leaf: Leaf, event: Mapping[str, Any], path: Path) -> Slot:
        kind = event.get("type")
        if kind == "TOOL_RESULT_TEXT_DELTA":
            return self._result(event)
        if leaf.kind == "copy" and kind == "TEXT_BLOCK_END":
            return self._slot(self.blocks[0], event)
        return super().slot(leaf, event, path)

    def _result(self, event: Mapping[str, Any]) -> Slot:
        """Return the slot of a tool's result."""
        number = self._results.setdefault(event.get("tool_call_id"), len(self._results))
        return Slot(0, "text", "tool_result", number)

    def meaning(self, chunk: Any, event: Mapping[str, Any], pieces: Sequence[Piece]) -> Reading:
        kind = event.get("type")
        if kind == "TEXT_BLOCK_END":
            reading = super().meaning(chunk, event, pieces)
        elif kind == "REPLY_START":
            self.beginning = fields_of(self.without_unknown(chunk))
            reading = Reading(pieces, (0,))
        else:
            placed = [self._streamed.placed(piece) for piece in pieces]
            reading = super().meaning(chunk, event, placed)
        self._streamed.note(reading.pieces)
        if reading.failed:
            return reading._replace(closed=())
        if kind == "TOOL_RESULT_END":
            return reading._replace(closed=[*reading.closed, self._result(event)])
        if kind == "MODEL_CALL_END":
            counted = ("input_tokens", "output_tokens")
            return reading._replace(usage={name: event.get(name) for name in counted})
        return reading

    def _fails(self, event: Mapping[str, Any]) -> bool:
        return event.get("type") == self.finished and self._reason(event) == "error"

    def _reason(self, event: Mapping[str, Any]) -> FinishReason:
        return reason_of(str(event.get("finished_reason")))

    def extra(self, chunk: Any, slot: Slot, text: str, released: Released) -> Sequence[Any]:
        """Return an event with only `text`, in its reply."""
        if slot.field == "tool_result":
            own = next(own for own, number in self._results.items() if number == slot.number)
            made = [{"type": "TOOL_RESULT_TEXT_DELTA", "tool_call_id": own, "delta": text}]
            return self._in_reply(chunk, made)
        if slot.field not in ("text", "thinking", "tool_args", "content"):
            return []
        return self._in_reply(chunk, super().extra(chunk, slot, text, released))

    def end(
        self, chunk: Any, choice: int, reason: FinishReason, released: Released
    ) -> Sequence[Any]:
        """Return what ends the open blocks, and the reply, if it began in this stream.

        A reply in which a call is cut is not completed.
        """
        cuts_call = any(block.channel == "tool_args" for block in self._shown.values())
        made = self._close()
        if "session_id" in self.beginning:
            completes = reason in ("stop", "tool_calls") and not cuts_call
            done = "completed" if completes else "interrupted"
            own = {"session_id": self.beginning["session_id"], "finished_reason": done}
            made.append({"type": self.finished, **own})
        return self._in_reply(chunk, made)

    def _in_reply(self, chunk: Any, made: Sequence[Event]) -> Sequence[Event]:
        """Return events with the id of the reply of `chunk`."""
        told = fields_of(chunk).get("reply_id") or self.beginning.get("reply_id")
        return [{**each, "reply_id": told} for each in made]


class AgentScope(Objects):
    """The adapter for a reply's events: as dicts, on the wire, or as those of `agentscope`."""

    name = "agentscope"
    repeats = True
    packages = frozenset({"agentscope"})

    def __init__(self, *, unknown: Unknown = "guard") -> None:
        super().__init__(Events(unknown=unknown), unknown=unknown)

    def made(self, chunk: Any, event: Event) -> Any:
        """Return an object of the class that its package has for an event."""
        name = event["type"].title().replace("_", "") + "Event"
        return model_like(sibling(chunk, "agentscope.event", name), event)
