"""Halves of surrogate pairs, which sources cut in two: a program that counts UTF-16 units may put
each into a delta of its own."""

from __future__ import annotations

import re

HALF = re.compile("[\ud800-\udfff]")
"""Finds half a surrogate pair. Python joins none by itself."""


class Halves:
    """Joins the halves in one text. A first half waits for the next text, and leaves with the
    second one as a single character, or as it came if what follows is none."""

    __slots__ = ("waiting",)

    def __init__(self) -> None:
        self.waiting = ""

    def joined(self, text: str) -> str:
        """The next text as far as it can be read."""
        if not self.waiting and (text.isprintable() or HALF.search(text) is None):
            return text
        text, self.waiting = paired(self.waiting + text), ""
        if "\ud800" <= text[-1:] < "\udc00":
            text, self.waiting = text[:-1], text[-1]
        return text

    def rest(self) -> str:
        """What waits at the end of the text."""
        rest, self.waiting = self.waiting, ""
        return rest


def paired(text: str) -> str:
    """A text with its halves joined; those that stay alone remain."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")


def well_formed(text: str) -> str:
    """A text that can be encoded: halves are joined, and U+FFFD stands for one that is alone."""
    if text.isascii() or HALF.search(text) is None:
        return text
    return HALF.sub("\N{REPLACEMENT CHARACTER}", paired(text))
