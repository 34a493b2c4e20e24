"""Groups, references and lookaheads of ECMA-262, in the syntax of the backtracking engine.

- `\\k<name>` becomes a reference by number; the engine has no other.
- A reference to a group that has not matched matches the empty text (22.2.2.7.2); in the engine it
  fails. So an empty group after such a group shows whether it has matched: `(a)?b\\1` becomes
  `(?:(a)())?b(?:\\1|(?!\\2))`. A reference inside its own group is left out, since that group has
  not matched yet.
- A lookahead may be repeated (annex B.1.2). It is then asked once, or not at all if it may be
  skipped.
- Each round of a repeat forgets what its groups have matched, and an optional round may not be
  empty (22.2.2.3.1). Neither holds in the engine. So a reference is refused unless it follows its
  group in each round, or each round sets the group and reads something.
- A lookbehind is matched from its end (22.2.2.4), in the engine from its beginning. So a reference
  to a group in a lookbehind is refused, unless it follows a lookbehind that matches in one way
  only. Other groups in lookbehinds do not capture, or the engine would ignore their neighbours.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from guardstream.jsonstream.schema.errors import SchemaError

_needed = re.compile(r"\\[1-9k]|\(\?<?[=!]").search
_tokens = re.compile(
    r"\\(?P<number>[1-9][0-9]*)|\\k<(?P<name>[^>]*)>"
    r"|\\(?:[pPux]\{[^}]*\}|u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|c[a-zA-Z]|.)|\[\^?\]?(?:\\.|[^\]\\])*\]"
    r"|(?P<open>\((?:\?(?:<(?![=!])(?P<called>[^>]*)>|<[=!]|[:=!])?)?)|(?P<close>\))|.",
    re.DOTALL,
).finditer
_COUNTED = r"(?:,[0-9]*)?\}"
_quantifier = re.compile(rf"(?:(?P<skips>[*?]|\{{0+{_COUNTED})|\+|\{{[0-9]+{_COUNTED})\??").match
_asks_once = re.compile(r"\?|\{(?:[0-9]+,)?0*[01]\}").match
_READS_NOTHING = frozenset(("^", "$", "|", r"\b", r"\B"))
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
    skipped: bool = False  # whether the part after it may be reached without it
    repeated: bool = False  # whether it may be matched in several rounds
    reads: bool = False  # whether its present branch has to read something
    may_be_empty: bool = False  # whether one of the branches before has not
    varies: bool = False  # whether there is a choice or a quantifier in it
    unread: bool = False  # whether it is a lookahead that need not be asked
    told: bool = False  # whether an empty group after it shows that it has matched
    number: int = 0
    teller: int = 0

    @property
    def is_lookahead(self) -> bool:
        """Whether it asks what follows."""
        return self.opener in ("(?=", "(?!")

    @property
    def reads_always(self) -> bool:
        """Whether it reads something in each of its branches, as far as that is known."""
        return self.reads and not self.may_be_empty and (self.captures or self.opener == "(?:")

    def vary(self) -> None:
        """Note that there are several ways to match it."""
        for each, _ in _ways(self):
            each.varies = True

    def next_branch(self) -> None:
        """Begin another branch."""
        self.branches += 1
        self.vary()
        self.may_be_empty |= not self.reads
        self.reads = False


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
    captures: int = 0


def regrouped(pattern: str) -> str:
    """Return a pattern that the backtracking engine reads as ECMA-262 reads `pattern`."""
    read = _read(pattern) if _needed(pattern) else None
    if read is None:
        return pattern
    referred: set[_Group] = set()
    for at, part in enumerate(read.parts):
        if isinstance(part, _Reference):
            part.group = group = read.groups.get(part.to)
            if group is None:
                return pattern  # the engine refuses it
            referred.add(group)
            certain = _is_certain(group, part, at)
            group.told |= not certain or _is_repeated(group, part)
            _check_rounds(group, part, certain=certain)
            _check_lookbehinds(group, part)
    for group in set(read.groups.values()) - referred:
        if any(each.opener in ("(?<=", "(?<!") for each, _ in _ways(group)):
            group.opener, group.captures = "(?:", False
    _count(read)
    return "".join(_written(read))


def _read(pattern: str) -> _Pattern | None:
    """Return the parts of the pattern; None if its brackets do not match."""
    read = _Pattern()
    here = _Group("")
    end = 0
    for found in _tokens(pattern):
        if found.start() < end:
            continue  # a quantifier that is read
        quantifier = _quantifier(pattern, found.end())
        if found["open"]:
            here = _opened(read, here, found)
        elif found["close"]:
            if here.parent is None:
                return None
            _close(read, here, quantifier)
            here = here.parent
        elif found["number"] or found["name"]:
            around = dict(_ways(here))
            to = int(found["number"]) if found["number"] else found["name"]
            if read.groups.get(to) not in around:
                read.parts += (_Reference(found[0], to, around), _text(quantifier))
        elif found[0] == "|":
            here.next_branch()
            read.parts.append("|")
            continue
        else:
            read.parts.append(found[0] + _text(quantifier))
            here.reads |= not _skips(quantifier) and found[0] not in _READS_NOTHING
        if quantifier and not found["open"]:
            here.vary()
            end = quantifier.end()
    return None if here.parent else read


def _opened(read: _Pattern, parent: _Group, found: re.Match[str]) -> _Group:
    """Return the group that is opened in `parent`."""
    captures = found[0] == "(" or found["called"] is not None
    group = _Group(found[0], parent, parent.branches, captures)
    read.parts.append(group)
    if captures:
        read.captures += 1
        read.groups[read.captures] = group
        read.groups[found["called"] or read.captures] = group
    return group


def _close(read: _Pattern, group: _Group, quantifier: re.Match[str] | None) -> None:
    """Close a group, and apply its quantifier."""
    group.end = len(read.parts)
    read.parts.append(group)
    group.skipped = _skips(quantifier) or group.opener in ("(?!", "(?<!")
    if group.is_lookahead:
        group.unread = _skips(quantifier)
    else:
        group.repeated = quantifier is not None and not _asks_once(quantifier[0])
        read.parts.append(_text(quantifier))
    if group.parent is not None:
        group.parent.reads |= group.reads_always and not group.skipped


def _skips(quantifier: re.Match[str] | None) -> bool:
    return quantifier is not None and quantifier["skips"] is not None


def _text(quantifier: re.Match[str] | None) -> str:
    return quantifier[0] if quantifier else ""


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


def _is_repeated(group: _Group, reference: _Reference) -> bool:
    """Return whether the group is in a repeat that the reference is not in. An empty group after it
    then keeps the engine from reading `(a+)+` as `(a+)`."""
    return any(each.repeated for each, _ in _ways(group) if each not in reference.around)


def _check_rounds(group: _Group, reference: _Reference, *, certain: bool) -> None:
    """Refuse a reference for which it matters that rounds forget the group, or may be empty."""
    sets = True  # in each round
    for each, _ in _ways(group):
        sets = sets and (each is group or each.branches == 1)
        if each.repeated:
            known = certain if each in reference.around else sets and each.reads_always
            if not known:
                raise SchemaError(
                    "/: a pattern refers to a group that a repeat may leave out or forget; put the "
                    "reference after the group, inside the repeat"
                )
        sets = sets and not each.skipped


def _check_lookbehinds(group: _Group, reference: _Reference) -> None:
    """Refuse a reference for which it matters in which direction a lookbehind is matched."""
    for each, _ in _ways(group):
        if each.opener == "(?<=" and (each.varies or each in reference.around):
            raise SchemaError(
                "/: a pattern refers to a group in a lookbehind that can match in several ways; "
                "give it one length and no choice, and put the reference after it"
            )


def _count(read: _Pattern) -> None:
    """Number the groups, each before those inside it; the empty group after it comes after them."""
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
