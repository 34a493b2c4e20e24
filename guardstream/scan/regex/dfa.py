"""One pattern's automaton, built lazily. It also tracks where candidates began.

A state is an ordered list of threads, the oldest candidate's first. A thread is an item of the
pattern, with where the match began and where its masked group opened. If an item is always the same
number of characters from the pattern's beginning, the item implies the offset. Only threads that
have passed through a repetition need a register, which holds the offset and belongs to the stream.
States and transitions hold no offsets and are shared by all streams.

Where two threads reach the same item, the first stays, since both have the same future. An
automaton that *cuts* keeps `regex`'s order of preference: an accepting thread cuts the threads
after it and the starts inside its match. The threads left are exactly those that can still change
the answer. An automaton that does not cut accepts at every end: for eager patterns, lookbehinds,
and approximated patterns, whose matches are confirmed afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Sequence
from functools import reduce
from itertools import count
from operator import or_
from typing import TypeAlias

from guardstream.scan.building import build_lock
from guardstream.scan.regex.closure import DEAD_END, Item, Items, Way
from guardstream.scan.regex.context import Context, Contexts
from guardstream.scan.regex.nfa import Program
from guardstream.scan.regex.registers import (
    AFTER,
    HERE,
    NOWHERE,
    Accept,
    Advanced,
    Least,
    Live,
    Source,
    Thread,
    began,
    hold_of,
    live,
    renumbered,
    start_of,
)

MAX_WEIGHT = 400_000
"""The caches are flushed, as in RE2, if the states and transitions of a set of patterns (in the
extension, of one search) weigh more than this; a unit is about 100 bytes."""

MAX_THREADS = 4_000
"""How many threads a transition may lead to. Only counters within counters reach that, and then the
pattern fails: each character would cost milliseconds."""

MAX_SHARE = 4
"""An automaton that takes more than one part in so many of the weight is flushed alone."""

Transition: TypeAlias = "tuple[State, tuple[Least, ...] | None, tuple[Accept, ...], int]"
"""Where a character leads: the next state; the sources of each of its registers (None if they stay
as they are); the matches that the character completes; and a number, the same only for equal
transitions. Unpacking a plain tuple takes a third of the time that a NamedTuple takes."""


def moved(
    moves: Iterable[Least] | None, registers: tuple[int, ...], offset: int
) -> tuple[int, ...]:
    """The registers after the character at `offset`. Nearly always each has a single source."""
    if moves is None:
        return registers
    beyond = offset + 2
    return tuple(
        [
            (registers[least[0]] if least[0] >= 0 else beyond + least[0])
            if len(least) == 1
            else min([registers[s] if s >= 0 else beyond + s for s in least])
            for least in moves
        ]
    )


Asked: TypeAlias = int | tuple[int, bool]
"""The bits of a character's signature that a state asks for; a pair of these and False if the
masked group may not open before the character."""


class State(dict[Asked, Transition]):
    """A state of one pattern: it maps the bits of a character's signature that it asks for (`asks`)
    to transitions. A missing one is built when it is first needed.

    `starts` and `holds` tell where its candidates and their hold-backs began, in `size` registers.
    An `idle` state has no candidate: it depends only on the last character. `pattern` is its
    automaton's number; `told` is the bit of a lookbehind of several patterns that matches here.
    `number`, never reused, is that of the state and of the transition that only leads to it.
    """

    __slots__ = (
        "asks",
        "automaton",
        "context",
        "generation",
        "holds",
        "idle",
        "number",
        "pattern",
        "size",
        "starts",
        "threads",
        "told",
    )

    # Two states are never the same, whatever transitions they have.
    __eq__ = object.__eq__
    __hash__ = object.__hash__  # type: ignore[assignment]

    def __init__(
        self, automaton: Automaton, threads: tuple[Thread, ...], context: Context, number: int
    ) -> None:
        self.automaton = automaton
        self.number = number
        self.pattern = automaton.number
        self.generation = automaton.generation
        self.threads = threads
        self.context = context
        items = context.contexts.items
        self.asks = reduce(or_, [items.asks[thread[0]] for thread in threads], context.asks)
        self.idle = not threads and context.idle
        self.told = context.left & automaton.program.tells
        self.size = max([-1, *[max(thread[1:]) for thread in threads]]) + 1
        distances, opened = items.distances, items.opened
        self.starts: Live = live([(start, distances[item]) for item, start, _, _ in threads])
        self.holds: Live = self.starts
        if automaton.program.group:
            self.holds = live(
                [(hold, opened[item]) for item, _, hold, _ in threads if hold != NOWHERE]
            )

    def __missing__(self, asked: Asked) -> Transition:
        caches = self.automaton.caches
        with caches.lock:
            transition = self[asked] = self.automaton.built(self, asked)
            self.automaton.bound()
        return transition

    def on(self, signature: int) -> Transition:
        """The transition on a character of this signature. Raises TooManyThreadsError."""
        return self[signature & self.asks]

    def began(self, registers: tuple[int, ...], offset: int) -> list[tuple[int, int]]:
        """For each thread, the offsets where its match began and its group opened; see
        `registers.began`."""
        items = self.context.contexts.items
        return [began(thread, items, registers, offset) for thread in self.threads]

    def without(self, dropped: Container[int]) -> State:
        """The state without the threads at these indices; the registers stay as they are."""
        return self.automaton.without(self, dropped)

    def end(self) -> list[Accept]:
        """What the end of the text accepts."""
        return self.automaton.at_end(self)


class TooManyThreadsError(Exception):
    """A state would have more than MAX_THREADS; `pattern` is its automaton's number."""

    def __init__(self, pattern: int) -> None:
        super().__init__(pattern)
        self.pattern = pattern


class Caches:
    """The caches of a set's automata. One lock guards them all. Together they may weigh one in
    `share` parts of MAX_WEIGHT.

    The functions in `flushed` are called with each automaton that is flushed.
    """

    def __init__(self, share: int = 1) -> None:
        self.lock = build_lock()
        self.share = share
        self.weight = 0
        self.automata: list[Automaton] = []
        self.numbers = count()  # of states and transitions
        self.flushed: list[Callable[[Automaton], None]] = []

    def bound(self) -> None:
        """Flush all of them when they keep too much."""
        if self.weight > MAX_WEIGHT // self.share:
            for automaton in self.automata:
                automaton.flush()


class Automaton:
    """The automaton of one program. `least_hold`: where candidates meet, the hold-back that began
    first counts, since either may turn out to be the match. `blurred`: from now on a hold-back may
    have begun before the group of its own match."""

    def __init__(
        self, program: Program, caches: Caches, *, cuts: bool, least_hold: bool = False
    ) -> None:
        self.program = program
        self.caches = caches
        self.least_hold = least_hold and bool(program.group)
        self.blurred = False
        self.cuts = cuts
        self._weight = 0
        self._start(0)
        self.number = len(caches.automata)
        caches.automata.append(self)

    def _start(self, generation: int) -> None:
        items = Items(self.program, cuts=self.cuts)
        contexts = Contexts(items)
        # Each state is kept in the transition that only leads to it, which most share. Keys are
        # numbers wherever there are many: the garbage collector does not track tuples of ints.
        states: dict[tuple[int, ...], Transition] = {}
        others: dict[tuple[object, ...], Transition] = {}
        idle: dict[int, State] = {}
        threads: dict[Thread, int] = {}
        numbered: list[Thread] = []
        # These belong together: should memory run out, none of them is replaced.
        self.generation = generation
        self.items = items
        self._contexts = contexts
        self._states = states
        self._others = others
        self._idle = idle
        self._threads = threads
        self._numbered = numbered
        self._counted = 0

    def weigh(self, weight: int) -> None:
        """Count what was added to the cache."""
        self._weight += weight
        self.caches.weight += weight

    def bound(self) -> None:
        """Flush the caches that keep too much."""
        if self._weight > MAX_WEIGHT // self.caches.share // MAX_SHARE:
            self.flush()
        self.caches.bound()

    def flush(self) -> None:
        """Forget all states and transitions. Streams keep the states they are in, but these forget
        their transitions, so that all they lead to is new."""
        states, contexts = self._states, self._contexts
        left = self.caches.weight - self._weight
        self._start(self.generation + 1)
        self.caches.weight, self._weight = left, 0
        for forget in self.caches.flushed:
            forget(self)
        for state, *_ in states.values():
            state.clear()
        contexts.forget()

    # States

    def idle(self, left: int) -> State:
        """The state without candidates after a character of this signature."""
        left &= self.program.last
        state = self._idle.get(left)
        if state is None:
            with self.caches.lock:
                state = self._idle[left] = self._state((), self._contexts.beginning(left))
        return state

    def after(self, left: int, signatures: Iterable[int]) -> State:
        """The state without candidates after a character of the signature `left`, and then of
        `signatures`: the lookbehinds have read these, but no match has begun at them."""
        with self.caches.lock:
            context = self.idle(left).context
            for signature in signatures:
                context = context[signature & context.asks]
            state = self._state((), context)
            self._weigh_new(state)
            self.bound()
        return state

    def _state(self, threads: tuple[Thread, ...], context: Context) -> State:
        return self._to(threads, context)[0]

    def _to(self, threads: tuple[Thread, ...], context: Context) -> Transition:
        known = self._threads
        numbers = [known.get(thread) or self._number(thread) for thread in threads]
        key = context.number, *numbers
        transition = self._states.get(key)
        if transition is None:
            # Many states have the same threads: equal ones are one object.
            same = tuple([self._numbered[number] for number in numbers])
            state = State(self, same, context, next(self.caches.numbers))
            transition = self._states[key] = state, None, (), state.number
        return transition

    def _number(self, thread: Thread) -> int:
        number = self._threads.get(thread)
        if number is None:
            number = len(self._numbered)
            self._numbered.append(thread)
            self._threads[thread] = number
        return number

    def _renewed(self, state: State) -> State:
        """The state, or its equal of this generation if it was built before a flush."""
        if state.generation == self.generation:
            return state
        renewed, known = self.items.renewed, state.context.contexts.items
        return self._state(
            tuple([(renewed(thread[0], known), *thread[1:]) for thread in state.threads]),
            self._contexts.renewed(state.context),
        )

    def without(self, state: State, dropped: Container[int]) -> State:
        """See `State.without`."""
        with self.caches.lock:
            state = self._renewed(state)
            kept = [thread for n, thread in enumerate(state.threads) if n not in dropped]
            return self._state(tuple(kept), state.context)

    def at_end(self, state: State) -> list[Accept]:
        """What the end of the text accepts; only the first if the automaton cuts. Sources are those
        of a transition on a character after the text."""
        accepts, items = [], state.context.contexts.items
        for thread in state.threads:
            if items.ends[thread[0]]:
                accepts.append(self.ended(thread, items))
                if self.cuts:
                    break
        return accepts

    # Transitions

    def built(self, state: State, asked: Asked) -> Transition:
        """Build the transition of `state` with the key `asked`. The caller holds the lock of the
        caches; nothing is flushed meanwhile. Raises TooManyThreadsError."""
        signature, opens = asked if isinstance(asked, tuple) else (asked, True)
        transition = self._build(self._renewed(state), signature, opens)
        self._weigh_new(transition[0])
        self.weigh(3)
        return transition

    def _weigh_new(self, last: State) -> None:
        """Count the items, contexts and states that are new; of the states, `last` at most."""
        known = 6 * len(self._states) + 4 * len(self.items) + self._contexts.weight
        if known > self._counted:
            self.weigh(known - self._counted + 2 * len(last.threads))
            self._counted = known

    def _build(self, state: State, signature: int, opens: bool) -> Transition:
        before, advance = state.context, self.items.advance
        context = before[signature & before.asks]
        signature |= context.left
        ways, _ = advance(before.root, signature)
        if not ways and all(advance(t[0], signature) is DEAD_END for t in state.threads):
            # This is the most frequent case.
            return self._to((), context)
        step = _Step(self, signature, opens=opens)
        if not step.advance(state.threads):
            step.begin(ways)
        if len(step.threads) > MAX_THREADS and state.threads:
            raise TooManyThreadsError(self.number)
        threads, moves = renumbered(step.threads, self.items)
        transition = self._to(threads, context)
        if not (moves or step.accepts):
            return transition
        target, accepts = transition[0], tuple(step.accepts)
        key = target.number, moves, accepts
        known = self._others.get(key)
        if known is None:
            number = next(self.caches.numbers)
            known = self._others[key] = target, moves, accepts, number
        return known

    def ended(self, thread: Thread, items: Items) -> Accept:
        """The accept of a thread whose match is complete before the transition's character."""
        start, late = start_of(thread, items), thread[3] != NOWHERE
        end = thread[3] if late else HERE
        return Accept(start, self.opened(start, hold_of(thread, items), end), end, late)

    def opened(self, start: Source, hold: Least | None, end: Source) -> Least:
        """Where an accept's group opened; without a group, where the match began. A group that did
        not open is empty, so this is the match's end; or, if the match may be refused, the
        transition's character, since another may begin there."""
        if not self.program.group:
            return (start,)
        if hold is not None:
            return hold
        self.blurred = self.blurred or self.least_hold
        return (end,) if self.cuts and not self.least_hold else (HERE,)


class _Step:
    """The threads and accepts of one transition."""

    def __init__(self, automaton: Automaton, signature: int, *, opens: bool) -> None:
        self._automaton = automaton
        self._items = automaton.items
        self._closed = not opens and bool(automaton.program.group)
        self._signature = signature
        self._seen: dict[Item, int] = {}
        self._accepted: dict[Item, int] = {}
        self._ahead: set[int] = set()
        self.threads: list[Advanced] = []
        self.accepts: list[Accept] = []

    def advance(self, threads: Sequence[Thread]) -> bool:
        """Advance the threads; returns whether no other match may begin at this character."""
        automaton, items = self._automaton, self._items
        group, cuts = automaton.program.group, automaton.cuts
        for index, thread in enumerate(threads):
            ways, matched = items.advance(thread[0], self._signature)
            start, hold = start_of(thread, items), hold_of(thread, items)
            for item, opens, ends in ways:
                if opens and hold is None and self._closed:
                    continue
                opened = (HERE,) if hold is None and opens and group else hold
                end = HERE if ends else None if thread[3] == NOWHERE else thread[3]
                if self._add(item, start, opened, end):
                    self._hold_for(threads[index + 1 :])
                    return True
            if matched:
                accept = automaton.ended(thread, items)
                self.accepts.append(accept)
                if cuts:
                    self._hold_for(threads[index + 1 :])
                    # What begins at this character is not inside a match that ended before it.
                    return accept.late
        return False

    def _hold_for(self, cut: Iterable[Thread]) -> None:
        """Hold the last accept for the threads that it cuts, too: they come back if it is refused.
        Threads that this character ends do not count."""
        if not self._automaton.least_hold:
            return
        accept = self.accepts[-1]
        holds = {
            source
            for thread in cut
            for source in (self._survives(thread) and hold_of(thread, self._items)) or ()
        }
        self.accepts[-1] = accept._replace(hold=self._least(accept.hold, holds))

    def _survives(self, thread: Thread) -> bool:
        """Whether a thread has a follower or has matched."""
        items = self._items
        ways, matched = items.advance(thread[0], self._signature)
        return matched or any(items.alive[item] or items.accepts[item] for item, _, _ in ways)

    def begin(self, ways: Iterable[Way]) -> None:
        """Begin the pattern at this character in these ways."""
        group = self._automaton.program.group
        for item, opens, _ in ways:
            if opens and self._closed:
                continue
            if self._add(item, HERE, (HERE,) if opens and group else None, None):
                return

    def _add(self, item: Item, start: Source, hold: Least | None, end: Source | None) -> bool:
        """Add a thread; returns whether it has matched and cuts all others."""
        known, items = self._seen.get(item), self._items
        if known is not None:
            if self._automaton.least_hold and hold is not None:
                self._held_by_both(item, known, hold)
            return False
        accepts, ahead = items.accepts[item], items.ahead[item]
        if accepts:
            self._accepted[item] = len(self.accepts)
            opened = self._automaton.opened(start, hold, AFTER)
            self.accepts.append(Accept(start, opened, AFTER, late=False))
        self._seen[item] = -1
        # It is redundant if threads before it have all its continuations.
        if items.alive[item] and (self._automaton.least_hold or not self._ahead.issuperset(ahead)):
            self._seen[item] = len(self.threads)
            self._ahead.update(ahead)
            self.threads.append(Advanced(item, start, hold, end))
        return accepts and self._automaton.cuts

    def _held_by_both(self, item: Item, known: int, hold: Least) -> None:
        """Where two candidates meet, hold the one that stays, and its accept, from the earlier of
        the two hold-backs."""
        if known >= 0:
            least = self._least(self.threads[known].hold, hold)
            self.threads[known] = self.threads[known]._replace(hold=least)
        index = self._accepted.get(item)
        if index is not None:
            accept = self.accepts[index]
            self.accepts[index] = accept._replace(hold=self._least(accept.hold, hold))

    def _least(self, own: Least | None, others: Iterable[Source]) -> Least:
        """A candidate's own hold-back, or one of the others, whichever is the least."""
        least = tuple(sorted({*(own or ()), *others}))
        if least != own:
            self._automaton.blurred = True
        return least
