"""Questions about a pattern's tree: how wide it is, what it always captures, how it begins."""

from __future__ import annotations

from dataclasses import replace

from guardstream.errors import PatternError
from guardstream.scan.regex.ast import (
    Alt,
    Approximate,
    Assert,
    Cat,
    Char,
    Group,
    Look,
    Node,
    Repeat,
)


def min_width(node: Node) -> int:
    """The fewest characters that the node can match."""
    match node:
        case Char():
            return 1
        case Cat(items):
            return sum(map(min_width, items))
        case Alt(items):
            return min(map(min_width, items))
        case Repeat(item, low):
            return low * min_width(item)
        case Group(item) | Approximate(item):
            return min_width(item)
        case _:
            return 0


def max_width(node: Node) -> int | None:
    """The most characters that the node can match; None without bound."""
    match node:
        case Char():
            return 1
        case Cat(items) | Alt(items):
            widths = [max_width(item) for item in items]
            known = [width for width in widths if width is not None]
            if len(known) < len(widths):
                return None
            return sum(known) if isinstance(node, Cat) else max(known)
        case Repeat(item, _, high):
            inside = max_width(item)
            if inside == 0 or high == 0:
                return 0
            return None if high is None or inside is None else high * inside
        case Group(item) | Approximate(item):
            return max_width(item)
        case _:
            return 0


def look_behind(node: Node) -> int:
    """How many characters before a match its lookbehinds read; unbounded ones are refused."""
    match node:
        case Look(item, ahead, _) if not ahead:
            if _looks_beyond(item):
                raise PatternError("a lookbehind that looks ahead is not supported")
            width = max_width(item)
            if width is None:
                raise PatternError("an unbounded lookbehind needs the whole text before it")
            return width + look_behind(item)
        case Cat(items) | Alt(items):
            return max(map(look_behind, items), default=0)
        case Repeat(item) | Group(item) | Approximate(item) | Look(item):
            return look_behind(item)
        case Assert():
            return 1
        case _:
            return 0


def _looks_beyond(node: Node) -> bool:
    """Whether the answer may depend on what comes behind the node's own characters."""
    match node:
        case Look(item, ahead, _):
            return ahead or _looks_beyond(item)
        case Assert(kind):
            return kind not in ("start", "line_start")
        case Cat(items):
            for item in reversed(items):
                if _looks_beyond(item):
                    return True
                if min_width(item):
                    return any(_has_lookahead(item) for item in items)
            return False
        case Alt(items):
            return any(map(_looks_beyond, items))
        case Repeat(item) | Group(item) | Approximate(item):
            return _looks_beyond(item)
        case _:
            return False


def _has_lookahead(node: Node) -> bool:
    match node:
        case Look(item, ahead, _):
            return ahead or _has_lookahead(item)
        case Cat(items) | Alt(items):
            return any(map(_has_lookahead, items))
        case Repeat(item) | Group(item) | Approximate(item):
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
        case Approximate(item):
            return always_captures(item, group)
        case _:
            return False


def without(tree: Node, target: Repeat) -> Node:
    """The tree with `target`, found by identity, replaced by nothing."""
    if tree is target:
        return Cat(())
    if isinstance(tree, Cat):
        return Cat(tuple(without(item, target) for item in tree.items))
    if isinstance(tree, Group):
        return replace(tree, item=without(tree.item, target))
    return tree
