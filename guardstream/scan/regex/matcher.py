"""Matches one pattern at one offset: for captures, and for back-references.

It tries the ways of a pattern in order of preference, as `regex` does. It never takes the same step
at the same offset twice, unless the captures that back-references need differ, or the rounds of a
large counter. So without back-references and large counters its work is linear. The caller pays for
each step, and may refuse.

The C extension does the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from functools import lru_cache, partial
from itertools import groupby
from typing import NamedTuple, Protocol, TypeAlias

import regex

from guardstream.scan.regex.analysis import max_width, may_be_empty, min_width, reading_rounds
from guardstream.scan.regex.ast import (
    Alt,
    Assert,
    Atomic,
    Cat,
    Char,
    Group,
    Look,
    Node,
    Reference,
    Repeat,
)
from guardstream.scan.regex.nfa import is_larger
from guardstream.scan.regex.rewrite import captured, referred


class Budget(Protocol):
    """What pays for steps."""

    def left(self) -> int:
        """How many steps can be paid for."""
        ...

    def pay(self, steps: int) -> None:
        """Pay for steps; raises where they are too many."""
        ...


class Found(NamedTuple):
    """A match from where it was looked for: its end, and the captures of the masked group that are
    not empty, in order."""

    end: int
    spans: list[tuple[int, int]]


class _Members(dict[str, bool]):
    """Which characters are in a set, as far as they have been asked for."""

    def __init__(self, fragment: str) -> None:
        self._fragment = fragment

    def __missing__(self, character: str) -> bool:
        inside = is_in(self._fragment, character)
        if len(self) < MAX_MEMBERS:
            self[character] = inside
        return inside


@lru_cache(4_096)
def _members(fragment: str) -> _Members:
    return _Members(fragment)


class _Fitting(dict[str, tuple["Step", ...]]):
    """Which of many ways fit a character, the last first; remembered for each character. Ways in a
    row that do not fit are replaced by one FAILED step, which costs as much as they would."""

    def __init__(self, ways: Sequence[Step]) -> None:
        self._ways = ways[::-1]

    def __missing__(self, character: str) -> tuple[Step, ...]:
        fitting: list[Step] = []
        for fits, ways in groupby(self._ways, partial(_fits, character)):
            together = list(ways)
            fitting += together if fits else [Step(Kind.FAILED, number=len(together))]
        found = tuple(fitting)
        if len(self) < MAX_MEMBERS:
            self[character] = found
        return found


def _fits(character: str, way: Step) -> bool:
    return way.kind is not Kind.CHAR or way.members[character]


class Kind(Enum):
    """What a step does."""

    CHAR = auto()
    SPLIT = auto()
    FAILED = auto()
    COUNT = auto()
    OPEN = auto()
    CLOSE = auto()
    REFERENCE = auto()
    ASSERT = auto()
    LOOK = auto()
    ATOMIC = auto()
    MATCH = auto()


@dataclass(slots=True, eq=False)
class Step:
    """A step of the pattern. `after`: the next step. `ways`: choices. `node`: the part of the tree
    that it was made of. `aside`: the first step inside a lookaround or an atomic group. `number`: a
    group's or a counter's, or how many ways have failed. `fitting`: where there are many ways,
    those that fit a character. A lookbehind reads from `least` to `most` characters; None is
    unbounded."""

    kind: Kind
    node: Node | None = None
    after: Step | None = None
    ways: tuple[Step, ...] = ()
    aside: Step | None = None
    number: int = 0
    members: Mapping[str, bool] = field(default_factory=dict)
    fitting: _Fitting | None = None
    least: int = 0
    most: int | None = 0


class _Captures(NamedTuple):
    """What a way has captured, as a list linked from the newest back: a group's number, where its
    text starts and ends, and the `rest`. An open group has the end _OPEN."""

    number: int
    start: int
    end: int
    rest: _Captures | None


_OPEN = -1


class _Rounds(NamedTuple):
    """A counter that a way is in: its number, how many `times` a round has begun, where the last
    one did, and with which captures; and the rounds of the counter around it."""

    number: int
    times: int
    begun: int
    captures: _Captures | None
    around: _Rounds | None


_Pending: TypeAlias = "tuple[Step, int, _Captures | None, _Rounds | None]"
"""A step that is still to be tried, and at which offset."""

WRITTEN_OUT = 256
"""How many steps a counter may be written out to. A larger one is counted while it matches, which
takes longer a step."""

WITH_GROUP = 10_000
"""The same of a counter with the masked group in it: each opening of the group is a step then."""

PER_STEP = 16
"""So many characters that a back-reference compares cost one step, and so do so many captures that
are passed in looking for one."""

AT_ONCE = 64
"""How many steps are paid for at once."""

MANY = 4
"""If a choice has so many ways, those that fit the next character are looked up."""

MAX_MEMBERS = 1_000
"""How many characters are remembered of each set."""


@lru_cache(100_000)
def is_in(fragment: str, character: str) -> bool:
    """Whether a character is in the set that a fragment describes."""
    return _compiled(fragment).match(character) is not None


@lru_cache(4_096)
def _compiled(fragment: str) -> regex.Pattern[str]:
    return regex.compile(fragment, regex.V0)


class Matcher:
    """One pattern; `group` is the number of the group whose captures are asked for. Counters of up
    to `written_out` steps are written out in any case."""

    def __init__(self, tree: Node, group: int, written_out: int = 0) -> None:
        self.group = group
        self._written_out = max(written_out, WRITTEN_OUT)
        self.referred = referred(tree)
        self.counters = 0
        self._opens: list[Step] = []
        self.first = self._compile(tree, Step(Kind.MATCH))

    def match(self, text: str, start: int, from_start: bool, budget: Budget) -> Found | None:
        """The match at `start`, as `regex` finds it; `from_start` says that the text begins with
        the stream."""
        return self.run(Attempt(text, from_start, budget), start, None)

    def ends_at(
        self, text: str, start: int, end: int, from_start: bool, budget: Budget
    ) -> list[tuple[int, int]] | None:
        """What is masked of a match from `start` to `end`, even if `regex` would prefer another:
        nothing if the group has captured nothing; None if there is no such match."""
        found = self.run(Attempt(text, from_start, budget), start, end)
        if found is None:
            return None
        return found.spans if self.group else [(start, end)]

    def opened_at(
        self, text: str, hold: int, end: int, budget: Budget
    ) -> list[tuple[int, int]] | None:
        """What is masked of a match that ends at `end`, and whose group first opened at `hold`; for
        use if the text before `hold` is no longer kept. None if there is no such match."""
        for first in self._opens:
            found = self.run(Attempt(text, False, budget), hold, end, first)
            if found is not None:
                return found.spans
        return None

    def size(self) -> int:
        """How many steps the pattern has."""
        known, left = set[Step](), [self.first]
        while left:
            step = left.pop()
            if step not in known:
                known.add(step)
                left += [s for s in (*step.ways, step.after, step.aside) if s is not None]
        return len(known)

    def can_go_on(self, text: str, start: int, from_start: bool, budget: Budget) -> bool:
        """Whether more text could complete a match that began at `start`."""
        attempt = Attempt(text, from_start, budget)
        self.run(attempt, start, len(text) + 1)
        return attempt.ran_out

    def run(
        self, attempt: Attempt, start: int, end: int | None, first: Step | None = None
    ) -> Found | None:
        """The match at `start`, or from the step `first` on, which must end at `end` if given."""
        found = self._matched(attempt, first or self.first, start, None, end)
        if found is None:
            return None
        spans = []
        position, captures = found
        while captures is not None:
            if captures.number == self.group and captures.start < captures.end:
                spans.append((captures.start, captures.end))
            captures = captures.rest
        return Found(position, spans[::-1] if self.group else [])

    # Running

    def _matched(  # noqa: C901 - the loop that all time is spent in
        self, attempt: Attempt, first: Step, start: int, captures: _Captures | None, end: int | None
    ) -> tuple[int, _Captures | None] | None:
        """The first way that matches, which must end at `end` if that is given."""
        text, seen, varies = attempt.text, set(), bool(self.referred or self.counters)
        length = len(text)
        pending: list[_Pending] = [(first, start, captures, None)]
        steps = 0  # since some were paid for
        while pending:
            step, at, captures, rounds = pending.pop()
            kind = step.kind
            known = self._known(attempt, captures, rounds, at) if varies else None
            key = step, at, known
            if key in seen:
                continue
            seen.add(key)
            steps += 1
            if steps >= AT_ONCE:
                attempt.budget.pay(steps)
                steps = 0
            if kind is Kind.CHAR and at < length:
                if step.members[text[at]] and step.after is not None and at != end:
                    pending.append((step.after, at + 1, captures, rounds))
                continue
            if kind is Kind.SPLIT:
                if step.fitting is None or at == length:
                    ways: Sequence[Step] = step.ways[::-1]
                else:
                    ways = step.fitting[text[at]]
                pending += [(way, at, captures, rounds) for way in ways]
                continue
            if kind is Kind.FAILED:
                steps += step.number - 1
                continue
            if kind is Kind.COUNT:
                pending += self._counted_on(step, at, captures, rounds)[::-1]
                continue
            if kind is Kind.MATCH:
                if end is None or at == end:
                    attempt.budget.pay(steps)
                    return at, captures
                continue
            after = self._taken(attempt, step, at, captures)
            if after is not None and step.after is not None and (end is None or after[0] <= end):
                pending.append((step.after, *after, rounds))
        attempt.budget.pay(steps)
        return None

    def _known(
        self, attempt: Attempt, captures: _Captures | None, rounds: _Rounds | None, at: int
    ) -> tuple[tuple[int, ...], ...]:
        """All that may change how a step goes on: the captures of groups that are referred to, and
        of the counters around the step the rounds, and whether the last is empty so far."""
        known: dict[tuple[int, bool], tuple[int, ...]] = {}
        found, missing = captures, len(self.referred)
        passed = depth = 0
        while found is not None and missing:
            number, start, end, found = found
            # What a group captured before still counts while it is open.
            key = number, end == _OPEN
            if key not in known and number in self.referred:
                known[key] = number, start, end
                if not key[1]:
                    missing -= 1
                    passed += depth
            depth += 1
        attempt.budget.pay((passed + missing * depth) // PER_STEP)
        told = sorted(known.values())
        while rounds is not None:
            told.append((rounds.times, self._is_empty(rounds, captures, at)))
            rounds = rounds.around
        return tuple(told)

    def _is_empty(self, rounds: _Rounds, captures: _Captures | None, at: int) -> bool:
        """Whether a counter's last round, now at `at`, has read nothing so far, and has not changed
        a capture that is referred to."""
        if rounds.begun != at:
            return False
        while captures is not None and captures is not rounds.captures:
            if captures.number in self.referred and captures.end != _OPEN:
                before = captures.rest
                while before is not None and (
                    before.number != captures.number or before.end == _OPEN
                ):
                    before = before.rest
                if before is None or before[1:3] != captures[1:3]:
                    return False
            captures = captures.rest
        return True

    def _counted_on(
        self, step: Step, at: int, captures: _Captures | None, rounds: _Rounds | None
    ) -> list[_Pending]:
        """What a counter leads to, in order of preference: another round, and what comes after it.
        As in `regex`, an optional round that was empty is the last."""
        node, number, after = step.node, step.number, step.after
        assert isinstance(node, Repeat)
        assert after is not None
        count, around, ends = 0, rounds, False
        if rounds is not None and rounds.number == number:
            count, around = rounds.times, rounds.around
            ends = count > node.low and self._is_empty(rounds, captures, at)
        ways: list[_Pending] = []
        if not ends and (node.high is None or count < node.high):
            # Without an upper bound, it only matters whether there have been enough rounds.
            more = count + 1 if node.high is not None else min(count, node.low) + 1
            ways.append((step.ways[0], at, captures, _Rounds(number, more, at, captures, around)))
        if count >= node.low:
            ways.append((after, at, captures, around))
        return ways[::-1] if node.lazy else ways

    def _taken(
        self, attempt: Attempt, step: Step, at: int, captures: _Captures | None
    ) -> tuple[int, _Captures | None] | None:
        """Where the step leads, None if it fails."""
        node = step.node
        match step.kind:
            case Kind.CHAR:
                # Others are taken in `_matched`.
                attempt.ran_out = True
                return None
            case Kind.OPEN:
                return at, _Captures(step.number, at, _OPEN, captures)
            case Kind.CLOSE:
                return at, _closed(captures, step.number, at)
            case Kind.REFERENCE:
                assert isinstance(node, Reference)
                return self._repeated(attempt, node, at, captures)
            case Kind.ATOMIC:
                assert step.aside is not None
                return self._matched(attempt, step.aside, at, captures, None)
            case Kind.LOOK:
                return self._looked(attempt, step, at, captures)
            case _:
                assert isinstance(node, Assert)
                return (at, captures) if attempt.holds(node, at) else None

    @staticmethod
    def _repeated(
        attempt: Attempt, node: Reference, at: int, captures: _Captures | None
    ) -> tuple[int, _Captures | None] | None:
        """Read what the group last captured once more."""
        found = captures
        while found is not None and (found.number != node.number or found.end == _OPEN):
            found = found.rest
        if found is None:
            return None
        length = found.end - found.start
        alike = _alike(attempt.text, node, found.start, at, length)
        attempt.budget.pay(alike // PER_STEP)
        if alike == length:
            return at + length, captures
        attempt.ran_out |= at + alike == len(attempt.text)
        return None

    def _looked(
        self, attempt: Attempt, step: Step, at: int, captures: _Captures | None
    ) -> tuple[int, _Captures | None] | None:
        """Where a lookaround leads: on from `at` with what it has captured, None if it fails."""
        node = step.node
        assert isinstance(node, Look)
        assert step.aside is not None
        if node.ahead:
            found = self._matched(attempt, step.aside, at, captures, None)
        else:
            most, found = at if step.most is None else min(step.most, at), None
            for width in range(step.least, most + 1):
                found = self._matched(attempt, step.aside, at - width, captures, at)
                if found is not None:
                    break
        if node.negate:
            return (at, captures) if found is None else None
        return None if found is None else (at, found[1])

    # Compiling: each case takes the step after a node and returns the node's first step

    def _compile(self, node: Node, after: Step) -> Step:  # noqa: C901 - one case a kind
        match node:
            case Char():
                return Step(Kind.CHAR, node, after, members=_members(node.fragment))
            case Cat(items):
                for item in reversed(items):
                    after = self._compile(item, after)
                return after
            case Alt(items):
                ways = tuple(self._compile(item, after) for item in items)
                alone = after not in ways and len(ways) >= MANY
                return Step(Kind.SPLIT, ways=ways, fitting=_Fitting(ways) if alone else None)
            case Repeat():
                return self._repeat(node, after)
            case Group(item, number):
                return self._grouped(item, number, after)
            case Atomic(item):
                aside = self._compile(item, Step(Kind.MATCH))
                return Step(Kind.ATOMIC, node, after, aside=aside)
            case Look():
                return self._looking(node, after)
            case Reference():
                return Step(Kind.REFERENCE, node, after)
            case Assert():
                return Step(Kind.ASSERT, node, after)

    def _looking(self, node: Look, after: Step) -> Step:
        step = Step(Kind.LOOK, node, after, aside=self._compile(node.item, Step(Kind.MATCH)))
        if not node.ahead:
            step.least, step.most = min_width(node.item), max_width(node.item)
        return step

    def _grouped(self, item: Node, number: int, after: Step) -> Step:
        if number != self.group and number not in self.referred:
            return self._compile(item, after)
        closed = Step(Kind.CLOSE, after=after, number=number)
        opened = Step(Kind.OPEN, after=self._compile(item, closed), number=number)
        if number == self.group:
            self._opens.append(opened)
        return opened

    def _repeat(self, node: Repeat, after: Step) -> Step:
        reading = reading_rounds(node, (self.group, *self.referred))
        if reading is not None:
            return self._compile(reading, after)
        end, low, high = after, node.low, node.high
        if high is None:
            if may_be_empty(node.item):
                after = self._counted(replace(node, low=0), after)
            else:
                loop = Step(Kind.SPLIT)
                inside = self._compile(node.item, loop)
                loop.ways = (end, inside) if node.lazy else (inside, end)
                after = loop
            high = low
        most = WITH_GROUP if self.group in captured(node) else self._written_out
        if high > 1 and is_larger(node, most):
            return self._counted(replace(node, high=high), after)
        if high - low > 1 and may_be_empty(node.item):
            after, high = self._counted(replace(node, low=0, high=high - low), after), low
        for _ in range(high - low):
            inside = self._compile(node.item, after)
            ways = (end, inside) if node.lazy else (inside, end)
            after = Step(Kind.SPLIT, ways=ways)
        for _ in range(low):
            after = self._compile(node.item, after)
        return after

    def _counted(self, node: Repeat, after: Step) -> Step:
        self.counters += 1
        step = Step(Kind.COUNT, node, after, number=-self.counters)
        step.ways = (self._compile(node.item, step),)
        return step


def _alike(text: str, node: Reference, first: int, second: int, most: int) -> int:
    """How many characters in a row, at two places of a text, the reference takes for the same."""
    most = min(most, len(text) - second)
    for count in range(most):
        one, other = text[first + count], text[second + count]
        if one != other and not (node.ignore_case and is_in(node.alike(one), other)):
            return count
    return most


def _closed(captures: _Captures | None, number: int, at: int) -> _Captures | None:
    """The captures with the group's last opening closed."""
    newer: list[_Captures] = []
    opened = captures
    while opened is not None and not (opened.number == number and opened.end == _OPEN):
        newer.append(opened)
        opened = opened.rest
    if opened is None:
        return captures
    # Captures are shared with other ways, so those that are newer are copied.
    closed = opened._replace(end=at)
    for each in reversed(newer):
        closed = each._replace(rest=closed)
    return closed


class Attempt:
    """One attempt over one text; `ran_out` if some way asked for a character after its end."""

    def __init__(self, text: str, from_start: bool, budget: Budget) -> None:
        self.text = text
        self.budget = budget
        self.ran_out = False
        self.from_start = from_start

    def holds(self, node: Assert, at: int) -> bool:
        """Whether an assertion about the neighbours holds."""
        text = self.text
        start, end = at == 0 and self.from_start, at == len(text)
        if end and node.kind not in ("start", "line_start"):
            # It depends on whether a character comes after the text, and which.
            self.ran_out = True
        match node.kind:
            case "start":
                return start
            case "line_start":
                return start or text[at - 1 : at] == "\n"
            case "end":
                return end
            case "line_end":
                return end or text[at] == "\n"
            case _:
                before = at > 0 and is_in(node.word, text[at - 1])
                after = not end and is_in(node.word, text[at])
                return (before is not after) is (node.kind == "word")
