"""Formats with one text and no blocks, whose chunks contain deltas, the text so far, or both.

In a text so far (a leaf of the kind `grown`), the new part is guarded, and the value is replaced by
the released text so far. Whether a field has deltas or cumulative text is decided by its values
alone: `guardstream.formats.toolkit.delta_or_cumulative`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from guardstream.events import FinishReason
from guardstream.formats.adapter import Again, Call, Piece, Reading, Released, Slot, Unknown
from guardstream.formats.spec import Leaf, Path, Read, VariedSpecAdapter
from guardstream.formats.toolkit.delta_or_cumulative import DeltaOrCumulative
from guardstream.formats.toolkit.fields import as_text, fields_of
from guardstream.formats.toolkit.paths import Steps, rebuilt
from guardstream.formats.toolkit.readers import Found
from guardstream.formats.toolkit.reasons import reason_of
from guardstream.formats.toolkit.streamed import Streamed

_TURN = 1_000_000
"""Added to the number of a slot for each turn before it."""

_AGAIN = 1_000
"""Added to the number of a slot each time that a text begins again in the same turn."""


class Growing(VariedSpecAdapter):
    """The base of adapters for such formats.

    A subclass has a spec, and says which chunks end a text and which begin a call. `incremental`
    says, if the caller knows it, whether values are deltas (True) or cumulative (False). A chunk is
    written before the next one is read: in such formats, nothing waits except what this class
    withholds.
    """

    ends_with_source = True
    in_turn = True

    def __init__(self, *, unknown: Unknown = "guard", incremental: bool | None = None) -> None:
        super().__init__(unknown=unknown)
        self._turn = 0
        self._incremental = incremental
        self._texts: dict[Slot, DeltaOrCumulative] = {}
        self._again: dict[Slot, Slot] = {}  # the new slots of texts that began again
        self._waiting: Any = None  # the last chunk, if its text waits
        self._is_over = False
        self._over: set[int] = set()  # choices that have ended

    def choice(self, event: Mapping[str, Any], path: Path) -> int:
        """Return the choice of a path: its position in the list of choices, if the format
        has one."""
        return path[0] if self.scope and path else 0

    def number(self, leaf: Leaf, event: Mapping[str, Any], path: Path) -> int:
        """Return the number of a leaf's text among those of its kind: for calls, their position."""
        return path[-1] if path and leaf.channel == "tool_args" else 0

    def parts(self, event: Mapping[str, Any]) -> bool:
        """Return whether an event ends the texts before it."""
        return False

    def called(self, event: Mapping[str, Any]) -> Mapping[int, Call]:
        """Return the calls that begin with an event, by their numbers."""
        return {}

    def usage(self, event: Mapping[str, Any]) -> Any:
        """Return the usage object of an event; None if it has none."""
        return event.get("usage")

    def slot(self, leaf: Leaf, event: Mapping[str, Any], path: Path) -> Slot:
        number = self._turn * _TURN + self.number(leaf, event, path)
        slot = Slot(self.choice(event, path), leaf.channel, leaf.field, number)
        return self._again.get(slot, slot)

    def read(self, chunk: Any) -> Reading:
        """Find the text in `chunk`, and record it."""
        event = fields_of(chunk)
        reading = super().read(chunk)
        read = self._read(chunk, event)
        again = self._told_anew(read)
        if again:  # the whole chunk has another reading now
            self._last = None
            reading = super().read(chunk)
            read = self._read(chunk, event)
        doubtful = self._doubtful(read)
        if ended := self._ended(read):
            self._over |= ended
            late = self._late(read, ended)
            again |= {slot: Again(told.last, "") for slot, told in late.items()}
            doubtful |= {slot: list(told.values) for slot, told in late.items()}
            for told in late.values():
                told.accept_last()
        joined = self._note(read)
        if joined or again or doubtful:
            joined = {**reading.joined, **joined}
            reading = reading._replace(joined=joined, again=again, doubtful=doubtful)
        if any(piece.kind == "later" for piece in read.pieces):
            self._waiting = chunk
        elif not any(told.waits for told in self._texts.values()):
            self._waiting = None
        if self.parts(event):
            reading = reading._replace(closed=tuple(self._texts))
            self._turn += 1
            self._texts.clear()
        return reading

    def kept(self) -> Any | None:
        """Return the last chunk, if its text was withheld, to be read again now that nothing
        follows."""
        self._is_over, self._last = True, None
        return self._waiting

    def write(self, chunk: Any, texts: Sequence[str], *, ends: bool = True) -> Any | None:
        """Return `chunk` with `texts`, and record the released text of each slot."""
        written = super().write(chunk, texts, ends=ends)
        read = self._read(chunk, fields_of(chunk))
        for owner, piece, text in zip(read.owners, read.pieces, texts, strict=True):
            told = self._texts.get(piece.slot)
            if told is not None and read.found[owner].leaf.kind == "grown":
                told.record_output("" if written is None else text)
        return written

    def meaning(self, chunk: Any, event: Mapping[str, Any], pieces: Sequence[Piece]) -> Reading:
        found = self._read(chunk, event).found
        choices = {self.choice(event, each.path) for each in found if each.path or not self.scope}
        finished: dict[int, FinishReason] = {
            self.choice(event, each.path): _reason(each.value) for each in found if _is_end(each)
        }
        calls = {
            Slot(0, "tool_args", "arguments", self._turn * _TURN + number): call
            for number, call in self.called(event).items()
        }
        usage = self.usage(event)
        return Reading(pieces, sorted(choices) or [0], finished, calls=calls, usage=usage)

    def _read(self, chunk: Any, event: Mapping[str, Any]) -> Read:
        """Read a chunk. A cumulative value becomes two pieces: the delta, and a copy of
        the whole."""
        last = self._last
        read = super()._read(chunk, event)
        if read is last:
            return read
        if "end" in read.kinds and not any(map(_is_end, read.found)):
            self._last = read = read._replace(kinds=read.kinds - {"end"})
        if "grown" not in read.kinds:
            return read
        pieces: list[Piece] = []
        owners: list[int] = []
        for owner, piece in zip(read.owners, read.pieces, strict=True):
            mine = [piece]
            if read.found[owner].leaf.kind == "grown":
                mine = self._split(piece, read)
            pieces += mine
            owners += [owner] * len(mine)
        self._last = read._replace(pieces=pieces, owners=owners)
        return self._last

    def _split(self, piece: Piece, read: Read) -> list[Piece]:
        """Return the pieces of a value: its delta and a copy if it is cumulative, otherwise only a
        delta.

        While both readings are possible the value is withheld, unless it is the last one.
        """
        slot, text, _ = piece
        told = self._texts.get(slot) or DeltaOrCumulative()
        beside = _beside(read, slot)
        if beside:
            kinds = {beside: "echo", told.said + beside: "copy"}
            return [Piece(slot, text, kinds.get(text, "whole"))]  # type: ignore[arg-type]
        if self._incremental or (self._incremental is None and told.rules_out_cumulative(text)):
            return [Piece(slot, text)]
        if not text.startswith(told.last):
            slot = slot._replace(number=slot.number + _AGAIN)
            return [Piece(slot, text), Piece(slot, text, "copy")]
        over = self._is_over or slot.choice in self._ended(read)
        if self._is_doubtful(told, text) and not over:
            return [Piece(slot, text, "later")]
        new = text[len(told.said) :]
        return [*([Piece(slot, new)] if new else []), Piece(slot, text, "copy")]

    def _is_doubtful(self, told: DeltaOrCumulative, text: str) -> bool:
        return self._incremental is None and told.is_ambiguous(text)

    def _doubtful(self, read: Read) -> dict[Slot, Sequence[str]]:
        """Return the texts that end while both readings are possible, with their values so far."""
        return {
            piece.slot: [*told.values, piece.text]
            for owner, piece in zip(read.owners, read.pieces, strict=True)
            if piece.kind == "copy" and read.found[owner].leaf.kind == "grown"
            if (told := self._texts.get(piece.slot)) and self._is_doubtful(told, piece.text)
        }

    def _ended(self, read: Read) -> set[int]:
        """Return the choices that end with a chunk."""
        event = fields_of(read.chunk)
        return {self.choice(event, each.path) for each in read.found if _is_end(each)}

    def _late(self, read: Read, ended: Collection[int]) -> dict[Slot, DeltaOrCumulative]:
        """Return the withheld texts of choices that end with a chunk which does not
        contain them."""
        here = {piece.slot for piece in read.pieces}
        return {
            slot: told
            for slot, told in self._texts.items()
            if told.waits and slot not in here and slot.choice in ended
        }

    def _told_anew(self, read: Read) -> dict[Slot, Again]:
        """Return the texts to guard again, if this chunk shows that all values were deltas.

        Texts of choices that have ended are complete in both readings.
        """
        if self._incremental is not None or not self._tells_new(read):
            return {}
        self._incremental = True
        told_all = self._over - {piece.slot.choice for piece in read.pieces}
        again = {
            slot: Again("".join(told.values), told.shown)
            for slot, told in self._texts.items()
            if told.values and slot.choice not in told_all
        }
        self._texts.update({slot: DeltaOrCumulative() for slot in again})
        return again

    def _tells_new(self, read: Read) -> bool:
        """Return whether a value cannot be cumulative, or the last chunk does not repeat a text."""
        here = set()
        for owner, piece in zip(read.owners, read.pieces, strict=True):
            value, told = read.found[owner].value, self._texts.get(piece.slot)
            if read.found[owner].leaf.kind == "grown" and told is not None:
                here.add(piece.slot.choice)
                if (
                    piece.kind == "delta"
                    and piece.text == value
                    and told.rules_out_cumulative(value)
                ):
                    return True
        left_out = self._ended(read) - here
        return any(told.values for slot, told in self._texts.items() if slot.choice in left_out)

    def _note(self, read: Read) -> dict[Slot, Slot]:
        """Record the values of each text; return slots that begin again, with the slots they
        continue."""
        joined: dict[Slot, Slot] = {}
        for owner, (slot, text, kind) in zip(read.owners, read.pieces, strict=True):
            if not isinstance(read.found[owner].value, str):
                continue
            if read.found[owner].leaf.kind != "grown":
                if kind == "delta":
                    self._texts.setdefault(slot, DeltaOrCumulative()).add_delta(text)
                continue
            earlier = self._earlier(slot)
            if earlier is not None and kind == "delta":
                joined[slot] = earlier
                self._again = {k: slot if v == earlier else v for k, v in self._again.items()}
                self._again[earlier] = slot
            self._note_grown(slot, text, kind, _beside(read, slot))
        return joined

    def _note_grown(self, slot: Slot, text: str, kind: str, beside: str) -> None:
        told = self._texts.setdefault(slot, DeltaOrCumulative())
        if beside:
            if kind == "copy" and text != beside:
                told.confirm_cumulative()
        elif kind in ("copy", "later"):
            told.record(text, waits=kind == "later")

    def _earlier(self, slot: Slot) -> Slot | None:
        """Return the slot that a text which begins again continues."""
        earlier = slot._replace(number=slot.number - _AGAIN)
        return earlier if slot not in self._texts and earlier in self._texts else None

    def _add_pieces(self, pieces: list[Piece], found: Found, event: Mapping[str, Any]) -> None:
        if found.leaf.kind == "grown" and isinstance(found.value, str):
            pieces.append(Piece(self.slot(found.leaf, event, found.path), found.value, "copy"))
        else:
            super()._add_pieces(pieces, found, event)

    def _new_value(self, found: Found, texts: Sequence[str]) -> Any:
        if found.leaf.kind == "grown" and isinstance(found.value, str):
            return found.value if texts[-1] == found.value else texts[-1]
        return super()._new_value(found, texts)

    def extra(self, chunk: Any, slot: Slot, text: str, released: Released) -> Sequence[Any]:
        """Return a chunk like the last one with such text, which contains only `text`."""
        event = fields_of(chunk)
        updates: dict[Steps, Any] = {}
        given = told = False
        for each in self._found(chunk):
            leaf, steps = each.leaf, each.steps
            if leaf.kind in ("end", "about"):
                updates[steps] = None
            elif leaf.kind in ("delta", "grown"):
                mine = self.slot(leaf, event, each.path)[:3] == slot[:3]
                whole = leaf.kind == "grown" and not self._incremental
                new = released(slot) if whole else "" if told else text
                updates[steps] = new if mine else ""
                told = told or (mine and not whole)
                given = given or mine
            elif leaf.kind not in ("meta", "keep", "item", "skip", "name") and each.value:
                updates[steps] = "" if isinstance(each.value, str) else None
        return [rebuilt(chunk, updates)] if given else []

    def said_so_far(self, chunk: Any, released: Released) -> Any:
        """Return a chunk like `chunk` without new text."""
        event = fields_of(chunk)
        updates: dict[Steps, Any] = {}
        for each in self._found(chunk):
            if each.leaf.kind == "grown" and not self._incremental:
                updates[each.steps] = released(self.slot(each.leaf, event, each.path))
            elif each.leaf.kind not in ("meta", "keep", "item", "skip", "name"):
                text = each.leaf.kind != "about" and isinstance(each.value, str)
                updates[each.steps] = "" if text else None
        return rebuilt(chunk, updates)

    def _found(self, chunk: Any) -> Sequence[Found]:
        """Return the leaves of a chunk, without replacing the cached reading of the last chunk."""
        last = self._last
        found = self._read(chunk, fields_of(chunk)).found
        self._last = last
        return found


class Repeating(Growing):
    """The base of such formats whose messages repeat streamed text, their own or that of others.

    Leaves of the kind `copy` are such texts.
    """

    repeats = True

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._streamed = Streamed()

    def meaning(self, chunk: Any, event: Mapping[str, Any], pieces: Sequence[Piece]) -> Reading:
        """Return the meaning of an event; a repetition gets the slot of the text that
        it repeats."""
        reading = super().meaning(chunk, event, [self._known(piece) for piece in pieces])
        self._streamed.note(reading.pieces)
        return reading

    def _known(self, piece: Piece) -> Piece:
        return self._streamed.placed_anywhere(piece)


def _reason(value: Any) -> FinishReason:
    """Return the finish reason of a value, which may be a member of an Enum."""
    return reason_of(as_text(value))


def _is_end(found: Found) -> bool:
    return found.leaf.kind == "end" and found.value != "null"


def _beside(read: Read, slot: Slot) -> str:
    """Return the text of a slot in fields that always have deltas."""
    return "".join(
        piece.text
        for owner, piece in zip(read.owners, read.pieces, strict=True)
        if piece.slot == slot and read.found[owner].leaf.kind == "delta"
    )
