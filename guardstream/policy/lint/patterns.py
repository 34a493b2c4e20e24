"""Warnings about a pattern."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import regex

from guardstream.errors import PatternError
from guardstream.scan.regex.analysis import max_width, may_be_empty
from guardstream.scan.regex.ast import (
    ANY,
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
from guardstream.scan.regex.parser import Parsed, parse
from guardstream.scan.regex.rewrite import fragments, inside, walk, with_inside

_SAMPLE = "aZ5_-.:/ \n\"'<(@中é"
"""Characters by which two classes are compared: overlapping ones nearly always share one of
these."""


def find(pattern: str, group: str | int | None, limit: int) -> Iterator[str]:
    """Yield warnings about one pattern of a rule that masks `group`."""
    try:
        parsed = parse(pattern)
    except PatternError:
        return
    if regex.fullmatch(r"/.*/[a-z]*|r'.*'|r\".*\"", pattern):
        yield (
            "the pattern includes its delimiters: leave out /…/ or r'…', and write flags as (?i)"
        )
    if _is_whole(parsed.tree):
        yield (
            "the pattern matches only a text that it fits from its first to its last character: "
            "leave out ^ and $, or let them mean lines with (?m)"
        )
    yield from _as_yaml(pattern)
    yield from _misread(pattern, parsed.tree)
    width = max_width(next(masked(bounded(parsed.tree), parsed, group)))
    if width is None:
        yield (
            f"the pattern is unbounded: {limit} characters are held at most, the rest overflows; "
            r"give its repeats a bound, such as \s{1,8} for \s+"
        )
    elif width > limit:
        yield f"a match can have {width} characters, {limit} can be held: the rest overflows"
    if regex.search(r"(?<!\\)(?:\\\\)*\\[bB]", pattern):
        yield r"\b finds no boundary beside Chinese characters: use (?<![A-Za-z0-9_]) and the like"
    if _quadratic(parsed.tree):
        yield "the pattern takes quadratic time: two repeats in a row can match the same characters"


def _is_whole(node: Node) -> bool:
    """Return whether a pattern is anchored at both ends of a text."""
    if isinstance(node, Group):
        return _is_whole(node.item)
    if not isinstance(node, Cat) or not node.items:
        return False
    first, last = node.items[0], node.items[-1]
    return first == Assert("start") and last == Assert("end")


def _as_yaml(pattern: str) -> Iterator[str]:
    """Warn of a pattern that YAML has changed, so that it loads but finds nothing."""
    if "\b" in pattern:
        yield r"the pattern contains a backspace: in double quotes \b is one, so use single quotes"
    if pattern.endswith("\n") and not regex.compile(pattern).flags & regex.VERBOSE:
        yield (
            "the pattern ends with a line break, which must match, too: begin the block "
            "with |- or >- in place of | or >"
        )


_DOUBLED = regex.compile(r"(?<!\\)(?:\\\\)+(?<letter>[dDsSwW])(?:[*+?]|\{[0-9,])")
"""A repeated class whose backslash is written twice, as JSON and double quotes want it."""


def _misread(pattern: str, tree: Node) -> Iterator[str]:
    """Warn of constructs that other tools and languages read differently: they load, but find
    something else."""
    if doubled := _DOUBLED.search(pattern):
        letter = doubled["letter"]
        yield (
            rf"\\{letter} is a backslash and the letter {letter!r}: "
            rf"in single quotes, write the class as \{letter}"
        )
    sets = set(fragments(tree))
    for written in sorted(filter(regex.compile(r"\[:\^?[a-z]+:\]").fullmatch, sets)):
        yield f"{written} is a set of its own letters: write the class as [{written}]"
    if any(regex.search(r"\[.*(?<!\\)A-z", written) for written in sets):
        yield r"A-z also means the signs [ \ ] ^ _ and `: write A-Za-z"


def masked(tree: Node, parsed: Parsed, group: str | int | None) -> Iterator[Node]:
    """Yield the parts of a pattern's tree that are masked: all groups of that name, or the tree."""
    number = parsed.names.get(group) if isinstance(group, str) else group
    groups = (node for node in walk(tree) if isinstance(node, Group))
    found = [node.item for node in groups if node.number == number]
    yield from found or [tree]


def bounded(tree: Node) -> Node:
    """Return a tree with up to as many characters as its group can match in place of each
    back-reference. One to a group without a bound, or inside its own group, stays."""
    widths: dict[int, int | None] = {}

    def bounded(node: Node) -> Node:
        if isinstance(node, Reference):
            width = widths.get(node.number)
            return node if width is None else Repeat(ANY, 0, width, lazy=False)
        made = with_inside(node, tuple(map(bounded, inside(node))))
        if isinstance(made, Group):
            widths[made.number] = max_width(made)
        return made

    return bounded(tree)


def _quadratic(node: Node) -> bool:
    """Return whether a text can be split between two unbounded repeats in more than one way."""
    if isinstance(node, Repeat) and node.high is None and _only_repeats(node.item):
        return True
    if isinstance(node, Cat) and _adjacent(node.items):
        return True
    return any(map(_quadratic, inside(node)))


def _only_repeats(node: Node) -> bool:
    """Return whether a body is nothing but an unbounded repeat, as in `(a+)+`."""
    match node:
        case Repeat(_, _, high):
            return high is None
        case Group(item) | Atomic(item):
            return _only_repeats(item)
        case Cat(items):
            solid = [item for item in items if not may_be_empty(item)]
            return len(solid) <= 1 and any(map(_only_repeats, items))
        case Alt(items):
            return any(map(_only_repeats, items))
        case _:
            return False


def _adjacent(items: tuple[Node, ...]) -> bool:
    before: frozenset[str] = frozenset()
    for item in items:
        repeated = _repeated(item)
        if repeated & before:
            return True
        if repeated:
            before |= repeated
        elif not may_be_empty(item) and not isinstance(item, (Look, Assert)):
            before = frozenset()
    return False


def _repeated(node: Node) -> frozenset[str]:
    """Return the sample characters that an unbounded repeat of one class matches."""
    if isinstance(node, Group):
        return _repeated(node.item)
    if isinstance(node, Repeat) and node.high is None and isinstance(node.item, Char):
        return _members(node.item.fragment)
    return frozenset()


@cache
def _members(fragment: str) -> frozenset[str]:
    test = regex.compile(fragment, regex.V0)
    return frozenset(character for character in _SAMPLE if test.fullmatch(character))
