"""LangGraph's streams: the chunks of `stream` and `astream` in any mode, with or without its name.

https://docs.langchain.com/oss/python/langgraph/streaming. With several modes a chunk is `(mode,
data)`, with subgraphs `(namespace, data)` or `(namespace, mode, data)`, and in version 2 an object
with `type`, `ns` and `data`. Its server sends events over HTTP that are named after their mode:
https://docs.langchain.com/langsmith/streaming.

Messages stream; states and updates repeat them, or alone have them. What nodes write themselves
(`custom`) is guarded by its path.

The server repeats messages whole in its mode `messages`: their new text is guarded, and their text
is replaced by all that was released.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, NamedTuple

from guardstream.events import FinishReason
from guardstream.formats.adapter import Passes, Piece, Reading, Released, Slot, Unknown
from guardstream.formats.detection.shapes import (
    GROWING_MODES,
    MESSAGE_MODES,
    MODES,
    STATE_MODES,
    VERSION_2,
    event_mode,
    holds_message,
    is_message,
    is_message_pair,
)
from guardstream.formats.generic.any_json import AnyJSON
from guardstream.formats.langchain.chunks import LangChain
from guardstream.formats.langchain.values import Values, ids_within
from guardstream.formats.toolkit.fields import fields_of
from guardstream.formats.toolkit.marks import is_mark

_MODELS = ("ai", "AIMessageChunk")


class GrowingMessages:
    """Reads and writes events whose data is a list of messages so far, distinguished by their ids.

    This is for a message's text; everything else in it is guarded as in a state, each time.
    """

    def __init__(self, values: Values) -> None:
        self._values = values
        self._said: dict[Hashable, str] = {}
        self._numbers: dict[Hashable, int] = {}
        self._read: tuple[Any, Sequence[tuple[Sequence[Piece], Sequence[Piece]]]] = (None, ())

    def read(self, chunk: Mapping[str, Any], *, over: bool) -> Reading:
        """Find the text in an event; `over` tells that its messages are complete."""
        data = chunk["data"]
        told = [(self._told(message), self._rest(message)) for message in _listed(data)]
        self._read = (chunk, told)
        pieces = [piece for own, rest in told for piece in (*own, *rest)]
        self._values.streamed.note(piece for own, _ in told for piece in own)
        for own, _ in told:
            for slot, text, kind in own:
                if kind == "copy":
                    self._said[slot.number] = text
        closed = {own[-1].slot: None for own, _ in told if own} if over else {}
        return Reading(pieces, (0,), complete=tuple(closed))

    def write(self, chunk: Mapping[str, Any], texts: Sequence[str]) -> Any | None:
        """Return an event with `texts`; None if nothing new is left in it."""
        rest = iter(texts)
        made, new = [], False
        for message, (own, others) in zip(_listed(chunk["data"]), self._read[1], strict=True):
            said = [next(rest) for _ in own]
            new = new or not own or any(said[:-1])
            held = {**message, "content": said[-1]} if own else message
            written = self._values.with_texts(
                {**held, "content": ""} if own else held, [next(rest) for _ in others]
            )
            made.append({**written, "content": said[-1]} if own else written)
        if not new:
            return None
        return {**chunk, "data": made if isinstance(chunk["data"], list) else made[0]}

    def extra(self, chunk: Mapping[str, Any], slot: Slot, released: Released) -> Sequence[Any]:
        """Return an event with all that was released of a message."""
        for message in _listed(chunk["data"]):
            if is_message(message) and self._numbers.get(message.get("id")) == slot.number:
                return [{**chunk, "data": [{**message, "content": released(slot)}]}]
        return []

    def _told(self, message: Any) -> Sequence[Piece]:
        """Return the new text of a message, and a copy of all its text; nothing for other
        messages."""
        if not is_message(message) or message["type"] not in _MODELS:
            return ()
        text = message["content"]
        if not isinstance(text, str) or not text:
            return ()
        number = self._numbers.setdefault(message.get("id"), len(self._numbers))
        said = self._said.get(number, "")
        if not text.startswith(said):  # it begins again
            number = self._numbers[message.get("id")] = len(self._numbers) + len(self._said)
            said = ""
        slot, new = Slot(0, "text", "content", number), text[len(said) :]
        return [*([Piece(slot, new)] if new else ()), Piece(slot, text, "copy")]

    def _rest(self, message: Any) -> Sequence[Piece]:
        """Return the texts of a message beside its own."""
        own = is_message(message) and message["type"] in _MODELS
        text = isinstance(message, dict) and isinstance(message.get("content"), str)
        return self._values.pieces({**message, "content": ""} if own and text else message)


def _listed(data: Any) -> Sequence[Any]:
    return data if isinstance(data, list) else [data]


class _Parts(NamedTuple):
    """A chunk's mode and data, and the steps that lead to the data."""

    mode: str
    data: Any
    steps: tuple[Any, ...]


class LangGraph:
    """The adapter for a graph's chunks."""

    name = "langgraph"
    repeats = True

    def __init__(self, *, unknown: Unknown = "guard") -> None:
        self._messages = LangChain(unknown=unknown)
        self._values = Values(answers=True)
        self._custom = AnyJSON(unknown=unknown)

    def judge_marks(self, passes: Passes) -> None:
        """Ask `passes` about marks, in messages and in what nodes write."""
        self._messages.judge_marks(passes)
        self._custom.judge_marks(passes)
        self._values.judge_marks(passes)

    def parts(self, chunk: Any) -> _Parts:
        """Return a chunk's mode and data."""
        if isinstance(chunk, dict) and chunk.keys() >= VERSION_2:
            return _Parts(chunk["type"], chunk["data"], ("data",))
        steps: tuple[Any, ...] = ()
        mode, data = "", chunk
        if isinstance(chunk, tuple) and not holds_message(chunk):
            if not all(map(_is_name, chunk[:-1])):
                return _Parts("custom", chunk, ())
            steps, data = (len(chunk) - 1,), chunk[-1]
            mode = next((each for each in chunk[:-1] if isinstance(each, str)), "")
        if not mode:
            mode = "messages" if holds_message(data) else "values"
            if not isinstance(data, dict) and mode == "values":
                mode = "custom"
        return _Parts(mode, data, steps)

    def read(self, chunk: Any) -> Reading:
        """Find the text in a chunk, and in the fields beside its data."""
        reading = self._read_data(chunk)
        others = _others(chunk)
        if not others:
            return reading
        return reading._replace(pieces=[*reading.pieces, *self._values.pieces(others)])

    def _read_data(self, chunk: Any) -> Reading:
        mode, data, _ = self.parts(chunk)
        if mode in MESSAGE_MODES:
            reading = self._messages.read(data)
            self._values.streamed.note(reading.pieces)
            return reading
        if mode in STATE_MODES:
            # A message in a state is complete, even if its model has streamed no end.
            ended = ids_within(data) if self._messages.open_messages else ()
            return Reading(self._values.pieces(data), (), closed=self._messages.over(ended))
        return self._custom.added(Reading((), ()), _held(data))

    def write(self, chunk: Any, texts: Sequence[str], *, ends: bool = True) -> Any | None:
        """Return a chunk with `texts`; None if nothing is left in it."""
        others = _others(chunk)
        if not others:
            return self._write_data(chunk, texts, ends=ends)
        count = len(texts) - len(self._values.pieces(others))
        written = self._write_data(chunk, texts[:count], ends=ends)
        if written is None:
            return None
        kept = {name: value for name, value in written.items() if name not in others}
        return {**kept, **self._values.with_texts(others, texts[count:])}

    def _write_data(self, chunk: Any, texts: Sequence[str], *, ends: bool) -> Any | None:
        mode, data, _ = self.parts(chunk)
        if mode in MESSAGE_MODES:
            written = self._messages.write(data, texts, ends=ends)
        elif mode in STATE_MODES:
            written = self._values.with_texts(data, texts)
        elif not texts:
            written = data
        else:
            held = self._custom.write(_held(data), texts, ends=ends)
            written = held if held is None or isinstance(data, dict) else held["data"]
        if written is data:
            return chunk
        return None if written is None else self._with(chunk, written)

    def without_unknown(self, chunk: Any) -> Any:
        """Return a chunk without unknown text."""
        mode, data, _ = self.parts(chunk)
        if mode not in MESSAGE_MODES:
            return chunk
        return self._with(chunk, self._messages.without_unknown(data))

    def extra(self, chunk: Any, slot: Slot, text: str, released: Released) -> Sequence[Any]:
        """Return a chunk whose message has only `text`."""
        mode, data, _ = self.parts(chunk)
        if mode not in MESSAGE_MODES:
            return []
        made = self._messages.extra(data, slot, text, released)
        return [self._with(chunk, each) for each in made]

    def end(
        self, chunk: Any, choice: int, reason: FinishReason, released: Released
    ) -> Sequence[Any]:
        """Return chunks that end the message of `chunk`, if it has one."""
        mode, data, _ = self.parts(chunk)
        if mode not in MESSAGE_MODES:
            return []
        made = self._messages.end(data, choice, reason, released)
        return [self._with(chunk, each) for each in made]

    def _with(self, chunk: Any, data: Any) -> Any:
        steps = self.parts(chunk).steps
        if not steps:
            return data
        if isinstance(chunk, dict):
            return {**chunk, steps[0]: data}
        return (*chunk[:-1], data)


class LangGraphEvents(LangGraph):
    """The adapter for the events of LangGraph's server: `{"event": name, "data": …}`.

    Each event `messages/partial` has all of a message so far.
    """

    name = "langgraph_events"
    by_event = True

    def __init__(self, *, unknown: Unknown = "guard") -> None:
        super().__init__(unknown=unknown)
        self._growing = GrowingMessages(self._values)

    def parts(self, chunk: Any) -> _Parts:
        """Return an event's mode and data."""
        mode, data = event_mode(chunk), chunk.get("data")
        if mode not in MODES or (mode in MESSAGE_MODES and not is_message_pair(data)):
            mode = "custom"
        return _Parts(mode, data, ("data",))

    def read(self, chunk: Any) -> Reading:
        """Find the text in an event, and in the fields beside it."""
        reading = self._read(chunk)
        beside = _beside(chunk)
        return self._custom.added(reading, beside) if beside else reading

    def _read(self, chunk: Any) -> Reading:
        event = event_mode(chunk)
        if event == "metadata":
            return Reading((), ())
        if event in GROWING_MODES:
            return self._growing.read(chunk, over=event == "messages/complete")
        reading = super().read(chunk)._replace(failed=event == "error")
        if event == "end":
            return reading._replace(closed=self._messages.over([*self._messages.open_messages]))
        return reading

    def write(self, chunk: Any, texts: Sequence[str], *, ends: bool = True) -> Any | None:
        """Return an event with `texts`; None if nothing is left in it."""
        beside = _beside(chunk)
        count = len(texts) - (len(self._custom.pieces(beside, beside)) if beside else 0)
        written = self._written(chunk, texts[:count], ends=ends)
        if written is None or not beside:
            return written
        return _with_beside(written, self._custom.write(beside, texts[count:]) or {})

    def _written(self, chunk: Any, texts: Sequence[str], *, ends: bool) -> Any | None:
        event = event_mode(chunk)
        if event == "metadata":
            return chunk
        if event in GROWING_MODES:
            return self._growing.write(chunk, texts)
        return super().write(chunk, texts, ends=ends)

    def without_unknown(self, chunk: Any) -> Any:
        """Return an event without unknown text."""
        return super().without_unknown(_with_beside(chunk, {}))

    def extra(self, chunk: Any, slot: Slot, text: str, released: Released) -> Sequence[Any]:
        """Return an event whose message has only `text`, or all of its text so far."""
        if event_mode(chunk) in GROWING_MODES:
            return self._growing.extra(chunk, slot, released)
        return super().extra(chunk, slot, text, released)


_RUN = frozenset({"run_id", "thread_id", "attempt", "assistant_id", "graph_id"})


_EVENTS = MODES | {*GROWING_MODES, "messages/metadata", "metadata", "error", "end", "feedback"}
"""The names of the server's events: https://docs.langchain.com/langsmith/streaming."""


def _is_mark(value: Any) -> bool:
    return not isinstance(value, str) or is_mark(value)


def _is_run(name: str, value: Any) -> bool:
    return name in _RUN and _is_mark(value)


def _is_name(value: Any) -> bool:
    """Return whether `value` is a mode or a namespace, as before a chunk's data."""
    if isinstance(value, tuple):
        return all(isinstance(each, str) for each in value)
    return isinstance(value, str) and value in MODES


def _others(chunk: Any) -> Mapping[str, Any]:
    """Return the other fields of a chunk of version 2, such as `interrupts`."""
    if not isinstance(chunk, dict) or not chunk.keys() >= VERSION_2:
        return {}
    return {name: value for name, value in chunk.items() if name not in VERSION_2 and value}


def _beside(chunk: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return an event's fields beside messages and states; in metadata, only the unknown ones."""
    data: Any = chunk.get("data")
    found = {name: value for name, value in chunk.items() if name not in ("event", "data")}
    if event_mode(chunk) not in _EVENTS and not _is_mark(chunk.get("event")):
        found["event"] = chunk.get("event")
    if event_mode(chunk) == "metadata":
        about = data if isinstance(data, dict) else {"data": data}
        found["data"] = {name: value for name, value in about.items() if not _is_run(name, value)}
    elif event_mode(chunk) in MESSAGE_MODES and is_message_pair(data):
        found["data"] = data[1]
    return {name: value for name, value in found.items() if value}


def _with_beside(chunk: Mapping[str, Any], beside: Mapping[str, Any]) -> dict[str, Any]:
    """Return an event with other fields beside its messages and states."""
    data: Any = chunk.get("data")
    if event_mode(chunk) == "metadata":
        run = data if isinstance(data, dict) else {}
        kept = {name: value for name, value in run.items() if _is_run(name, value)}
        data = {**kept, **fields_of(beside.get("data"))}
    elif event_mode(chunk) in MESSAGE_MODES and is_message_pair(data):
        data = [data[0], beside.get("data", {})]
    others = {name: value for name, value in beside.items() if name != "data"}
    return {"event": chunk.get("event"), "data": data, **others}


def _held(data: Any) -> Mapping[str, Any]:
    return data if isinstance(data, dict) else {"data": data}
