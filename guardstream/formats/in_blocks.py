"""Formats whose answers come in numbered blocks, one after another; a file describes their events.

- A block begins with an event that `opens` it, with a call's name, or with its first text; `closes`
  ends it. Consecutive texts are one text, because citations cut an answer into blocks.
- `writes` has the events that the guard adds: the next piece of each text (by its field), what
  begins a text, what closes a block, and the end.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from guardstream.events import FinishReason
from guardstream.formats.adapter import Call, Piece, Reading, Released, Slot, Unknown
from guardstream.formats.meaning import Meaning, describe, leads
from guardstream.formats.spec import Leaf, Path, SpecAdapter
from guardstream.formats.toolkit.files import described
from guardstream.formats.toolkit.places import Steps, said_of, value_at, values_at
from guardstream.formats.toolkit.reasons import reason_of
from guardstream.formats.toolkit.written import Missing, filled


class InBlocks(SpecAdapter):
    """The base of such formats; one stream is one message."""

    repeats = False
    steady = True
    means: ClassVar[Meaning]
    writes: ClassVar[Mapping[str, Any]]
    reasons: ClassVar[Mapping[str, FinishReason]]
    words: ClassVar[Mapping[str, Any]]

    def __init_subclass__(cls, *, of: str = "", **options: Any) -> None:
        """Take the description of a format from its file."""
        super().__init_subclass__(**options)
        if of:
            describe(cls, of)
            cls.means, cls.writes = Meaning(cls.spec), described(of).content["writes"]

    def __init__(self, *, unknown: Unknown = "guard") -> None:
        super().__init__(unknown=unknown)
        self._index = -1
        self._open: Slot | None = None
        self._text: Slot | None = None  # the last block, if it was text
        self._loose: dict[Slot, None] = {}  # texts of no block

    def number(self, event: Mapping[str, Any]) -> int:
        """Return the number of the block that an event belongs to."""
        told = (value_at(event, steps) for steps in self.means.by)
        return next((each for each in told if type(each) is int), 0)

    def place(self, number: int) -> int | type[Missing]:
        """Return what an event says of its block; Missing if it does not name it."""
        return number

    def slot(self, leaf: Leaf, event: Mapping[str, Any], path: Path) -> Slot:
        return Slot(0, leaf.channel, leaf.field, self.number(event))

    def meaning(self, chunk: Any, event: Mapping[str, Any], pieces: Sequence[Piece]) -> Reading:
        if self.fails(event):
            self._over(None)
            return Reading(pieces, (0,), failed=True)
        usage = self.means.usage_in(self._read(chunk, event).found)
        end = _there(event, self.means.ends)
        if end is not None:
            why = reason_of(str(value_at(event, end)), self.reasons)
            return Reading(pieces, (0,), {0: why}, closed=self._over(None), usage=usage)
        if _there(event, self.means.closes) is not None:
            return self._closed(pieces)
        begun = self._begun(event)
        if begun is not None:
            return self._goes_on(*begun, pieces)
        own = next((piece.slot for piece in pieces if piece.kind == "delta"), None)
        if own is None or own == self._open:
            return Reading(pieces, (0,), usage=usage)
        if self.means.opens:  # a text of no block
            self._loose[own] = None
            return Reading(pieces, (0,))
        return self._goes_on(own, {}, pieces)

    def _closed(self, pieces: Sequence[Piece]) -> Reading:
        """Return the meaning of an event that closes the open block; another text may continue
        one."""
        slot, self._open = self._open, None
        if slot is not None and slot == self._text:
            return Reading(pieces, (0,), waits=slot)
        return Reading(pieces, (0,), closed=(slot,) if slot else ())

    def fails(self, event: Mapping[str, Any]) -> bool:
        """Return whether an event says that the answer has failed."""
        return False

    def _begun(self, event: Mapping[str, Any]) -> tuple[Slot, Mapping[Slot, Call]] | None:
        """Return the slot of the block that an event begins, and the call in it."""
        for place in self.means.calls:
            for _, call in values_at(event, place.steps) if place.name else ():
                said = said_of(call, place)
                if said.get("name"):
                    slot = Slot(0, "tool_args", place.field, self.number(event))
                    return slot, {slot: Call(str(said["name"]), said.get("id"))}
        if _there(event, self.means.opens) is None:
            return None
        leaf = next(leaf for steps, leaf in self.means.placed if leads(event, steps))
        return self.slot(leaf, event, ()), {}

    def _goes_on(self, slot: Slot, calls: Mapping[Slot, Call], pieces: Sequence[Piece]) -> Reading:
        """Return the meaning of an event whose block is another one than that before it."""
        if not (calls and self.means.opens):  # where texts are opened, calls are counted apart
            self._index = slot.number
        earlier, over = self._text, self._over(slot)
        is_text = slot[1:3] == ("text", "text")
        self._open = slot
        self._text = slot if is_text else None
        if is_text and earlier is not None and earlier != slot:
            over = [each for each in over if each != earlier]
            return Reading(pieces, (0,), closed=over, joined={slot: earlier}, calls=calls)
        return Reading(pieces, (0,), closed=over, calls=calls)

    def _over(self, slot: Slot | None) -> list[Slot]:
        """Return the blocks that end when `slot` begins, and forget them."""
        ending = (*self._loose, self._open, self._text)
        over = [each for each in ending if each is not None and each != slot]
        self._open = self._text = None
        self._loose.clear()
        return list(dict.fromkeys(over))

    def extra(self, chunk: Any, slot: Slot, text: str, released: Released) -> Sequence[Any]:
        """Return the next piece of a slot's block; of a new one, if nothing was released."""
        made: list[Any] = []
        if slot.field == "content":
            made += self._close(chunk)
            slot = self._open = Slot(0, "text", "text", self._index + 1)
            if "begin" in self.writes:
                made.append(self._written(chunk, "begin", slot))
        return [*made, self._written(chunk, slot.field, slot, text)]

    def end(
        self, chunk: Any, choice: int, reason: FinishReason, released: Released
    ) -> Sequence[Any]:
        """Return the events that end the open block and the message."""
        word = self.words.get(reason, self.words.get("", reason))
        return [*self._close(chunk), self._written(chunk, "end", None, word)]

    def _close(self, chunk: Any) -> list[Any]:
        """Return the end of the open block, if the format writes one: a client runs a call that
        ends."""
        slot, self._open = self._open, None
        name = f"close.{slot.field}" if slot else ""
        return [self._written(chunk, name, slot)] if name in self.writes else []

    def _written(self, chunk: Any, name: str, slot: Slot | None, said: Any = "") -> Any:
        """Return an event of those that the format writes."""
        place = Missing if slot is None else self.place(slot.number)
        return self.made(chunk, filled(self.writes[name], {"$block": place, "$said": said}))

    def made(self, chunk: Any, event: dict[str, Any]) -> Any:
        """Return an event as `chunk` is one: a dict, or an object of a package."""
        return event


def _there(event: Mapping[str, Any], ways: Sequence[Steps]) -> Steps | None:
    """Return the first steps to a field whose object an event has: it may leave out the field."""
    return next((steps for steps in ways if value_at(event, steps[:-1]) is not None), None)
