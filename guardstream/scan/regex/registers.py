"""Registers: where the candidates of a state began, and what a transition does to them.

Offsets belong to one stream, which keeps them in registers. States and transitions are shared: a
state names a register or a fixed distance. A transition names a *source*: the number of a register,
or an offset relative to the transition's own character.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple, TypeAlias

from guardstream.scan.regex.closure import Item, Items
from guardstream.scan.regex.places import VARIABLE

FIXED = -1
"""In a Thread, in place of a register: the item's fixed distance tells the offset."""

NOWHERE = -2
"""In a Thread: there is no such offset yet."""

Source: TypeAlias = int
"""Where a transition on the character at offset `p` takes an offset from: a register's number, or,
below 0, `p + 2 + source`. So AFTER is `p + 1`, and HERE is `p`."""

AFTER = -1
HERE = -2

Least: TypeAlias = "tuple[Source, ...]"
"""Sources; the offset that is meant is the least of theirs."""


def back(distance: int) -> Source:
    """The source of the offset so many characters before the transition's own."""
    return HERE - distance


def mapped(least: Least, registers: tuple[int, ...]) -> Least:
    """The sources with each register `n` renumbered to `registers[n]`."""
    if len(least) == 1:
        return (registers[least[0]],) if least[0] >= 0 else least
    return tuple(sorted({registers[source] if source >= 0 else source for source in least}))


def resolve(source: Source, registers: tuple[int, ...], offset: int) -> int:
    """The offset that `source` means in a transition on the character at `offset`."""
    return registers[source] if source >= 0 else offset + 2 + source


Thread: TypeAlias = tuple[Item, int, int, int]
"""A candidate's item, and three registers, or FIXED, or NOWHERE: of its match's start, of its
group's opening, and of its match's end if only obligations are open. A plain tuple of numbers, for
the reason given at `closure.Key`."""


class Advanced(NamedTuple):
    """A thread that a transition leads to, with sources in place of registers."""

    item: Item
    start: Source
    hold: Least | None
    end: Source | None


class Accept(NamedTuple):
    """A match that a transition completes: where it began, where its group opened (its start
    without a group), and where it ended. `late`: it had ended earlier, and waited for its
    obligations."""

    start: Source
    hold: Least
    end: Source
    late: bool

    def of(self, registers: tuple[int, ...]) -> Accept:
        """The accept with each register `n` renumbered to `registers[n]`."""
        (start,), (end,) = mapped((self.start,), registers), mapped((self.end,), registers)
        return Accept(start, mapped(self.hold, registers), end, self.late)


@dataclass(slots=True, frozen=True)
class Live:
    """Where candidates began: the longest fixed distance (-1 if none), and the registers of the
    others. Read for each chunk: fields of a NamedTuple would take longer."""

    distance: int
    registers: tuple[int, ...]

    def oldest(self, registers: tuple[int, ...], offset: int) -> int:
        """The oldest offset, at most `offset` + 1."""
        oldest = offset - self.distance
        for register in self.registers:
            if registers[register] < oldest:
                oldest = registers[register]
        return oldest


_same = lru_cache(maxsize=4_096)(Live)
"""Equal values are one object: very many states share few of them."""


def live(entries: Iterable[tuple[int, int]]) -> Live:
    """Where candidates began, given the register and fixed distance of each."""
    distance, registers = -1, set()
    for register, fixed in entries:
        if register == FIXED:
            distance = max(distance, fixed)
        elif register >= 0:
            registers.add(register)
    return _same(distance, tuple(sorted(registers)))


def together(lives: Iterable[tuple[Live, tuple[int, ...]]]) -> Live:
    """Where the candidates of several states began. With each state come the numbers that its
    registers have in the result."""
    distance = -1
    registers: set[int] = set()
    for own, numbers in lives:
        if own.distance > distance:
            distance = own.distance
        if own.registers:
            registers.update([numbers[register] for register in own.registers])
    return _same(distance, tuple(sorted(registers)))


def start_of(thread: Thread, items: Items) -> Source:
    """The source of the thread's start in a transition from its state."""
    item, start, _, _ = thread
    return start if start >= 0 else back(items.distances[item])


def hold_of(thread: Thread, items: Items) -> Least | None:
    """The source of the group's opening in a transition from the thread's state; None if the group
    has not opened."""
    item, _, hold, _ = thread
    if hold == NOWHERE:
        return None
    return (hold,) if hold >= 0 else (back(items.opened[item]),)


def began(thread: Thread, items: Items, registers: tuple[int, ...], offset: int) -> tuple[int, int]:
    """The offsets where the thread's match began and its group opened; `offset` + 1 for a group
    that has not opened. `offset` is that of the next character."""
    start, hold = start_of(thread, items), hold_of(thread, items)
    opened = offset + 1 if hold is None else resolve(hold[0], registers, offset)
    return resolve(start, registers, offset), opened


def renumbered(
    advanced: Iterable[Advanced], items: Items
) -> tuple[tuple[Thread, ...], tuple[Least, ...] | None]:
    """The threads with registers for their sources, and the sources of each register; None for
    these if all registers stay as they are.

    Registers that stay keep their order, so usually nothing moves; new ones come after them.
    """
    used: dict[Least, None] = {}
    distances, opened = items.distances, items.opened
    for item, start, hold, end in advanced:
        if distances[item] == VARIABLE:
            used[(start,)] = None
        if hold is not None and opened[item] == VARIABLE:
            used[hold] = None
        if end is not None:
            used[(end,)] = None
    sources = sorted(used, key=_order)
    numbers = {source: number for number, source in enumerate(sources)}
    threads = []
    for item, start, hold, end in advanced:
        threads.append(
            (
                item,
                numbers[(start,)] if distances[item] == VARIABLE else FIXED,
                NOWHERE if hold is None else numbers[hold] if opened[item] == VARIABLE else FIXED,
                NOWHERE if end is None else numbers[(end,)],
            )
        )
    stay = all(source == (number,) for number, source in enumerate(sources))
    return tuple(threads), None if stay else tuple(sources)


def _order(source: Least) -> tuple[bool, int, Least]:
    # Registers first, in their order; then what is new, the oldest first.
    return len(source) > 1 or source[0] < 0, min(source), source
