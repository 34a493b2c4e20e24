"""How many ways a backtracking matcher, such as `regex`, may have to try for a whole text.

Such a matcher follows a choice only if the next character fits. So only the choices count that the
next character does not decide: `[a-z]*=` has none, `[a-z]{0,9}key` has ten. If they are few,
matching takes time that is linear in the text.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import combinations
from typing import NamedTuple

from guardstream.scan.regex.analysis import max_width, may_be_empty
from guardstream.scan.regex.ast import Alt, Atomic, Cat, Char, Group, Look, Node, Reference, Repeat
from guardstream.scan.regex.fragments import Told, told

MAX_WAYS = 256
"""Up to so many ways are few."""

MAX_REST = 64
"""How many characters may follow an unbounded repeat that has choices. The repeat has as many ways
as the text has characters, but each fails within the characters that follow."""

_ENDLESS = 17
"""The ways that such a repeat counts as: two in a row are too many."""

MAX_LEADING = 16
"""Up to so many ways are few if more than MAX_REST characters follow: each way may read them
all."""


class _TooManyError(Exception):
    """There may be too many ways."""


class _Next(NamedTuple):
    """What the next character may be, as fragments, and whether the text may end instead."""

    fragments: frozenset[str]
    ends: bool

    def meets(self, other: _Next) -> bool:
        """Whether the same text may begin both."""
        pairs = ((mine, its) for mine in self.fragments for its in other.fragments)
        return (self.ends and other.ends) or any(_meet(*sorted(pair)) for pair in pairs)

    def or_(self, other: _Next) -> _Next:
        return _Next(self.fragments | other.fragments, self.ends or other.ends)


_END = _Next(frozenset(), True)


def is_linear(tree: Node) -> bool:
    """Whether matching a whole text takes work in proportion to its length."""
    try:
        return _ways(tree, _END, 0) <= MAX_WAYS
    except _TooManyError:
        return False


def _ways(node: Node, after: _Next, rest: int | None) -> int:
    """In how many ways, at most, a text can match the node so that what comes `after` fits; up to
    `rest` characters follow. Raises _TooManyError."""
    match node:
        case Cat(items):
            return _in_a_row(items, after, rest)
        case Alt(items):
            each = [_ways(item, after, rest) for item in items]
            firsts = [_first(item, after) for item in items]
            meet = any(one.meets(other) for one, other in combinations(firsts, 2))
            return _few(sum(each) if meet else max(each, default=1))
        case Repeat():
            return _rounds(node, after, rest)
        case Group(item) | Atomic(item):
            return _ways(item, after, rest)
        case Look(item):
            if _is_long(max_width(item)):
                raise _TooManyError
            # A lookaround does not take the next character, so this has decided nothing yet.
            return _few(2 * _ways(item, _ANYTHING, 0))
        case Reference():
            raise _TooManyError
        case _:
            return 1


def _in_a_row(items: Sequence[Node], after: _Next, rest: int | None) -> int:
    """In how many ways nodes in a row can match."""
    found = leading = 1
    for item in reversed(items):
        if isinstance(item, Char):  # as most are
            rest = None if rest is None else rest + 1
            after = _first(item, after)
            continue
        ways = _ways(item, after, rest)
        found = _few(found * ways)
        if _is_long(rest):
            leading = _few(leading * ways, rest)
        width = max_width(item)
        rest = None if rest is None or width is None else rest + width
        after = _first(item, after)
    return found


def _rounds(node: Repeat, after: _Next, rest: int | None) -> int:
    """In how many ways a repeat can match."""
    item, low, high = node.item, node.low, node.high
    if high == 1:
        met = low == 0 and _first(item, after).meets(after)
        return _few(_ways(item, after, rest) + met)
    if may_be_empty(item):
        raise _TooManyError
    begins = _first(item, after)
    round_ = _ways(item, begins.or_(after), None)
    if round_ > 1:
        if high is None or high > MAX_WAYS:
            raise _TooManyError
        width = max_width(node)
        rounds = None if rest is None or width is None else rest + width
        return _few(sum(_few(round_**times) for times in range(low, high + 1)), rounds)
    if not begins.meets(after) or low == high:
        return 1
    if high is not None:
        return _few(high - low + 1)
    if _is_long(rest):
        raise _TooManyError
    return _ENDLESS


def _is_long(width: int | None) -> bool:
    return width is None or width > MAX_REST


def _few(ways: int, rest: int | None = 0) -> int:
    """The ways, if they are few before `rest` characters."""
    if ways > (MAX_LEADING if _is_long(rest) else MAX_WAYS):
        raise _TooManyError
    return ways


def _first(node: Node, after: _Next) -> _Next:
    """What the next character may be where the node begins."""
    match node:
        case Char(fragment):
            return _one_of(fragment)
        case Cat(items):
            for item in reversed(items):
                after = _first(item, after)
            return after
        case Alt(items):
            found = _Next(frozenset(), False)
            for item in items:
                found = found.or_(_first(item, after))
            return found
        case Repeat(item, low, high):
            if high == 0:
                return after
            begins = _first(item, after)
            return begins if low else begins.or_(after)
        case Group(item) | Atomic(item):
            return _first(item, after)
        case _:
            return after


@lru_cache(maxsize=4_096)
def _one_of(fragment: str) -> _Next:
    return _Next(frozenset((fragment,)), False)


_ANYTHING = _Next(frozenset((r"(?s:.)",)), True)


@lru_cache(maxsize=4_096)
def _meet(one: str, other: str) -> bool:
    """Whether two sets may have a character in common."""
    read = told(one), told(other)
    if read[0] is None or read[1] is None:
        return True
    both: Sequence[Told] = (read[0], read[1])
    return bool(both[0].folded & both[1].folded) or all(map(_goes_beyond, both))


def _goes_beyond(known: Told) -> bool:
    """Whether a set has characters of which the bits of `folded` say nothing."""
    return bool(known.kinds or known.ranges or known.negated or known.cased)
