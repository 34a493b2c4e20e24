"""The texts of events that no format names, as rows of pieces with a pipeline each.

A text is known by its path and by what tells it apart: the marks beside it (a role, an author, a
kind, the event's name) and ids that stay or return. What it holds leaves in a copy of the event
that it came in, so that nobody's text moves into an event of somebody else. An id that is new with
every event tells nothing apart: such events are one text, and each is judged by itself, too.

An event with exactly one string beside marks has such a text. With `unknown: hold`, so has each
string at a path that no format names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any, NamedTuple

from guardstream.providers.adapter import Beside, Kind, Piece, Reading, Slot
from guardstream.providers.toolkit.fields import KIND_ENDS
from guardstream.providers.toolkit.marks import is_mark
from guardstream.stream.flows.nested.strings import strings

MAX_TEXTS = 256
"""How many texts of one stream are open at once; the one that rested longest is settled first."""

MAX_IDLE = 8
"""So many events may come while a text is held, and none of them have more of it."""

SILENCE = 0.3
"""Seconds without an event, after which what is held of such texts goes out."""

_LONGEST_MARK = 128
"""The most code points of a mark, and of what is kept of texts that may be told apart later."""

_MOST_PATHS = 4096
"""How many paths may have such texts; strings at further paths are judged at once."""

_OFTEN = 4
"""How often each value recurs on average in what is no text, but names of roles or states."""

_ID = re.compile(r".*(?:^|[._])(?:id|index|key)|.*[a-z](?:Id|ID|Index|Key)")
"""The paths of fields that identify what they are in: once one stays, its next value is of another
text. Of other fields, such as a clock, only a value that returns shows that they do."""

_PINGS = frozenset({"ping", "heartbeat", "keepalive", "keep-alive", "keep_alive"})


class Came(NamedTuple):
    """A piece of a text, and the event that it came in."""

    event: Any
    at: int
    text: str


@dataclass(slots=True, eq=False)
class Row:
    """The pieces of a text that are held, and how many events have come since its last one.

    `tail` is its last text, as far as it is judged event by event, too.
    """

    key: tuple[str, frozenset[object]]
    held: list[Came] = field(default_factory=list)
    idle: int = 0
    tail: str = ""

    def placed(self, released: str, held: int) -> list[Came]:
        """Return what was released in the events that it came in; `held` code points are not.

        What a rule changed is placed where it ends. The rest is as it came, before and after it.
        """
        source = "".join([each.text for each in self.held])
        settled = source[: len(source) - held]
        if settled == released:
            before, after = len(settled), 0
        else:
            before = _same(settled, released)
            after = _same(settled[before:][::-1], released[before:][::-1])
        changed, end_of_change = released[before : len(released) - after], len(settled) - after
        placed, at = list[Came](), 0
        for each in self.held:
            end = at + len(each.text)
            text = settled[at : min(end, before)]
            if at < end_of_change <= end or (not end_of_change and not at):
                text += changed
            text += settled[max(at, end_of_change) : end] if after else ""
            if text:
                placed.append(each._replace(text=text))
            at = end
        self.held = [*_after(self.held, len(settled))]
        return placed

    @property
    def recurs(self) -> bool:
        """Whether only a few values are held again and again, as names of roles or states are."""
        texts = [each.text for each in self.held]
        different = {*texts}
        return min(map(len, different), default=0) > 1 and len(different) * _OFTEN <= len(texts)


def _same(one: str, other: str) -> int:
    """Return how many code points two texts have in common at their beginning."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


def _after(pieces: Sequence[Came], start: int) -> Iterator[Came]:
    """Yield what of some pieces comes after a place of their text."""
    for each in pieces:
        if len(each.text) > start:
            yield each._replace(text=each.text[start:])
        start = max(start - len(each.text), 0)


class _Field:
    """The values of a field beside the texts at one path, each with the text that came with it.

    It `tells` texts apart once a value has returned, or, for an id, once one has stayed and another
    comes. Its value is `new` with every event if none has stayed.
    """

    __slots__ = ("_stays", "last", "tells", "values")

    def __init__(self, value: object) -> None:
        self.last = value
        self.values: dict[object, str] = {value: ""}
        self.tells = self._stays = False

    @property
    def is_new(self) -> bool:
        return len(self.values) > 1 and not (self._stays or self.tells)

    def take(self, value: object, *, is_id: bool) -> None:
        if value != self.last:
            self.tells = value in self.values or (is_id and self._stays)
            if len(self.values) == MAX_TEXTS:
                del self.values[next(iter(self.values))]
        else:
            self._stays = True

    def note(self, value: object, text: str) -> None:
        self.last = value
        if not self.tells:
            self.values[value] = (self.values.get(value, "") + text)[-_LONGEST_MARK:]


class EventTexts:
    """The texts of one stream.

    `rows` are those that are open, the latest last, and `held` those of which some is held. `rest`
    is what came of texts that are only now told apart. `turned` are the paths of texts that turned
    out to be JSON or events, with what had begun there.
    """

    def __init__(self) -> None:
        self.rows: dict[Slot, Row] = {}
        self.held: dict[Slot, Row] = {}
        self.rest: dict[Slot, str] = {}
        self.turned: list[tuple[str, str]] = []
        self._fields: dict[str, dict[str, _Field]] = {}  # beside the texts at each path
        self._slots: dict[tuple[str, frozenset[object]], Slot] = {}
        self._last: dict[str, tuple[frozenset[object], Slot]] = {}  # the last text at each path
        self._values: dict[str, str] = {}  # the last value at each path, of those that may be text
        self._texts: set[str] = set()  # the paths of texts that stood alone
        self._begun: dict[str, str] = {}  # the JSON or event that the last value ended in, by path
        self._nested: set[str] = set()  # paths of JSON and events: what is in them is read
        self._made = 0

    def read(self, reading: Reading, *, alone: bool, every: bool) -> Reading:
        """Return a reading in which some strings that no format names are texts.

        With `alone`, one that is the only string in its event beside marks; it is a delta. With
        `every`, all but marks.
        """
        pieces = [*reading.pieces]
        strings = [at for at, each in enumerate(pieces) if _is_string(each)]
        found: dict[int, Kind] = dict.fromkeys(self._alone(pieces, strings), "delta")
        if not alone:
            found = {}
        if every:
            found = {**dict.fromkeys(self._not_marks(pieces, strings), "held"), **found}
        found = {at: kind for at, kind in found.items() if self._is_flat(pieces[at])}
        if not found:
            return reading
        told = {slot: iter(each) for slot, each in reading.beside.items()}
        for at in strings:
            slot, text, _ = pieces[at]
            beside = next(told.get(slot._replace(name=""), iter(())), ())
            if at in found:
                pieces[at] = Piece(self._slot(slot, beside, text), text, found[at])
        return reading._replace(pieces=pieces, only_text=False)

    def _alone(self, pieces: Sequence[Piece], strings: Sequence[int]) -> Sequence[int]:
        """Return the places of texts that no other string is beside, or that were so before."""
        said = [at for at in strings if not is_mark(pieces[at].text)]
        known = [at for at in strings if pieces[at].slot.field in self._texts]
        if len(said) > 1:
            return known
        if not (said or known) and len(strings) == 1:
            said = [at for at in strings if _ID.fullmatch(pieces[at].slot.field) is None]
        self._texts.update(pieces[at].slot.field for at in said)
        return [*{*said, *known}]

    def _not_marks(self, pieces: Sequence[Piece], strings: Sequence[int]) -> list[int]:
        found = []
        for at in strings:
            slot, text, _ = pieces[at]
            if not is_mark(text) and self._values.get(slot.field) != text:
                found.append(at)
            self._values[slot.field] = text
        return found

    def _is_flat(self, piece: Piece) -> bool:
        """Return whether a text is neither JSON nor events, as far as it has come.

        Its beginning decides. Later, only what is whole JSON, or hides something by escapes, shows
        that it is read by clients as that.
        """
        path, text = piece.slot.field, piece.text
        if path in self._nested:
            return False
        if path not in self._fields:
            if len(self._fields) == _MOST_PATHS:
                return False
            self._fields[path] = {}
        before = self._begun.get(path)
        found = strings(text, 0, before or "")
        self._begun[path] = found.begun
        shows = before is None or not (found.is_json and found.begun) or "\\" in text
        says = any(not each.is_number for each in found.values)
        if shows and (says or (found.is_json and found.begun and before is None)):
            self._nested.add(path)
            self.turned.append((path, before or ""))
        return path not in self._nested

    def _slot(self, slot: Slot, beside: Beside, text: str) -> Slot:
        """Return the slot of the text that a piece continues, or begins."""
        path, name = slot.field, slot.field[1:].replace("[*]", "")
        marks = {("", slot.name), ("[]", slot.number)}
        fields, told = self._fields[path], dict[str, _Field]()
        for each, value in beside:
            if each == name or type(value) not in (int, str):
                continue
            if each.endswith(KIND_ENDS) and not _ID.fullmatch(each):
                marks.add((each, value))
            elif not isinstance(value, str) or is_mark(value):
                if each in fields:
                    self._tell(path, each, fields[each], value)
                told[each] = known = fields.setdefault(each, _Field(value))
                if known.tells:
                    marks.add((each, value))
        given = dict(beside)
        key = path, frozenset(marks)
        known_slot = self._slots.get(key)
        if known_slot is None:
            self._made += 1
            known_slot = self._slots[key] = Slot(0, "text", path, self._made)
            rests = [told[each].values.get(given[each], "") for each in told if told[each].tells]
            if any(rests):
                self.rest[known_slot] = max(rests, key=len)
        for each, known in told.items():
            known.note(given[each], text)
        row = self.rows.pop(known_slot, None) or Row(key)
        self.rows[known_slot] = row
        self._last[path] = key[1], known_slot
        return known_slot

    def _tell(self, path: str, name: str, known: _Field, value: object) -> None:
        """Let a field tell texts apart if it does by now: the last text is that of its last
        value."""
        if known.tells:
            return
        last = known.last
        known.take(value, is_id=_ID.fullmatch(name) is not None)
        if known.tells and path in self._last:
            marks, slot = self._last[path]
            self._slots[path, marks | {(name, last)}] = slot

    def is_judged_alone(self, slot: Slot) -> bool:
        """Return whether each piece of a text is judged by itself, too: something beside it is new
        with every event."""
        return any(each.is_new for each in self._fields[slot.field].values())

    def drop_oldest(self) -> Slot:
        """Forget the text that rested longest; return its slot."""
        slot = next(iter(self.rows))
        key = self.rows.pop(slot).key
        self._slots = {each: other for each, other in self._slots.items() if other != slot}
        self._slots.pop(key, None)
        return slot


def _is_string(piece: Piece) -> bool:
    """Return whether a piece is a string that no format names, and neither a key nor a kind."""
    path = piece.slot.field
    if piece.kind != "unknown" or path.endswith("~"):
        return False
    return not (path.endswith(KIND_ENDS) and len(piece.text) <= _LONGEST_MARK)


def is_ping(reading: Reading) -> bool:
    """Return whether an event only says that the stream is alive."""
    texts = {piece.text for piece in reading.pieces if not piece.slot.field.endswith("~")}
    keys = {piece.text for piece in reading.pieces if piece.slot.field.endswith("~")}
    return texts <= _PINGS and bool(texts or not keys or keys & _PINGS)
