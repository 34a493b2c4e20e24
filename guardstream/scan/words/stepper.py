"""Steps a word index in Python."""

from __future__ import annotations

from guardstream.scan.words.aho_corasick import WordIndex, WordState


class WordStepper:
    """Where one stream stands, stepped in Python."""

    __slots__ = ("_mark", "due", "offset", "state")

    def __init__(self, index: WordIndex) -> None:
        self.state = index.start
        self.offset = 0
        self.due = False
        self._mark = self.state, self.offset

    @property
    def held(self) -> int:
        """How many characters ago the oldest live candidate began, 0 if none lives."""
        return self.state.held

    def fork(self) -> WordStepper:
        """A copy that goes on by itself."""
        fork = WordStepper(self.state.index)
        fork.state, fork.offset = self.state, self.offset
        return fork

    def held_back(self) -> int:
        """See `Steps.held_back`."""
        return self.state.held if self.state.index.holds else 0

    def unread(self) -> None:
        """See `Steps.unread`."""
        self.state, self.offset = self._mark
        self.due = False

    @property
    def plain(self) -> bool:
        """See `Stepper.plain`."""
        return self.state.certain is not None

    def take(self) -> None:
        """Mark the words that the last character has completed as settled."""
        self.due = False

    def settled(self) -> list[tuple[int, int, int]]:
        """See `Stepper.settled`."""
        self.take()
        offset = self.offset
        return [
            (rule, offset - began, offset - ended)
            for rule, began, ended in self.state.certain or ()
        ]

    def glide(self, text: str) -> int:
        """See `Stepper.glide`."""
        state = self.state
        for character in text:
            state = state[character]
            if state.found:
                return -1
        self._mark = self.state, self.offset
        self.state = state
        self.offset += len(text)
        self.due = False
        return state.held if state.index.holds else 0

    def run(self, text: str, begin: int, end: int) -> int:
        """See `Steps.run`: words are complete."""
        self._mark = state, _ = self.state, self.offset
        self.due = False
        for index in range(begin, end):
            state = state[text[index]]
            if state.found:
                self.due = True
                end = index + 1
                break
        self.state = state
        self.offset += end - begin
        return end

    def put(self, state: WordState) -> None:
        """Go on from another state."""
        self.state = state
