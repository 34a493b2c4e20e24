"""Steps the automata of many patterns over one stream, of each only while it has a candidate.

A pattern without a candidate sleeps: its state depends on the last character alone, and a table
tells for each pair of classes of characters which sleeping patterns it wakes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from guardstream.scan.match import UNREAD
from guardstream.scan.regex.alphabet import CharSets
from guardstream.scan.regex.closure import first_conditions
from guardstream.scan.regex.dfa import Alphabet, Automaton, State, Transition
from guardstream.scan.regex.nfa import Condition
from guardstream.scan.regex.registers import Accept, resolve
from guardstream.scan.words.normalize import Table

MAX_CHARACTERS = 50_000
"""How many characters' classes are remembered."""


class Accepted(NamedTuple):
    """A match that the last character has completed: the pattern's index, where the match began,
    where its hold-back began, where it ended; `late` if that was before the last character."""

    pattern: int
    start: int
    hold: int
    end: int
    late: bool


def accepted(pattern: int, accept: Accept, registers: tuple[int, ...], offset: int) -> Accepted:
    """What a transition on the character at `offset` accepts."""
    start = resolve(accept.start, registers, offset)
    hold = min([resolve(source, registers, offset) for source in accept.hold])
    return Accepted(pattern, start, hold, resolve(accept.end, registers, offset), accept.late)


class Classes(dict[str, int]):
    """The number of each character's class; one that is new is judged by all sets."""

    def __init__(self, sets: CharSets, alphabet: Alphabet, table: Table | None) -> None:
        self._sets = sets
        self._alphabet = alphabet
        self._table = table
        self._numbers: dict[int, int] = {}

    def __missing__(self, character: str) -> int:
        with self._alphabet.lock:
            seen = character if self._table is None else self._table[ord(character)]
            signature = self._sets.signature(seen)
            number = self._numbers.get(signature)
            if number is None:
                number = self._numbers[signature] = len(self._alphabet.signatures)
                self._alphabet.signatures.append(signature)
            if len(self) > MAX_CHARACTERS:
                self.clear()
            self[character] = number
        return number


class Machine:
    """The automata of all patterns of a set, by index, and what wakes them.

    `holds` tells of each pattern whether text waits for its candidates.
    """

    def __init__(
        self,
        automata: Sequence[Automaton],
        holds: Sequence[bool],
        classes: Classes,
        alphabet: Alphabet,
    ) -> None:
        self.automata = automata
        self.holds = holds
        self.classes = classes
        self.alphabet = alphabet
        self._firsts: list[list[Condition]] = [first_conditions(a.program) for a in automata]
        self._behind = 0
        for automaton in automata:
            self._behind |= automaton.program.behind & ~automaton.program.looks
        self._starters: dict[int, list[int]] = {}

    def wakes(self, last: int, number: int) -> tuple[tuple[int, Transition], ...]:
        """The sleeping patterns that a character of class `number` wakes after one of class
        `last`, with their transitions."""
        known = self.alphabet.wakes.get((last, number))
        if known is None:
            with self.alphabet.lock:
                before = self.alphabet.signatures[last]
                found = []
                for index in self._starting(number):
                    transition = self.automata[index].idle(before)[number]
                    if transition.accepts or not transition.target.idle:
                        found.append((index, transition))
                known = self.alphabet.wakes[last, number] = tuple(found)
        return known

    def _starting(self, number: int) -> list[int]:
        """The patterns that may begin with a character of the class."""
        starters = self._starters.get(number)
        if starters is None:
            signature = self.alphabet.signatures[number]
            starters = self._starters[number] = [
                index
                for index, firsts in enumerate(self._firsts)
                if any(condition.holds(signature) for condition in firsts)
            ]
        return starters


Run = tuple[State, tuple[int, ...]]
"""A pattern that is awake: its state and its registers."""


class Stepper:
    """One stream's patterns that are awake."""

    __slots__ = ("_machine", "_mark", "accepted", "awake", "last", "off", "offset")

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self.awake: dict[int, Run] = {}
        self.offset = 0
        self.last = Alphabet.BEGIN
        self.accepted: list[Accepted] = []
        self.off: frozenset[int] = frozenset()
        self._mark = self.awake, self.offset, self.last

    def read(self, text: str) -> int:
        """Read all of `text` if it completes no match, and return how many characters the oldest
        live candidate holds back; else read nothing and return UNREAD."""
        mark = self.awake, self.offset, self.last
        for character in text:
            if self._step(character):
                self.awake, self.offset, self.last = mark
                return UNREAD
        self._mark = mark
        return self.offset - self.held()

    def unread(self) -> None:
        """Go back to where the last `read` or `run` began."""
        self.awake, self.offset, self.last = self._mark

    def run(self, text: str, begin: int, end: int) -> int:
        """Read up to the first character that completes a match; return the index after the last
        character read."""
        self._mark = self.awake, self.offset, self.last
        for index in range(begin, end):
            if self._step(text[index]):
                return index + 1
        return end

    def _step(self, character: str) -> list[Accepted]:
        """Read a character; return the matches that it completes."""
        machine, offset, awake = self._machine, self.offset, self.awake
        number = machine.classes[character]
        after: dict[int, Run] = {}
        found: list[Accepted] = []
        for pattern, (state, registers) in awake.items():
            transition = state[number]
            target, moves, accepts = transition
            if accepts:
                found += [accepted(pattern, accept, registers, offset) for accept in accepts]
            if not target.idle:
                if moves is not None:
                    registers = transition.moved(registers, offset)
                after[pattern] = target, registers
        key = self.last, number
        wakes = machine.alphabet.wakes.get(key)
        for pattern, transition in machine.wakes(*key) if wakes is None else wakes:
            if pattern not in awake and pattern not in self.off:
                target, _, accepts = transition
                if accepts:
                    found += [accepted(pattern, accept, (), offset) for accept in accepts]
                if not target.idle:
                    after[pattern] = target, transition.moved((), offset)
        self.awake = after
        self.offset = offset + 1
        self.last = number
        self.accepted = found
        return found

    def held(self) -> int:
        """Where the oldest live candidate's hold-back begins; the present offset if none lives."""
        holds, offset = self._machine.holds, self.offset
        held = offset
        for pattern, (state, registers) in self.awake.items():
            if holds[pattern]:
                oldest = state.holds.oldest(registers, offset)
                if oldest < held:
                    held = oldest
        return held

    def began(self, pattern: int) -> int:
        """Where the pattern's oldest candidate began; beyond the present offset if none lives."""
        run = self.awake.get(pattern)
        return self.offset + 1 if run is None else run[0].starts.oldest(run[1], self.offset)

    def waits(self, pattern: int) -> int:
        """Where the pattern's oldest hold-back began; beyond the present offset if none has."""
        run = self.awake.get(pattern)
        return self.offset + 1 if run is None else run[0].holds.oldest(run[1], self.offset)

    def patterns(self) -> list[int]:
        """The patterns that are awake."""
        return list(self.awake)

    def put(self, pattern: int, state: State, registers: tuple[int, ...]) -> None:
        """Let the pattern go on from another state."""
        self.awake = {number: run for number, run in self.awake.items() if number != pattern}
        if not state.idle:
            self.awake[pattern] = state, registers

    def state(self, pattern: int) -> Run | None:
        """The state and registers of a pattern that is awake."""
        return self.awake.get(pattern)

    def disable(self, pattern: int) -> None:
        """Never wake the pattern again."""
        self.off |= {pattern}
        self.awake = {number: run for number, run in self.awake.items() if number != pattern}
