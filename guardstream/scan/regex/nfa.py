"""Compiles a pattern's tree to an NFA: places for characters, choices and assertions.

Counters are written out, so that the NFA accepts exactly what the pattern matches. A lookaround of
one character is a condition on the neighbour. A longer lookbehind is an NFA of its own, which reads
the text in parallel and sets a bit where it matches; if several patterns have it, it is a program
of its own. A longer lookahead is an obligation that a thread carries with it (`closure`), and so is
the condition that the earlier ways of an atomic group do not match.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import inf
from typing import NamedTuple

from guardstream.errors import PatternError
from guardstream.scan.regex.alphabet import END, START, CharSets
from guardstream.scan.regex.analysis import (
    asking_ways,
    asks_in_each_way,
    firsts,
    guards,
    is_untold,
    max_width,
    may_be_empty,
    min_width,
    reading_rounds,
)
from guardstream.scan.regex.ast import (
    NEVER,
    Alt,
    Assert,
    Atomic,
    Cat,
    Char,
    Group,
    Look,
    Node,
    Reference,
    Repeat,
)
from guardstream.scan.regex.places import (
    BEFORE,
    CHAR,
    FREE,
    NOWHERE,
    UNKNOWN,
    VARIABLE,
    Condition,
    Kind,
    Places,
    Unwritten,
    same_condition,
)
from guardstream.scan.regex.rewrite import (
    captured,
    captures_of_group,
    composed,
    has_choices,
    ignoring_case,
    inside,
    reaching,
)

MAX_FIRSTS = 1_000
"""If the rounds of a counter may be empty: at how many places they may begin, all together. Each
place counts once for every way to it that asks for different lookaheads."""

MAX_ASKING = 1_000
"""In how many ways, each asking for different lookaheads, a pattern may go on from one
character."""

WRITTEN_OUT = 40
"""In a pattern of more places, large parts are written out only when the text reaches them."""

LARGE = 16
"""How many places a counter of such a pattern takes to be large."""

LARGE_CHOICE = 32
"""How many places a choice of such a pattern takes to be large."""

AT_ONCE = 8
"""How many rounds of a single character are written out together."""


class Lookbehind(NamedTuple):
    """An NFA that reads the text in parallel; `bit` is set where it has matched."""

    first: int
    bit: int


class Program:
    """One compiled pattern, which begins at the place `first`. If the tree is a lookbehind that
    several patterns have, the program matches nothing itself, and `tells` is the lookbehind's bit.

    `exact` is False if a back-reference is approximated by its group, or an atomic part by all of
    its ways: then the NFA accepts more than the pattern matches, never less. `late`: a lookahead
    may decide a match after its end. `firsts` are conditions: the first character of a match, or of
    a lookbehind, meets one of them. In `lookbehinds`, one that is part of another comes before it.
    `mask` has the bits of all sets that the pattern asks for and of all its lookbehinds, `behind`
    those that it asks the last character for, and `looks` those of its own lookbehinds. `places`
    grow when counters are written out.
    """

    def __init__(self, tree: Node, sets: CharSets, group: int = 0) -> None:
        self.sets = sets
        self.exact = True
        self.late = False
        self.group = group
        self.mask = 0
        self.behind = 0
        self.looks = 0
        self.lookbehinds: list[Lookbehind] = []
        self.places = Places()
        self._taken: dict[str, Condition] = {}
        self._lazy = is_larger(tree, WRITTEN_OUT)
        self._late_choices: set[int] = set()
        if self._lazy:
            self._postpone(tree, True)
        self._bits: dict[Look, int] = {}
        self._referred: dict[Reference, Node] = {}
        self._besides: dict[tuple[Node, int], int] = {}
        self._either_of: dict[tuple[int, int], int] = {}
        self._looked = NOWHERE
        self._asked = 0  # how many lookaheads have been compiled
        self._tree = tree
        self.tells = 0
        self.matched = self.places.add(Kind.MATCH)
        if isinstance(tree, Look):
            self.tells = self._followed(tree, sets.lookbehind(tree))
            self.first = self._split(())
        else:
            self.first = self._compile(tree, self.matched)
        if self._asked >= MAX_ASKING.bit_length():
            check_asking(tree)
        self._measure(BEFORE if group else 0)
        self.places.most = inf
        # A match that waits for its obligations has no fixed distance from its beginning.
        self.pending = self.places.add(Kind.MATCH)
        self.places.measure(VARIABLE)
        self.firsts = self._first_conditions()
        if not self._lazy:
            self._besides, self._either_of = {}, {}

    @property
    def last(self) -> int:
        """The bits in `behind`, except those of the program's own lookbehinds."""
        return self.behind & ~self.looks

    def leads_to(self, place: int) -> Sequence[int]:
        """The places after a place, in order of preference; writes it out if need be."""
        places = self.places
        unwritten = places.unwritten.get(place)
        if unwritten is not None:
            places.ways[place] = self._written(unwritten)
            places.measure(VARIABLE)
            del places.unwritten[place]
        return places.following(place)

    def set_of(self, condition: Condition) -> str:
        """The set of characters that a CHAR of this condition takes, as written in the pattern."""
        return next(fragment for fragment, taken in self._taken.items() if taken == condition)

    def _first_conditions(self) -> list[Condition]:
        places = self.places
        conditions: dict[Condition, None] = {}
        seen: set[int] = set()
        pending = [self.first, *(lookbehind.first for lookbehind in self.lookbehinds)]
        while pending:
            place = pending.pop()
            if place in seen:
                continue
            seen.add(place)
            kind = places.kinds[place]
            if kind is CHAR:
                conditions[places.conditions[place]] = None
            elif kind is Kind.LOOP and places.out[place] not in places.ways[place]:
                # An empty round of a counter is the last one.
                pending.append(places.out[place])
            else:
                pending += self.leads_to(place)
        return list(conditions)

    # Distances

    def _measure(self, opened: int) -> None:
        """Give every place its distances."""
        places = self.places
        places.measure(UNKNOWN)
        kinds, after, distances = places.kinds, places.after, places.distances
        reached = [(self.first, 0, opened)]
        while reached:
            place, distance, opened = reached.pop()
            while _is_measured(places, place, distance, opened):
                following = after[place]
                if kinds[place] is CHAR:
                    # The character counts, where the distance is known.
                    distance, opened = distances[place], places.opened[place]
                    distance += distance >= 0
                    opened += opened >= 0
                    place = following
                elif place in places.unwritten:
                    unwritten = places.unwritten[place]
                    stays_before = places.opened[place] == BEFORE and not unwritten.opens
                    opened = BEFORE if stays_before else VARIABLE
                    place, distance = unwritten.after, VARIABLE
                elif following >= 0:
                    distance, opened = _beyond(places, place)
                    place = following
                else:
                    ways, out = places.ways.get(place, ()), places.out.get(place)
                    ways = ways if out is None else (*ways, out)
                    reached += [(way, distances[place], places.opened[place]) for way in ways]
                    break

    # Compiling: each method takes the place after a node and returns the node's first place

    def _character(self, node: Char, after: int) -> int:
        condition = self._taken.get(node.fragment) or self._taking(node.fragment)
        return self.places.add(CHAR, condition, after)

    def _asking(self, kind: Kind, condition: Condition, after: int) -> int:
        """An assertion about a neighbour."""
        bits = condition.needs | condition.bars
        self.mask |= bits
        if kind is Kind.BEHIND:
            self.behind |= bits
        return self.places.add(kind, condition, after)

    def _compile(self, node: Node, after: int) -> int:  # noqa: C901 - one case a kind
        match node:
            case Char():
                return self._character(node, after)
            case Cat(items):
                for item in reversed(items):
                    if isinstance(item, Char):  # as most are
                        after = self._character(item, after)
                    else:
                        after = self._compile(item, after)
                return after
            case Alt(items):
                if id(node) in self._late_choices:
                    return self._unwritten_choice(node, after)
                return self._split([self._compile(item, after) for item in items])
            case Repeat():
                return self._repeat(node, after)
            case Group(item, number):
                opens = number == self.group
                inner = self._compile(item, self._shut(item, after) if opens else after)
                return self.places.add(Kind.OPEN, FREE, inner) if opens else inner
            case Atomic(item):
                if not has_choices(item):
                    return self._compile(item, after)
                if is_untold(node):
                    # All ways are taken, and the matcher tells which of them is kept.
                    self.exact = False
                    return self._compile(item, after)
                self._asked += guards(item)
                return self._committed(item, after, self._met())
            case Look():
                self._asked += node.ahead
                return self._look(node, after)
            case Assert():
                return self._assertion(node, after)
            case Reference(number, ignore_case):
                self.exact = False
                like = self._referred.get(node)
                if like is None:
                    like = captures_of_group(self._tree, number)
                    like = self._referred[node] = ignoring_case(like) if ignore_case else like
                return self._compile(like, after)

    def _taking(self, fragment: str) -> Condition:
        """The condition of a set; remembered, since many places ask for the same."""
        condition = self._taken.get(fragment)
        if condition is None:
            condition = self._taken[fragment] = same_condition(self.sets.bit(fragment))
            self.mask |= condition.needs
        return condition

    def _shut(self, item: Node, after: int) -> int:
        """The place after the masked group. If the group may be empty, this is a SHUT, since a
        group in which nothing is read has not opened."""
        return self.places.add(Kind.SHUT, FREE, after) if may_be_empty(item) else after

    def _split(self, ways: Sequence[int]) -> int:
        place = self.places.add(Kind.SPLIT)
        self.places.ways[place] = tuple(ways)
        return place

    def _repeat(self, node: Repeat, after: int) -> int:
        low, high = node.low, node.high
        reading = reading_rounds(node, (self.group,))
        if reading is not None:
            return self._compile(reading, after)
        check_rounds(node)
        if self._lazy and is_larger(node, LARGE):
            self._foresee(node.item)
            if high is not None:
                return self._counted(node, low, high - low, after)
            loop, inside = self._loop(node, after)
            return self._counted(node, low - 1, None, inside) if low else loop
        if high is None:
            # The last required round is that of the loop, since both continue alike.
            loop, inside = self._loop(node, after)
            low, after = (low - 1, inside) if low else (0, loop)
        else:
            end = after
            for _ in range(high - low):
                # As X{0,2} is (X(X)?)?, not X?X?, each way out leads past the whole.
                after = self._optional(self._round(node.item, after, end), end, node.lazy)
        for _ in range(low):
            after = self._compile(node.item, after)
        return after

    def _round(self, item: Node, after: int, end: int) -> int:
        """An optional round of a counter. If it reads nothing, it is the last, as in `regex`."""
        if after is end or not may_be_empty(item):
            return self._compile(item, after)
        ways, out = self.places.ways, self.places.out
        closed = self.places.add(Kind.LOOP)
        ways[closed], out[closed] = (after,), end
        begun = self.places.add(Kind.ROUND, FREE, self._compile(item, closed))
        out[begun] = closed
        return begun

    def _counted(self, node: Repeat, low: int, more: int | None, after: int) -> int:
        """The rest of a counter: `low` rounds are required and `more` may follow. It is written out
        when the text reaches it."""
        return self._later(node, low, more, after) if low or more else after

    def _later(self, node: Alt | Repeat, low: int, more: int | None, after: int) -> int:
        """A place from which the node is written out when the text reaches it."""
        place = self.places.add(Kind.SPLIT)
        opens = bool(self.group) and self.group in captured(node)
        self.places.unwritten[place] = Unwritten(node, low, more, opens, after)
        return place

    # What is written out when the text reaches it

    def _postpone(self, node: Node, fixed: bool) -> bool:
        """Find the choices that are to be written out late: large ones, unless the match has a
        `fixed` number of characters before them, since they would then need registers. Returns
        whether that number is still fixed after the node."""
        match node:
            case Cat():
                for item in composed(node):
                    fixed = self._postpone(item, fixed)
            case Alt(items):
                if not fixed and is_larger(node, LARGE_CHOICE):
                    self._late_choices.add(id(node))
                elif fixed:
                    for item in items:
                        self._postpone(item, True)
            case Group(item):
                return self._postpone(item, fixed)
            case Repeat(item, _, high):
                self._postpone(item, fixed and high == 1)
        if isinstance(node, (Alt, Repeat, Atomic, Reference)):
            fixed = fixed and max_width(node) == min_width(node)
        return fixed

    def _unwritten_choice(self, node: Alt, after: int) -> int:
        self._foresee(node)
        return self._later(node, 0, 0, after)

    def _written(self, unwritten: Unwritten) -> tuple[int, ...]:
        """Write out a place that the text has reached, and return its ways."""
        node, low, more, _, after = unwritten
        if isinstance(node, Alt):
            return tuple([self._compile(item, after) for item in node.items])
        rounds = min(low or more or 0, AT_ONCE if isinstance(node.item, Char) else 1)
        if low:
            first = self._counted(node, low - rounds, more, after)
            for _ in range(rounds):
                first = self._compile(node.item, first)
            return (first,)
        later = self._counted(node, 0, (more or 0) - rounds, after)
        inside = self._round(node.item, later, after)
        for _ in range(rounds - 1):
            inside = self._compile(node.item, self._optional(inside, after, node.lazy))
        return (after, inside) if node.lazy else (inside, after)

    def _foresee(self, node: Node) -> None:
        """Number all sets that the node asks for now, since it is compiled later."""
        if self.places.most == inf:
            return  # the program has been made, and all of its sets are numbered
        left = [node]
        while left:
            part = left.pop()
            match part:
                case Char(fragment):
                    self._taking(fragment)
                case Cat() | Alt() | Repeat() | Group():
                    left += inside(part)
                case _:
                    self._compile(part, self.places.add(Kind.MATCH))

    def _optional(self, inside: int, skipped: int, lazy: bool) -> int:
        return self._split((skipped, inside) if lazy else (inside, skipped))

    def _loop(self, node: Repeat, after: int) -> tuple[int, int]:
        """A loop: the place that chooses between another round and the way out, and the place where
        a round begins."""
        loop = self.places.add(Kind.LOOP if may_be_empty(node.item) else Kind.SPLIT)
        inside = self._compile(node.item, loop)
        self.places.ways[loop] = (after, inside) if node.lazy else (inside, after)
        self.places.out[loop] = after
        return loop, inside

    # Atomic groups

    def _committed(self, node: Node, after: int, held: int) -> int:
        """Compile a node inside an atomic group. `held` is the place after the node in a copy of
        the group's rest, which lookaheads use.

        The group keeps its first way. So each later choice is guarded by a negative lookahead: it
        is taken only if none of the earlier ones leads out of the group.
        """
        match node:
            case Cat(items):
                for item in reversed(items):
                    after = self._committed(item, after, held)
                    held = self._beside(item, held)
                return after
            case Alt(items):
                ways = [self._committed(item, after, held) for item in items]
                return self._first_of(ways, [self._beside(item, held) for item in items])
            case Group(item, number):
                opens = number == self.group
                inner = self._committed(item, self._shut(item, after) if opens else after, held)
                return self.places.add(Kind.OPEN, FREE, inner) if opens else inner
            case Repeat():
                check_rounds(node, commits=asks_in_each_way(node))
                return self._committed_repeat(node, after, held)
            case _:
                return self._compile(node, after)

    def _first_of(self, ways: Sequence[int], beside: Sequence[int]) -> int:
        """A choice between the ways of an atomic group, given the copy of each for lookaheads."""
        if not ways:
            return self._split(())
        guarded, earlier = [ways[0]], beside[0]
        for index in range(1, len(ways)):
            guarded.append(self._unless(earlier, ways[index]))
            earlier = self._either(earlier, beside[index])
        return self._split(guarded)

    def _unless(self, aside: int, after: int) -> int:
        self.late = True
        return self._looking(aside, True, after)

    def _looking(self, aside: int, negate: bool, after: int) -> int:
        look = self.places.add(Kind.LOOK, FREE, after)
        self.places.aside[look] = aside
        if negate:
            self.places.negated.add(look)
        return look

    def _committed_repeat(self, node: Repeat, after: int, held: int) -> int:
        item, lazy, end, out = node.item, node.lazy, after, held
        if node.high is None:
            after, held = self._split(()), self._beside(replace(node, low=0), held)
            inside, beside = self._committed(item, after, held), self._beside(item, held)
            self.places.ways[after] = (
                (end, self._unless(out, inside)) if lazy else (inside, self._unless(beside, end))
            )
        for _ in range((node.high or node.low) - node.low):
            inside, beside = self._committed(item, after, held), self._beside(item, held)
            if lazy:
                after = self._first_of((end, inside), (out, beside))
            else:
                after = self._first_of((inside, end), (beside, out))
            held = self._either(beside, out)
        for _ in range(node.low):
            after, held = self._committed(item, after, held), self._beside(item, held)
        return after

    # Copies of a part for lookaheads, with all of its ways. There is one copy of each, however
    # often the part is written out, so that two lookaheads for the same are one obligation.

    def _beside(self, node: Node, after: int) -> int:
        """The copy of a node that leads to `after`."""
        known = self._besides.get((node, after))
        if known is None:
            known = self._besides[node, after] = self._compile(node, after)
        return known

    def _either(self, first: int, second: int) -> int:
        """A choice between two copies."""
        known = self._either_of.get((first, second))
        if known is None:
            known = self._either_of[first, second] = self._split((first, second))
        return known

    def _met(self) -> int:
        """The place where a lookahead has matched."""
        if self._looked == NOWHERE:
            self._looked = self.places.add(Kind.MATCH)
        return self._looked

    # Assertions

    def _look(self, node: Look, after: int) -> int:
        if node.ahead and is_untold(node.item):
            # The approximation may match more than the reference. So a negative lookahead excludes
            # nothing, and a match waits for all the text that the lookahead may read.
            self.exact = False
            seen = self._obliged(Cat((reaching(node.item), NEVER)), True, after)
            return seen if node.negate else self._obliged(node.item, False, seen)
        single = self._single(node.item, "end" if node.ahead else "start")
        if single is not None:
            kind = Kind.AHEAD if node.ahead else Kind.BEHIND
            if node.negate:
                return self._asking(kind, Condition(0, sum(set(single))), after)
            return self._split([self._asking(kind, Condition(bit), after) for bit in single])
        if not node.ahead:
            shared = 0 if isinstance(self._tree, Look) else self.sets.lookbehind(node)
            bit = shared or self._followed(replace(node, negate=False))
            condition = Condition(0, bit) if node.negate else Condition(bit)
            return self._asking(Kind.BEHIND, condition, after)
        return self._obliged(node.item, node.negate, after)

    def _followed(self, look: Look, shared: int = 0) -> int:
        """The bit of a lookbehind that the program runs itself."""
        bit = self._bits.get(look, 0)
        if not bit:
            bit = self._bits[look] = shared or self.sets.fresh()
            first = self._compile(look.item, self.places.add(Kind.MATCH))
            self.lookbehinds.append(Lookbehind(first, bit))
            self.looks |= bit
            self.mask |= bit
        return bit

    def _obliged(self, item: Node, negate: bool, after: int) -> int:
        """A longer lookahead: an obligation of the threads that come through it."""
        self.late = True
        return self._looking(self._beside(item, self._met()), negate, after)

    def _single(self, node: Node, edge: str) -> list[int] | None:
        """The bits of a one-character lookaround's alternatives, None if it is anything else."""
        match node:
            case Char(fragment):
                return [self.sets.bit(fragment)]
            case Assert(kind) if kind == edge:
                return [START if kind == "start" else END]
            case Group(item):
                return self._single(item, edge)
            case Cat((item,)):
                return self._single(item, edge)
            case Alt(items):
                found = [self._single(item, edge) for item in items]
                return None if None in found else [bit for bits in found for bit in bits or ()]
            case _:
                return None

    def _assertion(self, node: Assert, after: int) -> int:
        newline = Condition(self.sets.bit(r"\n"))
        match node.kind:
            case "start":
                return self._asking(Kind.BEHIND, Condition(START), after)
            case "line_start":
                edges = Condition(START), newline
                return self._split([self._asking(Kind.BEHIND, edge, after) for edge in edges])
            case "end":
                return self._asking(Kind.AHEAD, Condition(END), after)
            case "line_end":
                edges = Condition(END), newline
                return self._split([self._asking(Kind.AHEAD, edge, after) for edge in edges])
            case _:
                return self._word_edge(self.sets.bit(node.word), node.kind == "word", after)

    def _word_edge(self, word: int, differs: bool, after: int) -> int:
        inside, outside = Condition(word), Condition(0, word)
        ways = []
        for behind, same in ((inside, inside), (outside, outside)):
            ahead = (outside if same is inside else inside) if differs else same
            ways.append(self._asking(Kind.BEHIND, behind, self._asking(Kind.AHEAD, ahead, after)))
        return self._split(ways)


def check_rounds(node: Repeat, *, commits: bool = False) -> None:
    """Refuse a counter whose rounds may be empty if it requires so many that one place would lead
    to too many others before a character is read. `commits`: it is in an atomic part."""
    if node.low < 2 or not may_be_empty(node.item):
        return
    if firsts(node) * asking_ways(node, commits=commits) > MAX_FIRSTS:
        message = "a counter requires too many rounds that may be empty"
        raise PatternError(f"{message}; lower it, or make a part of each round mandatory")


def check_asking(tree: Node) -> None:
    """Refuse a pattern with so many optional lookaheads or atomic parts in a row that one place
    would lead to too many combinations of them."""
    if asking_ways(tree) > MAX_ASKING:
        message = "too many optional lookaheads or atomic parts in a row"
        raise PatternError(f"{message}; make a part between them mandatory")


def _is_measured(places: Places, place: int, distance: int, opened: int) -> bool:
    """Merge distances at which a place is reached into those it has; returns whether any
    changed."""
    known, known_opened = places.distances[place], places.opened[place]
    if known in (distance, VARIABLE) and known_opened in (opened, VARIABLE):
        return False
    if known != distance:
        places.distances[place] = distance if known == UNKNOWN else VARIABLE
    if known_opened != opened:
        places.opened[place] = opened if known_opened == UNKNOWN else VARIABLE
    return True


def _beyond(places: Places, place: int) -> tuple[int, int]:
    """The distances after a place that takes no character."""
    kind, distance, opened = places.kinds[place], places.distances[place], places.opened[place]
    if kind is Kind.OPEN and opened == BEFORE:
        opened = 0
    elif kind is Kind.SHUT and opened == 0:
        opened = BEFORE
    return distance, opened


def is_larger(node: Node, most: int) -> bool:
    """Whether the node takes more than about `most` places with all its counters written out."""
    left = [(node, 1)]
    taken = 0
    while left and taken <= most:
        node, times = left.pop()
        match node:
            case Char() | Assert():
                taken += times
            case Cat(items) | Alt(items):
                parts = composed(node)
                taken += times * (len(items) - len(parts))
                left += [(part, times) for part in parts]
            case Repeat(item, low, high):
                left.append((item, times * max(low, high or 0, 1)))
            case Atomic(item):
                left.append((item, 2 * times))
            case _:
                left += [(part, times) for part in inside(node)]
    return taken > most
