"""Mirascope: the chunks of a response's `chunk_stream()`.

https://mirascope.com/docs/learn/llm/streaming. Texts, thoughts and calls begin, go on and end. Only
chunks of calls have ids. No chunk ends a response.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from guardstream.events import FinishReason
from guardstream.formats.adapter import Call, Piece, Reading, Released, Slot, Unknown
from guardstream.formats.spec import (
    Leaf,
    Path,
    SpecAdapter,
    sibling,
)
from guardstream.formats.toolkit.fields import fields_of
from guardstream.formats.toolkit.files import spec_of

_PARTS = {"text": "text", "thinking": "thought", "tool_args": "tool_call"}
"""The names of a response's parts, by channel."""

_CHANNELS = {part: channel for channel, part in _PARTS.items()}


def _type(part: str, edge: str) -> str:
    """Return the type of chunks that begin ("start"), end ("end") or continue ("") a part."""
    return f"{part}_{edge}_chunk" if edge else f"{part}_chunk"


_EDGES = {_type(part, edge): (part, edge) for part in _CHANNELS for edge in ("start", "", "end")}
"""The part and the edge, by the type of chunks."""


class Mirascope(SpecAdapter):
    """The adapter for chunks, as objects or dicts. Consecutive texts are one text.

    A call that is cut does not end: only its end would show clients that it is complete.
    """

    name = "mirascope"
    spec = spec_of("mirascope")
    repeats = False
    ends_with_source = True

    def __init__(self, *, unknown: Unknown = "guard") -> None:
        super().__init__(unknown=unknown)
        self._ids: dict[Any, int] = {}  # the numbers of calls, by id
        self._run = 0  # the number of the run of texts, which a call ends
        self._open: set[str] = set()  # the parts, except calls, that are open for clients

    def slot(self, leaf: Leaf, event: Mapping[str, Any], path: Path) -> Slot:
        return self._slot(leaf.field, event)

    def _slot(self, part: str, event: Mapping[str, Any]) -> Slot:
        if part != "tool_call":
            return Slot(0, _CHANNELS[part], part, self._run)
        number = self._ids.setdefault(event.get("id"), len(self._ids))
        return Slot(0, "tool_args", part, number)

    def meaning(self, chunk: Any, event: Mapping[str, Any], pieces: Sequence[Piece]) -> Reading:
        part, edge = _edge_of(event)
        if not edge:
            return Reading(pieces, (0,))
        slot = self._slot(part, event)
        if part == "tool_call" and edge == "start":
            text = self._slot("text", event)
            self._run += 1
            calls = {slot: Call(str(event.get("name")), event.get("id"))}
            return Reading(pieces, (0,), closed=(text,), calls=calls)
        if part != "text":
            return Reading(pieces, (0,), closed=(slot,))
        if edge == "start":
            return Reading(pieces, (0,), joined={slot: slot})
        return Reading(pieces, (0,), waits=slot)

    def passed(self, chunk: Any) -> None:
        """Note which parts are open for clients."""
        part, edge = _edge_of(fields_of(chunk))
        if edge == "end":
            self._open.discard(part)
        elif part in ("text", "thought"):
            self._open.add(part)

    def takes_more(self, slot: Slot) -> bool:
        """Return whether the part of a slot is open."""
        return _PARTS[slot.channel] in self._open

    def extra(self, chunk: Any, slot: Slot, text: str, released: Released) -> Sequence[Any]:
        """Return a chunk with only `text`; in a part of its own, if that of its slot has ended."""
        part = _PARTS[slot.channel]
        if part == "tool_call":
            own = [*self._ids][slot.number]
            return [_made(chunk, part, "", id=own, delta=text)]
        said = _made(chunk, part, "", delta=text)
        if part in self._open:
            return [said]
        return [*self._ends(chunk), _made(chunk, part, "start"), said, _made(chunk, part, "end")]

    def end(
        self, chunk: Any, choice: int, reason: FinishReason, released: Released
    ) -> Sequence[Any]:
        """Return the ends of the open parts: there is no finish reason."""
        return self._ends(chunk)

    def _ends(self, chunk: Any) -> list[Any]:
        """Return the ends of the open parts, which are then closed."""
        made = [_made(chunk, part, "end") for part in sorted(self._open)]
        self._open.clear()
        return made


def _edge_of(event: Mapping[str, Any]) -> tuple[str, str]:
    """Return the part and the edge of a chunk; none for an unknown kind."""
    return _EDGES.get(str(event.get("type")), ("", ""))


def _made(chunk: Any, part: str, edge: str, **fields: Any) -> Any:
    """Return a chunk: a dict, or an object of the package, as `chunk` is."""
    kind = _type(part, edge)
    if isinstance(chunk, dict):
        return {"type": kind, "content_type": part, **fields}
    return sibling(chunk, "mirascope.llm", kind.title().replace("_", ""))(**fields)
