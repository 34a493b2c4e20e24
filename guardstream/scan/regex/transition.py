"""One step of the automaton: how the threads of a state advance over a character."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple, TypeAlias

from guardstream.scan.regex.closure import Item, Steps
from guardstream.scan.regex.nfa import VARIABLE
from guardstream.scan.regex.registers import (
    HERE,
    NOWHERE,
    SEVERAL,
    Accept,
    Searched,
    Source,
    Thread,
    hold_of,
    placed,
    start_of,
)

Way: TypeAlias = tuple[Item, Source, Source]
"""An item that a transition leads to, and where its match and its hold-back began."""


class Roots(NamedTuple):
    """What begins at a character.

    `merged` are the threads of merged patterns by their item's number; `ordered` are the ways of
    each ordered pattern, and `alone` the threads these make where no such pattern has others.
    """

    merged: dict[int, Thread]
    merged_accepts: list[Accept]
    ordered: dict[int, list[Way]]
    alone: list[Thread]
    alone_accepts: list[Accept]


class Step:
    """The threads and accepts of one transition, with sources in place of registers.

    `least` gives the sources of which a source from `SEVERAL` on is the least.
    """

    def __init__(self, patterns: Sequence[Searched], signature: int) -> None:
        self.threads: list[Thread] = []
        self.accepts: list[Accept] = []
        self.least: dict[Source, tuple[Source, ...]] = {}
        self._patterns = patterns
        self._signature = signature

    def _ways(self, thread: Thread, ways: Iterable[tuple[Item, bool]]) -> list[Way]:
        """What the thread leads to."""
        start, hold = start_of(thread), hold_of(thread)
        if hold != NOWHERE:
            return [(item, start, hold) for item, _ in ways]
        holds = self._patterns
        return [
            (item, start, HERE if opened and holds[item.program.index].holds else hold)
            for item, opened in ways
        ]

    def advance(
        self, pattern: int, threads: Iterable[tuple[Thread, Steps]], roots: Iterable[Way]
    ) -> None:
        """Advance an ordered pattern; an accept cuts what is behind it."""
        seen: set[Item] = set()
        for thread, steps in threads:
            if steps.ways and self._add(pattern, self._ways(thread, steps.ways), seen):
                return
            if steps.matched:
                # The match ends before this character, so what starts at the character stays.
                self.accepts.append(Accept(pattern, start_of(thread), hold_of(thread), False))
                break
        self._add(pattern, roots, seen)

    def add_alone(self, ways: Sequence[Way]) -> None:
        """Begin an ordered pattern that has no other threads."""
        self._add(ways[0][0].program.index, ways, set())

    def _add(self, pattern: int, ways: Iterable[Way], seen: set[Item]) -> bool:
        """Add threads up to an accepting one; returns whether there was one."""
        for item, start, hold in ways:
            if item in seen:
                continue
            seen.add(item)
            if item.alive:
                self.threads.append(placed(item, start, hold))
            if item.accepts:
                self.accepts.append(Accept(pattern, start, hold, True))
                return True
        return False

    def merge(self, threads: Iterable[tuple[Thread, Steps]], roots: Roots) -> None:
        """Advance every start of the other patterns; where two meet keep the older."""
        found = roots.merged.copy()
        self.accepts += roots.merged_accepts
        origins: dict[int, Thread] = {}
        for thread, (ways, matched) in threads:
            if matched:
                index = thread.item.program.index
                self.accepts.append(Accept(index, start_of(thread), hold_of(thread), False))
            for successor, opens in ways:
                if successor.settled is not None and not successor.accepts:
                    found[successor.number] = successor.settled
                else:
                    self._merge(found, origins, thread, successor, opens)
        self.threads += [found[number] for number in sorted(found)]

    def _merge(
        self,
        found: dict[int, Thread],
        origins: dict[int, Thread],
        thread: Thread,
        item: Item,
        opens: bool,
    ) -> None:
        [(_, start, hold)] = self._ways(thread, ((item, opens),))
        if item.accepts:
            self.accepts.append(Accept(item.program.index, start, hold, True))
        if not item.alive:
            return
        number = item.number
        if number in origins:
            found[number] = self._met(found[number], origins[number], (item, start, hold), thread)
            return
        if hold == NOWHERE and number in found:
            # What began at this character is younger, but may have opened its group.
            hold = found[number].hold
        found[number] = placed(item, start, hold)
        origins[number] = thread

    def _met(self, known: Thread, origin: Thread, way: Way, thread: Thread) -> Thread:
        """The thread for an item that two threads lead to."""
        item, start, hold = way
        places = origin.item.place, thread.item.place
        if item.place.distance == VARIABLE:
            start = self._older({known.start: places[0].shortest, start: places[1].shortest})
        if hold != NOWHERE and not self._patterns[item.program.index].group:
            hold = start
        elif item.place.opened == VARIABLE and known.hold != NOWHERE:
            if hold == NOWHERE:
                hold = known.hold
            else:
                ages = {known.hold: places[0].opened_shortest, hold: places[1].opened_shortest}
                hold = self._older(ages)
        return placed(item, start, hold)

    def _older(self, ages: dict[Source, int]) -> Source:
        """The source of the least of some offsets; `ages` tell how old each is at least."""
        sources: dict[Source, int] = {}
        for source, age in ages.items():
            several = self.least.get(source)
            sources |= {source: age} if several is None else dict.fromkeys(several, 0)
        fixed = min((source for source in sources if source < 0), default=0)
        registers = sorted(source for source in sources if source >= 0)
        # A register that is surely as old as the oldest fixed source makes that needless.
        needed = fixed < 0 and all(sources[register] < HERE - fixed for register in registers)
        oldest = (*registers, fixed) if needed else tuple(registers)
        if len(oldest) == 1:
            return oldest[0]
        source = SEVERAL + len(self.least)
        self.least[source] = oldest
        return source
