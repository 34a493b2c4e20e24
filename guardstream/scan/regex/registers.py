"""Threads: the candidates of a state, where they began, and what a transition does to them.

Offsets belong to the stream and stand in its registers; what is shared names a register, or a
fixed distance, or, while a transition is built, a source.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

from guardstream.scan.regex.ast import Node
from guardstream.scan.regex.closure import Item
from guardstream.scan.regex.nfa import VARIABLE

FIXED = -1
"""In a Thread: the item's distance says where it began."""

NOWHERE = -2
"""In a Thread: the hold-back has not begun."""

Source: TypeAlias = int
"""Where an offset comes from in a transition on the character at offset `p`: a register's number,
or, from -4 downwards, p + 4 + source: -4 is the character's own offset."""

HERE = -4
FIXED_OR_NOWHERE = {FIXED, NOWHERE}

SEVERAL = 1 << 20
"""From here on, a source stands for the least of several."""


def resolve(source: Source, registers: tuple[int, ...], offset: int) -> int:
    """The offset that `source` means in a transition on the character at `offset`."""
    return registers[source] if source >= 0 else offset + 4 + source


class Searched(NamedTuple):
    """A pattern to search for, and how.

    `group` is the number of the masked group, 0 for none. `eager`: report the first end of any
    match at once. `refusable`: a match may turn out to be none, so every start counts. `holds`:
    text waits for the candidates.
    """

    tree: Node
    group: int = 0
    eager: bool = False
    refusable: bool = False
    holds: bool = True


class Thread(NamedTuple):
    """A candidate's place: its item, and the registers of its match's start and its hold-back,
    or FIXED, or NOWHERE."""

    item: Item
    start: int
    hold: int


class Accept(NamedTuple):
    """An accepting thread: its pattern, where its match and hold-back began, and whether it ends
    behind the character of the transition or, decided by a lookahead only now, before it."""

    pattern: int
    start: Source
    hold: Source
    behind: bool


class Moves(NamedTuple):
    """What a transition does to the registers, and what it accepts.

    Nearly always the first `kept` registers stay and one is added, at `added` characters from the
    transition's own. Otherwise `kept` is -1, and `sources` give for each new register the
    sources of which it is the least.
    """

    kept: int
    added: int | None
    sources: tuple[tuple[Source, ...], ...]
    accepts: tuple[Accept, ...]

    def apply(self, registers: tuple[int, ...], offset: int) -> tuple[int, ...]:
        """The registers behind the character at `offset`."""
        if self.added is not None:
            return (*registers[: self.kept], offset + self.added)
        if self.kept >= 0:
            return registers[: self.kept]
        return tuple(
            [min([resolve(s, registers, offset) for s in least]) for least in self.sources]
        )


class Live(NamedTuple):
    """Where the candidates of a pattern began: the longest fixed distance (-1 if none), and the
    registers of the others."""

    distance: int
    registers: tuple[int, ...]

    def oldest(self, registers: tuple[int, ...], offset: int) -> int:
        """The oldest offset, at most `offset` + 1."""
        oldest = offset - self.distance
        for register in self.registers:
            if registers[register] < oldest:
                oldest = registers[register]
        return oldest


def renumbered(threads: Sequence[Thread]) -> tuple[tuple[Thread, ...], tuple[Source, ...]]:
    """The threads with registers for their sources, and those sources.

    Registers that stay keep their order, so that as a rule nothing moves; new ones come behind.
    """
    used: set[Source] = set()
    for thread in threads:
        if thread.item.settled is None:
            used.add(thread.start)
            used.add(thread.hold)
    used -= FIXED_OR_NOWHERE
    if not used:
        return tuple(threads), ()
    sources = sorted(used)
    if sources[0] < 0:
        sources = [s for s in sources if s >= 0] + [s for s in sources if s < 0]
    numbers = {source: number for number, source in enumerate(sources)}
    numbers |= {FIXED: FIXED, NOWHERE: NOWHERE}
    placed = [
        thread
        if thread.item.settled is not None
        else Thread(thread.item, numbers[thread.start], numbers[thread.hold])
        for thread in threads
    ]
    return tuple(placed), tuple(sources)


def moves_to(
    sources: tuple[Source, ...],
    least: dict[Source, tuple[Source, ...]],
    accepts: tuple[Accept, ...],
) -> Moves:
    kept = sum(source >= 0 for source in sources)
    added = sources[kept:]
    if sources[:kept] == tuple(range(kept)) and len(added) <= 1:
        return Moves(kept, 4 + added[0] if added else None, (), accepts)
    return Moves(-1, None, tuple([least.get(s, (s,)) for s in sources]), accepts)


def start_of(thread: Thread) -> Source:
    """Where the thread's match began, seen from the character behind its state."""
    return thread.start if thread.start >= 0 else HERE - thread.item.place.distance


def hold_of(thread: Thread) -> Source:
    """Where the thread's hold-back began, seen from the character behind its state."""
    return thread.hold if thread.hold != FIXED else HERE - thread.item.place.opened


def placed(item: Item, start: Source, hold: Source) -> Thread:
    """The thread that stands at the item, with FIXED where the item itself says it."""
    if item.settled is not None:
        settled: Thread = item.settled
        return settled
    place = item.place
    if place.distance != VARIABLE:
        start = FIXED
    if hold != NOWHERE and place.opened != VARIABLE:
        hold = FIXED
    thread = Thread(item, start, hold)
    if start == FIXED and place.opened != VARIABLE:
        item.settled = thread
    return thread
