"""Streams of plain `str`: every chunk is text of the one channel `text`."""

from __future__ import annotations

from collections.abc import Sequence

from guardstream.events import FinishReason
from guardstream.formats.adapter import Piece, Reading, Released, Slot, Unknown

SLOT = Slot(0, "text", "")


class PlainText:
    """The adapter for `str` chunks."""

    repeats = False

    def __init__(self, *, unknown: Unknown = "guard") -> None:
        del unknown  # there is nothing in text that could be unknown

    def read(self, chunk: str) -> Reading:
        """Find the text in `chunk`: all of it."""
        return Reading([Piece(SLOT, chunk)] if chunk else [], (0,))

    def write(self, chunk: str, texts: Sequence[str], *, ends: bool = True) -> str | None:
        """Return the guarded text, None if all of it is held."""
        return "".join(texts) or None

    def extra(self, chunk: str, slot: Slot, text: str, released: Released) -> Sequence[str]:
        """Return `text`."""
        return [text]

    def end(
        self, chunk: str, choice: int, reason: FinishReason, released: Released
    ) -> Sequence[str]:
        """Return nothing: text has no end marks."""
        return []
