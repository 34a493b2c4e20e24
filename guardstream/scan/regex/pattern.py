"""Compiles one pattern in the `regex` dialect: for the automaton, and for `regex` itself."""

from __future__ import annotations

import re
from dataclasses import dataclass

import regex

from guardstream.errors import PatternError
from guardstream.scan.match import Confirm
from guardstream.scan.regex.analysis import always_captures, look_behind, min_width, without
from guardstream.scan.regex.ast import Cat, Group, Node, Repeat
from guardstream.scan.regex.parser import Parsed, parse
from guardstream.scan.regex.registers import Searched

MAX_LEAD = 20
"""The longest optional beginning that the automaton follows letter by letter."""

_VERBOSE = re.compile(r"\(\?[a-zA-Z0-9-]*x")

MARKER = "guardstream_begin"


@dataclass(frozen=True, slots=True)
class Pattern:
    """A compiled pattern of a rule.

    `whole` are the pattern ending at the end of what is searched, and one character before it.
    `group` is the masked group's number in `regex`, 0 for the whole match. `lead` is how many
    characters an optional beginning may add that the automaton does not look for. `context` is
    how far its lookbehinds, and what confirms it, look back.
    """

    rule: int
    searched: Searched
    regex: regex.Pattern[str]
    whole: tuple[regex.Pattern[str], ...]
    group: int
    lead: int
    context: int
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
    try:
        regex.compile(source, regex.V0)
        source = parsed.source
        compiled = regex.compile(source, regex.V0)
    except regex.error as error:
        raise PatternError(error.msg, error.pos) from error
    if min_width(parsed.tree) == 0:
        raise PatternError("the pattern can match nothing; make a part of it mandatory")
    number = _group_number(parsed, group)
    context = look_behind(parsed.tree) + 1 + (confirm.reach if confirm else 0)
    tree, lead = parsed.tree, 0
    if number and not parsed.numbered_references and (confirm is not None or not eager):
        end, groups = 0, 0
        while (optional := _optional_lead(tree, number)) is not None:
            tree, lead = without(tree, optional), lead + (optional.high or 0)
            end, groups = optional.end, optional.groups
        if lead:
            compiled = regex.compile(f"{source[:end]}(?P<{MARKER}>){source[end:]}", regex.V0)
            number += number > groups
    # What surrounds a verbose pattern might become part of its last comment.
    verbose = _VERBOSE.search(source) is not None
    searched = Searched(
        tree, _group_number(parsed, group), eager and not verbose, confirm is not None, holds
    )
    whole = () if verbose or not eager else (_ending(source, 0), _ending(source, 1))
    return Pattern(rule, searched, compiled, whole, number, lead, context, confirm)


def _ending(source: str, behind: int) -> regex.Pattern[str]:
    """The pattern as a match that ends so many characters before the end of what is searched."""
    return regex.compile(rf"(?:{source})(?=[\s\S]{{{behind}}}\Z)", regex.V0)


def _group_number(parsed: Parsed, group: str | int | None) -> int:
    if group is None or group == 0:
        return 0
    number = parsed.names.get(group, 0) if isinstance(group, str) else group
    if not 0 < number <= parsed.groups:
        raise PatternError(f"the pattern has no group {group!r}")
    if not always_captures(parsed.tree, number):
        raise PatternError(f"group {group!r} can be skipped, and then nothing would be masked")
    return number


def _optional_lead(node: Node, group: int) -> Repeat | None:
    """A lazy, bounded, optional beginning that only widens the match around the masked group."""
    match node:
        case Repeat(_, 0, high, True) if high is not None and high > MAX_LEAD:
            return node
        case Cat(items):
            rest = [item for item in items if item != Cat(())]
            return _optional_lead(rest[0], group) if rest else None
        case Group(item, number) if number != group:
            return _optional_lead(item, group)
        case _:
            return None
