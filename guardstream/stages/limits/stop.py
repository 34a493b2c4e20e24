"""Stop sequences, found at their first end and never partly released.

Source: A. V. Aho, M. J. Corasick, "Efficient string matching", CACM 18 (1975) 333-340.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from guardstream.stages.limits.bounds import End


def unreachable(sequences: Iterable[str]) -> dict[str, str]:
    """Return the sequences that never end a text, each with the one inside it that ends first."""
    known = list(dict.fromkeys(sequences))
    return {
        one: other
        for one in known
        for other in known
        if len(other) < len(one) and other in one[:-1]
    }


class Sequences:
    """Some stop sequences, compiled; shared between streams.

    A state is the longest end of the text so far that begins a sequence.
    """

    def __init__(self, sequences: Iterable[str]) -> None:
        known = list(dict.fromkeys(sequences))
        never = unreachable(known)
        kept = [each for each in known if each not in never]
        self.first = re.compile("[" + "".join(re.escape(each[0]) for each in kept) + "]")
        self.goto: list[dict[str, int]] = [{}]
        self.fail = [0]
        self.depth = [0]
        # The length of the sequence that a state has completed, or 0. Failure links need not be
        # followed for it: no sequence that is kept has another one inside it.
        self.found = [0]
        for each in kept:
            self._add(each)
        self._link()

    def _add(self, sequence: str) -> None:
        state = 0
        for depth, character in enumerate(sequence, 1):
            if character not in self.goto[state]:
                self.goto[state][character] = len(self.goto)
                self.goto.append({})
                self.fail.append(0)
                self.depth.append(depth)
                self.found.append(0)
            state = self.goto[state][character]
        self.found[state] = len(sequence)

    def _link(self) -> None:
        """Set the failure link of each state: where to go if no sequence continues from it."""
        for state in sorted(range(len(self.goto)), key=self.depth.__getitem__):
            for character, after in self.goto[state].items():
                if state:
                    self.fail[after] = self.step(self.fail[state], character)

    def step(self, state: int, character: str) -> int:
        """Return the state after one more character."""
        goto = self.goto
        while state and character not in goto[state]:
            state = self.fail[state]
        return goto[state].get(character, 0)


class StopScan:
    """The search of one text; a Bound. Of sequences that end together, the longest counts."""

    def __init__(self, sequences: Sequences) -> None:
        self._sequences = sequences
        self._state = 0

    @property
    def held(self) -> int:
        """How many of the last code points may be the beginning of a sequence."""
        return self._sequences.depth[self._state]

    def read(self, text: str, start: int) -> End | None:
        """See `Bound.read`."""
        sequences, state, at = self._sequences, self._state, 0
        while at < len(text):
            if not state:
                begun = sequences.first.search(text, at)
                if begun is None:
                    break
                at = begun.start()
            state = sequences.step(state, text[at])
            at += 1
            if sequences.found[state]:
                end = start + at
                begin = end - sequences.found[state]
                return End(end - 1, begin, begin, end, "limits.stop", "stop")
        self._state = state
        return None
