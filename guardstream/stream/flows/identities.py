"""Tells the identity of a text from a number that counts chunks.

An index or an id tells texts apart only if it recurs: some servers number the chunks of one text.
From the second index on, until one recurs, chunks wait. If none recurs for long, all are one text;
if what ends the wait is something else, they are one only if a match lies across them. Nothing is
reordered: what they hold goes out in their order.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, takewhile
from typing import Any, Literal, NamedTuple, TypeAlias

from guardstream.events import Event, Finding
from guardstream.formats.adapter import Piece, Reading, Slot

ENOUGH = 16
"""So many indexes of which none recurs are no identities: hardly anyone asks for more answers."""

FEW = 2
"""So many texts of one chunk each are common: messages, or answers of which the rest is missing. If
there are more, their index may count chunks, and then none of them has an end of its own."""

LONG = 16 * 1024
"""A chunk of more code points is no part of a text that an index cuts; it is not kept."""

MAX_WAITING = 256
"""So many chunks may wait: a server may send empty ones for ever."""

Verdict: TypeAlias = Literal["pass", "wait", "apart", "one", "either"]
"""What to do with a chunk: handle it, let it wait, or first decide what those before it are."""


class Waiting(NamedTuple):
    """A chunk that waits, with its reading and its origin."""

    chunk: Any
    reading: Reading
    origin: Any


@dataclass(slots=True)
class Family:
    """The texts of one channel and field that came so far, each by its slot."""

    slots: dict[Slot, str] = field(default_factory=dict)

    def take(self, piece: Piece) -> Verdict:
        """Take a text; return whether its slot recurs, or is one of many that do not."""
        if piece.slot in self.slots:
            return "apart"
        self.slots[piece.slot] = piece.text
        if len(self.slots) == 1:
            return "pass"
        return "one" if len(self.slots) >= ENOUGH else "wait"

    @property
    def first(self) -> Slot:
        """The slot of the first text."""
        return next(iter(self.slots))

    @property
    def may_be_one(self) -> bool:
        """Whether its texts may be one: not two messages of the same choice."""
        choices = {slot.choice for slot in self.slots}
        return len(self.slots) > FEW or len(choices) == len(self.slots) > 1


class Identities:
    """The texts of one stream while each of a kind has come in one chunk."""

    def __init__(self) -> None:
        self.waiting: list[Waiting] = []
        self._families: dict[tuple[str, str], Family] = {}
        self._apart: set[tuple[str, str]] = set()  # whose indexes have recurred
        self.unsure: set[int] = set()
        """Choices that may be none: each has come in one chunk, and no match lies across them."""

    def note_recurring(self, slot: Slot) -> None:
        """Take note that a slot has had text in more than one chunk."""
        kind = (slot.channel, slot.field)
        self._apart.add(kind)
        self._families.pop(kind, None)

    def take(self, reading: Reading) -> Verdict:
        """Take a chunk's reading; return what to do."""
        if reading.closed or reading.joined or reading.waits or reading.message:
            # The format says itself where a text begins or ends.
            if self.waiting:
                return "either"
            self._families.clear()
            return "pass"
        found = [self._take(piece) for piece in _texts(reading)]
        for verdict in _CERTAIN:
            if verdict in found:
                return verdict
        waits = bool(self.waiting) or "wait" in found
        ends = reading.finished or reading.failed or reading.calls or reading.complete
        if waits and (ends or len(self.waiting) >= MAX_WAITING):
            return "either"
        if ends:
            self._families.clear()
        return "wait" if waits else "pass"

    def release(self) -> list[Waiting]:
        """Return the chunks that waited; what comes next begins anew."""
        waiting, self.waiting = self.waiting, []
        self.unsure |= {slot.choice for slot in self.slots_of_many()}
        self._families.clear()
        return waiting

    def slots_of_many(self) -> list[Slot]:
        """Return the slots of texts of which more than a few came in one chunk each."""
        many = (each for each in self._families.values() if len(each.slots) > FEW)
        return [slot for family in many for slot in family.slots]

    def families(self) -> list[Family]:
        """Return the texts by channel and field."""
        return [*self._families.values()]

    def _take(self, piece: Piece) -> Verdict:
        kind = (piece.slot.channel, piece.slot.field)
        if kind in self._apart:
            return "pass"
        if len(piece.text) > LONG:
            self.note_recurring(piece.slot)
            return "pass"
        verdict = self._families.setdefault(kind, Family()).take(piece)
        if verdict == "apart":
            self.note_recurring(piece.slot)
        return verdict


_CERTAIN: tuple[Verdict, ...] = ("apart", "one")
"""Verdicts that decide, whatever else is in a chunk."""


class Part(NamedTuple):
    """Some of a text, with the chunk and the slot that it came in."""

    chunk: Any
    slot: Slot
    text: str


class OneText:
    """The texts of indexes that are no identities, as one: in the slot and choice of the first.

    What is held leaves under the index that it came with.
    """

    def __init__(self, families: Collection[Family], held: Iterable[Part]) -> None:
        """`held` is what the guard holds of the texts so far."""
        self.choice = min((family.first.choice for family in families), default=0)
        self.last_choice = self.choice  # that of the last chunk, as its source names it
        self.last: dict[Slot, Slot] = {}  # the slots in which the texts came last
        self._first = {
            (family.first.channel, family.first.field): family.first for family in families
        }
        self._choices = {slot.choice for family in families for slot in family.slots}
        self._held = {part.slot: [part] for part in held}

    def read(self, reading: Reading) -> Reading:
        """Return a reading in which all texts of a kind are one."""
        self._choices.update(piece.slot.choice for piece in _texts(reading))
        pieces = [self._piece(piece) for piece in reading.pieces]
        choices = [*dict.fromkeys(map(self._choice, reading.choices))]
        finished = {self._choice(choice): why for choice, why in reading.finished.items()}
        self.last_choice = next(iter(reading.choices), self.last_choice)
        return reading._replace(pieces=pieces, choices=choices, finished=finished, only_text=False)

    def placed(self, came: Part, released: str, held: int) -> tuple[list[Part], str]:
        """Return what of a released text came with earlier indexes, and what goes out with the text
        that came last. `held` is how much is held now."""
        earlier = self._held.get(came.slot, [])
        source = "".join(part.text for part in earlier)
        pairs = zip(source, released, strict=False)
        same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
        came_with = came._replace(slot=self.last.get(came.slot, came.slot))
        left = len(source) + len(came.text) - held
        self._held[came.slot] = [*_cut([*earlier, came_with], left, None)]
        return [*_cut(earlier, 0, same)], released[same:]

    def _choice(self, choice: int) -> int:
        return self.choice if choice in self._choices else choice

    def _piece(self, piece: Piece) -> Piece:
        slot = self._first.get((piece.slot.channel, piece.slot.field))
        if slot is None or not _is_text(piece):
            return piece
        self.last[slot] = piece.slot
        return piece._replace(slot=slot)


def _cut(parts: Sequence[Part], start: int, end: int | None) -> Iterator[Part]:
    """Yield what is between two places of a text in parts."""
    at = 0
    for part in parts:
        size = len(part.text)
        text = part.text[max(start - at, 0) : size if end is None else max(end - at, 0)]
        if text:
            yield part._replace(text=text)
        at += size


def size_of(waiting: Iterable[Waiting]) -> int:
    """Return how many code points of text wait."""
    return sum(len(piece.text) for each in waiting for piece in _texts(each.reading))


def lies_across(texts: Sequence[str], check: Callable[[str], Sequence[Event]]) -> bool:
    """Return whether texts have a finding that changes them together and not alone: it lies across
    their borders, or what announces it stands before one."""
    begins = [0, *accumulate(map(len, texts))]
    alone = {
        (each.rule, each.start + begin, each.end + begin)
        for text, begin in zip(texts, begins, strict=False)
        for each in _changing(check(text))
    }
    joined = _changing(check("".join(texts)))
    return any((each.rule, each.start, each.end) not in alone for each in joined)


def _changing(events: Sequence[Event]) -> list[Finding]:
    """Return the findings of text that change it; a limit's have none."""
    found = (event for event in events if isinstance(event, Finding))
    return [each for each in found if each.action != "monitor" and each.start < each.end]


def _texts(reading: Reading) -> list[Piece]:
    """Return the texts in a chunk that an index may tell apart."""
    return [piece for piece in reading.pieces if _is_text(piece)]


def _is_text(piece: Piece) -> bool:
    """Return whether an index may tell a piece apart; texts of events
    are told apart elsewhere."""
    return is_delta(piece) and not (piece.slot.name or piece.slot.is_event)


def is_delta(piece: Piece) -> bool:
    """Return whether a piece is a delta of an answer or of thinking: a call begins with its name,
    so neither its index nor its growth is in doubt."""
    return piece.kind == "delta" and piece.slot.channel in ("text", "thinking")
