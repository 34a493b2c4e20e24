"""The tree of a pattern: what the parser makes of it, and what it is compiled from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, TypeAlias


@dataclass(frozen=True, slots=True)
class Char:
    """One character out of a set, as a fragment of `regex` syntax that stands alone."""

    fragment: str


@lru_cache(4_096)
def char(fragment: str) -> Char:
    """The same object for the same fragment: there are few, and patterns use them often."""
    return Char(fragment)


def literal(character: str) -> str:
    """The character as a fragment that means itself in any mode."""
    if character.isalnum() or character == "_":
        return character
    return f"\\U{ord(character):08x}"


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
    """`item` from `low` to `high` times; `high` None means without end."""

    item: Node
    low: int
    high: int | None
    lazy: bool


@lru_cache(4_096)
def repeated(item: Char, low: int, high: int | None, lazy: bool) -> Repeat:
    """The same object for the same repetition of one character, as for `char`."""
    return Repeat(item, low, high, lazy)


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
class Atomic:
    """A part that keeps the first way in which it matches: an atomic group, a possessive repeat."""

    item: Node


@dataclass(frozen=True, slots=True)
class Reference:
    """A back-reference: the text that the group last captured, perhaps ignoring case, of ASCII
    letters alone or of all."""

    number: int
    ignore_case: bool
    ascii: bool = False

    def alike(self, character: str) -> str:
        """What the reference takes for a character, as a fragment."""
        if not self.ignore_case:
            return literal(character)
        return f"(?a)(?i:{literal(character)})" if self.ascii else f"(?i:{literal(character)})"


Node: TypeAlias = Char | Cat | Alt | Repeat | Group | Look | Assert | Atomic | Reference

ANY = Char(r"[\s\S]")
NEVER = Alt(())
"""What matches nothing at all, not even the empty string."""
