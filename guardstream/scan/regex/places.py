"""What an NFA consists of: places for characters, choices and assertions.

A place is a number, an index into columns; what only few places have is in dicts. A set of patterns
has tens of thousands of places. As objects, they would take three times as long to create, and each
full garbage collection would look at all of them.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from enum import IntEnum, auto
from functools import lru_cache
from typing import NamedTuple

from guardstream.errors import PatternError
from guardstream.scan.regex.ast import Alt, Repeat

MAX_PLACES = 100_000
"""How many places one pattern may have, not counting those that are written out late."""

NOWHERE = -1
"""The number of no place."""

UNKNOWN = -3
"""A distance that has not been measured yet."""

VARIABLE = -1
"""A distance that depends on the way to the place."""

BEFORE = -2
"""The distance from the masked group's opening at a place before it."""


class Condition(NamedTuple):
    """What a neighbour must be: in all sets of `needs`, in none of `bars`."""

    needs: int = 0
    bars: int = 0

    def holds(self, signature: int) -> bool:
        return signature & self.needs == self.needs and not signature & self.bars

    def and_(self, other: Condition) -> Condition:
        """Both conditions; the same object where the other asks for nothing, as most do."""
        if not (self.needs or self.bars):
            return other
        if not (other.needs or other.bars):
            return self
        return same_condition(self.needs | other.needs, self.bars | other.bars)


same_condition = lru_cache(maxsize=4_096)(Condition)
"""Equal conditions are one object: many patterns ask for the same characters."""

FREE = Condition()


class Kind(IntEnum):
    """What a place does. The extension has the same numbers (`automaton.h`)."""

    CHAR = auto()  # takes one character that fulfils the condition
    AHEAD = auto()  # asks for the next character, or the end
    BEHIND = auto()  # asks for the last character, the start, or a lookbehind's bit
    LOOK = auto()  # begins an obligation: `aside` must, or must not, match from here
    OPEN = auto()  # the masked group begins
    SHUT = auto()  # the masked group ends; only for a group that can be empty
    SPLIT = auto()  # choices in order of preference
    LOOP = auto()  # a SPLIT for a body that can be empty: an empty round leads `out`
    ROUND = auto()  # a counter's round begins: if it is empty, the loop at `out` leads out
    MATCH = auto()  # the pattern, or what was looked for, has matched


CHAR = Kind.CHAR
"""By itself: to look it up takes as long as to add a place."""


class Unwritten(NamedTuple):
    """A choice or a counter that its program writes out when the text first reaches it. A counter
    requires `low` more rounds, and `more` may follow; None without a bound. `opens`: the masked
    group may open in it. `after` is the place that follows it."""

    node: Alt | Repeat
    low: int
    more: int | None
    opens: bool
    after: int


class Places:
    """The places of a program.

    The columns `kinds`, `conditions` and `after` have an entry for each place. `after` is the next
    place: NOWHERE for a MATCH, and for a place with `ways`, which are choices. `out` leads out of a
    LOOP, or is the LOOP of a ROUND. `aside` is where a lookaround begins; those of `negated` places
    must not match. `distances` are the characters from the beginning of the match, `opened` those
    from the opening of the masked group. `unwritten` places get their ways when the text first
    reaches them.

    There may be at most `most` places.
    """

    def __init__(self) -> None:
        self.most: float = MAX_PLACES
        self.kinds: list[Kind] = []
        self.conditions: list[Condition] = []
        self.after = array("i")
        self.distances = array("i")
        self.opened = array("i")
        self.ways: dict[int, tuple[int, ...]] = {}
        self.out: dict[int, int] = {}
        self.aside: dict[int, int] = {}
        self.negated: set[int] = set()
        self.unwritten: dict[int, Unwritten] = {}

    def __len__(self) -> int:
        return len(self.kinds)

    def add(self, kind: Kind, condition: Condition = FREE, after: int = NOWHERE) -> int:
        """A new place, without distances yet. Raises PatternError."""
        kinds = self.kinds
        place = len(kinds)
        if place >= self.most:
            message = f"the pattern needs over {MAX_PLACES} places; lower its counters"
            raise PatternError(f"{message}, and give long lists of words as 'words'")
        try:
            kinds.append(kind)
            self.conditions.append(condition)
            self.after.append(after)
        except MemoryError:
            # Extend all columns or none: else later places would have the entries of others.
            del kinds[place:], self.conditions[place:], self.after[place:]
            raise
        return place

    def measure(self, distance: int) -> None:
        """Give all places that have no distances yet this one."""
        for column in (self.distances, self.opened):
            column.extend(array("i", [distance]) * (len(self.kinds) - len(column)))

    def clear(self) -> None:
        """Let go of all places, which are kept elsewhere now."""
        for column in (self.kinds, self.conditions, self.after, self.distances, self.opened):
            del column[:]
        for few in (self.ways, self.out, self.aside, self.negated):
            few.clear()

    def following(self, place: int) -> Sequence[int]:
        """What comes after a place that is written out, in order of preference."""
        ways = self.ways.get(place)
        if ways is None:
            return (self.after[place],) if self.after[place] != NOWHERE else ()
        return ways
