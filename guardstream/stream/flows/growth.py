"""Tells the text so far from deltas, where a source sends the one in place of the other.

Values that grow by repeating all that came before are cumulative; deltas do not do that by chance.
Only the beginning of a text is looked at, and while a value may be either, it waits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, TypeAlias

from guardstream.formats.adapter import Piece, Reading, Slot
from guardstream.stream.flows.identities import Waiting, is_delta

REPEATED = 16
"""Code points that growing values have repeated by then."""

TIMES = 2
"""How often a value has grown by then."""

SHORT = 4
"""Deltas repeat fewer code points by chance: many lines begin with the same character."""

LOOKED_AT = 256
"""How many code points of a value are searched for a text that repeats."""

LONG = 16 * 1024
"""A text does not begin to grow by more code points at once; they are not kept."""

MAX_WAITING = 256
"""So many chunks may wait: a text may begin with the same word again and again."""

Verdict: TypeAlias = Literal["first", "either", "deltas", "cumulative"]


class Growth:
    """The values of one text so far."""

    def __init__(self) -> None:
        self.first = ""
        self.last = ""
        self.is_unsure = False  # whether a value came that may be either
        self._repeated = 0
        self._times = 0

    def take(self, value: str) -> Verdict:
        """Take the next value; return what the values are."""
        last, self.last = self.last, value
        if not last:
            self.first = value
            return "first"
        if not value.startswith(last):
            return "deltas"
        # Not where one short text is repeated, or was and goes on before something else comes.
        begun = value[: len(last) + 1]
        if len(value) > len(last) and not (repeats_itself(value) or repeats_itself(begun)):
            self._times += len(last) >= SHORT
            self._repeated += len(last)
        is_certain = self._times >= TIMES and self._repeated >= REPEATED
        self.is_unsure = not is_certain
        return "cumulative" if is_certain else "either"


class Growths:
    """The texts of one stream, each by its slot, and those that are cumulative."""

    def __init__(self) -> None:
        self.waiting: list[Waiting] = []
        self.last: dict[Slot, str] = {}
        """The last values of the texts that are cumulative."""
        self.ever: set[Slot] = set()
        """The texts that are cumulative, or were."""
        self.open: dict[Slot, Growth] = {}
        """The texts that may still be cumulative."""
        self._deltas: set[Slot] = set()

    def take(self, reading: Reading) -> Literal["pass", "wait", "told"]:
        """Take a chunk's reading; return whether it waits, or what waited is understood."""
        found = {self._take(piece) for piece in _texts(reading)}
        ends = reading.finished or reading.failed or reading.calls or reading.complete
        begins = reading.closed or reading.joined or reading.waits
        if not self.waiting and "either" not in found:
            if ends or begins:  # what comes next is another text
                self._deltas.update(self.open)
                self.open.clear()
            return "told" if "cumulative" in found else "pass"
        if not any(growth.is_unsure for growth in self.open.values()):
            return "told"
        return "told" if ends or begins or len(self.waiting) >= MAX_WAITING else "wait"

    def may_grow(self, slot: Slot, text: str) -> bool:
        """Return whether the next value of a text may be cumulative; it is watched no more
        otherwise."""
        growth = self.open.get(slot)
        if growth is None:
            return False
        if text.startswith(growth.last):
            return True
        self._close(slot, growth, is_cumulative=False)
        return False

    def own_texts(self, pieces: Sequence[Piece], texts: Sequence[str]) -> Sequence[str]:
        """Return the texts of the pieces that an adapter has read: of a cumulative value all."""
        if not self.ever:
            return texts
        told = [*zip(pieces, texts, strict=True)]
        following = [*pieces[1:], None]
        return [
            text
            for (piece, text), after in zip(told, following, strict=True)
            if not (piece.slot in self.ever and _is_copy(after, piece))
        ]

    def decide(self, changes: Callable[[Slot, str], bool]) -> list[Waiting]:
        """Return the chunks that waited. A text that may be either is cumulative if a rule
        `changes` its last value, which clients may show as it is."""
        for slot, growth in [*self.open.items()]:
            if growth.is_unsure:
                has_grown = len(growth.last) > len(growth.first)
                is_shown = has_grown and changes(slot, growth.last)
                self._close(slot, growth, is_cumulative=is_shown)
        waiting, self.waiting = self.waiting, []
        return waiting

    def read(self, reading: Reading) -> Reading:
        """Return a reading in which a cumulative value is what is new in it, and a copy."""
        pieces: list[Piece] = []
        for piece in reading.pieces:
            last = self.last.get(piece.slot) if is_delta(piece) else None
            if last is None:
                pieces.append(piece)
            elif piece.text.startswith(last):
                self.last[piece.slot] = piece.text
                new = piece.text[len(last) :]
                pieces += [piece._replace(text=new)] if new else []
                pieces.append(piece._replace(kind="copy"))
            else:  # it begins anew, or goes on in deltas
                del self.last[piece.slot]
                pieces.append(piece)
        return reading._replace(pieces=pieces, only_text=False)

    def _take(self, piece: Piece) -> Verdict:
        slot = piece.slot
        if slot in self._deltas or slot in self.last:
            return "first"
        growth = self.open.setdefault(slot, Growth())
        # What repeats in events that no format names is a name or a state.
        if len(piece.text) > LONG or (slot.is_event and piece.text == growth.last):
            self._close(slot, growth, is_cumulative=False)
            return "deltas"
        verdict = growth.take(piece.text)
        if verdict in ("deltas", "cumulative"):
            self._close(slot, growth, is_cumulative=verdict == "cumulative")
        return verdict

    def _close(self, slot: Slot, growth: Growth, *, is_cumulative: bool) -> None:
        del self.open[slot]
        if is_cumulative:
            self.last[slot] = growth.first
            self.ever.add(slot)
        else:
            self._deltas.add(slot)


def repeats_itself(value: str) -> bool:
    """Return whether a value is one short text repeated: deltas of it seem to be cumulative,
    too."""
    begin = value[:LOOKED_AT]
    return any(begin.startswith(begin[at:]) for at in range(1, len(begin) // 2 + 1))


def _is_copy(piece: Piece | None, of: Piece) -> bool:
    """Return whether a piece has all of a text, of which another has what is new."""
    is_same = piece is not None and piece.slot == of.slot and piece.kind == "copy"
    return of.kind == "delta" and is_same


def _texts(reading: Reading) -> list[Piece]:
    """Return the texts in a chunk that may be cumulative: none if it also repeats them."""
    copied = {piece.slot for piece in reading.pieces if piece.kind in ("copy", "echo", "parsed")}
    return [piece for piece in reading.pieces if is_delta(piece) and piece.slot not in copied]
