"""The OpenAI Agents SDK: the events of `Runner.run_streamed(...).stream_events()`.

https://openai.github.io/openai-agents-python/streaming/. Raw events contain those of the Responses
API. Items repeat streamed text or have a tool's result: their fields from the Responses API are
guarded as in that API, in the same channels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from guardstream.formats.adapter import Passes, Piece, Reading, Slot, Unknown
from guardstream.formats.openai.responses import OpenAIResponses
from guardstream.formats.toolkit.envelope import Envelope
from guardstream.formats.toolkit.fields import fields_of, replaced
from guardstream.formats.toolkit.files import spec_of
from guardstream.formats.toolkit.growing import Growing
from guardstream.formats.toolkit.streamed import Streamed

_RAW = "raw_response_event"

_ITEM = Slot(0, "text", "item")


class _Items(Growing):
    """The adapter for events that are not raw. Agents belong to the application, and pass."""

    name = "openai_agents"
    repeats = False
    spec = spec_of("openai_agents")

    def meaning(self, chunk: Any, event: Any, pieces: Any) -> Reading:
        return Reading(pieces, ())


class OpenAIAgents(Envelope):
    """The adapter for a run's events."""

    name = "openai_agents"
    marks = frozenset({"type"})

    def __init__(self, *, unknown: Unknown = "guard") -> None:
        super().__init__(OpenAIResponses(unknown=unknown), unknown=unknown)
        self._items = _Items(unknown=unknown)
        self._streamed = Streamed()

    def judge_marks(self, passes: Passes) -> None:
        """Ask `passes` about marks, in raw events and others."""
        super().judge_marks(passes)
        self._items.judge_marks(passes)

    def taken(self, chunk: Any) -> Any:
        """Return a copy of an event that announces reasoning, without its text.

        For chat completions the SDK keeps adding to that item, so it may contain text whose deltas
        have not come yet.
        """
        data = self.unwrapped(chunk) if _is_raw(chunk) else None
        event = fields_of(data)
        item = fields_of(event.get("item"))
        if event.get("type") != "response.output_item.added" or item.get("type") != "reasoning":
            return chunk
        empty: dict[str, list[Any]] = {
            name: [] for name in ("summary", "content") if isinstance(item.get(name), list)
        }
        announced = {"item": replaced(event["item"], empty)}
        return self.with_inner(chunk, replaced(data, announced))

    def read(self, chunk: Any) -> Reading:
        """Find the text in the event inside, or in an item."""
        if _is_raw(chunk):
            reading = super().read(chunk)
            self._streamed.note(reading.pieces)
            return reading
        reading = self._items.read(chunk)
        return reading._replace(pieces=[self._placed(each) for each in reading.pieces])

    def _placed(self, piece: Piece) -> Piece:
        """Return a text of an item in the slot that it repeats, or as a text of its own."""
        if piece.kind != "copy":
            return piece
        if piece.slot.channel == "text":
            return piece._replace(slot=_ITEM, kind="whole")
        return self._streamed.placed(piece)

    def write(self, chunk: Any, texts: Sequence[str], *, ends: bool = True) -> Any | None:
        """Return `chunk` with `texts` in place of its own; None if nothing is left in it."""
        if _is_raw(chunk):
            return super().write(chunk, texts, ends=ends)
        return self._items.write(chunk, texts, ends=ends)

    def without_unknown(self, chunk: Any) -> Any:
        """Return `chunk` without text at paths that the format does not know."""
        if _is_raw(chunk):
            return super().without_unknown(chunk)
        return self._items.without_unknown(chunk)

    def passed(self, chunk: Any) -> None:
        """Remember the released text of each item."""
        if _is_raw(chunk):
            super().passed(chunk)


def _is_raw(chunk: Any) -> bool:
    return fields_of(chunk).get("type") == _RAW
