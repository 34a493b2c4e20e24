"""Compiles a pattern's tree to places: characters, choices, assertions, and the ways between them.

Counters are written out, or, where they are large, relaxed to `*` and `+`: the automaton may find
too much, never too little. Places know how far they are from the beginning where that is fixed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from guardstream.errors import PatternError
from guardstream.scan.regex.alphabet import CharSets
from guardstream.scan.regex.analysis import min_width
from guardstream.scan.regex.ast import (
    Alt,
    Approximate,
    Assert,
    Cat,
    Char,
    Group,
    Look,
    Node,
    Repeat,
)

if TYPE_CHECKING:
    from guardstream.scan.regex.closure import Item

MAX_PLACES = 4_000
"""How many places one pattern may have once its counters are written out."""

UNKNOWN = -3
"""A distance that has not been measured yet."""

VARIABLE = -1
"""A distance that differs from way to way."""

BEFORE = -2
"""The distance from the masked group's opening at a place before it."""

ANCHORED = 1 << 20
"""Added to the distance of a place that is reached from the text's beginning only: there a match
can only have begun at offset 0, and so it does when too long a distance is taken from it."""

ANYTHING = r"[\s\S]"

MAX_BLUR = 32
"""How far the start of a match may be overestimated where only its group counts."""

EXACT_COUNT = 4
"""Counters up to this one are always searched exactly, larger ones as `*` or `+` where a text
would pass through them all the time: each count of each start would be a state of its own."""

EXACT_COUNT_BEHIND_LITERAL = 64
"""The same for counters that prose does not reach: of characters that are rare in it, or behind
`LITERAL` characters that are."""

LITERAL = 2

FAR = 1 << 30
"""More than any shortest distance."""

_COMMON = ("e", " ", "的")


@dataclass(frozen=True, slots=True)
class Condition:
    """What the next (or last) character must be: in `needs`, not in `bars`; or there is none."""

    needs: int = 0
    bars: int = 0
    at_edge: bool = True

    def holds(self, signature: int) -> bool:
        return signature & self.needs == self.needs and not signature & self.bars

    def and_(self, other: Condition) -> Condition:
        return Condition(
            self.needs | other.needs, self.bars | other.bars, self.at_edge and other.at_edge
        )


FREE = Condition()


@lru_cache(4_096)
def _in_set(bit: int) -> Condition:
    return Condition(bit, 0, False)


@dataclass(slots=True, eq=False)
class Place:
    """A step of a compiled pattern; `after` is the next, or `ways` are the choices of a "split".

    `kind` is "char" (takes one character that fulfils `condition`), "ahead" or "behind" (an
    assertion), "open" (the masked group begins), "split" (choices in order), "match" or "drop" (a
    lookahead's end). `distance` is how many characters the match has here, and `shortest` the
    fewest it can have; `opened` and `opened_shortest` count from the masked group's opening,
    without a masked group from the match's beginning. `items` is kept for `items.item_at`.
    """

    kind: str
    program: Program
    condition: Condition = FREE
    after: Place | None = None
    ways: Sequence[Place] = ()
    distance: int = UNKNOWN
    opened: int = UNKNOWN
    shortest: int = FAR
    opened_shortest: int = FAR
    items: dict[int, Item] | None = None

    def leads_to(self) -> Sequence[Place]:
        """What comes behind it, in order of preference."""
        return self.ways if self.after is None else (self.after,)


class Program:
    """One compiled pattern, `first` being where it begins.

    `index` numbers the patterns of an automaton. `exact` says that nothing is over-approximated,
    `decided_late` that a lookahead may still refuse what has matched. `ordered` and `shared` are
    set by the automaton: whether threads keep `regex`'s order, and whether the beginning is looked
    for by a program that several patterns share.
    """

    def __init__(
        self,
        index: int,
        tree: Node,
        sets: CharSets,
        group: int = 0,
        *,
        relax: bool = True,
        merged: bool = True,
    ) -> None:
        self.index = index
        self.sets = sets
        self.exact = True
        self.decided_late = False
        self.looks_behind = 0
        self.ordered = False
        self.shared = False
        self._group = group
        self._relax = relax
        self._places = 0
        self.first = self._compile(tree, self._place("match", FREE), 0)
        # Only of a merged pattern, and only where text waits for a group, the start of the match
        # need not be exact: the longest way to a place says it well enough.
        self._blur = MAX_BLUR if group and (merged or not self.exact) else 0
        self._measure(0 if group == 0 else BEFORE)

    def _joined(self, known: int, distance: int) -> int:
        """The distance of a place that is reached once more."""
        if known in (UNKNOWN, distance):
            return distance
        if known < 0 or distance < 0:
            return VARIABLE
        shorter, longer = sorted((known, distance))
        if longer >= ANCHORED:
            # The way from the text's beginning has begun at offset 0, however long it is taken for.
            if shorter >= ANCHORED:
                return longer if longer <= ANCHORED + MAX_BLUR else 2 * ANCHORED
            return shorter if shorter >= longer - ANCHORED else VARIABLE
        return longer if longer <= self._blur else VARIABLE

    def _measure(self, opened: int) -> None:
        """Give every place its distances."""
        reached = [(self.first, 0, opened, 0, 0)]
        places = set()
        while reached:
            place, distance, opened, shortest, opened_shortest = reached.pop()
            places.add(place)
            measured = place.distance, place.opened, place.shortest, place.opened_shortest
            place.distance = self._joined(place.distance, distance)
            place.opened = opened if place.opened in (UNKNOWN, opened) else VARIABLE
            place.shortest = min(shortest, place.shortest)
            if opened != BEFORE:
                place.opened_shortest = min(opened_shortest, place.opened_shortest)
            now = place.distance, place.opened, place.shortest, place.opened_shortest
            if now != measured:
                reached += [(after, *self._beyond(place)) for after in place.leads_to()]
        if not self._group:
            for place in places:
                place.opened, place.opened_shortest = place.distance, place.shortest

    def _beyond(self, place: Place) -> tuple[int, int, int, int]:
        """The distances of what follows the place."""
        step = place.kind == "char"
        distance, opened = place.distance, place.opened
        if place.kind == "behind" and place.condition.bars & self.sets.bit(ANYTHING):
            distance = distance if distance < 0 or distance >= ANCHORED else distance + ANCHORED
        distance += step if distance >= 0 else 0
        if place.kind == "open" and opened == BEFORE:
            return distance, 0, place.shortest + step, 0
        opened += step if opened >= 0 else 0
        return distance, opened, place.shortest + step, place.opened_shortest + step

    # Compiling: each method takes what follows and returns what comes first

    def _place(self, kind: str, condition: Condition, *after: Place) -> Place:
        self._places += 1
        if self._places > MAX_PLACES:
            raise PatternError(f"the pattern needs over {MAX_PLACES} places; lower its counters")
        if kind == "behind":
            self.looks_behind |= condition.needs | condition.bars
        if kind == "split":
            return Place(kind, self, ways=after)
        return Place(kind, self, condition, after[0] if after else None)

    def _compile(self, node: Node, after: Place, rare: int) -> Place:  # noqa: C901 - one case a kind
        """`rare` is how many characters that are rare in prose come before the node."""
        match node:
            case Char(fragment):
                return self._place("char", _in_set(self.sets.bit(fragment)), after)
            case Cat(items):
                counts = [rare]
                for item in items:
                    counts.append(counts[-1] + self._rarity(item))
                for item, count in zip(reversed(items), reversed(counts[:-1]), strict=True):
                    after = self._compile(item, after, count)
                return after
            case Alt(items):
                ways = (self._compile(item, after, rare) for item in items)
                return self._place("split", FREE, *ways)
            case Repeat():
                return self._repeat(node, after, rare)
            case Group(item, number):
                inside = self._compile(item, after, rare)
                return self._place("open", FREE, inside) if number == self._group else inside
            case Approximate(item):
                self.exact = False
                return self._compile(item, after, rare)
            case Look():
                return self._look(node, after)
            case Assert():
                return self._assertion(node, after)

    def _rarity(self, node: Node) -> int:
        """How many characters that are rare in prose every match of the node has."""
        match node:
            case Char(fragment):
                bit = self.sets.bit(fragment)
                return not any(self.sets.signature(common) & bit for common in _COMMON)
            case Cat(items):
                return sum(map(self._rarity, items))
            case Alt(items):
                return min(map(self._rarity, items))
            case Repeat(item, low):
                return low * self._rarity(item) if low else 0
            case Group(item) | Approximate(item):
                return self._rarity(item)
            case _:
                return 0

    def _repeat(self, node: Repeat, after: Place, rare: int) -> Place:
        low, high = node.low, node.high
        within = self._rarity(node.item)
        costly = self._relax and not within and rare < LITERAL
        limit = EXACT_COUNT if costly else EXACT_COUNT_BEHIND_LITERAL
        if max(low, high or 0) > limit:
            self.exact = False
            low, high = min(low, EXACT_COUNT), None
        if high is None:
            after = self._loop(node, after, rare)
        else:
            end = after
            for _ in range(high - low):
                # As X{0,2} is (X(X)?)?, not X?X?, each way out leads behind the whole.
                after = self._optional(self._compile(node.item, after, rare), end, node.lazy)
        for _ in range(low):
            after = self._compile(node.item, after, rare)
        return after

    def _optional(self, inside: Place, skipped: Place, lazy: bool) -> Place:
        return self._place("split", FREE, *((skipped, inside) if lazy else (inside, skipped)))

    def _loop(self, node: Repeat, after: Place, rare: int) -> Place:
        if min_width(node.item) == 0:
            self.exact = False
        loop = self._place("split", FREE)
        inside = self._compile(node.item, loop, rare)
        loop.ways = (after, inside) if node.lazy else (inside, after)
        return loop

    def _look(self, node: Look, after: Place) -> Place:
        single = _single(node.item, "end" if node.ahead else "start")
        if single is None:
            self.exact = False
            if not node.ahead:
                return after
            self.decided_late = True
            aside = self._compile(node.item, self._place("drop", FREE), 0)
            return self._place("split", FREE, after, aside)
        kind = "ahead" if node.ahead else "behind"
        conditions = [self._edge(item, node.negate) for item in single]
        if node.negate:
            for condition in conditions:
                after = self._place(kind, condition, after)
            return after
        return self._place("split", FREE, *(self._place(kind, c, after) for c in conditions))

    def _edge(self, item: Char | Assert, negate: bool) -> Condition:
        """The condition 'the neighbour is in the set', or 'there is no neighbour'."""
        if isinstance(item, Char):
            bit = self.sets.bit(item.fragment)
            return Condition(0, bit, True) if negate else Condition(bit, 0, False)
        anything = self.sets.bit(ANYTHING)
        return Condition(anything, 0, False) if negate else Condition(0, anything, True)

    def _assertion(self, node: Assert, after: Place) -> Place:
        newline, word = Char(r"\n"), Char(node.word)
        if node.kind == "start":
            return self._place("behind", self._edge(node, False), after)
        if node.kind == "line_start":
            edges = self._edge(newline, False), self._edge(node, False)
            return self._place("split", FREE, *(self._place("behind", e, after) for e in edges))
        if node.kind in ("word", "not_word"):
            return self._word_edge(word, node.kind == "word", after)
        end = self._place("ahead", self._edge(node, False), after)
        if node.kind == "end":
            return end
        return self._place(
            "split", FREE, end, self._place("ahead", self._edge(newline, False), after)
        )

    def _word_edge(self, word: Char, differs: bool, after: Place) -> Place:
        inside, outside = self._edge(word, False), self._edge(word, True)
        ways = []
        for behind, same in ((inside, inside), (outside, outside)):
            ahead = (outside if same is inside else inside) if differs else same
            ways.append(self._place("behind", behind, self._place("ahead", ahead, after)))
        return self._place("split", FREE, *ways)


def _single(node: Node, edge: str) -> list[Char | Assert] | None:
    """The alternatives of a one-character lookaround, or None if it is anything else."""
    match node:
        case Char():
            return [node]
        case Assert(kind) if kind == edge:
            return [node]
        case Alt(items):
            found: list[Char | Assert] = []
            for item in items:
                single = _single(item, edge)
                if single is None:
                    return None
                found += single
            return found
        case _:
            return None
