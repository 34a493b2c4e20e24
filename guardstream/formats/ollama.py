"""Ollama's streams: lines of `/api/chat` and `/api/generate`, or the `ollama` package's responses.

`ollama.yaml` describes them. The last response of `generate` has the whole conversation as token
ids (`context`): it is left out if the answer was changed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from guardstream.formats.adapter import Piece, Reading, Slot, Unknown
from guardstream.formats.described import DescribedFormat
from guardstream.formats.toolkit.fields import fields_of, replaced


class Ollama(DescribedFormat, of="ollama"):
    """The adapter for responses; there is one choice."""

    repeats = True
    leaves_out_calls = True

    def __init__(self, *, unknown: Unknown = "guard") -> None:
        super().__init__(unknown=unknown)
        self._raw: dict[Slot, list[str]] = {}  # what was generated

    def meaning(self, chunk: Any, event: Mapping[str, Any], pieces: Sequence[Piece]) -> Reading:
        """Return what a response says; a context spells out all that was generated."""
        reading = super().meaning(chunk, event, pieces)
        if "response" in event:
            self._patience = 0  # each is noted
            for slot, text, _ in reading.pieces:
                self._raw.setdefault(slot, []).append(text)
        if not event.get("context"):
            return reading
        copies = [Piece(slot, text, "copy") for slot, text in self._copies()]
        return reading._replace(pieces=[*reading.pieces, *copies])

    def write(self, chunk: Any, texts: Sequence[str], *, ends: bool = True) -> Any | None:
        """Return `chunk` with `texts`, without its context if that spells out replaced text."""
        count = len(self.pieces(chunk, fields_of(chunk)))
        written = super().write(chunk, texts[:count], ends=ends)
        if written is None or list(texts[count:]) == [text for _, text in self._copies()]:
            return written
        if isinstance(written, dict):
            return {name: value for name, value in written.items() if name != "context"}
        return replaced(written, {"context": None})

    def silent(self, chunk: Any) -> Any:
        """Return `chunk` without any text; `thinking` is left out, as Ollama does."""
        made = super().silent(chunk)
        said = fields_of(made).get("message")
        if not isinstance(said, dict) or said.get("thinking") != "":
            return made
        rest = {name: value for name, value in said.items() if name != "thinking"}
        return replaced(made, {"message": rest})

    def _copies(self) -> list[tuple[Slot, str]]:
        """Return the received texts so far, which a context spells out."""
        return [(slot, text) for slot, parts in self._raw.items() if (text := "".join(parts))]
