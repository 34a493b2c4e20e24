"""The native form of stepping: the C extension, given what Python compiles.

The extension builds the automata itself, as `closure` and `dfa` do, over tables of ints (`rows`).
It asks Python which sets the characters of a page are in when it meets the first of them, for a
pattern's program when the pattern first wakes, and for what a large counter is written out to when
the text reaches it.
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from functools import cached_property
from typing import Self

from guardstream.errors import PatternError
from guardstream.scan import _native
from guardstream.scan.building import building
from guardstream.scan.regex import dfa
from guardstream.scan.regex.alphabet import START, CharSets
from guardstream.scan.regex.analysis import look_ahead, look_behind
from guardstream.scan.regex.ast import Assert, Char, Look, Node, Reference, Repeat
from guardstream.scan.regex.dfa import Automaton
from guardstream.scan.regex.fragments import numbers
from guardstream.scan.regex.machine import Handling, Machine
from guardstream.scan.regex.matcher import Attempt, Found, Matcher, Step
from guardstream.scan.regex.matcher import Kind as StepKind
from guardstream.scan.regex.rewrite import other_cases
from guardstream.scan.regex.rows import PlaceRows, RowProgram
from guardstream.scan.words.normalize import Table

UNIT = 100
"""How many bytes of the extension's tables weigh as much as a unit of `MAX_WEIGHT`."""

MAX_CASES = 3
"""How many other cases a character has at most."""

NO_CASE = -1
"""Stands for a case that does not exist."""


def _flags(handling: Handling) -> int:
    """The handling of a pattern as bits (`machine.h`)."""
    flags = handling.holds, handling.eager, handling.loose, handling.plain
    return sum(flag << number for number, flag in enumerate(flags))


class NativeSets(CharSets):
    """What characters are, for the extension: all searches of a set of patterns share it.

    Sets are only added before the first search is made.
    """

    def __init__(self, table: Table | None = None) -> None:
        super().__init__(table)
        # A signature gets its number in one step, without a lock: the handler of a signal may ask
        # while this thread judges a page.
        self._numbers: defaultdict[int, int] = defaultdict()
        self._numbers.default_factory = self._numbers.__len__

    @cached_property
    def native(self) -> _native.Characters:
        """What the extension knows of them."""
        return _native.Characters(self._words, self._judged)

    @property
    def _words(self) -> int:
        return (self.width + 31) // 32

    def ints(self, bits: int) -> bytes:
        """Some of the sets as ints."""
        return bits.to_bytes(4 * self._words, "little")

    def _judged(self, code: int, known: int) -> tuple[bytes, bytes]:
        """The rows of the page that a character is on, (number of a signature, first, last), and
        the signatures from number `known` on."""
        rows = array("i")
        for signature, first, last in self.rows(chr(code)):
            rows.extend((self._numbers[signature], first, last))
        new = list(self._numbers)[known:] if len(self._numbers) > known else ()
        return rows.tobytes(), b"".join(map(self.ints, new))


class NativeMachine:
    """What all streams of a set of patterns share, for the extension."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self.share = machine.caches.share
        sets = machine.classes.sets
        assert isinstance(sets, NativeSets)
        first_at, firsts = array("i"), array("i")
        for conditions in machine.firsts:
            first_at.append(len(firsts))
            for needs, bars in conditions:
                for bits in (needs, bars):
                    own = list(numbers(bits))
                    firsts.extend((len(own), *own))
            firsts.append(-1)
        tells = [automaton.program.tells for automaton in machine.automata[machine.patterns :]]
        self.native = _native.Machine(
            bytes(map(_flags, machine.handling)),
            array("i", [handling.label for handling in machine.handling]).tobytes(),
            array("i", [handling.tail for handling in machine.handling]).tobytes(),
            firsts.tobytes(),
            first_at.tobytes(),
            sets.ints(machine.classes.kept),
            sets.ints(machine.asked),
            sets.ints(START),
            array("i", [bit.bit_length() - 1 for bit in tells]).tobytes(),
            sets.native,
            self._program,
            self._more,
        )

    # What the extension asks for

    def _program(self, pattern: int) -> tuple[object, ...]:
        automaton = self._machine.automata[pattern]
        return self._of(automaton).given(automaton)

    def _more(self, pattern: int, place: int) -> PlaceRows:
        with building(self._machine.caches.lock):
            return self._of(self._machine.automata[pattern]).more(place)

    def _of(self, automaton: Automaton) -> RowProgram:
        assert isinstance(automaton.program, RowProgram)
        return automaton.program


class NativeStepper(_native.Stream):
    """One stream's patterns that are awake; see `stepper.Stepper`."""

    __slots__ = ()

    def held_back(self) -> int:
        """See `Steps.held_back`."""
        return self.offset - self.held()

    def __new__(cls, machine: NativeMachine) -> Self:
        machine.native.bound(UNIT * dfa.MAX_WEIGHT // machine.share)
        return super().__new__(cls, machine.native)


# What the extension calls the kinds of steps, and of assertions (`matcher.h`).
_STEP_KINDS = {
    kind: number
    for number, kind in enumerate(
        (
            StepKind.CHAR,
            StepKind.SPLIT,
            StepKind.COUNT,
            StepKind.OPEN,
            StepKind.CLOSE,
            StepKind.REFERENCE,
            StepKind.ASSERT,
        )
    )
}
_AHEAD, _BEHIND, _ATOMIC, _MATCH = range(7, 11)
_FAR = (1 << 28) - 1  # longer than any text
_ANCHORS = ("start", "line_start", "end", "line_end", "word", "not_word")


class NativeMatcher(Matcher):
    """A matcher that runs in the extension."""

    def __init__(self, tree: Node, group: int, written_out: int = 0) -> None:
        super().__init__(tree, group, written_out)
        self._steps: list[Step] = []
        self._numbers: dict[Step, int] = {}
        self._sets = CharSets()
        self._behind = _look_behind(tree)
        self._ahead = None if self.referred else look_ahead(tree)
        rows, ways = self._rows()
        nodes = (step.node for step in self._steps)
        # All of a pattern compare case in the same way.
        self._cases = [n for n in nodes if isinstance(n, Reference) and n.ignore_case][:1]
        self._native = _native.Matcher(
            rows.tobytes(),
            ways.tobytes(),
            array("i", sorted(self.referred)).tobytes(),
            group,
            self._words + len(self._cases) * MAX_CASES,
            self._sets_of,
        )

    def run(
        self, attempt: Attempt, start: int, end: int | None, first: Step | None = None
    ) -> Found | None:
        """See `Matcher.run`."""
        text, budget = attempt.text, attempt.budget
        high = len(text)
        if end is not None and self._ahead is not None:
            high = min(high, end + 1 + self._ahead)
        found, spans, attempt.ran_out, steps = self._native.run(
            text,
            self._numbers[first or self.first],
            start,
            -1 if end is None else end,
            attempt.from_start,
            max(start - self._behind, 0) if self._behind else 0,
            high,
            budget.left(),
        )
        budget.pay(steps)
        return Found(found, spans) if found >= 0 else None

    def size(self) -> int:
        """See `Matcher.size`."""
        return len(self._steps)

    @property
    def _words(self) -> int:
        return (self._sets.width + 31) // 32

    def _sets_of(self, code: int) -> bytes:
        """Which sets a character is in, and its other cases where references ask for them."""
        character = chr(code)
        sets = self._sets.signature(character).to_bytes(4 * self._words, "little")
        if not self._cases:
            return sets
        others = [*map(ord, other_cases(character, *self._cases)), *MAX_CASES * [NO_CASE]]
        return sets + array("i", others[:MAX_CASES]).tobytes()

    def _rows(self) -> tuple[array[int], array[int]]:
        """The steps and their choices as rows of ints, see `Step` in `matcher.h`."""
        rows, ways = array("i"), array("i")
        self._number(self.first)
        for step in self._steps:
            kind, node = _STEP_KINDS.get(step.kind, _MATCH), step.node
            after, aside = (
                -1 if other is None else self._number(other) for other in (step.after, step.aside)
            )
            fragment, number = "", step.number
            negate = least = most = 0
            if isinstance(node, Char):
                fragment = node.fragment
            elif isinstance(node, Assert):
                fragment, number = node.word, _ANCHORS.index(node.kind)
            elif isinstance(node, Reference):
                number, negate = node.number, int(node.ignore_case)
            elif isinstance(node, Repeat):
                negate, least, most = int(node.lazy), node.low, node.high or 0
            elif isinstance(node, Look):
                kind, negate = _AHEAD if node.ahead else _BEHIND, int(node.negate)
                least, most = step.least, _FAR if step.most is None else step.most
            elif step.kind is StepKind.ATOMIC:
                kind = _ATOMIC
            choices = [self._number(way) for way in step.ways]
            set_of = self._sets.bit(fragment).bit_length() - 1 if fragment else 0
            rows.extend((kind, set_of, after, aside, len(ways), len(choices)))
            rows.extend((number, negate, least, most))
            ways.extend(choices)
        return rows, ways

    def _number(self, step: Step) -> int:
        number = self._numbers.get(step)
        if number is None:
            number = self._numbers[step] = len(self._steps)
            self._steps.append(step)
        return number


def _look_behind(tree: Node) -> int | None:
    """How many characters before a match it reads; None without bound."""
    try:
        return look_behind(tree) + 1
    except PatternError:
        return None
