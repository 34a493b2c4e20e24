"""Chunks that hold a chunk of another format: that one's adapter reads and writes what is inside.

What stands beside it is guarded as text of which nothing is known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from guardstream.events import FinishReason
from guardstream.providers.adapter import Adapter, Passes, Reading, Said, Slot, Unknown, passes_any
from guardstream.providers.any_json import AnyJSON
from guardstream.providers.fields import fields_of, replaced
from guardstream.providers.hooks import hooks_of


class Holding:
    """The base of such adapters; `field` is the one that holds, `marks` are others and harmless."""

    repeats = True
    field: ClassVar[str] = "data"
    marks: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, inner: Adapter[Any], *, unknown: Unknown = "guard") -> None:
        self._passes: Passes = passes_any
        self._read_inside_by(inner)
        self._others = AnyJSON(unknown=unknown)

    def _read_inside_by(self, inner: Adapter[Any]) -> None:
        self._inner = inner
        self._hooks = hooks_of(inner)
        self._hooks.judge_marks(self._passes)

    def judge_marks(self, passes: Passes) -> None:
        """Ask `passes` about marks, in the chunk inside and beside it."""
        self._passes = passes
        self._hooks.judge_marks(passes)
        self._others.judge_marks(passes)

    def held(self, chunk: Any) -> Any:
        """Return what a chunk holds."""
        return fields_of(chunk)[self.field]

    def holding(self, chunk: Any, held: Any) -> Any:
        """Return a chunk like `chunk` that holds something else."""
        return replaced(chunk, {self.field: held})

    def beside(self, chunk: Any) -> Mapping[str, Any]:
        """Return the fields beside what a chunk holds of which nothing is known."""
        known = {self.field, *self.marks}
        return {name: value for name, value in fields_of(chunk).items() if name not in known}

    def read(self, chunk: Any) -> Reading:
        """Find the text in the chunk inside, and beside it."""
        reading = self._inner.read(self.held(chunk))
        beside = self.beside(chunk)
        if not beside:
            return reading
        pieces = [*reading.pieces, *self._others.pieces(beside, beside)]
        return reading._replace(pieces=pieces, only_text=False)

    def write(self, chunk: Any, texts: Sequence[str], *, ends: bool = True) -> Any | None:
        """Return a chunk that says `texts`; None if nothing is left to say."""
        beside = self.beside(chunk)
        count = len(texts) - (len(self._others.pieces(beside, beside)) if beside else 0)
        held = self.held(chunk)
        written = self._inner.write(held, texts[:count], ends=ends)
        if written is None:
            return None
        made = chunk if written is held else self.holding(chunk, written)
        if not beside:
            return made
        kept = self._others.write(beside, texts[count:]) or {}
        return self.with_beside(made, {**dict.fromkeys(beside), **kept})

    def with_beside(self, chunk: Any, fields: Mapping[str, Any]) -> Any:
        """Return a chunk with other fields beside what it holds."""
        return replaced(chunk, fields)

    def without_unknown(self, chunk: Any) -> Any:
        """Return a chunk without text that nothing is known of."""
        made = self.holding(chunk, self._hooks.without_unknown(self.held(chunk)))
        beside = self.beside(chunk)
        return self.with_beside(made, dict.fromkeys(beside)) if beside else made

    def passed(self, chunk: Any) -> None:
        """Tell the adapter inside what went out."""
        if self._hooks.passed is not None:
            self._hooks.passed(self.held(chunk))

    def extra(self, chunk: Any, slot: Slot, text: str, said: Said) -> Sequence[Any]:
        """Return chunks that say only `text`."""
        made = self._inner.extra(self.held(chunk), slot, text, said)
        return [self.holding(chunk, each) for each in made]

    def end(self, chunk: Any, choice: int, reason: FinishReason, said: Said) -> Sequence[Any]:
        """Return the chunks that end a choice."""
        made = self._inner.end(self.held(chunk), choice, reason, said)
        return [self.holding(chunk, each) for each in made]
