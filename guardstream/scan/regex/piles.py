"""Open matches: what a pattern has accepted, and what is not settled yet.

Where an older candidate lives on they may be as many as the text has characters. So a pile is a
queue that is not looked through for each: it is built on those before it, which stay as they are,
since a stream may go back to where it stood (C. Okasaki, *Purely Functional Data Structures*, 5.2).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from guardstream.scan.regex.machine import NO_GROUP, Handling


class OpenMatch(NamedTuple):
    """An accepted match that something older may still undo, or that may be refused.

    It has the pattern's index, where it began, where its hold-back began, and where it ended; it is
    `late` if the automaton went on without what begins after it, and `written` if nothing waits for
    it: it has overflowed, or its group has captured nothing.
    """

    pattern: int
    start: int
    hold: int
    end: int
    late: bool
    written: bool = False

    def masked(self, handling: Handling) -> tuple[int, int, int]:
        """What of the match is masked: its label, start and end."""
        if handling.tail == NO_GROUP:
            return handling.label, self.start, self.end
        return handling.label, self.hold, self.end - handling.tail


class _Newer(NamedTuple):
    match: OpenMatch
    before: _Newer | None


class Pile(NamedTuple):
    """A pattern's open matches, of which there is one at least: the `old` ones from `begin` to
    `end`, of which there is one, too, and those that are `newer`, the newest first. Text waits for
    `waiting` of them, those that are not written."""

    old: Sequence[OpenMatch]
    begin: int
    end: int
    newer: _Newer | None
    waiting: int

    @property
    def first(self) -> OpenMatch:
        """The oldest match."""
        return self.old[self.begin]

    @property
    def last(self) -> OpenMatch:
        """The newest match."""
        return self.old[self.end - 1] if self.newer is None else self.newer.match

    def without_first(self) -> Pile | None:
        """The pile without its oldest match; None if that was all."""
        if self.begin + 1 == self.end:
            return piled(list(self._newest_first())[-2::-1])
        waiting = self.waiting - (not self.first.written)
        return self._replace(begin=self.begin + 1, waiting=waiting)

    def without_last(self) -> Pile | None:
        """The pile without its newest match; None if that was all."""
        waiting = self.waiting - (not self.last.written)
        if self.newer is not None:
            return self._replace(newer=self.newer.before, waiting=waiting)
        if self.begin + 1 == self.end:
            return None
        return self._replace(end=self.end - 1, waiting=waiting)

    def all(self) -> list[OpenMatch]:
        """The matches, the oldest first."""
        return list(self._newest_first())[::-1]

    def unwritten(self) -> list[OpenMatch]:
        """Those that text waits for, the oldest first; older ones, which have overflowed, are not
        come to."""
        found: list[OpenMatch] = []
        if self.waiting:
            for match in self._newest_first():
                if not match.written:
                    found.append(match)
                    if len(found) == self.waiting:
                        break
        return found[::-1]

    def wrote(self, matches: Collection[OpenMatch]) -> Pile | None:
        """The pile with some of its matches written."""
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
    return Pile(matches, 0, len(matches), None, waiting)


def put_on(pile: Pile | None, match: OpenMatch) -> Pile:
    """The pile with a match more."""
    if pile is None:
        return Pile((match,), 0, 1, None, int(not match.written))
    newer = _Newer(match, pile.newer)
    return Pile(pile.old, pile.begin, pile.end, newer, pile.waiting + (not match.written))
