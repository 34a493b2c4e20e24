"""Groups, references and lookaheads of ECMA-262, in the syntax of the backtracking engine.

- `\\k<name>` becomes a reference by number; the engine has no other.
- A reference to a group that has not matched matches the empty text (22.2.2.7.2); in the engine it
  fails. So an empty group after such a group tells whether it has matched: `(a)?b\\1` becomes
  `(?:(a)())?b(?:\\1|(?!\\2))`. A reference in its own group is left out, as that never has matched.
- A lookahead may be repeated (annex B.1.2). That asks it once, and not at all if it may be skipped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

_needed = re.compile(r"\\[1-9k]|\(\?[=!]").search
_tokens = re.compile(
    r"\\(?P<number>[1-9][0-9]*)|\\k<(?P<name>[^>]*)>|\\.|\[\^?\]?(?:\\.|[^\]\\])*\]"
    r"|(?P<open>\((?:\?(?:<(?![=!])(?P<called>[^>]*)>|<[=!]|[:=!])?)?)|(?P<close>\))|.",
    re.DOTALL,
).finditer
_COUNTED = r"(?:,[0-9]*)?\}"
_quantifier = re.compile(rf"(?:(?P<skips>[*?]|\{{0+{_COUNTED})|\+|\{{[0-9]+{_COUNTED})\??").match
_NEVER = r"\P{Any}"


@dataclass(eq=False)
class _Group:
    """A group, in a branch of its parent, or the whole pattern."""

    opener: str
    parent: _Group | None = None
    branch: int = 0
    captures: bool = False
    branches: int = 1
    end: int = 0  # among the parts
    skipped: bool = False  # whether what follows may be reached without it
    unread: bool = False  # whether it is a lookahead that need not be asked
    told: bool = False  # whether an empty group after it tells that it has matched
    number: int = 0
    teller: int = 0


@dataclass(eq=False)
class _Reference:
    """A reference; `around` are the groups that it is in, with its branch of each."""

    text: str
    to: str | int
    around: dict[_Group, int]
    group: _Group | None = None


_Part: TypeAlias = "str | _Reference | _Group"


@dataclass(eq=False)
class _Pattern:
    parts: list[_Part] = field(default_factory=list)  # a group at its beginning, and at its end
    groups: dict[str | int, _Group] = field(default_factory=dict)  # by number and by name


def regrouped(pattern: str) -> str:
    """Return a pattern that the backtracking engine reads as ECMA-262 reads `pattern`."""
    read = _read(pattern) if _needed(pattern) else None
    if read is None:
        return pattern
    for at, part in enumerate(read.parts):
        if isinstance(part, _Reference):
            part.group = group = read.groups.get(part.to)
            if group and not _is_certain(group, part, at):
                group.told = True
    _count(read)
    return "".join(_written(read))


def _read(pattern: str) -> _Pattern | None:
    """Return the parts of the pattern; None if its brackets do not match."""
    read = _Pattern()
    here = _Group("")
    end = 0
    captures = 0
    for found in _tokens(pattern):
        text = found[0]
        if found.start() < end:
            continue  # a quantifier that is read
        if found["open"]:
            here = _Group(text, here, here.branches, text == "(" or found["called"] is not None)
            read.parts.append(here)
            if here.captures:
                captures += 1
                read.groups[captures] = here
                read.groups[found["called"] or captures] = here
        elif found["close"]:
            if here.parent is None:
                return None
            here.end = len(read.parts)
            read.parts.append(here)
            end = _quantified(here, pattern, found.end())
            here = here.parent
        elif found["number"] or found["name"]:
            to = int(found["number"]) if found["number"] else found["name"]
            around = dict(_ways(here))
            if read.groups.get(to) in around:
                end = _after(_quantifier(pattern, found.end()), found.end())
            else:
                read.parts.append(_Reference(text, to, around))
        else:
            here.branches += text == "|"
            read.parts.append(text)
    return None if here.parent else read


def _quantified(group: _Group, pattern: str, at: int) -> int:
    """Apply the quantifier of a group; return where the pattern goes on."""
    quantifier = _quantifier(pattern, at)
    skips = quantifier is not None and quantifier["skips"] is not None
    group.skipped = skips or group.opener in ("(?!", "(?<!")
    if group.opener not in ("(?=", "(?!"):
        return at
    group.unread = skips
    return _after(quantifier, at)


def _after(quantifier: re.Match[str] | None, at: int) -> int:
    return quantifier.end() if quantifier else at


def _ways(group: _Group | None) -> Iterator[tuple[_Group, int]]:
    """Yield the groups that the last part is in, from the innermost, each with its last branch."""
    while group is not None:
        yield group, group.branches
        group = group.parent


def _is_certain(group: _Group, reference: _Reference, at: int) -> bool:
    """Return whether the group has matched wherever the reference, the part `at`, is reached."""
    if group.end > at:
        return False
    while not group.skipped and group.parent is not None:
        parent = group.parent
        if reference.around.get(parent) == group.branch:
            return True
        if parent.branches > 1:
            return False
        group = parent
    return False


def _count(read: _Pattern) -> None:
    """Number the groups, each before those inside it; what tells of it comes after them."""
    count = 0
    for at, part in enumerate(read.parts):
        if isinstance(part, _Group) and at == part.end:
            count += part.told
            part.teller = count
        elif isinstance(part, _Group):
            count += part.captures
            part.number = count


def _written(read: _Pattern) -> Iterator[str]:
    for at, part in enumerate(read.parts):
        if isinstance(part, str):
            yield part
        elif isinstance(part, _Reference):
            yield _referring(part)
        elif at == part.end:
            yield ")" + "())" * part.told + "|)" * part.unread
        else:
            yield "(?:" * part.told + f"(?:{_NEVER}" * part.unread + part.opener


def _referring(reference: _Reference) -> str:
    group = reference.group
    if group is None:
        return reference.text
    if group.told:
        return rf"(?:\{group.number}|(?!\{group.teller}))"
    return rf"(?:\{group.number})"  # a digit may follow
