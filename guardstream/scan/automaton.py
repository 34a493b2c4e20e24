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
from typing import NamedTuple, TypeAlias

from guardstream.scan.charset import CharSets
from guardstream.scan.items import DEAD_END, START, Item, Steps, item_at, share_beginnings
from guardstream.scan.program import VARIABLE, Program
from guardstream.scan.syntax import Cat, Node

FIXED = -1
"""In a Thread: the item's distance says where it began."""

NOWHERE = -2
"""In a Thread: the hold-back has not begun."""

MAX_TRANSITIONS = 60_000
"""Transitions kept before the cache is flushed, as RE2 does."""

Source: TypeAlias = int
"""Where an offset comes from in a transition on the character at offset `p`: a register's number,
or, from -4 downwards, p + 4 + source: -4 is the character's own offset."""

_HERE = -4
_FIXED_OR_NOWHERE = {FIXED, NOWHERE}

_SEVERAL = 1 << 20
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
        signature = self.automaton.sets.signature(character)
        transition = self.by_signature.get(signature)
        if transition is None:
            transition = self.by_signature[signature] = self.automaton.build(self, signature)
        self[character] = transition
        self.automaton.count()
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
        self.sets = CharSets()
        self.patterns = tuple(patterns)
        self.programs = [
            Program(
                index,
                pattern.tree,
                self.sets,
                pattern.group,
                relax=pattern.refusable or not pattern.eager,
                merged=pattern.refusable or pattern.eager,
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
        # The trees are not needed any more, and would be many objects to keep.
        self.patterns = tuple(pattern._replace(tree=Cat(())) for pattern in self.patterns)
        self._behind = 0
        for program, ordered in zip(self.programs, self.ordered, strict=True):
            program.ordered = ordered
            self._behind |= program.looks_behind
        self._share()
        self._beginnings: dict[int, list[tuple[int, int, Item]]] = {}
        self._roots: dict[tuple[int, int], _Roots] = {}
        self._states: dict[tuple[object, ...], State] = {}
        self._transitions = 0
        self.start = self._state((), START)

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
            self.start = self._state((), START)

    def without(
        self, state: State, registers: tuple[int, ...], dropped: Iterable[Thread]
    ) -> tuple[State, tuple[int, ...]]:
        """The state without some of its threads, and its registers."""
        gone = set(dropped)
        kept = [thread for thread in state.threads if thread not in gone]
        threads, sources = _renumbered(kept)
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
                accepts.append(Accept(pattern, _start(thread), _hold(thread), False))
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
        step = _Step(self.patterns, signature)
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
        threads, sources = _renumbered(step.threads)
        target = self._state(threads, signature & self._behind)
        accepts = tuple(step.accepts)
        if sources == tuple(range(len(sources))) and not accepts:
            # Registers that are no longer used may stay where they are.
            return target, None
        return target, _moves(sources, step.least, accepts)

    def _rooted(self, before: int, signature: int) -> _Roots:
        """What begins at a character of this signature, behind one that was `before`."""
        rooted = self._roots.get((before, signature))
        if rooted is None:
            rooted = self._roots[before, signature] = _Roots({}, [], {}, [], [])
            begun: dict[Item, None] = {}
            for needs, bars, item in self._beginning(before):
                if signature & needs == needs and not signature & bars:
                    begun[item] = None
            for item in begun:
                self._root(rooted, item, signature)
            step = _Step(self.patterns, signature)
            for ways in rooted.ordered.values():
                step.add_alone(ways)
            rooted.alone.extend(step.threads)
            rooted.alone_accepts.extend(step.accepts)
        return rooted

    def _root(self, rooted: _Roots, root: Item, signature: int) -> None:
        for item, opened in root.step(signature).ways:
            index = item.program.index
            searched = self.patterns[index]
            hold = _HERE if searched.holds and (opened or not searched.group) else NOWHERE
            if self.ordered[index]:
                rooted.ordered.setdefault(index, []).append((item, _HERE, hold))
                continue
            if item.accepts:
                rooted.merged_accepts.append(Accept(index, _HERE, hold, True))
            if item.alive:
                rooted.merged.setdefault(item.number, _placed(item, _HERE, hold))

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


def _renumbered(threads: Sequence[Thread]) -> tuple[tuple[Thread, ...], tuple[Source, ...]]:
    """The threads with registers for their sources, and those sources.

    Registers that stay keep their order, so that as a rule nothing moves; new ones come behind.
    """
    used: set[Source] = set()
    for thread in threads:
        if thread.item.settled is None:
            used.add(thread.start)
            used.add(thread.hold)
    used -= _FIXED_OR_NOWHERE
    if not used:
        return tuple(threads), ()
    sources = sorted(used)
    if sources[0] < 0:
        sources = [s for s in sources if s >= 0] + [s for s in sources if s < 0]
    numbers = {source: number for number, source in enumerate(sources)}
    numbers |= {FIXED: FIXED, NOWHERE: NOWHERE}
    renumbered = [
        thread
        if thread.item.settled is not None
        else Thread(thread.item, numbers[thread.start], numbers[thread.hold])
        for thread in threads
    ]
    return tuple(renumbered), tuple(sources)


def _moves(
    sources: tuple[Source, ...],
    least: dict[Source, tuple[Source, ...]],
    accepts: tuple[Accept, ...],
) -> Moves:
    kept = sum(source >= 0 for source in sources)
    added = sources[kept:]
    if sources[:kept] == tuple(range(kept)) and len(added) <= 1:
        return Moves(kept, 4 + added[0] if added else None, (), accepts)
    return Moves(-1, None, tuple([least.get(s, (s,)) for s in sources]), accepts)


Way: TypeAlias = tuple[Item, Source, Source]
"""An item that a transition leads to, and where its match and its hold-back began."""


class _Roots(NamedTuple):
    """What begins at a character.

    `merged` are the threads of merged patterns by their item's number; `ordered` are the ways of
    each ordered pattern, and `alone` the threads these make where no such pattern has others.
    """

    merged: dict[int, Thread]
    merged_accepts: list[Accept]
    ordered: dict[int, list[Way]]
    alone: list[Thread]
    alone_accepts: list[Accept]


class _Step:
    """The threads and accepts of one transition, with sources in place of registers.

    `least` gives the sources of which a source from `_SEVERAL` on is the least.
    """

    def __init__(self, patterns: Sequence[Searched], signature: int) -> None:
        self.threads: list[Thread] = []
        self.accepts: list[Accept] = []
        self.least: dict[Source, tuple[Source, ...]] = {}
        self._patterns = patterns
        self._signature = signature

    def _ways(self, thread: Thread, ways: Iterable[tuple[Item, bool]]) -> list[Way]:
        """What the thread leads to."""
        start, hold = _start(thread), _hold(thread)
        if hold != NOWHERE:
            return [(item, start, hold) for item, _ in ways]
        holds = self._patterns
        return [
            (item, start, _HERE if opened and holds[item.program.index].holds else hold)
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
                self.accepts.append(Accept(pattern, _start(thread), _hold(thread), False))
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
                self.threads.append(_placed(item, start, hold))
            if item.accepts:
                self.accepts.append(Accept(pattern, start, hold, True))
                return True
        return False

    def merge(self, threads: Iterable[tuple[Thread, Steps]], roots: _Roots) -> None:
        """Advance every start of the other patterns; where two meet keep the older."""
        found = roots.merged.copy()
        self.accepts += roots.merged_accepts
        origins: dict[int, Thread] = {}
        for thread, (ways, matched) in threads:
            if matched:
                index = thread.item.program.index
                self.accepts.append(Accept(index, _start(thread), _hold(thread), False))
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
        found[number] = _placed(item, start, hold)
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
        return _placed(item, start, hold)

    def _older(self, ages: dict[Source, int]) -> Source:
        """The source of the least of some offsets; `ages` tell how old each is at least."""
        sources: dict[Source, int] = {}
        for source, age in ages.items():
            several = self.least.get(source)
            sources |= {source: age} if several is None else dict.fromkeys(several, 0)
        fixed = min((source for source in sources if source < 0), default=0)
        registers = sorted(source for source in sources if source >= 0)
        # A register that is surely as old as the oldest fixed source makes that needless.
        needed = fixed < 0 and all(sources[register] < _HERE - fixed for register in registers)
        oldest = (*registers, fixed) if needed else tuple(registers)
        if len(oldest) == 1:
            return oldest[0]
        source = _SEVERAL + len(self.least)
        self.least[source] = oldest
        return source


def _start(thread: Thread) -> Source:
    """Where the thread's match began, seen from the character behind its state."""
    return thread.start if thread.start >= 0 else _HERE - thread.item.place.distance


def _hold(thread: Thread) -> Source:
    """Where the thread's hold-back began, seen from the character behind its state."""
    return thread.hold if thread.hold != FIXED else _HERE - thread.item.place.opened


def _placed(item: Item, start: Source, hold: Source) -> Thread:
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
