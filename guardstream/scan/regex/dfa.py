"""One pattern's automaton, built where the text has been, which also tells where candidates began.

A state is an ordered list of threads, the oldest candidate's first: an item of the pattern, and
where the candidate's match began and its masked group opened. An item that is always the same
number of characters from the pattern's beginning says that itself; only threads that have come
through a repetition need a register, which holds an offset and lives with the stream. States and
transitions hold no offset and are shared by all streams.

Where two threads reach the same item the first stays: what becomes of them is the same. An
automaton that *cuts* keeps `regex`'s order of preference: an accepting thread cuts those after it
and the starts inside its match, so that what is left alive is exactly what can still change the
answer. One that does not cut finds every end of every start, for matches that may be refused.
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
"""The weight of all states and transitions of a set of patterns, in the extension of those of one
search, before the caches are flushed, as RE2 does; a unit is about 100 bytes."""

MAX_THREADS = 4_000
"""How many threads a transition may lead to. Only counters within counters reach that, and then the
pattern fails: each character would cost milliseconds."""

MAX_SHARE = 4
"""An automaton that takes more than such a part of the weight is flushed alone."""

Transition: TypeAlias = "tuple[State, tuple[Least, ...] | None, tuple[Accept, ...], int]"
"""Where a character leads: the state, what each of its registers is the least of (None if they stay
as they are), and the matches that the character completes; and a number that only equal ones have.
To unpack a plain tuple takes a third of the time that it takes with a NamedTuple."""


def moved(
    moves: Iterable[Least] | None, registers: tuple[int, ...], offset: int
) -> tuple[int, ...]:
    """What registers become with the character at `offset`; nearly always each is that of one
    source alone."""
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
"""What a state asks of a character's signature, and whether the masked group may open before the
character where it may not."""


class State(dict[Asked, Transition]):
    """The transitions by what the state asks of a character's signature, the bits of `asks`; a
    missing one is built when it is first needed.

    `starts` and `holds` tell where its candidates and their hold-backs began, for which it has
    `size` registers. An `idle` state has no candidate: it depends on the last character alone.
    `pattern` is its automaton's number; `told` is the bit of a lookbehind that matches here.
    `number` is its own, and that of the transition that only leads to it: no other has or had it.
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
        """Where the matches of its threads began, and where their groups opened: after the text if
        nowhere yet."""
        items = self.context.contexts.items
        return [began(thread, items, registers, offset) for thread in self.threads]

    def without(self, dropped: Container[int]) -> State:
        """The state without its threads of these numbers; the registers stay as they are."""
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
    """The caches of a set's automata: one lock guards them all, and one bound is for what they take
    together, one in `share` parts of MAX_WEIGHT.

    `flushed` are called with an automaton that forgets its states.
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
    """One program's states. `least_hold`: of candidates that meet, the hold-back that began first
    counts, since either may turn out to be the match; `blurred` once a hold-back may have begun
    before its match's own group."""

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
        # Each state in a transition that only leads to it: most share that one. Here and below keys
        # are numbers wherever there are many: the garbage collector does not track tuples of ints.
        states: dict[tuple[int, ...], Transition] = {}
        others: dict[tuple[object, ...], Transition] = {}
        idle: dict[int, State] = {}
        threads: dict[Thread, int] = {}
        numbered: list[Thread] = []
        # All of them or none, also where memory runs out: they belong together.
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
        """Forget all states and transitions. Streams keep the states they are in; those are
        emptied, so that all they build is new."""
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
        `signatures`, which the lookbehinds have read but at which no match has begun."""
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
        """The state as it is known now, after older ones have been forgotten."""
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
        """What the end of the text accepts, if the automaton cuts the first only. The end is seen
        as a transition on what stands after the text."""
        accepts, items = [], state.context.contexts.items
        for thread in state.threads:
            if items.ends[thread[0]]:
                accepts.append(self.ended(thread, items))
                if self.cuts:
                    break
        return accepts

    # Transitions

    def built(self, state: State, asked: Asked) -> Transition:
        """A new transition of `state`, see there; under the lock of the caches, and nothing is
        flushed meanwhile. Raises TooManyThreadsError."""
        signature, opens = asked if isinstance(asked, tuple) else (asked, True)
        transition = self._build(self._renewed(state), signature, opens)
        self._weigh_new(transition[0])
        self.weigh(3)
        return transition

    def _weigh_new(self, last: State) -> None:
        """Count the states, of which one at most is new, items and contexts that are new."""
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
            # So it is most often.
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
        """The accept of a thread whose match is decided by the next character."""
        start, late = start_of(thread, items), thread[3] != NOWHERE
        end = thread[3] if late else HERE
        return Accept(start, self.opened(start, hold_of(thread, items), end), end, late)

    def opened(self, start: Source, hold: Least | None, end: Source) -> Least:
        """Where an accept's group opened: at its end if it never did, since it is empty then; at
        the last character where the match may be refused, since another may begin there. Its start
        without a group."""
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
        """Advance the threads; returns whether a match leaves no room for another beginning."""
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
        """Let the last accept hold for what it cuts, which comes back if it is refused; not for
        what the character ends."""
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
        # What can become of it may already be what can become of those before it.
        if items.alive[item] and (self._automaton.least_hold or not self._ahead.issuperset(ahead)):
            self._seen[item] = len(self.threads)
            self._ahead.update(ahead)
            self.threads.append(Advanced(item, start, hold, end))
        return accepts and self._automaton.cuts

    def _held_by_both(self, item: Item, known: int, hold: Least) -> None:
        """Let a candidate, and what it has matched, be held from where the first of two that meet
        is."""
        if known >= 0:
            least = self._least(self.threads[known].hold, hold)
            self.threads[known] = self.threads[known]._replace(hold=least)
        index = self._accepted.get(item)
        if index is not None:
            accept = self.accepts[index]
            self.accepts[index] = accept._replace(hold=self._least(accept.hold, hold))

    def _least(self, own: Least | None, others: Iterable[Source]) -> Least:
        """The least of a candidate's own hold-back and others."""
        least = tuple(sorted({*(own or ()), *others}))
        if least != own:
            self._automaton.blurred = True
        return least
