"""The texts of events that no format names, as rows of pieces with a pipeline each.

A text is known by its path and by what tells it apart: the marks beside it (a role, an author, a
kind, the event's name) and ids that stay or return. What it holds leaves in a copy of the event
that it came in, so that nobody's text moves into an event of somebody else. An id that is new with
every event tells nothing apart: such events are one text. Each is judged by itself, too.

An event with exactly one string beside marks has such a text. With `unknown: hold`, so has each
string at a path that no format names.
"""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import takewhile
from typing import Any, Literal, NamedTuple, TypeAlias

from guardstream.formats.adapter import NEW, Beside, Kind, Piece, Reading, Slot
from guardstream.formats.toolkit.fields import KIND_ENDS
from guardstream.formats.toolkit.marks import KNOWN, is_mark
from guardstream.stream.flows.nested.strings import strings
from guardstream.stream.flows.told_apart import own_name, type_of

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

_NAMING = 12
"""Code points after which a value of several, which came at least three times in a row, is no text:
it is the name of a role, a state or a tenant."""

_ID = re.compile(r".*(?:^|[._])(?:id|index|key)|.*[a-z](?:Id|ID|Index|Key)")
"""The paths of fields that identify what they are in, even if they are named like a kind."""

_CLOCK = re.compile(
    r".*(?:time|date|created|elapsed|latency|duration|tokens?|count|usage|score|prob|progress|size"
    r"|length|len|_at|_ms)s?(?:\.[^.]*)?",
    re.IGNORECASE,
)
"""The paths of fields that measure, and so may stay and change while a text goes on."""

_VALUE = re.compile(
    r"[-+]?[0-9][0-9.,_]*(?:[eE][-+]?[0-9]+)?"
    r"|[0-9]{4}-[0-9]{2}(?:-[0-9]{2}(?:[T ][0-9:.]{4,20}(?:Z|[-+][0-9:]{2,6})?)?)?"
    r"|[0-9]{2}:[0-9]{2}(?::[0-9.]{2,10})?"
    r"|[0-9a-fA-F]{8}(?:-?[0-9a-fA-F]{4}){3}-?[0-9a-fA-F]{12}"
)
"""A number, a date or time, a UUID."""

_PINGS = frozenset({"ping", "heartbeat", "keepalive", "keep-alive", "keep_alive"})


class Told(NamedTuple):
    """What tells texts apart: the slot of a piece as it was read, what is beside it, and the kinds
    of its event, and who says it."""

    slot: Slot
    beside: Beside
    kinds: Mapping[str, str]


class Came(NamedTuple):
    """A piece of a text, and the event that it came in."""

    event: Any
    at: int
    text: str


@dataclass(slots=True, eq=False)
class Row:
    """The pieces of a text that are held, and how many events have come since its last one.

    `begun` is the JSON or the event that it ends in, if it may be that; None before its
    first piece.
    """

    key: tuple[str, frozenset[object]]
    held: list[Came] = field(default_factory=list)
    idle: int = 0
    begun: str | None = None

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


def _same(one: str, other: str) -> int:
    """Return how many code points two texts have in common at their beginning."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


def _after(pieces: Sequence[Came], start: int) -> Iterator[Came]:
    """Yield what of some pieces comes after a place of their text."""
    for each in pieces:
        if len(each.text) > start:
            yield each._replace(text=each.text[start:])
        start = max(start - len(each.text), 0)


_Change: TypeAlias = Literal["same", "stays", "next", "new", "returns"]
"""What a field does with an event: its value is the one before; it has stayed for the first time,
after a new one; it is the next one after one that stayed; it is new; or it was there before others.
"""


class _Field:
    """The values of a field beside the texts at one path, in the order in which they came.

    It `is_new` with every event if none has stayed.
    """

    __slots__ = ("_last", "_stays", "_values")

    def __init__(self, value: object) -> None:
        self._last = value
        self._values = {value}
        self._stays = False

    @property
    def is_new(self) -> bool:
        return len(self._values) > 1 and not self._stays

    def take(self, value: object) -> _Change:
        if value == self._last:
            first, self._stays = self.is_new, True
            return "stays" if first else "same"
        self._last = value
        if value in self._values:
            return "returns"
        if len(self._values) < MAX_TEXTS:
            self._values.add(value)
        return "next" if self._stays else "new"


class EventTexts:
    """The texts of one stream.

    `rows` are those that are open, the latest last, and `held` those of which some is held. `over`
    are texts that another one follows, `rest` is what has come of one that is only now known to be
    another. `turned` are paths whose texts are judged at once from here on, because they are JSON
    or events, or several in turn. `alone` are the paths of texts that stood alone in an event.
    """

    def __init__(self, memory: int) -> None:
        self.rows: dict[Slot, Row] = {}
        self.held: dict[Slot, Row] = {}
        self.over: list[Slot] = []
        self.turned: list[str] = []
        self._memory = memory
        self._fields: dict[str, dict[str, _Field]] = {}  # beside the texts at each path
        self._slots: dict[tuple[str, frozenset[object]], Slot] = {}
        self.rest: dict[Slot, str] = {}
        self._shown: dict[str, str] = {}  # numbers at each path that a text may go on
        self._values: dict[str, tuple[str, int]] = {}  # the last at each path, how often in a row
        self._varied: set[str] = set()  # the paths with different values
        self._kinds: dict[str, dict[str, str]] = {}  # the last kinds of the events of each path
        self.alone: set[str] = set()  # the paths of texts that stood alone
        self._last: dict[str, deque[tuple[Told, str]]] = {}  # the last pieces at each path
        self._at_once: set[str] = set()  # the paths that have turned
        self._turns: Counter[str] = Counter()  # how often another text has followed, by path
        self._made = 0

    def read(self, reading: Reading, *, alone: bool, every: bool) -> Reading:
        """Return a reading in which some strings that no format names are texts.

        With `alone`, one that is the only string in its event beside marks; it is a delta. With
        `every`, all but marks.
        """
        pieces = reading.pieces
        strings = [at for at, each in enumerate(pieces) if _is_string(each)]
        found: dict[int, Kind] = dict.fromkeys(strings, "held") if every else {}
        if alone and not any(each.kind in NEW for each in pieces):
            found |= dict.fromkeys(self._single(pieces, strings), "delta")
        for at in strings if len(found) < len(strings) else ():
            path, text = pieces[at].slot.field, pieces[at].text
            if at not in found and path not in self._fields and not is_mark(text):
                self._at_once.add(path)
        return self._with_rows(reading, found) if found else reading

    def _with_rows(self, reading: Reading, found: Mapping[int, Kind]) -> Reading:
        """Return a reading in which some strings are pieces of texts."""
        pieces = [*reading.pieces]
        kinds = {each.slot.field: each.text for each in pieces if _is_kind(each)}
        times = Counter([pieces[at].slot.field for at in found]) if len(found) > 1 else {}
        told = {slot: iter(each) for slot, each in reading.beside.items()}
        for at, kind in sorted(found.items()):
            piece = pieces[at]
            beside = next(told.get(piece.slot._replace(name=""), iter(())), ())
            if times.get(piece.slot.field, 1) == 1:  # items of a list are no text
                slot = self._slot_of(piece, Told(piece.slot, beside, kinds), kind)
                if slot is not None:
                    pieces[at] = piece._replace(slot=slot, kind=kind)
        return reading._replace(pieces=pieces, only_text=False)

    def last_pieces(self, path: str) -> Sequence[tuple[Told, str]]:
        """Return the last pieces at a path that has turned, the one that made it turn aside."""
        return [*self._last.pop(path, ())]

    def _single(self, pieces: Sequence[Piece], strings: Sequence[int]) -> Sequence[int]:
        """Return the places of texts that no other string is beside, or that were so before."""
        said = [at for at in strings if not is_mark(pieces[at].text)]
        known = [at for at in strings if pieces[at].slot.field in self.alone]
        if len(said) > 1:
            return known
        if not (said or known) and len(strings) == 1:
            said = [at for at in strings if _ID.fullmatch(pieces[at].slot.field) is None]
        self.alone.update(pieces[at].slot.field for at in said)
        return [*{*said, *known}]

    def _is_name(self, path: str, text: str, kind: Kind) -> bool:
        """Return whether a value repeats or is one by itself, and so is no piece of a text. What
        follows held text at its path is never one by itself."""
        last, times = self._values.get(path, ("", 0))
        times = times + 1 if text == last else 1
        self._values[path] = text, times
        if last and text != last:
            self._varied.add(path)
        if kind == "held":
            held = any(slot.field == path for slot in self.held)
            return not held and (times > 1 or text in KNOWN or _VALUE.fullmatch(text) is not None)
        repeats = times > 2 and len(text) > 1 and times * len(text) >= _NAMING
        return repeats and path not in self._varied  # of a text, tokens may repeat

    def _slot_of(self, piece: Piece, told: Told, kind: Kind) -> Slot | None:
        """Return the slot of the text that a piece continues, or begins; None if it is judged at
        once."""
        path, text = piece.slot.field, piece.text
        if path not in self._fields and len(self._fields) < _MOST_PATHS:
            self._fields[path] = {}
        if path not in self._fields or path in self._at_once:
            return None
        if self._is_name(path, text, kind):
            self.over += [slot for slot in self.rows if slot.field == path]
            if kind == "held" and _VALUE.fullmatch(text):
                self._shown[path] = (self._shown.get(path, "") + text)[-self._memory :]
            return None
        marks = self._marks(path, told, every=kind == "delta")
        slot = None if marks is None else self._row(path, marks)
        if slot is None or not self._is_flat(self.rows[slot], text):
            self._at_once.add(path)
            self.alone.discard(path)
            self.turned.append(path)
            return None
        if shown := self._shown.pop(path, ""):
            self.rest[slot] = shown
        last = self._last.setdefault(path, deque())
        last.append((told, text))
        if len(last) > self._memory:  # each has a code point
            last.popleft()
        return slot

    def _row(self, path: str, marks: frozenset[object]) -> Slot:
        key = path, marks
        slot = self._slots.get(key)
        if slot is None:
            self._made += 1
            slot = self._slots[key] = Slot(0, "text", path, self._made)
        row = self.rows.pop(slot) if slot in self.rows else Row(key)
        self.rows[slot] = row  # the latest is the last
        return slot

    def _marks(self, path: str, told: Told, *, every: bool) -> frozenset[object] | None:
        """Return the marks by which a text is told from others at its path; None if others may
        take turns with it. `every` string beside it tells, or only those that are marks."""
        fields, own = self._fields[path], own_name(path)
        given = {name: value for name, value in told.beside if name != own}
        marks: set[object] = {told.slot.name, *self._kinds_of(path, told)}
        changes: set[_Change] = set()
        if fields.keys() - given.keys():
            given = {**dict.fromkeys(fields), **given}
        for name, value in given.items():
            if (_names_kind(name) and isinstance(value, str)) or _measures(name, value):
                continue  # one of its kinds, or a clock
            if every or not isinstance(value, str) or is_mark(value):
                typed = (type_of(value), value)
                if name not in fields:
                    fields[name] = _Field(typed)
                    continue
                change = fields[name].take(typed)
                if change == "returns" or (change != "same" and _identifies(value)):
                    changes.add(change)
        if "returns" in changes:
            return None
        if not changes.isdisjoint(("next", "stays")):
            self.over += [slot for slot in self.rows if slot.field == path]
            self._turns[path] += 1
        marks.add(("turn", self._turns[path]))
        if "stays" in changes and "next" not in changes and self._last.get(path):
            self.rest[self._row(path, frozenset(marks))] = self._last[path][-1][1]
        return frozenset(marks)

    def _kinds_of(self, path: str, told: Told) -> Iterable[tuple[str, str]]:
        """Return the kinds of an event; of those that it does not name, the last ones hold on."""
        kinds = self._kinds.setdefault(path, {})
        if self._last.get(path) and not told.kinds.keys() <= kinds.keys():
            for slot, row in [*self.rows.items()]:
                if slot.field == path:  # what had no such kind had this one
                    new = {each: told.kinds[each] for each in told.kinds.keys() - kinds.keys()}
                    self._slots[path, row.key[1] | {*new.items()}] = slot
        kinds |= told.kinds
        return kinds.items()

    def _is_flat(self, row: Row, text: str) -> bool:
        """Return whether a text is neither JSON nor events, as far as it has come.

        Its beginning decides. Later, only what is whole JSON, or hides something by escapes, shows
        that it is read by clients as that.
        """
        before = row.begun
        found = strings(text, 0, before or "")
        row.begun = found.begun
        says = any(not each.is_number for each in found.values)
        if found.is_json and found.begun:
            return not (before is None or ("\\" in text and says))
        return not says

    def forget(self, slots: Collection[Slot]) -> None:
        """Forget texts that are over."""
        for slot in slots:
            self.rows.pop(slot, None)
            self.held.pop(slot, None)
        self._slots = {key: slot for key, slot in self._slots.items() if slot not in slots}


@lru_cache(_MOST_PATHS)
def _names_kind(path: str) -> bool:
    """Return whether a field is named like a kind, and not like an id."""
    return path.endswith(KIND_ENDS) and _ID.fullmatch(path) is None


def _identifies(value: object) -> bool:
    """Return whether a text may have ended where a field has another value: neither what measures
    nor a flag nor a state says so."""
    if isinstance(value, str):
        return value not in KNOWN and is_mark(value)
    return type(value) is int


@lru_cache(_MOST_PATHS)
def _is_clock(name: str) -> bool:
    return _CLOCK.fullmatch(name) is not None


def _measures(name: str, value: object) -> bool:
    """Return whether a number measures something, and so says nothing of a text."""
    return type(value) is int and _is_clock(name)


def _is_kind(piece: Piece) -> bool:
    """Return whether a piece says of which kind its event is, or who says it."""
    path = piece.slot.field
    is_short = len(piece.text) <= _LONGEST_MARK and piece.kind == "unknown"
    return is_short and _names_kind(path)


def _is_string(piece: Piece) -> bool:
    """Return whether a piece is a string that no format names, and neither a key nor a kind."""
    path = piece.slot.field
    if piece.kind != "unknown" or path.endswith("~") or not path.startswith("$."):
        return False
    return not (path.endswith(KIND_ENDS) and len(piece.text) <= _LONGEST_MARK)


def is_ping(reading: Reading) -> bool:
    """Return whether an event only says that the stream is alive."""
    texts = {piece.text for piece in reading.pieces if not piece.slot.field.endswith("~")}
    keys = {piece.text for piece in reading.pieces if piece.slot.field.endswith("~")}
    return texts <= _PINGS and bool(texts or not keys or keys & _PINGS)
