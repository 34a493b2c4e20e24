"""LlamaIndex: the streams of its models (`ChatResponse`, `CompletionResponse`) and of its agents.

https://developers.llamaindex.ai/python/framework/module_guides/models/llms/. Each chunk has its new
text in `delta`, and the whole message so far.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from typing import Any

from guardstream.formats.adapter import Call, Piece, Reading, Slot, Unknown
from guardstream.formats.spec import (
    Leaf,
    Path,
    Spec,
)
from guardstream.formats.toolkit.fields import fields_of, replaced
from guardstream.formats.toolkit.files import spec_of
from guardstream.formats.toolkit.growing import Growing

_ARGUMENTS = Leaf("grown", "tool_args", "arguments")
_KWARGS = Leaf("grown", "tool_args", "tool_kwargs")
_SELECTION = Leaf("whole", "tool_args", "selection")


_EVENT: Spec = spec_of("llama_index", "event")
"""The other events of an agent's run: messages and calls of tools, as a whole."""


class LlamaIndex(Growing):
    """The adapter for responses of chat and text models, and for the events of agents' runs."""

    name = "llama_index"
    spec = spec_of("llama_index", "chunk")

    def __init__(self, *, unknown: Unknown = "guard", incremental: bool | None = None) -> None:
        super().__init__(unknown=unknown, incremental=incremental)
        self._slots: dict[Any, Slot] = {}  # of calls, by id, or else by place
        self._called: dict[Slot, Call] = {}
        self._numbers: dict[tuple[int, str | None], int] = {}  # of calls, by place and id

    def spec_of(self, chunk: Any) -> Spec:
        return self.spec if _streams(fields_of(chunk)) else _EVENT

    def parts(self, event: Mapping[str, Any]) -> bool:
        return not _streams(event)

    def taken(self, chunk: Any) -> Any:
        """Return a copy of a chunk with calls: its creator keeps adding to them."""
        fields = fields_of(chunk)
        if isinstance(fields.get("tool_calls"), list) and not _streams(fields):
            return replaced(chunk, {"tool_calls": [*fields["tool_calls"]]})
        more = fields_of(fields.get("message")).get("additional_kwargs")
        calls = fields_of(more).get("tool_calls")
        if not isinstance(calls, list) or all(isinstance(call, dict) for call in calls):
            return chunk
        message = replaced(fields["message"], {"additional_kwargs": deepcopy(more)})
        raw = {"raw": deepcopy(fields["raw"])} if fields.get("raw") is not None else {}
        return replaced(chunk, {"message": message, **raw})

    def number(self, leaf: Leaf, event: Mapping[str, Any], path: Path) -> int:
        """Return the number of a call; later another call may have the same place."""
        if leaf.channel != "tool_args" or not path:
            return 0
        told = (call.id for place, kind, call in _calls(event) if (place, kind) == (path[-1], leaf))
        return self._numbers.setdefault((path[-1], next(told, None)), len(self._numbers))

    def usage(self, event: Mapping[str, Any]) -> Any:
        return fields_of(event.get("raw")).get("usage")

    def meaning(self, chunk: Any, event: Mapping[str, Any], pieces: Sequence[Piece]) -> Reading:
        """Return the meaning of a response, which repeats each call many times, also in other
        fields."""
        reading = super().meaning(chunk, event, pieces)
        if not _streams(event):
            return self._requested(event, reading)
        calls: dict[Slot, Call] = {}
        for place, leaf, call in _calls(event):
            slot = self._slots.setdefault(call.id or place, self.slot(leaf, event, (place,)))
            before = self._called.setdefault(slot, call)
            if before.name == call.name or call.id not in (None, before.id):
                calls[slot] = self._called[slot] = call
        return reading._replace(calls=calls) if calls else reading

    def _requested(self, event: Mapping[str, Any], reading: Reading) -> Reading:
        """Return the meaning of an agent's output: its new calls, and repeated ones."""
        calls: dict[Slot, Call] = {}
        known: dict[Slot, Slot] = {}
        for place, leaf, call in _calls(event):
            here = self.slot(leaf, event, (place,))
            known[here] = self._slots.setdefault(call.id or here, here)
            if known[here] not in self._called:
                calls[here] = self._called[here] = call
        pieces = [
            piece._replace(
                slot=known[piece.slot], kind=piece.kind if piece.slot in calls else "copy"
            )
            if piece.slot in known
            else piece
            for piece in reading.pieces
        ]
        return reading._replace(pieces=pieces, calls=calls, complete=[*calls])


def _streams(event: Mapping[str, Any]) -> bool:
    """Return whether an event is part of a stream; a response without a delta may be one, too."""
    return "delta" in event or "message" in event or "text" in event


def _calls(event: Mapping[str, Any]) -> Iterator[tuple[int, Leaf, Call]]:
    """Yield the calls in a response that have a name: their places, and their arguments."""
    message = fields_of(event.get("message"))
    more = fields_of(message.get("additional_kwargs") or event.get("additional_kwargs"))
    chosen = None if _streams(event) else event.get("tool_calls")
    lists = (more.get("tool_calls"), message.get("blocks"), chosen)
    for listed in lists:
        for place, told in enumerate(listed if isinstance(listed, (list, tuple)) else ()):
            call = fields_of(told)
            function = fields_of(call.get("function"))
            name = call.get("tool_name") or function.get("name")
            own = call.get("tool_call_id") or call.get("tool_id") or call.get("id")
            if isinstance(name, str) and name:
                grown = _KWARGS if isinstance(call.get("tool_kwargs"), str) else _SELECTION
                yield place, _ARGUMENTS if function else grown, Call(name, own or None)
