"""Registers: where the candidates of a state began, and what a transition does to them.

Offsets belong to the stream and stand in its registers. What streams share names a register, or a
fixed distance, or, in a transition, a source: the number of a register, or an offset counted from
the transition's own character.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple, TypeAlias

from guardstream.scan.regex.closure import Item, Items
from guardstream.scan.regex.places import VARIABLE

FIXED = -1
"""In a Thread: the item's distance says where it began."""

NOWHERE = -2
"""In a Thread: there is no such offset yet."""

Source: TypeAlias = int
"""Where an offset comes from in a transition on the character at offset `p`: a register's number,
or, below 0, `p + 2 + source`: AFTER is `p + 1`, HERE is `p`."""

AFTER = -1
HERE = -2

Least: TypeAlias = "tuple[Source, ...]"
"""The sources of which an offset is the least."""


def back(distance: int) -> Source:
    """The source so many characters before the transition's own."""
    return HERE - distance


def mapped(least: Least, registers: tuple[int, ...]) -> Least:
    """The sources with other numbers of registers in place of their own."""
    if len(least) == 1:
        return (registers[least[0]],) if least[0] >= 0 else least
    return tuple(sorted({registers[source] if source >= 0 else source for source in least}))


def resolve(source: Source, registers: tuple[int, ...], offset: int) -> int:
    """The offset that `source` means in a transition on the character at `offset`."""
    return registers[source] if source >= 0 else offset + 2 + source


Thread: TypeAlias = tuple[Item, int, int, int]
"""A candidate's item, and the registers of its match's start, of its group's opening, and of its
match's end where only obligations are open; or FIXED, or NOWHERE. Plain tuples of numbers, as what
items are made of."""


class Advanced(NamedTuple):
    """A thread that a transition leads to, with sources in place of registers."""

    item: Item
    start: Source
    hold: Least | None
    end: Source | None


class Accept(NamedTuple):
    """A match that a transition completes: where it began, where its group opened (its start
    without a group), and where it ended; `late` if that was before the transition's character."""

    start: Source
    hold: Least
    end: Source
    late: bool

    def of(self, registers: tuple[int, ...]) -> Accept:
        """The accept with other numbers of registers in place of its own."""
        (start,), (end,) = mapped((self.start,), registers), mapped((self.end,), registers)
        return Accept(start, mapped(self.hold, registers), end, self.late)


@dataclass(slots=True, frozen=True)
class Live:
    """Where candidates began: the longest fixed distance (-1 if none), and the registers of the
    others. It is asked for with each chunk, and fields of a NamedTuple take longer."""

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
"""Equal ones are one object: very many states have them, and few differ."""


def live(entries: Iterable[tuple[int, int]]) -> Live:
    """Where candidates began, given each one's register and fixed distance."""
    distance, registers = -1, set()
    for register, fixed in entries:
        if register == FIXED:
            distance = max(distance, fixed)
        elif register >= 0:
            registers.add(register)
    return _same(distance, tuple(sorted(registers)))


def together(lives: Iterable[tuple[Live, tuple[int, ...]]]) -> Live:
    """Where the candidates of some states began, each given with the numbers of its registers."""
    distance = -1
    registers: set[int] = set()
    for own, numbers in lives:
        if own.distance > distance:
            distance = own.distance
        if own.registers:
            registers.update([numbers[register] for register in own.registers])
    return _same(distance, tuple(sorted(registers)))


def start_of(thread: Thread, items: Items) -> Source:
    """Where the thread's match began, seen from the character after its state."""
    item, start, _, _ = thread
    return start if start >= 0 else back(items.distances[item])


def hold_of(thread: Thread, items: Items) -> Least | None:
    """Where the thread's group opened, seen from the character after its state."""
    item, _, hold, _ = thread
    if hold == NOWHERE:
        return None
    return (hold,) if hold >= 0 else (back(items.opened[item]),)


def began(thread: Thread, items: Items, registers: tuple[int, ...], offset: int) -> tuple[int, int]:
    """Where the thread's match began, and where its group opened: after the text if nowhere yet."""
    start, hold = start_of(thread, items), hold_of(thread, items)
    opened = offset + 1 if hold is None else resolve(hold[0], registers, offset)
    return resolve(start, registers, offset), opened


def renumbered(
    advanced: Iterable[Advanced], items: Items
) -> tuple[tuple[Thread, ...], tuple[Least, ...] | None]:
    """The threads with registers for their sources, and what each register is the least of; None
    if all registers stay as they are.

    Registers that stay keep their order, so that as a rule nothing moves; new ones come after.
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
