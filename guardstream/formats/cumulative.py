"""Formats without code whose events have all of the text so far, by what a description says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from guardstream.events import FinishReason
from guardstream.formats.adapter import Call, Piece, Reading, Released, Slot
from guardstream.formats.meaning import Meaning, describe
from guardstream.formats.toolkit.fields import fields_of
from guardstream.formats.toolkit.growing import Growing
from guardstream.formats.toolkit.nodes import (
    Leaf,
    Path,
)
from guardstream.formats.toolkit.places import (
    with_value,
)


class CumulativeFormat(Growing):
    """The adapter for a format that is described, whose events have all of the text so far."""

    means: ClassVar[Meaning]
    words: ClassVar[Mapping[str, Any]] = {}

    def __init_subclass__(cls, *, of: str = "", **options: Any) -> None:
        """Find out what the description of a format means."""
        super().__init_subclass__(**options)
        if of:
            describe(cls, of)
        cls.means = Meaning(cls.spec)

    def choice(self, event: Mapping[str, Any], path: Path) -> int:
        return self.means.choice_of(event, path)

    def number(self, leaf: Leaf, event: Mapping[str, Any], path: Path) -> int:
        """Return the number of a call; what repeats calls, in another section, has none."""
        tells = leaf.channel == "tool_args" and self.spec_of(event) is self.spec
        return self.means.number_of_call(event, path) if tells else 0

    def called(self, event: Mapping[str, Any]) -> Mapping[int, Call]:
        if self.spec_of(event) is not self.spec:
            return {}
        return {
            self.means.number_of_call(event, path): Call(str(said["name"]), said.get("id") or None)
            for path, said in self.means.calls_in(event)
        }

    def meaning(self, chunk: Any, event: Mapping[str, Any], pieces: Sequence[Piece]) -> Reading:
        """Return what an event says; one with an error has failed."""
        failed = any(piece.slot.field == "error" for piece in pieces)
        reading = super().meaning(chunk, event, pieces)
        return reading._replace(failed=True) if failed else reading

    def extra(self, chunk: Any, slot: Slot, text: str, released: Released) -> Sequence[Any]:
        """Return an event like the last that had such text, with its choice alone."""
        return super().extra(self.means.alone(chunk, slot.choice), slot, text, released)

    def end(
        self, chunk: Any, choice: int, reason: FinishReason, released: Released
    ) -> Sequence[Any]:
        """Return an event like the last that had text, with a finish reason."""
        if not self.means.ends:
            return ()
        chunk = self.means.alone(chunk, choice)
        steps = self.means.end_at(fields_of(chunk))
        slot = self.slot(Leaf("grown"), {}, ())._replace(choice=choice)
        made = self.extra(chunk, slot, "", released) or [self.said_so_far(chunk, released)]
        word = self.words.get(reason, self.words.get("", reason))
        return [with_value(made[-1], steps, word)]
