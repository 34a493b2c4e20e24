"""Compiles one pattern in the `regex` dialect, and says how its matches become certain."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import IntEnum, auto
from functools import cached_property, reduce
from hashlib import blake2b
from operator import and_
from string import ascii_lowercase
from types import MappingProxyType
from typing import NamedTuple

from guardstream.errors import PatternError
from guardstream.hints import hint
from guardstream.scan.match import Confirm
from guardstream.scan.regex.alphabet import CharSets
from guardstream.scan.regex.analysis import (
    always_captures,
    counts,
    fixed_tail,
    look_behind,
    max_width,
    may_be_empty,
    min_width,
    repeats_empty,
    spells,
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


COUNTED = 3
"""Patterns that count at least so many letters of a word, whichever they are, have a search of
their own. Their states depend on a word's length, those of other patterns on its letters: joint
states of both would be far more, one for each pair."""

SPELLED = 3
"""So do other patterns that tell at least so many letters apart: their states depend on the
spelling of words, those of the rest on the shape of words."""


class Settling(IntEnum):
    """How a pattern's matches become certain."""

    EAGER = auto()  # the first end of any match is reported at once
    ORDERED = auto()  # the automaton's accepts are `regex`'s matches once nothing older lives
    TESTED = auto()  # a match may be refused; then the candidates that it has cut come back


class Wanted(NamedTuple):
    """A pattern as a rule has it: what `compile_pattern` makes depends on nothing else."""

    source: str
    space: str
    canonical: bool
    group: str | int | None
    settling: Settling

    @property
    def key(self) -> str:
        """Tells it from all others."""
        written = repr((*self[:-1], int(self.settling))).encode("utf-8", "surrogatepass")
        return blake2b(written, digest_size=12).hexdigest()


class Facts(NamedTuple):
    """What follows from a pattern.

    `group` is the masked group's number, 0 for the whole match. `tail` is how many characters
    follow the group in every match, None if that differs; then the part that follows it may have
    only a few `widths`, from the first to before the second. `behind` is how far its lookbehinds
    look back.
    """

    group: int
    tail: int | None
    widths: tuple[int, int]
    behind: int


@dataclass(frozen=True, slots=True)
class Shape:
    """The trees of a pattern. `after` is the part that follows the masked group, if the facts have
    `widths` for it. `looks` are those of its lookarounds that are one object for all patterns."""

    tree: Node
    after: Node | None = None
    looks: Sequence[Look] = ()


@dataclass(frozen=True)
class Pattern:
    """A compiled pattern of a rule. `holds`: text waits for its candidates. A pattern that was
    compiled before has its `key`, and gets its shape when something asks for it."""

    rule: int
    wanted: Wanted
    facts: Facts
    holds: bool
    confirm: Confirm | None
    made: Callable[[], Shape]
    key: str = ""

    @cached_property
    def shape(self) -> Shape:
        """Its trees."""
        return self.made()

    @property
    def tree(self) -> Node:
        """The tree of the whole pattern."""
        return self.shape.tree

    @property
    def settling(self) -> Settling:
        """How its matches become certain."""
        return self.wanted.settling

    @property
    def group(self) -> int:
        """The number of the masked group; 0 for the whole match."""
        return self.facts.group


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
    settling = settling_of(eager=eager, tested=confirm is not None)
    return pattern_of(Wanted(source, space, canonical, group, settling), rule, holds, confirm)


def settling_of(*, eager: bool, tested: bool) -> Settling:
    """How the matches of a rule's patterns become certain. `tested`: something may refuse them."""
    if tested:
        return Settling.TESTED
    return Settling.EAGER if eager else Settling.ORDERED


def pattern_of(
    wanted: Wanted,
    rule: int,
    holds: bool,
    confirm: Confirm | None,
    known: Mapping[str, Facts] = MappingProxyType({}),
) -> Pattern:
    """Compile a rule's pattern. `known` are the facts of patterns that were compiled before, by
    their keys. Raises PatternError."""
    key = wanted.key if known else ""
    if key in known:
        return Pattern(rule, wanted, known[key], holds, confirm, lambda: compiled(wanted)[0], key)
    shape, facts = compiled(wanted)
    return Pattern(rule, wanted, facts, holds, confirm, lambda: shape)


def compiled(wanted: Wanted) -> tuple[Shape, Facts]:
    """Compile a pattern; see `compile_pattern`."""
    source, space, canonical, group, settling = wanted
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
    if number and settling is not Settling.EAGER:
        tree = without_lead(tree, number)
    tail = fixed_tail(tree, number) if number else 0
    after, widths = (None, (0, 0)) if tail is not None else _after(tree, number)
    return Shape(tree, after, parsed.looks), Facts(number, tail, widths, behind)


def reading_of(tree: Node, sets: CharSets) -> tuple[bool, bool]:
    """Whether a pattern's states depend on the length of words, and on their spelling."""
    letters = reduce(and_, map(sets.signature, ascii_lowercase))

    def is_any_letter(fragment: str) -> bool:
        return sets.bit(fragment) & letters != 0

    return counts(tree, is_any_letter) >= COUNTED, spells(tree, SPELLED)


def shared(patterns: Iterable[Pattern]) -> list[Look]:
    """The lookbehinds that several patterns have, without those that may match the empty string:
    they would match while they sleep."""
    known: set[int] = set()
    shared: dict[int, Look] = {}
    for pattern in patterns:
        looks = {id(look.item): look for look in pattern.shape.looks if not look.ahead}
        shared.update((key, looks[key]) for key in known.intersection(looks))
        known.update(looks)
    return [look for look in shared.values() if not may_be_empty(look.item)]


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


def _after(tree: Node, group: int) -> tuple[Node | None, tuple[int, int]]:
    """The part that follows the group and the widths that it can have; None if these are not few,
    or if it has back-references."""
    after = tail_after(tree, group)
    most = None if after is None else max_width(after)
    if after is None or most is None or any(isinstance(node, Reference) for node in walk(after)):
        return None, (0, 0)
    least = min_width(after)
    return (after, (least, most + 1)) if most - least < MAX_WIDTHS else (None, (0, 0))


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
