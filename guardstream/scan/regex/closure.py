"""Items: what a thread of the search has reached, and what it can read next.

An item is a place of the pattern, reached after a character has been read. Its entries are its
epsilon closure, as in Pike's virtual machine (https://swtch.com/~rsc/regexp/regexp2.html): the
places that may take the next character, in `regex`'s order of preference, each with the conditions
of the assertions on the way.

A lookahead of more than one character is an obligation: the items that its own NFA has reached. A
positive obligation must match while the thread lives on, a negative one must not. Obligations are
part of the item, so the automaton stays finite.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple, TypeAlias

from guardstream.scan.regex.alphabet import END
from guardstream.scan.regex.nfa import Program
from guardstream.scan.regex.places import CHAR, FREE, NOWHERE, Condition, Kind

Item: TypeAlias = int
"""The number of an item of a program: see `Items`."""


class Obligation(NamedTuple):
    """A lookahead under way: one of the items must still match, or, negated, none may."""

    negate: bool
    items: frozenset[Item]


Obligations: TypeAlias = "frozenset[Obligation] | tuple[()]"

Key: TypeAlias = tuple[int, int, Obligations]
"""What identifies an item: its place, the bits that hold before it, and its obligations. Nearly all
items have no obligations. So keys, entries, ways and steps are plain tuples of numbers, which the
garbage collector does not track, nor tuples of them."""

Entry: TypeAlias = tuple[int, int, int, bool, Obligations]
"""A place that may take the next character; the sets that the character must be in, and those that
it must not be in; whether the masked group opens on the way; and the obligations that begin on the
way."""

Way: TypeAlias = tuple[Item, bool, bool]
"""An item that a character leads to; whether the masked group opened before the character; and
whether the match ended before the character, so that only its obligations are still open."""

Steps: TypeAlias = tuple[tuple[Way, ...], bool]
"""What a character leads to, and whether the pattern has matched before the character."""

DEAD_END: Steps = ((), False)
NOTHING: Obligations = ()
NO_ITEMS: frozenset[Item] = frozenset()


class Items:
    """The items of one program, added when first reached. An item is an index into the columns.

    `distances` and `opened` are its place's, see `Places`. `accepts`: the pattern has matched here.
    `alive`: it can go on, or wait for a lookahead. `ends`: it matches here if the text ends.
    `ahead` has the numbers of its continuations: of two items with the same, one is redundant.
    `asks` are the bits of the next character that matter: those that the item asks for, and the
    program's `behind`, which may be asked for after that character.

    `cuts`: as in `regex`, a match at one of the places `finals` ends the search for less preferred
    ones.
    """

    def __init__(self, program: Program, *, cuts: bool) -> None:
        self.program = program
        self.cuts = cuts
        self.finals = (program.matched, program.pending) if cuts else ()
        self.keys: list[Key] = []
        self.entries: list[tuple[Entry, ...]] = []
        self.accepts: list[bool] = []
        self.alive: list[bool] = []
        self.ends: list[bool] = []
        self.asks: list[int] = []
        self.ahead: list[tuple[int, ...]] = []
        self.distances: list[int] = []
        self.opened: list[int] = []
        # Each item's steps, by what it asks of a signature; the shared steps to a single item.
        self._steps: list[dict[int, Steps]] = []
        self._alone: dict[Item, Steps] = {}
        self._kinds = program.places.kinds
        self._closures: dict[tuple[int, int], tuple[Entry, ...]] = {}
        self._entries: dict[Entry, Entry] = {}
        self._looking: dict[int, bool] = {}  # whether a place's closure depends on what is before
        self._items: dict[Key, Item] = {}
        self._ahead: dict[tuple[object, ...], int] = {}

    def __len__(self) -> int:
        return len(self._items)

    def is_certain(self, entry: Entry) -> bool:
        """Whether the entry is an unconditional match, of the pattern or of a lookaround."""
        place, needs, bars, _, begun = entry
        return self._kinds[place] is Kind.MATCH and not (needs or bars or begun)

    def at(self, place: int, left: int, obligations: Obligations = NOTHING) -> Item:
        """The item at `place`; `left` has the bits that hold before it, of the last character and
        of lookbehinds."""
        left &= self.program.behind
        if left and not self._looking.get(place, True):
            left = 0
        key = place, left, obligations
        item = self._items.get(key)
        if item is None:
            entries = self._closure(place, left)
            if left and not self._looking[place]:
                return self.at(place, 0, obligations)
            item = self._items[key] = self._add(key, entries)
        return item

    def _add(self, key: Key, entries: tuple[Entry, ...]) -> Item:
        """Add an item with these entries."""
        place, _, obligations = key
        certain = []
        if not obligations:
            certain = [n for n, entry in enumerate(entries) if self.is_certain(entry)]
        if certain and entries[certain[0]][0] in self.finals:
            # A match cuts what is less preferred; a lookaround may match in any way.
            entries = entries[: certain[0]]
        elif certain:
            entries = tuple([entry for entry in entries if not self.is_certain(entry)])
        asks = self.program.behind | self._asked(obligations)
        for _, needs, bars, _, begun in entries:
            asks |= needs | bars | self._asked(begun)
        places = self.program.places
        row: tuple[tuple[list[Any], object], ...] = (
            (self.keys, key),
            (self.entries, entries),
            (self.accepts, bool(certain)),
            (self.alive, bool(entries)),
            (self.ends, False),
            (self.asks, asks),
            (self.ahead, tuple([self._what(entry, obligations) for entry in entries])),
            (self.distances, places.distances[place]),
            (self.opened, places.opened[place]),
            (self._steps, {}),
        )
        item = len(self._steps)
        for column, value in row:
            # If memory ran out while an item was added, some columns have a row too many.
            del column[item:]
            column.append(value)
        # No place takes END, so this adds no item.
        self.ends[item] = self.advance(item, END)[1]
        return item

    def _asked(self, obligations: Obligations) -> int:
        """The bits that obligations ask of the next character."""
        bits = 0
        for _, items in obligations:
            for item in items:
                bits |= self.asks[item]
        return bits

    def _what(self, entry: Entry, obligations: Obligations) -> int:
        """The number of a continuation: an entry, and the obligations of its item."""
        place, needs, bars, _, begun = entry
        key: tuple[object, ...] = place, needs, bars
        if begun or obligations:
            key = *key, begun, obligations
        return self._ahead.setdefault(key, len(self._ahead))

    def renewed(self, item: Item, known: Items) -> Item:
        """The equal of an item of `known`, which are the items before the caches were flushed."""
        place, left, open_ = known.keys[item]
        if not open_:
            return self.at(place, left)
        obligations = frozenset(
            Obligation(negate, frozenset([self.renewed(item, known) for item in items]))
            for negate, items in open_
        )
        return self.at(place, left, obligations)

    # Advancing

    def advance(self, item: Item, signature: int) -> Steps:
        """What a character of this signature leads to. The signature includes the bits of the
        lookbehinds that match after the character."""
        known = self._steps[item]
        signature &= self.asks[item]
        steps = known.get(signature)
        if steps is None:
            steps = known[signature] = self._step(item, signature)
        return steps

    def _step(self, item: Item, signature: int) -> Steps:
        kept = self._advanced(self.keys[item][2], signature)
        if kept is None:
            return DEAD_END
        ways: dict[Item, Way] = {}
        matched = False
        for place, needs, bars, opens, obligations in self.entries[item]:
            if signature & needs != needs or signature & bars:
                continue
            begun = self._advanced(obligations, signature)
            if begun is None:
                continue
            if self._kinds[place] is Kind.MATCH and not (kept or begun):
                matched = True
                if self.cuts:
                    break
                continue
            way = self._way(place, opens, signature, _both(kept, begun))
            target = way[0]
            known = ways.get(target)
            if known is None and (self.alive[target] or self.accepts[target]):
                ways[target] = way
            elif known is not None and opens and not self.cuts:
                ways[target] = target, True, known[2]
        return self._led(tuple(ways.values()), matched)

    def _led(self, ways: tuple[Way, ...], matched: bool) -> Steps:
        """What a character leads to: nearly always nothing or a single item, for which all share
        one object."""
        if not (ways or matched):
            return DEAD_END
        if matched or len(ways) > 1 or ways[0][1] or ways[0][2]:
            return ways, matched
        return self._alone.setdefault(ways[0][0], (ways, matched))

    def _way(self, place: int, opens: bool, signature: int, obligations: Obligations) -> Way:
        """Where an entry leads: to the next item, or to one that only waits for its obligations."""
        if self._kinds[place] is CHAR:
            after = self.program.places.after[place]
            return self.at(after, signature, obligations), opens, False
        pending = self.program.pending
        return self.at(pending, 0, obligations), opens, place != pending

    def _advanced(self, obligations: Obligations, signature: int) -> Obligations | None:
        """The obligations still open after a character; None if one of them has failed."""
        if not obligations:
            return NOTHING
        left = set()
        for negate, items in obligations:
            met, after = self._looked(items, signature)
            if met:
                if negate:
                    return None
            elif after:
                left.add(Obligation(negate, after))
            elif not negate:
                return None
        return frozenset(left) or NOTHING

    def _looked(self, items: Iterable[Item], signature: int) -> tuple[bool, frozenset[Item]]:
        """Whether one of a lookahead's items has matched, and what they lead to."""
        reached = set()
        for item in items:
            ways, matched = self.advance(item, signature)
            if matched:
                return True, NO_ITEMS
            for target, _, _ in ways:
                if self.accepts[target]:
                    return True, NO_ITEMS
                reached.add(target)
        return False, frozenset(reached) or NO_ITEMS

    # The epsilon closure

    def _closure(self, place: int, left: int) -> tuple[Entry, ...]:
        """The entries of a place, in order of preference."""
        known = self._closures.get((place, left))
        if known is None:
            known = self._followed(place, left)
            self._closures[place, left if self._looking[place] else 0] = known
        return known

    def _followed(self, first: int, left: int) -> tuple[Entry, ...]:  # noqa: C901 - a case a kind
        places, kinds, leads_to = self.program.places, self._kinds, self.program.leads_to
        found: dict[tuple[int, Condition, Obligations], bool] = {}
        looked_back = False
        seen: set[tuple[int, Condition, Obligations, tuple[int, ...]]] = set()
        rounds: tuple[int, ...] = ()  # loops on the way whose present round has read nothing
        pending = [(first, FREE, NOTHING, False, rounds)]
        while pending:
            place, condition, begun, opened, rounds = pending.pop()
            if place in rounds:
                # As in `regex`, an empty round ends the loop, even if it has passed assertions.
                before = rounds[: rounds.index(place)]
                pending.append((places.out[place], condition, begun, opened, before))
                continue
            key = place, condition, begun, rounds
            if key in seen:
                continue
            seen.add(key)
            kind = kinds[place]
            if kind in (CHAR, Kind.MATCH):
                entered = condition.and_(places.conditions[place])
                if not entered.needs & entered.bars:
                    found.setdefault((place, entered, begun), opened)
                continue
            if kind is Kind.BEHIND:
                looked_back = True
                if not places.conditions[place].holds(left):
                    continue
            elif kind is Kind.AHEAD:
                condition = condition.and_(places.conditions[place])
            elif kind in (Kind.OPEN, Kind.SHUT):
                opened = kind is Kind.OPEN
            elif kind is Kind.LOOK:
                looked_back = True
                negate, aside = place in places.negated, self.at(places.aside[place], left)
                met, alive = self.accepts[aside], self.alive[aside]
                if met if negate else not (met or alive):
                    continue
                if not met and alive:
                    begun = frozenset((*begun, Obligation(negate, frozenset((aside,)))))
            inside, out = rounds, NOWHERE
            if kind is Kind.LOOP:
                out = places.out[place]
                inside = (*rounds, place)
            elif kind is Kind.ROUND:
                inside = (*rounds, places.out[place])
            pending += [
                (after, condition, begun, opened, rounds if after == out else inside)
                for after in reversed(leads_to(place))
            ]
        # The same for each `left`, which matters only from the first place that looks back.
        self._looking[first] = looked_back
        entries = [
            (place, condition.needs, condition.bars, opened, begun)
            for (place, condition, begun), opened in found.items()
        ]
        # Many places have equal entries: keep one object for each.
        return tuple([self._entries.setdefault(entry, entry) for entry in entries])


def _both(some: Obligations, others: Obligations) -> Obligations:
    return some | others if some and others else some or others
