"""The choices of a stream: which are open, which have ended, and which the guard ends early."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Generic, TypeVar

from guardstream.events import FinishReason
from guardstream.providers.adapter import NEW, Reading

C = TypeVar("C")


class Choices(Generic[C]):
    """Keeps the last chunk of each choice that is `open`, the finish `reasons` of those that have
    ended, and those of the choices that the guard has `cut`."""

    __slots__ = ("cut", "open", "reasons")

    def __init__(self) -> None:
        self.open: dict[int, C] = {}
        self.reasons: dict[int, FinishReason] = {}
        self.cut: dict[int, FinishReason] = {}

    @property
    def reason(self) -> FinishReason:
        """The finish reason of the stream: that of its first choice."""
        return self.reasons.get(min(self.reasons, default=0), "stop")

    @property
    def all_cut(self) -> bool:
        """Whether the guard has cut all choices that are open; ask only once it has cut one."""
        return self.open.keys() <= self.cut.keys()

    def note(self, reading: Reading, chunk: C) -> None:
        """Remember `chunk` as the last one of the choices in it; new text reopens a choice that
        its source has ended."""
        for choice in reading.choices:
            if choice in self.reasons and (choice in self.cut or not _has_new_text(reading)):
                continue
            self.reasons.pop(choice, None)
            self.open[choice] = chunk

    def replace(self, last: C, chunk: C) -> None:
        """Remember `chunk` in place of the chunk `last`."""
        self.open = {at: chunk if each is last else each for at, each in self.open.items()}

    def end(self, choice: int, reason: FinishReason) -> None:
        """Take note that the source has ended a choice."""
        self.open.pop(choice, None)
        self.reasons.setdefault(choice, reason)

    def cut_all(self, choices: Iterable[int], reason: FinishReason) -> None:
        """Take note that the guard ends these choices."""
        self.cut.update(dict.fromkeys(choices, reason))

    def newly_cut(self) -> list[int]:
        """Return the choices that the guard has cut and that have not ended yet."""
        return [choice for choice in self.cut if choice not in self.reasons]


def _has_new_text(reading: Reading) -> bool:
    """Return whether a chunk has new text of a slot, or text that its adapter withholds."""
    return any(piece.kind in NEW or piece.kind == "later" for piece in reading.pieces)
