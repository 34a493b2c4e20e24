"""Vercel's AI SDK: the UI message stream (version 5 and later) and the data stream (version 4).

https://ai-sdk.dev/docs/ai-sdk-ui/stream-protocol. The first has typed JSON events; the second has
lines such as `0:"text"`, which are read as objects with one field: `{"0": "text"}`.

The parts that a model streams (version 5 and later: `doStream`, and so Vercel's AI Gateway) and
those of a `fullStream` are like the events of a UI message stream. They differ in calls and in the
end: https://github.com/vercel/ai/blob/main/packages/provider/src/language-model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from guardstream.events import FinishReason
from guardstream.formats.adapter import Call, Piece, Reading, Released, Slot, Unknown
from guardstream.formats.spec import (
    Leaf,
    Path,
    SpecAdapter,
)
from guardstream.formats.toolkit.blocks import Block, Blocks
from guardstream.formats.toolkit.fields import fields_of
from guardstream.formats.toolkit.files import spec_of
from guardstream.formats.toolkit.reasons import reason_of
from guardstream.formats.toolkit.runs import Runs

_REASONS: dict[str, FinishReason] = {
    "length": "length",
    "content-filter": "content_filter",
    "tool-calls": "tool_calls",
    "error": "error",
}
_STOPS = {reason: name for name, reason in _REASONS.items()}

_INPUT = Block(
    *("tool_args", "tool-input-start", "tool-input-delta", "tool-input-end", "id", "delta"),
    "toolName",
)
"""The input of a call as models stream it; the call comes after it, in an event of its own."""

_STREAMS_INPUT = (_INPUT.start, _INPUT.delta, _INPUT.end)


class UIMessages(Blocks):
    """The adapter for the parts of UI message streams (Vercel's AI SDK, version 5 and later)."""

    name: ClassVar[str] = "ui_messages"
    repeats = True
    spec = spec_of("ui_messages")
    blocks = (
        Block("text", "text-start", "text-delta", "text-end"),
        Block("thinking", "reasoning-start", "reasoning-delta", "reasoning-end"),
        Block(
            *("tool_args", "tool-input-start", "tool-input-delta", "tool-input-available"),
            *("toolCallId", "inputTextDelta", "toolName", "tool-input-error"),
        ),
    )
    finished = "finish"
    ends_all = ("finish-step", "reset-step")
    sse_end = "[DONE]"

    def __init__(self, *, unknown: Unknown = "guard") -> None:
        super().__init__(unknown=unknown)
        self._inputs: set[Any] = set()  # the ids of calls whose input has streamed

    def slot(self, leaf: Leaf, event: Mapping[str, Any], path: Path) -> Slot:
        if leaf.kind == "parsed":
            return self._slot(self.blocks[2], event)
        return super().slot(leaf, event, path)

    def meaning(self, chunk: Any, event: Mapping[str, Any], pieces: Sequence[Piece]) -> Reading:
        kind = event.get("type")
        if kind == "reset-step":  # clients forget the parts of the step
            return Reading(pieces, (0,), closed=self._forgotten())
        if kind == "tool-call":
            return self._called(event, pieces)
        if kind in _STREAMS_INPUT and "toolCallId" not in event:
            self._inputs.add(event.get("id"))
        return super().meaning(chunk, event, pieces)

    def _called(self, event: Mapping[str, Any], pieces: Sequence[Piece]) -> Reading:
        """Return the meaning of a whole call, which may repeat its streamed input."""
        own = event.get("toolCallId")
        if own in self._inputs:
            return Reading(pieces, (0,))
        slot = self._slot(self.blocks[2], event)
        calls = {slot: Call(str(event.get("toolName")), own)}
        over = self._text_over()
        return Reading(pieces, (0,), closed=over, calls=calls, complete=(slot,))

    def _block_of(self, event: Mapping[str, Any]) -> Block | None:
        if event.get("type") in _STREAMS_INPUT and "toolCallId" not in event:
            return _INPUT
        return super()._block_of(event)

    def _fails(self, event: Mapping[str, Any]) -> bool:
        return event.get("type") == "error"

    def _reason(self, event: Mapping[str, Any]) -> FinishReason:
        said = event.get("finishReason")
        return reason_of(str(fields_of(said).get("unified", said)))

    def _ending(self, reason: FinishReason) -> Mapping[str, Any]:
        """Return why the answer is not complete. Versions of the client before 5.0.92 refuse it."""
        said = _STOPS.get(reason)
        return {"finishReason": said} if said else {}

    def _field(self, block: Block, chunk: Any) -> str:
        return "text" if block.channel != "tool_args" and "text" in chunk else block.text

    @staticmethod
    def _completes(block: Block) -> bool:
        """Return whether the end of a block completes a call: the end of an input alone does
        not."""
        return block.end == "tool-input-available"


class ModelParts(UIMessages):
    """The adapter for the parts that a model streams (Vercel's AI SDK, from version 5).

    It differs in how a stream begins and ends, and in its errors: clients of UI messages refuse the
    field that has the error here.
    """

    name = "model_parts"

    def _ending(self, reason: FinishReason) -> Mapping[str, Any]:
        """Return why the answer ends, and the usage: both are required."""
        why = _STOPS.get(reason, "stop")
        usage: dict[str, Any] = {"inputTokens": {}, "outputTokens": {}}
        return {"finishReason": {"unified": why, "raw": why}, "usage": usage}


class DataStream(SpecAdapter):
    """The adapter for lines of data streams (Vercel's AI SDK, version 4), each `code:JSON`."""

    name = "data_stream"
    spec = spec_of("data_stream")
    repeats = True

    def __init__(self, *, unknown: Unknown = "guard") -> None:
        super().__init__(unknown=unknown)
        self._runs = Runs(tools=("tool_result",))
        self._numbers: dict[Any, int] = {}  # of calls, by their ids

    def slot(self, leaf: Leaf, event: Mapping[str, Any], path: Path) -> Slot:
        if leaf.channel != "tool_args":
            return Slot(0, leaf.channel, leaf.field)
        own = fields_of(next(iter(event.values()))).get("toolCallId")
        number = self._numbers.setdefault(own, len(self._numbers))
        return Slot(0, leaf.channel, leaf.field, number)

    def meaning(self, chunk: Any, event: Mapping[str, Any], pieces: Sequence[Piece]) -> Reading:
        found, closed, complete = self._runs.number(pieces)
        called = fields_of(event.get("9") or event.get("b"))
        calls: dict[Slot, Call] = {}
        if called:
            self._runs.stop(0)
            slot = self.slot(Leaf("delta", "tool_args", "args"), event, ())
            calls[slot] = Call(str(called.get("toolName")), called.get("toolCallId"))
            if "9" in event:
                closed, complete = [*closed, slot], [*complete, slot]
        finished: dict[int, FinishReason] = {}
        last = fields_of(event.get("d"))
        if last:
            finished[0] = reason_of(str(last.get("finishReason")))
        return Reading(
            found,
            (0,),
            finished,
            "3" in event,
            closed,
            calls=calls,
            usage=last.get("usage"),
            complete=complete,
        )

    def extra(self, chunk: Any, slot: Slot, text: str, released: Released) -> Sequence[Any]:
        """Return a line with `text`."""
        if slot.channel == "tool_args":
            own = fields_of(next(iter(chunk.values()))).get("toolCallId")
            return [{"c": {"toolCallId": own, "argsTextDelta": text}}]
        return [{"g" if slot.channel == "thinking" else "0": text}]

    def end(
        self, chunk: Any, choice: int, reason: FinishReason, released: Released
    ) -> Sequence[Any]:
        """Return the line that finishes a message."""
        usage = {"promptTokens": None, "completionTokens": None}
        return [{"d": {"finishReason": _STOPS.get(reason, "stop"), "usage": usage}}]
