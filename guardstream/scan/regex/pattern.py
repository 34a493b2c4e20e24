"""Compiles one pattern in the `regex` dialect, and says how its matches become certain."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from guardstream.errors import PatternError
from guardstream.scan.match import Confirm
from guardstream.scan.regex.analysis import (
    always_captures,
    fixed_tail,
    look_behind,
    min_width,
)
from guardstream.scan.regex.ast import Node
from guardstream.scan.regex.parser import Parsed, parse
from guardstream.scan.regex.rewrite import without_lead, without_references


class Settling(Enum):
    """How a pattern's matches become certain."""

    EAGER = auto()  # the first end of any match is reported at once
    ORDERED = auto()  # the automaton's accepts are `regex`'s matches once nothing older lives
    TESTED = auto()  # a match may be refused, so that every start counts until it is


@dataclass(frozen=True, slots=True)
class Pattern:
    """A compiled pattern of a rule.

    `group` is the masked group's number, 0 for the whole match; `tail` how many characters follow
    it in every match, None if that is not fixed. `behind` is how far its lookbehinds look back, and
    `holds` whether text waits for its candidates.
    """

    rule: int
    tree: Node
    group: int
    tail: int | None
    behind: int
    settling: Settling
    holds: bool
    confirm: Confirm | None


def compile_pattern(
    source: str,
    rule: int = 0,
    *,
    group: str | int | None = None,
    eager: bool = False,
    holds: bool = True,
    confirm: Confirm | None = None,
) -> Pattern:
    """Compile one pattern in the `regex` dialect, version 0, Unicode.

    Raises PatternError, with the offset in the pattern, for what is malformed or unbounded.
    """
    parsed = parse(source)
    if min_width(parsed.tree) == 0:
        raise PatternError("the pattern can match nothing; make a part of it mandatory")
    number = _group_number(parsed, group)
    behind = look_behind(parsed.tree) + 1
    tree = without_references(parsed.tree)
    settling = Settling.ORDERED
    if confirm is not None:
        settling = Settling.TESTED
    elif eager:
        settling = Settling.EAGER
    if number and settling is not Settling.EAGER:
        tree = without_lead(tree, number)
    tail = fixed_tail(tree, number) if number else 0
    return Pattern(rule, tree, number, tail, behind, settling, holds, confirm)


def _group_number(parsed: Parsed, group: str | int | None) -> int:
    if group is None or group == 0:
        return 0
    number = parsed.names.get(group, 0) if isinstance(group, str) else group
    if not 0 < number <= parsed.groups:
        raise PatternError(f"the pattern has no group {group!r}")
    if not always_captures(parsed.tree, number):
        raise PatternError(f"group {group!r} can be skipped, and then nothing would be masked")
    return number
