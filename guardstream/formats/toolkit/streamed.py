"""The text of a stream so far, by slot, to recognise it where a format repeats it."""

from __future__ import annotations

from collections.abc import Iterable

from guardstream.formats.adapter import Piece, Slot
from guardstream.formats.toolkit.parsed import same_value


class Streamed:
    """Records the deltas of one stream as they came in."""

    def __init__(self) -> None:
        self._texts: dict[Slot, list[str]] = {}

    @property
    def count(self) -> int:
        """How many texts there are."""
        return len(self._texts)

    def note(self, pieces: Iterable[Piece]) -> None:
        """Record the pieces that are new text."""
        for slot, text, kind in pieces:
            if kind in ("delta", "whole"):
                self._texts.setdefault(slot, []).append(text)

    def placed(self, piece: Piece) -> Piece:
        """Return a repetition in the slot of its channel that had the text; otherwise `piece`
        unchanged."""
        if piece.kind not in ("copy", "parsed"):
            return piece
        return piece._replace(slot=self.find(piece, channel=piece.slot.channel) or piece.slot)

    def placed_anywhere(self, piece: Piece) -> Piece:
        """Return a repetition in the slot, of any channel, that had the text; otherwise in the
        first slot of its own field."""
        if piece.kind not in ("copy", "parsed"):
            return piece
        return piece._replace(slot=self.find(piece) or piece.slot._replace(number=0))

    def find(self, piece: Piece, *, channel: str | None = None) -> Slot | None:
        """Return the slot, of `channel` only if given, that had the text which `piece` repeats.

        None if there is none.
        """
        for slot, parts in reversed(self._texts.items()):
            if channel not in (None, slot.channel):
                continue
            if piece.kind == "parsed":
                if slot.channel == "tool_args" and same_value("".join(parts), piece.text):
                    return slot
            elif sum(map(len, parts)) == len(piece.text) and "".join(parts) == piece.text:
                return slot
        return None
