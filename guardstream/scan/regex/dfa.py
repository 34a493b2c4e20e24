"""A lazily built automaton over all patterns at once, which also tells where candidates began.

A state is an ordered set of threads: an item of some pattern, and where the candidate's match and
its hold-back began (the same place, or the opening of the masked group). An item that is always
the same number of characters from its pattern's beginning says that itself; only threads that have
come through a repetition need a register, which holds an offset and lives with the stream. States
and transitions hold no offset and are shared by all streams.

Threads of an ordered pattern keep `regex`'s order of preference. Where two reach the same item the
first stays, and an accepting thread cuts those behind it and the starts inside its match, so that
what is left alive is exactly what can still change the answer. Patterns whose matches may be
refused, or whose items over-approximate, keep every start instead, merged to the older.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from threading import Lock

from guardstream.errors import PatternError
from guardstream.scan.regex.alphabet import CharSets
from guardstream.scan.regex.ast import Cat
from guardstream.scan.regex.closure import DEAD_END, START, Item, Steps, item_at, share_beginnings
from guardstream.scan.regex.nfa import Program
from guardstream.scan.regex.registers import (
    FIXED,
    HERE,
    NOWHERE,
    Accept,
    Live,
    Moves,
    Searched,
    Thread,
    hold_of,
    moves_to,
    placed,
    renumbered,
    start_of,
)
from guardstream.scan.regex.transition import Roots, Step

MAX_TRANSITIONS = 300_000
"""Transitions kept before the cache is flushed, as RE2 does; about 100 bytes each, where one that
had to be built counts as many as `BUILT` and the threads of its state."""

BUILT = 4


class TooLargeError(PatternError):
    """A pattern is too large for the automaton; `index` is its number among the patterns."""

    def __init__(self, message: str, index: int) -> None:
        super().__init__(message)
        self.index = index


class State(dict[str, "tuple[State, Moves | None]"]):
    """The transitions by character; a missing one is built when it is first needed.

    `hold` tells where the hold-backs of all its candidates began, with a distance of 0 for none.
    """

    __slots__ = ("_by_pattern", "automaton", "before", "by_signature", "hold", "threads")

    def __init__(self, automaton: Automaton, threads: tuple[Thread, ...], before: int) -> None:
        self.automaton = automaton
        self.threads = threads
        self.before = before
        self.by_signature: dict[int, tuple[State, Moves | None]] = {}
        self._by_pattern: tuple[dict[int, Live], dict[int, Live]] | None = None
        hold = _live((t.hold, t.item.place.opened) for t in threads if t.hold != NOWHERE)
        self.hold = Live(max(hold.distance, 0), hold.registers)

    @property
    def starts(self) -> dict[int, Live]:
        """Where the matches of each pattern's candidates began."""
        return self._lives()[0]

    @property
    def holds(self) -> dict[int, Live]:
        """Where the hold-backs of each pattern's candidates began."""
        return self._lives()[1]

    def _lives(self) -> tuple[dict[int, Live], dict[int, Live]]:
        if self._by_pattern is None:
            starts: dict[int, list[tuple[int, int]]] = {}
            holds: dict[int, list[tuple[int, int]]] = {}
            for item, start, hold in self.threads:
                starts.setdefault(item.program.index, []).append((start, item.place.distance))
                if hold != NOWHERE:
                    holds.setdefault(item.program.index, []).append((hold, item.place.opened))
            self._by_pattern = (
                {pattern: _live(entries) for pattern, entries in starts.items()},
                {pattern: _live(entries) for pattern, entries in holds.items()},
            )
        return self._by_pattern

    def __missing__(self, character: str) -> tuple[State, Moves | None]:
        automaton = self.automaton
        with automaton.lock:
            signature = automaton.sets.signature(character)
            transition = self.by_signature.get(signature)
            if transition is None:
                transition = self.by_signature[signature] = automaton.build(self, signature)
                automaton.count(BUILT + len(transition[0].threads))
            self[character] = transition
            automaton.count(1)
        return transition


def _live(entries: Iterable[tuple[int, int]]) -> Live:
    distance, registers = -1, set()
    for register, fixed in entries:
        if register == FIXED:
            distance = max(distance, fixed)
        else:
            registers.add(register)
    return Live(distance, tuple(sorted(registers)))


class Automaton:
    """All patterns of one rule set; `start` is the state at the beginning of a text."""

    def __init__(self, patterns: Sequence[Searched]) -> None:
        # What streams read of the cache they read without it; to add to it takes the lock.
        self.lock = Lock()
        self.sets = CharSets()
        self.patterns = tuple(patterns)
        self.programs = [self._compiled(index) for index in range(len(patterns))]
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
        # The trees are not needed any more, and would be many objects to keep.
        self.patterns = tuple(pattern._replace(tree=Cat(())) for pattern in self.patterns)
        self._behind = 0
        for program, ordered in zip(self.programs, self.ordered, strict=True):
            program.ordered = ordered
            self._behind |= program.looks_behind
        self._share()
        self._beginnings: dict[int, list[tuple[int, int, Item]]] = {}
        self._roots: dict[tuple[int, int], Roots] = {}
        self._states: dict[tuple[object, ...], State] = {}
        self._transitions = 0
        self.start = self._state((), START)

    def _compiled(self, index: int) -> Program:
        pattern = self.patterns[index]
        try:
            return Program(
                index,
                pattern.tree,
                self.sets,
                pattern.group,
                relax=pattern.refusable or not pattern.eager,
                merged=pattern.refusable or pattern.eager,
            )
        except PatternError as error:
            raise TooLargeError(str(error), index) from error

    def _share(self) -> None:
        """Let patterns that hold nothing at their beginning share it."""
        takers = [
            program
            for program, pattern, ordered in zip(
                self.programs, self.patterns, self.ordered, strict=True
            )
            if not ordered and (pattern.group or not pattern.holds)
        ]
        shared = share_beginnings(takers, self.sets, len(self.programs))
        if shared is not None:
            self.programs.append(shared)
            self.patterns += (Searched(Cat(()), holds=False),)
            self.ordered.append(False)

    def count(self, weight: int) -> None:
        """Count a new transition; flush the cache when there are too many.

        Streams keep the states they are in; those are emptied, so that all they build is new.
        """
        self._transitions += weight
        if self._transitions > MAX_TRANSITIONS:
            self._transitions = 0
            states, self._states = self._states, {}
            self._roots = {}
            self._beginnings = {}
            self.sets.flush()
            for state in states.values():
                state.clear()
                state.by_signature.clear()
            self.start = self._state((), START)

    def without(
        self, state: State, registers: tuple[int, ...], dropped: Iterable[Thread]
    ) -> tuple[State, tuple[int, ...]]:
        """The state without some of its threads, and its registers."""
        gone = set(dropped)
        kept = [thread for thread in state.threads if thread not in gone]
        threads, sources = renumbered(kept)
        target = self._state(threads, state.before)
        return target, tuple([registers[source] for source in sources])

    def at_end(self, state: State) -> list[Accept]:
        """What the end of the text accepts, of an ordered pattern the first only. The end is
        seen as a transition on a character behind the text."""
        accepts: list[Accept] = []
        decided: set[int] = set()
        for thread in state.threads:
            pattern = thread.item.program.index
            if pattern not in decided and thread.item.ends:
                accepts.append(Accept(pattern, start_of(thread), hold_of(thread), False))
                if self.ordered[pattern]:
                    decided.add(pattern)
        return accepts

    def _state(self, threads: tuple[Thread, ...], before: int) -> State:
        key = (threads, before)
        state = self._states.get(key)
        if state is None:
            state = self._states.setdefault(key, State(self, threads, before))
        return state

    def build(self, state: State, signature: int) -> tuple[State, Moves | None]:
        """The transition of `state` on a character of this signature."""
        roots = self._rooted(state.before, signature)
        step = Step(self.patterns, signature)
        merged: list[tuple[Thread, Steps]] = []
        ordered: dict[int, list[tuple[Thread, Steps]]] = {}
        for thread in state.threads:
            item = thread.item
            steps = item.steps.get(signature) or item.advance(signature)
            if steps is DEAD_END:
                continue
            if item.program.ordered:
                ordered.setdefault(item.program.index, []).append((thread, steps))
            else:
                merged.append((thread, steps))
        step.merge(merged, roots)
        if ordered:
            for pattern in sorted(ordered.keys() | roots.ordered.keys()):
                if pattern in ordered:
                    step.advance(pattern, ordered[pattern], roots.ordered.get(pattern, ()))
                else:
                    step.add_alone(roots.ordered[pattern])
        else:
            step.threads += roots.alone
            step.accepts += roots.alone_accepts
        threads, sources = renumbered(step.threads)
        target = self._state(threads, signature & self._behind)
        accepts = tuple(step.accepts)
        if sources == tuple(range(len(sources))) and not accepts:
            # Registers that are no longer used may stay where they are.
            return target, None
        return target, moves_to(sources, step.least, accepts)

    def _rooted(self, before: int, signature: int) -> Roots:
        """What begins at a character of this signature, behind one that was `before`."""
        rooted = self._roots.get((before, signature))
        if rooted is None:
            rooted = self._roots[before, signature] = Roots({}, [], {}, [], [])
            begun: dict[Item, None] = {}
            for needs, bars, item in self._beginning(before):
                if signature & needs == needs and not signature & bars:
                    begun[item] = None
            for item in begun:
                self._root(rooted, item, signature)
            step = Step(self.patterns, signature)
            for ways in rooted.ordered.values():
                step.add_alone(ways)
            rooted.alone.extend(step.threads)
            rooted.alone_accepts.extend(step.accepts)
        return rooted

    def _root(self, rooted: Roots, root: Item, signature: int) -> None:
        for item, opened in root.step(signature).ways:
            index = item.program.index
            searched = self.patterns[index]
            hold = HERE if searched.holds and (opened or not searched.group) else NOWHERE
            if self.ordered[index]:
                rooted.ordered.setdefault(index, []).append((item, HERE, hold))
                continue
            if item.accepts:
                rooted.merged_accepts.append(Accept(index, HERE, hold, True))
            if item.alive:
                rooted.merged.setdefault(item.number, placed(item, HERE, hold))

    def _beginning(self, before: int) -> list[tuple[int, int, Item]]:
        """What the first character of a pattern must be in and must not be in, behind `before`."""
        beginning = self._beginnings.get(before)
        if beginning is None:
            items = [item_at(p.first, before) for p in self.programs if not p.shared]
            beginning = self._beginnings[before] = [
                (entry.condition.needs, entry.condition.bars, item)
                for item in items
                for entry in item.follow
            ]
        return beginning
