"""Partitions characters into the classes that the patterns tell apart.

Every set of characters that occurs in the patterns gets one bit; a character's signature says in
which sets it is. Characters with equal signatures share all transitions. The characters that a set
names are read here (`fragments`). For what depends on Unicode's tables, `regex` is asked once for
each page, so both always agree.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import accumulate
from operator import xor

import regex

from guardstream.scan.pages import ENDS, SIZE, Pages, Row, changes, told_apart
from guardstream.scan.regex.ast import Look
from guardstream.scan.regex.fragments import CASED, FOLDED, KINDS, bits_of, numbers, told
from guardstream.scan.words.normalize import Table

START = 1
"""The bit of what stands before the text: no character."""

END = 2
"""The bit of what stands after the text."""

_KIND = (1 << len(KINDS)) - 1
_FOLDED_ON = {ord(character) // SIZE for character in FOLDED}


class CharSets:
    """The sets of characters that a set of patterns names, and which of them a character is in.

    With a `table`, a character is in the sets of the character that it is translated to. A
    signature is an int with one bit for each set. `START` and `END` are the signatures before and
    after the text; their bits belong to no set.

    A lookbehind that several patterns have is a set of its own: of the characters after which it
    matches. `lookbehinds` are those that some pattern has asked for, with their bits.
    """

    def __init__(self, table: Table | None = None) -> None:
        self._table = table
        self._bits: dict[str, int] = {}
        self._shared: frozenset[int] = frozenset()  # the items of shared lookbehinds, by `id`
        self.lookbehinds: dict[int, tuple[Look, int]] = {}
        self._next = 4
        # The sets of each character of `FOLDED`, and of other characters by their kind.
        self._folded = [0] * len(FOLDED)
        self._by_kind = [0] * (1 << len(KINDS))
        # Where ranges begin and end, and of which sets; the sets that exclude their ranges.
        self._edges: dict[int, int] = {}
        self._negated = 0
        # The sets that `regex` is asked about: on pages with letters that have cases, and on all.
        self._cased = 0
        self._by_case: list[tuple[int, regex.Pattern[str]]] = []
        self._by_regex: list[tuple[int, regex.Pattern[str]]] = []
        self._ranges: tuple[list[int], list[int]] | None = None
        self._pages = Pages(self._of_page)

    def bit(self, fragment: str) -> int:
        """The bit of the set that `fragment` describes, assigned when first asked for."""
        bit = self._bits.get(fragment)
        if bit is None:
            bit = self._bits[fragment] = self.fresh()
            self._add(bit, fragment)
            self._pages.clear()
            self._ranges = None
        return bit

    def restore(self, names: Iterable[str | None], used: int) -> None:
        """Give the first bits to these sets; None stands for a lookbehind. Those that are not in
        `used` stay unknown, and get other bits if they are asked for."""
        for fragment in names:
            bit = self.fresh()
            if fragment is not None and bit & used:
                self._bits[fragment] = bit
                self._add(bit, fragment)

    def _add(self, bit: int, fragment: str) -> None:
        known = told(fragment)
        if known is None or known.cased:
            runs = _runs(fragment)
            folded = bits_of("".join(runs.findall(FOLDED)))
            (self._by_regex if known is None else self._by_case).append((bit, runs))
        else:
            folded = known.folded
        for number in numbers(folded):
            self._folded[number] |= bit
        if known is None:
            return
        self._cased |= bit * known.cased
        self._negated |= bit * known.negated
        for kind in numbers(known.kinds):
            self._by_kind[kind] |= bit
        for first, last in known.ranges:
            for edge in (first, last + 1):
                self._edges[edge] = self._edges.get(edge, 0) ^ bit

    def names(self) -> dict[int, str]:
        """What each bit stands for, as a reader would say it."""
        edges = {START: "the start", END: "the end"}
        return edges | {bit: fragment for fragment, bit in self._bits.items()}

    @property
    def width(self) -> int:
        """How many bits there are."""
        return self._next.bit_length() - 1

    def share(self, looks: Iterable[Look]) -> None:
        """Run each of these lookbehinds once for all patterns, which have the same objects."""
        self._shared = frozenset(id(look.item) for look in looks)

    def lookbehind(self, look: Look) -> int:
        """The bit of a lookbehind, negated or not, if it is shared; otherwise 0."""
        key = id(look.item)
        if key not in self._shared:
            return 0
        if key not in self.lookbehinds:
            self.lookbehinds[key] = Look(look.item, ahead=False, negate=False), self.fresh()
        return self.lookbehinds[key][1]

    def fresh(self) -> int:
        """A bit that is not used yet, for a set or a lookbehind."""
        bit, self._next = self._next, self._next << 1
        return bit

    def signature(self, character: str) -> int:
        """Which sets the character is in."""
        if self._table is not None:
            character = self._table[ord(character)]
        return self._pages.row(character).answer

    def fills_page(self, character: str) -> bool:
        """Whether all characters on the character's page are in the same sets."""
        rows = self._pages.rows(character)
        return len(rows) == 1 and (self._table is None or not self._table.changed(character))

    def rows(self, character: str) -> Iterable[Row[int]]:
        """The signatures of all characters on the character's page."""
        rows = self._pages.rows(character)
        changed = None if self._table is None else self._table.changed(character)
        return self._translated(rows, changed) if changed else rows

    def _translated(
        self, rows: Iterable[Row[int]], changed: Mapping[int, str]
    ) -> Iterator[Row[int]]:
        codes = list(changed)
        for signature, first, last in rows:
            begin = first
            for code in codes[bisect_left(codes, first) : bisect_right(codes, last)]:
                other = self._pages.row(changed[code]).answer
                if other != signature:
                    if begin < code:
                        yield Row(signature, begin, code - 1)
                    yield Row(other, code, code)
                    begin = code + 1
            if begin <= last:
                yield Row(signature, begin, last)

    def _of_page(self, page: str) -> Iterable[Row[int]]:
        """The signatures of a page's characters."""
        begin = ord(page[0])
        cased, kinds = _kinds_on(page)
        edges = self._edges_on(begin)
        if cased or self._by_regex or not edges.keys() | kinds.keys() <= ENDS:
            return self._told_apart(page, cased, kinds, edges)
        # On most pages all characters are alike.
        answer = _signature(kinds.get(0, 0), edges.get(0, 0), self._by_kind, self._negated)
        return (Row(answer, begin, begin + SIZE - 1),)

    def _told_apart(
        self, page: str, cased: bool, kinds: Mapping[int, int], edges: Mapping[int, int]
    ) -> Iterator[Row[int]]:
        asked = self._cased if cased else 0
        judges = self._by_regex + self._by_case if cased else self._by_regex
        judges = [(bit << len(KINDS), judge) for bit, judge in judges]
        known = dict(kinds)
        for index, sets in edges.items():
            known[index] = known.get(index, 0) ^ (sets & ~asked) << len(KINDS)
        alone: dict[str, int] = {}
        if ord(page[0]) // SIZE in _FOLDED_ON:
            alone = {
                one: sets for one, sets in zip(FOLDED, self._folded, strict=True) if one in page
            }
        by_kind = [sets & ~asked for sets in self._by_kind]
        negated = self._negated & ~asked
        for mixed, first, last in told_apart(page, judges, alone, known):
            if alone and (character := chr(first)) in alone:
                yield Row(alone[character], first, last)
            else:
                answer = _signature(mixed & _KIND, mixed >> len(KINDS), by_kind, negated)
                yield Row(answer, first, last)

    def _edges_on(self, begin: int) -> dict[int, int]:
        """Where ranges begin and end on the page that starts at `begin`, and of which sets."""
        if self._ranges is None:
            edges = sorted(self._edges)
            self._ranges = edges, list(accumulate(map(self._edges.__getitem__, edges), xor))
        edges, within = self._ranges
        first = bisect_right(edges, begin)
        found = {0: within[first - 1]} if first else {}
        for edge in edges[first : bisect_left(edges, begin + SIZE)]:
            found[edge - begin] = self._edges[edge]
        return found


def _signature(kind: int, sets: int, by_kind: Sequence[int], negated: int) -> int:
    """The sets of the characters of a kind that are in the ranges of `sets`."""
    return (by_kind[kind] | sets) & ~(sets & negated)


@lru_cache(maxsize=64)  # several sets of patterns ask for a page that is new
def _kinds_on(page: str) -> tuple[bool, Mapping[int, int]]:
    """Whether a page has letters that have cases, and where its kinds of characters change."""
    return CASED.search(page) is not None, changes(page, KINDS)


@lru_cache(maxsize=2_048)  # other sets of patterns have the same, of the same policy and of others
def _runs(fragment: str) -> regex.Pattern[str]:
    """A pattern that finds runs of the characters that a fragment describes."""
    everywhere = "(?a)" if fragment.startswith("(?a)") else ""
    return regex.compile(f"{everywhere}(?:{fragment})+", regex.V0)
