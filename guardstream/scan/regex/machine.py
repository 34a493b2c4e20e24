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
"""For how many pairs of classes it is remembered what they wake. Each combination of lookbehinds
that match after a character makes another class, and a text may bring any combination."""

NO_GROUP = -1
"""The `tail` of a pattern of which the whole match is masked."""


@dataclass(slots=True, frozen=True)
class Handling:
    """How a pattern's matches are treated. `holds`: text waits for its candidates. `eager`: each
    accept is a match at once. `loose`: every accept is kept until one is confirmed. `plain`: a
    match is certain once nothing older lives. It is then reported with the number `label`, and
    masked from its hold-back to `tail` characters before its end; as a whole if `tail` is
    NO_GROUP."""

    holds: bool = True
    eager: bool = False
    loose: bool = False
    plain: bool = False
    label: int = 0
    tail: int = NO_GROUP


class Classes(dict[str, int]):
    """Each character's class: its signature, reduced to the bits in `kept`.

    These are the sets that the patterns of one machine ask for. The fewer classes there are, the
    sooner a joint state knows where each of them leads.
    """

    def __init__(self, sets: CharSets, caches: Caches, kept: int) -> None:
        self.sets = sets
        self.kept = kept
        self._caches = caches
        self._same: dict[int, int] = {}  # equal signatures are one object
        self._pages: dict[int, int] = {}  # pages whose characters are all of one class

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
    """What a character does to the sleeping patterns. `kind`: the bits of it that they ask for
    afterwards. `steps`: the transitions of those that it wakes. `number` is the same where these
    are. `told`: the states of the lookbehinds that it wakes and that match right after it."""

    number: int
    kind: int
    steps: Mapping[int, Transition]
    told: Sequence[State]


class Wakes(dict[tuple[int, int], Waking]):
    """What a character does to a machine's sleeping patterns, by the kind of the last character and
    the signature of this one. A missing pair is worked out when it is first needed."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    def __missing__(self, pair: tuple[int, int]) -> Waking:
        with self._machine.caches.lock:
            if len(self) >= MAX_WAKES:
                self._machine.forget()
            waking = self[pair] = self._machine.woken(*pair)
        return waking


class Machine:
    """The automata of a set's patterns, by index, with how their matches are treated and what wakes
    them. From the index `patterns` on come the automata of lookbehinds of several patterns.

    Only those in `members` ever wake. `asked` are the bits that these ask of the last character
    while they sleep. `firsts` are, for each pattern, the conditions of which the first character of
    a match meets one.

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
        """The bits of all sets that these automata ask for."""
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
        """The bits of a character's signature that sleeping patterns ask for after it."""
        return last & self.asked

    def woken(self, kind: int, signature: int) -> Waking:
        """What a character of this signature does to the sleeping patterns after one of this
        kind."""
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
        """Read a character after one of this kind: return its signature, with the bits of the
        lookbehinds that match after it, and what it does to the sleeping patterns. `awake` are the
        states of the lookbehinds that are under way."""
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
        """For one pattern, yield the signature of the character `before` the text, or of the
        text's beginning if that is empty, and then those of the text's characters. The pattern's
        lookbehinds begin after `before`."""
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
        """The patterns that may begin with a character of this signature."""
        starters = self._starters.get(signature)
        if starters is None:
            found: set[int] = set()
            for condition, patterns in self._beginning.items():
                if condition.holds(signature):
                    found.update(patterns)
            starters = self._starters[signature] = sorted(found)
        return starters
