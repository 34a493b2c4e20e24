"""Items: what a thread of the search has read, and what it can read next.

An item stands behind a character that a place of the pattern has taken. What follows it, in
`regex`'s order of preference, are the places that may take the next character, each with the
conditions of the assertions on the way (Pike's virtual machine,
https://swtch.com/~rsc/regexp/regexp2.html).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from guardstream.scan.regex.alphabet import CharSets
from guardstream.scan.regex.ast import Cat
from guardstream.scan.regex.nfa import BEFORE, FREE, Condition, Place, Program

START = -1
"""The signature that stands for 'no character before: the start of the text'."""

_ANY = -2
"""The key of an item that does not ask for the character before."""


class Entry(NamedTuple):
    """A place that may follow, under which condition, and whether the masked group opens first."""

    place: Place
    condition: Condition
    opens: bool


class Steps(NamedTuple):
    """What a character leads to: the items, each with whether the masked group opened before the
    character, and whether the pattern has matched up to the character."""

    ways: tuple[tuple[Item, bool], ...]
    matched: bool


DEAD_END = Steps((), False)


class Item:
    """A place in a pattern behind a character.

    `accepts`: the pattern has matched here. `alive`: it can go on, or wait for a lookahead. `ends`:
    it matches here if the text ends.
    `number` counts the items of all patterns. `settled` is kept for the automaton: the only thread
    that can stand here, if there is one.
    """

    __slots__ = (
        "accepts",
        "alive",
        "ends",
        "follow",
        "number",
        "place",
        "program",
        "settled",
        "steps",
    )

    def __init__(self, place: Place, follow: Sequence[Entry]) -> None:
        self.place = place
        self.program = place.program
        self.number = place.program.sets.next_number()
        ends = [n for n, e in enumerate(follow) if e.place.kind == "match" and e.condition == FREE]
        self.accepts = bool(ends)
        if ends and self.program.ordered:
            # A match cuts what is less preferred.
            follow = follow[: ends[0]]
        self.follow = [e for e in follow if not (e.place.kind == "match" and e.condition == FREE)]
        self.alive = bool(self.follow)
        self.ends = any(e.place.kind == "match" and e.condition.at_edge for e in self.follow)
        self.settled: Any = None
        self.steps: dict[int, Steps] = {}

    def advance(self, signature: int) -> Steps:
        """What a character of this signature leads to."""
        steps = self.steps.get(signature)
        if steps is None:
            steps = self.steps[signature] = self.step(signature)
        return steps

    def step(self, signature: int) -> Steps:
        """The same, worked out anew."""
        ways: dict[Item, bool] = {}
        matched = False
        for place, condition, opens in self.follow:
            if not condition.holds(signature):
                continue
            if place.kind == "char":
                item = item_at(place.after or place, signature)
                if item.alive or item.accepts:
                    ways[item] = ways.get(item, False) or opens
            elif place.kind == "match":
                matched = True
                if self.program.ordered:
                    break
        return Steps(tuple(ways.items()), matched) if ways or matched else DEAD_END


def item_at(place: Place, before: int) -> Item:
    """The item that stands at `place` behind a character of the signature `before`."""
    items = place.items
    if items is None:
        # Another thread may flush them meanwhile; then this one keeps its own.
        items = place.items = {}
        place.program.sets.used.append(place)
    item = items.get(_ANY) or items.get(before)
    if item is None:
        follow, looked_back = _follow(place, before)
        item = items[before if looked_back else _ANY] = Item(place, follow)
    return item


def _follow(place: Place, before: int) -> tuple[list[Entry], bool]:
    """What may follow, in order of preference, and whether that depends on the character before."""
    found: dict[tuple[Place, Condition], bool] = {}
    looked_back = False
    seen: set[tuple[Place, Condition]] = set()
    pending = [(place, FREE, False)]
    while pending:
        place, condition, opened = pending.pop()
        if (place, condition) in seen:
            continue
        seen.add((place, condition))
        if place.kind == "behind":
            looked_back = True
            wanted = place.condition
            if not (wanted.at_edge if before == START else wanted.holds(before)):
                continue
        elif place.kind == "ahead":
            condition = condition.and_(place.condition)
        elif place.kind == "open":
            opened = True
        elif place.kind != "split":
            if place.kind == "char":
                condition = condition.and_(place.condition)
            # A lookahead's own end needs no thread unless it waits for a character.
            if place.kind != "drop" or condition != FREE:
                found.setdefault((place, condition), opened)
            continue
        pending += [(after, condition, opened) for after in reversed(place.leads_to())]
    entries = [Entry(place, condition, opened) for (place, condition), opened in found.items()]
    return [e for e in entries if not e.condition.needs & e.condition.bars], looked_back


def share_beginnings(programs: Sequence[Program], sets: CharSets, index: int) -> Program | None:
    """A program of the literal beginnings of the given programs, each only once.

    It leads into the programs where their beginnings end, and is searched for in their place. Only
    programs that begin with literals in every way are taken in; None if there are none.
    """
    shared = Program(index, Cat(()), sets)
    root = Place("split", shared)
    for program in programs:
        chains = _chains(program.first)
        # All ways of a pattern leave what is shared at once, so that one that has matched can
        # never overtake one that began with it.
        length = min(map(len, chains), default=2) - 2
        if length < 1:
            continue
        program.shared = True
        for chain in chains:
            node = root
            for place in chain[:length]:
                node = _child(node, place.condition, shared)
            node.ways = (*node.ways, chain[length])
    if not root.ways:
        return None
    shared.first = root
    return shared


def _child(node: Place, condition: Condition, shared: Program) -> Place:
    """The place behind a character of this condition in a tree of beginnings."""
    for place in node.ways:
        if place.program is shared and place.condition == condition and place.after:
            return place.after
    distance = max(node.distance, 0) + 1
    below = Place("split", shared, distance=distance, opened=BEFORE, shortest=distance)
    node.ways = (Place("char", shared, condition, below), *node.ways)
    return below


def _chains(first: Place) -> list[list[Place]]:
    """The literal beginnings behind `first`, each with the place where it ends; none if anything
    else begins there."""
    chains = []
    seen: set[Place] = set()
    pending = [first]
    while pending:
        place = pending.pop()
        if place in seen:
            continue
        seen.add(place)
        if place.kind == "split":
            pending += place.ways
            continue
        chain = [place]
        while chain[-1].kind == "char" and chain[-1].after:
            chain.append(chain[-1].after)
        chains.append(chain)
    return chains
