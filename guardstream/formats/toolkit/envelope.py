"""Chunks that wrap a chunk of another format, whose adapter reads and writes the inner chunk.

The fields beside the inner chunk are guarded as unknown text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from guardstream.events import FinishReason
from guardstream.formats.adapter import (
    Adapter,
    Passes,
    Reading,
    Released,
    Slot,
    Unknown,
    passes_any,
)
from guardstream.formats.generic.any_json import AnyJSON
from guardstream.formats.hooks import hooks_of
from guardstream.formats.toolkit.fields import fields_of, replaced

_NOTHING: tuple[object, Any] = (object(), None)
"""The last chunk and its inner chunk before there is one: no chunk is that object."""


class Envelope:
    """The base of such adapters; `field` has the inner chunk, `marks` are other harmless fields."""

    repeats = True
    field: ClassVar[str] = "data"
    marks: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, inner: Adapter[Any], *, unknown: Unknown = "guard") -> None:
        self._passes: Passes = passes_any
        self._use(inner)
        self._others = AnyJSON(unknown=unknown)

    def _use(self, inner: Adapter[Any]) -> None:
        self._inner = inner
        self._hooks = hooks_of(inner)
        self._hooks.judge_marks(self._passes)
        self._last = _NOTHING  # the last chunk and what is in it, as the inner adapter wants it

    def judge_marks(self, passes: Passes) -> None:
        """Ask `passes` about marks, in the inner chunk and beside it."""
        self._passes = passes
        self._hooks.judge_marks(passes)
        self._others.judge_marks(passes)

    def forget(self) -> None:
        """Drop the last chunk."""
        self._last = _NOTHING
        self._hooks.forget()
        self._others.forget()

    def inner_of(self, chunk: Any) -> Any:
        """Return the inner chunk; the same one for the same chunk."""
        if self._last[0] is not chunk:
            self._last = (chunk, self.unwrapped(chunk))
        return self._last[1]

    def unwrapped(self, chunk: Any) -> Any:
        """Return the inner chunk, made anew if it has to be made."""
        return fields_of(chunk)[self.field]

    def with_inner(self, chunk: Any, inner: Any) -> Any:
        """Return a chunk like `chunk` with another inner chunk."""
        return replaced(chunk, {self.field: inner})

    def beside(self, chunk: Any) -> Mapping[str, Any]:
        """Return the unknown fields beside the inner chunk."""
        known = {self.field, *self.marks}
        return {name: value for name, value in fields_of(chunk).items() if name not in known}

    def read(self, chunk: Any) -> Reading:
        """Find the text in the inner chunk and beside it."""
        reading = self._inner.read(self.inner_of(chunk))
        beside = self.beside(chunk)
        return self._others.added(reading, beside) if beside else reading

    def write(self, chunk: Any, texts: Sequence[str], *, ends: bool = True) -> Any | None:
        """Return a chunk with `texts`; None if nothing is left in it."""
        beside = self.beside(chunk)
        count = len(texts) - (len(self._others.pieces(beside, beside)) if beside else 0)
        inner = self.inner_of(chunk)
        written = self._inner.write(inner, texts[:count], ends=ends)
        if written is None:
            return None
        made = chunk if written is inner else self.with_inner(chunk, written)
        if not beside:
            return made
        kept = self._others.write(beside, texts[count:]) or {}
        return self.with_beside(made, {**dict.fromkeys(beside), **kept})

    def with_beside(self, chunk: Any, fields: Mapping[str, Any]) -> Any:
        """Return a chunk with other fields beside the inner chunk."""
        return replaced(chunk, fields)

    def without_unknown(self, chunk: Any) -> Any:
        """Return a chunk without unknown text."""
        made = self.with_inner(chunk, self._hooks.without_unknown(self.inner_of(chunk)))
        beside = self.beside(chunk)
        return self.with_beside(made, dict.fromkeys(beside)) if beside else made

    def passed(self, chunk: Any) -> None:
        """Tell the inner adapter what went out."""
        if self._hooks.passed is not None:
            self._hooks.passed(self.inner_of(chunk))

    def with_added(self, chunk: Any, inner: Any) -> Any:
        """Return a chunk like `chunk` with an inner chunk that the guard adds."""
        return self.with_inner(chunk, inner)

    def takes_more(self, slot: Slot) -> bool:
        """Return whether a block's message may continue the text of a slot."""
        return self._hooks.takes_more is None or self._hooks.takes_more(slot)

    def extra(self, chunk: Any, slot: Slot, text: str, released: Released) -> Sequence[Any]:
        """Return chunks with only `text`."""
        made = self._inner.extra(self.inner_of(chunk), slot, text, released)
        return [self.with_added(chunk, each) for each in made]

    def end(
        self, chunk: Any, choice: int, reason: FinishReason, released: Released
    ) -> Sequence[Any]:
        """Return the chunks that end a choice."""
        made = self._inner.end(self.inner_of(chunk), choice, reason, released)
        return [self.with_added(chunk, each) for each in made]
