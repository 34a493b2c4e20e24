"""Runs: text of one kind in a row, in formats that have no blocks to begin and end it.

What comes between two texts of a kind, thinking between two answers, makes texts of their own of
them, in whichever chunks they come.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from guardstream.providers.adapter import Piece, Slot


class Runs:
    """Numbers the slots of one stream's deltas by run.

    Tool arguments have slots of their own, and end the run before them as a whole text does.
    """

    def __init__(self) -> None:
        self._current: dict[Hashable, tuple[Slot, Slot]] = {}
        self._over: list[Slot] = []
        self._count = 0

    def number(
        self, pieces: Sequence[Piece], of: Hashable = None
    ) -> tuple[list[Piece], list[Slot], list[Slot]]:
        """Return a chunk's pieces in the slots of their runs, and which runs end before and in it.

        `of` tells apart messages of one choice that come at the same time.
        """
        found = [self._numbered(piece, of) for piece in pieces]
        here = {piece.slot for piece in found}
        over, self._over = self._over, []
        before = [slot for slot in over if slot not in here]
        return found, before, [slot for slot in over if slot in here]

    def stop(self, choice: int, of: Hashable = None) -> None:
        """End a run, where something without text stands between."""
        found = self._current.pop((choice, of), None)
        if found is not None:
            self._over.append(found[1])

    def _numbered(self, piece: Piece, of: Hashable) -> Piece:
        slot = piece.slot
        if piece.kind == "whole" or slot.channel == "tool_args":
            self.stop(slot.choice, of)
            return piece
        if piece.kind != "delta":
            return piece
        known, run = self._current.get((slot.choice, of), (None, slot))
        if known != slot:
            self.stop(slot.choice, of)
            run = slot._replace(number=self._count)
            self._count += 1
            self._current[slot.choice, of] = (slot, run)
        return piece._replace(slot=run)
