"""A program as rows of ints: what the extension reads, and what can be stored."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from itertools import accumulate, pairwise
from typing import NamedTuple, TypeAlias, cast

from guardstream.scan.regex import dfa
from guardstream.scan.regex.alphabet import END, START, CharSets
from guardstream.scan.regex.ast import Look, Node
from guardstream.scan.regex.dfa import Automaton
from guardstream.scan.regex.fragments import numbers
from guardstream.scan.regex.nfa import Lookbehind, Program
from guardstream.scan.regex.places import CHAR, NOWHERE, Condition, Places, same_condition

PlaceRows: TypeAlias = tuple[int, bytes, bytes, bytes]
"""How many places there are, then conditions, places and ways as rows of ints."""


class RowProgram(Program):
    """A program as rows of ints for the extension.

    Its places are released once they are rows, unless some are written out later.
    """

    def __init__(self, tree: Node, sets: CharSets, group: int = 0) -> None:
        super().__init__(tree, sets, group)
        self._number_sets()
        self.rows = self._given(range(len(self.places)))
        if not self.places.unwritten:
            self.places.clear()

    def _number_sets(self) -> None:
        """Give the sets that the pattern asks for numbers of its own."""
        self._own = 0, 1, *numbers(self.mask & ~(START | END))
        self._index = {bit: own for own, bit in enumerate(self._own)}
        self._size = (len(self._own) + 31) // 32 * 4
        self._signatures: dict[int, bytes] = {}

    def given(self, automaton: Automaton) -> tuple[object, ...]:
        """The program and the bits it asks for, for `Machine` in the extension."""
        behinds = array("i")
        for lookbehind in self.lookbehinds:
            behinds.append(lookbehind.first)
            behinds.append(self._index[lookbehind.bit.bit_length() - 1])
        return (
            array("i", self._own).tobytes(),
            self.rows,
            behinds.tobytes(),
            self.first,
            self.pending,
            bool(self.group),
            automaton.cuts,
            automaton.least_hold,
            dfa.MAX_THREADS,
            *map(self._signature, (self.behind, self.looks, self.last, self.tells, END)),
        )

    def more(self, number: int) -> PlaceRows:
        """Write out a place that the text has reached; return it, and the places that are new."""
        known = len(self.places)
        self.leads_to(number)
        return self._given(range(number, number + 1), range(known, len(self.places)))

    def _given(self, *spans: range) -> PlaceRows:
        """The places in these spans that are written out: the number of all places, then
        conditions, places and ways as rows of ints, see `Place` in `automaton.h`."""
        places = self.places
        conditions: dict[Condition, int] = {}
        rows: list[int] = []
        ways: list[int] = []
        for span in spans:
            own = slice(span.start, span.stop)
            measured = zip(places.distances[own], places.opened[own], strict=True)
            columns = places.kinds[own], places.conditions[own], places.after[own], measured
            for place, kind, condition, after, distances in zip(span, *columns, strict=True):
                number = conditions.setdefault(condition, len(conditions))
                if kind is CHAR:  # as most are
                    rows += (place, kind, number, after, NOWHERE, NOWHERE, 0, *distances, 0, 0)
                elif place not in places.unwritten:
                    follow, negate = places.ways.get(place, ()), place in places.negated
                    out, aside = places.out.get(place, NOWHERE), places.aside.get(place, NOWHERE)
                    rows += (place, kind, number, after, out, aside, negate, *distances)
                    rows += (len(ways), len(follow))
                    ways += follow
        signatures = [self._signature(bits) for condition in conditions for bits in condition]
        ints = array("i", rows).tobytes(), array("i", ways).tobytes()
        return len(places), b"".join(signatures), *ints

    def _signature(self, bits: int) -> bytes:
        """Bits as the pattern numbers them."""
        known = self._signatures.get(bits)
        if known is None:
            number = 0
            for bit in numbers(bits):
                number |= 1 << self._index[bit]
            known = self._signatures[bits] = number.to_bytes(self._size, "little")
        return known


class ProgramData(NamedTuple):
    """All that the extension and the machine ask of a program, in JSON's types; sets of characters
    are bits of those that it was compiled with. The rows are `lengths` bytes of conditions, places
    and ways, which begin at `start`, of `places` places.

    `told` are the bits that the program asked for while it was compiled, in this order: of its own
    lookbehinds, and of shared ones.
    """

    group: int
    first: int
    matched: int
    pending: int
    exact: bool
    late: bool
    mask: str
    behind: str
    looks: str
    tells: str
    lookbehinds: Sequence[tuple[int, str]]
    firsts: Sequence[tuple[str, str]]
    told: Sequence[str]
    places: int
    start: int
    lengths: tuple[int, int, int]


class _Noting:
    """Sets of characters that note which bits of lookbehinds a program asks for."""

    def __init__(self, sets: CharSets) -> None:
        self.bit = sets.bit
        self.told: list[int] = []
        self._sets = sets

    def fresh(self) -> int:
        """See `CharSets.fresh`."""
        self.told.append(self._sets.fresh())
        return self.told[-1]

    def lookbehind(self, look: Look) -> int:
        """See `CharSets.lookbehind`."""
        self.told.append(self._sets.lookbehind(look))
        return self.told[-1]


class _Repeating:
    """Sets of characters that tell a program the bits that were noted, in the same order."""

    def __init__(self, sets: CharSets, told: Iterable[int]) -> None:
        self.bit = sets.bit
        self._told = iter(told)
        self._shared: dict[Node, int] = {}

    def fresh(self) -> int:
        """The bit that this lookbehind of the program's own had."""
        return next(self._told)

    def lookbehind(self, look: Look) -> int:
        """The bit that a lookbehind had. Parts that are written out late ask again for those that
        the program has asked for."""
        bit = next(self._told, None)
        if bit is not None:
            self._shared[look.item] = bit
        return self._shared[look.item]


def store(tree: Node, sets: CharSets, group: int, rows: bytearray) -> ProgramData:
    """Compile a pattern, and add its rows to `rows`. Raises PatternError."""
    noting = _Noting(sets)
    program = RowProgram(tree, cast("CharSets", noting), group)
    count, *parts = program.rows
    start = len(rows)
    for part in parts:
        rows += part
    return ProgramData(
        group=group,
        first=program.first,
        matched=program.matched,
        pending=program.pending,
        exact=program.exact,
        late=program.late,
        mask=f"{program.mask:x}",
        behind=f"{program.behind:x}",
        looks=f"{program.looks:x}",
        tells=f"{program.tells:x}",
        lookbehinds=[(first, f"{bit:x}") for first, bit in program.lookbehinds],
        firsts=[(f"{needs:x}", f"{bars:x}") for needs, bars in program.firsts],
        told=[f"{bit:x}" for bit in noting.told],
        places=count,
        start=start,
        lengths=(len(parts[0]), len(parts[1]), len(parts[2])),
    )


class StoredProgram(RowProgram):
    """A program that was compiled before. Only if a text reaches a part that is written out late,
    its tree is compiled again, to the same places."""

    def __init__(
        self, data: ProgramData, rows: bytes, sets: CharSets, tree: Callable[[], Node]
    ) -> None:
        self.sets = sets
        self.group, self.exact, self.late = data.group, data.exact, data.late
        self.first, self.matched, self.pending = data.first, data.matched, data.pending
        bits = (int(bits, 16) for bits in (data.mask, data.behind, data.looks, data.tells))
        self.mask, self.behind, self.looks, self.tells = bits
        self.lookbehinds = [Lookbehind(first, int(bit, 16)) for first, bit in data.lookbehinds]
        self.firsts = [same_condition(int(needs, 16), int(bars, 16)) for needs, bars in data.firsts]
        self.places = Places()
        ends = accumulate(data.lengths, initial=data.start)
        conditions, places, ways = (rows[begin:end] for begin, end in pairwise(ends))
        self.rows = data.places, conditions, places, ways
        self._number_sets()
        self._told = data.told
        self._tree_of = tree

    def more(self, number: int) -> PlaceRows:
        """See `RowProgram.more`."""
        return self._again.more(number)

    @cached_property
    def _again(self) -> RowProgram:
        sets = _Repeating(self.sets, (int(bit, 16) for bit in self._told))
        return RowProgram(self._tree_of(), cast("CharSets", sets), self.group)
