"""LangChain's event protocol (v3): a model's own events, or those of a graph around them.

`stream_events(version="v3")` yields them, and LangGraph's server sends them over HTTP; the types
are in the package `langchain-protocol`. Consecutive messages of models are choice 0, the answer;
messages beside it, or for a tool, are choices of their own. States repeat messages. Output of tools
is guarded, and the values that nodes write are guarded by their paths.

Several messages may be open at the same time: of parallel nodes of a graph, and of models that a
tool asks. They are distinguished by the graph's namespace, and by an id that not all events have.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NamedTuple, TypeGuard

from guardstream.errors import AdapterError
from guardstream.events import FinishReason
from guardstream.formats.adapter import Call, Passes, Piece, Reading, Released, Slot, Unknown
from guardstream.formats.langchain.values import Values
from guardstream.formats.spec import Leaf, Path, Spec, VariedSpecAdapter
from guardstream.formats.toolkit.fields import fields_of, index_in
from guardstream.formats.toolkit.files import spec_of
from guardstream.formats.toolkit.reasons import known_reason

TURN = 1000
"""Added to the number of a slot, its block's index, for each earlier message."""


_MESSAGE = spec_of("langchain_protocol", "message")

_STATES = ("values", "updates", "tasks", "checkpoints", "debug")


class Block(NamedTuple):
    """An open block: its slot if it has one, its start, and the text that only the guard adds."""

    slot: Slot | None
    start: Mapping[str, Any]
    own: str | None = None


class Message:
    """An open message."""

    def __init__(self, choice: int, turn: int, role: Any) -> None:
        self.choice = choice
        self.turn = turn
        self.is_said = role in (None, "ai")
        self.open: dict[int, Block] = {}
        self.text: Slot | None = None  # the text that another block may continue
        self.next = 0
        self.called = False

    def slot(self, channel: str, field: str, index: int) -> Slot:
        if not self.is_said and channel == "text":
            field = "tool_result"
        return Slot(self.choice, channel, field, self.turn * TURN + index)

    def says(self, slot: Slot) -> bool:
        """Return whether a slot's block is open."""
        block = self.open.get(slot.number % TURN)
        return block is not None and block.slot == slot


class Messages:
    """The open messages, and the last one of each choice."""

    def __init__(self) -> None:
        self._open: dict[Any, Message] = {}
        self._latest: dict[int, Message] = {}
        self._count = 0

    def __bool__(self) -> bool:
        """Return whether any message is open."""
        return bool(self._open)

    def latest(self, choice: int) -> Message | None:
        """Return the message of a choice that began last; it may be over."""
        return self._latest.get(choice)

    def of(self, event: Mapping[str, Any], data: Mapping[str, Any]) -> Message:
        """Return the message that an event belongs to; a new one if that is over."""
        return self.find(event, data) or Message(0, 0, None)

    def find(self, event: Mapping[str, Any], data: Mapping[str, Any]) -> Message | None:
        """Return the message that an event belongs to; None if it is not open."""
        namespace, own = key = key_of(event, data)
        if key in self._open:
            return self._open[key]
        if own is None:
            for (where, _), message in reversed(self._open.items()):
                if where == namespace:
                    return message
        return None

    def begin(self, event: Mapping[str, Any], data: Mapping[str, Any]) -> None:
        """Take an event that begins a message: the answer's next, or one beside it."""
        namespace = params_of(event).get("namespace") or ()
        by_tool = any(str(each).startswith("tools:") for each in namespace)
        role = data.get("role") if data.get("event") == "message-start" else None
        busy = any(message.choice == 0 for message in self._open.values())
        beside = by_tool or busy or role not in (None, "ai")
        message = Message(self._count + 1 if beside else 0, self._count, role)
        self._count += 1
        self._open[key_of(event, data)] = self._latest[message.choice] = message

    def end(self, message: Message | None) -> None:
        """Take the end of a message."""
        self._open = {key: each for key, each in self._open.items() if each is not message}


def key_of(event: Mapping[str, Any], data: Mapping[str, Any]) -> tuple[str, str | None]:
    """Return the key of an event's message: its namespace, and its id if it has one."""
    params = params_of(event)
    held = params.get("data")
    run = fields_of(held[1]).get("run_id") if is_pair(held) else None
    own = data.get("run_id") or run
    if own is None:
        own = data.get("message_id")
        own = data.get("id") if own is None and data.get("event") == "message-start" else own
    return str(params.get("namespace")), None if own is None else str(own)


def params_of(event: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a graph's fields around an event's data; nothing for a model's own event."""
    params = event.get("params")
    return params if isinstance(params, Mapping) else {}


def is_pair(value: Any) -> TypeGuard[Sequence[Any]]:
    """Return whether data is a pair of a message's event and its graph's metadata."""
    return isinstance(value, (list, tuple)) and len(value) == 2


def data_of(event: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return an event's data: the event itself, if no graph's fields are around it."""
    if "method" not in event:
        return event
    held = params_of(event).get("data")
    held = held[0] if is_pair(held) else held
    return held if isinstance(held, Mapping) else {}


_SLOTS = {
    "text": ("text", "text"),
    "reasoning": ("thinking", "thinking"),
    **dict.fromkeys(
        ("tool_call", "tool_call_chunk", "server_tool_call", "server_tool_call_chunk"),
        ("tool_args", "args"),
    ),
    "invalid_tool_call": ("tool_args", "args"),
}
_DELTAS = {
    "text": ("text-delta", "text"),
    "thinking": ("reasoning-delta", "reasoning"),
    "tool_args": ("tool-call-delta", "args"),
}


class _Border(NamedTuple):
    """The beginning or end of a block, identified by its message's key, the event and the index."""

    place: tuple[Any, Any, int]
    message: Message
    slot: Slot | None


class LangChainProtocol(VariedSpecAdapter):
    """The adapter for events, a model's own or those of a graph."""

    name = "langchain_protocol"
    spec = spec_of("langchain_protocol")
    pair: ClassVar[Spec] = spec_of("langchain_protocol", "pair")
    """A message's event and its graph's metadata, as in the process that runs the graph."""

    def __init__(self, *, unknown: Unknown = "guard") -> None:
        super().__init__(unknown=unknown)
        self._messages = Messages()
        self._calls: dict[Any, Slot] = {}  # the arguments of tools, by the calls' ids
        self._outputs: dict[Any, Slot] = {}
        self._borders: list[_Border] = []  # of blocks, that still have to go out
        self._reports = False  # whether a graph reports its progress
        self._usage: Any = None
        self._values = Values()

    def judge_marks(self, passes: Passes) -> None:
        """Ask `passes` about marks, in events and in states."""
        super().judge_marks(passes)
        self._values.judge_marks(passes)

    def spec_of(self, chunk: Any) -> Spec:
        event = fields_of(chunk)
        paired = event.get("method") == "messages" and is_pair(params_of(event).get("data"))
        return self.pair if paired else self.spec

    def slot(self, leaf: Leaf, event: Mapping[str, Any], path: Path) -> Slot:
        data = data_of(event)
        if event.get("method") == "tools":
            return self._tool_slot(leaf, data)
        index, message = index_in(data), self._messages.of(event, data)
        if leaf.field in ("text", "thinking", "args"):
            return message.slot(leaf.channel, leaf.field, index)
        return Slot(message.choice, leaf.channel, leaf.field, message.turn * TURN + index)

    def _tool_slot(self, leaf: Leaf, data: Mapping[str, Any]) -> Slot:
        own = str(data.get("tool_call_id"))
        if leaf.channel == "tool_args":
            slot = Slot(0, "tool_args", "tool_input", len(self._calls))
            return self._calls.setdefault(own, slot)
        if leaf.field == "tool_output":
            slot = Slot(0, "text", "tool_output", len(self._outputs))
            return self._outputs.setdefault(own, slot)
        return Slot(0, leaf.channel, leaf.field)

    def read(self, chunk: Any) -> Reading:
        """Find the text in an event."""
        event = fields_of(chunk)
        if event.get("method") in _STATES:
            reading = super().read(chunk)
            held = self._values.pieces(params_of(event).get("data"))
            return Reading([*reading.pieces, *held], ())
        data = data_of(event)
        kind = data.get("event")
        says = event.get("method", "messages") == "messages" and kind in _MESSAGE.specs
        if says and (kind == "message-start" or self._messages.find(event, data) is None):
            self._messages.begin(event, data)
        reading = super().read(chunk)
        self._values.streamed.note(reading.pieces)
        return reading

    def write(self, chunk: Any, texts: Sequence[str], *, ends: bool = True) -> Any | None:
        """Return an event with `texts` in place of its own; None if nothing is left in it."""
        event = fields_of(chunk)
        if event.get("method") not in _STATES:
            if not ends and data_of(event).get("event") == "message-finish":
                return None
            return super().write(chunk, texts, ends=ends)
        params = params_of(event)
        old = params.get("data")
        own = len(texts) - len(self._values.pieces(old))
        new = self._values.with_texts(old, texts[own:])
        written = super().write(chunk, texts[:own], ends=ends)
        if written is None or new is old:
            return written
        return {**written, "params": {**written["params"], "data": new}}

    def passed(self, chunk: Any) -> None:
        """Record the beginning or end of a block that goes out."""
        event = fields_of(chunk)
        data = data_of(event)
        if data.get("event") not in _BORDERS:
            return
        place = key_of(event, data), data["event"], index_in(data)
        for border in self._borders:
            if border.place == place:
                self._borders.remove(border)
                if data["event"] == "content-block-finish":
                    border.message.open.pop(place[2], None)
                else:
                    border.message.open[place[2]] = Block(border.slot, _block(data))
                return

    def meaning(self, chunk: Any, event: Mapping[str, Any], pieces: Sequence[Piece]) -> Reading:
        method = event.get("method", "messages")
        data = data_of(event)
        if method == "lifecycle":
            self._reports = True
            return Reading(pieces, ())
        if method == "tools":
            return self._worked(data, pieces)
        kind = data.get("event")
        if method != "messages" or kind not in _MESSAGE.specs:
            return Reading(pieces, ())
        message = self._messages.of(event, data)
        choices = (message.choice,)
        if kind in _BORDERS:
            slot = _slot_of(message, data)
            place = key_of(event, data), kind, index_in(data)
            self._borders.append(_Border(place, message, slot))
        if kind == "content-block-start":
            return self._started(message, data, pieces)
        if kind == "content-block-finish":
            return self._stopped(message, data, pieces)
        if kind in ("message-finish", "error"):
            return self._ended(message, data, pieces)
        if kind == "content-block-delta":
            channel = _CHANNELS.get(str(fields_of(data.get("delta")).get("type")))
            if channel is not None and message.next <= index_in(data):  # the block has no start
                slot = message.slot(*channel, index_in(data))
                message.open[index_in(data)] = Block(slot, _start_of(channel[0]))
                message.next = index_in(data) + 1
                message.text = slot if slot.channel == "text" else None
        return Reading(pieces, choices)

    def _started(
        self, message: Message, data: Mapping[str, Any], pieces: Sequence[Piece]
    ) -> Reading:
        slot, earlier = _slot_of(message, data), message.text
        message.next = max(message.next, index_in(data) + 1)
        if slot is not None and slot.channel == "text":
            message.text = slot
            joined = {} if earlier is None or earlier == slot else {slot: earlier}
            return Reading(pieces, (message.choice,), joined=joined)
        message.text = None
        closed = () if earlier is None else (earlier,)
        calls = self._called(message, slot, _block(data))
        return Reading(pieces, (message.choice,), closed=closed, calls=calls)

    def _stopped(
        self, message: Message, data: Mapping[str, Any], pieces: Sequence[Piece]
    ) -> Reading:
        slot = _slot_of(message, data)
        begun = index_in(data) in message.open
        message.next = max(message.next, index_in(data) + 1)
        if slot is None:
            return Reading(pieces, (message.choice,))
        calls = self._called(message, slot, _block(data))
        if slot == message.text:
            return Reading(pieces, (message.choice,), waits=slot)
        if calls and not begun:  # its arguments come at once
            return Reading(pieces, (message.choice,), calls=calls, complete=(slot,))
        return Reading(pieces, (message.choice,), closed=(slot,), calls=calls)

    def _ended(self, message: Message, data: Mapping[str, Any], pieces: Sequence[Piece]) -> Reading:
        closed = () if message.text is None else (message.text,)
        message.text = None
        self._messages.end(message)
        failed = data.get("event") == "error"
        if failed or not message.is_said:
            return Reading(pieces, (message.choice,), closed=closed, failed=failed)
        about = fields_of(data.get("metadata"))
        told = str(about.get("finish_reason") or about.get("stop_reason"))
        reason = known_reason(told) or ("tool_calls" if message.called else "stop")
        if data.get("usage") is not None:
            self._usage = data["usage"]
        finished = {message.choice: reason}
        return Reading(pieces, (message.choice,), finished, closed=closed, usage=self._usage)

    def _worked(self, data: Mapping[str, Any], pieces: Sequence[Piece]) -> Reading:
        """Read an event of a tool; the tool's end is the end of its output."""
        slot = self._outputs.get(str(data.get("tool_call_id")))
        over = data.get("event") in ("tool-finished", "tool-error")
        return Reading(pieces, (), closed=(slot,) if over and slot is not None else ())

    def _called(
        self, message: Message, slot: Slot | None, block: Mapping[str, Any]
    ) -> Mapping[Slot, Call]:
        name, own = block.get("name"), block.get("id")
        if slot is None or slot.channel != "tool_args" or slot in self._calls.values():
            return {}
        if not isinstance(name, str):
            return {}
        message.called = message.called or not str(block.get("type")).startswith("server_")
        self._calls[own if isinstance(own, str) else slot] = slot
        return {slot: Call(name, own)}

    def extra(self, chunk: Any, slot: Slot, text: str, released: Released) -> Sequence[Any]:
        """Return a delta of the slot's block; of a new block, if that one is over."""
        if slot.field == "tool_output":
            own = data_of(fields_of(chunk)).get("tool_call_id")
            data = {"event": "tool-output-delta", "tool_call_id": own, "delta": text}
            return [_made(chunk, data)]
        message = self._messages.latest(slot.choice)
        if message is None:
            raise AdapterError("langchain: there is no message to add text to")
        made: list[Any] = []
        index = slot.number % TURN
        if not message.says(slot):
            if slot.channel != "text":
                raise AdapterError(f"no open block for text of field {slot.field!r}")
            made = self._close(chunk, message, released)
            index = message.next
            start = {"type": "text", "text": ""}
            message.open[index] = Block(message.slot("text", "text", index), start, text)
            message.next += 1
            begun = {"event": "content-block-start", "index": index, "content": start}
            made.append(_made(chunk, begun))
        kind, field = _DELTAS[slot.channel]
        delta = {"index": index, "delta": {"type": kind, field: text}}
        return [*made, _made(chunk, {"event": "content-block-delta", **delta})]

    def end(
        self, chunk: Any, choice: int, reason: FinishReason, released: Released
    ) -> Sequence[Any]:
        """Return what ends the open blocks, the message, and the run of a graph that reports it."""
        message = self._messages.latest(choice)
        made = [] if message is None else self._close(chunk, message, released)
        finish = {"event": "message-finish", "metadata": {"finish_reason": reason}}
        made.append(_made(chunk, finish))
        self._messages.end(message)
        if self._reports and not self._messages:
            made.append(_made(chunk, {"event": "completed"}, "lifecycle"))
        return made

    def _close(self, chunk: Any, message: Message, released: Released) -> list[Any]:
        made = []
        for index, (slot, start, own) in message.open.items():
            content = dict(start)
            if slot is not None:
                content = _whole(slot, start, released(slot) if own is None else own)
            data = {"event": "content-block-finish", "index": index, "content": content}
            made.append(_made(chunk, data))
        message.open.clear()
        return made


_BORDERS = ("content-block-start", "content-block-finish")

_CHANNELS = {
    "text-delta": ("text", "text"),
    "reasoning-delta": ("thinking", "thinking"),
    "tool-call-delta": ("tool_args", "args"),
}


def _block(data: Mapping[str, Any]) -> Mapping[str, Any]:
    block = data.get("content") or data.get("content_block")
    return block if isinstance(block, Mapping) else {}


def _slot_of(message: Message, data: Mapping[str, Any]) -> Slot | None:
    """Return the slot of a block's text, if it has any."""
    slot = _SLOTS.get(str(_block(data).get("type")))
    return None if slot is None else message.slot(*slot, index_in(data))


def _start_of(channel: str) -> Mapping[str, Any]:
    """Return a start for a block that has none."""
    kinds = {"text": "text", "thinking": "reasoning"}
    return {"type": kinds.get(channel, "tool_call_chunk")}


def _whole(slot: Slot, start: Mapping[str, Any], text: str) -> dict[str, Any]:
    """Return the content of a block that the guard ends; a cut call must not be made."""
    if slot.channel == "tool_args":
        about = {"id": start.get("id"), "name": start.get("name")}
        return {"type": "invalid_tool_call", **about, "args": text, "error": None}
    return {**start, _DELTAS[slot.channel][1]: text}


def _made(chunk: Any, data: Mapping[str, Any], method: str | None = None) -> dict[str, Any]:
    """Return an event with other data; a graph's event has the other fields of `chunk`."""
    if "method" not in chunk:
        return dict(data)
    params = chunk["params"]
    old = params.get("data")
    if method is None and is_pair(old):
        pair = (data, old[1])
        return _event_of(chunk, list(pair) if isinstance(old, list) else pair, chunk["method"])
    return _event_of(chunk, data, method or chunk["method"])


def _event_of(chunk: Mapping[str, Any], data: Any, method: str) -> dict[str, Any]:
    about = chunk["params"]
    if method == "lifecycle":  # of the whole run
        about = {k: v for k, v in about.items() if k == "timestamp"} | {"namespace": []}
    return {"type": "event", "method": method, "params": {**about, "data": data}}
