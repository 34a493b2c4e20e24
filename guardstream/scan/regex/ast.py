"""The tree of a pattern: what the parser makes of it, and what it is compiled from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias


@dataclass(frozen=True, slots=True)
class Char:
    """One character out of a set, as a fragment of `regex` syntax that stands alone."""

    fragment: str


@dataclass(frozen=True, slots=True)
class Cat:
    """A sequence; an empty one matches the empty string."""

    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Alt:
    """A choice, in order of preference."""

    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Repeat:
    """`item` from `low` to `high` times; `high` None means without end.

    `end` is the offset behind it in `Parsed.source`, `groups` how many groups had opened by then.
    """

    item: Node
    low: int
    high: int | None
    lazy: bool
    end: int = 0
    groups: int = 0


@dataclass(frozen=True, slots=True)
class Group:
    """A capturing group."""

    item: Node
    number: int


@dataclass(frozen=True, slots=True)
class Look:
    """A lookaround assertion."""

    item: Node
    ahead: bool
    negate: bool


Anchor: TypeAlias = Literal["start", "end", "line_start", "line_end", "word", "not_word"]


@dataclass(frozen=True, slots=True)
class Assert:
    """An assertion without an item of its own; `word` is the word characters' fragment."""

    kind: Anchor
    word: str = r"\w"


@dataclass(frozen=True, slots=True)
class Approximate:
    """A part whose meaning is narrower than `item`: an atomic group, a back-reference…"""

    item: Node


Node: TypeAlias = Char | Cat | Alt | Repeat | Group | Look | Assert | Approximate

ANY = Char(r"[\s\S]")
ANY_STRING = Approximate(Repeat(ANY, 0, None, False))
