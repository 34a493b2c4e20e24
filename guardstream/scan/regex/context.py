"""Contexts: what a pattern may look back at. This is the last character, and how far the pattern's
lookbehinds have come, each of which is an NFA of its own that reads the text in parallel.

A context does not depend on candidates, so states with different candidates share it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

from guardstream.scan.regex.closure import NO_ITEMS, Item, Items
from guardstream.scan.regex.nfa import Lookbehind

Sides: TypeAlias = tuple[frozenset[Item], ...]
"""For each lookbehind of a pattern, the items that it has reached."""


class Context(dict[int, "Context"]):
    """What stands before a character: the bits of the last character and of the lookbehinds that
    match here (`left`), and the items that the lookbehinds have reached (`sides`).

    It maps the bits of a character's signature that it asks for (`asks`) to the next context; a
    missing one is built when it is first needed. A match begins here in the item `root`, the
    lookbehinds in `roots`. The context is `idle` if no lookbehind is under way or matches. `number`
    is unique among the contexts of one `Contexts`.
    """

    __slots__ = ("asks", "contexts", "idle", "left", "number", "root", "roots", "sides")

    # Two contexts are never the same, whatever they lead to.
    __eq__ = object.__eq__
    __hash__ = object.__hash__  # type: ignore[assignment]

    def __init__(self, contexts: Contexts, left: int, sides: Sides, number: int) -> None:
        items = contexts.items
        program = items.program
        self.contexts = contexts
        self.number = number
        self.left = left
        self.sides = sides
        self.root = items.at(program.first, left)
        self.roots = tuple([items.at(lookbehind.first, left) for lookbehind in program.lookbehinds])
        self.idle = not any(sides) and not left & program.looks
        self.asks = items.asks[self.root]
        for side in (self.roots, *sides):
            for item in side:
                self.asks |= items.asks[item]

    def __missing__(self, asked: int) -> Context:
        context = self[asked] = self.contexts.after(self, asked)
        return context


class Contexts:
    """The contexts of one program, and their `weight`. Callers hold the lock of the caches."""

    def __init__(self, items: Items) -> None:
        self.items = items
        self.weight = 0
        self._known: dict[tuple[int, Sides], Context] = {}
        self._no_sides: Sides = tuple([NO_ITEMS for _ in items.program.lookbehinds])

    def forget(self) -> None:
        """Let go of all contexts: they lead to one another."""
        known, self._known = self._known, {}
        for context in known.values():
            context.clear()

    def beginning(self, left: int) -> Context:
        """The context after a character with these bits, before the lookbehinds have read
        anything."""
        for lookbehind in self.items.program.lookbehinds:
            left |= self._bit(lookbehind, left, ())
        return self._of(left, self._no_sides)

    def renewed(self, context: Context) -> Context:
        """The equal of a context that was built before the caches were flushed."""
        renewed, known = self.items.renewed, context.contexts.items
        sides = [frozenset([renewed(item, known) for item in side]) for side in context.sides]
        return self._of(context.left, tuple(sides))

    def after(self, context: Context, signature: int) -> Context:
        """The context that a character of this signature leads to."""
        items, program = self.items, self.items.program
        sides, matched = [], 0
        begun = zip(program.lookbehinds, context.roots, context.sides, strict=True)
        for lookbehind, root, reached in begun:
            # A lookbehind within another comes before it, and its bit is needed here.
            below = signature | matched
            side = [way[0] for item in (root, *reached) for way in items.advance(item, below)[0]]
            matched |= self._bit(lookbehind, below, side)
            sides.append(frozenset([item for item in side if items.alive[item]]) or NO_ITEMS)
        return self._of(signature & program.behind | matched, tuple(sides))

    def _of(self, left: int, sides: Sides) -> Context:
        context = self._known.get((left, sides))
        if context is None:
            context = self._known[left, sides] = Context(self, left, sides, len(self._known))
            # A long lookbehind may have come to as many items as it has characters.
            self.weight += 4 + sum(map(len, sides)) // 2
        return context

    def _bit(self, lookbehind: Lookbehind, left: int, items: Iterable[Item]) -> int:
        """The bit of a lookbehind if it matches, 0 if not."""
        for item in (self.items.at(lookbehind.first, left), *items):
            if self.items.accepts[item]:
                return lookbehind.bit
        return 0
