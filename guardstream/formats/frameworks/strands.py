"""Strands Agents: the events of `stream_async`, of one agent or of several.

https://strandsagents.com/latest/documentation/docs/user-guide/concepts/streaming/. A model's event
is one of Bedrock's ConverseStream; the next event repeats it for users (`data`, `reasoningText`),
and messages and the result repeat it again. Agents in graphs, swarms and tools stream events of
their own, inside other events.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from guardstream.events import FinishReason
from guardstream.formats.adapter import (
    Passes,
    Piece,
    Reading,
    Released,
    Slot,
    Unknown,
    passes_any,
)
from guardstream.formats.bedrock.converse import Bedrock
from guardstream.formats.detection.shapes import is_of_several, is_strands_model, strands_step
from guardstream.formats.spec import (
    Spec,
    SpecAdapter,
    VariedSpecAdapter,
)
from guardstream.formats.toolkit.fields import fields_of
from guardstream.formats.toolkit.files import spec_of
from guardstream.formats.toolkit.nested import Nested, with_inner, within
from guardstream.formats.toolkit.nodes import SKIP
from guardstream.formats.toolkit.streamed import Streamed
from guardstream.formats.toolkit.written import Missing

_SPEC = spec_of("strands")
_BESIDE: Spec = {**_SPEC, "event": SKIP}
"""The fields beside an event of the model, which another adapter reads."""

_AROUND: dict[str, Spec] = spec_of("strands", "around")
"""The fields around the event of an agent in a graph or a tool, read without that event."""

_CHANNELS = ("text", "thinking", "tool_args")


class _Model(Bedrock):
    """The adapter for a model's events, which need not name the block that they belong to."""

    def __init__(self, *, unknown: Unknown = "guard") -> None:
        super().__init__(unknown=unknown)
        self._count = 0
        self._places: dict[int, int | None] = {}

    def read(self, chunk: Any) -> Reading:
        """Find the text in an event; count the blocks."""
        if not chunk.keys().isdisjoint(("messageStart", "contentBlockStart")):
            self._count += 1
        elif "contentBlockDelta" in chunk:
            index = fields_of(chunk["contentBlockDelta"]).get("contentBlockIndex")
            before = self._places.get(self._count)
            self._count += index != (index if before is None else before)
        event = chunk.get("contentBlockStart") or chunk.get("contentBlockDelta")
        if event is not None:
            index = fields_of(event).get("contentBlockIndex")
            self._places[self._count] = index if isinstance(index, int) else None
        reading = super().read(chunk)
        self._count += "contentBlockStop" in chunk
        return reading

    def over(self) -> Sequence[Slot]:
        """Close the open blocks; return their slots."""
        return self._over(None)

    def number(self, event: Mapping[str, Any]) -> int:
        return self._count

    def place(self, number: int) -> int | type[Missing]:
        index = self._places.get(number)
        return Missing if index is None else index


class _Agent(VariedSpecAdapter):
    """The adapter for the events of one agent."""

    name = "strands"
    spec: ClassVar[Spec] = _SPEC

    def __init__(self, *, unknown: Unknown = "guard") -> None:
        super().__init__(unknown=unknown)
        self._model = _Model(unknown=unknown)
        self._streamed = Streamed()
        self._said: dict[str, Piece] = {}  # the last delta, by channel
        self._untold: Mapping[str, Any] = {}  # the delta that is still to be repeated for users
        self._has_model = False  # whether there are events of the model

    def judge_marks(self, passes: Passes) -> None:
        """Ask `passes` about marks, in events of the model and others."""
        super().judge_marks(passes)
        self._model.judge_marks(passes)

    def read(self, chunk: Any) -> Reading:
        """Find the text in an event, of the model or not."""
        if not is_strands_model(chunk):
            return super().read(chunk)
        self._has_model = True
        reading = self._model.read(chunk["event"])
        reading = self.added(reading, chunk)
        self._streamed.note(reading.pieces)
        self._said = {piece.slot.channel: piece for piece in reading.pieces if piece.text}
        return reading

    def spec_of(self, chunk: Any) -> Spec:
        return _BESIDE if is_strands_model(chunk) else _SPEC

    def meaning(self, chunk: Any, event: Mapping[str, Any], pieces: Sequence[Piece]) -> Reading:
        found = [self._known(piece) for piece in pieces]
        self._streamed.note(found)
        result = fields_of(event.get("result"))
        usage = {**fields_of(result.get("metrics")), **result}.get("accumulated_usage")
        message = "message" in event or "result" in event
        closed = [_apart(channel) for channel in _CHANNELS] if message else ()
        says = any(piece.kind in ("delta", "echo") for piece in found)
        return Reading(found, (0,) if says else (), closed=closed, usage=usage)

    def over(self) -> Sequence[Slot]:
        """Close the texts of a model that has stopped; return their slots."""
        return self._model.over()

    def _known(self, piece: Piece) -> Piece:
        """Return a piece as a copy in the slot that streamed it; as new text, if none did."""
        if piece.kind != "echo":
            return self._streamed.placed(piece)
        said = self._said.get(piece.slot.channel)
        if said is not None and said.text == piece.text:
            return piece._replace(slot=said.slot)
        new = Piece(_apart(piece.slot.channel), piece.text)
        self._said[piece.slot.channel] = new
        return new

    def write(self, chunk: Any, texts: Sequence[str], *, ends: bool = True) -> Any | None:
        """Return `chunk` with `texts` in place of its own; None if nothing is left in it."""
        if not is_strands_model(chunk):
            return super().write(chunk, texts, ends=ends)
        count = len(texts) - len(self.pieces(chunk, chunk))
        written = self._model.write(chunk["event"], texts[:count], ends=ends)
        if written is None:
            return None
        made = chunk if count == len(texts) else super().write(chunk, texts[count:]) or chunk
        return {**made, "event": written}

    def without_unknown(self, chunk: Any) -> Any:
        """Return `chunk` without text at paths that the format does not know."""
        made = super().without_unknown(chunk)
        if not is_strands_model(chunk):
            return made
        return {**made, "event": self._model.without_unknown(chunk["event"])}

    def passed(self, chunk: Any) -> None:
        """Remember the model's last event until it is repeated for users."""
        event = chunk["event"] if is_strands_model(chunk) else {}
        self._untold = fields_of(fields_of(event.get("contentBlockDelta")).get("delta"))

    def find(self, piece: Piece) -> Slot | None:
        """Return the slot whose text a piece repeats; None if it repeats none."""
        return self._streamed.find(piece, channel=piece.slot.channel)

    def extra(self, chunk: Any, slot: Slot, text: str, released: Released) -> Sequence[Any]:
        """Return a model's event with only `text`, and the event that repeats it for users."""
        made: list[Any] = []
        if self._has_model and slot.number >= 0:
            made = [{"event": each} for each in self._model.extra(None, slot, text, released)]
        return [*made, *_told(slot.channel, text)]

    def end(
        self, chunk: Any, choice: int, reason: FinishReason, released: Released
    ) -> Sequence[Any]:
        """Return the events that end the model's message, after the events that are still due for
        users."""
        ends = [{"event": each} for each in self._model.end(None, choice, reason, released)]
        return [*_told_again(self._untold), *ends]


class _Around(SpecAdapter):
    """The adapter for the fields around an agent's event."""

    name = "strands"
    spec: ClassVar[Spec] = _AROUND


class Strands:
    """The adapter for events, of one agent or of several."""

    name = "strands"
    repeats = True
    ends_with_source = True
    spec: ClassVar[Spec] = {"event": Bedrock.spec, **_SPEC}

    def __init__(self, *, unknown: Unknown = "guard") -> None:
        self._unknown = unknown
        self._passes: Passes = passes_any
        self._around = _Around(unknown=unknown)
        self._runs: dict[tuple[str, ...], Nested] = {}
        self._inputs: dict[tuple[str, ...], str] = {}  # of the call that streams, by run
        self._answering: tuple[str, ...] = ()  # the node that is choice 0, until it stops

    def judge_marks(self, passes: Passes) -> None:
        """Ask `passes` about marks from now on."""
        self._passes = passes
        self._around.judge_marks(passes)
        for run in self._runs.values():
            run.adapter.judge_marks(passes)  # type: ignore[attr-defined]

    def taken(self, chunk: Any) -> Any:
        """Return a copy of an event with a call: its creator keeps adding to the call's input."""
        key, steps = _path(chunk)
        inner = within(chunk, steps)
        if is_strands_model(inner):
            self._note_input(key, inner["event"])
        use = inner.get("current_tool_use")
        if not isinstance(use, dict):
            return chunk
        so_far = {"input": self._inputs[key]} if self._inputs.get(key) else {}
        return with_inner(chunk, steps, {**inner, "current_tool_use": {**use, **so_far}})

    def _note_input(self, key: tuple[str, ...], event: Mapping[str, Any]) -> None:
        if "contentBlockStart" in event:
            self._inputs[key] = ""
        delta = fields_of(fields_of(event.get("contentBlockDelta")).get("delta"))
        more = fields_of(delta.get("toolUse")).get("input")
        if isinstance(more, str):
            self._inputs[key] = self._inputs.get(key, "") + more

    def read(self, chunk: Any) -> Reading:
        """Find the text in an event of the agent that streams it."""
        run, inner, steps = self._inside(chunk)
        reading = run.read(inner)
        if is_of_several(inner):
            reading = reading._replace(pieces=[self._known(piece) for piece in reading.pieces])
        if around := self._pieces_around(chunk, steps):
            reading = reading._replace(pieces=[*reading.pieces, *around], only_text=False)
        if inner.get("type") != "multiagent_node_stop":
            return reading
        node = (*_path(chunk)[0], str(inner.get("node_id")))
        if self._answering[: len(node)] == node:
            self._answering = ()
        over = [
            run.here(slot)
            for key, run in self._runs.items()
            if key[: len(node)] == node
            for slot in run.adapter.over()  # type: ignore[attr-defined]
        ]
        return reading._replace(closed=[*reading.closed, *over])

    def _known(self, piece: Piece) -> Piece:
        """Return a piece of several agents' result, as a copy in the slot that streamed it."""
        if piece.kind in ("copy", "parsed"):
            for run in reversed(self._runs.values()):
                slot = run.adapter.find(piece)  # type: ignore[attr-defined]
                if slot is not None:
                    return piece._replace(slot=run.here(slot))
        return piece

    def passed(self, chunk: Any) -> None:
        """Tell the adapter of an event's agent what was released of it."""
        run, inner, _ = self._inside(chunk)
        run.passed(inner)

    def write(self, chunk: Any, texts: Sequence[str], *, ends: bool = True) -> Any | None:
        """Return `chunk` with `texts` in place of its own; None if nothing is left in it."""
        run, inner, steps = self._inside(chunk)
        count = len(texts) - len(self._pieces_around(chunk, steps))
        written = run.write(inner, texts[:count], ends=ends)
        if written is None:
            return None
        if count < len(texts):
            chunk = self._around.write(with_inner(chunk, steps, None), texts[count:]) or chunk
        return with_inner(chunk, steps, written)

    def _pieces_around(self, chunk: Any, steps: Sequence[str]) -> Sequence[Piece]:
        """Return the texts around an agent's event."""
        if not steps:
            return ()
        around = with_inner(chunk, steps, None)
        return [self._known(piece) for piece in self._around.pieces(around, around)]

    def without_unknown(self, chunk: Any) -> Any:
        """Return `chunk` without text at paths that the format does not know."""
        run, inner, steps = self._inside(chunk)
        bare = run.without_unknown(inner)
        if not steps:
            return bare
        around = self._around.without_unknown(with_inner(chunk, steps, None))
        return with_inner(around, steps, bare)

    def extra(self, chunk: Any, slot: Slot, text: str, released: Released) -> Sequence[Any]:
        """Return events of the agent with only `text`."""
        run, inner, steps = self._inside(chunk)
        around = _without_input(chunk, steps)
        return [with_inner(around, steps, each) for each in run.extra(inner, slot, text, released)]

    def end(
        self, chunk: Any, choice: int, reason: FinishReason, released: Released
    ) -> Sequence[Any]:
        """Return the events that end the message of the agent."""
        run, inner, steps = self._inside(chunk)
        around = _without_input(chunk, steps)
        return [with_inner(around, steps, each) for each in run.end(inner, reason, released)]

    def _inside(self, chunk: Any) -> tuple[Nested, Any, Sequence[str]]:
        """Return the run of an event, its agent's event inside, and the steps to that."""
        key, steps = _path(chunk)
        inner = within(chunk, steps)
        if key not in self._runs:
            adapter = _Agent(unknown=self._unknown)
            adapter.judge_marks(self._passes)
            asked = any(step == "tool_stream_event" for step in steps)
            others = [run for run in self._runs.values() if run.choice == 0]
            first = not (asked or self._answering)
            self._runs[key] = Nested(
                adapter, *((0, len(others)) if first else (len(self._runs) + 1, 0))
            )
            if first and not is_of_several(inner):
                self._answering = key
        return self._runs[key], inner, steps


def _path(chunk: Any) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the run of an event, by its nodes and calls, and the steps to the innermost event.

    An agent is identified by its node, or by the tool call that started it.
    """
    key: tuple[str, ...] = ()
    steps: tuple[str, ...] = ()
    while step := strands_step(chunk):
        use = fields_of(fields_of(chunk.get("tool_stream_event")).get("tool_use"))
        key += (str(chunk.get("node_id") or use.get("toolUseId")),)
        steps += (*step,)
        chunk = within(chunk, step)
    return key, steps


def _without_input(chunk: Any, steps: Sequence[str]) -> Any:
    """Return an event without the inputs of tools, which repeat the calls' arguments unguarded."""
    for at, step in enumerate(steps, start=1):
        if step == "tool_stream_event":
            use = fields_of(within(chunk, steps[:at]).get("tool_use"))
            bare = {name: use[name] for name in ("toolUseId", "name") if name in use}
            chunk = with_inner(chunk, (*steps[:at], "tool_use"), {**bare, "input": {}})
    return chunk


def _apart(channel: str) -> Slot:
    """Return the slot of a text that comes only in events for users, because the model's are not
    streamed."""
    return Slot(0, channel, "content", -1)


def _told_again(delta: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the event that repeats a model's delta for users."""
    thinking = fields_of(delta.get("reasoningContent")).get("text")
    arguments = fields_of(delta.get("toolUse")).get("input")
    texts = {"text": delta.get("text"), "thinking": thinking, "tool_args": arguments}
    return [event for channel, text in texts.items() if text for event in _told(channel, text)]


def _told(channel: str, text: str) -> list[dict[str, Any]]:
    """Return the event for users that has `text`."""
    if channel == "text":
        return [{"data": text, "delta": {"text": text}}]
    if channel == "thinking":
        delta = {"reasoningContent": {"text": text}}
        return [{"reasoningText": text, "delta": delta, "reasoning": True}]
    return [{"type": "tool_use_stream", "delta": {"toolUse": {"input": text}}}]
