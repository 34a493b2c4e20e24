"""Compiles one pattern in the `regex` dialect, and says how its matches become certain."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum, auto

from guardstream.errors import PatternError
from guardstream.hints import hint
from guardstream.scan.match import Confirm
from guardstream.scan.regex.analysis import (
    always_captures,
    fixed_tail,
    look_behind,
    max_width,
    may_be_empty,
    min_width,
    repeats_empty,
    tail_after,
)
from guardstream.scan.regex.ast import Look, Node, Reference
from guardstream.scan.regex.lookbehinds import read_forwards
from guardstream.scan.regex.parser import Parsed, parse
from guardstream.scan.regex.rewrite import (
    captured,
    is_ambiguous,
    referred,
    walk,
    without_lead,
    without_references,
)

MAX_WIDTHS = 8
"""If the part after a group can have more widths, the matcher looks at the whole match instead of
trying each width."""

MAX_LOOKS = 4_096
"""How many lookarounds are remembered."""

_looked: dict[int, tuple[Look, int | None]] = {}
"""Lookarounds of patterns by `id`, and how far each reads back; None if it has to be rewritten or
refused. The objects are kept, so that no other object gets the same `id`."""


class Settling(Enum):
    """How a pattern's matches become certain."""

    EAGER = auto()  # the first end of any match is reported at once
    ORDERED = auto()  # the automaton's accepts are `regex`'s matches once nothing older lives
    TESTED = auto()  # a match may be refused; then the candidates that it has cut come back


@dataclass(frozen=True, slots=True)
class Pattern:
    """A compiled pattern of a rule.

    `group` is the masked group's number, 0 for the whole match. `tail` is how many characters
    follow the group in every match, None if that differs; then `after` is the part that follows it,
    if this has only a few `widths`. `behind` is how far its lookbehinds look back, and `holds`
    whether text waits for its candidates. `looks` are those of its lookarounds that are one object
    for all patterns.
    """

    rule: int
    tree: Node
    group: int
    tail: int | None
    after: Node | None
    widths: range
    behind: int
    settling: Settling
    holds: bool
    confirm: Confirm | None
    looks: Sequence[Look]


def compile_pattern(
    source: str,
    rule: int = 0,
    *,
    space: str = " ",
    canonical: bool = False,
    group: str | int | None = None,
    eager: bool = False,
    holds: bool = True,
    confirm: Confirm | None = None,
) -> Pattern:
    """Compile one pattern in the `regex` dialect, version 0, Unicode; `space` is the pattern that
    each space in it stands for. `canonical` is as for `parse`.

    Raises PatternError, with the offset in the pattern, for what is malformed or unbounded.
    """
    parsed = parse(source, space, canonical=canonical)
    if may_be_empty(parsed.tree):
        raise PatternError("the pattern can match the empty string; make a part of it mandatory")
    number = _group_number(parsed, group)
    known = _known(parsed.looks)
    tree, behind = parsed.tree, 0
    if not (parsed.all_looks and all(id(look) in known for look in parsed.looks)):
        tree = read_forwards(tree, known)
        behind = look_behind(tree, known)
    behind = max([behind, *known.values()]) + 1
    tree = written_out(tree, parsed.referred)
    settling = Settling.ORDERED
    if confirm is not None:
        settling = Settling.TESTED
    elif eager:
        settling = Settling.EAGER
    if number and settling is not Settling.EAGER:
        tree = without_lead(tree, number)
    tail = fixed_tail(tree, number) if number else 0
    after, widths = (None, range(0)) if tail is not None else _after(tree, number)
    return Pattern(
        rule, tree, number, tail, after, widths, behind, settling, holds, confirm, parsed.looks
    )


def written_out(tree: Node, names: Collection[int]) -> Node:
    """The tree with the references to groups of few texts written out; `names` are the groups that
    it refers to. Raises PatternError for a reference that cannot be followed."""
    if not names:
        return tree
    # An empty round is the last one, unless it captures what is referred to.
    tree = without_references(
        tree, lambda p: repeats_empty(p) and not captured(p).isdisjoint(names)
    )
    _check_lookbehinds(tree)
    return tree


def _known(looks: Iterable[Look]) -> dict[int, int]:
    """How far each lookaround reads back, by `id`; without those that have to be rewritten or
    refused."""
    known = {}
    for look in looks:
        _, reads = _looked.get(id(look)) or _looked_at(look)
        if reads is not None:
            known[id(look)] = reads
    return known


def _looked_at(look: Look) -> tuple[Look, int | None]:
    reads = None
    with suppress(PatternError):
        if read_forwards(look) is look:
            reads = look_behind(look)
    if len(_looked) >= MAX_LOOKS:
        _looked.clear()
    _looked[id(look)] = look, reads
    return look, reads


def _check_lookbehinds(tree: Node) -> None:
    """Refuse references that depend on the order in which `regex` tries a lookbehind's ways, which
    it reads from the end."""
    names = referred(tree)
    for node in walk(tree):
        match node:
            case Look(item, False, False) if names & captured(item) and is_ambiguous(item):
                raise PatternError(
                    "a back-reference to a group in a lookbehind that can match in several ways is "
                    "not supported; give the group one length and no choice"
                )


def _after(tree: Node, group: int) -> tuple[Node | None, range]:
    """The part that follows the group and the widths that it can have; None if these are not few,
    or if it has back-references."""
    after = tail_after(tree, group)
    most = None if after is None else max_width(after)
    if after is None or most is None or any(isinstance(node, Reference) for node in walk(after)):
        return None, range(0)
    widths = range(min_width(after), most + 1)
    return (after, widths) if len(widths) <= MAX_WIDTHS else (None, range(0))


def _group_number(parsed: Parsed, group: str | int | None) -> int:
    if group is None or group == 0:
        return 0
    number = parsed.names.get(group, 0) if isinstance(group, str) else group
    if not 0 < number <= parsed.groups:
        raise PatternError(f"the pattern has no group {group!r}{_hint(parsed, group)}")
    if not always_captures(parsed.tree, number):
        raise PatternError(f"group {group!r} can be skipped, and then nothing would be masked")
    return number


def _hint(parsed: Parsed, group: str | int) -> str:
    """Suggest what to write for a group that the pattern does not have."""
    if isinstance(group, str) and group in map(str, range(1, parsed.groups + 1)):
        return f": write the number without quotes, {group}"
    return f", {hint(group, parsed.names)}" if isinstance(group, str) and parsed.names else ""
