"""Formats with one text and no blocks, whose chunks say what is new in it, all so far, or both.

Of a text so far (`grown`) what is new is guarded, and what was released so far takes its place.
Where a field is told as a whole each time, or only what is new in it, is found out by the first
value that does not begin with the one before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from guardstream.events import FinishReason
from guardstream.providers.adapter import Call, Piece, Reading, Said, Slot, Unknown
from guardstream.providers.fields import fields_of
from guardstream.providers.paths import Steps, rebuilt
from guardstream.providers.readers import Found, compiled
from guardstream.providers.spec import Leaf, Path, Read, Spec, SpecAdapter

_TURN = 1_000_000
"""A slot's number is its own, and this for each turn before it."""

_AGAIN = 1_000
"""This is added for each time that a text began again in the same turn."""

_REASONS: dict[str, FinishReason] = {
    "length": "length",
    "max_tokens": "length",
    "tool_calls": "tool_calls",
    "tool_call_results": "tool_calls",
    "function_calls": "tool_calls",
    "content_filter": "content_filter",
    "error": "error",
}


class Growing(SpecAdapter):
    """The base of such formats: a spec, which chunks end a text, and which begin a call."""

    ends_with_source = True

    def __init__(self, *, unknown: Unknown = "guard") -> None:
        super().__init__(unknown=unknown)
        self._turn = 0
        self._said: dict[Slot, str] = {}
        self._again: dict[Slot, Slot] = {}  # where a text goes on that began again
        self._grows: dict[str, bool] = {}  # by channel, once it is known

    def spec_of(self, chunk: Any) -> Spec:  # noqa: ARG002
        """Return the spec of a chunk, where a stream has several kinds of objects."""
        return self.spec

    def number(self, leaf: Leaf, event: Mapping[str, Any], path: Path) -> int:  # noqa: ARG002
        """Return which of several texts of its kind a leaf belongs to: of calls, by their place."""
        return path[-1] if path and leaf.channel == "tool_args" else 0

    def parts(self, event: Mapping[str, Any]) -> bool:  # noqa: ARG002
        """Tell whether an event ends the texts before it."""
        return False

    def called(self, event: Mapping[str, Any]) -> Mapping[int, Call]:  # noqa: ARG002
        """Return the calls that an event begins, by their numbers."""
        return {}

    def slot(self, leaf: Leaf, event: Mapping[str, Any], path: Path) -> Slot:
        number = self._turn * _TURN + self.number(leaf, event, path)
        slot = Slot(path[0] if self.scope else 0, leaf.channel, leaf.field, number)
        return self._again.get(slot, slot)

    def read(self, chunk: Any) -> Reading:
        """Find the text in `chunk`, and remember what was said with it."""
        event = fields_of(chunk)
        reading = super().read(chunk)
        joined = self._note(self._read(chunk, event))
        if joined:
            reading = reading._replace(joined=joined)
        if self.parts(event):
            reading = reading._replace(closed=tuple(self._said))
            self._turn += 1
            self._said.clear()
        return reading

    def meaning(self, chunk: Any, event: Mapping[str, Any], pieces: Sequence[Piece]) -> Reading:
        found = self._read(chunk, event).found
        choices = {each.path[0] for each in found if each.path} if self.scope else {0}
        finished: dict[int, FinishReason] = {
            each.path[0] if self.scope else 0: _REASONS.get(str(each.value), "stop")
            for each in found
            if each.leaf.kind == "end" and each.value != "null"
        }
        calls = {
            Slot(0, "tool_args", "arguments", self._turn * _TURN + number): call
            for number, call in self.called(event).items()
        }
        return Reading(pieces, sorted(choices), finished, calls=calls, usage=event.get("usage"))

    def _read(self, chunk: Any, event: Mapping[str, Any]) -> Read:
        """Read a chunk; what is told as a whole becomes what is new, and all of it once more."""
        last = self._last
        if last is None or last.chunk is not chunk:
            self._reader = compiled(self.spec_of(chunk))
        read = super()._read(chunk, event)
        if read is last or "grown" not in read.kinds:
            return read
        pieces: list[Piece] = []
        owners: list[int] = []
        for owner, piece in zip(read.owners, read.pieces, strict=True):
            mine = [piece]
            if read.found[owner].leaf.kind == "grown":
                mine = self._split(piece, _beside(read, piece.slot))
            pieces += mine
            owners += [owner] * len(mine)
        self._last = read._replace(pieces=pieces, owners=owners)
        return self._last

    def _split(self, piece: Piece, beside: str) -> list[Piece]:
        """Return what is new in a text so far, and the copy; `beside` says what is new, too."""
        slot, text, _ = piece
        said = self._said.get(slot, "")
        if beside:
            kinds = {beside: "echo", said + beside: "copy"}
            return [Piece(slot, text, kinds.get(text, "whole"))]  # type: ignore[arg-type]
        if self._grows.get(slot.channel) is False:
            return [Piece(slot, text)]
        if text == said:
            return [Piece(slot, text, "copy")]
        if text.startswith(said):
            return [Piece(slot, text[len(said) :]), Piece(slot, text, "copy")]
        if not self._grows.get(slot.channel):
            return [Piece(slot, text)]
        slot = slot._replace(number=slot.number + _AGAIN)
        return [Piece(slot, text), Piece(slot, text, "copy")]

    def _note(self, read: Read) -> dict[Slot, Slot]:
        """Remember what each text has said; return those that began again, and what they were."""
        joined: dict[Slot, Slot] = {}
        for owner, piece in zip(read.owners, read.pieces, strict=True):
            if piece.kind != "delta":
                continue
            slot = piece.slot
            if read.found[owner].leaf.kind == "grown":
                value = read.found[owner].value
                earlier = self._earlier(slot)
                if earlier is not None:
                    joined[slot] = earlier
                    self._again = {k: slot if v == earlier else v for k, v in self._again.items()}
                    self._again[earlier] = slot
                elif self._said.get(slot):
                    self._grows.setdefault(slot.channel, value != piece.text)
            self._said[slot] = self._said.get(slot, "") + piece.text
        return joined

    def _earlier(self, slot: Slot) -> Slot | None:
        """Return the text that one which says its first goes on with."""
        earlier = slot._replace(number=slot.number - _AGAIN)
        return earlier if slot not in self._said and earlier in self._said else None

    def _add_pieces(self, pieces: list[Piece], found: Found, event: Mapping[str, Any]) -> None:
        if found.leaf.kind == "grown" and isinstance(found.value, str):
            pieces.append(Piece(self.slot(found.leaf, event, found.path), found.value, "copy"))
        else:
            super()._add_pieces(pieces, found, event)

    def _new_value(self, found: Found, texts: Sequence[str]) -> Any:
        if found.leaf.kind == "grown" and isinstance(found.value, str):
            return found.value if texts[-1] == found.value else texts[-1]
        return super()._new_value(found, texts)

    def extra(self, chunk: Any, slot: Slot, text: str, said: Said) -> Sequence[Any]:
        """Return a chunk like the last that had such text, which says only `text`."""
        event = fields_of(chunk)
        updates: dict[Steps, Any] = {}
        given = told = False
        for each in self._read(chunk, event).found:
            leaf, steps = each.leaf, each.steps
            if leaf.kind in ("end", "about"):
                updates[steps] = None
            elif leaf.kind in ("delta", "grown"):
                mine = self.slot(leaf, event, each.path)[:3] == slot[:3]
                whole = leaf.kind == "grown" and self._grows.get(slot.channel) is not False
                new = said(slot) if whole else "" if told else text
                updates[steps] = new if mine else ""
                told = told or (mine and not whole)
                given = given or mine
            elif leaf.kind not in ("meta", "keep", "item", "skip", "name") and each.value:
                updates[steps] = "" if isinstance(each.value, str) else None
        return [rebuilt(chunk, updates)] if given else []

    def end(self, chunk: Any, choice: int, reason: FinishReason, said: Said) -> Sequence[Any]:  # noqa: ARG002
        """Return nothing: such streams end without a mark."""
        return []


def _beside(read: Read, slot: Slot) -> str:
    """Return what the fields that say only what is new say in a slot."""
    return "".join(
        piece.text
        for owner, piece in zip(read.owners, read.pieces, strict=True)
        if piece.slot == slot and read.found[owner].leaf.kind == "delta"
    )
