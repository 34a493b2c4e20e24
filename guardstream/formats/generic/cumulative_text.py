"""Streams of `str` in which every chunk repeats the text before it.

User interfaces and agents stream such texts: what a Gradio function yields, or pydantic-ai's
`stream_text()`. Nothing in a first chunk shows it, so the format has to be named.
"""

from __future__ import annotations

from collections.abc import Sequence

from guardstream.errors import AdapterError
from guardstream.events import FinishReason
from guardstream.formats.adapter import Piece, Reading, Released, Slot, Unknown


class CumulativeText:
    """The adapter for `str` chunks that are the whole text so far.

    A chunk that does not begin with the previous one begins another text.
    """

    name = "cumulative_text"
    repeats = True

    def __init__(self, *, unknown: Unknown = "guard") -> None:
        del unknown  # there is nothing in text that could be unknown
        self._slot = Slot(0, "text", "")
        self._last = ""

    def read(self, chunk: str) -> Reading:
        """Find what is new in `chunk`, and all of it as a copy of the text so far."""
        if not isinstance(chunk, str):
            given = type(chunk).__qualname__
            raise AdapterError(f"a chunk of type {given!r} in a stream of text: give text alone")
        closed: tuple[Slot, ...] = ()
        if not chunk.startswith(self._last):
            closed = (self._slot,)
            self._slot = self._slot._replace(number=self._slot.number + 1)
            self._last = ""
        new, self._last = chunk[len(self._last) :], chunk
        pieces = [Piece(self._slot, new)] if new else []
        if chunk:
            pieces.append(Piece(self._slot, chunk, "copy"))
        return Reading(pieces, (0,), closed=closed)

    def write(self, chunk: str, texts: Sequence[str], *, ends: bool = True) -> str | None:
        """Return the guarded text so far, None if there is none."""
        return (texts[-1] if texts else "") or None

    def extra(self, chunk: str, slot: Slot, text: str, released: Released) -> Sequence[str]:
        """Return the guarded text so far."""
        return [released(slot)]

    def end(
        self, chunk: str, choice: int, reason: FinishReason, released: Released
    ) -> Sequence[str]:
        """Return nothing: text has no end marks."""
        return []
