"""Runs of several agents in one stream: each has an adapter of its own, and slots of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from guardstream.events import FinishReason
from guardstream.formats.adapter import Adapter, Call, Reading, Released, Slot
from guardstream.formats.hooks import hooks_of

_TURN = 1_000_000
"""Added to the number of a slot for each earlier run in its choice."""

_BESIDE = frozenset({"unknown", "name", "mark", "aside"})
"""Kinds of pieces that are identified by their paths."""


@dataclass(slots=True, eq=False)
class Nested:
    """One run: its adapter, its choice in the stream, and the number of earlier runs in that
    choice."""

    adapter: Adapter[Any]
    choice: int = 0
    turn: int = 0

    def here(self, slot: Slot) -> Slot:
        """Return the stream's slot for a slot of the run."""
        number = slot.number + self.turn * _TURN
        return slot._replace(choice=self.choice, number=number)

    def _own(self, slot: Slot) -> Slot:
        return slot._replace(choice=0, number=slot.number - self.turn * _TURN)

    def read(self, chunk: Any) -> Reading:
        """Find the text in a chunk of the run."""
        reading = self.adapter.read(chunk)
        if not (self.choice or self.turn):
            return reading
        here = self.here
        calls: dict[Slot, Call] = {here(slot): call for slot, call in reading.calls.items()}
        reasons = reading.finished.values()
        finished: dict[int, FinishReason] = dict(zip((self.choice,), reasons, strict=False))
        return reading._replace(
            pieces=[
                piece if piece.kind in _BESIDE else piece._replace(slot=here(piece.slot))
                for piece in reading.pieces
            ],
            choices=(self.choice,) if reading.choices else (),
            finished=finished,
            closed=[here(slot) for slot in reading.closed],
            joined={here(slot): here(earlier) for slot, earlier in reading.joined.items()},
            waits=None if reading.waits is None else here(reading.waits),
            calls=calls,
            complete=[here(slot) for slot in reading.complete],
        )

    def write(self, chunk: Any, texts: Sequence[str], *, ends: bool = True) -> Any | None:
        """Return a chunk with `texts`; None if nothing is left in it."""
        return self.adapter.write(chunk, texts, ends=ends)

    def without_unknown(self, chunk: Any) -> Any:
        """Return a chunk without unknown text."""
        return hooks_of(self.adapter).without_unknown(chunk)

    def passed(self, chunk: Any) -> None:
        """Tell the adapter what went out."""
        passed = getattr(self.adapter, "passed", None)  # asked for each chunk
        if passed is not None:
            passed(chunk)

    def extra(self, chunk: Any, slot: Slot, text: str, released: Released) -> Sequence[Any]:
        """Return chunks of the run with only `text`."""
        return self.adapter.extra(chunk, self._own(slot), text, self._said(released))

    def end(self, chunk: Any, reason: FinishReason, released: Released) -> Sequence[Any]:
        """Return the chunks that end the run."""
        return self.adapter.end(chunk, 0, reason, self._said(released))

    def _said(self, released: Released) -> Released:
        return lambda slot: released(self.here(slot))


def within(chunk: Any, steps: Sequence[str]) -> Any:
    """Return the value in a dict at some steps."""
    for step in steps:
        chunk = chunk[step]
    return chunk


def with_inner(chunk: Mapping[str, Any], steps: Sequence[str], inner: Any) -> Any:
    """Return a dict with another value at some steps."""
    if not steps:
        return inner
    first, *rest = steps
    return {**chunk, first: with_inner(chunk[first], rest, inner)}
