"""AG-UI: the events that an agent sends to a user's interface.

https://docs.ag-ui.com/concepts/events. Texts, thinking and calls begin, go on and end by their ids.
Snapshots of state and messages, and events of others' making, are guarded by their paths.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from guardstream.events import FinishReason
from guardstream.formats.adapter import Piece, Reading, Released, Unknown
from guardstream.formats.spec import sibling
from guardstream.formats.toolkit.blocks import Block, Blocks
from guardstream.formats.toolkit.fields import fields_of
from guardstream.formats.toolkit.files import spec_of
from guardstream.formats.toolkit.objects import Event, Objects, model_like
from guardstream.formats.toolkit.parsed import is_json

_SPANS: dict[str, tuple[str, Sequence[str]]] = {
    "STEP_STARTED": ("STEP_FINISHED", ("stepName", "subagentRunId")),
    "THINKING_START": ("THINKING_END", ()),
    "REASONING_START": ("REASONING_END", ("messageId",)),
    "SUBAGENT_STARTED": ("SUBAGENT_FINISHED", ("subagentRunId",)),
}
"""The events that begin a span, with the event that ends it and the fields that identify it.
Clients refuse the end of a run while a span is open."""

_ENDS = ("RUN_FINISHED", "RUN_ERROR")
"""The events after which clients refuse all others of the run."""

_BEGINNINGS = {
    **{end: start for start, (end, _) in _SPANS.items()},
    "SUBAGENT_ERROR": "SUBAGENT_STARTED",
}

_OF_SPANS = frozenset({*_SPANS, *_BEGINNINGS})


def _messages(channel: str, name: str) -> Block:
    return Block(channel, f"{name}_START", f"{name}_CONTENT", f"{name}_END", "messageId")


class Events(Blocks):
    """Reads a run's events as JSON."""

    name = "ag_ui"
    spec = spec_of("ag_ui")
    blocks = (
        _messages("text", "TEXT_MESSAGE"),
        _messages("thinking", "THINKING_TEXT_MESSAGE"),
        _messages("thinking", "REASONING_MESSAGE"),
        Block(
            *("tool_args", "TOOL_CALL_START", "TOOL_CALL_ARGS", "TOOL_CALL_END"),
            *("toolCallId", "delta", "toolCallName"),
        ),
        Block("text", "", "TEXT_MESSAGE_CHUNK", "", "messageId"),
        Block("thinking", "", "REASONING_MESSAGE_CHUNK", "", "messageId"),
        Block("tool_args", "", "TOOL_CALL_CHUNK", "", "toolCallId", "delta", "toolCallName"),
    )
    begun: ClassVar[Mapping[str, Any]] = {"role": "assistant"}
    finished = "RUN_FINISHED"
    joins = False

    def __init__(self, *, unknown: Unknown = "guard") -> None:
        super().__init__(unknown=unknown)
        self._spans: dict[tuple[str, ...], Event] = {}  # the ends of open spans
        self._end_written: Event | None = None  # the end of a run that was blocked in that end
        self._cuts_call = False  # whether the guard cuts an open call of the run
        self._arguments: dict[Any, list[str]] = {}  # as they went out, by id of a call in chunks
        self._call: Any = None  # the id of the last call in chunks
        self._ids_told: dict[str, Any] = {}  # the ids that clients know last, by type of chunk

    def meaning(self, chunk: Any, event: Mapping[str, Any], pieces: Sequence[Piece]) -> Reading:
        if event.get("type") == "RUN_STARTED":
            self.beginning = fields_of(self.without_unknown(chunk))
        return super().meaning(chunk, event, pieces)

    def write(self, chunk: Any, texts: Sequence[str], *, ends: bool = True) -> Any:
        written = super().write(chunk, texts, ends=ends)
        event = fields_of(chunk)
        block = self._block_of(event)
        if block is not None and not block.start:
            opens = event.get(block.id) not in (None, self._ids_told.get(block.delta))
            return self._opening(block, chunk) if written is None and opens and ends else written
        if not ends and event.get("type") in _ENDS:  # `end` writes it, after all else
            self._end_written = written
            return None
        return written

    def _opening(self, block: Block, chunk: Any) -> Any:
        """Return a chunk without its text: it may be the only one with the message's id, without
        which clients refuse the rest."""
        return {name: value for name, value in self.silent(chunk).items() if name != block.text}

    def passed(self, chunk: Any) -> None:
        super().passed(chunk)
        event = fields_of(chunk)
        kind = str(event.get("type"))
        block = self._block_of(event)
        if block is not None and not block.start:
            self._ids_told[kind] = event.get(block.id) or self._ids_told.get(kind)
        if kind == "RUN_STARTED":
            self._ids_told.clear()
            self._spans.clear()
            self._cuts_call = False
            self._arguments.clear()
        elif kind == "TOOL_CALL_CHUNK":
            self._call = event.get("toolCallId") or self._call
            self._arguments.setdefault(self._call, []).append(str(event.get("delta") or ""))
        elif kind in _OF_SPANS:
            self._note_span(event)

    def _note_span(self, event: Mapping[str, Any]) -> None:
        """Note the span that an event begins or ends, and the event that will end it."""
        kind = event["type"]
        start = _BEGINNINGS.get(kind, kind)
        end, names = _SPANS[start]
        key = (start, *(str(event.get(name)) for name in names))
        if kind == start:
            self._spans[key] = {"type": end, **{n: event[n] for n in names if n in event}}
        else:
            self._spans.pop(key, None)

    def _fails(self, event: Mapping[str, Any]) -> bool:
        return event.get("type") == "RUN_ERROR"

    def end(
        self, chunk: Any, choice: int, reason: FinishReason, released: Released
    ) -> Sequence[Any]:
        """Return what ends the open blocks, and the run, if it began in this stream.

        A run in which a call is cut fails: clients refuse any other end while a call is open. They
        complete a call that came in chunks, whatever follows it.
        """
        self._cuts_call |= not all(is_json("".join(each)) for each in self._arguments.values())
        closed, spans = self._close(), [*reversed(self._spans.values())]
        self._spans.clear()
        last = [{"type": self.finished, **self._ending(reason)}] if self._ending(reason) else []
        if self._end_written is not None:
            last = [self._end_written]
        if last and self._cuts_call and fields_of(last[0])["type"] == self.finished:
            last = [{"type": "RUN_ERROR", "message": f"the answer was ended: {reason}"}]
        return [*closed, *spans, *last]

    def _close(self) -> list[Any]:
        self._cuts_call |= any(block.channel == "tool_args" for block in self._shown.values())
        return super()._close()

    def _ending(self, reason: FinishReason) -> Mapping[str, Any]:
        return {
            name: self.beginning[name] for name in ("threadId", "runId") if name in self.beginning
        }


class AGUI(Objects):
    """The adapter for a run's events: as dicts, on the wire, or as those of `ag-ui-protocol`."""

    name = "ag_ui"
    packages = frozenset({"ag_ui"})

    def __init__(self, *, unknown: Unknown = "guard") -> None:
        super().__init__(Events(unknown=unknown), unknown=unknown)

    def made(self, chunk: Any, event: Event) -> Any:
        """Return an object of the class that its package has for an event."""
        name = event["type"].title().replace("_", "") + "Event"
        return model_like(sibling(chunk, self.module_of(chunk), name), event)
