"""Rewrites lookbehinds so that they can be followed from their beginning, as text arrives.

`regex` tries a lookbehind's ways from its end, which decides what an atomic part in it keeps.
"""

from __future__ import annotations

from collections.abc import Container
from itertools import islice
from operator import is_not

from guardstream.errors import PatternError
from guardstream.scan.regex.analysis import may_be_empty
from guardstream.scan.regex.ast import Alt, Assert, Atomic, Cat, Char, Group, Look, Node, Repeat
from guardstream.scan.regex.rewrite import captured, has_choices, inside, walk, with_inside

MAX_WAYS = 64
"""In how many ways an atomic part of a lookbehind may match, as all of them are written out."""

MAX_PARTS = 20_000
"""How many parts these ways may have in all: each way contains all ways before it, and so do
atomic parts inside it."""

_TOO_MANY = (
    "an atomic part of a lookbehind may match in too many ways; "
    "lower its counters, or leave out what makes it atomic"
)


def read_forwards(tree: Node, known: Container[int] = ()) -> Node:
    """The tree with lookbehinds that can be followed from their beginning. Those that are `known`
    can already. Raises PatternError if an atomic part matches in too many ways."""
    behind = _lookbehinds(tree, known)
    if any(map(_has_atomic_parts, behind)):
        tree = _written(tree, False, False)
        behind = _lookbehinds(tree, known)
    return _with_edges_outside(tree) if any(map(_parted_ways, behind)) else tree


def _lookbehinds(tree: Node, known: Container[int]) -> list[Look]:
    return [part for part in walk(tree, known) if isinstance(part, Look) and not part.ahead]


# Assertions at the end of a lookbehind, about the text after it


def _with_edges_outside(node: Node) -> Node:
    """The node with the assertions at the ends of its lookbehinds moved out of them, since they are
    about the same place: `(?<=x\\b)` is `(?<=x)\\b`, and `(?<!x\\b)` is `(?!(?<=x)\\b)`."""
    parts = inside(node)
    mended = tuple(p if isinstance(p, Char) else _with_edges_outside(p) for p in parts)
    if any(map(is_not, mended, parts)):
        node = with_inside(node, mended)
    if not isinstance(node, Look) or node.ahead or not (parted := _parted_ways(node)):
        return node
    looks = tuple(Cat((Look(rest, False, False), *edges)) for rest, edges in parted)
    return Look(Alt(looks), True, True) if node.negate else Alt(looks)


def _parted_ways(look: Look) -> list[tuple[Node, tuple[Node, ...]]]:
    """The ways of a lookbehind, each split from the assertions at its end; empty if none has
    any."""
    ways = look.item.items if isinstance(look.item, Alt) else (look.item,)
    parted = [_parted(way) for way in ways]
    has_edges = any(edges for _, edges in parted)
    return parted if has_edges and not captured(look) else []


def _parted(node: Node) -> tuple[Node, tuple[Node, ...]]:
    """The node without the assertions at its end about what follows, and these assertions."""
    match node:
        case Look(_, True) | Assert("end" | "line_end" | "word" | "not_word"):
            return Cat(()), (node,)
        case Cat(items) if items:
            rest, edges = _parted(items[-1])
            if rest == Cat(()):
                before, more = _parted(Cat(items[:-1]))
                return before, (*more, *edges)
            return Cat((*items[:-1], rest)), edges
        case _:
            return node, ()


# Atomic parts


def _has_atomic_parts(node: Node) -> bool:
    return any(isinstance(part, Atomic) for part in walk(node))


def _written(node: Node, behind: bool, first: bool) -> Node:
    """The node rewritten, if it is in a lookbehind (`behind`), perhaps as its `first` part.

    An atomic part keeps the first of its ways that end where it does: `(?<=x(?>ab|b))` is
    `(?<=x(?:ab|b(?<!ab)))`. The first part of a lookbehind may as well not be atomic, as nothing is
    tried after it.
    """
    match node:
        case Char() | Assert():
            return node
        case Look(item, ahead, negate):
            return Look(_written(item, not ahead, not ahead), ahead, negate)
        case Atomic(item) if behind:
            item = _written(item, True, first)
            return item if first or not has_choices(item) else _first_kept(item)
        case Cat(items):
            begin = [_written(item, behind, first) for item in items[:1]]
            return Cat((*begin, *(_written(item, behind, False) for item in items[1:])))
        case Repeat():
            first = False
    return with_inside(node, tuple([_written(part, behind, first) for part in inside(node)]))


def _first_kept(node: Node) -> Node:
    """The ways of an atomic part, each only if none before it ends at the same place."""
    first, *others = ways = _ways(node)
    kept = [
        Cat((way, Look(Alt(tuple(map(_without_groups, ways[:number]))), False, True)))
        for number, way in enumerate(others, 1)
    ]
    made = Alt((first, *kept))
    if any(True for _ in islice(walk(made), MAX_PARTS, None)):
        raise PatternError(_TOO_MANY)
    return made


def _ways(node: Node) -> list[Node]:
    """The ways in which a node may match, in the order in which they are tried from its end."""
    if not has_choices(node):
        return [node]
    match node:
        case Alt(items):
            found = [way for item in items for way in _ways(item)]
        case Cat(items):
            found = [Cat(())]
            for item in reversed(items):
                ways = _ways(item)
                found = _few([Cat((way, later)) for later in found for way in ways])
        case Group(item, number):
            found = [Group(way, number) for way in _ways(item)]
        case Repeat(item, low, int(high), lazy) if high < 2 or not may_be_empty(item):
            ways, found = _ways(item), [Cat(())]
            for rounds in reversed(range(high)):
                enough: list[Node] = [Cat(())] if rounds >= low else []
                more: list[Node] = [Cat((later, way)) for way in ways for later in found]
                found = _few([*enough, *more] if lazy else [*more, *enough])
        case _:
            raise PatternError(_TOO_MANY)
    return _few(found)


def _few(ways: list[Node]) -> list[Node]:
    if len(ways) > MAX_WAYS:
        raise PatternError(_TOO_MANY)
    return ways


def _without_groups(node: Node) -> Node:
    """The node without its captures, for use in a second place."""
    if isinstance(node, Group):
        return _without_groups(node.item)
    return with_inside(node, tuple(map(_without_groups, inside(node))))
