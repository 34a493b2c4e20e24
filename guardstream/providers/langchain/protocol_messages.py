"""The open messages of LangChain's protocol (v3), and which one an event belongs to.

Several may be open at the same time: of parallel nodes of a graph, and of models that a tool asks.
They are distinguished by the graph's namespace, and by an id that not all events have.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeGuard

from guardstream.providers.adapter import Slot
from guardstream.providers.toolkit.fields import fields_of

TURN = 1000
"""Added to the number of a slot, its block's index, for each earlier message."""


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
