"""Patterns of Go's RE2 and Rust's `regex`, written in the dialect of `regex`.

Their `\\w`, `\\d`, `\\s` and `\\b` know ASCII alone: https://github.com/google/re2/wiki/Syntax.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

_ESCAPE = re.compile(r"\\x\{([0-9A-Fa-f]+)\}|\\z|\\.", re.DOTALL)

_LEADING_FLAGS = re.compile(r"\s*\(\?([a-zA-Z]+)\)")

_ASCII = re.compile(r"\\[wWdDsSbB]")
"""What knows ASCII alone there, and all of Unicode here."""

_CLASS = r"(?P<class>\[\^?\]?(?:\\.|\[:\^?\w+:\]|[^\\\]])*\])"

_PLAIN = re.compile(rf"{_CLASS}|\\.|(?P<comment>\(\?\#[^)]*\))|.", re.DOTALL)

_VERBOSE = re.compile(rf"{_CLASS}|\\.|(?P<comment>\(\?\#[^)]*\)|\#[^\n]*|\s)|.", re.DOTALL)

_MOST_VARIANTS = 16
"""Patterns that one may become; beyond that its groups are no secrets but structure."""


def re2(pattern: str) -> str:
    """Write such a pattern in the dialect of `regex`."""

    def replaced(found: re.Match[str]) -> str:
        if found[1]:
            return f"\\U{int(found[1], 16):08X}"
        if found[0] == "\\z":
            return "\\Z"
        return found[0]

    written = _ESCAPE.sub(replaced, _compact(pattern))
    return _flags_first(written)


def secrets(
    pattern: str, secret: int | str | None = None, *, every: bool = False
) -> tuple[list[str], bool]:
    """Write a pattern in the dialect of `regex`, its secret as the group `secret`: the group of a
    number or name, or the first. Returns a pattern for each branch that has a group of its own,
    with `every` one for each of its groups, and whether there is such a group; the whole match is
    the secret without one."""
    patterns, group = _patterns(re2(pattern), secret, every=every)
    return [_in_ascii(each) for each in patterns], group


def whole(pattern: str) -> str:
    """Write a pattern in the dialect of `regex`, whose whole match is the secret."""
    return _in_ascii(re2(pattern))


def part(pattern: str) -> str:
    """Write a pattern in the dialect of `regex`, to stand in another one."""
    return f"(?a:{re2(pattern)})"


def _in_ascii(pattern: str) -> str:
    return f"(?a){pattern}" if _ASCII.search(pattern) else pattern


def _compact(pattern: str) -> str:
    """Leave out comments, and the spaces of a verbose pattern, those in classes as well."""
    flags, rest = "", pattern
    while found := _LEADING_FLAGS.match(rest):
        flags, rest = flags + found[1], rest[found.end() :]
    if "x" not in flags:
        return "".join(found[0] for found in _PLAIN.finditer(pattern) if not found["comment"])
    flags = "".join(dict.fromkeys(flags.replace("x", "")))
    head = f"(?{flags})" if flags else ""
    return head + "".join(
        re.sub(r"(\\.)|\s", r"\1", found[0]) if found["class"] else found[0]
        for found in _VERBOSE.finditer(rest)
        if not found["comment"]
    )


def _flags_first(pattern: str) -> str:
    """Give a flag that stands inside, such as `(?i)`, a group up to the end of its own group.

    RE2 applies such a flag from there on; `regex` (version 0) does not take it for the part.
    """
    for found in re.finditer(r"(?<!\\)\(\?([imsU]+(?:-[imsU]+)?|-[imsU]+)\)", pattern):
        if found.start() == 0:
            continue
        end = _group_end(pattern, found.end())
        inside = f"(?{found[1]}:{pattern[found.end() : end]})"
        return _flags_first(pattern[: found.start()] + inside + pattern[end:])
    return pattern


def _group_end(pattern: str, start: int) -> int:
    """The offset of the parenthesis that closes the group around `start`, or the end."""
    depth = 0
    for place, character in _outside_classes(pattern, start):
        depth += (character == "(") - (character == ")")
        if depth < 0:
            return place
    return len(pattern)


def _outside_classes(pattern: str, start: int = 0) -> Iterator[tuple[int, str]]:
    """The characters that are no escape and of no class, with their offsets."""
    for found in _PLAIN.finditer(pattern, start):
        if len(found[0]) == 1:
            yield found.start(), found[0]


def _patterns(pattern: str, secret: int | str | None, *, every: bool) -> tuple[list[str], bool]:
    """The pattern with its secret group named; one for each branch that has a group of its own."""
    groups = _groups(pattern)
    if isinstance(secret, str):
        names = [_name(pattern, place) for place in groups]
        secret = names.index(secret) + 1 if secret in names else None
    if not groups:
        return [pattern], False
    if secret:
        return [_named(pattern, secret)], True
    variants = _variants(pattern)
    if variants is None or not all(map(_groups, variants)):
        return [_named(pattern, 0)], False  # the whole match is masked
    numbers = [range(1, len(_groups(each)) + 1 if every else 2) for each in variants]
    named = zip(variants, numbers, strict=True)
    return [_named(each, number) for each, own in named for number in own], True


def _name(pattern: str, place: int) -> str:
    """The name of a group; empty if it has none."""
    found = re.match(r"\(\?P?<(\w+)>", pattern[place:])
    return found[1] if found else ""


def _variants(pattern: str) -> list[str] | None:
    """The pattern once for each branch of its alternations that has groups; None for too many."""
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
    """The pattern with one alternation, of which several branches have groups, taken apart."""
    for start, end, cuts in _alternations(pattern):
        head = re.match(r"\((?:\?[\w-]*:)?", pattern[start:]) if start >= 0 else None
        if head is not None and head[0] == "(":
            continue  # it is captured as a whole
        first = start + head.end() if head else 0
        edges = [first - 1, *cuts, end]
        branches = [pattern[a + 1 : b] for a, b in pairwise(edges)]
        if sum(bool(_groups(branch)) for branch in branches) > 1:
            if head is None:
                flags = re.match(r"\(\?[a-zA-Z]+\)", pattern)
                return [_with_flags(flags[0] if flags else "", branch) for branch in branches]
            before, after = pattern[:first], pattern[end:]
            return [f"{before}{branch}{after}" for branch in branches]
    return []


def _with_flags(flags: str, branch: str) -> str:
    return flags + branch.removeprefix(flags)


def _alternations(pattern: str) -> list[tuple[int, int, list[int]]]:
    """Where each group begins and ends, and where its branches part; the outermost first."""
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
    """Where the capturing groups of a pattern begin."""
    return [
        place
        for place, character in _outside_classes(pattern)
        if character == "("
        and (pattern[place + 1 : place + 2] != "?" or re.match(r"\(\?P?<\w", pattern[place:]))
    ]


def _named(pattern: str, number: int) -> str:
    """The pattern with one capturing group named `secret` and the others capturing nothing."""
    out, last = "", 0
    for count, place in enumerate(_groups(pattern), 1):
        found = re.match(r"\(\?P?<\w+>|\(", pattern[place:])
        assert found is not None
        out += pattern[last:place] + ("(?<secret>" if count == number else "(?:")
        last = place + found.end()
    return out + pattern[last:]
