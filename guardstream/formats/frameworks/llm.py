"""LLM, the library and command of Simon Willison: the events of a response's `stream_events()`.

https://llm.datasette.io/en/stable/python-api.html. An event says what kind of text its `chunk` is:
the answer, thinking, the name or the arguments of a call, or a tool's result.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from guardstream.formats.adapter import Call, Piece, Reading, Released, Slot, Unknown
from guardstream.formats.spec import (
    Leaf,
    Path,
    SpecAdapter,
)
from guardstream.formats.toolkit.fields import replaced
from guardstream.formats.toolkit.files import spec_of
from guardstream.formats.toolkit.runs import Runs

_KINDS = {"text": "text", "thinking": "reasoning", "tool_args": "tool_call_args"}
"""The types of events, by channel."""


class LLM(SpecAdapter):
    """The adapter for events, as objects or dicts; only the end of the stream ends the last one."""

    name = "llm"
    spec = spec_of("llm")
    repeats = False
    ends_with_source = True

    def __init__(self, *, unknown: Unknown = "guard") -> None:
        super().__init__(unknown=unknown)
        self._runs = Runs(("tool_result",))
        self._message: Any = None  # the message of the last text
        self._open: dict[Any, Slot] = {}  # the arguments of calls, by their ids or numbers
        self._ids: dict[Slot, Any] = {}  # of all calls: later parts may leave them out
        self._latest: Any = None  # the id or number of the last call
        self._ended: list[Slot] = []
        self._calls = 0

    def slot(self, leaf: Leaf, event: Mapping[str, Any], path: Path) -> Slot:
        if leaf.channel != "tool_args":
            return Slot(0, leaf.channel, leaf.field)
        return self._call(event)

    def _call(self, event: Mapping[str, Any]) -> Slot:
        """Return the slot of an open call's arguments, or of a new call's.

        If providers leave out the id, a name begins a call, and arguments belong to the last call.
        """
        own = event.get("tool_call_id")
        if own is None:
            goes_on = event["type"] != "tool_call_name" and self._latest in self._open
            own = self._latest if goes_on else self._calls
        if own != self._latest and isinstance(self._latest, int) and self._latest in self._open:
            self._ended.append(self._open.pop(self._latest))
        if own not in self._open:
            slot = self._open[own] = Slot(0, "tool_args", "arguments", self._calls)
            self._ids[slot] = event.get("tool_call_id")
            self._calls += 1
        self._latest = own
        return self._open[own]

    def meaning(self, chunk: Any, event: Mapping[str, Any], pieces: Sequence[Piece]) -> Reading:
        kind, own, message = event["type"], event.get("tool_call_id"), event.get("message_index")
        calls: dict[Slot, Call] = {}
        over: list[Slot] = []
        if kind == "tool_call_name":
            calls[self._call(event)] = Call(str(event.get("chunk") or ""), own)
            self._runs.stop(0, self._message)
        elif kind == "tool_result":
            ended = self._latest if own is None else own
            over += [self._open.pop(ended)] if ended in self._open else []
        elif kind == "text" and event.get("chunk"):
            over += self._open.values()
            self._open.clear()
            if message != self._message:
                self._runs.stop(0, self._message)
            self._message = message
        over += self._ended
        self._ended = []
        found, closed, complete = self._runs.number(pieces, self._message)
        return Reading(found, (0,), closed=[*over, *closed], calls=calls, complete=complete)

    def extra(self, chunk: Any, slot: Slot, text: str, released: Released) -> Sequence[Any]:
        """Return an event like the last that had such text, with only `text`."""
        fields = {"type": _KINDS[slot.channel], "chunk": text, "provider_metadata": None}
        if slot.channel != "tool_args":
            fields["tool_name"] = None
        return [replaced(chunk, {**fields, "tool_call_id": self._ids.get(slot)})]
