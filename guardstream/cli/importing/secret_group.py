"""Names the group of a pattern that matches the secret."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import regex

from guardstream.cli.importing.re2 import re2
from guardstream.stages.redact import RuleError, RuleSet
from guardstream.stages.rules import Rule

_TOKEN = re.compile(r"\[\^?\]?(?:\\.|[^\\\]])*\]|\\.|.", re.DOTALL)

_HEAD = re.compile(r"\(\?[a-zA-Z]+\)")

_MOST_VARIANTS = 16
"""The most patterns that one may become; one with more branches is not split."""


class Secrets(NamedTuple):
    """Patterns with the secret as the group `secret`, if `group`, or as the whole match.

    `is_wider` says that more is masked than the other tool takes for the secret.
    """

    patterns: list[str]
    group: bool
    is_wider: bool = False


def secrets(pattern: str, secret: int | str | None = None, *, every: bool = False) -> Secrets:
    r"""Write a pattern in the dialect of `regex`, with its secret as a named group.

    `secret` is the number or name of the group. Without it, that is the first group of each branch
    that has one; with `every`, each group gets a pattern of its own. A group that repeats nothing,
    as in `(ghu|ghs)_\w{36}`, or may be empty, is not a secret: then the whole match is masked.
    """
    written = re2(pattern)
    groups = _groups(written)
    if isinstance(secret, str):
        names = [_name(written, place) for place in groups]
        secret = names.index(secret) + 1 if secret in names else None
    if not groups:
        return Secrets([written], group=False, is_wider=bool(secret))
    chosen = [(written, secret)] if secret else _chosen(written, every=every)
    wide = Secrets([_named(written, 0)], group=False, is_wider=True)
    if not all(0 < number <= len(_groups(each)) for each, number in chosen):
        return wide
    structure = [each for each in chosen if _is_structure(_inside(*each))]
    if structure and not secret:
        chosen = [each for each in chosen if each not in structure] if every else []
    if not chosen:
        return wide
    patterns = list(dict.fromkeys(_named(each, number) for each, number in chosen))
    if any(refusal(each, "secret") for each in patterns):  # the group can be skipped
        return wide
    return Secrets(patterns, group=True)


def _chosen(pattern: str, *, every: bool) -> list[tuple[str, int]]:
    """Return the pattern or its variants, each with a group's number; none if it has no group."""
    variants = _variants(pattern) or [pattern]
    counts = [max(len(_groups(each)), 1) if every else 1 for each in variants]
    return [
        (each, number)
        for each, count in zip(variants, counts, strict=True)
        for number in range(1, count + 1)
    ]


def compiles(pattern: str) -> regex.Pattern[str] | None:
    """Return the compiled pattern; None if it cannot be compiled."""
    try:
        return regex.compile(pattern, regex.V0)
    except (regex.error, RecursionError):
        return None


def refusal(pattern: str, group: str | int | None) -> str | None:
    """Return why the engine refuses a pattern with a masked group; None if it does not."""
    try:
        RuleSet([Rule("x", patterns=(pattern,), group=group)])
    except RuleError as error:
        return str(error)
    return None


def _is_structure(inside: str) -> bool:
    """Return whether a group cannot be a secret: it repeats nothing, or may be empty."""
    marks = {character for _, character in _outside_classes(inside)}
    compiled = compiles(inside)
    return not marks & set("*+{") or bool(compiled and compiled.fullmatch(""))


def _inside(pattern: str, number: int) -> str:
    """Return a group with its parentheses, and the flags of the whole pattern."""
    start = _groups(pattern)[number - 1]
    depth = 0
    for place, character in _outside_classes(pattern, start):
        depth += (character == "(") - (character == ")")
        if depth == 0:
            return pattern[start : place + 1]
    return pattern[start:]


def _outside_classes(pattern: str, start: int = 0) -> Iterator[tuple[int, str]]:
    """Yield the characters outside of escapes and classes, with their offsets."""
    for found in _TOKEN.finditer(pattern, start):
        if len(found[0]) == 1:
            yield found.start(), found[0]


def _name(pattern: str, place: int) -> str:
    """Return the name of a group; empty if it has none."""
    found = re.match(r"\(\?P?<(\w+)>", pattern[place:])
    return found[1] if found else ""


def _variants(pattern: str) -> list[str] | None:
    """Return a variant for each branch of an alternation with groups; None for too many."""
    done: list[str] = []
    open_ = [pattern]
    while open_:
        branches = _split(open_[0])
        if branches:
            open_[:1] = branches
        else:
            done.append(open_.pop(0))
        if len(done) + len(open_) > _MOST_VARIANTS:
            return None
    return done


def _split(pattern: str) -> list[str]:
    """Return the variants for one alternation in which several branches have groups."""
    for start, end, cuts in _alternations(pattern):
        head = re.match(r"\((?:\?[\w-]*:)?", pattern[start:]) if start >= 0 else None
        if head is not None and head[0] == "(":
            continue  # it is captured as a whole
        first = start + head.end() if head else 0
        edges = [first - 1, *cuts, end]
        branches = [pattern[a + 1 : b] for a, b in pairwise(edges)]
        if sum(bool(_groups(branch)) for branch in branches) > 1:
            if head is None:
                flags = _HEAD.match(pattern)
                return [_with_flags(flags[0] if flags else "", branch) for branch in branches]
            before, after = pattern[:first], pattern[end:]
            return [f"{before}{branch}{after}" for branch in branches]
    return []


def _with_flags(flags: str, branch: str) -> str:
    return flags + branch.removeprefix(flags)


def _alternations(pattern: str) -> list[tuple[int, int, list[int]]]:
    """Return where each group and its branches begin and end; the outermost first."""
    stack: list[tuple[int, list[int]]] = [(-1, [])]
    found: list[tuple[int, int, list[int]]] = []
    for place, character in _outside_classes(pattern):
        if character == "(":
            stack.append((place, []))
        elif character == ")" and len(stack) > 1:
            start, cuts = stack.pop()
            found.append((start, place, cuts))
        elif character == "|":
            stack[-1][1].append(place)
    found.append((-1, len(pattern), stack[0][1]))
    return sorted(item for item in found if item[2])


def _groups(pattern: str) -> list[int]:
    """Return where the capturing groups of a pattern begin."""
    return [
        place
        for place, character in _outside_classes(pattern)
        if character == "("
        and (pattern[place + 1 : place + 2] != "?" or re.match(r"\(\?P?<\w", pattern[place:]))
    ]


def _named(pattern: str, number: int) -> str:
    """Return the pattern with one group named `secret`, and no other capturing groups."""
    out, last = "", 0
    for count, place in enumerate(_groups(pattern), 1):
        found = re.match(r"\(\?P?<\w+>|\(", pattern[place:])
        assert found is not None
        out += pattern[last:place] + ("(?<secret>" if count == number else "(?:")
        last = place + found.end()
    return out + pattern[last:]
