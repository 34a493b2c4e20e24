"""Open matches: those that a pattern has accepted, but that are not settled yet.

While an older candidate lives on, there may be as many as the text has characters. So a pile is a
queue that is not searched for each new match. Nor is it ever changed, since a stream may go back to
an earlier one: each is built on the one before (C. Okasaki, *Purely Functional Data Structures*,
5.2).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from guardstream.scan.regex.machine import NO_GROUP, Handling


class OpenMatch(NamedTuple):
    """An accepted match that something older may still undo, or that may be refused.

    `pattern` is an index; `start`, `hold` and `end` are the offsets where it began, where its
    hold-back began, and where it ended. `late`: the automaton has cut candidates that begin after
    it. `written`: no text waits for it, since it has overflowed, or its group has captured nothing.
    """

    pattern: int
    start: int
    hold: int
    end: int
    late: bool
    written: bool = False

    @property
    def outlived(self) -> bool:
        """Whether all that it masks is written, so that text waits only for what it hides."""
        return self.hold >= self.end

    def masked(self, handling: Handling) -> tuple[int, int, int]:
        """What is masked of the match: the pattern's label, and the offsets of the span."""
        if handling.tail == NO_GROUP:
            return handling.label, self.start, self.end
        return handling.label, self.hold, self.end - handling.tail


class _Newer(NamedTuple):
    match: OpenMatch
    before: _Newer | None


class Pile(NamedTuple):
    """A pattern's open matches, from the oldest, `first`, to the newest, `last`: `old[begin:end]`,
    which is never empty, and then `newer`, linked from the newest back. Text waits for `waiting` of
    them, those that are not written. Nearly always there is only one match."""

    first: OpenMatch
    last: OpenMatch
    old: Sequence[OpenMatch]
    begin: int
    end: int
    newer: _Newer | None
    waiting: int

    def without_first(self) -> Pile | None:
        """The pile without its oldest match; None if that was all."""
        first, last, old, begin, end, newer, waiting = self
        begin += 1
        if begin < end:
            return Pile(old[begin], last, old, begin, end, newer, waiting - (not first.written))
        return None if newer is None else piled(self.all()[1:])

    def without_last(self) -> Pile | None:
        """The pile without its newest match; None if that was all."""
        first, last, old, begin, end, newer, waiting = self
        if newer is not None:
            newer = newer.before
        else:
            end -= 1
        if begin == end:
            return None
        before = old[end - 1] if newer is None else newer.match
        return Pile(first, before, old, begin, end, newer, waiting - (not last.written))

    def all(self) -> list[OpenMatch]:
        """The matches, the oldest first."""
        return list(self._newest_first())[::-1]

    def unwritten(self) -> list[OpenMatch]:
        """The matches that text waits for, the oldest first. It looks from the newest back, so it
        does not reach old ones that have overflowed."""
        found: list[OpenMatch] = []
        newest = self._newest_first()
        while len(found) < self.waiting:
            match = next(newest)
            if not match.written:
                found.append(match)
        return found[::-1]

    def wrote(self, matches: Collection[OpenMatch]) -> Pile | None:
        """The pile with these of its matches marked as written."""
        pile: Pile | None = self
        later: list[OpenMatch] = []
        while pile is not None and pile.waiting:
            match = pile.last
            later.append(match._replace(written=True) if match in matches else match)
            pile = pile.without_last()
        for match in reversed(later):
            pile = put_on(pile, match)
        return pile

    def _newest_first(self) -> Iterator[OpenMatch]:
        newer = self.newer
        while newer is not None:
            yield newer.match
            newer = newer.before
        for index in range(self.end - 1, self.begin - 1, -1):
            yield self.old[index]


def piled(matches: Sequence[OpenMatch]) -> Pile | None:
    """A pile of matches, the oldest first; None if there are none."""
    if not matches:
        return None
    waiting = sum(not match.written for match in matches)
    return Pile(matches[0], matches[-1], matches, 0, len(matches), None, waiting)


def put_on(pile: Pile | None, match: OpenMatch) -> Pile:
    """The pile with one more match."""
    waits = not match.written
    if pile is None:
        # The usual case: to call the class itself would take twice as long.
        return tuple.__new__(Pile, (match, match, (match,), 0, 1, None, int(waits)))
    first, _, old, begin, end, newer, waiting = pile
    return Pile(first, match, old, begin, end, _Newer(match, newer), waiting + waits)
