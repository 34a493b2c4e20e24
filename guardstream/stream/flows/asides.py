"""Texts beside the answer, such as log probabilities and what repeats the request."""

from __future__ import annotations

from guardstream.providers.adapter import Piece, Slot
from guardstream.stream.flows.checks import Check, is_unchanged

_MOST = 4096
"""How many slots of such texts one stream may have; the texts of further ones do not pass."""


class Asides:
    """The texts beside the answer of one stream; `memory` is how many code points are kept of each
    slot."""

    def __init__(self, check: Check, memory: int) -> None:
        self._check = check
        self._memory = memory
        # By slot: its last text, all of them joined, and whether that passed.
        self._texts: dict[Slot, tuple[str, str, bool]] = {}

    def passes(self, piece: Piece, *, repeats: bool) -> bool:
        """Return whether no rule changes a text beside the answer, joined with the earlier ones in
        its slot.

        If texts are only repeated there (`repeats`), like the request's, the last one passes again
        if it did before.
        """
        last, before, passed = self._texts.get(piece.slot, ("", "", True))
        if repeats and piece.text == last:
            return passed
        if not last and len(self._texts) == _MOST:
            return False
        joined = before[-self._memory :] + piece.text
        if joined != before:  # they are soon equal if each chunk has the same text
            passed = not last or is_unchanged(self._check(joined), joined)
            self._texts[piece.slot] = piece.text, joined, passed
        return passed
