"""What all streams of a set of patterns share: the classes of characters, each pattern's automaton,
and for each pair of classes which sleeping patterns wake.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import count
from operator import or_

from guardstream.scan.pages import SIZE
from guardstream.scan.regex.alphabet import START, CharSets
from guardstream.scan.regex.dfa import Automaton, Caches, State, Transition
from guardstream.scan.regex.places import Condition

MAX_CHARACTERS = 50_000
"""How many characters' classes are remembered."""

MAX_WAKES = 20_000
"""Of how many pairs of characters it is remembered what they wake. Each choice of lookbehinds that
match after a character makes another of it, and a text may bring any choice."""

NO_GROUP = -1
"""The `tail` of a pattern of which the whole match is masked."""


@dataclass(slots=True, frozen=True)
class Handling:
    """What is done about a pattern: whether text waits for its candidates (`holds`), whether what
    it accepts is a match at once (`eager`), whether every accept counts until one is confirmed
    (`loose`), and whether a match is certain once nothing older lives (`plain`). Of a plain one's
    matches, which bear the number `label`, the last `tail` characters are not masked, nor what
    comes before the hold-back; or all of a match is, with NO_GROUP."""

    holds: bool = True
    eager: bool = False
    loose: bool = False
    plain: bool = False
    label: int = 0
    tail: int = NO_GROUP


class Classes(dict[str, int]):
    """Each character's class: its signature, of the sets whose bits are `kept`. One that is new is
    judged by all sets.

    Only these sets tell characters apart: the fewer classes there are, the sooner it is known where
    a joint state leads on each.
    """

    def __init__(self, sets: CharSets, caches: Caches, kept: int) -> None:
        self.sets = sets
        self.kept = kept
        self._caches = caches
        self._same: dict[int, int] = {}  # equal signatures are one object
        self._pages: dict[int, int] = {}  # those whose characters are all of one class

    def __missing__(self, character: str) -> int:
        page = ord(character) // SIZE
        with self._caches.lock:
            signature = self._pages.get(page)
            if signature is None:
                signature = self.sets.signature(character) & self.kept
                signature = self._same.setdefault(signature, signature)
                if self.sets.fills_page(character):
                    self._pages[page] = signature
            if len(self) > MAX_CHARACTERS:
                self.clear()
            self[character] = signature
        return signature


@dataclass(slots=True, frozen=True, eq=False)
class Waking:
    """What a character does to the patterns that sleep: the `kind` of it that they ask for after
    it, and the `steps` of those that it wakes. Where these are the same, so is the `number`. `told`
    are the states of the lookbehinds that it wakes and that match after it."""

    number: int
    kind: int
    steps: Mapping[int, Transition]
    told: Sequence[State]


class Wakes(dict[tuple[int, int], Waking]):
    """What a character does to a machine's sleeping patterns, by the kind of the last character and
    the signature of this one; a pair that is new is looked at when it is first needed."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    def __missing__(self, pair: tuple[int, int]) -> Waking:
        with self._machine.caches.lock:
            if len(self) >= MAX_WAKES:
                self._machine.forget()
            waking = self[pair] = self._machine.woken(*pair)
        return waking


class Machine:
    """The automata of a set's patterns, by index, what is done about each, and what wakes it. After
    them come those of their lookbehinds, from `patterns` on.

    Those of `members` alone ever wake. `asked` are the bits that one of them asks of the last
    character while it sleeps, `firsts` what the first character of each pattern's matches must be.

    A character is read with the bits of the lookbehinds that match after it (see `read`).
    """

    def __init__(
        self,
        automata: Sequence[Automaton],
        handling: Sequence[Handling],
        sets: CharSets,
        caches: Caches,
        members: Collection[int],
        patterns: int,
    ) -> None:
        self.automata = automata
        self.patterns = patterns
        self.handling = handling
        self.caches = caches
        self.lookbehinds = frozenset(self._lookbehinds_of(self._mask(members)))
        self.members = [*members, *sorted(self.lookbehinds)]
        self.classes = Classes(sets, caches, self._mask(self.members))
        self.firsts: list[Sequence[Condition]] = [()] * len(automata)
        self.asked = 0
        self._beginning: dict[Condition, list[int]] = {}
        for index in self.members:
            program = automata[index].program
            self.firsts[index] = program.firsts
            self.asked |= program.last
            for condition in program.firsts:
                self._beginning.setdefault(condition, []).append(index)
        self._starters: dict[int, list[int]] = {}
        self.wakes = Wakes(self)
        self._numbers: dict[tuple[int, ...], int] = {}
        self._fresh = count()
        self._read_by: dict[int, list[int]] = {}  # the lookbehinds of a pattern
        caches.flushed.append(lambda _: self.forget())

    def _mask(self, members: Iterable[int]) -> int:
        """The bits of all sets that some automata ask for."""
        return reduce(or_, [self.automata[index].program.mask for index in members])

    def _lookbehinds_of(self, mask: int) -> list[int]:
        """The lookbehinds among the sets with these bits."""
        indices = range(self.patterns, len(self.automata))
        return [index for index in indices if self.automata[index].program.tells & mask]

    def forget(self) -> None:
        """Forget what characters wake."""
        self.wakes.clear()
        self._numbers.clear()
        self._starters.clear()

    def kind(self, last: int) -> int:
        """What of a character's signature the sleeping patterns ask after it."""
        return last & self.asked

    def woken(self, kind: int, signature: int) -> Waking:
        """What a character of a signature does to the sleeping patterns, after one of a kind."""
        steps: dict[int, Transition] = {}
        for index in self._starting(signature):
            transition = self.automata[index].idle(kind).on(signature)
            target, _, accepts, _ = transition
            if accepts or not target.idle:
                steps[index] = transition
        after = self.kind(signature)
        key = after, *[number for *_, number in steps.values()]
        same = self._numbers.setdefault(key, next(self._fresh))
        told = tuple([state for state, *_ in steps.values() if state.told])
        return Waking(same, after, steps, told)

    # Lookbehinds

    def read(self, kind: int, character: str, awake: Sequence[State]) -> tuple[int, Waking]:
        """The signature of a character after one of a kind, and what it does to what sleeps.
        `awake` are the states of the lookbehinds that are under way."""
        signature = self.classes[character]
        waking = self.wakes[kind, signature]
        if not (awake or waking.told):
            return signature, waking
        told = reduce(or_, [state[signature & state.asks][0].told for state in awake], 0)
        if waking.told:
            known = {state.pattern for state in awake}
            told |= reduce(or_, [s.told for s in waking.told if s.pattern not in known], 0)
        signature |= told
        return signature, self.wakes[kind, signature]

    def read_for(self, pattern: int, before: str, text: str) -> Iterator[int]:
        """The signatures of the character `before` a text, or of the text's beginning, and of its
        own, for a pattern: its lookbehinds begin after that character."""
        last = self.classes[before] if before else START
        known = self._read_by.get(pattern)
        if known is None:
            known = self._lookbehinds_of(self.automata[pattern].program.mask)
            self._read_by[pattern] = known
        states = [self.automata[index].idle(last) for index in known]
        yield last
        classes = self.classes
        for character in text:
            signature = told = classes[character]
            for number, state in enumerate(states):
                # What `on` says, without a call.
                after = states[number] = state[signature & state.asks][0]
                told |= after.told
            yield told

    def _starting(self, signature: int) -> list[int]:
        """The patterns that may begin with a character of a signature."""
        starters = self._starters.get(signature)
        if starters is None:
            found: set[int] = set()
            for condition, patterns in self._beginning.items():
                if condition.holds(signature):
                    found.update(patterns)
            starters = self._starters[signature] = sorted(found)
        return starters
