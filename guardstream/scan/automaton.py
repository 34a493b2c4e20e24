"""A lazily built automaton over all patterns at once, with registers for where candidates began.

A state is an ordered set of threads: an item of some pattern, and the ranks of two registers, where
the candidate's match began and where its hold-back begins (the same place, or the opening of the
masked group, or nowhere yet). Registers hold offsets, oldest first, and live with the stream;
states and transitions hold none and are shared by all streams.

Threads of an ordered pattern keep `regex`'s order of preference. Where two reach the same item the
first stays, and an accepting thread cuts those behind it and the starts inside its match, so that
what is left alive is exactly what can still change the answer. Patterns whose matches may be
refused, or whose items over-approximate, keep every start instead, merged to the older.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from guardstream.scan.charset import CharSets
from guardstream.scan.program import START, Item, Program
from guardstream.scan.syntax import Node

NOWHERE = -1
"""The rank of a hold-back that has not begun: the masked group is not open, or nothing waits."""

HERE = -2
"""In an Accept: the register made at the transition's own character."""

NEXT = -3
"""In an Accept: the register made behind the transition's character."""

MAX_TRANSITIONS = 60_000
"""Transitions kept before the cache is flushed, as RE2 does."""


class Searched(NamedTuple):
    """A pattern to search for, and how.

    `group` is the number of the masked group. `eager`: report the first end of any match at once.
    `refusable`: a match may turn out to be none, so every start counts. `holds`: text waits for
    the candidates.
    """

    tree: Node
    group: int | None = None
    eager: bool = False
    refusable: bool = False
    holds: bool = True


class Thread(NamedTuple):
    """A candidate's place: its item, and the ranks of its match's start and of its hold-back."""

    item: Item
    start: int
    hold: int


class Accept(NamedTuple):
    """An accepting thread: its pattern and registers, and whether it ends behind the character
    of the transition or, as a lookahead has only now been decided, before it."""

    pattern: int
    start: int
    hold: int
    behind: bool


class Moves(NamedTuple):
    """What a transition does to the registers, and what it accepts.

    `keep` are the ranks that survive; then the character's own offset is added (`here`), and the
    offset behind it (`next`).
    """

    keep: tuple[int, ...]
    here: bool
    next: bool
    accepts: tuple[Accept, ...]


class State(dict[str, "tuple[State, Moves | None]"]):
    """The transitions by character; a missing one is built when it is first needed.

    `holds` are the (rank, pattern) for which text waits, oldest first; `oldest` gives a pattern's
    oldest start; `fresh` says that the last register is the offset of the next character.
    """

    __slots__ = (
        "automaton", "before", "by_signature", "fresh", "holds", "merged", "oldest", "ordered",
        "ranks", "threads",
    )  # fmt: skip

    def __init__(
        self, automaton: Automaton, threads: tuple[Thread, ...], before: int, fresh: bool
    ) -> None:
        self.automaton = automaton
        self.threads = threads
        self.before = before
        self.fresh = fresh
        self.by_signature: dict[int, tuple[State, Moves | None]] = {}
        self.oldest: dict[int, int] = {}
        self.ranks = 0
        self.merged: list[Thread] = []
        self.ordered: dict[int, list[Thread]] = {}
        holds: set[tuple[int, int]] = set()
        for thread in threads:
            item, start, hold = thread
            pattern = item.program.index
            if automaton.ordered[pattern]:
                self.ordered.setdefault(pattern, []).append(thread)
            else:
                self.merged.append(thread)
            self.ranks = max(self.ranks, start + 1, hold + 1)
            if start < self.oldest.get(pattern, start + 1):
                self.oldest[pattern] = start
            if hold != NOWHERE:
                holds.add((hold, pattern))
        self.holds = tuple(sorted(holds))

    def __missing__(self, character: str) -> tuple[State, Moves | None]:
        signature = self.automaton.sets.signature(character)
        transition = self.by_signature.get(signature)
        if transition is None:
            transition = self.by_signature[signature] = self.automaton.build(self, signature)
        self[character] = transition
        self.automaton.count()
        return transition


class Automaton:
    """All patterns of one rule set; `start` is the state at the beginning of a text."""

    def __init__(self, patterns: Sequence[Searched]) -> None:
        self.sets = CharSets()
        self.patterns = tuple(patterns)
        self.programs = [
            Program(
                index,
                pattern.tree,
                self.sets,
                pattern.group,
                relax=pattern.refusable or not pattern.eager,
            )
            for index, pattern in enumerate(patterns)
        ]
        # `eager` needs to know a match's end at once, `ordered` needs to know it exactly.
        self.eager = [
            pattern.eager and not pattern.refusable and not program.decided_late
            for pattern, program in zip(self.patterns, self.programs, strict=True)
        ]
        self.ordered = [
            program.exact and not pattern.refusable and not eager
            for pattern, program, eager in zip(
                self.patterns, self.programs, self.eager, strict=True
            )
        ]
        self._behind = 0
        for program in self.programs:
            self._behind |= program.looks_behind
        self._beginnings: dict[int, list[tuple[Item, bool]]] = {}
        self._roots: dict[tuple[int, int], _Roots] = {}
        self._states: dict[tuple[object, ...], State] = {}
        self._transitions = 0
        self.start = self._state((), START, False)

    def count(self) -> None:
        """Count a new transition; flush the cache when there are too many.

        Streams keep the states they are in; those are emptied, so that all they build is new.
        """
        self._transitions += 1
        if self._transitions > MAX_TRANSITIONS:
            self._transitions = 0
            states, self._states = self._states, {}
            self._roots = {}
            for state in states.values():
                state.clear()
                state.by_signature.clear()
            self.start = self._state((), START, False)

    def without(self, state: State, registers: tuple[int, ...], dropped: set[tuple[int, int]]) -> tuple[State, tuple[int, ...]]:
        """The state without the threads whose (hold, pattern) is in `dropped`, and its registers."""
        kept = [t for t in state.threads if (t.hold, t.item.program.index) not in dropped]
        ranks = sorted({rank for t in kept for rank in (t.start, t.hold)} - {NOWHERE})
        fresh = state.fresh and bool(ranks) and ranks[-1] == state.ranks - 1
        target = self._state(_ranked(kept, ranks), state.before, fresh)
        return target, tuple(registers[rank] for rank in ranks)

    def at_end(self, state: State) -> list[Accept]:
        """What the end of the text accepts; of an ordered pattern the first only."""
        accepts: dict[int, list[Accept]] = {}
        for item, start, hold in state.threads:
            if item.place.kind == "match" and item.condition.at_edge:
                found = accepts.setdefault(item.program.index, [])
                if not (found and self.ordered[item.program.index]):
                    found.append(Accept(item.program.index, start, hold, True))
        return [accept for found in accepts.values() for accept in found]

    def _state(self, threads: tuple[Thread, ...], before: int, fresh: bool) -> State:
        key = (threads, before, fresh)
        state = self._states.get(key)
        if state is None:
            state = self._states.setdefault(key, State(self, threads, before, fresh))
        return state

    def build(self, state: State, signature: int) -> tuple[State, Moves | None]:
        """The transition of `state` on a character of this signature."""
        # A register made behind the last character already holds this character's offset.
        here = state.ranks - state.fresh
        roots = self._rooted(state.before, signature)
        step = _Step(self, here, signature)
        step.merge(state.merged, roots.merged)
        for pattern in sorted(state.ordered.keys() | roots.ordered.keys()):
            step.advance(
                pattern, state.ordered.get(pattern, ()), roots.ordered.get(pattern, ())
            )
        ranks = sorted({r for _, start, hold in step.threads for r in (start, hold)} - {NOWHERE})
        new = here + 1 in ranks
        target = self._state(_ranked(step.threads, ranks), signature & self._behind, new)
        keep = tuple([rank for rank in ranks if rank < state.ranks])
        added = here in ranks and here >= state.ranks
        accepts = tuple(step.accepts)
        if len(keep) == state.ranks and not (added or new or accepts):
            return target, None
        return target, Moves(keep, added, new, accepts)

    def _rooted(self, before: int, signature: int) -> _Roots:
        """What begins at a character: the items behind it, and where their groups opened."""
        rooted = self._roots.get((before, signature))
        if rooted is None:
            rooted = self._roots[before, signature] = _Roots([], {})
            for item, opened in self._beginning(before):
                index = item.program.index
                for successor, opens in item.advance(signature):
                    root = successor, opened, opens
                    if self.ordered[index]:
                        rooted.ordered.setdefault(index, []).append(root)
                    else:
                        rooted.merged.append(root)
        return rooted

    def _beginning(self, before: int) -> list[tuple[Item, bool]]:
        beginning = self._beginnings.get(before)
        if beginning is None:
            beginning = [root for program in self.programs for root in program.roots(before)]
            self._beginnings[before] = beginning
        return beginning


def _ranked(threads: list[Thread], ranks: list[int]) -> tuple[Thread, ...]:
    """The threads with `ranks` renumbered from 0."""
    new = {old: rank for rank, old in enumerate(ranks)}
    new[NOWHERE] = NOWHERE
    return tuple([Thread(item, new[start], new[hold]) for item, start, hold in threads])


class _Roots(NamedTuple):
    """Items with whether the masked group opened before, and behind, the first character."""

    merged: list[tuple[Item, bool, bool]]
    ordered: dict[int, list[tuple[Item, bool, bool]]]


class _Step:
    """The threads and accepts of one transition; `here` is the rank of a start at its character."""

    def __init__(self, automaton: Automaton, here: int, signature: int) -> None:
        self.threads: list[Thread] = []
        self.accepts: list[Accept] = []
        self._patterns = automaton.patterns
        self._here = here
        self._next = here + 1
        self._signature = signature

    def _accept(self, pattern: int, start: int, hold: int, behind: bool) -> None:
        names = {self._here: HERE, self._next: NEXT}
        self.accepts.append(
            Accept(pattern, names.get(start, start), names.get(hold, hold), behind)
        )

    def _ways(
        self, threads: Iterable[Thread], roots: Iterable[tuple[Item, bool, bool]]
    ) -> list[Thread]:
        """The threads behind the character, in order, before any is left out."""
        here, after, signature = self._here, self._next, self._signature
        ways = []
        for item, start, hold in threads:
            for successor, opens in item.advance(signature):
                opened = after if opens and hold == NOWHERE else hold
                ways.append(Thread(successor, start, opened))
        for item, opened_before, opens in roots:
            searched = self._patterns[item.program.index]
            if not searched.holds:
                hold = NOWHERE
            elif searched.group is None or opened_before:
                hold = here
            else:
                hold = after if opens else NOWHERE
            ways.append(Thread(item, here, hold))
        return ways

    def advance(
        self,
        pattern: int,
        threads: Sequence[Thread],
        roots: Sequence[tuple[Item, bool, bool]],
    ) -> None:
        """Advance an ordered pattern; an accept cuts what is behind it."""
        for index, (item, start, hold) in enumerate(threads):
            if item.place.kind == "match" and item.condition.holds(self._signature):
                # The match ends before this character, so what starts at the character stays.
                self._accept(pattern, start, hold, False)
                threads = threads[:index]
                break
        seen: set[Item] = set()
        for thread in self._ways(threads, roots):
            item, start, hold = thread
            if item.accepts:
                self._accept(pattern, start, hold, True)
                return
            if item not in seen:
                seen.add(item)
                self.threads.append(thread)

    def merge(
        self, threads: Sequence[Thread], roots: Sequence[tuple[Item, bool, bool]]
    ) -> None:
        """Advance every start of the other patterns; where two meet keep the older."""
        for item, start, hold in threads:
            if item.place.kind == "match" and item.condition.holds(self._signature):
                self._accept(item.program.index, start, hold, False)
        found: dict[Item, Thread] = {}
        for thread in self._ways(threads, roots):
            item, start, hold = thread
            if item.accepts:
                self._accept(item.program.index, start, hold, True)
            elif item in found:
                _, other, held = found[item]
                # Read as unsigned, NOWHERE is the youngest.
                hold = min(hold, held) if min(hold, held) >= 0 else max(hold, held)
                found[item] = Thread(item, min(start, other), hold)
            else:
                found[item] = thread
        self.threads += sorted(found.values(), key=_number)


def _number(thread: Thread) -> int:
    return thread.item.number
