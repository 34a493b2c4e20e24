"""What is open in a block of text: brackets, quotes, tags."""

from __future__ import annotations

from dataclasses import dataclass

_DEEPEST = 64
"""How many may be open: a bound on the work for each of them."""

QUOTES = "\"'"
STRING = "string"
"""The mark of a text that is all of a string, which nothing in it closes."""


@dataclass(slots=True, eq=False)
class Open:
    """One that is open: its characters, and the offsets around them.

    It is hot if an address may be in it, glued if it was so from its beginning, odd if renderers
    may disagree about its end. A value is a string of JSON or code.
    """

    mark: str
    start: int
    end: int
    hot: bool = False
    glued: bool = False
    odd: bool = False
    is_value: bool = False
    name: str = ""

    @property
    def outlasts_block(self) -> bool:
        """Whether an empty line does not end it for every renderer."""
        marks = ("<!--", "{", "[img]", STRING, *QUOTES)
        return self.hot and (self.mark in marks or (self.mark == "<" and self.name != ""))


class Opens(list[Open]):
    """All that is open, the innermost last."""

    def __init__(self) -> None:
        super().__init__()
        self.hot = 0
        """How many of them are hot."""

    def open(self, each: Open) -> bool:
        """Open one; return whether there is room for it."""
        if len(self) >= _DEEPEST:
            return False
        each.glued = each.hot
        self.hot += each.hot
        self.append(each)
        return True

    def heat(self, each: Open) -> None:
        self.hot += not each.hot
        each.hot = True

    def close(self, mark: str) -> Open | None:
        """Close the last open `mark` and return it, unless something in it must close first."""
        found = self.last(mark)
        if found is None:
            return None
        number = self.index(found)
        inner = self[number + 1 :]
        if any(each.hot for each in inner):
            self.make_odd()
            return None
        if any(each.is_value or each.mark == "<" for each in inner):
            return None
        del self[number:]
        self.hot -= found.hot
        return found

    def make_odd(self) -> None:
        """Let renderers disagree about the end of all that is open."""
        for each in self:
            each.odd = True

    def last(self, mark: str) -> Open | None:
        return next((each for each in reversed(self) if each.mark == mark), None)

    def end_block(self) -> None:
        self[:] = [each for each in self if each.outlasts_block]
        self.hot = len(self)
