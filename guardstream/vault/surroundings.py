"""Keeps the end of a text as the model wrote it, which decides whether a stand-in is restored."""

from __future__ import annotations

from guardstream.vault.addresses.following import LONGEST_OPENING, within
from guardstream.vault.addresses.judging import Around
from guardstream.vault.addresses.plain import REACH
from guardstream.vault.addresses.states import OUTSIDE
from guardstream.vault.addresses.strings import TEXT_OF_STRING

_WINDOW = 4 * REACH
"""How many code points are kept; half of them cover the waiting text and what precedes it."""

_WORD = "x"  # replaces the bracket after a restored value


class Surroundings:
    """Keeps the end of a text, and tracks the tags that are open in it when asked.

    `string` says that the text is all of a string, as of JSON.
    """

    def __init__(self, *, string: bool = False) -> None:
        self._window = TEXT_OF_STRING if string else ""
        self._recent: list[str] = []  # what came after the window
        self._size = len(self._window)  # of both together
        self._base = -self._size  # the offset at which they begin
        self._state = OUTSIDE
        self._followed = 0  # the offset up to which tags were tracked

    def add(self, text: str) -> None:
        """Take the next characters."""
        self._recent.append(text)
        self._size += len(text)
        if self._size > _WINDOW:
            self._forget(self._size - _WINDOW // 2)

    def around(self, at: int) -> Around:
        """Return what precedes an offset; the offsets of successive calls must not decrease."""
        self._follow(at)
        end = at - self._base
        return Around(self._text()[max(end - REACH, -self._base, 0) : end], self._state)

    def unbracket(self, at: int) -> None:
        """Record that the bracket at an offset, which closes a restored stand-in, is not written.

        Then a parenthesis after it does not begin the target of a link.
        """
        end = at - self._base
        text = self._text()
        self._window = f"{text[:end]}{_WORD}{text[end + 1 :]}"

    def _forget(self, length: int) -> None:
        self._follow(self._base + length)
        length -= LONGEST_OPENING
        self._window = self._text()[length:]
        self._size -= length
        self._base += length

    def _text(self) -> str:
        if self._recent:
            self._window += "".join(self._recent)
            self._recent.clear()
        return self._window

    def _follow(self, at: int) -> None:
        if at > self._followed:
            start, end = self._followed - self._base, at - self._base
            self._state = within(self._state, self._text(), start, end)
            self._followed = at
