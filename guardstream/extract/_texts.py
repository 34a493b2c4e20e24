"""Finds in a stream's chunks the text to read: the answer's, or the arguments of a tool call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from guardstream.events import FinishReason
from guardstream.formats import Adapter, detect, named
from guardstream.formats.adapter import NEW, Piece, Slot
from guardstream.formats.generic.any_json import AnyJSON

TextOf: TypeAlias = Callable[[Any], str]


def _known(chunk: Any) -> Adapter[Any]:
    """Return the adapter that knows a chunk. AdapterError if none does: then nothing shows which
    text is the answer."""
    found = detect(chunk)
    return detect(chunk, unknown="refuse") if isinstance(found, AnyJSON) else found


class Texts:
    """Returns each chunk's text: that of the first choice or, with `tool`, the arguments of the
    first call of that tool.

    Chunks other than str are read by the adapter that `format` names, or that knows the first
    of them.
    """

    def __init__(self, format: str | Adapter[Any] | None, tool: str | None) -> None:
        self._adapter = named(format) if isinstance(format, str) else format
        self._tool = tool
        self._slot: Slot | None = None  # of the call
        self._others: list[str] = []  # the tools of earlier calls
        self._refused = False
        self.finish: FinishReason | None = None
        """How the first choice ended, as far as its chunks say."""

    def __call__(self, chunk: Any) -> str:
        if isinstance(chunk, str) and self._adapter is None:
            if self._tool is not None:
                raise TypeError("a stream of str has no tool calls: leave 'tool' out")
            return chunk
        if isinstance(chunk, (bytes, bytearray, memoryview)) or type(chunk) is int:
            raise TypeError("extract reads text or chunks, not bytes: decode them first")
        adapter = self._adapter = self._adapter or _known(chunk)
        reading = adapter.read(chunk)
        self.finish = reading.finished.get(0, self.finish)
        self._refused |= any(_is_refusal(piece.slot) for piece in reading.pieces)
        if self._slot is None:
            calls = [(slot, call.name) for slot, call in reading.calls.items() if not slot.choice]
            self._slot = next((slot for slot, name in calls if name == self._tool), None)
            self._others += [name for _, name in calls if name and name not in self._others]
        return "".join(piece.text for piece in reading.pieces if self._wanted(piece))

    @property
    def missing(self) -> str:
        """Why no text was read; "" if nothing explains it."""
        if self._slot is not None:
            return ""
        if self._refused:
            return "the model refused, and gave a reason instead of an answer"
        names = ", ".join(map(repr, self._others))
        if self._tool is None:
            one = f"; tool={self._others[0]!r} reads the arguments of one" if names else ""
            return f"there was no text, only tool calls: {names}{one}" if names else ""
        others = f", but these were: {names}" if names else ""
        return f"the tool {self._tool!r} was not called{others}"

    def _wanted(self, piece: Piece) -> bool:
        slot = piece.slot
        if self._tool is not None:  # some formats give a call's arguments at once
            return slot == self._slot and piece.kind in NEW
        return slot.choice == 0 and slot.channel == "text" and piece.kind in ("delta", "last")


def _is_refusal(slot: Slot) -> bool:
    return slot.choice == 0 and slot.channel == "refusal"
