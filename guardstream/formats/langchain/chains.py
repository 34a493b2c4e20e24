"""LangChain's chains with several results: `RunnableParallel` and `assign` stream dicts of pieces.

https://reference.langchain.com/python/langchain_core/runnables/#langchain_core.runnables.utils.AddableDict:
a chunk has the next pieces of one or more results, and its reader adds up chunks, key by key. So a
text or a message at a key is the next piece of one stream, which is a choice of its own. Other
values, such as documents, are guarded by their paths.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any

from guardstream.errors import AdapterError
from guardstream.events import FinishReason
from guardstream.formats.adapter import (
    Call,
    Passes,
    Piece,
    Reading,
    Released,
    Slot,
    Unknown,
    passes_any,
)
from guardstream.formats.detection.shapes import adds_up, is_message
from guardstream.formats.langchain.chunks import TEXT, LangChain
from guardstream.formats.langchain.values import Values
from guardstream.formats.toolkit.fields import has_text
from guardstream.formats.toolkit.nested import Nested

_GONE: Any = object()
"""Replaces a value of which nothing is left."""


class LangChainChains:
    """The adapter for dicts of pieces.

    Choice 0, the answer, is the first result that is a message, or a text that was not given to the
    chain. A text counts as given if it comes in the first chunk with results and is not empty:
    models begin with an empty text.
    """

    name = "langchain_chains"
    repeats = True
    leaves_out_calls = True

    def __init__(self, *, unknown: Unknown = "guard") -> None:
        self._unknown = unknown
        self._results: dict[str, Nested] = {}  # results, by path
        self._messages: dict[str, LangChain] = {}  # the adapters of their messages, by path
        self._given: set[str] = set()  # paths of texts that the chain was probably given
        self._answers = False  # whether there is a choice 0
        self._begun = False  # whether an earlier chunk had a text or a message
        self._values = Values()
        self._passes: Passes = passes_any

    def judge_marks(self, passes: Passes) -> None:
        """Ask `passes` about marks, in messages and in values."""
        self._passes = passes
        self._values.judge_marks(passes)

    def read(self, chunk: Any) -> Reading:
        """Find the text in the next piece of each result."""
        found: list[Reading] = []

        def visit(path: str, value: Any) -> Any:
            result = self._result(path, value) if _streams(chunk, value) else None
            found.append(self._read(path, value, result))
            return value

        def rename(name: str) -> str:
            found.append(self._values.streaming(name, _KEYS))
            return name

        _mapped(chunk, visit, rename)
        self._begun = bool(self._results)
        finished: dict[int, FinishReason] = {}
        calls: dict[Slot, Call] = {}
        for each in found:
            finished |= each.finished
            calls |= each.calls
        return Reading(
            [piece for each in found for piece in each.pieces],
            [choice for each in found for choice in each.choices],
            finished,
            closed=[slot for each in found for slot in each.closed],
            calls=calls,
            usage=next((each.usage for each in found if each.usage), None),
            complete=[slot for each in found for slot in each.complete],
            beside={slot: told for each in found for slot, told in each.beside.items()},
        )

    def write(self, chunk: Any, texts: Sequence[str], *, ends: bool = True) -> Any | None:
        """Return a dict with `texts`; None if nothing is left in it."""
        rest = iter(texts)

        def visit(path: str, value: Any) -> Any:
            if not _streams(chunk, value):
                return self._values.map(value, lambda _: next(rest), self._slot_at(path))
            if isinstance(value, str):
                return (next(rest) or _GONE) if value else value
            messages = self._messages[path]
            own = list(islice(rest, len(messages.pieces(value))))
            written = messages.write(value, own, ends=ends)
            return _GONE if written is None else written

        written = _mapped(chunk, visit, lambda _: next(rest))
        return None if written is _GONE else written

    def without_unknown(self, chunk: Any) -> Any:
        """Return a dict whose messages have no unknown text."""

        def visit(path: str, value: Any) -> Any:
            if not is_message(value):
                return value
            return self._messages[path].without_unknown(value)

        return _mapped(chunk, visit)

    def extra(self, chunk: Any, slot: Slot, text: str, released: Released) -> Sequence[Any]:
        """Return a dict with only `text`, or a message that has it."""
        path, last = self._last(chunk, slot.choice)
        if isinstance(last, str):
            return [_at(chunk, path, text)]
        made = self._results[path].extra(last, slot, text, released)
        return [_at(chunk, path, each) for each in made]

    def end(
        self, chunk: Any, choice: int, reason: FinishReason, released: Released
    ) -> Sequence[Any]:
        """Return a dict with the last message of a result; a text just ends."""
        path, last = self._last(chunk, choice)
        if isinstance(last, str):
            return []
        made = self._results[path].end(last, reason, released)
        return [_at(chunk, path, each) for each in made]

    def _read(self, path: str, value: Any, result: Nested | None) -> Reading:
        if result is None:
            if self._unknown == "refuse" and has_text(value):
                raise AdapterError(f"langchain: {path} is neither a text nor a message")
            slot = self._slot_at(path)
            return self._values.streaming(value, slot) if slot else self._whole(value)
        if isinstance(value, str):
            pieces = [Piece(result.here(TEXT), value)] if value else []
            return Reading(pieces, () if path in self._given else (result.choice,))
        return result.read(value)

    def _whole(self, value: Any) -> Reading:
        return Reading(self._values.pieces(value), ())

    def _result(self, path: str, value: Any) -> Nested:
        """Return the result at a path, which may begin here."""
        found = self._results.get(path)
        if found is None:
            given = isinstance(value, str) and value and not self._begun
            if given:
                self._given.add(path)
            answers = not (given or self._answers)
            self._answers = self._answers or answers
            self._messages[path] = messages = LangChain(unknown=self._unknown)
            messages.judge_marks(self._passes)
            found = Nested(messages, 0 if answers else len(self._results) + 1)
            self._results[path] = found
        return found

    def _slot_at(self, path: str) -> Slot | None:
        """Return the slot of a value's texts, which may continue earlier ones; None if unknown text
        passes."""
        return None if self._unknown == "pass" else Slot(0, "text", path)

    def _last(self, chunk: Any, choice: int) -> tuple[str, Any]:
        """Return the path and the value of a choice in a chunk. AdapterError if there is none."""
        found: dict[str, Any] = {}
        _mapped(chunk, found.setdefault)
        for path, value in found.items():
            result = self._results.get(path)
            if result is not None and result.choice == choice:
                return path, value
        raise AdapterError(f"langchain: the chunk has nothing of choice {choice}")


Visit = Callable[[str, Any], Any]
"""Returns the replacement of a value, given its path."""
Rename = Callable[[str], str]
_KEYS = Slot(0, "text", "$~")


def _streams(chunk: Any, value: Any) -> bool:
    """Return whether a value in a chunk is a piece of a message, or of a text that is added up."""
    return is_message(value) or (isinstance(value, str) and adds_up(chunk))


def _mapped(chunk: Any, visit: Visit, rename: Rename | None = None, path: str = "$") -> Any:
    """Visit each value of a dict of pieces, and of such dicts in it; `rename` its own keys, if they
    may be any text.

    Return the dict itself if nothing changed, and `_GONE` if nothing is left.
    """
    kept: dict[str, Any] = {}
    for name, value in chunk.items():
        named = name and isinstance(name, str) and not adds_up(chunk)
        key = rename(name) if rename is not None and named else name
        inner = f"{path}.{name}"
        new = _mapped(value, visit, None, inner) if adds_up(value) else visit(inner, value)
        if new is not _GONE and (key or not named):
            kept[key] = new
    if len(kept) == len(chunk) and all(kept.get(name) is chunk[name] for name in chunk):
        return chunk
    return type(chunk)(kept) if kept else _GONE


def _at(chunk: Any, path: str, made: Any) -> Any:
    """Return a dict like `chunk` that has only a value at a path."""
    return _mapped(chunk, lambda place, _: made if place == path else _GONE)
