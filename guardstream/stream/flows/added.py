"""The chunks that the guard adds to a stream: for held text, a block's message, and ends."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Generic, TypeVar

from guardstream.errors import AdapterError
from guardstream.events import FinishReason
from guardstream.providers.adapter import Adapter, Slot
from guardstream.providers.hooks import Hooks
from guardstream.stream.flows.flow import Part, Sent, following
from guardstream.stream.flows.slots import Lanes

C = TypeVar("C")


class Added(Generic[C]):
    """Builds such chunks with the adapter, modelled on a chunk of the source without its unknown
    text."""

    def __init__(self, adapter: Adapter[C], hooks: Hooks[C], lanes: Lanes) -> None:
        self._adapter = adapter
        self._lanes = lanes
        judges_keys = hooks.steady and hooks.judge_keys is not None
        self._takes_more = hooks.takes_more
        self._bare: Callable[[C], C] = hooks.without_unknown if judges_keys else _itself

    def chunks(self, chunk: C, slot: Slot, text: str) -> Sequence[C]:
        """Return chunks like `chunk` that carry only a text."""
        return self._adapter.extra(self._bare(chunk), slot, text, self._lanes.released)

    def text(self, chunk: C, slot: Slot, text: str) -> list[Sent[C]]:
        """Return those chunks as `Sent`; the text is counted with the first of them."""
        sent: list[Sent[C]] = [Sent(each) for each in self.chunks(chunk, slot, text)]
        if sent:
            first = sent[0]
            first.characters, first.name = len(text), slot.name
            if slot.is_answer:
                first.text = text
            else:
                first.parts = (Part(slot, text),)
        return sent

    def end(self, chunk: C, choice: int, reason: FinishReason) -> list[Sent[C]]:
        """Return the chunks that end a choice."""
        ends = self._adapter.end(self._bare(chunk), choice, reason, self._lanes.released)
        return [Sent(each) for each in ends]

    def messages(self, message: str, choices: Mapping[int, C]) -> list[Sent[C]]:
        """Return the chunks that carry a block's message, one for each open choice."""
        last_text = {
            track.slot.choice: track
            for track in self._lanes.tracks()
            if track.slot.channel == "text"
        }
        sent: list[Sent[C]] = []
        for choice, chunk in choices.items():
            track = last_text.get(choice)
            slot, last = Slot(choice, "text", "content"), chunk
            text = message
            if track is not None and (self._takes_more is None or self._takes_more(track.slot)):
                slot, last = track.slot, track.chunk
                text = following(track.last_released, message)
            self._lanes.note_added(slot, text)
            with suppress(AdapterError, LookupError):  # the format may have no place for it
                sent += self.text(last, slot, text)
        return sent


def _itself(chunk: Any) -> Any:
    return chunk
