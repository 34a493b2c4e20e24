"""The native form of stepping: the C extension, given what Python builds.

The extension has one table of ints an automaton, in which a state is a number. It calls Python for
the class of a character, what a pair of classes wakes, and transitions, when it first meets them.
"""

from __future__ import annotations

from typing import NamedTuple, Self

from guardstream.scan.regex import _native
from guardstream.scan.regex.dfa import Automaton, State
from guardstream.scan.regex.stepper import Accepted, Machine, accepted


class Place(NamedTuple):
    """A state's table and its number there."""

    table: _native.Table
    node: int


class NativeMachine:
    """What all streams of a set of patterns share, for the extension."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._tables: dict[Automaton, _native.Table] = {}
        self._locals: list[dict[int, int]] = [{} for _ in machine.automata]
        self.native = _native.Machine(
            tuple(machine.holds),
            self._class_of,
            self._local,
            self._woken,
            self._built,
            _native.Table,
        )
        machine.alphabet.flushed.append(self._forget)

    def place(self, state: State) -> Place:
        """Where a state stands; it is entered when first asked for."""
        place = state.place
        if isinstance(place, Place):
            return place
        with self._machine.alphabet.lock:
            table = self._tables.get(state.automaton)
            if table is None:
                table = self._tables[state.automaton] = _native.Table()
            node = table.add(state, state.registers, state.idle, state.starts, state.holds)
            state.place = place = Place(table, node)
        return place

    def _forget(self, automaton: Automaton) -> None:
        """Begin a new table for an automaton that has forgotten its states."""
        table = self._tables.pop(automaton, None)
        if table is not None:
            table.unlink()
        self.native.forget()

    # What the extension asks for

    def _class_of(self, code: int) -> int:
        return self._machine.classes[chr(code)]

    def _local(self, pattern: int, number: int) -> int:
        """A class as the pattern tells them apart: by its own sets alone."""
        machine, known = self._machine, self._locals[pattern]
        with machine.alphabet.lock:
            mask = machine.automata[pattern].program.mask
            return known.setdefault(machine.alphabet.signatures[number] & mask, len(known))

    def _woken(self, last: int, number: int) -> tuple[object, ...]:
        return tuple(
            (pattern, *self.place(transition.target), transition.moves, transition.accepts)
            for pattern, transition in self._machine.wakes(self._machine.kind(last), number)
        )

    def _built(self, pattern: int, state: State, number: int) -> _native.Placed:
        automaton = state.automaton
        with self._machine.alphabet.lock:
            transition = automaton.transition(state, number)
            table, node = self.place(transition.target)
            here = self.place(state)
            if here.table is table and self._tables.get(automaton) is table:
                local = self._local(pattern, number)
                table.link(here.node, local, node, transition.moves, transition.accepts)
            automaton.count(1)
        return table, node, transition.moves, transition.accepts


class NativeStepper(_native.Runs):
    """One stream's patterns that are awake; see `stepper.Stepper`."""

    __slots__ = ("_machine",)

    _machine: NativeMachine

    def __new__(cls, machine: NativeMachine) -> Self:
        made = super().__new__(cls, machine.native)
        made._machine = machine
        return made

    def take(self) -> list[Accepted]:
        """See `Stepper.take`."""
        return [
            accepted(pattern, accept, registers, offset)
            for pattern, accepts, registers, offset in self.hits()
            for accept in accepts
        ]

    def put(self, pattern: int, state: State, registers: tuple[int, ...]) -> None:
        """See `Stepper.put`."""
        self.place(pattern, *self._machine.place(state), registers)
