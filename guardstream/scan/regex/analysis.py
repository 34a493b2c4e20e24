"""Questions about a pattern's tree: how wide it is, what it always captures, how it begins, and
whether its states depend on the spelling or the length of words."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Container
from dataclasses import replace
from functools import reduce
from typing import NamedTuple

from guardstream.errors import PatternError
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
from guardstream.scan.regex.rewrite import (
    captured,
    composed,
    fragments,
    has_choices,
    inside,
    referred,
    walk,
)

MANY = 1_000_000
"""Ways are not counted beyond that."""

MAX_OPTIONAL = 8
"""How many parts a row may have of which `never_empty` makes a choice."""

_LETTER = re.compile(r"(?:\(\?\w+:)?[^\W\d_]\)?")
"""A fragment that is one letter, whatever its flags."""


def min_width(node: Node) -> int:
    """The fewest characters that the node can match."""
    match node:
        case Char():
            return 1
        case Cat(items):
            return sum([1 if isinstance(item, Char) else min_width(item) for item in items])
        case Alt(items):
            return min(map(min_width, items), default=0)
        case Repeat(item, low):
            return low * min_width(item)
        case Group(item) | Atomic(item):
            return min_width(item)
        case _:
            return 0


def may_be_empty(node: Node) -> bool:
    """Whether the node can match without a character: whether its `min_width` is 0."""
    match node:
        case Char():
            return False
        case Cat(items):
            return all(map(may_be_empty, items))
        case Alt(items):
            return not items or any(map(may_be_empty, items))
        case Repeat(item, low):
            return low == 0 or may_be_empty(item)
        case Group(item) | Atomic(item):
            return may_be_empty(item)
        case _:
            return True


def never_empty(node: Node) -> Node | None:
    """What a node that may be empty matches otherwise, in the same order of preference: `ab?|b` of
    `a?b?`.

    None if it does not prefer everything else to being empty, or may be empty only in some places.
    """
    match node:
        case Cat(items) if 0 < len(items) <= MAX_OPTIONAL:
            ways: list[Node] = []
            for index, item in enumerate(items, 1):
                way = never_empty(item)
                if way is None:
                    return None
                ways.append(Cat((way, *items[index:])) if items[index:] else way)
            return Alt(tuple(ways))
        case Alt(items) if items and not any(map(may_be_empty, items[:-1])):
            last = never_empty(items[-1])
            return None if last is None else Alt((*items[:-1], last))
        case Repeat(item, _, high, False) if high != 0:
            some_round = never_empty(item) if may_be_empty(item) else item
            if some_round is None or high == 1:
                return some_round
            return Repeat(some_round, 1, high, lazy=False)
        case Group(item, number):
            some_item = never_empty(item)
            return None if some_item is None else Group(some_item, number)
        case _:
            return None


def reading_rounds(node: Repeat, kept: Collection[int]) -> Node | None:
    """A counter that requires rounds, with rounds that all read something: of X{2,3} it is Y{0,3},
    where Y is X that reads something. In X{2,3} itself each place leads to all rounds after it.

    None if no round may be empty, if it matters which of them are, or if a group that is `kept` is
    in the counter.
    """
    if node.low < 2 or not may_be_empty(node.item) or not captured(node).isdisjoint(kept):
        return None
    some = never_empty(node.item)
    if some is None or not node.lazy:
        return some and replace(node, item=some, low=0)
    # Only the rounds that are not required are few if possible.
    more = None if node.high is None else node.high - node.low
    required = Repeat(some, 0, node.low, lazy=False)
    return Cat((required, Repeat(some, 0, more, lazy=True)))


def max_width(node: Node) -> int | None:
    """The most characters that the node can match; None without bound."""
    match node:
        case Char():
            return 1
        case Reference():
            return None
        case Cat(items) | Alt(items):
            widths = []
            for item in items:
                width = 1 if isinstance(item, Char) else max_width(item)
                if width is None:
                    return None
                widths.append(width)
            return sum(widths) if isinstance(node, Cat) else max(widths, default=0)
        case Repeat(item, _, high):
            inside = max_width(item)
            if inside == 0 or high == 0:
                return 0
            return None if high is None or inside is None else high * inside
        case Group(item) | Atomic(item):
            return max_width(item)
        case _:
            return 0


def firsts(node: Node) -> int:
    """At how many places the node may read its first character."""
    match node:
        case Char() | Reference():
            return 1
        case Cat(items):
            count = 0
            for item in items:
                count += firsts(item)
                if not may_be_empty(item):
                    break
            return count
        case Alt(items):
            return sum(map(firsts, items))
        case Repeat(item, low):
            return firsts(item) * (low if low > 1 and may_be_empty(item) else 1)
        case Group(item) | Atomic(item):
            return firsts(item)
        case _:
            return 0


class _Asks(NamedTuple):
    """About how many ways, each asking for different lookaheads, lead through a node without a
    character being read: through all of it, up to its first character, after its last, and, at
    most, between two."""

    past: int
    before: int = 0
    after: int = 0
    most: int = 1

    def then(self, other: _Asks) -> _Asks:
        """The same of two nodes in a row."""
        return _Asks(
            min(self.past * other.past, MANY),
            min(max(self.before, self.past * other.before), MANY),
            min(max(other.after, self.after * other.past), MANY),
            min(max(self.most, other.most, self.after * other.before), MANY),
        )


_READS = _Asks(0, 1, 1)
_LOOKS = _Asks(1)
_NEVER = _Asks(0)


def asking_ways(node: Node, *, commits: bool = False) -> int:
    """About how many ways, each asking for different lookaheads, lead from one character to the
    next in a node, at most. `commits`: it is in an atomic part, which needs a lookahead wherever it
    keeps a way.

    There are no more ways than sets of lookaheads.
    """
    looks = guards(node) if commits else 0
    for part in {part for part in walk(node) if isinstance(part, (Look, Atomic))}:
        if isinstance(part, Look):
            looks += part.ahead
        elif not is_untold(part):
            looks += guards(part.item)
    sets = 1 << min(looks, MANY.bit_length())
    return sets if sets == 1 else min(max(_asks(node, commits=commits)), sets)


def guards(node: Node) -> int:
    """How many lookaheads an atomic part needs to choose between its ways."""
    match node:
        case Char() | Atomic():
            return 0
        case Alt(items):
            return len(items) - 1 + sum(map(guards, items))
        case Repeat(item, low, high):
            rounds = max(low, 1) if high is None else high
            return rounds * guards(item) + (1 if high is None else high - low)
        case _:
            return sum(map(guards, inside(node)))


def _asks(node: Node, *, commits: bool) -> _Asks:
    """See `_Asks`. In an atomic part (`commits`), each way asks for something else."""
    match node:
        case Char():
            return _READS
        case Cat(items):
            return reduce(_Asks.then, (_asks(item, commits=commits) for item in items), _LOOKS)
        case Alt(items):
            ways = [_asks(item, commits=commits) for item in items]
            past, before, after, most = zip(*(ways or [_NEVER]), strict=True)
            all_past = sum(past) if commits or _may_ask(node) else max(past)
            return _Asks(all_past, max(before), max(after), max(most))
        case Repeat(item, low, high):
            once = _asks(item, commits=commits)
            differ = commits or _may_ask(item)
            all_ = _asks_in_rounds(once, low)
            if high == low:
                return all_
            more = once._replace(past=1 + once.past if differ else 1)
            return all_.then(more if high == low + 1 else more.then(once._replace(past=1)))
        case Group(item):
            return _asks(item, commits=commits)
        case Atomic(item):
            return _asks(item, commits=asks_in_each_way(item) and not is_untold(node))
        case Look(item):
            return _LOOKS._replace(most=max(_asks(item, commits=False)))
        case _:
            return _LOOKS


def _asks_in_rounds(once: _Asks, count: int) -> _Asks:
    """The same of so many rounds in a row."""
    if count < 3:
        return reduce(_Asks.then, count * [once], _LOOKS)
    between = once._replace(past=int(min(once.past ** (count - 2), MANY)))
    return once.then(between).then(once)


def asks_in_each_way(node: Node) -> bool:
    """Whether an atomic part asks for something else in each of its ways. Without assertions, ways
    after one that reads nothing are never taken."""
    return any(isinstance(part, (Look, Assert, Atomic)) for part in walk(node))


def _may_ask(node: Node) -> bool:
    return any(isinstance(part, (Look, Atomic)) for part in walk(node))


def repeats_empty(node: Node) -> bool:
    """Whether the node has several optional rounds that may be empty."""
    match node:
        case Repeat(item, low, high):
            return (high is None or high - low > 1) and may_be_empty(item)
    return False


def is_untold(node: Node) -> bool:
    """Whether an automaton can only approximate the node, since it has back-references, or atomic
    parts in which rounds may be empty."""
    for part in walk(node):
        match part:
            case Reference():
                return True
            case Atomic(item) if has_choices(item) and any(map(repeats_empty, walk(item))):
                return True
    return False


def spells(node: Node, count: int) -> bool:
    """Whether the node tells so many letters apart from all others."""
    found = set()
    for fragment in fragments(node):
        if fragment not in found and _LETTER.fullmatch(fragment):
            found.add(fragment)
        if len(found) >= count:
            return True
    return False


def counts(node: Node, is_any_letter: Callable[[str], bool]) -> int:
    """How many letters a match may begin with, whichever these are. `is_any_letter` says whether a
    character's fragment may be any letter."""
    return _counts(node, is_any_letter)[0]


def _counts(node: Node, is_any_letter: Callable[[str], bool]) -> tuple[int, bool]:
    """How many letters are counted in the node, and whether more may follow after it."""
    match node:
        case Char(fragment):
            found = is_any_letter(fragment)
            return int(found), found
        case Cat(items):
            counted = 0
            for item in items:
                more, goes_on = _counts(item, is_any_letter)
                counted += more
                if not goes_on:
                    return counted, False
            return counted, True
        case Alt(items):
            ways = [_counts(item, is_any_letter) for item in items]
            return max([0, *(way[0] for way in ways)]), any(way[1] for way in ways)
        case Repeat(item, low, high):
            counted, goes_on = _counts(item, is_any_letter)
            if not goes_on:
                return counted, low == 0
            # An unbounded repeat counts as often as it must be repeated.
            return counted * (max(low, 1) if high is None else high), True
        case Group(item) | Atomic(item):
            return _counts(item, is_any_letter)
        case _:
            return 0, isinstance(node, Look | Assert)


def look_behind(node: Node, known: Container[int] = ()) -> int:
    """How many characters before a match its lookbehinds read, not counting those that are `known`.
    Unbounded ones are refused."""
    match node:
        case Char():  # as most are
            return 0
        case _ if known and id(node) in known:
            return 0
        case Assert():
            return 1
        case Look(item, False):
            check_lookbehind(node)
            width = max_width(item)
            if width is None:
                message = "an unbounded lookbehind needs the whole text before it"
                raise PatternError(rf"{message}; give its repeats a bound, such as \s{{1,8}}")
            return width + look_behind(item)
        case _:
            return max([look_behind(part, known) for part in composed(node)], default=0)


def check_lookbehind(look: Look) -> None:
    """Refuse a lookbehind that looks past its end, where it must be decided, or that would match
    otherwise if it were read from its beginning. Raises PatternError."""
    if _looks_beyond(look.item):
        message = "a lookbehind that looks ahead is not supported"
        raise PatternError(f"{message}; put the assertion after it")
    if not referred(look.item).isdisjoint(captured(look.item)):
        message = "a lookbehind with a back-reference to its own group is not supported"
        raise PatternError(f"{message}; write out the texts that it may be")


def look_ahead(node: Node) -> int | None:
    """How many characters after a match it reads: in lookaheads, or in what an atomic group takes
    and keeps; None without bound."""
    match node:
        case Atomic():
            return None
        case Look(item, True, _):
            width, inside = max_width(item), look_ahead(item)
            return None if width is None or inside is None else width + inside
        case Cat(items) | Alt(items):
            known = [look_ahead(item) for item in items]
            return None if None in known else max([0, *(each for each in known if each)])
        case Repeat(item) | Group(item):
            return look_ahead(item)
        case Assert():
            return 1
        case _:
            return 0


def _looks_beyond(node: Node) -> bool:
    """Whether the answer may depend on what comes after the node's own characters."""
    match node:
        case Look(item, ahead, _):
            return ahead or _looks_beyond(item)
        case Assert(kind):
            return kind not in ("start", "line_start")
        case Cat(items):
            for item in reversed(items):
                if _looks_beyond(item):
                    return True
                if not may_be_empty(item):
                    return any(_has_lookahead(item) for item in items)
            return False
        case Alt(items):
            return any(map(_looks_beyond, items))
        case Atomic(item):
            # The way that it prefers may reach further than the way that it takes.
            return has_choices(item) or _looks_beyond(item)
        case Repeat(item) | Group(item):
            return _looks_beyond(item)
        case _:
            return False


def _has_lookahead(node: Node) -> bool:
    match node:
        case Look(item, ahead, _):
            return ahead or _has_lookahead(item)
        case Cat(items) | Alt(items):
            return any(map(_has_lookahead, items))
        case Repeat(item) | Group(item) | Atomic(item):
            return _has_lookahead(item)
        case _:
            return False


def always_captures(node: Node, group: int) -> bool:
    """Whether every match passes through the group."""
    match node:
        case Group(item, number):
            return number == group or always_captures(item, group)
        case Cat(items):
            return any(always_captures(item, group) for item in items)
        case Alt(items):
            return all(always_captures(item, group) for item in items)
        case Repeat(item, low):
            return low > 0 and always_captures(item, group)
        case Atomic(item):
            return always_captures(item, group)
        case _:
            return False


def fixed_tail(node: Node, group: int) -> int | None:
    """How many characters follow the group in every match; None if that differs, or if the group
    may be captured more than once."""
    match node:
        case Group(item, number) if number == group:
            return None if _contains(item, group) else 0
        case Group(item):
            return fixed_tail(item, group)
        case Cat(items):
            inside = [index for index, item in enumerate(items) if _contains(item, group)]
            if len(inside) != 1:
                return None
            tail = fixed_tail(items[inside[0]], group)
            after = Cat(items[inside[0] + 1 :])
            width = min_width(after)
            return None if tail is None or max_width(after) != width else tail + width
        case Alt(items):
            tails = {fixed_tail(item, group) for item in items}
            return tails.pop() if len(tails) == 1 else None
        case _:
            return None


def tail_after(node: Node, group: int) -> Node | None:
    """What follows the group in every match; None if that differs from way to way, or if the group
    may be captured more than once."""
    match node:
        case Group(item, number) if number == group:
            return None if _contains(item, group) else Cat(())
        case Group(item):
            return tail_after(item, group)
        case Cat(items):
            inside = [index for index, item in enumerate(items) if _contains(item, group)]
            tail = tail_after(items[inside[0]], group) if len(inside) == 1 else None
            return None if tail is None else Cat((tail, *items[inside[0] + 1 :]))
        case _:
            return None


def _contains(node: Node, group: int) -> bool:
    if isinstance(node, Char):
        return False
    return any(part.number == group for part in walk(node) if isinstance(part, Group))
