"""Compiles a pattern's tree to items: what a thread of the search can be waiting for.

An item waits for one character in a set, or stands at the end of the pattern until a one-character
lookahead is decided. The way from one item to the next passes choices, assertions on the character
before, and the opening of the masked group; `Program.after` gives the items it leads to in
`regex`'s order of preference (Pike's virtual machine, https://swtch.com/~rsc/regexp/regexp2.html).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from guardstream.errors import PatternError
from guardstream.scan.charset import CharSets
from guardstream.scan.syntax import (
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

START = -1
"""The signature that stands for 'no character before: the start of the text'."""

MAX_PLACES = 4_000
"""How many places one pattern may have once its counters are written out."""

VARIABLE = -1
"""A distance that differs from way to way."""

BEFORE = -2
"""The distance from the masked group's opening at a place before it."""

MAX_BLUR = 32
"""How far the start of a match may be overestimated where only its group counts."""

EXACT_COUNT = 4
"""Counters up to this one are always searched exactly, larger ones as `*` or `+` where a text
would pass through them all the time: each count of each start would be a state of its own."""

EXACT_COUNT_BEHIND_LITERAL = 64
"""The same for counters that prose does not reach: of characters that are rare in it, or behind
`LITERAL` characters that are."""

LITERAL = 2

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


@dataclass(slots=True, eq=False)
class Place:
    """A step of the compiled pattern.

    `kind` is "char" (takes one character that fulfils `condition`), "ahead" or "behind" (an
    assertion), "open" (the masked group begins), "split" (choices in order), "match" or "drop".
    `distance` is how many characters the match has here, and `shortest` the fewest it can have;
    `opened` and `opened_shortest` count from the masked group's opening, without a masked group
    from the match's beginning.
    """

    kind: str
    condition: Condition = FREE
    next: list[Place] = field(default_factory=list)
    program: Program | None = None
    distance: int | None = None
    opened: int | None = None
    shortest: int = 1 << 30
    opened_shortest: int = 1 << 30


@dataclass(slots=True, eq=False)
class Item:
    """What a thread waits for: `place` takes the next character if `condition` holds for it.

    `number` counts the items of all patterns. `accepts`: the pattern's end, nothing to wait for.
    `settled` is kept for the automaton: the only thread that can stand here, if there is one.
    """

    number: int
    program: Program
    place: Place
    condition: Condition
    accepts: bool
    settled: object = None
    steps: dict[int, tuple[tuple[Item, bool], ...]] = field(default_factory=dict)

    def advance(self, signature: int) -> tuple[tuple[Item, bool], ...]:
        """The items after a character, each with whether the masked group opened on the way."""
        steps = self.steps.get(signature)
        if steps is None:
            steps = ()
            if self.place.kind == "char" and self.condition.holds(signature):
                steps = self.program.after(self.place.next[0], signature)
            self.steps[signature] = steps
        return steps


class Program:
    """One compiled pattern: `after` walks it, `exact` says that it over-approximates nothing."""

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
        self.exact = True
        self.decided_late = False
        self.looks_behind = 0
        self.shared = False
        self._sets = sets
        self._group = group
        self._relax = relax
        self._places = 0
        self._items: dict[tuple[int, Condition], Item] = {}
        self._walks: dict[tuple[int, int], tuple[tuple[Item, bool], ...]] = {}
        self._fixed: set[int] = set()
        self.first = self._compile(tree, self._place("match", FREE), 0)
        # Only of a merged pattern, and only where text waits for a group, the start of the match
        # need not be exact: the longest way to a place says it well enough.
        self._blur = MAX_BLUR if group and (merged or not self.exact) else 0
        self._measure(0 if group == 0 else BEFORE)

    def roots(self, before: int) -> tuple[tuple[Item, bool], ...]:
        """The items with which the pattern begins after a character of signature `before`."""
        return self.after(self.first, before)

    def after(self, place: Place, before: int) -> tuple[tuple[Item, bool], ...]:
        """The items reached from `place`, in order of preference, each once."""
        key = id(place), (0 if id(place) in self._fixed else before)
        walk = self._walks.get(key)
        if walk is None:
            found: dict[Item, bool] = {}
            looked_back = self._walk(place, before, FREE, False, found, set())
            walk = tuple(found.items())
            if not looked_back:
                self._fixed.add(id(place))
                key = id(place), 0
            self._walks[key] = walk
        return walk

    def _walk(
        self,
        place: Place,
        before: int,
        condition: Condition,
        opened: bool,
        found: dict[Item, bool],
        seen: set[tuple[int, Condition]],
    ) -> bool:
        """Collect into `found`; returns whether the way depends on the character before."""
        looked_back = False
        pending = [(place, condition, opened)]
        while pending:
            place, condition, opened = pending.pop()
            if (id(place), condition) in seen:
                continue
            seen.add((id(place), condition))
            if place.kind == "behind":
                looked_back = True
                holds = (
                    place.condition.at_edge if before == START else place.condition.holds(before)
                )
                if not holds:
                    continue
            elif place.kind == "ahead":
                condition = condition.and_(place.condition)
                if condition.needs & condition.bars:
                    continue
            elif place.kind == "open":
                opened = True
            elif place.kind != "split":
                # A lookahead's own end needs no thread unless it waits for a character.
                if place.kind != "drop" or condition != FREE:
                    owner = place.program or self
                    found.setdefault(owner._item(place, condition), opened)
                continue
            pending += [(after, condition, opened) for after in reversed(place.next)]
        return looked_back

    def _item(self, place: Place, condition: Condition) -> Item:
        if place.kind == "char":
            condition = condition.and_(place.condition)
        key = id(place), condition
        item = self._items.get(key)
        if item is None:
            accepts = place.kind == "match" and condition == FREE
            number = self._sets.next_number()
            owner = place.program or self
            item = self._items[key] = Item(number, owner, place, condition, accepts)
        return item

    def _joined(self, known: int | None, distance: int) -> int:
        """The distance of a place that is reached once more."""
        if known is None or known == distance:
            return distance
        longest = max(known, distance)
        return longest if min(known, distance) >= 0 and longest <= self._blur else VARIABLE

    def _measure(self, opened: int) -> None:
        """Give every place its distances."""
        reached = [(self.first, 0, opened, 0, 0)]
        while reached:
            place, distance, opened, shortest, opened_shortest = reached.pop()
            measured = place.distance, place.opened, place.shortest, place.opened_shortest
            place.distance = self._joined(place.distance, distance)
            place.opened = opened if place.opened in (None, opened) else VARIABLE
            place.shortest = min(shortest, place.shortest)
            if opened != BEFORE:
                place.opened_shortest = min(opened_shortest, place.opened_shortest)
            now = place.distance, place.opened, place.shortest, place.opened_shortest
            if now == measured:
                continue
            distance, opened = place.distance, place.opened
            step = place.kind == "char"
            if place.kind == "open" and opened == BEFORE:
                opened, opened_shortest = 0, 0
            else:
                opened_shortest = min(place.opened_shortest, 1 << 30)
            further = (
                distance + step if distance >= 0 else distance,
                opened + step if opened >= 0 else opened,
                place.shortest + step,
                opened_shortest + step,
            )
            reached += [(after, *further) for after in place.next]

    # Compiling: each method takes what follows and returns what comes first

    def _place(self, kind: str, condition: Condition, *after: Place) -> Place:
        self._places += 1
        if self._places > MAX_PLACES:
            raise PatternError(f"the pattern needs more than {MAX_PLACES} places; lower its counters")
        if kind == "behind":
            self.looks_behind |= condition.needs | condition.bars
        return Place(kind, condition, list(after), self)

    def _compile(self, node: Node, after: Place, rare: int) -> Place:
        """`rare` is how many characters that are rare in prose come before the node."""
        match node:
            case Char(fragment):
                return self._place("char", Condition(self._sets.bit(fragment), 0, False), after)
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
                bit = self._sets.bit(fragment)
                return not any(self._sets.signature(common) & bit for common in _COMMON)
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
        limit = EXACT_COUNT_BEHIND_LITERAL if within or rare >= LITERAL else EXACT_COUNT
        if self._relax and max(low, high or 0) > limit:
            self.exact = False
            low, high = min(low, EXACT_COUNT), None
        if high is None:
            after = self._loop(node, after, rare)
            if low:
                low, after = low - 1, after.next[1 if node.lazy else 0]
        else:
            for _ in range(high - low):
                after = self._optional(self._compile(node.item, after, rare), after, node.lazy)
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
        loop.next = [after, inside] if node.lazy else [inside, after]
        return loop

    def _look(self, node: Look, after: Place) -> Place:
        single = _single(node.item, "end" if node.ahead else "start")
        if single is None:
            self.exact = False
            if not node.ahead:
                return after
            self.decided_late = True
            return self._place("split", FREE, after, self._compile(node.item, self._place("drop", FREE), 0))
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
            bit = self._sets.bit(item.fragment)
            return Condition(0, bit, True) if negate else Condition(bit, 0, False)
        anything = self._sets.bit(r"[\s\S]")
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


def share_beginnings(programs: Sequence[Program], sets: CharSets, index: int) -> Program | None:
    """A program of the literal beginnings that the given programs have, each only once.

    It leads into the programs where their beginnings end, and takes the place of their roots. Only
    programs that are given as a whole by such beginnings are taken in; None if there are none.
    """
    shared = Program(index, Cat(()), sets)
    root = Place("split", program=shared)
    for program in programs:
        chains = _chains(program.first)
        # All ways of a pattern leave what is shared at once, so that one that has matched can
        # never overtake one that began with it.
        length = min(map(len, chains), default=1) - 1
        if length < 1:
            continue
        program.shared = True
        for chain in chains:
            node = root
            for place in chain[:length]:
                node = _child(node, place.condition, shared)
            node.next.append(chain[length])
    if not root.next:
        return None
    shared.first = root
    return shared


def _child(node: Place, condition: Condition, shared: Program) -> Place:
    """The place behind a character of this condition in a tree of beginnings."""
    for place in node.next:
        if place.program is shared and place.condition == condition:
            return place.next[0]
    distance = (node.distance or 0) + 1
    below = Place("split", program=shared, distance=distance, opened=BEFORE, shortest=distance)
    place = Place("char", condition, [below], shared, distance - 1, BEFORE, distance - 1)
    node.next.insert(0, place)
    return below


def _chains(first: Place) -> list[list[Place]]:
    """The literal beginnings behind `first`, each with the place where it ends; none if anything
    else begins there."""
    chains = []
    pending = [first]
    while pending:
        place = pending.pop()
        if place.kind == "split":
            pending += place.next
            continue
        chain = [place]
        while chain[-1].kind == "char":
            chain.append(chain[-1].next[0])
        chains.append(chain)
    return chains


def min_width(node: Node) -> int:
    """The fewest characters that the node can match."""
    match node:
        case Char():
            return 1
        case Cat(items):
            return sum(map(min_width, items))
        case Alt(items):
            return min(map(min_width, items))
        case Repeat(item, low):
            return low * min_width(item)
        case Group(item) | Approximate(item):
            return min_width(item)
        case _:
            return 0


def max_width(node: Node) -> int | None:
    """The most characters that the node can match; None without bound."""
    match node:
        case Char():
            return 1
        case Cat(items) | Alt(items):
            widths = [max_width(item) for item in items]
            known = [width for width in widths if width is not None]
            if len(known) < len(widths):
                return None
            return sum(known) if isinstance(node, Cat) else max(known)
        case Repeat(item, _, high):
            inside = max_width(item)
            if inside == 0 or high == 0:
                return 0
            return None if high is None or inside is None else high * inside
        case Group(item) | Approximate(item):
            return max_width(item)
        case _:
            return 0


def look_behind(node: Node) -> int:
    """How many characters before a match its lookbehinds read; unbounded ones are refused."""
    match node:
        case Look(item, ahead, _) if not ahead:
            width = max_width(item)
            if width is None:
                raise PatternError("an unbounded lookbehind needs the whole text before it")
            return width + look_behind(item)
        case Cat(items) | Alt(items):
            return max(map(look_behind, items), default=0)
        case Repeat(item) | Group(item) | Approximate(item) | Look(item):
            return look_behind(item)
        case Assert():
            return 1
        case _:
            return 0


def always_captures(node: Node, group: int) -> bool:
    """Whether every match passes through the group."""
    match node:
        case Group(item, number):
            return number == group or always_captures(item, group)
        case Cat(items):
            return any(always_captures(item, group) for item in items)
        case Alt(items):
            return all(always_captures(item, group) for item in items)
        case Repeat(item, low):
            return low > 0 and always_captures(item, group)
        case Approximate(item):
            return always_captures(item, group)
        case _:
            return False
