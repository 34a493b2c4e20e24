"""Runs: continued text of one kind, in formats without blocks.

Clients join an answer's text, whatever comes between: thinking, citations, metadata. Only a running
tool separates it: the text before a call, and the text after the call or its result, are different
texts.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Sequence

from guardstream.formats.adapter import Piece, Slot


class Runs:
    """Numbers the slots of one stream's deltas by run.

    `tools` are the fields of whole texts that end a run, like tool arguments do: results of tools.
    """

    def __init__(self, tools: Collection[str] = ()) -> None:
        self._tools = frozenset(tools)
        self._current: dict[Hashable, dict[Slot, Slot]] = {}
        self._over: list[Slot] = []
        self._count = 0

    def number(
        self, pieces: Sequence[Piece], of: Hashable = None
    ) -> tuple[list[Piece], list[Slot], list[Slot]]:
        """Return a chunk's pieces in the slots of their runs, and the runs that end before and in
        it.

        `of` distinguishes concurrent messages of one choice.
        """
        found = [self._numbered(piece, of) for piece in pieces]
        here = {piece.slot for piece in found}
        over, self._over = self._over, []
        before = [slot for slot in over if slot not in here]
        return found, before, [slot for slot in over if slot in here]

    def stop(self, choice: int, of: Hashable = None) -> None:
        """End the runs of a choice, because a tool without text comes between."""
        self._over += self._current.pop((choice, of), {}).values()

    def _numbered(self, piece: Piece, of: Hashable) -> Piece:
        slot = piece.slot
        if slot.channel == "tool_args" or (piece.kind == "whole" and slot.field in self._tools):
            self.stop(slot.choice, of)
            return piece
        if piece.kind != "delta":
            return piece
        runs = self._current.setdefault((slot.choice, of), {})
        if slot not in runs:
            runs[slot] = slot._replace(number=self._count)
            self._count += 1
        return piece._replace(slot=runs[slot])
