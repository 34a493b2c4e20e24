"""Steps a word index by the C extension, which keeps the states of an index as numbers in a table,
with their transitions by class of characters.

While no word is complete, it finds the next state itself, in the sorted words; the other states are
built in Python. After a flush there is a new table.
"""

from __future__ import annotations

from array import array
from typing import Self

from guardstream.scan import _native
from guardstream.scan.building import building
from guardstream.scan.pages import SIZE, Row
from guardstream.scan.words.aho_corasick import WordIndex, WordState

DUE, CERTAIN = 1, 2
"""What a state in which words are complete asks for, as the extension numbers it."""


class NativeWordStepper(_native.WordStream):
    """Where one stream stands, stepped by the extension; see `stepper.WordStepper`."""

    __slots__ = ("_words",)

    _words: NativeWords

    def __new__(cls, words: NativeWords) -> Self:
        made = super().__new__(cls, words.placed(words.index.start))
        made._words = words
        return made

    def fork(self) -> NativeWordStepper:
        """A copy that goes on by itself."""
        fork = NativeWordStepper(self._words)
        fork.move(self.place)
        fork.offset = self.offset
        return fork

    def held_back(self) -> int:
        """See `Steps.held_back`."""
        return self.held if self._words.index.holds else 0

    @property
    def state(self) -> WordState:
        """The state as Python knows it."""
        return self._words.state(*self.place)

    def put(self, state: WordState) -> None:
        """Go on from another state."""
        self.move(self._words.placed(state))


class NativeWords:
    """An index's states for the extension."""

    def __init__(self, index: WordIndex) -> None:
        self.index = index
        self._lists = (
            _native.WordList(index.whole.words),
            _native.WordList(index.parts.words),
        )
        self._begun()

    def _begun(self) -> None:
        index = self.index
        start = index.start
        self._told: set[int] = set()  # the pages of which the table has been told
        self._table = _native.WordTable(self._class_of, self._built, [], *self._lists, index.holds)
        self._start = start  # last: if memory runs out before, all of this is redone

    def placed(self, state: WordState) -> tuple[_native.WordTable, int]:
        """The table and number of a state, which is entered when first asked for."""
        if state.place and self._start is self.index.start:
            return state.place
        with building(self.index.lock):
            return self._placed(state)

    def _placed(self, state: WordState) -> tuple[_native.WordTable, int]:
        if self._start is not self.index.start:
            # All states have been forgotten, and begin anew.
            self._begun()
        return state.place or self._entered(state)

    def _entered(self, state: WordState) -> tuple[_native.WordTable, int]:
        living = self.index.living(state)
        due = 0 if not state.found else DUE if state.certain is None else CERTAIN
        number = self._table.add(state, state.held, due, living)
        state.place = self._table, number
        return state.place

    def state(self, table: _native.WordTable, node: int) -> WordState:
        """A state as Python knows it, also one that the extension has made."""
        state = table.states[node]
        if state is None:
            live = table.live(node)
            assert live is not None
            state = table.states[node] = self.index.alive(*live)
            if state.place is None and table is self._table:
                state.place = table, node
        return state

    def _class_of(self, code: int) -> tuple[int, int, bool, bytes]:
        with building(self.index.lock):
            rows = self._rows(chr(code))
            ints = array("i", [number for row in rows for number in row])
            number = rows[0].answer
            return number, *self.index.letter(number), ints.tobytes()

    def _rows(self, character: str) -> list[Row[int]]:
        """The class of a character; with the first of a page also those of the characters
        beside it that are known."""
        rows, page = [self.index.class_row(character)], ord(character) // SIZE
        if page not in self._told:
            self._told.add(page)
            if rows[0].last - rows[0].first < SIZE - 1:  # else it is all of the page
                rows += self.index.beside(character)
        return rows

    def _built(
        self, table: _native.WordTable, node: int, number: int
    ) -> tuple[_native.WordTable, int]:
        with building(self.index.lock):
            after = self._placed(self.index.after(self.state(table, node), number))
            if table is after[0]:
                table.link(node, number, after[1])
            return after
