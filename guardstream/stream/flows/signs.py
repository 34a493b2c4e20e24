"""What a source says of its end, and what proves it.

A finish reason or the end of a block is a sign, no proof: some gateways send one with every chunk.
What would be released at a sign waits until the source ends, other work of the same choice follows
(a call, another channel), the chunk itself repeats the text, or a driver with a timer has heard
nothing for a while. A driver without one believes a sign in a chunk of its own. If the text goes on
after all, the sign was wrong: from then on no sign of its choice is believed, nor is silence.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from guardstream.formats.adapter import NEW, Piece, Reading

WHOLE = ("whole", "copy", "parsed")
"""Kinds of pieces that have all of a text."""


class Verdict(NamedTuple):
    """What a chunk shows of the signs before it: choices whose sign was wrong, and those whose sign
    is proved."""

    wrong: Collection[int]
    proved: Collection[int]


class Signs:
    """The signs of one stream.

    `has_timer` says that its driver notices silence, `has_done` that the framing has said that the
    stream is done, `is_done` that neither text nor a call has followed that.
    """

    def __init__(self) -> None:
        self.has_timer = False
        self.has_done = False
        self.is_done = False
        self._wrong: set[int] = set()
        self._believed: set[tuple[int, str]] = set()  # texts that a sign has ended, by channel
        self._worked: set[int] = set()  # choices with a call after their last text

    @property
    def trusts_silence(self) -> bool:
        """Whether silence after a sign proves it: not once a sign of the stream was wrong."""
        return self.has_timer and not self._wrong

    @property
    def is_open(self) -> bool:
        """Whether there was a sign of which what follows may show that it was wrong."""
        return self.is_done or bool(self._believed)

    def needs_proof(self, reading: Reading) -> Collection[int]:
        """Return the choices whose end, as a chunk without a proof tells of it, cannot be believed
        yet."""
        ended = reading.finished.keys() - self._worked
        if reading.calls or reading.failed or not ended:
            return ()
        said = {piece.slot.choice for piece in reading.pieces if goes_on(piece)}
        unproved = ended if self.has_timer else ended & (said | self._wrong)
        return [choice for choice in unproved if reading.finished[choice] != "error"]

    def believes(self, choice: int) -> bool:
        """Return whether a sign without a proof ends a choice."""
        return choice not in self._wrong

    def note_believed(self, texts: Collection[tuple[int, str]]) -> None:
        """Take note of the texts, by choice and channel, that a sign has ended."""
        self._believed.update(texts)

    def note_work(self, reading: Reading) -> None:
        """Take note of calls: they are work, after which an end needs no other proof."""
        self._worked -= {piece.slot.choice for piece in reading.pieces if goes_on(piece)}
        self._worked |= _worked(reading)

    def weigh(self, reading: Reading, awaited: Collection[tuple[int, str]]) -> Verdict:
        """Weigh what a chunk shows of the signs before it. `awaited` are the texts, by choice and
        channel, whose end waits for a proof.

        That a text goes on shows that its sign was none; other work of the same choice proves it.
        """
        texts = {(each.slot.choice, each.slot.channel) for each in reading.pieces if goes_on(each)}
        worked = _worked(reading)
        went_on = texts & {*self._believed, *awaited}
        wrong = {choice for choice, _ in went_on} - worked
        proved = worked | {choice for choice, _ in texts} - wrong
        self._wrong |= wrong
        self.is_done = self.is_done and not (wrong or proved)
        self._believed = {each for each in self._believed if each[0] not in proved | wrong}
        return Verdict(wrong, proved)


def goes_on(piece: Piece) -> bool:
    """Return whether a piece has more of a text that is no call's."""
    is_new = piece.kind in ("delta", "last") and bool(piece.text)
    return is_new and piece.slot.channel != "tool_args"


def _worked(reading: Reading) -> set[int]:
    """Return the choices in which a chunk has a call, or arguments of one."""
    pieces = (piece for piece in reading.pieces if piece.kind in NEW)
    arguments = {piece.slot.choice for piece in pieces if piece.slot.channel == "tool_args"}
    return arguments | {slot.choice for slot in reading.calls}
