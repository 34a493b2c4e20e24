"""Compiles a pattern's tree to an NFA: places for characters, choices and assertions.

Counters are written out, so that the NFA accepts exactly what the pattern matches. Lookarounds of
one character are conditions on the neighbour; a longer lookbehind is an NFA of its own that runs
along with the text and sets a bit where it matches, and if several patterns have it a program of
its own; a longer lookahead, and what an atomic group must not prefer, is an obligation that a
thread carries with it (`closure`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import IntEnum, auto
from functools import lru_cache
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
from guardstream.scan.regex.rewrite import (
    captured,
    captures_of_group,
    composed,
    has_choices,
    ignoring_case,
    inside,
    reaching,
)

MAX_PLACES = 100_000
"""How many places one pattern may have, without those that are written out late."""

MAX_FIRSTS = 1_000
"""How many places a counter's rounds that may be empty may begin at, all together, each as often as
there are ways to it that ask for different lookaheads."""

MAX_ASKING = 1_000
"""In how many ways that ask for different lookaheads a pattern may go on from one character."""

WRITTEN_OUT = 40
"""In a pattern of more places, large parts are written out only when the text reaches them."""

LARGE = 16
"""How many places a counter of such a pattern takes to be large."""

LARGE_CHOICE = 32
"""How many places a choice of such a pattern takes to be large."""

AT_ONCE = 8
"""How many rounds of a single character are written out together."""

UNKNOWN = -3
"""A distance that has not been measured yet."""

VARIABLE = -1
"""A distance that differs from way to way."""

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
        return _same(self.needs | other.needs, self.bars | other.bars)


_same = lru_cache(maxsize=4_096)(Condition)
"""Equal ones are one object: many patterns ask for the same characters."""

FREE = Condition()


class Kind(IntEnum):
    """What a place does. The extension has the same numbers (`automaton.h`)."""

    CHAR = auto()  # takes one character that fulfils the condition
    AHEAD = auto()  # asks for the next character, or the end
    BEHIND = auto()  # asks for the last character, the start, or a lookbehind's bit
    LOOK = auto()  # begins an obligation: `aside` must, or must not, match from here
    OPEN = auto()  # the masked group begins
    SHUT = auto()  # it ends, where it can be empty
    SPLIT = auto()  # choices in order of preference
    LOOP = auto()  # the same, for a body that can be empty: coming round again leads out
    ROUND = auto()  # a counter's round begins: if nothing is read up to `out`, that leads out
    MATCH = auto()  # the pattern, or what was looked for, has matched


CHAR = Kind.CHAR
"""By itself: to look it up takes as long as to make a place."""


class Unwritten(NamedTuple):
    """A choice or a counter that its program writes out when the text first reaches it: of a
    counter `low` rounds are wanted then, and `more` may follow, None without end. `opens`: the
    masked group may open in it."""

    program: Program
    node: Alt | Repeat
    low: int
    more: int | None
    opens: bool


@dataclass(slots=True, eq=False)
class Place:
    """A state of the NFA; it is called a place, since elsewhere a state is one of the DFA.

    `after` is the next place, or `ways` are the choices, of which `out` leads out of a loop.
    `number` is its index among the program's places. `distance` is how many characters the match
    has here, `opened` how many since the masked group opened. `source` is the node that it was made
    of. `unwritten` is what its ways are made of when the text first reaches it.
    """

    kind: Kind
    number: int
    condition: Condition = FREE
    after: Place | None = None
    ways: Sequence[Place] = ()
    out: Place | None = None
    aside: Place | None = None
    negate: bool = False
    distance: int = UNKNOWN
    opened: int = UNKNOWN
    source: Char | None = None
    unwritten: Unwritten | None = None

    def leads_to(self) -> Sequence[Place]:
        """What comes after it, in order of preference."""
        if self.unwritten is not None:
            self.ways = self.unwritten.program.written(self, self.unwritten)
            self.unwritten = None
        return self.ways if self.after is None else (self.after,)

    def lead_nowhere(self) -> None:
        """Let go of what comes after it, which is kept elsewhere now."""
        self.after = self.out = self.aside = self.source = None
        self.ways = ()


class Lookbehind(NamedTuple):
    """An NFA that runs along with the text; `bit` is set where it has matched."""

    first: Place
    bit: int


class Program:
    """One compiled pattern, `first` being where it begins; or a lookbehind that several patterns
    have, if the tree is one: it matches nothing itself, and `tells` is its bit.

    `exact` is False where a back-reference is only approximated by its group, or an atomic part by
    all of its ways: then it accepts more than the pattern matches, never less. `late`: a lookahead
    may decide a match after its end. `firsts` are what the first character of a match, or of one of
    its lookbehinds, must be at least. `lookbehinds` stand in the order in which they build on one
    another. `mask` has the bits of all sets that the pattern asks for, and of all its lookbehinds,
    `behind` of those that it asks the last character for, and `looks` of its own lookbehinds.
    `places`, of which there have been `count`, grow while counters are written out.
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
        self.places: list[Place] = []
        self._let_go = 0  # how many came before these
        self._taken: dict[str, Condition] = {}
        self._limit: float = MAX_PLACES
        self._distance = UNKNOWN
        self._lazy = is_larger(tree, WRITTEN_OUT)
        self._late_choices: set[int] = set()
        if self._lazy:
            self._postpone(tree, True)
        self._bits: dict[Look, int] = {}
        self._referred: dict[Reference, Node] = {}
        self._besides: dict[tuple[Node, Place], Place] = {}
        self._either_of: dict[tuple[Place, Place], Place] = {}
        self._looked: Place | None = None
        self._asked = 0  # how many lookaheads have been compiled
        self._tree = tree
        self.tells = 0
        self.matched = self._place(Kind.MATCH)
        if isinstance(tree, Look):
            self.tells = self._followed(tree, sets.lookbehind(tree))
            self.first = self._split(())
        else:
            self.first = self._compile(tree, self.matched)
        if self._asked >= MAX_ASKING.bit_length():
            check_asking(tree)
        self._measure(BEFORE if group else 0)
        self._limit, self._distance = inf, VARIABLE
        # Where a match waits for what comes after it, how long ago it began is not fixed.
        self.pending = self._place(Kind.MATCH)
        self.firsts = self._first_conditions()
        if not self._lazy:
            self._besides, self._either_of = {}, {}

    @property
    def count(self) -> int:
        """How many places there have been."""
        return self._let_go + len(self.places)

    @property
    def last(self) -> int:
        """Of the bits in `behind` those that are known without the program's own lookbehinds."""
        return self.behind & ~self.looks

    def _first_conditions(self) -> list[Condition]:
        conditions: dict[Condition, None] = {}
        seen: set[Place] = set()
        pending = [self.first, *(lookbehind.first for lookbehind in self.lookbehinds)]
        while pending:
            place = pending.pop()
            if place in seen:
                continue
            seen.add(place)
            if place.kind is Kind.CHAR:
                conditions[place.condition] = None
            elif place.kind is Kind.LOOP and place.out is not None and place.out not in place.ways:
                # A round of a counter that has read nothing was the last.
                pending.append(place.out)
            else:
                pending += place.leads_to()
        return list(conditions)

    # Distances

    def _measure(self, opened: int) -> None:
        """Give every place its distances."""
        reached = [(self.first, 0, opened)]
        while reached:
            place, distance, opened = reached.pop()
            while _is_measured(place, distance, opened):
                if place.kind is CHAR and place.after is not None:
                    # The character counts, where the distance is known.
                    distance, opened = place.distance, place.opened
                    distance += distance >= 0
                    opened += opened >= 0
                    place = place.after
                elif place.unwritten is not None and place.out is not None:
                    stays_before = place.opened == BEFORE and not place.unwritten.opens
                    opened = BEFORE if stays_before else VARIABLE
                    place, distance = place.out, VARIABLE
                elif place.after is not None:
                    distance, opened = _beyond(place)
                    place = place.after
                else:
                    ways = place.ways if place.out is None else (*place.ways, place.out)
                    reached += [(way, place.distance, place.opened) for way in ways]
                    break

    # Compiling: each method takes what follows and returns what comes first

    def _place(
        self,
        kind: Kind,
        condition: Condition = FREE,
        after: Place | None = None,
        ways: Sequence[Place] = (),
        source: Char | None = None,
    ) -> Place:
        number, distance = self._let_go + len(self.places), self._distance
        if number >= self._limit:
            message = f"the pattern needs over {MAX_PLACES} places; lower its counters"
            raise PatternError(f"{message}, and give long lists of words as 'words'")
        # In their order: names would take longer than all else here.
        place = Place(
            kind, number, condition, after, ways, None, None, False, distance, distance, source
        )
        self.places.append(place)
        return place

    def _character(self, node: Char, after: Place) -> Place:
        condition = self._taken.get(node.fragment) or self._taking(node.fragment)
        return self._place(CHAR, condition, after, (), node)

    def _asking(self, kind: Kind, condition: Condition, after: Place) -> Place:
        """An assertion about a neighbour."""
        bits = condition.needs | condition.bars
        self.mask |= bits
        if kind is Kind.BEHIND:
            self.behind |= bits
        return self._place(kind, condition, after)

    def _compile(self, node: Node, after: Place) -> Place:  # noqa: C901 - one case a kind
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
                return self._place(Kind.OPEN, FREE, inner) if opens else inner
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
        """What a character of this set must be; remembered, since many places ask for the same."""
        condition = self._taken.get(fragment)
        if condition is None:
            condition = self._taken[fragment] = _same(self.sets.bit(fragment))
            self.mask |= condition.needs
        return condition

    def _shut(self, item: Node, after: Place) -> Place:
        """What follows the masked group: if nothing was read in it, it has not opened."""
        return self._place(Kind.SHUT, FREE, after) if may_be_empty(item) else after

    def _split(self, ways: Sequence[Place]) -> Place:
        return self._place(Kind.SPLIT, ways=ways)

    def _repeat(self, node: Repeat, after: Place) -> Place:
        low, high = node.low, node.high
        check_rounds(node)
        if self._lazy and is_larger(node, LARGE):
            self._foresee(node.item)
            if high is not None:
                return self._counted(node, low, high - low, after)
            loop, inside = self._loop(node, after)
            return self._counted(node, low - 1, None, inside) if low else loop
        if high is None:
            # The last round that is wanted is one of the loop: what follows each is the same.
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

    def _round(self, item: Node, after: Place, end: Place) -> Place:
        """A round of a counter that need not be. If nothing was read in it, it was the last, as in
        `regex`."""
        if after is end or not may_be_empty(item):
            return self._compile(item, after)
        closed = self._place(Kind.LOOP, ways=(after,))
        closed.out = end
        begun = self._place(Kind.ROUND, FREE, self._compile(item, closed))
        begun.out = closed
        return begun

    def _counted(self, node: Repeat, low: int, more: int | None, after: Place) -> Place:
        """The counter from where `low` rounds are wanted and `more` may follow, written out when
        the text reaches it."""
        return self._later(node, low, more, after) if low or more else after

    def _later(self, node: Alt | Repeat, low: int, more: int | None, after: Place) -> Place:
        """A place from which the node is written out when the text reaches it."""
        place = self._place(Kind.SPLIT)
        opens = bool(self.group) and self.group in captured(node)
        place.unwritten, place.out = Unwritten(self, node, low, more, opens), after
        return place

    # What is written out when the text reaches it

    def _postpone(self, node: Node, fixed: bool) -> bool:
        """Find the choices that are to be written out late: large ones, but for those before which
        the match has a `fixed` number of characters, as they would need registers then. Returns
        whether that number is fixed after the node."""
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

    def _unwritten_choice(self, node: Alt, after: Place) -> Place:
        self._foresee(node)
        return self._later(node, 0, 0, after)

    def written(self, place: Place, unwritten: Unwritten) -> Sequence[Place]:
        """The ways of a place that the text has reached."""
        _, node, low, more, _ = unwritten
        after = place.out
        assert after is not None
        if isinstance(node, Alt):
            return [self._compile(item, after) for item in node.items]
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
        """Number all sets that the node asks for, though it is compiled later."""
        if self._limit == inf:
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
                    self._compile(part, self._place(Kind.MATCH))

    def _optional(self, inside: Place, skipped: Place, lazy: bool) -> Place:
        return self._split((skipped, inside) if lazy else (inside, skipped))

    def _loop(self, node: Repeat, after: Place) -> tuple[Place, Place]:
        """A loop: where another round may begin or none, and where a round begins."""
        loop = self._place(Kind.LOOP if may_be_empty(node.item) else Kind.SPLIT)
        inside = self._compile(node.item, loop)
        loop.ways, loop.out = ((after, inside) if node.lazy else (inside, after)), after
        return loop, inside

    # Atomic groups

    def _committed(self, node: Node, after: Place, held: Place) -> Place:
        """The node inside an atomic group; `held` is what leads out of the group after it, beside
        the group.

        The group keeps its first way: each later choice is taken only where the earlier ones do
        not lead out of the group, which is a negative lookahead for them.
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
                return self._place(Kind.OPEN, FREE, inner) if opens else inner
            case Repeat():
                check_rounds(node, commits=asks_in_each_way(node))
                return self._committed_repeat(node, after, held)
            case _:
                return self._compile(node, after)

    def _first_of(self, ways: Sequence[Place], beside: Sequence[Place]) -> Place:
        """A choice between the ways of an atomic group, given what leads out of it beside each."""
        if not ways:
            return self._split(())
        guarded, earlier = [ways[0]], beside[0]
        for index in range(1, len(ways)):
            guarded.append(self._unless(earlier, ways[index]))
            earlier = self._either(earlier, beside[index])
        return self._split(guarded)

    def _unless(self, aside: Place, after: Place) -> Place:
        self.late = True
        look = self._place(Kind.LOOK, FREE, after)
        look.aside, look.negate = aside, True
        return look

    def _committed_repeat(self, node: Repeat, after: Place, held: Place) -> Place:
        item, lazy, end, out = node.item, node.lazy, after, held
        if node.high is None:
            after, held = self._split(()), self._beside(replace(node, low=0), held)
            inside, beside = self._committed(item, after, held), self._beside(item, held)
            after.ways = (
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

    # What stands beside a pattern: all ways of a part, which a lookahead looks for. They are made
    # once, however often the part is written out: what is asked for twice is then one obligation.

    def _beside(self, node: Node, after: Place) -> Place:
        """All ways of a node to what is `after` it."""
        known = self._besides.get((node, after))
        if known is None:
            known = self._besides[node, after] = self._compile(node, after)
        return known

    def _either(self, first: Place, second: Place) -> Place:
        """All ways of both."""
        known = self._either_of.get((first, second))
        if known is None:
            known = self._either_of[first, second] = self._split((first, second))
        return known

    def _met(self) -> Place:
        """Where all that a lookahead looks for has been read."""
        if self._looked is None:
            self._looked = self._place(Kind.MATCH)
        return self._looked

    # Assertions

    def _look(self, node: Look, after: Place) -> Place:
        if node.ahead and is_untold(node.item):
            # What a reference may be is more than what it is: a negative lookahead excludes nothing
            # then, and a match waits until all has come that the lookahead may look at.
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
        """The bit of a lookbehind that the program follows itself."""
        bit = self._bits.get(look, 0)
        if not bit:
            bit = self._bits[look] = shared or self.sets.fresh()
            first = self._compile(look.item, self._place(Kind.MATCH))
            self.lookbehinds.append(Lookbehind(first, bit))
            self.looks |= bit
            self.mask |= bit
        return bit

    def _obliged(self, item: Node, negate: bool, after: Place) -> Place:
        """A longer lookahead: an obligation of the threads that come through it."""
        self.late = True
        look = self._place(Kind.LOOK, FREE, after)
        look.aside, look.negate = self._beside(item, self._met()), negate
        return look

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

    def _assertion(self, node: Assert, after: Place) -> Place:
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

    def _word_edge(self, word: int, differs: bool, after: Place) -> Place:
        inside, outside = Condition(word), Condition(0, word)
        ways = []
        for behind, same in ((inside, inside), (outside, outside)):
            ahead = (outside if same is inside else inside) if differs else same
            ways.append(self._asking(Kind.BEHIND, behind, self._asking(Kind.AHEAD, ahead, after)))
        return self._split(ways)


def check_rounds(node: Repeat, *, commits: bool = False) -> None:
    """Refuse a counter of parts that may be empty if it wants so many that a place would lead to
    too many others before a character is read: each of these would, too. `commits`: it is in an
    atomic part."""
    if node.low < 2 or not may_be_empty(node.item):
        return
    if firsts(node) * asking_ways(node, commits=commits) > MAX_FIRSTS:
        message = "a counter wants too many rounds of what may be empty"
        raise PatternError(f"{message}; lower it, or make a part of each round mandatory")


def check_asking(tree: Node) -> None:
    """Refuse a pattern in which lookaheads that need not be asked for, or atomic parts, stand in a
    row so that a place would lead to too many combinations of them."""
    if asking_ways(tree) > MAX_ASKING:
        message = "too many lookaheads or atomic parts that may be passed over stand in a row"
        raise PatternError(f"{message}; make a part of what stands between them mandatory")


def _is_measured(place: Place, distance: int, opened: int) -> bool:
    """Give a place distances at which it is reached; whether that says anything new."""
    known, known_opened = place.distance, place.opened
    if known in (distance, VARIABLE) and known_opened in (opened, VARIABLE):
        return False
    if known != distance:
        place.distance = distance if known == UNKNOWN else VARIABLE
    if known_opened != opened:
        place.opened = opened if known_opened == UNKNOWN else VARIABLE
    return True


def _beyond(place: Place) -> tuple[int, int]:
    """The distances of what follows a place that takes no character."""
    distance, opened = place.distance, place.opened
    if place.kind is Kind.OPEN and opened == BEFORE:
        opened = 0
    elif place.kind is Kind.SHUT and opened == 0:
        opened = BEFORE
    return distance, opened


def is_larger(node: Node, most: int) -> bool:
    """Whether the node takes more places, about, than `most` with all its counters written out."""
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
