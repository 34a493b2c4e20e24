"""LiveKit Agents: the `ChatChunk`s of a model's stream, as an agent's `llm_node` yields them.

https://docs.livekit.io/agents/build/nodes/#llm-node. What is released is spoken. A call comes whole
in one chunk.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from guardstream.providers.adapter import Call, Piece, Reading, Released, Slot, Unknown
from guardstream.providers.spec import (
    Leaf,
    Path,
    SpecAdapter,
    sibling,
)
from guardstream.providers.toolkit.fields import fields_of, replaced
from guardstream.providers.toolkit.files import spec_of
from guardstream.providers.toolkit.runs import Runs


class LiveKit(SpecAdapter):
    """The adapter for chunks; only the end of the stream ends a response."""

    name = "livekit"
    spec = spec_of("livekit")
    repeats = False
    ends_with_source = True

    def __init__(self, *, unknown: Unknown = "guard") -> None:
        super().__init__(unknown=unknown)
        self._runs = Runs()
        self._calls = 0  # in the chunks before

    def slot(self, leaf: Leaf, event: Mapping[str, Any], path: Path) -> Slot:
        place = path[0] if leaf.channel == "tool_args" else 0
        return Slot(0, leaf.channel, leaf.field, self._calls + place if path else 0)

    def meaning(self, chunk: Any, event: Mapping[str, Any], pieces: Sequence[Piece]) -> Reading:
        told = fields_of(event.get("delta")).get("tool_calls") or ()
        calls: dict[Slot, Call] = {}
        for number, call in enumerate(map(fields_of, told), self._calls):
            slot = Slot(0, "tool_args", "arguments", number)
            calls[slot] = Call(str(call.get("name")), call.get("call_id"))
        found, closed, complete = self._runs.number(pieces)
        self._calls += len(calls)
        return Reading(
            found,
            (0,),
            closed=closed,
            calls=calls,
            usage=event.get("usage"),
            complete=[*complete, *calls],
        )

    def extra(self, chunk: Any, slot: Slot, text: str, released: Released) -> Sequence[Any]:
        """Return a chunk with only `text`."""
        delta = fields_of(chunk)["delta"]
        if delta is None:
            delta = sibling(chunk, type(chunk).__module__, "ChoiceDelta")()
        told = replaced(delta, {"content": text, "tool_calls": [], "extra": None})
        return [replaced(chunk, {"delta": told, "usage": None})]
