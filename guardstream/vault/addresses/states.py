"""What a module for a markup consists of: states, steps between them, and openings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import Final, NamedTuple, TypeAlias


class State(Enum):
    """A state of one open construct, such as a tag. Each markup has an enum of its own."""


Open: TypeAlias = frozenset[State]
"""The states of all constructs that may be open.

What looks like a tag may be plain text to a reader of the page, so each construct is followed as if
it were the only one.
"""

OUTSIDE: Final[Open] = frozenset()
"""Nothing is open."""

SPACE, PARAGRAPH, WORD, OTHER = "space", "paragraph", "word", "other"
"""Marks: white space, the end of a paragraph, and any text without spaces and without the
characters in PUNCTUATION, each of which is a mark itself; `OTHER` stands for any that a row of
steps does not name."""

PUNCTUATION = "<>\"'=/\\()[]{}:&@%`"

CLOSED = None
"""What follows a state when a mark closes its construct."""

Steps: TypeAlias = Mapping[State, Mapping[str, State | None]]
"""A row for each state: the next state by the next mark.

A state stays as it is if its row has neither the mark nor `OTHER`. The end of a paragraph is a
space to a row that does not name it.
"""

Harmless: TypeAlias = Callable[[str], bool]
"""Returns whether an open construct holds no address, or only the recipient of a mail or a call,
given the text up to the stand-in."""


class Opening(NamedTuple):
    """A place where a construct opens.

    `first` is its first character, and `then` a pattern for what must follow. `after` is a pattern
    for what must precede `first`. `opens` is the state after all of it.
    """

    first: str
    then: str
    opens: State
    after: str = ""


class Ending(NamedTuple):
    """A text that closes constructs and is longer than a mark: it ends those in `closes`.

    It is only searched for while any state of `inside` may be open.
    """

    pattern: str
    inside: Open
    closes: Open


class Markup(NamedTuple):
    """A markup, or several that are alike.

    States without an entry in `harmless` always count as an address.
    """

    openings: Sequence[Opening]
    steps: Steps
    harmless: Mapping[State, Harmless]
    endings: Sequence[Ending] = ()


def never_an_address(_near: str) -> bool:
    """Say that a state is harmless: no address can have begun."""
    return True
