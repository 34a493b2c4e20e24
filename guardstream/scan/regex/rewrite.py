"""Rewrites a pattern's tree into one that an automaton can follow.

The result matches exactly the same, in the same order of preference. A back-reference to a group of
few texts becomes a choice between them: `(['"])x\\1` is `'x'|"x"`. A lazy beginning outside the
masked group is dropped, since it only widens the match.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import replace
from functools import cache
from itertools import islice

import regex

from guardstream.scan.regex.ast import (
    ANY,
    NEVER,
    Alt,
    Anchor,
    Assert,
    Atomic,
    Cat,
    Char,
    Group,
    Look,
    Node,
    Reference,
    Repeat,
    char,
    literal,
)
from guardstream.scan.regex.fragments import FOLDED, numbers, told

MAX_TEXTS = 64
"""How many texts a group may match for a reference to it to be written out."""

MAX_COPIES = 512
"""How many copies of parts a whole pattern may have once its references are written out."""

MAX_LEAD = 20
"""The longest lazy beginning that is followed; a longer one outside the masked group is dropped."""


class _NotFiniteError(Exception):
    """The group's texts cannot be written out, at all or at this place."""


def inside(node: Node) -> tuple[Node, ...]:
    """The parts that a node consists of."""
    # Matching classes takes longer, and all questions about a pattern ask this one.
    if isinstance(node, (Cat, Alt)):
        return node.items
    return (node.item,) if isinstance(node, (Repeat, Group, Atomic, Look)) else ()


def composed(node: Node) -> list[Node]:
    """The parts that a node consists of, without characters, which are the most frequent."""
    return [part for part in inside(node) if not isinstance(part, Char)]


def with_inside(node: Node, parts: tuple[Node, ...]) -> Node:
    """The node with other parts."""
    match node:
        case Cat() | Alt():
            return replace(node, items=parts)
        case Repeat() | Group() | Atomic() | Look():
            return replace(node, item=parts[0])
        case _:
            return node


def walk(node: Node, known: Container[int] = ()) -> Iterator[Node]:
    """The node and all that it consists of, without characters, which are the most frequent, and
    without nodes whose `id` is `known`."""
    left = [node]
    while left:
        node = left.pop()
        if known and id(node) in known:
            continue
        yield node
        left += [part for part in reversed(inside(node)) if not isinstance(part, Char)]


def fragments(node: Node) -> Iterator[str]:
    """The sets of all characters that the node consists of."""
    if isinstance(node, Char):
        yield node.fragment
    for each in walk(node):
        yield from (part.fragment for part in inside(each) if isinstance(part, Char))


def referred(node: Node) -> set[int]:
    """The numbers of the groups that back-references in the node name."""
    return {part.number for part in walk(node) if isinstance(part, Reference)}


def captured(node: Node) -> set[int]:
    """The numbers of the groups in the node."""
    return {part.number for part in walk(node) if isinstance(part, Group)}


_MIRRORED: dict[Anchor, Anchor] = {
    "start": "end",
    "end": "start",
    "line_start": "line_end",
    "line_end": "line_start",
}


def backwards(node: Node) -> Node:
    """The node for a text that is reversed, as `regex` reads lookbehinds: `(?<=a)bc` is `cb(?=a)`.
    It has no back-references."""
    match node:
        case Char():
            return node
        case Cat(items):
            return Cat(tuple(map(backwards, reversed(items))))
        case Look(item, ahead, negate):
            return Look(backwards(item), not ahead, negate)
        case Assert(kind):
            return replace(node, kind=_MIRRORED.get(kind, kind))
        case _:
            return with_inside(node, tuple(map(backwards, inside(node))))


# References


def without_references(tree: Node, stays: Callable[[Node], bool] = lambda _: False) -> Node:
    """The tree with each back-reference written out if its group has few texts; parts that must
    stay as they are keep theirs."""
    return _Writer(stays).written(tree)


class _Writer:
    """Writes references out; counts the copies that this makes."""

    def __init__(self, stays: Callable[[Node], bool]) -> None:
        self._stays = stays
        self._copies = 0

    def written(self, node: Node) -> Node:
        """The node with its references written out where possible."""
        if isinstance(node, Cat):
            return self._sequence(node.items)
        if self._stays(node):
            return node
        return with_inside(node, tuple(self.written(part) for part in inside(node)))

    def _sequence(self, items: tuple[Node, ...]) -> Node:
        for index, item in enumerate(items):
            names, rest = captured(item), items[index + 1 :]
            if names:
                names &= set().union(*map(referred, rest))
            for number in sorted(names):
                if any(number in captured(other) for other in rest):
                    continue
                try:
                    ways = self._ways(item, number)
                except _NotFiniteError:
                    continue
                before = tuple(self.written(other) for other in items[:index])
                branches = [
                    self._sequence((way, *(_referring(other, number, text) for other in rest)))
                    for text, way in ways
                ]
                return Cat((*before, Alt(tuple(branches))))
        return Cat(tuple(self.written(item) for item in items))

    def _ways(self, node: Node, number: int) -> list[tuple[str | None, Node]]:
        """The node as a choice, in order of preference: each way with what the group captures in
        it, None if the way does not pass through the group."""
        ways = self._chosen(node, number)
        self._copies += len(ways)
        if self._copies > MAX_COPIES:
            raise _NotFiniteError
        return ways

    def _chosen(self, node: Node, number: int) -> list[tuple[str | None, Node]]:
        if number not in captured(node):
            return [(None, node)]
        match node:
            case Group(item, found) if found == number:
                return [(text, Group(way, number)) for text, way in _spellings(item)]
            case Group(item, found):
                return [(text, Group(way, found)) for text, way in self._chosen(item, number)]
            case Alt(items):
                return [way for item in items for way in self._chosen(item, number)]
            case Repeat(item, 0, 1, lazy):
                ways = self._chosen(item, number)
                skipped: tuple[str | None, Node] = (None, Cat(()))
                return [skipped, *ways] if lazy else [*ways, skipped]
            case Cat(items):
                at = next(i for i, item in enumerate(items) if number in captured(item))
                before, after = items[:at], items[at + 1 :]
                # These parts would have to choose their way before the group chooses.
                if any(has_choices(item) for item in before):
                    raise _NotFiniteError
                return [
                    (
                        text,
                        Cat((*before, way, *(_referring(item, number, text) for item in after))),
                    )
                    for text, way in self._chosen(items[at], number)
                ]
            case _:
                raise _NotFiniteError


def _referring(node: Node, number: int, text: str | None) -> Node:
    """The node with references to the group replaced by what it has captured."""
    if isinstance(node, Reference) and node.number == number:
        if text is None:
            return NEVER
        return Cat(tuple(char(node.alike(character)) for character in text))
    return with_inside(node, tuple(_referring(part, number, text) for part in inside(node)))


def _spelled(text: str) -> Node:
    return Cat(tuple(char(literal(character)) for character in text))


def _spellings(node: Node) -> list[tuple[str, Node]]:
    """All texts that the node matches, in order of preference; each as a node that keeps the groups
    it passes through."""
    if not captured(node):
        return [(text, _spelled(text)) for text in texts(node)]
    match node:
        case Group(item, number):
            return [(text, Group(way, number)) for text, way in _spellings(item)]
        case Alt(items):
            found = [way for item in items for way in _spellings(item)]
        case Cat(items):
            found = [("", Cat(()))]
            for item in items:
                more = _spellings(item)
                found = [
                    (text + end, Cat((way, rest))) for text, way in found for end, rest in more
                ]
                _check(found)
        case Repeat(item, 0, 1, lazy):
            found = _spellings(item)
            skipped: tuple[str, Node] = ("", Cat(()))
            found = [skipped, *found] if lazy else [*found, skipped]
        case _:
            raise _NotFiniteError
    _check(found)
    return found


def has_choices(node: Node) -> bool:
    """Whether the node may match one text in several ways, or texts of several lengths."""
    match node:
        case Alt() | Reference():
            return True
        case Repeat(item, low, high):
            return low != high or has_choices(item)
        case Look() | Atomic():
            return False
        case _:
            return any(map(has_choices, inside(node)))


def is_ambiguous(node: Node) -> bool:
    """Whether the node may match in several ways that end at the same place."""
    if not has_choices(node):
        return False
    try:
        found = texts(node)
    except _NotFiniteError:
        return True
    return len(set(found)) < len(found) or len(set(map(len, found))) > 1


def texts(node: Node) -> list[str]:
    """All texts that the node matches, in order of preference."""
    match node:
        case Char(fragment):
            found = list(members(fragment))
        case Cat(items):
            found = [""]
            for item in items:
                found = [text + more for text in found for more in texts(item)]
                _check(found)
        case Alt(items):
            found = [text for item in items for text in texts(item)]
        case Repeat(item, 0, 1, lazy):
            found = texts(item)
            found = ["", *found] if lazy else [*found, ""]
        case Repeat(item, low, high) if low == high and low <= MAX_TEXTS:
            return texts(Cat(low * (item,)))
        case Group(item):
            found = texts(item)
        case _:
            raise _NotFiniteError
    _check(found)
    return found


def _check(found: Sequence[object]) -> None:
    if len(found) > MAX_TEXTS:
        raise _NotFiniteError


@cache
def _all_characters() -> str:
    # An object for each character would take 90 MB meanwhile.
    codes = array("I", range(sys.maxunicode + 1))
    return codes.tobytes().decode(f"utf-32-{sys.byteorder[0]}e", "surrogatepass")


@cache
def members(fragment: str) -> tuple[str, ...]:
    """The characters of a set if they are few; otherwise more than `MAX_TEXTS` of them."""
    known = told(fragment)
    if known and not (known.kinds or known.negated or known.cased):
        # The set has only the characters that it names, so there is no need to try all others.
        named = {FOLDED[number] for number in numbers(known.folded)}
        for first, last in known.ranges:
            named.update(map(chr, range(first, min(last, first + MAX_TEXTS) + 1)))
        return tuple(sorted(named))
    matches = regex.finditer(fragment, _all_characters(), regex.V0)
    return tuple(match.group() for match in islice(matches, MAX_TEXTS + 1))


CASED_BELOW = 0x20000
"""All characters that have other cases are before it."""


@cache
def _cased() -> str:
    return "".join(regex.findall(r"\p{Cased}+", "".join(map(chr, range(CASED_BELOW)))))


def other_cases(character: str, reference: Reference) -> list[str]:
    """The other characters that a reference takes for the same as a character. These may differ
    from each other: `I` is taken for `i` and `ı`, which are different letters."""
    if character not in _cased():
        return []
    same: list[str] = regex.findall(reference.alike(character), _cased(), regex.V0)
    return [other for other in same if other != character]


def ignoring_case(node: Node) -> Node:
    """The node with its characters compared ignoring case."""
    if isinstance(node, Char):
        return char(f"(?i:{node.fragment})")
    return with_inside(node, tuple(map(ignoring_case, inside(node))))


def captures_of_group(tree: Node, number: int) -> Node:
    """A node that matches all that a group of a tree may capture, and more. Several groups may have
    the number."""
    groups = (part for part in walk(tree) if isinstance(part, Group))
    return captures_of(Alt(tuple(group.item for group in groups if group.number == number)))


def captures_of(node: Node) -> Node:
    """A node that matches all that a group may capture by this node, and more.

    A reference repeats the text in another place. So assertions in the node are left out, and a
    reference in it may be anything.
    """
    match node:
        case Group(item) | Atomic(item):
            return captures_of(item)
        case Look() | Assert():
            return Cat(())
        case Reference():
            return Repeat(ANY, 0, None, False)
        case _:
            return with_inside(node, tuple(map(captures_of, inside(node))))


def reaching(node: Node) -> Node:
    """A node that reads at least as far as this one looks, if that is only known approximately.
    Each assertion about what follows becomes a choice: to look at it, or to pass it by."""
    match node:
        case Look(item, True):
            return Alt((Cat((reaching(item), NEVER)), Cat(())))
        case Assert("end" | "line_end" | "word" | "not_word"):
            return Alt((Cat((ANY, NEVER)), Cat(())))
        case Atomic(item):
            return reaching(item)
        case Look():
            return node
        case _:
            return with_inside(node, tuple(map(reaching, inside(node))))


# A beginning that only widens the match


def without_lead(tree: Node, group: int) -> Node:
    """The tree without a lazy, optional beginning of one set outside the masked group.

    `[\\w.]{0,50}?key=(\\d+)` masks what `key=(\\d+)` does. Of two matches, the one whose beginning
    reaches further left is also the one whose rest begins first. So the same matches are found.
    """
    while (lead := _lead(tree, group)) is not None:
        tree = _dropped(tree, lead)
    return tree


def _lead(node: Node, group: int) -> Repeat | None:
    match node:
        case Repeat(Char(), 0, high, True) if high is not None and high > MAX_LEAD:
            return node
        case Cat(items):
            rest = [item for item in items if item != Cat(())]
            return _lead(rest[0], group) if rest else None
        case Group(item, number) if number != group:
            return _lead(item, group)
        case _:
            return None


def _dropped(tree: Node, lead: Repeat) -> Node:
    """The tree with the lead, found by identity, replaced by nothing."""
    if tree is lead:
        return Cat(())
    if isinstance(tree, (Cat, Group)):
        return with_inside(tree, tuple(_dropped(item, lead) for item in inside(tree)))
    return tree
