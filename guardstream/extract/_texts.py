"""Finds in a stream's chunks the text to read: the answer's, or the arguments of a tool call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from guardstream.providers import Adapter, detect, named
from guardstream.providers.base import Slot
from guardstream.providers.tools import tools

TextOf: TypeAlias = Callable[[Any], str]


class Texts:
    """Gives each chunk's text, of the first choice; with `tool`, of the first call of that tool.

    Chunks that are no str are read by the adapter that `provider` names, or that knows the first
    of them.
    """

    def __init__(self, provider: str | Adapter[Any] | None, tool: str | None) -> None:
        self._adapter = named(provider) if isinstance(provider, str) else provider
        self._tool = tool
        self._slot: Slot | None = None  # the call's

    def __call__(self, chunk: Any) -> str:
        if isinstance(chunk, str) and self._adapter is None:
            if self._tool is not None:
                raise TypeError("a stream of str has no tool calls: leave 'tool' out")
            return chunk
        adapter = self._adapter = self._adapter or detect(chunk)
        if self._tool is not None and self._slot is None:
            names = tools(adapter, chunk)
            self._slot = next(
                (slot for slot, name in names.items() if name == self._tool and not slot.choice),
                None,
            )
        pieces = adapter.read(chunk).pieces
        return "".join(
            piece.text for piece in pieces if not piece.whole and self._wanted(piece.slot)
        )

    def _wanted(self, slot: Slot) -> bool:
        if self._tool is not None:
            return slot == self._slot
        return slot.choice == 0 and slot.channel == "text"
